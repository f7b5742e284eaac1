"""The tables of a library. Every change here needs a migration beside it.

Everything has a place: a location that was ever known, and its number. A number is never given twice. What is
known of the track, of the file, and what was said of it refer to the place; so feedback outlives the track, and
a track that comes back finds its own.
"""

import sqlalchemy as sa

__all__ = [
    "HEAD",
    "METADATA",
    "VERSIONS",
    "VERSION_TABLE",
    "feedback",
    "file",
    "library",
    "place",
    "track",
]

VERSIONS = ("0001",)
"""Every version that there was, oldest first, as the files in ``migrations/versions`` number them."""

HEAD = VERSIONS[-1]

VERSION_TABLE = "music_version"

METADATA = sa.MetaData()

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts up INTEGER alone

library = sa.Table(
    "music_library",
    METADATA,
    sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("identity", sa.String(32), nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
)
"""One row: who this library is, and a random word that every change of its tracks replaces."""

place = sa.Table(
    "music_place",
    METADATA,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    # a digest of the location: databases limit how long what they index may be, but not paths
    sa.Column("key", sa.String(32), nullable=False, unique=True),
    sa.Column("location", sa.Text(), nullable=False),
    sqlite_autoincrement=True,
)

track = sa.Table(
    "music_track",
    METADATA,
    sa.Column("id", _ID, sa.ForeignKey(place.c.id), primary_key=True, autoincrement=False),
    sa.Column("title", sa.Text(), nullable=False),
    sa.Column("artist", sa.Text(), nullable=False),
    # a digest of the artist's name without its spelling; null where unknown
    sa.Column("artist_key", sa.BigInteger()),
    sa.Column("album", sa.Text(), nullable=False),
    sa.Column("genre", sa.Text(), nullable=False),
    sa.Column("duration_s", sa.Double()),
    sa.Column("tempo_bpm", sa.Double()),
    sa.Column("valence", sa.Double()),
    sa.Column("arousal", sa.Double()),
    sa.Column("energy", sa.Double()),
    sa.Column("mode", sa.String(8)),
    sa.Column("popularity", sa.Double()),
    sa.Column("source", sa.String(16), nullable=False),
)

file = sa.Table(
    "music_file",
    METADATA,
    sa.Column("id", _ID, sa.ForeignKey(place.c.id), primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger(), nullable=False),
    sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
    sa.Column("digest", sa.Text(), nullable=False),
    sa.Column("failure", sa.Text()),
)
"""What a scan remembers of the file at a place."""

feedback = sa.Table(
    "music_feedback",
    METADATA,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("place_id", _ID, sa.ForeignKey(place.c.id), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("at_us", sa.BigInteger(), nullable=False, index=True),  # microseconds since 1970, UTC
    sa.Column("emotion", sa.String(16)),
    sa.Column("mode", sa.Text()),
    sa.Column("cadence_spm", sa.Double()),
    sa.Column("position_s", sa.Double()),
    sqlite_autoincrement=True,
)

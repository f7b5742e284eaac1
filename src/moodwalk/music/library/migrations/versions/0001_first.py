"""The first tables: places, tracks, files, feedback."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and give the library its identity."""
    library = op.create_table(
        "music_library",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("identity", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
    )
    op.bulk_insert(library, [{"id": 1, "identity": uuid4().hex, "state": uuid4().hex}])
    op.create_table(
        "music_place",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(32), nullable=False, unique=True),
        sa.Column("location", sa.Text(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "music_track",
        sa.Column(
            "id", _ID, sa.ForeignKey("music_place.id"), primary_key=True, autoincrement=False
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("artist", sa.Text(), nullable=False),
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
    op.create_table(
        "music_file",
        sa.Column(
            "id", _ID, sa.ForeignKey("music_place.id"), primary_key=True, autoincrement=False
        ),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text()),
    )
    op.create_table(
        "music_feedback",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("place_id", _ID, sa.ForeignKey("music_place.id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("emotion", sa.String(16)),
        sa.Column("mode", sa.Text()),
        sa.Column("cadence_spm", sa.Double()),
        sa.Column("position_s", sa.Double()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_music_feedback_place_id", "music_feedback", ["place_id"])
    op.create_index("ix_music_feedback_at_us", "music_feedback", ["at_us"])


def downgrade() -> None:
    """Drop the tables."""
    for name in (
        "music_feedback",
        "music_file",
        "music_track",
        "music_place",
        "music_library",
    ):
        op.drop_table(name)

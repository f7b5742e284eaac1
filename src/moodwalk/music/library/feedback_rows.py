"""Feedback in a library's database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from moodwalk.emotion import Emotion
from moodwalk.errors import LibraryError
from moodwalk.music.library.feedback import Feedback
from moodwalk.music.library.schema import feedback, track

__all__ = ["put_feedback", "read_feedback_after", "read_recent", "to_microseconds"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEARD = ("play", "skip")


def put_feedback(connection: sa.Connection, said: Feedback) -> None:
    """Keep feedback.

    Raises
    ------
    LibraryError
        If the library has no such track.
    """
    number = int(said.track_id)
    in_range = 0 < number < 2**63
    is_there = in_range and connection.execute(sa.select(track.c.id).where(track.c.id == number))
    if not is_there or is_there.first() is None:
        raise LibraryError(
            f"feedback is on track {number}, which the library does not have; expected one of its tracks."
        )
    row: dict[str, Any] = {
        "place_id": number,
        "kind": said.kind,
        "at_us": to_microseconds(said.at),
        "emotion": None if said.emotion is None else str(said.emotion),
        "mode": said.mode,
        "cadence_spm": None if said.cadence_spm is None else float(said.cadence_spm),
        "position_s": None if said.position_s is None else float(said.position_s),
    }
    connection.execute(sa.insert(feedback), [row])


def read_feedback_after(
    connection: sa.Connection, after: tuple[int, int], limit: int
) -> list[tuple[tuple[int, int], Feedback]]:
    """Return the feedback that follows, oldest first.

    Parameters
    ----------
    connection
        To the database.
    after
        Time in microseconds, and number, of the last one that was read.
    limit
        At most so many.

    Returns
    -------
    list
        Of time and number, and feedback.
    """
    at_us, number = after
    later = sa.or_(
        feedback.c.at_us > at_us, sa.and_(feedback.c.at_us == at_us, feedback.c.id > number)
    )
    rows = connection.execute(
        sa.select(feedback).where(later).order_by(feedback.c.at_us, feedback.c.id).limit(limit)
    )
    return [((row.at_us, row.id), _to_feedback(row)) for row in rows]


def read_recent(connection: sa.Connection, n: int) -> list[int]:
    """Return the ids of tracks that were played or skipped last, each once, newest first."""
    last = sa.func.max(feedback.c.at_us)
    rows = connection.execute(
        sa.select(feedback.c.place_id)
        .join(track, track.c.id == feedback.c.place_id)
        .where(feedback.c.kind.in_(_HEARD))
        .group_by(feedback.c.place_id)
        .order_by(last.desc(), sa.func.max(feedback.c.id).desc())
        .limit(n)
    )
    return list(rows.scalars())


def to_microseconds(at: datetime) -> int:
    """Return microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def _to_feedback(row: Any) -> Feedback:
    return Feedback(
        track_id=row.place_id,
        kind=row.kind,
        at=_EPOCH + timedelta(microseconds=row.at_us),
        emotion=None if row.emotion is None else Emotion(row.emotion),
        mode=row.mode,
        cadence_spm=row.cadence_spm,
        position_s=row.position_s,
    )

"""From a recording to a gait: joints, gaps and frame, one after the other, and a record of all three."""

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import DataFormatError, MoodwalkError
from moodwalk.gait import MAX_FRAMES, MIN_FRAMES, Gait
from moodwalk.intake.frame import find_frame
from moodwalk.intake.gaps import bridge_gaps
from moodwalk.intake.mapping import map_joints
from moodwalk.intake.maps import SkeletonMap
from moodwalk.intake.markers import find_joint_centres
from moodwalk.recording import Reading, Recording
from moodwalk.skeleton import Joint

__all__ = ["make_gait"]


def make_gait(recording: Recording, joint_map: SkeletonMap | None = None) -> Gait:
    """Bring a recording to the 16 joints, to metres, +y up and the walker facing +z.

    Parameters
    ----------
    recording
        Points under the names and on the axes of their source.
    joint_map
        Which joint is which; None to tell by their names.

    Returns
    -------
    Gait
        With travel: it starts over the origin, and its feet stand at y = 0. `reading` says what was
        found, how sure that is, and how each of the 16 joints was made.

    Raises
    ------
    DataFormatError
        If the skeleton is unknown; the message names the joints that could not be placed.
    QualityError
        If the joints are no body that stands, or too few frames have all of them.
    """
    where = f"{recording.source or recording.format}: "
    if not MIN_FRAMES <= len(recording) <= MAX_FRAMES:
        raise DataFormatError(
            f"{where}{len(recording):,} frames; expected {MIN_FRAMES} to {MAX_FRAMES:,}."
        )
    try:
        if (
            joint_map is None
        ):  # markers lie on the skin; their joint centres have names of their own
            recording = find_joint_centres(recording) or recording
        mapped = map_joints(recording, joint_map)
        points, kept, gap_findings = bridge_gaps(mapped.positions, recording.fps)
        frame = find_frame(
            points,
            recording.fps,
            extras={name: extra[kept] for name, extra in mapped.extras.items()},
            unit_m=recording.unit_m,
            up=recording.up,
        )
    except MoodwalkError as error:
        text = str(error)
        raise type(error)(text if text.startswith(where) else f"{where}{text}") from None
    reading = Reading(
        recording.format,
        mapped.skeleton,
        dict(mapped.sources),
        tuple(mapped.derived),
        (*recording.findings, *mapped.findings, *gap_findings, *frame.findings),
    )
    return Gait(
        _put_on_ground(frame.apply(points)).astype(np.float32),
        recording.fps,
        name=recording.name,
        subject=recording.subject,
        label=recording.label,
        acted=recording.acted,
        source=recording.source,
        reading=reading,
    )


def _put_on_ground(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move a walk to the origin, its feet to y = 0; a few frames may be lower, for noise."""
    floor = np.percentile(positions[:, [Joint.RIGHT_FOOT, Joint.LEFT_FOOT], 1], 2)
    start = positions[0, Joint.ROOT]
    return positions - np.array([start[0], floor, start[2]])

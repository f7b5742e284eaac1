"""Files that hold what a device recorded: BVH, C3D, video, tables of joints of any skeleton."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from moodwalk.errors import ConfigError, MoodwalkError
from moodwalk.gait import Gait, GaitSet
from moodwalk.intake.mapping import read_joint_map
from moodwalk.intake.maps import SkeletonMap
from moodwalk.intake.walk import make_gait
from moodwalk.io.bvh import begins_bvh, read_bvh
from moodwalk.io.c3d import begins_c3d, read_c3d
from moodwalk.io.joint_tables import is_joint_table, read_joint_table
from moodwalk.io.opening import peek
from moodwalk.io.video import begins_video, read_video
from moodwalk.recording import Recording

__all__ = ["ReadOptions", "is_recording", "read_recordings", "read_walks"]

N_PEEKED = 2**16
"""More than the header line of a table takes."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a user says of a file that the file itself does not.

    Parameters
    ----------
    fps
        Frames per second, where the file is wrong or silent; of tables of joints, where they are silent.
    joint_map
        Which recorded joint is which of the 16, or a file that says so; None to tell by their names.
    person
        Number of the person in a video of several; None for the one who walks.
    pose_model
        A MediaPipe ``.task`` file; None for the model inside the installed package.
    progress
        Called with frames done and frames in all (None where nobody knows), while a video is read.
    """

    fps: float | None = None
    joint_map: SkeletonMap | Path | None = None
    person: int | None = None
    pose_model: Path | None = None
    progress: Callable[[int, int | None], None] | None = None

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise ConfigError(f"fps is {self.fps}; expected a positive number.")

    def load_map(self) -> SkeletonMap | None:
        """Return the map, read from its file if it is one."""
        if self.joint_map is None or isinstance(self.joint_map, SkeletonMap):
            return self.joint_map
        return read_joint_map(self.joint_map)


def is_recording(path: Path) -> bool:
    """Return whether a file is, by its content, one that `read_recordings` reads."""
    start = peek(path, N_PEEKED)
    return begins_bvh(start) or begins_c3d(start) or begins_video(start) or is_joint_table(path)


def read_recordings(path: str | Path, options: ReadOptions | None = None) -> list[Recording]:
    """Read what a file recorded; its content says which format it is.

    Parameters
    ----------
    path
        A BVH, C3D or video file, or a table of joints.
    options
        What the file itself does not say.

    Raises
    ------
    DataFormatError, MediaError
        If the file is missing, damaged or something else.
    ConfigError
        If a package for the format is not installed, or the file needs an option.
    """
    path, options = Path(path), options or ReadOptions()
    start = peek(path, N_PEEKED)
    if begins_video(start):
        return [
            read_video(
                path,
                person=options.person,
                model=options.pose_model,
                fps=options.fps,
                progress=options.progress,
            )
        ]
    if options.person is not None:
        raise ConfigError(f"{path} is no video; person is for videos only. Leave it out.")
    if begins_bvh(start):
        return [_set_rate(read_bvh(path), options)]
    if begins_c3d(start):
        return [_set_rate(read_c3d(path), options)]
    found = options.load_map()
    names: Sequence[str] | None = found.order or None if found is not None else None
    return read_joint_table(path, options.fps, joint_names=names)


def read_walks(path: str | Path, options: ReadOptions | None = None) -> GaitSet:
    """Read the walks of a file that holds recordings, each on the 16 joints and in metres.

    Parameters
    ----------
    path, options
        As for `read_recordings`.

    Returns
    -------
    GaitSet
        One gait a recording; its `reading` says what was found. Of several, those that cannot be
        used are left out, and `problems` says so.

    Raises
    ------
    DataFormatError, MediaError, ConfigError
        As `read_recordings`; and if the skeleton is unknown.
    QualityError
        If no recording shows a body that stands.
    """
    options = options or ReadOptions()
    joint_map = options.load_map()
    gaits: list[Gait] = []
    problems: list[str] = []
    first: MoodwalkError | None = None
    for recording in read_recordings(path, options):
        try:
            gaits.append(make_gait(recording, joint_map))
        except MoodwalkError as error:
            first = first or error
            problems.append(str(error))
    if first is not None and not gaits:
        raise first
    return GaitSet(gaits, problems)


def _set_rate(recording: Recording, options: ReadOptions) -> Recording:
    return recording if options.fps is None else replace(recording, fps=options.fps)

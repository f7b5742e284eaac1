"""Every error that moodwalk raises on purpose.

    MoodwalkError
    ├── DataFormatError   a file is not what it should be       (also ValueError)
    ├── ShapeError        an array has another shape            (also ValueError)
    ├── LabelError        a label or label order makes no sense (also ValueError)
    ├── ConfigError       an option or a combination of options (also ValueError)
    ├── CheckpointError   weights that do not fit or are damaged (also ValueError)
    ├── MediaError        audio or video that cannot be read    (also ValueError)
    ├── QualityError      a walk too poor to answer from        (also ValueError)
    ├── LibraryError      a music library, or a player, that cannot be used (also RuntimeError)
    └── WorkerError       a worker process that ended in the middle (also RuntimeError)

A message says what was expected, what was found, where, and what to do, in one line. The command
line prints that line and exits with 2.
"""

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataFormatError",
    "LabelError",
    "LibraryError",
    "MediaError",
    "MoodwalkError",
    "MoodwalkWarning",
    "QualityError",
    "ShapeError",
    "WorkerError",
]


class MoodwalkError(Exception):
    """Root of every error that moodwalk raises on purpose."""


class DataFormatError(MoodwalkError, ValueError):
    """A file cannot be read, is damaged, or holds something else than its format says."""


class ShapeError(MoodwalkError, ValueError):
    """An array has another shape, type or length than expected."""


class LabelError(MoodwalkError, ValueError):
    """A label, a label code or a label order makes no sense."""


class ConfigError(MoodwalkError, ValueError):
    """An option, or a combination of options, that cannot be carried out."""


class CheckpointError(MoodwalkError, ValueError):
    """Weights that are damaged, or that belong to another network."""


class MediaError(MoodwalkError, ValueError):
    """Audio or video that cannot be read, or a video that shows nobody."""


class QualityError(MoodwalkError, ValueError):
    """A walk that is too short, too broken or not a walk."""


class LibraryError(MoodwalkError, RuntimeError):
    """A music library that cannot be opened, read or written, or a player that does not answer."""


class WorkerError(MoodwalkError, RuntimeError):
    """A worker process ended in the middle of its work, again and again."""


class MoodwalkWarning(UserWarning):
    """Something was decided for the user that the user should know of."""

"""One validated walk, and many."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodwalk.emotion import EMOTIONS, Emotion, parse_emotion
from moodwalk.errors import ConfigError, LabelError, ShapeError
from moodwalk.recording import Reading
from moodwalk.skeleton import N_JOINTS

__all__ = ["MAX_FRAMES", "MIN_FRAMES", "Gait", "GaitSet"]

MIN_FRAMES = 4
"""Jerk, a third difference, needs four frames."""

MAX_FRAMES = 200_000
"""Nearly two hours at 30 fps; more is a damaged or hostile file, or a wrong frame rate."""


@dataclass(frozen=True, eq=False, slots=True)
class Gait:
    """One walk of one person as 16 joint positions a frame.

    Parameters
    ----------
    positions
        (T, 16, 3), T >= 4, float32 or float64 as the source has it (anything else becomes
        float32). +y up, the walker faces +z, the right side lies at -x; metres where the source
        has a scale. Missing joints are NaN; infinity is refused.
    fps
        Frames per second.
    name
        What the source calls the gait, for instance its key in an HDF5 file.
    subject
        Who walks; None where nobody knows.
    label
        The emotion that observers perceived; None where there is none.
    acted
        The emotion that the walker was asked to act, where the source says so.
    source
        Where the gait comes from, for instance the file's name.
    synthetic
        Whether it was made to train on beside real gaits, as STEP-Gen's are. Such gaits are never scored.
    published_features
        (27,) the normalised affective features that the data set's authors published, if read.
    reading
        How it was made from a recording of other joints, on other axes; None where it needed no making.

    Raises
    ------
    ShapeError
        If positions do not have that shape, hold infinity, or are fewer than four frames.
    ConfigError
        If fps is not a positive number.
    LabelError
        If label or acted is no emotion.
    """

    positions: NDArray[np.floating]
    fps: float
    name: str = ""
    subject: str | None = None
    label: Emotion | None = None
    acted: Emotion | None = None
    source: str = ""
    synthetic: bool = False
    published_features: NDArray[np.floating] | None = None
    reading: Reading | None = None

    def __post_init__(self) -> None:
        where = f"gait {self.name!r}" if self.name else "gait"
        positions = _as_floats(self.positions, where)
        if positions.ndim != 3 or positions.shape[1:] != (N_JOINTS, 3):
            raise ShapeError(
                f"{where}: positions have shape {positions.shape}; expected (T, {N_JOINTS}, 3): "
                f"frames, joints, coordinates."
            )
        if len(positions) < MIN_FRAMES:
            raise ShapeError(
                f"{where}: {len(positions)} frames; expected at least {MIN_FRAMES}. "
                f"One gait cycle at 30 fps has about 35."
            )
        if np.isinf(positions).any():
            frame = int(np.isinf(positions).any(axis=(1, 2)).argmax())
            raise ShapeError(
                f"{where}: infinite position in frame {frame}; expected finite numbers."
            )
        if not (isinstance(self.fps, Real) and np.isfinite(self.fps) and self.fps > 0):
            raise ConfigError(
                f"{where}: fps is {self.fps!r}; expected a positive number. "
                f"Say how many frames a second the source has."
            )
        for field in ("label", "acted"):
            name = getattr(self, field)
            if name is not None:  # plain names from arrays become emotions here
                object.__setattr__(self, field, parse_emotion(name))
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "fps", float(self.fps))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.positions)

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.positions)

    @property
    def duration_s(self) -> float:
        """Length in seconds: frames over frame rate."""
        return len(self.positions) / self.fps

    @property
    def n_missing(self) -> int:
        """Number of joint positions, over all frames, that are NaN."""
        return int(np.isnan(self.positions).any(axis=2).sum())

    def with_positions(self, positions: NDArray[np.floating], fps: float | None = None) -> "Gait":
        """Return the same walk with other positions (and frame rate)."""
        return replace(self, positions=positions, fps=self.fps if fps is None else fps)


class GaitSet(Sequence[Gait]):
    """Many gaits, in order; slices, index arrays and masks give smaller sets.

    Parameters
    ----------
    gaits
        The gaits.
    problems
        One line for everything that the reader of the source decided or found odd.
    """

    __slots__ = ("_gaits", "problems")

    def __init__(self, gaits: Iterable[Gait], problems: Iterable[str] = ()) -> None:
        self._gaits = tuple(gaits)
        self.problems = tuple(problems)
        for gait in self._gaits:
            if not isinstance(gait, Gait):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ShapeError(
                    f"A GaitSet holds Gait objects; found {type(gait).__name__}. "
                    f"Make one from arrays with GaitSet.from_arrays(positions, fps=...)."
                )

    @classmethod
    def from_arrays(
        cls,
        positions: Iterable[ArrayLike],
        *,
        fps: float,
        labels: Iterable[str] | None = None,
        subjects: Iterable[str] | None = None,
    ) -> Self:
        """Make a set from arrays.

        Parameters
        ----------
        positions
            One array a gait, (T, 16, 3) or (T, 48); T may differ.
        fps
            Frames per second of all of them.
        labels, subjects
            One for each gait, or None.

        Raises
        ------
        ShapeError
            If an array has another shape.
        LabelError
            If the numbers of gaits, labels and subjects differ, or a label is no emotion.
        """
        arrays = [_as_floats(array, f"gait '{i}'") for i, array in enumerate(positions)]
        arrays = [
            a.reshape(-1, N_JOINTS, 3) if a.ndim == 2 and a.shape[1] == 3 * N_JOINTS else a
            for a in arrays
        ]
        names = list(labels) if labels is not None else [None] * len(arrays)
        people = list(subjects) if subjects is not None else [None] * len(arrays)
        if not len(arrays) == len(names) == len(people):
            raise LabelError(
                f"{len(arrays)} gaits, {len(names)} labels and {len(people)} subjects; expected as many of each."
            )
        emotions = [None if name is None else parse_emotion(name) for name in names]
        return cls(
            Gait(array, fps, name=str(i), subject=None if who is None else str(who), label=label)
            for i, (array, label, who) in enumerate(zip(arrays, emotions, people, strict=True))
        )

    def __len__(self) -> int:
        return len(self._gaits)

    def __iter__(self) -> Iterator[Gait]:
        return iter(self._gaits)

    @overload
    def __getitem__(self, index: int) -> Gait: ...
    @overload
    def __getitem__(
        self, index: slice | Sequence[int] | NDArray[np.integer] | NDArray[np.bool_]
    ) -> "GaitSet": ...
    def __getitem__(
        self, index: int | slice | Sequence[int] | NDArray[np.integer] | NDArray[np.bool_]
    ) -> "Gait | GaitSet":
        if isinstance(index, int | np.integer):
            return self._gaits[index]
        if isinstance(index, slice):
            return GaitSet(self._gaits[index], self.problems)
        chosen = np.arange(len(self))[np.asarray(index, dtype=None if len(index) else np.int64)]
        return GaitSet((self._gaits[i] for i in chosen), self.problems)

    def __add__(self, other: "GaitSet") -> "GaitSet":
        return GaitSet((*self, *other), (*self.problems, *other.problems))

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {emotion}" for emotion, n in self.label_counts.items() if n)
        return f"GaitSet({len(self)} gaits, {self.n_subjects} subjects: {counts or 'no labels'})"

    @property
    def labels(self) -> NDArray[np.str_]:
        """(n,) emotion names, as scikit-learn wants its targets.

        Raises
        ------
        LabelError
            If a gait has no label.
        """
        for gait in self:
            if gait.label is None:
                raise LabelError(
                    f"gait {gait.name!r} of {gait.source or 'this set'} has no label; expected one of "
                    f"{', '.join(EMOTIONS)} for every gait. Keep the labelled ones with `only_labelled()`."
                )
        return np.array([str(gait.label) for gait in self], dtype=np.str_)

    @property
    def subjects(self) -> NDArray[np.str_]:
        """(n,) who walks; a gait without a subject is a subject of its own."""
        return np.array(
            [g.subject if g.subject is not None else f"?{i}" for i, g in enumerate(self)],
            dtype=np.str_,
        )

    @property
    def n_subjects(self) -> int:
        """Number of different subjects."""
        return len(set(self.subjects.tolist()))

    @property
    def label_counts(self) -> dict[Emotion, int]:
        """Number of gaits of every emotion."""
        counts = Counter(gait.label for gait in self)
        return {emotion: counts[emotion] for emotion in EMOTIONS}

    def only_labelled(self) -> "GaitSet":
        """Return the gaits that have a label.

        Raises
        ------
        LabelError
            If none has.
        """
        labelled = [gait for gait in self if gait.label is not None]
        if not labelled:
            raise LabelError(
                f"none of the {len(self)} gaits has a label; expected labels*.h5 beside features*.h5."
            )
        return GaitSet(labelled, self.problems)


def _as_floats(values: ArrayLike, where: str) -> NDArray[np.floating]:
    """Return float32 or float64 as it is, in the machine's byte order, anything else as float32."""
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        array = np.asarray("not an array")
    if array.dtype.kind not in "fiu":
        raise ShapeError(f"{where}: positions are not numbers; expected (T, {N_JOINTS}, 3).")
    wide = array.dtype.kind == "f" and array.dtype.itemsize >= 8
    return array.astype(np.float64 if wide else np.float32, copy=False)

"""What a network sees of a gait: learned on training gaits only, and kept with the weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moodwalk.body import to_body_form
from moodwalk.errors import CheckpointError, ConfigError
from moodwalk.features import FEATURES, compute_affective_features
from moodwalk.gait import Gait
from moodwalk.preprocess import FPS, align_to_pose, resample, stack, standardise
from moodwalk.scaling import FeatureScaler
from moodwalk.skeleton import N_JOINTS

__all__ = ["GaitEncoder"]


@dataclass(frozen=True, eq=False, slots=True)
class GaitEncoder:
    """Turn gaits into a network's arrays.

    Parameters
    ----------
    n_frames
        Frames that every gait is repeated or cut to.
    fps
        Frame rate that every gait is brought to.
    root_relative
        Whether the root is moved to the origin of every frame.
    scaler
        Normalisation of the affective features, or None for networks without them. It decides how
        many of the 29 features, in their order, the network gets.
    pose
        (16, 3) pose on which every gait's first frame is laid, or None.
    body_form
        Whether every gait is turned, scaled and, if need be, mirrored by its own body, so that axes,
        facing, unit and height of the source do not matter.
    """

    n_frames: int
    fps: float
    root_relative: bool = True
    scaler: FeatureScaler | None = None
    pose: NDArray[np.floating] | None = None
    body_form: bool = False

    def __post_init__(self) -> None:
        if self.n_frames < 1:
            raise ConfigError(f"n_frames is {self.n_frames}; expected at least 1.")
        if self.n_affective > len(FEATURES):
            raise ConfigError(
                f"n_affective is {self.n_affective}; there are {len(FEATURES)} features."
            )

    @classmethod
    def fit(
        cls,
        gaits: Sequence[Gait],
        *,
        n_affective: int = 27,
        root_relative: bool = True,
        body_form: bool = False,
        n_frames: int | None = None,
        fps: float = FPS,
    ) -> Self:
        """Learn from training gaits.

        Parameters
        ----------
        gaits
            Training gaits; never those that will be scored.
        n_affective
            How many of the 29 affective features the network gets.
        root_relative
            Whether gaits are centred at the root. Otherwise each is laid on the first pose of the
            first training gait, as published for STEP's real-only baseline.
        body_form
            Whether gaits are brought to the form of their own body.
        n_frames
            Frames of the network's input; None for the longest training gait, as published.
        fps
            Frame rate of the network's input.

        Raises
        ------
        ConfigError
            If there are no gaits, or more features are asked for than there are.
        """
        if not len(gaits):
            raise ConfigError("There are no training gaits to learn the normalisation from.")
        if n_affective > len(FEATURES):
            raise ConfigError(f"n_affective is {n_affective}; there are {len(FEATURES)} features.")
        gaits = [_bring(gait, fps, root_relative, body_form) for gait in gaits]
        table = compute_affective_features(gaits)[:, :n_affective] if n_affective else None
        return cls(
            n_frames=max(len(gait) for gait in gaits) if n_frames is None else n_frames,
            fps=fps,
            root_relative=root_relative,
            scaler=None if table is None else FeatureScaler.fit(table),
            pose=None if root_relative else gaits[0].positions[0],
            body_form=body_form,
        )

    @property
    def n_affective(self) -> int:
        """Number of affective features."""
        return 0 if self.scaler is None else len(self.scaler.minimum)

    def bring(self, gait: Gait) -> Gait:
        """Bring a walk to the frame rate, and to the origin or the body form, that the network wants."""
        return _bring(gait, self.fps, self.root_relative, self.body_form)

    def encode(
        self, gaits: Sequence[Gait]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return what the network sees.

        Parameters
        ----------
        gaits
            n gaits of any length and frame rate.

        Returns
        -------
        positions
            (n, n_frames, 16, 3) float32.
        affective
            (n, F) float32, normalised, or None.
        """
        gaits = [self.bring(gait) for gait in gaits]
        affective = None
        if self.scaler is not None:
            table = compute_affective_features(gaits)[:, : self.n_affective]
            affective = self.scaler.transform(table).astype(np.float32)
        if self.pose is not None:
            pose = self.pose
            gaits = [g.with_positions(align_to_pose(g.positions, pose)) for g in gaits]
        return stack(gaits, self.n_frames), affective

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return {
            "n_frames": self.n_frames,
            "fps": self.fps,
            "root_relative": self.root_relative,
            "affective": None if self.scaler is None else self.scaler.to_dict(),
            "pose": None if self.pose is None else np.asarray(self.pose).tolist(),
            "body_form": self.body_form,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_dict` returned.

        Raises
        ------
        CheckpointError
            If something is missing or of another shape.
        """
        try:
            pose = None if data["pose"] is None else np.array(data["pose"], dtype=np.float64)
            if pose is not None and pose.shape != (N_JOINTS, 3):
                raise CheckpointError(f"pose has shape {pose.shape}; expected ({N_JOINTS}, 3).")
            scaler = (
                None if data["affective"] is None else FeatureScaler.from_dict(data["affective"])
            )
            return cls(
                n_frames=int(data["n_frames"]),
                fps=float(data["fps"]),
                root_relative=bool(data["root_relative"]),
                scaler=scaler,
                pose=pose,
                body_form=bool(data.get("body_form", False)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"the encoding of gaits is damaged ({error}).") from None


def _bring(gait: Gait, fps: float, root_relative: bool, body_form: bool) -> Gait:
    if body_form:
        return to_body_form(resample(gait, fps))
    return standardise(gait, fps) if root_relative else resample(gait, fps)

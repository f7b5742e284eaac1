"""Which joints, at which moments, move a network's answer: integrated gradients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moodwalk.emotion import Emotion
from moodwalk.errors import ConfigError, QualityError
from moodwalk.explain.network import WalkNetwork, compute_odds
from moodwalk.explain.population import Population
from moodwalk.gait import Gait
from moodwalk.harmonics import GaitCycle, fit_cycle
from moodwalk.predict import Predictor
from moodwalk.preprocess import align_to_pose, resample
from moodwalk.skeleton import N_JOINTS, Joint

__all__ = [
    "LONGEST_S",
    "Attribution",
    "Moment",
    "Piece",
    "WindowShare",
    "attribute",
    "cut_pieces",
    "find_class",
]

FloatArray = NDArray[np.float64]

LONGEST_S = 30.0
"""How much of a walk is explained at once: some 10 to 25 windows, each a second or so of work."""

N_STEPS = 48
_MOMENT_S = 0.4
_MOST_MOMENTS = 3
_MOST_SHARE = 0.4  # of a walk that moments may make up
_MOST_STEPS = 1024


class Piece(NamedTuple):
    """A window of a walk and of what it is compared with, both in the encoder's form.

    Parameters
    ----------
    start
        First frame, at the encoder's frame rate.
    walk, reference
        Of the same length, at most the network's input.
    """

    start: int
    walk: Gait
    reference: Gait


@dataclass(frozen=True, slots=True)
class WindowShare:
    """What was explained of one window.

    Parameters
    ----------
    start_s, end_s
        The window, in seconds from the first frame.
    odds, reference_odds
        Log-odds of the emotion against all others: of the walk, and of the reference in its place.
    error
        What the contributions miss of the difference of the two; 0 but for the numerical integral.
    """

    start_s: float
    end_s: float
    odds: float
    reference_odds: float
    error: float


class Moment(NamedTuple):
    """A stretch of a walk in which much speaks for the emotion.

    Parameters
    ----------
    start_s, end_s
        Seconds from the first frame.
    contribution
        Log-odds that the stretch adds.
    joints
        The two that add most.
    """

    start_s: float
    end_s: float
    contribution: float
    joints: tuple[Joint, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Attribution:
    """What every joint at every moment adds to the log-odds of an emotion.

    Parameters
    ----------
    emotion
        The emotion explained.
    contributions
        (T, 16) log-odds for (above 0) or against the emotion, by the walk's own frames. Where windows
        overlap, their mean; 0 where there is no window.
    joints
        (16,) the same over the whole walk: mean over windows of each joint's sum.
    rhythm
        What comes from counted steps and belongs to no joint; 0 for networks that do not count.
    windows
        In order; the mean of their differences of log-odds is the sum of `joints` and `rhythm`.
    fps
        Of the walk.
    reference
        What the walk was compared with, in words.
    shown
        The first window's walk and reference, in the form that the network sees.
    """

    emotion: Emotion
    contributions: FloatArray
    joints: FloatArray
    rhythm: float
    windows: tuple[WindowShare, ...]
    fps: float
    reference: str
    shown: tuple[Gait, Gait]

    @property
    def total(self) -> float:
        """Log-odds between the walk and its reference, mean over windows."""
        return float(np.mean([w.odds - w.reference_odds for w in self.windows]))

    @property
    def error(self) -> float:
        """The greatest error of a window."""
        return max(abs(w.error) for w in self.windows)

    def rank_joints(self) -> list[Joint]:
        """Return the joints, the one that speaks most for the emotion first."""
        return [Joint(int(i)) for i in np.argsort(-self.joints, kind="stable")]

    def find_moments(self) -> tuple[Moment, ...]:
        """Return up to three stretches of 0.4 s that add most, in order of time.

        Together they make up two fifths of the walk at most; of a short walk there is one.
        """
        width = max(1, min(round(_MOMENT_S * self.fps), len(self.contributions)))
        frames = np.concatenate([[0.0], np.cumsum(self.contributions.sum(axis=1))])
        sums = frames[width:] - frames[:-width]
        found: list[Moment] = []
        n_most = max(1, int(_MOST_SHARE * len(self.contributions) / width))
        for _ in range(min(_MOST_MOMENTS, n_most)):
            start = int(sums.argmax())
            if not sums[start] > 0:
                break
            by_joint = self.contributions[start : start + width].sum(axis=0)
            leading = [Joint(int(j)) for j in np.argsort(-by_joint)[:2] if by_joint[j] > 0]
            found.append(
                Moment(
                    start / self.fps,
                    (start + width) / self.fps,
                    float(sums[start]),
                    tuple(leading),
                )
            )
            sums[max(0, start - width + 1) : start + width] = -np.inf
        return tuple(sorted(found))

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold: by joint and moment, not by frame."""
        return {
            "emotion": str(self.emotion),
            "reference": self.reference,
            "log_odds": float(np.mean([w.odds for w in self.windows])),
            "log_odds_of_reference": float(np.mean([w.reference_odds for w in self.windows])),
            "error": self.error,
            "joints": {joint.name.lower(): float(self.joints[joint]) for joint in Joint},
            "rhythm": self.rhythm,
            "moments": [
                {
                    "start_s": m.start_s,
                    "end_s": m.end_s,
                    "contribution": m.contribution,
                    "joints": [joint.name.lower() for joint in m.joints],
                }
                for m in self.find_moments()
            ],
        }


def attribute(
    predictor: Predictor,
    gait: Gait,
    emotion: Emotion | str | None = None,
    *,
    baseline: Population | Gait | None = None,
    n_steps: int = N_STEPS,
    progress: Callable[[int, int], None] | None = None,
) -> Attribution:
    """Say how much every joint at every moment contributes to an emotion.

    Parameters
    ----------
    predictor
        Weights.
    gait
        A walk of at most half a minute, with all its joints.
    emotion
        Which emotion to explain; by default the most probable one.
    baseline
        What to compare with: a population, whose mean cycle is walked by this walker, or a neutral walk of
        the walker's own; by default the population that moodwalk ships.
    n_steps
        Points of the integral between baseline and walk, 4 to 1024.
    progress
        Called after every window with how many are done, and of how many.

    Returns
    -------
    Attribution
        Contributions to the log-odds of the emotion against all others.

    Raises
    ------
    ConfigError
        If captum is not installed, the network does not know the emotion, or `n_steps` is out of range.
    QualityError
        If joints are missing, or the walk is too short or too long.

    Notes
    -----
    Integrated gradients [1]_: the gradient along the straight line from the baseline to the walk,
    times the distance. The sum over joints and moments is the difference of the two answers
    (completeness). Gradients pass through the affective features too (`WalkNetwork`).

    The baseline is a walk of the same bones, cadence and phase, with the mean movement of the population:
    so proportions and step rate are not what is explained, the way of moving is. A walk in which no
    cycle is found is compared with its own mean pose held still.

    Log-odds, this baseline and gradients through the features were chosen by measuring which
    attributions foretell best what the answer loses when joints are replaced
    (``benchmarks/explanation.py``, docs/explain.md).

    References
    ----------
    .. [1] Sundararajan, Taly and Yan (2017), Axiomatic attribution for deep networks, ICML,
       arXiv:1703.01365.
    """
    if find_spec("captum") is None:
        raise ConfigError(
            "explaining needs captum, which is not installed. Install 'moodwalk[explain]'."
        )
    if not 4 <= n_steps <= _MOST_STEPS:
        raise ConfigError(f"n_steps is {n_steps}; expected 4 to {_MOST_STEPS}.")
    if gait.duration_s > LONGEST_S * 1.001:
        raise QualityError(
            f"gait {gait.name!r} lasts {gait.duration_s:.0f} s; expected at most {LONGEST_S:.0f} s. "
            f"Cut out the part that should be explained."
        )
    if emotion is None:
        emotion = predictor.predict(gait, force=True).emotion
    target = find_class(predictor, emotion)
    pieces, reference = cut_pieces(predictor, gait, baseline)
    network = WalkNetwork(predictor.checkpoint)
    parts: list[_Part] = []
    for piece in pieces:
        parts.append(_integrate(network, piece, target, n_steps))
        if progress is not None:
            progress(len(parts), len(pieces))
    fps = predictor.checkpoint.encoder.fps
    windows = tuple(
        WindowShare(
            piece.start / fps,
            (piece.start + len(piece.walk)) / fps,
            part.odds,
            part.reference_odds,
            part.odds - part.reference_odds - float(part.by_joint.sum()) - part.rhythm,
        )
        for piece, part in zip(pieces, parts, strict=True)
    )
    return Attribution(
        predictor.checkpoint.classes[target],
        _join_windows(pieces, parts, fps, gait),
        np.mean([part.by_joint.sum(axis=0) for part in parts], axis=0),
        float(np.mean([part.rhythm for part in parts])),
        windows,
        gait.fps,
        reference,
        (pieces[0].walk, pieces[0].reference),
    )


def find_class(predictor: Predictor, emotion: Emotion | str) -> int:
    """Return the output of an emotion.

    Raises
    ------
    ConfigError
        If the network does not know it.
    """
    classes = predictor.checkpoint.classes
    if emotion not in classes:
        raise ConfigError(
            f"these weights do not know {str(emotion)!r}; expected one of {', '.join(classes)}."
        )
    return classes.index(Emotion(emotion))


def cut_pieces(
    predictor: Predictor, gait: Gait, baseline: Population | Gait | None = None
) -> tuple[list[Piece], str]:
    """Cut a walk into the windows that a predictor reads, each with its reference.

    Parameters
    ----------
    predictor, gait, baseline
        As for `attribute`.

    Returns
    -------
    list of Piece
        In order.
    str
        What the reference is, in words.
    """
    encoder = predictor.checkpoint.encoder
    whole = resample(gait, encoder.fps)
    words = "the average walk of the training population"
    if isinstance(baseline, Gait):
        words = "the walker's own reference walk"
        try:
            waves = fit_cycle(encoder.bring(baseline)).waves
        except QualityError as error:
            raise QualityError(f"the reference walk cannot be used: {error}") from None
    else:
        waves = (baseline or Population.load()).average
    pieces: list[Piece] = []
    for window in predictor.predict(gait, force=True).windows:
        start, end = (round(second * encoder.fps) for second in (window.start_s, window.end_s))
        part = whole.with_positions(whole.positions[start:end])
        walk = encoder.bring(part)
        try:
            own = fit_cycle(walk)
        except QualityError:
            words = "its own mean pose, held still"
            x = np.broadcast_to(walk.positions.mean(axis=0), walk.positions.shape)
        else:
            cycle = GaitCycle(waves, own.bones, own.period_s, own.phase, own.turned)
            x = cycle.render(len(walk), walk.fps)
        reference = walk.with_positions(np.ascontiguousarray(x, dtype=np.float64))
        if encoder.pose is not None:
            pose = encoder.pose
            walk = walk.with_positions(align_to_pose(walk.positions, pose))
            reference = reference.with_positions(align_to_pose(reference.positions, pose))
        pieces.append(Piece(start, walk, reference))
    return pieces, words


class _Part(NamedTuple):
    by_joint: FloatArray  # (T, 16)
    rhythm: float
    odds: float
    reference_odds: float


def _integrate(network: WalkNetwork, piece: Piece, target: int, n_steps: int) -> _Part:
    """Return the contributions of one window."""
    from captum.attr import IntegratedGradients

    def answer(*inputs: Tensor) -> Tensor:
        return compute_odds(network(*inputs), target)

    walk, reference = _encode(network, piece.walk), _encode(network, piece.reference)
    method = IntegratedGradients(answer)
    shares: Sequence[Tensor] = method.attribute(
        walk, baselines=reference, n_steps=n_steps, method="gausslegendre", internal_batch_size=32
    )
    with torch.no_grad():
        odds, reference_odds = (float(answer(*inputs)[0]) for inputs in (walk, reference))
    by_joint = shares[0][0].sum(dim=-1).detach().numpy().astype(np.float64)
    rhythm = float(shares[1].sum()) if len(shares) > 1 else 0.0
    if not (np.isfinite(by_joint).all() and np.isfinite([odds, reference_odds]).all()):
        raise QualityError(
            f"gait {piece.walk.name!r}: its positions give no finite answer; expected a walk. "
            f"Do joints coincide, or are lengths out of range?"
        )
    return _Part(by_joint, rhythm, odds, reference_odds)


def _encode(network: WalkNetwork, gait: Gait) -> tuple[Tensor, ...]:
    positions = torch.from_numpy(gait.positions.astype(np.float64))[None]
    if not network.n_rhythm:
        return (positions,)
    return positions, torch.from_numpy(network.compute_rhythm(gait))[None]


def _join_windows(
    pieces: Sequence[Piece], parts: Sequence[_Part], fps: float, gait: Gait
) -> FloatArray:
    """Lay windows over each other, then bring them to the walk's own frames.

    Sums over time are kept: what lay in a stretch lies in it still.
    """
    n_frames = int((len(gait) - 1) * fps / gait.fps + 1e-9) + 1
    total, count = np.zeros((n_frames, N_JOINTS)), np.zeros((n_frames, 1))
    for piece, part in zip(pieces, parts, strict=True):
        span = slice(piece.start, piece.start + len(piece.walk))
        total[span] += part.by_joint
        count[span] += 1
    mean = total / np.maximum(count, 1)
    if fps == gait.fps:
        return mean
    so_far = np.concatenate([np.zeros((1, N_JOINTS)), np.cumsum(mean, axis=0)])
    edges = (np.arange(n_frames + 1) - 0.5) / fps
    own = (np.arange(len(gait) + 1) - 0.5) / gait.fps
    own[0], own[-1] = edges[0], max(own[-1], edges[-1])
    columns = [np.interp(own, edges, so_far[:, joint]) for joint in range(N_JOINTS)]
    return np.diff(np.stack(columns, axis=1), axis=0)

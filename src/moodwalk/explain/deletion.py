"""Whether the joints and moments that an attribution names matter more than others: by deleting them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from moodwalk.errors import ConfigError
from moodwalk.evaluation import compute_subject_interval
from moodwalk.explain.attribution import Attribution, Piece, attribute, cut_pieces, find_class
from moodwalk.explain.network import WalkNetwork
from moodwalk.explain.population import Population
from moodwalk.gait import Gait, GaitSet
from moodwalk.predict import Predictor
from moodwalk.skeleton import N_JOINTS, Joint

__all__ = ["DeletionRow", "DeletionTest", "Replacement", "deletion_test"]

FloatArray = NDArray[np.float64]
Replacement = Literal["reference", "still"]

_STRETCHES = {"a fifth of the time": 0.2, "two fifths of the time": 0.4}
_MOVABLE = tuple(int(j) for j in Joint if j is not Joint.ROOT)


@dataclass(frozen=True, slots=True)
class DeletionRow:
    """What the answer loses when something is deleted.

    Parameters
    ----------
    what
        ``1 joint``, ``3 joints`` and so on, ``a fifth of the time`` or ``two fifths of the time``.
    named, named_ci95
        Mean fall of the probability of the predicted emotion when what contributes most is deleted.
    random, random_ci95
        The same for as many others, drawn at random.
    difference, difference_ci95
        Of the two, walk by walk.
    """

    what: str
    named: float
    named_ci95: tuple[float, float]
    random: float
    random_ci95: tuple[float, float]
    difference: float
    difference_ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class DeletionTest:
    """A deletion test over many walks.

    Parameters
    ----------
    rows
        One for each number of joints, then two for stretches of time, in which all joints are deleted.
    replacement
        What is put in the place of what is deleted.
    n_walks, n_subjects
        Over how many.
    confidence
        Mean probability of the predicted emotion before anything is deleted.
    """

    rows: tuple[DeletionRow, ...]
    replacement: Replacement
    n_walks: int
    n_subjects: int
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return {**asdict(self), "rows": [asdict(row) for row in self.rows]}


def deletion_test(
    predictor: Predictor,
    gaits: Sequence[Gait],
    *,
    counts: Sequence[int] = (1, 3, 5),
    n_random: int = 20,
    replacement: Replacement = "reference",
    baseline: Population | None = None,
    attributions: Sequence[Attribution] | None = None,
    n_steps: int = 24,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> DeletionTest:
    """Delete the joints that contribute most, and as many others, and compare what is lost.

    Parameters
    ----------
    predictor
        Weights.
    gaits
        Walks, of at most half a minute each, with all their joints. Whether the weights were trained on
        them does not matter: the test is about the explanation of an answer, not about the answer.
    counts
        How many joints to delete at once.
    n_random
        Random choices for every number of joints, and for the stretch of time.
    replacement
        ``reference``: a joint moves as in the reference walk of the attribution. ``still``: it stays at
        its own mean place, which the attribution knows nothing of.
    baseline
        As for `attribute`.
    attributions
        One for each walk, of its predicted emotion, by whatever method; by default those of `attribute`.
    n_steps
        As for `attribute`.
    seed
        Of the random choices.
    progress
        Called after every walk with how many are done.

    Returns
    -------
    DeletionTest
        With 95 % intervals from resampled subjects.

    Raises
    ------
    ConfigError
        If there are no walks, or counts or `n_random` make no sense.
    QualityError
        If a walk cannot be explained.

    Notes
    -----
    The root is never deleted: most networks see it at the origin always, and a random choice that may
    fall on a joint that cannot matter would make the test too easy.
    """
    if not len(gaits):
        raise ConfigError("no walks to delete joints of; expected at least one.")
    if not counts or any(not 1 <= count < len(_MOVABLE) for count in counts) or n_random < 1:
        raise ConfigError(
            f"counts are {list(counts)} and n_random {n_random}; expected counts from 1 to "
            f"{len(_MOVABLE) - 1} and at least one random choice."
        )
    if attributions is not None and len(attributions) != len(gaits):
        raise ConfigError(
            f"{len(attributions)} attributions for {len(gaits)} walks; expected as many."
        )
    network = WalkNetwork(predictor.checkpoint)
    names = [f"{count} joint{'s' if count > 1 else ''}" for count in counts]
    names += list(_STRETCHES)
    named = np.empty((len(gaits), len(names)))
    random = np.empty_like(named)
    before = np.empty(len(gaits))
    for i, gait in enumerate(gaits):
        # a choice of its own for every walk, whatever walks are around it
        rng = np.random.default_rng([seed, i])
        known = attributions[i] if attributions is not None else None
        if known is None:
            known = attribute(predictor, gait, baseline=baseline, n_steps=n_steps)
        target = find_class(predictor, known.emotion)
        pieces, _ = cut_pieces(predictor, gait, baseline)
        weights = [
            *(_choose_joints(known, count, n_random, rng, gait, pieces) for count in counts),
            *(
                _choose_moments(known, share, n_random, rng, gait, pieces)
                for share in _STRETCHES.values()
            ),
        ]
        flat = [choice for group in weights for choice in group]
        before[i], after = _delete(predictor, network, pieces, target, flat, replacement)
        lost = (before[i] - after).reshape(len(weights), 1 + n_random)
        named[i], random[i] = lost[:, 0], lost[:, 1:].mean(axis=1)
        if progress is not None:
            progress(i + 1)
    subjects = GaitSet(gaits).subjects

    def interval(values: FloatArray) -> tuple[float, float]:
        return compute_subject_interval(values, subjects, seed=seed)

    rows = tuple(
        DeletionRow(
            what,
            float(named[:, k].mean()),
            interval(named[:, k]),
            float(random[:, k].mean()),
            interval(random[:, k]),
            float((named[:, k] - random[:, k]).mean()),
            interval(named[:, k] - random[:, k]),
        )
        for k, what in enumerate(names)
    )
    n_subjects = len(set(subjects.tolist()))
    return DeletionTest(rows, replacement, len(gaits), n_subjects, float(before.mean()))


Weights = list[FloatArray]
"""How much to delete of each piece, (T, 16) from 0 to 1."""


def _choose_joints(
    known: Attribution,
    count: int,
    n_random: int,
    rng: np.random.Generator,
    gait: Gait,
    pieces: Sequence[Piece],
) -> list[Weights]:
    """Return the joints named, then `n_random` random choices."""
    ranked = [int(joint) for joint in known.rank_joints() if joint is not Joint.ROOT]
    choices = [ranked[:count], *(rng.permutation(_MOVABLE)[:count] for _ in range(n_random))]
    chosen: list[Weights] = []
    for joints in choices:
        column = np.isin(np.arange(N_JOINTS), joints).astype(np.float64)
        chosen.append([np.broadcast_to(column, (len(p.walk), N_JOINTS)) for p in pieces])
    return chosen


def _choose_moments(
    known: Attribution,
    share: float,
    n_random: int,
    rng: np.random.Generator,
    gait: Gait,
    pieces: Sequence[Piece],
) -> list[Weights]:
    """Return the stretch of a share of the walk that contributes most, then random ones.

    A stretch fades in and out: a jump would change speeds and jerks wherever it lies, and the test
    would measure that.
    """
    width = max(3, round(share * len(gait)))
    fade = np.hanning(width + 2)[1:-1]
    sums = np.convolve(known.contributions.sum(axis=1), fade, mode="valid")
    starts = [int(sums.argmax()), *rng.integers(len(sums), size=n_random).tolist()]
    chosen: list[Weights] = []
    for start in starts:
        weights: Weights = []
        for piece in pieces:
            at = (piece.start + np.arange(len(piece.walk))) / piece.walk.fps * gait.fps
            inside = np.interp(at, start + np.arange(width), fade, left=0.0, right=0.0)
            weights.append(np.broadcast_to(inside[:, None], (len(at), N_JOINTS)))
        chosen.append(weights)
    return chosen


def _delete(
    predictor: Predictor,
    network: WalkNetwork,
    pieces: Sequence[Piece],
    target: int,
    choices: Sequence[Weights],
    replacement: Replacement,
) -> tuple[float, FloatArray]:
    """Return the probability of a class before, and (n,) after each choice was deleted."""
    total = np.zeros(1 + len(choices))
    for k, piece in enumerate(pieces):
        x = piece.walk.positions.astype(np.float64)
        other = piece.reference.positions.astype(np.float64)
        if replacement == "still":
            other = np.broadcast_to(x.mean(axis=0), x.shape)
        variants = [x, *(x + weights[k][:, :, None] * (other - x) for weights in choices)]
        rhythm = None
        if network.n_rhythm:
            table = [network.compute_rhythm(piece.walk.with_positions(v)) for v in variants]
            rhythm = torch.from_numpy(np.stack(table))
        with torch.no_grad():
            logits = network(torch.from_numpy(np.stack(variants)), rhythm)
            p = torch.softmax(logits.double() / predictor.checkpoint.temperature, dim=1)
        total += p[:, target].numpy()
    mean = total / len(pieces)
    return float(mean[0]), mean[1:]

"""Are the labels what they claim to be? The evidence about the label order of a data file.

A label file holds bare codes, and the published order of Emotion-Gait's codes is wrong. Two things
in the data itself speak about the order: the emotion that walkers were asked to act (in the keys of
some gaits), and how the walks of each code move. Acted is not perceived emotion, and kinematics
tell sad walks from the others far better than they tell happy from angry ones; `Audit` says how much
its evidence carries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import EMOTIONS, Emotion, LabelOrder
from moodwalk.gait import Gait, GaitSet
from moodwalk.io.emotion_gait import EmotionGaitPart
from moodwalk.skeleton import Joint

__all__ = [
    "MEASURES",
    "Audit",
    "Measure",
    "MeasureByCode",
    "OrderScore",
    "Verdict",
    "audit_labels",
    "compute_cycle_frames",
]

N_RESAMPLES = 2000
SIGNIFICANT = 0.05
SURE = 0.95
MIN_SUBJECTS = 5
MIN_GAITS = 5

Verdict = Literal["agrees", "disagrees", "undecided", "uncoded", "unlabelled"]
"""What the evidence says of the order in use; the last two: there are no codes, or no labels."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One kinematic measure, and what the literature expects of it.

    Parameters
    ----------
    name, unit, meaning
        What is measured.
    expected
        1 where walks of an emotion are expected high, -1 where low, 0 between.
    """

    name: str
    unit: str
    meaning: str
    expected: Mapping[Emotion, int]


# Sad walks are slow, with little arm swing and a drooping head; happy and angry walks are fast and
# large; happy walks are upright: Montepare, Goldstein and Clausen (1987), J. Nonverbal Behav. 11:33;
# Roether, Omlor, Christensen and Giese (2009), doi:10.1167/9.6.15; Michalak et al. (2009),
# doi:10.1097/PSY.0b013e3181a2515c; Gross, Crane and Fredrickson (2012),
# doi:10.1016/j.humov.2011.05.001.
_FAST = {Emotion.HAPPY: 1, Emotion.ANGRY: 1, Emotion.SAD: -1, Emotion.NEUTRAL: 0}
_UPRIGHT = {Emotion.HAPPY: 1, Emotion.ANGRY: 0, Emotion.SAD: -1, Emotion.NEUTRAL: 0}
_SLOW = {emotion: -level for emotion, level in _FAST.items()}

MEASURES: tuple[Measure, ...] = (
    Measure("cycle_frames", "frames", "length of one gait cycle", _SLOW),
    Measure("cycle_s", "s", "duration of one gait cycle", _SLOW),
    Measure("hand_speed", "trunks/s", "mean speed of both hands relative to the root", _FAST),
    Measure("foot_speed", "trunks/s", "mean speed of both feet relative to the root", _FAST),
    Measure("head_height", "trunks", "height of the head above the root", _UPRIGHT),
)
"""One trunk is the length of the chain root, spine, neck, head, so that body size drops out."""

_SCORED = [1, 2, 3, 4]
"""Which of them are scored: cycle length counts once."""


@dataclass(frozen=True, slots=True)
class MeasureByCode:
    """The mean of one measure over the gaits of each code; None for a code without gaits."""

    measure: Measure
    means: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class OrderScore:
    """How well one of the 24 label orders fits the evidence.

    Parameters
    ----------
    order
        The emotion that codes 0 to 3 would stand for.
    agreement
        Number of gaits whose acted emotion equals their coded one; None without acted emotion.
    kinematics
        Mean over the measures of the correlation, over the codes, between the code's mean and what
        the literature expects of its emotion: 1 at best, -1 at worst.
    """

    order: LabelOrder
    agreement: int | None
    kinematics: float


@dataclass(frozen=True, slots=True)
class Audit:
    """The evidence about the labels of one file, and the verdict on the order in use.

    Parameters
    ----------
    source
        The feature file's name.
    n_gaits, n_subjects
        Counts.
    order
        The order in use; None where labels come from no codes.
    code_counts
        Number of gaits of each code.
    acted
        For every emotion that walkers were asked to act, the number of gaits of each code; None
        where no key names an acted emotion.
    kinematics
        Means of every measure by code.
    scores
        All 24 orders, best first: by agreement, then by kinematics.
    best
        The best order, where acted emotion decides it; else None.
    rival
        The order that `best` was tested against: the order in use, or, if that is the best one,
        the closest other.
    margin
        By how many gaits `best` agrees more than `rival`.
    p_value
        Two-sided exact sign test of `best` against `rival` over the gaits on which they differ;
        if the order in use is best, the largest such p over all 23 others. Gaits count as
        independent.
    support
        Share of resamples (whole subjects, seeded) in which the comparison comes out the same way.
    sad_code
        The code whose walks move like sad ones by every scored measure at once; else None.
    sad_support
        Share of resamples in which the same code is the slowest and lowest on average.
    verdict
        What the evidence says of the order in use.
    message
        The verdict in words, one line.
    warning
        One line where the order in use contradicts the evidence; else None.
    """

    source: str
    n_gaits: int
    n_subjects: int
    order: LabelOrder | None = None
    code_counts: tuple[int, ...] = ()
    acted: Mapping[Emotion, tuple[int, ...]] | None = None
    kinematics: tuple[MeasureByCode, ...] = ()
    scores: tuple[OrderScore, ...] = ()
    best: LabelOrder | None = None
    rival: LabelOrder | None = None
    margin: int | None = None
    p_value: float | None = None
    support: float | None = None
    sad_code: int | None = None
    sad_support: float | None = None
    verdict: Verdict = "undecided"
    message: str = ""
    warning: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the audit as JSON would hold it."""
        return {
            "source": self.source,
            "gaits": self.n_gaits,
            "subjects": self.n_subjects,
            "order": _names(self.order),
            "code_counts": list(self.code_counts),
            "acted_by_code": None
            if self.acted is None
            else {str(emotion): list(row) for emotion, row in self.acted.items()},
            "kinematics_by_code": {
                row.measure.name: {"unit": row.measure.unit, "means": list(row.means)}
                for row in self.kinematics
            },
            "orders": [
                {
                    "order": _names(score.order),
                    "agreement": score.agreement,
                    "kinematics": score.kinematics,
                }
                for score in self.scores
            ],
            "best_order": _names(self.best),
            "rival_order": _names(self.rival),
            "margin": self.margin,
            "p_value": self.p_value,
            "support": self.support,
            "sad_code": self.sad_code,
            "sad_support": self.sad_support,
            "verdict": self.verdict,
            "message": self.message,
            "warning": self.warning,
        }


def audit_labels(part: EmotionGaitPart, seed: int = 0) -> Audit:
    """Weigh the evidence for the label order in use.

    Parameters
    ----------
    part
        One feature file with its labels, read with the order in use.
    seed
        Of the resampling.

    Returns
    -------
    Audit
        Acted against coded emotion, kinematics by code, all 24 orders, and a verdict. Where keys
        hold acted emotion it decides; without, kinematics only can say which code is sad.

    References
    ----------
    .. [1] Gutmann and Maymin (1987), Is the selected population the best?, Ann. Stat. 15:456: the
       two-sided test of the winner against the runner-up needs no correction for having picked it.
    """
    gaits = part.gaits
    source, n_gaits, n_subjects = part.features.name, len(gaits), gaits.n_subjects
    if any(gait.label is None for gait in gaits):
        message = "not every gait has a label, so there is nothing to audit."
        return Audit(source, n_gaits, n_subjects, verdict="unlabelled", message=message)
    if not part.coded:
        message = "its labels are true names, not codes, so no label order is in use."
        return Audit(source, n_gaits, n_subjects, verdict="uncoded", message=message)

    codes = part.codes
    units, weights = _draw_resamples(gaits, seed)
    values = _compute_measures(gaits)
    tables = _count_acted(gaits, codes, units)
    table = tables.sum(axis=0)
    agreements = [int(n) for n in _count_agreements(table[None])[0]] if table.any() else None
    motion = _score_kinematics(values, codes)
    scores = [
        OrderScore(order, agreements[i] if agreements else None, motion[i])
        for i, order in enumerate(_ORDERS)
    ]
    sad_code, sad_support = _find_sad_code(values, codes, units, weights)
    audit = Audit(
        source,
        n_gaits,
        n_subjects,
        order=part.order,
        code_counts=tuple(int(n) for n in np.bincount(codes, minlength=4)),
        kinematics=tuple(
            MeasureByCode(measure, _four(_means_by_code(values[:, i], codes)))
            for i, measure in enumerate(MEASURES)
        ),
        scores=tuple(sorted(scores, key=lambda s: (-(s.agreement or 0), -s.kinematics))),
        sad_code=sad_code,
        sad_support=sad_support,
    )
    if agreements is None:
        return _judge_by_motion(audit, part.order)
    audit = replace(audit, acted={e: _counts(table[i]) for i, e in enumerate(EMOTIONS)})
    return _judge_by_acted(audit, part.order, tables, weights)


def compute_cycle_frames(gait: Gait) -> float:
    """Compute the length of one gait cycle from how the feet pass each other.

    The first clear peak in the autocorrelation of the fore-and-aft distance between the feet, at
    a lag of 0.4 to 4 s. A walk without such a peak is shorter than about one and a third cycles:
    it counts as one cycle, as the 342 gaits of Emotion-Gait are cut.

    Parameters
    ----------
    gait
        One walk; missing feet count as the mean.

    Returns
    -------
    float
        Frames.
    """
    positions = np.asarray(gait.positions, dtype=np.float64)
    across = positions[:, Joint.RIGHT_HIP] - positions[:, Joint.LEFT_HIP]
    ahead = across[:, [2, 1, 0]] * (1.0, 0.0, -1.0)  # horizontal, at right angles to the hips
    feet = positions[:, Joint.RIGHT_FOOT] - positions[:, Joint.LEFT_FOOT]
    apart = (feet * ahead).sum(axis=1) / np.maximum(np.linalg.norm(ahead, axis=1), 1e-12)
    if not np.isfinite(apart).any():
        return float(len(apart))
    apart = np.nan_to_num(apart - np.nanmean(apart))
    first = max(1, int(0.4 * gait.fps))
    last = min(int(0.75 * len(apart)), int(4 * gait.fps))
    likeness = np.array([_correlate(apart, lag) for lag in range(first - 1, last + 2)])
    for i in range(1, len(likeness) - 1):
        if likeness[i] >= 0.6 and likeness[i - 1] <= likeness[i] >= likeness[i + 1]:
            return float(first - 1 + i)
    return float(len(apart))


_ORDERS: tuple[LabelOrder, ...] = tuple((a, b, c, d) for a, b, c, d in permutations(EMOTIONS))

_FITS = np.array(
    [[[order[code] == acted for code in range(4)] for acted in EMOTIONS] for order in _ORDERS]
)
"""(24, 4, 4): whether acted emotion and code agree under each order."""


def _draw_resamples(gaits: GaitSet, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the unit of each gait (n,) and how often each resample draws each unit (R, units)."""
    units = np.unique(gaits.subjects, return_inverse=True)[1]
    if units.max() + 1 < MIN_SUBJECTS:  # too few walkers to resample: gaits stand for themselves
        units = np.arange(len(gaits))
    n = int(units.max()) + 1
    return units, np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES)


def _count_acted(
    gaits: Sequence[Gait], codes: NDArray[np.int64], units: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return (units, 4 acted emotions, 4 codes) counts."""
    counts = np.zeros((int(units.max()) + 1, 4, 4), dtype=np.int64)
    for gait, code, unit in zip(gaits, codes, units, strict=True):
        if gait.acted is not None:
            counts[unit, EMOTIONS.index(gait.acted), code] += 1
    return counts


def _count_agreements(tables: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (n, 24) from (n, 4, 4): gaits whose acted and coded emotions agree, by order."""
    return np.einsum("nec,oec->no", tables, _FITS.astype(np.int64))


def _compute_measures(gaits: Sequence[Gait]) -> NDArray[np.float64]:
    """Return (n, measures)."""
    rows: list[tuple[float, ...]] = []
    for gait in gaits:
        x = np.asarray(gait.positions, dtype=np.float64)
        x = x - x[:, :1]
        chain = x[:, [Joint.ROOT, Joint.SPINE, Joint.NECK, Joint.HEAD]]
        trunk = float(np.linalg.norm(np.diff(chain, axis=1), axis=2).sum(axis=1).mean())
        trunk = trunk or np.nan  # a body without size has no measures
        speed = np.linalg.norm(np.diff(x, axis=0), axis=2).mean(axis=0) * gait.fps / trunk
        cycle = compute_cycle_frames(gait)
        rows.append(
            (
                cycle,
                cycle / gait.fps,
                float(speed[[Joint.RIGHT_HAND, Joint.LEFT_HAND]].mean()),
                float(speed[[Joint.RIGHT_FOOT, Joint.LEFT_FOOT]].mean()),
                float(x[:, Joint.HEAD, 1].mean() / trunk),
            )
        )
    return np.array(rows)


def _correlate(values: NDArray[np.float64], lag: int) -> float:
    if lag >= len(values):
        return -1.0
    early, late = values[: len(values) - lag], values[lag:]
    size = np.sqrt((early @ early) * (late @ late))
    return float(early @ late / size) if size > 0 else 0.0


def _means_by_code(values: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (4,): the mean of one measure over the gaits of each code, NaN where there are none."""
    known = np.isfinite(values)
    counts = np.bincount(codes[known], minlength=4)
    sums = np.bincount(codes[known], weights=values[known], minlength=4)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _score_kinematics(values: NDArray[np.float64], codes: NDArray[np.int64]) -> list[float]:
    """Return, for every order, the mean correlation of code means with what is expected."""
    scores = np.zeros(len(_ORDERS))
    for i in _SCORED:
        means = _means_by_code(values[:, i], codes)
        held = np.isfinite(means)
        if held.sum() < 2:
            continue
        for n, order in enumerate(_ORDERS):
            levels = np.array(
                [MEASURES[i].expected[emotion] for emotion in order], dtype=np.float64
            )
            a, b = means[held] - means[held].mean(), levels[held] - levels[held].mean()
            size = np.sqrt((a @ a) * (b @ b))
            scores[n] += a @ b / size / len(_SCORED) if size > 0 else 0.0
    return [float(score) for score in scores]


def _find_sad_code(
    values: NDArray[np.float64],
    codes: NDArray[np.int64],
    units: NDArray[np.int64],
    weights: NDArray[np.int64],
) -> tuple[int | None, float | None]:
    """Return the code that is extreme in the sad direction by every measure, and its support."""
    signs = np.array([MEASURES[i].expected[Emotion.SAD] for i in _SCORED])
    sad = values[:, _SCORED] * signs
    known = np.isfinite(sad).all(axis=1)
    sad, codes, units = sad[known], codes[known], units[known]
    if len(sad) == 0 or len(np.unique(codes)) < 2:
        return None, None
    means = np.stack([_means_by_code(column, codes) for column in sad.T])
    if (np.ptp(means[:, np.unique(codes)], axis=1) == 0).any():
        return None, None
    extremes = set(np.nanargmax(means, axis=1).tolist())
    if len(extremes) > 1:
        return None, None
    code = extremes.pop()
    index = ((sad - sad.mean(axis=0)) / sad.std(axis=0)).mean(axis=1)
    sums, counts = np.zeros((weights.shape[1], 4)), np.zeros((weights.shape[1], 4))
    np.add.at(sums, (units, codes), index)
    np.add.at(counts, (units, codes), 1)
    drawn = weights @ counts
    averages = np.where(drawn > 0, weights @ sums / np.maximum(drawn, 1), -np.inf)
    return code, float((averages.argmax(axis=1) == code).mean())


def _judge_by_acted(
    audit: Audit, order: LabelOrder, tables: NDArray[np.int64], weights: NDArray[np.int64]
) -> Audit:
    best = audit.scores[0]
    table = tables.sum(axis=0)
    in_use = next(score for score in audit.scores if score.order == order)
    others = [score for score in audit.scores if score is not best]
    tests = {score.order: _sign_test(table, best.order, score.order) for score in others}
    # a tie in agreement is not decided by the order that happens to come first
    leads = in_use is best or in_use.agreement == best.agreement
    if leads:
        best = in_use
        others = [score for score in audit.scores if score is not best]
        tests = {score.order: _sign_test(table, best.order, score.order) for score in others}
    rival = others[0] if leads else in_use
    p_value = max(tests.values()) if leads else tests[order]
    resampled = _count_agreements(np.einsum("ru,uec->rec", weights, tables))
    rivals = [_ORDERS.index(score.order) for score in (others if leads else [in_use])]
    wins = resampled[:, [_ORDERS.index(best.order)]] > resampled[:, rivals]
    support = float(wins.all(axis=1).mean())
    ours, theirs = best.agreement or 0, rival.agreement or 0
    clear = p_value < SIGNIFICANT and support >= SURE
    evidence = (
        f"acted and coded emotion agree on {ours} of {int(table.sum())} gaits under "
        f"{','.join(best.order)} and on {theirs} under {','.join(rival.order)} "
        f"(sign test p = {p_value:.2g}; same outcome in {_percent(support)} of resamples by {_unit(audit)})"
    )
    motion = _describe_motion(audit, best.order)
    warning = None
    if leads:
        verdict: Verdict = "agrees" if clear else "undecided"
        start = (
            "fits the data best" if clear else "fits the data, but not clearly better than others"
        )
        message = f"the order in use ({','.join(order)}) {start}: {evidence}. {motion}"
    else:
        verdict = "disagrees" if clear else "undecided"
        start = "contradicts the data" if clear else "is not the one that fits the data best"
        message = f"the order in use ({','.join(order)}) {start}: {evidence}. {motion}"
        warning = (
            f"{audit.source}: the order in use ({','.join(order)}) {start}: {evidence}. "
            f"Use --labels {','.join(best.order)}."
        )
    return replace(
        audit,
        best=best.order,
        rival=rival.order,
        margin=ours - theirs,
        p_value=p_value,
        support=support,
        verdict=verdict,
        message=message,
        warning=warning,
    )


def _judge_by_motion(audit: Audit, order: LabelOrder) -> Audit:
    start = "no key names an acted emotion, so the order cannot be decided from this file alone"
    message = f"{start}. {_describe_motion(audit, order)}"
    code = audit.sad_code
    if code is None or order[code] == Emotion.SAD or not _is_strong(audit):
        return replace(audit, verdict="undecided", message=message)
    warning = (
        f"{audit.source}: the order in use ({','.join(order)}) calls code {code} {order[code]}, but its "
        f"walks move like sad ones by every measure. Give another order with --labels."
    )
    return replace(audit, verdict="disagrees", message=message, warning=warning)


def _is_strong(audit: Audit) -> bool:
    code = audit.sad_code
    return (
        code is not None
        and audit.code_counts[code] >= MIN_GAITS
        and (audit.sad_support or 0.0) >= SURE
    )


def _describe_motion(audit: Audit, order: LabelOrder) -> str:
    code = audit.sad_code
    if code is None:
        return "Kinematics single out no code as sad."
    strength = "" if _is_strong(audit) else ", though weakly"
    verb = "also say" if order[code] == Emotion.SAD else "say, against this order,"
    return (
        f"Kinematics {verb} that code {code} is sad (slowest cycle, hands and feet, lowest head; "
        f"{_percent(audit.sad_support)} of resamples by {_unit(audit)}{strength}); "
        f"they do not tell the other three apart."
    )


def _unit(audit: Audit) -> str:
    return "subject" if audit.n_subjects >= MIN_SUBJECTS else "gait"


def _percent(share: float | None) -> str:
    return f"{100 * (share or 0.0):.4g} %"


def _sign_test(table: NDArray[np.int64], one: LabelOrder, other: LabelOrder) -> float:
    """Return the two-sided exact p of the gaits on which exactly one of two orders agrees."""
    fits_one, fits_other = _FITS[_ORDERS.index(one)], _FITS[_ORDERS.index(other)]
    wins = int(table[fits_one & ~fits_other].sum())
    losses = int(table[fits_other & ~fits_one].sum())
    n = wins + losses
    tail = sum(comb(n, k) for k in range(max(wins, losses), n + 1))
    return min(1.0, 2 * tail / 2**n)


def _four(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    return tuple(float(value) if np.isfinite(value) else None for value in values)


def _counts(row: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(n) for n in row)


def _names(order: LabelOrder | None) -> list[str] | None:
    return None if order is None else [str(emotion) for emotion in order]

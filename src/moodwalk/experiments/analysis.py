"""What an experiment shows: figures, comparisons, and how sure they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError
from moodwalk.evaluation import (
    CorrectedInterval,
    CorrectedTTest,
    FriedmanTest,
    McNemarTest,
    SubjectDifference,
    compute_calibration_error,
    compute_corrected_interval,
    compute_corrected_t_test,
    compute_friedman,
    compute_gaits_needed,
    compute_holm,
    compute_mcnemar,
    compute_proportion_interval,
    compute_scores,
    compute_subject_difference,
    compute_subject_interval,
    pool_answers,
)
from moodwalk.experiments.config import Experiment
from moodwalk.experiments.readings import Reading, read_line

__all__ = ["Analysis", "Comparison", "LineResult", "analyse"]

ALPHA = 0.05


@dataclass(frozen=True, eq=False, slots=True)
class LineResult:
    """What one model is worth, in one line.

    Parameters
    ----------
    name
        What tables call it.
    habits
        Published habits that flatter the figure; none for an honest one.
    published
        Whether it repeats the published way.
    split
        Protocol of its splits.
    n_planned, n_cells
        Cells that it should have, and has.
    n_gaits
        Different gaits that were tested.
    accuracy
        Share of right answers, pooled over folds and repeats.
    exact
        Clopper-Pearson interval of the mean number of right answers among n_gaits.
    corrected
        Mean over folds, with Nadeau and Bengio's interval.
    over_subjects
        Bootstrap interval over subjects.
    by_repeat
        Accuracy of every repeat.
    balanced_accuracy, macro_f1, calibration_error
        Pooled; the last is NaN where there are no probabilities.
    confusion
        (k, k) counts; rows are the true classes.
    best_epoch_accuracy
        What the best epoch on the test gaits would claim; None for learners without epochs.
    last_epoch_accuracy
        With the last epoch that was trained; None for learners without epochs.
    reading
        The answers.
    curves
        Columns ``train_loss``, ``validation_loss``, ``train_accuracy``, ``validation_accuracy``,
        ``test_accuracy``: (cells, epochs), NaN after a training ended. Empty without epochs.
    n_parameters, flops
        Of the network, FLOPs at the most frames that a cell had; None for others.
    seconds, cpu_seconds
        Mean of a cell.
    n_epochs
        Mean number of epochs trained; None without epochs.
    warnings
        What was warned of, each once.
    """

    name: str
    habits: tuple[str, ...]
    published: bool
    split: str
    n_planned: int
    n_cells: int
    n_gaits: int
    accuracy: float
    exact: tuple[float, float]
    corrected: CorrectedInterval
    over_subjects: tuple[float, float]
    by_repeat: tuple[float, ...]
    balanced_accuracy: float
    macro_f1: float
    calibration_error: float
    confusion: NDArray[np.int64]
    best_epoch_accuracy: float | None
    last_epoch_accuracy: float | None
    reading: Reading = field(repr=False)
    curves: Mapping[str, NDArray[np.float64]] = field(repr=False)
    n_parameters: int | None
    flops: int | None
    seconds: float
    cpu_seconds: float
    n_epochs: float | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """One line against another, on what both have answered.

    Parameters
    ----------
    name
        Of the line.
    reference
        What it is compared with: the baseline; for a line with habits, the same model measured
        without them, where the experiment has it.
    t_test
        Corrected resampled t test over folds; None where the two were not split alike.
    t_p_holm
        Its p value after Holm's correction over the family (the models, or the lines with habits);
        NaN where there is no test.
    mcnemar
        Exact test on one answer a gait, pooled over repeats.
    mcnemar_p_holm
        Its p value after Holm's correction.
    over_subjects
        Difference in points with a paired bootstrap over subjects.
    gaits_needed
        How many test gaits would show the observed difference in four studies of five.
    """

    name: str
    reference: str
    t_test: CorrectedTTest | None
    t_p_holm: float
    mcnemar: McNemarTest
    mcnemar_p_holm: float
    over_subjects: SubjectDifference
    gaits_needed: float

    @property
    def points(self) -> float:
        """Difference in percentage points: over folds where that is defined."""
        return self.over_subjects.points if self.t_test is None else 100 * self.t_test.mean

    @property
    def interval_points(self) -> tuple[float, float]:
        """Interval of the difference: over folds where that is defined, else over subjects."""
        if self.t_test is None:
            return self.over_subjects.interval_points
        low, high = self.t_test.interval
        return max(100 * low, -100.0), min(100 * high, 100.0)  # no difference can be larger

    @property
    def p_holm(self) -> float:
        """The p value that a conclusion rests on: of the t test, or of McNemar's where there is none."""
        return self.mcnemar_p_holm if self.t_test is None else self.t_p_holm

    @property
    def differs(self) -> bool:
        """Whether there is evidence of a difference, at five percent over the whole family."""
        return bool(self.p_holm < ALPHA)


@dataclass(frozen=True, eq=False, slots=True)
class Analysis:
    """Everything that a report says.

    Parameters
    ----------
    experiment
        What was run.
    gaits
        Counts of the walks.
    classes
        Emotions, in the order of all tables.
    lines
        The experiment's models that have cells, in the file's order.
    published
        The same models measured the published way, where the experiment asks for that.
    baseline
        Name of the line that the others are compared with.
    comparisons
        One for every model but the baseline.
    habits
        One for every line with habits.
    friedman
        Over the disjoint test sets of the first repeat; None for fewer than three lines that are
        split alike.
    friedman_names
        Which lines it ranks.
    majority
        Share of the most frequent class among the tested gaits.
    n_cells, n_done
        Trainings of the whole experiment, and how many of them are done.
    failures
        What is known of failed cells.
    versions, commits
        What the cells were made with.
    """

    experiment: Experiment
    gaits: Mapping[str, Any]
    classes: tuple[str, ...]
    lines: tuple[LineResult, ...]
    published: tuple[LineResult, ...]
    baseline: str
    comparisons: tuple[Comparison, ...]
    habits: tuple[Comparison, ...]
    friedman: FriedmanTest | None
    friedman_names: tuple[str, ...]
    majority: float
    n_cells: int
    n_done: int
    failures: tuple[Mapping[str, Any], ...]
    versions: tuple[Mapping[str, str], ...]
    commits: tuple[str, ...]

    @property
    def finished(self) -> bool:
        """Whether every cell is done; before that, nothing is concluded."""
        return self.n_done == self.n_cells

    def find(self, name: str) -> LineResult:
        """Return the line of that name."""
        return next(line for line in self.lines if line.name == name)


def analyse(
    experiment: Experiment,
    gaits: Mapping[str, Any],
    lines: Sequence[tuple[str, tuple[str, ...], bool, Sequence[str]]],
    records: Mapping[str, Mapping[str, Any]],
    failures: Sequence[Mapping[str, Any]] = (),
) -> Analysis:
    """Compute everything that a report says.

    Parameters
    ----------
    experiment, gaits
        As the folder of results has them.
    lines
        Name, habits, whether published, and keys of the cells, of every line.
    records
        Cells that are done, by key.
    failures
        What is known of cells that failed.

    Raises
    ------
    ConfigError
        If the baseline has no cell yet.
    """
    subjects = np.array(gaits["subjects"])
    results = [
        _summarise(name, habits, published, keys, records, subjects)
        for name, habits, published, keys in lines
        if any(key in records for key in keys)
    ]
    honest = tuple(line for line in results if not line.published)
    baseline = next((line for line in honest if line.name == experiment.baseline), None)
    if baseline is None:
        raise ConfigError(
            f"the baseline '{experiment.baseline}' has no cell yet; run the experiment first."
        )
    plain = [line for line in honest if not line.habits and line is not baseline]
    flattered = [line for line in honest if line.habits]
    friedman, ranked = _rank(baseline, [line for line in honest if not line.habits])
    keys = {key for _, _, _, line_keys in lines for key in line_keys}
    done = [records[key] for key in keys if key in records]
    labels = baseline.reading.labels
    return Analysis(
        experiment=experiment,
        gaits=gaits,
        classes=baseline.reading.classes,
        lines=honest,
        published=tuple(line for line in results if line.published),
        baseline=baseline.name,
        comparisons=_compare_all([(baseline, line) for line in plain], subjects),
        habits=_compare_all(
            [(_find_reference(experiment, honest, line) or baseline, line) for line in flattered],
            subjects,
        ),
        friedman=friedman,
        friedman_names=ranked,
        majority=float(np.bincount(labels).max() / len(labels)),
        n_cells=len(keys),
        n_done=len(done),
        failures=tuple(f for f in failures if f.get("key") in keys and f.get("key") not in records),
        versions=_distinct([record["versions"] for record in done]),
        commits=_distinct([record["commit"] or "unknown" for record in done]),
    )


def _summarise(
    name: str,
    habits: tuple[str, ...],
    published: bool,
    keys: Sequence[str],
    records: Mapping[str, Mapping[str, Any]],
    subjects: NDArray[np.int64],
) -> LineResult:
    own = sorted(
        (records[key] for key in keys if key in records), key=lambda r: (r["repeat"], r["fold"])
    )
    reading = read_line(own, habits)
    right = reading.correct
    names = np.array(reading.classes)
    scores = compute_scores(names[reading.labels], names[reading.predicted], reading.classes)
    n_gaits = len(np.unique(reading.gait))
    n_test = len(right) / len(own)
    epochs = bool(own[0]["epochs"])
    best = read_line(own, ("best-test-epoch",)) if epochs else None
    error = float("nan")
    if reading.probabilities is not None:
        error = compute_calibration_error(
            names[reading.labels], reading.probabilities, reading.classes
        )
    return LineResult(
        name=name,
        habits=habits,
        published=published,
        split=own[0]["training"]["split"],
        n_planned=len(keys),
        n_cells=len(own),
        n_gaits=n_gaits,
        accuracy=float(right.mean()),
        exact=compute_proportion_interval(round(right.mean() * n_gaits), n_gaits),
        corrected=compute_corrected_interval(
            list(reading.score_folds().values()),
            float(np.mean([r["n_train"] for r in own])),
            n_test,
        ),
        over_subjects=compute_subject_interval(right, subjects[reading.gait]),
        by_repeat=tuple(
            float(right[reading.repeat == r].mean()) for r in np.unique(reading.repeat)
        ),
        balanced_accuracy=scores.balanced_accuracy,
        macro_f1=scores.macro_f1,
        calibration_error=error,
        confusion=scores.confusion,
        best_epoch_accuracy=None if best is None else float(best.correct.mean()),
        last_epoch_accuracy=_score_last(own) if epochs else None,
        reading=reading,
        curves=_collect_curves(own) if epochs else {},
        n_parameters=own[0]["n_parameters"],
        flops=max((r["flops"] for r in own if r["flops"] is not None), default=None),
        seconds=float(np.mean([r["seconds"] for r in own])),
        cpu_seconds=float(np.mean([r["cpu_seconds"] for r in own])),
        n_epochs=float(np.mean([len(r["epochs"]) for r in own])) if epochs else None,
        warnings=tuple(dict.fromkeys(text for r in own for text in r["warnings"])),
    )


def _score_last(records: Sequence[Mapping[str, Any]]) -> float:
    pairs = [
        (label, answer)
        for record in records
        for label, answer in zip(record["labels"], record["epochs"][-1], strict=True)
    ]
    return float(np.mean([label == answer for label, answer in pairs]))


_CURVES = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")


def _collect_curves(records: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[np.float64]]:
    n_epochs = max(len(record["epochs"]) for record in records)
    curves = {
        name: np.full((len(records), n_epochs), np.nan) for name in (*_CURVES, "test_accuracy")
    }
    for row, record in enumerate(records):
        for name in _CURVES:
            values = np.array(record["history"][name], dtype=np.float64)  # null becomes NaN
            curves[name][row, : len(values)] = values
        labels = np.array(list(record["labels"]))
        for epoch, digits in enumerate(record["epochs"]):
            curves["test_accuracy"][row, epoch] = (np.array(list(digits)) == labels).mean()
    return curves


def _find_reference(
    experiment: Experiment, lines: Sequence[LineResult], line: LineResult
) -> LineResult | None:
    """Return the line of the same model without habits."""
    own = {model.name: model for model in experiment.models}
    model = own[line.name]
    for other in lines:
        same = own[other.name].model == model.model and own[other.name].params == model.params
        if same and own[other.name].training == model.training and not other.habits:
            return other
    return None


def _compare_all(
    pairs: Sequence[tuple[LineResult, LineResult]], subjects: NDArray[np.int64]
) -> tuple[Comparison, ...]:
    """Compare the second of every pair with the first, and correct the p values over all of them."""
    raw = [_compare(reference, line, subjects) for reference, line in pairs]
    made = [comparison for comparison in raw if comparison is not None]
    t_p = compute_holm([c.t_test.p_value if c.t_test else float("nan") for c in made])
    mcnemar_p = compute_holm([c.mcnemar.p_value for c in made])
    return tuple(
        replace(c, t_p_holm=float(t), mcnemar_p_holm=float(m))
        for c, t, m in zip(made, t_p, mcnemar_p, strict=True)
    )


def _compare(
    baseline: LineResult, line: LineResult, subjects: NDArray[np.int64]
) -> Comparison | None:
    """Compare on the answers that both have; None where there are none.

    What a habit leaves out belongs to the habit: there the difference over subjects is one of
    accuracies, each over its own answers.
    """
    a, b = baseline.reading, line.reading
    first = {key: i for i, key in enumerate(zip(a.repeat.tolist(), a.gait.tolist(), strict=True))}
    second = {key: i for i, key in enumerate(zip(b.repeat.tolist(), b.gait.tolist(), strict=True))}
    both = [key for key in first if key in second]
    if not both:
        return None
    at_a, at_b = [first[key] for key in both], [second[key] for key in both]
    whole = line.n_cells == line.n_planned and baseline.n_cells == baseline.n_planned
    judged = list(first | second) if line.habits and whole else both
    difference = compute_subject_difference(
        np.array([float(a.correct[first[key]]) if key in first else np.nan for key in judged]),
        np.array([float(b.correct[second[key]]) if key in second else np.nan for key in judged]),
        subjects[np.array([gait for _, gait in judged])],
    )
    mcnemar = compute_mcnemar(_pool(a, at_a), _pool(b, at_b))
    shares = mcnemar.n_only_a / mcnemar.n_gaits, mcnemar.n_only_b / mcnemar.n_gaits
    return Comparison(
        name=line.name,
        reference=baseline.name,
        t_test=_compare_folds(baseline, line),
        t_p_holm=float("nan"),
        mcnemar=mcnemar,
        mcnemar_p_holm=float("nan"),
        over_subjects=difference,
        gaits_needed=compute_gaits_needed(*shares),
    )


def _pool(reading: Reading, at: list[int]) -> NDArray[np.bool_]:
    """Return whether the answer to each gait is right, pooled over repeats, ordered by gait.

    Where an epoch was chosen on the test there are no probabilities, and votes take their place.
    """
    table = reading.probabilities
    if table is None:
        table = np.eye(len(reading.classes))[reading.predicted]
    pooled = pool_answers(table[at], reading.gait[at])
    label = dict(zip(reading.gait[at].tolist(), reading.labels[at].tolist(), strict=True))
    truth = np.array([label[gait] for gait in pooled.indices.tolist()])
    return pooled.probabilities.argmax(axis=1) == truth


def _compare_folds(baseline: LineResult, line: LineResult) -> CorrectedTTest | None:
    if line.split != baseline.split or line.split == "legacy":
        return None
    ours, theirs = line.reading.score_folds(), baseline.reading.score_folds()
    both = [key for key in theirs if key in ours]
    if len(both) < 2:
        return None
    n_test = len(baseline.reading.gait) / len(theirs)
    n_train = baseline.n_gaits - n_test
    differences = [ours[key] - theirs[key] for key in both]
    return compute_corrected_t_test(differences, n_train, n_test)


def _rank(
    baseline: LineResult, lines: Sequence[LineResult]
) -> tuple[FriedmanTest | None, tuple[str, ...]]:
    """Rank lines that are split alike over the first repeat, whose test sets share no gait."""
    alike = [line for line in lines if line.split == baseline.split and line.split != "legacy"]
    tables = [line.reading.score_folds() for line in alike]
    folds = [key for key in tables[0] if key[0] == 0] if tables else []
    shared = [key for key in folds if all(key in table for table in tables)]
    if len(alike) < 3 or len(shared) < 2:
        return None, ()
    scores = [[table[key] for table in tables] for key in shared]
    return compute_friedman(scores, ALPHA), tuple(line.name for line in alike)


def _distinct(items: Sequence[Any]) -> tuple[Any, ...]:
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return tuple(found)

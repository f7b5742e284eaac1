"""Train and test an estimator under a protocol, and say how good it is."""

import pickle
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone

from moodwalk.emotion import EMOTIONS
from moodwalk.engine import Engine
from moodwalk.errors import ConfigError, MoodwalkWarning
from moodwalk.evaluation.metrics import (
    ClassScore,
    compute_brier_score,
    compute_calibration_error,
    compute_log_loss,
    compute_scores,
)
from moodwalk.evaluation.protocols import PROTOCOLS, Split, make_splits
from moodwalk.evaluation.statistics import compute_proportion_interval, compute_subject_interval
from moodwalk.gait import Gait, GaitSet
from moodwalk.provenance import describe_versions
from moodwalk.threads import one_thread

__all__ = ["Evaluation", "Fold", "evaluate"]

Progress = Callable[[int, int], None]

_SEEDS = ("seed", "random_state")
# of the developer, not of the user: shown where filters ask for them, but no part of a result
_DEVELOPER_WARNINGS = (DeprecationWarning, PendingDeprecationWarning, ResourceWarning)


@dataclass(frozen=True, slots=True)
class Fold:
    """What one split gave.

    Parameters
    ----------
    repeat, fold
        Both from 0.
    n_train, n_test
        Gaits; the former with synthetic ones.
    n_subjects_test
        Walkers under test.
    accuracy, balanced_accuracy
        On this test set; a class that it lacks does not count in the latter.
    seconds
        Training and answering, wall time.
    """

    repeat: int
    fold: int
    n_train: int
    n_test: int
    n_subjects_test: int
    accuracy: float
    balanced_accuracy: float
    seconds: float


@dataclass(frozen=True, eq=False, slots=True)
class Evaluation:
    """What an estimator is worth under a protocol.

    All figures pool the answers of all folds and repeats. Every repeat tests as many gaits, so the
    accuracy is also the mean over repeats.

    Parameters
    ----------
    protocol, model
        Names.
    n_gaits, n_subjects
        Different gaits and walkers that were tested, synthetic gaits left out.
    n_synthetic
        Synthetic gaits that were trained on.
    accuracy
        Share of right answers.
    accuracy_ci95
        Exact (Clopper-Pearson) interval. Repeats add no gaits: it is that of the mean number of
        right answers, rounded, among ``n_gaits``. Gaits of one subject are not independent, so it
        is too narrow.
    accuracy_ci95_subjects
        Bootstrap interval over subjects, which is not fooled by many gaits of few walkers.
    balanced_accuracy, macro_f1
        Mean recall, mean F1 over classes.
    log_loss, brier_score, calibration_error
        Of the probabilities as the estimator gives them; best is 0.
    classes
        Order of ``confusion`` and of the columns of ``probabilities``: that of `EMOTIONS`.
    per_class
        Precision, recall, F1 and support of every class; repeats add to the support.
    confusion
        (k, k) counts; rows are the true classes. Repeats add up.
    folds
        One a split.
    accuracy_by_repeat
        One a repeat.
    seconds
        Wall time of everything.
    optimistic
        Whether the protocol flatters; then ``note`` says why and belongs wherever a figure stands.
    note
        What must stand beside the figures; may be empty.
    warnings
        What was warned of, each once.
    seed
        Seed of the protocol; split i trained with seed + i.
    versions
        Of Python and the packages that matter.
    labels
        (m,) true class of every answer.
    probabilities
        (m, k) out-of-fold probabilities of every answer, ordered by repeat, then gait.
    indices
        (m,) which gait each answer is about, as an index into what was evaluated.
    repeat, fold
        (m,) repeat and fold of every answer.
    """

    protocol: str
    model: str
    n_gaits: int
    n_subjects: int
    n_synthetic: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    accuracy_ci95_subjects: tuple[float, float]
    balanced_accuracy: float
    macro_f1: float
    log_loss: float
    brier_score: float
    calibration_error: float
    classes: tuple[str, ...]
    per_class: dict[str, ClassScore]
    confusion: NDArray[np.int64]
    folds: tuple[Fold, ...]
    accuracy_by_repeat: tuple[float, ...]
    seconds: float
    optimistic: bool
    note: str
    warnings: tuple[str, ...]
    seed: int
    versions: dict[str, str]
    labels: NDArray[np.str_] = field(repr=False)
    probabilities: NDArray[np.float64] = field(repr=False)
    indices: NDArray[np.int64] = field(repr=False)
    repeat: NDArray[np.int64] = field(repr=False)
    fold: NDArray[np.int64] = field(repr=False)

    def to_dict(self, *, answers: bool = False) -> dict[str, Any]:
        """Return what `json.dumps` takes: first what ``evaluate --json`` promises, then the rest.

        Parameters
        ----------
        answers
            Whether to add true class, probabilities, index, repeat and fold of every answer.
        """
        result: dict[str, Any] = {
            "protocol": self.protocol,
            "model": self.model,
            "n_gaits": self.n_gaits,
            "n_subjects": self.n_subjects,
            "accuracy": self.accuracy,
            "accuracy_ci95": list(self.accuracy_ci95),
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "per_class": {name: asdict(score) for name, score in self.per_class.items()},
            "confusion": self.confusion.tolist(),
            "folds": [asdict(fold) for fold in self.folds],
            "seconds": self.seconds,
            "classes": list(self.classes),
            "accuracy_ci95_subjects": list(self.accuracy_ci95_subjects),
            "accuracy_by_repeat": list(self.accuracy_by_repeat),
            "log_loss": self.log_loss,
            "brier_score": self.brier_score,
            "calibration_error": self.calibration_error,
            "optimistic": self.optimistic,
            "note": self.note,
            "warnings": list(self.warnings),
            "n_synthetic": self.n_synthetic,
            "seed": self.seed,
            "versions": dict(self.versions),
        }
        if answers:
            result["answers"] = {
                "labels": self.labels.tolist(),
                "probabilities": self.probabilities.tolist(),
                "indices": self.indices.tolist(),
                "repeat": self.repeat.tolist(),
                "fold": self.fold.tolist(),
            }
        return result


def evaluate(
    estimator: Any,
    gaits: Sequence[Gait],
    *,
    protocol: str = "subject",
    folds: int = 10,
    repeats: int = 1,
    seed: int = 0,
    jobs: int = 1,
    engine: Engine | None = None,
    progress: Progress | None = None,
    name: str | None = None,
) -> Evaluation:
    """Train and test an estimator on every split of a protocol.

    Parameters
    ----------
    estimator
        scikit-learn classifier over a sequence of gaits, with ``predict_proba``; it is cloned, and
        never fitted itself. Its answer is its most probable class.
    gaits
        Labelled walks. Synthetic ones are trained on and never tested.
    protocol, folds, repeats
        See `moodwalk.evaluation.make_splits`.
    seed
        Seed of the splits; every parameter of the estimator called ``seed`` or ``random_state`` is
        set to this plus the number of the split.
    jobs
        Worker processes. Every fit has one thread, in a worker or not, so any number of jobs
        gives the same figures.
    engine
        Where folds run instead, for instance a `moodwalk.engine.DaskEngine`; ``jobs`` is then not
        used.
    progress
        Called with splits done and splits in all, first with 0.
    name
        What to call the model; by default the estimator's ``model`` parameter, or its class.

    Returns
    -------
    Evaluation
        Figures and out-of-fold probabilities.

    Raises
    ------
    LabelError
        If a gait has no label.
    ConfigError
        If a split cannot be made (see `moodwalk.evaluation.make_splits`), ``jobs`` is less than 1,
        or the estimator gives no probabilities, none that are finite, or cannot be sent to workers.

    Warns
    -----
    MoodwalkWarning
        If test sets lack a class, or gaits name no subject under ``subject``. Warnings from fits
        come here too, each text once, wherever the fit ran.

    Notes
    -----
    Under ``legacy``, an estimator with a parameter ``select`` is told to choose its epoch by
    accuracy on the very gaits that it is tested on, as the published figures were made, and the
    last test batch of fewer than 8 is dropped. The result says ``optimistic``.

    Test gaits reach the estimator without their label.
    """
    start_s = time.perf_counter()
    if jobs < 1:
        raise ConfigError(f"jobs is {jobs}; expected at least 1.")
    if not callable(getattr(estimator, "predict_proba", None)):
        raise ConfigError(f"{type(estimator).__name__} has no predict_proba; expected one.")
    walks = gaits if isinstance(gaits, GaitSet) else GaitSet(gaits)
    labels, subjects = walks.labels, walks.subjects
    synthetic = np.array([gait.synthetic for gait in walks], dtype=np.bool_)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if protocol == "subject":
            _warn_of_nameless(walks)
        splits = make_splits(protocol, labels, subjects, folds, repeats, seed, synthetic)
    messages = _repeat_warnings([(str(w.message), w.category) for w in caught])
    classes = tuple(str(e) for e in EMOTIONS if e in set(labels.tolist()))
    tasks = [
        _Task(number, split, protocol == "legacy", seed + number, classes)
        for number, split in enumerate(splits)
    ]
    answers = (
        _answers(estimator, list(walks), tasks, min(jobs, len(tasks)))
        if engine is None
        else _answers_of(engine, estimator, list(walks), tasks)
    )
    results = _collect(answers, tasks, progress)
    said = [(text, kind) for result in results for text, kind in result.warnings]
    messages += _repeat_warnings(said)
    scored = [
        _score_fold(split, result, labels, subjects, classes)
        for split, result in zip(splits, results, strict=True)
    ]
    return _summarise(
        splits,
        results,
        labels,
        subjects,
        classes,
        seed,
        protocol=protocol,
        model=name or _name(estimator),
        n_synthetic=int(synthetic.sum()),
        folds=tuple(scored),
        seconds=time.perf_counter() - start_s,
        optimistic=PROTOCOLS[protocol].optimistic,
        note=_note(protocol, splits[0], len(walks)),
        warnings=tuple(messages),
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Task:
    number: int
    split: Split
    legacy: bool
    seed: int
    classes: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class _Result:
    number: int
    probabilities: NDArray[np.float64]
    warnings: list[tuple[str, type[Warning]]]
    seconds: float


def _collect(
    answers: Iterator[_Result], tasks: list[_Task], progress: Progress | None
) -> list[_Result]:
    """Run every task and return the results in their order."""
    tell = progress or (lambda done, total: None)
    tell(0, len(tasks))
    results: dict[int, _Result] = {}
    for result in answers:
        results[result.number] = result
        tell(len(results), len(tasks))
    return [results[task.number] for task in tasks]


def _answers_of(
    engine: Engine, estimator: Any, gaits: list[Gait], tasks: list[_Task]
) -> Iterator[_Result]:
    """Yield the result of every task of an engine; the first error ends it."""
    for outcome in engine.run(_run_shared, (estimator, gaits), tasks):
        if outcome.error is not None:
            raise outcome.error
        yield outcome.result


def _run_shared(shared: tuple[Any, list[Gait]], task: _Task) -> _Result:
    return _run_task(*shared, task)


def _answers(estimator: Any, gaits: list[Gait], tasks: list[_Task], jobs: int) -> Iterator[_Result]:
    """Yield the result of every task as it ends."""
    # joblib's workers, not `LocalEngine`: they take estimators that a notebook defines
    if jobs == 1:
        import_module("torch")  # now, so that a fit that imports it finds one thread
        for task in tasks:
            yield _run_task(estimator, gaits, task)
        return
    # few tasks in flight: each carries all gaits
    options: dict[str, Any] = {"pre_dispatch": jobs, "batch_size": 1, "inner_max_num_threads": 1}
    workers: Any = Parallel(n_jobs=jobs, backend="loky", return_as="generator_unordered", **options)
    try:
        yield from workers(delayed(_run_task)(estimator, gaits, task) for task in tasks)
    except pickle.PicklingError as error:
        raise ConfigError(
            f"{type(estimator).__name__} cannot be sent to worker processes ({error}); use jobs=1."
        ) from None


def _run_task(estimator: Any, gaits: list[Gait], task: _Task) -> _Result:
    """Fit a clone on the training gaits and ask it about the test gaits."""
    start_s = time.perf_counter()
    with one_thread(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model: Any = clone(estimator)
        parameters: dict[str, Any] = model.get_params(deep=True)
        changed: dict[str, Any] = {
            key: task.seed for key in parameters if key.rsplit("__", 1)[-1] in _SEEDS
        }
        chooses_epoch = task.legacy and "select" in parameters
        if chooses_epoch:
            changed["select"] = "accuracy"
        model.set_params(**changed)
        training = [gaits[i] for i in task.split.train]
        test = [gaits[i] for i in task.split.test]
        extra = {"validation": test} if chooses_epoch else {}
        model.fit(training, np.array([str(gait.label) for gait in training]), **extra)
        unknown = [replace(gait, label=None, acted=None) for gait in test]
        given = np.asarray(model.predict_proba(unknown), dtype=np.float64)
        probabilities = _order_columns(given, model.classes_, task)
    said = [(str(w.message), w.category) for w in caught]
    return _Result(task.number, probabilities, said, time.perf_counter() - start_s)


def _order_columns(
    given: NDArray[np.float64], classes: Sequence[Any], task: _Task
) -> NDArray[np.float64]:
    """Put the estimator's columns, checked, into the order of the task's classes."""
    where = f"repeat {task.split.repeat + 1}, fold {task.split.fold + 1}"
    known = [str(name) for name in classes]
    if sorted(known) != sorted(task.classes):
        raise ConfigError(
            f"{where}: the estimator answers with {', '.join(known)}; expected the classes of the "
            f"labels, {', '.join(task.classes)}."
        )
    if given.shape != (len(task.split.test), len(known)):
        raise ConfigError(
            f"{where}: predict_proba gave shape {given.shape}; expected "
            f"({len(task.split.test)}, {len(known)})."
        )
    if not np.isfinite(given).all():
        raise ConfigError(
            f"{where}: the estimator gave probabilities that are not finite. Did training diverge? "
            f"Try a lower learning rate."
        )
    return given[:, [known.index(name) for name in task.classes]]


def _warn_of_nameless(gaits: GaitSet) -> None:
    nameless = sum(gait.subject is None and not gait.synthetic for gait in gaits)
    if nameless:
        warnings.warn(
            f"{nameless} of {len(gaits)} gaits name no subject; each counts as a subject of its own, "
            f"so gaits of one walker may be in both training and test.",
            MoodwalkWarning,
            stacklevel=3,
        )


def _repeat_warnings(caught: list[tuple[str, type[Warning]]]) -> list[str]:
    """Warn again here, each text once, and return what is said to users."""
    messages: list[str] = []
    for text, kind in dict.fromkeys(caught):
        warnings.warn(text, kind, stacklevel=3)
        if not issubclass(kind, _DEVELOPER_WARNINGS):
            messages.append(text)
    return messages


def _score_fold(
    split: Split,
    result: _Result,
    labels: NDArray[np.str_],
    subjects: NDArray[np.str_],
    classes: tuple[str, ...],
) -> Fold:
    predicted = np.array(classes)[result.probabilities.argmax(axis=1)]
    scores = compute_scores(labels[split.test], predicted, classes)
    return Fold(
        repeat=split.repeat,
        fold=split.fold,
        n_train=len(split.train),
        n_test=len(split.test),
        n_subjects_test=len(np.unique(subjects[split.test])),
        accuracy=scores.accuracy,
        balanced_accuracy=scores.balanced_accuracy,
        seconds=result.seconds,
    )


def _summarise(
    splits: list[Split],
    results: list[_Result],
    all_labels: NDArray[np.str_],
    all_subjects: NDArray[np.str_],
    classes: tuple[str, ...],
    seed: int,
    **said: Any,
) -> Evaluation:
    """Compute the figures of all answers together."""
    indices = np.concatenate([split.test for split in splits])
    repeat = np.concatenate([np.full(len(split.test), split.repeat) for split in splits])
    fold = np.concatenate([np.full(len(split.test), split.fold) for split in splits])
    order = np.lexsort((indices, repeat))
    indices, repeat, fold = indices[order], repeat[order], fold[order]
    table = np.concatenate([result.probabilities for result in results])[order]
    labels, subjects = all_labels[indices], all_subjects[indices]
    predicted = np.array(classes)[table.argmax(axis=1)]
    right = predicted == labels
    n_gaits = len(np.unique(indices))
    scores = compute_scores(labels, predicted, classes)
    return Evaluation(
        n_gaits=n_gaits,
        n_subjects=len(np.unique(subjects)),
        accuracy=scores.accuracy,
        accuracy_ci95=compute_proportion_interval(round(scores.accuracy * n_gaits), n_gaits),
        accuracy_ci95_subjects=compute_subject_interval(right, subjects, seed=seed),
        balanced_accuracy=scores.balanced_accuracy,
        macro_f1=scores.macro_f1,
        log_loss=compute_log_loss(labels, table, classes),
        brier_score=compute_brier_score(labels, table, classes),
        calibration_error=compute_calibration_error(labels, table, classes),
        classes=classes,
        per_class=scores.per_class,
        confusion=scores.confusion,
        accuracy_by_repeat=tuple(float(right[repeat == r].mean()) for r in np.unique(repeat)),
        seed=seed,
        versions=describe_versions(),
        labels=labels,
        probabilities=table,
        indices=indices,
        repeat=repeat,
        fold=fold,
        **said,
    )


def _note(protocol: str, split: Split, n_gaits: int) -> str:
    note = PROTOCOLS[protocol].note
    if protocol != "legacy":
        return note
    n_tenth = n_gaits - len(split.train)
    return f"{note} ({n_tenth - len(split.test)} of {n_tenth} test gaits a repeat)"


def _name(estimator: Any) -> str:
    model = estimator.get_params(deep=False).get("model")
    return model if isinstance(model, str) else type(estimator).__name__

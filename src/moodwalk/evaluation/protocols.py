"""Which gaits are trained on and which are tested, under each protocol."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import ShuffleSplit, StratifiedGroupKFold, StratifiedKFold

from moodwalk.errors import ConfigError, MoodwalkError, MoodwalkWarning, ShapeError

__all__ = [
    "LEGACY_BATCH",
    "LEGACY_TEST_SHARE",
    "PROTOCOLS",
    "Protocol",
    "Split",
    "make_splits",
    "split_by_subject",
]

Indices = NDArray[np.int64]
Names = NDArray[np.str_]

LEGACY_TEST_SHARE = 0.1
LEGACY_BATCH = 8
"""Batch of the published test loader, which drops the last batch where it is not full."""

MAX_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a protocol does and what its figures are worth.

    Parameters
    ----------
    title
        One line for tables and help texts.
    by_subject
        Whether no subject is on both sides.
    optimistic
        Whether the figure is better than what new gaits would give, by construction.
    note
        What must stand beside the figure; empty where nothing must.
    """

    title: str
    by_subject: bool
    optimistic: bool
    note: str


PROTOCOLS: MappingProxyType[str, Protocol] = MappingProxyType(
    {
        "subject": Protocol(
            title="stratified folds, no subject in both training and test",
            by_subject=True,
            optimistic=False,
            note="",
        ),
        "random": Protocol(
            title="stratified folds over gaits, subjects ignored",
            by_subject=False,
            optimistic=False,
            note="random protocol: gaits of one walker are in both training and test, so the "
            "figure does not say how well new walkers are read",
        ),
        "legacy": Protocol(
            title="random 10 % test, best test epoch, last test batch dropped (optimistic)",
            by_subject=False,
            optimistic=True,
            note="OPTIMISTIC, legacy protocol: random 10 % test that ignores subjects, epoch "
            "chosen on the test gaits where a learner has epochs, last incomplete test batch "
            "dropped; only for comparison with published figures",
        ),
    }
)
"""Every protocol by the name that ``--protocol`` takes."""


@dataclass(frozen=True, eq=False, slots=True)
class Split:
    """One training and test set.

    Parameters
    ----------
    repeat, fold
        Both from 0.
    train
        Indices of training gaits, ascending; synthetic ones included.
    test
        Indices of test gaits, all real; ascending, but under ``legacy`` in shuffled order.
    """

    repeat: int
    fold: int
    train: Indices
    test: Indices


def make_splits(
    protocol: str,
    labels: ArrayLike,
    subjects: ArrayLike,
    folds: int = 10,
    repeats: int = 1,
    seed: int = 0,
    synthetic: ArrayLike | None = None,
) -> list[Split]:
    """Make the splits of a protocol.

    Parameters
    ----------
    protocol
        ``subject``: stratified folds in which no subject is on both sides. ``random``: stratified
        folds that ignore subjects. ``legacy``: one random tenth as test a repeat, not stratified,
        of which the last incomplete batch of 8 is dropped, to be neither trained on nor tested (a
        test set smaller than a batch stays whole); ``folds`` is not used.
    labels, subjects
        (n,) class and walker of every gait.
    folds
        Folds a repeat, at least 2.
    repeats
        How often all gaits are split again; repeat r shuffles with seed + r.
    seed
        Seed of the shuffling.
    synthetic
        (n,) True for gaits that a program made. They are never tested and belong to every training
        set, under ``subject`` except where one carries the name of a subject under test.

    Returns
    -------
    list[Split]
        repeats x folds splits (legacy: one a repeat), in that order.

    Raises
    ------
    ConfigError
        If there is no such protocol; fewer than two classes; fewer than 2 folds, or more than
        subjects (``subject``) or gaits of the largest class (``random``); or a training set that
        lacks a class of the test set.
    ShapeError
        If the arrays differ in length.

    Warns
    -----
    MoodwalkWarning
        If test sets lack a class, because it has fewer gaits or subjects than there are folds or
        because its subjects cannot be spread evenly. Figures that pool the folds stay defined.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(f"'{protocol}' is no protocol; expected one of {', '.join(PROTOCOLS)}.")
    names, people, made = _check_arrays(labels, subjects, synthetic)
    _check_counts(folds, repeats, seed)
    real = np.flatnonzero(~made)
    n_classes = len(np.unique(names[real]))
    if n_classes < 2:
        raise ConfigError(
            f"{len(real)} real gaits of {n_classes} class(es); expected at least two classes. "
            f"Is every gait labelled the same?"
        )
    splits = [
        _add_synthetic(repeat, fold, real[train], real[test], people, made, protocol)
        for repeat in range(repeats)
        for fold, (train, test) in enumerate(
            _split_real(protocol, names[real], people[real], folds, seed + repeat)
        )
    ]
    _check_splits(splits, protocol, names, people, made)
    return splits


def split_by_subject(
    labels: ArrayLike,
    subjects: ArrayLike,
    proportions: tuple[float, float, float] = (7, 2, 1),
    seed: int = 0,
) -> tuple[Indices, Indices, Indices]:
    """Split gaits into training, validation and test so that no subject is in two of them.

    Subjects are dealt out from the one with the most gaits to those with the fewest, in an order
    that the seed shuffles among equals, each to the part in which the shares of all classes then
    come closest to the proportions.

    Parameters
    ----------
    labels, subjects
        (n,) class and walker of every gait.
    proportions
        Of training, validation and test, in any unit; a part of 0 stays empty.
    seed
        Seed of the shuffling.

    Returns
    -------
    tuple[Indices, Indices, Indices]
        Indices of each part, ascending; together every gait once. Training holds every class.

    Raises
    ------
    ConfigError
        If the proportions are negative or leave no training, there is one class only, or there are
        too few subjects to fill the parts.
    ShapeError
        If the arrays differ in length.

    Warns
    -----
    MoodwalkWarning
        If validation or test lacks a class.

    Notes
    -----
    Few subjects with many gaits each cannot be dealt out evenly: look at the sizes.
    """
    names, people, _ = _check_arrays(labels, subjects, None)
    weights = np.asarray(proportions, dtype=np.float64)
    if weights.shape != (3,) or not (weights >= 0).all() or not weights[0] > 0:
        raise ConfigError(
            f"proportions are {proportions}; expected three numbers, such as 7, 2, 1."
        )
    classes, label = np.unique(names, return_inverse=True)
    walkers, subject = np.unique(people, return_inverse=True)
    if len(classes) < 2:
        raise ConfigError(f"{len(classes)} class(es); expected at least two. All labels the same?")
    counts = np.zeros((len(walkers), len(classes)))
    np.add.at(counts, (subject, label), 1)
    parts = _deal_subjects(counts, weights, np.random.default_rng(seed))
    sizes = np.bincount(parts, minlength=3)
    if (sizes[weights > 0] == 0).any():
        raise ConfigError(
            f"{len(walkers)} subjects cannot fill training, validation and test with every class "
            f"in training. Give more subjects, or a part of 0."
        )
    training, validation, test = (np.flatnonzero(parts[subject] == part) for part in range(3))
    for title, chosen in (("validation", validation), ("test", test)):
        missing = sorted(set(classes.tolist()) - set(names[chosen].tolist()))
        if len(chosen) and missing:
            warnings.warn(
                f"The {title} part has no {', '.join(missing)} gait: too few subjects of that class.",
                MoodwalkWarning,
                stacklevel=2,
            )
    return training, validation, test


def _check_arrays(
    labels: ArrayLike, subjects: ArrayLike, synthetic: ArrayLike | None
) -> tuple[Names, Names, NDArray[np.bool_]]:
    names = np.asarray(labels).astype(np.str_)
    people = np.asarray(subjects).astype(np.str_)
    made = np.zeros(len(names), np.bool_) if synthetic is None else np.asarray(synthetic, np.bool_)
    if names.ndim != 1 or not names.shape == people.shape == made.shape:
        raise ShapeError(
            f"labels have shape {names.shape}, subjects {people.shape}, synthetic {made.shape}; "
            f"expected one of each a gait."
        )
    return names, people, made


def _check_counts(folds: int, repeats: int, seed: int) -> None:
    if folds < 2:
        raise ConfigError(f"folds is {folds}; expected at least 2.")
    if repeats < 1:
        raise ConfigError(f"repeats is {repeats}; expected at least 1.")
    if not 0 <= seed <= MAX_SEED - repeats:
        raise ConfigError(f"seed is {seed}; expected 0 to {MAX_SEED - repeats}.")


def _split_real(
    protocol: str, names: Names, people: Names, folds: int, seed: int
) -> Iterator[tuple[Indices, Indices]]:
    """Yield training and test positions among the real gaits of one repeat."""
    blank = np.zeros(len(names))
    if protocol == "legacy":
        splitter = ShuffleSplit(1, test_size=LEGACY_TEST_SHARE, random_state=seed)
        for train, test in splitter.split(blank):
            n_kept = len(test) // LEGACY_BATCH * LEGACY_BATCH
            yield train, test[: n_kept or len(test)]
        return
    n_subjects = len(np.unique(people))
    if protocol == "subject" and folds > n_subjects:
        raise ConfigError(
            f"{folds} folds for {n_subjects} subjects; expected at most one fold a subject. "
            f"Lower the number of folds."
        )
    largest = int(np.unique(names, return_counts=True)[1].max())
    if folds > largest:
        raise ConfigError(
            f"{folds} folds, but the largest class has {largest} gaits; expected at most {largest} "
            f"folds. Lower the number of folds."
        )
    with warnings.catch_warnings():
        # a class with fewer gaits than folds; _check_splits says so with names
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        if protocol == "subject":
            by_subject = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
            yield from by_subject.split(blank, names, people)
        else:
            yield from StratifiedKFold(folds, shuffle=True, random_state=seed).split(blank, names)


def _add_synthetic(
    repeat: int,
    fold: int,
    train: Indices,
    test: Indices,
    people: Names,
    made: NDArray[np.bool_],
    protocol: str,
) -> Split:
    extra = np.flatnonzero(made)
    if PROTOCOLS[protocol].by_subject:
        extra = extra[~np.isin(people[extra], people[test])]
    if protocol != "legacy":
        test = np.sort(test)
    return Split(repeat, fold, np.sort(np.concatenate([train, extra])), test)


def _check_splits(
    splits: list[Split], protocol: str, names: Names, people: Names, made: NDArray[np.bool_]
) -> None:
    """Prove what the protocol promises; say which test sets lack a class."""
    classes = set(names[~made].tolist())
    n_lacking: dict[str, int] = {}
    for split in splits:
        where = f"repeat {split.repeat + 1}, fold {split.fold + 1}"
        train, test = set(split.train.tolist()), set(split.test.tolist())
        shared = set(people[split.train].tolist()) & set(people[split.test].tolist())
        if train & test or made[split.test].any() or (PROTOCOLS[protocol].by_subject and shared):
            raise MoodwalkError(f"{where}: the split leaks; this is a bug in moodwalk.")
        if not test:
            raise ConfigError(f"{where}: no test gait. Lower the number of folds.")
        missing = sorted(classes - set(names[split.train].tolist()))
        if missing:
            unit = "subjects" if PROTOCOLS[protocol].by_subject else "gaits"
            raise ConfigError(
                f"{where}: no '{missing[0]}' gait to train on, because those of that class are all "
                f"in the test set. Give more {unit} of that class, leave the class out, or change "
                f"folds or seed."
            )
        for name in classes - set(names[split.test].tolist()):
            n_lacking[name] = n_lacking.get(name, 0) + 1
    for name, n in sorted(n_lacking.items()):
        members = (names == name) & ~made
        warnings.warn(
            f"{n} of {len(splits)} test sets have no '{name}' gait ({members.sum()} gaits of "
            f"{len(np.unique(people[members]))} subjects): their own balanced accuracy leaves that "
            f"class out; pooled figures keep it.",
            MoodwalkWarning,
            stacklevel=3,
        )


def _deal_subjects(
    counts: NDArray[np.float64], weights: NDArray[np.float64], rng: np.random.Generator
) -> Indices:
    """Return the part of every subject, from its gaits a class and the weights of the parts."""
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    open_parts = np.flatnonzero(weights > 0)
    held = np.zeros((3, counts.shape[1]))
    parts = np.zeros(len(counts), dtype=np.int64)
    for position, walker in enumerate(order):
        rest = counts[order[position + 1 :]].sum(axis=0)
        empty = [part for part in open_parts if not held[part].any()]
        last_chance = ((counts[walker] > 0) & (held[0] == 0) & (rest == 0)).any()
        if last_chance:  # training must see every class
            choice = [0]
        elif len(order) - position <= len(empty):
            choice = empty
        else:
            choice = list(open_parts)
        # the sum of held^2 / weight, each class as a share, is least at the proportions
        gain = counts[walker] * (2 * held + counts[walker]) / counts.sum(axis=0) ** 2
        costs = [gain[part].sum() / weights[part] for part in choice]
        part = choice[int(np.argmin(costs))]
        parts[walker] = part
        held[part] += counts[walker]
    return parts

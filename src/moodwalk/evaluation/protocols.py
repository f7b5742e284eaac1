"""Which gaits are trained on and which are tested, under each protocol."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import ShuffleSplit, StratifiedGroupKFold, StratifiedKFold

from moodwalk.errors import ConfigError, MoodwalkError, MoodwalkWarning
from moodwalk.splitting import check_arrays

__all__ = [
    "LEGACY_BATCH",
    "LEGACY_TEST_SHARE",
    "PROTOCOLS",
    "Protocol",
    "Split",
    "make_splits",
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
    names, people, made = check_arrays(labels, subjects, synthetic)
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

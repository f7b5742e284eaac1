"""Training, validation and test gaits that share no subject."""

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodwalk.errors import ConfigError, MoodwalkWarning, ShapeError

__all__ = ["check_arrays", "split_by_subject"]

Indices = NDArray[np.int64]


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
        If validation or test lacks a class, or one subject has more gaits than training should.

    Notes
    -----
    Few subjects with many gaits each cannot be dealt out evenly: look at the sizes.
    """
    names, people, _ = check_arrays(labels, subjects, None)
    weights = np.asarray(proportions, dtype=np.float64)
    if (
        weights.shape != (3,)
        or not (np.isfinite(weights) & (weights >= 0)).all()
        or not weights[0] > 0
    ):
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
    largest = int(counts.sum(axis=1).argmax())
    if counts[largest].sum() > weights[0] / weights.sum() * len(label):
        warnings.warn(
            f"Subject '{walkers[largest]}' has {counts[largest].sum():.0f} of {len(label)} gaits, more than "
            f"the share of training: the parts are uneven. Leave it out, or split by a file.",
            MoodwalkWarning,
            stacklevel=2,
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


def check_arrays(
    labels: ArrayLike, subjects: ArrayLike, synthetic: ArrayLike | None
) -> tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.bool_]]:
    """Return labels, subjects and the mask of synthetic gaits as arrays of one length.

    Raises
    ------
    ShapeError
        If they differ in length.
    """
    names = np.asarray(labels).astype(np.str_)
    people = np.asarray(subjects).astype(np.str_)
    made = np.zeros(len(names), np.bool_) if synthetic is None else np.asarray(synthetic, np.bool_)
    if names.ndim != 1 or not names.shape == people.shape == made.shape:
        raise ShapeError(
            f"labels have shape {names.shape}, subjects {people.shape}, synthetic {made.shape}; "
            f"expected one of each a gait."
        )
    return names, people, made


def _deal_subjects(
    counts: NDArray[np.float64], weights: NDArray[np.float64], rng: np.random.Generator
) -> Indices:
    """Return the part of every subject, from its gaits a class and the weights of the parts."""
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    open_parts = np.flatnonzero(weights > 0)
    held = np.zeros((3, counts.shape[1]))
    parts = np.zeros(len(counts), dtype=np.int64)
    # Training must see every class: of each, rarest first, it gets the subject with fewest gaits.
    settled: list[int] = []
    for column in np.argsort((counts > 0).sum(axis=0), kind="stable"):
        if not held[0, column]:
            walker = next(w for w in order[::-1].tolist() if counts[w, column] > 0)
            settled.append(walker)
            held[0] += counts[walker]
    rest = [walker for walker in order.tolist() if walker not in settled]
    for position, walker in enumerate(rest):
        empty = [part for part in open_parts if not held[part].any()]
        choice = empty if len(rest) - position <= len(empty) else list(open_parts)
        # the sum of held^2 / weight, each class as a share, is least at the proportions
        gain = counts[walker] * (2 * held + counts[walker]) / counts.sum(axis=0) ** 2
        costs = [gain[part].sum() / weights[part] for part in choice]
        part = choice[int(np.argmin(costs))]
        parts[walker] = part
        held[part] += counts[walker]
    return parts

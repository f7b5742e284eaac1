"""Generated gaits inside a cell: nothing of its test gaits can reach them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from moodwalk.gait import GaitSet
from moodwalk.generation.generator import GaitGenerator
from moodwalk.splitting import split_by_subject

__all__ = ["Parts", "synthesise"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a cell trains on, and what chooses the epoch.

    Parameters
    ----------
    training
        Gaits of the training fold; all of them where there is no validation.
    validation
        Real gaits of other subjects of the training fold, or None.
    synthetic
        What was generated from the real gaits of `training`.
    """

    training: GaitSet
    validation: GaitSet | None
    synthetic: GaitSet


def synthesise(gaits: GaitSet, options: Mapping[str, Any], seed: int, *, validate: bool) -> Parts:
    """Train a generator on the training gaits of a cell, and generate gaits like them.

    Parameters
    ----------
    gaits
        Training gaits. Those that are synthetic already are trained on, not generated from.
    options
        Of `moodwalk.experiments.config.TrainingOptions`.
    seed
        Of the cell.
    validate
        Whether ``validation_share`` of the subjects is set aside: for the epoch of a network, and
        then for that of its generator too.

    Raises
    ------
    ConfigError
        If there are too few gaits or subjects.
    """
    training, validation = gaits, None
    made = np.array([gait.synthetic for gait in gaits], dtype=np.bool_)
    if validate:
        real = np.flatnonzero(~made)
        shares = (1 - options["validation_share"], options["validation_share"], 0.0)
        kept, aside, _ = split_by_subject(gaits.labels[real], gaits.subjects[real], shares, seed)
        validation = gaits[real[aside]]
        training = gaits[np.sort(np.concatenate([real[kept], np.flatnonzero(made)]))]
    source = training[[not gait.synthetic for gait in training]]
    generator = GaitGenerator.fit(options["generator"], source, seed=seed, validation=validation)
    return Parts(
        training, validation, generator.generate_like(source, options["synthetic"], seed=seed)
    )

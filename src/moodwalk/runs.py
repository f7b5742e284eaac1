"""One training from data to weights, with everything beside it that is needed to repeat it."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.augment import Augmentation
from moodwalk.errors import ConfigError
from moodwalk.estimator import GaitEmotionClassifier
from moodwalk.evaluation import compute_proportion_interval, compute_scores, evaluate
from moodwalk.gait import GaitSet
from moodwalk.io.atomic import check_writable, write_whole_text
from moodwalk.models.config import STGCN_MODELS
from moodwalk.provenance import describe_versions, find_commit
from moodwalk.splitting import split_by_subject
from moodwalk.training import EpochRecord
from moodwalk.trust import SHARE_RIGHT, calibrate, choose_abstention, choose_novelty

__all__ = [
    "WEIGHTS",
    "SubjectSplit",
    "describe_split",
    "run_training",
]

WEIGHTS = "weights.safetensors"

LIMITS = (
    "Reads what observers would call a walk, not what the walker feels; no diagnosis, and not fit for "
    "judging people. Figures hold for walks like those it was trained on."
)


@dataclass(frozen=True, eq=False, slots=True)
class SubjectSplit:
    """Which gaits are for training, validation and test; no subject is in two of them."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    @classmethod
    def by_shares(
        cls, gaits: GaitSet, shares: tuple[float, float, float], seed: int
    ) -> "SubjectSplit":
        """Deal subjects out by shares, such as 7, 2, 1; a share of 0 leaves a part empty.

        Raises
        ------
        ConfigError
            If the shares are none, or there are too few subjects.
        """
        if shares[0] > 0 and shares[1:] == (0, 0):
            nothing = np.array([], dtype=np.int64)
            return cls(np.arange(len(gaits)), nothing, nothing)
        made = np.array([gait.synthetic for gait in gaits], dtype=np.bool_)
        real, people = np.flatnonzero(~made), gaits.subjects
        dealt = split_by_subject(gaits.labels[real], people[real], shares, seed)
        train, validation, test = (real[part] for part in dealt)
        # Synthetic gaits are only trained on, and not those of a subject that is held out.
        held_out = people[np.concatenate([validation, test])]
        extra = np.flatnonzero(made & ~np.isin(people, held_out))
        return cls(np.sort(np.concatenate([train, extra])), validation, test)

    @classmethod
    def from_subjects(cls, gaits: GaitSet, parts: Mapping[str, Sequence[str]]) -> "SubjectSplit":
        """Take the subjects of every part from a mapping.

        Parameters
        ----------
        gaits
            All gaits.
        parts
            Subjects under ``train``, ``validation`` and ``test``; the last two may be missing.

        Raises
        ------
        ConfigError
            If a part is unknown, a subject is in two parts or in none, or nobody walks under that name.
        """
        names = ("train", "validation", "test")
        if strange := sorted(set(parts) - set(names)):
            raise ConfigError(f"a split has no part '{strange[0]}'; expected {', '.join(names)}.")
        owner: dict[str, str] = {}
        for part in names:
            for subject in parts.get(part, ()):
                if owner.setdefault(subject, part) != part:
                    raise ConfigError(
                        f"subject '{subject}' is in {owner[subject]} and {part}; expected one."
                    )
        subjects = gaits.subjects.tolist()
        if missing := sorted(set(subjects) - set(owner)):
            raise ConfigError(
                f"subject '{missing[0]}' is in no part of the split ({len(missing)} such)."
            )
        if unknown := sorted(set(owner) - set(subjects)):
            raise ConfigError(
                f"the split names subject '{unknown[0]}', who does not walk in these gaits."
            )
        chosen = [np.flatnonzero([owner[s] == part for s in subjects]) for part in names]
        for name, part in zip(names[1:], chosen[1:], strict=True):
            if any(gait.synthetic for gait in gaits[part]):
                raise ConfigError(
                    f"the {name} part holds synthetic gaits; expected real ones only."
                )
        if not len(chosen[0]):
            raise ConfigError("the split has no training subjects.")
        return cls(*chosen)

    def to_dict(self, gaits: GaitSet) -> dict[str, list[str]]:
        """Return the subjects of every part."""
        people = gaits.subjects
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: sorted(set(people[part].tolist())) for name, part in parts.items()}


def run_training(
    gaits: GaitSet,
    estimator: GaitEmotionClassifier,
    run: Path,
    split: SubjectSplit,
    *,
    calibration_folds: int = 0,
    share_right: float = SHARE_RIGHT,
    jobs: int = 1,
    card: Mapping[str, Any] | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_fold: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Train a network and write its weights and the story of the run.

    Parameters
    ----------
    gaits
        Labelled gaits.
    estimator
        A network, not yet fitted.
    run
        Folder for ``weights.safetensors``, ``run.json``, ``metrics.csv`` and the training state.
        An interrupted run resumes there.
    split
        Training gaits; validation gaits, used only where the estimator chooses an epoch or stops
        early; test gaits, scored once at the end.
    calibration_folds
        Evaluate the same training on so many subject-disjoint folds of the training gaits first,
        calibrate the weights on the out-of-fold answers, choose the confidence below which answers
        are withheld, and put the figures on their card. 0 does neither.
    share_right
        Of the answers that are not withheld, how many should be right.
    jobs
        Processes for these folds.
    card
        What else the weights should say of themselves.
    on_epoch, on_fold
        Called after every epoch of the final training and after every fold.

    Returns
    -------
    dict
        What ``run.json`` holds.

    Raises
    ------
    ConfigError
        If the model is no network, or something does not fit.
    """
    if estimator.model not in STGCN_MODELS:
        raise ConfigError(
            f"'{estimator.model}' has no weights to write; expected one of {', '.join(STGCN_MODELS)}. "
            f"Classic learners are compared with `moodwalk evaluate`."
        )
    if calibration_folds and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("calibration folds do not run under torchrun; calibrate in one process.")
    check_writable(run / WEIGHTS)
    training = gaits[split.train]
    story: dict[str, Any] = {
        "model": estimator.model,
        "options": _plain(estimator.get_params()),
        "data": describe_split(gaits, split),
        "split": split.to_dict(gaits),
        "versions": describe_versions(),
        "commit": find_commit(),
    }
    calibration = None
    if calibration_folds:
        evaluation = evaluate(
            estimator,
            training,
            folds=calibration_folds,
            seed=estimator.seed,
            jobs=jobs,
            progress=on_fold,
        )
        calibration = calibrate(evaluation)
        story["evaluation"] = evaluation.to_dict()
        story["calibration"] = asdict(calibration)
        abstention, curve = choose_abstention(evaluation, share_right)
        story["abstention"] = abstention.to_dict() | {"risk_coverage": curve}
    validation = gaits[split.validation] if len(split.validation) else None
    estimator.fit(training, validation=validation, run=run, on_epoch=on_epoch)
    novelty = choose_novelty(training, estimator.encoder_, estimator.seed)
    if novelty is not None:
        story["novelty"] = novelty
    if calibration is not None:
        estimator.temperature_ = calibration.temperature
    if len(split.test):
        story["test"] = _score(estimator, gaits[split.test])
    if int(os.environ.get("RANK", "0")) == 0:
        about = {
            k: story[k]
            for k in (
                "data",
                "split",
                "versions",
                "commit",
                "calibration",
                "abstention",
                "novelty",
                "test",
            )
            if k in story
        }
        if "evaluation" in story:
            about["evaluation"] = {
                k: v for k, v in story["evaluation"].items() if k not in ("folds", "versions")
            }
        estimator.save(run / WEIGHTS, {**about, "limits": LIMITS, **(card or {})})
        write_whole_text(run / "run.json", json.dumps(story, indent=2) + "\n")
    return story


def describe_split(gaits: GaitSet, split: SubjectSplit) -> dict[str, Any]:
    """Return counts of the gaits, of the parts, and of the labels that are trained on."""
    return {
        "sources": sorted({gait.source for gait in gaits}),
        "n_gaits": len(gaits),
        "n_subjects": gaits.n_subjects,
        "n_train": len(split.train),
        "n_validation": len(split.validation),
        "n_test": len(split.test),
        "labels": {str(k): n for k, n in gaits[split.train].label_counts.items()},
    }


def _score(estimator: GaitEmotionClassifier, gaits: GaitSet) -> dict[str, Any]:
    predicted = estimator.predict(gaits)
    classes = [str(name) for name in estimator.classes_]
    scores = compute_scores(gaits.labels, predicted, classes)
    n_correct = int((predicted == gaits.labels).sum())
    return {
        "n_gaits": len(gaits),
        "n_subjects": gaits.n_subjects,
        "accuracy": scores.accuracy,
        "accuracy_ci95": list(compute_proportion_interval(n_correct, len(gaits))),
        "balanced_accuracy": scores.balanced_accuracy,
        "macro_f1": scores.macro_f1,
        "classes": classes,
        "confusion": scores.confusion.tolist(),
    }


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return an estimator's parameters as JSON can hold them."""
    return {k: asdict(v) if isinstance(v, Augmentation) else v for k, v in options.items()}

"""A scikit-learn estimator over every model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from moodwalk.augment import Augmentation
from moodwalk.emotion import Emotion, parse_emotion
from moodwalk.errors import ConfigError, LabelError, ShapeError
from moodwalk.features import compute_affective_features
from moodwalk.gait import Gait, GaitSet
from moodwalk.models.catalogue import check_model
from moodwalk.models.classic import CLASSIC, make_classic
from moodwalk.models.config import STGCN_MODELS
from moodwalk.models.custom import CustomModel, is_custom
from moodwalk.preprocess import standardise
from moodwalk.skeleton import Partition
from moodwalk.splitting import split_by_subject

__all__ = ["GaitEmotionClassifier"]

ClassWeight = Literal["balanced"]
Optimizer = Literal["adam", "sgd"]
Precision = Literal["float32", "bfloat16", "float16"]
Select = Literal["last", "loss", "accuracy"]


class GaitEmotionClassifier(ClassifierMixin, BaseEstimator):
    """Classify the perceived emotion of gaits with any model of `moodwalk.models.catalogue`.

    Parameters
    ----------
    model
        Name of a network or a classic learner, or a network class of your own, as
        ``my_models.py:MyNet`` (see `moodwalk.models.custom.CustomModel`).
    model_params
        Changes to the network's configuration (`moodwalk.models.config.StgcnConfig`), the classic
        learner's arguments, or those of your own class.
    epochs, batch_size, optimizer, learning_rate, weight_decay, epoch_size, class_weight, \
label_smoothing, augmentation, select, patience, device, precision, seed
        As in `moodwalk.training.TrainingConfig`. Classic learners use ``class_weight`` and ``seed``.
    partition
        Of the network's adjacency; None for the model's own.
    n_frames
        Frames of the network's input; None for the longest training gait.
    validation_share
        Share of the training subjects that is set aside where ``select`` or ``patience`` needs
        validation gaits and `fit` is given none.

    Attributes
    ----------
    classes_
        (k,) emotion names in sorted order, the columns of `predict_proba`.
    history_
        One record for each epoch of a network.
    watched_
        (epochs, n, k) logits after every epoch, where `fit` was given gaits to watch.
    temperature_
        What logits are divided by before the softmax; 1 unless set.

    Notes
    -----
    ``X`` is a `GaitSet` or any sequence of `Gait`, so scikit-learn's splitters, `cross_val_score`
    and `GridSearchCV` work; gaits carry their frame rate and subject with them. What replaces labels
    by integers before fitting (`cross_val_predict` of probabilities) does not, for labels are emotions.

    Examples
    --------
    >>> from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
    >>> from moodwalk import GaitEmotionClassifier, simulate_walks
    >>> gaits = simulate_walks(n_subjects=12, gaits_per_subject=4, seed=1)
    >>> scores = cross_val_score(
    ...     GaitEmotionClassifier("extra-trees"), gaits, gaits.labels,
    ...     groups=gaits.subjects, cv=StratifiedGroupKFold(3),
    ... )
    >>> scores.shape
    (3,)
    """

    def __init__(
        self,
        model: str | CustomModel = "step",
        *,
        model_params: Mapping[str, Any] | None = None,
        epochs: int = 60,
        batch_size: int = 8,
        optimizer: Optimizer = "adam",
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        epoch_size: int | None = None,
        class_weight: ClassWeight | None = None,
        label_smoothing: float = 0.0,
        augmentation: Augmentation | None = None,
        select: Select = "last",
        patience: int | None = None,
        partition: Partition | None = None,
        n_frames: int | None = None,
        validation_share: float = 0.2,
        device: str = "auto",
        precision: Precision = "float32",
        seed: int = 0,
    ) -> None:
        self.model = model
        self.model_params: Mapping[str, Any] | None = model_params
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer: Optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.epoch_size = epoch_size
        self.class_weight: ClassWeight | None = class_weight
        self.label_smoothing = label_smoothing
        self.augmentation = augmentation
        self.select: Select = select
        self.patience = patience
        self.partition = partition
        self.n_frames = n_frames
        self.validation_share = validation_share
        self.device = device
        self.precision: Precision = precision
        self.seed = seed

    def fit(
        self,
        X: Sequence[Gait],
        y: Sequence[str] | NDArray[np.str_] | None = None,
        *,
        validation: Sequence[Gait] | None = None,
        watch: Sequence[Gait] | None = None,
        scaling: Sequence[Gait] | None = None,
        run: Path | None = None,
        on_epoch: Callable[[Any], None] | None = None,
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X
            n training gaits.
        y
            (n,) emotions; None takes the gaits' own labels.
        validation
            Labelled gaits that the epoch may be chosen on (networks only). Never those that will
            be scored.
        watch
            Gaits that a network answers after every epoch, into ``watched_``; nothing is chosen by
            them. Not with ``run``.
        scaling
            What a network's normalisation and number of frames are learned from; by default the
            training gaits. Anything else leaks, and is here to measure by how much.
        run, on_epoch
            As in `moodwalk.training.train` (networks only).

        Raises
        ------
        ConfigError
            If a parameter makes no sense.
        LabelError
            If labels are missing, of another number, or of one class only.
        ShapeError
            If X does not hold gaits.
        """
        gaits = _check_gaits(X)
        labels = _check_labels(gaits, y)
        if not isinstance(self.model, CustomModel):
            check_model(self.model)
        classes = np.unique(labels)
        if len(classes) < 2:
            raise LabelError(
                f"All {len(gaits)} gaits are {labels[0]}; expected at least two emotions."
            )
        self.classes_ = classes
        self.temperature_ = 1.0
        if self.model in CLASSIC:
            params = dict(self.model_params or {})
            if self.class_weight is not None:
                params["class_weight"] = self.class_weight
            self.learner_ = make_classic(str(self.model), seed=self.seed, **params)
            self.learner_.fit(_compute_table(gaits), labels)
        else:
            if watch is not None and run is not None:
                raise ConfigError(
                    "watch and run do not go together: a resumed run has not watched."
                )
            self._fit_network(gaits, labels, validation, watch, scaling, run, on_epoch)
        return self

    def predict_proba(self, X: Sequence[Gait]) -> NDArray[np.float64]:
        """Return the probability of every class, (n, k), columns as in ``classes_``."""
        self._check_fitted()
        gaits = _check_gaits(X)
        if self.model in CLASSIC:
            return np.asarray(self.learner_.predict_proba(_compute_table(gaits)), dtype=np.float64)
        from scipy.special import softmax

        logits = self.compute_logits(gaits).astype(np.float64)
        return np.asarray(softmax(logits / self.temperature_, axis=1), dtype=np.float64)

    def predict(self, X: Sequence[Gait]) -> NDArray[np.str_]:
        """Return the most probable emotion of every gait, (n,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def compute_logits(self, X: Sequence[Gait]) -> NDArray[np.float32]:
        """Return a network's logits, (n, k).

        Raises
        ------
        ConfigError
            If the model is a classic learner.
        """
        self._check_fitted()
        if self.model in CLASSIC:
            raise ConfigError(f"'{self.model}' has no logits; networks have.")
        from moodwalk.training import compute_logits

        return compute_logits(self.network_, self.encoder_, _check_gaits(X))

    def save(self, path: str | Path, card: Mapping[str, Any] | None = None) -> None:
        """Write a network's weights, whole or not at all; `moodwalk.Predictor` reads them.

        Raises
        ------
        ConfigError
            If the model is a classic learner, which has no weights of this format.
        """
        self._check_fitted()
        if self.model in CLASSIC:
            raise ConfigError(f"'{self.model}' has no weights to write; only networks have.")
        if isinstance(self.model, CustomModel) or is_custom(self.model):
            raise ConfigError(
                f"'{self.model}' is your own class, which moodwalk's weights cannot describe; keep "
                f"network_.state_dict() and encoder_.to_dict() yourself."
            )
        from moodwalk.models.checkpoint import Checkpoint, write_checkpoint

        classes = tuple(Emotion(name) for name in self.classes_)
        write_checkpoint(
            path,
            Checkpoint.from_network(
                self.network_, classes, self.encoder_, self.model, self.temperature_, card or {}
            ),
        )

    def _fit_network(
        self,
        gaits: GaitSet,
        labels: NDArray[np.str_],
        validation: Sequence[Gait] | None,
        watch: Sequence[Gait] | None,
        scaling: Sequence[Gait] | None,
        run: Path | None,
        on_epoch: Callable[[Any], None] | None,
    ) -> None:
        import torch

        from moodwalk.models.encoding import GaitEncoder
        from moodwalk.training import TrainingConfig, train

        training = TrainingConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            epoch_size=self.epoch_size,
            class_weight=self.class_weight,
            label_smoothing=self.label_smoothing,
            augmentation=self.augmentation,
            select=self.select,
            patience=self.patience,
            device=self.device,
            precision=self.precision,
            seed=self.seed,
        )
        held_out = None if validation is None else _check_gaits(validation)
        if held_out is None and (self.select != "last" or self.patience is not None):
            kept, aside = self._set_aside(gaits, labels)
            held_out = gaits[aside]
            validation_labels = labels[aside]
            gaits, labels = gaits[kept], labels[kept]
        else:
            validation_labels = None if held_out is None else held_out.labels
        watched: list[NDArray[np.float32]] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network, wants = self._make_network()
            encoder = GaitEncoder.fit(
                gaits if scaling is None else _check_gaits(scaling),
                n_frames=self.n_frames,
                **wants,
            )
            self.history_ = train(
                network,
                encoder,
                gaits,
                cast("Sequence[str]", labels),
                cast("Sequence[str]", self.classes_),
                training,
                validation=None
                if held_out is None
                else (held_out, cast("Sequence[str]", validation_labels)),
                watch=None if watch is None else (_check_gaits(watch), watched.append),
                run=run,
                on_epoch=on_epoch,
            )
        if watched:
            self.watched_ = np.stack(watched)
        # Wherever it was trained, it can be pickled for workers that have no accelerator.
        self.network_, self.encoder_ = network.cpu(), encoder

    def _make_network(self) -> tuple[Any, dict[str, Any]]:
        """Return a network, and how it wants its gaits."""
        params = dict(self.model_params or {})
        if self.partition is not None:
            params["partition"] = self.partition
        if isinstance(self.model, CustomModel) or is_custom(self.model):
            custom = (
                self.model if isinstance(self.model, CustomModel) else CustomModel.read(self.model)
            )
            return _make_custom(custom, len(self.classes_), params)
        from moodwalk.models.stgcn import Stgcn, StgcnConfig

        try:
            config = StgcnConfig(**{**STGCN_MODELS[self.model].to_dict(), **params})
        except TypeError as error:
            raise ConfigError(f"model_params of '{self.model}': {error}.") from None
        return Stgcn(config, len(self.classes_)), _ask(config)

    def _set_aside(
        self, gaits: GaitSet, labels: NDArray[np.str_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which gaits to train on, and which real ones of other subjects to validate on."""
        if not 0 < self.validation_share < 1:
            raise ConfigError(
                f"validation_share is {self.validation_share}; expected a share between 0 and 1."
            )
        subjects = gaits.subjects
        real = np.flatnonzero([not gait.synthetic for gait in gaits])
        shares = (1 - self.validation_share, self.validation_share, 0.0)
        _, aside, _ = split_by_subject(labels[real], subjects[real], shares, self.seed)
        aside = real[aside]
        return np.flatnonzero(~np.isin(subjects, subjects[aside])), aside

    def _check_fitted(self) -> None:
        check_is_fitted(self, "learner_" if self.model in CLASSIC else "network_")


def _make_custom(
    custom: CustomModel, n_classes: int, params: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Make a network of a user's class."""
    from torch import nn

    found = custom.load()
    if not issubclass(found, nn.Module):
        raise ConfigError(
            f"{custom.class_name} of {custom.path} is no torch.nn.Module; expected a network."
        )
    try:
        network = found(n_classes=n_classes, **params)
    except TypeError as error:
        raise ConfigError(f"{custom.class_name}({custom.path}): {error}.") from None
    return network, _ask(network)


def _ask(wanting: Any) -> dict[str, Any]:
    """Return how a network, or its configuration, wants its gaits."""
    return {
        "n_affective": int(getattr(wanting, "n_affective", 0)),
        "root_relative": bool(getattr(wanting, "root_relative", True)),
        "body_form": bool(getattr(wanting, "body_form", False)),
    }


def _check_gaits(X: Sequence[Gait]) -> GaitSet:
    if isinstance(X, GaitSet):
        gaits = X
    else:
        try:
            gaits = GaitSet(X)
        except TypeError:
            raise ShapeError(
                f"X is {type(X).__name__}; expected a GaitSet or a list of Gait. "
                f"Make one from arrays with GaitSet.from_arrays(positions, fps=...)."
            ) from None
    if not len(gaits):
        raise ShapeError("X holds no gaits; expected at least one.")
    return gaits


def _check_labels(gaits: GaitSet, y: Sequence[str] | NDArray[np.str_] | None) -> NDArray[np.str_]:
    labels = gaits.labels if y is None else np.array([str(parse_emotion(str(name))) for name in y])
    if len(labels) != len(gaits):
        raise LabelError(f"{len(gaits)} gaits but {len(labels)} labels; expected as many.")
    return labels


def _compute_table(gaits: GaitSet) -> NDArray[np.float64]:
    return compute_affective_features([standardise(gait) for gait in gaits])

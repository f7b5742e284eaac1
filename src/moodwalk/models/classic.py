"""Classic learners over the table of affective features: the bar that a network has to clear."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

from moodwalk.errors import ConfigError

__all__ = ["CLASSIC", "CalibratedSVC", "ClassicSpec", "make_classic"]


class CalibratedSVC(ClassifierMixin, BaseEstimator):
    """Support vector classifier with an RBF kernel and probabilities.

    One temperature turns the decision values into probabilities. It is fitted on decisions of
    inner folds and keeps the order of the classes, so the answers are those of the machine itself.

    Parameters
    ----------
    C
        Inverse strength of regularisation.
    gamma
        Width of the kernel, as `sklearn.svm.SVC` takes it.
    class_weight
        None, ``"balanced"`` or a weight for each class.
    n_folds
        Most inner folds. A class with fewer members lowers the number; with a class of one member
        no temperature is fitted and the probabilities are a plain softmax of the decisions.
    random_state
        Seed of the inner folds.

    Attributes
    ----------
    classes_
        (k,) classes in sorted order.

    Notes
    -----
    The inner folds know nothing of subjects, so the probabilities are somewhat too sure of
    walkers that were never seen.
    """

    def __init__(
        self,
        C: float = 1.0,
        gamma: float | str = "scale",
        class_weight: str | Mapping[str, float] | None = None,
        n_folds: int = 5,
        random_state: int | None = None,
    ) -> None:
        self.C = C
        self.gamma = gamma
        self.class_weight = class_weight
        self.n_folds = n_folds
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit the machine and its temperature.

        Parameters
        ----------
        X
            (n, n_features) table, scaled.
        y
            (n,) labels of at least two classes.

        Raises
        ------
        ValueError
            If the table holds NaN or infinity, or the labels hold one class only.
        """
        y = np.asarray(y)
        self.classes_, counts = np.unique(y, return_counts=True)
        gamma: Any = self.gamma
        machine = SVC(C=self.C, gamma=gamma, class_weight=self.class_weight)
        n_folds = int(min(self.n_folds, counts.min()))
        if n_folds < 2:
            self.model_ = machine.fit(X, y)
            return self
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=self.random_state)
        ensemble: Any = False  # one machine, fitted on all gaits
        calibrated = CalibratedClassifierCV(
            machine, method="temperature", cv=folds, ensemble=ensemble
        )
        self.model_ = calibrated.fit(X, y)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of every class, (n, k), columns as in ``classes_``."""
        check_is_fitted(self, "model_")
        if isinstance(self.model_, CalibratedClassifierCV):
            return np.asarray(self.model_.predict_proba(X), dtype=np.float64)
        decisions = np.asarray(self.model_.decision_function(X), dtype=np.float64)
        if decisions.ndim == 1:
            decisions = np.stack([-decisions, decisions], axis=1)
        return softmax(decisions, axis=1)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class of every row, (n,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@dataclass(frozen=True, slots=True)
class ClassicSpec:
    """One classic learner.

    Parameters
    ----------
    title
        What a table or figure calls it.
    factory
        Makes the unfitted last step of the pipeline from keyword arguments.
    seed_name
        The argument that takes the seed, or None for a learner without chance.
    scaled
        Whether medians replace missing features and the table is standardised before; trees need
        neither.
    defaults
        Arguments of the factory, unless others are given.
    class_weight
        Whether it takes ``class_weight``.
    """

    title: str
    factory: Callable[..., Any]
    seed_name: str | None
    scaled: bool
    defaults: Mapping[str, object]
    class_weight: bool = True


CLASSIC: MappingProxyType[str, ClassicSpec] = MappingProxyType(
    {
        "svm": ClassicSpec(
            title="Support vector machine",
            factory=CalibratedSVC,
            seed_name="random_state",
            scaled=True,
            defaults=MappingProxyType({}),
        ),
        "random-forest": ClassicSpec(
            title="Random forest",
            factory=RandomForestClassifier,
            seed_name="random_state",
            scaled=False,
            defaults=MappingProxyType({"n_estimators": 300, "n_jobs": 1}),
        ),
        "extra-trees": ClassicSpec(
            title="Extra trees",
            factory=ExtraTreesClassifier,
            seed_name="random_state",
            scaled=False,
            defaults=MappingProxyType({"n_estimators": 300, "n_jobs": 1}),
        ),
        "logistic-regression": ClassicSpec(
            title="Logistic regression",
            factory=LogisticRegression,
            seed_name="random_state",
            scaled=True,
            defaults=MappingProxyType({"max_iter": 2000}),
        ),
        "majority": ClassicSpec(
            title="Majority class",
            factory=DummyClassifier,
            seed_name=None,
            scaled=False,
            defaults=MappingProxyType({"strategy": "prior"}),
            class_weight=False,
        ),
    }
)
"""Every classic learner by the name that ``--model`` takes."""


def make_classic(name: str, *, seed: int = 0, **params: object) -> Pipeline:
    """Make an unfitted classic learner over the (n, n_features) table of affective features.

    Everything that learns from data, scaling too, is a step of the pipeline, so that it sees the
    training gaits only. One thread.

    Parameters
    ----------
    name
        A key of `CLASSIC`.
    seed
        Seed of whatever is random in the learner.
    **params
        Arguments of the learner itself, such as ``C=10.0`` or ``class_weight="balanced"``.

    Returns
    -------
    Pipeline
        With ``fit``, ``predict``, ``predict_proba`` and ``classes_``.

    Raises
    ------
    ConfigError
        If there is no such learner, or it takes no such argument.
    """
    if name not in CLASSIC:
        raise ConfigError(f"'{name}' is no classic learner; expected one of {', '.join(CLASSIC)}.")
    spec = CLASSIC[name]
    if not spec.class_weight and params.get("class_weight") is None:
        params.pop("class_weight", None)
    chosen: dict[str, object] = {**spec.defaults, **params}
    if spec.seed_name is not None:
        chosen[spec.seed_name] = seed
    try:
        learner = spec.factory(**chosen)
    except TypeError as error:
        raise ConfigError(f"{name}: {error}. Leave that argument out.") from None
    if not spec.scaled:
        return make_pipeline(learner)
    # keep_empty_features: a feature missing in every training gait stays a (constant) column
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    return make_pipeline(imputer, StandardScaler(), learner)

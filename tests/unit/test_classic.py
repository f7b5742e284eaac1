import numpy as np
import pytest
from sklearn.base import clone

from moodwalk.errors import ConfigError
from moodwalk.models.classic import CLASSIC, CalibratedSVC, make_classic

LEARNERS = [name for name in CLASSIC if name != "majority"]


def make(name, seed=0, **params):
    """Forests of fewer trees than by default, to keep these tests short."""
    fewer = {"n_estimators": 40} if name in ("random-forest", "extra-trees") else {}
    return make_classic(name, seed=seed, **(fewer | params))


def make_table(n=120, seed=0):
    """Three classes of 29 features on very different scales, told apart by the first two."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    table = rng.normal(size=(n, 29))
    table[:, 0] += 3 * (label == 1)
    table[:, 1] += 3 * (label == 2)
    return table * 10.0 ** (np.arange(-14, 15) / 3), np.array(["angry", "happy", "sad"])[label]


@pytest.mark.parametrize("name", CLASSIC)
def test_every_learner_answers_with_probabilities_of_sorted_classes(name):
    table, labels = make_table()
    model = make(name, seed=0).fit(table, labels)
    probabilities = model.predict_proba(table[:7])
    assert model.classes_.tolist() == ["angry", "happy", "sad"]
    assert probabilities.shape == (7, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(
        model.predict(table[:7]), model.classes_[probabilities.argmax(axis=1)]
    )


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_finds_what_is_there_whatever_the_scales(name):
    table, labels = make_table()
    test_table, test_labels = make_table(seed=1)
    model = make(name, seed=0).fit(table, labels)
    assert (model.predict(test_table) == test_labels).mean() > 0.75  # chance: a third


def test_majority_answers_with_the_shares_of_training():
    labels = ["sad"] * 3 + ["happy"]
    model = make_classic("majority", seed=0).fit(np.zeros((4, 29)), labels)
    np.testing.assert_allclose(model.predict_proba(np.ones((1, 29))), [[0.25, 0.75]])


@pytest.mark.parametrize("name", CLASSIC)
def test_the_same_seed_gives_the_same_probabilities(name):
    table, labels = make_table()
    first = make(name, seed=5).fit(table, labels).predict_proba(table)
    second = clone(make(name, seed=5)).fit(table, labels).predict_proba(table)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["random-forest", "extra-trees", "svm"])
def test_another_seed_gives_other_probabilities(name):
    table, labels = make_table()
    probe, _ = make_table(seed=1)
    first = make(name, seed=5).fit(table, labels).predict_proba(probe)
    second = make(name, seed=6).fit(table, labels).predict_proba(probe)
    assert (first != second).any()


@pytest.mark.parametrize("name", ["svm", "logistic-regression"])
def test_scaling_is_learned_with_the_rest(name):
    table, labels = make_table()
    model = make(name, seed=0).fit(table, labels)
    moved = make(name, seed=0).fit(1000 * table + 7, labels)
    np.testing.assert_allclose(
        moved.predict_proba(1000 * table + 7), model.predict_proba(table), atol=1e-3
    )


@pytest.mark.parametrize("name", CLASSIC)
def test_missing_features_are_taken(name):
    table, labels = make_table()
    table[::5, 3] = np.nan
    table[:, 28] = np.nan
    model = make(name, seed=0).fit(table, labels)
    assert np.isfinite(model.predict_proba(table)).all()


@pytest.mark.parametrize("name", LEARNERS)
def test_class_weights_raise_the_rare_class(name):
    rng = np.random.default_rng(0)
    labels = np.array(["happy"] * 90 + ["sad"] * 10)
    table = rng.normal(size=(100, 2)) + (labels == "sad")[:, None]
    plain = make(name, seed=0).fit(table, labels)
    weighted = make(name, seed=0, class_weight="balanced", **shallow(name)).fit(table, labels)
    probe = rng.normal(size=(200, 2)) + 0.5
    assert (weighted.predict(probe) == "sad").sum() > (plain.predict(probe) == "sad").sum()


def shallow(name):
    # fully grown trees fit the training gaits whatever the weights
    return {"min_samples_leaf": 5} if name in ("random-forest", "extra-trees") else {}


@pytest.mark.parametrize("n_rare", [1, 2, 3])
@pytest.mark.parametrize("name", CLASSIC)
def test_classes_of_few_members_need_no_special_care(name, n_rare):
    table, _ = make_table(40)
    labels = np.array(["happy"] * 20 + ["sad"] * (20 - n_rare) + ["angry"] * n_rare)
    probabilities = make(name, seed=0).fit(table, labels).predict_proba(table)
    assert probabilities.shape == (40, 3)
    assert np.isfinite(probabilities).all()


def test_svm_of_two_classes_with_one_member_still_gives_probabilities():
    model = CalibratedSVC().fit([[0.0], [1.0]], ["happy", "sad"])
    probabilities = model.predict_proba([[0.0], [1.0]])
    assert model.predict([[0.0], [1.0]]).tolist() == ["happy", "sad"]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_temperature_leaves_the_answers_of_the_machine_alone():
    from sklearn.svm import SVC

    table, labels = make_table()
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    machine = SVC(break_ties=True).fit(table[::2], labels[::2])
    model = CalibratedSVC(random_state=0).fit(table[::2], labels[::2])
    np.testing.assert_array_equal(model.predict(table), machine.predict(table))


@pytest.mark.parametrize("name", LEARNERS)
def test_infinity_is_refused(name):
    table, labels = make_table()
    table[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        make(name, seed=0).fit(table, labels)


def test_unknown_learners_and_arguments_are_refused():
    with pytest.raises(ConfigError, match=r"perceptron.*svm"):
        make_classic("perceptron", seed=0)
    with pytest.raises(ConfigError, match="depth"):
        make_classic("svm", seed=0, depth=3)
    with pytest.raises(ConfigError, match="class_weight"):
        make_classic("majority", seed=0, class_weight="balanced")
    make_classic("majority", seed=0, class_weight=None)


@pytest.mark.parametrize("name", CLASSIC)
def test_specs_tell_the_truth(name):
    spec = CLASSIC[name]
    parameters = spec.factory().get_params()
    assert set(spec.defaults) <= set(parameters)
    assert spec.class_weight == ("class_weight" in parameters)
    assert spec.seed_name is None or spec.seed_name in parameters

"""Generated gaits in a cell: how many, of which emotions, and whom their generator never saw."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from moodwalk.errors import ConfigError
from moodwalk.experiments.cell import run_cell
from moodwalk.experiments.config import parse_experiment
from moodwalk.experiments.plan import make_plan
from moodwalk.experiments.synthesis import synthesise
from moodwalk.gait import GaitSet
from moodwalk.generation.generator import GaitGenerator
from moodwalk.walker import simulate_walks

TINY = {"blocks": [[4, 1]], "kernel": 9, "n_hidden": 0}
OPTIONS = {"validation_share": 0.25, "generator": "cycle-gen", "synthetic": 30}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def gaits():
    return simulate_walks(n_subjects=12, gaits_per_subject=4, seed=5)


@pytest.fixture(scope="module")
def parts(gaits):
    return synthesise(gaits, OPTIONS, seed=3, validate=True)


@pytest.fixture(scope="module")
def others():
    """Other walks, of which there are as many."""
    return simulate_walks(n_subjects=12, gaits_per_subject=4, seed=6)


def make_cell(gaits, model="step", number=0, **training):
    experiment = parse_experiment(
        {
            "protocol": {"folds": 2, "seed": 4},
            "training": {"epochs": 2, "batch_size": 4, "synthetic": 24} | training,
            "models": [
                {"name": "a", "model": model, "params": TINY if model == "step" else {}},
            ],
        }
    )
    return make_plan(experiment, gaits).cells[number]


def exchange(gaits, others, indices):
    """Put other walks in place of some, of the same subjects and emotions."""
    known = set(np.asarray(indices).tolist())
    return GaitSet(
        gait.with_positions(others[i].positions) if i in known else gait
        for i, gait in enumerate(gaits)
    )


def assert_same(gaits, others):
    assert len(gaits) == len(others)
    for gait, other in zip(gaits, others, strict=True):
        np.testing.assert_array_equal(gait.positions, other.positions)


class TestParts:
    def test_no_subject_is_in_both_parts_and_none_is_lost(self, gaits, parts):
        one, other = set(parts.training.subjects), set(parts.validation.subjects)
        assert not one & other
        assert one | other == set(gaits.subjects)
        assert sorted(g.name for g in (*parts.training, *parts.validation)) == sorted(
            gait.name for gait in gaits
        )
        assert len(other) == 3

    def test_as_many_as_asked_for_take_after_the_training_gaits_in_turn(self, parts):
        own = parts.training.labels.tolist()
        assert parts.synthetic.labels.tolist() == (own * 2)[:30]
        assert all(gait.synthetic and gait.subject is None for gait in parts.synthetic)
        assert not any(gait.synthetic for gait in (*parts.training, *parts.validation))
        assert {gait.fps for gait in parts.synthetic} == {30.0}

    def test_gaits_of_validation_do_not_reach_the_generated_ones(self, gaits, others, parts):
        aside = np.flatnonzero(np.isin(gaits.subjects, parts.validation.subjects))
        again = synthesise(exchange(gaits, others, aside), OPTIONS, seed=3, validate=True)
        assert_same(again.synthetic, parts.synthetic)
        assert_same(again.training, parts.training)
        assert not np.array_equal(again.validation[0].positions, parts.validation[0].positions)

    def test_gaits_of_training_do(self, gaits, others, parts):
        kept = np.flatnonzero(np.isin(gaits.subjects, parts.training.subjects))
        again = synthesise(exchange(gaits, others, kept[:1]), OPTIONS, seed=3, validate=True)
        assert not np.array_equal(again.synthetic[0].positions, parts.synthetic[0].positions)

    def test_a_seed_repeats_and_another_does_not(self, gaits, parts):
        assert_same(synthesise(gaits, OPTIONS, seed=3, validate=True).synthetic, parts.synthetic)
        other = synthesise(gaits, OPTIONS, seed=4, validate=True).synthetic
        assert not np.array_equal(other[0].positions[:4], parts.synthetic[0].positions[:4])

    def test_none_is_a_copy(self, parts):
        """Nearer to a training gait than those are to each other would be suspicious."""

        def flatten(gaits):
            pinned = [gait.positions[:20] - gait.positions[:20, :1] for gait in gaits]
            return np.stack(pinned).reshape(len(gaits), -1)

        real, made = flatten(parts.training), flatten(parts.synthetic)
        between = np.linalg.norm(real[:, None] - real, axis=2)
        np.fill_diagonal(between, np.inf)
        nearest = np.linalg.norm(made[:, None] - real, axis=2).min(axis=1)
        assert nearest.min() > 0.3 * np.median(between.min(axis=1))

    def test_too_few_gaits_are_refused(self, gaits):
        with pytest.raises(ConfigError, match="gait cycles; expected at least 12 to train on"):
            synthesise(gaits[:12], OPTIONS, seed=0, validate=True)


class TestCells:
    @pytest.fixture
    def seen(self, monkeypatch):
        """What every generator was trained and validated on."""
        found = []
        fit = GaitGenerator.fit.__func__

        def spy(cls, model, gaits, *, validation=None, **options):
            found.append((gaits, validation))
            return fit(cls, model, gaits, validation=validation, **options)

        monkeypatch.setattr(GaitGenerator, "fit", classmethod(spy))
        return found

    @pytest.mark.parametrize("model", ["step", "extra-trees"])
    @pytest.mark.parametrize("number", [0, 1])
    def test_no_subject_of_the_test_reaches_the_generator(self, gaits, seen, model, number):
        cell = make_cell(gaits, model, number)
        run_cell((gaits, "cpu"), cell)
        ((trained, validated),) = seen
        tested = set(gaits.subjects[cell.test])
        assert (validated is None) == (model == "extra-trees")
        aside = [] if validated is None else validated
        assert not tested & {gait.subject for gait in (*trained, *aside)}
        assert not set(trained.subjects) & {gait.subject for gait in aside}
        assert len(trained) + len(aside) == len(cell.train)

    @pytest.mark.parametrize("model", ["step", "extra-trees"])
    def test_other_test_gaits_change_no_answer_but_their_own(self, gaits, others, model):
        cell = make_cell(gaits, model)
        changed = exchange(gaits, others, cell.test[1:])
        relabelled = GaitSet(
            replace(gait, label="sad", acted=None) if i in set(cell.test.tolist()) else gait
            for i, gait in enumerate(gaits)
        )
        usual = run_cell((gaits, "cpu"), cell)
        other = run_cell((changed, "cpu"), cell)
        assert other["probabilities"][0] == pytest.approx(usual["probabilities"][0], abs=1e-5)
        assert other["probabilities"][1:] != usual["probabilities"][1:]
        blind = run_cell((relabelled, "cpu"), cell)
        assert blind["probabilities"] == usual["probabilities"]

    @pytest.mark.parametrize("select", ["loss", "accuracy", "last"])
    def test_a_network_with_generated_gaits_gives_a_whole_record(self, gaits, select):
        cell = make_cell(gaits, select=select)
        record = run_cell((gaits, "cpu"), cell)
        assert record["key"] == cell.key
        assert record["n_train"] == len(cell.train)
        assert record["test"] == cell.test.tolist()
        assert len(record["labels"]) == len(record["predicted"]) == len(cell.test)
        np.testing.assert_allclose(np.sum(record["probabilities"], axis=1), 1, atol=1e-5)
        assert record["training"]["options"]["synthetic"] == 24
        assert record["training"]["options"]["generator"] == "cycle-gen"
        assert record["history"]["epoch"] == [1, 2]
        assert record["epochs"][record["chosen_epoch"] - 1] == record["predicted"]

    def test_an_epoch_takes_as_many_steps_as_without_generated_gaits(self, gaits, monkeypatch):
        from moodwalk.training.loop import _make_batches

        drawn = []

        def spy(*arguments):
            batches = list(_make_batches(*arguments))
            drawn.append((arguments[0], [len(batch) for batch in batches]))
            return batches

        monkeypatch.setattr("moodwalk.training.loop._make_batches", spy)
        for synthetic in (0, 24, 100):
            run_cell((gaits, "cpu"), make_cell(gaits, synthetic=synthetic))
        (n, usual), _, (n_some, some), _, (n_many, many), _ = drawn
        assert (n_some, n_many) == (n + 24, n + 100)
        assert usual == some == many

    def test_a_classic_learner_is_trained_on_all_real_gaits_and_the_generated_ones(
        self, gaits, monkeypatch
    ):
        from moodwalk.estimator import GaitEmotionClassifier

        known, fit = [], GaitEmotionClassifier.fit

        def spy(self, walks, *arguments, **options):
            known.append(walks)
            return fit(self, walks, *arguments, **options)

        monkeypatch.setattr(GaitEmotionClassifier, "fit", spy)
        cell = make_cell(gaits, "extra-trees")
        record = run_cell((gaits, "cpu"), cell)
        assert [gait.synthetic for gait in known[0]] == [False] * len(cell.train) + [True] * 24
        assert record["n_train"] == len(cell.train)
        assert record["history"] is None
        without = run_cell((gaits, "cpu"), make_cell(gaits, "extra-trees", synthetic=0))
        assert record["probabilities"] != without["probabilities"]

    def test_the_same_cell_gives_the_same_answers(self, gaits):
        one, other = (run_cell((gaits, "cpu"), make_cell(gaits)) for _ in range(2))
        assert one["probabilities"] == other["probabilities"]
        assert one["epochs"] == other["epochs"]


class TestKeys:
    @pytest.mark.parametrize(
        ("model", "key"),
        [
            ("step", "a333be6c3309fc647dd8e668bf3e4af8"),
            ("extra-trees", "c788aaf72a48c98ab7215922e378de34"),
        ],
    )
    def test_cells_without_generated_gaits_keep_the_keys_of_earlier_results(self, model, key):
        """Keys of version 0.1.0, before gaits could be generated; whole numbers have one digest."""
        gaits = GaitSet.from_arrays(
            (np.arange(4 * 48.0).reshape(4, 16, 3) + 1000 * i for i in range(16)),
            fps=30,
            labels=["happy", "angry", "sad", "neutral"] * 4,
            subjects=[f"s{i // 4}" for i in range(16)],
        )
        for training in ({}, {"generator": "step-gen"}):  # which then decides nothing
            experiment = parse_experiment(
                {
                    "protocol": {"folds": 2},
                    "training": training,
                    "models": [{"name": "a", "model": model}],
                }
            )
            assert make_plan(experiment, gaits).cells[0].key == key

    @pytest.mark.parametrize("model", ["step", "extra-trees"])
    def test_generated_gaits_make_other_cells(self, gaits, model):
        changes = ({"synthetic": 0}, {}, {"synthetic": 25}, {"generator": "step-gen-tuned"})
        assert len({make_cell(gaits, model, **change).key for change in changes}) == 4

    def test_a_classic_learner_sets_nobody_aside(self, gaits):
        cells = [make_cell(gaits, "extra-trees", validation_share=s) for s in (0.2, 0.4)]
        records = [run_cell((gaits, "cpu"), cell) for cell in cells]
        assert records[0]["probabilities"] == records[1]["probabilities"]
        assert cells[0].key == cells[1].key


@pytest.mark.parametrize("options", [{"synthetic": -1}, {"synthetic": 1.5}, {"generator": "gan"}])
def test_options_that_mean_nothing_are_refused(gaits, options):
    with pytest.raises(ConfigError, match=r"training\.(synthetic|generator)"):
        make_cell(gaits, **options)

"""The judge: it knows real walks from others, and says who was held out."""

import numpy as np
import pytest
import torch

from moodwalk.errors import ConfigError
from moodwalk.generation.generator import GaitGenerator
from moodwalk.generation.judge import judge, split_by_card
from moodwalk.generation.report import describe_judgement, list_rows
from moodwalk.generation.stepgen import StepGenerator
from moodwalk.models.cvae import Cvae, CvaeConfig
from moodwalk.runs import SubjectSplit
from moodwalk.walker import simulate_walks

GAITS = simulate_walks(n_subjects=24, gaits_per_subject=4, seed=6)
SPLIT = SubjectSplit.by_shares(GAITS, (8, 0, 2), 0)


@pytest.fixture(scope="module")
def generators():
    training = GAITS[SPLIT.train]
    good = GaitGenerator.fit("cycle-gen", training, seed=0)
    good = GaitGenerator(good.network, good.classes, good.model, {"split": SPLIT.to_dict(GAITS)})
    torch.manual_seed(0)
    network = Cvae(CvaeConfig(encoder=(8,), decoder=(8,), kernel=5)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    poor = StepGenerator(network)
    return {"good": good, "poor": GaitGenerator(poor, good.classes, "poor")}


@pytest.fixture(scope="module")
def judgement(generators):
    return judge(generators, *split_by_card(GAITS, generators), seed=1)


def test_a_generator_of_walks_is_nearer_than_one_of_noise(judgement):
    n = len(judgement.lines)
    assert judgement.count_better("good", "poor") > 0.8 * n
    assert judgement.count_better("poor", "good") < 0.2 * n
    assert any("nearer to the aim than poor" in said for said in describe_judgement(judgement))


def test_every_asked_for_figure_is_there(judgement):
    names = " ".join(line.name for line in judgement.lines)
    for asked in (
        "bone variation", "skate", "ground deviation", "jerk", "Fréchet distance, affective features",
        "Fréchet distance, embedding", "precision", "recall", "density", "coverage",
        "diversity, happy", "diversity, sad", "memorisation", "classifier agreement",
        "trained on synthetic, tested on real", "trained on real, tested on synthetic",
    ):  # fmt: skip
        assert asked in names
    columns, rows = list_rows(judgement)
    assert columns == ["figure", "best is", "real", "good", "poor"]
    assert [row[0] for row in rows] == [line.name for line in judgement.lines]


def test_figures_lie_in_their_intervals_and_real_ones_have_them_too(judgement):
    for line in judgement.lines:
        for figure in (line.real, *line.found.values()):
            assert figure.low <= figure.value + 1e-9
            assert figure.value <= figure.high + 1e-9


def test_the_gap_is_the_distance_from_the_aim(judgement):
    lines = {line.name: line for line in judgement.lines}
    bones = lines["bone variation"]
    assert bones.compute_gap("good") == bones.found["good"].value < 1e-6
    recall = lines["recall, affective features"]
    assert recall.compute_gap("good") == -recall.found["good"].value
    jerk = lines["jerk"]
    assert jerk.distances is not None
    assert jerk.compute_gap("poor") == jerk.distances["poor"] > 0
    memory = lines["memorisation"]
    assert memory.compute_gap("good") == abs(memory.found["good"].value - 1)


def test_real_gaits_that_come_again_are_called_memorised(generators):
    class Parrot(GaitGenerator):
        def generate_like(self, gaits, n=None, *, seed=0):
            return gaits

    good = generators["good"]
    parrot = Parrot(good.network, good.classes, "parrot", good.card)
    said = judge({"parrot": parrot}, *split_by_card(GAITS, {"parrot": parrot}), seed=0)
    lines = {line.name: line for line in said.lines}
    assert lines["memorisation"].found["parrot"].value == pytest.approx(0, abs=1e-9)
    assert lines["coverage, affective features"].compute_gap("parrot") == pytest.approx(
        -lines["coverage, affective features"].real.value
    )


def test_it_repeats(generators, judgement):
    again = judge(generators, *split_by_card(GAITS, generators), seed=1)
    assert again.to_dict() == judgement.to_dict()


class TestSplitByCard:
    def test_the_test_part_is_held_out(self, generators):
        training, held_out = split_by_card(GAITS, generators)
        assert set(held_out.subjects) == set(GAITS[SPLIT.test].subjects)
        assert not set(held_out.subjects) & set(training.subjects)
        assert len(training) + len(held_out) == len(GAITS)

    def test_somebody_must_say(self, generators):
        with pytest.raises(ConfigError, match="no weights say which subjects were held out"):
            split_by_card(GAITS, {"poor": generators["poor"]})

    def test_all_must_say_the_same(self, generators):
        good = generators["good"]
        other = SubjectSplit.by_shares(GAITS, (5, 0, 5), 1).to_dict(GAITS)
        with pytest.raises(ConfigError, match="hold out different subjects"):
            split_by_card(
                GAITS,
                {"a": good, "b": GaitGenerator(good.network, good.classes, "b", {"split": other})},
            )

    def test_the_data_must_be_the_same(self, generators):
        strangers = GAITS[np.flatnonzero(~np.isin(GAITS.subjects, GAITS[SPLIT.test].subjects))]
        with pytest.raises(ConfigError, match="Is this the data that it was trained on"):
            split_by_card(strangers, generators)


def test_nobody_is_in_both_parts(generators):
    with pytest.raises(ConfigError, match="expected different people"):
        judge(generators, GAITS, GAITS)


def test_nothing_to_judge():
    with pytest.raises(ConfigError, match="no generator"):
        judge({}, GAITS[:4], GAITS[4:8])

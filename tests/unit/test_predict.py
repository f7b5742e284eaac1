from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import torch

from moodwalk.emotion import AFFECT, EMOTIONS, Emotion
from moodwalk.errors import CheckpointError, ConfigError, QualityError
from moodwalk.gait import Gait
from moodwalk.models.checkpoint import Checkpoint
from moodwalk.models.config import StgcnConfig
from moodwalk.models.encoding import GaitEncoder
from moodwalk.models.stgcn import Stgcn
from moodwalk.predict import Predictor
from moodwalk.recording import Reading
from moodwalk.walker import WalkerParameters, simulate_gait, simulate_walks

NETWORK = StgcnConfig(blocks=((4, 1), (6, 2)), kernel=9, n_hidden=8)
CLASSES = tuple(sorted(EMOTIONS))


@pytest.fixture(scope="module")
def walks():
    return simulate_walks(n_subjects=8, gaits_per_subject=2, seed=3)


@pytest.fixture
def checkpoint(walks):
    torch.manual_seed(0)
    network = Stgcn(NETWORK)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(5)  # an untrained network is too sure of nothing to be told apart
    return Checkpoint.from_network(
        network.eval(), CLASSES, GaitEncoder.fit(walks, n_frames=60), "step"
    )


def test_probabilities_are_named_and_sum_to_one(checkpoint, walks):
    for prediction in Predictor(checkpoint).predict_many(walks):
        assert list(prediction.probabilities) == list(EMOTIONS)
        assert sum(prediction.probabilities.values()) == pytest.approx(1)
        best = max(prediction.probabilities, key=prediction.probabilities.__getitem__)
        assert prediction.emotion == best
        assert len(prediction.windows) == 1


def test_gaits_do_not_influence_each_other(checkpoint, walks):
    predictor = Predictor(checkpoint)
    together = predictor.predict_many(walks)
    for gait, expected in zip(walks, together, strict=True):
        alone = predictor.predict(gait)
        for emotion in EMOTIONS:
            assert alone.probabilities[emotion] == pytest.approx(
                expected.probabilities[emotion], abs=1e-6
            )


def test_a_long_walk_is_cut_into_gait_cycles(checkpoint):
    walk = simulate_gait(WalkerParameters(cadence_spm=104), n_frames=200)
    prediction = Predictor(checkpoint).predict(walk)
    assert len(prediction.windows) == 5
    for one, following in zip(prediction.windows, prediction.windows[1:], strict=False):
        assert following.start_s == one.end_s
    for window in prediction.windows:
        assert window.end_s - window.start_s == pytest.approx(120 / 104, abs=1.1 / 30)
    for emotion in EMOTIONS:
        mean = np.mean([window.probabilities[emotion] for window in prediction.windows])
        assert prediction.probabilities[emotion] == pytest.approx(mean)
    assert prediction.cadence_spm == pytest.approx(104, rel=0.02)


def test_a_window_has_as_many_cycles_as_the_network_takes_but_three_at_most(walks, checkpoint):
    walk = simulate_gait(WalkerParameters(cadence_spm=104), n_frames=420)
    for n_frames, n_cycles in ((60, 1), (75, 2), (110, 3), (200, 3)):
        wide = replace(checkpoint, encoder=replace(checkpoint.encoder, n_frames=n_frames))
        windows = Predictor(wide).predict(walk).windows
        for window in windows[:-1]:
            cycles = (window.end_s - window.start_s) * 104 / 120
            assert cycles == pytest.approx(n_cycles, abs=0.05)


@pytest.mark.parametrize("n_frames", [61, 89, 90, 91, 120])
def test_where_no_cycle_is_found_windows_overlap_by_half(checkpoint, n_frames):
    pose = simulate_gait(WalkerParameters(), n_frames=4).positions[:1]
    windows = Predictor(checkpoint).predict(Gait(np.repeat(pose, n_frames, axis=0), 30.0)).windows
    assert windows[0].start_s == 0
    assert windows[-1].end_s == pytest.approx(n_frames / 30)
    assert all(w.end_s - w.start_s == pytest.approx(2.0) for w in windows)
    assert len({w.start_s for w in windows}) == len(windows)


def test_doubt_draws_valence_and_arousal_to_the_middle(checkpoint, walks):
    for prediction in Predictor(checkpoint).predict_many(walks[:4]):
        expected = sum(p * np.array(AFFECT[e]) for e, p in prediction.probabilities.items())
        assert (prediction.valence, prediction.arousal) == pytest.approx(tuple(expected))


def test_weights_say_when_to_withhold(checkpoint, walks):
    chosen = replace(checkpoint, card={"abstention": {"min_confidence": 0.999}})
    assert Predictor(chosen).min_confidence == 0.999
    assert Predictor(chosen, min_confidence=0.2).min_confidence == 0.2
    for prediction in Predictor(chosen).predict_many(walks):
        assert prediction.abstained == (max(prediction.probabilities.values()) < 0.999)
    assert Predictor(checkpoint).min_confidence == 0


def test_a_recording_that_shows_no_walk_is_refused_unless_forced(checkpoint):
    pose = simulate_gait(WalkerParameters(), n_frames=4).positions[:1]
    reading = Reading("BVH", "moodwalk", {})
    standing = Gait(np.repeat(pose, 90, axis=0), 30.0, reading=reading)
    with pytest.raises(QualityError, match=r"standing.*--force"):
        Predictor(checkpoint).predict(standing)
    forced = Predictor(checkpoint).predict(standing, force=True)
    assert forced.quality.kind == "standing"
    assert forced.to_dict()["quality"]["kind"] == "standing"
    assert forced.to_dict()["reading"]["format"] == "BVH"


def test_a_recording_of_a_walk_is_answered_with_its_parameters(checkpoint):
    walk = simulate_gait(WalkerParameters(cadence_spm=104), n_frames=200, travel=True)
    walk = replace(walk, reading=Reading("BVH", "moodwalk", {}))
    prediction = Predictor(checkpoint).predict(walk)
    assert prediction.quality.is_walk
    assert prediction.quality.parameters.cadence_spm == pytest.approx(104, rel=0.02)


def test_frame_rate_hardly_matters(checkpoint):
    slow, fast = (
        simulate_gait(WalkerParameters(noise_m=0.0), n_frames=int(1.8 * fps) + 1, fps=fps)
        for fps in (30.0, 60.0)
    )
    one, two = (Predictor(checkpoint).predict(walk) for walk in (slow, fast))
    assert two.n_frames == len(fast)
    assert two.fps == 60
    for emotion in EMOTIONS:
        assert one.probabilities[emotion] == pytest.approx(two.probabilities[emotion], abs=0.1)


def test_answers_are_withheld_below_the_confidence_asked_for(checkpoint, walks):
    sure = Predictor(checkpoint).predict(walks[0])
    confidence = max(sure.probabilities.values())
    assert not sure.abstained
    assert sure.reason == ""
    strict = Predictor(checkpoint, min_confidence=min(1.0, confidence + 1e-6)).predict(walks[0])
    assert strict.abstained
    assert strict.emotion == sure.emotion
    assert f"{sure.emotion} is the most probable" in strict.reason


def test_answers_to_walks_unlike_the_training_gaits_are_withheld(checkpoint, walks):
    usual = Predictor(checkpoint).predict(walks[0])
    assert usual.novelty == 0.0  # it was among those that the range was learned from
    assert not Predictor(checkpoint, max_novelty=0.0).predict(walks[0]).abstained
    wild = walks[0].with_positions(walks[0].positions * np.float32([1, 1, 3]))
    card = {"novelty": {"most": 0.05}}
    answer = Predictor(replace(checkpoint, card=card)).predict(wild)
    assert answer.novelty is not None
    assert answer.novelty > 0.05
    assert answer.abstained
    assert "unlike all that the weights learned from" in answer.reason
    assert "times as far up as any of theirs" in answer.reason
    assert not Predictor(replace(checkpoint, card=card), max_novelty=np.inf).predict(wild).abstained
    assert not Predictor(checkpoint).predict(wild).abstained  # a card that says nothing


def test_temperature_flattens_and_keeps_the_answer(checkpoint, walks):
    cool = Predictor(checkpoint).predict(walks[0])
    warm = replace(checkpoint, temperature=3.0)
    flat = Predictor(warm).predict(walks[0])
    assert flat.emotion == cool.emotion
    assert max(flat.probabilities.values()) < max(cool.probabilities.values())


def test_json_has_what_the_command_line_promises(checkpoint, walks):
    document = Predictor(checkpoint).predict(walks[0]).to_dict()
    assert list(document) == [
        "emotion", "probabilities", "abstained", "reason", "valence", "arousal", "cadence_spm",
        "n_frames", "fps", "novelty", "windows", "quality", "reading",
    ]  # fmt: skip
    assert type(document["emotion"]) is str
    assert all(type(key) is str for key in document["probabilities"])


def test_missing_joints_are_refused(checkpoint, walks):
    positions = walks[0].positions.copy()
    positions[3, 5] = np.nan
    with pytest.raises(QualityError, match=r"1 of \d+ joint positions are missing"):
        Predictor(checkpoint).predict(Gait(positions, 30.0))


def test_a_walk_too_short_at_the_networks_rate_is_refused(checkpoint):
    walk = simulate_gait(WalkerParameters(), n_frames=6, fps=120.0)
    with pytest.raises(QualityError, match="longer walk"):
        Predictor(checkpoint).predict(walk)


def test_no_walks_give_no_answers(checkpoint):
    assert Predictor(checkpoint).predict_many([]) == []


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_confidence_is_a_probability(checkpoint, bad):
    with pytest.raises(ConfigError, match="expected 0 to 1"):
        Predictor(checkpoint, min_confidence=bad)
    with pytest.raises(ConfigError, match="expected 0 or more"):
        Predictor(checkpoint, max_novelty=-bad if bad > 0 else bad)


def test_weights_that_are_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="is no file"):
        Predictor.load(tmp_path / "none.safetensors")


def test_shipped_weights_answer_and_carry_their_card():
    predictor = Predictor.load()
    card = predictor.checkpoint.card
    assert card["evaluation"]["protocol"] == "subject"
    assert card["evaluation"]["n_gaits"] == 342
    low, high = card["evaluation"]["accuracy_ci95"]
    assert low < card["evaluation"]["accuracy"] < high
    assert "limits" in card
    prediction = predictor.predict(simulate_gait(WalkerParameters()))
    assert isinstance(prediction.emotion, Emotion)


def test_the_card_tells_what_the_shipped_weights_hold():
    checkpoint = Predictor.load().checkpoint
    text = (files("moodwalk") / "weights" / "step-body-emotion-gait.md").read_text(encoding="utf-8")
    about, figures = checkpoint.card["evaluation"], checkpoint.card["calibration"]
    low, high = about["accuracy_ci95"]
    for said in (
        f"{sum(p.numel() for p in checkpoint.network.parameters()):,} parameters",
        f"**{100 * about['accuracy']:.1f} %**",
        f"{100 * low:.1f} to {100 * high:.1f} %",
        f"{100 * about['balanced_accuracy']:.1f} %, {100 * about['macro_f1']:.1f} %",
        f"temperature of {checkpoint.temperature:.2f}",
        f"from {figures['error_before']:.3f} to {figures['error_after']:.3f}",
        f"from {figures['log_loss_before']:.3f} to {figures['log_loss_after']:.3f}",
        checkpoint.card["commit"][:7],
    ):
        assert said in " ".join(text.split())


def test_shipped_weights_know_their_training_gaits_better_than_chance(real_gaits):
    predictions = Predictor.load().predict_many(real_gaits)
    agree = sum(p.emotion == g.label for p, g in zip(predictions, real_gaits, strict=True))
    assert agree > 0.6 * len(real_gaits)  # always "neutral" would get 0.35


@pytest.mark.parametrize("scale", [0.0, 1e30])
def test_positions_that_give_no_finite_answer_are_refused(checkpoint, walks, scale):
    gait = walks[0].with_positions(walks[0].positions * scale)
    with pytest.raises(QualityError, match="no finite features"):
        Predictor(checkpoint).predict(gait)


def test_a_frame_rate_that_would_fill_the_memory_is_refused(checkpoint, walks):
    with pytest.raises(QualityError, match="Is the frame rate right"):
        Predictor(checkpoint).predict(walks[0].with_positions(walks[0].positions, fps=1e-9))

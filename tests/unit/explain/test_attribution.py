from dataclasses import replace

import numpy as np
import pytest
import torch

from moodwalk.emotion import Emotion
from moodwalk.errors import ConfigError, QualityError
from moodwalk.explain.attribution import Attribution, WindowShare, attribute, cut_pieces
from moodwalk.explain.network import WalkNetwork, compute_odds, compute_posture_and_movement
from moodwalk.explain.population import Population
from moodwalk.features import compute_affective_features
from moodwalk.models.checkpoint import Checkpoint
from moodwalk.models.config import STGCN_MODELS
from moodwalk.models.encoding import GaitEncoder
from moodwalk.models.stgcn import Stgcn
from moodwalk.predict import Predictor
from moodwalk.skeleton import Joint
from moodwalk.training import compute_logits
from moodwalk.walker import simulate_gait, simulate_walks

pytest.importorskip("captum")

CLASSES = tuple(sorted(Emotion))


@pytest.fixture(scope="module")
def shipped():
    return Predictor.load()


@pytest.fixture(scope="module")
def walk():
    return simulate_gait(n_frames=60, seed=5)


def make_predictor(model, n_affective=None, n_frames=50):
    """A network with random weights of usual size."""
    gaits = simulate_walks(n_subjects=3, gaits_per_subject=2, seed=0)
    config = STGCN_MODELS[model]
    config = replace(config, blocks=((8, 1), (8, 2)), kernel=9, n_hidden=0)
    if n_affective is not None:
        config = replace(config, n_affective=n_affective)
    encoder = GaitEncoder.fit(
        gaits,
        n_affective=config.n_affective,
        root_relative=config.root_relative,
        body_form=config.body_form,
        n_frames=n_frames,
    )
    torch.manual_seed(0)
    network = Stgcn(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return Predictor(Checkpoint.from_network(network.eval(), CLASSES, encoder, model))


def test_features_with_gradients_are_the_features(real_gaits):
    some = [gait.with_positions(gait.positions.astype(np.float64)) for gait in real_gaits[::40]]
    for gait in some:
        x = torch.from_numpy(gait.positions)[None]
        ours = compute_posture_and_movement(x, gait.fps)[0].numpy()
        assert ours == pytest.approx(compute_affective_features([gait])[0, :27], rel=1e-9)


def test_gradients_are_finite_where_nothing_moves():
    x = torch.zeros(1, 6, 16, 3, dtype=torch.float64, requires_grad=True)
    compute_posture_and_movement(x, 30.0).sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize(
    ("model", "n_affective"), [("step", 27), ("step", 29), ("step-body", 27), ("step-real-only", 0)]
)
def test_every_kind_of_network_gives_its_own_logits_and_a_complete_sum(model, n_affective, walk):
    predictor = make_predictor(model, n_affective)
    network = WalkNetwork(predictor.checkpoint)
    pieces, _ = cut_pieces(predictor, walk)
    first, length = pieces[0].start, len(pieces[0].walk)
    assert length <= 50
    part = walk.with_positions(walk.positions[first : first + length])
    wanted = compute_logits(predictor.checkpoint.network, predictor.checkpoint.encoder, [part])[0]
    x = torch.from_numpy(pieces[0].walk.positions.astype(np.float64))[None]
    rhythm = (
        torch.from_numpy(network.compute_rhythm(pieces[0].walk))[None] if n_affective > 27 else None
    )
    assert network(x, rhythm)[0].detach().numpy() == pytest.approx(wanted, abs=2e-4)
    known = attribute(predictor, walk, n_steps=128)
    assert known.error < 0.02 + 0.02 * max(abs(w.odds - w.reference_odds) for w in known.windows)
    assert known.joints.sum() + known.rhythm == pytest.approx(known.total, abs=known.error + 1e-6)
    assert (known.rhythm != 0) == (n_affective > 27)


def test_contributions_add_up_to_the_difference_of_log_odds(real_gaits, shipped):
    for gait in real_gaits[::120]:
        known = attribute(shipped, gait)
        (window,) = known.windows
        assert known.contributions.shape == (len(gait), 16)
        assert known.contributions.sum() == pytest.approx(
            window.odds - window.reference_odds, abs=0.05
        )
        assert known.contributions.sum(axis=0) == pytest.approx(known.joints, abs=1e-9)
        assert known.joints[Joint.ROOT] == 0  # always at the origin
        p = shipped.predict(gait).probabilities
        odds = window.odds  # of logits before calibration
        logits = compute_logits(shipped.checkpoint.network, shipped.checkpoint.encoder, [gait])
        target = shipped.checkpoint.classes.index(known.emotion)
        assert odds == pytest.approx(
            float(compute_odds(torch.from_numpy(logits), target)[0]), abs=1e-3
        )
        assert known.emotion == max(p, key=lambda e: p[e])


def test_more_steps_come_nearer(real_gaits, shipped):
    gaits = real_gaits[5:200:80]
    coarse = np.mean([attribute(shipped, gait, n_steps=4).error for gait in gaits])
    fine = np.mean([attribute(shipped, gait, n_steps=64).error for gait in gaits])
    assert fine < coarse / 3


def test_a_walk_that_is_its_own_baseline_has_nothing_to_explain(shipped):
    walk = simulate_gait(n_frames=75, seed=2)
    own = attribute(shipped, walk, baseline=walk)
    other = attribute(shipped, walk)
    assert np.abs(own.joints).sum() < 0.2 * np.abs(other.joints).sum()
    assert own.reference == "the walker's own reference walk"


def test_windows_and_frame_rates_are_undone(shipped):
    slow = simulate_gait(n_frames=240, seed=3)
    known = attribute(shipped, slow, n_steps=16)
    assert len(known.windows) > 1
    assert known.contributions.shape == (240, 16)
    assert known.joints.sum() == pytest.approx(known.total, abs=known.error + 1e-6)
    quick = simulate_gait(n_frames=150, fps=60.0, seed=3)
    known = attribute(shipped, quick, n_steps=16)
    assert known.contributions.shape == (150, 16)
    # of one window, sums stay what they were
    assert len(known.windows) == 1
    assert known.contributions.sum(axis=0) == pytest.approx(known.joints, abs=1e-9)


def test_each_emotion_has_its_own_explanation(shipped, walk):
    known = [attribute(shipped, walk, emotion, n_steps=16) for emotion in ("sad", "happy")]
    assert [k.emotion for k in known] == ["sad", "happy"]
    assert np.corrcoef(known[0].joints, known[1].joints)[0, 1] < 0.9


def test_without_a_cycle_the_reference_is_the_own_pose(shipped, walk):
    short = walk.with_positions(walk.positions[:8])
    known = attribute(shipped, short, n_steps=16)
    assert known.reference == "its own mean pose, held still"
    reference = known.shown[1].positions
    assert np.ptp(reference, axis=0).max() == 0


def test_the_same_walk_gives_the_same_explanation_and_weights_stay(shipped, walk):
    before = {k: v.clone() for k, v in shipped.checkpoint.network.state_dict().items()}
    first, second = (attribute(shipped, walk, n_steps=16) for _ in range(2))
    assert np.array_equal(first.contributions, second.contributions)
    after = shipped.checkpoint.network.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert all(p.requires_grad and p.grad is None for p in shipped.checkpoint.network.parameters())


def test_moments_are_where_contributions_are(walk):
    contributions = np.zeros((150, 16))
    contributions[30:42, Joint.HEAD] = 1.0
    contributions[31:42, Joint.LEFT_HAND] = 0.5
    contributions[100:103, Joint.SPINE] = 0.2
    contributions[10:20] = -1.0
    known = Attribution(
        Emotion.SAD, contributions, contributions.sum(axis=0), 0.0,
        (WindowShare(0, 5, 1, 0, 0),), 30.0, "", (walk, walk),
    )  # fmt: skip
    first, second = known.find_moments()
    assert (first.start_s, first.end_s) == pytest.approx((1.0, 1.4))
    assert first.joints == (Joint.HEAD, Joint.LEFT_HAND)
    assert first.contribution == pytest.approx(17.5)
    assert second.start_s <= 100 / 30 < 103 / 30 <= second.end_s + 1e-9
    assert known.rank_joints()[0] == Joint.HEAD
    # two fifths of a walk at most, and nothing that speaks against
    assert len(replace(known, contributions=contributions[25:55]).find_moments()) == 1
    assert replace(known, contributions=-np.abs(contributions) - 0.1).find_moments() == ()


def test_bad_requests_are_refused_in_one_line(shipped, walk):
    last = ("classes.weight", "classes.bias")
    arrays = shipped.checkpoint.arrays
    two = replace(
        shipped.checkpoint,
        classes=CLASSES[:2],
        arrays={**arrays, **{name: arrays[name][:2] for name in last}},
    )
    cases = [
        (ConfigError, {"n_steps": 2}, shipped, walk),
        (ConfigError, {"n_steps": 5000}, shipped, walk),
        (ConfigError, {"emotion": "sad"}, Predictor(two), walk),
        (QualityError, {}, shipped, simulate_gait(n_frames=910, seed=0)),
        (QualityError, {"baseline": walk.with_positions(walk.positions[:5])}, shipped, walk),
    ]
    for error, options, predictor, gait in cases:
        with pytest.raises(error) as caught:
            attribute(predictor, gait, **options)
        assert "\n" not in str(caught.value)
    missing = walk.positions.copy()
    missing[3, 4] = np.nan
    with pytest.raises(QualityError, match="missing"):
        attribute(shipped, walk.with_positions(missing))


def test_without_captum_the_extra_is_named(shipped, walk, monkeypatch):
    import moodwalk.explain.attribution as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"moodwalk\[explain\]"):
        attribute(shipped, walk)


def test_the_shipped_average_walk_walks():
    waves = Population.load().average
    assert waves.shape == (17, 15, 3)
    assert np.isfinite(waves).all()

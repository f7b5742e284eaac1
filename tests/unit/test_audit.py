import json
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from moodwalk.audit import MEASURES, audit_labels, compute_cycle_frames
from moodwalk.emotion import EMOTIONS, LABEL_ORDERS, Emotion
from moodwalk.errors import ShapeError
from moodwalk.gait import Gait, GaitSet
from moodwalk.io.emotion_gait import EmotionGaitPart, read_emotion_gait_parts
from moodwalk.skeleton import MIRROR
from moodwalk.summary import has_swapped_sides, summarise_gaits
from moodwalk.walker import WalkerParameters, simulate_gait, simulate_walks

IN_USE = LABEL_ORDERS["emotion-gait"]


def make_part(gaits, order=IN_USE, coded=True):
    return EmotionGaitPart(Path("features.h5"), Path("labels.h5"), order, coded, GaitSet(gaits))


def relabel(gaits, written, read):
    """Write the true labels as codes of one order, read them with another."""
    return [
        Gait(g.positions, g.fps, g.name, g.subject, read[written.index(g.label)], g.acted)
        for g in gaits
    ]


def make_acted(counts, n_subjects=20, order=IN_USE):
    """Still figures: only acted and coded emotions speak. counts[acted, code]."""
    rng = np.random.default_rng(0)
    gaits = []
    for i, acted in enumerate(EMOTIONS):
        for code in range(4):
            for _ in range(counts[i][code]):
                subject = f"s{len(gaits) % n_subjects}"
                positions = rng.normal(size=(8, 16, 3))
                gaits.append(Gait(positions, 30, subject=subject, label=order[code], acted=acted))
    return gaits


@pytest.fixture(scope="module")
def walks():
    return simulate_walks(n_subjects=24, gaits_per_subject=4, seed=3)


# the real gaits


@cache
def read_real(folder, order=None):
    (part,) = read_emotion_gait_parts(folder, order)
    return audit_labels(part)


def test_real_evidence(emotion_gait_folder):
    audit = read_real(emotion_gait_folder)
    assert audit.acted == {
        Emotion.ANGRY: (17, 15, 2, 17),
        Emotion.NEUTRAL: (6, 3, 7, 35),
        Emotion.HAPPY: (26, 3, 5, 17),
        Emotion.SAD: (1, 0, 33, 17),
    }
    assert audit.code_counts == (112, 33, 78, 119)
    means = {row.measure.name: row.means for row in audit.kinematics}
    np.testing.assert_allclose(means["cycle_frames"], [35.4, 30.6, 44.0, 35.7], atol=0.05)
    for name, highest, lowest in (
        ("cycle_s", 2, 1),
        ("hand_speed", 0, 2),
        ("foot_speed", 1, 2),
        ("head_height", 0, 2),
    ):
        assert np.argmax(means[name]) == highest, name
        assert np.argmin(means[name]) == lowest, name


def test_real_verdict_on_the_order_in_use(emotion_gait_folder):
    audit = read_real(emotion_gait_folder)
    assert audit.verdict == "agrees"
    assert audit.warning is None
    assert audit.best == audit.order == ("happy", "angry", "sad", "neutral")
    assert audit.rival == ("angry", "happy", "sad", "neutral")
    assert audit.margin == 109 - 88
    assert audit.p_value == pytest.approx(binomtest(41, 61).pvalue)
    assert audit.support > 0.99
    assert audit.sad_code == 2
    assert "cannot be" not in audit.message
    assert "do not tell the other three apart" in audit.message


def test_real_scores_of_all_orders(emotion_gait_folder):
    audit = read_real(emotion_gait_folder)
    agreement = {score.order: score.agreement for score in audit.scores}
    assert set(agreement) == set(permutations(EMOTIONS))
    assert list(agreement.values()) == sorted(agreement.values(), reverse=True)
    assert [score.agreement for score in audit.scores[:5]] == [109, 88, 79, 71, 70]
    assert agreement[LABEL_ORDERS["published"]] == 42
    assert agreement[LABEL_ORDERS["elmd"]] == 63
    assert max(audit.scores, key=lambda s: s.kinematics).order == IN_USE


@pytest.mark.parametrize("order", ["published", "elmd", "angry,happy,sad,neutral"])
def test_real_verdict_warns_of_other_orders(emotion_gait_folder, order):
    audit = read_real(emotion_gait_folder, order)
    assert audit.verdict == "disagrees"
    assert audit.best == IN_USE
    assert audit.rival == audit.order
    assert "--labels happy,angry,sad,neutral" in audit.warning
    assert "\n" not in audit.warning


def test_real_best_order_does_not_depend_on_the_order_in_use(emotion_gait_folder):
    audits = [read_real(emotion_gait_folder, order) for order in ("published", "emotion-gait")]
    assert audits[0].scores == audits[1].scores
    assert audits[0].sad_code == audits[1].sad_code == 2


# acted emotion


@pytest.mark.parametrize("true", list(permutations(EMOTIONS))[::5])
def test_clear_agreement_finds_any_order(true):
    counts = [[12 if true[code] == acted else 2 for code in range(4)] for acted in EMOTIONS]
    audit = audit_labels(make_part(make_acted(counts), IN_USE))
    assert audit.best == true
    assert audit.verdict == ("agrees" if true == IN_USE else "disagrees")
    assert (audit.warning is None) == (true == IN_USE)


def test_agreement_by_chance_decides_nothing():
    counts = np.full((4, 4), 5)
    counts[0, 0] = 6
    audit = audit_labels(make_part(make_acted(counts)))
    assert audit.verdict == "undecided"
    assert audit.p_value > 0.5
    assert audit.warning is None


def test_a_tie_favours_the_order_in_use():
    order = LABEL_ORDERS["published"]
    audit = audit_labels(make_part(make_acted(np.full((4, 4), 4), order=order), order))
    assert audit.best == order
    assert (audit.margin, audit.verdict, audit.warning) == (0, "undecided", None)


def test_a_better_order_by_a_little_warns_but_decides_nothing():
    counts = np.full((4, 4), 5) + 2 * np.eye(4, dtype=int)[[1, 0, 2, 3]]
    audit = audit_labels(make_part(make_acted(counts)))
    assert audit.best == ("angry", "happy", "sad", "neutral")
    assert audit.verdict == "undecided"
    assert "not the one that fits the data best" in audit.warning


def test_one_walker_with_many_gaits_is_one_witness():
    # 40 gaits of one subject speak for the order, a few of nineteen others against it
    gaits = [
        Gait(g.positions, 30, subject="loud", label=g.label, acted=g.acted)
        for g in make_acted(np.eye(4, dtype=int) * 10)
    ]
    swapped = np.eye(4, dtype=int)[[1, 0, 2, 3]] * [[9], [9], [1], [1]]
    gaits += make_acted(swapped, n_subjects=19)
    audit = audit_labels(make_part(gaits))
    assert audit.best == IN_USE
    assert audit.support < 0.95
    assert audit.verdict == "undecided"


def test_the_seed_decides_the_resamples(walks):
    part = make_part(make_acted(np.full((4, 4), 3) + np.eye(4, dtype=int)))
    assert audit_labels(part, seed=1) == audit_labels(part, seed=1)
    assert audit_labels(part, seed=1).support != audit_labels(part, seed=2).support


# kinematics only


def test_right_order_of_simulated_walks_cannot_be_decided_beyond_sad(walks):
    audit = audit_labels(make_part(walks))
    assert audit.acted is None
    assert audit.best is None
    assert all(score.agreement is None for score in audit.scores)
    assert audit.sad_code == IN_USE.index(Emotion.SAD)
    assert audit.verdict == "undecided"
    assert audit.warning is None
    assert "cannot be decided from this file alone" in audit.message
    assert "also say that code 2 is sad" in audit.message


@pytest.mark.parametrize("read", [LABEL_ORDERS["published"], ("sad", "angry", "happy", "neutral")])
def test_an_order_that_calls_sad_walks_something_else_gives_a_warning(walks, read):
    read = tuple(Emotion(name) for name in read)
    audit = audit_labels(make_part(relabel(walks, IN_USE, read), read))
    assert audit.verdict == "disagrees"
    assert f"calls code 2 {read[2]}" in audit.warning


def test_weak_kinematics_give_no_warning(walks):
    few = [gait for emotion in EMOTIONS for gait in [g for g in walks if g.label == emotion][:2]]
    read = LABEL_ORDERS["published"]
    audit = audit_labels(make_part(relabel(few, IN_USE, read), read))
    assert audit.verdict == "undecided"
    assert audit.warning is None


def test_noise_singles_out_no_code():
    rng = np.random.default_rng(5)
    gaits = [
        Gait(rng.normal(size=(20, 16, 3)), 30, subject=f"s{i}", label=EMOTIONS[i % 4])
        for i in range(80)
    ]
    audit = audit_labels(make_part(gaits))
    assert audit.verdict == "undecided"
    assert audit.sad_code is None or audit.sad_support < 0.95


def test_size_and_place_of_the_body_do_not_matter(walks):
    moved = [g.with_positions(g.positions * 3.7 + (5.0, 1.0, -2.0)) for g in walks]
    plain, other = (audit_labels(make_part(gaits)) for gaits in (walks, moved))
    for one, two in zip(plain.kinematics, other.kinematics, strict=True):
        np.testing.assert_allclose(one.means, two.means, rtol=1e-3)


def test_one_code_alone_and_still_figures_are_no_evidence():
    still = np.zeros((10, 16, 3))
    for labels in (["sad"], ["sad", "happy"]):
        gaits = [Gait(still, 30, subject="a", label=label) for label in labels]
        audit = audit_labels(make_part(gaits))
        assert audit.verdict == "undecided"
        assert audit.sad_code is None
        json.dumps(audit.to_dict(), allow_nan=False)


# nothing to audit


def test_true_names_need_no_order(walks):
    audit = audit_labels(make_part(walks, coded=False))
    assert (audit.verdict, audit.order, audit.scores) == ("uncoded", None, ())


def test_missing_labels():
    audit = audit_labels(make_part([Gait(np.zeros((9, 16, 3)), 30)]))
    assert audit.verdict == "unlabelled"
    assert audit.warning is None


def test_audit_as_json(walks):
    document = json.loads(json.dumps(audit_labels(make_part(walks)).to_dict(), allow_nan=False))
    assert document["order"] == list(IN_USE)
    assert document["gaits"] == len(walks)
    assert len(document["orders"]) == 24
    assert set(document["kinematics_by_code"]) == {measure.name for measure in MEASURES}


# cycle length


@pytest.mark.parametrize("fps", [30.0, 60.0, 120.0])
@pytest.mark.parametrize("cadence_spm", [80.0, 110.0, 140.0])
def test_cycle_of_a_walker_of_known_cadence(cadence_spm, fps):
    gait = simulate_gait(WalkerParameters(cadence_spm=cadence_spm), n_frames=int(6 * fps), fps=fps)
    assert compute_cycle_frames(gait) == pytest.approx(120 / cadence_spm * fps, abs=1.01)


def test_a_single_cycle_is_as_long_as_the_walk():
    gait = simulate_gait(WalkerParameters(cadence_spm=100), n_frames=36)
    assert compute_cycle_frames(gait) == 36


@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_a_figure_without_steps_is_one_cycle(fill):
    assert compute_cycle_frames(Gait(np.full((50, 16, 3), fill), 30)) == 50


# summary


def test_summary_counts_what_the_set_holds(walks):
    summary = summarise_gaits(walks)
    assert summary.problems == ()
    lengths = [len(gait) for gait in walks]
    assert summary.to_dict() == {
        "gaits": 96,
        "subjects": 24,
        "labels": {"happy": 24, "angry": 24, "sad": 24, "neutral": 24},
        "frames": {"min": min(lengths), "mean": np.mean(lengths), "max": max(lengths)},
        "fps": 30.0,
        "problems": [],
    }


def test_several_frame_rates_are_listed(walks):
    both = GaitSet([walks[0], Gait(walks[1].positions, 25)])
    assert summarise_gaits(both).to_dict()["fps"] == [25.0, 30.0]


def test_summary_names_problems(walks):
    gap = np.array(walks[0].positions)
    gap[2, 3] = np.nan
    gaits = GaitSet(
        [walks[1], walks[1], Gait(np.ones((9, 16, 3)), 30, name="statue"), Gait(gap, 30)], ["odd"]
    )
    odd, twins, statue, missing, unlabelled = summarise_gaits(gaits).problems
    assert odd == "odd"
    assert "the same positions" in twins
    assert statue == "gait 'statue' does not move."
    assert missing == "joints are missing in 1 of 4 gaits."
    assert unlabelled == "2 of 4 gaits have no label."


def test_an_empty_set_has_no_summary():
    with pytest.raises(ShapeError, match="no gaits"):
        summarise_gaits(GaitSet([]))


def rotate_about_y(positions, degrees):
    angle = np.radians(degrees)
    rotation = [
        [np.cos(angle), 0, np.sin(angle)],
        [0, 1, 0],
        [-np.sin(angle), 0, np.cos(angle)],
    ]
    return positions @ np.transpose(rotation)


@pytest.mark.parametrize("degrees", [0, 70, 180, 250])
def test_swapped_sides_are_noticed_whichever_way_the_walk_goes(walks, degrees):
    for gait in walks[:8]:
        turned = gait.with_positions(rotate_about_y(gait.positions, degrees))
        swapped = turned.with_positions(turned.positions[:, list(MIRROR)])
        assert not has_swapped_sides(turned)
        assert has_swapped_sides(swapped)


def test_a_mirrored_walk_with_swapped_names_keeps_its_sides(walks):
    mirrored = walks[0].positions[:, list(MIRROR)] * (-1.0, 1.0, 1.0)
    assert not has_swapped_sides(walks[0].with_positions(mirrored))


def test_sides_of_the_real_gaits_are_mixed(real_gaits):
    swapped = {"acted": 59, "cmu": 0, "scene": 0, "walk": 120, "session": 14}
    for kind, n in swapped.items():
        gaits = [gait for gait in real_gaits if gait.subject.startswith(f"{kind}-")]
        assert sum(map(has_swapped_sides, gaits)) == n
    assert sum(map(has_swapped_sides, real_gaits)) == 220

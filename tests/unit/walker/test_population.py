import numpy as np
import pytest

from moodwalk.emotion import EMOTIONS
from moodwalk.errors import ConfigError
from moodwalk.skeleton import Joint
from moodwalk.walker import (
    EMOTION_PARAMETERS,
    SIMULATED_WALKS,
    SUBJECT_SHARE,
    WalkerParameters,
    simulate_gait,
    simulate_walks,
)


def sagittal_deg(vectors):
    return np.degrees(np.arctan2(vectors[:, 2], vectors[:, 1]))


@pytest.mark.parametrize("options", [{"n_subjects": 0}, {"gaits_per_subject": 0}, {"seed": -1}])
def test_sets_of_nothing_are_refused(options):
    with pytest.raises(ConfigError):
        simulate_walks(**options)


def test_simulated_walks_are_labelled_and_balanced():
    walks = simulate_walks(8, 4, seed=2)
    assert len(walks) == 32
    assert walks.n_subjects == 8
    assert set(walks.label_counts.values()) == {8}
    assert {gait.source for gait in walks} == {SIMULATED_WALKS}
    assert len({gait.name for gait in walks}) == 32
    assert all(24 <= len(gait) <= 60 for gait in walks)
    for subject in set(walks.subjects.tolist()):
        assert sorted(walks[walks.subjects == subject].labels) == sorted(EMOTIONS)
    assert set(simulate_walks(4, 1).labels.tolist()) == set(EMOTIONS)


def test_simulated_walks_repeat_and_do_not_depend_on_how_many_follow():
    few, many, other = simulate_walks(2, 3, 7), simulate_walks(5, 3, 7), simulate_walks(2, 3, 8)
    for a, b in zip(few, many[:6], strict=True):
        assert (a.positions == b.positions).all()
        assert (a.name, a.label) == (b.name, b.label)
    assert any(len(a) != len(b) for a, b in zip(few, other, strict=True))


def test_simulated_walks_have_the_length_and_rate_asked_for():
    walks = simulate_walks(3, 2, n_frames=75, fps=60)
    assert {(len(gait), gait.fps) for gait in walks} == {(75, 60.0)}


def test_drawn_parameters_follow_the_table():
    walks = simulate_walks(150, 4, seed=1)
    heads, cadences = (np.empty(len(walks)) for _ in range(2))
    for i, gait in enumerate(walks):
        joints = gait.positions.mean(axis=0)
        neck = sagittal_deg((joints[Joint.NECK] - joints[Joint.ROOT])[None])[0]
        heads[i] = sagittal_deg((joints[Joint.HEAD] - joints[Joint.NECK])[None])[0] - neck
        cadences[i] = 120 * gait.fps / len(gait)
    for emotion in EMOTIONS:
        own = walks.labels == str(emotion)
        for name, values in (("head_drop_deg", heads), ("cadence_spm", cadences)):
            mean, sd = EMOTION_PARAMETERS[emotion][name]
            assert values[own].mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(own.sum()))
            assert values[own].std() == pytest.approx(sd, rel=0.25)


def test_parameters_vary_together_as_in_real_gaits():
    walks = simulate_walks(300, 1, seed=5)
    angles = []
    for gait in walks:
        joints = gait.positions.mean(axis=0)
        lower = sagittal_deg((joints[Joint.SPINE] - joints[Joint.ROOT])[None])[0]
        upper = sagittal_deg((joints[Joint.NECK] - joints[Joint.SPINE])[None])[0]
        lean = sagittal_deg((joints[Joint.NECK] - joints[Joint.ROOT])[None])[0]
        angles.append((lean, upper - lower))
    # 0.64 within the emotions of the real gaits
    assert 0.45 < np.corrcoef(np.transpose(angles))[0, 1] < 0.8


def test_a_subject_keeps_body_and_style():
    walks = simulate_walks(60, 8, seed=3)
    heads = np.empty(len(walks))
    for i, gait in enumerate(walks):
        joints = gait.positions.mean(axis=0)
        neck = sagittal_deg((joints[Joint.NECK] - joints[Joint.ROOT])[None])[0]
        head = sagittal_deg((joints[Joint.HEAD] - joints[Joint.NECK])[None])[0]
        mean, sd = EMOTION_PARAMETERS[gait.label]["head_drop_deg"]
        heads[i] = (head - neck - mean) / sd
    same = np.corrcoef(heads.reshape(60, 8)[:, [0, 4]].T)[0, 1]
    assert same == pytest.approx(SUBJECT_SHARE["head_drop_deg"], abs=0.15)
    thighs = np.array(
        [np.linalg.norm(g.positions[:, 11] - g.positions[:, 10], axis=1).mean() for g in walks]
    ).reshape(60, 8)
    assert np.ptp(thighs, axis=1).max() < 0.004  # noise lengthens bones a little
    assert thighs.mean(axis=1).std() > 0.01


def test_every_emotion_has_every_parameter():
    fitted = set(WalkerParameters.__dataclass_fields__) - {"sway_m", "height_m"}
    assert list(EMOTION_PARAMETERS) == list(EMOTIONS)
    assert set(SUBJECT_SHARE) == fitted
    assert all(0 <= share <= 1 for share in SUBJECT_SHARE.values())
    for spreads in EMOTION_PARAMETERS.values():
        assert set(spreads) == fitted
        simulate_gait(WalkerParameters(**{name: spread.mean for name, spread in spreads.items()}))

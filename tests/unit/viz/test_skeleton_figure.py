import itertools

import numpy as np
import pytest
from figure_samples import make_gait
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk import viz
from moodwalk.emotion import EMOTIONS
from moodwalk.errors import ConfigError, QualityError
from moodwalk.gait import Gait
from moodwalk.skeleton import BONES, Joint


def get_joint(data, joint):
    """Plot coordinates (x forward, y left, z up) of a joint in a trace or frame."""
    bone = next(i for i, pair in enumerate(BONES) if joint in pair)
    at = 3 * bone + BONES[bone].index(joint)
    return np.array([data.x[at], data.y[at], data.z[at]], dtype=float)


def test_skeleton_stands_upright_on_the_ground_with_its_right_at_its_right():
    figure = viz.make_skeleton_figure([make_gait()])
    assert figure.layout.scene.camera.up.z == 1
    for frame in figure.frames:
        head, foot, hand, other = (
            get_joint(frame.data[0], j)
            for j in (Joint.HEAD, Joint.RIGHT_FOOT, Joint.RIGHT_HAND, Joint.LEFT_HAND)
        )
        assert foot[2] == 0
        assert head[2] == pytest.approx(1.6)
        assert head[0] == pytest.approx(0.02)  # +z of the gait is forward
        assert hand[1] < 0 < other[1]  # right at -x
    ranges = [figure.layout.scene[f"{axis}axis"].range for axis in "xyz"]
    ratio = figure.layout.scene.aspectratio
    lengths = [high - low for low, high in ranges]
    assert np.array([ratio.x, ratio.y, ratio.z]) / lengths == pytest.approx(ratio.x / lengths[0])


def test_right_and_left_limbs_have_their_colours():
    trace = viz.make_skeleton_figure([make_gait()]).data[1]
    for i, (_, child) in enumerate(BONES):
        side = "right" if "RIGHT" in child.name else "left" if "LEFT" in child.name else "middle"
        assert trace.line.color[3 * i : 3 * i + 2] == (viz.SIDE_COLOURS[side],) * 2
        if i:
            assert trace.x[3 * i - 1] is None


@given(
    n_frames=st.integers(4, 40), shown=st.integers(1, 60), fps=st.sampled_from([15.0, 30.0, 60.0])
)
@settings(max_examples=15, deadline=None)
def test_a_walk_is_tiled_at_its_own_pace(n_frames, shown, fps):
    gait = make_gait(n_frames, fps)
    figure = viz.make_skeleton_figure([gait], n_frames=shown, fps=30)
    assert len(figure.frames) == shown
    for k, frame in enumerate(figure.frames):
        source = int(k * fps / 30) % n_frames
        height = get_joint(frame.data[0], Joint.RIGHT_HAND)[2]
        assert height == pytest.approx(0.85 + 0.01 * source, abs=1e-3)


def test_default_frames_hold_whole_repetitions_at_the_gaits_own_rate():
    figure = viz.make_skeleton_figure([make_gait(28)])
    assert len(figure.frames) % 28 == 0
    play = figure.layout.updatemenus[0].buttons[0]
    assert play.args[1]["frame"]["duration"] == pytest.approx(1000 / 30)
    assert list(play.args[0][: len(figure.frames)]) == [f.name for f in figure.frames]
    assert len(play.args[0]) > len(figure.frames)  # it loops
    assert len(figure.layout.sliders[0].steps) == len(figure.frames)
    assert viz.make_skeleton_figure([make_gait(240, 60.0)]).layout.meta["fps"] == 30


def test_a_walker_who_crosses_the_room_stays_over_the_ground():
    figure = viz.make_skeleton_figure([make_gait(30, speed=0.05)])
    for frame in figure.frames:
        assert get_joint(frame.data[0], Joint.ROOT)[:2] == pytest.approx([0, 0], abs=1e-9)


def test_missing_joints_leave_gaps():
    positions = make_gait().positions.copy()
    positions[3, Joint.RIGHT_HAND] = np.nan
    positions[0:2, Joint.ROOT] = np.nan
    positions[5] = np.nan
    figure = viz.make_skeleton_figure([Gait(positions, 30)])
    bone = 3 * BONES.index((Joint.RIGHT_ELBOW, Joint.RIGHT_HAND))
    trace = figure.frames[3].data[0]
    assert trace.x[bone] is not None
    assert trace.x[bone + 1] is None
    assert set(figure.frames[5].data[0].z) == {None}
    assert "NaN" not in figure.to_json()


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0, 1000.0])
def test_every_unit_keeps_three_digits(scale):
    figure = viz.make_skeleton_figure([make_gait(scale=scale)])
    head = get_joint(figure.data[1], Joint.HEAD)[2]
    assert head == pytest.approx(1.6 * scale, rel=1e-3)


def test_four_skeletons_stay_small_and_apart():
    gaits = [make_gait(30, label=emotion) for emotion in EMOTIONS]
    figure = viz.make_skeleton_figure(gaits)
    assert len(figure.to_json()) < 500_000
    domains = [figure.layout[s].domain.x for s in ("scene", "scene2", "scene3", "scene4")]
    for left, right in itertools.pairwise(domains):
        assert left[1] <= right[0]
    for emotion, note in zip(EMOTIONS, figure.layout.annotations, strict=False):
        assert emotion in note.text
        assert viz.EMOTION_COLOURS[emotion] in note.text


@pytest.mark.parametrize(
    ("n_gaits", "kwargs"),
    [(0, {}), (5, {}), (2, {"titles": ["one"]}), (1, {"n_frames": 0}), (1, {"fps": -1.0})],
)
def test_bad_requests_for_skeletons_are_refused(n_gaits, kwargs):
    with pytest.raises(ConfigError, match="expected"):
        viz.make_skeleton_figure([make_gait()] * n_gaits, **kwargs)


def test_a_gait_without_any_joint_is_refused():
    with pytest.raises(QualityError, match="no joint"):
        viz.make_skeleton_figure([Gait(np.full((4, 16, 3), np.nan), 30)])


def test_real_gaits_can_be_drawn(real_gaits):
    figure = viz.make_skeleton_figure(real_gaits[[0, 1, 2, 3]])
    for frame in figure.frames:
        for data in frame.data:
            assert get_joint(data, Joint.HEAD)[2] > get_joint(data, Joint.ROOT)[2]
            assert get_joint(data, Joint.RIGHT_FOOT)[2] < get_joint(data, Joint.ROOT)[2]

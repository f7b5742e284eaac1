import numpy as np
import pytest

from moodwalk.errors import CheckpointError, LabelError, QualityError
from moodwalk.explain.measures import MEASURES, measure_walk
from moodwalk.explain.population import Population, write_population
from moodwalk.gait import Gait, GaitSet
from moodwalk.skeleton import Joint
from moodwalk.walker import simulate_gait, simulate_walks


@pytest.fixture(scope="module")
def walk():
    return simulate_gait(n_frames=200, seed=5)


def turn(gait, degrees):
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    return gait.with_positions(gait.positions.astype(np.float64) @ rotation.T)


def test_every_measure_has_words_and_a_value(walk):
    names = [measure.name for measure in MEASURES]
    assert len(set(names)) == len(names)
    measured = measure_walk(walk)
    assert list(measured.values) == names
    assert all(np.isfinite(value) for value in measured.values.values())
    assert measured.n_cycles >= 3
    assert set(measured.spreads) <= set(names)
    for measure in MEASURES:
        assert measure.subject
        assert measure.more != measure.less


@pytest.mark.parametrize("change", ["size", "facing", "place"])
def test_neither_size_nor_facing_nor_place_matters(walk, change):
    x = walk.positions.astype(np.float64)
    changed = {
        "size": lambda: walk.with_positions(x * 37.0),
        "facing": lambda: turn(walk, 140),
        "place": lambda: walk.with_positions(x + np.array((3.0, 0.5, -7.0))),
    }[change]()
    before, after = measure_walk(walk), measure_walk(changed)
    assert after.values == pytest.approx(before.values, rel=1e-3, abs=1e-3)


def test_a_larger_swing_is_a_larger_swing_and_nothing_else(walk):
    x = walk.positions.astype(np.float64)
    arms = {
        Joint.RIGHT_SHOULDER: (Joint.RIGHT_ELBOW, Joint.RIGHT_HAND),
        Joint.LEFT_SHOULDER: (Joint.LEFT_ELBOW, Joint.LEFT_HAND),
    }
    for shoulder, joints in arms.items():
        for joint in joints:
            relative = x[:, joint] - x[:, shoulder]
            mean = relative.mean(axis=0)
            x[:, joint] = x[:, shoulder] + mean + 0.5 * (relative - mean)
    before, after = measure_walk(walk).values, measure_walk(walk.with_positions(x)).values
    assert after["arm_swing"] == pytest.approx(before["arm_swing"] / 2, rel=0.05)
    assert after["hand_speed"] == pytest.approx(before["hand_speed"] / 2, rel=0.05)
    for name in ("cadence", "step_length", "shoulder_turn", "bounce", "head_bow"):
        assert after[name] == pytest.approx(before[name], rel=1e-6, abs=1e-6)


def test_a_bowed_head_is_bowed(walk):
    x = walk.positions.astype(np.float64)
    angle = np.radians(15)
    head = x[:, Joint.HEAD] - x[:, Joint.NECK]
    y, z = head[:, 1].copy(), head[:, 2].copy()
    head[:, 1], head[:, 2] = (
        y * np.cos(angle) - z * np.sin(angle),
        y * np.sin(angle) + z * np.cos(angle),
    )
    x[:, Joint.HEAD] = x[:, Joint.NECK] + head
    before, after = measure_walk(walk).values, measure_walk(walk.with_positions(x)).values
    assert after["head_bow"] - before["head_bow"] == pytest.approx(15, abs=1)


def test_a_curve_is_straightened(walk):
    """A body that turns by a right angle while it walks measures what it measured before."""
    x = walk.positions.astype(np.float64)
    angle = np.linspace(0, np.pi / 2, len(x))[:, None]
    cos, sin = np.cos(angle), np.sin(angle)
    y = np.stack(
        [x[..., 0] * cos + x[..., 2] * sin, x[..., 1], x[..., 2] * cos - x[..., 0] * sin], -1
    )
    before, after = measure_walk(walk).values, measure_walk(walk.with_positions(y)).values
    for name in ("arm_swing", "hand_speed", "shoulder_turn", "trunk_sway", "head_bow", "knee_bend"):
        assert after[name] == pytest.approx(before[name], rel=0.1, abs=0.5), name


def test_a_quicker_clock_is_a_quicker_walk(walk):
    quicker = walk.with_positions(walk.positions, fps=walk.fps * 1.25)
    before, after = measure_walk(walk).values, measure_walk(quicker).values
    assert after["cadence"] == pytest.approx(1.25 * before["cadence"], rel=0.02)
    assert after["step_length"] == pytest.approx(before["step_length"], rel=0.05)


def test_who_stands_still_has_no_measures(walk):
    still = walk.with_positions(np.repeat(walk.positions[:1], 60, axis=0))
    assert measure_walk(still).values == {}


def test_missing_joints_are_refused_in_one_line(walk):
    x = walk.positions.copy()
    x[30, Joint.HEAD] = np.nan
    with pytest.raises(QualityError, match=r"missing") as caught:
        measure_walk(walk.with_positions(x))
    assert "\n" not in str(caught.value)


def test_a_population_comes_back_from_its_file(tmp_path):
    gaits = simulate_walks(n_subjects=6, gaits_per_subject=4, seed=1)
    path = tmp_path / "words.json"
    population = write_population(path, gaits, {"data": "simulated"})
    again = Population.load(path)
    assert again.card == {"data": "simulated"}
    assert again.n_walks == population.n_walks
    assert sum(again.n_walks.values()) <= len(gaits)
    for measure in MEASURES:
        for emotion, summary in population.summaries[measure.name].items():
            assert again.summaries[measure.name][emotion].mean == pytest.approx(
                summary.mean, abs=1e-5
            )
    assert np.abs(again.average - population.average).max() < 1e-4
    values = [
        measure_walk(gait).values["arm_swing"] for gait in gaits if gait.label == "sad"
    ]  # the textbook's formula
    told = population.summaries["arm_swing"]["sad"]
    assert told.mean == pytest.approx(sum(values) / len(values))
    assert told.sd**2 == pytest.approx(
        sum((v - told.mean) ** 2 for v in values) / (len(values) - 1)
    )


def test_the_shipped_population_is_that_of_the_real_gaits(real_gaits):
    shipped = Population.load()
    some = [gait for gait in real_gaits if gait.label == "angry"]
    measured = [values for gait in some if (values := measure_walk(gait).values)]
    assert shipped.n_walks["angry"] == len(measured)
    for measure in MEASURES:
        summary = shipped.summaries[measure.name]["angry"]
        values = [v[measure.name] for v in measured if measure.name in v]
        assert summary.n == len(values)
        assert summary.mean == pytest.approx(np.mean(values), rel=1e-3, abs=1e-3)
        assert summary.sd == pytest.approx(np.std(values, ddof=1), rel=1e-2, abs=1e-3)


def test_sad_walkers_are_slower_and_happy_ones_swing_more():
    by = Population.load().summaries
    assert by["cadence"]["sad"].mean < by["cadence"]["neutral"].mean < by["cadence"]["angry"].mean
    assert by["arm_swing"]["sad"].mean < by["arm_swing"]["neutral"].mean
    assert (
        by["arm_swing"]["happy"].mean
        > by["arm_swing"]["neutral"].mean + by["arm_swing"]["neutral"].sd
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("measures"),
        lambda d: d.update(format="other"),
        lambda d: d["cycles"].update(sad=[[1.0]]),
        lambda d: d["measures"]["cadence"]["sad"].update(sd="nan"),
        lambda d: d["measures"].pop("bounce"),
        lambda d: d["emotions"].update(sad=3),
    ],
)
def test_a_damaged_population_is_refused_in_one_line(damage):
    data = Population.load().to_dict()
    damage(data)
    with pytest.raises(CheckpointError) as caught:
        Population.from_dict(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1, 2]", "{", '{"format": 3}'])
def test_a_file_that_is_no_population_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(CheckpointError) as caught:
        Population.load(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="cannot be read"):
        Population.load(tmp_path / "none.json")


def test_too_few_or_unlabelled_walks_make_no_population():
    gaits = simulate_walks(n_subjects=2, gaits_per_subject=4, seed=1)
    with pytest.raises(QualityError, match="expected at least 5 of every emotion"):
        Population.fit(gaits)
    with pytest.raises(LabelError):
        Population.fit(GaitSet([Gait(gaits[0].positions, 30)]))

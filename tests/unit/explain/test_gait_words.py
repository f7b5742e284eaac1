from dataclasses import replace

import numpy as np
import pytest

from moodwalk.emotion import Emotion
from moodwalk.explain.measures import MEASURES, measure_walk
from moodwalk.explain.population import Population, Summary
from moodwalk.explain.words import compare_walks, describe_walk, join_words
from moodwalk.skeleton import Joint
from moodwalk.walker import simulate_gait


@pytest.fixture(scope="module")
def walk():
    return simulate_gait(n_frames=200, seed=5)


def make_population(values, **changes):
    """Neutral walks that measure what `values` says, but for factors in `changes`."""
    shipped = Population.load()
    summaries = {
        name: {e: Summary(100, value * changes.get(name, 1.0), 0.1 * abs(value)) for e in Emotion}
        for name, value in values.items()
    }
    return replace(shipped, summaries=summaries)


def halve_arm_swing(gait):
    x = gait.positions.astype(np.float64)
    for side in ("RIGHT", "LEFT"):
        shoulder = Joint[f"{side}_SHOULDER"]
        for part in ("ELBOW", "HAND"):
            joint = Joint[f"{side}_{part}"]
            relative = x[:, joint] - x[:, shoulder]
            mean = relative.mean(axis=0)
            x[:, joint] = x[:, shoulder] + mean + 0.5 * (relative - mean)
    return gait.with_positions(x)


def test_words_say_how_much_with_the_effect_beside_it(walk):
    values = measure_walk(walk).values
    population = make_population(values, cadence=1 / 0.88, arm_swing=1 / 0.6)
    words = describe_walk(walk, population)
    assert [word.words for word in words] == ["arms swing 40 % less", "steps 12 % slower"]
    swing = words[0]
    assert swing.value == pytest.approx(values["arm_swing"])
    assert swing.reference == pytest.approx(values["arm_swing"] / 0.6)
    # the textbook: difference over the standard deviation of the reference
    assert swing.effect == pytest.approx((swing.value - swing.reference) / swing.sd)
    assert swing.n == 100
    sentence = join_words(words, "100 neutral walks")
    assert sentence == "Arms swing 40 % less and steps 12 % slower than in 100 neutral walks."
    short = join_words(words, "100 neutral walks", most=1)
    assert short == "Arms swing 40 % less than in 100 neutral walks. 1 smaller difference besides."


def test_only_what_is_unusual_is_said_greatest_first(walk):
    population = make_population(measure_walk(walk).values, cadence=1.09, step_length=1.3)
    assert [word.measure for word in describe_walk(walk, population)] == ["step_length"]
    close = describe_walk(walk, population, threshold=0.5)
    assert [word.measure for word in close] == ["step_length", "cadence"]
    assert describe_walk(walk, make_population(measure_walk(walk).values)) == ()
    everything = compare_walks(walk, population)
    assert [word.measure for word in everything[:2]] == ["step_length", "cadence"]
    assert "sets this walk clearly apart from them" in join_words((), "them")


def test_measures_bound_to_a_skeleton_are_compared_with_oneself_only(walk):
    bound = {measure.name for measure in MEASURES if measure.bound}
    assert bound
    with_others = {word.measure for word in compare_walks(walk)}
    assert with_others == {measure.name for measure in MEASURES} - bound
    other = halve_arm_swing(walk)
    x = other.positions.copy()
    x[:, Joint.HEAD] += (
        0.1 * np.linalg.norm(x[:, Joint.HEAD] - x[:, Joint.ROOT], axis=1)[:, None] * [0, 0, 1]
    )
    told = {word.measure: word for word in describe_walk(walk.with_positions(x), walk)}
    assert told["head_bow"].words.startswith("head bowed")
    assert told["head_bow"].words.endswith("° more")


def test_ones_own_walk_is_a_reference(walk):
    words = describe_walk(halve_arm_swing(walk), walk)
    told = {word.measure: word.words for word in words}
    assert told["arm_swing"] in (
        "arms swing 50 % less",
        "arms swing 49 % less",
        "arms swing 51 % less",
    )
    assert "cadence" not in told
    assert all(word.n == 1 for word in words)
    assert describe_walk(walk, walk) == ()


def test_what_varies_from_cycle_to_cycle_is_no_difference(walk):
    """A walk whose cycles differ more than the two walks do is not called different."""
    rng = np.random.default_rng(0)
    x = walk.positions.astype(np.float64)
    period = 120 / measure_walk(walk).values["cadence"] * walk.fps
    wild = 1 + 0.8 * rng.standard_normal(20)[(np.arange(len(x)) / period).astype(int)]
    for hand, shoulder in (
        (Joint.RIGHT_HAND, Joint.RIGHT_SHOULDER),
        (Joint.LEFT_HAND, Joint.LEFT_SHOULDER),
    ):
        relative = x[:, hand] - x[:, shoulder]
        mean = relative.mean(axis=0)
        x[:, hand] = x[:, shoulder] + mean + wild[:, None] * (relative - mean)
    other = walk.with_positions(x)
    spread = measure_walk(other).spreads["arm_swing"]
    gap = abs(measure_walk(other).values["arm_swing"] - measure_walk(walk).values["arm_swing"])
    said = {word.measure for word in describe_walk(other, walk, threshold=0.0)}
    assert gap < 2 * spread
    assert "arm_swing" not in said
    assert not next(w for w in compare_walks(other, walk) if w.measure == "arm_swing").clear


def test_emotions_are_named_where_their_mean_lies_on_the_same_side(walk):
    values = measure_walk(walk).values
    population = make_population(values, cadence=1.5)
    neutral = population.summaries["cadence"][Emotion.NEUTRAL]
    shifts = {"happy": +1.0, "angry": -0.6, "sad": -2.0}
    summaries = dict(population.summaries)
    summaries["cadence"] = {
        e: replace(neutral, mean=neutral.mean + shifts.get(e, 0.0) * neutral.sd) for e in Emotion
    }
    (word,) = describe_walk(walk, replace(population, summaries=summaries))
    assert word.words.endswith("slower")
    assert word.typical_of == (Emotion.SAD, Emotion.ANGRY)
    assert word.to_dict()["typical_of"] == ["sad", "angry"]


def test_who_does_not_step_has_no_words(walk):
    still = walk.with_positions(np.repeat(walk.positions[:1], 60, axis=0))
    assert describe_walk(still) == ()
    assert describe_walk(still, walk) == ()
    assert describe_walk(walk, still) == ()


def test_real_sad_walks_are_told_from_happy_ones(real_gaits):
    """The words go the way that the literature says: sad is slow and still, happy swings."""
    effects = {"sad": [], "happy": []}
    for gait in real_gaits[::3]:
        if gait.label in effects:
            known = {word.measure: word.effect for word in compare_walks(gait)}
            if known:
                effects[gait.label].append(
                    [known[n] for n in ("cadence", "arm_swing", "hand_speed")]
                )
    sad, happy = (np.mean(effects[name], axis=0) for name in ("sad", "happy"))
    assert (sad < -0.3).all()
    assert (happy[1:] > 0.5).all()

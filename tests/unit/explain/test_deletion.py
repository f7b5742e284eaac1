from dataclasses import replace

import numpy as np
import pytest

from moodwalk.errors import ConfigError
from moodwalk.explain.attribution import attribute
from moodwalk.explain.deletion import deletion_test
from moodwalk.predict import Predictor

pytest.importorskip("captum")

N_STEPS = 12


@pytest.fixture(scope="module")
def shipped():
    return Predictor.load()


@pytest.fixture(scope="module")
def some(real_gaits):
    return real_gaits[3::38]


@pytest.fixture(scope="module")
def known(shipped, some):
    return [attribute(shipped, gait, n_steps=N_STEPS) for gait in some]


def test_joints_that_are_named_matter_more_than_random_ones(shipped, some, known):
    for replacement in ("reference", "still"):
        test = deletion_test(
            shipped, some, counts=(1, 3), n_random=6, replacement=replacement, attributions=known
        )
        assert test.n_walks == len(some) == 9
        assert test.n_subjects == len(set(some.subjects))
        row = test.rows[1]
        assert row.what == "3 joints"
        low, high = row.difference_ci95
        assert low <= row.difference <= high
        assert row.difference == pytest.approx(row.named - row.random)
        assert row.difference > 0
        if replacement == "reference":
            assert low > 0
            assert row.named > 3 * row.random


def test_moments_that_are_named_matter_more_than_random_ones(shipped, some, known):
    test = deletion_test(shipped, some, counts=(1,), n_random=12, attributions=known)
    assert test.rows[-1].what == "two fifths of the time"
    assert test.rows[-1].difference > 0.01


def test_joints_that_speak_least_are_found_out(shipped, some, known):
    """The test can fail: with the signs turned round, what is named matters less than random joints."""
    wrong = [replace(k, joints=-k.joints, contributions=-k.contributions) for k in known]
    test = deletion_test(shipped, some, counts=(3,), n_random=6, attributions=wrong)
    assert test.rows[0].difference < 0


def test_before_anything_is_deleted_the_answer_is_the_predictor_s(shipped, some, known):
    test = deletion_test(shipped, some, counts=(1,), n_random=1, attributions=known)
    p = [max(prediction.probabilities.values()) for prediction in shipped.predict_many(some)]
    assert test.confidence == pytest.approx(np.mean(p), abs=1e-4)


def test_a_seed_fixes_the_random_joints_and_json_holds_it_all(shipped, some, known):
    import json

    one, same, other = (
        deletion_test(shipped, some[:3], counts=(2,), n_random=3, attributions=known[:3], seed=seed)
        for seed in (1, 1, 2)
    )
    assert one == same
    assert one.rows[0].random != other.rows[0].random
    assert one.rows[0].named == other.rows[0].named
    document = json.loads(json.dumps(one.to_dict()))
    assert [row["what"] for row in document["rows"]] == [
        "2 joints",
        "a fifth of the time",
        "two fifths of the time",
    ]


@pytest.mark.parametrize(
    "options", [{"counts": ()}, {"counts": (0,)}, {"counts": (15,)}, {"n_random": 0}]
)
def test_bad_requests_are_refused(shipped, some, known, options):
    with pytest.raises(ConfigError, match="expected"):
        deletion_test(shipped, some[:1], attributions=known[:1], **options)


def test_attributions_must_fit_and_walks_must_be_there(shipped, some, known):
    with pytest.raises(ConfigError, match="expected as many"):
        deletion_test(shipped, some[:2], attributions=known[:1])
    with pytest.raises(ConfigError, match="at least one"):
        deletion_test(shipped, [])

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.emotion import EMOTIONS, LABEL_ORDERS, Emotion, parse_emotion, parse_label_order
from moodwalk.errors import LabelError


def test_display_order():
    assert EMOTIONS == ("happy", "angry", "sad", "neutral")


def test_an_emotion_is_its_name():
    assert Emotion.HAPPY == "happy"
    assert f"{Emotion.SAD}" == "sad"
    assert np.array([str(e) for e in EMOTIONS]).tolist() == list(EMOTIONS)


@given(st.sampled_from(EMOTIONS), st.sampled_from([str.upper, str.title, str.lower, " {} ".format]))
def test_emotion_names_are_read_in_any_case(emotion, change):
    assert parse_emotion(change(str(emotion))) is emotion


@given(st.text().filter(lambda text: text.strip().lower() not in EMOTIONS))
def test_other_names_are_refused_in_one_line(name):
    with pytest.raises(LabelError, match="expected one of happy, angry, sad, neutral") as caught:
        parse_emotion(name)
    assert "\n" not in str(caught.value)


def test_each_data_set_has_its_own_order():
    assert LABEL_ORDERS["emotion-gait"] == ("happy", "angry", "sad", "neutral")
    assert LABEL_ORDERS["elmd"] == ("happy", "sad", "angry", "neutral")
    assert LABEL_ORDERS["published"] == ("angry", "neutral", "happy", "sad")


@pytest.mark.parametrize("order", list(permutations(EMOTIONS)))
def test_every_order_can_be_written_in_two_ways(order):
    assert parse_label_order(",".join(order)) == order
    assert parse_label_order(order) == order


@pytest.mark.parametrize("name", list(LABEL_ORDERS))
def test_orders_have_names(name):
    assert parse_label_order(name) == LABEL_ORDERS[name]


@pytest.mark.parametrize(
    "order",
    ["", "happy", "happy,angry,sad", "happy,happy,sad,neutral", "a,b,c,d", "happy\n,x", [], [1, 2]],
)
def test_impossible_orders(order):
    with pytest.raises(LabelError) as caught:
        parse_label_order(order)
    assert "\n" not in str(caught.value)

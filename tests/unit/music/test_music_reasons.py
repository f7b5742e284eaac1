from dataclasses import replace

import pytest

from moodwalk.emotion import Emotion
from moodwalk.music.reasons import describe_mood, explain_choice
from moodwalk.music.recommend import Entry
from moodwalk.music.target import Mood, Target
from moodwalk.music.track import Track

SAD = Mood({Emotion.SAD: 0.7, Emotion.NEUTRAL: 0.3}, 113.0)
TRACK = Track(location="a.ogg", valence=-0.42, arousal=-0.3, tempo_bpm=112.0)
ENTRY = Entry(1, 0.9, Target(-0.45, -0.27, 113.0), 1.0, {"mood": 0.9, "tempo": 0.9}, 1, 10)


@pytest.mark.parametrize(
    ("valence", "arousal", "words"),
    [
        (-0.42, -0.3, "calm and a little sad"),
        (-0.8, -0.7, "very calm and sad"),
        (-0.6, 0.7, "very lively and tense"),
        (0.8, 0.5, "very lively and happy"),
        (0.3, -0.4, "calm and a little happy"),
        (0.0, 0.3, "lively"),
        (0.6, 0.0, "happy"),
        (0.1, -0.1, "neutral"),
    ],
)
def test_places_have_names(valence, arousal, words):
    assert describe_mood(valence, arousal) == words


def test_a_reason_has_words_and_numbers():
    assert explain_choice(ENTRY, TRACK, SAD, "match") == (
        "calm and a little sad like your mood (valence -0.42, asked -0.45; arousal -0.30, asked -0.27); "
        "112 BPM is a beat a step less 1 %"
    )


def test_a_step_on_the_way_is_called_one():
    entry = replace(ENTRY, step=4)
    assert ", step 4 of 10 to brighter music (" in explain_choice(entry, TRACK, SAD, "lift")
    assert "to calmer music" in explain_choice(entry, TRACK, SAD, "calm")
    assert "like your mood" in explain_choice(ENTRY, TRACK, SAD, "lift")


def test_what_does_not_fit_is_not_called_fitting():
    happy = replace(TRACK, valence=0.9, arousal=0.8, tempo_bpm=90.0)
    said = explain_choice(replace(ENTRY, tempo_ratio=None), happy, SAD, "match")
    assert said.startswith("very lively and happy, as near as could be had (valence +0.90")
    assert said.endswith("90 BPM does not keep to your 113 steps a minute")


def test_what_is_unknown_is_called_unknown():
    nothing = Track(location="b.ogg")
    entry = replace(ENTRY, tempo_ratio=None)
    assert explain_choice(entry, nothing, SAD, "match") == (
        "nothing is known of its mood; its tempo is unknown, your steps are 113 a minute"
    )


def test_without_a_mood_only_steps_are_spoken_of():
    entry = replace(ENTRY, target=Target(None, None, 113.0))
    said = explain_choice(entry, TRACK, Mood(None, 113.0), "match")
    assert said == "112 BPM is a beat a step less 1 %"
    entry = replace(entry, target=Target(None, None, None))
    assert explain_choice(entry, TRACK, Mood(None, None), "match")


def test_taste_and_repetition_are_said():
    entry = replace(ENTRY, parts={"taste": 0.8, "novelty": 0.0})
    said = explain_choice(entry, TRACK, SAD, "match")
    assert said.endswith("; you liked such music; played lately, but others fit less")
    assert "liked" not in explain_choice(replace(ENTRY, parts={"taste": -0.9}), TRACK, SAD, "match")

"""Simulated listeners, and what learning does for them."""

import numpy as np
import pytest

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.music.learning import TasteLearner
from moodwalk.music.listeners import TASTES, draw_listener, simulate_sessions
from moodwalk.music.simulated import simulated_catalogue
from moodwalk.music.target import Target
from moodwalk.music.track import TrackColumns


def make_columns(n):
    tracks = simulated_catalogue(n, seed=1)
    artists = sorted({track.artist for track in tracks})

    def gather(name):
        return np.array([getattr(track, name) for track in tracks], np.float32)

    return TrackColumns(
        id=np.arange(1, n + 1, dtype=np.int64),
        artist=np.array([artists.index(track.artist) for track in tracks], np.int32),
        valence=gather("valence"),
        arousal=gather("arousal"),
        energy=gather("energy"),
        tempo_bpm=gather("tempo_bpm"),
        duration_s=gather("duration_s"),
        popularity=gather("popularity"),
    )


@pytest.fixture(scope="module")
def columns():
    return make_columns(2000)


@pytest.mark.parametrize("taste", TASTES)
def test_a_seed_is_a_listener(columns, taste):
    first, again, other = (draw_listener(columns, taste, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.liking, again.liking)
    assert not np.array_equal(first.liking, other.liking)
    assert first.liking.shape == (len(EMOTIONS), len(columns))
    assert np.isfinite(first.liking).all()


def test_taste_is_in_what_it_is_called_after(columns):
    known = {
        "tempo": columns.tempo_bpm,
        "brightness": columns.valence,
        "popularity": columns.popularity,
    }
    for taste, figure in known.items():
        liking = draw_listener(columns, taste, 3).liking.mean(axis=0)
        found = {name: abs(np.corrcoef(liking, other)[0, 1]) for name, other in known.items()}
        assert max(found, key=found.get) == taste
        assert abs(np.corrcoef(liking, figure)[0, 1]) > 0.6
    liking = draw_listener(columns, "none", 3).liking
    assert all(abs(np.corrcoef(liking[0], other)[0, 1]) < 0.1 for other in known.values())
    liking = draw_listener(columns, "artists", 3).liking.mean(axis=0)
    means = np.bincount(columns.artist, liking) / np.bincount(columns.artist)
    assert np.var(means[columns.artist]) > 0.5 * np.var(liking)


def test_what_is_liked_less_or_lies_off_the_mood_is_skipped_more(columns):
    listener = draw_listener(columns, "popularity", 0)
    liking = listener.liking[EMOTIONS.index(Emotion.SAD)]
    rows = np.argsort(liking)
    target = Target(-0.6, -0.3, 110.0)
    chance = listener.compute_skip_probability(rows, Emotion.SAD, [target] * len(rows))
    assert ((chance > 0) & (chance < 1)).all()
    assert chance[:200].mean() > chance[-200:].mean() + 0.2
    here = Target(float(columns.valence[0]), float(columns.arousal[0]), 110.0)
    off = Target(here.valence + 0.3, here.arousal, 110.0)
    near, far = listener.compute_skip_probability(np.array([0, 0]), Emotion.SAD, [here, off])
    assert near < far


def test_the_same_listener_has_the_same_sessions(columns):
    listener = draw_listener(columns, "several", 5)
    first, again = (simulate_sessions(listener, n_sessions=4) for _ in range(2))
    assert first == again
    assert len(first.skipped) == 4


def test_without_feedback_everything_is_the_static_rule(columns):
    listener = draw_listener(columns, "popularity", 5)
    silent = simulate_sessions(listener, n_sessions=5, telling="nothing")
    stopped = simulate_sessions(listener, n_sessions=5, stop_after=0)
    assert silent == stopped
    assert not any(silent.changed)


def test_until_feedback_stops_it_does_not_matter_that_it_will(columns):
    # Ten events more do not always change a playlist, and its order does not change `expected`:
    # the two are the same up to the fourth session, but need not differ in the fifth.
    listener = draw_listener(columns, "popularity", 6)
    on = simulate_sessions(listener, n_sessions=10)
    stopped = simulate_sessions(listener, n_sessions=10, stop_after=3)
    for name in ("skipped", "expected", "changed"):
        assert getattr(on, name)[:4] == getattr(stopped, name)[:4]
    assert on.expected[4:] != stopped.expected[4:]


def test_who_knows_all_that_is_liked_does_best_and_needs_no_feedback(columns):
    listener = draw_listener(columns, "artists", 2)
    static, learned, known = (
        simulate_sessions(listener, n_sessions=5, **rule)
        for rule in ({"telling": "nothing"}, {}, {"all_known": True})
    )
    assert np.mean(known.expected) < min(np.mean(static.expected), np.mean(learned.expected)) - 0.05
    assert known == simulate_sessions(listener, n_sessions=5, all_known=True, telling="nothing")
    assert known.n_outside == known.n_outside_static


def test_a_learner_is_asked_for_no_more_than_candidates(columns, monkeypatch):
    asked = []
    real = TasteLearner.prefer

    def watch(self, emotion):
        say = real(self, emotion)
        return lambda ids, target: asked.append(len(ids)) or say(ids, target)

    monkeypatch.setattr(TasteLearner, "prefer", watch)
    simulate_sessions(draw_listener(columns, "tempo", 1), n_sessions=3)
    assert asked
    assert max(asked) < 300 < len(columns)


def test_listeners_of_clear_taste_skip_less_later_and_after_feedback_stops(columns):
    listeners = [draw_listener(columns, "popularity", seed, strength=1.5) for seed in range(4)]
    less = {"on": [], "stopped": []}
    for listener in listeners:
        static = simulate_sessions(listener, n_sessions=14, telling="nothing")
        for name, stop_after in (("on", None), ("stopped", 9)):
            learned = simulate_sessions(listener, n_sessions=14, stop_after=stop_after)
            less[name].append(np.mean(static.expected[9:]) - np.mean(learned.expected[9:]))
            assert learned.n_outside == learned.n_outside_static
            assert any(learned.changed)
    assert np.mean(less["on"]) > 0.05
    assert np.mean(less["stopped"]) > 0.05

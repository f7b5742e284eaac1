"""Learning from likes, skips and plays."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError
from moodwalk.music.learning import EXPLORATION, MAX_EVENTS, TasteLearner, compute_reward
from moodwalk.music.library import Feedback
from moodwalk.music.recommend import recommend
from moodwalk.music.target import Mood, Target
from moodwalk.music.track import TrackColumns

START = datetime(2026, 1, 1, tzinfo=UTC)
TARGET = Target(0.0, 0.0, 110.0)
N_TRACKS = 600


@pytest.fixture(scope="module")
def columns():
    return make_columns(N_TRACKS)


def make_columns(n, seed=0):
    rng = np.random.default_rng(seed)

    def draw(low, high):
        return rng.uniform(low, high, n).astype(np.float32)

    return TrackColumns(
        id=np.arange(n, dtype=np.int64) * 3 + 7,
        artist=rng.integers(0, 60, n, dtype=np.int32),
        valence=draw(-1, 1),
        arousal=draw(-1, 1),
        energy=draw(0, 1),
        tempo_bpm=draw(60, 180),
        duration_s=draw(100, 300),
        popularity=draw(0, 100),
    )


def tell(track_id, kind, number=0, emotion=Emotion.SAD, **more):
    at = START + timedelta(minutes=number)
    return Feedback(track_id=int(track_id), kind=kind, at=at, emotion=emotion, **more)


def tell_about(columns, liked, n=200, emotion=Emotion.SAD, seed=1):
    """Feedback on n random tracks: nine in ten of those liked are played, the others skipped."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(columns), size=n)
    plays = liked[rows] == (rng.random(n) < 0.9)
    return [
        tell(columns.id[row], "play" if play else "skip", i, emotion, cadence_spm=110.0)
        for i, (row, play) in enumerate(zip(rows, plays, strict=True))
    ]


@pytest.mark.parametrize(
    ("kind", "position", "duration", "reward"),
    [
        ("like", None, None, 1.0),
        ("dislike", 10.0, 200.0, -1.0),
        ("play", None, None, 0.5),
        ("skip", 0.0, 200.0, -0.75),
        ("skip", 100.0, 200.0, -0.125),
        ("skip", 200.0, 200.0, 0.5),
        ("skip", 900.0, 200.0, 0.5),
        ("skip", None, 200.0, -0.5),
        ("skip", 10.0, None, -0.5),
        ("skip", 10.0, float("nan"), -0.5),
        ("skip", 10.0, 0.0, -0.5),
    ],
)
def test_rewards_are_those_documented(kind, position, duration, reward):
    assert compute_reward(kind, position, duration) == pytest.approx(reward)


def test_other_kind_of_feedback_is_an_error():
    with pytest.raises(ConfigError, match="'shrug'; expected like, play, skip or dislike"):
        compute_reward("shrug")


@pytest.mark.parametrize("exploration", [-0.1, 1.1, float("nan")])
def test_exploration_is_bounded(columns, exploration):
    with pytest.raises(ConfigError, match="expected 0 to 1"):
        TasteLearner(columns, exploration=exploration)


def test_without_feedback_the_playlist_is_that_of_the_static_rule(columns):
    learner = TasteLearner(columns)
    assert learner.trust == 0
    assert not learner.prefer(Emotion.SAD)(columns.id, TARGET).any()
    mood = Mood.from_emotion(Emotion.SAD, 110.0)
    static = recommend(columns, mood, seed=3)
    learned = recommend(columns, mood, seed=3, prefer=learner.prefer(Emotion.SAD))
    assert [e.track_id for e in learned.entries] == [e.track_id for e in static.entries]


def test_what_was_played_before_what_was_skipped(columns):
    liked = columns.popularity > 50
    learner = TasteLearner(columns)
    learner.update(tell_about(columns, liked))
    scores = learner.prefer(Emotion.SAD)(columns.id, TARGET)
    assert learner.trust > 0.9
    assert scores[liked].mean() > 0.4
    assert scores[~liked].mean() < -0.4
    assert np.abs(scores).max() <= 1


def test_an_artist_is_liked_also_in_tracks_that_were_never_heard(columns):
    liked = columns.artist < 30
    learner = TasteLearner(columns, exploration=0.0)
    heard = columns.id < columns.id[400]
    feedback = [e for e in tell_about(columns, liked, 500) if e.track_id < columns.id[400]]
    learner.update(feedback)
    scores = learner.prefer(Emotion.SAD)(columns.id, TARGET)[~heard]
    assert scores[liked[~heard]].mean() - scores[~liked[~heard]].mean() > 0.5


def test_a_track_that_is_always_skipped_sinks_below_its_artist(columns):
    row = 5
    others = np.flatnonzero(columns.artist == columns.artist[row])
    others = others[others != row]
    learner = TasteLearner(columns, exploration=0.0)
    learner.update(
        [tell(columns.id[row], "dislike", i) for i in range(8)]
        + [tell(columns.id[other], "like", 8) for other in others for _ in range(4)]
    )
    scores = learner.prefer(Emotion.SAD)(columns.id[[row, *others]], TARGET)
    assert scores[0] < scores[1:].min()


def test_a_track_that_is_always_skipped_sinks_also_where_nothing_else_is_known(columns):
    nothing = np.full(N_TRACKS, np.nan, np.float32)
    names = ("valence", "arousal", "energy", "tempo_bpm", "duration_s", "popularity")
    plain = replace(columns, artist=np.zeros_like(columns.artist), **dict.fromkeys(names, nothing))
    learner = TasteLearner(plain, exploration=0.0)
    learner.update(tell_about(plain, np.arange(N_TRACKS) >= 20, 400))
    heard = np.arange(20)
    learner.update([tell(plain.id[row], "skip", int(row)) for row in heard for _ in range(4)])
    scores = learner.prefer(Emotion.SAD)(plain.id, TARGET)
    assert scores[:20].mean() < scores[20:].mean() - 0.4


def test_taste_may_differ_between_emotions(columns):
    fast = columns.tempo_bpm > 120
    learner = TasteLearner(columns, exploration=0.0)
    learner.update(tell_about(columns, fast, 400, Emotion.HAPPY))
    learner.update(tell_about(columns, ~fast, 400, Emotion.SAD, seed=2))
    gaps = {}
    for emotion in (*EMOTIONS, None):
        scores = learner.prefer(emotion)(columns.id, Target(0.0, 0.0, None))
        gaps[emotion] = scores[fast].mean() - scores[~fast].mean()
    assert gaps[Emotion.HAPPY] > 0.4
    assert gaps[Emotion.SAD] < -0.4
    assert abs(gaps[Emotion.ANGRY]) < 0.3


def test_what_was_learned_of_one_emotion_helps_in_another(columns):
    liked = columns.popularity > 50
    learner = TasteLearner(columns, exploration=0.0)
    learner.update(tell_about(columns, liked, 300, Emotion.HAPPY))
    for emotion in (Emotion.SAD, None):
        scores = learner.prefer(emotion)(columns.id, TARGET)
        assert scores[liked].mean() - scores[~liked].mean() > 0.5


def test_feedback_that_says_nothing_gets_little_say(columns):
    trust, says = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        noisy = TasteLearner(columns, exploration=0.0)
        rows, kinds = rng.integers(N_TRACKS, size=300), rng.choice(["play", "skip"], 300)
        noisy.update(
            tell(columns.id[row], str(kind), i)
            for i, (row, kind) in enumerate(zip(rows, kinds, strict=True))
        )
        trust.append(noisy.trust)
        says.append(np.abs(noisy.prefer(Emotion.SAD)(columns.id, TARGET)).mean())
    assert np.mean(trust) < 0.25
    assert np.mean(says) < 0.15


def test_a_listener_may_skip_more_in_one_emotion_without_that_being_taste(columns):
    rng = np.random.default_rng(0)
    learner = TasteLearner(columns, exploration=0.0)
    rows, felt = rng.integers(N_TRACKS, size=600), rng.integers(2, size=600)
    skipped = rng.random(600) < np.where(felt, 0.85, 0.15)
    learner.update(
        tell(columns.id[row], "skip" if skip else "play", i, EMOTIONS[one])
        for i, (row, skip, one) in enumerate(zip(rows, skipped, felt, strict=True))
    )
    assert learner.trust < 0.5


def test_more_turns_of_fitting_change_nothing_that_matters(columns, monkeypatch):
    liked = (columns.artist < 20) | (columns.popularity > 70)
    scores = []
    for n_turns in (None, 200):
        if n_turns:
            monkeypatch.setattr("moodwalk.music.learning._N_TURNS", n_turns)
        learner = TasteLearner(columns)
        learner.update(tell_about(columns, liked, 400))
        scores.append(learner.prefer(Emotion.SAD)(columns.id, TARGET))
    assert np.abs(scores[0] - scores[1]).max() < 0.05


def test_exploration_adds_no_more_than_allowed(columns):
    feedback = tell_about(columns, columns.popularity > 50, 60)
    scores = {}
    for exploration in (0.0, 0.2):
        learner = TasteLearner(columns, exploration=exploration)
        learner.update(feedback)
        scores[exploration] = learner.prefer(Emotion.SAD)(columns.id, TARGET)
    added = scores[0.2] - 0.8 * scores[0.0]
    assert added.min() >= 0
    assert 0 < added.max() <= 0.2


def test_less_heard_means_more_to_explore(columns):
    few, many = TasteLearner(columns), TasteLearner(columns)
    feedback = tell_about(columns, columns.popularity > 50, 900)
    few.update(feedback[:30])
    many.update(feedback)
    added = []
    for learner in (few, many):
        plain = TasteLearner(columns, exploration=0.0)
        plain.update(feedback[:30] if learner is few else feedback)
        scores = [one.prefer(Emotion.SAD)(columns.id, TARGET) for one in (learner, plain)]
        added.append((scores[0] - (1 - EXPLORATION) * scores[1]).mean())
    assert added[0] > added[1]


def test_same_seed_same_scores_whatever_the_pieces(columns):
    feedback = tell_about(columns, columns.energy > 0.5)
    at_once, piecewise = TasteLearner(columns, seed=4), TasteLearner(columns, seed=4)
    at_once.update(feedback)
    for start in range(0, len(feedback), 30):
        piecewise.update(iter(feedback[start : start + 30]))
        piecewise.prefer(Emotion.SAD)(columns.id[:5], TARGET)
    say = at_once.prefer(Emotion.SAD)
    first = say(columns.id, TARGET)
    assert np.array_equal(first, say(columns.id, TARGET))
    assert np.array_equal(first, piecewise.prefer(Emotion.SAD)(columns.id, TARGET))


def test_the_order_of_tracks_does_not_depend_on_the_other_candidates(columns):
    learner = TasteLearner(columns, exploration=0.0)
    learner.update(tell_about(columns, columns.energy > 0.5, 50))
    say = learner.prefer(Emotion.SAD)
    order = np.argsort(say(columns.id, TARGET)[:7])
    assert np.array_equal(order, np.argsort(say(columns.id[:7], TARGET)))


def test_later_feedback_does_not_change_what_is_said(columns):
    liked = columns.popularity > 50
    learner = TasteLearner(columns)
    learner.update(tell_about(columns, liked))
    say = learner.prefer(Emotion.SAD)
    before = say(columns.id, TARGET)
    learner.update(tell_about(columns, ~liked, 900))
    assert np.array_equal(before, say(columns.id, TARGET))
    after = learner.prefer(Emotion.SAD)(columns.id, TARGET)
    assert after[liked].mean() < after[~liked].mean()


def test_feedback_on_tracks_that_are_gone_says_nothing(columns):
    learner = TasteLearner(columns)
    learner.update([tell(1, "like"), tell(10**12, "skip", position_s=3.0)])
    assert learner.n_events == 0
    learner.update(tell_about(columns, columns.popularity > 50))
    scores = learner.prefer(Emotion.SAD)(np.array([1, 10**12, columns.id[0]]), TARGET)
    assert not scores[:2].any()
    assert scores[2] != 0
    assert learner.prefer(None)(np.array([], np.int64), TARGET).shape == (0,)


def test_only_the_latest_events_are_kept(columns, monkeypatch):
    monkeypatch.setattr("moodwalk.music.learning.MAX_EVENTS", 50)
    learner = TasteLearner(columns)
    for _ in range(3):
        learner.update(tell_about(columns, columns.popularity > 50, 40))
    assert learner.n_events == 50 < MAX_EVENTS


def test_an_empty_library_has_nothing_to_learn():
    learner = TasteLearner(make_columns(0))
    learner.update([tell(7, "like")])
    assert learner.prefer(Emotion.SAD)(np.array([7]), TARGET).tolist() == [0.0]


def test_figures_that_are_all_unknown_or_all_alike(columns):
    nothing = np.full(N_TRACKS, np.nan, np.float32)
    plain = replace(
        columns,
        artist=np.full(N_TRACKS, -1, np.int32),
        valence=nothing,
        arousal=np.zeros(N_TRACKS, np.float32),
        energy=nothing,
        tempo_bpm=np.zeros(N_TRACKS, np.float32),
        duration_s=nothing,
    )
    learner = TasteLearner(plain)
    liked = columns.popularity > 50
    learner.update(tell_about(plain, liked))
    scores = learner.prefer(Emotion.SAD)(plain.id, Target(None, None, None))
    assert np.isfinite(scores).all()
    assert scores[liked].mean() > scores[~liked].mean() + 0.4


def test_unknown_artists_are_not_one_artist(columns):
    one = replace(columns, artist=np.where(columns.artist < 30, 0, columns.artist))
    gaps = []
    for library in (replace(one, artist=np.where(one.artist == 0, -1, one.artist)), one):
        learner = TasteLearner(library, exploration=0.0)
        learner.update(tell_about(library, one.artist != 0, 60))
        scores = learner.prefer(Emotion.SAD)(library.id, TARGET)
        gaps.append(scores[one.artist != 0].mean() - scores[one.artist == 0].mean())
    assert gaps[0] < 0.7 * gaps[1]


kinds = st.sampled_from(["play", "skip", "like", "dislike"])
maybe = st.none() | st.floats(0, 1e9)
events = st.builds(
    tell,
    st.integers(-5, 2000),
    kinds,
    st.integers(0, 100),
    st.none() | st.sampled_from(EMOTIONS),
    cadence_spm=maybe,
    position_s=maybe,
)


@given(
    st.lists(events, max_size=30),
    st.none() | st.sampled_from(EMOTIONS),
    st.none() | st.floats(1, 1e6),
    st.floats(0, 1),
)
def test_any_feedback_gives_bounded_scores(feedback, emotion, cadence, exploration):
    library = make_columns(50)
    library.tempo_bpm[::7], library.valence[::5], library.duration_s[::3] = 0, np.nan, np.nan
    learner = TasteLearner(library, exploration=exploration)
    learner.update(feedback)
    scores = learner.prefer(emotion)(library.id, Target(None, None, cadence))
    assert scores.shape == (50,)
    assert np.isfinite(scores).all()
    assert np.abs(scores).max() <= 1
    assert 0 <= learner.trust <= 1


def test_the_playlist_stays_in_the_region_whatever_was_learned():
    library = make_columns(5000)
    learner = TasteLearner(library)
    learner.update(tell_about(library, library.valence > 0, 500))
    mood = Mood.from_emotion(Emotion.SAD, 110.0)
    changed = 0
    for seed in range(5):
        static = recommend(library, mood, seed=seed)
        learned = recommend(library, mood, seed=seed, prefer=learner.prefer(Emotion.SAD))
        for entry in learned.entries:
            one = np.searchsorted(library.id, [entry.track_id])
            values = (library.valence[one], library.arousal[one], library.tempo_bpm[one])
            assert entry.target.region.contains(*values)[0]
        ids = [{entry.track_id for entry in playlist.entries} for playlist in (static, learned)]
        changed += len(ids[1] - ids[0])
    assert changed > 0


def test_only_candidates_are_looked_at(columns):
    learner = TasteLearner(columns)
    learner.update(tell_about(columns, columns.popularity > 50))
    say = learner.prefer(Emotion.SAD)
    before = say(columns.id[:20], TARGET)
    columns.popularity[300:], old = np.nan, columns.popularity[300:].copy()
    after = say(columns.id[:20], TARGET)
    columns.popularity[300:] = old
    assert np.array_equal(before, after)


def test_nothing_heavy_is_loaded_before_there_is_feedback():
    program = (
        "import sys, moodwalk.music.learning; "
        "print([m for m in ('mabwiser', 'sklearn', 'scipy', 'pandas') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_without_mabwiser_it_says_what_to_install(columns, monkeypatch):
    monkeypatch.setitem(sys.modules, "mabwiser.mab", None)
    learner = TasteLearner(columns)
    learner.update([tell(columns.id[0], "like")])
    with pytest.raises(ConfigError, match=r"pip install 'moodwalk\[music\]'"):
        learner.prefer(Emotion.SAD)

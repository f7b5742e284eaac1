"""How long choosing from a large library takes, and how much memory.

    python benchmarks/recommend.py [--tracks 1000000] [--repeats 15]

Tracks are drawn at random: valence and arousal as widely spread as in catalogues, tempo about 120 BPM, one
in a hundred unknown. Besides ordinary libraries there are hard ones: nothing known of any track, no track
near the mood, one artist only. Memory is the highest that the process ever used, less what it used before
the library was made, and what the library's columns take of it.
"""

import argparse
import os
import resource
import statistics
import time
from dataclasses import replace

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.music.modes import MODES
from moodwalk.music.recommend import recommend
from moodwalk.music.target import Mood
from moodwalk.music.track import TrackColumns

UNKNOWN = 0.01


def main() -> None:
    """Print a row for every library and question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=15)
    given = parser.parse_args()
    before = measure_peak_mb()
    columns = make_columns(given.tracks)
    held = sum(getattr(columns, name).nbytes for name in columns.__slots__) / 2**20
    made = measure_peak_mb()
    recent = columns.id[:: max(len(columns) // 50, 1)].tolist()
    print(f"{len(columns)} tracks, columns {held:.0f} MB")
    for mode in MODES:
        times = []
        for i in range(given.repeats):
            mood = Mood.from_emotion(EMOTIONS[i % len(EMOTIONS)], 80 + 60 * i / given.repeats)
            times.append(measure_ms(columns, mood, mode, 10, recent, i))
        show(f"{mode}, 10 tracks", times)
    nothing = np.full(len(columns), np.nan, np.float32)
    positive = replace(columns, valence=np.abs(columns.valence) * 0.3 + 0.7)
    sad = Mood.from_emotion(Emotion.SAD, 110.0)
    cases = {
        "no cadence, lift": (columns, replace(sad, cadence_spm=None), "lift", 10),
        "no mood": (columns, Mood(None, 110.0), "match", 10),
        "lift, 1000 tracks": (columns, sad, "lift", 1000),
        "no tempo known, lift": (replace(columns, tempo_bpm=nothing), sad, "lift", 10),
        "no mood known, lift": (replace(columns, valence=nothing), sad, "lift", 10),
        "none near the mood": (positive, sad, "match", 10),
        "one artist, lift": (
            replace(columns, artist=np.zeros_like(columns.artist)),
            sad,
            "lift",
            10,
        ),
    }
    for what, (library, mood, mode, n) in cases.items():
        show(what, [measure_ms(library, mood, mode, n, recent, i) for i in range(given.repeats)])
    print(
        f"memory: {made - before:.0f} MB for the library, {measure_peak_mb() - before:.0f} MB at most"
    )


def make_columns(n: int) -> TrackColumns:
    """Return a library of n random tracks."""
    rng = np.random.default_rng(0)

    def draw(mean: float, spread: float, low: float, high: float) -> np.ndarray:
        values = rng.standard_normal(n, dtype=np.float32)
        values *= spread
        values += mean
        np.clip(values, low, high, out=values)
        values[rng.random(n, dtype=np.float32) < UNKNOWN] = np.nan
        return values

    return TrackColumns(
        id=np.arange(1, n + 1, dtype=np.int64),
        artist=rng.integers(-1, max(n // 20, 1), n, dtype=np.int32),
        valence=draw(0.0, 0.5, -1, 1),
        arousal=draw(0.3, 0.4, -1, 1),
        energy=draw(0.65, 0.2, 0, 1),
        tempo_bpm=draw(120.0, 27.0, 40, 220),
        duration_s=draw(220.0, 50.0, 30, 900),
        popularity=draw(40.0, 25.0, 0, 100),
    )


def measure_ms(
    columns: TrackColumns, mood: Mood, mode: str, n: int, recent: list[int], seed: int
) -> float:
    """Return how long one playlist takes."""
    started = time.perf_counter()
    recommend(columns, mood, mode=mode, n=n, recent=recent, seed=seed)
    return 1000 * (time.perf_counter() - started)


def measure_peak_mb() -> float:
    """Return the highest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def show(what: str, times: list[float]) -> None:
    """Print a row."""
    print(f"{what:22} {statistics.median(times):6.0f} ms ({min(times):.0f} to {max(times):.0f})")


if __name__ == "__main__":
    main()

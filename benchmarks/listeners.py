"""What learning from feedback does for simulated listeners, against the same rule without it.

    python benchmarks/listeners.py --catalogue spotify_songs.csv [--listeners 24] [--sessions 30] [--stop 10]
        [--tastes tempo,none] [--tracks N] [--seed 0] [-o DIR]

Every listener (`moodwalk.music.listeners`) goes through the same sessions, mood by mood and luck by luck, several
times: with the static rule, with the learner, with feedback that stops, and with a rule that knows all that the
listener likes, which bounds what could be learned. For `several` and `none` also with feedback that is drawn by
lot. Figures are means over listeners of the share of tracks skipped (of the probabilities of that, which are
known, so that luck does not blur them), in percentage points, with 95 % intervals from resampled listeners. The
catalogue is read into a library in memory; with --tracks only so many of it are taken, by whole artists of five
tracks and more, as in a small library of one's own. With -o, listeners.json has the figures of each listener.
"""

import argparse
import itertools
import json
import os
import time
from dataclasses import fields
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from moodwalk.io.atomic import write_whole_text
from moodwalk.music.evaluation.report import N_RESAMPLES, compute_interval
from moodwalk.music.library import Library
from moodwalk.music.library.catalogue import import_catalogue
from moodwalk.music.listeners import N_TRACKS, TASTES, draw_listener, simulate_sessions
from moodwalk.music.track import TrackColumns

FIRST_LISTENER = 1000
"""Listeners below were used to choose the learner's constants."""

WITH_LOTS = ("several", "none")
N_PARTS = 3
MIN_OF_ARTIST = 5


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Learning with simulated listeners.")
    parser.add_argument("--catalogue", type=Path, required=True, help="CSV file")
    parser.add_argument("--listeners", type=int, default=24, help="of each taste, 2 or more")
    parser.add_argument("--sessions", type=int, default=30, help="of each listener, 3 or more")
    parser.add_argument("--stop", type=int, default=10, help="sessions after which feedback stops")
    parser.add_argument("--tastes", default=",".join(TASTES))
    parser.add_argument("--tracks", type=int, help="take only so many, by whole artists")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, metavar="DIR")
    given = parser.parse_args()
    tastes = given.tastes.split(",")
    if given.listeners < 2 or given.sessions < N_PARTS or not 0 < given.stop < given.sessions:
        parser.error(f"expected 2 listeners, {N_PARTS} sessions, a stop before the last, or more")
    if not set(tastes) <= set(TASTES):
        parser.error(f"tastes are {given.tastes}; expected some of {','.join(TASTES)}")
    started = time.perf_counter()
    columns = read_columns(given.catalogue, given.tracks, given.seed)
    print(
        f"{len(columns)} tracks; {given.listeners} listeners of each taste, {given.sessions} sessions of "
        f"{N_TRACKS} tracks; seed {given.seed}",
        flush=True,
    )
    found = {
        taste: [
            run_listener(columns, taste, FIRST_LISTENER * (1 + given.seed) + i, given)
            for i in range(given.listeners)
        ]
        for taste in tastes
    }
    draws = np.random.default_rng(given.seed).integers(
        given.listeners, size=(N_RESAMPLES, given.listeners)
    )
    show_learning(found, given.sessions, draws)
    show_stopping(found, given.stop, given.sessions, draws)
    show_lots(found, draws)
    show_outside(found)
    took, worked = time.perf_counter() - started, time.process_time()
    print(f"\n{took:.0f} s, {worked:.0f} s of processor time")
    if given.output is not None:
        write_whole_text(given.output / "listeners.json", json.dumps(found))


def read_columns(path: Path, n: int | None, seed: int) -> TrackColumns:
    """Return the catalogue, or about n tracks of it."""
    with Library.open("sqlite://") as library:
        import_catalogue(path, library)
        columns = library.read_columns()
    if n is None:
        return columns
    artists, counts = np.unique(columns.artist, return_counts=True)
    often = np.random.default_rng(seed).permutation(
        np.flatnonzero((counts >= MIN_OF_ARTIST) & (artists >= 0))
    )
    enough = int(np.searchsorted(np.cumsum(counts[often]), n)) + 1
    rows = np.flatnonzero(np.isin(columns.artist, artists[often[:enough]]))
    return TrackColumns(**{one.name: getattr(columns, one.name)[rows] for one in fields(columns)})


def run_listener(
    columns: TrackColumns, taste: str, seed: int, given: argparse.Namespace
) -> dict[str, dict[str, list[float]]]:
    """Return what happened in each session under each rule."""
    listener = draw_listener(columns, taste, seed)
    rules = {
        "static": {"telling": "nothing"},
        "learned": {},
        "stopped": {"stop_after": given.stop},
        "all known": {"all_known": True},
    }
    if taste in WITH_LOTS:
        rules["lots"] = {"telling": "noise"}
    found = {}
    for name, rule in rules.items():
        sessions = simulate_sessions(listener, n_sessions=given.sessions, **rule)
        found[name] = {one.name: getattr(sessions, one.name) for one in fields(sessions)}
    return found


def subtract(listeners: list, rule: str, other: str, first: int, last: int) -> np.ndarray:
    """Return (n,) by how many points more are skipped with a rule than with another, sessions first to last."""
    return np.array(
        [
            100 * np.mean(np.subtract(one[rule]["expected"], one[other]["expected"])[first:last])
            for one in listeners
        ]
    )


def say(values: np.ndarray, draws: np.ndarray) -> str:
    """Return a mean with its interval."""
    found = compute_interval(values, draws)
    return f"{found.mean:+.1f} ({found.low:+.1f} to {found.high:+.1f})".replace("-0.0 ", "+0.0 ")


def show(title: str, names: list[str], rows: list[list[str]]) -> None:
    """Print a table in Markdown."""
    print(f"\n{title}\n\n| {' | '.join(names)} |\n|---|{'---:|' * (len(names) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def show_learning(found: dict, n_sessions: int, draws: np.ndarray) -> None:
    """Print how much less is skipped as time goes by."""
    edges = np.linspace(0, n_sessions, N_PARTS + 1).astype(int).tolist()
    parts = list(itertools.pairwise(edges))
    rows = []
    for taste, listeners in found.items():
        static = 100 * np.mean([one["static"]["expected"] for one in listeners])
        learned = [say(subtract(listeners, "learned", "static", *part), draws) for part in parts]
        bound = say(subtract(listeners, "all known", "static", *parts[-1]), draws)
        changed = 100 * np.mean([one["learned"]["changed"][edges[-2] :] for one in listeners])
        rows.append([taste, f"{static:.1f}", *learned, bound, f"{changed:.0f}"])
    names = [f"{first + 1} to {last}" for first, last in parts]
    show(
        "Skipped with learning, less than with the static rule, points",
        ["taste", "static, %", *names, "if all were known", "tracks changed, %"],
        rows,
    )


def show_stopping(found: dict, stop: int, n_sessions: int, draws: np.ndarray) -> None:
    """Print what is left once feedback stops."""
    rows = [
        [
            taste,
            *(
                say(subtract(listeners, rule, other, stop, n_sessions), draws)
                for rule, other in (
                    ("stopped", "static"),
                    ("learned", "static"),
                    ("stopped", "learned"),
                )
            ),
        ]
        for taste, listeners in found.items()
    ]
    show(
        f"Feedback stops after {stop} sessions; sessions {stop + 1} to {n_sessions}, points",
        ["taste", "stopped less static", "going on less static", "stopped less going on"],
        rows,
    )


def show_lots(found: dict, draws: np.ndarray) -> None:
    """Print what feedback does that says nothing."""
    rows = [
        [taste, say(subtract(found[taste], "lots", "static", 0, None), draws)]
        for taste in WITH_LOTS
        if taste in found
    ]
    show("Feedback drawn by lot, all sessions, points", ["taste", "learned less static"], rows)


def show_outside(found: dict) -> None:
    """Print how many tracks lay outside the mode's region."""
    rows = []
    for rule in ("learned", "stopped", "lots", "all known"):
        runs = [one[rule] for listeners in found.values() for one in listeners if rule in one]
        outside, static = (
            np.array([run[name] for run in runs]) for name in ("n_outside", "n_outside_static")
        )
        counts = (outside.size * N_TRACKS, outside.sum(), static.sum(), (outside > static).sum())
        if runs:
            rows.append([rule, *(f"{int(n):,}" for n in counts)])
    show(
        "Tracks outside the mode's region",
        ["rule", "tracks", "outside", "by the static rule there", "sessions with more"],
        rows,
    )


if __name__ == "__main__":
    main()

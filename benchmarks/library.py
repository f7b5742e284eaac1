"""A library of a million tracks: writing it, opening its columns cold and cached, and memory.

    python benchmarks/library.py [--tracks 1000000] [--url URL] [-o DIR]

Every step runs in a process of its own, so that its memory is its own; "peak" is the most that the process ever
held, Python and NumPy included. Tracks are made up on the way, one at a time.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from moodwalk.music.library import Library
from moodwalk.music.track import Track


def make_tracks(n: int, seed: int = 0) -> Iterator[Track]:
    rng = np.random.default_rng(seed)
    for first in range(0, n, 10_000):
        u = rng.random((min(10_000, n - first), 7))
        for i, (a, b, c, d, e, f, g) in enumerate(u.tolist(), first):
            yield Track(
                location=f"/home/somebody/Music/Artist {i // 10}/Album {i // 5 % 2}/{i:07} Song.flac",
                title=f"Song number {i}",
                artist=f"Artist {i // 10}",
                album=f"Album {i // 5}",
                genre="rock",
                duration_s=120 + 240 * a,
                tempo_bpm=60 + 130 * b,
                valence=2 * c - 1,
                arousal=2 * d - 1,
                energy=e,
                mode="major" if f < 0.5 else "minor",
                popularity=100 * g,
            )


def put(url: str | None, n: int) -> dict[str, Any]:
    with Library.open(url) as library:
        return {"counts": str(library.put(make_tracks(n)))}


def open_columns(url: str | None, _: int) -> dict[str, Any]:
    with Library.open(url, read_only=True) as library:
        started = time.perf_counter()
        columns = library.read_columns()
        seconds = time.perf_counter() - started
        total = float(np.nansum(columns.valence))  # one column is really read
        return {"columns_s": round(seconds, 3), "n": len(columns), "valence_sum": round(total, 3)}


def get_fifty(url: str | None, n: int) -> dict[str, Any]:
    ids = np.random.default_rng(1).integers(1, n, 50).tolist()
    with Library.open(url, read_only=True) as library:
        started = time.perf_counter()
        tracks = library.get(ids)
        return {"get_s": round(time.perf_counter() - started, 4), "n": len(tracks)}


def search(url: str | None, n: int) -> dict[str, Any]:
    with Library.open(url, read_only=True) as library:
        started = time.perf_counter()
        found = library.list(50, search=f"song {n - 1}")
        return {"search_s": round(time.perf_counter() - started, 3), "n": len(found)}


STEPS: dict[str, tuple[str, Callable[[str | None, int], dict[str, Any]]]] = {
    "put": ("put new tracks", put),
    "put-again": ("put the same tracks again", put),
    "cold": ("open columns, nothing kept", open_columns),
    "cached": ("open columns, kept", open_columns),
    "get": ("get 50 tracks", get_fifty),
    "search": ("search the last track", search),
}


def main() -> None:
    """Run every step, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=1_000_000)
    parser.add_argument("--url")
    parser.add_argument(
        "-o", "--out", type=Path, help="where the library is made; else a temporary folder"
    )
    parser.add_argument("--step", choices=STEPS)
    given = parser.parse_args()
    if given.step:
        started = time.perf_counter()
        said = STEPS[given.step][1](given.url, given.tracks)
        said["process_s"] = round(time.perf_counter() - started, 3)
        said["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        print(json.dumps(said))
        return
    with tempfile.TemporaryDirectory() as temporary:
        home = given.out or Path(temporary)
        environment = {**os.environ, "MOODWALK_HOME": str(home)}
        again = [sys.executable, __file__, "--tracks", str(given.tracks)]
        again += ["--url", given.url] if given.url else []
        for step, (what, _) in STEPS.items():
            done = subprocess.run(
                [*again, "--step", step],
                env=environment,
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            print(f"{what:32} {done.stdout.strip()}", flush=True)
        for path in sorted(p for p in home.rglob("*") if p.is_file()):
            print(f"{path.stat().st_size / 2**20:10.1f} MB {path.relative_to(home)}")


if __name__ == "__main__":
    main()

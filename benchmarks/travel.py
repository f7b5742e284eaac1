"""Do weights travel: accuracy of STEP through the whole input path, on folds of the 342 gaits.

    python benchmarks/travel.py --data FOLDER -o OUT --jobs 2

Ten folds share no walker (`subject`, seed 0). Every network is trained on the other nine (60 epochs, the
last one kept), and its weights are kept under OUT. Each fold is then scored

stored      as it is stored
through     written as BVH and read back as anybody's recording is: joints by name, up, unit and facing from
            the motion, turned to face +z
disturbed   likewise, of a body of other proportions (bones up to 10 % longer or shorter), with 1 cm of noise
            on every coordinate of every frame

by four networks:

step        gaits as stored, root at the origin: as published
body        every gait turned and scaled by its own body (`step-body`)
noisy       the same, trained on gaits of varied phase, speed and proportions, mirrored or not, with 1 cm of
            noise, always
travel      the same, but each gait's noise is drawn from none to 1 cm: tried after `noisy`, which had never
            seen a gait without noise, named only one angry gait of 33 right

The same command goes on where it stopped; OUT/answers.json holds every answer.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moodwalk.augment import STANDARD_AUGMENTATION, Augmentation
from moodwalk.estimator import GaitEmotionClassifier
from moodwalk.evaluation import (
    compute_scores,
    compute_subject_difference,
    compute_subject_interval,
    make_splits,
)
from moodwalk.gait import Gait, GaitSet
from moodwalk.intake.quality import assess_walk
from moodwalk.io import read
from moodwalk.io.atomic import write_whole_text
from moodwalk.io.bvh_writing import write_bvh
from moodwalk.predict import Predictor

DISTURBED = Augmentation(proportions=0.1, noise_m=0.01)
NOISY = replace(STANDARD_AUGMENTATION, proportions=0.1, noise_m=0.01)
VARIED = replace(NOISY, noise_spread=1.0)
VARIANTS: dict[str, dict[str, Any]] = {
    "step": {"model": "step"},
    "body": {"model": "step-body"},
    "noisy": {"model": "step-body", "augmentation": NOISY},
    "travel": {"model": "step-body", "augmentation": VARIED},
}
WAYS = ("stored", "through", "disturbed")
N_FOLDS = 10


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    gaits = read(given.data).only_labelled()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "answers.json"
    done: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    todo = [
        (name, fold) for fold in range(N_FOLDS) for name in VARIANTS if f"{name}-{fold}" not in done
    ]
    with ProcessPoolExecutor(given.jobs) as pool:
        running = {pool.submit(run, given.data, given.out, *cell): cell for cell in todo}
        for future in as_completed(running):
            name, fold = running[future]
            done[f"{name}-{fold}"] = future.result()
            write_whole_text(path, json.dumps(done, indent=1, sort_keys=True) + "\n")
            print(
                f"{name}, fold {fold}: done ({len(done)} of {N_FOLDS * len(VARIANTS)})", flush=True
            )
    report(gaits, done)


def run(data: Path, out: Path, name: str, fold: int) -> dict[str, list[Any]]:
    """Train one network, unless it is there, and return its answers to the fold's gaits."""
    torch.set_num_threads(1)
    gaits = read(data).only_labelled()
    split = make_splits("subject", gaits.labels, gaits.subjects, N_FOLDS)[fold]
    weights = out / f"{name}-{fold}.safetensors"
    if not weights.exists():
        model = GaitEmotionClassifier(epochs=60, seed=0, device="cpu", **VARIANTS[name])
        model.fit(gaits[split.train]).save(weights)
    predictor = Predictor.load(weights, min_confidence=0.0)
    tested = gaits[split.test]
    through = [through_bvh(gait) for gait in tested]
    rng = np.random.default_rng(fold)
    disturbed = [
        through_bvh(gait.with_positions(DISTURBED(gait.positions, rng))) for gait in tested
    ]
    found: dict[str, list[Any]] = {
        way: [str(predictor.predict(gait, force=True).emotion) for gait in walks]
        for way, walks in (("stored", tested), ("through", through), ("disturbed", disturbed))
    }
    found["kind"] = [assess_walk(gait).kind for gait in through]
    found["disturbed kind"] = [assess_walk(gait).kind for gait in disturbed]
    found["gait"] = split.test.tolist()
    return found


def through_bvh(gait: Gait) -> Gait:
    """Write a gait as BVH and read it as a stranger's recording."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk.bvh"
        write_bvh(path, gait)
        return read(path)[0]


def report(gaits: GaitSet, done: dict[str, Any]) -> None:
    """Print accuracy, both ways, of every network, and differences with intervals."""
    labels, subjects = gaits.labels, gaits.subjects
    classes = sorted(set(labels.tolist()))
    right: dict[tuple[str, str], np.ndarray] = {}
    for name in VARIANTS:
        cells = [done[f"{name}-{fold}"] for fold in range(N_FOLDS) if f"{name}-{fold}" in done]
        index = np.concatenate([cell["gait"] for cell in cells]).astype(int)
        for way in WAYS:
            answers = np.empty(len(gaits), dtype=labels.dtype)
            answers[index] = np.concatenate([cell[way] for cell in cells])
            scores = compute_scores(labels[index], answers[index], classes)
            correct = np.full(len(gaits), np.nan)
            correct[index] = answers[index] == labels[index]
            right[name, way] = correct
            low, high = compute_subject_interval(correct[index], subjects[index])
            print(
                f"{name:8} {way:9} {len(index)} gaits: accuracy {scores.accuracy:.1%} ({low:.1%} to "
                f"{high:.1%}), balanced {scores.balanced_accuracy:.1%}"
            )
    for what in ("kind", "disturbed kind"):
        kinds = np.concatenate([done[f"body-{fold}"][what] for fold in range(N_FOLDS)])
        counts = {str(kind): int((kinds == kind).sum()) for kind in np.unique(kinds)}
        print(f"read back, {what}: {counts}")
    for a, b in (
        (("body", "stored"), ("step", "stored")),
        (("travel", "stored"), ("body", "stored")),
        (("step", "through"), ("step", "stored")),
        (("body", "through"), ("step", "through")),
        (("body", "through"), ("body", "stored")),
        (("travel", "through"), ("step", "stored")),
        (("travel", "through"), ("body", "through")),
        (("travel", "through"), ("noisy", "through")),
        (("body", "disturbed"), ("body", "through")),
        (("travel", "disturbed"), ("body", "disturbed")),
        (("travel", "disturbed"), ("noisy", "disturbed")),
    ):
        found = compute_subject_difference(right[b], right[a], subjects)
        low, high = found.interval_points
        print(
            f"{' '.join(a)} less {' '.join(b)}: {found.points:+.1f} points ({low:.1f} to {high:.1f})"
        )


if __name__ == "__main__":
    main()

"""What the demonstration does, step by step, and what it leaves on disk."""

import json
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from joblib import cpu_count

from moodwalk.audit import Audit, audit_labels
from moodwalk.demo.page import write_demo_page
from moodwalk.demo.result import DEMO_COMMAND, DemoModel, DemoResult
from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.estimator import GaitEmotionClassifier
from moodwalk.evaluation import evaluate
from moodwalk.features import compute_affective_features
from moodwalk.gait import Gait, GaitSet
from moodwalk.io.atomic import check_writable, write_whole, write_whole_text
from moodwalk.io.emotion_gait import read_emotion_gait_parts, write_coded_emotion_gait
from moodwalk.listening import find_mood
from moodwalk.music.choose import choose_from
from moodwalk.music.simulated import simulated_catalogue
from moodwalk.predict import Predictor
from moodwalk.walker import simulate_walks

__all__ = ["DEMO_FILES", "DemoProgress", "run_demo"]

DEMO_FILES = ("demo.json", "features.h5", "labels.h5", "index.html")
"""What a demonstration leaves in its folder; the first marks the folder as its own."""


class DemoProgress(NamedTuple):
    """How far the demonstration is.

    Parameters
    ----------
    number, n_steps, step
        Which step, from 1; of how many; what it is called.
    done, total
        Parts of the step.
    finding
        What came out, once the step is done.
    """

    number: int
    n_steps: int
    step: str
    done: int
    total: int
    finding: str = ""


def run_demo(
    out: str | Path = "demo",
    *,
    seed: int = 0,
    jobs: int | None = None,
    weights: str | Path | None = None,
    n_walkers: int = 40,
    folds: int = 4,
    epochs: int = 20,
    progress: Callable[[DemoProgress], None] | None = None,
) -> DemoResult:
    """Simulate walks, audit their labels, test two models on them, and show it all on one page.

    Parameters
    ----------
    out
        Folder for ``features.h5`` and ``labels.h5`` (which every command reads), ``index.html``
        and ``demo.json``, written together at the end or not at all. What an earlier demonstration
        left there is overwritten, and nothing else.
    seed
        Of walks, folds and training.
    jobs
        Processes that train; by default one a processor, at most one a fold.
    weights
        For the prediction; None for those that moodwalk ships.
    n_walkers
        Simulated walkers, each with one walk in every emotion.
    folds
        Of both evaluations.
    epochs
        Of the network.
    progress
        Called at the start of every step, after every part of it, and with its finding.

    Returns
    -------
    DemoResult
        All figures.

    Raises
    ------
    DataFormatError
        If the files cannot be written, or files of these names are not a demonstration's.
    CheckpointError
        If the weights are missing or damaged.
    ConfigError
        If a number is out of range.
    """
    start_s = time.perf_counter()
    folder = Path(out)
    tell = _Teller(progress or (lambda _: None))
    _claim(folder)
    if n_walkers < folds:
        raise ConfigError(
            f"{n_walkers} walkers for {folds} folds; expected at least one walker a fold."
        )
    predictor = Predictor.load(weights)
    jobs = min(cpu_count(), folds) if jobs is None else jobs
    with tempfile.TemporaryDirectory(prefix="moodwalk-") as name:
        scratch = Path(name)
        tell.begin("Walks")
        write_coded_emotion_gait(scratch, _simulate(n_walkers, seed))
        tell.end(f"{4 * n_walkers} simulated: {n_walkers} walkers, each in four emotions")

        tell.begin("Labels", 2)
        gaits, audit = _audit(scratch, None, seed)
        tell.advance(1)
        _, audit_published = _audit(scratch, "published", seed)
        warned = ", with a warning" if audit_published.warning else ""
        tell.end(
            f"the order in use {audit.verdict}; the published one {audit_published.verdict}{warned}"
        )

        tell.begin("Features")
        features = compute_affective_features(gaits)
        tell.end(f"{features.shape[1]} numbers for every walk")

        trees = _test(tell, gaits, EXTRA_TREES, folds, seed, jobs, epochs)
        step = _test(tell, gaits, STEP, folds, seed, jobs, epochs)

        tell.begin("Prediction")
        predictions = tuple(predictor.predict_many([_anonymise(gait) for gait in gaits]))
        n_named = sum(g.label == p.emotion for g, p in zip(gaits, predictions, strict=True))
        tell.end(f"{n_named} of {len(gaits)} named as simulated, by weights of real walks")

        tell.begin("Music")
        shown = _choose_shown(gaits)
        listener = shown[EMOTIONS.index(Emotion.SAD)]
        tracks = simulated_catalogue(seed=seed)
        music = choose_from(tracks, find_mood([predictions[listener]]), mode="lift", n=6)
        tell.end(f"{len(music.tracks)} of {len(tracks)} simulated tracks, in order")

        tell.begin("Page")
        result = DemoResult(
            out=shlex.quote(str(folder)),
            gaits=gaits,
            shown=shown,
            features=features,
            audit=audit,
            audit_published=audit_published,
            models=(trees, step),
            predictions=predictions,
            listener=listener,
            music=music,
            weights="shipped with moodwalk" if weights is None else Path(weights).name,
            seed=seed,
            seconds=time.perf_counter() - start_s,
        )
        write_whole_text(
            scratch / "demo.json", json.dumps(result.to_dict(), indent=2, allow_nan=False) + "\n"
        )
        write_demo_page(scratch / "index.html", result)
        _publish(scratch, folder)
        tell.end(f"{folder / 'index.html'}")
    return result


class _Candidate(NamedTuple):
    model: str
    title: str
    description: str


EXTRA_TREES = _Candidate(
    "extra-trees", "Extra trees", "a classic learner: many random decision trees over the features"
)
STEP = _Candidate(
    "step", "STEP", "a published neural network over the moving joints and the features"
)


class _Teller:
    """Say which step is on, without every step knowing its number."""

    N_STEPS = 8

    def __init__(self, say: Callable[[DemoProgress], None]) -> None:
        self._say = say
        self._at = DemoProgress(0, self.N_STEPS, "", 0, 1)

    def begin(self, step: str, total: int = 1) -> None:
        self._at = DemoProgress(self._at.number + 1, self.N_STEPS, step, 0, total)
        self._say(self._at)

    def advance(self, done: int) -> None:
        self._say(self._at._replace(done=done))

    def end(self, finding: str) -> None:
        self._say(self._at._replace(done=self._at.total, finding=finding))


def _claim(folder: Path) -> None:
    """Refuse, before long work, a folder that cannot be written or whose files are another's."""
    for name in DEMO_FILES:
        check_writable(folder / name)
    found = [name for name in DEMO_FILES if (folder / name).exists()]
    if found and not _is_ours(folder / DEMO_FILES[0]):
        raise DataFormatError(
            f"{folder} holds {found[-1]}, which no demonstration wrote; expected a new folder or "
            f"that of an earlier one. Choose another with --out."
        )


def _is_ours(marker: Path) -> bool:
    try:
        document = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("command") == DEMO_COMMAND


def _simulate(n_walkers: int, seed: int) -> GaitSet:
    """Simulate walks under keys like those of Emotion-Gait, which say what was acted."""
    walks = simulate_walks(n_walkers, len(EMOTIONS), seed)
    width = max(3, len(str(n_walkers)))
    number = {subject: i for i, subject in enumerate(dict.fromkeys(walks.subjects.tolist()), 1)}
    return GaitSet(
        replace(
            gait,
            name=f"{number[str(gait.subject)]:0{width}d}_{str(gait.label).capitalize()}_simulated",
            acted=gait.label,
        )
        for gait in walks
    )


def _audit(folder: Path, order: str | None, seed: int) -> tuple[GaitSet, Audit]:
    """Read the walks as any other data set, and weigh the evidence for their label order."""
    (part,) = read_emotion_gait_parts(folder, order)
    return part.gaits, audit_labels(part, seed)


def _test(
    tell: _Teller,
    gaits: GaitSet,
    candidate: _Candidate,
    folds: int,
    seed: int,
    jobs: int,
    epochs: int,
) -> DemoModel:
    tell.begin(candidate.title, folds)
    evaluation = evaluate(
        GaitEmotionClassifier(candidate.model, epochs=epochs, device="cpu"),
        gaits,
        protocol="subject",
        folds=folds,
        seed=seed,
        jobs=jobs,
        progress=lambda done, _: tell.advance(done),
    )
    options = f"--model {candidate.model} --protocol subject --folds {folds} --seed {seed}"
    description = candidate.description
    if candidate is STEP:
        options += f" --epochs {epochs}"
        description += f", trained for {epochs} rounds only (published runs: 180 and more)"
    model = DemoModel(candidate.title, description, options, evaluation)
    low, high = evaluation.accuracy_ci95
    tell.end(
        f"{model.n_right} of {len(gaits)} right, {evaluation.accuracy:.1%} ({low:.1%} to {high:.1%}), "
        f"walkers unseen"
    )
    return model


def _anonymise(gait: Gait) -> Gait:
    return replace(gait, label=None, acted=None)


def _choose_shown(gaits: GaitSet) -> tuple[int, ...]:
    """Return the first walker's walk in every emotion: not picked for looks."""
    first = [i for i, gait in enumerate(gaits) if gait.subject == gaits[0].subject]
    return tuple(sorted(first, key=lambda i: EMOTIONS.index(Emotion(gaits.labels[i]))))


def _publish(scratch: Path, folder: Path) -> None:
    """Put all files in place, or none."""
    with ExitStack() as stack:
        for name in reversed(DEMO_FILES):  # the marker takes its place first
            temporary = stack.enter_context(write_whole(folder / name))
            shutil.copyfile(scratch / name, temporary)

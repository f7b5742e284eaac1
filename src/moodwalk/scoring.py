"""Many files to answers: each is read and scored where the engine says, and none stops the others."""

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from moodwalk.emotion import Emotion
from moodwalk.engine import Engine, LocalEngine
from moodwalk.errors import MoodwalkError, QualityError
from moodwalk.gait import Gait, GaitSet
from moodwalk.io import ReadOptions, iterate_corpus, list_walks, read, set_rate
from moodwalk.io.corpus import is_corpus, list_corpus_parts
from moodwalk.predict import Prediction, Predictor

__all__ = ["Refusal", "ScoredWalk", "ScoringJob", "count_workers", "list_tasks", "score"]

N_FILES_A_TASK = 16
"""Enough that windows of several walks go through the network together."""

N_TOGETHER = 256
"""Walks that are scored at once, so that memory does not grow with their number."""


@dataclass(frozen=True, slots=True)
class ScoringJob:
    """How to score.

    Parameters
    ----------
    weights
        A file; None for the weights that moodwalk ships.
    min_confidence, max_novelty
        As of a `Predictor`.
    force
        Answer also where a recording shows no walk.
    options
        What recordings do not say of themselves.
    """

    weights: Path | None = None
    min_confidence: float | None = None
    max_novelty: float | None = None
    force: bool = False
    options: ReadOptions = field(default_factory=ReadOptions)


@dataclass(frozen=True, slots=True)
class ScoredWalk:
    """The answer to one walk.

    Parameters
    ----------
    path
        Its file.
    name, label
        As of the `Gait`.
    prediction
        The answer.
    """

    path: Path
    name: str
    label: Emotion | None
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that could not be read, or a walk that is none.

    Parameters
    ----------
    path
        The file.
    error
        What is wrong, in one line.
    """

    path: Path
    error: MoodwalkError


def list_tasks(paths: Sequence[str | Path]) -> list[tuple[Path, ...]]:
    """Deal files out: some recordings a task, or one part of a corpus.

    Parameters
    ----------
    paths
        Files, folders of recordings, corpora.

    Raises
    ------
    DataFormatError
        If a folder holds nothing that moodwalk reads.
    """
    tasks: list[tuple[Path, ...]] = []
    for path in map(Path, paths):
        if is_corpus(path):
            tasks += [(part,) for part in list_corpus_parts(path)]
            continue
        files = list_walks(path)
        tasks += [
            tuple(files[i : i + N_FILES_A_TASK]) for i in range(0, len(files), N_FILES_A_TASK)
        ]
    return tasks


def count_workers(tasks: Sequence[object]) -> int:
    """Return how many processes are worth their start: one, up to three tasks; then one a core."""
    return 1 if len(tasks) < 4 else min(len(tasks), os.cpu_count() or 1)


def score(
    tasks: Sequence[tuple[Path, ...]], job: ScoringJob, engine: Engine | None = None
) -> Generator[list[ScoredWalk | Refusal]]:
    """Read and score walks.

    Parameters
    ----------
    tasks
        As `list_tasks` returns them.
    job
        How.
    engine
        Where; by default this very process.

    Yields
    ------
    list of ScoredWalk or Refusal
        Of one task after the other, in the order of `tasks`.

    Raises
    ------
    CheckpointError, ConfigError
        If the weights cannot be used.
    """
    engine = engine or LocalEngine(1)
    _load(
        job.weights, job.min_confidence, job.max_novelty
    )  # a fault of the weights is nobody's task
    if not isinstance(engine, LocalEngine) or engine.jobs > 1:
        job = replace(job, options=replace(job.options, progress=None))  # it stays in this process
    waiting: dict[int, list[ScoredWalk | Refusal]] = {}
    following = 0
    for outcome in engine.run(_score_task, job, tasks):
        if outcome.error is not None:
            raise outcome.error
        waiting[outcome.number] = outcome.result
        while following in waiting:
            yield waiting.pop(following)
            following += 1


@lru_cache(maxsize=2)
def _load(
    weights: Path | None, min_confidence: float | None, max_novelty: float | None
) -> Predictor:
    return Predictor.load(weights, min_confidence=min_confidence, max_novelty=max_novelty)


def _score_task(job: ScoringJob, files: tuple[Path, ...]) -> list[ScoredWalk | Refusal]:
    predictor = _load(job.weights, job.min_confidence, job.max_novelty)
    found: list[ScoredWalk | Refusal] = []
    walks: list[tuple[Path, Gait]] = []
    for file in files:
        try:
            for part in _read(file, job.options):
                walks += [(file, gait) for gait in part]
                while len(walks) >= N_TOGETHER:
                    found += _answer(predictor, walks[:N_TOGETHER], job.force)
                    walks = walks[N_TOGETHER:]
        except MoodwalkError as error:
            found.append(Refusal(file, error))
    return [*found, *_answer(predictor, walks, job.force)]


def _read(file: Path, options: ReadOptions) -> Iterator[GaitSet]:
    if file.suffix.lower() in (".parquet", ".pq") and _is_own_parquet(file):
        for part in iterate_corpus(file):
            yield set_rate(part, options)
        return
    yield read(file, options=options)


def _is_own_parquet(file: Path) -> bool:
    """Return whether a Parquet file is a table of moodwalk's own, which is read piece by piece."""
    from moodwalk.io.recordings import is_recording

    return not is_recording(file)


def _answer(
    predictor: Predictor, walks: list[tuple[Path, Gait]], force: bool
) -> list[ScoredWalk | Refusal]:
    """Score walks together; where one of them is refused, one by one, to tell which."""
    try:
        predictions = predictor.predict_many([gait for _, gait in walks], force=force)
    except QualityError as error:
        if len(walks) == 1:
            return [Refusal(walks[0][0], error)]
        half = len(walks) // 2
        return [
            *_answer(predictor, walks[:half], force),
            *_answer(predictor, walks[half:], force),
        ]
    return [
        ScoredWalk(file, gait.name, gait.label, prediction)
        for (file, gait), prediction in zip(walks, predictions, strict=True)
    ]

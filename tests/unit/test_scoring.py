import numpy as np
import pytest

from moodwalk.engine import LocalEngine
from moodwalk.errors import CheckpointError, DataFormatError
from moodwalk.io.bvh_writing import write_bvh
from moodwalk.io.corpus import write_corpus
from moodwalk.scoring import (
    N_FILES_A_TASK,
    Refusal,
    ScoredWalk,
    ScoringJob,
    count_workers,
    list_tasks,
    score,
)
from moodwalk.walker import WalkerParameters, simulate_gait, simulate_walks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twenty walks; one file is damaged, and one shows somebody who stands."""
    folder = tmp_path_factory.mktemp("walks")
    for i in range(20):
        walk = simulate_gait(WalkerParameters(cadence_spm=90 + 2 * i), n_frames=60, travel=True)
        write_bvh(folder / f"{i:02d}.bvh", walk)
    (folder / "20.bvh").write_text("HIERARCHY\nROOT Hips\n{\n")
    pose = simulate_gait(WalkerParameters(), n_frames=4).positions[:1]
    write_bvh(folder / "21.bvh", walk.with_positions(np.repeat(pose, 60, axis=0)))
    return folder


def test_tasks_are_some_files_each(folder):
    tasks = list_tasks([folder])
    assert [len(task) for task in tasks] == [N_FILES_A_TASK, 22 - N_FILES_A_TASK]
    assert [path.name for task in tasks for path in task] == [f"{i:02d}.bvh" for i in range(22)]


def test_every_file_gets_its_answer_or_its_reason(folder):
    found = [one for part in score(list_tasks([folder]), ScoringJob()) for one in part]
    refused = {one.path.name: str(one.error) for one in found if isinstance(one, Refusal)}
    assert set(refused) == {"20.bvh", "21.bvh"}
    assert "standing" in refused["21.bvh"]
    scored = [one for one in found if isinstance(one, ScoredWalk)]
    assert [one.path.name for one in scored] == [f"{i:02d}.bvh" for i in range(20)]
    for i, one in enumerate(scored):
        assert one.prediction.cadence_spm == pytest.approx(90 + 2 * i, rel=0.05)


def test_worker_processes_answer_the_same_in_order(folder):
    tasks = [(path,) for task in list_tasks([folder]) for path in task][:5]
    here, there = (
        [one for part in score(tasks, ScoringJob(), engine) for one in part]
        for engine in (None, LocalEngine(2))
    )
    assert [one.path for one in here] == [one.path for one in there]
    for one, other in zip(here, there, strict=True):
        assert one.prediction.probabilities == pytest.approx(other.prediction.probabilities)


def test_a_corpus_is_scored_part_by_part(tmp_path):
    pytest.importorskip("pyarrow")
    gaits = simulate_walks(n_subjects=3, gaits_per_subject=2, seed=5)
    write_corpus(tmp_path / "corpus", gaits)
    tasks = list_tasks([tmp_path / "corpus"])
    assert len(tasks) == 3
    found = [one for part in score(tasks, ScoringJob()) for one in part]
    assert sorted(one.name for one in found) == sorted(gait.name for gait in gaits)


def test_processes_are_started_where_they_are_worth_it():
    assert [count_workers(range(n)) for n in (0, 1, 3)] == [1, 1, 1]
    assert count_workers(range(1000)) >= 1


def test_faults_of_the_weights_and_of_folders_are_nobodys_refusal(folder, tmp_path):
    (tmp_path / "weights").write_bytes(b"none")
    with pytest.raises(CheckpointError):
        list(score(list_tasks([folder]), ScoringJob(weights=tmp_path / "weights")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataFormatError, match="no walks"):
        list_tasks([tmp_path / "empty"])

"""A folder of results: whole files, one experiment, one writer."""

import errno
import json
import math
import os
from pathlib import Path

import pytest

from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.experiments.config import parse_experiment
from moodwalk.experiments.plan import describe_gaits, make_plan
from moodwalk.experiments.store import ResultFolder, read_cells
from moodwalk.walker import simulate_walks

OWN = "from torch import nn\nclass Net(nn.Module):\n    pass\n"


@pytest.fixture(scope="module")
def gaits():
    return simulate_walks(n_subjects=6, gaits_per_subject=4, seed=1, n_frames=30)


def make(*, seed=0, folds=2, models=None, **more):
    return parse_experiment(
        {
            "protocol": {"folds": folds, "seed": seed},
            "models": models or [{"name": "a", "model": "majority"}],
            **more,
        }
    )


class Folder:
    """A result folder, and the experiment that it belongs to."""

    def __init__(self, path, gaits):
        self.store = ResultFolder(path)
        self.path = path
        self.gaits = gaits

    def open(self, experiment, gaits=None):
        plan = make_plan(experiment, self.gaits if gaits is None else gaits)
        about = describe_gaits(self.gaits if gaits is None else gaits)
        return self.store.open(experiment, about, plan)

    def refuse(self, experiment, gaits=None, error=ConfigError):
        before = snapshot(self.path)
        with pytest.raises(error) as caught, self.open(experiment, gaits):
            pytest.fail("the folder was opened")
        assert snapshot(self.path) == before
        assert "\n" not in str(caught.value)
        return str(caught.value)


def snapshot(path):
    files = [file for file in Path(path).rglob("*") if file.is_file() and file.name != ".lock"]
    return {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


@pytest.fixture
def folder(tmp_path, gaits):
    return Folder(tmp_path / "out", gaits)


@pytest.fixture
def cells(gaits):
    return make_plan(make(), gaits).cells


def make_record(cell):
    return {
        "format": "moodwalk-cell-1",
        "key": cell.key,
        "training": {"params": {"C": math.inf}},
        "predicted": "0123",
    }


def test_a_result_comes_back_as_it_was_written(folder, cells):
    with folder.open(make()):
        for cell in cells:
            folder.store.write(cell, make_record(cell))
    assert folder.store.read_done() == {cell.key: make_record(cell) for cell in cells}
    names = [path.name for path in sorted((folder.path / "cells").iterdir())]
    assert names == ["a-01-01.json", "a-01-02.json"]


def test_the_experiment_is_kept_with_its_walks_and_versions(folder, gaits):
    with folder.open(make(title="A title")):
        pass
    document = folder.store.read()
    assert document["experiment"]["title"] == "A title"
    assert parse_experiment(document["experiment"]) == make(title="A title")
    assert document["gaits"] == describe_gaits(gaits)
    assert {"python", "torch", "moodwalk"} <= set(document["versions"])
    assert [line["name"] for line in document["lines"]] == ["a"]
    assert document["lines"][0]["cells"] == [c.key for c in make_plan(make(), gaits).cells]


def test_a_failure_is_forgotten_when_the_cell_is_done(folder, cells):
    with folder.open(make()):
        folder.store.write_failure(cells[0], {"key": cells[0].key, "message": "no"})
        folder.store.write_failure(cells[1], {"key": cells[1].key, "message": "no"})
        folder.store.write(cells[0], make_record(cells[0]))
    assert [failure["key"] for failure in folder.store.read_failures()] == [cells[1].key]


def test_an_empty_or_missing_folder_holds_nothing(tmp_path):
    store = ResultFolder(tmp_path / "nowhere")
    assert store.read_done() == {}
    assert store.read_failures() == []
    with pytest.raises(DataFormatError, match="cannot be read: No such file"):
        store.read()


@pytest.mark.parametrize(
    "text",
    [
        "", "{", '{"format": "moodwalk-cell-1"', "[]", "3", '{"format": "another"}',
        '{"format": "moodwalk-cell-1", "predicted": "0"}',
        '{"format": "moodwalk-cell-1", "key": "k"}',
        '{"format": "moodwalk-cell-1", "key": 3, "predicted": "0"}',
    ],
)  # fmt: skip
def test_a_damaged_cell_counts_as_not_done(folder, cells, text):
    with folder.open(make()):
        for cell in cells:
            folder.store.write(cell, make_record(cell))
    (folder.path / "cells" / "a-01-01.json").write_text(text)
    assert list(folder.store.read_done()) == [cells[1].key]


def test_what_a_killed_writer_left_counts_for_nothing_and_is_removed(folder, cells):
    with folder.open(make()):
        folder.store.write(cells[0], make_record(cells[0]))
    whole = (folder.path / "cells" / "a-01-01.json").read_text()
    left = [
        folder.path / "cells" / ".0123456789abcdef.part.json",
        folder.path / "failed" / ".0123456789abcdef.part.json",
        folder.path / ".0123456789abcdef.part.json",
    ]
    (folder.path / "failed").mkdir()
    left[0].write_text(whole.replace(cells[0].key, cells[1].key))
    left[1].write_text('{"key"')
    left[2].write_text("")
    assert list(folder.store.read_done()) == [cells[0].key]
    assert folder.store.read_failures() == []
    with folder.open(make()):
        pass
    assert not any(path.exists() for path in left)
    assert list(folder.store.read_done()) == [cells[0].key]


@pytest.mark.parametrize(
    "change", [{"title": "Another"}, {"question": "Why?"}, {"data": {"path": "elsewhere"}}], ids=str
)
def test_other_words_are_no_other_experiment(folder, change):
    with folder.open(make()):
        pass
    begun = folder.store.read()
    with folder.open(make(**change)):
        pass
    now = folder.store.read()
    assert parse_experiment(now["experiment"]) == make(**change)
    assert now["versions"] == begun["versions"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 3}, "protocol.seed is 0 there and 3 here"),
        ({"folds": 3}, "protocol.folds is 2 there and 3 here"),
        ({"published": True}, "published is False there and True here"),
        ({"training": {"epochs": 7}}, "models.1.training.epochs is 60 there and 7 here"),
        ({"models": [{"name": "b", "model": "majority"}]}, "baseline is 'a' there and 'b' here"),
        (
            {"models": [{"name": "a", "model": "svm"}]},
            "models.1.model is 'majority' there and 'svm' here",
        ),
        (
            {"models": [{"name": "a", "model": "majority", "params": {"constant": None}}]},
            "models.1.params.constant is only here",
        ),
        (
            {"models": [{"name": "a", "model": "majority"}, {"name": "b", "model": "svm"}]},
            "models are 1 there and 2 here",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:1 of 1 test sets have no:moodwalk.errors.MoodwalkWarning")
def test_another_experiment_is_refused_with_the_difference(folder, change, said):
    with folder.open(make()):
        pass
    message = folder.refuse(make(**change))
    assert f"{folder.path} holds the results of another experiment: {said}. " in message
    assert f"--reuse {folder.path}" in message


def test_other_walks_are_another_experiment(folder, gaits):
    with folder.open(make()):
        pass
    assert "gaits.n_gaits is 24 there and 23 here" in folder.refuse(make(), gaits[:-1])
    assert "gaits.digest is " in folder.refuse(make(), gaits[::-1])


def make_own(path):
    return make(models=[{"name": "own", "model": f"{path}:Net"}])


def test_a_users_changed_file_is_another_experiment(folder, tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    with folder.open(make_own(path)):
        pass
    path.write_text(OWN + "\n")
    assert "code.own.py:Net is " in folder.refuse(make_own(path))


def test_where_a_users_file_lies_is_no_other_experiment(folder, tmp_path, monkeypatch):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path / "here")
    codes = []
    for path in ("own.py", "../there/own.py", tmp_path / "here" / "own.py"):
        with folder.open(make_own(path)):  # refuses what is another experiment
            codes.append(folder.store.read()["code"])
    assert codes[0] == codes[1] == codes[2]


def test_two_files_of_one_name_are_both_watched(folder, tmp_path):
    models = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.py").write_text(f"{OWN}\nname = '{name}'\n")
        models.append({"name": name, "model": f"{tmp_path}/{name}/own.py:Net"})
    with folder.open(make(models=models)):
        pass
    for name in ("one", "two"):
        path = tmp_path / name / "own.py"
        before = path.read_text()
        path.write_text(before + "\n")
        assert "code.own.py:Net is " in folder.refuse(make(models=models))
        path.write_text(before)


def test_a_second_writer_is_refused_while_the_first_is_there(folder):
    with folder.open(make()):
        assert "is in use by another run; wait for it" in folder.refuse(make())
    with folder.open(make()):  # and not longer
        pass


def test_a_writer_that_fails_gives_the_folder_back(folder):
    with pytest.raises(KeyboardInterrupt), folder.open(make()):
        raise KeyboardInterrupt
    with folder.open(make()):
        pass


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "{}", '{"format": "moodwalk-experiment-1"}',
        '{"format": "moodwalk-experiment-1", "experiment": [], "gaits": {}, "code": {}, "lines": []}',
        '{"format": "moodwalk-experiment-1", "experiment": {}, "gaits": 3, "code": {}, "lines": []}',
        '{"format": "moodwalk-experiment-1", "experiment": {}, "gaits": {}, "code": {}, "lines": []}',
    ],
)  # fmt: skip
def test_a_damaged_experiment_is_refused_and_kept(folder, text):
    folder.path.mkdir()
    (folder.path / "experiment.json").write_text(text)
    assert "experiment" in folder.refuse(make(), error=(DataFormatError, ConfigError))


def test_a_folder_that_cannot_be_is_refused(tmp_path, gaits):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "out"):
        folder = Folder(path, gaits)
        assert "cannot be written" in folder.refuse(make(), error=DataFormatError)
    (tmp_path / "out" / "experiment.json").mkdir(parents=True)
    assert "is a folder" in Folder(tmp_path / "out", gaits).refuse(make(), error=DataFormatError)


def test_a_full_disk_leaves_nothing_half_written(folder, cells, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with folder.open(make()):
        folder.store.write(cells[0], make_record(cells[0]))
        before = snapshot(folder.path)
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(DataFormatError, match=r"a-01-02.json cannot be written: No space left"):
            folder.store.write(cells[1], make_record(cells[1]))
        assert snapshot(folder.path) == before


def test_cells_are_read_from_anywhere(folder, cells, tmp_path):
    with folder.open(make()):
        folder.store.write(cells[0], make_record(cells[0]))
    assert [record["key"] for record in read_cells(folder.path / "cells")] == [cells[0].key]
    assert list(read_cells(tmp_path / "nowhere")) == []
    text = (folder.path / "cells" / "a-01-01.json").read_text()
    assert len(text.splitlines()) == 2 + len(make_record(cells[0]))
    assert json.loads(text) == make_record(cells[0])

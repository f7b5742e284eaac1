"""The same cells on a Dask cluster of several processes, some of which die."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module

import pytest

from moodwalk.cli import main
from moodwalk.engine import DaskEngine
from moodwalk.errors import ConfigError, WorkerError
from moodwalk.experiments import read_experiment, run_experiment
from moodwalk.io import read
from moodwalk.io.corpus import write_corpus
from moodwalk.io.emotion_gait import write_emotion_gait
from moodwalk.walker import simulate_walks

pytest.importorskip("distributed", reason="Dask is part of the extra 'lab'")
config = pytest.importorskip("dask.config")

CONFIG = """
[data]
path = "walks.h5"

[protocol]
folds = 3
repeats = 2

[training]
epochs = 2
augment = true

[[models]]
name = "trees"
model = "extra-trees"
params = { n_estimators = 5 }

[[models]]
name = "network"
model = "step"
params = { blocks = [[4, 1]], kernel = 9, dropout = 0.2 }

[[models]]
name = "own"
model = "own.py:Own"
"""

OWN = """
from torch import nn

class OwnError(Exception):
    pass

class Own(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.classes = nn.Linear(48, n_classes)

    def forward(self, positions, affective):
        return self.classes(positions.mean(dim=1).flatten(1))
"""

N_CELLS = 18


# what workers run is imported there by name, so it lies in a module that loads nothing heavy
WORK = """
import os
import signal
import time

from moodwalk.models.custom import CustomModel

def work(own, task):
    what, number = task
    if what == "raise":
        raise ValueError(f"number {number} will not")
    if what == "raise-own":
        raise CustomModel("own.py", "OwnError", own).load()(f"number {number}")
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    return 10 * number
"""


class Cluster:
    """A scheduler and workers, each a process."""

    def __init__(self, folder, modules, port=0, n_workers=0, **environment):
        self.folder = folder
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(modules),
            **environment,
        }
        self.workers = []
        file = folder / f"scheduler-{port}.json"
        file.unlink(missing_ok=True)
        self.scheduler = self.start(
            "scheduler", "--host", "127.0.0.1", "--port", port, "--scheduler-file", file
        )
        wait_until(lambda: file.exists() and file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]
        for _ in range(n_workers):
            self.add_worker()

    def start(self, what, *options):
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard"]
        with (self.folder / f"{what}.log").open("a") as log:
            return subprocess.Popen(
                [*command, *map(str, options)],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def add_worker(self, *options):
        options = options or ("--no-nanny", "--nthreads", 2)
        self.workers.append(
            self.start("worker", self.address, *options, "--local-directory", self.folder)
        )

    def stop(self):
        for process in (*self.workers, self.scheduler):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a nanny's workers with it
            process.wait()


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("dask")
    gaits = simulate_walks(n_subjects=8, gaits_per_subject=4, seed=2, n_frames=36)
    write_emotion_gait(place / "walks.h5", gaits)
    (place / "own.py").write_text(OWN)
    (place / "e.toml").write_text(CONFIG)
    return place


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """Folder of what workers import."""
    modules = tmp_path_factory.mktemp("modules")
    (modules / "dask_work.py").write_text(WORK)
    return modules


@pytest.fixture
def work(modules, monkeypatch):
    monkeypatch.syspath_prepend(modules)
    return import_module("dask_work").work


@pytest.fixture(scope="module")
def cluster(place, modules):
    """Three worker processes of two threads each."""
    cluster = Cluster(place, modules, n_workers=3)
    yield cluster
    cluster.stop()


@pytest.fixture
def make_cluster(tmp_path, modules):
    made = []

    def make(*arguments, **more):
        made.append(Cluster(tmp_path, modules, *arguments, **more))
        return made[-1]

    yield make
    for cluster in made:
        cluster.stop()


@pytest.fixture(scope="module")
def at_home(place):
    """What the experiment gives in this process."""
    return sweep(place, place / "home")


def sweep(place, out, engine=None, progress=None):
    experiment, gaits = read_experiment(place / "e.toml"), read(place / "walks.h5")
    state = run_experiment(experiment, gaits, out, engine=engine, progress=progress)
    assert (state.n_done, state.n_failed) == (N_CELLS, 0)
    return read_all(out)


def read_all(folder):
    """Return every cell by name, but for what it took and what was checked out meanwhile."""
    cells = {}
    for path in (folder / "cells").iterdir():
        record = json.loads(path.read_text())
        del record["seconds"], record["cpu_seconds"], record["commit"]
        (record["history"] or {}).pop("seconds", None)
        cells[path.name] = record
    return cells


def run_all(engine, work, *what):
    tasks = [(name, number) for number, name in enumerate(what)]
    outcomes = list(engine.run(work, OWN + "# read nowhere else", tasks))
    assert sorted(outcome.number for outcome in outcomes) == list(range(len(tasks)))
    return {outcome.number: outcome for outcome in outcomes}


def test_a_cluster_gives_the_cells_that_this_process_gives(cluster, place, at_home, tmp_path):
    assert len(at_home) == N_CELLS
    assert sweep(place, tmp_path, DaskEngine(cluster.address)) == at_home


def test_a_worker_killed_in_the_middle_loses_nothing(cluster, place, at_home, tmp_path):
    told = []

    def kill(state):
        told.append(state.n_done)
        if state.n_done == 4:
            worker = cluster.workers.pop()
            worker.kill()
            worker.wait()

    try:
        assert sweep(place, tmp_path, DaskEngine(cluster.address), kill) == at_home
    finally:
        cluster.add_worker()
    assert told == list(range(N_CELLS + 1))  # and none came twice


def test_an_error_ends_its_own_task_only(cluster, work):
    outcomes = run_all(DaskEngine(cluster.address), work, "do", "raise", "raise-own", "do", "do")
    assert [outcomes[i].result for i in (0, 3, 4)] == [0, 30, 40]
    assert isinstance(outcomes[1].error, ValueError)
    assert "in work" in outcomes[1].traceback
    assert str(outcomes[2].error) == "OwnError: number 2"


def test_evaluate_gives_the_figures_that_it_gives_at_home(cluster, place, capsys):
    arguments = ["evaluate", "--data", str(place / "walks.h5"), "--model", "extra-trees"]
    arguments += ["--folds", "3", "--json"]
    assert main(arguments) == 0
    at_home = json.loads(capsys.readouterr().out)
    away = subprocess.run(
        [sys.executable, "-m", "moodwalk", *arguments, "--engine", "dask"],
        env={**os.environ, "DASK_SCHEDULER_ADDRESS": cluster.address},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(away.stdout)
    for document in (at_home, told):
        del document["seconds"]
        for fold in document["folds"]:
            del fold["seconds"]
    assert told == at_home


def test_a_corpus_is_scored_on_a_cluster_as_at_home(cluster, tmp_path, capsys):
    pytest.importorskip("pyarrow")
    corpus = tmp_path / "corpus"
    write_corpus(corpus, simulate_walks(n_subjects=6, gaits_per_subject=2, seed=4))
    answers = []
    for where in (("--jobs", "1"), ("--engine", "dask", "--cluster", cluster.address)):
        assert main(["predict", str(corpus), *where, "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out)["results"])
    at_home, there = answers
    assert len(at_home) == 12
    assert [one["name"] for one in at_home] == [one["name"] for one in there]
    for one, other in zip(at_home, there, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)


def test_dasks_own_configuration_names_the_cluster(cluster, work):
    with config.set({"scheduler-address": cluster.address}):
        outcomes = run_all(DaskEngine(), work, "do")
    assert outcomes[0].result == 0


def test_a_cluster_that_nobody_named_is_asked_for(place, tmp_path, capsys):
    with config.set({"scheduler-address": None}):
        status = main(
            ["experiment", "run", str(place / "e.toml"), "-o", str(tmp_path), "--engine", "dask"]
        )
    _, err = capsys.readouterr()
    assert status == 2
    assert err.splitlines()[-1] == (
        "error: engine dask has no cluster: give --cluster ADDRESS, or set Dask's own "
        "DASK_SCHEDULER_ADDRESS."
    )


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "nonsense://there", "no address", "tcp://"]
)
def test_a_cluster_that_does_not_answer_gets_one_line(work, address, capfd):
    with pytest.raises(ConfigError) as caught:
        run_all(DaskEngine(address, timeout_s=0.5), work, "do")
    assert str(caught.value).startswith(f"no Dask cluster answers at {address} (")
    assert capfd.readouterr() == ("", "")


# the collector comes when Dask starts the loop of a client, and holds the lock of all loops
COLLECTS_AT_THE_WORST_TIME = """
import gc
import sys

from distributed.utils import LoopRunner

from moodwalk.engine import DaskEngine
from moodwalk.errors import ConfigError

start = LoopRunner._start_unlocked

def collect_and_start(runner):
    if gc.isenabled():
        gc.collect()
    start(runner)

gc.set_threshold(10**9)
try:
    next(DaskEngine("nonsense://there", timeout_s=0.5).run(abs, None, [1]))
except ConfigError as error:
    print(error)
LoopRunner._start_unlocked = collect_and_start
outcome = next(DaskEngine(sys.argv[1]).run(divmod, 7, [2]))
print(outcome.result)
assert gc.isenabled()
"""


def test_a_client_that_found_no_cluster_does_not_stand_in_the_next_ones_way(cluster):
    ended = subprocess.run(
        [sys.executable, "-c", COLLECTS_AT_THE_WORST_TIME, cluster.address],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ended.stdout.splitlines()[1:] == ["(3, 1)"]


def test_a_scheduler_killed_in_the_middle_ends_the_run_and_keeps_what_is_done(
    make_cluster, place, at_home, tmp_path, capfd, monkeypatch
):
    cluster = make_cluster(n_workers=1)
    out = tmp_path / "out"

    def make_engine(name, jobs, address):
        return Killer(address, timeout_s=1.5)

    class Killer(DaskEngine):
        def run(self, function, shared, tasks):
            for n_done, outcome in enumerate(super().run(function, shared, tasks), start=1):
                yield outcome
                if n_done == 3:
                    cluster.scheduler.kill()

    monkeypatch.setattr("moodwalk.cli.experiment.make_engine", make_engine)
    arguments = ["experiment", "run", str(place / "e.toml"), "-o", str(out)]
    assert main([*arguments, "--engine", "dask", "--cluster", cluster.address]) == 2
    printed, err = capfd.readouterr()
    assert printed == ""
    assert [line for line in err.splitlines() if " done, " not in line] == [
        f"error: the Dask cluster at {cluster.address} went away; what was done is kept. Start it "
        f"again, and give the same command to go on."
    ]
    kept = read_all(out)
    assert 3 <= len(kept) < N_CELLS
    assert sweep(place, out) == at_home


def test_a_scheduler_that_comes_back_is_gone_on_with(make_cluster, work):
    cluster = make_cluster(n_workers=1)
    engine = DaskEngine(cluster.address, timeout_s=30)
    outcomes = engine.run(work, "", [("do", number) for number in range(12)])
    results = [next(outcomes).result for _ in range(3)]
    cluster.stop()
    port = int(cluster.address.rpartition(":")[2])
    make_cluster(port, n_workers=1)
    results += [outcome.result for outcome in outcomes]
    assert sorted(results) == [10 * number for number in range(12)]


def test_a_task_that_kills_its_workers_takes_no_other_with_it(make_cluster, work):
    cluster = make_cluster(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    with pytest.raises(ConfigError, match=f"cluster at {cluster.address} has no workers; "):
        run_all(DaskEngine(cluster.address, workers_timeout_s=0.5), work, "do")
    for _ in range(2):
        cluster.add_worker("--nthreads", 1)  # under a nanny, that starts it again
    outcomes = run_all(DaskEngine(cluster.address), work, "do", "do", "die", "do", "do", "do", "do")
    assert isinstance(outcomes[2].error, WorkerError)
    assert [outcomes[i].result for i in (0, 1, 3, 4, 5, 6)] == [0, 10, 30, 40, 50, 60]

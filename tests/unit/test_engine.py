"""Worker processes that end well, badly, or not at all."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from moodwalk.engine import LocalEngine
from moodwalk.errors import ConfigError, WorkerError

# What workers run must be importable there: this module is, by its name.


class ProudError(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


class Lock:
    def __init__(self):
        self.lock = threading.Lock()


def multiply(shared, task):
    return shared * task


def work(folder, task):
    """Do what the task says, and note every attempt."""
    what, number = task
    attempts = Path(folder) / f"attempts-{number}"
    with attempts.open("a") as file:
        file.write(f"{os.getpid()}\n")
    n_attempts = len(attempts.read_text().splitlines())
    if what == "raise":
        raise ValueError(f"number {number} will not")
    if what == "raise-proudly":
        raise ProudError("this", number)
    if what == "raise-lock":
        error = ValueError(f"number {number} holds a lock")
        error.lock = threading.Lock()
        raise error
    if what == "give-lock":
        return Lock()
    if what == "exit":
        sys.exit(3)
    if what == "die" or (what == "die-once" and n_attempts == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "linger":
        time.sleep(0.5)
    if what == "stay":
        time.sleep(600)
    return 10 * number


def raise_of_a_file(source, task):
    """Raise an error of a class that exists nowhere but in this process."""
    from moodwalk.models.custom import CustomModel

    raise CustomModel("own.py", "OwnError", source).load()(f"own error {task}")


def run(jobs, folder, *what):
    tasks = [(name, number) for number, name in enumerate(what)]
    outcomes = list(LocalEngine(jobs).run(work, str(folder), tasks))
    assert sorted(outcome.number for outcome in outcomes) == list(range(len(tasks)))
    return {outcome.number: outcome for outcome in outcomes}


def count_attempts(folder, number):
    return len((folder / f"attempts-{number}").read_text().splitlines())


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_every_result_comes_once(jobs):
    outcomes = list(LocalEngine(jobs).run(multiply, 7, range(11)))
    assert sorted((o.number, o.result) for o in outcomes) == [(i, 7 * i) for i in range(11)]
    assert not any(o.error for o in outcomes)


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_task_gives_no_outcome(jobs):
    assert list(LocalEngine(jobs).run(multiply, 7, [])) == []


@pytest.mark.parametrize("jobs", [0, -1])
def test_no_job_is_refused(jobs):
    with pytest.raises(ConfigError, match=f"jobs is {jobs}; expected at least 1"):
        LocalEngine(jobs)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_ends_its_own_task_only(tmp_path, jobs):
    outcomes = run(
        jobs, tmp_path, "do", "raise", "raise-proudly", "raise-lock", "give-lock", "exit", "do"
    )
    assert [outcomes[i].result for i in (0, 6)] == [0, 60]
    assert isinstance(outcomes[1].error, ValueError)
    assert str(outcomes[1].error) == "number 1 will not"
    assert "this and 2" in str(outcomes[2].error)
    assert "number 3 holds a lock" in str(outcomes[3].error)
    assert "SystemExit: 3" in str(outcomes[5].error)
    for number in (1, 2, 3, 5):
        assert "in work" in outcomes[number].traceback
    if jobs == 1:
        assert isinstance(outcomes[4].result, Lock)
    else:
        assert "Lock" in str(outcomes[4].error)
    assert [count_attempts(tmp_path, number) for number in range(7)] == [1] * 7


def test_an_error_class_that_only_the_worker_knows_arrives_as_words():
    source = "class OwnError(Exception):\n    pass\n"
    outcomes = list(LocalEngine(2).run(raise_of_a_file, source, [0, 1]))
    assert sorted(str(o.error) for o in outcomes) == [
        "OwnError: own error 0",
        "OwnError: own error 1",
    ]


def test_a_task_that_cannot_be_sent_fails_alone():
    outcomes = {o.number: o for o in LocalEngine(2).run(multiply, 2, [1, Lock(), 3])}
    assert (outcomes[0].result, outcomes[2].result) == (2, 6)
    assert outcomes[1].error is not None


def test_a_killed_worker_loses_nothing(tmp_path):
    outcomes = run(2, tmp_path, "do", "die-once", "do", "do", "die-once")
    assert [outcomes[i].result for i in range(5)] == [0, 10, 20, 30, 40]
    assert [count_attempts(tmp_path, number) for number in range(5)] == [1, 2, 1, 1, 2]


def test_a_task_that_always_kills_its_worker_takes_no_other_with_it(tmp_path):
    outcomes = run(3, tmp_path, "linger", "die", "linger", "linger", "linger")
    assert isinstance(outcomes[1].error, WorkerError)
    assert "3 times" in str(outcomes[1].error)
    assert [outcomes[i].result for i in (0, 2, 3, 4)] == [0, 20, 30, 40]
    # its neighbours were neither stopped nor repeated
    assert [count_attempts(tmp_path, number) for number in range(5)] == [1, 3, 1, 1, 1]


def test_closing_early_leaves_no_worker_behind(tmp_path):
    outcomes = LocalEngine(3).run(work, str(tmp_path), [("linger", 0), ("stay", 1), ("stay", 2)])
    assert next(outcomes).result == 0
    notes = [tmp_path / f"attempts-{number}" for number in (1, 2)]
    wait_until(lambda: all(note.exists() and note.read_text() for note in notes))
    pids = [int(note.read_text()) for note in notes]
    assert all(is_running(pid) for pid in pids)
    outcomes.close()
    assert not any(is_running(pid) for pid in pids)


_SCRIPT = """
import sys
sys.path.insert(0, {here!r})
import test_engine
from moodwalk.engine import LocalEngine
{guard}
    for outcome in LocalEngine(2).run(test_engine.work, {folder!r}, [("stay", 0), ("stay", 1)]):
        print(outcome)
"""


def start_script(folder, guard):
    path = folder / "script.py"
    here = str(Path(__file__).parent)
    path.write_text(_SCRIPT.format(here=here, guard=guard, folder=str(folder)))
    return subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path, how):
    parent = start_script(tmp_path, 'if __name__ == "__main__":')
    notes = [tmp_path / f"attempts-{number}" for number in (0, 1)]
    try:
        wait_until(lambda: all(note.exists() and note.read_text() for note in notes))
        pids = [int(note.read_text()) for note in notes]
        if how == signal.SIGINT:
            os.killpg(parent.pid, how)  # as Ctrl-C does, to all of them
        else:
            parent.kill()
        _, err = parent.communicate(timeout=60)
        wait_until(lambda: not any(is_running(pid) for pid in pids))
    finally:
        parent.kill()
        parent.communicate()
    assert err.count("KeyboardInterrupt") == (how == signal.SIGINT)  # the workers say nothing


def test_workers_that_cannot_start_are_given_up(tmp_path):
    with start_script(tmp_path, "if True:") as parent:
        _, err = parent.communicate(timeout=120)
    assert parent.returncode == 1
    assert "WorkerError: worker processes end before they can work." in err
    assert not list(tmp_path.glob("attempts-*"))

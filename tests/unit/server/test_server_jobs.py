# ruff: noqa: E402 - what follows needs the extra
import asyncio
import json
import sqlite3

import pytest

for _package in ("fastapi", "prometheus_client", "python_multipart"):
    pytest.importorskip(_package, reason="needs the extra 'app'")


from moodwalk.server.crew import Crew
from moodwalk.server.jobs import JobBoard
from moodwalk.server.metrics import Metrics
from moodwalk.server.problems import ProblemError
from moodwalk.server.settings import Limits

HEAD = {"kind": "generate", "alone": True, "memory": 2**32}
SMALL = json.dumps({"emotion": "sad"}).encode()
LARGE = json.dumps({"n": 6, "n_frames": 3000}).encode()


def run(folder, conversation, **limits):
    async def talk():
        bounds = Limits(**limits)
        crew = Crew("long", 1, {}, most_waiting=bounds.waiting_jobs)
        board = JobBoard(folder, crew, bounds, Metrics())
        await crew.start()
        try:
            return await conversation(board)
        finally:
            await board.stop()
            await crew.stop()

    return asyncio.run(talk())


async def reach(board, job, *states):
    for _ in range(3000):
        told = json.loads((await board.find(job)).dump())
        if told["state"] in states:
            return told
        await asyncio.sleep(0.02)
    raise AssertionError(f"{job} does not come to be {states}")


def test_one_after_the_other_with_progress_and_in_the_end_cleaned_up(tmp_path):
    gone = []

    async def talk(board):
        large = await board.submit("generate", HEAD, LARGE, lambda: gone.append("large"))
        small = await board.submit("generate", HEAD, SMALL, lambda: gone.append("small"))
        told = await reach(board, large, "running")
        assert (await board.find(small)).state == "queued"
        assert told["result"] is None
        told = json.loads((await board.wait(large, 60)).dump())
        assert told["state"] == "done"
        assert told["done"] == told["total"] == 6
        assert told["expires_at"]
        assert told["problem"] is None
        assert "large" in gone
        found = await board.wait(small, 30)
        assert found.state == "done"
        assert json.loads(found.answer)["gaits"] == 1

    run(tmp_path, talk)
    assert sorted(gone) == ["large", "small"]


def test_cancelled_they_stop_at_once_whether_they_run_or_wait(tmp_path):
    gone = []

    async def talk(board):
        first = await board.submit("generate", HEAD, LARGE, lambda: gone.append(1))
        second = await board.submit("generate", HEAD, LARGE, lambda: gone.append(2))
        await reach(board, first, "running")
        await board.cancel(second)
        assert (await board.find(second)).state == "cancelled"
        await board.cancel(first)
        assert (await board.find(first)).state == "cancelled"
        third = await board.submit("generate", HEAD, SMALL, lambda: None)
        assert (await board.wait(third, 30)).state == "done"
        await board.cancel(third)  # an ended one is forgotten
        with pytest.raises(ProblemError, match="no such job"):
            await board.find(third)

    run(tmp_path, talk)
    assert sorted(gone) == [1, 2]


def test_another_process_of_the_server_may_ask_and_cancel(tmp_path):
    async def talk(board):
        other = JobBoard(tmp_path, Crew("other", 1, {}, most_waiting=1), Limits(), Metrics())
        job = await board.submit("generate", HEAD, LARGE, lambda: None)
        await reach(other, job, "running")
        await other.cancel(job)
        await reach(other, job, "cancelled")

    run(tmp_path, talk)


def test_too_many_are_turned_away(tmp_path):
    gone = []

    async def talk(board):
        for _ in range(2):
            await board.submit("generate", HEAD, LARGE, lambda: gone.append(0))
        with pytest.raises(ProblemError) as caught:
            await board.submit("generate", HEAD, LARGE, lambda: gone.append("refused"))
        assert caught.value.status == 429
        assert caught.value.headers["Retry-After"]
        assert gone == ["refused"]

    run(tmp_path, talk, waiting_jobs=2)


def test_ended_ones_are_forgotten_after_a_while(tmp_path):
    async def talk(board):
        job = await board.submit("generate", HEAD, SMALL, lambda: None)
        await board.wait(job, 30)
        await asyncio.sleep(0.15)
        with pytest.raises(ProblemError, match="no such job"):
            await board.find(job)

    run(tmp_path, talk, job_keep_s=0.1)
    with sqlite3.connect(tmp_path / "jobs.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
    database.close()


def test_those_of_a_process_that_died_have_failed(tmp_path):
    async def talk(board):
        job = await board.submit("generate", HEAD, LARGE, lambda: None)
        with board._open() as database, database:
            database.execute("UPDATE jobs SET owner = 999999999")
        found = await board.find(job)
        assert found.state == "failed"
        assert json.loads(found.answer)["status"] == 503

    run(tmp_path, talk)


def test_too_slow_ones_fail(tmp_path):
    async def talk(board):
        job = await board.submit("generate", HEAD, LARGE, lambda: None)
        told = await reach(board, job, "failed")
        assert told["problem"]["status"] == 504

    run(tmp_path, talk, job_s=0.5)


def test_a_locked_file_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("moodwalk.server.jobs._LOCK_WAIT_S", 0.05)

    async def talk(board):
        with board._open() as database:
            database.execute("BEGIN EXCLUSIVE")
            with pytest.raises(ProblemError, match="at this moment") as caught:
                await board.submit("generate", HEAD, SMALL, lambda: None)
            assert caught.value.status == 503

    run(tmp_path, talk)

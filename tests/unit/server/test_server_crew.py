import asyncio
import io
import json
import os
import signal
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk.errors import CheckpointError, WorkerError
from moodwalk.server.crew import BusyError, Crew, TaskError, TooSlowError
from moodwalk.server.wire import Frame, dump_json, pack, read_frame, receive_frame

PREDICT = {"kind": "predict"}


@pytest.fixture(scope="module")
def body(walk):
    return json.dumps(walk).encode()


@pytest.fixture(scope="module")
def long_body(walk):
    """A walk that takes a worker a while."""
    return json.dumps({**walk, "positions": walk["positions"] * 40}).encode()


def run(conversation, **how):
    """Talk with a crew of its own."""

    async def talk():
        how.setdefault("most_waiting", 8)
        crew = Crew("test", how.pop("size", 1), how.pop("setup", {}), eager=True, **how)
        await crew.start()
        try:
            return await conversation(crew)
        finally:
            await crew.stop()

    return asyncio.run(talk())


async def until(condition):
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited in vain")


class TestWorkersThatDie:
    def test_in_the_middle_of_a_request_are_replaced_and_it_is_tried_again(self, long_body):
        restarts = []

        async def talk(crew):
            first = crew.pids
            asked = asyncio.create_task(crew.run(PREDICT, long_body, limit_s=60))
            await until(lambda: crew.n_busy)
            await asyncio.sleep(0.05)
            os.kill(first[0], signal.SIGKILL)
            frame = await asked
            assert crew.pids != first
            return frame

        frame = run(talk, on_restart=lambda: restarts.append(1))
        assert json.loads(frame.body)["results"][0]["name"] == "mine"
        assert len(restarts) == 1

    def test_again_and_again_end_the_request_but_not_the_server(self, body, long_body):
        async def talk(crew):
            asked = asyncio.create_task(crew.run(PREDICT, long_body, limit_s=60))
            for _ in range(2):
                await until(lambda: crew.n_busy)
                await asyncio.sleep(0.05)
                os.kill(crew.pids[0], signal.SIGKILL)
                await until(lambda: not crew.n_busy)
            with pytest.raises(WorkerError, match="ended in the middle"):
                await asked
            return await crew.run(PREDICT, body, limit_s=60)

        assert run(talk).body

    def test_while_nobody_asks_are_replaced_at_once(self, body):
        async def talk(crew):
            first = crew.pids[0]
            os.kill(first, signal.SIGKILL)
            await until(lambda: crew.pids and crew.pids[0] != first)
            return await crew.run(PREDICT, body, limit_s=60)

        assert run(talk).body

    def test_of_a_file_say_so_and_live_on(self, body, tmp_path):
        # a child of the worker that needs more memory than it may have
        path = tmp_path / "upload.dat"
        path.write_bytes(b"HIERARCHY\n" + b" " * 2**20)
        head = {"kind": "predict-file", "alone": True, "file": str(path), "fields": {}}

        async def talk(crew):
            first = crew.pids
            with pytest.raises(TaskError):
                await crew.run({**head, "memory": 1}, limit_s=30)
            assert (await crew.run(PREDICT, body, limit_s=30)).body
            assert crew.pids == first

        run(talk)


class TestTime:
    def test_what_takes_too_long_is_given_up_and_its_worker_replaced(self, body, long_body):
        async def talk(crew):
            first = crew.pids
            with pytest.raises(TooSlowError):
                await crew.run(PREDICT, long_body, limit_s=0.1)
            assert (await crew.run(PREDICT, body, limit_s=60)).body
            assert crew.pids != first

        run(talk)

    def test_who_goes_away_is_not_worked_for(self, body):
        async def talk(crew):
            head = {"kind": "generate", "alone": True, "memory": 2**32}
            asked = json.dumps({"n": 6, "n_frames": 3000}).encode()
            running = asyncio.create_task(crew.run(head, asked, limit_s=60))
            await until(lambda: crew.n_busy)
            running.cancel()
            waiting = asyncio.create_task(crew.run(head, asked, limit_s=60))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(running, waiting, return_exceptions=True)
            await until(lambda: not crew.n_busy and not crew.n_waiting)
            return await crew.run(PREDICT, body, limit_s=60)

        assert run(talk).body


class TestQueue:
    def test_is_bounded(self, body):
        async def talk(crew):
            asked = [asyncio.create_task(crew.run(PREDICT, body, limit_s=60)) for _ in range(20)]
            done = await asyncio.gather(*asked, return_exceptions=True)
            n_busy = sum(isinstance(one, BusyError) for one in done)
            assert n_busy == 20 - 3 - 1  # three wait, one is about to be worked on
            assert all(isinstance(one, Frame | BusyError) for one in done)
            assert (await crew.run(PREDICT, body, limit_s=60)).body  # and recovers

        run(talk, most_waiting=3)

    def test_goes_through_the_network_together(self, walk):
        sizes = []

        async def talk(crew):
            bodies = [
                json.dumps({**walk, "name": f"walk {i}", "fps": fps}).encode()
                for i, fps in enumerate([30.0, 25.0, 0.0, 30.0, 20.0])
            ]
            asked = [crew.run(PREDICT, body, limit_s=60) for body in bodies]
            together = await asyncio.gather(*asked, return_exceptions=True)
            alone = []
            for body in bodies:
                try:
                    alone.append(await crew.run(PREDICT, body, limit_s=60))
                except TaskError as error:
                    alone.append(error)
            return together, alone

        together, alone = run(talk, most_together=8, on_batch=sizes.append)
        assert sizes == [5, 1, 1, 1, 1, 1]
        for i, (one, other) in enumerate(zip(together, alone, strict=True)):
            if i == 2:  # a fault is its own only
                assert isinstance(one, TaskError)
                assert one.args == other.args
                continue
            first, second = (json.loads(x.body)["results"][0] for x in (one, other))
            assert first["name"] == f"walk {i}"
            assert first["probabilities"] == pytest.approx(second["probabilities"], abs=1e-5)


def test_weights_that_are_none_keep_the_crew_from_starting(tmp_path):
    async def talk(crew):
        raise AssertionError("it started")

    with pytest.raises(CheckpointError, match="weights"):
        run(talk, setup={"weights": str(tmp_path / "weights.safetensors")})


def test_a_child_may_not_write_files(tmp_path, monkeypatch):
    import moodwalk.server.worker as worker

    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        worker._limit({"seconds": 5, "memory": 2**30})
        try:
            with (tmp_path / "left").open("wb") as file:
                file.write(b"x")
            os.write(write, b"written")
        except OSError:
            os.write(write, b"refused")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 10) == b"refused"
    os.close(read)
    os.close(write)


class TestWire:
    @settings(max_examples=30)
    @given(
        st.dictionaries(
            st.text(), st.integers() | st.text() | st.none() | st.floats(allow_nan=False)
        ),
        st.binary(max_size=1000),
    )
    def test_what_is_packed_is_read_again(self, head, body):
        raw = pack(head, body)
        assert read_frame(io.BytesIO(raw)) == Frame(head, body)

        async def receive():
            reader = asyncio.StreamReader()
            reader.feed_data(raw)
            return await receive_frame(reader)

        assert asyncio.run(receive()) == Frame(head, body)

    @settings(max_examples=50)
    @given(st.binary(max_size=60))
    def test_nonsense_is_no_more_than_that(self, raw):
        async def receive():
            reader = asyncio.StreamReader()
            reader.feed_data(raw)
            reader.feed_eof()
            return await receive_frame(reader)

        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            asyncio.run(receive())

    def test_absurd_sizes_are_refused_before_memory_is_taken(self):
        with pytest.raises(ConnectionError):
            read_frame(io.BytesIO(struct.pack("!IQ", 2, 2**40) + b"{}"))

    def test_numbers_that_json_lacks_become_null(self):
        assert (
            dump_json({"a": [float("nan"), 1.0], "b": float("inf")}) == b'{"a":[null,1.0],"b":null}'
        )

"""The server as a process of its own, over real sockets, and what may happen to it there."""

import contextlib
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

for package in ("fastapi", "uvicorn", "prometheus_client", "python_multipart"):
    pytest.importorskip(package, reason="needs the extra 'app'")

TOKEN = "0123456789abcdef0123"
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="secret-name.bvh"\r\n\r\n%s\r\n'
    b"--b--\r\n"
)
FORM_TYPE = "multipart/form-data; boundary=b"


class Server:
    """A server, its log, and ways to talk to it."""

    def __init__(self, command, folder, before=()):
        self.folder = folder
        self.log = folder / "log.txt"
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        self.temporary = temporary
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MOODWALK_")}
        environment |= {"TMPDIR": str(temporary), "MOODWALK_HOME": str(folder / "home")}
        environment["OMP_NUM_THREADS"] = "1"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*before, sys.executable, *command], stderr=log, env=environment
            )
        self.port = int(self.wait_for_log(r"moodwalk serves on http://\S+:(\d+)")[1])
        self.until(lambda: self.ask("/readyz")[0] == 200)

    @property
    def text(self):
        return self.log.read_text()

    def wait_for_log(self, pattern):
        return self.until(lambda: re.search(pattern, self.text))

    def until(self, condition, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if found := condition():
                    return found
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended: {self.text}")
            time.sleep(0.02)
        raise AssertionError(f"waited in vain; the log: {self.text[-3000:]}")

    def ask(self, path, body=None, kind="application/json", method=None, **headers):
        """Return status, headers and body of an answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=json.dumps(body).encode() if isinstance(body, dict) else body,
            headers={"Content-Type": kind, **{k.title(): v for k, v in headers.items()}},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def count(self, name, **headers):
        """Return a figure of /metrics, summed over its labels."""
        _, _, text = self.ask("/metrics", **headers)
        lines = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text.decode(), re.MULTILINE)
        return sum(map(float, lines))

    def find_uploads(self):
        return list(self.temporary.rglob("upload-*"))

    def stop(self):
        """End it as systemd and Docker do; return the exit status."""
        self.process.terminate()
        return self.process.wait(40)


def children_of(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


@pytest.fixture(scope="module")
def walk():
    from moodwalk.walker import simulate_gait

    gait = simulate_gait(n_frames=75, fps=30.0, seed=3)
    positions = [[[round(float(x), 4) for x in j] for j in f] for f in gait.positions]
    return {"positions": positions, "fps": 30.0, "name": "a-secret-walker"}


@pytest.fixture(scope="module")
def long_walk(walk):
    return {**walk, "positions": walk["positions"] * 60}


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """A music library of one track."""
    pytest.importorskip("sqlalchemy", reason="needs the extra 'music'")
    from moodwalk.music.library import Library
    from moodwalk.music.track import Track

    path = tmp_path_factory.mktemp("music") / "music.sqlite3"
    track = Track(location="/a.flac", title="A", tempo_bpm=100.0, valence=0.5, arousal=0.1)
    with Library.open(path) as opened:
        opened.put([track])
    return path


@pytest.fixture
def start(tmp_path):
    """Start servers that are ended with the test."""
    servers = []

    def begin(*arguments, limits="", before=(), **how):
        command = ["-m", "moodwalk", "serve", "--port", "0", "--no-web", *arguments]
        if limits or how:
            command = [
                "-c",
                "from moodwalk.server.run import serve\n"
                "from moodwalk.server.settings import Limits, ServerSettings\n"
                "if __name__ == '__main__':\n"
                f"    serve(ServerSettings(port=0, web=False, limits=Limits({limits}), **{how!r}))",
            ]
        folder = tmp_path / str(len(servers))
        folder.mkdir()
        servers.append(Server(command, folder, before))
        return servers[-1]

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory, music):
    """One that several tests share."""
    command = ["-m", "moodwalk", "serve", "--port", "0", "--no-web", "--processes", "1"]
    command += ["--rate", "5000", "--library", str(music)]
    running = Server(command, tmp_path_factory.mktemp("server"))
    try:
        yield running
        running.until(lambda: not running.find_uploads())  # jobs may still wait with theirs
        assert running.stop() == 0
        assert not list(running.temporary.iterdir())
    finally:
        running.process.kill()
        running.process.wait()


class TestCommand:
    def run(self, *arguments, **environment):
        return subprocess.run(
            [sys.executable, "-m", "moodwalk", "serve", "--port", "0", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **environment},
        )

    def test_others_reach_it_with_a_token_only(self):
        done = self.run("--host", "0.0.0.0")
        assert done.returncode == 2
        assert done.stderr.startswith("error: --host 0.0.0.0")
        assert "token" in done.stderr
        assert done.stderr.count("\n") == 1

    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = self.run("--port", str(taken.getsockname()[1]))
        assert done.returncode == 2
        assert "Try another --port" in done.stderr

    def test_weights_that_are_none(self, tmp_path):
        done = self.run("--weights", str(tmp_path / "none.safetensors"))
        assert done.returncode == 2
        assert "none.safetensors" in done.stderr.splitlines()[-1]


def test_with_a_token_it_listens_to_others(tmp_path, start):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    server = start("--host", "0.0.0.0", "--token-file", str(path), "--processes", "1")
    assert server.ask("/healthz")[0] == 200
    assert server.ask("/v1/models")[0] == 401
    assert server.ask("/v1/models", authorization=f"Bearer {TOKEN}")[0] == 200
    for pid in [server.process.pid, *children_of(server.process.pid)]:
        command = (
            Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        )
        assert TOKEN.encode() not in command
    assert TOKEN not in server.text


def test_the_end_lets_requests_finish(start, long_walk):
    server = start("--processes", "1")
    body = json.dumps(long_walk).encode()
    head = (
        "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with server.connect() as link:
        link.sendall(head.encode() + body)
        time.sleep(0.3)
        server.process.terminate()
        answer = b""
        while part := link.recv(2**16):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert server.process.wait(30) == 0
    assert not list(server.temporary.iterdir())
    with pytest.raises(ConnectionRefusedError):
        server.connect()


class TestClientsThatMisbehave:
    def test_hanging_up_in_the_middle_of_an_upload(self, server):
        before = server.count("moodwalk_disconnects_total")
        for sent in (10, 3_000_000):
            with server.connect() as link:
                link.sendall(
                    b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n"
                    b"Content-Type: " + FORM_TYPE.encode() + b"\r\n\r\n" + FORM[:90] + b"x" * sent
                )
                time.sleep(0.1)
        server.until(lambda: server.count("moodwalk_disconnects_total") == before + 2)
        assert not server.find_uploads()

    def test_cancelling_what_runs(self, server):
        made = json.dumps({"n": 6, "n_frames": 3000}).encode()
        status, headers, _ = server.ask("/v1/generate", made)
        assert status == 202
        place = headers["location"]
        assert server.ask(place, method="DELETE")[0] == 204
        assert json.loads(server.ask(place)[2])["state"] == "cancelled"

    def test_malformed_forms(self, server):
        draw = random.Random(0)
        whole = FORM % b"HIERARCHY"
        for _ in range(40):
            body = bytearray(whole)
            for _ in range(draw.randint(1, 6)):
                place = draw.randrange(len(body))
                body[place : place + draw.randint(0, 4)] = draw.randbytes(draw.randint(0, 4))
            status, headers, _ = server.ask("/v1/predict", bytes(body), FORM_TYPE)
            assert status in (400, 422)
            assert headers["content-type"] == "application/problem+json"
        assert not server.find_uploads()

    def test_bytes_that_are_no_http(self, server):
        draw = random.Random(0)
        for start in (b"", b"GET / HTTP/1.1\r\n", b"POST /v1/predict HTTP/1.1\r\nHost: a\r\n"):
            for _ in range(10):
                with server.connect() as link, contextlib.suppress(ConnectionError):
                    link.sendall(start + draw.randbytes(300) + b"\r\n\r\n")
                    assert link.recv(2**16).startswith((b"HTTP/1.1 4", b""))
        assert server.ask("/healthz")[0] == 200

    def test_socket_frames_that_are_none(self, server):
        if find_spec("websockets") is None and find_spec("wsproto") is None:
            pytest.skip("needs websockets")
        draw = random.Random(0)
        hello = (
            b"GET /v1/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        for number in range(30):
            with server.connect() as link:
                link.sendall(hello)
                assert link.recv(2**16).startswith(b"HTTP/1.1 101")
                noise = draw.randbytes(draw.randint(1, 400))
                if number % 3 == 0:  # a whole frame of text that is no message
                    text = draw.randbytes(20)
                    noise = struct.pack("!BB4s", 0x81, 0x80 | len(text), b"\0" * 4) + text
                elif number % 3 == 1:  # that claims to be huge
                    noise = struct.pack("!BBQ", 0x82, 0xFF, 2**40) + noise
                with contextlib.suppress(ConnectionError):
                    link.sendall(noise)
                    link.shutdown(socket.SHUT_WR)
                    while link.recv(2**16):
                        pass
        assert server.ask("/healthz")[0] == 200
        assert "Traceback" not in server.text


class TestSlowClients:
    def test_heads_and_bodies_that_drip_are_ended(self, start):
        server = start(limits="header_s=0.6, body_s=0.6", processes=1)
        for sent, expected in (
            (b"GET /healthz HTTP/1.1\r\nHost: loc", b""),
            (b"", b""),
            (
                b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: 1000\r\n\r\n{",
                b"HTTP/1.1 408",
            ),
            (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /he", b"HTTP/1.1 200"),
        ):
            begun = time.monotonic()
            answer = b""
            with server.connect() as link:
                link.sendall(sent)
                link.settimeout(0.1)
                while True:  # a byte now and then, as slow-loris does
                    try:
                        part = link.recv(2**16)
                        answer += part
                        if not part:
                            break
                        continue
                    except TimeoutError:
                        pass
                    except ConnectionError:
                        break
                    with contextlib.suppress(ConnectionError):
                        link.sendall(b"a")
                    assert time.monotonic() - begun < 20
            assert answer.startswith(expected)
        assert server.count("moodwalk_connections_closed_total") >= 3
        assert server.ask("/healthz")[0] == 200

    def test_ten_thousand_idle_connections(self, start):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 10_000 if hard == resource.RLIM_INFINITY else min(10_000, hard - 500)
        if wanted < 1000:
            pytest.skip(f"needs more open files than {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted + 400), hard))
        server = start(limits="header_s=30, connections=300", processes=1)
        links = []
        try:
            for i in range(wanted):
                links.append(socket.create_connection(("127.0.0.1", server.port), timeout=20))
                if i % 2000 == 1999:
                    assert server.ask("/healthz")[0] == 200
            assert server.ask("/readyz")[0] == 200
            assert server.count("moodwalk_connections") <= 301
            assert len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())) < 400
        finally:
            for link in links:
                link.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        server.until(lambda: server.count("moodwalk_connections") <= 2)


def test_a_worker_killed_in_the_middle_of_a_request(server, walk, long_walk):
    body = json.dumps(long_walk).encode()
    before = server.count("moodwalk_worker_restarts_total")
    with server.connect() as link:
        link.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
        )
        time.sleep(0.25)
        for child in children_of(server.process.pid):
            os.kill(child, signal.SIGKILL)
        answer = b""
        while part := link.recv(2**16):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")  # it was tried again
    assert server.ask("/v1/predict", walk)[0] == 200
    assert server.count("moodwalk_worker_restarts_total") > before


def test_a_music_library_that_is_locked(start, music):
    path = music
    server = start("--library", str(path), "--processes", "1")
    asked = {"emotion": "happy", "n": 1}
    assert server.ask("/v1/music/recommend", asked)[0] == 200
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("CREATE TABLE mine (x)")
        status, headers, body = server.ask("/v1/music/recommend", asked)
        assert status == 503
        assert headers["retry-after"]
        assert "lock" in json.loads(body)["detail"]
        assert server.ask("/readyz")[0] == 200
        other.execute("ROLLBACK")
    assert server.ask("/v1/music/recommend", asked)[0] == 200


def test_a_full_disk(start, walk):
    small = ["unshare", "-rm", "sh", "-c"]
    trial = 'mount -t tmpfs -o size=3m none "$TMPDIR" && exec "$@"'
    probe = shutil.which("unshare") and subprocess.run(
        [*small, trial, "sh", "true"], env={**os.environ, "TMPDIR": "/mnt"}, capture_output=True
    )
    if not probe or probe.returncode:
        pytest.skip("needs to mount a small file system in a namespace of its own")
    server = start("--processes", "1", before=[*small, trial, "sh"])
    large = FORM % (b"x" * 6_000_000)
    for _ in range(2):
        status, headers, body = server.ask("/v1/predict", large, FORM_TYPE)
        assert status == 507
        assert headers["content-type"] == "application/problem+json"
        assert "disk is full" in json.loads(body)["detail"]
    assert server.ask("/v1/predict", walk)[0] == 200
    assert server.ask("/v1/predict", FORM % b"HIERARCHY", FORM_TYPE)[0] == 422  # room again


def test_several_processes_answer_for_each_other(start, walk):
    server = start("--workers", "2", "--processes", "1")
    pids = {
        int(pid)
        for pid in server.until(lambda: re.findall(r"server process \[(\d+)\]", server.text))
    }
    status, headers, _ = server.ask("/v1/generate", {"emotion": "sad", "n": 2})
    assert status == 202
    place = headers["location"]
    server.until(lambda: json.loads(server.ask(place)[2])["state"] == "done")
    assert {server.ask(place)[0] for _ in range(20)} == {200}
    for _ in range(10):
        assert server.ask("/v1/predict", walk)[0] == 200
    assert server.count("moodwalk_batch_size_count") == 10
    assert pids
    assert server.stop() == 0
    assert not list(server.temporary.iterdir())


def test_a_walk_is_explained(server, walk):
    pytest.importorskip("captum", reason="needs the extra 'explain'")
    status, headers, _ = server.ask("/v1/explain", walk)
    assert status == 202
    place = headers["location"]

    def look():
        told = json.loads(server.ask(place)[2])
        return told if told["state"] not in ("queued", "running") else None

    told = server.until(look, 120)
    assert told["state"] == "done", told
    assert told["done"] == told["total"] == 1
    assert told["result"]["sentence"]
    assert told["result"]["name"] == "a-secret-walker"
    assert server.ask(place, method="DELETE")[0] == 204
    assert server.ask(place)[0] == 404


def test_what_was_sent_is_neither_logged_nor_kept(server, walk, tmp_path):
    from moodwalk.io.bvh_writing import write_bvh
    from moodwalk.walker import simulate_gait

    path = tmp_path / "walk.bvh"
    write_bvh(path, simulate_gait(n_frames=120, fps=30.0, travel=True, seed=3))
    assert server.ask("/v1/predict?who=a-secret-person", walk)[0] == 200
    status, _, body = server.ask("/v1/predict", FORM % path.read_bytes(), FORM_TYPE)
    assert status == 200, body
    assert json.loads(body)["results"][0]["path"] == "secret-name.bvh"
    assert "secret" not in server.text
    assert "POST /v1/predict" in server.text
    kept = [file.name for file in server.temporary.rglob("*") if file.is_file()]
    assert set(kept) <= {"lock", "jobs.sqlite3"}
    for file in server.temporary.rglob("*"):
        if file.is_file():
            assert b"secret" not in file.read_bytes()


def test_schemathesis_finds_nothing(server):
    """Requests drawn from the OpenAPI document, good ones and bad ones."""
    schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings

    base = f"http://127.0.0.1:{server.port}"
    schema = schemathesis.openapi.from_url(f"{base}/openapi.json")
    n_operations = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        n_operations += 1

        @settings(
            max_examples=10,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=operation.as_strategy())
        def check(case):
            answer = case.call()
            assert answer.status_code != 500
            # a walk may be refused for what the document cannot say, such as missing joints
            refusal = schemathesis.checks.positive_data_acceptance
            case.validate_response(answer, excluded_checks=[refusal])

        check()
    assert n_operations == 10
    assert "Traceback" not in server.text

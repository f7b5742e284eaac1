# ruff: noqa: E402 - what follows needs the extra
import json

import pytest

for _package in ("fastapi", "prometheus_client", "python_multipart"):
    pytest.importorskip(_package, reason="needs the extra 'app'")

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import WebSocketDisconnect

PLACE = "ws://127.0.0.1/v1/live"


@pytest.fixture(scope="module")
def frames():
    """Six seconds of a simulated walk, by joint name."""
    from moodwalk.skeleton import Joint
    from moodwalk.walker import simulate_gait

    gait = simulate_gait(n_frames=150, fps=25.0, travel=True, seed=3)
    names = [joint.name.lower() for joint in Joint]
    return names, gait.positions.astype(float).round(4).tolist()


def talk(socket, names, frames, **start):
    """Send all frames; return the answers."""
    socket.send_json({"type": "start", "joints": names, "unit_m": 1.0, "up": "+y", **start})
    assert socket.receive_json() == {"kind": "ready"}
    for i, frame in enumerate(frames):
        socket.send_json({"type": "joints", "time_s": i / 25, "positions": frame})
    socket.send_json({"type": "start"})  # comes too late, and ends it
    told = []
    while True:
        try:
            told.append(socket.receive_json())
        except WebSocketDisconnect:
            return told


def test_reads_a_walk_while_it_happens(running, frames):
    with running.websocket_connect(PLACE) as socket:
        *answers, problem = talk(socket, *frames, min_confidence=0.0, music={"least_s": 5})
    assert problem["kind"] == "problem"
    assert problem["status"] == 409
    assert {one["kind"] for one in answers} == {"answer"}
    assert answers[0]["state"] == "gathering"
    last = answers[-1]
    assert last["state"] in ("walking", "unclear")
    assert sum(last["probabilities"].values()) == pytest.approx(1)
    assert last["cadence_spm"] == pytest.approx(110, abs=30)
    assert "track" in last


def test_an_empty_picture_shows_nobody(running):
    with running.websocket_connect(PLACE) as socket:
        socket.send_json({"type": "poses", "time_s": 0.0, "size": [640, 480], "poses": []})
        assert socket.receive_json() == {"kind": "ready"}
        assert socket.receive_json()["state"] == "nobody"


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("{", 422),
        ("[]", 422),
        ('{"type": "picture"}', 422),
        ('{"type": "poses", "time_s": "now", "size": [1, 1], "poses": []}', 422),
        ('{"type": "poses", "time_s": 0.0, "size": [0, 1], "poses": []}', 422),
        ('{"type": "joints", "time_s": 0.0, "positions": [[0, 0, 0]]}', 422),
        ('{"type": "start", "options": {"window_s": 1e9}}', 422),
        ('{"type": "start", "options": {"colour": 1}}', 422),
        ('{"type": "start", "joints": ["a", "a"]}', 422),
        ('{"type": "start", "x": ' + "[" * 10_000, 422),
        ('"' + "x" * 70_000 + '"', 413),
    ],
)
def test_what_makes_no_sense_ends_it_with_one_line(running, message, status):
    with running.websocket_connect(PLACE) as socket:
        socket.send_text(message)
        told = socket.receive_json()
        assert told["kind"] == "problem"
        assert told["status"] == status
        assert "\n" not in told["detail"]
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()
    assert running.get("/healthz").status_code == 200


def test_pictures_are_not_taken(running):
    with running.websocket_connect(PLACE) as socket:
        socket.send_bytes(b"\xff\xd8\xff")
        assert socket.receive_json()["status"] == 415


@settings(max_examples=25)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "time_s", "positions", "joints", "poses", "size", "options"]
                ),
                inner | st.sampled_from(["start", "poses", "joints"]),
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_fuzzed_messages_never_break_it(running, message):
    with running.websocket_connect(PLACE) as socket:
        socket.send_text(json.dumps(message))
        told = socket.receive_json()
        assert told["kind"] in ("problem", "ready", "answer")
        assert told.get("status") != 500


def test_limits(walk, frames):
    from fastapi.testclient import TestClient

    from moodwalk.server.app import make_app
    from moodwalk.server.settings import Limits, ServerSettings

    limits = Limits(sockets=1, socket_rate_per_s=2, socket_idle_s=0.3)
    app = make_app(ServerSettings(processes=1, web=False, limits=limits))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        with client.websocket_connect(PLACE) as first:
            with client.websocket_connect(PLACE) as second:
                told = second.receive_json()
                assert told["status"] == 429
            told = first.receive_json()  # it has said nothing
            assert told["status"] == 408
        with client.websocket_connect(PLACE) as socket:
            for i in range(9):
                empty = {"type": "poses", "time_s": i / 10, "size": [64, 48], "poses": []}
                socket.send_json(empty)
            told = {}
            while told.get("kind") != "problem":
                told = socket.receive_json()
            assert told["status"] == 429

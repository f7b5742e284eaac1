# ruff: noqa: E402 - what follows needs the extra
import asyncio
import base64
import logging

import pytest

for _package in ("fastapi", "httpx", "prometheus_client", "python_multipart"):
    pytest.importorskip(_package, reason="needs the extra 'app'")

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDisconnect

from moodwalk.server.guards import Guards
from moodwalk.server.metrics import Metrics
from moodwalk.server.problems import ProblemError
from moodwalk.server.rates import RateLimiter, name_client
from moodwalk.server.settings import Limits, ServerSettings

TOKEN = "0123456789abcdef"


async def echo(request: Request):
    body = await request.body()
    if request.url.query == "fail":
        raise RuntimeError("walker 7 is sad")
    if request.url.query == "wait":
        await asyncio.sleep(60)
    return PlainTextResponse(str(len(body)))


async def talk(socket):
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


async def answer_problem(request, error):
    return PlainTextResponse("", error.status)


def guard(host="127.0.0.1", token=None, origins=(), names=(), **limits):
    settings = ServerSettings(
        host=host, token=token, origins=origins, allowed_hosts=names, limits=Limits(**limits)
    )
    methods = ["GET", "POST", "OPTIONS"]
    inner = Starlette(
        routes=[
            WebSocketRoute("/v1/live", talk),
            Route("/{path:path}", echo, methods=methods),
        ],
        exception_handlers={ProblemError: answer_problem},
    )
    return Guards(inner, settings, Metrics())


def client(app=None, **how):
    return TestClient(app or guard(**how), base_url="http://127.0.0.1:8000")


class TestHost:
    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "LOCALHOST", "[::1]:8000", "10.0.0.7"],
    )
    def test_addresses_and_localhost_are_ours(self, host):
        assert client().get("/x", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "localhost.evil"],
    )
    def test_other_names_are_not(self, host):
        answer = client().get("/x", headers={"Host": host})
        assert answer.status_code == 421
        assert answer.headers["content-type"] == "application/problem+json"

    def test_names_that_were_given_are(self):
        served = client(names=("walks.example",))
        assert served.get("/x", headers={"Host": "walks.example"}).status_code == 200
        assert served.get("/x", headers={"Host": "www.walks.example"}).status_code == 421


class TestOrigin:
    def test_our_own_pages_may(self):
        own = {"Origin": "http://127.0.0.1:8000"}
        assert client().post("/v1/predict", headers=own).status_code == 200

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9", ""])
    def test_others_may_not(self, origin):
        assert client().post("/v1/predict", headers={"Origin": origin}).status_code == 403

    def test_unless_they_were_given(self):
        other = "https://walks.example"
        served = client(origins=(other,))
        assert served.post("/v1/predict", headers={"Origin": other}).status_code == 200

    def test_nor_may_they_open_sockets(self):
        with (
            pytest.raises(WebSocketDisconnect),
            client().websocket_connect(
                "ws://127.0.0.1:8000/v1/live", headers={"Origin": "http://evil.example"}
            ),
        ):
            pass


class TestToken:
    def test_is_needed(self):
        served = client(token=TOKEN)
        for header in (None, "Bearer wrong", f"Bearer {TOKEN}x", TOKEN, "Basic !!!", "Bearer"):
            headers = {} if header is None else {"Authorization": header}
            answer = served.get("/v1/models", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in answer.text

    def test_lets_in(self):
        served = client(token=TOKEN)
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert served.get("/v1/models", headers=right).status_code == 200
        basic = base64.b64encode(f"me:{TOKEN}".encode()).decode()
        assert served.get("/", headers={"Authorization": f"Basic {basic}"}).status_code == 200
        with served.websocket_connect("ws://127.0.0.1:8000/v1/live", headers=right) as socket:
            assert socket.receive_text() == "hello"
        with (
            pytest.raises(WebSocketDisconnect),
            served.websocket_connect("ws://127.0.0.1:8000/v1/live"),
        ):
            pass

    def test_health_needs_none(self):
        assert client(token=TOKEN).get("/healthz").status_code == 200
        assert client(token=TOKEN).get("/metrics").status_code == 401

    def test_guessing_is_slowed_down(self):
        served = client(token=TOKEN)
        seen = [served.get("/v1/models").status_code for _ in range(30)]
        assert seen[:20] == [401] * 20
        assert set(seen[21:]) == {429}
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert served.get("/v1/models", headers=right).status_code == 200


class TestRate:
    def test_more_than_the_burst_is_turned_away(self):
        served = client(rate_per_s=0.01, burst=5)
        answers = [served.get("/v1/models") for _ in range(7)]
        assert [one.status_code for one in answers] == [200] * 5 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert served.get("/healthz").status_code == 200

    def test_files_and_long_work_have_less(self):
        served = client(rate_per_s=0.01, burst=20)
        seen = [served.post("/v1/explain").status_code for _ in range(3)]
        assert seen == [200, 200, 429]

    def test_a_bucket_fills_again(self, monkeypatch):
        now = [0.0]
        monkeypatch.setattr("moodwalk.server.rates.time.monotonic", lambda: now[0])
        limiter = RateLimiter()
        assert [limiter.take("a", "x", 2.0, 2) for _ in range(3)] == [0, 0, 0.5]
        assert limiter.take("b", "x", 2.0, 2) == 0
        now[0] = 0.5
        assert [limiter.take("a", "x", 2.0, 2) for _ in range(2)] == [0, 0.5]

    def test_memory_is_bounded(self):
        limiter = RateLimiter()
        for i in range(21_000):
            limiter.take(str(i), "x", 1.0, 2)
        assert len(limiter._buckets) == 20_000

    def test_addresses_of_one_network_are_one_client(self):
        assert name_client("2001:db8::1") == name_client("2001:db8::ffff")
        assert name_client("2001:db8:0:1::1") != name_client("2001:db8::1")
        assert name_client("::ffff:10.0.0.1") == "10.0.0.1"


class TestSize:
    def test_declared(self):
        served = client(json_bytes=10)
        assert served.post("/v1/predict", content=b"0123456789").text == "10"
        answer = served.post("/v1/predict", content=b"01234567890")
        assert answer.status_code == 413
        assert "10 MiB" not in answer.text

    def test_not_declared(self):
        def parts():
            for _ in range(100):
                yield b"0123456789"

        assert client(json_bytes=100).post("/v1/predict", content=parts()).status_code == 413

    def test_declared_wrongly(self):
        headers = {"Content-Length": "-1"}
        assert client().post("/v1/predict", headers=headers).status_code == 413

    def test_all_requests_together(self):
        app = guard(held_bytes=1000, json_bytes=900)

        async def run():
            release = asyncio.Event()

            async def slow():
                yield b"x" * 800
                await release.wait()

            transport = httpx.ASGITransport(app)
            base = "http://127.0.0.1:8000"
            async with httpx.AsyncClient(transport=transport, base_url=base) as talker:
                first = asyncio.create_task(talker.post("/v1/predict", content=slow()))
                while app._held < 800:
                    await asyncio.sleep(0.01)
                second = await talker.post("/v1/predict", content=b"x" * 800)
                release.set()
                assert (await first).status_code == 200
                assert second.status_code == 429
                third = await talker.post("/v1/predict", content=b"x" * 800)
                assert third.status_code == 200
            assert app._held == 0

        asyncio.run(run())


class TestTime:
    def run(self, app, content, query=""):
        async def ask():
            transport = httpx.ASGITransport(app)
            base = "http://127.0.0.1:8000"
            async with httpx.AsyncClient(transport=transport, base_url=base) as talker:
                return await talker.post(f"/v1/predict{query}", content=content)

        return asyncio.run(ask())

    def test_bodies_that_drip(self):
        async def drip():
            while True:
                yield b"x"
                await asyncio.sleep(0.05)

        assert self.run(guard(body_s=0.2), drip()).status_code == 408

    def test_routes_that_hang(self, monkeypatch):
        monkeypatch.setattr("moodwalk.server.guards._SPARE_S", 0.0)
        answer = self.run(guard(body_s=0.1, predict_s=0.1), b"x", "?wait")
        assert answer.status_code == 504


class TestHeaders:
    def test_of_the_api(self):
        headers = client().get("/v1/models").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert len(headers["x-request-id"]) == 16
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers

    def test_of_the_web_app_and_of_refusals(self):
        headers = client().get("/").headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "http" not in headers["content-security-policy"]
        refused = client(token=TOKEN).get("/v1/models").headers
        assert refused["x-content-type-options"] == "nosniff"


def test_bugs_tell_the_client_and_the_log_nothing_of_what_was_sent(caplog):
    served = TestClient(guard(), base_url="http://127.0.0.1", raise_server_exceptions=False)
    with caplog.at_level(logging.INFO):
        answer = served.post("/v1/predict?fail", content=b"walker 7")
    assert answer.status_code == 500
    assert "RuntimeError in request" in caplog.text
    assert "test_server_guards.py" in caplog.text
    assert "is sad" not in answer.text + caplog.text.replace("raise RuntimeError", "").replace(
        '("walker 7 is sad")', ""
    )

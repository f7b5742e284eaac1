import json
import logging
import re
import time

import pytest

JSON = {"Content-Type": "application/json"}


def is_problem(answer, status, said=""):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["type"].startswith("urn:moodwalk:problem:")
    assert "\n" not in told["detail"]
    assert said in told["detail"]
    assert "Traceback" not in answer.text
    return told


def wait_for(running, place):
    for _ in range(600):
        told = running.get(place).json()
        if told["state"] not in ("queued", "running"):
            return told
        time.sleep(0.05)
    raise AssertionError(f"{place} does not end")


class TestPredict:
    def test_answers_positions_as_the_library_does(self, running, walk):
        import numpy as np

        from moodwalk.gait import Gait
        from moodwalk.predict import Predictor

        answer = running.post("/v1/predict", json=walk)
        assert answer.status_code == 200
        (result,) = answer.json()["results"]
        positions = np.array(walk["positions"], dtype=np.float32)
        expected = Predictor.load().predict(Gait(positions, 30.0, name="mine")).to_dict()
        assert result == {
            "path": None,
            "name": "mine",
            "label": None,
            **json.loads(json.dumps(expected)),
        }

    def test_answers_a_file_as_the_command_line_does(self, running, bvh, tmp_path, folder, capsys):
        from moodwalk.cli import main

        path = tmp_path / "walk.bvh"
        path.write_bytes(bvh)
        answer = running.post("/v1/predict", files={"file": ("walk.bvh", bvh)})
        assert answer.status_code == 200, answer.text
        assert main(["predict", str(path), "--json"]) == 0
        expected = json.loads(capsys.readouterr().out)
        expected["results"][0]["path"] = "walk.bvh"
        assert answer.json() == {**expected, "notes": []}

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"fps": 0}, "fps: "),
            ({"fps": "30"}, "fps: "),
            ({"positions": []}, "positions: "),
            ({"positions": [[[0, 0]] * 16] * 9}, "positions.0.0: "),
            ({"positions": "walk"}, "positions: "),
            ({"colour": "red"}, "colour: "),
            ({"min_confidence": 2}, "min_confidence: "),
            ({"positions": [[[None, 0, 0]] * 16] * 9}, "missing"),
            ({"positions": [[[1e300, 0, 0]] * 16] * 9}, "metres"),
        ],
    )
    def test_says_in_one_line_what_is_wrong(self, running, walk, change, said):
        is_problem(running.post("/v1/predict", json={**walk, **change}), 422, said)

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"fps": NaN}']
    )
    def test_refuses_what_is_no_request(self, running, body):
        is_problem(running.post("/v1/predict", content=body, headers=JSON), 422)

    def test_takes_nothing_but_json_and_forms(self, running, folder):
        is_problem(running.post("/v1/predict", content=b"x"), 415, "multipart/form-data")
        text = {"Content-Type": "text/plain"}
        is_problem(running.post("/v1/predict", content=b"{}", headers=text), 415)

    def test_withholds_below_the_confidence_asked_for(self, running, walk):
        answer = running.post("/v1/predict", json={**walk, "min_confidence": 1.0}).json()
        assert answer["results"][0]["abstained"]
        assert "100%" in answer["results"][0]["reason"]


class TestForms:
    def test_a_file_s_name_is_for_messages_only(self, running, folder):
        name = "../../etc/pass\x07wd\r\nX: y.bvh"
        answer = running.post("/v1/predict", files={"file": (name, b"HIERARCHY\nROOT a")})
        told = is_problem(answer, 422, "truncated")
        assert "etc/" not in told["detail"]
        assert str(folder) not in answer.text
        assert "upload-" not in answer.text

    def test_needs_a_file(self, running, folder):
        is_problem(running.post("/v1/predict", files={"fps": (None, "30")}), 422, "no file")

    def test_refuses_other_parts(self, running, bvh, folder):
        files = {"file": ("a.bvh", bvh), "other": ("b", b"x")}
        is_problem(running.post("/v1/predict", files=files), 422, "'other'")
        files = [("file", ("a.bvh", bvh)), ("file", ("b.bvh", bvh))]
        is_problem(running.post("/v1/predict", files=files), 422, "twice")
        is_problem(
            running.post("/v1/predict", files={"file": ("a", bvh)}, data={"fps": "fast"}),
            422,
            "fps: ",
        )
        is_problem(
            running.post("/v1/predict", files={"file": ("a", bvh)}, data={"x": "1"}), 422, "x: "
        )

    @pytest.mark.parametrize(
        ("boundary", "body"),
        [
            ("a", b"--a\r\nnonsense"),
            ("a", b"--b\r\n\r\n"),
            ("a", b"--a\r\nContent-Disposition: form-data\r\n\r\nx\r\n--a--\r\n"),
            ("", b"x"),
            ("a", b'--a\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nabc'),
            ("a" * 300, b"x"),
        ],
    )
    def test_malformed_ones_are_problems(self, running, boundary, body, folder):
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        answer = running.post("/v1/predict", content=body, headers=kind)
        assert answer.status_code in (400, 422)
        is_problem(answer, answer.status_code)

    def test_forms_without_a_boundary(self, running, folder):
        kind = {"Content-Type": "multipart/form-data"}
        is_problem(running.post("/v1/predict", content=b"x", headers=kind), 400)

    def test_a_joint_map_may_come_along(self, running, bvh, folder):
        files = {"file": ("a.bvh", bvh), "joint_map": ("map.toml", b"joints = 3")}
        told = is_problem(running.post("/v1/predict", files=files), 422)
        assert "upload-" not in told["detail"]

    def test_what_a_file_needs_is_bounded(self, running, folder):
        import io

        import numpy as np

        packed = io.BytesIO()
        np.savez_compressed(packed, positions=np.zeros((200_000, 16, 3)), fps=30.0)
        answer = running.post("/v1/predict", files={"file": ("a.npz", packed.getvalue())})
        is_problem(answer, 422)


class TestWork:
    def test_generates_the_same_as_the_library(self, running):
        from moodwalk.generation.generator import GaitGenerator

        asked = {"emotion": "sad", "n": 2, "seed": 5}
        answer = running.post("/v1/generate", json=asked, headers={"Prefer": "wait=30"})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["gaits"] == len(told["walks"]) == 2
        expected = GaitGenerator.load().generate(2, "sad", seed=5)
        assert told["walks"][1]["positions"][10][3] == pytest.approx(
            expected[1].positions[10, 3].tolist(), abs=1e-4
        )
        assert told["walks"][0]["label"] == "sad"

    def test_gives_a_file_s_walk_another_mood(self, running, bvh, folder):
        answer = running.post(
            "/v1/generate",
            files={"file": ("walk.bvh", bvh)},
            data={"emotion": "sad"},
            headers={"Prefer": "wait=30"},
        )
        assert answer.status_code == 200, answer.text
        assert [walk["label"] for walk in answer.json()["walks"]] == ["sad"]
        assert answer.json()["walks"][0]["name"] == "walk_Sad"

    def test_what_cannot_be_done_fails_with_a_problem(self, running, folder):
        answer = running.post(
            "/v1/generate", files={"file": ("a.bvh", b"HIERARCHY")}, data={"emotion": "sad"}
        )
        told = wait_for(running, answer.headers["location"])
        assert told["state"] == "failed"
        assert told["problem"]["status"] == 422
        assert "a.bvh" in told["problem"]["detail"]

    def test_the_same_at_once_where_somebody_waits(self, running, folder):
        answer = running.post(
            "/v1/generate",
            files={"file": ("a.bvh", b"HIERARCHY")},
            data={"emotion": "sad"},
            headers={"Prefer": "respond-async, wait=30"},
        )
        is_problem(answer, 422, "a.bvh")

    def test_refuses_at_once_what_makes_no_sense(self, running, walk):
        is_problem(running.post("/v1/generate", json={"n": 1000}), 422, "n: ")
        is_problem(running.post("/v1/generate", json={"emotion": "bored"}), 422, "emotion: ")
        is_problem(running.post("/v1/explain", json={**walk, "emotion": 3}), 422, "emotion: ")

    def test_jobs_that_are_none(self, running):
        is_problem(running.get("/v1/jobs/" + "a" * 24), 404, "no such job")
        is_problem(running.delete("/v1/jobs/" + "a" * 24), 404)
        is_problem(running.get("/v1/jobs/x"), 422)


class TestMusic:
    def test_recommends_for_an_emotion(self, running):
        answer = running.post("/v1/music/recommend", json={"emotion": "happy", "n": 2})
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["tracks"]) == 2
        assert answer.json()["tracks"][0]["why"]

    def test_recommends_for_a_walk_and_for_a_file(self, running, walk, bvh, folder):
        answer = running.post("/v1/music/recommend", json={"walk": walk, "cadence_spm": 120})
        assert answer.status_code == 200, answer.text
        assert answer.json()["target"]["cadence_spm"] == 120
        files = {"file": ("walk.bvh", bvh)}
        answer = running.post("/v1/music/recommend", files=files, data={"mode": "calm", "n": "1"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["mode"] == "calm"
        assert len(answer.json()["tracks"]) == 1

    def test_needs_something_to_go_by(self, running, walk):
        is_problem(running.post("/v1/music/recommend", json={}), 422, "nothing to choose music by")
        both = {"emotion": "sad", "walk": walk}
        is_problem(running.post("/v1/music/recommend", json=both), 422, "one of them")


class TestServer:
    def test_says_that_it_works(self, running):
        assert running.get("/healthz").json() == {"status": "ok"}
        assert running.get("/readyz").json() == {"status": "ok"}

    def test_names_its_weights(self, running):
        told = running.get("/v1/models").json()
        assert [model["kind"] for model in told["models"]] == ["classifier", "generator"]
        assert set(told["models"][0]["classes"]) == {"happy", "angry", "sad", "neutral"}

    def test_counts(self, running):
        running.get("/healthz")
        answer = running.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        assert re.search(
            r'^moodwalk_requests_total\{method="GET",route="/healthz",status="200"\} [1-9]',
            answer.text,
            re.MULTILINE,
        )
        assert "moodwalk_predictions_waiting 0.0" in answer.text

    def test_nothing_elsewhere(self, running):
        is_problem(running.get("/nothing"), 404)
        is_problem(running.get("/docs"), 404)  # FastAPI's own would load scripts of another site
        answer = running.put("/v1/predict")
        is_problem(answer, 405)
        assert "POST" in answer.headers["allow"]

    def test_logs_neither_queries_nor_bodies(self, running, walk, caplog):
        log = logging.getLogger("moodwalk.access")
        log.propagate = True
        with caplog.at_level(logging.INFO, "moodwalk.access"):
            running.post("/v1/predict?secret=1", json={**walk, "name": "somebody"})
            running.get("/v1/jobs/" + "b" * 24)
            running.get("/no/such%0Aplace?token=abc")
        text = caplog.text
        assert "POST /v1/predict" in text
        assert "GET /v1/jobs/{job}" in text
        assert "\\n" in text
        for word in ("secret", "somebody", "bbbb", "abc"):
            assert word not in text

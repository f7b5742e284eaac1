import inspect

import pytest

import moodwalk.errors
from moodwalk.errors import ConfigError, MoodwalkError
from moodwalk.server.crew import TaskError, make_error
from moodwalk.server.problems import _BY_ERROR, ProblemError, describe_fault, find_problem
from moodwalk.server.settings import Limits, ServerSettings, is_loopback, read_token

TOKEN = "0123456789abcdef"


class TestSettings:
    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "::1", "[::1]"])
    def test_this_machine_needs_no_token(self, host):
        assert is_loopback(host)
        assert ServerSettings(host=host).token is None

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "walks.example", ""])
    def test_others_do(self, host):
        with pytest.raises(ConfigError, match="expected a token"):
            ServerSettings(host=host)
        assert ServerSettings(host=host, token=TOKEN).host == host

    @pytest.mark.parametrize("token", ["", "short", "with a space in it", "x" * 5000, "ü" * 20])
    def test_tokens_that_are_too_weak(self, token):
        with pytest.raises(ConfigError, match="16 or more"):
            ServerSettings(token=token)

    def test_the_token_is_not_shown(self):
        assert TOKEN not in repr(ServerSettings(token=TOKEN))

    def test_a_token_s_file(self, tmp_path):
        path = tmp_path / "token"
        path.write_text(TOKEN + "\n")
        assert read_token(path) == TOKEN
        path.write_bytes(b"\xff" * 40)
        with pytest.raises(ConfigError, match="16 or more"):
            read_token(path)
        with pytest.raises(ConfigError, match="cannot be read"):
            read_token(tmp_path / "none")

    @pytest.mark.parametrize(
        "how",
        [
            {"port": 70_000},
            {"workers": 0},
            {"processes": 0},
            {"allowed_hosts": ("walks.example:80",)},
            {"allowed_hosts": ("*",)},
            {"origins": ("*",)},
            {"origins": ("https://walks.example/",)},
        ],
    )
    def test_what_makes_no_sense(self, how):
        with pytest.raises(ConfigError, match="expected"):
            ServerSettings(**how)

    @pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
    def test_there_is_no_way_to_have_no_limit(self, value):
        with pytest.raises(ConfigError, match="positive"):
            Limits(body_s=value)


class TestProblems:
    def test_every_error_has_one(self):
        known = {
            name
            for name, one in vars(moodwalk.errors).items()
            if inspect.isclass(one) and issubclass(one, MoodwalkError)
        }
        assert set(_BY_ERROR) == known - {"MoodwalkError"}

    @pytest.mark.parametrize("name", list(_BY_ERROR))
    def test_they_survive_the_way_from_a_worker(self, name):
        problem = describe_fault(TaskError(name, "walk.bvh is damaged; expected a walk."))
        assert problem.detail == "walk.bvh is damaged; expected a walk."
        assert isinstance(make_error(name, "x"), getattr(moodwalk.errors, name))

    def test_what_is_not_installed_is_not_the_client_s_fault(self):
        error = ConfigError("captum is not installed. Install 'moodwalk[explain]'.")
        assert find_problem(error).status == 501

    @pytest.mark.parametrize("kind", ["memory", "slow", "lost", "bug", "whatever a worker says"])
    def test_of_workers(self, kind):
        told = describe_fault(TaskError(kind)).to_dict("id")
        assert told["status"] in (422, 500, 504)
        assert told["request_id"] == "id"

    def test_details_are_one_line_of_bounded_length(self):
        told = ProblemError(422, "a\nb " + "x" * 5000).to_dict()
        assert told["detail"].startswith("a b x")
        assert len(told["detail"]) == 600

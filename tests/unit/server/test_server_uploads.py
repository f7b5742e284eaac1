# ruff: noqa: E402 - what follows needs the extra
import asyncio
import errno
import os
import subprocess
import sys

import pytest

for _package in ("fastapi", "prometheus_client", "python_multipart"):
    pytest.importorskip(_package, reason="needs the extra 'app'")

from starlette.requests import Request

from moodwalk.server.problems import ProblemError
from moodwalk.server.uploads import make_run_folder, receive_upload

FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="../walk.bvh"\r\n\r\n%s\r\n'
    b'--b\r\nContent-Disposition: form-data; name="fps"\r\n\r\n30\r\n--b--\r\n'
)


def make_request(*messages):
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"content-type", b"multipart/form-data; boundary=b")],
    }
    waiting = list(messages)

    async def receive():
        return waiting.pop(0)

    return Request(scope, receive)


def part(body, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


def receive(folder, *messages, look=None):
    async def run():
        async with receive_upload(make_request(*messages), folder) as upload:
            if look is not None:
                look(upload)
            return upload

    return asyncio.run(run())


def test_a_file_is_there_for_the_block_only_under_a_name_of_ours(tmp_path):
    seen = []

    def look(upload):
        path = upload.paths["file"]
        seen.append(path)
        assert path.read_bytes() == b"x" * 3_000_000
        assert path.parent == tmp_path
        assert path.name.startswith("upload-")
        assert path.stat().st_mode & 0o777 == 0o600
        assert upload.shown == {"file": "walk.bvh"}
        assert upload.fields == {"fps": "30"}

    receive(tmp_path, part(FORM % (b"x" * 3_000_000)), look=look)
    assert not seen[0].exists()
    assert not list(tmp_path.iterdir())


def test_a_client_that_hangs_up_leaves_nothing(tmp_path):
    from starlette.requests import ClientDisconnect

    half = (FORM % (b"x" * 3_000_000))[:2_500_000]
    with pytest.raises(ClientDisconnect):
        receive(tmp_path, part(half, more=True), {"type": "http.disconnect"})
    assert not list(tmp_path.iterdir())


def test_a_form_that_ends_in_the_middle_is_refused(tmp_path):
    with pytest.raises(ProblemError, match="in the middle") as caught:
        receive(tmp_path, part((FORM % b"HIERARCHY")[:-20]))
    assert caught.value.status == 400
    assert not list(tmp_path.iterdir())


def test_an_error_while_the_file_is_used_leaves_nothing(tmp_path):
    def look(upload):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        receive(tmp_path, part(FORM % b"x"), look=look)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said(tmp_path, monkeypatch, number):
    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("moodwalk.server.uploads.shutil.copyfileobj", fail)
    with pytest.raises(ProblemError, match="disk is full") as caught:
        receive(tmp_path, part(FORM % b"x"))
    assert caught.value.status == 507
    assert not list(tmp_path.iterdir())


def test_the_folder_of_a_server_that_was_killed_is_removed_by_the_next(tmp_path, monkeypatch):
    script = (
        "import os, signal\n"
        "from moodwalk.server.uploads import make_run_folder\n"
        "with make_run_folder() as folder:\n"
        "    (folder / 'upload-1.dat').write_bytes(b'x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "upload-1.dat").exists()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with make_run_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert list(tmp_path.iterdir()) == [folder]
        with make_run_folder() as other:  # of one that lives it is left alone
            assert sorted(tmp_path.iterdir()) == sorted([folder, other])
    assert not list(tmp_path.iterdir())

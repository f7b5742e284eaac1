import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from moodwalk.errors import LibraryError, MediaError
from moodwalk.music.library import Library
from moodwalk.music.library.files import to_path
from moodwalk.music.library.scan import list_audio, scan

soundfile = pytest.importorskip("soundfile", reason="needs the extra 'music'")
pytest.importorskip("soxr", reason="needs the extra 'music'")
pytest.importorskip("tinytag", reason="needs the extra 'music'")
pytest.importorskip("sqlalchemy", reason="needs the extra 'music'")
pytest.importorskip("alembic", reason="needs the extra 'music'")


class Store:
    """A real library that counts what a scan writes to it."""

    def __init__(self, path):
        self.path = path
        self.library = Library.open(path)
        self.batches = []

    @property
    def n_put(self):
        return sum(self.batches)

    def read_files(self):
        return self.library.read_files()

    def put_files(self, batch):
        self.batches.append(len(batch))
        self.library.put_files(batch)

    def remove_files(self, locations):
        self.library.remove_files(locations)

    def lock(self):
        return self.library.lock()

    def tracks(self):
        found = {track.location: track.tempo_bpm for track in self.library.iterate()}
        return dict(sorted(found.items()))


def make_music(path, tempo_bpm=100.0, duration_s=6.0, rate=8000):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.zeros(round(duration_s * rate))
    for at in np.arange(0.2, duration_s - 0.1, 60 / tempo_bpm):
        first = round(at * rate)
        samples[first : first + 400] += 0.5 * np.sin(np.arange(400)) * np.exp(-np.arange(400) / 100)
    with soundfile.SoundFile(os.fsencode(path), "w", rate, 1, format="WAV") as file:
        file.write(samples)
    return path


def touch_later(path):
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))


@pytest.fixture
def music(tmp_path):
    """A folder with three pieces."""
    for name, tempo in {"a.wav": 90, "b/c.wav": 100, "b/d e.WAV": 120}.items():
        make_music(tmp_path / "music" / name, tempo)
    return tmp_path / "music"


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "library.sqlite3")
    with store.library:
        yield store


# --- folders


def test_files_are_listed_sorted(music):
    (music / "notes.txt").write_text("no music")
    (music / "folder.mp3").mkdir()
    os.mkfifo(music / "pipe.mp3")
    found = [str(path.relative_to(music)) for path in list_audio(music)]
    assert found == ["a.wav", "b/c.wav", "b/d e.WAV"]


def test_loops_of_links_end(music, store, tmp_path):
    make_music(tmp_path / "elsewhere" / "x.wav")
    (music / "b" / "up").symlink_to(music)
    (music / "b" / "self").symlink_to(music / "b" / "self")
    (music / "there").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(music)
    (music / "broken.wav").symlink_to(tmp_path / "nowhere.wav")
    found = list(list_audio(music))
    assert len(found) == len(set(found)) == 4
    assert tmp_path / "elsewhere" / "x.wav" in found
    report = scan([music], store)
    assert (report.n_found, report.n_new, report.failures) == (4, 4, ())
    assert list(store.tracks()) == [str(path) for path in found]


def test_links_to_files_are_listed_once(music, tmp_path):
    outside = make_music(tmp_path / "outside" / "x.wav")
    (music / "favourite.wav").symlink_to(music / "a.wav")
    (music / "linked.wav").symlink_to(outside)
    assert [path.name for path in list_audio(music)] == ["a.wav", "c.wav", "d e.WAV", "linked.wav"]


def test_folder_through_a_link_is_the_same_folder(music, tmp_path):
    (tmp_path / "link").symlink_to(music)
    assert list(list_audio(tmp_path / "link")) == list(list_audio(music))


def test_no_folder(tmp_path, store):
    for wrong in (tmp_path / "missing", make_music(tmp_path / "file.wav")):
        with pytest.raises(MediaError, match="expected a folder of music") as raised:
            scan([wrong], store)
        assert str(raised.value).count(str(wrong)) == 1


def test_folder_without_audio(tmp_path, store):
    (tmp_path / "empty").mkdir()
    report = scan([tmp_path / "empty"], store)
    assert report.n_found == 0
    assert report.failures == ()


# --- what is new, what has changed


def test_what_is_new_is_measured_and_what_is_known_is_not(music, store):
    first = scan([music], store)
    assert (first.n_found, first.n_new, first.n_changed, first.n_unchanged, first.n_gone) == (
        3,
        3,
        0,
        0,
        0,
    )
    assert first.failures == ()
    assert list(store.tracks()) == [str(path) for path in list_audio(music)]
    assert list(store.tracks().values()) == pytest.approx([90, 100, 120], abs=0.3)
    n_put = store.n_put
    second = scan([music], store)
    assert (second.n_found, second.n_new, second.n_changed, second.n_unchanged) == (3, 0, 0, 3)
    assert store.n_put == n_put


def test_worker_processes_find_the_same(music, store, tmp_path):
    scan([music], store)
    other = Store(tmp_path / "other.sqlite3")
    with other.library:
        report = scan([music], other, jobs=2)
        assert report.n_new == 3
        assert other.tracks() == store.tracks()
        assert other.read_files() == store.read_files()


def test_changed_file_is_measured_again(music, store):
    scan([music], store)
    make_music(music / "a.wav", 150)
    touch_later(music / "a.wav")
    report = scan([music], store)
    assert (report.n_new, report.n_changed, report.n_unchanged) == (0, 1, 2)
    assert store.tracks()[str(music / "a.wav")] == pytest.approx(150, abs=0.3)


def test_touched_file_is_read_and_not_measured(music, store):
    scan([music], store)
    before = store.tracks()
    touch_later(music / "a.wav")
    report = scan([music], store)
    assert (report.n_changed, report.n_unchanged) == (0, 3)
    assert store.tracks() == before
    assert store.n_put == 4
    scan([music], store)  # its new time is kept
    assert store.n_put == 4


def test_other_version_of_the_measures_measures_again(music, store, monkeypatch):
    scan([music], store)
    monkeypatch.setattr("moodwalk.music.library.scan._PREFIX", "later:")
    assert scan([music], store).n_changed == 3
    assert scan([music], store).n_unchanged == 3


def test_same_folder_twice_and_folder_inside_folder(music, store):
    report = scan([music, str(music), music / "b", music / ".." / "music"], store)
    assert (report.n_found, report.n_new) == (3, 3)


def test_three_hours_are_read_in_pieces(tmp_path, store):
    path = make_music(tmp_path / "music" / "long.wav", rate=2000)
    n_bytes = 3 * 3600 * 2000 * 2
    with path.open("r+b") as file:  # a sparse file: silence that takes no room
        file.seek(40)
        file.write(n_bytes.to_bytes(4, "little"))
        file.truncate(44 + n_bytes)
    tracemalloc.start()
    report = scan([path.parent], store)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (report.n_new, report.failures) == (1, ())
    (track,) = store.library.list()
    assert track.duration_s == pytest.approx(3 * 3600)
    assert peak < 40 * 2**20  # the file has 43 MB, and as floats 86 MB
    assert scan([path.parent], store).n_unchanged == 1


def test_real_music(tmp_path, store):
    pieces = sorted(Path("/usr/share/games/wesnoth").glob("*/data/core/music/*.ogg"))
    if not pieces:
        pytest.skip("needs the music of Debian's wesnoth-1.16-music, which is not installed")
    (tmp_path / "music").mkdir()
    with_tags = [path for path in pieces if path.name != "silence.ogg"]
    for piece in sorted(with_tags, key=lambda path: path.stat().st_size)[:3]:
        (tmp_path / "music" / piece.name).symlink_to(piece)
    report = scan([tmp_path / "music"], store)
    assert (report.n_new, report.failures) == (3, ())
    for track in store.library.list():
        assert track.title
        assert track.artist
        assert track.duration_s > 1
        assert track.source == "scan"
    assert scan([tmp_path / "music"], store).n_unchanged == 3


# --- what is gone


def test_gone_files_leave(music, store):
    scan([music], store)
    (music / "a.wav").unlink()
    report = scan([music], store)
    assert (report.n_found, report.n_gone) == (2, 1)
    assert str(music / "a.wav") not in store.tracks()


def test_files_elsewhere_stay(music, store, tmp_path):
    other = make_music(tmp_path / "music of others" / "x.wav")
    scan([music, other.parent], store)
    other.unlink()
    assert scan([music], store).n_gone == 0
    assert str(other) in store.tracks()
    assert scan([music / "b"], store).n_gone == 0
    assert len(store.tracks()) == 4


def test_folder_that_is_away_keeps_its_files(music, store, tmp_path):
    scan([music], store)
    music.rename(tmp_path / "away")
    with pytest.raises(MediaError, match="does not exist"):
        scan([music], store)
    assert len(store.tracks()) == 3


def test_linked_folder_that_is_away_keeps_its_files(music, store, tmp_path):
    make_music(tmp_path / "disk" / "x.wav")
    (music / "disk").symlink_to(tmp_path / "disk")
    assert scan([music], store).n_new == 4
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    assert scan([music], store).n_gone == 0
    assert len(store.tracks()) == 4


def test_folder_without_permission_keeps_its_files(plain_user):
    music = plain_user / "music"
    for name in ("a.wav", "b/c.wav"):
        make_music(music / name)
    store = Store(plain_user / "library.sqlite3")
    with store.library:
        scan([music], store)
        (music / "b").chmod(0)
        report = scan([music], store)
        assert report.n_gone == 0
        assert report.failures == (
            (str(music / "b"), f"{music / 'b'} cannot be read: Permission denied."),
        )
        assert len(store.tracks()) == 2
        (music / "b").chmod(0o700)
        touch_later(music / "a.wav")
        (music / "a.wav").chmod(0)
        report = scan([music], store)
        assert "a.wav cannot be read: Permission denied" in report.failures[0][1]
        assert len(store.tracks()) == 2  # of the moment: what was known stays
        (music / "a.wav").chmod(0o600)
        assert scan([music], store).failures == ()


def test_folder_that_cannot_be_read_keeps_its_files(music, store, monkeypatch):
    scan([music], store)
    real = os.scandir

    def refuse(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("moodwalk.music.library.folders.os.scandir", refuse)
    report = scan([music], store)
    assert (report.n_found, report.n_gone) == (1, 0)
    assert report.failures == (
        (str(music / "b"), f"{music / 'b'} cannot be read: Permission denied."),
    )
    assert len(store.tracks()) == 3


# --- damaged files


def test_damaged_files_stop_nothing_and_are_not_tried_again(music, store):
    (music / "a text.mp3").write_text("no music" * 100)
    (music / "nothing.ogg").touch()
    make_music(music / "silent.wav", duration_s=0)
    report = scan([music], store)
    assert report.n_new == 6
    names = [Path(path).name for path, _ in report.failures]
    assert names == ["a text.mp3", "nothing.ogg", "silent.wav"]
    assert all("\n" not in line for _, line in report.failures)
    assert len(store.tracks()) == 3
    n_put = store.n_put
    again = scan([music], store)
    assert again.failures == report.failures
    assert again.n_unchanged == 6
    assert store.n_put == n_put


def test_repaired_file_is_tried_again(music, store):
    (music / "a.wav").write_text("no music")
    assert len(scan([music], store).failures) == 1
    make_music(music / "a.wav")
    report = scan([music], store)
    assert report.failures == ()
    assert len(store.tracks()) == 3


def test_file_that_is_now_damaged_leaves_the_library(music, store):
    scan([music], store)
    (music / "a.wav").write_text("no music")
    assert len(scan([music], store).failures) == 1
    assert str(music / "a.wav") not in store.tracks()


def test_file_that_vanishes_meanwhile(music, store):
    def vanish(n_done, n):
        (music / "b" / "d e.WAV").unlink(missing_ok=True)

    report = scan([music], store, jobs=1, progress=vanish)
    assert len(report.failures) == 1
    assert "No such file" in report.failures[0][1]
    assert str(music / "b" / "d e.WAV") not in store.read_files()  # not remembered
    assert scan([music], store).n_found == 2


def test_names_that_are_not_utf8(music, store):
    path = Path(os.fsdecode(os.fsencode(music) + b"/caf\xe9.wav"))
    try:
        make_music(path)
        Path(os.fsdecode(os.fsencode(music) + b"/bad\xff.mp3")).write_text("no music")
    except OSError:
        pytest.skip("this file system holds no such names")
    report = scan([music], store)
    assert report.n_new == 5
    assert path in {to_path(location) for location in store.tracks()}
    ((location, line),) = report.failures
    assert location.endswith("bad%FF.mp3")
    line.encode("utf-8")
    assert scan([music], store).n_unchanged == 5


# --- interruptions, and two at once


def test_progress_ends_at_all(music, store):
    seen = []
    scan([music], store, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    seen.clear()
    scan([music], store, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(3, 3)]


def test_interrupted_scan_keeps_what_was_done(music, store):
    def interrupt(n_done, n):
        if n_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan([music], store, progress=interrupt)
    assert len(store.tracks()) == 2
    report = scan([music], store)
    assert (report.n_new, report.n_unchanged) == (1, 2)
    assert len(store.tracks()) == 3


def test_results_are_written_in_small_batches(tmp_path, store):
    one = make_music(tmp_path / "music" / "000.wav", duration_s=0.5)
    for number in range(1, 70):
        (one.parent / f"{number:03}.wav").write_bytes(one.read_bytes())
    assert scan([one.parent], store, jobs=1).n_new == 70
    assert store.batches[:2] == [32, 32]
    assert sum(store.batches) == 70


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_scan_goes_on(tmp_path, store, jobs):
    one = make_music(tmp_path / "music" / "000.wav", duration_s=4)
    for number in range(1, 90):
        (one.parent / f"{number:03}.wav").write_bytes(one.read_bytes())
    code = (
        f"from moodwalk.music.library.store import Library\n"
        f"from moodwalk.music.library.scan import scan\n"
        f"with Library.open({str(store.path)!r}) as library:\n"
        f"    scan([{str(one.parent)!r}], library, jobs={jobs})"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    while not store.tracks() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    n_done = len(store.tracks())
    assert 0 < n_done < 90
    report = scan([one.parent], store, jobs=1)
    assert report.n_unchanged == n_done
    assert report.n_new == 90 - n_done
    assert len(store.tracks()) == len(store.read_files()) == 90


def test_second_scan_at_once_is_refused(music, store):
    refused = []

    def scan_again(n_done, n):
        if not refused:
            with Library.open(store.path) as library, pytest.raises(LibraryError) as raised:
                scan([music], library)
            refused.append(str(raised.value))

    scan([music], store, progress=scan_again)
    assert len(refused) == 1
    assert "\n" not in refused[0]
    assert scan([music], store).n_unchanged == 3


def test_report_as_json(music, store):
    import json

    (music / "text.mp3").write_text("no music")
    found = json.loads(json.dumps(scan([music], store).to_dict()))
    assert found["n_found"] == 4
    assert found["failures"][0]["path"].endswith("text.mp3")

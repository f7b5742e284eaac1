"""A real Music Player Daemon, with no sound: queued, faded, paused, killed and begun anew."""

import math
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import wave
from array import array
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from moodwalk.cli import main
from moodwalk.errors import ConfigError, LibraryError
from moodwalk.music.library import Library
from moodwalk.music.player import (
    Crossfade,
    MpdPlayer,
    Pause,
    Refill,
    Resume,
    SessionOptions,
    WalkSession,
    drive,
)
from moodwalk.music.playlists import write_playlist
from moodwalk.music.track import Track

mpd = pytest.importorskip("mpd", reason="python-mpd2 is part of the extra 'music'")

DAEMON = shutil.which("mpd")
pytestmark = pytest.mark.skipif(DAEMON is None, reason="needs the Music Player Daemon (mpd)")

# A song of less data would be handed to the output whole, and the daemon would wait for its end whenever
# the song after it is another.
RATE = 44100
SONG_S = 30
CONFIG = """
music_directory "{folder}/music"
playlist_directory "{folder}/playlists"
db_file "{folder}/database"
{more}
bind_to_address "{folder}/socket"
bind_to_address "127.0.0.1"
port "{port}"
zeroconf_enabled "no"
log_level "default"
audio_output {{
    type "null"
    name "nothing"
    mixer_type "software"
}}
"""


def write_song(path, pitch_hz=220.0, seconds=SONG_S):
    """Write a quiet tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave_s = (round(900 * math.sin(math.tau * pitch_hz * i / RATE)) for i in range(RATE))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(array("h", (part for part in wave_s for _ in "LR")).tobytes() * seconds)
    return Track(location=str(path), title=path.stem, duration_s=seconds)


@pytest.fixture(scope="session")
def songbook():
    """Return a folder of songs, to be linked to and not written again for every test."""
    with tempfile.TemporaryDirectory(prefix="mw-") as name:
        for index, letter in enumerate("abcdef"):
            write_song(Path(name) / f"{letter}.wav", 200.0 + 20 * index)
        yield Path(name)


def link_songs(songbook, folder, letters="abcdef"):
    """Give songs to a daemon."""
    tracks = []
    for letter in letters:
        path = folder / "music" / f"{letter}.wav"
        path.parent.mkdir(exist_ok=True)
        path.hardlink_to(songbook / path.name)
        tracks.append(Track(location=str(path), title=letter, duration_s=SONG_S))
    return tracks


class Daemon:
    """A daemon in a folder of its own."""

    def __init__(self, folder, more=""):
        self.folder = folder
        self.socket = folder / "socket"
        self.more = more
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "playlists").mkdir()
        (folder / "music").mkdir(exist_ok=True)
        self.process = None

    def start(self):
        config = self.folder / "mpd.conf"
        config.write_text(CONFIG.format(folder=self.folder, port=self.port, more=self.more))
        self.socket.unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [DAEMON, "--no-daemon", "--stderr", str(config)],
                stdout=log,
                stderr=log,
                # no session bus, no sound server
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
            )
        return self.wait(lambda client: True)

    def wait(self, holds, limit_s=30.0):
        """Return once something holds, as another client sees it."""
        give_up = time.monotonic() + limit_s
        while time.monotonic() < give_up and self.process.poll() is None:
            with suppress(OSError, mpd.MPDError), self.connect() as client:
                if holds(client):
                    return self
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text(errors="replace")[-2000:])

    def connect(self):
        """Return another client."""
        with socket.socket(
            socket.AF_UNIX
        ) as knock:  # python-mpd2 leaves its own open where it fails
            knock.connect(str(self.socket))
        client = mpd.MPDClient()
        client.timeout = 10
        client.connect(str(self.socket))
        return closing(_Closing(client))

    def update(self):
        with self.connect() as client:
            client.update()
        return self.wait(lambda client: "updating_db" not in client.status())

    def stop(self, how=signal.SIGKILL):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
        if self.process is not None:
            self.process.wait(timeout=30)

    def files(self):
        """Return what is queued, in order."""
        with self.connect() as client:
            return [song["file"] for song in client.playlistinfo()]

    def status(self):
        with self.connect() as client:
            return client.status()


class _Closing:
    """python-mpd2's client, which calls the end of a connection something else."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        return getattr(self._client, name)

    def close(self):
        self._client.disconnect()


@pytest.fixture
def folder():
    # not tmp_path: the path of a socket has at most 107 bytes
    with tempfile.TemporaryDirectory(prefix="mw-") as name:
        yield Path(name)


@pytest.fixture
def daemon(folder):
    made = Daemon(folder)
    yield made
    made.stop()


@pytest.fixture
def songs(daemon, songbook):
    return link_songs(songbook, daemon.folder)


@pytest.fixture
def player(daemon, songs):
    daemon.start().update()
    made = MpdPlayer(daemon.socket)
    yield made
    made.close()


def wait_for(read, holds, limit_s=30.0):
    """Read until something holds, and return what was read then."""
    give_up = time.monotonic() + limit_s
    while not holds(found := read()):
        assert time.monotonic() < give_up, found
        time.sleep(0.02)
    return found


def test_queues_plays_pauses_resumes_and_skips(player, songs):
    assert player.queue(songs[:3]) == ()
    assert player.status().state == "stop"
    assert player.status().n_left == 3
    player.play()
    status = wait_for(player.status, lambda status: (status.elapsed_s or 0) > 0.2)
    assert status.state == "play"
    assert status.location == songs[0].location
    assert status.is_own
    assert status.n_left == 2
    assert status.duration_s == pytest.approx(SONG_S, abs=0.1)
    player.pause()
    held = player.status()
    assert held.state == "pause"
    assert player.status().elapsed_s == held.elapsed_s
    player.resume()
    assert player.status().state == "play"
    player.skip()
    assert player.status().location == songs[1].location
    assert player.status().n_left == 1


def test_resume_leaves_alone_what_somebody_else_paused(player, daemon, songs):
    player.queue(songs[:1])
    player.play()
    with daemon.connect() as client:
        client.pause(1)
    player.resume()
    assert player.status().state == "pause"


def test_new_tracks_take_the_place_of_what_follows_and_of_nothing_else(player, daemon, songs):
    with daemon.connect() as client:
        client.add("f.wav")
    player.queue(songs[:3])
    player.play()
    with daemon.connect() as client:
        client.add("e.wav")
    player.queue(songs[3:4])
    assert daemon.files() == ["f.wav", "a.wav", "d.wav", "e.wav"]
    assert player.status().location == songs[0].location
    player.skip()
    player.queue(songs[1:3])
    assert daemon.files() == ["f.wav", "d.wav", "b.wav", "c.wav", "e.wav"]
    assert player.status().location == songs[3].location
    player.queue([])
    assert daemon.files() == ["f.wav", "d.wav", "e.wav"]


def test_a_song_of_the_listener_goes_on_and_ours_follow(player, daemon, songs):
    with daemon.connect() as client:
        client.add("e.wav")
        client.add("f.wav")
        client.play(0)
    player.queue(songs[:2])
    player.play()
    status = player.status()
    assert (status.location, status.is_own, status.n_left) == ("e.wav", False, 2)
    assert daemon.files() == ["e.wav", "a.wav", "b.wav", "f.wav"]


def test_what_others_remove_and_move_is_theirs_to_decide(player, daemon, songs):
    player.queue(songs[:4])
    player.play()
    with daemon.connect() as client:
        client.delete(1)
        client.move(2, 1)
    assert daemon.files() == ["a.wav", "d.wav", "c.wav"]
    assert player.status().n_left == 2
    player.skip()
    assert player.status().location == songs[3].location
    with daemon.connect() as client:
        client.clear()
    assert player.status().n_left == 0
    assert player.status().location is None
    player.queue(songs[:1])
    assert daemon.files() == ["a.wav"]


def test_songs_overlap_by_the_crossfade(player, daemon, songs):
    player.set_crossfade(3.4)
    assert daemon.status()["xfade"] == "3"
    player.queue(songs[:2])
    player.play()
    with daemon.connect() as client:
        client.seekcur(SONG_S - 5)
    wait_for(player.status, lambda status: status.location == songs[1].location)
    status = wait_for(player.status, lambda status: status.elapsed_s)
    # as the daemon counts: when the first song had ended, 3 s of the second had been heard
    assert 2.5 <= status.elapsed_s < 5
    player.close()
    assert "xfade" not in daemon.status()


@pytest.mark.parametrize("seconds", [-1, 61, math.nan, math.inf])
def test_a_crossfade_that_makes_no_sense_is_refused(player, seconds):
    with pytest.raises(ConfigError, match="expected 0 to 60"):
        player.set_crossfade(seconds)


@pytest.mark.parametrize("state", ["play", "pause", "stop"])
def test_a_daemon_that_began_anew_gets_its_queue_back(player, daemon, songs, state):
    player.set_crossfade(5)
    player.queue(songs[:4])
    if state != "stop":
        player.play()
        player.skip()
        with daemon.connect() as client:
            client.seekcur(20)
        if state == "pause":
            player.pause()
        wait_for(player.status, lambda status: (status.elapsed_s or 0) >= 20)
    daemon.stop()
    daemon.start()
    status = player.status()
    assert status.state == state
    assert daemon.status().get("xfade") == "5"
    if state == "stop":
        assert daemon.files() == ["a.wav", "b.wav", "c.wav", "d.wav"]
        return
    assert daemon.files() == ["b.wav", "c.wav", "d.wav"]
    assert status.location == songs[1].location
    assert status.n_left == 2
    assert 19.5 <= status.elapsed_s < SONG_S
    if state == "pause":
        player.resume()
    assert player.status().state == "play"
    player.queue(songs[4:])
    assert daemon.files() == ["b.wav", "e.wav", "f.wav"]


def test_a_daemon_that_kept_its_queue_gets_nothing_twice(folder, songbook):
    daemon = Daemon(folder, more=f'state_file "{folder}/state"\nrestore_paused "yes"')
    songs = link_songs(songbook, folder, "abc")
    try:
        daemon.start().update()
        player = MpdPlayer(daemon.socket)
        with daemon.connect() as client:
            client.add("c.wav")
        player.queue(songs)
        player.play()
        player.skip()
        daemon.stop(signal.SIGTERM)
        daemon.start()
        status = player.status()
        assert daemon.files() == ["c.wav", "a.wav", "b.wav", "c.wav"]
        assert (status.state, status.location, status.n_left) == ("play", songs[1].location, 1)
        player.queue(songs[:1])
        # what had been played before the end is the daemon's now
        assert daemon.files() == ["c.wav", "a.wav", "b.wav", "a.wav"]
        player.close()
    finally:
        daemon.stop()


def test_a_broken_connection_alone_changes_nothing(player, daemon, songs):
    player.queue(songs[:3])
    player.play()
    before = daemon.status()
    player._link.close()  # as the daemon does after a minute of silence
    assert player.status().location == songs[0].location
    assert daemon.status()["playlist"] == before["playlist"]


def test_the_daemon_closes_idle_connections_and_we_come_back(folder, songbook):
    daemon = Daemon(folder, more='connection_timeout "1"')
    songs = link_songs(songbook, folder, "ab")
    try:
        daemon.start().update()
        player = MpdPlayer(daemon.socket)
        player.queue(songs)
        player.play()
        time.sleep(2.5)
        assert player.status().state == "play"
        assert daemon.files() == ["a.wav", "b.wav"]
        player.close()
    finally:
        daemon.stop()


class Proxy:
    """Stands before a daemon, and breaks the connection instead of giving the answer to a command."""

    def __init__(self, path, behind, command, nth):
        self.behind, self.command, self.left = str(behind), command, nth
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with suppress(OSError):
            while True:
                near, _ = self.server.accept()
                with near, socket.socket(socket.AF_UNIX) as far, suppress(OSError):
                    far.connect(self.behind)
                    self.forward(near, far)

    def forward(self, near, far):
        while True:
            ready, _, _ = select.select([near, far], [], [])
            if near in ready:
                if not (asked := near.recv(2**16)):
                    return
                self.left -= asked.startswith(self.command)
                far.sendall(asked)
            if far in ready:
                answer = far.recv(2**16)
                if not answer or self.left == 0:
                    self.left = -1
                    return
                near.sendall(answer)

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.thread.join(timeout=10)
        self.server.close()


@pytest.mark.parametrize(
    ("command", "nth"), [(b"addid", 2), (b"addid", 5), (b"deleteid", 1), (b"status", 3)]
)
def test_a_connection_that_breaks_in_the_middle_leaves_nothing_twice(daemon, songs, command, nth):
    daemon.start().update()
    path = daemon.folder / "proxy"
    with closing(Proxy(path, daemon.socket, command, nth)) as proxy:
        player = MpdPlayer(path)
        player.queue(songs[:3])
        player.play()
        player.queue(songs[3:])
        assert proxy.left < 0
        assert daemon.files() == ["a.wav", "d.wav", "e.wav", "f.wav"]
        assert player.status().n_left == 3
        player.close()


def test_a_daemon_that_hangs_is_waited_for(daemon, songs):
    daemon.start().update()
    player = MpdPlayer(daemon.socket, timeout_s=0.2)
    player.queue(songs[:2])
    player.play()
    daemon.process.send_signal(signal.SIGSTOP)
    waker = threading.Timer(1.0, daemon.process.send_signal, [signal.SIGCONT])
    waker.start()
    player.queue(songs[2:4])
    waker.join()
    assert daemon.files() == ["a.wav", "c.wav", "d.wav"]
    player.close()


def test_a_daemon_that_stays_away_is_one_line_and_comes_back(daemon, songs):
    daemon.start().update()
    player = MpdPlayer(daemon.socket, patience_s=0.3)
    player.queue(songs[:2])
    player.play()
    wait_for(player.status, lambda status: status.elapsed_s is not None)
    daemon.stop()
    for _ in range(2):
        with pytest.raises(LibraryError, match="no player answers at") as caught:
            player.status()
        assert "\n" not in str(caught.value)
    daemon.start()
    assert player.status().location == songs[0].location
    assert daemon.files() == ["a.wav", "b.wav"]
    player.close()
    player.close()


def test_a_daemon_without_database_is_waited_for(daemon, songs):
    daemon.start().update()
    with MpdPlayer(daemon.socket, patience_s=60) as player:
        player.queue(songs[:2])
        player.play()
        wait_for(player.status, lambda status: status.elapsed_s is not None)
        daemon.stop()
        (daemon.folder / "database").unlink()
        for index in range(300):
            more = daemon.folder / "music" / f"more{index}.wav"
            more.hardlink_to(songs[0].location)
        daemon.start()
        assert player.status().location == songs[0].location
        assert daemon.files() == ["a.wav", "b.wav"]


def test_files_outside_the_music_folder(player, daemon, songs):
    odd = write_song(daemon.folder / "else where" / '#1 100% "ä" \\ tune.wav')
    assert player.queue([odd, songs[0]]) == ()
    player.play()
    assert player.status().location == odd.location
    assert wait_for(player.status, lambda status: status.duration_s is not None).duration_s == 30
    as_uri = Track(location=Path(odd.location).as_uri())
    assert player.queue([as_uri]) == ()
    words = r"can play none of 1 tracks.*Unix socket.*music_root"
    with (
        MpdPlayer(f"127.0.0.1:{daemon.port}") as far,
        pytest.raises(LibraryError, match=words),
    ):
        far.queue([odd])
    with MpdPlayer(f"127.0.0.1:{daemon.port}", music_root=daemon.folder / "music") as far:
        left_out = far.queue([odd, songs[1]])
        assert [one.track for one in left_out] == [odd]
        assert far.status().n_left == 1
    assert daemon.files()[1:] == ["b.wav", str(odd.location)]


def test_what_cannot_be_played_is_left_out_with_the_reason(player, daemon, songs):
    text = daemon.folder / "music" / "text.wav"
    text.write_text("no music")
    gone = daemon.folder / "music" / "gone.wav"
    bad = [
        Track(location="simulated:3"),
        Track(location=str(gone)),
        Track(location=str(daemon.folder / "music")),
        Track(location="file:///music/%FF.ogg"),
        Track(location="/music/line\nclear.ogg"),
        Track(location="nowhere.ogg"),
        Track(location="spotify:track:1"),
    ]
    left_out = player.queue([*bad, songs[0]])
    assert [one.track for one in left_out] == bad
    for one, word in zip(
        left_out,
        (
            "in no file",
            "gone.wav",
            "the player says",
            "UTF-8",
            "line break",
            "no place",
            "No such song",
        ),
        strict=True,
    ):
        assert word in one.reason
        assert "\n" not in one.reason
    assert daemon.files() == ["a.wav"]
    with pytest.raises(LibraryError, match="can play none of 7 tracks"):
        player.queue(bad)
    assert daemon.files() == ["a.wav"]


def test_names_cannot_smuggle_commands(player, daemon, songs):
    player.queue(songs[:2])
    player.play()
    for location in ("/x\nclear", "file:///x%0Aclear", '/x"\nclear\n"'):
        with pytest.raises(LibraryError, match="can play none"):
            player.queue([Track(location=location)])
    assert daemon.files() == ["a.wav", "b.wav"]
    assert player.queue([Track(location='http://127.0.0.1:1/"\nclear')]) == ()
    assert daemon.files() == ["a.wav", "http://127.0.0.1:1/%22%0Aclear"]
    with pytest.raises(ConfigError, match="control"):
        MpdPlayer(daemon.socket, password="x\nclear")


def test_nothing_queued_is_said(player):
    with pytest.raises(LibraryError, match="nothing is queued"):
        player.play()


def test_passwords(folder):
    daemon = Daemon(
        folder, more='password "sesame@read,add,control,admin"\ndefault_permissions "read"\n'
    )
    song = write_song(folder / "music" / "a.wav", seconds=1)
    try:
        daemon.start()
        daemon.wait(lambda client: client.listall("a.wav"))
        with pytest.raises(LibraryError, match="refuses the password"):
            MpdPlayer(daemon.socket, password="wrong").connect()
        with (
            MpdPlayer(daemon.socket) as player,
            pytest.raises(LibraryError, match="permission"),
        ):
            player.queue([song])
        with MpdPlayer(daemon.socket, password="sesame") as player:
            assert player.queue([song]) == ()
    finally:
        daemon.stop()


def test_something_else_at_the_address_is_one_line(folder):
    with pytest.raises(LibraryError, match="no player answers"):
        MpdPlayer(folder / "socket").connect()
    with pytest.raises(LibraryError, match="no player answers"):
        MpdPlayer("127.0.0.1:1").connect()
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(LibraryError, match=r"no player answers.*timed out"):
            MpdPlayer(address, timeout_s=0.2).connect()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff\xfe\n",
        b"OK MPD 0.23\nuptime: 1\nOK\nnonsense\n",
        b"OK MPD 0.23\nuptime: 1\nOK\nstate: dancing\nOK\n",
        b"OK MPD 0.23\nACK [99@0] {stats} \xc3\xa4\n",
        b"OK MPD 0.23\nOK\n",
    ],
)
def test_an_answer_of_another_program_is_one_line(folder, answer):
    path = folder / "socket"
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(path))
        server.listen()

        def serve():
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.sendall(answer)
                        connection.settimeout(5)
                        with suppress(OSError):
                            while connection.recv(1000):
                                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(LibraryError) as caught:
            MpdPlayer(path, timeout_s=0.3, patience_s=0.1).connect()
        assert "\n" not in str(caught.value)
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)


@pytest.mark.parametrize(
    "address", ["", ":6600", "host:0", "host:65536", "host:x", "a b", "user@host", "[::1", "@"]
)
def test_addresses_that_are_none_are_refused(address):
    with pytest.raises(ConfigError, match="is no address of a player"):
        MpdPlayer(address)


def test_a_walk_from_start_to_end(player, daemon, songs):
    happy, sad = (0.8, 0.5), (-0.6, -0.3)
    asked = []

    def recommend(point, cadence_spm):
        asked.append((point, cadence_spm))
        return songs[:3] if point == happy else songs[3:]

    session = WalkSession(SessionOptions(hold_s=5, min_change_s=10, stop_s=2, go_s=1))
    done = []
    for second in range(60):
        mood = happy if second < 20 else sad
        walking = not 40 <= second < 50
        actions = session.update(second, mood, walking, 110.0, n_left=player.status().n_left)
        done += actions
        assert drive(player, session, actions, recommend) == ()
        if second == 19:
            assert daemon.files() == ["a.wav", "b.wav", "c.wav"]
        if second == 30:
            assert player.status().location == songs[0].location
            assert daemon.files() == ["a.wav", "d.wav", "e.wav", "f.wav"]
        if second == 35:
            daemon.stop()
            daemon.start()
        assert player.status().state == ("pause" if 42 <= second < 51 else "play")
    assert [type(action) for action in done] == [Refill, Crossfade, Refill, Pause, Resume]
    assert [point for point, _ in asked] == [happy, pytest.approx(sad)]
    assert daemon.files() == ["a.wav", "d.wav", "e.wav", "f.wav"]
    assert player.status().location == songs[0].location


def test_music_goes_on_when_all_was_played(player, daemon, songs):
    session = WalkSession(SessionOptions(min_change_s=1))
    short = write_song(daemon.folder / "music" / "short.wav", seconds=1)
    daemon.update()
    tracks = [short]

    def recommend(point, cadence_spm):
        return tracks

    drive(player, session, session.update(0, (0.5, 0.5), True, None), recommend)
    ended = wait_for(player.status, lambda status: status.state == "stop")
    assert (ended.location, ended.n_left, ended.is_own) == (None, 0, False)
    tracks = songs[:2]
    actions = session.update(2, (0.5, 0.5), True, None, n_left=ended.n_left)
    assert actions == [Refill((0.5, 0.5), None)]
    drive(player, session, actions, recommend)
    assert player.status().state == "play"
    assert player.status().location == songs[0].location


def test_a_stop_by_hand_stays(player, daemon, songs):
    session = WalkSession()
    drive(player, session, [Refill((0.5, 0.5), None)], lambda point, cadence: songs[:2])
    with daemon.connect() as client:
        client.stop()
    drive(player, session, [Refill((0.5, 0.5), None)], lambda point, cadence: songs[2:4])
    assert player.status().state == "stop"
    assert daemon.files() == ["a.wav", "c.wav", "d.wav"]
    drive(player, session, [Refill((0.5, 0.5), None)], lambda point, cadence: [])
    assert daemon.files() == ["a.wav", "c.wav", "d.wav"]


def test_what_a_player_did_not_do_is_decided_anew(folder):
    session = WalkSession(SessionOptions(min_change_s=3, max_gap_s=1))
    player = MpdPlayer(folder / "socket")
    asked = []

    def recommend(point, cadence_spm):
        asked.append(point)
        return [Track(location="/a.ogg")]

    n_failures = 0
    for second in range(8):
        actions = session.update(second, (0.5, 0.5), True, None)
        try:
            drive(player, session, actions, recommend)
        except LibraryError:
            n_failures += 1
    assert n_failures == len(asked) == 3


@pytest.mark.parametrize("relative", [False, True])
def test_the_daemon_reads_our_m3u8(player, daemon, songs, relative):
    # not names that begin with a blank: the daemon leaves those of a playlist out
    names = ["#hash", "100% of ä", "blank ", "a:b", "comma, dash - name", "%41", "日本 \U0001f3b5"]
    music = daemon.folder / "music"
    odd = [write_song(music / "sub" / f"{name}.wav", seconds=1) for name in names]
    daemon.update()
    why = "fits\n#EXTINF:1,not a title\na.wav"
    tracks = [(track, why) for track in [*songs[:2], Track(location="simulated:3"), *odd]]
    write_playlist(music / "sub" / "list.m3u8", tracks, "A title\na.wav", relative=relative)
    with daemon.connect() as client:
        client.load("sub/list.m3u8")
    assert daemon.files() == ["a.wav", "b.wav", *(f"sub/{name}.wav" for name in names)]


def test_the_daemon_reads_our_xspf(player, daemon, songs):
    # only names without escapes: the daemon does not decode those of URIs
    tracks = [(songs[0], "why"), (Track(location="simulated:3", title="x"), "why"), (songs[1], "")]
    write_playlist(daemon.folder / "music" / "list.xspf", tracks, "a title")
    with daemon.connect() as client:
        client.load("list.xspf")
    assert daemon.files() == ["a.wav", "b.wav"]


def test_the_command_line_plays_what_it_recommends(player, daemon, songs, tmp_path, monkeypatch):
    monkeypatch.setenv("MOODWALK_HOME", str(tmp_path))
    with Library.open() as library:
        library.put(
            replace(song, valence=0.8, arousal=0.5, tempo_bpm=100.0 + i)
            for i, song in enumerate(songs)
        )
    address = ("--player-address", str(daemon.socket))
    said = ["music", "recommend", "--emotion", "happy", "-n", "4", "--player", "mpd", *address]
    assert main(said) == 0
    assert len(daemon.files()) == 4
    assert wait_for(daemon.status, lambda status: status["state"] == "play")
    monkeypatch.setenv("MOODWALK_PLAYER_PASSWORD", "wrong")
    assert main(said) == 2

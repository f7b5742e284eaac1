"""Music that follows a live walk: a session, a library and a player, in a thread of their own."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moodwalk.errors import LibraryError
from moodwalk.live.answer import LiveAnswer
from moodwalk.music.player import Player, PlayerStatus, Point, SessionOptions, WalkSession, drive
from moodwalk.music.player.interface import Unplayable
from moodwalk.music.target import Mood
from moodwalk.music.track import Track

__all__ = ["LiveMusic", "NowPlaying"]

POLL_S = 2.0
"""How often the player is asked what it plays."""

N_TRACKS = 20
_START_S = 60.0
_END_S = 5.0


@dataclass(frozen=True, slots=True)
class NowPlaying:
    """What the music does.

    Parameters
    ----------
    state
        ``waiting`` for a walk, ``suggested`` where there is no player, else what the player does.
    title, artist
        Of the current song; empty where there is none.
    why
        Why it was chosen; empty where it was not chosen here.
    note
        What went wrong last; empty where nothing did.
    """

    state: str = "waiting"
    title: str = ""
    artist: str = ""
    why: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return {
            "state": self.state,
            "title": self.title,
            "artist": self.artist,
            "why": self.why,
            "note": self.note,
        }


class LiveMusic:
    """Chooses music while somebody walks, and has it played; answers are never kept waiting.

    Parameters
    ----------
    library
        A file or an URL, as for `moodwalk.music.library.Library.open`; it is only read.
    player
        What plays; None only to suggest.
    mode
        ``match``, ``lift``, ``calm`` or ``energise``.
    options
        How readily the music follows.
    learn
        Whether likes and skips so far have a say.
    seed
        Of every random choice.
    timeout_s
        How long to wait for a library that another program writes; after that it is tried again later.

    Raises
    ------
    LibraryError
        If the library is empty or cannot be opened, or the player cannot be reached.
    ConfigError
        If a package is missing, or an option makes no sense.
    """

    def __init__(
        self,
        library: str | Path | None = None,
        player: Player | None = None,
        *,
        mode: str = "match",
        options: SessionOptions | None = None,
        learn: bool = True,
        seed: int = 0,
        timeout_s: float = 10.0,
    ) -> None:
        self._library_url = library
        self._timeout_s = timeout_s
        self._player: Player = _Suggestions() if player is None else player
        self._suggests = player is None
        self._mode, self._learn, self._seed = mode, learn, seed
        self._session = WalkSession(options)
        self._now = NowPlaying()
        self._why: dict[str, tuple[str, str, str]] = {}
        self._news = threading.Condition()
        self._newest: LiveAnswer | None = None
        self._ends = False
        self._is_ready = False
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="music", daemon=True)
        self._thread.start()
        with self._news:
            self._news.wait_for(lambda: self._is_ready or self._failed is not None, _START_S)
            if self._failed is not None:
                raise self._failed
            if not self._is_ready:
                self._ends = True
                raise LibraryError(f"the music library did not open within {_START_S:g} s.")

    @property
    def now(self) -> NowPlaying:
        """What the music does."""
        return self._now

    def update(self, answer: LiveAnswer) -> None:
        """Take in what was just read; returns at once.

        Raises
        ------
        Exception
            What ended the thread, if anything did: a bug. A library or a player that fails is told in `now`.
        """
        with self._news:
            if self._failed is not None:
                raise self._failed
            self._newest = answer
            self._news.notify_all()

    def close(self) -> None:
        """Leave library and player; the music goes on."""
        with self._news:
            self._ends = True
            self._news.notify_all()
        self._thread.join(_END_S)

    def _work(self) -> None:
        try:
            self._follow()
        except BaseException as error:  # told in the thread that calls
            with self._news:
                self._failed = error
                self._news.notify_all()

    def _follow(self) -> None:
        from moodwalk.music.library import Library

        try:
            with Library.open(
                self._library_url, read_only=True, timeout_s=self._timeout_s
            ) as library:
                if not library.count():
                    raise LibraryError(
                        f"{library.place} has no tracks yet; expected some. Run `moodwalk music scan DIR` first."
                    )
                self._player.connect()
                with self._news:
                    self._is_ready = True
                    self._news.notify_all()
                while True:
                    with self._news:
                        self._news.wait_for(lambda: self._newest or self._ends, POLL_S)
                        if self._ends:
                            return
                        answer, self._newest = self._newest, None
                    self._take(library, answer)
        finally:
            self._player.close()

    def _take(self, library: Any, answer: LiveAnswer | None) -> None:
        note = self._now.note
        try:
            status = self._player.status()
            if answer is not None:
                note = self._decide(library, answer, status) or ""
                status = self._player.status()
            self._now = self._describe(status, note)
        except LibraryError as error:  # a locked database, a player that is gone: tried again later
            self._now = NowPlaying("away", note=str(error))

    def _decide(self, library: Any, answer: LiveAnswer, status: PlayerStatus) -> str | None:
        is_walk = answer.state in ("walking", "unclear") and (
            answer.quality is not None and answer.quality.is_walk
        )
        point: Point | None = None
        if answer.state == "walking" and answer.valence is not None and answer.arousal is not None:
            point = (answer.valence, answer.arousal)
        actions = self._session.update(
            answer.time_s,
            point,
            # without mood and cadence there is nothing to choose by
            is_walk and (point is not None or answer.cadence_spm is not None),
            answer.cadence_spm if is_walk else None,
            n_left=None if self._suggests else status.n_left,
        )
        left_out = drive(
            self._player, self._session, actions, self._make_recommend(library, answer)
        )
        return f"not queued: {left_out[0].reason}" if left_out else None

    def _make_recommend(
        self, library: Any, answer: LiveAnswer
    ) -> Callable[[Point | None, float | None], Sequence[Track]]:
        from moodwalk.music.choose import choose

        def recommend(point: Point | None, cadence_spm: float | None) -> Sequence[Track]:
            probabilities = answer.probabilities if point is not None else None
            reason = "" if probabilities else "the emotion is withheld"
            mood = Mood(probabilities or None, cadence_spm, reason)
            choice = choose(
                library, mood, mode=self._mode, n=N_TRACKS, seed=self._seed, learn=self._learn
            )
            chosen = {
                track.location: (track.title or _shorten(track.location), track.artist, why)
                for track, why in zip(choice.tracks, choice.reasons, strict=True)
            }
            # the current song is of an earlier choice
            self._why = dict([*self._why.items(), *chosen.items()][-3 * N_TRACKS :])
            return choice.tracks

        return recommend

    def _describe(self, status: PlayerStatus, note: str) -> NowPlaying:
        if status.location is None:
            return NowPlaying(
                "waiting" if self._session.anchor is None else status.state, note=note
            )
        title, artist, why = self._why.get(status.location, (_shorten(status.location), "", ""))
        state = "suggested" if self._suggests and status.state == "play" else status.state
        return NowPlaying(state, title, artist, why, note)


def _shorten(location: str) -> str:
    return location.rstrip("/").rpartition("/")[2] or location


class _Suggestions:
    """A player that plays nothing: its current song is the first that was queued."""

    def __init__(self) -> None:
        self._tracks: tuple[Track, ...] = ()
        self._is_paused = False

    def connect(self) -> None:
        pass

    def queue(self, tracks: Sequence[Track]) -> tuple[Unplayable, ...]:
        self._tracks = tuple(tracks)
        return ()

    def play(self) -> None:
        pass

    def pause(self) -> None:
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False

    def skip(self) -> None:
        self._tracks = self._tracks[1:]

    def status(self) -> PlayerStatus:
        if not self._tracks:
            return PlayerStatus("stop", None, None, None, False, 0)
        state = "pause" if self._is_paused else "play"
        return PlayerStatus(
            state, self._tracks[0].location, None, None, True, len(self._tracks) - 1
        )

    def set_crossfade(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass

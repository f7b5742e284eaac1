"""The Music Player Daemon (musicpd.org) as a player."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from moodwalk.errors import ConfigError, LibraryError
from moodwalk.music.player.interface import PlayerStatus, Unplayable
from moodwalk.music.player.mpd_link import LinkLostError, MpdLink, RejectedError
from moodwalk.music.player.mpd_queue import OwnQueue
from moodwalk.music.player.mpd_uris import parse_address
from moodwalk.music.track import Track

__all__ = ["MpdPlayer"]

MAX_CROSSFADE_S = 60
N_ATTEMPTS = 3

_T = TypeVar("_T")


class MpdPlayer:
    """Plays through a Music Player Daemon; only touches songs of its queue that were put there by this object.

    Other songs of the queue, volume, repeat, random, single and consume are left as they are. If the
    connection breaks it is made again, with growing pauses; if the daemon began anew and forgot what was
    queued here, it is queued again and goes on where it was last seen.

    Parameters
    ----------
    address
        ``host``, ``host:port``, or the path of the daemon's Unix socket. Only over the socket it plays files
        outside its own music folder.
    password
        As its configuration asks for.
    timeout_s
        The longest wait for one answer.
    patience_s
        How long to try to reach a daemon again that was reached before. Past it, calls fail at once until it
        is back.
    music_root
        Where the daemon's music folder is seen from here; over a Unix socket it tells that itself.

    Raises
    ------
    ConfigError
        If an option makes no sense, or python-mpd2 is not installed.
    """

    def __init__(
        self,
        address: str | Path = "localhost:6600",
        password: str | None = None,
        timeout_s: float = 5.0,
        *,
        patience_s: float = 10.0,
        music_root: str | Path | None = None,
    ) -> None:
        for name, seconds in (("timeout_s", timeout_s), ("patience_s", patience_s)):
            if not 0 < seconds < math.inf:
                raise ConfigError(f"{name} is {seconds}; expected seconds above 0.")
        if password is not None and not password.isprintable():
            raise ConfigError("the player's password holds control characters; expected none.")
        self._link = MpdLink(parse_address(address), password, timeout_s)
        self._patience_s = patience_s
        self._music_root = None if music_root is None else Path(music_root).expanduser().absolute()
        self._own = OwnQueue(self._link, patience_s)
        self._was_reached = self._gave_up = False
        self._held = False
        self._crossfade_s: int | None = None
        self._found_crossfade_s: int | None = None

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def connect(self) -> None:
        """Reach the daemon.

        Raises
        ------
        LibraryError
            If it cannot be reached.
        """
        self._do(self._own.look)

    def queue(self, tracks: Sequence[Track]) -> tuple[Unplayable, ...]:
        """Make these what follows the current song, in place of all else that was queued here.

        Parameters
        ----------
        tracks
            In the order of playing.

        Returns
        -------
        tuple of Unplayable
            Those left out: in no file, not in the daemon's database, not to be read by it ...

        Raises
        ------
        LibraryError
            If none can be played (then the queue stays as it was), or the daemon cannot be reached.
        """
        return self._do(lambda: self._own.replace_ahead(list(tracks)))

    def play(self) -> None:
        """Play what was queued here, unless something plays; go on where it was paused.

        Raises
        ------
        LibraryError
            If nothing is queued, or the daemon cannot be reached.
        """
        self._do(self._play)

    def pause(self) -> None:
        """Hold the music, if it plays.

        Raises
        ------
        LibraryError
            If the daemon cannot be reached.
        """

        def act() -> None:
            if self._own.look().state == "play":
                self._link.ask("pause", 1)
                self._held = True
                self._own.look()

        self._do(act)

    def resume(self) -> None:
        """Go on, if `pause` held the music; what somebody else paused stays so.

        Raises
        ------
        LibraryError
            If the daemon cannot be reached.
        """

        def act() -> None:
            if self._own.look().state == "pause" and self._held:
                self._link.ask("pause", 0)
                self._own.look()
            self._held = False

        self._do(act)

    def skip(self) -> None:
        """Go to the next song, if there is a current one.

        Raises
        ------
        LibraryError
            If the daemon cannot be reached.
        """

        def act() -> None:
            if self._own.look().state != "stop":
                self._link.ask("next")
                self._own.look()

        self._do(act)

    def status(self) -> PlayerStatus:
        """Say what the daemon does.

        Raises
        ------
        LibraryError
            If it cannot be reached.
        """
        view = self._do(self._own.look)
        current = self._own.find_current(view)
        place = None if view.current_id is None else self._own.places.get(view.current_id)
        location = None if place is None else place.file
        return PlayerStatus(
            state=view.state,
            location=location if current is None else current.track.location,
            elapsed_s=view.elapsed_s,
            duration_s=view.duration_s,
            is_own=current is not None,
            n_left=len(self._own.find_ahead(view)) - (current is not None),
        )

    def set_crossfade(self, seconds: float) -> None:
        """Let songs overlap for so long where one ends.

        Parameters
        ----------
        seconds
            0 to 60; the daemon knows whole seconds. It holds for its whole queue, until `close` sets back what
            was found.

        Raises
        ------
        ConfigError
            If it is another number.
        LibraryError
            If the daemon cannot be reached.
        """
        if not 0 <= seconds <= MAX_CROSSFADE_S:
            raise ConfigError(
                f"a cross-fade of {seconds} s; expected 0 to {MAX_CROSSFADE_S} seconds."
            )
        whole_s = round(seconds)

        def act() -> None:
            view = self._own.look()
            if self._found_crossfade_s is None:
                self._found_crossfade_s = view.crossfade_s
            self._link.ask("crossfade", whole_s)
            self._crossfade_s = whole_s

        self._do(act)

    def close(self) -> None:
        """Leave the daemon, its cross-fade as it was found; the music goes on."""
        if self._link.is_open and self._found_crossfade_s is not None:
            try:
                self._link.ask("crossfade", self._found_crossfade_s)
            except (LinkLostError, RejectedError):
                pass
            else:
                self._crossfade_s = self._found_crossfade_s = None
        self._link.close()

    def _do(self, act: Callable[[], _T]) -> _T:
        """Carry out an act, again from its beginning where the connection breaks."""
        reason = ""
        for _ in range(N_ATTEMPTS):
            try:
                if not self._link.is_open:
                    self._reach()
                return act()
            except LinkLostError as error:
                reason = str(error)
            except RejectedError as error:
                raise LibraryError(
                    f"the player at {self._link.address} refuses: {error}. Does it ask for a password, "
                    f"or does its configuration forbid it?"
                ) from None
        raise LibraryError(
            f"the player at {self._link.address} breaks the connection again and again: {reason}; expected "
            f"answers. See its log."
        )

    def _reach(self) -> None:
        try:
            can_wait = self._was_reached and not self._gave_up
            self._link.open(self._patience_s if can_wait else 0.0)
        except LibraryError:
            self._gave_up = True
            raise
        self._gave_up = False
        try:
            self._own.roots = self._find_roots()
            self._own.restore(self._crossfade_s)
        except (LibraryError, RejectedError):
            self._link.close()  # so that the next call begins here again
            raise
        self._was_reached = True

    def _find_roots(self) -> tuple[Path, ...]:
        roots = [] if self._music_root is None else [self._music_root]
        if self._link.address.port is None:
            try:
                said = self._link.ask("config")  # newer daemons say more, which python-mpd2 drops
                roots += [Path(said)] if said else []
            except RejectedError:
                pass
        return tuple(dict.fromkeys(place for root in roots for place in (root, root.resolve())))

    def _play(self) -> None:
        view = self._own.look()
        self._held = False
        if view.state == "play":
            return
        if view.state == "pause":
            self._link.ask("pause", 0)
        else:
            if not self._own.entries:
                raise LibraryError(
                    f"nothing is queued for the player at {self._link.address}; expected tracks. Queue some."
                )
            first = (self._own.find_current(view) or self._own.entries[0]).id
            self._link.ask("playid", first)
        self._own.look()

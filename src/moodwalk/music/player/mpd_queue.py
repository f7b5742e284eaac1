"""The part of a Music Player Daemon's queue that is ours."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from moodwalk.errors import LibraryError
from moodwalk.music.player.interface import Unplayable
from moodwalk.music.player.mpd_link import MpdLink, RejectedError
from moodwalk.music.player.mpd_uris import RefusalError, find_mpd_uris
from moodwalk.music.player.mpd_view import (
    Place,
    View,
    find_run,
    read_places,
    read_uptime,
    read_view,
)
from moodwalk.music.track import Track

__all__ = ["Entry", "OwnQueue"]

CLOCK_TOLERANCE_S = 2.0  # daemons tell whole seconds
NO_SUCH = 50  # in the daemon's protocol
UPDATE_DELAY_S = 0.1


@dataclass(frozen=True, slots=True)
class Entry:
    """A song that was queued here: its number in the daemon, and what the daemon calls it once seen."""

    track: Track
    id: int
    file: str | None = None


class OwnQueue:
    """Songs that were queued here, among those of others.

    Parameters
    ----------
    link
        To the daemon; every method may raise what its `ask` raises.
    patience_s
        How long to wait for a daemon that began anew to know its music.
    """

    def __init__(self, link: MpdLink, patience_s: float) -> None:
        self.entries: list[Entry] = []  # in the order of the daemon's queue
        self.places: dict[int, Place] = {}  # of all songs of the queue, also those of others
        self.view: View | None = None  # as last seen
        self.roots: tuple[Path, ...] = ()  # where the daemon's music lies, as seen from here
        self._link = link
        self._patience_s = patience_s
        self._has_begun = False
        self._pending: tuple[Track, str] | None = None  # sent, and not answered yet
        self._started_s = 0.0  # when the daemon began, on the clock of time.monotonic

    def look(self) -> View:
        """Bring what is known of the daemon up to date."""
        view = read_view(self._link.ask("status"))
        if self.view is None or view.version != self.view.version:
            known = self.places
            view, self.places = self._ask_view()
            self._claim(known)
            # others may have removed or moved songs that were queued here
            kept = [entry for entry in self.entries if entry.id in self.places]
            kept.sort(key=lambda entry: self.places[entry.id].position)
            self.entries = [replace(entry, file=self.places[entry.id].file) for entry in kept]
        self._has_begun = self._has_begun or view.state != "stop"
        self.view = view
        return view

    def find_current(self, view: View) -> Entry | None:
        """Return the current song, if it was queued here."""
        return next((entry for entry in self.entries if entry.id == view.current_id), None)

    def find_ahead(self, view: View) -> list[Entry]:
        """Return the current song, if it was queued here, and what was queued here after it."""
        current = None if view.current_id is None else self.places.get(view.current_id)
        if current is None and self._has_begun:  # all was played
            return []
        start = -1 if current is None else current.position
        return [entry for entry in self.entries if self.places[entry.id].position >= start]

    def replace_ahead(self, tracks: list[Track]) -> tuple[Unplayable, ...]:
        """Put tracks behind the current song, and remove what was queued here before, but for that song.

        Returns
        -------
        tuple of Unplayable
            Those left out.

        Raises
        ------
        LibraryError
            If all are; then the queue stays as it was.
        """
        view = self.look()
        old = [entry for entry in self.entries if entry.id != view.current_id]
        current = None if view.current_id is None else self.places.get(view.current_id)
        position = len(self.places) if current is None else current.position + 1
        left_out: list[Unplayable] = []
        n_added = 0
        # new ones first: at no moment is there nothing to follow
        for track in tracks:
            try:
                self.entries.append(self._add(track, position + n_added))
                n_added += 1
            except RefusalError as error:
                left_out.append(Unplayable(track, str(error)))
        if tracks and not n_added:
            raise LibraryError(
                f"the player at {self._link.address} can play none of {len(tracks)} tracks; the first: "
                f"{left_out[0].reason}."
            )
        self._remove(old)
        self._has_begun = current is not None
        self.look()
        return tuple(left_out)

    def restore(self, crossfade_s: int | None) -> None:
        """After the connection was made again: queue again what a daemon that began anew has forgotten.

        Parameters
        ----------
        crossfade_s
            As it was set; None where it was not.
        """
        before = self.view
        started_s = time.monotonic() - read_uptime(self._link.ask("stats"))
        is_new = started_s > self._started_s + CLOCK_TOLERANCE_S
        self._started_s = started_s
        if before is None:
            return
        view, places = self._ask_view()
        if not is_new and view.version >= before.version:
            return  # the same daemon; `look` finds what others changed meanwhile
        ahead = self.find_ahead(before)
        # it may have kept its queue in a file of its own
        kept = find_run(places, [entry.file for entry in ahead])
        if kept is not None:
            restored = [replace(entry, id=id_) for entry, id_ in zip(ahead, kept, strict=True)]
        else:
            restored = self._add_again(ahead, len(places))
        if crossfade_s is not None:
            self._link.ask("crossfade", crossfade_s)
        if restored:
            current = self.find_current(before)
            was_current = current is not None and restored[0].track is current.track
            self._go_on(before, view, restored[0], was_current)
        self.entries = restored
        self._pending = None
        self._has_begun = False
        self.view = None  # numbers and places are others now

    def _ask_view(self) -> tuple[View, dict[int, Place]]:
        status, songs = self._link.ask_all([("status",), ("playlistinfo",)])
        return read_view(status), read_places(songs)

    def _add(self, track: Track, position: int) -> Entry:
        """Queue a track at a position.

        Raises
        ------
        RefusalError
            If the daemon cannot play it.
        """
        is_local = self._link.address.port is None
        reasons: list[str] = []
        for uri in find_mpd_uris(track.location, self.roots, is_local):
            self._pending = track, uri.removeprefix("file://")
            try:
                entry = Entry(track, int(self._link.ask("addid", uri, position)))
                self._pending = None
                return entry
            except RejectedError as error:
                self._pending = None
                reasons.append(str(error))
            except (TypeError, ValueError):
                reasons.append("it was added without a number")
        raise RefusalError(
            f"{track.location}: the player says {'; '.join(dict.fromkeys(reasons))} (is the file there, in its "
            f"database (`mpc update`), and readable for its user?)"
        )

    def _claim(self, known: dict[int, Place]) -> None:
        """Find the song whose adding was not answered, for the connection broke: it may be there."""
        if self._pending is not None:
            track, file = self._pending
            own = {entry.id for entry in self.entries}
            for id_, place in self.places.items():
                if place.file == file and id_ not in known and id_ not in own:
                    self.entries.append(Entry(track, id_))
            self._pending = None

    def _remove(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            try:
                self._link.ask("deleteid", entry.id)
            except RejectedError as error:  # somebody else removed it meanwhile
                if error.code != NO_SUCH:
                    raise

    def _add_again(self, entries: list[Entry], position: int) -> list[Entry]:
        """Queue songs that the daemon knew before, waiting for it to read its music folder."""
        give_up = time.monotonic() + self._patience_s
        added: list[Entry] = []
        for entry in entries:
            while True:
                try:
                    added.append(self._add(entry.track, position + len(added)))
                except RefusalError:
                    is_updating = read_view(self._link.ask("status")).is_updating
                    if is_updating and time.monotonic() < give_up:
                        time.sleep(UPDATE_DELAY_S)
                        continue
                break
        return added

    def _go_on(self, before: View, view: View, first: Entry, was_current: bool) -> None:
        """Bring a daemon that began anew to where it was last seen."""
        if before.state == "stop" or (view.state != "stop" and not was_current):
            return
        commands: list[tuple[object, ...]] = []
        if view.state == "stop" or view.current_id != first.id:
            # not after `playid`: a song that just began cannot be sought yet
            elapsed_s = (before.elapsed_s or 0.0) if was_current else 0.0
            commands.append(("seekid", first.id, f"{elapsed_s:.3f}"))
        commands.append(("pause", int(before.state == "pause")))
        try:
            self._link.ask_all(commands)
        except RejectedError:  # it cannot be sought at all, and begins anew
            self._link.ask("playid", first.id)

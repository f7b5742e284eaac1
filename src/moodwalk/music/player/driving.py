"""From what a session decides to what a player does."""

from collections.abc import Callable, Iterable, Sequence

from moodwalk.errors import LibraryError
from moodwalk.music.player.interface import Player, Unplayable
from moodwalk.music.player.session import Action, Crossfade, Pause, Point, Refill, WalkSession
from moodwalk.music.track import Track

__all__ = ["drive"]


def drive(
    player: Player,
    session: WalkSession,
    actions: Iterable[Action],
    recommend: Callable[[Point | None, float | None], Sequence[Track]],
) -> tuple[Unplayable, ...]:
    """Carry out on a player what a session decided.

    The current song plays to its end; what follows it is replaced. Where nothing plays because nothing was
    queued, or all of it was played, playing begins; where the listener stopped or paused by hand, it does not.

    Parameters
    ----------
    player
        What plays.
    session
        The session that the actions are of; it is told of what could not be carried out, and decides it anew.
    actions
        As `WalkSession.update` gave them.
    recommend
        Tracks for a mood (None: unknown) and a cadence in steps per minute (None: unknown). Where it gives none,
        what is queued stays.

    Returns
    -------
    tuple of Unplayable
        Tracks that the player left out.

    Raises
    ------
    LibraryError
        If the player cannot do it.
    """
    todo = list(actions)
    left_out: list[Unplayable] = []
    for index, action in enumerate(todo):
        try:
            left_out += _carry_out(player, action, recommend)
        except LibraryError:
            for undone in todo[index:]:
                session.take_back(undone)
            raise
    return tuple(left_out)


def _carry_out(
    player: Player,
    action: Action,
    recommend: Callable[[Point | None, float | None], Sequence[Track]],
) -> tuple[Unplayable, ...]:
    if isinstance(action, Crossfade):
        player.set_crossfade(action.seconds)
    elif isinstance(action, Pause):
        player.pause()
    elif isinstance(action, Refill):
        tracks = recommend(action.point, action.cadence_spm)
        if not tracks:
            return ()
        before = player.status()
        left_out = player.queue(tracks)
        # a stop in the middle of what was queued here was somebody's wish
        if before.state == "stop" and not before.is_own:
            player.play()
        return left_out
    else:
        player.resume()
    return ()

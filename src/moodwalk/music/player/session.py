"""When the music changes during a walk: a state machine without input or output."""

import math
from dataclasses import dataclass

from moodwalk.errors import ConfigError

__all__ = [
    "Action",
    "Crossfade",
    "Pause",
    "Point",
    "Refill",
    "Resume",
    "SessionOptions",
    "WalkSession",
]

Point = tuple[float, float]
"""Valence and arousal, each -1 to 1."""


@dataclass(frozen=True, slots=True)
class Refill:
    """Choose anew what follows the current song.

    Parameters
    ----------
    point
        The mood to choose for; None where none was read yet: choose by cadence.
    cadence_spm
        Steps per minute; None where unknown.
    """

    point: Point | None
    cadence_spm: float | None


@dataclass(frozen=True, slots=True)
class Crossfade:
    """Let songs overlap for so long.

    Parameters
    ----------
    seconds
        Longer for a longer way between moods.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Hold the music: the walk stopped."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on: the walk does."""


Action = Refill | Crossfade | Pause | Resume


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How readily the music follows the walk.

    Parameters
    ----------
    radius
        The mood has to move so far (distance in the plane of valence and arousal, whose axes run from -1 to 1)
        from the one that the music was chosen for. The four emotions lie 0.7 to 1.5 apart.
    cadence_tolerance
        Or the cadence has to change by this part of itself.
    hold_s
        And it has to stay there for so long. Time back inside is taken off, so one stray reading does not begin
        the wait anew, and readings that are as often inside as outside change nothing.
    min_change_s
        The shortest time between two choices of music.
    mood_wait_s
        How long the first choice waits for a mood; after that it is made by cadence.
    stop_s, go_s
        A walk has stopped, or goes on, when it does so for this long.
    crossfade_s
        The cross-fade for a move of one radius, and the longest.
    n_left
        Choose more music when no more than this many songs are left.
    max_gap_s
        A longer time between two updates counts as this.
    """

    radius: float = 0.35
    cadence_tolerance: float = 0.08
    hold_s: float = 12.0
    min_change_s: float = 45.0
    mood_wait_s: float = 8.0
    stop_s: float = 4.0
    go_s: float = 1.0
    crossfade_s: tuple[float, float] = (4.0, 12.0)
    n_left: int = 1
    max_gap_s: float = 2.0

    def __post_init__(self) -> None:
        for name in ("radius", "cadence_tolerance", "hold_s", "max_gap_s"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a number above 0.")
        for name in ("min_change_s", "mood_wait_s", "stop_s", "go_s", "n_left"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 0 or more.")
        shortest, longest = self.crossfade_s
        if not 0 <= shortest <= longest <= 60:
            raise ConfigError(
                f"crossfade_s is {self.crossfade_s}; expected two numbers of seconds, 0 to 60, the shorter first."
            )


class WalkSession:
    """Decides, update by update, what a player should do during a walk.

    The music is chosen for a mood and a cadence, the anchor. It is chosen anew when the walk has left the
    anchor for long enough, for the mean of what was read meanwhile; never more often than `min_change_s`. It
    pauses when the walk stops. Nothing here reads a clock or talks to a player.

    Parameters
    ----------
    options
        How readily it follows.
    """

    def __init__(self, options: SessionOptions | None = None) -> None:
        self.options = options or SessionOptions()
        self._clock_s = 0.0  # grows only, whatever the caller's clock does
        self._last_s: float | None = None
        self._anchor: Refill | None = None
        self._anchor_before: Refill | None = None
        self._changed_s = -math.inf
        self._was_walking = False
        self._steady_s = 0.0  # for how long it has been so
        self._waited_s = 0.0
        self._is_paused = False
        self._forget()

    @property
    def anchor(self) -> Refill | None:
        """What the music is chosen for; None before it begins."""
        return self._anchor

    def update(
        self,
        now_s: float,
        mood_point: Point | None,
        walking: bool,
        cadence_spm: float | None,
        *,
        n_left: int | None = None,
    ) -> list[Action]:
        """Take in what was just read of the walk.

        Parameters
        ----------
        now_s
            The time, on any clock. Where it jumps back, no time has passed.
        mood_point
            Valence and arousal as just read; None where the answer is withheld, or there is none.
        walking
            Whether somebody walks.
        cadence_spm
            Steps per minute; None where unknown.
        n_left
            How many songs are left to play (`PlayerStatus.n_left`); None where unknown.

        Returns
        -------
        list of Action
            What to do, in this order; mostly nothing.
        """
        dt_s = self._advance(now_s)
        if mood_point is not None and not all(math.isfinite(part) for part in mood_point):
            mood_point = None
        if cadence_spm is not None and not 0 < cadence_spm < math.inf:
            cadence_spm = None
        actions = self._follow_steps(dt_s, walking)
        if not walking or self._is_paused:
            self._evidence.interrupt()
            return actions
        anchor = self._anchor
        if anchor is None:
            return actions + self._begin(dt_s, mood_point, cadence_spm)
        outside = self._has_left(anchor, mood_point, cadence_spm)
        self._evidence.add(dt_s, outside, mood_point, cadence_spm)
        return actions + self._follow_mood(anchor, n_left)

    def take_back(self, action: Action) -> None:
        """Note that an action could not be carried out: it is decided anew, music not before `min_change_s`.

        Parameters
        ----------
        action
            One of those that the last update gave.
        """
        if isinstance(action, Refill):
            self._anchor = self._anchor_before
        elif isinstance(action, Pause | Resume):
            self._is_paused = isinstance(action, Resume)
            self._steady_s = 0.0

    def _advance(self, now_s: float) -> float:
        """Return the time since the last update, never negative and never long."""
        passed_s = 0.0 if self._last_s is None else now_s - self._last_s
        if math.isfinite(now_s):
            self._last_s = now_s
        # not min(max()): NaN passes through those
        dt_s = min(passed_s, self.options.max_gap_s) if passed_s > 0 else 0.0
        self._clock_s += dt_s
        return dt_s

    def _follow_steps(self, dt_s: float, walking: bool) -> list[Action]:
        self._steady_s = self._steady_s + dt_s if walking == self._was_walking else 0.0
        self._was_walking = walking
        if self._anchor is None:  # nothing plays yet
            return []
        if self._is_paused and walking and self._steady_s >= self.options.go_s:
            self._is_paused = False
            return [Resume()]
        if not self._is_paused and not walking and self._steady_s >= self.options.stop_s:
            self._is_paused = True
            return [Pause()]
        return []

    def _begin(self, dt_s: float, point: Point | None, cadence_spm: float | None) -> list[Action]:
        self._waited_s += dt_s
        if point is None and self._waited_s < self.options.mood_wait_s:
            return []
        if self._clock_s - self._changed_s < self.options.min_change_s:  # it failed before
            return []
        return [self._change(Refill(point, cadence_spm))]

    def _has_left(
        self, anchor: Refill, point: Point | None, cadence_spm: float | None
    ) -> bool | None:
        """Return whether a reading is away from the anchor; None where it cannot be said."""
        answers: list[bool] = []
        if point is not None:
            answers.append(
                anchor.point is None or math.dist(point, anchor.point) > self.options.radius
            )
        if cadence_spm is not None:
            answers.append(
                anchor.cadence_spm is None
                or abs(cadence_spm / anchor.cadence_spm - 1) > self.options.cadence_tolerance
            )
        return any(answers) if answers else None

    def _follow_mood(self, anchor: Refill, n_left: int | None) -> list[Action]:
        options = self.options
        if self._clock_s - self._changed_s < options.min_change_s:
            return []
        if self._evidence.outside_s >= options.hold_s:
            target = Refill(
                self._evidence.point or anchor.point,
                self._evidence.cadence_spm or anchor.cadence_spm,
            )
            if self._has_left(anchor, target.point, target.cadence_spm):
                far = 0.0
                if target.point is not None and anchor.point is not None:
                    far = math.dist(target.point, anchor.point)
                shortest, longest = options.crossfade_s
                seconds = min(longest, shortest * max(1.0, far / options.radius))
                return [Crossfade(seconds), self._change(target)]
            self._forget()  # to and fro around the anchor: no move
        if n_left is not None and n_left <= options.n_left:
            return [self._change(anchor)]
        return []

    def _change(self, target: Refill) -> Refill:
        self._anchor_before, self._anchor = self._anchor, target
        self._changed_s = self._clock_s
        self._forget()
        return target

    def _forget(self) -> None:
        self._evidence = _Evidence(self.options.hold_s / 3)


class _Evidence:
    """For how long the walk has been away from the anchor, and where it was then.

    Parameters
    ----------
    memory_s
        Readings this much older count 1/e as much in the means.
    """

    def __init__(self, memory_s: float) -> None:
        self.outside_s = 0.0
        self.point: Point | None = None
        self.cadence_spm: float | None = None
        self._memory_s = memory_s
        self._was_outside = False

    def interrupt(self) -> None:
        """Note that the readings have a hole here."""
        self._was_outside = False

    def add(
        self, dt_s: float, outside: bool | None, point: Point | None, cadence_spm: float | None
    ) -> None:
        """Take in a reading; `outside` is None where it says nothing."""
        if outside is None:
            return
        if outside:
            # the time before the first reading outside is not known to have been outside
            self.outside_s += dt_s if self._was_outside else 0.0
            self._remember(-math.expm1(-dt_s / self._memory_s), point, cadence_spm)
        else:
            self.outside_s = max(0.0, self.outside_s - dt_s)
            if not self.outside_s:
                self.point = self.cadence_spm = None
        self._was_outside = outside

    def _remember(self, weight: float, point: Point | None, cadence_spm: float | None) -> None:
        if point is not None:
            old = self.point or point
            self.point = (
                old[0] + weight * (point[0] - old[0]),
                old[1] + weight * (point[1] - old[1]),
            )
        if cadence_spm is not None:
            old_spm = self.cadence_spm or cadence_spm
            self.cadence_spm = old_spm + weight * (cadence_spm - old_spm)

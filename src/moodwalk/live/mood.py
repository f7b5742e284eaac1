"""Probabilities smoothed over time, and the emotion that has the name."""

import math
from collections.abc import Mapping

from moodwalk.emotion import AFFECT, EMOTIONS, Emotion

__all__ = ["SmoothedMood"]


class SmoothedMood:
    """Smooths probabilities exponentially, and lets the name change only where another emotion leads clearly.

    Parameters
    ----------
    smoothing_s
        Time constant.
    margin, hold_s
        By how much, and for how long without a break, another emotion must lead.
    forget_s
        After a longer pause all begins anew.
    """

    def __init__(
        self, smoothing_s: float, margin: float, hold_s: float, *, forget_s: float
    ) -> None:
        self._smoothing_s = smoothing_s
        self._margin = margin
        self._hold_s = hold_s
        self._forget_s = forget_s
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.probabilities: dict[Emotion, float] = {}
        self.named: Emotion | None = None
        self._updated_s: float | None = None
        self._seen_s = 0.0  # the mean time of what the probabilities rest on
        self._leader: Emotion | None = None
        self._leads_since_s = 0.0

    def update(self, now_s: float, seen_s: float, probabilities: Mapping[Emotion, float]) -> None:
        """Take in the probabilities of a window.

        Parameters
        ----------
        now_s
            The time; it grows.
        seen_s
            The middle of the window.
        probabilities
            Of every emotion; they sum to 1.
        """
        if self._updated_s is not None and now_s - self._updated_s > self._forget_s:
            self.forget()
        weight = 1.0
        if self._updated_s is not None and self._smoothing_s > 0:
            weight = -math.expm1(-(now_s - self._updated_s) / self._smoothing_s)
        old = self.probabilities
        mixed = {
            name: old.get(name, 0.0) + weight * (value - old.get(name, 0.0))
            for name, value in probabilities.items()
        }
        total = math.fsum(mixed.values())  # rounding would add up over hours
        self.probabilities = {name: value / total for name, value in mixed.items()}
        self._seen_s += weight * (seen_s - self._seen_s)
        self._updated_s = now_s
        self._name(now_s)

    def _name(self, now_s: float) -> None:
        known = self.probabilities
        best = max((name for name in EMOTIONS if name in known), key=lambda name: known[name])
        if self.named is None or self.named not in known:
            self.named = best
            return
        if best == self.named or known[best] - known[self.named] < self._margin:
            self._leader = None
            return
        if best != self._leader:
            self._leader, self._leads_since_s = best, now_s
        if now_s - self._leads_since_s >= self._hold_s:
            self.named, self._leader = best, None

    def measure_delay(self, now_s: float) -> float | None:
        """Return the mean age of what the probabilities rest on; None where there are none."""
        return None if self._updated_s is None else now_s - self._seen_s

    def locate(self) -> tuple[float, float] | None:
        """Return valence and arousal; None where nothing was read."""
        if not self.probabilities:
            return None
        valence, arousal = (
            math.fsum(share * AFFECT[name][axis] for name, share in self.probabilities.items())
            for axis in (0, 1)
        )
        return valence, arousal

"""How estimates from audio agree with what a catalogue says of the same titles."""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.music.evaluation.report import ReportTable, compute_mean
from moodwalk.music.track import Track

__all__ = ["CatalogueAgreement", "compare_with_catalogue"]


@dataclass(frozen=True, slots=True)
class CatalogueAgreement:
    """How estimates from audio agree with what a catalogue says of the same titles.

    Parameters
    ----------
    n_scanned, n_matched
        Scanned tracks, and those that the catalogue knows.
    n_tempo, tempo_percent, tempo_octave_percent
        Of titles with both tempos, the share whose estimate is within 4 % of the catalogue's, and that of
        it, its half or its double.
    n_mood, valence_error, arousal_error
        Of titles with both moods, mean absolute differences.
    valence_correlation, arousal_correlation
        Pearson's; None for fewer than 3 titles or where one side is constant.
    n_mode, mode_percent
        Of titles with both keys' modes, the share that agree.
    """

    n_scanned: int
    n_matched: int
    n_tempo: int
    tempo_percent: float | None
    tempo_octave_percent: float | None
    n_mood: int
    valence_error: float | None
    arousal_error: float | None
    valence_correlation: float | None
    arousal_correlation: float | None
    n_mode: int
    mode_percent: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON can hold them."""
        return asdict(self)

    def to_table(self) -> ReportTable:
        """Return the figures as a table of text."""
        return ReportTable(
            "Agreement with the catalogue",
            ("of the same titles", "titles", "agreement"),
            [
                ("tempo within 4 %", str(self.n_tempo), _say(self.tempo_percent, " %")),
                ("with half and double", str(self.n_tempo), _say(self.tempo_octave_percent, " %")),
                ("valence, mean difference", str(self.n_mood), _say(self.valence_error)),
                ("valence, correlation", str(self.n_mood), _say(self.valence_correlation)),
                ("arousal, mean difference", str(self.n_mood), _say(self.arousal_error)),
                ("arousal, correlation", str(self.n_mood), _say(self.arousal_correlation)),
                ("mode", str(self.n_mode), _say(self.mode_percent, " %")),
            ],
            f"Of {self.n_scanned} scanned tracks the catalogue has {self.n_matched}.",
        )


def compare_with_catalogue(
    scanned: Iterable[Track], catalogue: Iterable[Track]
) -> CatalogueAgreement:
    """Compare estimates from audio with what a catalogue says of the same titles.

    Parameters
    ----------
    scanned
        Tracks whose figures come from audio; they are kept in memory.
    catalogue
        Tracks of a catalogue, read once. Titles are the same where title and artist agree but for case,
        accents, punctuation, and what stands in brackets or behind a dash (versions, featured artists). Of
        several the one whose duration is nearest is taken.
    """
    ours = list(scanned)
    by_name: dict[tuple[str, str], list[int]] = {}
    for i, track in enumerate(ours):
        if track.title and track.artist:
            by_name.setdefault(_normalise(track), []).append(i)
    found: dict[int, tuple[float, Track]] = {}
    for track in catalogue:
        for i in by_name.get(_normalise(track), ()):
            far = abs((ours[i].duration_s or math.inf) - (track.duration_s or 0.0))
            if i not in found or far < found[i][0]:
                found[i] = far, track
    pairs = [(ours[i], track) for i, (_, track) in sorted(found.items())]
    tempos = _pair(pairs, "tempo_bpm")
    ratios = tempos[:, 0] / tempos[:, 1]
    octaves = np.stack([np.abs(ratios * k - 1) for k in (1.0, 0.5, 2.0)])
    valence, arousal = _pair(pairs, "valence"), _pair(pairs, "arousal")
    modes = [(a.mode, b.mode) for a, b in pairs if a.mode is not None and b.mode is not None]
    return CatalogueAgreement(
        n_scanned=len(ours),
        n_matched=len(pairs),
        n_tempo=len(tempos),
        tempo_percent=_share(octaves[0] <= 0.04),
        tempo_octave_percent=_share(octaves.min(axis=0) <= 0.04),
        n_mood=min(len(valence), len(arousal)),
        valence_error=_or_none(compute_mean(np.abs(valence[:, 0] - valence[:, 1]))),
        arousal_error=_or_none(compute_mean(np.abs(arousal[:, 0] - arousal[:, 1]))),
        valence_correlation=_correlate(valence),
        arousal_correlation=_correlate(arousal),
        n_mode=len(modes),
        mode_percent=_share(np.array([a == b for a, b in modes], bool)),
    )


def _normalise(track: Track) -> tuple[str, str]:
    title = re.sub(r"[(\[].*?[)\]]| - .*| feat\.? .*", " ", f"{track.title} ", flags=re.IGNORECASE)
    return _simplify(title) or _simplify(track.title), _simplify(track.artist)


def _simplify(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(c if c.isalnum() else " " for c in letters if not unicodedata.combining(c))
    return " ".join(kept.split())


def _pair(pairs: Sequence[tuple[Track, Track]], name: str) -> NDArray[np.float64]:
    """Return (k, 2): a figure of both where both are known."""
    both = [(getattr(a, name), getattr(b, name)) for a, b in pairs]
    known = [(a, b) for a, b in both if a is not None and b is not None]
    return np.array(known, np.float64).reshape(-1, 2)


def _share(right: NDArray[np.bool_]) -> float | None:
    return float(100 * right.mean()) if len(right) else None


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _correlate(values: NDArray[np.float64]) -> float | None:
    if len(values) < 3 or np.any(np.ptp(values, axis=0) == 0):
        return None
    centred = values - values.mean(axis=0)
    return float(centred.prod(axis=1).sum() / np.sqrt((centred**2).sum(axis=0)).prod())


def _say(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:.3g}{unit}"

"""All that can be measured of a library: nearness, steadiness, agreement."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from moodwalk.music.evaluation.agreement import CatalogueAgreement, compare_with_catalogue
from moodwalk.music.evaluation.nearness import NearnessReport, measure_nearness
from moodwalk.music.evaluation.report import ReportTable
from moodwalk.music.evaluation.stability import StabilityReport, measure_stability
from moodwalk.music.library.files import to_path

if TYPE_CHECKING:
    from moodwalk.music.library import Library

__all__ = ["LibraryReport", "evaluate_library"]


@dataclass(frozen=True, slots=True)
class LibraryReport:
    """What `evaluate_library` found.

    Parameters
    ----------
    nearness
        Of what is recommended to what is asked for.
    stability
        Of estimates from audio; None where no audio was looked at.
    agreement
        Of those with a catalogue; None where no title is in both.
    notes
        What was not measured and why, a line each.
    """

    nearness: NearnessReport
    stability: StabilityReport | None
    agreement: CatalogueAgreement | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return {
            **self.nearness.to_dict(),
            "stability": None if self.stability is None else self.stability.to_dict(),
            "agreement": None if self.agreement is None else self.agreement.to_dict(),
            "notes": list(self.notes),
        }

    def to_tables(self) -> list[ReportTable]:
        """Return the report as tables of text."""
        rest = [part.to_table() for part in (self.stability, self.agreement) if part is not None]
        return [*self.nearness.to_tables(), *rest]


def evaluate_library(
    library: "Library",
    *,
    n_walks: int = 200,
    n_audio: int = 50,
    seed: int = 0,
    jobs: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> LibraryReport:
    """Measure all that can be measured of a library.

    Parameters
    ----------
    library
        With tracks.
    n_walks
        Simulated walks, see `measure_nearness`.
    n_audio
        Scanned files, drawn at random, whose halves are compared; 0 for none.
    seed
        Of everything random.
    jobs
        Worker processes for audio; by default one a core.
    progress
        Called with what is being counted, how many are done, and of how many.

    Raises
    ------
    LibraryError
        If the library is empty or cannot be read.
    ConfigError
        If a number makes no sense, or what reading audio needs is not installed.
    """

    def show(what: str, total: int) -> Callable[[int], None] | None:
        return None if progress is None else (lambda done, tell=progress: tell(what, done, total))

    nearness = measure_nearness(
        library.read_columns(), n_walks=n_walks, seed=seed, on_walk=show("walks", n_walks)
    )
    scanned = [track for track in library.iterate() if track.source == "scan"]
    if not scanned:
        note = "note: no track was scanned from a file, so no estimates from audio were looked at."
        return LibraryReport(nearness, None, None, (note,))
    notes: list[str] = []
    stability = None
    if n_audio:
        drawn = np.random.default_rng(seed).permutation(len(scanned))[:n_audio]
        paths = [to_path(scanned[i].location) for i in sorted(drawn.tolist())]
        stability = measure_stability(
            paths, seed=seed, jobs=jobs or os.cpu_count() or 1, on_file=show("files", len(paths))
        )
    agreement = None
    if len(scanned) < nearness.n_tracks:
        others = (track for track in library.iterate() if track.source != "scan")
        agreement = compare_with_catalogue(scanned, others)
        if not agreement.n_matched:
            agreement = None
            notes.append("note: the catalogue has none of the scanned titles to compare with.")
    else:
        notes.append("note: no catalogue was imported, so estimates from audio agree with nothing.")
    return LibraryReport(nearness, stability, agreement, tuple(notes))

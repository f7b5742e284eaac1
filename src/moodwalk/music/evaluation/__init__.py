"""How well music fits, and how far the estimates that it is chosen by can be trusted."""

from moodwalk.music.evaluation.agreement import CatalogueAgreement, compare_with_catalogue
from moodwalk.music.evaluation.nearness import NearnessReport, measure_nearness
from moodwalk.music.evaluation.stability import StabilityReport, measure_stability
from moodwalk.music.evaluation.whole import LibraryReport, evaluate_library

__all__ = [
    "CatalogueAgreement",
    "LibraryReport",
    "NearnessReport",
    "StabilityReport",
    "compare_with_catalogue",
    "evaluate_library",
    "measure_nearness",
    "measure_stability",
]

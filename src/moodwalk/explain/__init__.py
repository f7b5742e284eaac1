"""Why a walk is read as it is: the joints and moments that count, and what is unusual in words.

Two questions, answered apart. *What did the network look at?* Integrated gradients say how much every
joint at every moment moved its answer away from the one for a reference walk, and `deletion_test` says how
far that can be trusted. *What is this walk like?* `describe_walk` compares measures that a person can see,
such as arm swing, with those of a population or with a walker's own neutral walk. The first speaks
of the network, the second of the walk; neither says what the walker feels.
"""

from moodwalk.explain.attribution import Attribution, Moment, attribute
from moodwalk.explain.deletion import DeletionRow, DeletionTest, deletion_test
from moodwalk.explain.explanation import Explanation, explain
from moodwalk.explain.measures import MEASURES, Measure, WalkMeasures, measure_walk
from moodwalk.explain.page import write_explanation_page
from moodwalk.explain.population import Population, Summary, write_population
from moodwalk.explain.words import GaitWord, describe_walk, join_words

__all__ = [
    "MEASURES",
    "Attribution",
    "DeletionRow",
    "DeletionTest",
    "Explanation",
    "GaitWord",
    "Measure",
    "Moment",
    "Population",
    "Summary",
    "WalkMeasures",
    "attribute",
    "deletion_test",
    "describe_walk",
    "explain",
    "join_words",
    "measure_walk",
    "write_explanation_page",
    "write_population",
]

"""Simulated walkers in front of a camera that stands still, picture by picture."""

import importlib.util
import math
from pathlib import Path

import pytest

from moodwalk.pose import Pose
from moodwalk.predict import Predictor


def _load_films():
    path = Path(__file__).parents[1] / "pose" / "filmed_walks.py"
    spec = importlib.util.spec_from_file_location("filmed_walks_for_live", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FILMS = _load_films()


@pytest.fixture(scope="session")
def films():
    """What films simulated walkers."""
    return FILMS


@pytest.fixture(scope="session")
def predictor():
    """The shipped weights, withholding nothing: simulated walks are no training walks."""
    return Predictor.load(min_confidence=0.0, max_novelty=math.inf)


@pytest.fixture(scope="session")
def filmed_walk():
    """Return poses of a walker who goes to the right for 12 s, 30 a second."""
    body = FILMS.walk(360, start=(-5.0, 0.0), away=11.0)
    return [Pose(*parts) for parts in zip(*FILMS.film(body), strict=True)]

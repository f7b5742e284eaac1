import importlib.util
from pathlib import Path

import numpy as np
import pytest

from moodwalk.walker import simulate_walks

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def facing():
    spec = importlib.util.spec_from_file_location("facing", ROOT / "benchmarks/facing.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("change", "body_ahead", "walks_ahead"),
    [
        (lambda x: x, True, True),
        (lambda x: 3 * x @ np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]]), True, True),
        (lambda x: x * (1, 1, -1), False, False),
        (lambda x: x[::-1], True, False),
    ],
    ids=["as it is", "turned and larger", "mirrored in z", "played backwards"],
)
def test_signs_of_walks_whose_facing_is_known(facing, change, body_ahead, walks_ahead):
    for gait in simulate_walks(8, 4, seed=3):
        knees, elbows, _, lifted, quick = facing.compute_signs(change(gait.positions)) > 0
        assert knees == elbows == body_ahead
        assert lifted == quick == walks_ahead


def test_documentation_counts_the_real_gaits(facing, real_gaits):
    text = (ROOT / "docs/conventions.md").read_text(encoding="utf-8")
    behind = np.array([facing.compute_signs(np.float64(g.positions)) < 0 for g in real_gaits])
    sources = np.array([facing.get_source(gait) for gait in real_gaits])
    names = {"cmu": "CMU, two numbers", "File": "`File<n>_...`"}
    for source in set(sources.tolist()):
        own = behind[sources == source]
        knees, elbows, _, lifted, quick = own.sum(axis=0)
        row = f"| {len(own)} | {knees} | {elbows} | {lifted} | {quick} |"
        start = f"| {names.get(source, source)}"
        assert any(x.startswith(start) and row in x for x in text.splitlines()), source

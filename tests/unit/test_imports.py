import ast
import subprocess
import sys
from pathlib import Path

import pytest

import moodwalk
from moodwalk.io.bvh_writing import write_bvh
from moodwalk.walker import simulate_gait

PACKAGE = Path(moodwalk.__file__).parent

# Each room may use the rooms above it, and itself.
LAYERS = (
    {"errors", "emotion", "home", "skeleton", "provenance", "threads"},
    {"engine", "recording"},
    {"gait"},
    {
        "augment",
        "body",
        "cycles",
        "features",
        "legs",
        "pose",
        "preprocess",
        "signals",
        "splines",
        "splitting",
        "strides",
        "walker",
    },
    {"intake"},
    {"io", "summary"},
    {"audit", "harmonics", "music", "scaling"},
    {"models"},
    {"training"},
    {"estimator"},
    {"evaluation", "predict"},
    {"listening", "markdown", "page", "runs", "scoring", "trust"},
    {"live", "viz"},
    {"explain", "generation"},
    {"demo", "experiments"},
    {"server"},
    {"cli"},
    {"__main__"},
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
HEAVY = {"torch", "sklearn", "scipy", "plotly", "typer", "rich", "h5py", "pydantic", "dask"}


def find_imports(path):
    """Yield the rooms that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "moodwalk" and len(parts) > 1 and parts[1] in LEVEL:
                yield parts[1]


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(PACKAGE.rglob("*.py")) if p != PACKAGE / "__init__.py"],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_imports_point_one_way(path):
    room = room_of(path)
    assert room in LEVEL, f"{room} has no layer yet: give it one in LAYERS"
    for other in find_imports(path):
        assert other == room or LEVEL[other] <= LEVEL[room], f"{room} imports {other}"


def test_every_layer_exists():
    rooms = {room_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert rooms == set(LEVEL)


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_moodwalk_loads_nothing_heavy():
    code = "import moodwalk, sys; print(*{name.split('.')[0] for name in sys.modules})"
    assert not run(code) & (HEAVY | {"numpy"})


def test_reading_gaits_does_not_load_torch():
    code = "import sys, moodwalk; moodwalk.read_gait; print(*sys.modules)"
    assert "h5py" in run(code)
    assert not run(code) & {"torch", "sklearn", "plotly"}


def test_predicting_loads_neither_torch_nor_the_slow_parts_of_scipy(tmp_path):
    path = tmp_path / "walk.bvh"
    write_bvh(path, simulate_gait(n_frames=90, fps=120.0, seed=0))
    code = (
        "import sys; from moodwalk.cli import main\n"
        f"try: main(['predict', {str(path)!r}])\n"
        "finally: print(*sys.modules)"
    )
    loaded = run(code)
    assert "moodwalk.models.forward" in loaded
    assert not loaded & {"torch", "sklearn", "scipy.signal", "scipy.stats", "scipy.special"}


def test_public_names_are_sorted_and_there():
    assert moodwalk.__all__ == sorted(moodwalk.__all__)
    assert set(moodwalk.__all__) == set(moodwalk._HOMES)
    for name in moodwalk.__all__:
        assert getattr(moodwalk, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = moodwalk.nothing

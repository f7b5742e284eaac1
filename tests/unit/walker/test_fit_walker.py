import importlib.util
from pathlib import Path

import pytest

from moodwalk import walker
from moodwalk.emotion import EMOTIONS
from moodwalk.walker import (
    EMOTION_PARAMETERS,
    PLANTED_SHARE,
    PROPORTION_SPREAD,
    SUBJECT_SHARE,
    WalkerParameters,
    simulate_gait,
)

ROOT = Path(__file__).resolve().parents[3]
UNEVEN = WalkerParameters(
    asymmetry=0.12,
    arm_asymmetry=-0.3,
    trunk_lean_deg=6,
    slouch_deg=15,
    head_drop_deg=30,
    arm_carry_deg=-5,
    cadence_spm=95,
)


def load_fit():
    spec = importlib.util.spec_from_file_location("fit_walker", ROOT / "benchmarks/fit_walker.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_what_the_script_prints(real_gaits):
    fit = load_fit()
    modules = sorted(Path(walker.__file__).parent.glob("*.py"))
    source = "\n".join(module.read_text(encoding="utf-8") for module in modules)
    for row in (*fit.format_rows(fit.fit(real_gaits)), *fit.format_proportions(real_gaits)):
        assert row in source


def test_documentation_shows_the_tables():
    spreads = {
        name: [EMOTION_PARAMETERS[emotion][name] for emotion in EMOTIONS] for name in SUBJECT_SHARE
    }
    text = (ROOT / "docs/simulated-walks.md").read_text(encoding="utf-8")
    for row in load_fit().format_markdown(spreads, SUBJECT_SHARE):
        assert row in text
    for name in WalkerParameters.__dataclass_fields__:
        assert f"`{name}`" in text
    for name in PROPORTION_SPREAD:
        assert f"`{name}`" in text
    assert f"{100 * PLANTED_SHARE:.0f} %" in text


def test_the_script_finds_the_parameters_of_a_simulated_walk():
    fit = load_fit()
    # noise is its own test: one cycle has too few frames for the other measures to be exact with it
    found = fit.measure(simulate_gait(UNEVEN, fps=120.0))
    tolerance = {"_m": 0.015, "_deg": 1.0, "_spm": 1.0, "try": 0.02}
    for name, value in found.items():
        if name == "noise_m":
            assert value < 1e-4
            continue
        allowed = next(limit for end, limit in tolerance.items() if name.endswith(end))
        assert value == pytest.approx(getattr(UNEVEN, name), abs=allowed), name


def test_the_script_finds_the_noise_of_a_simulated_walk():
    found = load_fit().measure(simulate_gait(WalkerParameters(noise_m=0.002), fps=120.0))
    assert found["noise_m"] == pytest.approx(0.002, rel=0.25)

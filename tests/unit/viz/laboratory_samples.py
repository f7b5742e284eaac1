"""What the laboratory's pictures are tested with, and what both kinds of them must refuse."""

import numpy as np

from moodwalk import viz
from moodwalk.emotion import EMOTIONS

NAMES = [
    "STEP", "+ layer 1", "+ layer 1-1", "+ layer 2", "+ channel 1", "+ channel 2", "+ channel 3",
]  # fmt: skip
RANKS = [3.9, 3.6, 4.8, 5.3, 3.2, 2.7, 4.5]
GROUPS = [[5, 4, 1, 0, 6], [4, 1, 0, 6, 2], [1, 0, 6, 2, 3]]
DIFFERENCES = [
    viz.DifferenceRow("+ layer 1", 0.006, -0.021, 0.033, "p = 1.00"),
    viz.DifferenceRow("+ layer 2", -0.03, -0.07, 0.01),
]
HONEST = 0.6
HABITS = [
    viz.HabitRow("best test epoch", 0.658, 0.058, 0.042, 0.076, "instead of validation's"),
    viz.HabitRow("dropped last batch", 0.602, 0.002, -0.01, 0.014),
    viz.HabitRow(viz.ALL_HABITS, 0.9, 0.3, 0.27, 0.33),
]
CONFUSIONS = [np.diag([6, 4, 3, 2]) + 1 for _ in NAMES]
NAN = float("nan")


def make_curve(name="STEP", n_cells=6, n_epochs=12, **kwargs):
    rng = np.random.default_rng(len(name))
    rise = 0.35 + 0.02 * np.arange(n_epochs)
    train, validation = (rise * k + rng.normal(0, 0.01, (n_cells, n_epochs)) for k in (1.2, 1))
    train[0, 7:] = validation[0, 7:] = np.nan
    return viz.LearningCurve(
        **{"name": name, "epochs": np.arange(1, n_epochs + 1), "train": train,
           "validation": validation, "chosen": (5, 9, 9, 11, 12, 12)} | kwargs
    )  # fmt: skip


CURVES = [make_curve(name) for name in NAMES]
GRID = np.full((2, 3), 0.5)
SHORT = {"epochs": [1, 2, 3], "train": GRID, "validation": GRID, "chosen": ()}
GAP = np.array([[0.5, NAN, 0.5], [0.5, 0.5, 0.5]])
LATE = np.array([[NAN, 0.5, 0.5], [0.5, 0.5, 0.5]])

# arguments before title and caption
GOOD = {
    "difference": (DIFFERENCES,),
    "habit": (HONEST, HABITS),
    "learning": (CURVES,),
    "critical_difference": (NAMES, RANKS, 2.01, GROUPS),
    "confusions": (CONFUSIONS, NAMES, list(EMOTIONS)),
}
BAD = {
    "difference": [
        ([],),
        ([("x", 0.1, 0.2, 0.3, "")],),
        ([("x", 0.1, 0.05, 0.0, "")],),
        ([("x", 1.2, -2.1, 3.3, "")],),
        ([("x", NAN, 0.0, 0.1, "")],),
        ([("x", 0.0, NAN, 0.1, "")],),
    ],
    "habit": [
        (0.6, []),
        (60.0, HABITS),
        (NAN, HABITS),
        (0.5, HABITS),
        (0.6, [("x", 0.7, 0.1, 0.2, 0.3, "")]),
        (0.6, [("x", NAN, 0.1, 0.0, 0.2, "")]),
        (0.6, [("x", 0.7, 0.1, 0.0, NAN, "")]),
    ],
    "learning": [
        ([],),
        ([make_curve(**SHORT | {"epochs": []})],),
        ([make_curve(**SHORT | {"epochs": [1, 3, 2]})],),
        ([make_curve(**SHORT | {"epochs": [1, 2, NAN]})],),
        ([make_curve(**SHORT | {"train": GRID[:, :2]})],),
        ([make_curve(**SHORT | {"train": GRID[0]})],),
        ([make_curve(**SHORT | {"validation": GRID[:1]})],),
        ([make_curve(**SHORT | {"train": GRID[:0], "validation": GRID[:0]})],),
        ([make_curve(**SHORT | {"validation": GAP})],),
        ([make_curve(**SHORT | {"validation": LATE})],),
        ([make_curve(**SHORT | {"train": GRID * np.inf})],),
        ([make_curve(**SHORT | {"train": GRID * 100})],),
        ([make_curve(**SHORT | {"test": GRID[:, :1]})],),
        ([make_curve(**SHORT | {"chosen": (4,)})],),
    ],
    "critical_difference": [
        ([], [], 1.0, []),
        (["a"], [1.0], 1.0, []),
        (["a", "b"], [1.0], 1.0, []),
        (["a", "b"], [0.5, 2.0], 1.0, []),
        (["a", "b"], [1.0, 2.5], 1.0, []),
        (["a", "b"], [1.0, NAN], 1.0, []),
        (["a", "b"], [1.0, 2.0], 0.0, []),
        (["a", "b"], [1.0, 2.0], NAN, []),
        (["a", "b"], [1.0, 2.0], 1.0, [[0, 2]]),
        (["a", "b"], [1.0, 2.0], 1.0, [[-1, 0]]),
    ],
    "confusions": [
        ([], [], ["a", "b"]),
        ([np.eye(2)], ["x", "y"], ["a", "b"]),
        ([np.eye(2), np.ones((2, 3))], ["x", "y"], ["a", "b"]),
        ([-np.eye(2)], ["x"], ["a", "b"]),
        ([np.eye(2) * NAN], ["x"], ["a", "b"]),
    ],
}
BAD_CASES = [(kind, case) for kind, cases in BAD.items() for case in cases]
BAD_NAMES = [f"{kind}-{i}" for kind, cases in BAD.items() for i in range(len(cases))]

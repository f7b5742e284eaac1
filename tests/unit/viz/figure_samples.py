"""Gaits, tables and figures that the tests of figures and pages share."""

import numpy as np

from moodwalk import viz
from moodwalk.emotion import EMOTIONS
from moodwalk.gait import Gait
from moodwalk.skeleton import Joint

STANDING = np.array(
    [
        [0, 0, 0], [0, 0.25, 0], [0, 0.5, 0], [0, 0.7, 0.02],
        [-0.2, 0.48, 0], [-0.22, 0.2, -0.03], [-0.22, -0.05, 0.05],
        [0.2, 0.48, 0], [0.22, 0.2, -0.03], [0.22, -0.05, 0.05],
        [-0.1, -0.02, 0], [-0.1, -0.45, 0.03], [-0.1, -0.9, 0],
        [0.1, -0.02, 0], [0.1, -0.45, 0.03], [0.1, -0.9, 0],
    ]
)  # fmt: skip
EVIL = "<script>alert('x')</script> & \"co\""


def make_gait(n_frames=10, fps=30.0, speed=0.0, scale=1.0, **kwargs):
    """A figure that stands upright, lifts its hands frame by frame and is carried along +z."""
    positions = np.repeat(STANDING[None], n_frames, axis=0)
    positions[:, [Joint.RIGHT_HAND, Joint.LEFT_HAND], 1] += 0.01 * np.arange(n_frames)[:, None]
    positions[..., 2] += speed * np.arange(n_frames)[:, None]
    return Gait(positions * scale, fps, **kwargs)


def make_table(n=60):
    rng = np.random.default_rng(0)
    labels = np.array([EMOTIONS[i % 4] for i in range(n)])
    table = rng.normal(size=(n, 5))
    table[:, 3] += np.arange(n) % 4
    return table, labels, ["a", "b", "c", "d", "e"]


def make_all_figures(title, caption):
    table, labels, names = make_table()
    row = {"happy": 0.5, "sad": 0.5}
    return {
        "skeleton": viz.make_skeleton_figure(
            [make_gait()], [EVIL], n_frames=3, title=title, caption=caption
        ),
        "confusion": viz.make_confusion_figure([[1]], [EVIL], title, caption),
        "interval": viz.make_interval_figure([(EVIL, 0.5, 0.4, 0.6, EVIL)], title, caption),
        "probability": viz.make_probability_figure(row, title=title, caption=caption),
        "feature": viz.make_feature_figure(
            table, labels, [EVIL, *names[1:]], show=[EVIL], title=title, caption=caption
        ),
        "reliability": viz.make_reliability_figure([0.5], [0.5], [2], title, caption),
    }


def to_linear(colour):
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def to_lab(linear):
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x = matrix @ np.clip(linear, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(x > 216 / 24389, np.cbrt(x), (24389 / 27 * x + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

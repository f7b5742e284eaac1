"""Simulated walkers as a pose model would see them through a pinhole camera."""

import numpy as np

from moodwalk.pose import LANDMARKS, Landmark, Pose
from moodwalk.pose.travel import FIELD_OF_VIEW_DEG
from moodwalk.skeleton import Joint
from moodwalk.walker import WalkerParameters, simulate_gait

SIZE = (1280, 720)
FPS = 30.0
FOCAL = SIZE[0] / 2 / np.tan(np.radians(FIELD_OF_VIEW_DEG) / 2)
HEEL = np.array([0, -0.06, -0.05])
TOE = np.array([0, -0.06, 0.15])

TWINS = {
    Landmark.NOSE: Joint.HEAD,
    **{
        Landmark[f"{side}_{landmark}"]: Joint[f"{side}_{joint}"]
        for side in ("LEFT", "RIGHT")
        for landmark, joint in (
            ("SHOULDER", "SHOULDER"),
            ("ELBOW", "ELBOW"),
            ("WRIST", "HAND"),
            ("HIP", "HIP"),
            ("KNEE", "KNEE"),
            ("ANKLE", "FOOT"),
        )
    },
}


def walk(n_frames=90, *, heading_deg=90.0, start=(0.0, 0.0), away=5.0, seed=0, **parameters):
    """Return (T, 33, 3) metres from the camera: x right, y up, z towards the camera.

    Heading 90 walks to the right of the picture, 0 towards the camera, -90 to the left.
    """
    gait = simulate_gait(
        WalkerParameters(**parameters), n_frames=n_frames, fps=FPS, travel=True, seed=seed
    )
    joints = gait.positions.astype(np.float64)
    body = np.empty((n_frames, len(LANDMARKS), 3))
    body[:] = joints[:, [Joint.HEAD]]
    for landmark, joint in TWINS.items():
        body[:, landmark] = joints[:, joint]
    for side in ("LEFT", "RIGHT"):
        foot = joints[:, Joint[f"{side}_FOOT"]]
        body[:, Landmark[f"{side}_HEEL"]] = foot + HEEL
        body[:, Landmark[f"{side}_FOOT_INDEX"]] = foot + TOE
        for name in ("PINKY", "INDEX", "THUMB"):
            body[:, Landmark[f"{side}_{name}"]] = joints[:, Joint[f"{side}_HAND"]]
    a = np.radians(heading_deg)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    return body @ turn.T + (start[0], -1.0, start[1] - away)


def film(body, noise_px=0.0, seed=0):
    """Return pixels (T, 33, 2), world (T, 33, 3) and visibility (T, 33)."""
    scale = FOCAL / -body[..., 2:]
    pixels = body[..., :2] * scale * (1, -1) + np.array(SIZE) / 2
    pixels = pixels + np.random.default_rng(seed).normal(0, noise_px, pixels.shape)
    hips = body[:, [Landmark.LEFT_HIP, Landmark.RIGHT_HIP]].mean(axis=1, keepdims=True)
    return pixels, body - hips, np.ones(body.shape[:2])


def poses_of(body, noise_px=0.0, seed=0):
    return [Pose(*parts) for parts in zip(*film(body, noise_px, seed), strict=True)]

"""What bodies do when they do not walk: made by putting pelvis and feet where they belong."""

import numpy as np

from moodwalk.gait import Gait
from moodwalk.skeleton import MIRROR, Joint

THIGH, SHANK = 0.43, 0.40
ANKLE = 0.08
STANDING = 0.81  # pelvis over the ankles


def make_body(
    pelvis, feet, *, fps, arms_deg=None, lean_deg=3.0, noise_m=0.0, in_place=False, seed=0
):
    """A body of 1.7 m: knees by two links, in front; the rest follows the pelvis.

    pelvis (T, 3), feet (T, 2, 3) right and left, arms_deg (T, 2) forward positive.
    """
    n = len(pelvis)
    x = np.zeros((n, 16, 3))
    arms = np.zeros((n, 2)) if arms_deg is None else np.asarray(arms_deg)
    lean = np.radians(np.broadcast_to(lean_deg, n))
    trunk = np.stack([np.zeros(n), np.cos(lean), np.sin(lean)], axis=1)
    x[:, Joint.ROOT] = pelvis
    for joint, length in ((Joint.SPINE, 0.19), (Joint.NECK, 0.42), (Joint.HEAD, 0.60)):
        x[:, joint] = pelvis + length * trunk
    for side, sign in ((0, -1.0), (1, 1.0)):
        hip, knee, foot = (
            (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_FOOT)
            if side == 0
            else (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_FOOT)
        )
        x[:, hip] = pelvis + np.array([sign * 0.12, -0.03, 0.0])
        line = feet[:, side] - x[:, hip]
        distance = np.linalg.norm(line, axis=1, keepdims=True)
        reach = np.clip(distance, 0.25, THIGH + SHANK - 1e-3)
        axis = line / distance
        x[:, foot] = x[:, hip] + reach * axis
        along = (THIGH**2 - SHANK**2 + reach**2) / (2 * reach)
        front = np.array([0.0, 0.0, 1.0]) - axis * axis[:, 2:]
        front = np.where(np.abs(axis[:, 2:]) > 0.99, [0.0, 1.0, 0.0], front)
        front /= np.linalg.norm(front, axis=1, keepdims=True)
        x[:, knee] = x[:, hip] + along * axis + np.sqrt(THIGH**2 - along**2) * front
        shoulder, elbow, hand = (
            (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_HAND)
            if side == 0
            else (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_HAND)
        )
        x[:, shoulder] = x[:, Joint.NECK] + [sign * 0.17, -0.04, 0.0]
        for a, b, length, bend in ((shoulder, elbow, 0.28, 0.0), (elbow, hand, 0.25, 0.4)):
            angle = np.radians(arms[:, side]) + bend
            x[:, b] = x[:, a] + length * np.stack(
                [np.full(n, sign * 0.1), -np.cos(angle), np.sin(angle)], axis=1
            )
    if in_place:
        x = x - x[:, :1]
    noise = np.random.default_rng(seed).normal(0.0, noise_m, x.shape)
    if in_place:
        noise[:, 0] = 0.0
    return Gait(x + noise, fps)


def plant(n, width=0.2, z=0.0):
    """Both feet side by side on the ground."""
    feet = np.zeros((n, 2, 3))
    feet[..., 1] = ANKLE
    feet[:, 0, 0], feet[:, 1, 0] = -width / 2, width / 2
    feet[..., 2] = z
    return feet


def stand(seconds=5.0, fps=30.0, **options):
    """Stand, and sway by 2 cm."""
    t = np.arange(round(seconds * fps)) / fps
    sway = np.stack([0.02 * np.sin(2.1 * t), 0.003 * np.sin(3 * t), 0.02 * np.sin(1.3 * t)], axis=1)
    return make_body(sway + np.array([0, ANKLE + STANDING, 0]), plant(len(t)), fps=fps, **options)


def sit(seconds=5.0, fps=30.0, **options):
    """Sit on a chair with the feet on the ground, and move a little."""
    t = np.arange(round(seconds * fps)) / fps
    sway = np.stack([0.01 * np.sin(2.1 * t), 0 * t, 0.01 * np.sin(1.3 * t)], axis=1)
    return make_body(
        sway + np.array([0, ANKLE + 0.42, 0]), plant(len(t), z=0.42), fps=fps, **options
    )


def jump(n_jumps=5, fps=30.0, forward_m=0.0, **options):
    """Crouch, push off, fly for 0.5 s, land, again and again; with both feet."""
    t = np.arange(round(1.8 * n_jumps * fps)) / fps
    number, s = np.divmod(t, 1.8)
    off = 9.81 * 0.25
    parts = (
        (0.5, 0.0, 0.0, -0.3, 0.0),
        (0.25, -0.3, 0.0, 0.0, off),
        (0.5, 0.0, off, 0.0, -off),
        (0.2, 0.0, -off, -0.25, 0.0),
        (0.35, -0.25, 0.0, 0.0, 0.0),
    )
    height, start = np.zeros_like(t), 0.0
    for length, a, va, b, vb in parts:
        u = np.clip((s - start) / length, 0.0, 1.0)
        inside = (s >= start) & (s < start + length)
        curve = (
            a * (1 + 2 * u) * (1 - u) ** 2
            + va * length * u * (1 - u) ** 2
            + b * u**2 * (3 - 2 * u)
            + vb * length * u**2 * (u - 1)
        )
        height = np.where(inside, curve, height)
        start += length
    flight = np.clip((s - 0.75) / 0.5, 0.0, 1.0)
    ahead = forward_m * (number + flight)
    pelvis = np.stack([0 * t, ANKLE + STANDING - 0.02 + height, ahead], axis=1)
    feet = plant(len(t))
    feet[..., 1] += np.maximum(height, 0.0)[:, None] * (flight > 0)[:, None]
    feet[..., 2] += ahead[:, None]
    arms = np.repeat((-150 * height)[:, None], 2, axis=1)
    return make_body(pelvis, feet, fps=fps, arms_deg=arms, **options)


def run(seconds=5.0, fps=30.0, speed=3.0, cadence=165.0, duty=0.35, backward=False, **options):
    """Run: each foot carries for a third of the cycle, and in between both fly."""
    t = np.arange(round(seconds * fps)) / fps
    cycle = 120.0 / cadence
    flight = cycle * (0.5 - duty)
    feet = plant(len(t), width=0.1)
    ahead = speed * t
    for side in (0, 1):
        own = (t / cycle + 0.5 * side) % 1.0
        sweep = speed * cycle * duty
        swing = np.clip((own - duty) / (1 - duty), 0.0, 1.0)
        back = np.where(own < duty, 0.5 - own / duty, -0.5 + swing**2 * (3 - 2 * swing))
        feet[:, side, 2] = ahead + sweep * back
        feet[:, side, 1] += 0.38 * np.sin(np.pi * swing) ** 1.5 * (1 - 0.4 * swing)
    # flight begins a duty after each strike; the pelvis rises and falls freely in it
    step = (t / cycle % 0.5) * cycle
    air = np.clip((step - duty * cycle) / flight, 0.0, 1.0)
    ground = np.clip(step / (duty * cycle), 0.0, 1.0)
    bob = 9.81 / 8 * flight**2 * 4 * air * (1 - air) - 0.06 * np.sin(np.pi * ground)
    pelvis = np.stack([0 * t, ANKLE + STANDING - 0.03 + bob, ahead], axis=1)
    for side in (0, 1):
        feet[:, side, 1] += np.where(feet[:, side, 1] > ANKLE, np.maximum(bob, 0.0), 0.0)
    arms = 40 * np.stack([-np.cos(2 * np.pi * t / cycle), np.cos(2 * np.pi * t / cycle)], axis=1)
    return make_body(pelvis, feet, fps=fps, arms_deg=arms, lean_deg=10.0, **options)


def step_once(fps=30.0, length=0.6, still_s=1.2, closing=False, **options):
    """Stand, take one step (and bring the other foot up beside it, if closing), stand."""
    parts = 2 if closing else 1
    n = round((2 * still_s + 0.6 * parts) * fps)
    t = np.arange(n) / fps - still_s
    feet = plant(n)
    for i, side in enumerate((0, 1)[:parts]):
        s = np.clip((t - 0.6 * i) / 0.6, 0.0, 1.0)
        feet[:, side, 2] += length * s**2 * (3 - 2 * s)
        feet[:, side, 1] += 0.1 * np.sin(np.pi * s)
    pelvis = feet.mean(axis=1)
    pelvis[:, 0] = 0.0
    pelvis[:, 1] = ANKLE + STANDING - 0.06
    return make_body(pelvis, feet, fps=fps, **options)


def march(seconds=5.0, fps=30.0, **options):
    """Lift one knee after the other on the spot."""
    t = np.arange(round(seconds * fps)) / fps
    feet = plant(len(t))
    for side in (0, 1):
        feet[:, side, 1] += 0.25 * np.clip(np.sin(2 * np.pi * (t - 0.6 * side) / 1.2), 0.0, 1.0)
    pelvis = np.tile([0.0, ANKLE + STANDING, 0.0], (len(t), 1))
    return make_body(pelvis, feet, fps=fps, **options)


def squat(seconds=6.0, fps=30.0, **options):
    """Bend both knees and rise again, feet on the ground."""
    t = np.arange(round(seconds * fps)) / fps
    pelvis = np.tile([0.0, ANKLE + STANDING, 0.0], (len(t), 1))
    pelvis[:, 1] -= 0.35 * np.sin(np.pi * t / 2.0) ** 2
    pelvis[:, 2] -= 0.15 * np.sin(np.pi * t / 2.0) ** 2
    return make_body(pelvis, plant(len(t)), fps=fps, lean_deg=20.0, **options)


def face(seconds=5.0, fps=30.0, nod_deg=15.0, noise_m=0.0, seed=0, scale=1.0):
    """Sixteen landmarks of a face that nods and turns, in the order of the joints."""
    rng = np.random.default_rng(seed)
    points = rng.uniform([-0.07, -0.1, -0.02], [0.07, 0.1, 0.04], (16, 3))
    t = np.arange(round(seconds * fps)) / fps
    nod, turn = np.radians(nod_deg) * np.sin(2.5 * t), np.radians(nod_deg) * np.sin(1.7 * t)
    c, s, cc, ss = np.cos(nod), np.sin(nod), np.cos(turn), np.sin(turn)
    zero, one = np.zeros_like(t), np.ones_like(t)
    about_x = np.array([[one, zero, zero], [zero, c, -s], [zero, s, c]])
    about_y = np.array([[cc, zero, ss], [zero, one, zero], [-ss, zero, cc]])
    x = np.einsum("ijt,jkt,nk->tni", about_y, about_x, points)
    return Gait(scale * (x + rng.normal(0.0, noise_m, x.shape)), fps)


def sidestep(seconds=6.0, fps=30.0, **options):
    """Go to the left, one foot to the side and the other after it."""
    t = np.arange(round(seconds * fps)) / fps
    feet = plant(len(t), width=0.25)
    for side, start in ((1, 0.0), (0, 0.5)):
        number, s = np.divmod(t - 0.5 * start * 2, 1.2)
        u = np.clip(s / 0.5, 0.0, 1.0)
        feet[:, side, 0] += 0.35 * (number + u**2 * (3 - 2 * u))
        feet[:, side, 1] += 0.08 * np.sin(np.pi * u)
    pelvis = feet.mean(axis=1)
    pelvis[:, 1] = ANKLE + STANDING - 0.06
    return make_body(pelvis, feet, fps=fps, **options)


def bend_path(gait, radius_m):
    """Lay a walk along +z on a circle to the left: planted feet stay where they are."""
    x = gait.positions
    angle, out = x[..., 2] / radius_m, radius_m - x[..., 0]
    around = np.stack([radius_m - out * np.cos(angle), x[..., 1], out * np.sin(angle)], axis=-1)
    return gait.with_positions(around)


def exchange_sides(gait):
    """Call right what is left."""
    return gait.with_positions(gait.positions[:, list(MIRROR)])


def reflect(gait, axis=0):
    """Negate one axis, and keep the names."""
    signs = np.ones(3)
    signs[axis] = -1.0
    return gait.with_positions(gait.positions * signs)


def permute(gait, order):
    """Give joints the names of others."""
    return gait.with_positions(gait.positions[:, list(order)])

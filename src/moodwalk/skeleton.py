"""The 16 joints of Emotion-Gait, their bones, and the graph that networks see.

Axes: +y up, the walker faces +z, the right side lies at -x.
"""

from enum import IntEnum
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError

__all__ = [
    "BONES",
    "MIRROR",
    "N_JOINTS",
    "PARTITIONS",
    "Joint",
    "Partition",
    "compute_adjacency",
    "compute_hops",
]


class Joint(IntEnum):
    """The joints in the order of the Emotion-Gait files."""

    ROOT = 0
    SPINE = 1
    NECK = 2
    HEAD = 3
    RIGHT_SHOULDER = 4
    RIGHT_ELBOW = 5
    RIGHT_HAND = 6
    LEFT_SHOULDER = 7
    LEFT_ELBOW = 8
    LEFT_HAND = 9
    RIGHT_HIP = 10
    RIGHT_KNEE = 11
    RIGHT_FOOT = 12
    LEFT_HIP = 13
    LEFT_KNEE = 14
    LEFT_FOOT = 15


N_JOINTS = len(Joint)

BONES: tuple[tuple[Joint, Joint], ...] = (
    (Joint.ROOT, Joint.SPINE),
    (Joint.SPINE, Joint.NECK),
    (Joint.NECK, Joint.HEAD),
    (Joint.NECK, Joint.RIGHT_SHOULDER),
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW),
    (Joint.RIGHT_ELBOW, Joint.RIGHT_HAND),
    (Joint.NECK, Joint.LEFT_SHOULDER),
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW),
    (Joint.LEFT_ELBOW, Joint.LEFT_HAND),
    (Joint.ROOT, Joint.RIGHT_HIP),
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE),
    (Joint.RIGHT_KNEE, Joint.RIGHT_FOOT),
    (Joint.ROOT, Joint.LEFT_HIP),
    (Joint.LEFT_HIP, Joint.LEFT_KNEE),
    (Joint.LEFT_KNEE, Joint.LEFT_FOOT),
)
"""(parent, child), parents first."""

MIRROR: tuple[Joint, ...] = tuple(
    Joint[
        joint.name.replace("RIGHT", "LEFT")
        if "RIGHT" in joint.name
        else joint.name.replace("LEFT", "RIGHT")
    ]
    for joint in Joint
)
"""For every joint its twin on the other side; joints of the midline are their own."""

Partition = Literal["uniform", "distance", "spatial", "spatial-true"]
PARTITIONS: tuple[Partition, ...] = get_args(Partition)


def compute_hops() -> NDArray[np.int64]:
    """Compute the number of bones between every two joints.

    Returns
    -------
    ndarray
        (16, 16), symmetric, zero on the diagonal.
    """
    hops = np.full((N_JOINTS, N_JOINTS), N_JOINTS, dtype=np.int64)
    np.fill_diagonal(hops, 0)
    for parent, child in BONES:
        hops[parent, child] = hops[child, parent] = 1
    for via in range(N_JOINTS):
        hops = np.minimum(hops, hops[:, via, None] + hops[None, via, :])
    return hops


def compute_adjacency(partition: Partition = "spatial") -> NDArray[np.float32]:
    """Compute the normalised adjacency, divided into the partitions of ST-GCN.

    Self-loops and bones, every column divided by its sum. Element ``[k, j, i]`` is the share of
    joint j in the new value of joint i, if the pair belongs to partition k.

    Parameters
    ----------
    partition
        ``uniform``: one partition. ``distance``: self-loops, then bones. ``spatial``: self-loops,
        then bones whose joint j is as far from the root as i or farther, then those whose j is
        nearer; as published for STEP, distances beyond one hop count as infinite, so that most
        bones fall into partition 1 in both directions. ``spatial-true``: the same with true
        distances.

    Returns
    -------
    ndarray
        (K, 16, 16) float32 with K = 1, 2, 3 or 3.

    Raises
    ------
    ConfigError
        If the partition is unknown.

    References
    ----------
    .. [1] Yan, Xiong and Lin (2018), Spatial temporal graph convolutional networks for
       skeleton-based action recognition, AAAI, section 3.3.
    """
    if partition not in PARTITIONS:
        raise ConfigError(
            f"'{partition}' is no partition; expected one of {', '.join(PARTITIONS)}."
        )
    hops = compute_hops()
    linked = (hops <= 1).astype(np.float64)
    normalised = linked / linked.sum(axis=0, keepdims=True)
    itself, bone = hops == 0, hops == 1
    if partition == "uniform":
        masks = [itself | bone]
    elif partition == "distance":
        masks = [itself, bone]
    else:
        depth = hops[:, Joint.ROOT].astype(np.float64)
        if partition == "spatial":
            depth[depth > 1] = np.inf
        nearer = depth[:, None] < depth[None, :]
        masks = [itself, bone & ~nearer, bone & nearer]
    return np.stack([np.where(mask, normalised, 0.0) for mask in masks]).astype(np.float32)

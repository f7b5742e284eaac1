import numpy as np
import pytest

from moodwalk.errors import ConfigError
from moodwalk.skeleton import (
    BONES,
    MIRROR,
    N_JOINTS,
    PARTITIONS,
    Joint,
    compute_adjacency,
    compute_hops,
)


def test_bones_make_one_tree_with_parents_first():
    reached = {Joint.ROOT}
    for parent, child in BONES:
        assert parent in reached
        assert child not in reached
        reached.add(child)
    assert reached == set(Joint)


def test_mirror_swaps_sides_and_keeps_bones():
    assert [MIRROR[MIRROR[joint]] for joint in Joint] == list(Joint)
    assert [j for j in Joint if MIRROR[j] == j] == [Joint.ROOT, Joint.SPINE, Joint.NECK, Joint.HEAD]
    assert MIRROR[Joint.RIGHT_HAND] == Joint.LEFT_HAND
    assert {(MIRROR[a], MIRROR[b]) for a, b in BONES} == set(BONES)


def test_joints_called_right_lie_at_negative_x_in_the_real_gaits(real_gaits):
    hips = np.array(
        [
            (g.positions[:, Joint.RIGHT_HIP] - g.positions[:, Joint.LEFT_HIP]).mean(0)
            for g in real_gaits
        ]
    )
    assert (hips[:, 0] < 0).all()


def test_hops():
    hops = compute_hops()
    assert (hops == hops.T).all()
    assert (np.diag(hops) == 0).all()
    assert (hops == 1).sum() == 2 * len(BONES)
    assert hops[Joint.RIGHT_FOOT, Joint.LEFT_FOOT] == 6
    assert hops[Joint.RIGHT_HAND, Joint.LEFT_FOOT] == 8


@pytest.mark.parametrize(
    ("partition", "n"), [("uniform", 1), ("distance", 2), ("spatial", 3), ("spatial-true", 3)]
)
def test_partitions_share_out_one_normalised_graph(partition, n):
    adjacency = compute_adjacency(partition)
    assert adjacency.shape == (n, N_JOINTS, N_JOINTS)
    assert adjacency.dtype == np.float32
    np.testing.assert_allclose(adjacency.sum(axis=(0, 1)), 1, rtol=1e-6)
    assert ((adjacency > 0).sum(axis=0) <= 1).all()
    np.testing.assert_array_equal(adjacency.sum(axis=0), compute_adjacency("uniform")[0])


def test_every_partition_is_covered():
    assert {"uniform", "distance", "spatial", "spatial-true"} == set(PARTITIONS)


def test_spatial_is_the_published_tensor(golden_folder):
    published = np.load(golden_folder / "step_hybrid.npz")["adjacency"]
    np.testing.assert_allclose(compute_adjacency("spatial"), published, atol=1e-7)


def test_true_distances_put_every_bone_into_both_directions():
    _, away, towards = compute_adjacency("spatial-true")
    for parent, child in BONES:
        assert away[child, parent] > 0
        assert towards[parent, child] > 0
        assert away[parent, child] == towards[child, parent] == 0
    published = compute_adjacency("spatial")
    assert (published[2] > 0).sum() < len(BONES)


def test_unknown_partition():
    with pytest.raises(ConfigError, match="expected one of uniform"):
        compute_adjacency("random")

"""Agreement with the authors' real-only classifier, imported from their checkpoint."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from moodwalk.emotion import LABEL_ORDERS
from moodwalk.errors import CheckpointError
from moodwalk.models.checkpoint import read_checkpoint
from moodwalk.models.config import STGCN_MODELS
from moodwalk.models.published import (
    convert_published_state,
    import_published_classifier,
    read_published_checkpoint,
)
from moodwalk.training import compute_logits


@pytest.fixture(scope="module")
def golden(golden_folder):
    with np.load(golden_folder / "classifier_real_only.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def imported(official_folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("import") / "step-real-only.safetensors"
    import_published_classifier(official_folder / "classifier_real_only.pth.tar", output)
    return read_checkpoint(output)


@pytest.fixture(scope="module")
def probabilities(imported, real_gaits):
    return softmax(compute_logits(imported.network, imported.encoder, real_gaits), axis=1)


def test_the_network_is_the_real_only_baseline(imported):
    assert imported.network.config == STGCN_MODELS["step-real-only"]


def test_probabilities_of_the_listed_gaits_agree(golden, probabilities, real_gaits):
    row_of = {gait.name: i for i, gait in enumerate(real_gaits)}
    rows = [row_of[str(key)] for key in golden["keys"]]
    assert len(set(rows)) == 38
    np.testing.assert_allclose(probabilities[rows], golden["probabilities"], rtol=0, atol=1e-4)


def test_304_of_342_gaits_agree_with_their_labels(imported, probabilities, real_gaits):
    assert imported.classes == LABEL_ORDERS["emotion-gait"]
    names = np.array(imported.classes)[probabilities.argmax(axis=1)]
    assert len(names) == 342
    assert (names == real_gaits.labels).sum() == 304


def test_any_other_order_of_the_labels_agrees_far_less(probabilities, real_gaits):
    names = np.array(LABEL_ORDERS["published"])[probabilities.argmax(axis=1)]
    assert (names == real_gaits.labels).mean() < 0.5


def test_answers_do_not_depend_on_the_batch(imported, probabilities, real_gaits):
    alone = compute_logits(imported.network, imported.encoder, [real_gaits[200]])
    np.testing.assert_allclose(softmax(alone, axis=1)[0], probabilities[200], atol=1e-5)


def test_the_generator_is_refused(official_folder):
    state = read_published_checkpoint(official_folder / "generator_cvae.pth.tar")
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    with pytest.raises(CheckpointError, match="generator, not a classifier"):
        convert_published_state(state)


def test_a_truncated_checkpoint_is_refused(official_folder, tmp_path):
    content = (official_folder / "classifier_real_only.pth.tar").read_bytes()
    path = tmp_path / "cut.pth.tar"
    for length in (0, 1, 99, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="cannot be read"):
            read_published_checkpoint(path)

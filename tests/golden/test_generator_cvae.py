"""STEP-Gen's published weights: what they encode, decode, and how the reconstruction is judged."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from moodwalk.emotion import LABEL_ORDERS
from moodwalk.errors import CheckpointError, DataFormatError
from moodwalk.generation.generator import GaitGenerator, import_published_generator
from moodwalk.models.cvae import compute_displacement_loss, compute_movement_loss
from moodwalk.models.published import convert_published_generator, read_published_checkpoint


@pytest.fixture(scope="module")
def golden(golden_folder):
    """Reference arrays; gaits as (N, T, 16, 3)."""
    arrays = {}
    with np.load(golden_folder / "generator_cvae.npz") as file:
        for name in file:
            array = torch.from_numpy(file[name])
            arrays[name] = array.squeeze(-1).permute(0, 2, 3, 1) if array.ndim == 5 else array
    arrays["emotions"] = F.one_hot(arrays["label"], 4).float()
    return arrays


@pytest.fixture(scope="module")
def network(official_folder):
    state = read_published_checkpoint(official_folder / "generator_cvae.pth.tar")
    return convert_published_generator(state)[0]


def test_encodes_as_published(network, golden):
    with torch.no_grad():
        mean, log_variance = network.encode(golden["x"], golden["emotions"])
    assert torch.allclose(mean, golden["mean"], atol=1e-5)
    assert torch.allclose(log_variance, golden["logvar"], atol=1e-5)


@pytest.mark.parametrize(("latent", "decoded"), [("z", "decoded"), ("mean", "decoded_mean")])
def test_decodes_as_published(network, golden, latent, decoded):
    with torch.no_grad():
        positions = network.decode(golden[latent], golden["emotions"])
    assert torch.allclose(positions, golden[decoded], atol=1e-5)


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (compute_movement_loss, "between_frame_loss_first2"),
        (compute_displacement_loss, "affective_loss_first2"),
    ],
)
def test_both_reconstruction_losses_are_the_published_ones(golden, compute, expected):
    loss = compute(golden["x"][:2], golden["decoded_mean"][:2])
    assert float(loss) == pytest.approx(float(golden[expected]), rel=1e-4)


class Told:
    """Random numbers that are known."""

    def __init__(self, numbers):
        self.numbers = numbers

    def standard_normal(self, size, dtype):
        assert self.numbers.shape == size
        return self.numbers.astype(dtype)


@pytest.fixture(scope="module")
def imported(official_folder, tmp_path_factory):
    """What `moodwalk import-checkpoint` writes, read back."""
    path = tmp_path_factory.mktemp("imported") / "step-gen.safetensors"
    import_published_generator(official_folder / "generator_cvae.pth.tar", path)
    return GaitGenerator.load(path)


def test_imported_weights_draw_the_published_gaits(imported, golden):
    assert imported.classes == LABEL_ORDERS["emotion-gait"]
    assert "generator_cvae.pth.tar" in imported.card["source"]
    drawn = imported.network.draw(
        golden["emotions"].double().numpy(), Told(golden["z"].numpy()), n_frames=75, fps=30.0
    )
    np.testing.assert_allclose(np.stack(list(drawn)), golden["decoded"], atol=1e-4)


def test_the_published_latent_points_are_three_times_as_wide_and_moved(imported, golden):
    latent = golden["z"].numpy()
    drawn = imported.network.draw(
        golden["emotions"].double().numpy(),
        Told((latent + 1.5) / 3),
        n_frames=75,
        fps=30.0,
        published_latent=True,
    )
    np.testing.assert_allclose(np.stack(list(drawn)), golden["decoded"], atol=1e-4)


def test_imported_weights_generate_every_emotion(imported):
    gaits = imported.generate(8, seed=1)
    assert gaits.labels.tolist() == [str(emotion) for emotion in imported.classes] * 2
    assert all(gait.synthetic and np.isfinite(gait.positions).all() for gait in gaits)


def test_what_is_no_published_generator_is_refused_by_name(official_folder, tmp_path):
    output = tmp_path / "out.safetensors"
    classifier = official_folder / "classifier_real_only.pth.tar"
    with pytest.raises(CheckpointError, match=r"classifier_real_only.*: this is no generator"):
        import_published_generator(classifier, output)
    with pytest.raises(CheckpointError, match="is no file"):
        import_published_generator(tmp_path / "none.pth.tar", output)
    assert not output.exists()


def test_a_place_that_cannot_be_written_is_refused(official_folder, tmp_path):
    with pytest.raises(DataFormatError, match="is a folder"):
        import_published_generator(official_folder / "generator_cvae.pth.tar", tmp_path)

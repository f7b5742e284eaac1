import json
import os
import pickle
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from moodwalk.emotion import Emotion
from moodwalk.errors import CheckpointError, DataFormatError
from moodwalk.models.arrays import FORMAT
from moodwalk.models.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from moodwalk.models.config import StgcnConfig
from moodwalk.models.encoding import GaitEncoder
from moodwalk.models.stgcn import Stgcn
from moodwalk.models.tensors import read_tensors, write_tensors
from moodwalk.walker import simulate_walks

CLASSES = (Emotion.ANGRY, Emotion.HAPPY, Emotion.SAD)


@pytest.fixture(scope="module")
def gaits():
    return simulate_walks(n_subjects=2, gaits_per_subject=4, seed=1)


@pytest.fixture
def checkpoint(gaits):
    torch.manual_seed(0)
    config = StgcnConfig(blocks=((3, 1), (4, 2)), n_hidden=5, kernel=5, partition="spatial-true")
    network = Stgcn(config, n_classes=3)
    encoder = GaitEncoder.fit(gaits)
    network(*(torch.from_numpy(array) for array in encoder.encode(gaits)))
    card = {"data": "simulated walks", "accuracy": {"value": 0.5, "n": 8}}
    return Checkpoint.from_network(network, CLASSES, encoder, "step", 1.25, card)


@pytest.fixture
def path(checkpoint, tmp_path):
    path = tmp_path / "weights.safetensors"
    write_checkpoint(path, checkpoint)
    return path


def rewrite(path, change):
    """Change the header of a file in place."""
    tensors, header = read_tensors(path)
    change(header)
    write_tensors(path, tensors, header)


def test_all_comes_back_as_it_was(checkpoint, path, gaits):
    restored = read_checkpoint(path)
    assert restored.classes == CLASSES
    assert restored.model == "step"
    assert restored.temperature == 1.25
    assert restored.card == checkpoint.card
    assert restored.network.config == checkpoint.network.config
    assert not restored.network.training
    arrays = [torch.from_numpy(array) for array in restored.encoder.encode(gaits)]
    for one, other in zip(arrays, checkpoint.encoder.encode(gaits), strict=True):
        np.testing.assert_array_equal(one, other)
    with torch.inference_mode():
        assert torch.equal(restored.network(*arrays), checkpoint.network.eval()(*arrays))


def test_the_file_says_what_it_is(path):
    _, header = read_tensors(path)
    assert header["format"] == FORMAT
    assert header["classes"] == ["angry", "happy", "sad"]
    assert header["skeleton"] == "emotion-gait-16"
    assert header["network"]["partition"] == "spatial-true"
    assert header["encoder"]["fps"] == 30


def test_the_file_is_as_readable_as_any_other(path):
    plain = path.with_name("plain")
    plain.write_text("")
    assert path.stat().st_mode == plain.stat().st_mode


def test_writing_is_whole_or_not_at_all(checkpoint, path, monkeypatch):
    before = path.read_bytes()

    def fail(target, data):
        with target.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(DataFormatError, match="No space left"):
        write_checkpoint(path, checkpoint)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_file_or_a_folder_is_refused(tmp_path):
    for place in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(CheckpointError, match="is no file; expected moodwalk weights"):
            read_checkpoint(place)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"The weights are elsewhere.\n" * 20, bytes(4096), b"\xff" * 64]
)
def test_another_kind_of_file_is_refused(tmp_path, content):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read as moodwalk weights"):
        read_checkpoint(path)


def test_a_file_cut_anywhere_is_refused(path):
    content = path.read_bytes()
    for length in [*range(0, len(content), 61), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="cannot be read"):
            read_checkpoint(path)


def test_a_claim_of_more_than_the_file_holds_is_refused(path):
    content = path.read_bytes()
    path.write_bytes(struct.pack("<Q", 2**40) + content[8:])
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checkpoint(path)


def test_a_pickle_is_refused_unopened_and_pointed_to_the_importer(tmp_path):
    mark, path = tmp_path / "ran", tmp_path / "weights.safetensors"
    path.write_bytes(pickle.dumps(Touch(mark)))
    with pytest.raises(CheckpointError, match="moodwalk import-checkpoint"):
        read_checkpoint(path)
    assert not mark.exists()


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_safetensors_of_others_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="no moodwalk header"):
        read_checkpoint(path)
    for header in ("{", "[1]"):
        save_file({"weight": torch.zeros(2)}, path, metadata={"moodwalk": header})
        with pytest.raises(CheckpointError):
            read_checkpoint(path)


def test_another_format_is_refused_by_name(path):
    rewrite(path, lambda header: header.update(format="moodwalk-classifier-9"))
    with pytest.raises(CheckpointError, match="'moodwalk-classifier-9'; expected a classifier"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ["angry", "happy"]},
        {"classes": ["angry", "happy", "bored"]},
        {"classes": 3},
        {"network": {}},
        {"network": {"blocks": [[3, 1], [4, 2]], "rank": 5}},
        {"network": {"blocks": [[3, 1], [5, 2]], "n_hidden": 5, "kernel": 5}},
        {"network": None},
        {"encoder": None},
        {"encoder": {"n_frames": 4}},
        {"temperature": 0},
        {"temperature": float("nan")},
        {"temperature": "warm"},
        {"card": 5},
    ],
)
def test_a_header_that_does_not_fit_is_refused_in_one_line(path, change):
    rewrite(path, lambda header: header.update(change))
    with pytest.raises(CheckpointError, match="do not fit") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "name", ["classes", "network", "encoder", "temperature", "model", "card", "format"]
)
def test_an_incomplete_header_is_refused(path, name):
    rewrite(path, lambda header: header.pop(name))
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


def test_an_encoder_for_another_number_of_features_is_refused(path, gaits):
    encoder = GaitEncoder.fit(gaits, n_affective=26)
    rewrite(path, lambda header: header.update(encoder=encoder.to_dict()))
    with pytest.raises(
        CheckpointError, match="gives 26 affective features; the network expects 27"
    ):
        read_checkpoint(path)


def test_missing_and_strange_tensors_are_refused(path):
    tensors, header = read_tensors(path)
    for change in (
        {k: v for k, v in tensors.items() if k != "classes.bias"},
        tensors | {"classes.extra": torch.zeros(1)},
        tensors | {"classes.bias": torch.zeros(4)},
    ):
        write_tensors(path, change, header)
        with pytest.raises(CheckpointError, match="do not fit"):
            read_checkpoint(path)


def test_tensors_that_are_views_are_written_whole(tmp_path):
    path, base = tmp_path / "tensors.safetensors", torch.arange(6.0).view(2, 3)
    write_tensors(path, {"turned": base.T}, {"a": [1, None, "ü"]})
    tensors, header = read_tensors(path)
    assert torch.equal(tensors["turned"], base.T)
    assert json.dumps(header) == json.dumps({"a": [1, None, "ü"]})

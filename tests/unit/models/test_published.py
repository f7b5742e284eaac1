import io
import os
import pickle
import random

import pytest
import torch

from moodwalk.emotion import LABEL_ORDERS
from moodwalk.errors import CheckpointError
from moodwalk.models.checkpoint import read_checkpoint
from moodwalk.models.config import STGCN_MODELS
from moodwalk.models.published import (
    convert_published_state,
    import_published_classifier,
    read_published_checkpoint,
)
from moodwalk.skeleton import compute_adjacency


def make_state(widths=(32, 64, 64), strides=(1, 2, 1), first_residual=True, n_affective=0):
    """A classifier's weights by the names and in the layouts that the authors published."""
    generator = torch.Generator().manual_seed(0)
    state = {"A": torch.from_numpy(compute_adjacency("spatial"))}

    def add(name, *shape):
        state[name] = torch.randn(shape, generator=generator) * 0.1

    def add_norm(name, n):
        for part in ("weight", "bias", "running_mean", "running_var"):
            add(f"{name}.{part}", n)
        state[f"{name}.running_var"].abs_().add_(0.5)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    add_norm("data_bn1" if n_affective else "data_bn", 48)
    n_in = 3
    for i, (n, stride) in enumerate(zip(widths, strides, strict=True)):
        block = f"st_gcn_networks.{i}"
        add(f"{block}.gcn.conv.weight", 3 * n, n_in, 1, 1), add(f"{block}.gcn.conv.bias", 3 * n)
        add_norm(f"{block}.tcn.0", n), add_norm(f"{block}.tcn.3", n)
        add(f"{block}.tcn.2.weight", n, n, 75, 1), add(f"{block}.tcn.2.bias", n)
        if (i or first_residual) and (n != n_in or stride != 1):
            add(f"{block}.residual.0.weight", n, n_in, 1, 1), add(f"{block}.residual.0.bias", n)
            add_norm(f"{block}.residual.1", n)
        add(f"edge_importance.{i}", 3, 16, 16)
        n_in = n
    if n_affective:
        add_norm("data_bn2", n_in + n_affective)
        add("combined_networks.0.weight", 96, n_in + n_affective, 1, 1)
        add("combined_networks.0.bias", 96)
        n_in = 96
    head = "combined_networks.1" if n_affective else "fcn"
    add(f"{head}.weight", 4, n_in, 1, 1), add(f"{head}.bias", 4)
    return state


def test_the_real_only_baseline_is_recognised():
    network, order = convert_published_state(make_state())
    assert network.config == STGCN_MODELS["step-real-only"]
    assert order == LABEL_ORDERS["emotion-gait"]
    assert not network.training


def test_the_hybrid_classifier_is_recognised():
    state = make_state(strides=(1, 2, 2), first_residual=False, n_affective=27)
    network, _ = convert_published_state(state)
    assert network.config == STGCN_MODELS["step"]


def test_every_number_finds_its_place():
    state = make_state()
    network, _ = convert_published_state(state)
    ours = network.state_dict()
    assert sum(v.numel() for v in ours.values()) == sum(
        v.numel() for name, v in state.items() if name != "A"
    )
    assert (
        ours["blocks.1.temporal.weight"][74, 3, 5]
        == (state["st_gcn_networks.1.tcn.2.weight"][5, 3, 74, 0])
    )
    assert (
        ours["blocks.1.graph.weight"][2, 31, 5]
        == (state["st_gcn_networks.1.gcn.conv.weight"][2 * 64 + 5, 31, 0, 0])
    )
    assert ours["blocks.1.graph.bias"][1, 63] == (state["st_gcn_networks.1.gcn.conv.bias"][64 + 63])
    assert ours["blocks.2.graph.importance"][1, 4, 9] == state["edge_importance.2"][1, 4, 9]
    assert ours["classes.weight"][3, 60] == state["fcn.weight"][3, 60, 0, 0]


def test_what_is_left_of_dead_channels_is_zero():
    state = make_state()
    weight = state["st_gcn_networks.1.tcn.2.weight"]
    weight[0], weight[1] = 1e-40, -1e-25
    temporal = convert_published_state(state)[0].blocks[1].temporal.weight
    assert not temporal[:, :, 0].any()
    assert (temporal[:, :, 1] == torch.tensor(-1e-25)).all()
    assert torch.equal(temporal[..., 2:], weight[2:].squeeze(3).permute(2, 1, 0))


@pytest.mark.parametrize("wrap", [lambda s: {"state_dict": s}, lambda s: s])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("legacy", [True, False])
def test_wrapped_and_old_files_are_read(tmp_path, wrap, prefix, legacy):
    path, state = tmp_path / "weights.pth.tar", make_state()
    torch.save(
        wrap({prefix + name: value for name, value in state.items()}),
        path,
        _use_new_zipfile_serialization=not legacy,
    )
    tensors = read_published_checkpoint(path)
    assert tensors.keys() == state.keys()
    assert torch.equal(tensors["fcn.weight"], state["fcn.weight"])


def test_an_import_writes_weights_that_read_the_same(tmp_path):
    source, output = tmp_path / "classifier.pth.tar", tmp_path / "step.safetensors"
    torch.save(make_state(), source)
    written = import_published_classifier(source, output)
    restored = read_checkpoint(output)
    assert restored.classes == LABEL_ORDERS["emotion-gait"]
    assert restored.model == "step-real-only"
    assert restored.card == written.card
    assert restored.card["source"] == "classifier.pth.tar"
    assert (restored.encoder.n_frames, restored.encoder.fps) == (75, 30)
    assert restored.encoder.pose is None
    assert not restored.encoder.root_relative
    for name, value in written.network.state_dict().items():
        assert torch.equal(restored.network.state_dict()[name], value)


def test_a_hybrid_classifier_cannot_be_imported(tmp_path):
    source, output = tmp_path / "classifier.pth.tar", tmp_path / "step.safetensors"
    torch.save(make_state(strides=(1, 2, 2), first_residual=False, n_affective=27), source)
    with pytest.raises(CheckpointError, match=r"27 affective features.*expected the real-only"):
        import_published_classifier(source, output)
    assert not output.exists()


def test_a_missing_file_is_refused(tmp_path):
    for place in (tmp_path, tmp_path / "none.pth.tar"):
        with pytest.raises(CheckpointError, match="is no file"):
            read_published_checkpoint(place)


@pytest.mark.parametrize("content", [b"", b"\x80", b"Not weights, but a letter.\n" * 9, bytes(999)])
def test_another_kind_of_file_is_refused(tmp_path, content):
    path = tmp_path / "weights.pth.tar"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read as a PyTorch checkpoint"):
        read_published_checkpoint(path)


@pytest.mark.parametrize("legacy", [True, False])
def test_a_file_cut_anywhere_or_damaged_ends_in_one_line(tmp_path, legacy):
    file, path = io.BytesIO(), tmp_path / "weights.pth.tar"
    torch.save(
        {"a": torch.zeros(3), "b": torch.ones(2, 2)},
        file,
        _use_new_zipfile_serialization=not legacy,
    )
    content, chance = file.getvalue(), random.Random(0)
    for length in range(0, len(content), 3):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="cannot be read"):
            read_published_checkpoint(path)
    messages = []
    for _ in range(300):
        damaged = bytearray(content)
        damaged[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            read_published_checkpoint(path)
        except CheckpointError as error:
            messages.append(str(error))
    assert len(messages) > 50
    assert not any("\n" in message for message in messages)


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["pickle", "new", "old"])
def test_code_in_a_file_is_not_run(tmp_path, kind):
    path, mark = tmp_path / "weights.pth.tar", tmp_path / "ran"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Touch(mark)))
    else:
        content = {"fcn.weight": torch.zeros(2), "x": Touch(mark)}
        torch.save(content, path, _use_new_zipfile_serialization=kind == "new")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_published_checkpoint(path)
    assert not mark.exists()
    torch.load(path, weights_only=False) if kind != "pickle" else pickle.loads(path.read_bytes())
    assert mark.exists()  # the trap was armed


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"epoch": 3}, torch.zeros(2), {"a": {}}])
def test_files_without_named_tensors_are_refused(tmp_path, content):
    path = tmp_path / "weights.pth.tar"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="no named tensors"):
        read_published_checkpoint(path)


def test_the_generator_is_told_apart():
    with pytest.raises(CheckpointError, match="STEP-Gen's generator, not a classifier"):
        convert_published_state({"encoder.data_bn.weight": torch.zeros(112)})


def leave_out(name):
    return lambda state: state.pop(name)


def replace_by(name, *shape):
    return lambda state: state.update({name: torch.zeros(shape)})


@pytest.mark.parametrize(
    "damage",
    [
        dict.clear,
        leave_out("fcn.weight"),
        leave_out("data_bn.running_var"),
        leave_out("st_gcn_networks.1.tcn.2.weight"),
        leave_out("st_gcn_networks.1.residual.0.weight"),
        leave_out("edge_importance.0"),
        replace_by("st_gcn_networks.0.tcn.2.weight"),
        replace_by("st_gcn_networks.0.tcn.2.weight", 32, 32, 74, 1),
        replace_by("st_gcn_networks.0.gcn.conv.weight", 64, 3, 1, 1),
        replace_by("st_gcn_networks.0.gcn.conv.bias", 95),
        replace_by("st_gcn_networks.0.strange.weight", 3),
        replace_by("strange.weight", 3),
        replace_by("fcn.weight", 7, 64, 1, 1),
        replace_by("data_bn2.weight", 3),
    ],
)
def test_weights_of_another_network_are_refused_in_one_line(damage):
    state = make_state()
    damage(state)
    with pytest.raises(CheckpointError, match="not the weights of a published STEP") as caught:
        convert_published_state(state)
    assert "\n" not in str(caught.value)


def test_another_adjacency_is_refused():
    state = make_state() | {"A": torch.from_numpy(compute_adjacency("spatial-true"))}
    with pytest.raises(CheckpointError, match="is not that of the 16 joints"):
        convert_published_state(state)
    state["A"] = torch.zeros(3, 18, 18)
    with pytest.raises(CheckpointError, match=r"adjacency \(3, 18, 18\)"):
        convert_published_state(state)

import pytest
import torch
from torch import nn

from moodwalk.errors import ShapeError
from moodwalk.models.layers import ChannelNorm, GraphConvolution, NodeWeights, StgcnBlock
from moodwalk.skeleton import compute_adjacency


def draw(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def adjacency(partition="spatial"):
    return torch.from_numpy(compute_adjacency(partition)).double()


def randomise(module, seed=0):
    """Give every parameter and running statistic a value that is not its start."""
    for i, value in enumerate([*module.parameters(), *module.buffers()]):
        if value.is_floating_point() and value.ndim and not torch.equal(value, adjacency()):
            value.data.copy_(draw(*value.shape, seed=seed + i) * 0.3 + 0.1)
    for name, value in module.named_buffers():
        if name.endswith("running_var"):
            value.copy_(value.abs() + 0.5)
    return module


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)], ids=str
)
def test_channel_norm_is_the_library_s_with_the_bias_added_before(
    dtype, tolerance, training, with_bias
):
    ours = randomise(ChannelNorm(5)).to(dtype)
    theirs = nn.BatchNorm1d(5).to(dtype)
    theirs.load_state_dict(ours.state_dict())
    bias = draw(5, seed=7, dtype=dtype) if with_bias else None
    dy = draw(6, 2, 4, 5, seed=9, dtype=dtype)
    gradients = []
    for norm in (ours, theirs):
        norm.train(training)
        for step in range(3):
            x = (3 + 2 * draw(6, 2, 4, 5, seed=step, dtype=dtype)).requires_grad_()
            if norm is ours:
                y = norm(x, bias=bias)
            else:
                y = norm((x if bias is None else x + bias).reshape(-1, 5)).view(x.shape)
            norm.zero_grad()
            (dx,) = torch.autograd.grad(y, x, dy, retain_graph=True)
            y.backward(dy)
        gradients.append((y, dx, norm.weight.grad, norm.bias.grad))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=30 * tolerance)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(
            ours.state_dict()[name], value, rtol=tolerance, atol=tolerance, msg=name
        )
    assert int(ours.num_batches_tracked) == (3 if training else 0)


@pytest.mark.parametrize("training", [True, False])
def test_channel_norm_has_the_gradients_of_finite_differences(training):
    norm = randomise(ChannelNorm(3)).double().train(training)
    x = draw(4, 2, 3).requires_grad_()

    def normalise(x, weight, bias):
        return torch.func.functional_call(norm, {"weight": weight, "bias": bias}, (x,))

    weight, bias = (draw(3, seed=s).requires_grad_() for s in (1, 2))
    assert torch.autograd.gradcheck(normalise, (x, weight, bias))


def test_a_folded_bias_learns_in_evaluation_mode_only():
    norm, bias = ChannelNorm(3), torch.zeros(3, requires_grad=True)
    norm(draw(4, 3, dtype=torch.float32), bias=bias).sum().backward()
    assert bias.grad is None
    norm.eval()
    norm(draw(4, 3, dtype=torch.float32), bias=bias).sum().backward()
    assert (bias.grad > 0).all()


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)], ids=str
)
def test_channel_norm_adds_and_rectifies_as_if_one_after_the_other(
    dtype, tolerance, training, relu
):
    norm = randomise(ChannelNorm(5)).to(dtype).train(training)
    # Neither array is contiguous, and neither may change.
    x = draw(4, 6, 2, 5, dtype=dtype).transpose(0, 1).requires_grad_()
    other = draw(2, 4, 6, 5, seed=1, dtype=dtype).permute(2, 1, 0, 3).requires_grad_()
    before = x.detach().clone(), other.detach().clone()
    wanted = (x, other, norm.weight, norm.bias)
    dy = draw(6, 4, 2, 5, seed=2, dtype=dtype)
    results = []
    for y in (norm(x, other=other, relu=relu), norm(x) + other):
        y = torch.relu(y) if relu else y
        results.append((y, *torch.autograd.grad(y, wanted, dy)))
    for one, another in zip(*results, strict=True):
        torch.testing.assert_close(one, another, rtol=tolerance, atol=tolerance)
    assert bool((results[0][0] < 0).any()) != relu
    with torch.no_grad():
        torch.testing.assert_close(norm(x, other=other, relu=relu), results[0][0])
    assert torch.equal(x, before[0])
    assert torch.equal(other, before[1])


def test_channel_norm_refuses_to_train_on_one_row():
    norm = ChannelNorm(3)
    with pytest.raises(ShapeError, match="at least 2 gaits a batch in training; found 1"):
        norm(torch.zeros(1, 3))
    assert norm.eval()(torch.zeros(1, 3)).shape == (1, 3)
    assert int(norm.num_batches_tracked) == 0


def test_mixed_precision_reaches_the_same_gradients():
    def differentiate(x):
        norm = ChannelNorm(4)
        x = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=x.dtype == torch.bfloat16):
            norm(x).backward(draw(30, 4, seed=3, dtype=x.dtype))
        return x.grad.float(), norm.weight.grad, norm.bias.grad

    x = draw(30, 4, dtype=torch.bfloat16)
    for mixed, exact in zip(differentiate(x), differentiate(x.float()), strict=True):
        torch.testing.assert_close(mixed, exact, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("learn_importance", [True, False])
@pytest.mark.parametrize("partition", ["uniform", "distance", "spatial"])
def test_graph_convolution_is_the_sum_over_partitions_and_neighbours(partition, learn_importance):
    shares = adjacency(partition)
    layer = GraphConvolution(3, 5, shares, learn_importance=learn_importance).double()
    randomise(layer)
    x = draw(4, 2, 16, 3).requires_grad_()

    def compute_by_definition():
        factors = shares if layer.importance is None else shares * layer.importance
        expected = x.new_zeros(4, 2, 16, 5)
        for k in range(len(shares)):
            mixed = torch.einsum("tnjc,co->tnjo", x, layer.weight[k]) + layer.bias[k]
            expected = expected + torch.einsum("tnjo,ji->tnio", mixed, factors[k])
        return expected

    wanted = [x, *layer.parameters()]
    results = []
    for y in (layer(x), compute_by_definition()):
        results.append((y, *torch.autograd.grad(y, wanted, draw(4, 2, 16, 5, seed=4))))
    assert len(results[0]) == (5 if learn_importance else 4)
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("wanted", ["x", "importance"])
def test_graph_convolution_computes_only_the_gradient_asked_for(wanted):
    layer = randomise(GraphConvolution(3, 5, adjacency()).double())
    x = draw(4, 2, 16, 3).requires_grad_()
    both = torch.autograd.grad(layer(x).square().sum(), (x, layer.importance))
    layer.requires_grad_(wanted != "x")
    x.requires_grad_(wanted == "x")
    layer(x).square().sum().backward()
    found = x.grad if wanted == "x" else layer.importance.grad
    torch.testing.assert_close(found, both[0 if wanted == "x" else 1])


def test_graph_convolution_in_mixed_precision_stays_near_full_precision():
    layer = randomise(GraphConvolution(3, 5, adjacency()).float())
    x, dy = draw(4, 2, 16, 3, dtype=torch.float32), draw(4, 2, 16, 5, seed=1, dtype=torch.float32)
    results = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            y = layer(x)
        results.append((y, *torch.autograd.grad(y, list(layer.parameters()), dy.to(y.dtype))))
    for exact, mixed in zip(*results, strict=True):
        assert (mixed.float() - exact).abs().max() < 0.03 * exact.abs().max()


def test_importance_starts_as_one():
    layer = GraphConvolution(3, 4, adjacency())
    assert torch.equal(layer.importance, torch.ones(3, 16, 16))
    assert not layer.bias.any()
    assert "adjacency" not in layer.state_dict()


def test_node_weights_start_as_identity_and_average_one():
    weights, x = NodeWeights(16).double(), draw(3, 2, 16, 4)
    torch.testing.assert_close(weights(x), x, rtol=0, atol=1e-15)
    weights.logits.data.copy_(draw(16))
    factors = weights(torch.ones(1, 1, 16, 1, dtype=torch.float64)).flatten()
    torch.testing.assert_close(factors.mean(), torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(factors / 16, torch.softmax(weights.logits, 0).detach())
    torch.testing.assert_close(weights(x), x * factors[:, None])


@pytest.mark.parametrize(
    ("n_in", "n_out", "stride", "residual", "expected"),
    [
        (4, 4, 1, True, "identity"),
        (4, 6, 1, True, "projected"),
        (4, 4, 2, True, "projected"),
        (4, 6, 2, True, "projected"),
        (4, 4, 1, False, "none"),
        (4, 6, 2, False, "none"),
    ],
)
def test_the_shortcut_is_the_identity_only_where_shapes_agree(
    n_in, n_out, stride, residual, expected
):
    block = StgcnBlock(
        n_in, n_out, adjacency().float(), kernel=9, stride=stride, residual=residual
    ).eval()  # fmt: skip
    assert (block.shortcut is not None) == (expected == "projected")
    x = draw(11, 2, 16, n_in, dtype=torch.float32)
    assert block(x).shape == (1 + 10 // stride, 2, 16, n_out)
    with torch.no_grad():
        # With a silent temporal branch the block is its shortcut.
        block.temporal.weight.zero_()
        silent = block(x)
    if expected == "identity":
        torch.testing.assert_close(silent, torch.relu(x))
    assert bool(silent.any()) == (expected != "none")


@pytest.mark.parametrize("form", ["direct", "frequency"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("n_out", "stride", "residual"), [(5, 2, True), (3, 1, True), (4, 1, False)]
)
def test_a_block_computes_what_the_paper_s_layers_compute(n_out, stride, residual, training, form):
    block = StgcnBlock(
        3, n_out, adjacency(), kernel=7, stride=stride, residual=residual, form=form
    ).double()  # fmt: skip
    randomise(block)
    reference = ReferenceBlock(block, stride).train(training)
    block.train(training)
    x, again = draw(9, 2, 16, 3).requires_grad_(), draw(9, 2, 16, 3).requires_grad_()
    ours = block(x)
    theirs = reference(again.permute(1, 3, 0, 2)).permute(2, 0, 3, 1)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    dy = draw(*ours.shape, seed=5)
    ours.backward(dy)
    theirs.backward(dy)
    torch.testing.assert_close(x.grad, again.grad, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(
        block.temporal.weight.grad,
        reference.temporal.weight.grad.squeeze(3).permute(2, 1, 0),
        rtol=1e-8,
        atol=1e-8,
    )
    torch.testing.assert_close(
        block.graph.weight.grad.transpose(1, 2).flatten(0, 1),
        reference.mix.weight.grad.flatten(1),
        rtol=1e-8,
        atol=1e-8,
    )
    pairs = [(block.graph_norm, reference.graph_norm), (block.temporal_norm, reference.time_norm)]
    if block.shortcut_norm is not None:
        pairs.append((block.shortcut_norm, reference.shortcut_norm))
    for one, other in pairs:
        torch.testing.assert_close(one.running_mean, other.running_mean)
        torch.testing.assert_close(one.running_var, other.running_var)
        torch.testing.assert_close(one.weight.grad, other.weight.grad, rtol=1e-8, atol=1e-8)


class ReferenceBlock(nn.Module):
    """The block from the library's own layers, on (N, C, T, V) arrays, with a block's weights."""

    def __init__(self, block: StgcnBlock, stride: int) -> None:
        super().__init__()
        n_partitions, n_in, n_out = block.graph.weight.shape
        self.shares = (block.graph.adjacency * block.graph.importance).detach()
        self.mix = nn.Conv2d(n_in, n_partitions * n_out, 1)
        self.graph_norm = nn.BatchNorm2d(n_out)
        kernel = len(block.temporal.weight)
        self.temporal = nn.Conv2d(n_out, n_out, (kernel, 1), (stride, 1), (kernel // 2, 0))
        self.time_norm = nn.BatchNorm2d(n_out)
        self.mode = "none"
        if block.residual:
            self.mode = "identity" if block.shortcut is None else "projected"
        self.shortcut = nn.Conv2d(n_in, n_out, 1, (stride, 1))
        self.shortcut_norm = nn.BatchNorm2d(n_out)
        self.double()
        with torch.no_grad():
            self.mix.weight.copy_(block.graph.weight.transpose(1, 2).flatten(0, 1)[..., None, None])
            self.mix.bias.copy_(block.graph.bias.flatten())
            self.temporal.weight.copy_(block.temporal.weight.permute(2, 1, 0)[..., None])
            self.temporal.bias.copy_(block.temporal.bias)
            self.graph_norm.load_state_dict(block.graph_norm.state_dict())
            self.time_norm.load_state_dict(block.temporal_norm.state_dict())
            if block.shortcut is not None:
                self.shortcut.weight.copy_(block.shortcut.weight[..., None, None])
                self.shortcut.bias.copy_(block.shortcut.bias)
                self.shortcut_norm.load_state_dict(block.shortcut_norm.state_dict())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed = self.mix(x).unflatten(1, (len(self.shares), -1))
        gathered = torch.einsum("nkctv,kvw->nctw", mixed, self.shares)
        y = self.time_norm(self.temporal(torch.relu(self.graph_norm(gathered))))
        if self.mode == "identity":
            y = y + x
        elif self.mode == "projected":
            y = y + self.shortcut_norm(self.shortcut(x))
        return torch.relu(y)


def test_dropout_changes_training_only():
    block = StgcnBlock(3, 3, adjacency().float(), kernel=3, dropout=0.5)
    x = draw(8, 2, 16, 3, dtype=torch.float32)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))


def test_where_everything_is_dropped_the_shortcut_remains():
    block = StgcnBlock(3, 3, adjacency().float(), kernel=3, dropout=1.0)
    x = draw(8, 2, 16, 3, dtype=torch.float32)
    assert torch.equal(block(x), torch.relu(x))
    block = StgcnBlock(3, 3, adjacency().float(), kernel=3, dropout=1.0, residual=False)
    assert not block(x).any()


def test_a_block_does_not_change_its_input():
    for training in (True, False):
        block = StgcnBlock(3, 3, adjacency().float(), kernel=3).train(training)
        x = draw(8, 2, 16, 3, dtype=torch.float32)
        before = x.clone()
        block(x)
        assert torch.equal(x, before)

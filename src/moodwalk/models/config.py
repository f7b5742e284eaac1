"""What makes a network of the STEP family: STEP, the published changes to it, and ours, as data."""

from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

from moodwalk.errors import ConfigError
from moodwalk.skeleton import N_JOINTS, PARTITIONS, Partition, compute_adjacency

__all__ = ["STGCN_MODELS", "StgcnConfig"]


@dataclass(frozen=True, slots=True)
class StgcnConfig:
    """What distinguishes one network of the STEP family from another.

    Parameters
    ----------
    blocks
        (channels, stride) of every block.
    first_residual
        Whether the first block has a shortcut.
    n_affective
        Affective features beside the pooled channels; 0 for none.
    n_hidden
        Width of the layer before the classes; 0 for none. There is no activation between them.
    node_weights
        Whether a learned softmax weights the joints between blocks.
    concatenate
        Whether the head sees the pooled output of every block, or of the last one only.
    partition
        How the adjacency is divided, see `moodwalk.skeleton.compute_adjacency`.
    kernel
        Taps of the temporal convolutions.
    dropout
        Inside the blocks.
    root_relative
        Whether the network wants gaits with the root at the origin.
    body_form
        Whether it wants them turned and scaled by their own body, see `moodwalk.body.to_body_form`.

    Raises
    ------
    ConfigError
        If a value makes no network.
    """

    blocks: tuple[tuple[int, int], ...]
    first_residual: bool = False
    n_affective: int = 27
    n_hidden: int = 96
    node_weights: bool = False
    concatenate: bool = False
    partition: Partition = "spatial"
    kernel: int = 75
    dropout: float = 0.0
    root_relative: bool = True
    body_form: bool = False

    def __post_init__(self) -> None:
        try:
            blocks = tuple((int(channels), int(stride)) for channels, stride in self.blocks)
        except (TypeError, ValueError):  # no pairs
            blocks = ()
        if not blocks or any(channels < 1 or stride < 1 for channels, stride in blocks):
            raise ConfigError(
                f"blocks are {self.blocks}; expected one or more (channels, stride), both positive."
            )
        object.__setattr__(self, "blocks", blocks)
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ConfigError(f"kernel is {self.kernel}; expected an odd number of taps.")
        if self.partition not in PARTITIONS:
            raise ConfigError(
                f"partition is '{self.partition}'; expected one of {', '.join(PARTITIONS)}."
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout is {self.dropout}; expected a share from 0 up to 1.")
        if self.n_affective < 0 or self.n_hidden < 0:
            raise ConfigError("n_affective and n_hidden cannot be negative.")
        if self.body_form and not self.root_relative:
            raise ConfigError("body_form puts the root at the origin; root_relative cannot be off.")

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON can hold it."""
        settings = asdict(self)
        if not self.body_form:  # as files and digests said before there was a choice
            del settings["body_form"]
        return settings

    def list_shapes(self, n_classes: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of every array of the trained network, by name.

        Parameters
        ----------
        n_classes
            Classes that it tells apart.

        Returns
        -------
        dict
            As `Stgcn.state_dict` names them; graph weights are (partition, in, out), temporal ones
            (tap, in, out), linear ones (out, in).
        """
        shapes: dict[str, tuple[int, ...]] = {}

        def add_norm(name: str, width: int) -> None:
            for part in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{name}.{part}"] = (width,)
            shapes[f"{name}.num_batches_tracked"] = ()

        def add_linear(name: str, n_in: int, n_out: int) -> None:
            shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (n_out, n_in), (n_out,)

        n_partitions = len(compute_adjacency(self.partition))
        widths = [3, *(channels for channels, _ in self.blocks)]
        add_norm("input_norm", 3 * N_JOINTS)
        for i, (n_out, stride) in enumerate(self.blocks):
            block, n_in = f"blocks.{i}", widths[i]
            shapes[f"{block}.graph.importance"] = (n_partitions, N_JOINTS, N_JOINTS)
            shapes[f"{block}.graph.weight"] = (n_partitions, n_in, n_out)
            shapes[f"{block}.graph.bias"] = (n_partitions, n_out)
            add_norm(f"{block}.graph_norm", n_out)
            shapes[f"{block}.temporal.weight"] = (self.kernel, n_out, n_out)
            shapes[f"{block}.temporal.bias"] = (n_out,)
            add_norm(f"{block}.temporal_norm", n_out)
            if self.has_shortcut(i) and (n_in != n_out or stride != 1):
                add_linear(f"{block}.shortcut", n_in, n_out)
                add_norm(f"{block}.shortcut_norm", n_out)
            if self.node_weights and i:
                shapes[f"node_weights.{i - 1}.logits"] = (N_JOINTS,)
        n_head = (sum(widths[1:]) if self.concatenate else widths[-1]) + self.n_affective
        if self.n_affective:
            add_norm("head_norm", n_head)
        if self.n_hidden:
            add_linear("hidden", n_head, self.n_hidden)
        add_linear("classes", self.n_hidden or n_head, n_classes)
        return shapes

    def has_shortcut(self, block: int) -> bool:
        """Return whether a block, counted from 0, has a shortcut around it."""
        return block > 0 or self.first_residual


_STEP = StgcnConfig(blocks=((32, 1), (64, 2), (64, 2)))

STGCN_MODELS: MappingProxyType[str, StgcnConfig] = MappingProxyType(
    {
        "step": _STEP,
        "step-layer-1": replace(_STEP, blocks=((32, 1), (64, 2), (64, 2), (64, 1))),
        "step-layer-1-1": replace(_STEP, blocks=((32, 1), (32, 1), (64, 2), (64, 2))),
        "step-layer-2": replace(_STEP, blocks=((32, 1), (64, 2), (64, 2), (64, 1), (64, 1))),
        "step-channel-1": replace(_STEP, blocks=((32, 1), (64, 2), (128, 2))),
        "step-channel-2": replace(_STEP, blocks=((32, 1), (64, 2), (64, 2), (256, 1))),
        "step-channel-3": replace(_STEP, blocks=((32, 1), (64, 2), (64, 2), (128, 1))),
        "step-node-concat": replace(_STEP, node_weights=True, concatenate=True),
        "step-node-weights": replace(_STEP, node_weights=True),
        "step-concat": replace(_STEP, concatenate=True),
        "step-body": replace(_STEP, body_form=True),
        "step-real-only": StgcnConfig(
            blocks=((32, 1), (64, 2), (64, 1)),
            first_residual=True,
            n_affective=0,
            n_hidden=0,
            root_relative=False,
        ),
    }
)
"""STEP, the seven changes of STEP by STEP (two of them also alone), STEP's real-only baseline, and STEP
on walks of any source."""

"""The base class of all extractors' networks, and strict reading of their weights."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import nn
from torch.nn.functional import batch_norm

from gan_hub.model_folder.strict import read_header, read_weights

Network = TypeVar("Network", bound="ExtractorNetwork")


class Outputs(NamedTuple):
    """Features and class predictions of N images: float32 (N, F), and (N, K) where the network has a classifier."""

    features: torch.Tensor
    logits: torch.Tensor | None


class ExtractorNetwork(nn.Module):
    """A network with fixed weights: images (N, C, H, W) in [-1, 1] → `prepare` → `outputs`."""

    block = 50  # images of one forward pass, a fixed number, since the order of sums may depend on it
    resize = "none"
    num_classes: int | None = None
    test_accuracy: float | None = None  # of the classifier, as stated with its weights
    trusted_by: str | None = None  # who vouches that its weights are those that define FID

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) in [-1, 1] → what `outputs` takes; raises ValueError for images that the network cannot take."""
        raise NotImplementedError

    def outputs(self, x: torch.Tensor) -> Outputs:
        """Prepared images → features and logits."""
        raise NotImplementedError


class FixedNorm(nn.Module):
    """Batch normalization by stored statistics."""

    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(self, channels: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) → (N, C, H, W)."""
        return batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.epsilon)


def load_network(
    build: Callable[[], Network],
    path: Path,
    names: Callable[[Network], Mapping[str, str]] | None = None,
    optional: Mapping[str, torch.Size] | None = None,
) -> tuple[Network, dict[str, torch.Tensor]]:
    """A network with the float32 weights of a safetensors file.

    Every tensor of the file is accounted for; counters of batches, which some files keep of batch norms, are ignored. Errors
    are LoadErrors that name file and tensor: missing, unknown, of another shape, or not finite.

    Args:
        build: makes the network.
        path: the file.
        names: network → (name of each tensor → its name in the file), where they differ.
        optional: shapes of tensors that a file may have besides.

    Returns:
        The network, in evaluation mode, and the optional tensors that the file has.
    """
    with torch.device("meta"):  # no weight is drawn or allocated before the file brings it
        network = build()
    own = network.state_dict()
    in_file = names(network) if names else {name: name for name in own}
    present, _ = read_header(path)
    norms = {name.removesuffix("running_mean") for name in in_file.values() if name.endswith("running_mean")}
    counters = {f"{norm}num_batches_tracked" for norm in norms} & present
    extras = {name: shape for name, shape in (optional or {}).items() if name in present}

    expected = {in_file[name]: tensor for name, tensor in own.items()}
    expected |= {name: torch.empty((), dtype=torch.int64, device="meta") for name in counters}
    expected |= {name: torch.empty(shape, device="meta") for name, shape in extras.items()}
    tensors = read_weights(path, expected, mixed_dtypes=True)
    network.load_state_dict({name: tensors[in_file[name]].float() for name in own}, assign=True)
    return network.eval().requires_grad_(False), {name: tensors[name].float() for name in extras}

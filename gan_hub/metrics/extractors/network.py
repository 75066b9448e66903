"""What the networks of all extractors have in common, and how their weights are read: every tensor accounted for."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.nn.functional import batch_norm

from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import PICKLE_SUFFIXES, LoadError, read_weights


class Outputs(NamedTuple):
    """Of N images: float32 features (N, F), and logits (N, K) where the network has a classifier."""

    features: torch.Tensor
    logits: torch.Tensor | None


class ExtractorNetwork(nn.Module):
    """A network with fixed weights: images (N, C, H, W) in [-1, 1] → `prepare` → `outputs`."""

    block = 50  # images that go through at once, always as many: a sum's order may depend on it
    resize = "none"
    num_classes: int | None = None
    test_accuracy: float | None = None  # of the classifier, as stated with its weights
    trusted_by: str | None = None  # who vouches that its weights are those by which FID is defined

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """What the first layer takes; raises ValueError for images that this network has no use for."""
        raise NotImplementedError

    def outputs(self, x: torch.Tensor) -> Outputs:
        raise NotImplementedError


class FixedNorm(nn.Module):
    """Batch normalisation by stored statistics."""

    def __init__(self, channels: int, epsilon: float):
        super().__init__()
        self.epsilon = epsilon
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.epsilon)


def header(path: Path) -> tuple[set[str], dict[str, str]]:
    """The tensor names and the metadata of a safetensors file; raises LoadError for any other file."""
    if path.name.endswith(PICKLE_SUFFIXES):
        raise LoadError(f"{path}: a pickle, which can run code; only .safetensors files are ever loaded.")
    if not os.path.isfile(path):
        raise LoadError(f"{path}: not found, or not a regular file.")
    try:
        with safe_open(path, "pt") as file:
            return set(file.keys()), file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise LoadError(f"{path}: not a safetensors file ({short_repr(str(error))}).") from error


def fill(
    build: Callable[[], ExtractorNetwork],
    path: Path,
    names: Callable[[ExtractorNetwork], Mapping[str, str]] | None = None,
    optional: Mapping[str, torch.Size] | None = None,
) -> tuple[ExtractorNetwork, dict[str, torch.Tensor]]:
    """The network that `build` makes, with the float32 weights of a safetensors file, and the file's `optional` tensors.

    `names` says what the file calls our tensors (ours → the file's), if not the same. Batch norms' counters of batches,
    which some files keep, are passed over. Raises LoadError naming file and tensor for all that is missing, too much,
    of another shape, or not finite.
    """
    with torch.device("meta"):  # nothing is drawn, and nothing allocated, that the file does not bring
        network = build()
    ours = network.state_dict()
    theirs = names(network) if names else {name: name for name in ours}
    present, _ = header(path)
    norms = {name.removesuffix("running_mean") for name in theirs.values() if name.endswith("running_mean")}
    counters = {f"{norm}num_batches_tracked" for norm in norms} & present
    extras = {name: shape for name, shape in (optional or {}).items() if name in present}

    expected = {theirs[name]: tensor for name, tensor in ours.items()}
    expected |= {name: torch.empty((), dtype=torch.int64, device="meta") for name in counters}
    expected |= {name: torch.empty(shape, device="meta") for name, shape in extras.items()}
    tensors = read_weights(path, expected, mixed_dtypes=True)
    network.load_state_dict({name: tensors[theirs[name]].float() for name in ours}, assign=True)
    return network.eval().requires_grad_(False), {name: tensors[name].float() for name in extras}

"""Plain networks as chains: their convolutions in the order of the file, each with the batch norm after it."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from gan_hub.foreign.weights import is_module, plain_names, tensors_of

NORM_PARTS = ("weight", "bias", "running_mean", "running_var")
EPS = 1e-5  # of torch's batch norms


class Layer(NamedTuple):
    """A convolution, or a first linear layer as one of z, and the batch norm after it."""

    weight: torch.Tensor  # (I, O, k, k)
    bias: torch.Tensor | None  # (O,), of a linear layer (O, k, k)
    norm: dict[str, torch.Tensor] | None


def find_state(content: Any, holders: Sequence[str]) -> dict[str, torch.Tensor] | None:
    """The tensors of a network in a file by name: a whole module, a state dict, or what one of `holders` names."""
    if is_module(content):
        return tensors_of(content)
    if not isinstance(content, dict) or not content:
        return None
    if all(isinstance(value, torch.Tensor) for value in content.values()):
        return plain_names(content)
    inside = [content[name] for name in holders if name in content]
    return find_state(inside[0], holders) if inside else None


def in_order(
    state: dict[str, torch.Tensor], chain: Callable[[dict[str, torch.Tensor]], list[Layer] | None]
) -> list[Layer] | None:
    """What `chain` makes of the tensors in their order, or else in that of the numbers in their names."""
    # A file of torch has its layers in their order; in safetensors, "10" comes before "2".
    return chain(state) or chain(dict(sorted(state.items(), key=lambda pair: natural(pair[0]))))


def natural(name: str) -> list[tuple[bool, int, str]]:
    """A key to sort by that takes numbers in a name for numbers."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]


def read_layers(state: dict[str, torch.Tensor]) -> list[Layer] | None:
    """The layers of a state dict, as it has them; None where a tensor belongs to none."""
    layers: list[Layer] = []
    for name, tensor in state.items():
        place, _, part = name.rpartition(".")
        if part == "weight" and tensor.dim() in (2, 4):
            layers.append(Layer(tensor, state.get(f"{place}.bias"), None))
        elif part == "weight" and tensor.dim() == 1 and layers and layers[-1].norm is None:
            norm = {each: state[f"{place}.{each}"].float() for each in NORM_PARTS if f"{place}.{each}" in state}
            layers[-1] = layers[-1]._replace(norm=norm if len(norm) == len(NORM_PARTS) else None)
    used = sum(1 + (layer.bias is not None) + len(layer.norm or ()) for layer in layers)
    others = sum(name.endswith("num_batches_tracked") for name in state)
    return layers if used + others == len(state) else None


def folded(layer: Layer, dim: int) -> Layer:
    """A layer with the batch norm after it, as it is in eval mode, in its weight and bias; `dim` is that of its outputs."""
    if layer.norm is None:
        return layer
    scale = layer.norm["weight"] * (layer.norm["running_var"] + EPS).rsqrt()
    bias = (0 if layer.bias is None else layer.bias) - layer.norm["running_mean"]
    shape = [-1 if each == dim else 1 for each in range(layer.weight.dim())]
    return Layer(layer.weight * scale.view(shape), bias * scale + layer.norm["bias"], None)

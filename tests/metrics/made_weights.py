"""Weight files of extractors, drawn by a stated rule, so that structure can be tested where no trained file is."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file


def drawn(shapes: Mapping[str, torch.Size], seed: int = 0) -> dict[str, torch.Tensor]:
    """In the names' order: norms' weights and variances uniform in [0.5, 1.5], means and biases normal with deviation
    0.1, all else normal with the deviation √(2 / inputs) that keeps a ReLU's signal."""
    generator, tensors = torch.Generator().manual_seed(seed), {}
    for name in sorted(shapes):
        shape = tuple(shapes[name])
        if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
            tensors[name] = torch.rand(shape, generator=generator) + 0.5
        elif len(shape) == 1:
            tensors[name] = torch.randn(shape, generator=generator) * 0.1
        else:
            inputs = torch.Size(shape[1:]).numel()
            tensors[name] = torch.randn(shape, generator=generator) * (2 / inputs) ** 0.5
    return tensors


def write(path: Path, tensors: dict[str, torch.Tensor], **metadata: str) -> Path:
    save_file(tensors, path, metadata or None)
    return path

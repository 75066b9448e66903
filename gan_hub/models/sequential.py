"""Generators that are a list of layers, one after the other, which their config declares.

- for networks from elsewhere whose kernels, paddings or order no architecture here has; DCGAN is the one to train
- kinds of layers and what each may say stand in `ops/layer_list.py`; a config is checked before any tensor is made
- a last sigmoid's images, in [0, 1], are stretched to [-1, 1]; others are bounded in eval mode

Written for this library; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H × W resolution, Z latent size.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import nn

from gan_hub.images import height_width
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.config_schema import Channels, Choice, Latent, Resolution
from gan_hub.models.modeling import GANModel, precision, register_checked
from gan_hub.models.ops.layer_list import KINDS, LayerList, complete, shapes_of

NoClasses = Annotated[int, Choice(0)]
DEFAULT = [
    {"kind": "linear", "out": 4096},
    {"kind": "reshape", "to": [256, 4, 4]},
    {"kind": "relu"},
    {"kind": "conv_transpose", "out": 128, "kernel": 4, "stride": 2, "padding": 1},
    {"kind": "relu"},
    {"kind": "conv_transpose", "out": 3, "kernel": 4, "stride": 2, "padding": 1},
    {"kind": "tanh"},
]


class SequentialGenerator(GANModel):
    """z (N, Z) → images (N, C, H, W) in [-1, 1]: the layers of a list, one after the other.

    Example:
        >>> import torch
        >>> from gan_hub import SequentialGenerator
        >>> layers = [{"kind": "linear", "out": 64}, {"kind": "reshape", "to": [1, 8, 8]}, {"kind": "tanh"}]
        >>> generator = SequentialGenerator(resolution=8, channels=1, latent_size=4, layers=layers)
        >>> generator(torch.randn(2, 4)).shape
        torch.Size([2, 1, 8, 8])
    """

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 16,
        channels: Channels = 3,
        latent_size: Latent = 100,
        num_classes: NoClasses = 0,
        layers: Annotated[list[dict[str, Any]], LayerList()] = DEFAULT,
    ) -> None:
        super().__init__()
        shapes = shapes_of(layers, latent_size)
        expected = (channels, *height_width(resolution))
        if shapes[-1] != expected:
            raise ValueError(f"layers end with {list(shapes[-1])}; an image is {list(expected)}.")
        modules = [
            KINDS[layer["kind"]].module(complete(layer), shape)
            for layer, shape in zip(layers, shapes[:-1], strict=True)
        ]
        self.stack = nn.ModuleList(modules)
        self.is_unit_range = layers[-1]["kind"] == "sigmoid"

    @classmethod
    def check_config(cls, path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
        """As of `GANModel`; raises LoadError also for layers that do not fit one another."""
        values = super().check_config(path, config)
        try:
            shapes_of(values["layers"], values["latent_size"])
        except ValueError as error:
            raise LoadError(f"{path}: {error}") from error
        return values

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False) -> torch.Tensor:
        """z (N, Z) → images (N, C, H, W) in [-1, 1]; in training mode unbounded where the layers are."""
        self.check_labels(labels)
        with precision(z.device, force_fp32):
            x = z
            for layer in self.stack:
                x = layer(x)
            x = 2 * x - 1 if self.is_unit_range else x
            return x if self.training else x.clamp(-1, 1)  # (N, C, H, W)

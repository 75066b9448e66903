"""MLP: the first generative adversarial networks, of fully connected layers only (Goodfellow et al. 2014, arXiv 1406.2661).

- section 5: a generator of rectified units, a discriminator of maxout units (Goodfellow et al. 2013, arXiv 1302.4389) with
  dropout; default sizes are those that the authors published for MNIST
- classes as in Mirza & Osindero 2014 (arXiv 1411.1784): one-hot, beside z and beside the pixels
- unlike the paper: the generator ends in tanh instead of a sigmoid, as images here lie in [-1, 1]; z is normal instead of
  uniform; only hidden units are dropped, no pixels; weights start as torch's linear layers do

Written from the paper; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H × W resolution, Z latent size, K classes (0: unconditional), U hidden units.
"""

import math
from typing import Annotated

import torch
from torch import nn

from gan_hub.images import height_width
from gan_hub.models.config_schema import Channels, Classes, Integer, Latent, Layers, Resolution
from gan_hub.models.layers import Perceptron, class_planes
from gan_hub.models.mixins import HasLatentProjection
from gan_hub.models.modeling import GANModel, precision, register_checked

Units = Annotated[int, Integer(1, 8192)]
Pieces = Annotated[int, Integer(1, 16)]  # of a maxout unit
Percent = Annotated[int, Integer(0, 90)]


class Maxout(nn.Module):
    """Maxout: each unit is the largest of its `pieces`, a learned convex function."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, pieces · U) → (N, U)."""
        return x.unflatten(1, (self.pieces, -1)).amax(1)


def append_one_hot(x: torch.Tensor, labels: torch.Tensor | None, num_classes: int) -> torch.Tensor:
    """Append classes to features.

    Args:
        x: Features (N, F).
        labels: Classes (N,), shares of classes (N, K), or None.
        num_classes: K.

    Returns:
        (N, F + K), with a one for the class and zeros for the others; x itself without labels.
    """
    if labels is None:
        return x
    return torch.cat([x, class_planes(labels, num_classes, x.dtype)], 1)


class MLPGenerator(HasLatentProjection, GANModel):
    """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]: hidden layers of rectified units, then every pixel.

    Example:
        >>> import torch
        >>> from gan_hub import MLPGenerator
        >>> generator = MLPGenerator(resolution=8, num_classes=3, latent_size=4, hidden_size=16)
        >>> generator(torch.randn(2, 4), torch.tensor([0, 2])).shape
        torch.Size([2, 1, 8, 8])
    """

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 28,
        channels: Channels = 1,
        latent_size: Latent = 100,
        num_classes: Classes = 0,
        hidden_size: Units = 1200,
        hidden_layers: Layers = 2,
    ) -> None:
        super().__init__()
        self.shape = (channels, *height_width(resolution))
        self.layers = Perceptron([latent_size + num_classes, *[hidden_size] * hidden_layers, math.prod(self.shape)])

    def latent_weights(self) -> torch.Tensor:
        """The weights of the first layer that act on z, (U, Z)."""
        return self.layers.get_parameter("0.weight")[
            :, : self.config["latent_size"]
        ]  # those for a class come after z's

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False) -> torch.Tensor:
        """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]."""
        self.check_labels(labels)
        with precision(z.device, force_fp32):
            x = self.layers(append_one_hot(z, labels, self.config["num_classes"]))  # (N, C H W)
            return torch.tanh(x).unflatten(1, self.shape)  # (N, C, H, W)


class MLPDiscriminator(GANModel):
    """Images (N, C, H, W) in [-1, 1], labels (N,) → logits (N,): every pixel, then hidden layers of maxout units.

    `pieces` 1 makes them leaky ReLUs (0.2). `dropout_percent` of the hidden units are dropped in training mode, by torch's
    global generator, and the others scaled up to make up for it.

    Example:
        >>> import torch
        >>> from gan_hub import MLPDiscriminator
        >>> discriminator = MLPDiscriminator(resolution=8, hidden_size=16)
        >>> discriminator(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2])
    """

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 28,
        channels: Channels = 1,
        num_classes: Classes = 0,
        hidden_size: Units = 240,
        hidden_layers: Layers = 2,
        pieces: Pieces = 5,
        dropout_percent: Percent = 50,
    ) -> None:
        super().__init__()

        def activation() -> nn.Module:
            unit = Maxout(pieces) if pieces > 1 else nn.LeakyReLU(0.2)
            return nn.Sequential(unit, nn.Dropout(dropout_percent / 100))

        inputs = channels * math.prod(height_width(resolution)) + num_classes
        self.layers = Perceptron([inputs, *[hidden_size] * hidden_layers, 1], activation, pieces)

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        """Images (N, C, H, W), labels (N,) → logits (N,)."""
        self.check_labels(labels)
        with precision(images.device, force_fp32):
            return self.layers(append_one_hot(images.flatten(1), labels, self.config["num_classes"])).squeeze(1)  # (N,)

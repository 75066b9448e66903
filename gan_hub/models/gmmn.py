"""GMMN: generative moment matching networks, a generator that needs no discriminator (Li et al. 2015, arXiv 1502.02761).

- fakes and reals are compared by the maximum mean discrepancy (`losses.mmd2`), all images of a large batch with all others;
  Dziugaite et al. 2015 (arXiv 1505.03906) had the same idea. To be trained with the loss "mmd"
- the generator of section 3: a uniform prior, four hidden layers of rectified units, in the sizes of its MNIST experiments
- unlike the paper: the last layer is tanh instead of a sigmoid, the same function on the range [-1, 1]; a class, which the
  paper lacks, is one-hot beside the prior; weights start as torch's linear layers do

Written from the paper; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H × W resolution, Z latent size, K classes (0: unconditional).
"""

import math
from typing import Annotated

import torch

from gan_hub.images import height_width
from gan_hub.models.config_schema import Channels, Classes, Integer, Latent, Resolution
from gan_hub.models.layers import Perceptron, class_planes
from gan_hub.models.modeling import GANModel, precision, register_checked

Units = Annotated[int, Integer(16, 8192)]


class GMMNGenerator(GANModel):
    """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1].

    z is standard normal, as in all architectures here; the normal distribution function makes it the paper's prior, uniform
    in [-1, 1]. `hidden_size` U is that of the last hidden layer; the others have U/16, U/4 and U/4 units: 64, 256, 256, 1024.

    Example:
        >>> import torch
        >>> from gan_hub import GMMNGenerator
        >>> generator = GMMNGenerator(resolution=8, latent_size=4, hidden_size=32)
        >>> generator(torch.randn(2, 4)).shape
        torch.Size([2, 1, 8, 8])
    """

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 28,
        channels: Channels = 1,
        latent_size: Latent = 10,
        num_classes: Classes = 0,
        hidden_size: Units = 1024,
    ) -> None:
        super().__init__()
        self.shape = (channels, *height_width(resolution))
        hidden = [hidden_size // 16, hidden_size // 4, hidden_size // 4, hidden_size]
        self.layers = Perceptron([latent_size + num_classes, *hidden, math.prod(self.shape)])

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False) -> torch.Tensor:
        """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]."""
        self.check_labels(labels)
        with precision(z.device, force_fp32):
            h = torch.erf(z / math.sqrt(2))  # (N, Z), 2 Φ(z) − 1
            if labels is not None:
                h = torch.cat([h, class_planes(labels, self.config["num_classes"], h.dtype)], 1)
            return torch.tanh(self.layers(h)).unflatten(1, self.shape)  # (N, C, H, W)

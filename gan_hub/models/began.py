"""BEGAN: boundary equilibrium generative adversarial networks (Berthelot et al. 2017, arXiv 1703.10717).

- the discriminator is an autoencoder; its score is minus the reconstruction error. To be trained with the loss "began"
- the generator has the architecture of its decoder (section 3.5)
- two 3 × 3 convolutions with ELU at each side, doubled by nearest neighbours and halved by a stride of 2; feature maps grow
  linearly in the encoder; linear maps to and from the embedding
- weights start as torch's layers do, a third of the variance that would keep signals' size: the first fakes are then smooth
  and easy to reconstruct, from where the balance of section 3.3 starts
- unlike the paper: the generator ends in tanh, so that images stay in [-1, 1]; z is normal instead of uniform; the decoder
  has no skip connections
- no classes

Written from the paper; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H = W resolution, Z latent size, E size of the embedding h, F feature maps.
"""

from typing import Annotated

import torch
from torch import nn

from gan_hub.models.config_schema import Channels, Choice, Latent, Width
from gan_hub.models.mixins import AutoencoderDiscriminator
from gan_hub.models.modeling import GANModel, precision, register_checked

Resolution = Annotated[int, Choice(28, 32, 64, 128)]
NoClasses = Annotated[int, Choice(0)]


def stage_sizes(resolution: int) -> list[int]:
    """The side at each stage, coarse to fine, each twice the one before: 8, 16, 32, 64; 7, 14, 28."""
    sizes = [resolution]
    while sizes[0] > 8:
        sizes.insert(0, sizes[0] // 2)
    return sizes


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 3 × 3 convolution with a padding of 1.

    Args:
        inputs, outputs: Feature maps.
        stride: 2 halves.

    Returns:
        A layer (N, I, H, W) → (N, O, H / stride, W / stride).
    """
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)


class Decoder(nn.Module):
    """A linear map to the smallest side, then two convolutions at each side, doubled in between."""

    def __init__(self, resolution: int, channels: int, embedding_size: int, base_channels: int) -> None:
        super().__init__()
        self.start = stage_sizes(resolution)[0]
        self.project = nn.Linear(embedding_size, base_channels * self.start**2)
        layers: list[nn.Module] = []
        for stage in range(len(stage_sizes(resolution))):
            layers += [nn.Upsample(scale_factor=2)] if stage else []
            layers += [conv3x3(base_channels, base_channels), nn.ELU()]
            layers += [conv3x3(base_channels, base_channels), nn.ELU()]
        self.layers = nn.Sequential(*layers, conv3x3(base_channels, channels))

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """Embedding (N, E) → (N, C, H, W), unbounded."""
        x = self.project(h).unflatten(1, (-1, self.start, self.start))  # (N, F, 8, 8)
        return self.layers(x)  # (N, C, H, W)


class Encoder(nn.Module):
    """Two convolutions at each side, the second with stride 2, then a linear map."""

    def __init__(self, resolution: int, channels: int, embedding_size: int, base_channels: int) -> None:
        super().__init__()
        sizes = stage_sizes(resolution)
        stages = len(sizes)
        layers: list[nn.Module] = [conv3x3(channels, base_channels), nn.ELU()]
        for stage in range(1, stages + 1):
            width, last = stage * base_channels, stage == stages
            layers += [conv3x3(width, width), nn.ELU()]
            layers += [
                conv3x3(width, width) if last else conv3x3(width, width + base_channels, stride=2),
                nn.ELU(),
            ]
        self.layers = nn.Sequential(*layers)
        self.embed = nn.Linear(stages * base_channels * sizes[0] ** 2, embedding_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) → embedding (N, E)."""
        return self.embed(self.layers(x).flatten(1))  # (N, E)


class BEGANGenerator(GANModel):
    """z (N, Z) → images (N, C, H, W) in [-1, 1]: the discriminator's decoder with weights of its own.

    Example:
        >>> import torch
        >>> from gan_hub import BEGANGenerator
        >>> generator = BEGANGenerator(resolution=32, latent_size=8, base_channels=4)
        >>> generator(torch.randn(2, 8)).shape
        torch.Size([2, 3, 32, 32])
    """

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        latent_size: Latent = 64,
        num_classes: NoClasses = 0,
        base_channels: Width = 64,
    ) -> None:
        super().__init__()
        self.decoder = Decoder(resolution, channels, latent_size, base_channels)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False) -> torch.Tensor:
        """z (N, Z) → images (N, C, H, W) in [-1, 1]; there are no labels."""
        self.check_labels(labels)
        with precision(z.device, force_fp32):
            return torch.tanh(self.decoder(z))  # (N, C, H, W)


class BEGANDiscriminator(AutoencoderDiscriminator):
    """Images (N, C, H, W) in [-1, 1] → scores (N,), minus the mean absolute error of their reconstruction.

    Example:
        >>> import torch
        >>> from gan_hub import BEGANDiscriminator
        >>> discriminator = BEGANDiscriminator(resolution=32, base_channels=4, hidden_size=8)
        >>> images = torch.zeros(2, 3, 32, 32)
        >>> discriminator(images).shape, discriminator.reconstruct(images).shape
        (torch.Size([2]), torch.Size([2, 3, 32, 32]))
    """

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        num_classes: NoClasses = 0,
        base_channels: Width = 64,
        hidden_size: Latent = 64,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(resolution, channels, hidden_size, base_channels)
        self.decoder = Decoder(resolution, channels, hidden_size, base_channels)

    def reconstruct(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) in [-1, 1] → their reconstruction, in the same shape and roughly in that range."""
        return self.decoder(self.encoder(images))

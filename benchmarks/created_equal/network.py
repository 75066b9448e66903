"""The networks of "Are GANs Created Equal?" (Lucic et al. 2018, arXiv 1711.10337, section 5.1): InfoGAN's, in their sizes.

They lie outside the package: an architecture is one file and one entry in the registry, wherever the file is. Sizes are
those of the authors' program, which has leaky ReLU 0.2 in the generator as well: 4 × 4 kernels with stride 2, and N(0, 0.02)
weights. Where we deviate: images are in [-1, 1] and the generators end in tanh, where theirs are in [0, 1] and end in a
sigmoid; z is normal where theirs is uniform. No classes.

Shapes: N images, C channels, H = W resolution, Z latent size. Sizes are for 28 × 28 grey images and Z = 64.
"""

from typing import Annotated

import torch
from torch import nn

from gan_hub.models import register_architecture
from gan_hub.models.config_schema import Channels, Choice, Latent, Width
from gan_hub.models.mixins import AutoencoderDiscriminator
from gan_hub.models.modeling import GANModel, precision, register_checked

Resolution = Annotated[int, Choice(28, 32)]
NoClasses = Annotated[int, Choice(0)]
Norm = Annotated[str, Choice("batch", "none")]


def linear(inputs: int, outputs: int, norm: str) -> list[nn.Module]:
    """(N, inputs) → (N, outputs): a linear map, batch normalisation or a bias instead, leaky ReLU."""
    normalise = [nn.BatchNorm1d(outputs)] if norm == "batch" else []
    return [nn.Linear(inputs, outputs, bias=not normalise), *normalise, nn.LeakyReLU(0.2)]


def up(inputs: int, outputs: int, norm: str) -> list[nn.Module]:
    """(N, inputs, H, W) → (N, outputs, 2H, 2W): a transposed convolution, batch normalisation or a bias, leaky ReLU."""
    normalise = [nn.BatchNorm2d(outputs)] if norm == "batch" else []
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=not normalise)
    return [convolution, *normalise, nn.LeakyReLU(0.2)]


def down(inputs: int, outputs: int, norm: str) -> list[nn.Module]:
    """(N, inputs, H, W) → (N, outputs, H/2, W/2): a convolution, batch normalisation or a bias, leaky ReLU."""
    normalise = [nn.BatchNorm2d(outputs)] if norm == "batch" else []
    return [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=not normalise), *normalise, nn.LeakyReLU(0.2)]


class InfoGANGenerator(GANModel):
    """z (N, Z) → images (N, C, H, W) in [-1, 1]: two linear maps to a quarter of the side, then doubled twice. 6.63 M."""

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 28,
        channels: Channels = 1,
        latent_size: Latent = 64,
        num_classes: NoClasses = 0,
        base_channels: Width = 64,
        hidden_size: Width = 1024,
    ):
        super().__init__()
        start = (2 * base_channels, resolution // 4, resolution // 4)
        self.layers = nn.Sequential(
            *linear(latent_size, hidden_size, "batch"),  # (N, 1024)
            *linear(hidden_size, start[0] * start[1] * start[2], "batch"),
            nn.Unflatten(1, start),  # (N, 128, H/4, W/4)
            *up(start[0], base_channels, "batch"),  # (N, 64, H/2, W/2)
            nn.ConvTranspose2d(base_channels, channels, 4, stride=2, padding=1),  # (N, C, H, W)
        )
        self.apply(init_weights)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False) -> torch.Tensor:
        self.check_labels(labels)
        with precision(z.device, force_fp32):
            return torch.tanh(self.layers(z))  # (N, C, H, W)


class InfoGANDiscriminator(GANModel):
    """images (N, C, H, W) in [-1, 1] → logits (N,): halved twice, a linear map to 1024, one to the logit. 6.56 M.

    `norm` "none" is what gradient penalties need, which ask for the slope at one image: batch normalisation couples all.
    """

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 28,
        channels: Channels = 1,
        num_classes: NoClasses = 0,
        base_channels: Width = 64,
        hidden_size: Width = 1024,
        norm: Norm = "batch",
    ):
        super().__init__()
        self.layers = nn.Sequential(
            *down(channels, base_channels, "none"),  # (N, 64, H/2, W/2)
            *down(base_channels, 2 * base_channels, norm),  # (N, 128, H/4, W/4)
            nn.Flatten(),
            *linear(2 * base_channels * (resolution // 4) ** 2, hidden_size, norm),  # (N, 1024)
            nn.Linear(hidden_size, 1),
        )
        self.apply(init_weights)

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        self.check_labels(labels)
        with precision(images.device, force_fp32):
            return self.layers(images).squeeze(1)  # (N,)


class InfoGANAutoencoder(AutoencoderDiscriminator):
    """images (N, C, H, W) in [-1, 1] → scores (N,), minus the mean absolute error of their reconstruction. 1.07 M.

    The study's discriminator for BEGAN: the convolutions of the others around a code of 64 numbers, and without their
    great linear map. `norm` is around the code and in the decoder.
    """

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 28,
        channels: Channels = 1,
        num_classes: NoClasses = 0,
        base_channels: Width = 64,
        code_size: Latent = 64,
        norm: Norm = "none",
    ):
        super().__init__()
        start = (2 * base_channels, resolution // 4, resolution // 4)
        size = start[0] * start[1] * start[2]
        self.layers = nn.Sequential(
            *down(channels, base_channels, "none"),  # (N, 64, H/2, W/2)
            nn.Conv2d(base_channels, start[0], 4, stride=2, padding=1),  # (N, 128, H/4, W/4), linear as theirs is
            nn.Flatten(),
            *linear(size, code_size, norm),  # (N, 64)
            *linear(code_size, size, norm),
            nn.Unflatten(1, start),  # (N, 128, H/4, W/4)
            *up(start[0], base_channels, norm),  # (N, 64, H/2, W/2)
            nn.ConvTranspose2d(base_channels, channels, 4, stride=2, padding=1),  # (N, C, H, W)
        )
        self.apply(init_weights)

    def reconstruct(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) in [-1, 1] → what the autoencoder makes of them, in the same shape and range."""
        return torch.tanh(self.layers(images))


def init_weights(module: nn.Module) -> None:
    """Weights from N(0, 0.02), biases 0, as in the authors' program."""
    if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def register() -> None:
    """Registers both pairs, so that recipes know them by name and saved models by their classes."""
    register_architecture("infogan", InfoGANGenerator, InfoGANDiscriminator)
    register_architecture("infogan_autoencoder", InfoGANGenerator, InfoGANAutoencoder)

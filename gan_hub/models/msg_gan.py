"""MSG-GAN: multi-scale gradients for generative adversarial networks (Karnewar & Wang 2020, arXiv 1903.06048).

- ProGAN's two networks without the growing: the generator makes an image of its features at every scale, the discriminator
  reads each where its own features have that size, so that every layer of the generator gets a gradient by a short way
- the paper's MSG-ProGAN: nearest neighbours upwards, means of squares downwards, pixelwise normalisation, equalised learning
  rates
- images are joined to features by φ_lin_cat (section 2): half of a block's inputs come from the image, through a 1 × 1
  convolution, and stand first
- the authors' first program, which divides weights by their spectral norms, is `spectral_norm: true, pixel_norm: false,
  stddev_each_scale: false`, except that its minibatch deviation has a value a pixel
- unlike the paper: images of all scales pass through tanh, as in the first program; the first block normalises after either
  convolution, as all others and as ProGAN, the authors' program once; layers for colours and logits start with gain 1,
  ProGAN's, instead of √2; in eval mode the minibatch deviation is a running value; a side of 28 starts from 7 × 7; there may
  be classes

Written from the paper, and compared with the authors' first program; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H × W resolution, h × w the coarsest grid, Z latent size, K classes (0: unconditional), F
feature maps, I → O feature maps into and out of a layer.
"""

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, cast

import torch
from torch import nn
from torch.nn import functional

from gan_hub.models.config_schema import Channels, Choice, Classes, Latent, Resolution, Switch, Width
from gan_hub.models.layers import (
    EqualizedConv2d,
    EqualizedLinear,
    Grid,
    MinibatchStddev,
    class_rows,
    downsample,
    normalize_2nd_moment,
    stage_resolutions,
    stage_widths,
    upsample,
    with_spectral_norm,
)
from gan_hub.models.mixins import HasLatentProjection, MultiScale
from gan_hub.models.modeling import GANModel, precision, register_checked
from gan_hub.models.ops.convolution import Conv2d

Output = Annotated[str, Choice("tanh", "none")]

LEAK = 0.2  # of leaky ReLU below 0
# Standard deviation of to_rgb's weights at the start; at 1, tanh is far from linear for one pixel in three.
RGB_INIT_STD = 1 / 4


def half(width: int) -> int:
    """Half of `width`, rounded up: a block's inputs from the image; the finer block gives the same number."""
    return (width + 1) // 2


def convolution(inputs: int, outputs: int, spectral_norm: bool) -> nn.Module:
    """A 3 × 3 convolution.

    Args:
        inputs, outputs: Feature maps.
        spectral_norm: Whether weights are divided by their spectral norm; otherwise the learning rate is equalised.

    Returns:
        A layer (N, I, H, W) → (N, O, H, W).
    """
    if spectral_norm:
        return with_spectral_norm(Conv2d(inputs, outputs, 3, padding=1))
    return EqualizedConv2d(inputs, outputs, 3)


class EqualizedStart(nn.Module):
    """A transposed convolution of one pixel, z, with the whole grid as its kernel and an equalised learning rate."""

    def __init__(self, latent_size: int, outputs: int, grid: Grid) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(latent_size, outputs, *grid))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = math.sqrt(2 / latent_size)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """z (N, Z, 1, 1) → (N, O, h, w)."""
        return functional.conv_transpose2d(z, self.weight * self.scale, self.bias)


def start(latent_size: int, outputs: int, grid: Grid, spectral_norm: bool) -> nn.Module:
    """The first layer.

    Args:
        latent_size: Z.
        outputs: Feature maps.
        grid: (h, w).
        spectral_norm: Whether weights are divided by their spectral norm; otherwise it is `EqualizedStart`.

    Returns:
        A layer (N, Z, 1, 1) → (N, O, h, w).
    """
    if spectral_norm:
        return with_spectral_norm(nn.ConvTranspose2d(latent_size, outputs, grid))
    return EqualizedStart(latent_size, outputs, grid)


class SynthesisBlock(nn.Module):
    """Two convolutions at twice the size; with a `grid` the first stage, which starts from z.

    `pixel_norm` says whether features are normalised after the first convolution, and after the second.
    """

    def __init__(
        self, inputs: int, outputs: int, grid: Grid | None, pixel_norm: tuple[bool, bool], spectral_norm: bool
    ) -> None:
        super().__init__()
        self.doubles, self.pixel_norm = grid is None, pixel_norm
        self.first = (
            start(inputs, outputs, grid, spectral_norm) if grid else convolution(inputs, outputs, spectral_norm)
        )
        self.second = convolution(outputs, outputs, spectral_norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, I, H, W) → (N, O, 2H, 2W); with a `grid`, z (N, Z, 1, 1) → (N, O, h, w)."""
        if self.doubles:
            x = upsample(x)  # (N, I, 2H, 2W)
        for layer, normalizes in zip((self.first, self.second), self.pixel_norm, strict=True):
            x = functional.leaky_relu(layer(x), LEAK, inplace=True)  # (N, O, 2H, 2W)
            if normalizes:
                x = normalize_2nd_moment(x)
        return x


class MSGGANGenerator(HasLatentProjection, MultiScale, GANModel):
    """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]; with `scales` a list of them, coarse to fine.

    A class has an embedding of the size of z, which is joined to it (Mirza & Osindero 2014). With `pixel_norm`, features at
    every pixel, z and the embedding are each brought to a second moment of 1. Without it, `spectral_norm` starts nearly
    grey: every layer shrinks its input, and the finest image deviates by 0.01 or less.

    Two switches are for networks from elsewhere: without `start_norm`, the first block's features are normalised once, at its
    end; with the `output` "none", images of all scales are linear, unbounded in training mode.

    Example:
        >>> import torch
        >>> from gan_hub import MSGGANGenerator
        >>> generator = MSGGANGenerator(resolution=16, latent_size=8, base_channels=4, max_channels=8)
        >>> [tuple(images.shape) for images in generator(torch.randn(2, 8), scales=True)]
        [(2, 3, 4, 4), (2, 3, 8, 8), (2, 3, 16, 16)]
    """

    CONFIG_DEFAULTS_FOR_OLD_FILES: ClassVar = {"start_norm": True, "output": "tanh"}

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        latent_size: Latent = 512,
        num_classes: Classes = 0,
        base_channels: Width = 256,
        max_channels: Width = 512,
        pixel_norm: Switch = True,
        spectral_norm: Switch = False,
        start_norm: Switch = True,
        output: Output = "tanh",
    ) -> None:
        super().__init__()
        features, self.scales = stage_widths(resolution, base_channels, max_channels), stage_resolutions(resolution)
        self.embed = nn.Embedding(num_classes, latent_size) if num_classes else None
        inputs = [latent_size * (2 if num_classes else 1), *features]
        grids = [self.scales[0], *[None] * (len(features) - 1)]
        self.blocks = nn.ModuleList(
            SynthesisBlock(before, after, grid, (pixel_norm and (start_norm or not grid), pixel_norm), spectral_norm)
            for before, after, grid in zip(inputs[:-1], features, grids, strict=True)
        )
        to_rgb = [EqualizedConv2d(width, channels, 1, gain=1.0) for width in features]
        self.to_rgb = nn.ModuleList(to_rgb)
        for layer in to_rgb:
            nn.init.normal_(layer.weight, std=RGB_INIT_STD)

    def latent_weights(self) -> torch.Tensor:
        """The weights of the first layer that act on z, (F h w, Z)."""
        weight = cast(SynthesisBlock, self.blocks[0]).first.weight  # (Z or 2Z, F, h, w); a class's come after z's
        return cast(torch.Tensor, weight)[: self.config["latent_size"]].flatten(1).t()

    def forward(
        self,
        z: torch.Tensor,
        labels: torch.Tensor | None = None,
        force_fp32: bool = False,
        scales: bool = False,
    ) -> torch.Tensor | list[torch.Tensor]:
        """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]; with `scales` a list of them, coarse to fine."""
        self.check_labels(labels)
        with precision(z.device, force_fp32):
            parts = [z] if self.embed is None or labels is None else [z, class_rows(self.embed, labels)]  # (N, Z) each
            if self.config["pixel_norm"]:
                parts = [normalize_2nd_moment(part) for part in parts]
            x, images = torch.cat(parts, 1)[:, :, None, None], []  # (N, Z or 2Z, 1, 1)
            for block, to_rgb in zip(self.blocks, self.to_rgb, strict=True):
                x = block(x)  # (N, F, H, W)
                if scales or to_rgb is self.to_rgb[-1]:
                    images.append(self.bounded(to_rgb(x)))  # (N, C, H, W)
            return images if scales else images[-1]

    def bounded(self, colors: torch.Tensor) -> torch.Tensor:
        """Colours (N, C, H, W) as the config's `output` bounds them."""
        if self.config["output"] == "none":
            return colors if self.training else colors.clamp(-1, 1)
        return torch.tanh(colors)


class AnalysisBlock(nn.Module):
    """Minibatch deviation, two convolutions, the means of squares."""

    def __init__(self, inputs: int, width: int, outputs: int, stddev: bool, spectral_norm: bool) -> None:
        super().__init__()
        self.stddev = MinibatchStddev() if stddev else nn.Identity()
        self.first = convolution(inputs + stddev, width, spectral_norm)
        self.second = convolution(width, outputs, spectral_norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, I, H, W) → (N, O, H/2, W/2)."""
        x = functional.leaky_relu(self.first(self.stddev(x)), LEAK, inplace=True)  # (N, F, H, W)
        x = functional.leaky_relu(self.second(x), LEAK, inplace=True)  # (N, O, H, W)
        return downsample(x)


class LastBlock(nn.Module):
    """Minibatch deviation, one convolution, then one with the whole grid as its kernel."""

    def __init__(self, inputs: int, width: int, grid: Grid, stddev: bool, spectral_norm: bool) -> None:
        super().__init__()
        self.stddev = MinibatchStddev() if stddev else nn.Identity()
        self.first = convolution(inputs + stddev, width, spectral_norm)
        numbers = width * math.prod(grid)
        self.second = (
            with_spectral_norm(nn.Linear(numbers, width)) if spectral_norm else EqualizedLinear(numbers, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, I, h, w) → (N, F)."""
        x = functional.leaky_relu(self.first(self.stddev(x)), LEAK, inplace=True)  # (N, F, h, w)
        return functional.leaky_relu(self.second(x.flatten(1)), LEAK, inplace=True)  # (N, F)


class MSGGANDiscriminator(MultiScale, GANModel):
    """Images of all scales, coarse to fine, labels (N,) → logits (N,); single images (N, C, H, W) are downsampled.

    With classes, ⟨embedding of the label, last features⟩ / √F is added (projection, Miyato & Koyama 2018, equation 3).
    With `minibatch_stddev` the deviation over the whole batch is one more feature map, with `stddev_each_scale` of every
    block (section 3.1, so that a collapse shows at the scale it happens at), else of the coarsest only.

    Example:
        >>> import torch
        >>> from gan_hub import MSGGANDiscriminator
        >>> discriminator = MSGGANDiscriminator(resolution=16, base_channels=4, max_channels=8)
        >>> discriminator(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2])
    """

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        num_classes: Classes = 0,
        base_channels: Width = 256,
        max_channels: Width = 512,
        minibatch_stddev: Switch = True,
        stddev_each_scale: Switch = True,
        spectral_norm: Switch = False,
    ) -> None:
        super().__init__()
        features, self.scales = stage_widths(resolution, base_channels, max_channels), stage_resolutions(resolution)
        halves = [half(width) for width in features]
        read = [*halves[:-1], features[-1]]  # the finest block has no other features than those of its image
        inputs = [*(2 * size for size in halves[:-1]), features[-1]]
        self.from_rgb = nn.ModuleList(EqualizedConv2d(channels, size, 1, gain=1.0) for size in read)
        self.last = LastBlock(inputs[0], features[0], self.scales[0], minibatch_stddev, spectral_norm)
        self.blocks = nn.ModuleList(
            AnalysisBlock(before, width, after, minibatch_stddev and stddev_each_scale, spectral_norm)
            for before, width, after in zip(inputs[1:], features[1:], halves[:-1], strict=True)
        )
        self.score = EqualizedLinear(features[0], 1, gain=1.0)
        self.embed = nn.Embedding(num_classes, features[0]) if num_classes else None

    def forward(
        self,
        images: torch.Tensor | Sequence[torch.Tensor],
        labels: torch.Tensor | None = None,
        force_fp32: bool = False,
    ) -> torch.Tensor:
        """Images (N, C, H, W), or a list of all scales, labels (N,) → logits (N,)."""
        self.check_labels(labels)
        pyramid = self.at_all_scales(images)
        with precision(pyramid[-1].device, force_fp32):
            read = [
                from_rgb(image) for from_rgb, image in zip(self.from_rgb, pyramid, strict=True)
            ]  # (N, F/2, H, W) each
            x = read[-1]  # (N, F, H, W)
            for block, features in zip(reversed(self.blocks), reversed(read[:-1]), strict=True):
                x = torch.cat([features, block(x)], 1)  # (N, F, H/2, W/2)
            x = self.last(x)  # (N, F)
            logits = self.score(x).squeeze(1)  # (N,)
            if self.embed is not None:
                logits = logits + (self.embed(labels) * x).sum(1) / math.sqrt(x.shape[1])
            return logits

    def at_all_scales(self, images: torch.Tensor | Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """A list as it is, or the `pyramid` of single images; raises ValueError for other sizes than `scales`."""
        if isinstance(images, torch.Tensor):
            self._check_sizes([images], self.scales[-1:])
            return self.pyramid(images)
        self._check_sizes(images, self.scales)
        return list(images)

    def _check_sizes(self, images: Sequence[torch.Tensor], expected: list[Grid]) -> None:
        sizes = [tuple(image.shape[2:]) for image in images]
        if sizes != expected:
            raise ValueError(f"{type(self).__name__}: images have the sizes {sizes}; they must be {expected}.")

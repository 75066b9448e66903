"""DCGAN: unsupervised representation learning with deep convolutional GANs (Radford et al. 2016, arXiv 1511.06434).

- (fractionally) strided convolutions, no pooling, no hidden dense layers; weights from N(0, 0.02)
- batch normalisation except in the generator's last and the discriminator's first layer
- ReLU and tanh in the generator, leaky ReLU 0.2 in the discriminator
- classes: conditional batch normalisation in the generator, projection in the discriminator
- optional: minibatch deviation, spectral normalisation, no normalisation
- sizes that are no powers of two: 28 is 4, 7, 14, 28
- unlike the paper: kernels are 4 × 4 (a multiple of the stride, so that every output pixel is fed by equally many inputs)
  instead of 5 × 5; z is normal instead of uniform

Written from the paper; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H × W resolution, h × w the coarsest grid, Z latent size, K classes (0: unconditional),
F feature maps.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, cast

import torch
from torch import nn

from gan_hub.images import height_width
from gan_hub.models.config_schema import Channels, Choice, Classes, Integer, Latent, Resolution, Switch, Width
from gan_hub.models.layers import (
    ConditionalNorm,
    Grid,
    MinibatchStddev,
    like_weights,
    linear_of_features,
    with_spectral_norm,
)
from gan_hub.models.mixins import HasLatentProjection
from gan_hub.models.modeling import GANModel, precision, register_checked
from gan_hub.models.ops.convolution import Conv2d

Norm = Annotated[str, Choice("batch", "none")]
Output = Annotated[str, Choice("tanh", "sigmoid", "none")]
StartBlock = Annotated[str, Choice("norm", "activation", "linear")]
Leak = Annotated[int, Integer(0, 100)]  # slope below 0, in hundredths
Start = Annotated[int, Integer(0, 64)]  # shorter side of the coarsest grid; 0 is 3 or 4

WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)


def stage_grids(resolution: int | Sequence[int], start: int = 0) -> list[Grid]:
    """(height, width) at each stage, coarse to fine: the image's halved, rounding up, until the shorter side is 3 or 4.

    64 is 4, 8, 16, 32, 64 on either side, as in the paper; 28 is 4, 7, 14, 28; [32, 48] is 4 × 6, 8 × 12 and so on.

    Args:
        resolution: Of the images, see `images.height_width`.
        start: The shorter side to end at instead: with 7, 28 is 7, 14, 28; with 2, 32 is 2, 4, 8, 16, 32. 0 is 3 or 4.

    Returns:
        The grids.

    Raises:
        ValueError: where no halving leads to `start`.
    """
    grids = [height_width(resolution)]
    while min(grids[0]) > (start or 4):
        height, width = grids[0]
        grids.insert(0, (-(-height // 2), -(-width // 2)))
    if start and (min(grids[0]) != start or len(grids) == 1):
        raise ValueError(
            f"start={start} is not allowed with resolution={resolution}, whose halving does not lead there."
        )
    return grids


def stage_widths(resolution: int | Sequence[int], base_channels: int, max_channels: int, start: int = 0) -> list[int]:
    """Feature maps at each grid but the last, coarse to fine: halved at each step down to `base_channels`.

    Figure 1 of the paper is resolution 64, base 128, max 1024: 1024, 512, 256, 128.

    Args:
        resolution: Of the images, see `images.height_width`.
        base_channels: Feature maps at the finest of these grids.
        max_channels: The most at any grid.
        start: As of `stage_grids`.

    Returns:
        One width a grid.
    """
    stages = len(stage_grids(resolution, start)) - 1
    return [min(max_channels, base_channels * 2 ** (stages - 1 - stage)) for stage in range(stages)]


def kernel_size(small: Grid, large: Grid) -> Grid:
    """The kernel between two grids at stride 2, padding 1: along a side 4 where it doubles, 3 where 4 becomes 7."""
    height, width = (4 if long == 2 * short else 3 for short, long in zip(small, large, strict=True))
    return height, width


class DCGANGenerator(HasLatentProjection, GANModel):
    """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]: project to h × w, then double up to H × W.

    Five switches are for networks from elsewhere: `leak` is the slope of the activation below 0, in hundredths (20 is a
    leaky ReLU of 0.2); `start` is the shorter side of the coarsest grid, 0 the paper's; `start_bias` gives the projection a
    bias at each place, and `start_block` says what follows it: normalisation and activation, the activation alone, or
    nothing ("linear"); `output` is how images come within bounds. Those of a sigmoid, in [0, 1], are stretched to [-1, 1];
    with "none" they are unbounded in training mode.

    Example:
        >>> import torch
        >>> from gan_hub import DCGANGenerator
        >>> generator = DCGANGenerator(resolution=32, latent_size=8, base_channels=4, max_channels=16)
        >>> generator(torch.randn(2, 8)).shape
        torch.Size([2, 3, 32, 32])
    """

    CONFIG_DEFAULTS_FOR_OLD_FILES: ClassVar = {
        "leak": 0,
        "start": 0,
        "output": "tanh",
        "start_bias": False,
        "start_block": "norm",
    }

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        latent_size: Latent = 100,
        num_classes: Classes = 0,
        base_channels: Width = 128,
        max_channels: Width = 1024,
        norm: Norm = "batch",
        leak: Leak = 0,
        start: Start = 0,
        output: Output = "tanh",
        start_bias: Switch = False,
        start_block: StartBlock = "norm",
    ) -> None:
        super().__init__()
        grids, features = stage_grids(resolution, start), stage_widths(resolution, base_channels, max_channels, start)
        self.start, self.slope = grids[0], leak / 100
        self.project = nn.Linear(latent_size, features[0] * self.start[0] * self.start[1], bias=start_bias)
        self.norms = nn.ModuleList(
            nn.Identity() if stage == 0 and start_block != "norm" else ConditionalNorm(width, num_classes, norm)
            for stage, width in enumerate(features)
        )
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(wide, narrow, kernel_size(small, large), stride=2, padding=1, bias=last)
            for wide, narrow, small, large, last in zip(
                features,
                features[1:] + [channels],
                grids[:-1],
                grids[1:],
                [False] * (len(features) - 1) + [True],
                strict=True,
            )
        )
        self.apply(init_weights)

    def latent_weights(self) -> torch.Tensor:
        """The weights of the projection, (F h w, Z)."""
        return self.project.weight

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False) -> torch.Tensor:
        """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]."""
        self.check_labels(labels)
        with precision(z.device, force_fp32):
            x = self.project(z).unflatten(1, (-1, *self.start))  # (N, F, h, w)
            x = like_weights(x, cast(nn.ConvTranspose2d, self.ups[0]).weight)
            for stage, (norm, up) in enumerate(zip(self.norms, self.ups, strict=True)):
                if isinstance(norm, ConditionalNorm):
                    x = norm(x, labels)
                if stage or self.config["start_block"] != "linear":
                    x = nn.functional.leaky_relu_(x, self.slope) if self.slope else torch.relu_(x)
                x = up(x)  # (N, F/2, 2H, 2W)
            if self.config["output"] == "none":
                return x if self.training else x.clamp(-1, 1)  # (N, C, H, W)
            return torch.tanh(x / 2 if self.config["output"] == "sigmoid" else x)  # 2σ(x) − 1 is tanh(x / 2)


class DCGANDiscriminator(GANModel):
    """images (N, C, H, W) in [-1, 1], labels (N,) → logits (N,): halve until h × w, then one linear map.

    With classes, ⟨embedding of the label, sum of the features⟩ is added (projection, Miyato & Koyama 2018, equation 3).
    With `spectral_norm`, every weight is divided by its largest singular value (Miyato et al. 2018, equation 8), which
    one step of power iteration tracks at each use in training; it bounds the slope only where `norm` is "none". `leak` and
    `start` are for networks from elsewhere, as the generator has them; with `unit_range`, images are brought to [0, 1] first.

    Example:
        >>> import torch
        >>> from gan_hub import DCGANDiscriminator
        >>> discriminator = DCGANDiscriminator(resolution=32, base_channels=4, max_channels=16)
        >>> discriminator(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2])
    """

    CONFIG_DEFAULTS_FOR_OLD_FILES: ClassVar = {"spectral_norm": False, "leak": 20, "start": 0, "unit_range": False}

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        num_classes: Classes = 0,
        base_channels: Width = 128,
        max_channels: Width = 1024,
        norm: Norm = "batch",
        minibatch_stddev: Switch = False,
        spectral_norm: Switch = False,
        leak: Leak = 20,
        start: Start = 0,
        unit_range: Switch = False,
    ) -> None:
        super().__init__()
        grids = stage_grids(resolution, start)[::-1]
        features = stage_widths(resolution, base_channels, max_channels, start)[::-1]
        self.slope = leak / 100
        inputs = [channels] + features[:-1]
        inputs[-1] += minibatch_stddev
        plain = [norm == "none" or stage == 0 for stage in range(len(features))]
        self.downs = nn.ModuleList(
            Conv2d(narrow, wide, kernel_size(small, large), stride=2, padding=1, bias=bias)
            for narrow, wide, small, large, bias in zip(inputs, features, grids[1:], grids[:-1], plain, strict=True)
        )
        self.norms = nn.ModuleList(
            nn.Identity() if identity else nn.BatchNorm2d(width)
            for width, identity in zip(features, plain, strict=True)
        )
        self.stddev = MinibatchStddev() if minibatch_stddev else None
        self.score = nn.Linear(features[-1] * grids[-1][0] * grids[-1][1], 1)
        self.embed = nn.Embedding(num_classes, features[-1]) if num_classes else None
        self.apply(init_weights)
        if spectral_norm:  # after the initialisation, from which the power iteration starts
            for module in list(self.modules()):
                if isinstance(module, WEIGHTED):
                    with_spectral_norm(module)

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        """Images (N, C, H, W), labels (N,) → logits (N,)."""
        self.check_labels(labels)
        with precision(images.device, force_fp32):
            x = (images + 1) / 2 if self.config["unit_range"] else images
            for stage, (down, norm) in enumerate(zip(self.downs, self.norms, strict=True)):
                if self.stddev is not None and stage == len(self.downs) - 1:
                    x = self.stddev(x)
                x = nn.functional.leaky_relu(norm(down(x)), self.slope, inplace=True)  # (N, 2F, H/2, W/2)
            logits = linear_of_features(x, self.score.weight, self.score.bias).squeeze(1)  # (N,)
            if self.embed is not None:
                logits = logits + (self.embed(labels) * x.sum(dim=(2, 3))).sum(1)
            return logits


def init_weights(module: nn.Module) -> None:
    """Section 4: "All weights were initialized from a zero-centered Normal distribution with standard deviation 0.02"."""
    if isinstance(module, WEIGHTED):
        nn.init.normal_(module.weight, std=0.02)
        bias = getattr(module, "bias", None)
        if isinstance(bias, torch.Tensor):
            nn.init.zeros_(bias)

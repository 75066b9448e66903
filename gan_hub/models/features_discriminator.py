"""A discriminator that sees images through a frozen, pretrained network: Projected GANs (Sauer et al. 2021, arXiv 2111.01007).

- features of four depths of a classifier of photographs, which is never trained and lies in no file of the model
- random and fixed convolutions mix them: 1 × 1 across channels, 3 × 3 across scales, from coarse to fine (section 3.2)
- one small, spectrally normalised discriminator a scale
- classes: projection in each of them (Miyato & Koyama 2018)
- unlike the paper: a plain discriminator of pixels beside them, as colour and contrast lag behind without one; gradient
  penalties are about it alone
- unlike the paper: each discriminator gives one logit instead of 4 × 4, and a loss is the mean over all logits, not their sum
- unlike the paper: SqueezeNet at the images' own size instead of EfficientNet at 256 pixels, for a CPU; no batch
  normalisation, so that a logit does not depend on the rest of its batch (that of the pixels does in training mode)

Written from the paper; no code taken. Licence: Apache-2.0. The frozen network has another, which lies beside its weights.

Shapes: N images, C channels, H × W resolution, K classes (0: unconditional), F feature maps, P logits an image.
"""

import math
from itertools import pairwise
from typing import Annotated, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from gan_hub.images import height_width, over_white
from gan_hub.models.config_schema import Channels, Choice, Classes, Integer, Resolution, Width
from gan_hub.models.layers import Grid, MinibatchStddev, with_spectral_norm
from gan_hub.models.modeling import GANModel, precision, register_checked
from gan_hub.models.ops.convolution import Conv2d
from gan_hub.pretrained_networks.squeezenet import FrozenSqueezeNet

Features = Annotated[str, Choice("squeezenet")]
Enlargement = Annotated[int, Integer(1, 8)]
OptionalWidth = Annotated[int, Integer(0, 2048)]  # 0: no such part

SLOPE = 0.2  # of leaky ReLU below 0
SMALLEST_SIDE = 32  # of an image that the frozen network sees; smaller ones are enlarged


class Tap(NamedTuple):
    """A layer of the frozen network whose outputs are seen."""

    channels: int
    mixed: int  # channels after the 1 × 1 mixing
    deviation: float  # of its outputs on photographs at 64 × 64 pixels, which they are divided by


# Layer of SqueezeNet → tap, fine to coarse; a pool of stride 2 lies between each and the next.
TAPS = {
    "conv1": Tap(96, 64, 50.0),
    "fire4": Tap(256, 96, 300.0),
    "fire8": Tap(512, 128, 80.0),
    "fire9": Tap(512, 192, 55.0),
}


class FixedConv2d(nn.Module):
    """A random k × k convolution (N, I, H, W) → (N, O, H, W) that is not trained; a file holds its weights, as of any layer."""

    weight: torch.Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        deviation = math.sqrt(2 / (inputs * kernel**2))  # He et al. 2015
        self.register_buffer("weight", deviation * torch.randn(outputs, inputs, kernel, kernel))

    def forward(self, x: torch.Tensor, gain: float = 1.0) -> torch.Tensor:
        """(N, I, H, W) → (N, O, H, W), times `gain`."""
        return functional.conv2d(x, gain * self.weight, padding=self.weight.shape[2] // 2)


class ProjectedFeatures(nn.Module):
    """Images (N, C, H, W) → features of four scales, fine to coarse, each mixed with all coarser ones."""

    def __init__(self, resolution: int | list[int], enlarge: int) -> None:
        super().__init__()
        height, width = height_width(resolution)
        times = max(enlarge, -(-SMALLEST_SIDE // min(height, width)))
        self.size: Grid = (times * height, times * width)
        self.network = FrozenSqueezeNet(tuple(TAPS))
        mixed = [tap.mixed for tap in TAPS.values()]
        self.outputs = [mixed[0], *mixed[:-1]]  # feature maps of each scale after both mixings
        self.across_channels = nn.ModuleList(FixedConv2d(tap.channels, tap.mixed, 1) for tap in TAPS.values())
        self.across_scales = nn.ModuleList(map(FixedConv2d, mixed, self.outputs, [3] * len(TAPS)))

    @property
    def grids(self) -> list[Grid]:
        """(height, width) of each scale, fine to coarse."""
        sides = [tuple((side - 7) // 2 + 1 for side in self.size)]  # the first convolution is 7 × 7
        for _ in range(len(TAPS) - 1):
            sides.append(tuple(-(-(side - 3) // 2) + 1 for side in sides[-1]))  # pools of 3 × 3 that round up
        return [(height, width) for height, width in sides]

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Images (N, C, H, W) in [-1, 1] → features (N, F, h, w) of each scale, fine to coarse."""
        rgb = over_white(images).expand(-1, 3, -1, -1)
        if rgb.shape[2:] != self.size:
            rgb = functional.interpolate(rgb, self.size, mode="bilinear")
        scales: list[torch.Tensor] = []
        outputs = self.network(rgb)
        for layer, mix, join in list(zip(TAPS, self.across_channels, self.across_scales, strict=True))[::-1]:
            x = mix(outputs[layer], 1 / TAPS[layer].deviation)
            if scales:
                x = x + functional.interpolate(scales[-1], x.shape[2:], mode="bilinear")
            scales.append(join(x))
        return scales[::-1]


class ScaleDiscriminator(nn.Module):
    """Features (N, F, h, w), labels (N,) → one logit (N,): halved until a side has 4 cells at most, then one linear map."""

    def __init__(self, inputs: int, grid: Grid, max_channels: int, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        (height, width), features = grid, inputs
        while min(height, width) > 4:
            outputs = min(max_channels, max(64, features))
            layers += [_normalized(features, outputs, (4, 4), stride=2, padding=1), nn.LeakyReLU(SLOPE, inplace=True)]
            height, width, features = height // 2, width // 2, outputs
        self.downs = nn.Sequential(*layers)
        self.score = _normalized(features, 1, (height, width))
        self.embed = with_spectral_norm(nn.Embedding(num_classes, features)) if num_classes else None

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """x (N, F, h, w), labels (N,) or None → logits (N,)."""
        x = self.downs(x)
        logits = self.score(x).flatten()  # (N,)
        if self.embed is not None:
            logits = logits + (self.embed(labels) * x.sum((2, 3))).sum(1)
        return logits


class PixelDiscriminator(nn.Module):
    """Images (N, C, H, W), labels (N,) → one logit (N,): halved as features are, without normalisation of any kind.

    Gradient penalties bound its slope, and a minibatch deviation before its last halving shows it a collapse.
    """

    def __init__(self, grid: Grid, channels: int, width: int, max_channels: int, num_classes: int) -> None:
        super().__init__()
        (height, across), widths = grid, [channels]
        while min(height, across) > 4:
            widths.append(min(max_channels, width * 2 ** (len(widths) - 1)))
            height, across = height // 2, across // 2
        self.stddev = MinibatchStddev()
        self.downs = nn.ModuleList(
            Conv2d(inputs + (stage == len(widths) - 2), outputs, 4, stride=2, padding=1)
            for stage, (inputs, outputs) in enumerate(pairwise(widths))
        )
        self.score = nn.Linear(widths[-1] * height * across, 1)
        self.embed = nn.Embedding(num_classes, widths[-1]) if num_classes else None
        for parameter in self.parameters():  # DCGAN's (Radford et al. 2016, section 4)
            nn.init.zeros_(parameter) if parameter.ndim == 1 else nn.init.normal_(parameter, std=0.02)

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """x (N, C, H, W), labels (N,) or None → logits (N,)."""
        for stage, down in enumerate(self.downs):
            x = self.stddev(x) if stage == len(self.downs) - 1 else x
            x = functional.leaky_relu(down(x), SLOPE, inplace=True)
        logits = self.score(x.flatten(1)).squeeze(1)  # (N,)
        if self.embed is not None:
            logits = logits + (self.embed(labels) * x.sum((2, 3))).sum(1)
        return logits


def _normalized(inputs: int, outputs: int, kernel: Grid, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    """A convolution without bias whose weight is divided by its largest singular value."""
    return with_spectral_norm(nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False))


class FeaturesDiscriminator(GANModel):
    """Images (N, C, H, W) in [-1, 1], labels (N,) → logits (N, P): one for each depth of the frozen network, one of pixels.

    It joins any generator: a recipe asks for it by `discriminator: {features: squeezenet}`. `pixels` is the width of the
    pixel discriminator at its finest stage, 0 for none; `enlarge` says how many times larger than the images the frozen
    network sees them; `max_channels` is the most feature maps of a layer that is trained.

    `force_fp32` announces a gradient penalty. Besides switching autocast off, it cuts the gradient by the images through the
    frozen network, so that the logit of the pixels alone has one: a generator is trained without it.

    Example:
        >>> import torch
        >>> from gan_hub import FeaturesDiscriminator
        >>> discriminator = FeaturesDiscriminator(resolution=32, pixels=4, max_channels=16)
        >>> discriminator(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 5])
    """

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        num_classes: Classes = 0,
        features: Features = "squeezenet",
        enlarge: Enlargement = 1,
        pixels: OptionalWidth = 32,
        max_channels: Width = 256,
    ) -> None:
        super().__init__()
        self.projected = ProjectedFeatures(resolution, enlarge)
        self.heads = nn.ModuleList(
            ScaleDiscriminator(width, grid, max_channels, num_classes)
            for width, grid in zip(self.projected.outputs, self.projected.grids, strict=True)
        )
        self.pixel_head = None
        if pixels:
            self.pixel_head = PixelDiscriminator(height_width(resolution), channels, pixels, max_channels, num_classes)

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        """Images (N, C, H, W), labels (N,) → logits (N, P)."""
        self.check_labels(labels)
        with precision(images.device, force_fp32):
            scales = self.projected(images.detach() if force_fp32 else images)
            logits = [head(x, labels) for head, x in zip(self.heads, scales, strict=True)]
            logits += [self.pixel_head(images, labels)] if self.pixel_head is not None else []
            return torch.stack(logits, 1)  # (N, P)

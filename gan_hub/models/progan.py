"""ProGAN: progressive growing for quality, stability and variation (Karras et al. 2018, arXiv 1710.10196).

- both networks begin at the coarsest grid; each new stage is faded in (section 2, figure 2)
- weights start at N(0, 1) and are scaled where they are used, the equalised learning rate (4.1)
- pixelwise normalisation of the generator's features (4.2), minibatch deviation in the discriminator (3)
- gains, biases and the order of operations follow the authors' program, so that weights mean the same
- `forward` gives images in [-1, 1], `unbounded` the linear colours of the paper
- unlike the paper: layers that make colours start small, so that the first images lie well inside [-1, 1]; in eval mode the
  minibatch deviation is a running value; a side of 28 starts from 7 × 7; there may be classes

Written from the paper, and compared with other implementations; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H × W resolution, h × w the coarsest grid, Z latent size, K classes (0: unconditional),
F feature maps, I → O feature maps into and out of a layer. A stage is one of the grids, 0 the coarsest.
"""

import math
from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from torch import nn
from torch.nn import functional

from gan_hub.models.config_schema import Channels, Choice, Classes, Integer, Latent, Resolution, Switch, Width
from gan_hub.models.layers import (
    ClampSTE,
    EqualizedConv2d,
    EqualizedLinear,
    Grid,
    MinibatchStddev,
    class_planes,
    downsample,
    normalize_2nd_moment,
    stage_resolutions,
    stage_widths,
    upsample,
)
from gan_hub.models.mixins import HasLatentProjection, ProgressiveGrowing, fade
from gan_hub.models.modeling import GANModel, precision, register_checked

StartBias = Annotated[str, Choice("feature", "place")]
Output = Annotated[str, Choice("clamp", "tanh")]

LEAK = 0.2  # slope of leaky ReLU below 0
# Standard deviation of to_rgb's weights at the start; at the paper's 1, three colours in ten are out of bounds.
RGB_INIT_STD = 1 / 4


class Start(nn.Module):
    """Table 2's first convolution, of a single pixel z: a linear map with one bias a feature, or one at each place.

    Its learning rate is equalised as that of a 4 × 4 convolution: the fan-in is I h w, though each output sums I products.
    """

    def __init__(self, inputs: int, outputs: int, grid: Grid, bias: str = "feature") -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs, *grid))
        self.bias = nn.Parameter(torch.zeros(outputs, *(grid if bias == "place" else ())))
        self.scale = math.sqrt(2 / (inputs * math.prod(grid)))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """z (N, I) → (N, O, h, w)."""
        x = z @ (self.weight * self.scale).flatten(1)  # (N, O h w)
        bias = self.bias if self.bias.dim() == 3 else self.bias[:, None, None]
        return x.unflatten(1, self.weight.shape[1:]) + bias  # (N, O, h, w)


class Block(nn.Module):
    """3 × 3 convolutions from one of `features` to the next, each with leaky ReLU."""

    def __init__(self, *features: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(EqualizedConv2d(i, o, 3) for i, o in pairwise(features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, I, H, W) → (N, O, H, W)."""
        for convolution in self.convolutions:
            x = functional.leaky_relu_(convolution(x), LEAK)
        return x


class PixelNormBlock(Block):
    """A `Block` with pixelwise normalisation after each activation (section 4.2)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, I, H, W) → (N, O, H, W), with a mean square of 1 at each pixel."""
        for convolution in self.convolutions:
            x = normalize_2nd_moment(functional.leaky_relu_(convolution(x), LEAK))
        return x


class ProGANGenerator(HasLatentProjection, ProgressiveGrowing, GANModel):
    """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]: a start of h × w, doubled as often as `level` says.

    With classes, the label's unit vector (K,) is appended to z, as the authors' program does, but times √Z after z has
    been normalised, so that it weighs as much as z, however many classes there are.

    Two switches are for networks from elsewhere: `start_bias` is one a "feature" or one at each "place" of the coarsest grid,
    and `output` is how images come within bounds.

    Example:
        >>> import torch
        >>> from gan_hub import ProGANGenerator
        >>> generator = ProGANGenerator(resolution=16, latent_size=8, base_channels=4, max_channels=8)
        >>> generator.set_level(0.5)  # the first doubling is half faded in
        >>> generator(torch.randn(2, 8)).shape
        torch.Size([2, 3, 16, 16])
    """

    CONFIG_DEFAULTS_FOR_OLD_FILES: ClassVar = {"start_bias": "feature", "output": "clamp"}

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        latent_size: Latent = 512,
        num_classes: Classes = 0,
        base_channels: Width = 256,
        max_channels: Width = 512,
        start_bias: StartBias = "feature",
        output: Output = "clamp",
    ) -> None:
        super().__init__()
        features, grids = stage_widths(resolution, base_channels, max_channels), stage_resolutions(resolution)
        self.levels = self.level = len(grids) - 1
        self.start = Start(latent_size + num_classes, features[0], grids[0], start_bias)
        self.blocks = nn.ModuleList(
            [PixelNormBlock(features[0], features[0])]
            + [PixelNormBlock(wide, narrow, narrow) for wide, narrow in pairwise(features)]
        )
        to_rgb = [EqualizedConv2d(width, channels, 1, gain=1) for width in features]
        self.to_rgb = nn.ModuleList(to_rgb)
        for layer in to_rgb:
            nn.init.normal_(layer.weight, std=RGB_INIT_STD)

    def latent_weights(self) -> torch.Tensor:
        """The weights of the start that act on z, (F h w, Z)."""
        return self.start.weight[: self.config["latent_size"]].flatten(1).t()  # a class's numbers come after z's

    def unbounded(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Images (N, C, H, W), mostly in [-1, 1] but not bounded: the paper's, whose last layer is linear.

        Stages beyond the level are not computed; the finest active image is enlarged to the full size.
        """
        self.check_labels(labels)
        z = normalize_2nd_moment(z)
        if labels is not None:
            planes = class_planes(labels, self.config["num_classes"], z.dtype)  # (N, K)
            z = torch.cat([z, planes * math.sqrt(z.shape[1])], 1)  # (N, Z + K)
        x = before = self.blocks[0](normalize_2nd_moment(functional.leaky_relu_(self.start(z), LEAK)))  # (N, F, h, w)
        finest, share = fade(self.level)
        for stage in range(1, finest + 1):
            before, x = x, self.blocks[stage](upsample(x))  # (N, F/2, 2H, 2W)
        image = self.to_rgb[finest](x)
        if share < 1:
            image = upsample(self.to_rgb[finest - 1](before)).lerp(image, share)
        return upsample(image, self.levels - finest)  # (N, C, H, W)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False) -> torch.Tensor:
        """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]."""
        with precision(z.device, force_fp32):
            colors = self.unbounded(z, labels)
            return torch.tanh(colors) if self.config["output"] == "tanh" else ClampSTE.apply(colors)


class ProGANDiscriminator(ProgressiveGrowing, GANModel):
    """Images (N, C, H, W) in [-1, 1], labels (N,) → logits (N,): from the level's grid halve until h × w.

    With classes there is a logit for each, and the label's is taken (Mescheder et al. 2018, arXiv 1801.04406), where the
    authors' program has logits that guess the label. `stddev_group` is how many images share a minibatch deviation,
    where there is one; the paper has the whole batch, the authors' program 4.

    Example:
        >>> import torch
        >>> from gan_hub import ProGANDiscriminator
        >>> discriminator = ProGANDiscriminator(resolution=16, base_channels=4, max_channels=8)
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
        stddev_group: Annotated[int, Integer(1, 64)] = 4,
    ) -> None:
        super().__init__()
        features, grids = stage_widths(resolution, base_channels, max_channels), stage_resolutions(resolution)
        coarse = features[0]
        self.levels = self.level = len(grids) - 1
        self.from_rgb = nn.ModuleList(EqualizedConv2d(channels, width, 1) for width in features)
        self.stddev = MinibatchStddev(stddev_group) if minibatch_stddev else nn.Identity()
        self.blocks = nn.ModuleList(
            [Block(coarse + minibatch_stddev, coarse)]
            + [Block(narrow, narrow, wide) for wide, narrow in pairwise(features)]
        )
        self.dense = EqualizedLinear(coarse * math.prod(grids[0]), coarse)
        self.score = EqualizedLinear(coarse, max(num_classes, 1), gain=1)

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        """Images (N, C, H, W), labels (N,) → logits (N,)."""
        self.check_labels(labels)
        with precision(images.device, force_fp32):
            finest, share = fade(self.level)
            images = downsample(images, self.levels - finest)  # (N, C, H, W) of the finest stage
            x = self.stage_features(images, finest)  # (N, F, H, W)
            for stage in range(finest, 0, -1):
                x = downsample(self.blocks[stage](x))  # (N, 2F, H/2, W/2)
                if stage == finest and share < 1:
                    x = self.stage_features(downsample(images), stage - 1).lerp(x, share)
            x = self.blocks[0](self.stddev(x))  # (N, F, h, w)
            x = functional.leaky_relu_(self.dense(x.flatten(1)), LEAK)  # (N, F)
            logits = self.score(x)  # (N, 1), with classes (N, K)
            return logits.squeeze(1) if labels is None else logits.gather(1, labels[:, None]).squeeze(1)  # (N,)

    def stage_features(self, images: torch.Tensor, stage: int) -> torch.Tensor:
        """The features (N, F, H, W) of images (N, C, H, W) of the stage's size."""
        return functional.leaky_relu_(self.from_rgb[stage](images), LEAK)

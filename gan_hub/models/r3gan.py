"""R3GAN: the GAN is dead; long live the GAN! A modern GAN baseline (Huang et al. 2024, arXiv 2501.05441), config E.

- a plain residual network and its mirror image, without StyleGAN's machinery
- inverted bottlenecks with grouped 3 × 3 convolutions: the middle is the wide part
- leaky ReLU 0.2, no normalisation, smooth resampling between stages
- stability comes from the loss, "relativistic" with R1 and R2
- unlike the paper: images pass through tanh, so that they stay in [-1, 1]; `tanh: false` is the paper's, whose range only
  training bounds
- unlike the paper: the last convolution of each residual branch starts at 1/1000 of its usual size instead of 0 (fix-up,
  Zhang et al. 2019), so that every weight has a gradient from the start
- unlike the paper: also 28 pixels, with a coarsest grid of 7 × 7 instead of 4 × 4

Written from the paper, and compared with the authors' program; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H × W resolution, h × w the coarsest grid, Z latent size, K classes (0: unconditional), E size of
a class's embedding, F feature maps of a stage, G groups of a 3 × 3 convolution (the cardinality).
"""

from collections.abc import Sequence
from itertools import pairwise
from math import gcd
from typing import Annotated, NamedTuple, TypeVar

import torch
from torch import nn

from gan_hub.models.config_schema import Channels, Classes, Integer, Latent, Layers, Resolution, Switch, Width
from gan_hub.models.layers import Grid, LowPass, class_rows, stage_resolutions, stage_widths
from gan_hub.models.mixins import HasLatentProjection
from gan_hub.models.modeling import GANModel, precision, register_checked
from gan_hub.models.ops import low_pass
from gan_hub.models.ops.convolution import Conv2d, conv2d

Expansion = Annotated[int, Integer(1, 8)]

TAPS = (1, 3, 3, 1)  # of the low-pass filter that goes with every change of size, along either side
SLOPE = 0.2  # of leaky ReLU below 0
ACTIVATION_GAIN = (2 / (1 + SLOPE**2)) ** 0.5  # keeps a signal's size through leaky ReLU (He et al. 2015, section 2.2)
LAST_GAIN = 1e-3  # of a residual branch's last convolution; the paper's is 0


class Stage(NamedTuple):
    """Sizes of the networks at one resolution."""

    width: int  # F
    groups: int  # G, of expansion · F feature maps
    blocks: int


def make_stages(
    resolution: int | Sequence[int],
    base_channels: int,
    max_channels: int,
    blocks: int,
    group_size: int,
    expansion: int,
) -> list[Stage]:
    """Sizes of all stages, coarse to fine.

    The paper's network for 256 pixels is base 96, max 768: 768 four times, 384, 192, 96.

    Args:
        resolution: Of the images, see `images.height_width`.
        base_channels: Feature maps at the finest stage, doubled at each coarser one.
        max_channels: The most at any stage.
        blocks: Residual blocks a stage.
        group_size: Feature maps a group of a 3 × 3 convolution, fewer where that does not divide its width.
        expansion: How many times wider the middle of a block is.

    Returns:
        One `Stage` for each of `stage_resolutions`.
    """
    return [
        Stage(width, expansion * width // gcd(expansion * width, group_size), blocks)
        for width in stage_widths(resolution, base_channels, max_channels)
    ]


Weighted = TypeVar("Weighted", bound=nn.Conv2d | nn.Linear | nn.Embedding)


def init_he(layer: Weighted, fan_in: int, gain: float = 1.0) -> Weighted:
    """Initialise a layer by He et al. (2015, section 2.2): weights from N(0, gain² / fan_in), a bias of 0.

    Args:
        layer: A convolution, linear map or embedding.
        fan_in: Inputs of one output.
        gain: The deviation of outputs for inputs of deviation 1.

    Returns:
        The layer.
    """
    nn.init.normal_(layer.weight, std=gain / fan_in**0.5)
    bias = getattr(layer, "bias", None)
    if isinstance(bias, torch.Tensor):
        nn.init.zeros_(bias)
    return layer


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """A linear 1 × 1 convolution: to and from images, and between stages of different width."""
    return init_he(Conv2d(inputs, outputs, 1, bias=False), inputs)


class ResidualBlock(nn.Module):
    """x + branch(x): widen, mix in groups, narrow (the inverted bottleneck of config E).

    The first two convolutions start at `depth`^(-1/4) of He's size, where depth is the number of residual blocks of the whole
    network, so that the branches together change as much per update in a deep network as in a shallow one (fix-up).
    """

    def __init__(self, width: int, groups: int, expansion: int, depth: int) -> None:
        super().__init__()
        wide, gain = expansion * width, ACTIVATION_GAIN * depth**-0.25
        self.expand = init_he(Conv2d(width, wide, 1), width, gain)
        self.mix = init_he(Conv2d(wide, wide, 3, padding=1, groups=groups), 9 * wide // groups, gain)
        self.reduce = init_he(Conv2d(wide, width, 1, bias=False), wide, LAST_GAIN)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, F, H, W) → (N, F, H, W)."""
        branch = nn.functional.leaky_relu(self.expand(x), SLOPE, inplace=True)  # (N, expansion · F, H, W)
        branch = nn.functional.leaky_relu(self.mix(branch), SLOPE, inplace=True)
        return x + self.reduce(branch)  # (N, F, H, W)


class SmoothResample(LowPass):
    """Resampling by 2 through the filter [1, 3, 3, 1] along each side (linear interpolation), zeros beyond the edge.

    In training on a CPU by `low_pass`. Elsewhere in float32 at least, whatever the precision of the rest: a group a feature
    map is slow in bf16.
    """

    def __init__(self) -> None:
        super().__init__(TAPS)

    def up(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, H, W) → (N, F, 2H, 2W). Times 4 for brightness: of four numbers under the kernel, three are zeros."""
        if low_pass.is_faster(x):
            return low_pass.double(x, self.kernel)
        return self.filtered(x, 4 * self.kernel, transposed=True)

    def down(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, 2H, 2W) → (N, F, H, W)."""
        return low_pass.halve(x, self.kernel) if low_pass.is_faster(x) else self.filtered(x, self.kernel)

    def filtered(self, x: torch.Tensor, kernel: torch.Tensor, transposed: bool = False) -> torch.Tensor:
        """A strided convolution with one kernel for all feature maps.

        Args:
            x: Features (N, F, H, W).
            kernel: (4, 4).
            transposed: Doubles the size instead of halving it.

        Returns:
            (N, F, 2H, 2W) or (N, F, H/2, W/2), in the dtype of x.
        """
        exact, maps = torch.promote_types(x.dtype, torch.float32), x.shape[1]
        with precision(x.device, force_fp32=True):
            weight = kernel.to(exact).expand(maps, 1, 4, 4)
            return conv2d(x.to(exact), weight, stride=2, padding=1, groups=maps, transposed=transposed).to(x.dtype)


class Upsample(SmoothResample):
    """Smooth upsampling; a change of width comes before it, at the smaller size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.width = nn.Identity() if inputs == outputs else pointwise(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, H, W) → (N, F', 2H, 2W)."""
        return self.up(self.width(x))


class Downsample(SmoothResample):
    """Smooth downsampling; a change of width comes after it, at the smaller size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.width = nn.Identity() if inputs == outputs else pointwise(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, 2H, 2W) → (N, F', H, W)."""
        return self.width(self.down(x))


def residual_stages(stages: list[Stage], expansion: int) -> list[nn.Sequential]:
    """The residual blocks of each stage, in the order of the stages."""
    depth = sum(stage.blocks for stage in stages)
    return [
        nn.Sequential(*(ResidualBlock(stage.width, stage.groups, expansion, depth) for _ in range(stage.blocks)))
        for stage in stages
    ]


class Synthesis(nn.Module):
    """A learned h × w basis, weighted by z, then the stages.

    `stages` go coarse to fine. With classes, the label's embedding is appended to z.
    """

    def __init__(
        self,
        stages: list[Stage],
        start: Grid,
        channels: int,
        latent_size: int,
        num_classes: int,
        embedding_size: int,
        expansion: int,
    ) -> None:
        super().__init__()
        features = [stage.width for stage in stages]
        inputs = latent_size + (embedding_size if num_classes else 0)
        # A label selects one row: the fan-in is 1, and its numbers are as large as those of z.
        self.embed = init_he(nn.Embedding(num_classes, embedding_size), 1) if num_classes else None
        self.basis = nn.Parameter(torch.randn(features[0], *start))
        self.project = init_he(nn.Linear(inputs, features[0], bias=False), inputs)
        self.ups = nn.ModuleList(Upsample(before, after) for before, after in pairwise(features))
        self.stages = nn.ModuleList(residual_stages(stages, expansion))
        self.to_image = pointwise(features[-1], channels)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """z (N, Z), labels (N,) → images (N, C, H, W), unbounded."""
        if self.embed is not None and labels is not None:
            z = torch.cat([z, class_rows(self.embed, labels).to(z.dtype)], 1)  # (N, Z + E)
        weights = self.project(z)[:, :, None, None]  # (N, F, 1, 1)
        x = self.stages[0](self.basis.to(weights.dtype) * weights)  # (N, F, h, w)
        for up, stage in zip(self.ups, self.stages[1:], strict=True):
            x = stage(up(x))  # (N, F', 2H, 2W)
        return self.to_image(x)  # (N, C, H, W)


class Analysis(nn.Module):
    """The stages backwards, then one number a feature map, then the score.

    `stages` go fine to coarse. With classes, the features become E numbers, and the logit is their product with the label's
    embedding (the projection of Miyato & Koyama 2018, equation 3, without its unconditional part).
    """

    def __init__(
        self, stages: list[Stage], end: Grid, channels: int, num_classes: int, embedding_size: int, expansion: int
    ) -> None:
        super().__init__()
        features = [stage.width for stage in stages]
        self.from_image = pointwise(channels, features[0])
        self.stages = nn.ModuleList(residual_stages(stages, expansion))
        self.downs = nn.ModuleList(Downsample(before, after) for before, after in pairwise(features))
        self.basis = init_he(Conv2d(features[-1], features[-1], end, groups=features[-1], bias=False), end[0] * end[1])
        self.score = init_he(nn.Linear(features[-1], embedding_size if num_classes else 1, bias=False), features[-1])
        # The logit sums E products: at this size it starts as large as one of them.
        self.embed = init_he(nn.Embedding(num_classes, embedding_size), embedding_size) if num_classes else None

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Images (N, C, H, W), labels (N,) → logits (N,)."""
        x = self.stages[0](self.from_image(images))  # (N, F, H, W)
        for down, stage in zip(self.downs, self.stages[1:], strict=True):
            x = stage(down(x))  # (N, F', H/2, W/2)
        x = self.basis(x).flatten(1)  # (N, F')
        x = self.score(x)  # (N, E), or (N, 1)
        return x.squeeze(1) if self.embed is None else (x * self.embed(labels)).sum(1)  # (N,)


class R3GANGenerator(HasLatentProjection, GANModel):
    """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1].

    With `tanh` false, images are unbounded in training mode, as in the paper, and clipped in eval mode.

    Example:
        >>> import torch
        >>> from gan_hub import R3GANGenerator
        >>> generator = R3GANGenerator(resolution=16, latent_size=8, base_channels=8, max_channels=16, blocks=1)
        >>> generator(torch.randn(2, 8)).shape
        torch.Size([2, 3, 16, 16])
    """

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        latent_size: Latent = 64,
        num_classes: Classes = 0,
        base_channels: Width = 384,
        max_channels: Width = 768,
        blocks: Layers = 2,
        group_size: Width = 16,
        expansion: Expansion = 2,
        embedding_size: Latent = 64,
        tanh: Switch = True,
    ) -> None:
        super().__init__()
        stages = make_stages(resolution, base_channels, max_channels, blocks, group_size, expansion)
        self.layers = Synthesis(
            stages, stage_resolutions(resolution)[0], channels, latent_size, num_classes, embedding_size, expansion
        )

    def latent_weights(self) -> torch.Tensor:
        """The weights of the projection that act on z, (F, Z)."""
        return self.layers.project.weight[:, : self.config["latent_size"]]  # a class's numbers come after z's

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False) -> torch.Tensor:
        """z (N, Z), labels (N,) → images (N, C, H, W)."""
        self.check_labels(labels)
        with precision(z.device, force_fp32):
            images = self.layers(z, labels)  # (N, C, H, W)
            if self.config["tanh"]:
                return torch.tanh(images)
            return images if self.training else images.clamp(-1, 1)


class R3GANDiscriminator(GANModel):
    """Images (N, C, H, W) in [-1, 1], labels (N,) → logits (N,).

    Example:
        >>> import torch
        >>> from gan_hub import R3GANDiscriminator
        >>> discriminator = R3GANDiscriminator(resolution=16, base_channels=8, max_channels=16, blocks=1)
        >>> discriminator(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2])
    """

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        num_classes: Classes = 0,
        base_channels: Width = 384,
        max_channels: Width = 768,
        blocks: Layers = 2,
        group_size: Width = 16,
        expansion: Expansion = 2,
        embedding_size: Latent = 64,
    ) -> None:
        super().__init__()
        stages = make_stages(resolution, base_channels, max_channels, blocks, group_size, expansion)[::-1]
        self.layers = Analysis(
            stages, stage_resolutions(resolution)[0], channels, num_classes, embedding_size, expansion
        )

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        """Images (N, C, H, W), labels (N,) → logits (N,)."""
        self.check_labels(labels)
        with precision(images.device, force_fp32):
            return self.layers(images, labels)  # (N,)

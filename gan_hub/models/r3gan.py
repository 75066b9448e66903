"""R3GAN: the GAN is dead; long live the GAN! A modern GAN baseline (Huang et al. 2024, arXiv 2501.05441), config E.

A plain residual network and its mirror image, without StyleGAN's machinery: bottlenecks with grouped 3 × 3 convolutions
(a ResNeXt turned inside out: the middle is the wide part), leaky ReLU 0.2, no normalisation of anything, smooth resampling
between stages. What keeps it stable is the game, not the network: the loss "relativistic" with R1 and R2. Where we deviate:

- images pass through tanh, so that they stay in [-1, 1]; `tanh: false` is the paper's, whose range only training bounds;
- the last convolution of each residual branch starts at 1/1000 of its usual size where the paper's starts at 0 (fix-up,
  Zhang et al. 2019): a network that starts as good as empty, too, but whose every weight has a gradient from the start;
- 28 pixels, with a 7 × 7 grid at the coarse end where the paper's is 4 × 4.

Shapes: N images, C channels, H × W resolution, h × w the coarsest grid, Z latent size, K classes (0: unconditional), E size of
a class's embedding, F feature maps of a stage, G groups of a 3 × 3 convolution (the cardinality).
"""

from math import gcd
from typing import Annotated, NamedTuple

import torch
from torch import nn

from gan_hub.models.config_schema import Channels, Classes, Integer, Latent, Layers, Resolution, Switch, Width
from gan_hub.models.layers import Grid, LowPass, stage_resolutions, stage_widths
from gan_hub.models.mixins import HasLatentProjection
from gan_hub.models.modeling import GANModel, precision, register_checked
from gan_hub.models.ops.convolution import grouped

Expansion = Annotated[int, Integer(1, 8)]

TAPS = (1, 3, 3, 1)  # of the low-pass filter that goes with every change of size, along either side
SLOPE = 0.2  # of leaky ReLU below 0
ACTIVATION_GAIN = (2 / (1 + SLOPE**2)) ** 0.5  # what keeps a signal's size through it (He et al. 2015, section 2.2)
LAST_GAIN = 1e-3  # of a residual branch's last convolution; the paper's is 0


class Stage(NamedTuple):
    """What the networks do at one resolution."""

    width: int  # F
    groups: int  # G, of expansion · F feature maps
    blocks: int


def make_stages(
    resolution: int, base_channels: int, max_channels: int, blocks: int, group_size: int, expansion: int
) -> list[Stage]:
    """The stages, coarse to fine: `base_channels` wide at the finest side, doubled at each coarser one up to the most.

    The paper's network for 256 pixels is base 96, most 768: 768 four times, 384, 192, 96. Every 3 × 3 convolution has
    groups of `group_size` feature maps, fewer where that does not divide its width.
    """
    return [
        Stage(width, expansion * width // gcd(expansion * width, group_size), blocks)
        for width in stage_widths(resolution, base_channels, max_channels)
    ]


def init_he(layer: nn.Module, fan_in: int, gain: float = 1.0) -> nn.Module:
    """`layer` with weights from N(0, gain² / fan_in), and a bias of 0 where it has one (He et al. 2015, section 2.2)."""
    nn.init.normal_(layer.weight, std=gain / fan_in**0.5)
    if getattr(layer, "bias", None) is not None:
        nn.init.zeros_(layer.bias)
    return layer


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """A 1 × 1 convolution with nothing after it: to and from images, between stages of different width."""
    return init_he(nn.Conv2d(inputs, outputs, 1, bias=False), inputs)


class ResidualBlock(nn.Module):
    """x + branch(x), (N, F, H, W): widen, mix in groups, narrow (the inverted bottleneck of config E).

    The first two convolutions start at the `depth`^(-1/4) of He's size, depth being the residual blocks of the whole
    network, so that the branches together change as much per update in a deep network as in a shallow one (fix-up).
    """

    def __init__(self, width: int, groups: int, expansion: int, depth: int):
        super().__init__()
        wide, gain = expansion * width, ACTIVATION_GAIN * depth**-0.25
        self.expand = init_he(nn.Conv2d(width, wide, 1), width, gain)
        self.mix = init_he(nn.Conv2d(wide, wide, 3, padding=1, groups=groups), 9 * wide // groups, gain)
        self.reduce = init_he(nn.Conv2d(wide, width, 1, bias=False), wide, LAST_GAIN)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branch = nn.functional.leaky_relu(self.expand(x), SLOPE, inplace=True)  # (N, expansion · F, H, W)
        mixed = grouped(branch, self.mix.weight, self.mix.bias, padding=1, groups=self.mix.groups)
        branch = nn.functional.leaky_relu(mixed, SLOPE, inplace=True)
        return x + self.reduce(branch)  # (N, F, H, W)


class SmoothResample(LowPass):
    """Twice or half the resolution through [1, 3, 3, 1] along each side (linear interpolation), zeros beyond the edge.

    In float32 at least, whatever the precision of the rest: one map at a time is slow in bf16 (on CPUs ten times).
    """

    def __init__(self):
        super().__init__(TAPS)

    def up(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, H, W) → (N, F, 2H, 2W), as bright as before: of four numbers the kernel meets, three are zeros."""
        return self.filtered(x, 4 * self.kernel, transposed=True)

    def down(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, 2H, 2W) → (N, F, H, W)."""
        return self.filtered(x, self.kernel)

    def filtered(self, x: torch.Tensor, kernel: torch.Tensor, transposed: bool = False) -> torch.Tensor:
        """x through a strided convolution with the same kernel for each feature map."""
        exact, maps = torch.promote_types(x.dtype, torch.float32), x.shape[1]
        with precision(x.device, force_fp32=True):
            weight = kernel.to(exact).expand(maps, 1, 4, 4)
            return grouped(x.to(exact), weight, stride=2, padding=1, groups=maps, transposed=transposed).to(x.dtype)


class Upsample(SmoothResample):
    """(N, F, H, W) → (N, F', 2H, 2W); the width changes, where it does, at the smaller side."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.width = nn.Identity() if inputs == outputs else pointwise(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(self.width(x))


class Downsample(SmoothResample):
    """(N, F, 2H, 2W) → (N, F', H, W); the width changes, where it does, at the smaller side."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.width = nn.Identity() if inputs == outputs else pointwise(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.width(self.down(x))


def residual_stages(stages: list[Stage], expansion: int) -> list[nn.Sequential]:
    """The residual blocks of each stage, in the order of the stages."""
    depth = sum(stage.blocks for stage in stages)
    return [
        nn.Sequential(*(ResidualBlock(stage.width, stage.groups, expansion, depth) for _ in range(stage.blocks)))
        for stage in stages
    ]


class Synthesis(nn.Module):
    """z (N, Z), labels (N,) → images (N, C, H, W), any numbers: a learned h × w basis, weighed by z, then the stages.

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
    ):
        super().__init__()
        features = [stage.width for stage in stages]
        inputs = latent_size + (embedding_size if num_classes else 0)
        # A label selects one row: the fan-in is 1, and a class weighs as much as as many numbers of z.
        self.embed = init_he(nn.Embedding(num_classes, embedding_size), 1) if num_classes else None
        self.basis = nn.Parameter(torch.randn(features[0], *start))
        self.project = init_he(nn.Linear(inputs, features[0], bias=False), inputs)
        self.ups = nn.ModuleList(Upsample(before, after) for before, after in zip(features, features[1:]))
        self.stages = nn.ModuleList(residual_stages(stages, expansion))
        self.to_image = pointwise(features[-1], channels)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        if self.embed is not None:
            z = torch.cat([z, self.embed(labels).to(z.dtype)], 1)  # (N, Z + E)
        weights = self.project(z)[:, :, None, None]  # (N, F, 1, 1)
        x = self.stages[0](self.basis.to(weights.dtype) * weights)  # (N, F, h, w)
        for up, stage in zip(self.ups, self.stages[1:]):
            x = stage(up(x))  # (N, F', 2H, 2W)
        return self.to_image(x)  # (N, C, H, W)


class Analysis(nn.Module):
    """Images (N, C, H, W), labels (N,) → logits (N,): the stages backwards, then one number a feature map and its score.

    `stages` go fine to coarse. With classes, the features become E numbers, and the logit their product with the
    label's embedding (the projection of Miyato & Koyama 2018, equation 3, without the part that knows no label).
    """

    def __init__(
        self, stages: list[Stage], end: Grid, channels: int, num_classes: int, embedding_size: int, expansion: int
    ):
        super().__init__()
        features = [stage.width for stage in stages]
        self.from_image = pointwise(channels, features[0])
        self.stages = nn.ModuleList(residual_stages(stages, expansion))
        self.downs = nn.ModuleList(Downsample(before, after) for before, after in zip(features, features[1:]))
        self.basis = init_he(
            nn.Conv2d(features[-1], features[-1], end, groups=features[-1], bias=False), end[0] * end[1]
        )
        self.score = init_he(nn.Linear(features[-1], embedding_size if num_classes else 1, bias=False), features[-1])
        # The logit sums E products: at this size it starts as large as one of them.
        self.embed = init_he(nn.Embedding(num_classes, embedding_size), embedding_size) if num_classes else None

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        x = self.stages[0](self.from_image(images))  # (N, F, H, W)
        for down, stage in zip(self.downs, self.stages[1:]):
            x = stage(down(x))  # (N, F', H/2, W/2)
        x = grouped(x, self.basis.weight, groups=self.basis.groups).flatten(1)  # (N, F')
        x = self.score(x)  # (N, E), or (N, 1)
        return x.squeeze(1) if self.embed is None else (x * self.embed(labels)).sum(1)  # (N,)


class R3GANGenerator(HasLatentProjection, GANModel):
    """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1].

    With `tanh` false, images in training mode are the network's own numbers, as in the paper; in eval mode, clipped.
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
    ):
        super().__init__()
        stages = make_stages(resolution, base_channels, max_channels, blocks, group_size, expansion)
        self.layers = Synthesis(
            stages, stage_resolutions(resolution)[0], channels, latent_size, num_classes, embedding_size, expansion
        )

    def latent_weights(self) -> torch.Tensor:
        return self.layers.project.weight[:, : self.config["latent_size"]]  # a class's numbers come after z's

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False) -> torch.Tensor:
        self.check_labels(labels)
        with precision(z.device, force_fp32):
            images = self.layers(z, labels)  # (N, C, H, W)
            if self.config["tanh"]:
                return torch.tanh(images)
            return images if self.training else images.clamp(-1, 1)


class R3GANDiscriminator(GANModel):
    """images (N, C, H, W) in [-1, 1], labels (N,) → logits (N,)."""

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
    ):
        super().__init__()
        stages = make_stages(resolution, base_channels, max_channels, blocks, group_size, expansion)[::-1]
        self.layers = Analysis(
            stages, stage_resolutions(resolution)[0], channels, num_classes, embedding_size, expansion
        )

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        self.check_labels(labels)
        with precision(images.device, force_fp32):
            return self.layers(images, labels)  # (N,)

"""StyleGAN: a style-based generator architecture for generative adversarial networks (Karras et al. 2019, arXiv 1812.04948).

A mapping network turns z into w; the picture starts from a learned constant, and each layer's features are normalised
one by one and take scale and shift, the layer's style, from w (AdaIN, equation 1); noise adds what chance decides: pores,
curls. That is the generator of figure 1 b and table 1's rows E and F (which differ in training alone: mixed styles); the
discriminator is ProGAN's with blurred halvings, and both players can grow. Gains, biases and the order of things follow
the authors' program, so that weights mean the same.

Where we deviate: `forward` gives images in [-1, 1], while `synthesize` gives the linear colours of the paper, and so that
the first ones lie well inside, the layers that make colours start small; the constant starts from N(0, 1), not from 1,
for what is equal everywhere has no deviation to divide by, and the first layer's weights no gradient; in eval mode the
minibatch deviation is a running value; a side of 28 starts from 7 × 7.

Shapes: N images, C channels, H × W resolution, h × w the coarsest grid, Z latent size, W size of w, L rows of w (two a
grid), K classes (0: unconditional), F feature maps, I → O feature maps into and out of a layer. A stage is one of the
grids, 0 the coarsest.
"""

import math
from typing import Annotated, ClassVar

import torch
from torch import nn
from torch.nn import functional

from gan_hub.models.config_schema import Channels, Choice, Classes, Integer, Latent, Layers, Resolution, Switch, Width
from gan_hub.models.layers import (
    EPSILON,
    EqualizedConv2d,
    EqualizedLinear,
    Grid,
    LowPass,
    MinibatchStddev,
    downsample,
    normalize_2nd_moment,
    stage_resolutions,
    stage_widths,
    upsample,
)
from gan_hub.models.mixins import ProgressiveGrowing, StyleBased, fade
from gan_hub.models.modeling import GANModel, precision, register_checked
from gan_hub.models.ops.convolution import grouped

Noise = Annotated[str, Choice("const", "random", "none")]

TAPS = (1, 2, 1)  # of the low-pass filter that goes with every change of size, along either side
LEAK = 0.2  # slope of leaky ReLU below 0
MAPPING_LR = 0.01  # how much slower than the rest the mapping network learns
RGB_INIT_STD = 1 / 16  # deviation of the colours' weights at the start; at 1, half of all pixels lie beyond the bound


def downsampling_kernel(weight: torch.Tensor) -> torch.Tensor:
    """3 × 3 kernels (O, I, 3, 3) → 4 × 4 ones (O, I, 4, 4): at stride 2, they do what the others and `halve` do."""
    return functional.avg_pool2d(weight, 2, stride=1, padding=1)


def upsampling_kernel(weight: torch.Tensor) -> torch.Tensor:
    """3 × 3 kernels (O, I, 3, 3) → (I, O, 4, 4): transposed, at stride 2, they do what `double` and the others do."""
    return 4 * downsampling_kernel(weight).flip(2, 3).transpose(0, 1)


class Blur(LowPass):
    """The low-pass filter [1, 2, 1] / 4 along both sides, (N, F, H, W) → (N, F, H, W), with zeros beyond the edge."""

    def __init__(self):
        super().__init__(TAPS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kernel = self.kernel.to(x.dtype).expand(x.shape[1], 1, -1, -1)
        return grouped(x, kernel, padding=1, groups=x.shape[1])


class Mapping(nn.Module):
    """z (N, Z), labels (N,) or none → w (N, W): z is normalised, then `layers` dense layers that learn slowly.

    With classes, the label's embedding, as long as z, is joined to it before. Autocast is off, for w scales all else.
    """

    def __init__(self, latent_size: int, num_classes: int, width: int, w_size: int, layers: int):
        super().__init__()
        self.embed = nn.Embedding(num_classes, latent_size) if num_classes else None
        sizes = [latent_size * (2 if num_classes else 1)] + [width] * (layers - 1) + [w_size]
        self.layers = nn.ModuleList(EqualizedLinear(i, o, lr=MAPPING_LR) for i, o in zip(sizes, sizes[1:]))

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        with precision(z.device, force_fp32=True):
            x = z.to(self.layers[0].weight.dtype)
            if self.embed is not None:
                x = torch.cat([x, self.embed(labels)], 1)  # (N, 2Z)
            x = normalize_2nd_moment(x)
            for layer in self.layers:
                x = functional.leaky_relu_(layer(x), LEAK)
            return x  # (N, W)


class Convolution(nn.Module):
    """3 × 3 convolution of equalised learning rate, without bias, (N, I, H, W) → (N, O, H, W)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.scale = math.sqrt(2 / (9 * inputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, self.weight * self.scale, padding=1)


class UpsampleConv2d(Convolution):
    """The same at twice the size, (N, I, H, W) → (N, O, 2H, 2W): double, convolve, blur; `fused`, the first two in one."""

    def __init__(self, inputs: int, outputs: int, fused: bool):
        super().__init__(inputs, outputs)
        self.fused, self.blur = fused, Blur()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fused:
            kernels = upsampling_kernel(self.weight * self.scale)
            return self.blur(functional.conv_transpose2d(x, kernels, stride=2, padding=1))
        return self.blur(super().forward(upsample(x)))


class DownsampleConv2d(EqualizedConv2d):
    """(N, I, H, W) → (N, O, H/2, W/2): blur, convolve, halve; `fused`, the last two in one."""

    def __init__(self, inputs: int, outputs: int, fused: bool):
        super().__init__(inputs, outputs, kernel=3)
        self.fused, self.blur = fused, Blur()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blur(x)
        if self.fused:
            return functional.conv2d(x, downsampling_kernel(self.weight * self.scale), self.bias, stride=2, padding=1)
        return downsample(super().forward(x))


class LayerEpilogue(nn.Module):
    """x (N, F, H, W), w (N, W) → (N, F, H, W): what follows each convolution, noise, bias, leaky ReLU, and the style.

    AdaIN (equation 1) gives each image's each feature map mean y_b and deviation y_s, which w decides; the stored y_s
    counts from 1. The noise is one picture for all feature maps, which have a strength each.
    """

    def __init__(self, features: int, w_size: int, grid: Grid, noise: str):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(features))
        self.affine = EqualizedLinear(w_size, 2 * features, gain=1)
        self.has_noise = noise != "none"
        if self.has_noise:
            self.noise_strength = nn.Parameter(torch.zeros(features))
            self.register_buffer("noise_const", torch.randn(*grid))

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise: str) -> torch.Tensor:
        added = self.bias[:, None, None]  # (F, 1, 1), or with noise (1 or N, F, H, W)
        if self.has_noise and noise != "none":
            pixels = self.noise_const[None, None]
            if noise == "random":
                pixels = torch.randn(x.shape[0], 1, *x.shape[2:], device=x.device, dtype=added.dtype)
            added = torch.addcmul(added, self.noise_strength[:, None, None], pixels)
        x = functional.leaky_relu_(x + added.to(x.dtype), LEAK)
        with precision(w.device, force_fp32=True):  # the style decides the size of everything
            style = self.affine(w.to(self.bias.dtype))[:, :, None, None].to(x.dtype)  # (N, 2F, 1, 1)
        scale, shift = style.chunk(2, 1)
        return torch.addcmul(shift, functional.instance_norm(x, eps=EPSILON), 1 + scale)


class SynthesisBlock(nn.Module):
    """One stage: x (N, I, H, W), its rows of w (N, 2, W) → (N, O, 2H, 2W), two convolutions, each with its style.

    The first stage takes the constant (N, O, h, w), which its first convolution would have made, and doubles nothing.
    """

    def __init__(self, inputs: int | None, outputs: int, w_size: int, grid: Grid, noise: str, fused: bool):
        super().__init__()
        up = nn.Identity() if inputs is None else UpsampleConv2d(inputs, outputs, fused)
        self.convolutions = nn.ModuleList([up, Convolution(outputs, outputs)])
        self.styled = nn.ModuleList(LayerEpilogue(outputs, w_size, grid, noise) for _ in range(2))

    def forward(self, x: torch.Tensor, rows: torch.Tensor, noise: str) -> torch.Tensor:
        for convolution, styled, w in zip(self.convolutions, self.styled, rows.unbind(1)):
            x = styled(convolution(x), w, noise)
        return x  # (N, O, 2H, 2W)


class StyleGANGenerator(ProgressiveGrowing, StyleBased):
    """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]: `map` to w, then `synthesize`.

    `noise` is "const" (the same pixels in every image, so that a seed's image is always the same one), "random" (fresh
    pixels from torch's global generator in training mode, the constant ones in eval mode) or "none" (no noise at all).
    `fused_scale` takes doubling and convolution in one: the same image but for rounding, in half the multiplications.
    The authors' program fuses from 128 pixels on, and stores the kernels of these layers flipped along both sides.
    """

    W_AVG_DECAY: ClassVar[float] = 0.995

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        latent_size: Latent = 512,
        num_classes: Classes = 0,
        w_size: Latent = 512,
        base_channels: Width = 256,
        max_channels: Width = 512,
        mapping_layers: Layers = 8,
        mapping_width: Width = 512,
        noise: Noise = "const",
        fused_scale: Switch = True,
    ):
        super().__init__()
        features, grids = stage_widths(resolution, base_channels, max_channels), stage_resolutions(resolution)
        self.levels = self.level = len(grids) - 1
        self.rows = 2 * len(grids)
        self.mapping = Mapping(latent_size, num_classes, mapping_width, w_size, mapping_layers)
        self.register_buffer("w_avg", torch.zeros(w_size))
        self.const = nn.Parameter(torch.randn(features[0], *grids[0]))
        self.blocks = nn.ModuleList(
            SynthesisBlock(wide, narrow, w_size, grid, noise, fused_scale)
            for wide, narrow, grid in zip([None, *features], features, grids)
        )
        self.to_rgb = nn.ModuleList(EqualizedConv2d(width, channels, 1, gain=1) for width in features)
        for layer in self.to_rgb:
            nn.init.normal_(layer.weight, std=RGB_INIT_STD)

    @property
    def active_layers(self) -> int:
        return 2 * (fade(self.level)[0] + 1)

    def synthesize(self, ws: torch.Tensor, noise: str | None = None) -> torch.Tensor:
        """ws (N, L, W) → images (N, C, H, W) at the level, mostly in [-1, 1] but not bounded.

        `noise` overrides the config's, save that a network without noise has none to give. Stages beyond the level are
        not computed, their rows not heard. Raises ValueError for rows of another number or size, or for another noise.
        """
        self.check_ws(ws)
        noise = self.resolve_noise(noise)
        finest, share = fade(self.level)
        x = self.const.expand(ws.shape[0], -1, -1, -1)  # (N, F, h, w)
        for stage, block in enumerate(self.blocks[: finest + 1]):
            before, x = x, block(x, ws[:, 2 * stage : 2 * stage + 2], noise)  # (N, F, H, W)
        image = self.to_rgb[finest](x)
        if share < 1:
            image = upsample(self.to_rgb[finest - 1](before)).lerp(image, share)
        return upsample(image, self.levels - finest)  # (N, C, H, W)


class DiscriminatorBlock(nn.Module):
    """x (N, I, H, W) → (N, O, H/2, W/2): two convolutions, the second halves, each with leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, fused: bool):
        super().__init__()
        self.same = EqualizedConv2d(inputs, inputs, 3)
        self.down = DownsampleConv2d(inputs, outputs, fused)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.leaky_relu_(self.same(x), LEAK)
        return functional.leaky_relu_(self.down(x), LEAK)


class StyleGANDiscriminator(ProgressiveGrowing, GANModel):
    """images (N, C, H, W) in [-1, 1], labels (N,) → logits (N,): from the level's grid halve until h × w.

    With classes there is a logit for each, and the label's is taken (Mescheder et al. 2018, arXiv 1801.04406, section
    6.1). `stddev_group` is how many images share a minibatch deviation, where there is one. `fused_scale` takes
    convolution and halving in one: the same logits but for rounding, in half the multiplications.
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
        fused_scale: Switch = True,
    ):
        super().__init__()
        features, grids = stage_widths(resolution, base_channels, max_channels), stage_resolutions(resolution)
        coarse = features[0]
        self.levels = self.level = len(grids) - 1
        self.from_rgb = nn.ModuleList(EqualizedConv2d(channels, width, 1) for width in features)
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(narrow, wide, fused_scale) for wide, narrow in zip(features, features[1:])
        )
        self.stddev = MinibatchStddev(stddev_group) if minibatch_stddev else nn.Identity()
        self.last = EqualizedConv2d(coarse + minibatch_stddev, coarse, 3)
        self.dense = EqualizedLinear(coarse * math.prod(grids[0]), coarse)
        self.score = EqualizedLinear(coarse, max(num_classes, 1), gain=1)

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        self.check_labels(labels)
        with precision(images.device, force_fp32):
            finest, share = fade(self.level)
            images = downsample(images, self.levels - finest)  # (N, C, H, W) of the finest stage
            x = self.read(images, finest)  # (N, F, H, W)
            for stage in range(finest, 0, -1):
                x = self.blocks[stage - 1](x)  # (N, 2F, H/2, W/2)
                if stage == finest and share < 1:
                    x = self.read(downsample(images), stage - 1).lerp(x, share)
            x = functional.leaky_relu_(self.last(self.stddev(x)), LEAK)  # (N, F, h, w)
            x = functional.leaky_relu_(self.dense(x.flatten(1)), LEAK)  # (N, F)
            logits = self.score(x)  # (N, 1), with classes (N, K)
            return logits.squeeze(1) if labels is None else logits.gather(1, labels[:, None]).squeeze(1)  # (N,)

    def read(self, images: torch.Tensor, stage: int) -> torch.Tensor:
        """Images (N, C, H, W) of the stage's size → its features (N, F, H, W)."""
        return functional.leaky_relu_(self.from_rgb[stage](images), LEAK)

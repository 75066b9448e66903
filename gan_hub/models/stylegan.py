"""StyleGAN: a style-based generator architecture for generative adversarial networks (Karras et al. 2019, arXiv 1812.04948).

- a mapping network turns z into w; the image starts from a learned constant
- AdaIN (equation 1): each layer's features are normalised one by one and take scale and shift, the style, from w
- noise at every layer for random details: pores, curls
- the generator of figure 1 b and table 1's rows E and F, which differ in training alone (mixed styles)
- the discriminator is ProGAN's with a low-pass filter before each halving; both networks can grow
- gains, biases and the order of operations follow the authors' program, so that weights mean the same
- `forward` gives images in [-1, 1], `synthesize` the linear colours of the paper
- unlike the paper: layers that make colours start small, so that the first images lie well inside [-1, 1]; the constant starts
  from N(0, 1), not from 1, as features that are equal everywhere have no deviation to divide by, and the first layer's
  weights then no gradient; in eval mode the minibatch deviation is a running value; a side of 28 starts from 7 × 7

Written from the paper, and compared with other implementations; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H × W resolution, h × w the coarsest grid, Z latent size, W size of w, L rows of w (two a
grid), K classes (0: unconditional), F feature maps, I → O feature maps into and out of a layer. A stage is one of the
grids, 0 the coarsest.
"""

import math
from itertools import pairwise
from typing import Annotated, ClassVar, cast

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
    NoiseSource,
    class_rows,
    downsample,
    fresh_noise,
    normalize_2nd_moment,
    stage_resolutions,
    stage_widths,
    upsample,
)
from gan_hub.models.mixins import ProgressiveGrowing, StyleBased, fade
from gan_hub.models.modeling import GANModel, precision, register_checked
from gan_hub.models.ops import low_pass
from gan_hub.models.ops.convolution import conv2d

Noise = Annotated[str, Choice("const", "random", "none")]

TAPS = (1, 2, 1)  # of the low-pass filter that goes with every change of size, along either side
LEAK = 0.2  # slope of leaky ReLU below 0
MAPPING_LR = 0.01  # how much slower than the rest the mapping network learns
RGB_INIT_STD = 1 / 16  # deviation of weights of to_rgb at the start; at 1, half of all pixels are out of bounds


def downsampling_kernel(weight: torch.Tensor) -> torch.Tensor:
    """(O, I, 3, 3) → (O, I, 4, 4): kernels that at stride 2 equal the given convolution followed by `downsample`."""
    return functional.avg_pool2d(weight, 2, stride=1, padding=1)


def upsampling_kernel(weight: torch.Tensor) -> torch.Tensor:
    """(O, I, 3, 3) → (I, O, 4, 4): transposed at stride 2, kernels that equal `upsample` and the given convolution."""
    return 4 * downsampling_kernel(weight).flip(2, 3).transpose(0, 1)


class Blur(LowPass):
    """The low-pass filter [1, 2, 1] / 4 along both sides, with zeros beyond the edge."""

    def __init__(self) -> None:
        super().__init__(TAPS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, H, W) → (N, F, H, W)."""
        if low_pass.is_faster(x):
            return low_pass.blur(x, self.kernel, padding=1)
        kernel = self.kernel.to(x.dtype).expand(x.shape[1], 1, -1, -1)
        return conv2d(x, kernel, padding=1, groups=x.shape[1])


class Mapping(nn.Module):
    """The mapping network: z is normalised, then come `layers` dense layers that learn slowly.

    With classes, the label's embedding, as long as z, is joined to z first. Autocast is off, as w scales all else.
    """

    def __init__(self, latent_size: int, num_classes: int, width: int, w_size: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(num_classes, latent_size) if num_classes else None
        sizes = [latent_size * (2 if num_classes else 1)] + [width] * (layers - 1) + [w_size]
        self.layers = nn.ModuleList(EqualizedLinear(i, o, lr=MAPPING_LR) for i, o in pairwise(sizes))

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """z (N, Z), labels (N,) or None → w (N, W)."""
        with precision(z.device, force_fp32=True):
            x = z.to(cast(EqualizedLinear, self.layers[0]).weight.dtype)
            if self.embed is not None and labels is not None:
                x = torch.cat([x, class_rows(self.embed, labels)], 1)  # (N, 2Z)
            x = normalize_2nd_moment(x)
            for layer in self.layers:
                x = functional.leaky_relu_(layer(x), LEAK)
            return x  # (N, W)


class Convolution(nn.Module):
    """A 3 × 3 convolution with an equalised learning rate and without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.scale = math.sqrt(2 / (9 * inputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, I, H, W) → (N, O, H, W)."""
        return conv2d(x, self.weight * self.scale, padding=1)


class UpsampleConv2d(Convolution):
    """Upsample, convolve, blur; with `fused` the first two are one operation."""

    def __init__(self, inputs: int, outputs: int, fused: bool) -> None:
        super().__init__(inputs, outputs)
        self.fused, self.blur = fused, Blur()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, I, H, W) → (N, O, 2H, 2W)."""
        if self.fused:
            kernels = upsampling_kernel(self.weight * self.scale)
            return self.blur(functional.conv_transpose2d(x, kernels, stride=2, padding=1))
        return self.blur(super().forward(upsample(x)))


class DownsampleConv2d(EqualizedConv2d):
    """Blur, convolve, downsample; with `fused` the last two are one operation."""

    def __init__(self, inputs: int, outputs: int, fused: bool) -> None:
        super().__init__(inputs, outputs, kernel=3)
        self.fused, self.blur = fused, Blur()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, I, H, W) → (N, O, H/2, W/2)."""
        x = self.blur(x)
        if self.fused:
            kernels = downsampling_kernel(self.weight * self.scale)
            return conv2d(x, kernels, self.bias, stride=2, padding=1)
        return downsample(super().forward(x))


class LayerEpilogue(nn.Module):
    """What follows each convolution: noise, bias, leaky ReLU and the style.

    AdaIN (equation 1) gives each feature map of each image a mean y_b and a deviation y_s, affine maps of w; 1 is added to
    y_s. The noise is one picture for all feature maps, which have a strength each.
    """

    noise_const: torch.Tensor

    def __init__(self, features: int, w_size: int, grid: Grid, noise: str) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(features))
        self.affine = EqualizedLinear(w_size, 2 * features, gain=1)
        self.has_noise = noise != "none"
        if self.has_noise:
            self.noise_strength = nn.Parameter(torch.zeros(features))
            self.register_buffer("noise_const", torch.randn(*grid))

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise: NoiseSource) -> torch.Tensor:
        """x (N, F, H, W), w (N, W) → (N, F, H, W)."""
        added = self.bias[:, None, None]  # (F, 1, 1), or with noise (1 or N, F, H, W)
        if self.has_noise and noise != "none":
            pixels = self.noise_const[None, None]
            if noise != "const":
                pixels = fresh_noise(noise, x.shape[0], x.shape[2:], added)
            added = torch.addcmul(added, self.noise_strength[:, None, None], pixels)
        x = functional.leaky_relu_(x + added.to(x.dtype), LEAK)
        with precision(w.device, force_fp32=True):  # the style decides the size of everything
            style = self.affine(w.to(self.bias.dtype))[:, :, None, None].to(x.dtype)  # (N, 2F, 1, 1)
        scale, shift = style.chunk(2, 1)
        return torch.addcmul(shift, functional.instance_norm(x, eps=EPSILON), 1 + scale)


class SynthesisBlock(nn.Module):
    """One stage: two convolutions, each with its style; the first of them upsamples.

    The first stage takes the constant (N, O, h, w) in place of a first convolution and does not upsample.
    """

    def __init__(self, inputs: int | None, outputs: int, w_size: int, grid: Grid, noise: str, fused: bool) -> None:
        super().__init__()
        up = nn.Identity() if inputs is None else UpsampleConv2d(inputs, outputs, fused)
        self.convolutions = nn.ModuleList([up, Convolution(outputs, outputs)])
        self.styled = nn.ModuleList(LayerEpilogue(outputs, w_size, grid, noise) for _ in range(2))

    def forward(self, x: torch.Tensor, rows: torch.Tensor, noise: NoiseSource) -> torch.Tensor:
        """x (N, I, H, W), its rows of w (N, 2, W) → (N, O, 2H, 2W)."""
        for convolution, styled, w in zip(self.convolutions, self.styled, rows.unbind(1), strict=True):
            x = styled(convolution(x), w, noise)
        return x  # (N, O, 2H, 2W)


class StyleGANGenerator(ProgressiveGrowing, StyleBased):
    """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]: `map` to w, then `synthesize`.

    `noise` is "const" (the same pixels in every image, so that a seed always gives the same one), "random" (fresh pixels from
    torch's global generator in training mode, the constant ones in eval mode) or "none". `fused_scale` fuses upsampling and
    convolution: the same image but for rounding, in half the multiplications. The authors' program fuses from 128 pixels on,
    and stores the kernels of these layers flipped along both sides.

    Example:
        >>> import torch
        >>> from gan_hub import StyleGANGenerator
        >>> generator = StyleGANGenerator(resolution=16, latent_size=8, w_size=8, base_channels=4, max_channels=8)
        >>> ws = generator.map(torch.randn(2, 8))
        >>> ws.shape, generator.synthesize(ws).shape
        (torch.Size([2, 6, 8]), torch.Size([2, 3, 16, 16]))
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
    ) -> None:
        super().__init__()
        features, grids = stage_widths(resolution, base_channels, max_channels), stage_resolutions(resolution)
        self.levels = self.level = len(grids) - 1
        self.rows = 2 * len(grids)
        self.mapping = Mapping(latent_size, num_classes, mapping_width, w_size, mapping_layers)
        self.register_buffer("w_avg", torch.zeros(w_size))
        self.const = nn.Parameter(torch.randn(features[0], *grids[0]))
        self.blocks = nn.ModuleList(
            SynthesisBlock(wide, narrow, w_size, grid, noise, fused_scale)
            for wide, narrow, grid in zip([None, *features[:-1]], features, grids, strict=True)
        )
        to_rgb = [EqualizedConv2d(width, channels, 1, gain=1) for width in features]
        self.to_rgb = nn.ModuleList(to_rgb)
        for layer in to_rgb:
            nn.init.normal_(layer.weight, std=RGB_INIT_STD)

    @property
    def active_layers(self) -> int:
        """Number of w rows in use at the level."""
        return 2 * (fade(self.level)[0] + 1)

    def synthesize(self, ws: torch.Tensor, noise: NoiseSource | None = None) -> torch.Tensor:
        """ws (N, L, W) → images (N, C, H, W) at the level, mostly in [-1, 1] but not bounded.

        `noise` overrides the config's; a network without noise can only have "none". Stages beyond the level are not computed,
        their rows not used. Raises ValueError for ws of another shape, or for another noise.
        """
        self.check_ws(ws)
        noise = self.resolve_noise(noise)
        finest, share = fade(self.level)
        x = before = self.const.expand(ws.shape[0], -1, -1, -1)  # (N, F, h, w)
        for stage, block in enumerate(self.blocks[: finest + 1]):
            before, x = x, block(x, ws[:, 2 * stage : 2 * stage + 2], noise)  # (N, F, H, W)
        image = self.to_rgb[finest](x)
        if share < 1:
            image = upsample(self.to_rgb[finest - 1](before)).lerp(image, share)
        return upsample(image, self.levels - finest)  # (N, C, H, W)


class DiscriminatorBlock(nn.Module):
    """Two convolutions, each with leaky ReLU; the second downsamples."""

    def __init__(self, inputs: int, outputs: int, fused: bool) -> None:
        super().__init__()
        self.same = EqualizedConv2d(inputs, inputs, 3)
        self.down = DownsampleConv2d(inputs, outputs, fused)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, I, H, W) → (N, O, H/2, W/2)."""
        x = functional.leaky_relu_(self.same(x), LEAK)
        return functional.leaky_relu_(self.down(x), LEAK)


class StyleGANDiscriminator(ProgressiveGrowing, GANModel):
    """Images (N, C, H, W) in [-1, 1], labels (N,) → logits (N,): from the level's grid halve until h × w.

    With classes there is a logit for each, and the label's is taken (Mescheder et al. 2018, arXiv 1801.04406, section
    6.1). `stddev_group` is how many images share a minibatch deviation, where there is one. `fused_scale` fuses convolution
    and downsampling: the same logits but for rounding, in half the multiplications.

    Example:
        >>> import torch
        >>> from gan_hub import StyleGANDiscriminator
        >>> discriminator = StyleGANDiscriminator(resolution=16, base_channels=4, max_channels=8)
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
        fused_scale: Switch = True,
    ) -> None:
        super().__init__()
        features, grids = stage_widths(resolution, base_channels, max_channels), stage_resolutions(resolution)
        coarse = features[0]
        self.levels = self.level = len(grids) - 1
        self.from_rgb = nn.ModuleList(EqualizedConv2d(channels, width, 1) for width in features)
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(narrow, wide, fused_scale) for wide, narrow in pairwise(features)
        )
        self.stddev = MinibatchStddev(stddev_group) if minibatch_stddev else nn.Identity()
        self.last = EqualizedConv2d(coarse + minibatch_stddev, coarse, 3)
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
                x = self.blocks[stage - 1](x)  # (N, 2F, H/2, W/2)
                if stage == finest and share < 1:
                    x = self.stage_features(downsample(images), stage - 1).lerp(x, share)
            x = functional.leaky_relu_(self.last(self.stddev(x)), LEAK)  # (N, F, h, w)
            x = functional.leaky_relu_(self.dense(x.flatten(1)), LEAK)  # (N, F)
            logits = self.score(x)  # (N, 1), with classes (N, K)
            return logits.squeeze(1) if labels is None else logits.gather(1, labels[:, None]).squeeze(1)  # (N,)

    # Copied from ProGANDiscriminator, as one file an architecture has it; a test keeps them equal.
    def stage_features(self, images: torch.Tensor, stage: int) -> torch.Tensor:
        """The features (N, F, H, W) of images (N, C, H, W) of the stage's size."""
        return functional.leaky_relu_(self.from_rgb[stage](images), LEAK)

"""StyleGAN2: analysing and improving the image quality of StyleGAN (Karras et al. 2020, arXiv 1912.04958), config F.

- a mapping network turns z into w
- each layer's convolution is modulated by styles, an affine map of w, and demodulated again
- every block adds its colours to a running image, which is upsampled on the way (figure 7, output skips)
- the discriminator is residual, or one of the figure's other two
- gains, equalised learning rates and the order of operations follow the authors' second program (Karras et al. 2020, arXiv
  2006.06676), so that weights mean the same
- `forward` gives images in [-1, 1], `synthesize` gives them unbounded as the paper does
- unlike the paper: layers that make colours start small, so that the first images lie well inside [-1, 1]; in eval mode the
  minibatch deviation is a running value; a side of 28 starts from 7 × 7

Written from the paper, and compared with the authors' second program; no code taken. Licence: Apache-2.0. It is
one file because an architecture is read in one place.

Shapes: N images, C channels, H × W resolution, Z latent size, W size of w, L rows of w (two a side), K classes (0:
unconditional), F feature maps, I → O feature maps into and out of a layer.
"""

import math
from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from torch import nn
from torch.nn import functional

from gan_hub.models.config_schema import Channels, Choice, Classes, Integer, Latent, Layers, Resolution, Switch, Width
from gan_hub.models.layers import (
    EPSILON,
    Grid,
    LowPass,
    MinibatchStddev,
    NoiseSource,
    class_planes,
    fresh_noise,
    normalize_2nd_moment,
    stage_resolutions,
    stage_widths,
)
from gan_hub.models.mixins import StyleBased
from gan_hub.models.modeling import GANModel, precision, register_checked
from gan_hub.models.ops import low_pass, winograd
from gan_hub.models.ops.convolution import conv2d

Noise = Annotated[str, Choice("const", "random", "none")]
Skips = Annotated[str, Choice("resnet", "skip", "orig")]
Clamp = Annotated[int, Integer(0, 65_504)]  # the bound of what convolutions give; 0: none

# The low-pass filters that go with a change of size, by their taps along either side; the paper's is the first.
Filter = Annotated[str, Choice("1-3-3-1", "1-1", "1-2-1", "1-4-6-4-1", "1-5-10-10-5-1")]
FILTER = "1-3-3-1"
LEAK, GAIN = 0.2, math.sqrt(2)  # leaky ReLU nearly halves the second moment; the gain restores it
MAPPING_LR = 0.01  # how much slower than the rest the mapping network learns
RGB_INIT_STD = 1 / 16  # deviation of weights of to_rgb at the start; at 1, four pixels in ten are out of bounds


def taps_of(name: str) -> list[int]:
    """ "1-3-3-1" → [1, 3, 3, 1]."""
    return [int(tap) for tap in name.split("-")]


class Resample(LowPass):
    """A low-pass filter of k taps along both sides, [1, 3, 3, 1] / 8 in the paper, and up- and downsampling through it."""

    def __init__(self, filter: str = FILTER) -> None:
        super().__init__(taps_of(filter))

    def kernels(self, x: torch.Tensor, gain: float = 1.0) -> torch.Tensor:
        """The filter times `gain` for each feature map of x, (F, 1, k, k)."""
        return (gain * self.kernel).to(x.dtype).expand(x.shape[1], 1, -1, -1)

    def is_fast(self, x: torch.Tensor) -> bool:
        """Whether the kernels written for four taps may take x, and are faster."""
        return len(self.taps) == 4 and low_pass.is_faster(x)

    def blur(self, x: torch.Tensor, padding: int, stride: int = 1, gain: float = 1.0) -> torch.Tensor:
        """Convolve each feature map with the filter.

        Args:
            x: Features (N, F, H, W).
            padding: Zeros beyond each edge for four taps; half a tap more for each further one, the odd half in front.
            stride: 2 halves.
            gain: Multiplies the result.

        Returns:
            (N, F, (H + 2 padding − 4) / stride + 1, likewise).
        """
        if stride == 1 and self.is_fast(x):
            return low_pass.blur(x, gain * self.kernel, padding)
        more = len(self.taps) - 4
        if more % 2:
            before, after = padding + (more + 1) // 2, padding + more // 2
            x, padding = functional.pad(x, (before, after, before, after)), 0
        else:
            padding += more // 2
        return conv2d(x, self.kernels(x, gain), stride=stride, padding=padding, groups=x.shape[1])

    def upsample(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, H, W) → (N, F, 2H, 2W): zeros between the pixels, then the filter, times 4 for the zeros."""
        if self.is_fast(x):
            return low_pass.double(x, self.kernel)
        taps, (height, width) = len(self.taps), x.shape[2:]
        before = (taps - 2) // 2
        if taps % 2 == 0:
            return conv2d(x, self.kernels(x, gain=4), stride=2, padding=before, groups=x.shape[1], transposed=True)
        x = conv2d(x, self.kernels(x, gain=4), stride=2, groups=x.shape[1], transposed=True)  # (N, F, 2H + k − 2, …)
        return x[:, :, before : before + 2 * height, before : before + 2 * width]

    def downsample(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, H, W) → (N, F, H/2, W/2): the filter, then every second pixel."""
        return low_pass.halve(x, self.kernel) if self.is_fast(x) else self.blur(x, padding=1, stride=2)


class Dense(nn.Module):
    """Linear map with an equalised learning rate (Karras et al. 2018, section 4.1), in its own dtype.

    The stored weight is N(0, 1) / `lr` and multiplied by lr / √I at each use, the stored bias by `lr`: an Adam step moves all
    layers equally, those of lr 0.01 a hundredth as much. Autocast is off, as w and the styles are small and scale all else.
    """

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, lr: float = 1.0, activation: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.lr, self.scale, self.activation = lr, lr / math.sqrt(inputs), activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, I) → (N, O)."""
        with precision(x.device, force_fp32=True):
            gain = GAIN if self.activation else 1.0
            x = torch.addmm(
                gain * self.lr * self.bias, x.to(self.weight.dtype), self.weight.t(), alpha=gain * self.scale
            )  # (N, O)
            return functional.leaky_relu(x, LEAK) if self.activation else x


class Mapping(nn.Module):
    """The mapping network: `layers` dense layers that learn slowly.

    z and the label's embedding are each brought to a second moment of 1, then joined. In a discriminator there is no z, Z = 0.
    """

    def __init__(self, latent_size: int, num_classes: int, w_size: int, layers: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.embed = Dense(num_classes, w_size) if num_classes else None
        inputs = [latent_size + (w_size if num_classes else 0)] + [w_size] * (layers - 1)
        self.layers = nn.Sequential(*(Dense(size, w_size, lr=MAPPING_LR, activation=True) for size in inputs))

    def forward(self, z: torch.Tensor | None, labels: torch.Tensor | None) -> torch.Tensor:
        """z (N, Z) or None, labels (N,) or None → w (N, W)."""
        parts = [] if z is None else [normalize_2nd_moment(z)]  # (N, Z)
        if self.embed is not None and labels is not None:
            planes = class_planes(labels, self.num_classes, self.embed.weight.dtype)  # (N, K)
            parts.append(normalize_2nd_moment(self.embed(planes)))  # (N, W)
        return self.layers(torch.cat(parts, 1))  # (N, W)


def modulated_conv2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    styles: torch.Tensor,
    demodulate: bool = True,
    double: Resample | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Convolve with weights that each image's styles scale; the demodulation is returned, not applied.

    Equations 1 and 3 of section 2.2 scale weights w′ = s · w and divide them by their norm, one weight tensor an image. A
    convolution is linear in its input and output channels, so it is the same to scale the input's channels by s and the
    output's by 1 / √(Σ s² w² + ε), where the sum is a matrix product of s² and Σ w² over the kernel. So one convolution serves
    the whole batch, and nothing leaves the range of float16.

    Args:
        x: Features (N, I, H, W).
        weight: (O, I, k, k); with `double` (I, O, k, k).
        styles: (N, I).
        demodulate: Whether to compute the factors that demodulate.
        double: Upsamples by a transposed convolution of stride 2, followed by this filter.

    Returns:
        (N, O, H or 2H, W or 2W), and the factors (N, O) or None. The caller multiplies by them in a pass that it makes anyway.
    """
    inputs, outputs = (0, 1) if double is not None else (1, 0)
    gain = 1 / math.sqrt(weight.shape[inputs] * weight.shape[2] * weight.shape[3])  # keeps the result's size near 1
    styles = styles * gain
    factors = None
    if demodulate:
        with precision(x.device, force_fp32=True):
            exact = torch.promote_types(weight.dtype, torch.float32)
            energy = (weight * weight).sum((2, 3), dtype=exact)  # (O, I), or (I, O) with `double`
            energy = energy if double is not None else energy.t()
            factors = (styles.to(exact).square() @ energy + EPSILON * gain**2).rsqrt()  # (N, O)
    x = x * styles[:, :, None, None].to(x.dtype)
    if double is None and winograd.is_faster(x, weight):
        return winograd.convolution(x, weight), factors  # (N, O, H, W)
    if double is None:
        return conv2d(x, weight, padding=weight.shape[2] // 2), factors  # (N, O, H, W)
    x = conv2d(x, weight, stride=2, transposed=True)  # (N, O, 2H + 1, 2W + 1)
    return double.blur(x, padding=1, gain=4), factors  # (N, O, 2H, 2W)


def clamped(x: torch.Tensor, bound: float) -> torch.Tensor:
    """Features within ± `bound`; 0 leaves them (Karras et al. 2020, arXiv 2006.06676, appendix D: against float16's range)."""
    return x.clamp(-bound, bound) if bound else x


class StyledConvolution(nn.Module):
    """Modulated 3 × 3 convolution, noise, bias, leaky ReLU; with `resample` at twice the size.

    `gain` multiplies the result and its bound.
    """

    noise_const: torch.Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_size: int,
        grid: Grid,
        resample: Resample | None,
        noise: str,
        clamp: float = 0,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.gain, self.clamp = gain * GAIN, gain * clamp
        self.affine = Dense(w_size, inputs, bias=1.0)
        shape = (inputs, outputs) if resample is not None else (outputs, inputs)  # as the two convolutions want it
        self.weight = nn.Parameter(torch.randn(*shape, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.resample = resample
        self.has_noise = noise != "none"
        if self.has_noise:
            self.noise_strength = nn.Parameter(torch.zeros(()))
            self.register_buffer("noise_const", torch.randn(*grid))

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise: NoiseSource) -> torch.Tensor:
        """x (N, I, H, W), w (N, W) → (N, O, H or 2H, W or 2W)."""
        x, factors = modulated_conv2d(x, self.weight, self.affine(w), double=self.resample)  # (N, O, H, W)
        assert factors is not None  # for type checkers: it demodulates
        added = self.bias  # (O,), or with noise (1 or N, O, H, W), laid out in memory as x is
        if self.has_noise and noise != "none":
            pixels = self.noise_const[None]
            if noise != "const":
                pixels = fresh_noise(noise, x.shape[0], x.shape[2:], self.bias)[:, 0]
            added = (self.noise_strength * pixels[..., None] + added).permute(0, 3, 1, 2)
        else:
            added = added[None, :, None, None]
        # leaky_relu(a) · gain is leaky_relu(a · gain); the gain is applied to the smaller tensors, and one pass does the rest.
        x = torch.addcmul((self.gain * added).to(x.dtype), x, (self.gain * factors)[:, :, None, None].to(x.dtype))
        return clamped(functional.leaky_relu_(x, LEAK), self.clamp)


class ToRGB(nn.Module):
    """Modulated 1 × 1 convolution to colours, without demodulation and noise."""

    def __init__(self, inputs: int, channels: int, w_size: int, clamp: float = 0) -> None:
        super().__init__()
        self.clamp = clamp
        self.affine = Dense(w_size, inputs, bias=1.0)
        self.weight = nn.Parameter(RGB_INIT_STD * torch.randn(channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """x (N, I, H, W), w (N, W) → colours (N, C, H, W)."""
        rgb, _ = modulated_conv2d(x, self.weight, self.affine(w), demodulate=False)
        return clamped(rgb.to(self.bias.dtype) + self.bias[:, None, None], self.clamp)  # (N, C, H, W)


class Shortcut(nn.Module):
    """1 × 1 convolution and upsampling beside a block of the generator "resnet", divided by √2 as its convolutions are."""

    def __init__(self, inputs: int, outputs: int, resample: Resample) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.resample, self.scale = resample, math.sqrt(0.5 / inputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, I, H, W) → (N, O, 2H, 2W)."""
        return self.resample.upsample(conv2d(x, self.weight * self.scale))


class SynthesisBlock(nn.Module):
    """One stage: an upsampling and a plain convolution, and with `channels` the layer that makes colours.

    The first block has one convolution and does not upsample. A block's first convolution takes the last row of w of the
    block before again. A `residual` one has a shortcut.
    """

    def __init__(
        self,
        inputs: int | None,
        outputs: int,
        channels: int | None,
        w_size: int,
        grid: Grid,
        resample: Resample,
        noise: str,
        clamp: float = 0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        residual = residual and inputs is not None
        gain = math.sqrt(0.5) if residual else 1.0
        same = StyledConvolution(outputs, outputs, w_size, grid, None, noise, clamp, gain)
        up = [] if inputs is None else [StyledConvolution(inputs, outputs, w_size, grid, resample, noise, clamp)]
        self.convolutions = nn.ModuleList([*up, same])
        self.to_rgb = None if channels is None else ToRGB(outputs, channels, w_size, clamp)
        self.shortcut = Shortcut(inputs, outputs, resample) if residual and inputs is not None else None

    def forward(
        self, x: torch.Tensor, rows: torch.Tensor, noise: NoiseSource
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """x (N, I, H, W), its rows of w (N, 3 or 2, W) → features (N, O, 2H, 2W), colours (N, C, 2H, 2W) or None."""
        beside = None if self.shortcut is None else self.shortcut(x)
        for row, convolution in enumerate(self.convolutions):
            x = convolution(x, rows[:, row], noise)  # (N, O, 2H, 2W)
        x = x if beside is None else beside + x
        return x, None if self.to_rgb is None else self.to_rgb(x, rows[:, len(self.convolutions)])


class StyleGAN2Generator(StyleBased):
    """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]: `map` to w, then `synthesize`.

    `noise` is "const" (the same pixels in every image, so that a seed always gives the same one), "random" (fresh pixels from
    torch's global generator in training mode, the constant ones in eval mode) or "none". `architecture` is one of figure 7:
    with "skip" every stage adds its colours, with "resnet" and "orig" the last alone makes them. `conv_clamp` bounds what
    convolutions give, as the authors' second program does at 256; `resample_filter` names the taps of the low-pass filter.

    Example:
        >>> import torch
        >>> from gan_hub import StyleGAN2Generator
        >>> generator = StyleGAN2Generator(resolution=16, latent_size=8, w_size=8, base_channels=4, max_channels=8)
        >>> ws = generator.map(torch.randn(2, 8), truncation=0.7)
        >>> ws.shape, generator.synthesize(ws).shape
        (torch.Size([2, 6, 8]), torch.Size([2, 3, 16, 16]))
    """

    CONFIG_DEFAULTS_FOR_OLD_FILES: ClassVar[dict[str, object]] = {
        "architecture": "skip",
        "conv_clamp": 0,
        "resample_filter": FILTER,
    }

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
        noise: Noise = "const",
        architecture: Skips = "skip",
        conv_clamp: Clamp = 0,
        resample_filter: Filter = FILTER,
    ) -> None:
        super().__init__()
        features, grids = stage_widths(resolution, base_channels, max_channels), stage_resolutions(resolution)
        self.mapping = Mapping(latent_size, num_classes, w_size, mapping_layers)
        self.register_buffer("w_avg", torch.zeros(w_size))
        self.const = nn.Parameter(torch.randn(features[0], *grids[0]))
        self.resample = Resample(resample_filter)
        self.blocks = nn.ModuleList()
        for narrow, wide, grid in zip([None, *features[:-1]], features, grids, strict=True):
            colors = channels if architecture == "skip" or grid == grids[-1] else None
            options = (w_size, grid, self.resample, noise, conv_clamp, architecture == "resnet")
            self.blocks.append(SynthesisBlock(narrow, wide, colors, *options))
        self.rows = 2 * len(grids)
        self.to(memory_format=torch.channels_last)  # as its features are, or each use would copy each weight

    def synthesize(self, ws: torch.Tensor, noise: NoiseSource | None = None) -> torch.Tensor:
        """ws (N, L, W) → images (N, C, H, W), mostly in [-1, 1] but not bounded.

        `noise` overrides the config's; a network without noise can only have "none". Raises ValueError for ws of another shape,
        or for another noise.
        """
        self.check_ws(ws)
        noise = self.resolve_noise(noise)
        x = self.const.expand(ws.shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last)  # (N, F, 4, 4)
        x, image = self.blocks[0](x, ws[:, :2], noise)  # (N, F, h, w), (N, C, h, w) or None
        for stage in range(1, len(self.blocks)):
            x, rgb = self.blocks[stage](x, ws[:, 2 * stage - 1 : 2 * stage + 2], noise)  # (N, F, H, W), (N, C, H, W)
            if image is None:
                image = rgb
                continue
            with precision(x.device, force_fp32=True):  # three numbers a pixel: their rounding would be visible
                image = self.resample.upsample(image) + rgb  # (N, C, H, W)
        return image


class Convolution(nn.Module):
    """k × k convolution with an equalised learning rate, downsampling with `resample`, with bias and leaky ReLU unless `linear`.

    `gain` multiplies the result and its bound.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        resample: Resample | None = None,
        linear: bool = False,
        gain: float = 1.0,
        clamp: float = 0,
    ) -> None:
        super().__init__()
        self.clamp = gain * clamp
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = None if linear else nn.Parameter(torch.zeros(outputs))
        self.resample, self.gain = resample, gain if linear else gain * GAIN
        self.scale = self.gain / math.sqrt(inputs * kernel**2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, I, H, W) → (N, O, H or H/2, W or W/2)."""
        size = self.weight.shape[2]
        # Scaling the weights rather than the features leaves one pass over those to the convolution.
        weight, bias = self.weight * self.scale, None if self.bias is None else self.gain * self.bias
        if self.resample is None:
            x = conv2d(x, weight, bias, padding=size // 2)  # (N, O, H, W)
        elif size == 1:
            x = conv2d(self.resample.downsample(x), weight, bias)  # (N, O, H/2, W/2)
        else:
            x = conv2d(self.resample.blur(x, padding=2), weight, bias, stride=2)  # (N, O, H/2, W/2)
        return clamped(x if bias is None else functional.leaky_relu_(x, LEAK), self.clamp)


class DiscriminatorBlock(nn.Module):
    """Two 3 × 3 convolutions, the second downsampling; with `residual`, a shortcut.

    Both branches are divided by √2, so that their sum is as large as each was (section 4.2 of the paper).
    """

    def __init__(self, inputs: int, outputs: int, resample: Resample, residual: bool, clamp: float = 0) -> None:
        super().__init__()
        gain = math.sqrt(0.5) if residual else 1.0
        self.same = Convolution(inputs, inputs, 3, clamp=clamp)
        self.down = Convolution(inputs, outputs, 3, resample, gain=gain, clamp=clamp)
        self.shortcut = Convolution(inputs, outputs, 1, resample, linear=True, gain=gain) if residual else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, I, H, W) → (N, O, H/2, W/2)."""
        y = self.down(self.same(x))  # (N, O, H/2, W/2)
        return y if self.shortcut is None else y + self.shortcut(x)


class StyleGAN2Discriminator(GANModel):
    """Images (N, C, H, W) in [-1, 1], labels (N,) → logits (N,): halve until 4 × 4, then two dense layers.

    `architecture` is one of figure 7: "resnet" has residual blocks; "skip" reads colours anew at every stage, from the
    downsampled image; "orig" has neither. With classes, the logit is the product of features and the mapped label over the
    root of their number. `stddev_group` is how many images share a minibatch deviation, where there is one, and
    `stddev_channels` how many maps it has, each of its share of the features. `conv_clamp` and `resample_filter` are as in
    the generator.

    Example:
        >>> import torch
        >>> from gan_hub import StyleGAN2Discriminator
        >>> discriminator = StyleGAN2Discriminator(resolution=16, base_channels=4, max_channels=8, architecture="skip")
        >>> discriminator(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2])
    """

    CONFIG_DEFAULTS_FOR_OLD_FILES: ClassVar[dict[str, object]] = {
        "stddev_channels": 1,
        "conv_clamp": 0,
        "resample_filter": FILTER,
    }

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        num_classes: Classes = 0,
        base_channels: Width = 256,
        max_channels: Width = 512,
        architecture: Skips = "resnet",
        mapping_layers: Layers = 8,
        minibatch_stddev: Switch = True,
        stddev_group: Annotated[int, Integer(1, 64)] = 4,
        stddev_channels: Annotated[int, Integer(1, 16)] = 1,
        conv_clamp: Clamp = 0,
        resample_filter: Filter = FILTER,
    ) -> None:
        super().__init__()
        features = stage_widths(resolution, base_channels, max_channels)[::-1]
        coarse, pixels = features[-1], math.prod(stage_resolutions(resolution)[0])  # of the coarsest stage
        self.resample = Resample(resample_filter)
        readers = features if architecture == "skip" else features[:1]
        if minibatch_stddev and coarse % stddev_channels:
            raise ValueError(f"stddev_channels={stddev_channels} is not allowed; it divides the {coarse} feature maps.")
        # The authors' program leaves the reader of the coarsest image, where there are several, without a bound.
        bounds = [*[conv_clamp] * (len(readers) - 1), 0] if len(readers) > 1 else [conv_clamp]
        self.from_rgb = nn.ModuleList(
            Convolution(channels, width, 1, clamp=bound) for width, bound in zip(readers, bounds, strict=True)
        )
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(narrow, wide, self.resample, architecture == "resnet", conv_clamp)
            for narrow, wide in pairwise(features)
        )
        self.stddev = MinibatchStddev(stddev_group, stddev_channels) if minibatch_stddev else None
        self.last = Convolution(coarse + minibatch_stddev * stddev_channels, coarse, 3, clamp=conv_clamp)
        self.dense = Dense(coarse * pixels, coarse, activation=True)
        self.score = Dense(coarse, coarse if num_classes else 1)
        self.mapping = Mapping(0, num_classes, coarse, mapping_layers) if num_classes else None
        self.to(memory_format=torch.channels_last)  # as its features are, or each use would copy each weight

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        """Images (N, C, H, W), labels (N,) → logits (N,)."""
        self.check_labels(labels)
        with precision(images.device, force_fp32):
            x = self.from_rgb[0](images).contiguous(memory_format=torch.channels_last)  # (N, F, H, W)
            for stage, block in enumerate(self.blocks, 1):
                x = block(x)  # (N, F, H/2, W/2)
                if stage < len(self.from_rgb):  # "skip"
                    images = self.resample.downsample(images)  # (N, C, H/2, W/2)
                    x = x + self.from_rgb[stage](images)
            x = self.last(x if self.stddev is None else self.stddev(x))  # (N, F, 4, 4)
            x = self.score(self.dense(x.flatten(1)))  # (N, 1), with classes (N, F)
            if self.mapping is None:
                return x.squeeze(1)  # (N,)
            return (x * self.mapping(None, labels)).sum(1) / math.sqrt(x.shape[1])  # (N,)

"""StyleGAN2: analysing and improving the image quality of StyleGAN (Karras et al. 2020, arXiv 1912.04958), config F.

A mapping network turns z into w; each layer's convolution is modulated by styles, an affine map of w, and demodulated
again. Every block adds its own colours to a running image, which is doubled on the way (figure 7, output skips); the
discriminator is residual, or one of the figure's other two. Gains, equalised learning rates and the order of things
follow the authors' second program (Karras et al. 2020, arXiv 2006.06676), so that weights mean the same.

Where we deviate: `forward` gives images in [-1, 1], while `synthesize` gives them unbounded as the paper does, and so
that the first ones lie well inside, the layers that make colours start small; in eval mode the minibatch deviation is a
running value; a side of 28 starts from 7 × 7.

Shapes: N images, C channels, H × W resolution, Z latent size, W size of w, L rows of w (two a side), K classes (0:
unconditional), F feature maps, I → O feature maps into and out of a layer.
"""

import math
from typing import Annotated

import torch
from torch import nn
from torch.nn import functional

from gan_hub.models.config_schema import Channels, Choice, Classes, Integer, Latent, Layers, Resolution, Switch, Width
from gan_hub.models.layers import (
    EPSILON,
    Grid,
    LowPass,
    MinibatchStddev,
    normalize_2nd_moment,
    stage_resolutions,
    stage_widths,
)
from gan_hub.models.mixins import StyleBased
from gan_hub.models.modeling import GANModel, precision, register_checked
from gan_hub.models.ops import winograd
from gan_hub.models.ops.convolution import grouped

Noise = Annotated[str, Choice("const", "random", "none")]
Skips = Annotated[str, Choice("resnet", "skip", "orig")]

TAPS = (1, 3, 3, 1)  # of the low-pass filter that goes with every change of size, along either side
LEAK, GAIN = 0.2, math.sqrt(2)  # leaky ReLU halves the second moment or nearly; the gain restores it
MAPPING_LR = 0.01  # how much slower than the rest the mapping network learns
RGB_INIT_STD = 1 / 16  # deviation of a side's colours at the start; at 1, four in ten pixels start beyond the bound


class Resample(LowPass):
    """The low-pass filter [1, 3, 3, 1] / 8 along both sides, and the doubling and halving that it goes with."""

    def __init__(self):
        super().__init__(TAPS)

    def kernels(self, x: torch.Tensor, gain: float = 1.0) -> torch.Tensor:
        return (gain * self.kernel).to(x.dtype).expand(x.shape[1], 1, -1, -1)

    def blur(self, x: torch.Tensor, padding: int, stride: int = 1, gain: float = 1.0) -> torch.Tensor:
        """(N, F, H, W) → (N, F, (H + 2 padding − 4) / stride + 1, likewise), times `gain`."""
        return grouped(x, self.kernels(x, gain), stride=stride, padding=padding, groups=x.shape[1])

    def double(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, H, W) → (N, F, 2H, 2W): zeros between the pixels, then the filter, times 4 for the zeros."""
        return grouped(x, self.kernels(x, gain=4), stride=2, padding=1, groups=x.shape[1], transposed=True)

    def halve(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, H, W) → (N, F, H/2, W/2): the filter, then every second pixel."""
        # In bf16 on a CPU the gradient of the strided form takes 5 to 20 times as long.
        if x.dtype == torch.bfloat16 and x.device.type == "cpu":
            return self.blur(x, padding=1)[:, :, ::2, ::2]
        return self.blur(x, padding=1, stride=2)


class Dense(nn.Module):
    """Linear map (N, I) → (N, O) with an equalised learning rate (Karras et al. 2018, section 4.1), in its own dtype.

    The stored weight is N(0, 1) / `lr` and takes part times lr / √I, the stored bias times `lr`: an Adam step moves all
    layers equally, those of lr 0.01 a hundredth. Autocast is off, for w and the styles are small and scale all else.
    """

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, lr: float = 1.0, activation: bool = False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.lr, self.scale, self.activation = lr, lr / math.sqrt(inputs), activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with precision(x.device, force_fp32=True):
            gain = GAIN if self.activation else 1.0
            x = torch.addmm(
                gain * self.lr * self.bias, x.to(self.weight.dtype), self.weight.t(), alpha=gain * self.scale
            )  # (N, O)
            return functional.leaky_relu(x, LEAK) if self.activation else x


class Mapping(nn.Module):
    """z (N, Z) or none (Z = 0), labels (N,) or none → w (N, W): `layers` dense layers that learn slowly.

    z and the label's embedding are each brought to a second moment of 1, then joined.
    """

    def __init__(self, latent_size: int, num_classes: int, w_size: int, layers: int):
        super().__init__()
        self.num_classes = num_classes
        self.embed = Dense(num_classes, w_size) if num_classes else None
        inputs = [latent_size + (w_size if num_classes else 0)] + [w_size] * (layers - 1)
        self.layers = nn.Sequential(*(Dense(size, w_size, lr=MAPPING_LR, activation=True) for size in inputs))

    def forward(self, z: torch.Tensor | None, labels: torch.Tensor | None) -> torch.Tensor:
        parts = [] if z is None else [normalize_2nd_moment(z)]  # (N, Z)
        if self.embed is not None:
            one_hot = functional.one_hot(labels, self.num_classes).to(self.embed.weight.dtype)  # (N, K)
            parts.append(normalize_2nd_moment(self.embed(one_hot)))  # (N, W)
        return self.layers(torch.cat(parts, 1))  # (N, W)


def modulated_conv2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    styles: torch.Tensor,
    demodulate: bool = True,
    double: Resample | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """x (N, I, H, W) through weights scaled by each image's styles (N, I): not yet demodulated, and what does that.

    Equations 1 and 3 of section 2.2 scale weights w′ = s · w and divide them by their norm, one weight tensor an image.
    A convolution is linear in its input and output channels, so the same comes of scaling the input's channels by s and
    the output's by 1 / √(Σ s² w² + ε), the sum being a matrix product of s² and Σ w² over the kernel: one shared
    convolution for the whole batch, and none of it in float16 leaves its range.

    `weight` is (O, I, k, k), or (I, O, k, k) with `double`, the filter after a transposed convolution of stride 2.
    Returns (N, O, H or 2H, W or 2W) and the factors (N, O), to be multiplied by whoever passes over the result anyway.
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
    if double is None and winograd.pays(x, weight):
        return winograd.convolution(x, weight), factors  # (N, O, H, W)
    if double is None:
        return functional.conv2d(x, weight, padding=weight.shape[2] // 2), factors  # (N, O, H, W)
    x = functional.conv_transpose2d(x, weight, stride=2)  # (N, O, 2H + 1, 2W + 1)
    return double.blur(x, padding=1, gain=4), factors  # (N, O, 2H, 2W)


class StyledConvolution(nn.Module):
    """x (N, I, H, W), w (N, W) → (N, O, H or 2H, W or 2W): modulated 3 × 3 convolution, noise, bias, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, w_size: int, grid: Grid, resample: Resample | None, noise: str):
        super().__init__()
        self.affine = Dense(w_size, inputs, bias=1.0)
        shape = (inputs, outputs) if resample is not None else (outputs, inputs)  # as the two convolutions want it
        self.weight = nn.Parameter(torch.randn(*shape, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.resample = resample
        self.has_noise = noise != "none"
        if self.has_noise:
            self.noise_strength = nn.Parameter(torch.zeros(()))
            self.register_buffer("noise_const", torch.randn(*grid))

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise: str) -> torch.Tensor:
        x, factors = modulated_conv2d(x, self.weight, self.affine(w), double=self.resample)  # (N, O, H, W)
        added = self.bias  # (O,), or with noise (1 or N, O, H, W), laid out in memory as x is
        if self.has_noise and noise != "none":
            pixels = self.noise_const[None]
            if noise == "random":
                pixels = torch.randn(x.shape[0], *x.shape[2:], device=x.device, dtype=self.bias.dtype)
            added = (self.noise_strength * pixels[..., None] + added).permute(0, 3, 1, 2)
        else:
            added = added[None, :, None, None]
        # leaky_relu(a) · gain is leaky_relu(a · gain); the gain rides on what is small, and one pass does the rest.
        x = torch.addcmul((GAIN * added).to(x.dtype), x, (GAIN * factors)[:, :, None, None].to(x.dtype))
        return functional.leaky_relu_(x, LEAK)


class ToRGB(nn.Module):
    """x (N, I, H, W), w (N, W) → colours (N, C, H, W): modulated 1 × 1 convolution, neither demodulated nor noisy."""

    def __init__(self, inputs: int, channels: int, w_size: int):
        super().__init__()
        self.affine = Dense(w_size, inputs, bias=1.0)
        self.weight = nn.Parameter(RGB_INIT_STD * torch.randn(channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        colours, _ = modulated_conv2d(x, self.weight, self.affine(w), demodulate=False)
        return colours.to(self.bias.dtype) + self.bias[:, None, None]  # (N, C, H, W)


class SynthesisBlock(nn.Module):
    """One side of the way: x (N, I, H, W), its rows of w (N, 3 or 2, W) → features (N, O, 2H, 2W) and their colours.

    The first block has one convolution and doubles nothing. The next block's first convolution takes this one's last
    row of w again.
    """

    def __init__(
        self, inputs: int | None, outputs: int, channels: int, w_size: int, grid: Grid, resample: Resample, noise: str
    ):
        super().__init__()
        same = StyledConvolution(outputs, outputs, w_size, grid, None, noise)
        up = [] if inputs is None else [StyledConvolution(inputs, outputs, w_size, grid, resample, noise)]
        self.convolutions = nn.ModuleList([*up, same])
        self.to_rgb = ToRGB(outputs, channels, w_size)

    def forward(self, x: torch.Tensor, rows: torch.Tensor, noise: str) -> tuple[torch.Tensor, torch.Tensor]:
        for row, convolution in enumerate(self.convolutions):
            x = convolution(x, rows[:, row], noise)  # (N, O, 2H, 2W)
        return x, self.to_rgb(x, rows[:, len(self.convolutions)])


class StyleGAN2Generator(StyleBased):
    """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]: `map` to w, then `synthesize`.

    `noise` is "const" (the same pixels in every image, so that a seed's image is always the same one), "random" (fresh
    pixels from torch's global generator in training mode, the constant ones in eval mode) or "none" (no noise at all).
    """

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
    ):
        super().__init__()
        features, planes = stage_widths(resolution, base_channels, max_channels), stage_resolutions(resolution)
        self.mapping = Mapping(latent_size, num_classes, w_size, mapping_layers)
        self.register_buffer("w_avg", torch.zeros(w_size))
        self.const = nn.Parameter(torch.randn(features[0], *planes[0]))
        self.resample = Resample()
        self.blocks = nn.ModuleList(
            SynthesisBlock(narrow, wide, channels, w_size, grid, self.resample, noise)
            for narrow, wide, grid in zip([None, *features], features, planes)
        )
        self.rows = 2 * len(planes)
        self.to(memory_format=torch.channels_last)  # as its features are; else each use would copy each weight

    def synthesize(self, ws: torch.Tensor, noise: str | None = None) -> torch.Tensor:
        """ws (N, L, W) → images (N, C, H, W), mostly in [-1, 1] but not bounded.

        `noise` overrides the config's, save that a network without noise has none to give. Raises ValueError for rows of
        another number or size, or for another noise.
        """
        self.check_ws(ws)
        noise = self.resolve_noise(noise)
        x = self.const.expand(ws.shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last)  # (N, F, 4, 4)
        image = None
        for stage, block in enumerate(self.blocks):
            first = max(2 * stage - 1, 0)
            x, colours = block(x, ws[:, first : 2 * stage + 2], noise)  # (N, F, H, W), (N, C, H, W)
            with precision(x.device, force_fp32=True):  # three numbers a pixel; rounding would be seen
                image = colours if image is None else self.resample.double(image) + colours  # (N, C, H, W)
        return image


class Convolution(nn.Module):
    """k × k convolution of equalised learning rate, halving with `resample`, with bias and leaky ReLU unless `linear`.

    `gain` multiplies what comes out.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        resample: Resample | None = None,
        linear: bool = False,
        gain: float = 1.0,
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = None if linear else nn.Parameter(torch.zeros(outputs))
        self.resample, self.gain = resample, gain if linear else gain * GAIN
        self.scale = self.gain / math.sqrt(inputs * kernel**2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = self.weight.shape[2]
        if self.resample is None:
            x = functional.conv2d(x, self.weight, padding=size // 2)  # (N, O, H, W)
        elif size == 1:
            x = functional.conv2d(self.resample.halve(x), self.weight)  # (N, O, H/2, W/2)
        else:
            x = functional.conv2d(self.resample.blur(x, padding=2), self.weight, stride=2)  # (N, O, H/2, W/2)
        if self.bias is None:
            return x * self.scale
        return functional.leaky_relu_(
            torch.add((self.gain * self.bias)[:, None, None].to(x.dtype), x, alpha=self.scale), LEAK
        )


class DiscriminatorBlock(nn.Module):
    """x (N, I, H, W) → (N, O, H/2, W/2): two 3 × 3 convolutions, the second halves; with `residual`, a shortcut.

    Both branches of a sum are divided by √2, that it stay as large as they (section 4.2 of the paper).
    """

    def __init__(self, inputs: int, outputs: int, resample: Resample, residual: bool):
        super().__init__()
        gain = math.sqrt(0.5) if residual else 1.0
        self.same = Convolution(inputs, inputs, 3)
        self.down = Convolution(inputs, outputs, 3, resample, gain=gain)
        self.shortcut = Convolution(inputs, outputs, 1, resample, linear=True, gain=gain) if residual else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.down(self.same(x))  # (N, O, H/2, W/2)
        return y if self.shortcut is None else y + self.shortcut(x)


class StyleGAN2Discriminator(GANModel):
    """images (N, C, H, W) in [-1, 1], labels (N,) → logits (N,): halve until 4 × 4, then two dense layers.

    `architecture` is one of figure 7: "resnet" has residual blocks; "skip" reads colours anew at every side, from the
    image halved as often; "orig" has neither. With classes, the logit is the product of features and the mapped label
    over the root of their number. `stddev_group` is how many images share a minibatch deviation, where there is one.
    """

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
    ):
        super().__init__()
        features, last = (
            stage_widths(resolution, base_channels, max_channels)[::-1],
            math.prod(stage_resolutions(resolution)[0]),
        )
        coarse = features[-1]
        self.resample = Resample()
        readers = features if architecture == "skip" else features[:1]
        self.from_rgb = nn.ModuleList(Convolution(channels, width, 1) for width in readers)
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(narrow, wide, self.resample, architecture == "resnet")
            for narrow, wide in zip(features, features[1:])
        )
        self.stddev = MinibatchStddev(stddev_group) if minibatch_stddev else None
        self.last = Convolution(coarse + minibatch_stddev, coarse, 3)
        self.dense = Dense(coarse * last, coarse, activation=True)
        self.score = Dense(coarse, coarse if num_classes else 1)
        self.mapping = Mapping(0, num_classes, coarse, mapping_layers) if num_classes else None
        self.to(memory_format=torch.channels_last)  # as its features are; else each use would copy each weight

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        self.check_labels(labels)
        with precision(images.device, force_fp32):
            x = self.from_rgb[0](images).contiguous(memory_format=torch.channels_last)  # (N, F, H, W)
            for block, from_rgb in zip(self.blocks, [*self.from_rgb[1:], *[None] * len(self.blocks)]):
                x = block(x)  # (N, F, H/2, W/2)
                if from_rgb is not None:
                    images = self.resample.halve(images)  # (N, C, H/2, W/2)
                    x = x + from_rgb(images)
            x = self.last(x if self.stddev is None else self.stddev(x))  # (N, F, 4, 4)
            x = self.score(self.dense(x.flatten(1)))  # (N, 1), with classes (N, F)
            if self.mapping is None:
                return x.squeeze(1)  # (N,)
            return (x * self.mapping(None, labels)).sum(1) / math.sqrt(x.shape[1])  # (N,)

"""StyleGAN3: alias-free generative adversarial networks (Karras et al. 2021, arXiv 2106.12423), configs T and R.

- features are samples of a continuous signal, on a canvas that reaches beyond the image; no layer can tell where a pixel lies,
  so that details move with what they belong to
- the start is not a constant but waves (Fourier features), which w and a given transform can shift and turn
- every layer: modulated convolution, then twice the sampling rate, leaky ReLU, and back through low-pass filters of Kaiser
- cutoffs and sampling rates grow geometrically from layer to layer, whatever the resolution
- config R: 1 × 1 convolutions and radial filters, so that the image also turns; it wants twice the feature maps
- no noise, no skips, no path length, two layers in the mapping network; its opponent is StyleGAN2's discriminator
- unlike the paper: the discriminator of config R sees sharp images from the start (appendix D blurs them at first)

Written from the paper, and compared with the authors' program; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H × W resolution, Z latent size, W size of w, L rows of w (one for the start, one a layer), K
classes (0: unconditional), F feature maps, I → O feature maps into and out of a layer, h a layer's side with its margins.
"""

import math
from typing import Annotated, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from gan_hub.models.config_schema import Channels, Choice, Classes, Integer, Latent, Layers, Switch, Width
from gan_hub.models.layers import NoiseSource, class_planes, normalize_2nd_moment
from gan_hub.models.mixins import StyleBased
from gan_hub.models.modeling import precision, register_checked
from gan_hub.models.ops.convolution import conv2d
from gan_hub.models.ops.resampling import downsample, low_pass_filter, upsample

Side = Annotated[int, Choice(8, 16, 32, 64, 128, 256, 512, 1024)]  # a power of 2, as sampling rates are
Depth = Annotated[int, Integer(4, 32)]  # layers between the start and the colours
Kernel = Annotated[int, Choice(1, 3)]
Clamp = Annotated[int, Integer(0, 65_504)]  # the bound of what leaky ReLUs give; 0: none

# Section 3.2, "Flexible layer specifications"; frequencies in cycles an image.
FIRST_CUTOFF, FIRST_STOPBAND = 2.0, 2**2.1  # what the start lets through, and from where on it has nothing
LAST_STOPBAND = 2**0.3  # of the last layers, as a multiple of their cutoff
CRITICAL = 2  # last layers that use all of the resolution, also where it aliases
MARGIN = 10  # pixels beyond each edge of the image
FILTER_SIZE = 6  # taps a pixel of the lower rate
UPSAMPLING = 2  # how much higher the rate is at the leaky ReLU
OUTPUT_SCALE = 0.25  # of the colours
LEAK, GAIN = 0.2, math.sqrt(2)  # leaky ReLU nearly halves the second moment; the gain restores it
MAPPING_LR = 0.01  # how much slower than the rest the mapping network learns
MAGNITUDE_IMAGES = 20_000  # half-life of the running mean square of a layer's inputs
TINY = 1e-16


class Signal(NamedTuple):
    """What the features between two layers can hold; see section 3.2 for the symbols.

    Example:
        >>> from gan_hub.models.stylegan3 import signals
        >>> [signal.size for signal in signals(256, 3, 128, 512, 14)[::4]]
        [36, 52, 148, 276]
    """

    cutoff: float  # f_c, cycles an image
    half_width: float  # f_h, of the transition band around it
    rate: int  # s, samples an image
    size: int  # samples a side of the canvas
    features: int


def signals(resolution: int, channels: int, base_channels: int, max_channels: int, layers: int) -> list[Signal]:
    """The signals after each layer; the first is also what the start gives.

    Args:
        resolution: Of the images.
        channels: Of the images.
        base_channels: Feature maps at the full bandwidth.
        max_channels: The most of any layer.
        layers: Without the last one, which makes colours.

    Returns:
        `layers` + 1 of them.
    """
    last, plan = resolution / 2, []
    for layer in range(layers + 1):
        share = min(layer / (layers - CRITICAL), 1.0)
        cutoff = FIRST_CUTOFF * (last / FIRST_CUTOFF) ** share
        stopband = FIRST_STOPBAND * (last * LAST_STOPBAND / FIRST_STOPBAND) ** share
        rate = 2 ** math.ceil(math.log2(min(2 * stopband, resolution)))
        size = resolution if layer >= layers - 1 else rate + 2 * MARGIN
        features = channels if layer == layers else round(min(base_channels * last / cutoff, max_channels))
        plan.append(Signal(cutoff, max(stopband, rate / 2) - cutoff, rate, size, features))
    return plan


class Dense(nn.Module):
    """Linear map with an equalised learning rate (Karras et al. 2018, section 4.1), outside of autocast.

    What is stored is the weight and the bias divided by `lr`, so that Adam's steps of equal size move them `lr` times as much.
    """

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, lr: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.lr, self.scale = lr, lr / math.sqrt(inputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, I) → (N, O)."""
        with precision(x.device, force_fp32=True):
            return functional.linear(x.to(self.weight.dtype), self.scale * self.weight, self.lr * self.bias)


class Mapping(nn.Module):
    """z (N, Z) and labels → w (N, W): both to a second moment of 1, joined, then dense layers that learn slowly."""

    def __init__(self, latent_size: int, num_classes: int, w_size: int, layers: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.embed = Dense(num_classes, w_size) if num_classes else None
        inputs = [latent_size + (w_size if num_classes else 0)] + [w_size] * (layers - 1)
        self.layers = nn.ModuleList(Dense(size, w_size, lr=MAPPING_LR) for size in inputs)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """z (N, Z), labels (N,), shares of classes (N, K) or None → w (N, W)."""
        x = normalize_2nd_moment(z)  # (N, Z)
        if self.embed is not None and labels is not None:
            planes = class_planes(labels, self.num_classes, self.embed.weight.dtype)  # (N, K)
            x = torch.cat([x, normalize_2nd_moment(self.embed(planes))], 1)  # (N, Z + W)
        for layer in self.layers:
            x = GAIN * functional.leaky_relu(layer(x), LEAK)  # (N, W)
        return x


class FourierInput(nn.Module):
    """The start of the synthesis: waves of fixed random frequencies and phases, shifted and turned by w, then mixed.

    `transform` (3, 3) maps places of the image to places of the canvas, before what w does; it is the identity unless the
    generator is told to `move`, and is kept in the file. Waves that it makes too short for the sampling rate fade out.
    """

    transform: torch.Tensor
    freqs: torch.Tensor
    phases: torch.Tensor

    def __init__(self, signal: Signal, w_size: int) -> None:
        super().__init__()
        self.signal = signal
        self.weight = nn.Parameter(torch.randn(signal.features, signal.features))
        self.affine = Dense(w_size, 4)  # cosine, sine, and the shift along both sides
        with torch.no_grad():
            self.affine.weight.zero_()
            self.affine.bias[:1].fill_(1)
        angle, radius = 2 * math.pi * torch.rand(signal.features), torch.rand(signal.features).sqrt()
        waves = torch.stack([angle.cos(), angle.sin()], 1) * radius[:, None]  # evenly within the disc
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("freqs", signal.cutoff * waves)
        self.register_buffer("phases", torch.rand(signal.features) - 0.5)

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """w (N, W) → (N, F, h, h)."""
        exact = torch.promote_types(self.freqs.dtype, torch.float32)
        _, _, rate, size, features = self.signal
        with precision(w.device, force_fp32=True):
            turn = self.affine(w).to(exact)  # (N, 4)
            turn = turn / torch.linalg.vector_norm(turn[:, :2], dim=1, keepdim=True)
            cosine, sine = turn[:, :1], turn[:, 1:2]
            rotation = torch.cat([cosine, -sine, sine, cosine], 1).unflatten(1, (2, 2))  # (N, 2, 2)
            shift = torch.matmul(rotation, -turn[:, 2:, None])  # (N, 2, 1): first shifted, then turned
            matrix = torch.matmul(torch.cat([rotation, shift], 2), self.transform.to(exact))  # (N, 2, 3)
            moved = torch.matmul(self.freqs.to(exact), matrix)  # (N, F, 3)
            across, along, phases = moved.unsqueeze(3).unsqueeze(4).unbind(2)  # (N, F, 1, 1) each
            lengths = torch.linalg.vector_norm(moved[:, :, :2], dim=2)  # (N, F)
            faded = 1 - (lengths - self.signal.cutoff) / (rate / 2 - self.signal.cutoff)
            places = (torch.arange(size, dtype=exact, device=w.device) + (0.5 - size / 2)) / rate  # (h,)
            angles = across * places + along * places[:, None] + (self.phases.to(exact)[:, None, None] + phases)
            x = torch.sin(2 * math.pi * angles) * faded.clamp(0, 1)[:, :, None, None]  # (N, F, h, h)
        x = x.to(self.weight.dtype).contiguous(memory_format=torch.channels_last)
        return conv2d(x, (self.weight / math.sqrt(features))[:, :, None, None])


class ModulatedLayer(nn.Module):
    """Modulated convolution of inputs that are divided by the root of their running mean square (section 3.1, config D)."""

    magnitude_ema: torch.Tensor

    def __init__(self, inputs: int, outputs: int, w_size: int, kernel: int, clamp: float) -> None:
        super().__init__()
        self.clamp = clamp
        self.affine = Dense(w_size, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("magnitude_ema", torch.ones(()))

    def input_gain(self, x: torch.Tensor) -> torch.Tensor:
        """What brings x (N, I, h, h) to a second moment of 1; in training mode its running mean is updated first."""
        if self.training:
            square = x.detach().square().mean(dtype=torch.promote_types(x.dtype, torch.float32))
            weight = 1 - 0.5 ** (x.shape[0] / MAGNITUDE_IMAGES)
            self.magnitude_ema.lerp_(square.to(self.magnitude_ema.dtype), weight)
        return self.magnitude_ema.rsqrt()

    def convolve(self, x: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
        """x (N, I, h, h), scaled by styles (N, I), → (N, O, h + k − 1, h + k − 1): as far as the kernel touches x."""
        return conv2d(x * styles[:, :, None, None].to(x.dtype), self.weight, padding=self.weight.shape[2] - 1)

    def bounded(self, x: torch.Tensor) -> torch.Tensor:
        """x within ± `clamp`, in place where no gradient needs it; 0 leaves it."""
        if not self.clamp:
            return x
        return x.clamp(-self.clamp, self.clamp) if x.requires_grad else x.clamp_(-self.clamp, self.clamp)


class SynthesisLayer(ModulatedLayer):
    """Modulated convolution, bias, and a leaky ReLU between a doubling of the sampling rate and a halving.

    The leaky ReLU makes frequencies above what the features can hold. At twice the rate they are held for the moment, and the
    filter on the way back takes them out (section 3.2, config F). Filters are no weights: they follow from the signals.
    """

    up_filter: torch.Tensor
    down_filter: torch.Tensor

    def __init__(self, before: Signal, after: Signal, w_size: int, kernel: int, radial: bool, clamp: float) -> None:
        super().__init__(before.features, after.features, w_size, kernel, clamp)
        self.before, self.after, self.radial = before, after, radial
        self.rate = UPSAMPLING * max(before.rate, after.rate)
        self.up, self.down = self.rate // before.rate, self.rate // after.rate
        # Both grids have the same middle (appendix C.3): what is too much is left out equally at both edges.
        full = (before.size + kernel - 2) * self.up + FILTER_SIZE * self.up
        needed = (after.size - 1) * self.down + FILTER_SIZE * self.down
        self.crop = (full - needed) // 2
        self.register_buffer("up_filter", None, persistent=False)
        self.register_buffer("down_filter", None, persistent=False)
        self.fill_constants()

    def fill_constants(self, device: str | None = None) -> None:
        """Compute the filters; again after a network was built on the meta device."""
        for name, signal, factor in (("up_filter", self.before, self.up), ("down_filter", self.after, self.down)):
            radial = self.radial and name == "down_filter"
            taps = FILTER_SIZE * factor
            values = low_pass_filter(taps, signal.cutoff, 2 * signal.half_width, self.rate, radial)
            setattr(self, name, torch.tensor(values.tolist(), dtype=torch.float32, device=device))

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """x (N, I, h, h), w (N, W) → (N, O, h, h) of the signal after it."""
        gain = self.input_gain(x)
        styles = normalize_2nd_moment(self.affine(w))  # (N, I); their size does not matter, as they are demodulated
        with precision(x.device, force_fp32=True):
            exact = torch.promote_types(self.weight.dtype, torch.float32)
            energy = self.weight.square().sum((2, 3), dtype=exact)  # (O, I)
            factors = (torch.matmul(styles.to(exact).square(), energy.t()) + TINY).rsqrt()  # (N, O)
            # The gain of the leaky ReLU goes ahead of it, and half of the product's size stays on either side of it.
            root = math.sqrt(self.weight[0].numel())
            factors = (GAIN * root * factors)[:, :, None, None]
            styles = styles * (gain / root)
        x = self.convolve(x, styles)
        x = torch.addcmul((GAIN * self.bias)[None, :, None, None].to(x.dtype), x, factors.to(x.dtype))
        x = upsample(x, self.up * self.up_filter, self.up, self.crop)
        x = self.bounded(functional.leaky_relu_(x, LEAK))
        return downsample(x, self.down_filter, self.down)


class ToRGB(ModulatedLayer):
    """Modulated 1 × 1 convolution to colours, without demodulation and activation."""

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """x (N, I, H, W), w (N, W) → colours (N, C, H, W)."""
        styles = self.affine(w) * (self.input_gain(x) / math.sqrt(self.weight.shape[1]))  # (N, I)
        rgb = self.convolve(x, styles).to(self.bias.dtype) + self.bias[:, None, None]
        return OUTPUT_SCALE * self.bounded(rgb)  # (N, C, H, W)


class StyleGAN3Generator(StyleBased):
    """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]: `map` to w, then `synthesize`.

    Config T is `conv_kernel` 3 without `radial_filters`; config R is 1 with them, and in the paper twice the `base_channels`
    and `max_channels`. Feature maps are `base_channels` in the last layers, whose bandwidth is the image's, and grow as it
    shrinks, up to `max_channels`: the paper's T is base 32 for 1024 pixels, 64 for 512. `conv_clamp` bounds what leaky ReLUs
    give, 0 not at all. `move` shifts and turns all images.

    Example:
        >>> import torch
        >>> from gan_hub import StyleGAN3Generator
        >>> generator = StyleGAN3Generator(resolution=16, latent_size=8, w_size=8, base_channels=2, max_channels=4)
        >>> ws = generator.map(torch.randn(2, 8), truncation=0.7)
        >>> ws.shape, generator.synthesize(ws).shape
        (torch.Size([2, 16, 8]), torch.Size([2, 3, 16, 16]))
    """

    @register_checked
    def __init__(
        self,
        resolution: Side = 64,
        channels: Channels = 3,
        latent_size: Latent = 512,
        num_classes: Classes = 0,
        w_size: Latent = 512,
        base_channels: Width = 256,
        max_channels: Width = 512,
        mapping_layers: Layers = 2,
        synthesis_layers: Depth = 14,
        conv_kernel: Kernel = 3,
        radial_filters: Switch = False,
        conv_clamp: Clamp = 256,
    ) -> None:
        super().__init__()
        self.mapping = Mapping(latent_size, num_classes, w_size, mapping_layers)
        self.register_buffer("w_avg", torch.zeros(w_size))
        plan = signals(resolution, channels, base_channels, max_channels, synthesis_layers)
        self.input = FourierInput(plan[0], w_size)
        self.layers = nn.ModuleList()
        for layer, after in enumerate(plan[:-1]):
            radial = radial_filters and layer < synthesis_layers - CRITICAL
            before = plan[max(layer - 1, 0)]
            self.layers.append(SynthesisLayer(before, after, w_size, conv_kernel, radial, conv_clamp))
        self.layers.append(ToRGB(plan[-2].features, channels, w_size, 1, conv_clamp))
        self.rows = synthesis_layers + 2
        self.to(memory_format=torch.channels_last)  # as its features are, or each use would copy each weight

    def synthesize(self, ws: torch.Tensor, noise: NoiseSource | None = None) -> torch.Tensor:
        """ws (N, L, W) → images (N, C, H, W), mostly in [-1, 1] but not bounded.

        `noise` is None or "none": this network has none. Raises ValueError for ws of another shape, or for another noise.
        """
        self.check_ws(ws)
        if noise not in (None, "none"):
            raise ValueError(f"noise {noise!r} is not allowed; StyleGAN3 has no noise.")
        x = self.input(ws[:, 0])  # (N, F, h, h)
        for row, layer in enumerate(self.layers, 1):
            x = layer(x, ws[:, row])
        return x  # (N, C, H, W)

    @torch.no_grad()
    def move(self, right: float = 0.0, down: float = 0.0, degrees: float = 0.0) -> None:
        """Shift and turn what all images show (figure 4 of the paper); anew each time, so that `move()` undoes it.

        Config T follows a shift, config R also a turn. It is kept when the network is saved.

        Args:
            right, down: Widths of the image.
            degrees: Counter-clockwise, about the middle of the image, before the shift.
        """
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        # From places of the image back to where they come from.
        back = [cosine * -right - sine * -down, sine * -right + cosine * -down]
        matrix = [[cosine, -sine, back[0]], [sine, cosine, back[1]], [0.0, 0.0, 1.0]]
        self.input.transform.copy_(torch.tensor(matrix, dtype=torch.float32, device="cpu"))

"""The plainer StyleGAN2 of lucidrains/stylegan2-pytorch: a generator for networks from there; `stylegan2` is the one to train.

- styles as in StyleGAN2 (Karras et al. 2020, arXiv 1912.04958): modulated and demodulated convolutions, here of 1 + an affine
  map of w, one w for both convolutions and the colours of a grid
- bilinear doubling of features; colours are added first, then doubled and blurred by [1, 2, 1], mirrored at the edges
- noise is even from 0 to 1, the same numbers at each grid, and a linear map makes a plane of each feature of it
- no gains, no equalised learning rates; z is brought to length 1

Written from what that program computes, and compared with it; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H × W resolution, Z latent size, L grids, F feature maps, I → O feature maps into and out of a
layer.
"""

from itertools import pairwise
from typing import Annotated

import torch
from torch import nn
from torch.nn import functional

from gan_hub.models.config_schema import Channels, Choice, Integer, Latent, Layers, Width
from gan_hub.models.layers import EPSILON, LowPass, NoiseSource, fresh_noise, stage_resolutions, stage_widths
from gan_hub.models.mixins import StyleBased
from gan_hub.models.modeling import register_checked

NoClasses = Annotated[int, Choice(0)]
Side = Annotated[int, Choice(8, 16, 32, 64, 128, 256, 512, 1024)]
Noise = Annotated[str, Choice("const", "random", "none")]
Most = Annotated[int, Integer(1, 2048)]
SLOPE = 0.2  # of leaky ReLU below 0
MIDDLE = 0.5  # of noise from 0 to 1


def doubled(x: torch.Tensor) -> torch.Tensor:
    """(N, F, H, W) → (N, F, 2H, 2W), bilinear."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class StyledConvolution(nn.Module):
    """A convolution (N, I, H, W), w (N, Z) → (N, O, H, W) whose weights are multiplied by 1 + an affine map of w."""

    def __init__(self, latent_size: int, inputs: int, outputs: int, kernel: int, demodulate: bool) -> None:
        super().__init__()
        self.affine = nn.Linear(latent_size, inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        nn.init.kaiming_normal_(self.weight)
        self.demodulate = demodulate

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """x (N, I, H, W), w (N, Z) → (N, O, H, W)."""
        style = 1 + self.affine(w)  # (N, I)
        # To scale the inputs is to scale the weights, and demodulation a scale of the outputs.
        x = functional.conv2d(x * style[:, :, None, None], self.weight, padding=self.weight.shape[2] // 2)
        if not self.demodulate:
            return x
        squares = self.weight.square().sum((2, 3))  # (O, I)
        return x * torch.rsqrt(style.square() @ squares.t() + EPSILON)[:, :, None, None]


class Layer(nn.Module):
    """A styled convolution, noise of its own strength and level in each feature, leaky ReLU."""

    def __init__(self, latent_size: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = StyledConvolution(latent_size, inputs, outputs, 3, demodulate=True)
        self.noise_strength = nn.Parameter(torch.zeros(outputs))
        self.noise_level = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """x (N, I, H, W), w (N, Z), noise (N or 1, 1, H, W) → (N, O, H, W)."""
        planes = self.noise_strength[:, None, None] * noise + self.noise_level[:, None, None]
        return functional.leaky_relu(self.convolution(x, w) + planes, SLOPE)


class Stage(nn.Module):
    """The layers of a grid, and its colours."""

    def __init__(self, latent_size: int, inputs: int, outputs: int, channels: int) -> None:
        super().__init__()
        self.first, self.second = Layer(latent_size, inputs, outputs), Layer(latent_size, outputs, outputs)
        self.to_rgb = StyledConvolution(latent_size, outputs, channels, 1, demodulate=False)


class Mapping(nn.Module):
    """z (N, Z), brought to length 1 → w (N, Z), by linear maps, each with leaky ReLU."""

    def __init__(self, latent_size: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(latent_size, latent_size) for _ in range(layers))

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """z (N, Z) → w (N, Z); labels are of other networks."""
        w = functional.normalize(z, dim=1)
        for layer in self.layers:
            w = functional.leaky_relu(layer(w), SLOPE)
        return w


class PlainStyleGAN2Generator(StyleBased):
    """z (N, Z) → images (N, C, H, W) in [-1, 1]; w has the size of z, and a row for each grid.

    `noise` is "const" (one field of numbers, a buffer), "random" (fresh ones in training mode) or "none" (their mean).

    Example:
        >>> import torch
        >>> from gan_hub import PlainStyleGAN2Generator
        >>> generator = PlainStyleGAN2Generator(resolution=16, latent_size=8, base_channels=4, max_channels=8)
        >>> generator(torch.randn(2, 8)).shape
        torch.Size([2, 3, 16, 16])
    """

    noise_const: torch.Tensor

    @register_checked
    def __init__(
        self,
        resolution: Side = 64,
        channels: Channels = 3,
        latent_size: Latent = 512,
        num_classes: NoClasses = 0,
        base_channels: Width = 32,
        max_channels: Most = 512,
        mapping_layers: Layers = 8,
        noise: Noise = "const",
    ) -> None:
        super().__init__()
        features = stage_widths(resolution, base_channels, max_channels)
        self.grids, self.rows = stage_resolutions(resolution), len(features)
        self.mapping = Mapping(latent_size, mapping_layers)
        self.const = nn.Parameter(torch.randn(features[0], *self.grids[0]))
        self.start = nn.Conv2d(features[0], features[0], 3, padding=1)
        ends = pairwise([features[0], *features])
        self.stages = nn.ModuleList(Stage(latent_size, inputs, outputs, channels) for inputs, outputs in ends)
        self.blur = LowPass([1, 2, 1])
        self.register_buffer("noise_const", torch.rand(resolution, resolution))
        self.register_buffer("w_avg", torch.zeros(latent_size))

    def synthesize(self, ws: torch.Tensor, noise: NoiseSource | None = None) -> torch.Tensor:
        """ws (N, L, Z) → images (N, C, H, W), mostly in [-1, 1] but not bounded; `noise` overrides the config's."""
        self.check_ws(ws)
        field = self._noise(len(ws), self.resolve_noise(noise))  # (N or 1, 1, H, W)
        x, image = self.start(self.const.expand(len(ws), -1, -1, -1)), None
        for number, (stage, (height, width), w) in enumerate(zip(self.stages, self.grids, ws.unbind(1), strict=True)):
            assert isinstance(stage, Stage)  # for type checkers
            here = field[:, :, :height, :width]
            x = stage.first(doubled(x) if number else x, w, here)  # (N, F, h, w)
            x = stage.second(x, w, here)
            colors = stage.to_rgb(x, w)  # (N, C, h, w)
            image = colors if image is None else self._blurred(doubled(image)) + colors
        assert image is not None  # for type checkers: there is a stage
        return 2 * image - 1  # theirs lie in [0, 1]

    def _noise(self, count: int, noise: NoiseSource) -> torch.Tensor:
        """Numbers from 0 to 1 for each pixel, (N or 1, 1, H, W)."""
        own = self.noise_const
        if noise in ("const", "none"):
            return (torch.full_like(own, MIDDLE) if noise == "none" else own)[None, None]
        return fresh_noise(noise, count, own.shape, own, torch.rand)

    def _blurred(self, image: torch.Tensor) -> torch.Tensor:
        kernel = self.blur.kernel.to(image.dtype).expand(image.shape[1], 1, -1, -1)
        return functional.conv2d(functional.pad(image, (1, 1, 1, 1), mode="reflect"), kernel, groups=image.shape[1])

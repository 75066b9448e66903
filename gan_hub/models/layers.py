"""What three or more architectures share, down to the last number: grids, equalised layers, norms, a perceptron, bounds.

Shapes: N images, F feature maps, H × W; I → O feature maps (or numbers) into and out of a layer.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from gan_hub.images import height_width
from gan_hub.models.modeling import precision

Grid = tuple[int, int]  # height, width
EPSILON = 1e-8


def stage_resolutions(resolution: int | Sequence[int]) -> list[Grid]:
    """(height, width) at each stage, coarse to fine, each twice the one before.

    The image is halved while both sides are even and the shorter one is at least 8: 64 is 4, 8, 16, 32, 64 on either
    side; 28 is 7, 14, 28; [32, 48] is 4 × 6, 8 × 12 and so on.
    """
    found = [height_width(resolution)]
    while min(found[0]) >= 8 and not any(side % 2 for side in found[0]):
        found.insert(0, (found[0][0] // 2, found[0][1] // 2))
    return found


def stage_widths(resolution: int | Sequence[int], base_channels: int, max_channels: int) -> list[int]:
    """Feature maps at each of the `doublings`, coarse to fine: halved each time, to `base_channels` at the image's own.

    ProGAN's and StyleGAN's tables for 1024 are base 16 (32 in StyleGAN2's config F), max 512.
    """
    last = len(stage_resolutions(resolution)) - 1
    return [min(max_channels, base_channels * 2 ** (last - stage)) for stage in range(last + 1)]


def upsample(x: torch.Tensor, times: int = 1) -> torch.Tensor:
    """(N, F, H, W) → (N, F, 2H, 2W), so many `times`: each pixel becomes a square of equal ones."""
    return functional.interpolate(x, scale_factor=2**times, mode="nearest") if times else x


def downsample(x: torch.Tensor, times: int = 1) -> torch.Tensor:
    """(N, F, H, W) → (N, F, H/2, W/2), so many `times`: each square becomes its mean."""
    return functional.avg_pool2d(x, 2**times) if times else x


def normalize_2nd_moment(x: torch.Tensor) -> torch.Tensor:
    """(N, F, ...) → the same, each vector over F divided by the root of its mean square.

    On features this is pixelwise normalisation (Karras et al. 2018, section 4.2), on z it puts all on one sphere.
    """
    moment = x.to(torch.promote_types(x.dtype, torch.float32)).square().mean(1, keepdim=True)
    return x * (moment + EPSILON).rsqrt().to(x.dtype)


class LowPass(nn.Module):
    """A fixed filter for changes of size: `taps` along either side, summing to 1. Its `kernel` (k, k) is no weight."""

    def __init__(self, taps: Sequence[int]):
        super().__init__()
        self.taps = taps
        self.register_buffer("kernel", None, persistent=False)
        self.fill_constants()

    def fill_constants(self, device: str | None = None) -> None:
        """Makes the kernel, anew where the network was made without memory; torch's default device without another."""
        taps = torch.tensor(self.taps, dtype=torch.float32, device=device) / sum(self.taps)
        self.kernel = torch.outer(taps, taps)


class EqualizedConv2d(nn.Module):
    """k × k convolution (N, I, H, W) → (N, O, H, W) with an equalised learning rate (Karras et al. 2018, section 4.1).

    Stored weights are N(0, 1) and take part times `gain` / √(I k²), the deviation of He et al.'s initialisation where
    the gain is √2: Adam, whose steps do not know a weight's size, then moves all layers equally. The bias is as stored.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float = math.sqrt(2)):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs * kernel**2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=self.weight.shape[2] // 2)


class EqualizedLinear(nn.Module):
    """Linear map (N, I) → (N, O) with an equalised learning rate, as `EqualisedConvolution`.

    `lr` multiplies weight and bias where they take part, and divides the stored weight at the start: a layer that
    learns so much slower (0.01 in StyleGAN's mapping network).
    """

    def __init__(self, inputs: int, outputs: int, gain: float = math.sqrt(2), lr: float = 1.0, bias: float = 0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.lr, self.scale = lr, lr * gain / math.sqrt(inputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self.weight * self.scale, self.bias * self.lr)


class MinibatchStddev(nn.Module):
    """Appends the mean standard deviation of groups of images as one more feature map (Karras et al. 2018, section 3).

    A collapsed generator betrays itself by it. In training mode N images fall into N / G groups of the largest
    G ≤ `group` that divides N (all N without `group`), image n into group n mod (N / G), each with its own value. In eval
    mode the map holds the running mean of these values instead (as batch normalisation does), so that a verdict does not
    depend on its neighbours.
    """

    MOMENTUM = 0.01

    def __init__(self, group: int | None = None):
        super().__init__()
        self.group = group
        self.register_buffer("running", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value = self.running.expand(x.shape[0])  # len(x) would fix the batch of an exported network
        if self.training:
            size = max(size for size in range(1, (self.group or len(x)) + 1) if len(x) % size == 0)
            groups = x.to(torch.promote_types(x.dtype, torch.float32)).unflatten(0, (size, -1))  # (G, N/G, F, H, W)
            value = (groups.var(0, unbiased=False) + EPSILON).sqrt().mean((1, 2, 3))  # (N/G,)
            self.running.lerp_(value.detach().mean().to(self.running.dtype), self.MOMENTUM)
            value = value.repeat(size)  # (N,)
        value = value.to(x.dtype)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        return torch.cat([x, value], 1)  # (N, F + 1, H, W)


class Perceptron(nn.Sequential):
    """(N, sizes[0]) → (N, sizes[-1]): linear maps from size to size, an activation after each but the last.

    With `pieces`, a hidden layer has so many numbers for each of its units, which the activation must make one of
    (maxout). Weights start as torch's linear layers do, uniform within ± 1 / √I. For images and for points of any space.
    """

    def __init__(self, sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU, pieces: int = 1):
        hidden = [(nn.Linear(inputs, pieces * outputs), activation()) for inputs, outputs in pairwise(sizes[:-1])]
        super().__init__(*(layer for layers in hidden for layer in layers), nn.Linear(*sizes[-2:]))


class SpectralNorm(nn.Module):
    """A weight divided by its largest singular value σ (Miyato et al. 2018, algorithm 1): u ← Wv, v ← Wᵀu, σ = |Wv|, |v| = 1.

    W has the output features as rows, which are dimension `rows` of the weight. One step of the power iteration at each use
    in training, none in eval. torch's own keeps u as well and trusts the lengths of both, which a running average of
    networks does not keep: averaged directions are shorter than 1, and σ comes out too small.
    """

    def __init__(self, weight: torch.Tensor, rows: int = 0):
        super().__init__()
        self.rows = rows
        matrix = self.matrix(weight.detach())
        self.register_buffer("v", functional.normalize(torch.randn(matrix.shape[1]), dim=0))
        for _ in range(0 if matrix.is_meta else 15):  # without numbers there is nothing to turn to
            self.power_iteration(matrix)

    def matrix(self, weight: torch.Tensor) -> torch.Tensor:
        """W (O, I k²) of a weight (O, I, k, k), or (I, O, k, k) where `rows` is 1."""
        return weight.movedim(self.rows, 0).flatten(1)

    @torch.no_grad()
    def power_iteration(self, matrix: torch.Tensor) -> None:
        """Turns v towards the right singular vector of the largest singular value."""
        self.v.copy_(functional.normalize(matrix.t() @ (matrix @ self.v), dim=0))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        matrix = self.matrix(weight)
        with precision(weight.device, force_fp32=True):
            if self.training:
                self.power_iteration(matrix)
            # A copy: the next use turns v, and the gradient of this one still needs it.
            v = functional.normalize(self.v.clone(), dim=0)
            return weight / torch.linalg.vector_norm(matrix @ v)


def with_spectral_norm(layer: nn.Module) -> nn.Module:
    """The layer (convolution, transposed or not, linear map, embedding), its weight divided by `Spectral`; a bias stays."""
    parametrization = SpectralNorm(layer.weight, rows=int(isinstance(layer, nn.ConvTranspose2d)))
    # Unsafe is what torch calls not to try its forward first: it would be a step of the iteration, also on the meta device.
    parametrize.register_parametrization(layer, "weight", parametrization, unsafe=True)
    # torch makes a class for this one layer, which no other process can import, and refuses to pickle it.
    type(layer).__reduce_ex__ = _as_a_plain_layer
    return layer


def _as_a_plain_layer(layer: nn.Module, protocol: int) -> tuple:
    """How a layer with a `Spectral` weight travels to another process: as a plain one, and what to divide it by."""
    weight = layer.parametrizations["weight"]
    state = layer.__dict__ | {"_parameters": layer._parameters | {"weight": weight.original}, "_modules": {}}
    return _with_spectral, (type(layer).__bases__[0], state, weight[0])


def _with_spectral(kind: type[nn.Module], state: dict, parametrization: SpectralNorm) -> nn.Module:
    layer = kind.__new__(kind)
    layer.__dict__.update(state)
    parametrize.register_parametrization(layer, "weight", parametrization, unsafe=True)
    type(layer).__reduce_ex__ = _as_a_plain_layer
    return layer


class ClampSTE(torch.autograd.Function):
    """Clamps images (N, C, H, W) to [-1, 1]; a gradient passes inside, and outside where following it leads back.

    The discriminator so sees what a viewer sees, and no pixel is lost beyond the border, as a plain clamp's would be.
    """

    @staticmethod
    def forward(ctx, images: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(images)
        return images.clamp(-1, 1)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        (images,) = ctx.saved_tensors
        return gradient * ((images.abs() <= 1) | (images * gradient > 0))

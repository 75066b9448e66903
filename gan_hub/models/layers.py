"""Layers that several architectures share: stage sizes, resampling, equalised, conditional and spectrally normalised layers.

Shapes: N images, F feature maps, H × W; I → O feature maps (or numbers) into and out of a layer.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, SupportsIndex, TypeVar, cast

import torch
from torch import nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional
from torch.nn.utils import parametrize

from gan_hub.images import height_width
from gan_hub.models.modeling import precision
from gan_hub.models.ops.convolution import conv2d

Grid = tuple[int, int]  # height, width
# Where a layer's noise comes from: "const", its own buffer; "random", torch's global generator; "none"; or, for each image, a
# generator of its own.
NoiseSource = str | Sequence[torch.Generator]
EPSILON = 1e-8
NORM_MOMENTUM = 0.1  # of batch normalisation: the share of a batch in the running statistics


def stage_resolutions(resolution: int | Sequence[int]) -> list[Grid]:
    """(height, width) at each stage, coarse to fine, each twice the one before.

    The image is halved while both sides are even and the shorter one is at least 8: 64 is 4, 8, 16, 32, 64 on either
    side; 28 is 7, 14, 28; [32, 48] is 4 × 6, 8 × 12 and so on.
    """
    grids = [height_width(resolution)]
    while min(grids[0]) >= 8 and not any(side % 2 for side in grids[0]):
        grids.insert(0, (grids[0][0] // 2, grids[0][1] // 2))
    return grids


def stage_widths(resolution: int | Sequence[int], base_channels: int, max_channels: int) -> list[int]:
    """Feature maps at each of the `stage_resolutions`, coarse to fine: halved each time, down to `base_channels`.

    ProGAN's and StyleGAN's tables for 1024 are base 16 (32 in StyleGAN2's config F), max 512.

    Args:
        resolution: Of the images, see `images.height_width`.
        base_channels: Feature maps at the finest stage.
        max_channels: The most at any stage.

    Returns:
        One width a stage.
    """
    last = len(stage_resolutions(resolution)) - 1
    return [min(max_channels, base_channels * 2 ** (last - stage)) for stage in range(last + 1)]


def fresh_noise(
    noise: NoiseSource,
    count: int,
    grid: Sequence[int],
    like: torch.Tensor,
    sample: Callable[..., torch.Tensor] = torch.randn,
) -> torch.Tensor:
    """Noise for each pixel of N images, (N, 1, H, W).

    Args:
        noise: "random", or a generator an image, on the CPU: an image's noise then depends on nothing else.
        count: N.
        grid: (H, W).
        like: a tensor of the device and dtype to make it in.
        sample: what a number is drawn by.

    Returns:
        The noise.
    """
    if isinstance(noise, str):
        return sample(count, 1, *grid, device=like.device, dtype=like.dtype)
    each = [sample(1, *grid, generator=own, device="cpu", dtype=torch.float32) for own in noise]
    return torch.stack(each).to(like)


def upsample(x: torch.Tensor, times: int = 1) -> torch.Tensor:
    """(N, F, H, W) → (N, F, 2H, 2W), repeated `times`, by nearest neighbours."""
    return functional.interpolate(x, scale_factor=2**times, mode="nearest") if times else x


def downsample(x: torch.Tensor, times: int = 1) -> torch.Tensor:
    """(N, F, H, W) → (N, F, H/2, W/2), repeated `times`: each square of pixels becomes its mean."""
    return functional.avg_pool2d(x, 2**times) if times else x


def like_weights(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """x (N, F, H, W) in the memory format of a convolution's weight (O, I, k, k): a gradient in another one is slow."""
    if weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous():
        return x.contiguous(memory_format=torch.channels_last)
    return x


def linear_of_features(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """A linear map of all numbers of an image, in whose gradient x keeps its memory format.

    Args:
        x: (N, F, H, W).
        weight: (O, F H W).
        bias: (O,), or None.

    Returns:
        (N, O).
    """
    if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
        return functional.linear(x.flatten(1), weight, bias)
    in_order = weight.unflatten(1, x.shape[1:]).permute(0, 2, 3, 1).flatten(1)  # as the numbers of x lie in memory
    return functional.linear(x.permute(0, 2, 3, 1).flatten(1), in_order, bias)


def normalize_2nd_moment(x: torch.Tensor) -> torch.Tensor:
    """(N, F, ...) → the same, each vector over F divided by the root of its mean square.

    On features this is pixelwise normalisation (Karras et al. 2018, section 4.2); on z it projects to a sphere.
    """
    moment = x.to(torch.promote_types(x.dtype, torch.float32)).square().mean(1, keepdim=True)
    return x * (moment + EPSILON).rsqrt().to(x.dtype)


class LowPass(nn.Module):
    """A fixed low-pass filter for resampling: `taps` along either side, scaled to sum 1. `kernel` (k, k) is not trained."""

    kernel: torch.Tensor

    def __init__(self, taps: Sequence[int]) -> None:
        super().__init__()
        self.taps = taps
        self.register_buffer("kernel", None, persistent=False)
        self.fill_constants()

    def fill_constants(self, device: str | None = None) -> None:
        """Compute the kernel; again after a network was built on the meta device."""
        taps = torch.tensor(self.taps, dtype=torch.float32, device=device) / sum(self.taps)
        self.kernel = torch.outer(taps, taps)


class EqualizedConv2d(nn.Module):
    """k × k convolution (N, I, H, W) → (N, O, H, W) with an equalised learning rate (Karras et al. 2018, section 4.1).

    Stored weights start as N(0, 1) and are multiplied by `gain` / √(I k²) at each use, the deviation of He et al.'s
    initialisation where the gain is √2. Adam's steps do not depend on a weight's size, so it moves all layers equally. The
    bias is used as stored.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs * kernel**2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, I, H, W) → (N, O, H, W)."""
        return conv2d(x, self.weight * self.scale, self.bias, padding=self.weight.shape[2] // 2)


class EqualizedLinear(nn.Module):
    """Linear map (N, I) → (N, O) with an equalised learning rate, as `EqualizedConv2d`.

    `lr` makes a layer learn that much slower (0.01 in StyleGAN's mapping network): it multiplies weight and bias at each use,
    and the stored weight is divided by it at the start.
    """

    def __init__(
        self, inputs: int, outputs: int, gain: float = math.sqrt(2), lr: float = 1.0, bias: float = 0.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.lr, self.scale = lr, lr * gain / math.sqrt(inputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, I) → (N, O)."""
        return functional.linear(x, self.weight * self.scale, self.bias * self.lr)


def class_planes(labels: torch.Tensor, num_classes: int, dtype: torch.dtype) -> torch.Tensor:
    """Classes as numbers of a network's input: a one for the class and zeros for the others.

    Args:
        labels: Classes (N,), or shares of classes (N, K) that blend them, which are taken as they are.
        num_classes: K.
        dtype: Of the result.

    Returns:
        (N, K).
    """
    return labels.to(dtype) if labels.is_floating_point() else functional.one_hot(labels, num_classes).to(dtype)


def class_rows(table: nn.Embedding, labels: torch.Tensor) -> torch.Tensor:
    """The rows of an embedding (K, F) for classes (N,), or the means of its rows by shares (N, K): (N, F)."""
    return torch.matmul(labels.to(table.weight.dtype), table.weight) if labels.is_floating_point() else table(labels)


class ConditionalNorm(nn.Module):
    """Batch normalisation (or none) whose scale and shift depend on the class (Dumoulin et al. 2017, equation 5)."""

    def __init__(self, features: int, num_classes: int, norm: str) -> None:
        super().__init__()
        self.normalise = (
            nn.BatchNorm2d(features, affine=False, momentum=NORM_MOMENTUM) if norm == "batch" else nn.Identity()
        )
        self.scale = nn.Parameter(torch.ones(max(num_classes, 1), features))
        self.shift = nn.Parameter(torch.zeros(max(num_classes, 1), features))

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """x (N, F, H, W), labels (N,), shares of classes (N, K) or None → (N, F, H, W)."""
        norm = self.normalise
        if labels is None and isinstance(norm, nn.BatchNorm2d):  # one scale and shift for all: one kernel does both
            if norm.training and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.add_(1)
            statistics, affine = (norm.running_mean, norm.running_var), (self.scale[0], self.shift[0])
            return nn.functional.batch_norm(x, *statistics, *affine, norm.training, NORM_MOMENTUM, norm.eps)
        if labels is not None and labels.is_floating_point():
            scale, shift = (torch.matmul(labels.to(each.dtype), each) for each in (self.scale, self.shift))
            return norm(x) * scale[:, :, None, None] + shift[:, :, None, None]
        rows = torch.zeros(1, dtype=torch.long, device=x.device) if labels is None else labels
        return norm(x) * self.scale[rows, :, None, None] + self.shift[rows, :, None, None]


class MinibatchStddev(nn.Module):
    """Appends the mean standard deviation of groups of images as one more feature map (Karras et al. 2018, section 3).

    It shows the discriminator when a generator collapses. In training mode N images fall into N / G groups of the largest
    G ≤ `group` that divides N (all N without `group`), image n into group n mod (N / G), each with its own value. In eval
    mode the map holds the running mean of these values instead (as in batch normalisation), so that a logit does not
    depend on the rest of its batch. With several `channels` S, each of S equal shares of the features has a map.
    """

    MOMENTUM = 0.01
    running: torch.Tensor

    def __init__(self, group: int | None = None, channels: int = 1) -> None:
        super().__init__()
        self.group, self.channels = group, channels
        self.register_buffer("running", torch.zeros(() if channels == 1 else (channels,)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, H, W) → (N, F + S, H, W)."""
        value = self.running.expand(x.shape[0], self.channels)  # len(x) would fix the batch of an exported network
        if self.training:
            size = max(size for size in range(1, (self.group or len(x)) + 1) if len(x) % size == 0)
            groups = x.to(torch.promote_types(x.dtype, torch.float32)).unflatten(0, (size, -1))  # (G, N/G, F, H, W)
            variance = (groups - groups.mean(0)).square().mean(0)  # on a CPU `var` takes fifty times as long
            deviation = (variance + EPSILON).sqrt()  # (N/G, F, H, W)
            if self.channels == 1:
                value = deviation.mean((1, 2, 3))[:, None]  # (N/G, 1)
            else:
                value = deviation.unflatten(1, (self.channels, -1)).mean((2, 3, 4))  # (N/G, S)
            self.running.lerp_(value.detach().mean(0).view_as(self.running).to(self.running.dtype), self.MOMENTUM)
            value = value.repeat(size, 1)  # (N, S)
        value = value.to(x.dtype)[:, :, None, None].expand(-1, self.channels, *x.shape[2:])
        return torch.cat([x, value], 1)  # (N, F + S, H, W)


class Perceptron(nn.Sequential):
    """(N, sizes[0]) → (N, sizes[-1]): linear maps from size to size, an activation after each but the last.

    With `pieces` above 1, a hidden layer has that many numbers a unit, which the activation must reduce to one (maxout). Weights
    start as torch's linear layers do, uniform within ± 1 / √I.
    """

    def __init__(self, sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU, pieces: int = 1) -> None:
        hidden = [(nn.Linear(inputs, pieces * outputs), activation()) for inputs, outputs in pairwise(sizes[:-1])]
        super().__init__(*(layer for layers in hidden for layer in layers), nn.Linear(sizes[-2], sizes[-1]))


class SpectralNorm(nn.Module):
    """A weight divided by its largest singular value σ (Miyato et al. 2018, algorithm 1): u ← Wv, v ← Wᵀu, σ = |Wv|, |v| = 1.

    W has the output features as rows, which are dimension `rows` of the weight. One step of the power iteration at each use
    in training, none in eval. torch's own version stores u as well and trusts the lengths of both. An average of networks
    does not keep them: averaged directions are shorter than 1, and σ would be too small.
    """

    v: torch.Tensor

    def __init__(self, weight: torch.Tensor, rows: int = 0) -> None:
        super().__init__()
        self.rows = rows
        matrix = self.matrix(weight.detach())
        self.register_buffer("v", functional.normalize(torch.randn(matrix.shape[1]), dim=0))
        for _ in range(0 if matrix.is_meta else 15):  # on the meta device there are no numbers
            self.power_iteration(matrix)

    def matrix(self, weight: torch.Tensor) -> torch.Tensor:
        """W (O, I k²) of a weight (O, I, k, k), or (I, O, k, k) where `rows` is 1."""
        return weight.movedim(self.rows, 0).flatten(1)

    @torch.no_grad()
    def power_iteration(self, matrix: torch.Tensor) -> None:
        """One step of v towards the right singular vector of the largest singular value."""
        self.v.copy_(functional.normalize(matrix.t() @ (matrix @ self.v), dim=0))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight divided by σ, in its shape."""
        matrix = self.matrix(weight)
        with precision(weight.device, force_fp32=True):
            if self.training:
                self.power_iteration(matrix)
            # A copy: the next use changes v, and the gradient of this one still needs it.
            v = functional.normalize(self.v.clone(), dim=0)
            return weight / torch.linalg.vector_norm(matrix @ v)


Weighted = TypeVar("Weighted", bound=nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.Embedding)


def with_spectral_norm(layer: Weighted) -> Weighted:
    """The layer, its weight divided by its largest singular value at each use (`SpectralNorm`); a bias stays as it is."""
    parametrization = SpectralNorm(layer.weight, rows=int(isinstance(layer, nn.ConvTranspose2d)))
    # unsafe=True: torch does not try the forward first, which would be a step of the iteration, also on the meta device.
    parametrize.register_parametrization(layer, "weight", parametrization, unsafe=True)
    # torch makes a class for this one layer, which no other process can import, and refuses to pickle it.
    type(layer).__reduce_ex__ = _reduce_spectral_norm
    return layer


def _reduce_spectral_norm(layer: nn.Module, protocol: SupportsIndex, /) -> tuple[Any, ...]:
    """How a layer with a `SpectralNorm` is sent to another process: as a plain layer and its parametrization."""
    weight = cast(parametrize.ParametrizationList, layer.get_submodule("parametrizations.weight"))
    state = layer.__dict__ | {"_parameters": layer._parameters | {"weight": weight.original}, "_modules": {}}
    return _restore_spectral_norm, (type(layer).__bases__[0], state, weight[0])


def _restore_spectral_norm(kind: type[nn.Module], state: dict[str, Any], parametrization: SpectralNorm) -> nn.Module:
    """The layer that `_reduce_spectral_norm` took apart."""
    layer = kind.__new__(kind)
    layer.__dict__.update(state)
    parametrize.register_parametrization(layer, "weight", parametrization, unsafe=True)
    type(layer).__reduce_ex__ = _reduce_spectral_norm
    return layer


class ClampSTE(torch.autograd.Function):
    """Clamp images (N, C, H, W) to [-1, 1]; outside, gradients pass only if they point back inside.

    The discriminator sees what a viewer sees, and no pixel is stuck beyond the bound, as behind a plain clamp.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, images: torch.Tensor) -> torch.Tensor:
        """The clamped images."""
        ctx.save_for_backward(images)
        return images.clamp(-1, 1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        """The gradient, 0 where a step along it would lead further out."""
        (images,) = ctx.saved_tensors
        return gradient * ((images.abs() <= 1) | (images * gradient > 0))

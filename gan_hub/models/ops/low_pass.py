"""Fixed low-pass filters whose derivatives, of any order, are filters again, in the form that a CPU is fastest at.

A filter is linear, so its derivative is its adjoint, whose derivative is the filter. Of a convolution with a group a feature map
torch has a fast forward only: its gradient takes up to 30 times as long, and the second derivative gives the fixed weights one,
too. What doubles the size is torch's bilinear interpolation, which is [1, 3, 3, 1] / 4 along either side but for the edge, where
it repeats the last pixel instead of taking zeros.

Shapes: N images, F feature maps, H × W.
"""

from typing import Any

import torch
from torch.nn import functional

from gan_hub.models.ops.convolution import is_traced

EDGE = 0.75  # of the last pixel, the part that lies within the image
LINEAR_GAIN = 4.0  # of interpolation, which fills four pixels with one


def is_faster(x: torch.Tensor) -> bool:
    """Whether the functions below are to be taken: on a CPU, where x is differentiated and nothing is compiled or mapped."""
    return torch.is_grad_enabled() and x.requires_grad and x.device.type == "cpu" and not is_traced()


def blur(x: torch.Tensor, kernel: torch.Tensor, padding: int) -> torch.Tensor:
    """Convolve each feature map with the same kernel.

    Args:
        x: (N, F, H, W).
        kernel: (k, k).
        padding: Zeros beyond each edge, below k.

    Returns:
        (N, F, H + 2 padding − k + 1, likewise), in the dtype of x.
    """
    return Blur.apply(x, kernel, padding)


def halve(x: torch.Tensor, kernel: torch.Tensor, gain: float = 1.0) -> torch.Tensor:
    """Filter each feature map and take every second pixel.

    Args:
        x: (N, F, 2H, 2W).
        kernel: The square of [1, 3, 3, 1] / 8, (4, 4).
        gain: Multiplies the result.

    Returns:
        (N, F, H, W), in the dtype of x.
    """
    return Resize.apply(x, kernel, gain, False)


def double(x: torch.Tensor, kernel: torch.Tensor, gain: float = LINEAR_GAIN) -> torch.Tensor:
    """Put zeros between the pixels of each feature map and filter it: the adjoint of `halve`.

    Args:
        x: (N, F, H, W).
        kernel: As of `halve`.
        gain: Multiplies the result; the 4 zeros of 4 pixels take as much away.

    Returns:
        (N, F, 2H, 2W), in the dtype of x.
    """
    return Resize.apply(x, kernel, gain, True)


class Blur(torch.autograd.Function):
    """y = x ∗ kernel."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kernel: torch.Tensor, padding: int) -> torch.Tensor:
        """y."""
        ctx.save_for_backward(kernel)
        ctx.padding = padding
        return _convolved(x, kernel, stride=1, padding=padding)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The adjoint: the kernel turned by half, and as many zeros as bring the size back."""
        (kernel,) = ctx.saved_tensors
        return Blur.apply(gradient, kernel.flip(0, 1), len(kernel) - 1 - ctx.padding), None, None


class Resize(torch.autograd.Function):
    """`double` where `up`, else `halve`."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kernel: torch.Tensor, gain: float, up: bool) -> torch.Tensor:
        """The filtered features."""
        ctx.save_for_backward(kernel)
        ctx.gain, ctx.up = gain, up
        if not up:
            return _convolved(x, gain * kernel, stride=2, padding=1)
        if not x.is_contiguous(memory_format=torch.channels_last):  # interpolation of such is slow
            exact = torch.promote_types(x.dtype, torch.float32)  # and so is this in bf16
            return _convolved(x.to(exact), gain * kernel, stride=2, padding=1, transposed=True).to(x.dtype)
        x = x if gain == LINEAR_GAIN else x * (gain / LINEAR_GAIN)
        y = functional.interpolate(x, scale_factor=2, mode="bilinear")
        y[:, :, :: y.shape[2] - 1] *= EDGE
        y[:, :, :, :: y.shape[3] - 1] *= EDGE
        return y

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The adjoint."""
        (kernel,) = ctx.saved_tensors
        return Resize.apply(gradient, kernel, ctx.gain, not ctx.up), None, None, None


def _convolved(
    x: torch.Tensor, kernel: torch.Tensor, stride: int, padding: int, transposed: bool = False
) -> torch.Tensor:
    """A group a feature map, in the dtype of x also inside autocast."""
    weight = kernel.to(x.dtype).expand(x.shape[1], 1, *kernel.shape)
    with torch.autocast(x.device.type, enabled=False):
        return torch.convolution(x, weight, None, [stride] * 2, [padding] * 2, [1, 1], transposed, [0, 0], len(weight))

"""Low-pass filters of any number of taps, and changes of the sampling rate through them.

A filter is linear, so its derivative is its adjoint: what doubles becomes what halves. Of a convolution with a group a feature
map torch has a fast forward only, so that the adjoint is computed as a forward, too. Features are expected in the memory format
`channels_last`, for which a CPU has the better kernels.

Shapes: N images, F feature maps, H × W.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from gan_hub.models.modeling import precision
from gan_hub.models.ops.low_pass import is_faster


def kaiser_window(taps: int, width: float) -> np.ndarray:
    """The window of Kaiser (1974), as Karras et al. 2021 (arXiv 2106.12423), appendix C.1, equations 4 to 6, take it.

    Args:
        taps: Length of the filter.
        width: Of the transition band, as a share of half the sampling rate.

    Returns:
        (taps,), float64.
    """
    attenuation = 2.285 * (taps - 1) * math.pi * width + 7.95  # decibels
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    elif attenuation > 21:
        beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    else:
        beta = 0.0
    return np.kaiser(taps, beta)


def low_pass_filter(taps: int, cutoff: float, width: float, rate: float, radial: bool = False) -> np.ndarray:
    """A windowed ideal low-pass filter whose taps sum to 1.

    Args:
        taps: Its length along a side; an even number, so that no tap lies in the middle.
        cutoff: The frequency that it lets through half, in cycles a unit of length.
        width: Of its transition band around the cutoff, in the same unit.
        rate: Samples a unit of length.
        radial: Whether it is the same in all directions (a jinc, appendix C.2) instead of a sinc along either side.

    Returns:
        (taps,) for a filter to be used along either side, (taps, taps) for a radial one; float64.
    """
    places = (np.arange(taps) - (taps - 1) / 2) / rate
    window = kaiser_window(taps, width / (rate / 2))
    if radial:
        radius = np.hypot(places[:, None], places)
        wave = torch.special.bessel_j1(torch.from_numpy(2 * np.pi * cutoff * radius)).numpy()
        values = wave / radius * np.outer(window, window)
    else:
        values = np.sinc(2 * cutoff * places) * window
    return values / values.sum()


def upsample(x: torch.Tensor, taps: torch.Tensor, factor: int, crop: int) -> torch.Tensor:
    """Put zeros between the pixels of each feature map, then filter.

    Args:
        x: (N, F, H, W).
        taps: (k,) for a filter along either side, (k, k) for one that is not separable; turning it by half changes nothing.
        factor: How many pixels become of one along a side. The zeros' loss is not made up for.
        crop: How many pixels of the result are left out at each edge.

    Returns:
        (N, F, (H − 1) factor + k − 2 crop, likewise).
    """
    return _along_both_sides(x, taps, factor, crop, True)


def downsample(x: torch.Tensor, taps: torch.Tensor, factor: int) -> torch.Tensor:
    """Filter each feature map where the filter lies within it, and keep every `factor`-th pixel: the adjoint of `upsample`.

    Args:
        x: (N, F, H, W).
        taps: As of `upsample`.
        factor: How many pixels become one along a side.

    Returns:
        (N, F, (H − k) / factor + 1, likewise).
    """
    return _along_both_sides(x, taps, factor, 0, False)


def _along_both_sides(x: torch.Tensor, taps: torch.Tensor, factor: int, padding: int, transposed: bool) -> torch.Tensor:
    if taps.dim() == 2:
        return _filtered(x, taps, (factor, factor), (padding, padding), transposed)
    x = _filtered(x, taps[:, None], (factor, 1), (padding, 0), transposed)
    return _filtered(x, taps[None], (1, factor), (0, padding), transposed)


def _filtered(
    x: torch.Tensor, kernel: torch.Tensor, stride: tuple[int, int], padding: tuple[int, int], transposed: bool
) -> torch.Tensor:
    if is_faster(x):
        return Filter.apply(x, kernel, stride, padding, transposed, None)
    return _convolved(x, kernel, stride, padding, transposed, None)


class Filter(torch.autograd.Function):
    """y = x ∗ kernel, or its adjoint where `transposed`, which then has the size `size`, None for the smallest."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        kernel: torch.Tensor,
        stride: tuple[int, int],
        padding: tuple[int, int],
        transposed: bool,
        size: Sequence[int] | None,
    ) -> torch.Tensor:
        """y."""
        ctx.save_for_backward(kernel)
        ctx.options, ctx.size = (stride, padding, not transposed), x.shape[2:]
        return _convolved(x, kernel, stride, padding, transposed, size)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The adjoint, at the size of x."""
        (kernel,) = ctx.saved_tensors
        return Filter.apply(gradient, kernel, *ctx.options, ctx.size), None, None, None, None, None


def _convolved(
    x: torch.Tensor,
    kernel: torch.Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    transposed: bool,
    size: Sequence[int] | None,
) -> torch.Tensor:
    """A group a feature map, in the dtype of x also inside autocast."""
    weight = kernel.to(x.dtype).expand(x.shape[1], 1, *kernel.shape)
    with precision(x.device, force_fp32=True):
        if not transposed:
            return functional.conv2d(x, weight, None, stride, padding, groups=x.shape[1])
        more = [0, 0]  # pixels at the far edges, where the size is not the smallest
        if size is not None:
            sides = zip(size, x.shape[2:], kernel.shape, stride, padding, strict=True)
            more = [side - (own - 1) * step - taps + 2 * edge for side, own, taps, step, edge in sides]
        return functional.conv_transpose2d(x, weight, None, stride, padding, more, groups=x.shape[1])

"""Grouped convolutions whose second derivative, which every gradient penalty takes, is as cheap as the first.

torch differentiates the gradient of a grouped convolution one group at a time, and asks for the weights' part even where
they are fixed: a blur of 256 feature maps, a group each, becomes 256 convolutions. On an H100 a step with R1 and R2 of R3GAN
at 64 × 64 took 1.0 s where one without took 33 ms. A convolution is bilinear in image and weights, so its second derivative is
more convolutions of the same groups, which is what is written here. Third derivatives are torch's.
"""

import torch
from torch.nn import functional


def grouped(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    transposed: bool = False,
) -> torch.Tensor:
    """`conv2d`, or with `transposed` `conv_transpose2d`: the same numbers, as derivatives too, up to rounding.

    Inside autocast, where no penalty is computed, and where nothing is differentiated it is torch's own.
    """
    differentiated = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad) and not x.is_meta
    if torch.compiler.is_compiling() or not differentiated or torch.is_autocast_enabled(x.device.type):
        convolution = functional.conv_transpose2d if transposed else functional.conv2d
        return convolution(x, weight, bias, stride=stride, padding=padding, groups=groups)
    options = [stride] * 2, [padding] * 2, [1, 1], transposed, [0, 0], groups
    return Convolution.apply(x, weight, bias, options)


class Convolution(torch.autograd.Function):
    """y = x ∗ weight + bias; `options` as torch.convolution takes them, after the bias."""

    @staticmethod
    def forward(ctx, x, weight, bias, options):
        ctx.save_for_backward(x, weight)
        ctx.options = options
        return torch.convolution(x, weight, bias, *options)

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias, _ = ctx.needs_input_grad
        of_x = of_weight = None
        if needs_x or needs_weight:
            of_x, of_weight = Gradients.apply(gradient, x, weight, ctx.options, (needs_x, needs_weight))
        return of_x, of_weight, gradient.sum((0, 2, 3)) if needs_bias else None, None


class Gradients(torch.autograd.Function):
    """(∂/∂x, ∂/∂weight) of ⟨gradient, x ∗ weight⟩, None where it is not needed; itself bilinear in each pair of the three."""

    @staticmethod
    def forward(ctx, gradient, x, weight, options, needed):
        ctx.save_for_backward(gradient, x, weight)
        ctx.options = options
        ctx.set_materialize_grads(False)
        return _gradients(gradient, x, weight, options, needed)

    @staticmethod
    def backward(ctx, along_x, along_weight):
        gradient, x, weight = ctx.saved_tensors
        needs_gradient, needs_x, needs_weight, *_ = ctx.needs_input_grad
        of_gradient = of_x = of_weight = None
        if along_x is not None:
            if needs_gradient:
                of_gradient = torch.convolution(along_x, weight, None, *ctx.options)
            if needs_weight:
                _, of_weight = _gradients(gradient, along_x, weight, ctx.options, (False, True))
        if along_weight is not None:
            if needs_gradient:
                more = torch.convolution(x, along_weight, None, *ctx.options)
                of_gradient = more if of_gradient is None else of_gradient + more
            if needs_x:
                of_x, _ = _gradients(gradient, x, along_weight, ctx.options, (True, False))
        return of_gradient, of_x, of_weight, None, None


def _gradients(gradient, x, weight, options, needed):
    return torch.ops.aten.convolution_backward(gradient, x, weight, None, *options, (*needed, False))[:2]

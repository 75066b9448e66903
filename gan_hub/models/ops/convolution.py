"""Convolutions whose second derivative, which gradient penalties need, is as cheap as the first.

torch differentiates the gradient of a grouped convolution one group at a time, and asks for the weights' part even where
they are fixed: a blur of 256 feature maps, a group each, becomes 256 convolutions. On an H100 a step with R1 and R2 of R3GAN
at 64 × 64 took 1.0 s where one without took 33 ms. Of any convolution it takes the second derivative by the weights as a
convolution of features with features, whose kernel is as large as they are; a CPU is slow at that. A convolution is bilinear in
image and weights, so its second derivative is more convolutions of the same shape. Third derivatives are torch's.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

# What torch.convolution takes after the bias: stride, padding, dilation, transposed, output padding, groups.
Options = tuple[list[int], list[int], list[int], bool, list[int], int]


def conv2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    transposed: bool = False,
) -> torch.Tensor:
    """A convolution with the values and derivatives of torch's, up to rounding.

    Inside autocast, where no penalty is computed, inside transforms of torch.func, and where nothing is differentiated it is
    torch's own.

    Args:
        x: (N, I, H, W).
        weight: (O, I / groups, k, k), or (I, O / groups, k, k) where it is transposed.
        bias: (O,), or None.
        stride, padding, groups: As for torch's.
        transposed: torch's `conv_transpose2d` instead of its `conv2d`.

    Returns:
        (N, O, H', W').
    """
    differentiated = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad) and not x.is_meta
    if not differentiated or is_traced() or torch.is_autocast_enabled(x.device.type):
        convolution = functional.conv_transpose2d if transposed else functional.conv2d
        return convolution(x, weight, bias, stride=stride, padding=padding, groups=groups)
    options: Options = [stride] * 2, [padding] * 2, [1, 1], transposed, [0, 0], groups
    return Convolution.apply(x, weight, bias, options)


def is_traced() -> bool:
    """Whether a compiler or a transform of torch.func (vmap, grad, jvp) looks on: both have derivatives of their own."""
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()


class Conv2d(nn.Conv2d):
    """torch's layer, computed by `conv2d`: same stride and padding along both sides, no dilation.

    Example:
        >>> import torch
        >>> from gan_hub.models.ops.convolution import Conv2d
        >>> Conv2d(3, 8, 3, padding=1)(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2, 8, 16, 16])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int = 1,
        padding: int = 0,
        *,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]  # its name
        """(N, I, H, W) → (N, O, H', W')."""
        return conv2d(x, self.weight, self.bias, self.stride[0], int(self.padding[0]), self.groups)


class Convolution(torch.autograd.Function):
    """y = x ∗ weight + bias."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, options: Options
    ) -> torch.Tensor:
        """y."""
        ctx.save_for_backward(x, weight)
        ctx.options = options
        return torch.convolution(x, weight, bias, *options)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradients of x, weight and bias, each where it is needed."""
        x, weight = ctx.saved_tensors
        x_gradient = weight_gradient = None
        needed = _is_asked_for(ctx, 0), _is_asked_for(ctx, 1)
        if any(needed):
            x_gradient, weight_gradient = Gradients.apply(gradient, x, weight, ctx.options, needed)
        return x_gradient, weight_gradient, gradient.sum((0, 2, 3)) if _is_asked_for(ctx, 2) else None, None


class Gradients(torch.autograd.Function):
    """(∂/∂x, ∂/∂weight) of ⟨gradient, x ∗ weight⟩, None where not needed. It is bilinear in each pair of the three."""

    @staticmethod
    def forward(
        ctx: Any,
        gradient: torch.Tensor,
        x: torch.Tensor,
        weight: torch.Tensor,
        options: Options,
        needed: tuple[bool, bool],
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """The two first derivatives."""
        ctx.save_for_backward(gradient, x, weight)
        ctx.options = options
        ctx.set_materialize_grads(False)
        return _gradients(gradient, x, weight, options, needed)

    @staticmethod
    def backward(
        ctx: Any, along_x: torch.Tensor | None, along_weight: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, ...]:
        """The second derivatives.

        Args:
            ctx: What `forward` saved.
            along_x, along_weight: The directions, in the shapes of x and weight; None where there is none.

        Returns:
            The gradients of `gradient`, x and weight, and None for the others.
        """
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


def _is_asked_for(ctx: Any, place: int) -> bool:
    """Whether the backward that runs now goes on to an input; that of a penalty goes to the images and not to the weights.

    torch's own functions are told so. `needs_input_grad` is of whatever requires a gradient.
    """
    if not ctx.needs_input_grad[place]:
        return False
    try:
        return torch._C._will_engine_execute_node(ctx.next_functions[place][0])
    except RuntimeError:  # it does not answer for a leaf whose gradient is what `torch.autograd.grad` returns
        return True


def _gradients(
    gradient: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor,
    options: Options,
    needed: tuple[bool, bool],
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """torch's derivatives by x and by weight, each where it is `needed`."""
    return torch.ops.aten.convolution_backward(gradient, x, weight, None, *options, (*needed, False))[:2]

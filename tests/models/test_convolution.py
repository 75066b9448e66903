"""Grouped convolutions: torch's numbers, derivatives of both orders, and no convolution a group among them."""

from collections import Counter
from typing import ClassVar

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from gan_hub.models.ops.convolution import Conv2d, conv2d

CASES = [
    {"stride": 1, "padding": 1, "groups": 2},
    {"stride": 2, "padding": 1, "groups": 4},
    {"stride": 2, "padding": 1, "groups": 4, "transposed": True},
]


def tensors(transposed=False, groups=1, dtype=torch.float64, fixed=False, **_):
    """x (2, 4, 6, 5), weight of 4 → 8 feature maps (8 → 4 where transposed), bias (8,)."""
    generator = torch.Generator().manual_seed(0)
    shape = (4, 8 // groups, 4, 4) if transposed else (8, 4 // groups, 4, 4)
    made = [torch.randn(size, generator=generator, dtype=dtype) for size in ((2, 4, 6, 5), shape, (8,))]
    for tensor in made[:1] if fixed else made:
        tensor.requires_grad_()
    return made


class Calls(TorchDispatchMode):
    """Counts what torch is asked for inside."""

    def __init__(self):
        super().__init__()
        self.count = Counter()

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        self.count[operator.overloadpacket.__name__] += 1
        return operator(*args, **(kwargs or {}))


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_torchs_to_the_bit(case):
    x, weight, bias = tensors(**case)
    options = {key: value for key, value in case.items() if key != "transposed"}
    torchs = functional.conv_transpose2d if case.get("transposed") else functional.conv2d
    assert torch.equal(conv2d(x, weight, bias, **case), torchs(x, weight, bias, **options))
    assert torch.equal(conv2d(x, weight, **case), torchs(x, weight, None, **options))


@pytest.mark.parametrize("case", CASES)
def test_both_derivatives_are_right_in_every_argument(case):
    inputs = tensors(**case)
    assert gradcheck(lambda *given: conv2d(*given, **case), inputs)
    assert gradgradcheck(lambda *given: conv2d(*given, **case), inputs)


@pytest.mark.parametrize("case", CASES)
def test_fixed_weights_have_right_derivatives_too(case):
    x, weight, _ = tensors(**case, fixed=True)
    assert gradgradcheck(lambda given: conv2d(given, weight, **case).square(), [x])


def test_a_penalty_of_many_groups_takes_as_many_convolutions_as_one_of_few():
    def convolutions(groups):
        x = torch.randn(2, 32, 8, 8, requires_grad=True)
        weight = torch.randn(32, 32 // groups, 3, 3, requires_grad=True)
        with Calls() as calls:
            y = conv2d(x, weight, padding=1, groups=groups)
            (slope,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
            slope.square().sum().backward()
        return sum(count for name, count in calls.count.items() if "convolution" in name)

    assert convolutions(groups=32) == convolutions(groups=2) <= 8


def test_autocast_and_inference_take_torchs_own():
    x, weight, bias = tensors(groups=2, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert conv2d(x, weight, bias, groups=2).dtype == torch.bfloat16
    with torch.no_grad():
        assert conv2d(x, weight, bias, groups=2).grad_fn is None


def test_the_second_derivative_of_a_dense_convolution_has_no_kernel_of_the_size_of_an_image():
    class Kernels(Calls):
        sizes: ClassVar[list] = []

        def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
            if operator.overloadpacket.__name__ in ("convolution", "mkldnn_convolution"):
                self.sizes.append(args[1].shape[2:])
            return super().__torch_dispatch__(operator, types, args, kwargs)

    x, weight, _ = tensors(dtype=torch.float32)
    with Kernels() as kernels:
        (slope,) = torch.autograd.grad(conv2d(x, weight, padding=1).square().sum(), x, create_graph=True)
        slope.square().sum().backward()
    assert set(kernels.sizes) == {weight.shape[2:]}


def test_the_layer_computes_what_torchs_does():
    torch.manual_seed(0)
    options = {"stride": 2, "padding": 1, "groups": 2}
    own, torchs = Conv2d(4, 8, 3, **options), torch.nn.Conv2d(4, 8, 3, **options)
    torchs.load_state_dict(own.state_dict())
    x = torch.randn(2, 4, 6, 5)
    assert torch.equal(own(x), torchs(x))

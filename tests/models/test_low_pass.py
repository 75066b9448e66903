"""Low-pass filters for training on a CPU: the numbers of the convolution, derivatives of any order, no slow gradient."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from gan_hub.models.ops import low_pass
from gan_hub.models.r3gan import Downsample, Upsample
from gan_hub.models.stylegan2 import Resample
from tests.models.test_convolution import Calls

LAYOUTS = (torch.contiguous_format, torch.channels_last)
TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
KERNEL = torch.outer(TAPS, TAPS)
SKEW = torch.arange(9.0).view(3, 3)  # not its own mirror image, so that a wrong turn shows


def features(layout, dtype=torch.float64):
    """(2, 3, 6, 4), that is differentiated."""
    x = torch.randn(2, 3, 6, 4, dtype=dtype, generator=torch.Generator().manual_seed(0))
    return x.contiguous(memory_format=layout).requires_grad_()


def convolved(x, kernel, transposed=False, **options):
    """torch's convolution with a group a feature map."""
    convolution = functional.conv_transpose2d if transposed else functional.conv2d
    return convolution(x, kernel.to(x.dtype).expand(3, 1, *kernel.shape), groups=3, **options)


CASES = {
    "blur": (lambda x: low_pass.blur(x, SKEW, 1), lambda x: convolved(x, SKEW, padding=1)),
    "wide blur": (lambda x: low_pass.blur(x, KERNEL, 2), lambda x: convolved(x, KERNEL, padding=2)),
    "halve": (lambda x: low_pass.halve(x, KERNEL, 0.5), lambda x: convolved(x, KERNEL / 2, stride=2, padding=1)),
    "double": (
        lambda x: low_pass.double(x, KERNEL),
        lambda x: convolved(x, 4 * KERNEL, transposed=True, stride=2, padding=1),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CASES)
def test_a_filter_and_both_its_derivatives_are_those_of_the_convolution(name, layout):
    ours, torchs = CASES[name]
    x = features(layout)
    torch.testing.assert_close(ours(x), torchs(x), rtol=0, atol=1e-14)
    assert gradcheck(ours, x)
    assert gradgradcheck(lambda given: ours(given).square(), x)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CASES)
def test_in_bf16_a_filter_rounds_no_more_than_its_result(name, layout):
    ours, torchs = CASES[name]
    x = features(layout, torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = ours(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), torchs(x.double()).float(), rtol=2**-7, atol=2**-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_derivative_asks_torch_for_the_gradient_of_a_group_a_feature_map(dtype):
    for layer in (Upsample(4, 4), Downsample(4, 4), Resample().upsample, Resample().downsample):
        x = torch.randn(2, 4, 8, 8, dtype=dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
        with Calls() as calls:
            (slope,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
            slope.square().sum().backward()
        assert "convolution_backward" not in calls.count


@pytest.mark.parametrize("layer", [Upsample(4, 4), Downsample(4, 4)], ids=["up", "down"])
def test_training_and_drawing_differ_in_the_last_place_at_most(layer):
    x = torch.randn(2, 4, 8, 8).contiguous(memory_format=torch.channels_last).requires_grad_()
    with torch.no_grad():
        drawn = layer(x)
    torch.testing.assert_close(layer(x), drawn, rtol=1e-6, atol=1e-6)

"""Convolutions: torch's numbers, derivatives of both orders, and no convolution a group among them."""

from collections import Counter
from typing import ClassVar

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from gan_hub.models import DCGANDiscriminator, DCGANGenerator, R3GANDiscriminator
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
        self.computed = []  # of each gradient of a convolution: whether of x, weights and bias

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        self.count[operator.overloadpacket.__name__] += 1
        if operator.overloadpacket.__name__ == "convolution_backward":
            self.computed.append(tuple(args[-1]))
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


def test_the_layer_refuses_what_it_would_not_do():
    for option in ({"dilation": 2}, {"padding_mode": "reflect"}):
        with pytest.raises(TypeError, match=next(iter(option))):
            Conv2d(4, 8, 3, **option)


def test_the_images_gradient_of_a_penalty_computes_none_of_the_weights():
    x, weight, bias = tensors()
    with Calls() as calls:
        torch.autograd.grad(conv2d(x, weight, bias, padding=1).sum(), x, create_graph=True)
    assert calls.computed == [(True, False, False)]
    with Calls() as calls:
        (2 * conv2d(x, 3 * weight, bias, padding=1)).sum().backward()
    assert calls.computed == [(True, True, False)] and x.grad is not None and weight.grad is not None


def test_gradients_that_are_asked_for_by_name_come_alone_and_are_torchs():
    x, weight, bias = tensors()
    for wanted in ([x], [weight], [bias], [weight, bias], [x, weight, bias]):
        found = torch.autograd.grad(conv2d(x, weight, bias, padding=1).square().sum(), wanted)
        expected = torch.autograd.grad(functional.conv2d(x, weight, bias, padding=1).square().sum(), wanted)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "network",
    [
        DCGANGenerator(resolution=8, latent_size=4, base_channels=2),
        DCGANDiscriminator(resolution=8, channels=1, base_channels=2),
        R3GANDiscriminator(resolution=8, channels=1, base_channels=16, max_channels=16),
    ],
    ids=lambda network: type(network).__name__,
)
def test_transforms_of_torch_func_go_through_networks(network):
    network.eval()
    given = torch.randn(2, *((4,) if isinstance(network, DCGANGenerator) else (1, 8, 8)))
    weights = dict(network.named_parameters())

    def loss(weights, rows):
        return torch.func.functional_call(network, weights, (rows, None)).square().sum()

    of_each = torch.func.vmap(lambda row: torch.func.grad(loss)(weights, row[None]))(given)
    loss(weights, given).backward()
    for name, weight in weights.items():
        torch.testing.assert_close(of_each[name].sum(0), weight.grad)
    _, along = torch.func.jvp(lambda rows: loss(weights, rows), (given,), (torch.ones_like(given),))
    torch.testing.assert_close(along, torch.func.grad(loss, argnums=1)(weights, given).sum())

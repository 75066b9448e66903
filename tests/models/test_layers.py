"""The pieces that several architectures share: grids, widths, equalised layers, norms, the bounds."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from gan_hub.images import height_width
from gan_hub.models.layers import (
    ClampSTE,
    EqualizedConv2d,
    EqualizedLinear,
    MinibatchStddev,
    SpectralNorm,
    like_weights,
    linear_of_features,
    normalize_2nd_moment,
    stage_resolutions,
    stage_widths,
    with_spectral_norm,
)

# ------------------------------------------------------------------------------------ grids and widths


@pytest.mark.parametrize(
    ("resolution", "expected"),
    [
        (8, [(4, 4), (8, 8)]),
        (28, [(7, 7), (14, 14), (28, 28)]),
        (32, [(4, 4), (8, 8), (16, 16), (32, 32)]),
        (36, [(9, 9), (18, 18), (36, 36)]),
        (1024, [(2**k, 2**k) for k in range(2, 11)]),
        ([32, 48], [(4, 6), (8, 12), (16, 24), (32, 48)]),
        ([64, 24], [(16, 6), (32, 12), (64, 24)]),
        ([8, 36], [(4, 18), (8, 36)]),
    ],
)
def test_the_image_is_halved_while_both_sides_are_even_and_the_shorter_one_is_at_least_8(resolution, expected):
    assert stage_resolutions(resolution) == expected


def test_every_size_that_a_config_allows_is_doubled_exactly_from_a_grid_that_cannot_be_halved_further():
    sides = range(8, 1025, 4)
    for resolution in [*sides, *([8, side] for side in sides), *([side, 28] for side in sides)]:
        found = stage_resolutions(resolution)
        assert found[-1] == height_width(resolution) and len(found) > 1
        for (height, width), large in zip(found, found[1:]):
            assert large == (2 * height, 2 * width)
        height, width = found[0]
        assert min(height, width) >= 4 and (min(height, width) < 8 or height % 2 or width % 2)


def test_the_widths_for_1024_are_the_papers():
    assert stage_widths(1024, 16, 512) == [512, 512, 512, 512, 256, 128, 64, 32, 16]  # table 2 of ProGAN
    assert stage_widths(1024, 32, 512) == [512, 512, 512, 512, 512, 256, 128, 64, 32]  # StyleGAN2, config F


def test_there_is_a_width_for_each_grid_halved_down_to_the_base_and_never_above_the_most():
    assert stage_widths(28, 8, 24) == [24, 16, 8]
    assert stage_widths([64, 24], 3, 100) == [12, 6, 3]
    assert stage_widths(32, 16, 4) == [4, 4, 4, 4]


# ------------------------------------------------------------------------------------ equalised layers


@pytest.mark.parametrize("gain", [1.0, math.sqrt(2)])
def test_equalised_layers_store_weights_of_deviation_1_and_put_out_the_gain(gain):
    torch.manual_seed(0)
    linear, convolution = EqualizedLinear(256, 256, gain), EqualizedConv2d(64, 64, 3, gain)
    inner = convolution(torch.randn(4, 64, 16, 16))[:, :, 1:-1, 1:-1]  # the border is padded with zeros
    for layer, out in ((linear, linear(torch.randn(64, 256))), (convolution, inner)):
        assert abs(layer.weight.std().item() - 1) < 0.02 and not layer.bias.any()
        assert abs(out.std().item() / gain - 1) < 0.05


@pytest.mark.parametrize("kernel", [1, 3])
def test_an_equalised_convolution_is_a_convolution_with_scaled_weights_of_the_same_size(kernel):
    layer, x = EqualizedConv2d(5, 4, kernel, gain=0.5), torch.randn(2, 5, 6, 8)
    torch.nn.init.normal_(layer.bias)
    weight = layer.weight * 0.5 / math.sqrt(5 * kernel**2)
    expected = torch.nn.functional.conv2d(x, weight, padding=kernel // 2) + layer.bias[:, None, None]
    torch.testing.assert_close(layer(x), expected)
    assert layer(x).shape == (2, 4, 6, 8)


def test_the_lr_of_an_equalised_linear_map_scales_its_step_and_not_its_output():
    slow, fast = EqualizedLinear(4, 4, lr=0.01, bias=1.0), EqualizedLinear(4, 4, bias=0.01)
    assert (slow.bias == 1).all()
    with torch.no_grad():
        fast.weight.copy_(slow.weight * 0.01)
    x = torch.randn(3, 4)
    torch.testing.assert_close(slow(x), fast(x))
    slow(x).sum().backward(), fast(x).sum().backward()
    for name in ("weight", "bias"):
        torch.testing.assert_close(getattr(slow, name).grad, 0.01 * getattr(fast, name).grad)


def test_the_lr_of_an_equalised_linear_map_enlarges_what_is_stored():
    torch.manual_seed(0)
    layer = EqualizedLinear(256, 256, gain=1, lr=0.01)
    assert abs(0.01 * layer.weight.std().item() - 1) < 0.02
    assert abs(layer(torch.randn(64, 256)).std().item() - 1) < 0.05


# --------------------------------------------------------------------------------------- second moment


@pytest.mark.parametrize("shape", [(3, 8), (3, 8, 4, 6)])
def test_each_vector_over_the_features_gets_a_mean_square_of_1_and_keeps_its_direction(shape):
    x = 5 * torch.randn(shape)
    y = normalize_2nd_moment(x)
    torch.testing.assert_close(y.square().mean(1), torch.ones_like(y[:, 0]))
    torch.testing.assert_close(torch.cosine_similarity(x, y), torch.ones_like(y[:, 0]))


def test_a_second_moment_of_0_stays_0_and_float16_does_not_overflow():
    assert not normalize_2nd_moment(torch.zeros(2, 4)).any()
    big = normalize_2nd_moment(torch.full((1, 4), 3e4, dtype=torch.float16))  # its square is no float16
    assert big.dtype == torch.float16
    torch.testing.assert_close(big, torch.ones_like(big))
    tiny = normalize_2nd_moment(torch.full((1, 4), 1e-4))  # whose square is the epsilon
    torch.testing.assert_close(tiny, torch.full((1, 4), 0.5**0.5))


# --------------------------------------------------------------------------------- minibatch deviation


def test_minibatch_stddev_in_training_is_the_batchs_mean_deviation():
    layer, x = MinibatchStddev().train(), torch.randn(6, 2, 4, 4)
    out = layer(x)
    assert out.shape == (6, 3, 4, 4) and torch.equal(out[:, :2], x)
    expected = x.std(0, unbiased=False).mean()
    torch.testing.assert_close(out[:, 2], expected.expand(6, 4, 4))
    torch.testing.assert_close(layer.running, 0.01 * expected)  # a hundredth of the way from 0


def test_minibatch_stddev_with_a_group_belongs_to_strided_groups():
    layer, x = MinibatchStddev(4), torch.randn(8, 2, 4, 6)
    out = layer(x)
    assert out.shape == (8, 3, 4, 6) and torch.equal(out[:, :2], x)
    each = [x[first::2].std(0, unbiased=False).mean() for first in (0, 1)]
    for image in range(8):
        torch.testing.assert_close(out[image, 2], each[image % 2].expand(4, 6))
    torch.testing.assert_close(layer.running, 0.01 * (each[0] + each[1]) / 2)


def test_a_batch_that_the_group_does_not_divide_falls_into_the_largest_that_do():
    for count, size in ((6, 3), (5, 1), (4, 4), (2, 2)):
        x = torch.randn(count, 2, 4, 4)
        out = MinibatchStddev(4)(x)
        first = x[:: count // size].var(0, unbiased=False).add(1e-8).sqrt().mean()
        torch.testing.assert_close(out[0, 2, 0, 0], first)


@pytest.mark.parametrize("group", [None, 4])
def test_minibatch_stddev_in_eval_is_the_running_value_whatever_the_batch(group):
    layer, x = MinibatchStddev(group), torch.randn(8, 2, 4, 4)
    values = layer(x)[:, 2, 0, 0]
    for _ in range(1500):
        layer(x)
    layer.eval()
    before = layer.running.clone()
    assert torch.equal(layer(x)[:1], layer(x[:1])) and torch.equal(layer(x)[2:5], layer(x[2:5]))
    assert torch.equal(layer.running, before)
    torch.testing.assert_close(layer(x)[0, 2, 0, 0], values.mean(), rtol=1e-4, atol=0)


# ------------------------------------------------------------------------------------- spectral norm

LAYERS = {
    "convolution": lambda: nn.Conv2d(6, 16, 3),
    "transposed convolution": lambda: nn.ConvTranspose2d(6, 16, (4, 3)),
    "linear": lambda: nn.Linear(24, 16),
    "embedding": lambda: nn.Embedding(5, 16),
}
each_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def largest_singular_value(layer: nn.Module, weight: torch.Tensor) -> float:
    """Of the matrix with the output features as rows."""
    matrix = weight.detach().transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight.detach()
    return torch.linalg.svdvals(matrix.flatten(1))[0].item()


def used(layer: nn.Module, times: int = 300) -> nn.Module:
    """The layer after `times` uses in training, each a step of the power iteration; then in eval mode."""
    for _ in range(times):
        assert torch.isfinite(layer.weight).all()
    return layer.eval()


@each_layer
def test_a_weight_is_divided_by_the_largest_singular_value_of_its_matrix_with_output_features_as_rows(make):
    torch.manual_seed(0)
    layer = used(with_spectral_norm(make()))
    original = layer.parametrizations.weight.original
    sigma = largest_singular_value(layer, original)
    torch.testing.assert_close(layer.weight, original / sigma, rtol=1e-4, atol=0)
    expected = used(parametrizations.spectral_norm(bare(make, original)))  # of the same matrix
    torch.testing.assert_close(layer.weight, expected.weight, rtol=1e-3, atol=0)


def bare(make: Callable[[], nn.Module], weight: torch.Tensor) -> nn.Module:
    """A layer without a norm that has this weight."""
    layer = make()
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


def average_of_two(norm: Callable[[nn.Module], nn.Module], make: Callable[[], nn.Module]) -> nn.Module:
    """The mean of two networks' states, as a running average takes it; their weights differ by half their deviation."""
    torch.manual_seed(0)
    one = norm(make())
    other, weight = copy.deepcopy(one), one.parametrizations.weight.original
    with torch.no_grad():
        other.parametrizations.weight.original.add_(0.5 * weight.std() * torch.randn_like(weight))
    average = used(one)
    for name, tensor in used(other).state_dict().items():
        average.state_dict()[name].lerp_(tensor, 0.5)
    return average


@each_layer
def test_an_average_of_networks_has_a_largest_singular_value_of_one_to_one_per_cent_where_torch_s_own_has_more(make):
    ours, torchs = average_of_two(with_spectral_norm, make), average_of_two(parametrizations.spectral_norm, make)
    assert largest_singular_value(ours, ours.weight) == pytest.approx(1, abs=0.01)
    assert largest_singular_value(torchs, torchs.weight) > 1.04  # the reason for having ours


def test_spectral_norm_asks_for_the_direction_of_v_and_not_for_its_length():
    """As they are after averaging: two unit vectors' mean is shorter than either."""
    torch.manual_seed(0)
    weight = torch.randn(6, 4, 3, 3)
    module = SpectralNorm(weight).eval()
    expected = module(weight)
    module.v.mul_(0.5)
    torch.testing.assert_close(module(weight), expected)


def test_nothing_turns_in_eval_mode_nor_on_the_meta_device():
    layer = with_spectral_norm(nn.Linear(4, 3)).eval()
    before = layer.parametrizations.weight[0].v.clone()
    assert torch.equal(layer.weight, layer.weight) and torch.equal(layer.parametrizations.weight[0].v, before)
    with torch.device("meta"):
        assert with_spectral_norm(nn.ConvTranspose2d(4, 3, 2)).weight.shape == (4, 3, 2, 2)


# ------------------------------------------------------------------------------------------- the bound


def test_a_gradient_passes_the_bound_only_where_following_it_leads_back():
    x = torch.tensor([-2.0, -2.0, 0.5, 0.5, 2.0, 2.0], requires_grad=True)
    y = ClampSTE.apply(x)
    assert y.tolist() == [-1, -1, 0.5, 0.5, 1, 1]
    (gradient,) = torch.autograd.grad(y, x, torch.tensor([1.0, -1, 1, -1, 1, -1]))
    assert gradient.tolist() == [0, -1, 1, -1, 1, 0]  # a step goes against the gradient


def test_a_linear_map_of_features_is_torchs_and_its_gradient_keeps_their_memory_format():
    torch.manual_seed(0)
    layer, features = torch.nn.Linear(4 * 3 * 5, 2).double(), torch.randn(2, 4, 3, 5, dtype=torch.float64)
    for layout in (torch.contiguous_format, torch.channels_last):
        x = features.clone(memory_format=layout).requires_grad_()
        found = linear_of_features(x, layer.weight, layer.bias)
        torch.testing.assert_close(found, layer(features.flatten(1)), rtol=0, atol=1e-14)
        found.sum().backward()
        assert x.grad is not None and x.grad.is_contiguous(memory_format=layout)


def test_features_follow_the_memory_format_of_the_weights():
    x, weight = torch.randn(2, 4, 3, 3), torch.randn(4, 8, 4, 4)
    assert like_weights(x, weight) is x
    assert like_weights(x, weight.contiguous(memory_format=torch.channels_last)).is_contiguous(
        memory_format=torch.channels_last
    )

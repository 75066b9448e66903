"""Winograd's convolution against the direct one in float64, and where it is used."""

import contextlib

import pytest
import torch
from torch.nn import functional

from gan_hub.models import stylegan2
from gan_hub.models.ops import winograd


def error(found: torch.Tensor, x: torch.Tensor, weight: torch.Tensor) -> float:
    """The largest, as a part of the largest number in the result."""
    exact = functional.conv2d(x.double(), weight.double(), padding=1)
    assert found.shape == exact.shape
    return ((found - exact).abs().max() / exact.abs().max()).item()


@pytest.mark.parametrize(
    ("inputs", "outputs", "grid"), [(3, 5, (4, 4)), (7, 300, (8, 12)), (5, 6, (72, 64)), (2, 3, (8, 600))]
)
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_it_is_the_convolution_whatever_the_sizes_and_the_layout_in_memory(inputs, outputs, grid, layout):
    torch.manual_seed(0)
    x = torch.randn(2, inputs, *grid).contiguous(memory_format=layout)
    weight = torch.randn(outputs, inputs, 3, 3).contiguous(memory_format=layout)
    found = winograd.convolution(x, weight)
    assert found.is_contiguous(memory_format=torch.channels_last) and error(found, x, weight) <= 2e-6


@pytest.mark.parametrize("mean", [0, 1])
def test_with_many_channels_it_is_as_exact_as_the_direct_convolution(mean):
    torch.manual_seed(0)
    x, weight = mean + torch.randn(1, 512, 32, 32), torch.randn(64, 512, 3, 3)
    assert error(winograd.convolution(x, weight), x, weight) <= 3e-6


def test_an_image_is_the_same_bit_for_bit_in_any_batch():
    torch.manual_seed(0)
    x, weight = torch.randn(3, 128, 32, 32), torch.randn(128, 128, 3, 3)
    together = winograd.convolution(x, weight)
    for number, image in enumerate(together):
        assert torch.equal(winograd.convolution(x[number : number + 1], weight)[0], image)


def test_it_pays_for_float32_without_a_graph_with_many_tiles_and_channels_and_nowhere_else():
    x, weight = torch.zeros(1, 128, 32, 32), torch.zeros(128, 128, 3, 3)
    assert not winograd.is_faster(x, weight)  # a graph would be made
    with torch.no_grad():
        assert winograd.is_faster(x, weight)
        assert not winograd.is_faster(x.double(), weight.double()) and not winograd.is_faster(
            x.bfloat16(), weight.bfloat16()
        )
        assert not winograd.is_faster(x.to("meta"), weight.to("meta"))
        assert not winograd.is_faster(x, weight[..., :1, :1]) and not winograd.is_faster(x, weight[:64])
        assert not winograd.is_faster(x[:, :64], weight[:, :64])
        assert not winograd.is_faster(x[..., :28], weight) and not winograd.is_faster(
            torch.zeros(1, 128, 32, 34), weight
        )
        assert not winograd.is_faster(torch.zeros(1, 128, 34, 32), weight)
        with torch.autocast("cpu", torch.bfloat16):
            assert not winograd.is_faster(x, weight)
        assert not torch.compile(winograd.is_faster, backend="eager")(x, weight)


def test_without_a_graph_a_styled_layer_takes_it_and_says_the_same(monkeypatch):
    torch.manual_seed(0)
    layer = stylegan2.StyledConvolution(128, 128, 8, (32, 32), None, "none")
    x, w = torch.randn(2, 128, 32, 32), torch.randn(2, 8)
    taken, original = [], winograd.convolution
    monkeypatch.setattr(winograd, "convolution", lambda *given: taken.append(given) or original(*given))
    results = []
    for without_graph in (contextlib.nullcontext(), torch.no_grad()):
        with without_graph:
            results.append(layer(x, w, "none"))
    assert len(taken) == 1
    assert (results[0] - results[1]).abs().max() <= 1e-5 * results[0].abs().max()

"""The discriminator that sees through a frozen network: what is fixed, what learns, and where gradients go."""

import copy
import pickle

import pytest
import torch
from safetensors import safe_open

from gan_hub.models import FeaturesDiscriminator
from gan_hub.models.features_discriminator import TAPS, ProjectedFeatures
from gan_hub.models.registry import discriminator_class
from gan_hub.pretrained_networks import FrozenSqueezeNet

FEATURES = len(TAPS)  # logits of features; that of the pixels comes after them


def build(**options) -> FeaturesDiscriminator:
    torch.manual_seed(0)
    return FeaturesDiscriminator(**{"resolution": 32, "pixels": 4, "max_channels": 16} | options)


def images(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("resolution", [8, 28, 32, 64, 100, [48, 64], [128, 32]])
@pytest.mark.parametrize("enlarge", [1, 2])
def test_the_grids_are_those_of_the_features(resolution, enlarge):
    features = ProjectedFeatures(resolution, enlarge)
    height, width = (resolution, resolution) if isinstance(resolution, int) else resolution
    scales = features(images(2, 3, height, width))
    assert [tuple(scale.shape[2:]) for scale in scales] == features.grids
    assert [scale.shape[1] for scale in scales] == features.outputs
    assert min(features.size) >= 32 and features.size[0] % height == 0


def test_no_part_of_the_frozen_network_is_trained_or_saved_even_where_all_is_asked_to_be():
    discriminator = build()
    discriminator.requires_grad_(False).requires_grad_(True)
    network = discriminator.projected.network
    weights = {name: tensor.clone() for name, tensor in network.named_buffers()}
    assert isinstance(network, FrozenSqueezeNet) and len(weights) > 30
    names = [name for name, _ in discriminator.named_parameters()]
    assert names and not any(name.startswith("projected") for name in names)
    assert not any("network" in name for name in discriminator.state_dict())

    optimizer = torch.optim.SGD(discriminator.parameters(), 1.0)
    discriminator(images(2, 3, 32, 32)).sum().backward()
    optimizer.step()
    for name, tensor in network.named_buffers():
        assert torch.equal(tensor, weights[name]), name


def test_the_random_mixing_is_fixed_drawn_by_the_seed_and_saved(tmp_path):
    first, second = build(), FeaturesDiscriminator(resolution=32, pixels=4, max_channels=16)
    mixing = [name for name in first.state_dict() if name.startswith("projected.")]
    assert len(mixing) == 2 * FEATURES
    for name in mixing:
        assert not torch.equal(first.state_dict()[name], second.state_dict()[name]), name
    first.save_pretrained(tmp_path)
    again = FeaturesDiscriminator.from_pretrained(tmp_path)
    x = images(3, 3, 32, 32)
    assert torch.equal(again(x), first.eval()(x))
    with safe_open(tmp_path / "diffusion_pytorch_model.safetensors", "pt") as file:
        assert set(file.keys()) == set(first.state_dict())


def test_every_scale_sees_all_coarser_ones_and_no_finer_one():
    features, x = ProjectedFeatures(64, 1), images(1, 3, 64, 64)
    before = features(x)
    for place, mixing in enumerate(features.across_scales):
        mixing.weight.mul_(2)
        changed = [not torch.equal(*pair) for pair in zip(before, features(x), strict=True)]
        mixing.weight.div_(2)
        assert changed == [scale <= place for scale in range(FEATURES)]


def test_each_logit_learns_from_its_own_part_and_all_of_them_from_the_images():
    discriminator, x = build(), images(4, 3, 32, 32).requires_grad_()
    logits = discriminator(x)
    assert logits.shape == (4, FEATURES + 1)
    for place in range(FEATURES + 1):
        (gradient,) = torch.autograd.grad(logits[:, place].sum(), x, retain_graph=True)
        assert gradient.abs().sum() > 0, place
    parts = [*discriminator.heads, discriminator.pixel_head]
    for place, part in enumerate(parts):
        discriminator.zero_grad()
        logits[:, place].sum().backward(retain_graph=True)
        assert all(p.grad is not None for p in part.parameters())
        others = [p for other in parts if other is not part for p in other.parameters()]
        assert not any(p.grad is not None and p.grad.any() for p in others), place


def test_a_gradient_penalty_is_about_the_pixels_alone():
    discriminator, x = build(), images(4, 3, 32, 32).requires_grad_()
    free, penalised = discriminator.eval()(x), discriminator(x, force_fp32=True)
    assert torch.equal(free, penalised)
    for place in range(FEATURES + 1):
        (gradient,) = torch.autograd.grad(penalised[:, place].sum(), x, retain_graph=True)
        assert bool(gradient.any()) is (place == FEATURES), place


def test_without_the_pixels_the_features_judge_alone():
    discriminator = build(pixels=0)
    assert discriminator.pixel_head is None
    assert discriminator(images(2, 3, 32, 32)).shape == (2, FEATURES)


def test_the_class_matters_to_every_logit():
    discriminator, x = build(num_classes=3), images(3, 3, 32, 32)
    with torch.no_grad():
        embeds = [*(head.embed for head in discriminator.heads), discriminator.pixel_head.embed]
        for embed in embeds:  # of the pixels' one the start is small
            embed.weight.copy_(torch.randn_like(embed.weight))
    first, second = (discriminator.eval()(x, torch.full((3,), label)) for label in (0, 1))
    assert (first != second).all()
    with pytest.raises(ValueError, match="needs labels"):
        discriminator(x)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_grey_images_and_transparent_ones_are_seen_as_on_white(channels):
    discriminator = build(channels=channels).eval()
    x = images(2, channels, 32, 32)
    assert torch.isfinite(discriminator(x)).all()
    if channels in (2, 4):
        other = x.clone()
        x[:, -1], other[:, -1] = -1, -1  # nothing to be seen of either
        other[:, :-1] = -other[:, :-1]
        assert torch.equal(discriminator(x)[:, :FEATURES], discriminator(other)[:, :FEATURES])


def test_a_recipe_asks_for_it_by_an_argument_that_the_architectures_own_lacks():
    assert discriminator_class("dcgan", {"features": "squeezenet"}) is FeaturesDiscriminator
    assert discriminator_class("dcgan", {"base_channels": 4}).__name__ == "DCGANDiscriminator"
    assert discriminator_class("gmmn", {"features": "squeezenet"}) is None
    assert discriminator_class("fastgan", {"max_channels": 64}).__name__ == "FastGANDiscriminator"


def test_copies_judge_alike_and_a_dtype_is_that_of_the_frozen_part_too(tmp_path):
    discriminator, x = build().eval(), images(2, 3, 32, 32)
    discriminator.save_pretrained(tmp_path)
    expected = discriminator(x)
    for other in (copy.deepcopy(discriminator), pickle.loads(pickle.dumps(discriminator))):
        assert torch.equal(other(x), expected)
    for dtype, tolerance in ((torch.float64, 1e-4), (torch.bfloat16, 0.1), (torch.float16, 0.1)):
        loaded = FeaturesDiscriminator.from_pretrained(tmp_path, dtype=dtype)
        assert {tensor.dtype for tensor in loaded.projected.buffers()} == {dtype}
        assert torch.allclose(loaded(x.to(dtype)).float(), expected, atol=tolerance)

"""What some architectures can do beyond the rest: style-based ones, growing ones, those of many scales or of maps."""

import pytest
import torch
from torch.nn import functional

from gan_hub.models.mixins import MultiScale, ProgressiveGrowing, SegmentationConditional, StyleBased
from gan_hub.models.progan import ProGANDiscriminator, ProGANGenerator
from gan_hub.models.stylegan import StyleGANDiscriminator, StyleGANGenerator
from gan_hub.models.stylegan2 import StyleGAN2Generator

style_based = pytest.mark.parametrize("cls", [StyleGANGenerator, StyleGAN2Generator])
GROWING = (ProGANGenerator, ProGANDiscriminator, StyleGANGenerator, StyleGANDiscriminator)


def small(cls: type[StyleBased], **options) -> StyleBased:
    torch.manual_seed(0)
    return cls(32, base_channels=4, max_channels=8, latent_size=6, w_size=8, mapping_layers=2, **options)


# ------------------------------------------------------------------------------------- style-based: w


@style_based
def test_every_row_is_the_mapped_latent_of_the_class(cls):
    model, z = small(cls, num_classes=3), torch.randn(3, 6)
    ws = model.map(z, torch.arange(3))
    assert ws.shape == (3, model.rows, 8)
    assert torch.equal(ws, model.mapping(z, torch.arange(3))[:, None].expand_as(ws))
    assert not torch.equal(ws, model.map(z, torch.zeros(3, dtype=torch.long)))
    with pytest.raises(ValueError, match=f"{cls.__name__} needs labels"):
        model.map(z)


@style_based
def test_truncation_draws_to_w_avg_and_0_gives_the_same_image_to_all(cls):
    model, z = small(cls).eval(), torch.randn(3, 6)
    torch.nn.init.normal_(model.w_avg)
    ws = model.map(z)
    torch.testing.assert_close(model.map(z, truncation=0.0), model.w_avg.expand(3, 8, 8))
    torch.testing.assert_close(model.map(z, truncation=0.4), 0.6 * model.w_avg + 0.4 * ws)
    for cutoff in (0, 3, 8):
        drawn = model.map(z, truncation=0.4, cutoff=cutoff)
        assert torch.equal(drawn[:, cutoff:], ws[:, cutoff:])
        assert torch.equal(drawn[:, :cutoff], model.map(z, truncation=0.4)[:, :cutoff])
    average = model.synthesize(model.map(z, truncation=0.0))
    torch.testing.assert_close(average[0], average[1])
    assert not torch.equal(model.synthesize(ws)[0], model.synthesize(ws)[1])


@style_based
def test_w_avg_follows_the_mean_w_in_training_and_stands_still_in_eval(cls):
    model, z = small(cls), torch.randn(64, 6)
    mean, decay = model.map(z)[:, 0].mean(0), cls.W_AVG_DECAY
    assert not model.w_avg.any() and 0.99 < decay < 1
    model(z)
    torch.testing.assert_close(model.w_avg, (1 - decay) * mean)
    model(z, mixing=(torch.randn(64, 6), torch.zeros(64)))  # it follows z, whatever is mixed in
    torch.testing.assert_close(model.w_avg, (1 - decay**2) * mean)
    assert not model.w_avg.requires_grad
    before = model.w_avg.clone()
    model.eval()(z), model.map(z), model.train().map(z), model.synthesize(model.map(z))
    assert torch.equal(model.w_avg, before)


# -------------------------------------------------------------------------------- style-based: images


@style_based
def test_an_image_is_its_ws_bounded(cls, monkeypatch):
    model, z = small(cls).eval(), torch.randn(4, 6)
    raw = 30 * model.synthesize(model.map(z))
    monkeypatch.setattr(model, "synthesize", lambda ws: raw)
    assert raw.abs().max() > 1 and torch.equal(model(z), raw.clamp(-1, 1))


@style_based
def test_a_mixed_image_has_at_least_a_row_of_either_latent_and_a_share_of_one_means_unmixed(cls):
    model, z, second = small(cls).eval(), torch.randn(5, 6), torch.randn(5, 6)
    images, ws = model(z, mixing=(second, torch.tensor([0.0, 0.3, 0.7, 0.9999, 1.0])), with_ws=True)
    own, other = model.map(z), model.map(second)
    for image, rows in enumerate((1, 3, 5, 7, 8)):  # of 8: 1 and the whole part of the share of 7, or all
        assert torch.equal(ws[image, :rows], own[image, :rows]), image
        assert torch.equal(ws[image, rows:], other[image, rows:]), image
    torch.testing.assert_close(images[4], model(z)[4])
    for image in range(4):
        for pure in (model(z), model(second)):
            assert (images[image] - pure[image]).abs().max() > 1e-4


def test_while_a_network_grows_crossovers_fall_among_the_rows_that_are_heard():
    model, z, second = small(StyleGANGenerator).eval(), torch.randn(2, 6), torch.randn(2, 6)
    for level, rows in ((0, [1, 1]), (0.5, [1, 3]), (1, [1, 3]), (3, [1, 7])):  # 2, 4, 4 and 8 are heard
        model.set_level(level)
        _, ws = model(z, mixing=(second, torch.tensor([0.0, 0.99])), with_ws=True)
        own = model.map(z)
        assert [(ws[image] == own[image]).all(1).sum().item() for image in range(2)] == rows, level


@style_based
def test_mixed_latents_share_the_label(cls):
    model, labels = small(cls, num_classes=3).eval(), torch.tensor([0, 2])
    z, second = torch.randn(2, 6), torch.randn(2, 6)
    mixed = model(z, labels, mixing=(second, torch.zeros(2)))
    ws = torch.cat([model.map(z, labels)[:, :1], model.map(second, labels)[:, 1:]], 1)
    torch.testing.assert_close(mixed, model.synthesize(ws).clamp(-1, 1))


@style_based
def test_with_ws_gives_the_ws_that_the_images_come_from_and_gradients_reach_them(cls):
    model, z = small(cls), torch.randn(2, 6)
    images, ws = model(z, mixing=(torch.randn(2, 6), torch.tensor([0.5, 0.25])), with_ws=True)
    assert torch.equal(images, model.synthesize(ws).clamp(-1, 1))
    (gradient,) = torch.autograd.grad(images.square().sum(), ws)
    assert gradient.shape == (2, model.rows, 8) and (gradient.abs().sum(2) > 0).all()


# --------------------------------------------------------------------------------------------- growing


def tiny(cls: type[ProgressiveGrowing]) -> tuple[ProgressiveGrowing, torch.Tensor]:
    """A network for 32 pixels, in float64, and what it takes."""
    torch.manual_seed(0)
    takes_z = cls in (ProGANGenerator, StyleGANGenerator)
    network = cls(32, base_channels=4, max_channels=8, **({"latent_size": 6} if takes_z else {}))
    return network.double().eval(), torch.randn(*((2, 6) if takes_z else (2, 3, 32, 32))).double()


def at(network: ProgressiveGrowing, level: float, given: torch.Tensor) -> torch.Tensor:
    network.set_level(level)
    with torch.no_grad():
        return network(given)


@pytest.mark.parametrize("cls", GROWING)
def test_a_new_network_is_whole_and_grows_between_0_and_its_levels_alone(cls):
    network, given = tiny(cls)
    assert network.level == network.levels == 3
    for level in (-0.1, 3.1, float("nan")):
        with pytest.raises(ValueError, match=f"level={level!r} is not allowed; it is a number from 0 to 3"):
            network.set_level(level)
    assert network.level == 3
    with torch.no_grad():
        whole = network(given)
    at(network, 1, given)
    assert torch.equal(at(network, 3, given), whole)


@pytest.mark.parametrize("cls", GROWING)
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_a_level_is_reached_and_left_without_a_jump(cls, level):
    network, given = tiny(cls)
    exact, step = at(network, level, given), 1e-6
    for near in {max(level - step, 0), min(level + step, 3)}:
        change = (at(network, near, given) - exact).abs().max()
        assert change < 100 * step * exact.abs().max()
    assert (at(network, abs(level - 0.5), given) - exact).abs().max() > 1e-3 * exact.abs().max()


@pytest.mark.parametrize("cls", [ProGANGenerator, StyleGANGenerator])
def test_a_quarter_of_the_way_an_image_is_a_quarter_of_the_finer_one(cls):
    network, z = tiny(cls)
    coarse, fine = at(network, 1, z), at(network, 2, z)
    assert coarse.abs().max() < 1 and fine.abs().max() < 1  # the bound does nothing
    torch.testing.assert_close(at(network, 1.25, z), 0.75 * coarse + 0.25 * fine)


@pytest.mark.parametrize("cls", [ProGANDiscriminator, StyleGANDiscriminator])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_discriminator_is_blind_to_what_is_finer_than_its_level(cls, level):
    network, images = tiny(cls)
    side = 2 ** (3 - level)
    flat = functional.avg_pool2d(images, side)
    means = flat.repeat_interleave(side, 2).repeat_interleave(side, 3)
    torch.testing.assert_close(at(network, level, images), at(network, level, means))
    assert (at(network, level + 1, images) - at(network, level + 1, means)).abs().max() > 1e-4


# ------------------------------------------------------------------------------ many scales, and maps


def test_a_pyramid_holds_the_means_of_squares_coarse_to_fine():
    player = MultiScale()
    player.scales = [(2, 3), (4, 6), (8, 12)]
    images = torch.randn(2, 3, 8, 12)
    found = player.pyramid(images)
    assert [tuple(level.shape[2:]) for level in found] == player.scales
    assert torch.equal(found[-1], images)
    torch.testing.assert_close(found[1][:, :, 1, 2], images[:, :, 2:4, 4:6].mean((2, 3)))
    torch.testing.assert_close(found[0][:, :, 0, 1], images[:, :, :4, 4:8].mean((2, 3)))


def test_a_semantic_player_needs_a_map_and_no_list_of_labels():
    player = SegmentationConditional()
    player.check_labels(torch.zeros(2, 8, 8, dtype=torch.long))
    for wrong in (None, torch.tensor([0, 1]), torch.zeros(2, 1, 8, 8)):
        with pytest.raises(ValueError, match="SegmentationConditional needs a segmentation"):
            player.check_labels(wrong)

"""What some architectures can do beyond the rest: style-based ones, growing ones, those of many scales or of maps."""

import pytest
import torch

from gan_hub.models.abilities import MultiScale, Semantic, StyleBased
from gan_hub.models.stylegan2 import StyleGAN2Generator

style_based = pytest.mark.parametrize("cls", [StyleGAN2Generator])


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
def test_mixing_takes_so_large_a_share_of_each_images_rows_from_the_first_latent(cls):
    model, z, second = small(cls).eval(), torch.randn(4, 6), torch.randn(4, 6)
    images, ws = model(z, mixing=(second, torch.tensor([0.0, 0.375, 0.8, 1.0])), with_ws=True)
    own, other = model.map(z), model.map(second)
    for image, rows in enumerate((0, 3, 6, 8)):  # of 8
        assert torch.equal(ws[image, :rows], own[image, :rows]), image
        assert torch.equal(ws[image, rows:], other[image, rows:]), image
    torch.testing.assert_close(images[0], model(second)[0])
    torch.testing.assert_close(images[3], model(z)[3])
    for image in (1, 2):
        for pure in (model(z), model(second)):
            assert (images[image] - pure[image]).abs().max() > 1e-3


@style_based
def test_mixed_latents_share_the_label(cls):
    model, labels = small(cls, num_classes=3).eval(), torch.tensor([0, 2])
    z, second = torch.randn(2, 6), torch.randn(2, 6)
    mixed = model(z, labels, mixing=(second, torch.zeros(2)))
    torch.testing.assert_close(mixed, model(second, labels))


@style_based
def test_with_ws_gives_the_ws_that_the_images_come_from_and_gradients_reach_them(cls):
    model, z = small(cls), torch.randn(2, 6)
    images, ws = model(z, mixing=(torch.randn(2, 6), torch.tensor([0.5, 0.25])), with_ws=True)
    assert torch.equal(images, model.synthesize(ws).clamp(-1, 1))
    (gradient,) = torch.autograd.grad(images.square().sum(), ws)
    assert gradient.shape == (2, model.rows, 8) and (gradient.abs().sum(2) > 0).all()


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
    player = Semantic()
    player.need_labels(torch.zeros(2, 8, 8, dtype=torch.long))
    for wrong in (None, torch.tensor([0, 1]), torch.zeros(2, 1, 8, 8)):
        with pytest.raises(ValueError, match="Semantic needs a segmentation"):
            player.need_labels(wrong)

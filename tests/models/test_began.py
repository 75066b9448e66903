"""BEGAN against its paper: the layers, the score, and a game that converges."""

import inspect

import pytest
import torch
from torch import nn

from gan_hub.losses import ADVERSARIAL, began_balance, began_convergence
from gan_hub.models import ARCHITECTURES
from gan_hub.models.began import BEGANDiscriminator, BEGANGenerator, stage_sizes
from gan_hub.models.config_schema import rules

SMALL = dict(resolution=28, channels=1, base_channels=8)


def shapes(model: nn.Module) -> list[tuple]:
    """What each convolution does: (feature maps in, out, stride)."""
    return [(m.in_channels, m.out_channels, m.stride[0]) for m in model.modules() if isinstance(m, nn.Conv2d)]


# ------------------------------------------------------------------------------------ the paper's layers


def test_the_encoder_grows_linearly_and_the_decoder_stays_as_wide():
    with torch.device("meta"):
        discriminator, generator = BEGANDiscriminator(base_channels=64), BEGANGenerator(base_channels=64)
    assert shapes(discriminator.encoder) == [
        (3, 64, 1),
        *[(64, 64, 1), (64, 128, 2)],  # 64 × 64
        *[(128, 128, 1), (128, 192, 2)],  # 32 × 32
        *[(192, 192, 1), (192, 256, 2)],  # 16 × 16
        *[(256, 256, 1), (256, 256, 1)],  # 8 × 8
    ]
    assert shapes(discriminator.decoder) == [(64, 64, 1)] * 8 + [(64, 3, 1)]
    assert (discriminator.encoder.embed.in_features, discriminator.encoder.embed.out_features) == (8 * 8 * 256, 64)
    assert (discriminator.decoder.project.in_features, discriminator.decoder.project.out_features) == (64, 8 * 8 * 64)
    decoders = [
        {name: weight.shape for name, weight in net.decoder.named_parameters()} for net in (discriminator, generator)
    ]
    assert decoders[0] == decoders[1]  # the generator is a decoder


def test_convolutions_are_3_by_3_with_elu_and_nothing_else_learns_but_the_maps_to_and_from_the_embedding():
    for model in (BEGANGenerator(base_channels=2), BEGANDiscriminator(base_channels=2)):
        leaves = [module for module in model.modules() if not list(module.children())]
        assert {type(leaf) for leaf in leaves} == {nn.Conv2d, nn.ELU, nn.Linear, nn.Upsample}
        assert all(leaf.kernel_size == (3, 3) for leaf in leaves if isinstance(leaf, nn.Conv2d))
        assert {leaf.mode for leaf in leaves if isinstance(leaf, nn.Upsample)} == {"nearest"}


@pytest.mark.parametrize(
    ("resolution", "expected"),
    [(28, [7, 14, 28]), (32, [8, 16, 32]), (64, [8, 16, 32, 64]), (128, [8, 16, 32, 64, 128])],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_size_has_its_sides_images_and_scores(resolution, expected, channels):
    assert stage_sizes(resolution) == expected
    generator = BEGANGenerator(resolution, channels, latent_size=5, base_channels=2)
    discriminator = BEGANDiscriminator(resolution, channels, base_channels=2, hidden_size=3)
    images = generator(torch.randn(2, 5))
    assert images.shape == (2, channels, resolution, resolution) and images.abs().max() <= 1
    assert discriminator.reconstruct(images).shape == images.shape
    assert discriminator(images).shape == (2,)


def test_the_sizes_above_are_all_that_a_config_allows():
    marks = test_each_size_has_its_sides_images_and_scores.pytestmark
    tested = next(mark.args[1] for mark in marks if mark.args[0] != "channels")
    for cls in ARCHITECTURES["began"]:
        assert rules(cls.__init__.__wrapped__)["resolution"].values == tuple(size for size, _ in tested)


# --------------------------------------------------------------------------------------------- the score


def test_a_score_is_minus_the_mean_absolute_error_of_the_reconstruction_by_hand():
    discriminator = BEGANDiscriminator(**SMALL)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.zero_()
        discriminator.decoder.layers[-1].bias.fill_(0.25)  # everything is reconstructed as 0.25
    images = torch.full((3, 1, 28, 28), 0.25)
    images[1] = -0.75
    images[2, :, :14] = 0.75  # half of it is off by a half
    assert (discriminator.reconstruct(images) == 0.25).all()
    torch.testing.assert_close(discriminator(images), torch.tensor([0.0, -1.0, -0.25]))


def test_a_score_has_the_digits_of_float32_even_where_the_images_have_not():
    discriminator = BEGANDiscriminator(**SMALL)
    images = torch.rand(4, 1, 28, 28) * 2 - 1
    exact = discriminator(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores, forced = discriminator(images.bfloat16()), discriminator(images, force_fp32=True)
    assert scores.dtype == torch.float32 and torch.equal(forced, exact)
    torch.testing.assert_close(scores, exact, rtol=0, atol=5e-3)
    assert not torch.equal(scores, exact) and not torch.equal(scores, scores.bfloat16().float())
    assert discriminator.double()(images.double()).dtype == torch.float64


def test_a_reconstruction_is_what_the_decoder_makes_of_the_embedding():
    discriminator = BEGANDiscriminator(**SMALL, hidden_size=1)
    one, two = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))[:, None]
    h = discriminator.encoder(torch.cat([one, two]))
    assert h.shape == (2, 1)
    rebuilt = discriminator.reconstruct(torch.cat([one, two]))
    torch.testing.assert_close(rebuilt, discriminator.decoder(h), rtol=0, atol=0)


# ------------------------------------------------------------------------------------- classes and files


def test_there_are_no_classes():
    for cls in ARCHITECTURES["began"]:
        with pytest.raises(
            ValueError, match=f"{cls.__name__}: config key 'num_classes' has the value 3; allowed: one of 0"
        ):
            cls(num_classes=3)
    labels = torch.zeros(2, dtype=torch.long)
    with pytest.raises(ValueError, match="has no classes and takes no labels"):
        BEGANGenerator(**SMALL)(torch.randn(2, 64), labels)
    with pytest.raises(ValueError, match="has no classes and takes no labels"):
        BEGANDiscriminator(**SMALL)(torch.zeros(2, 1, 28, 28), labels)


def test_both_come_back_from_their_folders_and_do_the_same(tmp_path):
    generator = BEGANGenerator(**SMALL, latent_size=5).eval()
    discriminator = BEGANDiscriminator(**SMALL, hidden_size=3).eval()
    z, seen = torch.randn(2, 5), []
    for network in (generator, discriminator):
        network.save_pretrained(tmp_path / type(network).__name__)
        again = type(network).from_pretrained(tmp_path / type(network).__name__)
        seen.append(again)
    assert torch.equal(seen[0](z), generator(z))
    assert torch.equal(seen[1](generator(z)), discriminator(generator(z)))


def test_both_players_agree_on_the_defaults_they_share():
    shared = [
        {name: parameter.default for name, parameter in inspect.signature(cls.__init__.__wrapped__).parameters.items()}
        for cls in ARCHITECTURES["began"]
    ]
    for name in shared[0].keys() & shared[1].keys():
        assert shared[0][name] == shared[1][name], name


# ---------------------------------------------------------------------------------------------- the game


def squares(count: int, generator: torch.Generator) -> torch.Tensor:
    """Images (n, 1, 28, 28): one bright square each, anywhere, on a dark ground."""
    top, left, side = torch.rand(3, count, 1, generator=generator) * torch.tensor([12, 12, 6])[:, None, None] + 4
    line = torch.arange(28)
    rows, columns = ((line >= start) & (line < start + side) for start in (top, left))  # (n, 28)
    return 1.6 * (rows[:, None, :, None] & columns[:, None, None, :]) - 0.8


def test_in_the_began_game_the_convergence_measure_falls_and_the_fakes_take_the_brightness_of_the_reals():
    torch.manual_seed(0)
    draws, game, gamma, balance = torch.Generator().manual_seed(0), ADVERSARIAL["began"], 0.5, 0.0
    generator = BEGANGenerator(**SMALL, latent_size=8)
    discriminator = BEGANDiscriminator(**SMALL, hidden_size=16)
    optimizers = [torch.optim.Adam(net.parameters(), 1e-3, betas=(0.5, 0.999)) for net in (generator, discriminator)]
    measures, balances = [], []
    for _ in range(120):
        reals, fakes = squares(8, draws), generator(torch.randn(8, 8, generator=draws))
        real, fake = discriminator(reals), discriminator(fakes.detach())
        game.discriminator(real, fake, balance=balance).backward()
        optimizers[1].step()
        discriminator.requires_grad_(False)
        game.generator(discriminator(fakes)).backward()
        optimizers[0].step()
        discriminator.requires_grad_(True)
        for optimizer in optimizers:
            optimizer.zero_grad()
        means = real.mean().item(), fake.mean().item()
        balance = began_balance(balance, *means, gamma, rate=0.02)
        measures.append(began_convergence(*means, gamma))
        balances.append(balance)
    start, end = sum(measures[:5]) / 5, sum(measures[-20:]) / 20
    assert start > 0.5 and 0 < end < 0.4 * start
    assert all(0 <= k <= 1 for k in balances) and 0 < max(balances)
    assert abs(fakes.mean() - reals.mean()) < 0.2  # at first some 0.8

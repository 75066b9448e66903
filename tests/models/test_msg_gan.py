"""MSG-GAN against its paper, and against the numbers of the authors' first program."""

import inspect
import math
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn
from torch.nn.functional import avg_pool2d, normalize, relu

from gan_hub.losses import ADVERSARIAL, input_gradients, r1_penalty, r2_penalty
from gan_hub.models import ARCHITECTURES
from gan_hub.models.layers import EPSILON, EqualizedConv2d, EqualizedLinear, MinibatchStddev
from gan_hub.models.msg_gan import RGB_INIT_STD, EqualizedStart, MSGGANDiscriminator, MSGGANGenerator

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SMALL = dict(resolution=16, base_channels=4, max_channels=8)
NORMED = dict(spectral_norm=True)


def players(num_classes: int = 0, **options) -> tuple[MSGGANGenerator, MSGGANDiscriminator]:
    torch.manual_seed(0)
    known = inspect.signature(MSGGANGenerator.__init__.__wrapped__).parameters
    shape = {**SMALL, **options, "num_classes": num_classes}
    return (
        MSGGANGenerator(latent_size=6, **{name: value for name, value in shape.items() if name in known}),
        MSGGANDiscriminator(**{name: value for name, value in shape.items() if name != "pixel_norm"}),
    )


# ------------------------------------------------------------------------------------ the paper's network


def seen_by(network: nn.Module, modules, *given) -> list[tuple[int, ...]]:
    """The shape (F, H, W) or (F,) of one image's features after each of `modules`."""
    found = []
    hooks = [module.register_forward_hook(lambda *call: found.append(tuple(call[-1].shape[1:]))) for module in modules]
    network(*given)
    for hook in hooks:
        hook.remove()
    return found


SIDES = [4, 8, 16, 32, 64, 128, 256, 512, 1024]
WIDTHS = [512, 512, 512, 512, 256, 128, 64, 32, 16]


@pytest.mark.parametrize("scales", [7, 8, 9])  # 256, 512 and 1024 pixels
def test_the_generator_s_table_has_the_paper_s_features_at_each_side_and_an_image_of_each(scales):
    with torch.device("meta"):
        generator = MSGGANGenerator(resolution=SIDES[scales - 1], base_channels=WIDTHS[scales - 1])
        z = torch.randn(1, 512)
        expected = [(width, side, side) for width, side in zip(WIDTHS, SIDES)][:scales]
        assert seen_by(generator, generator.blocks, z) == expected
        images = generator(z, scales=True)
    assert [tuple(image.shape) for image in images] == [(1, 3, side, side) for side in SIDES[:scales]]
    size = 512 * 512 * 16 + 512  # the transposed convolution; then each convolution, and each layer of colours
    pairs = [(512, 512)] + [
        pair for before, after in zip(WIDTHS, WIDTHS[1:scales]) for pair in ((before, after), (after, after))
    ]
    size += sum(9 * before * after + after for before, after in pairs) + sum(3 * width + 3 for width in WIDTHS[:scales])
    assert sum(parameter.numel() for parameter in generator.parameters()) == size


def test_the_discriminator_s_table_reads_half_of_each_block_s_inputs_from_the_image():
    with torch.device("meta"):
        discriminator = MSGGANDiscriminator(resolution=1024, base_channels=16)
        images = torch.randn(2, 3, 1024, 1024)
        read = seen_by(discriminator, discriminator.from_rgb, images)
        blocks = seen_by(discriminator, discriminator.blocks, images)
    assert [shape[0] for shape in read] == [256, 256, 256, 256, 128, 64, 32, 16, 16]
    assert [shape[1:] for shape in read] == [(side, side) for side in SIDES]
    # fine to coarse, as they are passed; each is joined to as many of the image it meets there
    assert blocks == [
        (16, 512, 512), (32, 256, 256), (64, 128, 128), (128, 64, 64),
        (256, 32, 32), (256, 16, 16), (256, 8, 8), (256, 4, 4),
    ]  # fmt: skip
    firsts = [block.first.weight.shape[:2] for block in [discriminator.last, *discriminator.blocks]]
    assert firsts == [(width, width + 1) for width in WIDTHS]  # one more for the minibatch deviation
    seconds = [block.second.weight.shape[:2] for block in discriminator.blocks]
    assert seconds == [(max(width, 16), inputs) for width, inputs in zip([256] * 4 + [128, 64, 32, 16], WIDTHS[1:])]
    assert discriminator.last.second.weight.shape == (512, 512 * 16) and discriminator.score.weight.shape == (1, 512)
    size = sum(9 * (width + 1) * width + width for width in WIDTHS)
    size += sum(9 * inputs * width + width for inputs, width in zip(WIDTHS[1:], [256] * 4 + [128, 64, 32, 16]))
    size += sum(4 * shape[0] for shape in read) + 512 * 512 * 16 + 512 + 512 + 1
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == size


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("resolution", "grids"),
    [(8, [(4, 4), (8, 8)]), (28, [(7, 7), (14, 14), (28, 28)]), ([16, 24], [(4, 6), (8, 12), (16, 24)])],
)
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_each_size_has_its_scales_and_a_logit(resolution, grids, channels, spectral_norm):
    shape = dict(
        base_channels=1, max_channels=channels, channels=channels, resolution=resolution, spectral_norm=spectral_norm
    )
    generator, discriminator = players(num_classes=3, **shape)
    labels = torch.tensor([0, 2])
    images = generator(torch.randn(2, 6), labels, scales=True)
    assert [tuple(image.shape) for image in images] == [(2, channels, *grid) for grid in grids]
    assert discriminator(images, labels).shape == (2,)


def test_both_players_agree_on_the_defaults_they_share():
    shared = [
        {name: parameter.default for name, parameter in inspect.signature(cls.__init__.__wrapped__).parameters.items()}
        for cls in ARCHITECTURES["msg_gan"]
    ]
    for name in shared[0].keys() & shared[1].keys():
        assert shared[0][name] == shared[1][name], name


def test_with_pixelwise_normalisation_every_feature_vector_has_length_one_and_z_counts_by_its_direction():
    generator, _ = players()
    features, z = [], torch.randn(3, 6)
    nn.init.normal_(generator.blocks[0].first.bias)  # without it, the first features would not know how long z is
    for block in generator.blocks:
        block.register_forward_hook(lambda *call: features.append(call[-1]))
    images = generator(z)
    assert len(features) == 3
    for x in features:
        moment = x.square().mean(1)
        torch.testing.assert_close(moment, torch.ones_like(moment), rtol=0, atol=1e-3)
    torch.testing.assert_close(generator(3 * z), images)
    plain, _ = players(pixel_norm=False)
    assert (plain(3 * z) - plain(z)).abs().max() > 0.1


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 3),
        ({"stddev_each_scale": False}, 1),
        ({"minibatch_stddev": False}, 0),
    ],
)
def test_the_minibatch_deviation_stands_at_every_scale_or_the_coarsest_or_nowhere(options, count):
    _, discriminator = players(**options)
    layers = [module for module in discriminator.modules() if isinstance(module, MinibatchStddev)]
    assert len(layers) == count and all(layer.group is None for layer in layers)
    assert isinstance(discriminator.last.stddev, MinibatchStddev) == (count > 0)
    torch.manual_seed(1)
    reals = torch.rand(6, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        alone, together = discriminator(reals[:3]), discriminator(reals)[:3]  # training mode: neighbours matter
        assert torch.allclose(alone, together, rtol=0, atol=1e-6) == (count == 0)
        discriminator.eval()
        torch.testing.assert_close(discriminator(reals[:1]), discriminator(reals)[:1], rtol=0, atol=1e-6)


# ------------------------------------------------------------------------------------------- the scales


@pytest.mark.parametrize("options", [{}, NORMED], ids=["equalised", "spectral"])
def test_each_scale_has_a_short_way_from_the_logit_to_its_colours_and_all_layers_before_them(options):
    generator, discriminator = players(**options)
    for scale in range(3):
        generator.zero_grad()
        images = generator(torch.randn(4, 6), scales=True)
        only = [image if other == scale else image.detach() for other, image in enumerate(images)]
        discriminator(only).sum().backward()
        for other, (to_rgb, block) in enumerate(zip(generator.to_rgb, generator.blocks)):
            assert all((p.grad is not None) == (other == scale) for p in to_rgb.parameters())
            assert all((p.grad is not None) == (other <= scale) for p in block.parameters())
        for name, parameter in generator.named_parameters():
            assert parameter.grad is None or parameter.grad.abs().sum() > 0, (scale, name)


def test_a_pyramid_is_repeated_average_pooling_and_its_images_alone_have_the_same_logit():
    _, discriminator = players()
    reals = torch.rand(4, 3, 16, 16) * 2 - 1
    pyramid = discriminator.pyramid(reals)
    assert torch.equal(pyramid[2], reals)
    assert torch.equal(pyramid[1], avg_pool2d(reals, 2)) and torch.equal(pyramid[0], avg_pool2d(pyramid[1], 2))
    torch.testing.assert_close(pyramid[0], avg_pool2d(reals, 4))
    assert torch.equal(discriminator(pyramid), discriminator(reals))
    assert torch.equal(discriminator(tuple(pyramid)), discriminator(reals))


def test_the_image_is_the_last_of_the_scales_and_alone_where_the_scales_are_not_asked_for():
    generator, _ = players()
    z = torch.randn(2, 6)
    assert torch.equal(generator(z), generator(z, scales=True)[-1]) and isinstance(generator(z), torch.Tensor)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda pyramid: pyramid[1:],
        lambda pyramid: pyramid[:-1],
        lambda pyramid: pyramid[::-1],
        lambda pyramid: [*pyramid, pyramid[-1]],
        lambda pyramid: [],
        lambda pyramid: [pyramid[0], pyramid[1], avg_pool2d(pyramid[2], 2)],
        lambda pyramid: pyramid[1],
        lambda pyramid: pyramid[2][:, :, :12],
    ],
    ids=["no coarsest", "no finest", "backwards", "one more", "none", "small", "small alone", "cut alone"],
)
def test_a_missing_scale_or_a_wrong_size_is_refused_in_one_sentence(wrong):
    _, discriminator = players()
    with pytest.raises(ValueError, match=r"^MSGGANDiscriminator: images have the sizes .*; they must be .*\.$"):
        discriminator(wrong(discriminator.pyramid(torch.rand(2, 3, 16, 16))))


def test_the_penalty_on_fakes_adds_up_all_scales_and_can_be_differentiated_again():
    _, discriminator = players()
    leaves = [torch.randn(4, 3, side, side, requires_grad=True) for side in (4, 8, 16)]
    logits = discriminator(leaves, force_fp32=True)
    rows = input_gradients(logits, leaves)
    assert rows.shape == (4, 3 * (16 + 64 + 256))
    each = [input_gradients(logits, leaf).square().sum(1).mean() for leaf in leaves]
    assert all(penalty > 0 for penalty in each)
    penalty = r2_penalty(logits, leaves)
    torch.testing.assert_close(penalty, 0.5 * sum(each))
    penalty.backward()
    assert all(layer.weight.grad.abs().sum() > 0 for layer in discriminator.from_rgb)
    reals = torch.randn(4, 3, 16, 16, requires_grad=True)
    assert r1_penalty(discriminator(reals, force_fp32=True), reals) > 0


# --------------------------------------------------------------------------------------------- classes


@pytest.mark.parametrize("options", [{}, NORMED], ids=["equalised", "spectral"])
def test_a_class_changes_the_image_and_adds_a_projection_to_the_logit(options):
    generator, discriminator = (player.eval() for player in players(num_classes=3, **options))
    z, first, second = torch.randn(2, 6), torch.zeros(2, dtype=torch.long), torch.ones(2, dtype=torch.long)
    for one, other in zip(generator(z, first, scales=True), generator(z, second, scales=True)):
        assert (one - other).abs().max() > 1e-5
    images, features = torch.rand(2, 3, 16, 16), []
    discriminator.last.register_forward_hook(lambda *call: features.append(call[-1]))
    found = discriminator(images, first) - discriminator(images, second)
    weights = discriminator.embed.weight
    torch.testing.assert_close(found, features[0] @ (weights[0] - weights[1]) / math.sqrt(8), rtol=1e-4, atol=1e-6)


def test_without_classes_there_is_nothing_of_them():
    names = [name for player in players() for name in player.state_dict()]
    assert not any("embed" in name for name in names)


# --------------------------------------------------------------------------------------- spectral norm


def test_spectral_norm_holds_the_largest_singular_value_of_each_block_s_convolutions_at_one_and_leaves_the_rest():
    generator, discriminator = players(**NORMED)
    with torch.no_grad():
        for _ in range(100):
            discriminator(generator(torch.randn(2, 6), scales=True))
    generator.eval(), discriminator.eval()
    blocks = [*generator.blocks, *discriminator.blocks, discriminator.last]
    normed = [layer for block in blocks for layer in (block.first, block.second)]
    for layer in normed:
        transposed = isinstance(layer, nn.ConvTranspose2d)
        matrix = (layer.weight.transpose(0, 1) if transposed else layer.weight).flatten(1)
        assert torch.linalg.svdvals(matrix)[0].item() == pytest.approx(1, abs=1e-3)
    parametrised = [
        m for player in (generator, discriminator) for m in player.modules() if hasattr(m, "parametrizations")
    ]
    assert set(parametrised) == set(normed) and len(normed) == 12
    kinds = {type(layer) for layer in [*generator.to_rgb, *discriminator.from_rgb]}
    assert kinds == {EqualizedConv2d} and type(discriminator.score) is EqualizedLinear


@pytest.mark.parametrize("pixel_norm", [False, True])
def test_with_spectral_norm_too_every_parameter_gets_a_gradient_and_a_verdict_does_not_depend_on_the_batch(pixel_norm):
    generator, discriminator = players(num_classes=3, pixel_norm=pixel_norm, **NORMED)
    z, labels = torch.randn(4, 6), torch.tensor([0, 1, 2, 0])
    game = ADVERSARIAL["non_saturating"]
    fakes, reals = generator(z, labels, scales=True), torch.rand(4, 3, 16, 16)
    game.generator(discriminator(fakes, labels)).backward()
    discriminator.zero_grad()
    fakes = [fake.detach() for fake in fakes]
    game.discriminator(discriminator(reals, labels), discriminator(fakes, labels)).backward()
    for player in (generator, discriminator):
        for name, parameter in player.named_parameters():
            assert torch.isfinite(parameter.grad).all() and parameter.grad.abs().sum() > 0, name
        player.eval()
    with torch.no_grad():
        # Small features carry their rounding along when they are brought to one.
        torch.testing.assert_close(generator(z, labels)[:1], generator(z[:1], labels[:1]), rtol=0, atol=1e-5)
        verdict = discriminator(reals, labels)[:1]
        torch.testing.assert_close(verdict, discriminator(reals[:1], labels[:1]), rtol=0, atol=1e-6)
        again = discriminator([image[:1] for image in discriminator.pyramid(reals)], labels[:1])
        torch.testing.assert_close(verdict, again, rtol=0, atol=1e-6)


def test_with_spectral_norm_too_a_network_comes_back_from_its_folder_bit_for_bit(tmp_path):
    generator, discriminator = players(**NORMED)
    discriminator(generator(torch.randn(2, 6), scales=True))
    for player in (generator, discriminator):
        player.save_pretrained(tmp_path / type(player).__name__)
        loaded = type(player).from_pretrained(tmp_path / type(player).__name__)
        assert loaded.config["spectral_norm"] and loaded.state_dict().keys() == player.state_dict().keys()
        for name, tensor in player.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], tensor), name


# --------------------------------------------------------------------------------------- initialisation


def test_weights_are_stored_as_standard_normal_and_every_layer_keeps_the_size_of_its_inputs():
    torch.manual_seed(0)
    generator = MSGGANGenerator(resolution=16, latent_size=64, base_channels=64, max_channels=64)
    discriminator = MSGGANDiscriminator(resolution=16, base_channels=64, max_channels=64)
    equalised = (EqualizedConv2d, EqualizedLinear, EqualizedStart)
    layers = [m for player in (generator, discriminator) for m in player.modules() if isinstance(m, equalised)]
    assert len(layers) == 6 + 3 + 6 + 3 + 1
    for layer in layers:
        if layer.weight.numel() > 1000:
            assert layer.weight.std().item() == pytest.approx(1, rel=0.05)
        assert not layer.bias.any()
    colours = [discriminator.score, *generator.to_rgb, *discriminator.from_rgb]
    assert isinstance(layers[0], EqualizedStart) and layers[0].scale == pytest.approx((2 / 64) ** 0.5)
    for layer in layers[1:]:
        gain = 1 if layer in colours else 2**0.5
        assert layer.scale == pytest.approx(gain * layer.weight[0].numel() ** -0.5)
    x = generator.blocks[0].first(torch.randn(500, 64, 1, 1))
    assert x.std().item() == pytest.approx(math.sqrt(2), rel=0.05)
    images = generator(torch.randn(20, 64), scales=True)
    assert all(0.7 < image.std() / RGB_INIT_STD < 1.2 for image in images)  # tanh takes little of so small numbers


# ------------------------------------------------------------------------------------------ golden values

FILES = {"msggan": dict(resolution=32, base_channels=16, max_channels=16, spectral_norm=True)}
FILES["msggan-plain"] = dict(resolution=64, base_channels=8, max_channels=16, spectral_norm=False)


@pytest.fixture(scope="module", params=FILES)
def golden(request) -> dict:
    with safe_open(GOLDEN / f"{request.param}.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()} | {"file": request.param}


def generator_map(count: int) -> dict[str, str]:
    """Our layer → the reference's, both coarse to fine."""
    names = {f"to_rgb.{scale}": f"rgb_converters.{scale}" for scale in range(count)}
    for scale in range(count):
        names |= {f"blocks.{scale}.{ours}": f"layers.{scale}.{theirs}" for ours, theirs in CONVOLUTIONS.items()}
    return names


def discriminator_map(count: int) -> dict[str, str]:
    """Our layer → the reference's; its coarsest block, the first, is our last with the score."""
    names = {f"from_rgb.{scale}": f"rgb_to_features.{scale}" for scale in range(count)} | {"score": "layers.0.conv_3"}
    for scale in range(count):
        block = f"blocks.{scale - 1}" if scale else "last"
        names |= {f"{block}.{ours}": f"layers.{scale}.{theirs}" for ours, theirs in CONVOLUTIONS.items()}
    return names


CONVOLUTIONS = {"first": "conv_1", "second": "conv_2"}


def with_their_weights(network: nn.Module, names: dict[str, str], golden: dict, role: str) -> nn.Module:
    """`network` with the reference's weights; every tensor of the reference is used exactly once.

    Its weights take part as they are stored, ours times the layer's scale where learning rates are equalised. Its spectral
    norms are of torch's older style; their u is Wv / |Wv| and need not be kept. A convolution over the whole grid, and the
    1 × 1 one after it, are our linear maps.
    """
    theirs = {k.removeprefix(f"weights/{role}/"): v for k, v in golden.items() if k.startswith(f"weights/{role}/")}
    state = {name: value for name, value in network.state_dict().items() if name.endswith("stddev.running")}
    for ours, name in names.items():
        layer = network.get_submodule(ours)
        if hasattr(layer, "parametrizations"):
            original = theirs.pop(f"{name}.weight_orig")
            path = f"{ours}.parametrizations.weight"
            state[f"{path}.original"] = original.view(layer.weight.shape)
            v = state[f"{path}.0.v"] = theirs.pop(f"{name}.weight_v")
            rows = int(isinstance(layer, nn.ConvTranspose2d))
            u = original.view(layer.weight.shape).movedim(rows, 0).flatten(1) @ v
            torch.testing.assert_close(theirs.pop(f"{name}.weight_u"), normalize(u, dim=0))
        else:
            state[f"{ours}.weight"] = theirs.pop(f"{name}.weight").view(layer.weight.shape) / layer.scale
        state[f"{ours}.bias"] = theirs.pop(f"{name}.bias")
    assert not theirs
    network.load_state_dict(state)
    return network.eval()


class DeviationPerPixel(nn.Module):
    """The first program's minibatch deviation: a value a pixel, where the paper's and ours is their mean."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        deviation = (x.var(0, unbiased=False, keepdim=True) + EPSILON).sqrt().mean(1, keepdim=True)  # (1, 1, h, w)
        return torch.cat([x, deviation.expand(len(x), -1, -1, -1)], 1)


def their_players(golden: dict) -> tuple[MSGGANGenerator, MSGGANDiscriminator]:
    """Ours with the reference's weights and its minibatch deviation."""
    options = FILES[golden["file"]]
    generator = MSGGANGenerator(latent_size=16, pixel_norm=False, **options)
    discriminator = MSGGANDiscriminator(stddev_each_scale=False, **options)
    count = len(generator.scales)
    with_their_weights(generator, generator_map(count), golden, "generator")
    with_their_weights(discriminator, discriminator_map(count), golden, "discriminator")
    discriminator.last.stddev = DeviationPerPixel()
    return generator, discriminator


def assert_near(ours: torch.Tensor, golden: torch.Tensor, tolerance: float = 2e-5) -> None:
    assert ours.shape == golden.shape
    assert (ours - golden).abs().max() <= tolerance * golden.abs().max()


def relativistic_average_hinge(ahead: torch.Tensor, behind: torch.Tensor) -> torch.Tensor:
    """E[max(0, 1 − (a − E b))] + E[max(0, 1 + (b − E a))]: the first program's loss (Jolicoeur-Martineau 2018)."""
    return relu(1 - (ahead - behind.mean())).mean() + relu(1 + (behind - ahead.mean())).mean()


def test_the_reference_s_images_at_all_scales_its_logits_and_its_losses_come_out_of_ours(golden):
    generator, discriminator = their_players(golden)
    sides = [grid[0] for grid in generator.scales]
    with torch.no_grad():
        images = generator(golden["inputs/z"], scales=True)
        for side, image in zip(sides, images):
            assert_near(image, golden[f"outputs/images/{side}"])
        real = discriminator([golden[f"inputs/images/{side}"] for side in sides])
        fake = discriminator(images)
    assert_near(real, golden["outputs/logits_real"])
    assert_near(fake, golden["outputs/logits_fake"])
    losses, hinge = (
        {k.removeprefix("outputs/losses/"): v for k, v in golden.items() if "/losses/" in k},
        ADVERSARIAL["hinge"],
    )
    assert_near(hinge.discriminator(real, fake), losses.pop("hinge_d"))
    assert_near(hinge.generator(fake), losses.pop("hinge_g"))
    assert_near(relativistic_average_hinge(real, fake), losses.pop("relativistic_average_hinge_d"))
    assert_near(relativistic_average_hinge(fake, real), losses.pop("relativistic_average_hinge_g"))
    assert not losses

"""FastGAN against its paper: widths, skips, noise, the doubling that is one convolution, and the two paths that halve."""

import inspect

import pytest
import torch
from torch import nn
from torch.nn import functional

from gan_hub.images import height_width
from gan_hub.models import ARCHITECTURES
from gan_hub.models.fastgan import (
    DownBlock,
    Excitation,
    FastGANDiscriminator,
    FastGANGenerator,
    GatedConvolution,
    doubled,
    doubled_conv2d,
    gated,
)
from gan_hub.models.layers import ConditionalNorm, SpectralNorm

SMALL = dict(resolution=32, base_channels=4, max_channels=16)
SIZES = [
    (28, 1, (7, 7)),
    (32, 3, (4, 4)),
    (36, 1, (9, 9)),
    (8, 3, (4, 4)),
    ([24, 40], 3, (6, 10)),
    ([64, 16], 1, (16, 4)),
]


def seen(model: nn.Module, kind: type, *given: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
    """What the layers of a `kind` take and give, one after the other, when the network is called with `given`."""
    calls: list[tuple[torch.Tensor, ...]] = []
    hooks = [
        module.register_forward_hook(lambda _, inputs, output: calls.append((*inputs, output)))
        for module in model.modules()
        if isinstance(module, kind)
    ]
    model(*given)
    for hook in hooks:
        hook.remove()
    return calls


# ------------------------------------------------------------------------------------- the paper's layers


def test_feature_maps_of_the_finer_half_are_the_authors_and_the_most_bounds_the_coarser():
    with torch.device("meta"):
        model = FastGANGenerator(resolution=1024, base_channels=8, max_channels=1024)
    widths = [block[-1].convolution.out_channels // 2 for block in model.blocks]
    assert widths == [1024, 512, 256, 128, 64, 32, 16, 8]  # at 8, 16, 32, 64 … 1024 pixels a side
    assert model.project.weight.shape == (2 * 1024 * 4 * 4, 256)


def test_blocks_of_two_convolutions_and_of_one_take_turns_and_only_those_of_two_add_noise():
    model = FastGANGenerator(resolution=128, base_channels=2, max_channels=8)
    assert [len(block) for block in model.blocks] == [2, 1, 2, 1, 2]
    assert [[layer.upsampling for layer in block] for block in model.blocks][:2] == [["nearest", None], ["nearest"]]
    noisy = [all(layer.noise_strength is not None for layer in block) for block in model.blocks]
    assert noisy == [True, False, True, False, True]
    assert all(layer.convolution.bias is None for block in model.blocks for layer in block)  # batch norm follows


@pytest.mark.parametrize(
    ("resolution", "expected"),
    [
        (8, [(4, 8)]),
        (28, [(7, 14), (14, 28)]),
        (32, [(4, 16), (8, 32)]),
        (64, [(4, 32), (8, 64)]),
        (128, [(4, 64), (8, 128)]),
        (256, [(4, 64), (8, 128), (16, 256)]),  # the paper's
    ],
)
def test_coarse_features_weigh_those_of_a_much_finer_grid(resolution, expected):
    with torch.device("meta"):
        model = FastGANGenerator(resolution=resolution, base_channels=1, max_channels=2)
        calls = seen(model, Excitation, torch.empty(2, 256, device="meta"))
    assert [(source.shape[2], target.shape[2]) for source, target, _ in calls] == expected


@pytest.mark.parametrize(
    ("resolution", "expected"),
    [(8, [(8, 4)]), (28, [(28, 14), (14, 7)]), (64, [(64, 16), (32, 8)]), (256, [(256, 32), (128, 16), (64, 8)])],
)
def test_in_the_discriminator_fine_features_weigh_coarse_ones(resolution, expected):
    with torch.device("meta"):
        model = FastGANDiscriminator(resolution=resolution, base_channels=1, max_channels=2, spectral_norm=False)
        calls = seen(model, Excitation, torch.empty(2, 3, resolution, resolution, device="meta"))
    assert [(source.shape[2], target.shape[2]) for source, target, _ in calls] == expected


def test_an_excitation_multiplies_each_feature_map_by_one_factor_an_image_by_hand():
    excitation = Excitation(2, 3)
    with torch.no_grad():
        excitation.squeeze.weight.fill_(1 / 16)  # the mean of either feature map, summed
        excitation.excite.weight.copy_(torch.tensor([1.0, 0, 0, 0, -1, 0, 0, 0, 0]).view(3, 3, 1, 1))
    source = torch.stack([torch.full((2, 8, 12), 1.0), torch.full((2, 8, 12), -5.0)])
    target = torch.randn(2, 3, 20, 20)
    with torch.no_grad():
        factors = excitation(source, target) / target
    # leaky ReLU 0.2: the second image's −10 becomes −2
    expected = torch.tensor([[2.0, -2, 0], [-2, 2, 0]]).sigmoid()
    torch.testing.assert_close(factors, expected[:, :, None, None].expand_as(target))


def test_the_gate_is_a_glu_with_its_gradient():
    x = torch.randn(2, 6, 3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.equal(gated(x), functional.glu(x, 1))
    assert torch.autograd.gradcheck(gated, (x,))


@pytest.mark.parametrize("grid", [(4, 4), (7, 5), (1, 8)])
def test_doubling_and_convolving_is_one_transposed_convolution_to_the_edges_and_in_its_gradients(grid):
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *grid, generator=draw, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 3, 3, 3, generator=draw, dtype=torch.float64, requires_grad=True)
    plain = functional.conv2d(functional.interpolate(x, scale_factor=2, mode="nearest"), weight, padding=1)
    ours = doubled_conv2d(x, weight)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)
    along = torch.randn(plain.shape, generator=draw, dtype=torch.float64)
    gradients = [torch.autograd.grad(output, (x, weight), along) for output in (ours, plain)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-11)


@pytest.mark.parametrize("side", [4, 8, 16])
def test_a_layer_that_doubles_does_the_same_whichever_way_is_faster(side):
    layer = GatedConvolution(3, 2, 0, "nearest", noisy=False).double()
    x = torch.randn(2, 3, side, side, dtype=torch.float64)
    features = functional.conv2d(functional.interpolate(x, scale_factor=2), layer.convolution.weight, padding=1)
    for training in (True, False):
        expected = gated(
            functional.batch_norm(features, torch.zeros(4).double(), torch.ones(4).double(), training=training)
        )
        layer.norm.normalise.reset_running_stats()
        torch.testing.assert_close(layer.train(training)(x, None), expected, rtol=0, atol=1e-12)


def test_linear_upsampling_convolves_what_is_interpolated():
    layer = GatedConvolution(3, 2, 0, "linear", noisy=False).double().eval()
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    larger = functional.interpolate(x, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(
        layer(x, None), gated(layer.norm(functional.conv2d(larger, layer.convolution.weight, padding=1), None))
    )


def test_doubled_neighbours_make_steps_and_linear_upsampling_none():
    """Three doublings of a ramp: neighbours stand still and jump, what is interpolated rises evenly but for the edges."""
    ramp = torch.arange(6.0).expand(1, 1, 6, 6)
    rises = {}
    for upsampling in ("nearest", "linear"):
        picture = ramp
        for _ in range(3):
            picture = doubled(picture, upsampling)
        rises[upsampling] = picture[0, 0, 20, 8:-8].diff()
    assert rises["nearest"].unique().tolist() == [0, 1] and rises["linear"].std() < 1e-6


# -------------------------------------------------------------------------------------------- noise and z


def test_noise_is_one_number_a_pixel_of_a_learned_strength_that_starts_at_nothing():
    layer = GatedConvolution(3, 2, 0, None, noisy=True)
    x = torch.randn(2, 3, 64, 64)
    plain = layer.convolution(x)
    (before,) = [given for given, *_ in seen(layer, ConditionalNorm, x, None)]
    assert torch.equal(before, plain)
    with torch.no_grad():
        layer.noise_strength.fill_(0.5)
        (after,) = [given for given, *_ in seen(layer, ConditionalNorm, x, None)]
        (fresh,) = [given for given, *_ in seen(layer, ConditionalNorm, x, None)]
    noise = after - plain
    assert noise.std().item() == pytest.approx(0.5, rel=0.05) and not torch.equal(after, fresh)
    torch.testing.assert_close(noise, noise[:, :1].expand_as(noise), rtol=0, atol=1e-5)
    assert not torch.allclose(noise[0], noise[1])
    with torch.no_grad():
        (still,) = [given for given, *_ in seen(layer.eval(), ConditionalNorm, x, None)]
    assert torch.equal(still, plain)


def test_in_eval_mode_a_latent_always_gives_the_same_image_and_noise_none_gives_it_in_training_too():
    z = torch.randn(4, 8)
    networks = {noise: FastGANGenerator(**SMALL, latent_size=8, noise=noise) for noise in ("random", "none")}
    for noise, network in networks.items():
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.3)
        assert torch.equal(network.train()(z), network(z)) == (noise == "none")
        assert torch.equal(network.eval()(z), network(z))
    names = [set(network.state_dict()) for network in networks.values()]
    assert names[1] < names[0] and all(name.endswith("noise_strength") for name in names[0] - names[1])


def test_the_length_of_a_latent_does_not_matter_and_its_direction_does():
    network = FastGANGenerator(**SMALL, latent_size=8)
    z = torch.randn(4, 8)
    torch.testing.assert_close(network(3 * z), network(z), rtol=0, atol=1e-6)
    assert not torch.allclose(network(-z), network(z), atol=1e-3)


def test_weights_start_from_a_normal_distribution_of_deviation_0_02():
    for cls in ARCHITECTURES["fastgan"]:
        model = cls(resolution=32, base_channels=64)
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)) and module.weight.numel() > 10_000:
                weight = getattr(getattr(module, "parametrizations", None), "weight", None)
                stored = module.weight if weight is None else weight.original
                assert stored.std().item() == pytest.approx(0.02, rel=0.05)
                assert abs(stored.mean().item()) < 1e-3


# -------------------------------------------------------------------------------------- the discriminator


def test_a_block_is_the_mean_of_its_two_paths():
    block = DownBlock(3, 4, "none")
    x = torch.randn(2, 3, 8, 6)
    leak = lambda y: functional.leaky_relu(y, 0.2)  # noqa: E731
    first, second = (part[0] for part in block.main)
    main = leak(second(leak(first(x))))
    direct = leak(block.direct[0](functional.avg_pool2d(x, 2)))
    assert block(x).shape == (2, 4, 4, 3)
    torch.testing.assert_close(block(x), (main + direct) / 2)


@pytest.mark.parametrize(
    ("resolution", "patches"), [(8, (1, 1)), (28, (4, 4)), (64, (5, 5)), (128, (5, 5)), ([32, 64], (5, 13))]
)
def test_a_logit_is_the_mean_over_the_patches_of_a_coarse_grid(resolution, patches):
    model = FastGANDiscriminator(resolution=resolution, base_channels=1, max_channels=4).eval()
    images = torch.randn(2, 3, *height_width(resolution))
    (logits,) = [output for given, output in seen(model, nn.Conv2d, images) if output.shape[1:] == (1, *patches)][-1:]
    torch.testing.assert_close(model(images), logits.mean((1, 2, 3)))


def test_every_convolution_has_spectral_norm_unless_told_otherwise():
    for spectral_norm in (True, False):
        model = FastGANDiscriminator(**SMALL, num_classes=3, spectral_norm=spectral_norm)
        weighted = [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Embedding))]
        normed = [module for module in model.modules() if isinstance(module, SpectralNorm)]
        assert len(normed) == (len(weighted) if spectral_norm else 0)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_a_bias_stands_where_no_batch_norm_follows(norm):
    model = FastGANDiscriminator(**SMALL, norm=norm)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == (3 * len(model.blocks) + 1 if norm == "batch" else 0)
    assert all((block.direct[0].bias is None) == (norm == "batch") for block in model.blocks)


def test_with_classes_the_embedding_times_the_mean_of_the_features_is_added():
    model = FastGANDiscriminator(**SMALL, num_classes=3, spectral_norm=False).eval()
    images, labels = torch.randn(3, 3, 32, 32), torch.tensor([0, 1, 2])
    features = model.last[-1].register_forward_hook(lambda _, inputs, output: kept.append(output))
    kept: list[torch.Tensor] = []
    with torch.no_grad():
        before = model(images, labels)
        model.embed.weight.add_(torch.eye(3, model.embed.weight.shape[1]))
        difference = model(images, labels) - before
    features.remove()
    torch.testing.assert_close(difference, kept[0].mean((2, 3)).diagonal(), rtol=0, atol=1e-6)


# ------------------------------------------------------------------------------------------ sizes, classes


@pytest.mark.parametrize(("resolution", "channels", "start"), SIZES)
def test_each_size_has_its_start_images_and_logits(resolution, channels, start):
    shape = dict(resolution=resolution, channels=channels, base_channels=2, max_channels=4, num_classes=3)
    generator, discriminator = FastGANGenerator(**shape, latent_size=5), FastGANDiscriminator(**shape)
    assert generator.start == start
    labels = torch.tensor([0, 2])
    images = generator(torch.randn(2, 5), labels)
    assert images.shape == (2, channels, *height_width(resolution)) and images.dtype == torch.float32
    assert discriminator(images, labels).shape == (2,)


@pytest.mark.parametrize("value", [4, 30, 2048, True, 32.0, "32", [32, 32], [32, 30], (32, 64)])
def test_a_size_that_no_network_has_is_refused_with_the_rule(value):
    for cls in ARCHITECTURES["fastgan"]:
        with pytest.raises(ValueError, match="'resolution' has the value .*a multiple of 4 from 8 to 1024"):
            cls(resolution=value)


def test_a_class_moves_the_image():
    generator = FastGANGenerator(**SMALL, latent_size=8, num_classes=2)
    with torch.no_grad():
        for norm in generator.modules():
            if isinstance(norm, ConditionalNorm):
                norm.shift[1].add_(torch.randn_like(norm.shift[1]))
    z = torch.randn(2, 8)
    images = generator.eval()(z[:1].expand(2, -1), torch.tensor([0, 1]))
    assert not torch.allclose(images[0], images[1], atol=1e-4)


def test_both_players_agree_on_the_defaults_they_share():
    shared = [
        {name: parameter.default for name, parameter in inspect.signature(cls.__init__.__wrapped__).parameters.items()}
        for cls in ARCHITECTURES["fastgan"]
    ]
    for name in shared[0].keys() & shared[1].keys():
        assert shared[0][name] == shared[1][name], name

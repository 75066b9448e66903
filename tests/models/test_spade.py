"""SPADE against its paper, and against the numbers of a reference implementation."""

import copy
import inspect
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional

from gan_hub.losses import feature_matching, hinge_discriminator, wasserstein_generator
from gan_hub.models import ARCHITECTURES
from gan_hub.models.layers import stage_resolutions
from gan_hub.models.spade import (
    Block,
    PatchDiscriminator,
    SPADEDiscriminator,
    SPADEGenerator,
    SpatiallyAdaptiveNorm,
    Synthesis,
    one_hot_map,
    repeats_per_scale,
    resize_nearest,
)

ROOT = Path(__file__).resolve().parents[2]
SMALL = dict(resolution=32, semantic_classes=3, base_channels=4, max_channels=16)
G = dict(**SMALL, latent_size=6, hidden_channels=8)
D = dict(**SMALL, layers=3)


def small_map(count: int = 2, size: tuple[int, int] = (32, 32), classes: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randint(classes, (count, *size), generator=torch.Generator().manual_seed(seed))


def generator(**changes) -> SPADEGenerator:
    torch.manual_seed(0)
    return SPADEGenerator(**{**G, **changes})


def discriminator(**changes) -> SPADEDiscriminator:
    torch.manual_seed(0)
    return SPADEDiscriminator(**{**D, **changes})


# -------------------------------------------------------------------------------------------------- maps


@pytest.mark.parametrize("resolution", [28, 32, [24, 40]])
def test_a_map_comes_to_each_grid_by_nearest_neighbours_and_each_class_has_a_plane(resolution):
    grids = stage_resolutions(resolution)
    segmentation = small_map(2, grids[-1], classes=5)
    assert torch.equal(resize_nearest(segmentation, grids[-1]), segmentation)
    for height, width in grids:
        small = resize_nearest(segmentation, (height, width))
        step = grids[-1][0] // height
        assert torch.equal(small, segmentation[:, ::step, ::step]), "the class of each cell's upper left pixel"
        assert torch.equal(small, functional.interpolate(segmentation[:, None].double(), (height, width))[:, 0].long())
        found = one_hot_map(small, 5, torch.float32)
        assert found.shape == (2, 5, height, width) and torch.equal(found.argmax(1), small)
        assert torch.equal(found.sum(1), torch.ones(2, height, width))


def test_every_grid_is_told_the_map_in_its_own_size():
    network, seen = generator(), []
    for module in network.modules():
        if isinstance(module, SpatiallyAdaptiveNorm):
            module.register_forward_hook(lambda _, inputs, output: seen.append((inputs[1], output)))
    segmentation = small_map()
    network(torch.randn(2, 6), segmentation)
    assert len(seen) == 12  # 5 blocks with 2 norms each, 2 of them with a learned shortcut that has one, too
    for told, output in seen:
        assert torch.equal(told.argmax(1), resize_nearest(segmentation, output.shape[2:]))


WRONG_MAPS = {
    "needs a segmentation": [None, torch.zeros(2, dtype=torch.long), torch.zeros(2, 1, 32, 32, dtype=torch.long)],
    r"whole numbers \(N, 32, 32\), given": [
        torch.zeros(2, 32, 28, dtype=torch.long),
        torch.zeros(2, 16, 16, dtype=torch.long),
        torch.zeros(2, 32, 32),
        torch.zeros(2, 32, 32, dtype=torch.bool),
    ],
    "classes from 0 to 2, but class 3 is in it": [torch.full((2, 32, 32), 3)],
    "classes from 0 to 2, but class -1 is in it": [torch.full((2, 32, 32), -1)],
}


@pytest.mark.parametrize(
    ("sentence", "wrong"), [(key, value) for key, values in WRONG_MAPS.items() for value in values]
)
def test_a_wrong_map_is_refused_with_a_sentence(sentence, wrong):
    for network, given in ((generator(), torch.randn(2, 6)), (discriminator(), torch.zeros(2, 3, 32, 32))):
        with pytest.raises(ValueError, match=sentence):
            network(given, wrong)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_a_map_of_any_kind_of_whole_numbers_makes_the_same_image(dtype):
    network, z, segmentation = generator().eval(), torch.randn(2, 6), small_map()
    assert torch.equal(network(z, segmentation.to(dtype)), network(z, segmentation))


# ------------------------------------------------------------------------------------------------ layers


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("training", [True, False])
def test_a_norm_is_one_plus_gamma_times_the_normalised_plus_beta(norm, training):
    torch.manual_seed(0)
    layer = SpatiallyAdaptiveNorm(4, 3, 5, norm).double().train(training)
    x, told = 3 * torch.randn(2, 4, 8, 8).double() + 1, one_hot_map(small_map(2, (8, 8)), 3, torch.float64)
    if norm == "batch":
        layer.normalise.running_mean.uniform_(-1, 1)
        layer.normalise.running_var.uniform_(1, 9)
    hidden = functional.conv2d(told, layer.shared.weight, layer.shared.bias, padding=1).clamp(min=0)
    gamma = functional.conv2d(hidden, layer.scale.weight, layer.scale.bias, padding=1)
    beta = functional.conv2d(hidden, layer.shift.weight, layer.shift.bias, padding=1)
    over = (0, 2, 3) if norm == "batch" else (2, 3)
    mean, variance = x.mean(over, keepdim=True), x.var(over, unbiased=False, keepdim=True)
    if norm == "batch" and not training:
        mean, variance = (b[:, None, None] for b in (layer.normalise.running_mean, layer.normalise.running_var))
        mean, variance = mean.clone(), variance.clone()
    expected = (x - mean) / (variance + 1e-5).sqrt() * (1 + gamma) + beta
    torch.testing.assert_close(layer(x, told), expected)
    nn.init.zeros_(layer.scale.weight), nn.init.zeros_(layer.shift.weight)
    torch.testing.assert_close(layer(x, told), layer.normalise(x))  # 1 + 0, and not 0


def test_the_middle_of_a_block_is_the_narrower_side_and_only_another_width_has_a_learned_shortcut():
    for inputs, outputs in ((8, 4), (4, 8), (6, 6)):
        block = Block(inputs, outputs, 3, 5, "batch")
        assert block.first.weight.shape[:2] == (min(inputs, outputs), inputs)
        assert block.second.weight.shape[:2] == (outputs, min(inputs, outputs))
        assert (block.shortcut is None) == (inputs == outputs)
        assert block(torch.randn(2, inputs, 8, 8), one_hot_map(small_map(2, (8, 8)), 3, torch.float32)).shape == (
            2,
            outputs,
            8,
            8,
        )


def largest_singular_value(convolution: nn.Conv2d) -> float:
    return torch.linalg.svdvals(convolution.weight.detach().flatten(1))[0].item()


def spectral_convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [module for module in network.modules() if hasattr(module, "parametrizations")]


@pytest.mark.parametrize("network", [generator, discriminator])
def test_spectral_norm_holds_the_largest_singular_value_at_one_whatever_the_weight_becomes(network):
    network = network()
    bounded = spectral_convolutions(network)
    assert len(bounded) == {SPADEGenerator: 5 * 2 + 2, SPADEDiscriminator: 2 * 2}[type(network)]
    plain = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m not in bounded]
    assert all(hasattr(m, "bias") and m.bias is not None for m in plain)
    with torch.no_grad():
        for convolution in bounded:
            original = convolution.parametrizations.weight.original
            original.copy_(10 * torch.randn(original.shape, generator=torch.Generator().manual_seed(1)))
    for convolution in bounded:
        for _ in range(100):  # uses in training
            assert torch.isfinite(convolution.weight).all()
        assert largest_singular_value(convolution) == pytest.approx(1, rel=0.01)
        convolution.eval()
        before = convolution.parametrizations.weight[0].v.clone()
        assert largest_singular_value(convolution) == pytest.approx(1, rel=0.01)
        assert torch.equal(convolution.parametrizations.weight[0].v, before), "nothing moves in eval mode"


# --------------------------------------------------------------------------------------------- the players


def test_a_block_stands_at_each_grid_and_two_at_the_second_as_in_the_paper():
    with torch.device("meta"):
        network = SPADEGenerator(256, base_channels=64, max_channels=1024, semantic_classes=182)
        judge = SPADEDiscriminator(256, semantic_classes=182).judges[1]
    assert [len(blocks) for blocks in network.layers.stages] == [1, 2, 1, 1, 1, 1, 1]
    widths = [block.second.out_channels for blocks in network.layers.stages for block in blocks]
    assert widths == [1024, 1024, 1024, 1024, 512, 256, 128, 64]
    assert network.layers.start.out_features == 1024 * 4 * 4
    convolutions = [layer[0] for layer in judge.layers]
    assert [convolution.out_channels for convolution in convolutions] == [64, 128, 256, 512]
    assert [convolution.stride[0] for convolution in convolutions] == [2, 2, 2, 1]


def test_both_players_agree_on_the_defaults_they_share():
    shared = [inspect.signature(cls.__init__.__wrapped__).parameters for cls in ARCHITECTURES["spade"]]
    for name in (shared[0].keys() & shared[1].keys()) - {"max_channels"}:  # 1024 and 512 in the paper
        assert shared[0][name].default == shared[1][name].default, name


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("start", ["latent", "map"])
def test_z_makes_other_images_of_the_same_map_where_the_start_is_a_latent(start, norm):
    network, segmentation = generator(start=start, norm=norm).eval(), small_map(1).expand(2, -1, -1)
    first, second = network(torch.randn(2, 6), segmentation)
    assert torch.equal(first, second) == (start == "map")
    assert (network.layers.start.weight.dim() == 2) == (start == "latent")
    other = network(torch.randn(2, 6), small_map(2, seed=1))
    assert not torch.allclose(other[0], first)


@pytest.mark.parametrize(
    ("start", "norm", "least"), [("latent", "batch", 5), ("map", "batch", 5), ("latent", "instance", 2)]
)
def test_another_class_in_a_region_changes_that_region_far_more_than_the_opposite_corner(start, norm, least):
    """Already untrained. Less so with instance normalisation, as its statistics are those of the whole image."""
    shape = dict(resolution=64, base_channels=8, max_channels=64, hidden_channels=32)
    network, z = generator(**shape, start=start, norm=norm).eval(), torch.randn(8, 6)
    segmentation = torch.zeros(8, 64, 64, dtype=torch.long)
    changed = segmentation.clone()
    changed[:, :24, :24] = 1
    with torch.no_grad():
        change = (network(z, changed) - network(z, segmentation)).abs().mean((0, 1))
    ratio = change[:24, :24].mean() / change[40:, 40:].mean()
    assert change[:24, :24].min() > 0 and ratio > least, ratio


def test_a_pixel_of_the_map_that_only_the_finest_grid_sees_changes_what_its_convolutions_reach_and_nothing_else():
    """Two of the norm's, two of the block's and the image's, all 3 × 3: five pixels to each side."""
    network, z, segmentation = generator(base_channels=8, hidden_channels=16).eval(), torch.randn(4, 6), small_map(4)
    changed = segmentation.clone()
    changed[:, 15, 17] = (changed[:, 15, 17] + 1) % 3  # odd: no coarser grid takes it
    with torch.no_grad():
        change = (network(z, changed) - network(z, segmentation)).abs().amax((0, 1))
    rows, columns = torch.nonzero(change, as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 20, 12, 22)


@pytest.mark.parametrize("resolution", [28, [24, 40]])
def test_other_sizes_have_their_images_and_patches(resolution):
    size = stage_resolutions(resolution)[-1]
    for channels in (1, 2, 3, 4):
        images = generator(resolution=resolution, channels=channels)(torch.randn(2, 6), small_map(2, size))
        assert images.shape == (2, channels, *size)
        logits = discriminator(resolution=resolution, channels=channels)(images, small_map(2, size))
        assert logits.dim() == 2 and len(logits) == 2


def test_a_verdict_is_the_same_for_an_image_alone_and_between_others():
    network, images = discriminator().double(), torch.randn(4, 3, 32, 32).double()
    segmentation = small_map(4)
    with torch.no_grad():
        network(images, segmentation)
        network.eval()
        together = network(images, segmentation)
        apart = torch.cat([network(images[:2], segmentation[:2]), network(images[2:], segmentation[2:])])
    torch.testing.assert_close(together, apart)


@pytest.mark.parametrize("cls", ARCHITECTURES["spade"], ids=lambda cls: cls.__name__)
def test_force_fp32_computes_in_float32_inside_autocast(cls):
    model = (generator if cls is SPADEGenerator else discriminator)().eval()
    x, segmentation = torch.randn(2, 6) if cls is SPADEGenerator else torch.randn(2, 3, 32, 32), small_map()
    exact = model(x, segmentation)
    with torch.autocast("cpu", torch.bfloat16):
        rough, forced = model(x, segmentation), model(x, segmentation, force_fp32=True)
    assert not torch.equal(rough.float(), exact)
    torch.testing.assert_close(rough.float(), exact, rtol=0.1, atol=0.1)
    assert forced.dtype == torch.float32 and torch.equal(forced, exact)
    assert copy.deepcopy(model).double()(x.double(), segmentation).dtype == torch.float64


def test_weights_start_by_glorot_s_rule():
    network = SPADEGenerator(32, base_channels=32, max_channels=64, hidden_channels=64, semantic_classes=9)
    norm = network.layers.stages[0][0].first_norm
    deviation = (2 / (9 * (64 + 64))) ** 0.5
    assert norm.scale.weight.std().item() == pytest.approx(deviation, rel=0.05)
    assert norm.shared.weight.std().item() == pytest.approx((2 / (9 * (9 + 64))) ** 0.5, rel=0.05)
    assert not norm.scale.bias.any() and not norm.shared.bias.any()
    assert network.layers.to_image.weight.std().item() == pytest.approx((2 / (9 * 35)) ** 0.5, rel=0.1)


# ------------------------------------------------------------------------------------------------- scales


@pytest.mark.parametrize("resolution", [8, 28, 32, 64, 128, 256, [24, 40]])
@pytest.mark.parametrize("layers", [3, 4])
def test_all_scales_weigh_the_same_to_one_per_cent(resolution, layers):
    network, size = SPADEDiscriminator(resolution, 1, 0, 2, 1, 1, layers, scales=3), stage_resolutions(resolution)[-1]
    with torch.no_grad():
        verdicts = network.logits_per_scale(torch.zeros(1, 1, *size), torch.zeros(1, *size, dtype=torch.long))
    patches = [scores[0].numel() for scores, _ in verdicts]
    entries = [number * times for number, times in zip(patches, repeats_per_scale(patches))]
    assert patches[0] >= patches[1] >= patches[2]
    assert all(abs(number / entries[0] - 1) <= 0.01 for number in entries)
    assert sum(entries) < max(size) ** 2 + 20_000  # and the price is small


def test_a_coarser_scale_is_repeated_whole_and_as_seldom_as_will_do():
    found = [repeats_per_scale(patches) for patches in ([361, 121], [121, 49], [100], [9, 9])]
    assert found == [[1, 3], [11, 27], [1], [1, 1]]


def test_a_mean_over_all_logits_is_the_mean_of_the_scales_means():
    network, images, segmentation = discriminator(resolution=64), torch.randn(2, 3, 64, 64), small_map(2, (64, 64))
    network.eval()
    with torch.no_grad():
        nn.init.constant_(network.judges[0].score.bias, 0.7)
        nn.init.constant_(network.judges[1].score.bias, -2.0)
        logits = network(images, segmentation)
        scales = [scores.flatten(1) for scores, _ in network.logits_per_scale(images, segmentation)]
    assert [scores.shape[1] for scores in scales] == [361, 121] and logits.shape == (2, 361 + 3 * 121)
    for loss in (lambda x: x, lambda x: functional.relu(1 - x), lambda x: functional.relu(1 + x), functional.softplus):
        expected = sum(loss(scores).mean() for scores in scales) / 2
        assert abs(loss(logits).mean() - expected) < 0.003 * (loss(scales[0]).mean() - loss(scales[1]).mean()).abs()


def test_the_second_judge_sees_half_the_resolution_and_the_map_as_well():
    network, seen = discriminator(), []
    for judge in network.judges:
        judge.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0]))
    images, segmentation = torch.randn(1, 3, 32, 32), small_map(1)
    network(images, segmentation)
    assert [tuple(x.shape) for x in seen] == [(1, 6, 32, 32), (1, 6, 16, 16)]
    assert torch.equal(seen[0][:, :3], one_hot_map(segmentation, 3, torch.float32)) and torch.equal(
        seen[0][:, 3:], images
    )
    torch.testing.assert_close(seen[1][:, :, 1, 1], seen[0][:, :, 1:4, 1:4].mean((2, 3)))
    torch.testing.assert_close(
        seen[1][:, :, 0, 0], seen[0][:, :, :2, :2].mean((2, 3))
    )  # what lies outside does not count


# ------------------------------------------------------------------------------------------ golden values


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    with safe_open(ROOT / "tests" / "golden" / "spade.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}


BLOCKS = {
    "0.0": "head_0",
    "1.0": "G_middle_0",
    "1.1": "G_middle_1",
    "2.0": "up_0",
    "3.0": "up_1",
    "4.0": "up_2",
    "5.0": "up_3",
}


def spectral_map(ours: str, theirs: str) -> dict[str, str]:
    """A weight under spectral norm: the reference has it in torch's old style. Its u is Wv / |Wv| and need not be kept."""
    kept = f"{ours}.parametrizations.weight"
    return {f"{kept}.original": f"{theirs}.weight_orig", f"{kept}.0.v": f"{theirs}.weight_v"}


def block_map(ours: str, theirs: str, learned_shortcut: bool) -> dict[str, str]:
    """A residual block; the bias of its first convolution, which we have not, is dealt with below."""
    names = {f"{ours}.second.bias": f"{theirs}.conv_1.bias"}
    for layer, number in [("first", "0"), ("second", "1"), ("shortcut", "s")][: 2 + learned_shortcut]:
        names |= spectral_map(f"{ours}.{layer}", f"{theirs}.conv_{number}")
        norm, reference = f"{ours}.{layer}_norm", f"{theirs}.norm_{number}"
        for part, name in (("shared", "mlp_shared.0"), ("scale", "mlp_gamma"), ("shift", "mlp_beta")):
            names |= {f"{norm}.{part}.{kind}": f"{reference}.{name}.{kind}" for kind in ("weight", "bias")}
        for buffer in ("running_mean", "running_var", "num_batches_tracked"):
            names[f"{norm}.normalise.{buffer}"] = f"{reference}.param_free_norm.{buffer}"
    return names


def generator_map() -> dict[str, str]:
    names = {}
    for ours, theirs in (("start", "fc"), ("to_image", "conv_img")):
        names |= {f"{ours}.{kind}": f"{theirs}.{kind}" for kind in ("weight", "bias")}
    for ours, theirs in BLOCKS.items():
        names |= block_map(f"stages.{ours}", theirs, learned_shortcut=theirs.startswith("up"))
    return names


def judge_map(scale: int) -> dict[str, str]:
    names = {f"score.{kind}": f"discriminator_{scale}.model3.0.{kind}" for kind in ("weight", "bias")}
    names |= {f"layers.0.0.{kind}": f"discriminator_{scale}.model0.0.{kind}" for kind in ("weight", "bias")}
    for layer in (1, 2):
        names |= spectral_map(f"layers.{layer}.0", f"discriminator_{scale}.model{layer}.0.0")
    return names


def their_weights(golden: dict, role: str) -> dict[str, torch.Tensor]:
    """The reference's tensors, but for u, which follows from the others."""
    theirs = {k.removeprefix(f"weights/{role}/"): v for k, v in golden.items() if k.startswith(f"weights/{role}/")}
    for name in [name for name in theirs if name.endswith("_u")]:
        layer = name.removesuffix("_u")
        expected = theirs[f"{layer}_orig"].flatten(1) @ theirs[f"{layer}_v"]
        torch.testing.assert_close(theirs.pop(name), functional.normalize(expected, dim=0))
    return theirs


def their_generator(golden: dict) -> Synthesis:
    """Ours with the reference's weights, every one of them used: 32 pixels from a 1 × 1 grid, without z.

    Its first convolution of a block has a bias, which the norm behind it takes away: in training with the batch's mean,
    in eval mode with the running mean, from which it is taken here.
    """
    network = Synthesis([(2**n, 2**n) for n in range(6)], [16, 16, 8, 4, 2, 1], 3, None, 4, 128, "batch")
    theirs, names = their_weights(golden, "generator"), generator_map()
    biases = {ours: f"{name}.conv_0.bias" for ours, name in BLOCKS.items()}
    assert sorted([*names.values(), *biases.values()]) == sorted(theirs)
    state = {ours: theirs[name].clone() for ours, name in names.items()}
    for ours, name in biases.items():
        state[f"stages.{ours}.second_norm.normalise.running_mean"] -= theirs[name]
    network.load_state_dict(state)
    return network.eval()


def their_discriminator(golden: dict) -> SPADEDiscriminator:
    network = SPADEDiscriminator(32, 3, semantic_classes=4, base_channels=6, layers=3, scales=2)
    theirs, maps = their_weights(golden, "discriminator"), [judge_map(scale) for scale in range(2)]
    assert sorted(name for names in maps for name in names.values()) == sorted(theirs)
    for judge, names in zip(network.judges, maps):
        judge.load_state_dict({ours: theirs[name] for ours, name in names.items()})
    return network.eval()


def assert_near(ours: torch.Tensor, golden: torch.Tensor, tolerance: float = 5e-5) -> None:
    assert ours.shape == golden.shape
    assert (ours - golden).abs().max() <= tolerance * golden.abs().max()


def test_the_reference_s_image_and_blocks_come_out_of_ours(golden):
    network, seen = their_generator(golden), {}
    for ours, theirs in BLOCKS.items():
        network.get_submodule(f"stages.{ours}").register_forward_hook(
            lambda _, inputs, output, theirs=theirs: seen.update({theirs: output[:1]})
        )
    z = torch.zeros(2, 1)
    with torch.no_grad():
        assert_near(network(z, golden["inputs/labels"]), golden["outputs/image"])
    for name in ("head_0", "G_middle_0", "up_0", "up_3"):
        assert_near(seen[name], golden[f"outputs/blocks/{name}"])


def test_the_reference_s_image_in_training_comes_out_of_ours_batch_statistics_and_power_iteration_included(golden):
    network, z = their_generator(golden), torch.zeros(2, 1)
    with torch.no_grad():
        assert_near(network.train()(z, golden["inputs/labels"]), golden["outputs/train/image"])
        assert (golden["outputs/train/image"] - golden["outputs/image"]).abs().max() > 0.05  # it is another image


def test_the_reference_s_verdicts_features_and_losses_come_out_of_ours_though_fakes_and_reals_go_in_apart(golden):
    network, segmentation = their_discriminator(golden), golden["inputs/labels"]
    fakes, reals = golden["outputs/image"], golden["inputs/images"]
    with torch.no_grad():
        fake, real = network.logits_per_scale(fakes, segmentation), network.logits_per_scale(reals, segmentation)
        (fake_logits, fake_features), (_, real_features) = (
            network(images, segmentation, features=True) for images in (fakes, reals)
        )
    for scale in range(2):
        scores = torch.cat([fake[scale][0], real[scale][0]])
        assert_near(scores, golden[f"outputs/discriminator/{scale}/3"])
        for layer in range(3):
            assert_near(fake_features[scale][layer][:1], golden[f"outputs/discriminator/{scale}/{layer}"])
        assert len(fake_features[scale]) == 3
    assert_near(10 * feature_matching(fake_features, real_features)[None], golden["outputs/losses/feature_matching"])

    def each_scale(loss):
        return torch.stack([loss(real[scale][0], fake[scale][0]) for scale in range(2)]).mean()[None]

    both = golden["outputs/losses/hinge_d_fake"] + golden["outputs/losses/hinge_d_real"]
    assert_near(each_scale(hinge_discriminator), both)
    assert_near(each_scale(lambda _, fakes: wasserstein_generator(fakes)), golden["outputs/losses/hinge_g"])
    assert_near(wasserstein_generator(fake_logits)[None], golden["outputs/losses/hinge_g"], 0.05)


def test_feature_matching_gives_the_reals_no_gradient_and_each_scale_its_share():
    def features():
        return [[torch.zeros(2, 1, 4, 4), torch.zeros(2, 3, 2, 2)], [torch.zeros(2, 1, 2, 2)]]

    fakes, reals = features(), features()
    reals[0][0] += 1
    reals[0][1][:, 0] += 3
    reals[1][0][0] += 4
    for feature in (fakes[0][0], reals[0][0]):
        feature.requires_grad_()
    loss = feature_matching(fakes, reals)
    assert loss.item() == pytest.approx((1 + 1 + 2) / 2)
    loss.backward()
    assert reals[0][0].grad is None and fakes[0][0].grad.abs().sum() > 0


def test_a_judge_of_one_layer_is_a_convolution_and_its_score():
    scores, features = PatchDiscriminator(4, 3, 8, layers=1)(torch.randn(2, 4, 16, 16))
    assert len(features) == 1 and scores.shape == (2, 1, 10, 10)

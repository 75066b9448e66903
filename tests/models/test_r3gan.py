"""R3GAN against its paper, and against the numbers of a reference implementation."""

import copy
import inspect
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from gan_hub.images import height_width
from gan_hub.losses import ADVERSARIAL, r1_penalty, r2_penalty
from gan_hub.models import ARCHITECTURES
from gan_hub.models.ops.convolution import Conv2d
from gan_hub.models.r3gan import (
    Analysis,
    Downsample,
    R3GANDiscriminator,
    R3GANGenerator,
    ResidualBlock,
    SmoothResample,
    Stage,
    Synthesis,
    Upsample,
    make_stages,
)
from gan_hub.training.config import TrainConfig, read_recipe

ROOT = Path(__file__).resolve().parents[2]
SMALL = dict(resolution=28, channels=1, base_channels=4, max_channels=8)


# ------------------------------------------------------------------------------------ the paper's network


def test_the_paper_s_network_for_256_pixels_comes_out_of_base_and_most():
    stages = make_stages(256, base_channels=96, max_channels=768, blocks=2, group_size=16, expansion=2)
    assert [stage.width for stage in stages] == [768, 768, 768, 768, 384, 192, 96]
    assert [stage.groups for stage in stages] == [96, 96, 96, 96, 48, 24, 12]
    assert {stage.blocks for stage in stages} == {2}


def test_groups_are_smaller_where_the_size_does_not_divide_the_width():
    assert make_stages(28, 12, 20, 1, group_size=16, expansion=2) == [Stage(20, 5, 1), Stage(20, 5, 1), Stage(12, 3, 1)]
    assert make_stages(28, 3, 5, 1, group_size=16, expansion=1) == [Stage(5, 5, 1), Stage(5, 5, 1), Stage(3, 3, 1)]
    for width in range(1, 70):
        (stage, *_), wide = make_stages(28, width, 2048, 1, 16, 3), 3 * 4 * width
        assert wide % stage.groups == 0 and wide // stage.groups <= 16


@pytest.mark.parametrize(
    ("resolution", "channels", "start"),
    [
        (28, 1, (7, 7)),
        (32, 3, (4, 4)),
        (16, 2, (4, 4)),
        (36, 4, (9, 9)),
        (256, 3, (4, 4)),
        ([16, 24], 4, (4, 6)),
        ([40, 8], 1, (20, 4)),
    ],
)
def test_each_size_has_its_start_images_and_logits(resolution, channels, start):
    shape = dict(resolution=resolution, channels=channels, base_channels=1, max_channels=2, num_classes=3)
    generator, discriminator = R3GANGenerator(**shape, latent_size=5), R3GANDiscriminator(**shape)
    assert generator.layers.basis.shape[1:] == start == discriminator.layers.basis.kernel_size
    images = generator(torch.randn(2, 5), torch.tensor([0, 2]))
    assert images.shape == (2, channels, *height_width(resolution)) and images.dtype == torch.float32
    assert discriminator(images, torch.tensor([0, 2])).shape == (2,)


@pytest.mark.parametrize("value", [4, 30, 2048, True, 32.0, "32", [32, 32], [32, 30], (32, 64)])
def test_a_size_that_no_network_has_is_refused_with_the_rule(value):
    for cls in ARCHITECTURES["r3gan"]:
        with pytest.raises(ValueError, match="'resolution' has the value .*a multiple of 4 from 8 to 1024"):
            cls(resolution=value)


def test_nothing_is_normalised_and_every_3_by_3_convolution_is_grouped():
    for cls in ARCHITECTURES["r3gan"]:
        model = cls(resolution=32, base_channels=16, max_channels=32, num_classes=3)
        kinds = {type(module) for module in model.modules() if not list(module.children())}
        assert kinds == {Conv2d, nn.Linear, nn.Embedding, nn.Identity}
        middles = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
        assert len(middles) == 8 and all(m.in_channels // m.groups == 16 for m in middles)
        resized = [m for m in model.modules() if isinstance(m, SmoothResample)]
        assert len(resized) == 3
        # Only an activation has a bias: the two in front of the leaky ReLUs of each block.
        assert sum(name.endswith("bias") for name in model.state_dict()) == 2 * 8
        widths = [type(m.width) for m in resized]
        assert widths.count(nn.Identity) == 2  # 32, 32, 32, 16: one change of width


def test_both_players_agree_on_the_defaults_they_share():
    shared = [
        {name: parameter.default for name, parameter in inspect.signature(cls.__init__.__wrapped__).parameters.items()}
        for cls in ARCHITECTURES["r3gan"]
    ]
    for name in shared[0].keys() & shared[1].keys():
        assert shared[0][name] == shared[1][name], name


# ----------------------------------------------------------------------------------------- initialisation


def deviation(weight: torch.Tensor) -> float:
    return weight.detach().double().square().mean().sqrt().item()


def test_weights_start_at_he_s_size_and_those_in_branches_smaller_the_deeper_the_network():
    torch.manual_seed(0)
    gain = (2 / 1.04) ** 0.5
    for blocks in (1, 3):
        depth = 3 * blocks  # residual blocks of the network: 3 stages at 28 pixels
        shape = dict(resolution=28, base_channels=64, max_channels=64, blocks=blocks, num_classes=50)
        generator, discriminator = R3GANGenerator(**shape, latent_size=100), R3GANDiscriminator(**shape)
        branches = [m for model in (generator, discriminator) for m in model.modules() if isinstance(m, ResidualBlock)]
        assert len(branches) == 2 * depth
        for branch in branches:
            assert deviation(branch.expand.weight) == pytest.approx(gain * depth**-0.25 / 64**0.5, rel=0.05)
            assert deviation(branch.mix.weight) == pytest.approx(gain * depth**-0.25 / (9 * 16) ** 0.5, rel=0.05)
            assert deviation(branch.reduce.weight) == pytest.approx(1e-3 / 128**0.5, rel=0.05)
            assert not branch.expand.bias.any() and not branch.mix.bias.any()
        every = deviation(torch.cat([branch.expand.weight.flatten() for branch in branches]))
        assert every == pytest.approx(gain * depth**-0.25 / 8, rel=0.01)  # 1.4142 instead of 1.3868 would be 2 % more
        assert deviation(generator.layers.basis) == pytest.approx(1, rel=0.05)
        assert abs(generator.layers.basis.mean()) < 0.1
        assert deviation(generator.layers.embed.weight) == pytest.approx(1, rel=0.05)
        assert deviation(generator.layers.project.weight) == pytest.approx(164**-0.5, rel=0.05)
        assert deviation(generator.layers.to_image.weight) == pytest.approx(1 / 8, rel=0.2)
        assert deviation(discriminator.layers.from_image.weight) == pytest.approx(3**-0.5, rel=0.2)
        assert deviation(discriminator.layers.basis.weight) == pytest.approx(1 / 7, rel=0.05)
        assert deviation(discriminator.layers.score.weight) == pytest.approx(1 / 8, rel=0.05)
        assert deviation(discriminator.layers.embed.weight) == pytest.approx(1 / 8, rel=0.05)


def test_a_network_starts_as_if_its_residual_branches_were_empty():
    torch.manual_seed(0)
    generator = R3GANGenerator(**SMALL, tanh=False)
    empty, z = copy.deepcopy(generator), torch.randn(4, 64)
    for module in empty.modules():
        if isinstance(module, ResidualBlock):
            nn.init.zeros_(module.reduce.weight)
    images, without = generator(z), empty(z)
    assert 0 < (images - without).abs().max() < 0.02 * without.abs().max()


# -------------------------------------------------------------------------------------------------- parts


def test_smoothing_keeps_a_plain_picture_plain_inside_and_is_linear_interpolation():
    layer, flat = SmoothResample(), torch.ones(1, 2, 6, 6)
    up, down = layer.up(flat), layer.down(flat)
    assert up.shape == (1, 2, 12, 12) and down.shape == (1, 2, 3, 3)
    torch.testing.assert_close(up[:, :, 1:-1, 1:-1], torch.ones(1, 2, 10, 10))
    torch.testing.assert_close(down[:, :, 1:-1, 1:-1], torch.ones(1, 2, 1, 1))
    torch.testing.assert_close(up[0, 0, 0, 0], torch.tensor(0.75**2))  # beyond the edge are zeros
    ramp = torch.arange(6.0).expand(1, 1, 6, 6)
    torch.testing.assert_close(layer.up(ramp)[0, 0, 5, 1:-1], torch.arange(10) / 2 + 0.25)


def test_a_step_down_is_the_transposed_step_up():
    layer, x, y = SmoothResample().double(), torch.randn(1, 3, 4, 4).double(), torch.randn(1, 3, 8, 8).double()
    torch.testing.assert_close((layer.up(x) * y).sum(), 4 * (x * layer.down(y)).sum())


def test_smoothing_has_the_digits_of_float32_under_autocast_and_those_of_float64_where_there_are_more():
    layer, x = SmoothResample(), torch.randn(2, 3, 8, 8, dtype=torch.float64)
    for resample in (layer.up, layer.down):
        exact, single = resample(x), resample(x.float())
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(resample(x.float()), single)
            assert torch.equal(resample(x.bfloat16()), resample(x.bfloat16().float()).bfloat16())
        assert (exact.dtype, single.dtype) == (torch.float64, torch.float32)
        torch.testing.assert_close(single.double(), exact, rtol=0, atol=1e-6)
        assert not torch.equal(single.double(), exact)
        torch.testing.assert_close(resample(x / 3), exact / 3, rtol=0, atol=1e-14)


def test_the_width_changes_at_the_smaller_side():
    up, down, seen = Upsample(2, 3), Downsample(3, 2), []
    for module in (up, down):
        module.width.register_forward_hook(lambda _, inputs, output: seen.append(output.shape[1:]))
    assert up(torch.zeros(1, 2, 4, 4)).shape == (1, 3, 8, 8) and down(torch.zeros(1, 3, 8, 8)).shape == (1, 2, 4, 4)
    assert seen == [(3, 4, 4), (2, 4, 4)]


def test_without_tanh_images_are_the_network_s_own_in_training_and_clipped_where_they_are_looked_at():
    torch.manual_seed(0)
    plain, z = R3GANGenerator(**SMALL, tanh=False), torch.randn(8, 64)
    bounded = R3GANGenerator(**SMALL)
    bounded.load_state_dict(plain.state_dict())
    raw = plain(z)
    assert raw.abs().max() > 1
    torch.testing.assert_close(bounded(z), torch.tanh(raw), rtol=0, atol=0)
    assert torch.equal(bounded.eval()(z), bounded.train()(z))
    assert torch.equal(plain.eval()(z), raw.clamp(-1, 1))


def test_the_class_decides_about_image_and_verdict():
    torch.manual_seed(0)
    generator, discriminator = R3GANGenerator(**SMALL, num_classes=3), R3GANDiscriminator(**SMALL, num_classes=3)
    images = generator(torch.randn(1, 64).expand(3, -1), torch.arange(3))
    assert not torch.equal(images[0], images[1]) and not torch.equal(images[1], images[2])
    logits = discriminator(images[:1].expand(3, -1, -1, -1), torch.arange(3))
    assert len(set(logits.tolist())) == 3


def test_labels_are_asked_for_where_there_are_classes_and_only_there():
    for cls, size in ((R3GANGenerator, (1, 64)), (R3GANDiscriminator, (1, 1, 28, 28))):
        with pytest.raises(ValueError, match=f"{cls.__name__} needs labels"):
            cls(**SMALL, num_classes=2)(torch.zeros(size))
        with pytest.raises(ValueError, match=f"{cls.__name__} has no classes and takes no labels"):
            cls(**SMALL)(torch.zeros(size), torch.tensor([0]))


# ---------------------------------------------------------------------------------------------- precision


@pytest.mark.parametrize("cls", [R3GANGenerator, R3GANDiscriminator])
@pytest.mark.parametrize("num_classes", [0, 3])
def test_force_fp32_computes_in_float32_inside_autocast(cls, num_classes):
    torch.manual_seed(0)
    model = cls(**SMALL, num_classes=num_classes).eval()
    x = torch.randn(2, 64) if cls is R3GANGenerator else torch.randn(2, 1, 28, 28)
    labels = torch.tensor([0, 2]) if num_classes else None
    exact = model(x, labels)
    with torch.autocast("cpu", torch.bfloat16):
        rough, forced = model(x, labels), model(x, labels, force_fp32=True)
    assert not torch.equal(rough.float(), exact)
    torch.testing.assert_close(rough.float(), exact, rtol=0.1, atol=0.1)
    assert forced.dtype == torch.float32 and torch.equal(forced, exact)
    assert cls(**SMALL).double()(x.double()).dtype == torch.float64
    assert cls(**SMALL).bfloat16()(x.bfloat16()).dtype == torch.bfloat16


# ------------------------------------------------------------------------------------------ golden values

GROUP_SIZE = 8  # of both files
FILES = {
    "r3gan": ([2, 1, 2, 1], [1, 2, 1, 2], 0),
    "r3gan-conditional": ([1] * 4, [1] * 4, 5),
}  # blocks of G, D; classes


@pytest.fixture(scope="module", params=FILES)
def golden(request) -> dict:
    with safe_open(ROOT / "tests" / "golden" / f"{request.param}.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()} | {"file": request.param}


def block_map(ours: str, theirs: str) -> dict[str, str]:
    """A residual block: the biases, which the reference has in its activations, are our convolutions' in front of them."""
    return {
        f"{ours}.expand.weight": f"{theirs}.LinearLayer1.Layer.weight",
        f"{ours}.expand.bias": f"{theirs}.NonLinearity1.Bias",
        f"{ours}.mix.weight": f"{theirs}.LinearLayer2.Layer.weight",
        f"{ours}.mix.bias": f"{theirs}.NonLinearity2.Bias",
        f"{ours}.reduce.weight": f"{theirs}.LinearLayer3.Layer.weight",
    }


def resize_map(ours: str, theirs: str, changes_width: bool) -> dict[str, str]:
    """A step between stages: the kernel, and a 1 × 1 convolution where the width changes."""
    width = {f"{ours}.width.weight": f"{theirs}.LinearLayer.Layer.weight"} if changes_width else {}
    return {f"{ours}.kernel": f"{theirs}.Resampler.Kernel"} | width


def generator_map(widths: list[int], blocks: list[int], num_classes: int) -> dict[str, str]:
    """Our tensor → the reference's. Its stage begins with the step up to it, the first with the basis instead."""
    names = {
        "basis": "MainLayers.0.Layers.0.Basis",
        "project.weight": "MainLayers.0.Layers.0.LinearLayer.weight",
        "to_image.weight": "AggregationLayer.Layer.weight",
    }
    for stage, count in enumerate(blocks):
        for block in range(count):
            names |= block_map(f"stages.{stage}.{block}", f"MainLayers.{stage}.Layers.{block + 1}")
    for step, (before, after) in enumerate(zip(widths, widths[1:])):
        names |= resize_map(f"ups.{step}", f"MainLayers.{step + 1}.Layers.0", before != after)
    return names | ({"embed.weight": "EmbeddingLayer.weight"} if num_classes else {})


def discriminator_map(widths: list[int], blocks: list[int], num_classes: int) -> dict[str, str]:
    """Our tensor → the reference's. Its stage ends with the step down from it, the last with the basis instead."""
    last = f"MainLayers.{len(blocks) - 1}.Layers.{blocks[-1]}"
    names = {
        "from_image.weight": "ExtractionLayer.Layer.weight",
        "basis.weight": f"{last}.Basis.weight",
        "score.weight": f"{last}.LinearLayer.weight",
    }
    for stage, count in enumerate(blocks):
        for block in range(count):
            names |= block_map(f"stages.{stage}.{block}", f"MainLayers.{stage}.Layers.{block}")
    for step, (before, after) in enumerate(zip(widths, widths[1:])):
        names |= resize_map(f"downs.{step}", f"MainLayers.{step}.Layers.{blocks[step]}", before != after)
    return names | ({"embed.weight": "EmbeddingLayer.weight"} if num_classes else {})


def with_their_weights(layers: nn.Module, names: dict[str, str], golden: dict, role: str) -> nn.Module:
    """`layers` with the reference's weights; every tensor of the reference is used exactly once."""
    theirs = {k.removeprefix(f"weights/{role}/"): v for k, v in golden.items() if k.startswith(f"weights/{role}/")}
    assert sorted(names.values()) == sorted(theirs)
    state = {ours: theirs[name] for ours, name in names.items()}
    for name in [name for name in state if name.endswith(".kernel")]:  # constants, no part of our files
        torch.testing.assert_close(layers.get_buffer(name), state.pop(name))
    if "embed.weight" in state:  # a linear map of the one-hot label, (E, K) → one row a class
        state["embed.weight"] = state["embed.weight"].t()
    layers.load_state_dict(state)
    return layers


def players(golden: dict) -> tuple[nn.Module, nn.Module, torch.Tensor | None]:
    """Our layers with the reference's weights, and its labels."""
    of_generator, of_discriminator, classes = FILES[golden["file"]]
    widths, shape = [16, 16, 12, 8], dict(num_classes=classes, embedding_size=6, expansion=2)
    stages = [
        [Stage(width, 2 * width // GROUP_SIZE, count) for width, count in zip(order, blocks)]
        for order, blocks in ((widths, of_generator), (widths[::-1], of_discriminator))
    ]
    generator = with_their_weights(
        Synthesis(stages[0], (4, 4), 3, latent_size=16, **shape),
        generator_map(widths, of_generator, classes), golden, "generator",
    )  # fmt: skip
    discriminator = with_their_weights(
        Analysis(stages[1], (4, 4), 3, **shape),
        discriminator_map(widths[::-1], of_discriminator, classes), golden, "discriminator",
    )  # fmt: skip
    return generator, discriminator, golden["inputs/c"].argmax(1) if classes else None


def assert_near(ours: torch.Tensor, golden: torch.Tensor, tolerance: float = 2e-5) -> None:
    assert ours.shape == golden.shape
    assert (ours - golden).abs().max() <= tolerance * golden.abs().max()


def test_the_reference_s_resampling_comes_out_of_ours(golden):
    layer, x = SmoothResample(), golden["inputs/resample/x"]
    assert_near(layer.up(x), golden["outputs/resample/upsample"])
    assert_near(layer.down(x), golden["outputs/resample/downsample"])
    assert_near(layer.kernel, golden["outputs/resample/upsample_kernel"])


def test_the_reference_s_images_logits_and_stages_come_out_of_ours(golden):
    generator, discriminator, labels = players(golden)
    seen = []
    for module in generator.stages:
        module.register_forward_hook(lambda *call: seen.append(call[-1][:1]))
    with torch.no_grad():
        images = generator(golden["inputs/z"], labels)
        assert len(seen) == 4
        for stage, output in enumerate(seen):
            assert_near(output, golden[f"outputs/blocks/generator.stage{stage}"])
        seen.clear()
        for module in [*discriminator.downs, discriminator.score]:
            module.register_forward_hook(lambda *call: seen.append(call[-1][:1]))
        logits = discriminator(golden["inputs/images"], labels)
        assert len(seen) == 4
        for stage, output in enumerate(seen):
            assert_near(output, golden[f"outputs/blocks/discriminator.stage{stage}"])
        assert_near(images, golden["outputs/image"])
        assert_near(logits, golden["outputs/logits"])
        assert_near(discriminator(images, labels), golden["outputs/logits_fake"])


def test_the_reference_trainer_s_losses_penalties_and_gradients_come_out_of_ours(golden):
    generator, discriminator, labels = players(golden)
    game, expected = ADVERSARIAL["relativistic"], {
        key.removeprefix("outputs/losses/"): value for key, value in golden.items() if "outputs/losses/" in key
    }  # fmt: skip
    images = generator(golden["inputs/z"], labels)

    loss = game.generator(discriminator(images, labels), discriminator(golden["inputs/images"], labels))
    assert_near(loss, expected["g_total"])
    loss.backward()
    assert_near(generator.to_image.weight.grad, expected["g_grad/AggregationLayer.Layer.weight"], 1e-4)

    reals, fakes = golden["inputs/images"].requires_grad_(), images.detach().requires_grad_()
    real_logits, fake_logits = discriminator(reals, labels), discriminator(fakes, labels)
    r1, r2 = r1_penalty(real_logits, reals), r2_penalty(fake_logits, fakes)
    assert_near(r1, expected["r1"].mean() / 2, 1e-4)  # the reference's are per image, and without the ½
    assert_near(r2, expected["r2"].mean() / 2, 1e-4)
    loss = game.discriminator(real_logits, fake_logits)
    assert_near(loss, expected["d_adversarial"].mean())
    total = loss + 2.0 * (r1 + r2)
    assert_near(total, expected["d_total"], 1e-4)
    discriminator.zero_grad()
    total.backward()
    assert_near(discriminator.from_image.weight.grad, expected["d_grad/ExtractionLayer.Layer.weight"], 1e-4)


# ------------------------------------------------------------------------------------------------ the run


def test_the_recipe_is_a_relativistic_game_with_both_penalties_between_small_networks():
    config = TrainConfig(**read_recipe(ROOT / "recipes" / "r3gan-fashion-mnist.yaml"))
    assert (config.architecture, config.loss) == ("r3gan", "relativistic") and {"r1", "r2"} == config.penalties.keys()
    assert (config.precision, config.channels_last) == ("bf16", True)
    shape = dict(resolution=config.resolution, channels=config.channels, num_classes=10)
    for cls, options in zip(ARCHITECTURES["r3gan"], (config.generator, config.discriminator)):
        with torch.device("meta"):
            size = sum(parameter.numel() for parameter in cls(**shape, **options).parameters())
        assert 100_000 < size < 1_000_000

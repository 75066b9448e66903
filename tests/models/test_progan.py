"""ProGAN against its paper, stage by stage, and against the numbers of two references with unlike conventions."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from gan_hub.models import progan
from gan_hub.models.layers import EqualizedConv2d, EqualizedLinear
from gan_hub.models.progan import ProGANDiscriminator, ProGANGenerator, Start

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TINY = dict(resolution=32, base_channels=4, max_channels=12)
EQUALISED = (Start, EqualizedConv2d, EqualizedLinear)


def generator(**options) -> ProGANGenerator:
    torch.manual_seed(0)
    return ProGANGenerator(**{**TINY, "latent_size": 6, **options})


def discriminator(**options) -> ProGANDiscriminator:
    torch.manual_seed(0)
    return ProGANDiscriminator(**{**TINY, **options})


def latents(count: int = 4, size: int = 6) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(1))


def pictures(count: int = 4, height: int = 32, width: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(2)) * 2 - 1


def fan_in(module: nn.Module) -> int:
    """Of a convolution, a linear map, or the start, whose table entry is a 4 × 4 convolution."""
    shape = module.weight.shape
    return math.prod(shape[1:]) if not isinstance(module, Start) else shape[0] * shape[2] * shape[3]


def layers_run(network, given: torch.Tensor) -> dict[str, torch.Tensor]:
    """Name of each layer with weights that took part in `network(given)`, in this order → what it made."""
    found, hooks = {}, []
    for name, module in network.named_modules():
        if isinstance(module, EQUALISED):
            hooks.append(module.register_forward_hook(lambda _, inputs, made, name=name: found.update({name: made})))
    network(given)
    for hook in hooks:
        hook.remove()
    return found


# --------------------------------------------------------------------------------------- the paper's table 2

GENERATOR_TABLE = [  # feature maps, side, parameters
    (512, 4, 4_194_816), (512, 4, 2_359_808),
    (512, 8, 2_359_808), (512, 8, 2_359_808), (512, 16, 2_359_808), (512, 16, 2_359_808),
    (512, 32, 2_359_808), (512, 32, 2_359_808), (256, 64, 1_179_904), (256, 64, 590_080),
    (128, 128, 295_040), (128, 128, 147_584), (64, 256, 73_792), (64, 256, 36_928),
    (32, 512, 18_464), (32, 512, 9_248), (16, 1024, 4_624), (16, 1024, 2_320), (3, 1024, 51),
]  # fmt: skip
DISCRIMINATOR_TABLE = [
    (16, 1024, 64), (16, 1024, 2_320), (32, 1024, 4_640), (32, 512, 9_248), (64, 512, 18_496),
    (64, 256, 36_928), (128, 256, 73_856), (128, 128, 147_584), (256, 128, 295_168),
    (256, 64, 590_080), (512, 64, 1_180_160), (512, 32, 2_359_808), (512, 32, 2_359_808),
    (512, 16, 2_359_808), (512, 16, 2_359_808), (512, 8, 2_359_808), (512, 8, 2_359_808),
    (512, 4, 2_364_416), (512, 1, 4_194_816), (1, 1, 513),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cls", "shape", "table"),
    [(ProGANGenerator, (4, 512), GENERATOR_TABLE), (ProGANDiscriminator, (4, 3, 1024, 1024), DISCRIMINATOR_TABLE)],
)
def test_at_1024_every_layer_has_the_size_and_the_parameters_of_table_2(cls, shape, table):
    with torch.device("meta"):
        network = cls(resolution=1024, base_channels=16)
        run = layers_run(network, torch.empty(shape))
    modules = dict(network.named_modules())
    found = [
        (made.shape[1], made.shape[2] if made.dim() == 4 else 1, sum(p.numel() for p in modules[name].parameters()))
        for name, made in run.items()
    ]
    assert found == table
    assert f"{sum(parameters for *_, parameters in table) / 1e6:.1f} M" == "23.1 M"
    # Beside the table's layers there is, for each coarser stage, only the one that fades it in.
    idle = modules.keys() - run.keys()
    assert {name for name in idle if isinstance(modules[name], EQUALISED)} == {
        f"{'to' if cls is ProGANGenerator else 'from'}_rgb.{stage}" for stage in range(8)
    }


@pytest.mark.parametrize(
    ("resolution", "start", "levels"), [(28, (7, 7), 2), (32, (4, 4), 3), ([32, 48], (4, 6), 3), (64, (4, 4), 4)]
)
def test_each_size_starts_from_its_coarsest_grid_and_gives_whole_images_at_every_level(resolution, start, levels):
    make = dict(resolution=resolution, channels=1, base_channels=2, max_channels=6)
    players = generator(**make), discriminator(**make)
    size = tuple(resolution) if isinstance(resolution, list) else (resolution, resolution)
    assert players[0].start.weight.shape[2:] == start and players[1].dense.weight.shape[1] == 6 * math.prod(start)
    for network in players:
        assert network.levels == network.level == levels
    for level in (0, 0.5, 1, levels - 0.5, levels):
        for network in players:
            network.set_level(level)
        images = players[0](latents(3))
        assert images.shape == (3, 1, *size) and -1 <= images.min() < images.max() <= 1
        assert players[1](images).shape == (3,)


# ------------------------------------------------------------------------------------------------- growing


def first_stages(network, resolution: int, base_channels: int):
    """The network for a smaller resolution with the weights that the larger one has for those stages."""
    small = type(network).from_config({**network.config, "resolution": resolution, "base_channels": base_channels})
    known = network.state_dict()
    small.load_state_dict({name: known[name] for name in small.state_dict()})
    return small.double()


def enlarged(images: torch.Tensor, times: int) -> torch.Tensor:
    return images.repeat_interleave(times, 2).repeat_interleave(times, 3)


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_at_a_whole_level_a_player_is_the_network_of_that_size(stage):
    size = max(4 * 2**stage, 8)  # no config has 4 pixels: there it is the network of 8 at its own level 0
    large, times = (generator().double(), discriminator().double()), 32 // size
    small = [first_stages(network, size, 4 * times) for network in large]
    for network in (*large, *small):
        network.set_level(stage)
    z, images = latents().double(), pictures().double()
    expected = enlarged(small[0].unbounded(z), times)
    torch.testing.assert_close(large[0].unbounded(z), expected, rtol=0, atol=1e-12)
    expected = small[1](functional.avg_pool2d(images, times))
    torch.testing.assert_close(large[1](images), expected, rtol=0, atol=1e-12)


def given_at(network, level: float) -> torch.Tensor:
    """What a player in float64 makes of the same inputs at a level: images, not bounded, or logits."""
    network.set_level(level)
    if isinstance(network, ProGANGenerator):
        return network.unbounded(latents().double())
    return network(pictures().double())


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_stage_fades_in_from_the_one_before_to_itself(stage):
    for network in (generator().double(), discriminator().double()):
        before, after = given_at(network, stage - 1), given_at(network, stage)
        assert (before - after).abs().max() > 0.01
        assert 0 < (given_at(network, stage - 1 + 1e-7) - before).abs().max() < 1e-6
        assert 0 < (given_at(network, stage - 1e-7) - after).abs().max() < 1e-6


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_in_a_generator_it_is_the_colours_that_fade(stage):
    network = generator().double()
    before, after = given_at(network, stage - 1), given_at(network, stage)
    expected = 0.75 * before + 0.25 * after
    torch.testing.assert_close(given_at(network, stage - 0.75), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_in_a_discriminator_it_is_the_features_that_fade(stage):
    network, images = discriminator(minibatch_stddev=False).double(), pictures().double()
    network.set_level(stage - 0.75)

    def read(stage, images):
        return functional.leaky_relu(network.from_rgb[stage](images), 0.2)

    seen = functional.avg_pool2d(images, 2 ** (3 - stage))
    half = functional.avg_pool2d(seen, 2)
    new = functional.avg_pool2d(network.blocks[stage](read(stage, seen)), 2)
    x = 0.25 * new + 0.75 * read(stage - 1, half)
    for coarser in range(stage - 1, 0, -1):
        x = functional.avg_pool2d(network.blocks[coarser](x), 2)
    x = functional.leaky_relu(network.dense(network.blocks[0](x).flatten(1)), 0.2)
    torch.testing.assert_close(network(images), network.score(x).squeeze(1), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("level", "stages", "colours"),
    [(0, 1, {0}), (0.5, 2, {0, 1}), (1, 2, {1}), (1.25, 3, {1, 2}), (2, 3, {2}), (2.9, 4, {2, 3}), (3, 4, {3})],
)
def test_layers_above_the_level_are_not_run_and_get_no_gradient(level, stages, colours):
    for network, given, ends, rgb in (
        (generator(), latents(), {"start"}, "to_rgb"),
        (discriminator(), pictures(), {"dense", "score"}, "from_rgb"),
    ):
        network.set_level(level)
        expected = ends | {f"{rgb}.{stage}" for stage in colours} | {"blocks.0.convolutions.0"}
        expected |= {f"blocks.{stage}.convolutions.{index}" for stage in range(1, stages) for index in (0, 1)}
        assert layers_run(network, given).keys() == expected
        network(given).square().sum().backward()
        for name, parameter in network.named_parameters():
            reached = parameter.grad is not None and parameter.grad.any()
            assert reached == (name.rpartition(".")[0] in expected), name


def test_a_player_refuses_a_level_that_it_does_not_have_in_one_sentence_and_stays_where_it_was():
    for network in (generator(), discriminator()):
        network.set_level(1.5)
        for level in (-0.1, 3.01, float("nan"), float("inf")):
            with pytest.raises(ValueError) as error:
                network.set_level(level)
            assert str(error.value) == f"level={level!r} is not allowed; it is a number from 0 to 3."
        assert network.level == 1.5


def test_a_loaded_network_is_whole_however_far_the_saved_one_had_grown(tmp_path):
    network = generator()
    whole = network(latents())
    network.set_level(0.5)
    network.save_pretrained(tmp_path)
    assert torch.equal(ProGANGenerator.from_pretrained(tmp_path)(latents()), whole)


# ------------------------------------------------------------------------- norms, scales and first images


def test_every_layer_starts_at_one_and_is_scaled_where_it_is_used():
    wide = dict(base_channels=32, max_channels=64, num_classes=5)
    for network in (generator(latent_size=64, **wide), discriminator(**wide)):
        for name, module in network.named_modules():
            if not isinstance(module, EQUALISED):
                continue
            gain = 1 if name.startswith(("to_rgb", "score")) else math.sqrt(2)
            assert module.scale == pytest.approx(gain / math.sqrt(fan_in(module)), rel=1e-12), name
            stored = module.weight.std().item() / (progan.RGB_INIT_STD if name.startswith("to_rgb") else 1)
            assert stored == pytest.approx(1, rel=0.25) and not module.bias.any(), name


def test_the_scale_takes_part_at_run_time_and_leaves_the_bias_as_it_is():
    layer, z = Start(6, 5, (4, 6)), latents()
    with torch.no_grad():
        layer.bias.copy_(torch.arange(5.0))
        made = layer(z)
    weight = layer.weight.detach() * math.sqrt(2 / (6 * 24))
    expected = functional.conv_transpose2d(z[:, :, None, None], weight, torch.arange(5.0))
    assert made.shape == (4, 5, 4, 6)
    torch.testing.assert_close(made, expected)


def test_every_pixel_s_features_have_a_mean_square_of_one_after_each_layer_of_the_generator():
    network, seen = generator(), []
    for block in network.blocks:
        block.register_forward_hook(lambda module, given, made: seen.extend([given[0], made]))
    with torch.no_grad():
        network(latents())
    assert [tuple(x.shape[1:]) for x in seen[1::2]] == [(12, 4, 4), (12, 8, 8), (8, 16, 16), (4, 32, 32)]
    for x in seen:
        torch.testing.assert_close(x.square().mean(1), torch.ones_like(x[:, 0]), rtol=0, atol=1e-4)
    # Only the direction of z counts.
    torch.testing.assert_close(network(latents()), network(7 * latents()), rtol=0, atol=1e-4)


def test_the_first_images_lie_within_the_bound():
    network = generator(base_channels=16, max_channels=64, latent_size=64)
    with torch.no_grad():
        for level in (0, 1, 2, 3):
            network.set_level(level)
            images = network.unbounded(latents(64, 64))
            assert 0.1 < images.std() < 0.5 and (images.abs() > 1).float().mean() < 0.001


def test_images_are_the_unbounded_ones_clamped():
    network = generator()
    with torch.no_grad():
        network.to_rgb[3].weight.mul_(8)
        colours = network.unbounded(latents())
        assert colours.abs().max() > 1
        assert torch.equal(network(latents()), colours.clamp(-1, 1))


def test_in_training_a_verdict_sees_how_much_its_group_varies_and_in_eval_mode_it_does_not():
    network, images = discriminator().double(), pictures(8).double()
    twins = torch.cat([images[:1].expand(4, -1, -1, -1), images[4:]])
    with torch.no_grad():
        assert (network(images)[0] - network(twins)[0]).abs() > 1e-6
        network.eval()
        for others in (images[:1], images[:3], twins):
            torch.testing.assert_close(network(images)[0], network(others)[0], rtol=0, atol=1e-12)
        unaware = discriminator(minibatch_stddev=False).double()
        torch.testing.assert_close(unaware(images)[0], unaware(twins)[0], rtol=0, atol=1e-12)


def test_the_deviation_joins_the_features_of_the_coarsest_grid_and_equal_images_have_none():
    network, seen = discriminator(), []
    network.blocks[0].register_forward_hook(lambda module, given, made: seen.append(given[0]))
    with torch.no_grad():
        network(pictures())
        network(pictures(1).expand(4, -1, -1, -1))
    assert [tuple(x.shape) for x in seen] == [(4, 13, 4, 4)] * 2
    assert seen[0][:, 12].min() > 0.01 and seen[1][:, 12].max() < 1e-3


def test_in_bfloat16_float32_can_be_forced():
    for network, given in ((generator(), latents()), (discriminator(minibatch_stddev=False), pictures())):
        expected = network(given)
        with torch.autocast("cpu", torch.bfloat16):
            rough, exact = network(given), network(given, force_fp32=True)
        assert torch.equal(exact, expected)
        assert 0 < (rough - expected).abs().mean() < 0.03 * expected.abs().mean()


# ------------------------------------------------------------------------------------------------- classes


def test_a_label_weighs_as_much_as_z():
    network, seen = generator(num_classes=3), []
    network.start.register_forward_hook(lambda module, given, made: seen.append(given[0]))
    images = network(5 * latents(3), torch.arange(3))
    torch.testing.assert_close(seen[0][:, :6].square().sum(1), torch.full((3,), 6.0))
    torch.testing.assert_close(seen[0][:, 6:], math.sqrt(6) * torch.eye(3))
    other = network(5 * latents(3), torch.tensor([0, 2, 1]))
    assert torch.equal(images[0], other[0]) and (images[1:] - other[1:]).abs().amax((1, 2, 3)).min() > 0.01


def test_each_class_has_its_own_logit_upon_the_same_features():
    classes, images = discriminator(num_classes=3), pictures()
    with torch.no_grad():
        classes.score.bias.copy_(torch.tensor([0.0, 1.0, 2.0]))
        for label in range(3):
            alone = discriminator()
            state = classes.state_dict()
            state["score.weight"], state["score.bias"] = (state[f"score.{p}"][label, None] for p in ("weight", "bias"))
            alone.load_state_dict(state)
            torch.testing.assert_close(classes(images, torch.full((4,), label)), alone(images))


def test_labels_are_asked_for_where_there_are_classes_and_only_there():
    for make, given in ((generator, latents()), (discriminator, pictures())):
        with pytest.raises(ValueError, match="needs labels"):
            make(num_classes=2)(given)
        with pytest.raises(ValueError, match="has no classes and takes no labels"):
            make()(given, torch.zeros(4, dtype=torch.long))


# ------------------------------------------------------------------------- golden values: the authors' conventions

TOLERANCE = 5e-5


def assert_near(ours: torch.Tensor, golden: torch.Tensor) -> None:
    assert ours.shape == golden.shape
    assert (ours - golden).abs().max() <= TOLERANCE * golden.abs().max()


def weights(golden: dict[str, torch.Tensor], role: str) -> dict[str, torch.Tensor]:
    """The reference's weights of a player, by its names; `lod` is where it had grown to, no weight."""
    start = f"weights/{role}/"
    found = {name.removeprefix(start): tensor for name, tensor in golden.items() if name.startswith(start)}
    return {name: tensor for name, tensor in found.items() if name != "lod"}


def renamed(names: dict[str, str], theirs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Our tensors from a map of our layers to the reference's; each of its tensors is used exactly once."""
    found = {f"{ours}.{part}": f"{name}.{part}" for ours, name in names.items() for part in ("weight", "bias")}
    assert sorted(found.values()) == sorted(theirs)
    return {ours: theirs[name] for ours, name in found.items()}


def official_generator_map() -> dict[str, str]:
    """Our layer → theirs, which are numbered from the latent on; the colours' from the coarsest on, as ours."""
    names = {"start": "layer0", "blocks.0.convolutions.0": "layer1"}
    for stage in (1, 2, 3):
        names |= {f"blocks.{stage}.convolutions.{index}": f"layer{2 * stage + index}" for index in (0, 1)}
    return names | {f"to_rgb.{stage}": f"output{stage}" for stage in range(4)}


def official_discriminator_map() -> dict[str, str]:
    """Our layer → theirs, which are numbered from the image on, and so are those that read colours."""
    names = {"blocks.0.convolutions.0": "layer6", "dense": "layer7", "score": "layer8"}
    for stage in (1, 2, 3):
        names |= {f"blocks.{stage}.convolutions.{index}": f"layer{2 * (3 - stage) + index}" for index in (0, 1)}
    return names | {f"from_rgb.{stage}": f"input{3 - stage}" for stage in range(4)}


def official() -> tuple[ProGANGenerator, ProGANDiscriminator, dict[str, torch.Tensor]]:
    """Both players with the weights of the official conventions, and the file's tensors.

    Only the start is stored otherwise: theirs is a convolution (O, Z, 4, 4) of one pixel amid zeros, which turns its
    kernel round, ours the linear map (Z, O, 4, 4) that comes of it.
    """
    golden, shape = load_file(GOLDEN / "progan-official.safetensors"), dict(base_channels=8, max_channels=20)
    players = generator(**shape, latent_size=16), discriminator(**shape)
    state = renamed(official_generator_map(), weights(golden, "generator"))
    state["start.weight"] = state["start.weight"].flip(2, 3).transpose(0, 1)
    players[0].load_state_dict(state)
    state = renamed(official_discriminator_map(), weights(golden, "discriminator"))
    players[1].load_state_dict(state | {"stddev.running": torch.zeros(())})
    return *players, golden


@pytest.mark.parametrize("lod", [0.0, 0.25, 1.0, 1.5, 2.5, 3.0])
def test_the_official_images_and_scores_come_out_of_ours_at_every_level_of_detail(lod):
    ours, critic, golden = official()
    with torch.no_grad():
        for network in (ours, critic):
            network.set_level(3 - lod)  # they count the doublings that are missing
        assert_near(ours.unbounded(golden["inputs/z"]), golden[f"outputs/lod{lod}/image"])
        assert_near(critic(golden["inputs/images"]), golden[f"outputs/lod{lod}/logits"].squeeze(1))


def test_the_official_scores_of_two_groups_come_out_of_ours():
    _, critic, golden = official()
    with torch.no_grad():
        assert_near(critic(golden["inputs/images_two_groups"]), golden["outputs/logits_two_groups"].squeeze(1))


# ---------------------------------------------------------------- golden values: the conventions of the GAN zoo


def zoo_map(role: str) -> dict[str, str]:
    """Our layer → the GAN zoo's; both number from the coarsest stage on, and ours has no stage 0 of two layers."""
    conv = "convolutions"
    if role == "generator":
        names = {"start": "formatLayer.module", f"blocks.0.{conv}.0": "groupScale0.0.module"}
        names |= {f"to_rgb.{stage}": f"toRGBLayers.{stage}.module" for stage in range(4)}
    else:
        names = {f"blocks.0.{conv}.0": "groupScaleZero.0.module", "dense": "groupScaleZero.1.module"}
        names |= {"score": "decisionLayer.module"}
        names |= {f"from_rgb.{stage}": f"fromRGBLayers.{stage}.module" for stage in range(4)}
    return names | {
        f"blocks.{stage}.{conv}.{index}": f"scaleLayers.{stage - 1}.{index}.module"
        for stage in (1, 2, 3)
        for index in (0, 1)
    }


def folded(network, names: dict[str, str], theirs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Our tensors of the zoo's, whose run-time scale √(2 / fan-in) multiplies the output of every layer, bias and all.

    So weight and bias are multiplied by it, and the weight is divided by what ours will be multiplied by: that leaves
    √2 in the layers whose gain is 1 here, and 4 in the start, where they take the fan-in of a linear map.
    """
    state, modules = renamed(names, theirs), dict(network.named_modules())
    for ours in names:
        scale = math.sqrt(2 / math.prod(state[f"{ours}.weight"].shape[1:]))
        state[f"{ours}.weight"] = state[f"{ours}.weight"] * scale / modules[ours].scale
        state[f"{ours}.bias"] = state[f"{ours}.bias"] * scale
    return state


@pytest.fixture
def zoo(monkeypatch) -> tuple[ProGANGenerator, ProGANDiscriminator, dict[str, torch.Tensor]]:
    """Both players with the weights of the GAN zoo, whose widths are no halvings, and the file's tensors.

    Its first layer has a bias for each position. Ours gets that as the weights of a class that every image is of, which
    take part times √Z. Its deviations divide by 3 of 4 images less the mean, ours by 4: √(4/3) goes into the weights of
    the deviation's feature map, the last one.
    """
    monkeypatch.setattr(progan, "stage_widths", lambda *_: [16, 16, 12, 8])
    golden = load_file(GOLDEN / "progan.safetensors")
    ours, critic = generator(latent_size=16, num_classes=1), discriminator()
    state = folded(ours, zoo_map("generator"), weights(golden, "generator"))
    start, places = state["start.weight"], state["start.bias"]  # (256, 16), (256,)
    label = places / (math.sqrt(16) * ours.start.scale)
    state["start.weight"] = torch.cat([start.t(), label[None]]).unflatten(1, (16, 4, 4))  # (17, 16, 4, 4)
    state["start.bias"] = torch.zeros(16)
    ours.load_state_dict(state)
    state = folded(critic, zoo_map("discriminator"), weights(golden, "discriminator"))
    state["blocks.0.convolutions.0.weight"][:, 16] *= math.sqrt(4 / 3)
    critic.load_state_dict(state | {"stddev.running": torch.zeros(())})
    return ours, critic, golden


# How far grown → the output's name, and whether the logits are there to compare: at 8 × 8 the zoo's discriminator does
# not blend, and its logits at alpha 0.5 are those at 0. Its alpha is the share of the old stage.
ZOO = {
    3.0: ("alpha0", 32, True),
    2.5: ("alpha0.5", 32, True),
    2.0: ("alpha1", 32, True),
    1.5: ("stage16/alpha0.5", 16, True),
    0.5: ("stage8/alpha0.5", 8, False),
    1.0: ("stage8/alpha0", 8, True),
    0.0: ("stage4/alpha0", 4, True),
}


@pytest.mark.parametrize(("level", "expected"), [*ZOO.items(), (2.0, ("stage16/alpha0", 16, True))])
def test_the_zoo_s_images_and_scores_come_out_of_ours_once_its_scales_are_folded_in(zoo, level, expected):
    ours, critic, golden = zoo
    name, side, blended = expected
    for network in (ours, critic):
        network.set_level(level)
    images = golden["inputs/images" if side == 32 else f"inputs/images_{side}"]
    with torch.no_grad():
        made = ours.unbounded(golden["inputs/z"], torch.zeros(4, dtype=torch.long))
        logits = critic(enlarged(images, 32 // side))
    assert torch.equal(made, enlarged(made[..., :: 32 // side, :: 32 // side], 32 // side))
    assert_near(made[..., :: 32 // side, :: 32 // side], golden[f"outputs/{name}/image"])
    if blended:
        assert_near(logits, golden[f"outputs/{name}/logits"].squeeze(1))
    else:
        assert torch.equal(golden[f"outputs/{name}/logits"], golden["outputs/stage8/alpha0/logits"])


def test_the_zoo_s_scores_of_two_groups_come_out_of_ours_in_another_order(zoo):
    _, critic, golden = zoo
    order = torch.arange(8).view(2, 4).t().flatten()  # its groups are 0 to 3 and 4 to 7, ours the even and the odd
    with torch.no_grad():
        logits = critic(golden["inputs/images_two_groups"][order])
    assert_near(logits, golden["outputs/alpha0/logits_two_groups"].squeeze(1)[order])


def test_the_zoo_s_last_hidden_features_come_out_of_ours(zoo):
    _, critic, golden = zoo
    with torch.no_grad():
        hidden = layers_run(critic, golden["inputs/images"])["dense"]  # the activation is in place
    assert_near(hidden, golden["outputs/alpha0/features"])

"""StyleGAN2 against its paper, against the slow form of its modulation, and against a reference's numbers."""

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.nn import functional

from gan_hub.images import height_width
from gan_hub.losses import path_length_penalty, r1_penalty
from gan_hub.models.layers import MinibatchStddev, normalize_2nd_moment, stage_resolutions
from gan_hub.models.stylegan2 import (
    Convolution,
    Dense,
    Resample,
    StyledConvolution,
    StyleGAN2Discriminator,
    StyleGAN2Generator,
    modulated_conv2d,
)

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TINY = dict(resolution=32, base_channels=4, max_channels=8)


def generator(**options) -> StyleGAN2Generator:
    """A small one with noise that shows: its strengths would start at 0."""
    torch.manual_seed(0)
    model = StyleGAN2Generator(**{**TINY, "latent_size": 6, "w_size": 8, "mapping_layers": 2, **options})
    for name, parameter in model.named_parameters():
        if name.endswith("noise_strength"):
            torch.nn.init.constant_(parameter, 0.3)
    return model


def discriminator(**options) -> StyleGAN2Discriminator:
    torch.manual_seed(0)
    return StyleGAN2Discriminator(**{**TINY, "mapping_layers": 2, **options})


# ------------------------------------------------------------------------------------ the paper's rules


def test_config_f_at_1024_has_the_papers_30_and_29_million_parameters_and_18_rows():
    with torch.device("meta"):
        big = dict(resolution=1024, base_channels=32)
        players = StyleGAN2Generator(**big), StyleGAN2Discriminator(**big)
    assert players[0].rows == 18
    counts = [sum(parameter.numel() for parameter in player.parameters()) for player in players]
    assert [round(count / 1e6) for count in counts] == [30, 29]


def test_every_block_of_config_f_at_1024_has_the_tables_features_and_side():
    features = [512, 512, 512, 512, 512, 256, 128, 64, 32]  # from 4 × 4 to 1024 × 1024
    seen = [[], []]
    with torch.device("meta"):
        big = dict(resolution=1024, base_channels=32)
        players = StyleGAN2Generator(**big), StyleGAN2Discriminator(**big, minibatch_stddev=False)
        for player, found in zip(players, seen):
            for block in player.blocks:
                block.register_forward_hook(lambda module, inputs, output, found=found: found.append(output))
        image = players[0](torch.empty(1, 512))
        assert image.shape == (1, 3, 1024, 1024) and players[1](image).shape == (1,)
    grids = [(width, 4 * 2**stage, 4 * 2**stage) for stage, width in enumerate(features)]
    assert [tuple(x.shape[1:]) for x, _ in seen[0]] == grids
    assert [tuple(colours.shape[1:]) for _, colours in seen[0]] == [(3, *grid[1:]) for grid in grids]
    assert [tuple(x.shape[1:]) for x in seen[1]] == grids[-2::-1]


@pytest.mark.parametrize(("resolution", "channels"), [(28, 1), (32, 3), (16, 2), ([16, 24], 4), ([32, 8], 3)])
@pytest.mark.parametrize("num_classes", [0, 3])
def test_both_players_have_the_right_shape_and_range(resolution, channels, num_classes):
    shape = dict(resolution=resolution, channels=channels, num_classes=num_classes)
    labels = torch.tensor([0, 2]) if num_classes else None
    images = generator(**shape)(torch.randn(2, 6), labels)
    assert images.shape == (2, channels, *height_width(resolution)) and images.dtype == torch.float32
    assert -1 <= images.min() < images.max() <= 1
    for architecture in ("resnet", "skip", "orig"):
        logits = discriminator(**shape, architecture=architecture)(images, labels)
        assert logits.shape == (2,) and logits.dtype == torch.float32


def test_the_class_decides_about_image_and_verdict():
    labels = torch.arange(3)
    images = generator(num_classes=3).eval()(torch.randn(1, 6).expand(3, -1), labels)
    assert not torch.equal(images[0], images[1]) and not torch.equal(images[1], images[2])
    assert len(set(discriminator(num_classes=3).eval()(images[:1].expand(3, -1, -1, -1), labels).tolist())) == 3


def test_labels_are_asked_for_where_there_are_classes_and_only_there():
    for make, size in ((generator, (1, 6)), (discriminator, (1, 3, 32, 32))):
        with pytest.raises(ValueError, match="needs labels"):
            make(num_classes=2)(torch.zeros(size))
        with pytest.raises(ValueError, match="has no classes and takes no labels"):
            make()(torch.zeros(size), torch.tensor([0]))


@pytest.mark.parametrize("value", [4, 30, 2048, True, 32.0, "32", [32, 32], [32, 30], (32, 64)])
def test_a_size_that_no_network_has_is_refused_with_the_rule(value):
    for cls in (StyleGAN2Generator, StyleGAN2Discriminator):
        with pytest.raises(ValueError, match="'resolution' has the value .*a multiple of 4 from 8 to 1024"):
            cls(resolution=value)


# ------------------------------------------------------------------------------------------- modulation


def one_image_at_a_time(x, weight, styles, demodulate, double):
    """Equations 1 and 3 as they stand: weights of its own for every image; (I, O, k, k) where doubled."""
    out = []
    for image, style in zip(x, styles):
        if double is None:
            own = weight * style[None, :, None, None] / math.sqrt(weight[0].numel())
            over = (1, 2, 3)
        else:
            own = weight * style[:, None, None, None] / math.sqrt(weight[:, 0].numel())
            over = (0, 2, 3)
        if demodulate:
            own = own / own.square().sum(over, keepdim=True).sqrt()
        if double is None:
            out.append(functional.conv2d(image[None], own, padding=weight.shape[2] // 2))
        else:
            # Zeros between the pixels, the kernel, the filter times 4: one after the other.
            out.append(4 * double.blur(functional.conv_transpose2d(image[None], own, stride=2), padding=1))
    return torch.cat(out)


@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.parametrize(("kernel", "doubled"), [(1, False), (3, False), (3, True)])
def test_one_shared_convolution_is_what_weights_of_its_own_for_every_image_give(kernel, doubled, demodulate):
    torch.manual_seed(0)
    resample = Resample() if doubled else None
    x, styles = torch.randn(3, 10, 8, 8), 1 + torch.randn(3, 10)
    weight = torch.randn(*((10, 7) if doubled else (7, 10)), kernel, kernel)
    shared, factors = modulated_conv2d(x, weight, styles, demodulate, resample)
    if demodulate:
        shared = shared * factors[:, :, None, None]
    expected = one_image_at_a_time(x, weight, styles, demodulate, resample)
    assert (factors is not None) == demodulate and shared.shape[1:] == ((7, 16, 16) if doubled else (7, 8, 8))
    assert (shared - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_the_gradients_of_the_shared_convolution_are_the_slow_forms():
    torch.manual_seed(0)
    leaves = [torch.randn(2, 5, 4, 4), torch.randn(6, 5, 3, 3), 1 + torch.randn(2, 5)]
    leaves = [leaf.double().requires_grad_() for leaf in leaves]
    shared, factors = modulated_conv2d(*leaves)
    found = torch.autograd.grad((shared * factors[:, :, None, None]).pow(3).sum(), leaves)
    expected = torch.autograd.grad(one_image_at_a_time(*leaves, True, None).pow(3).sum(), leaves)
    for ours, theirs in zip(found, expected):
        assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize("size", [0.01, 1, 100])
def test_demodulated_features_have_deviation_one_whatever_the_styles(doubled, size):
    """Section 2.2, for features of deviation 1: white ones, or, as the filter of a doubling dims these, flat ones."""
    torch.manual_seed(0)
    layer = StyledConvolution(48, 64, 8, (16, 16), Resample() if doubled else None, "none")
    layer.affine.bias.data.mul_(size)
    layer.affine.weight.data.mul_(size)
    x = torch.randn(256, 48, 1, 1).expand(-1, -1, 8, 8) if doubled else torch.randn(32, 48, 8, 8)
    styles = layer.affine(torch.randn(len(x), 8))
    raw, factors = modulated_conv2d(x, layer.weight, styles, double=layer.resample)
    inner = (raw * factors[:, :, None, None])[:, :, 3:-3, 3:-3]  # the border is padded with zeros
    assert abs(inner.std().item() - 1) < 0.05
    dull, _ = modulated_conv2d(x, layer.weight, styles, False, layer.resample)
    assert size == 1 or abs(dull.std().item() - 1) > 0.5


# ------------------------------------------------------------------------------------- gains and filters


def test_layers_keep_the_size_of_what_goes_through_them_at_the_start():
    """Equalised learning rates: stored weights are N(0, 1) and what scales them is applied at run time."""
    torch.manual_seed(0)
    x = torch.randn(64, 256)
    for lr in (1.0, 0.01):
        dense = Dense(256, 256, lr=lr)
        assert abs(lr * dense.weight.std().item() - 1) < 0.02
        assert abs(dense(x).std().item() - 1) < 0.05
        active = Dense(256, 256, lr=lr, activation=True)(x)
        assert abs(active.square().mean().item() - 1.04) < 0.1  # 2 · (1 + 0.2²) / 2
    pixels = torch.randn(4, 64, 16, 16)
    convolved = Convolution(64, 64, 3)(pixels)[:, :, 1:-1, 1:-1]
    assert abs(convolved.square().mean().item() - 1.04) < 0.1
    assert abs(Convolution(64, 64, 1, linear=True, gain=0.5)(pixels).std().item() - 0.5) < 0.03


def test_styles_start_around_1_and_all_other_biases_and_strengths_at_0():
    players = StyleGAN2Generator(32, base_channels=4, num_classes=2), discriminator(num_classes=2)
    for player in players:
        for name, parameter in player.named_parameters():
            if name.endswith(("bias", "noise_strength")):
                assert (parameter == (1 if "affine" in name else 0)).all(), name


def test_the_lr_of_a_dense_layer_scales_its_step_and_not_its_output():
    slow, fast = Dense(4, 4, bias=1.0, lr=0.01), Dense(4, 4, bias=0.01)
    with torch.no_grad():
        fast.weight.copy_(slow.weight * 0.01)
    x = torch.randn(3, 4)
    torch.testing.assert_close(slow(x), fast(x))
    slow(x).sum().backward(), fast(x).sum().backward()
    torch.testing.assert_close(slow.weight.grad, 0.01 * fast.weight.grad)


def test_a_constant_stays_itself_when_upsampled_downsampled_or_blurred():
    resample, x = Resample(), torch.full((1, 2, 8, 8), 3.0)
    for name, inner, size in (("upsample", slice(1, -1), 16), ("downsample", slice(1, -1), 4)):
        y = getattr(resample, name)(x)
        assert y.shape == (1, 2, size, size)
        torch.testing.assert_close(y[..., inner, inner], torch.full_like(y[..., inner, inner], 3))
    assert not resample.state_dict()  # the filter is no weight


def test_the_filter_is_the_papers_with_one_pixel_spread_as_it_says():
    one = torch.zeros(1, 1, 5, 5)
    one[..., 2, 2] = 1
    taps = torch.tensor([1.0, 3, 3, 1])
    expected = torch.zeros(10, 10)
    expected[3:7, 3:7] = taps[:, None] * taps / 16  # pixel 2 lies at 4 and 5 of the doubled grid
    torch.testing.assert_close(Resample().upsample(one)[0, 0], expected)


# ------------------------------------------------------------------------------------------ rows of w


def test_halving_in_bfloat16_and_its_gradient_are_those_of_float32():
    images = {torch.float32: torch.randn(2, 3, 8, 12)}
    images[torch.bfloat16] = images[torch.float32].bfloat16()
    halves, gradients = {}, {}
    for dtype, x in images.items():
        halves[dtype] = Resample().downsample(x.requires_grad_())
        (halves[dtype] * torch.arange(24).view(4, 6)).sum().backward()
        gradients[dtype] = x.grad
    for found in (halves, gradients):
        torch.testing.assert_close(found[torch.bfloat16].float(), found[torch.float32], rtol=0.02, atol=0.02)


def test_every_row_of_ws_is_heard():
    model = generator().eval()
    ws = model.map(torch.randn(1, 6))
    image = model.synthesize(ws)
    for row in range(model.rows):
        changed = ws.clone()
        changed[:, row] += 1
        assert (model.synthesize(changed) - image).abs().max() > 1e-4, row


def test_the_first_images_lie_well_inside_the_bound_and_are_not_all_grey():
    raw = torch.cat([StyleGAN2Generator(32, base_channels=8).synthesize(torch.randn(8, 8, 512)) for _ in range(3)])
    assert raw.abs().max() < 1 and raw.std() > 0.05


@pytest.mark.parametrize("shape", [(1, 7, 8), (1, 8, 7), (1, 8), (8, 8)])
def test_ws_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"ws is \(.*allowed: \(N, 8, 8\)"):
        generator().synthesize(torch.zeros(shape))


# ------------------------------------------------------------------------------------------------- noise


def test_constant_noise_gives_a_seed_the_same_image_in_training_and_eval_and_it_is_heard():
    model, z = generator(), torch.randn(2, 6)
    ws = model.map(z)
    assert torch.equal(model(z), model(z)) and torch.equal(model(z), model.eval()(z))
    assert torch.equal(model.synthesize(ws), model.synthesize(ws, noise="const"))
    assert not torch.equal(model.synthesize(ws), model.synthesize(ws, noise="none"))
    fresh = [model.synthesize(ws, noise="random") for _ in range(2)]
    assert not torch.equal(*fresh)
    one = model.synthesize(ws[:1].expand(2, -1, -1), noise="random")
    assert not torch.equal(one[0], one[1])  # each image its own


def test_random_noise_is_fresh_in_training_and_constant_in_eval():
    model, z = generator(noise="random"), torch.randn(2, 6)
    assert not torch.equal(model(z), model(z))
    model.eval()
    assert torch.equal(model(z), model(z))
    assert torch.equal(model.synthesize(model.map(z)), model.synthesize(model.map(z), noise="const"))


def test_without_noise_there_are_neither_strengths_nor_constants_and_none_can_be_asked_for():
    model = generator(noise="none")
    assert not any("noise" in name for name in model.state_dict())
    ws = model.map(torch.randn(1, 6))
    assert torch.equal(model.synthesize(ws), model.synthesize(ws, noise="none"))
    for asked, known in (("const", "none"), ("random", "none"), ("white", "const")):
        with pytest.raises(ValueError, match=f"noise '{asked}' is not allowed in a network with noise '{known}'"):
            generator(noise=known).synthesize(ws, noise=asked)


@pytest.mark.parametrize("architecture", ["resnet", "skip", "orig"])
def test_a_verdict_depends_on_its_neighbours_in_training_only(architecture):
    model, images = discriminator(architecture=architecture), torch.randn(4, 3, 32, 32)
    torch.nn.init.normal_(model.last.weight, std=3)
    assert not torch.allclose(model(images)[:1], model(torch.cat([images[:1], 0 * images[1:]]))[:1], atol=1e-4)
    model.eval()
    torch.testing.assert_close(model(images)[:2], model(images[:2]), rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------------------------------------- precision


@pytest.mark.parametrize("make", [generator, discriminator])
def test_force_fp32_computes_in_float32_inside_autocast(make):
    model = make().eval()
    x = torch.randn(2, 6) if make is generator else torch.randn(2, 3, 32, 32)
    exact = model(x)
    with torch.autocast("cpu", torch.bfloat16):
        rough, forced = model(x), model(x, force_fp32=True)
    assert not torch.equal(rough, exact) and torch.equal(forced, exact)
    assert forced.dtype == torch.float32
    assert (rough - exact).abs().mean() < 0.05 * exact.abs().mean()


def test_a_network_in_bfloat16_makes_nearly_the_same_image():
    model, z = generator().eval(), torch.randn(2, 6)
    exact = model(z)
    rough = model.to(torch.bfloat16)(z.bfloat16())
    assert rough.dtype == torch.bfloat16
    assert 0 < (rough.float() - exact).abs().mean() < 0.05 * exact.abs().mean()


@pytest.mark.parametrize("make", [generator, discriminator])
def test_in_float64_nothing_is_rounded_to_float32_on_the_way(make):
    """A weight's change of 1e-11 is seen in proportion, which float32 anywhere in between would swallow."""
    model = make(num_classes=2).double()
    x = torch.randn(4, 6).double() if make is generator else torch.randn(4, 3, 32, 32).double()
    labels, changes = torch.tensor([0, 1, 0, 1]), []
    direction = torch.randn_like(x)
    with torch.no_grad():
        before = model(x, labels)
        for size in (1e-11, 1e-5):
            changes.append((model(x + size * direction, labels) - before) / size)
    assert before.dtype == torch.float64
    assert (changes[0] - changes[1]).abs().max() < 0.01 * changes[1].abs().max()


@pytest.mark.parametrize("make", [generator, discriminator])
def test_kernels_lie_in_memory_as_the_features_do_also_after_loading(make, tmp_path):
    """Otherwise every use copies every kernel, which is felt most where one image is made."""
    model = make()
    model.save_pretrained(tmp_path)
    for each in (model, type(model).from_pretrained(tmp_path)):
        kernels = [parameter for parameter in each.parameters() if parameter.dim() == 4]
        assert len(kernels) > 9
        assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)


def test_big_styles_stay_in_the_range_of_float16():
    """What comes of the convolution keeps its size, so that 512 channels of size 30 do not overflow at 65 504."""
    torch.manual_seed(0)
    x, weight = 30 * torch.randn(1, 512, 4, 4), torch.randn(8, 512, 3, 3)
    raw, factors = modulated_conv2d(x, weight, torch.full((1, 512), 30.0))
    assert raw.abs().max() < 65504 / 2 and torch.isfinite(raw.half()).all()
    assert (raw * factors[:, :, None, None]).std() < 60


# ---------------------------------------------------------------------------------------- golden values


def read(name: str) -> dict[str, torch.Tensor]:
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}


def constructor(name: str) -> dict:
    """The reference's own arguments, which hold one network."""
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        (arguments,) = json.loads(file.metadata()["constructor"]).values()
    return arguments


def generator_map(resolution: int, conditional: bool, layers: int) -> dict[str, str]:
    """Our tensor → the reference's. Its first block has a second convolution only; w_avg lies in its mapping."""
    names = {"w_avg": "mapping.w_avg", "const": "synthesis.b4.const"}
    for part in ("weight", "bias"):
        names |= {f"mapping.layers.{i}.{part}": f"mapping.fc{i}.{part}" for i in range(layers)}
        if conditional:
            names[f"mapping.embed.{part}"] = f"mapping.embed.{part}"
    for stage, (side, _) in enumerate(stage_resolutions(resolution)):
        theirs = ["conv1"] if stage == 0 else ["conv0", "conv1"]
        found = {f"convolutions.{index}": name for index, name in enumerate(theirs)} | {"to_rgb": "torgb"}
        for ours, name in found.items():
            parts = ["weight", "bias", "affine.weight", "affine.bias"]
            parts += [] if ours == "to_rgb" else ["noise_const", "noise_strength"]
            names |= {f"blocks.{stage}.{ours}.{part}": f"synthesis.b{side}.{name}.{part}" for part in parts}
    return names


def discriminator_map(resolution: int, architecture: str, conditional: bool, layers: int) -> dict[str, str]:
    """Our tensor → the reference's; its 4 × 4 block is our last three layers. Ours alone: stddev.running."""
    found = {"last": "b4.conv", "dense": "b4.fc", "score": "b4.out"}
    for stage, (side, _) in enumerate(stage_resolutions(resolution)[::-1]):
        if stage == 0 or architecture == "skip":
            found[f"from_rgb.{stage}"] = f"b{side}.fromrgb"
        if side > 4:
            found |= {f"blocks.{stage}.same": f"b{side}.conv0", f"blocks.{stage}.down": f"b{side}.conv1"}
            if architecture == "resnet":
                found[f"blocks.{stage}.shortcut"] = f"b{side}.skip"
    if conditional:
        found |= {"mapping.embed": "mapping.embed"}
        found |= {f"mapping.layers.{index}": f"mapping.fc{index}" for index in range(layers)}
    return {
        f"{ours}.{part}": f"{name}.{part}"
        for ours, name in found.items()
        for part in (("weight",) if ours.endswith("shortcut") else ("weight", "bias"))
    }


def reshaped(ours: str, tensor: torch.Tensor) -> torch.Tensor:
    """Theirs (O, I, 3, 3) is ours (I, O, 3, 3) where a convolution doubles: the first of every block but block 0."""
    doubles = ours.endswith("convolutions.0.weight") and not ours.startswith("blocks.0.")
    return tensor.transpose(0, 1) if doubles else tensor


def load(model, names: dict[str, str], golden: dict[str, torch.Tensor], role: str) -> None:
    """The reference's weights into ours; each of its tensors is used exactly once, and each of its filters is ours."""
    theirs = {k.removeprefix(f"weights/{role}/"): v for k, v in golden.items() if k.startswith(f"weights/{role}/")}
    filters = {name for name in theirs if name.endswith("resample_filter")}
    for name in filters:
        assert torch.equal(theirs[name], model.resample.kernel)
    assert sorted(names.values()) == sorted(theirs.keys() - filters)
    state = {ours: reshaped(ours, theirs[name]) for ours, name in names.items()}
    if role == "discriminator":
        state["stddev.running"] = torch.zeros(())
    model.load_state_dict(state)


def reference_generator(name: str) -> tuple[StyleGAN2Generator, dict[str, torch.Tensor]]:
    golden, given = read(name), constructor(name)
    resolution, layers = given["img_resolution"], given["mapping_kwargs"]["num_layers"]
    model = StyleGAN2Generator(
        resolution=resolution,
        channels=given["img_channels"],
        latent_size=given["z_dim"],
        num_classes=given["c_dim"],
        w_size=given["w_dim"],
        base_channels=given["synthesis_kwargs"]["channel_base"] // resolution,
        max_channels=given["synthesis_kwargs"]["channel_max"],
        mapping_layers=layers,
    )
    load(model, generator_map(resolution, bool(given["c_dim"]), layers), golden, "generator")
    return model.eval(), golden


def reference_discriminator(name: str) -> tuple[StyleGAN2Discriminator, dict[str, torch.Tensor]]:
    golden, given = read(name), constructor(name)
    resolution, layers = given["img_resolution"], given.get("mapping_kwargs", {"num_layers": 8})["num_layers"]
    model = StyleGAN2Discriminator(
        resolution=resolution,
        channels=given["img_channels"],
        num_classes=given["c_dim"],
        base_channels=given["channel_base"] // resolution,
        max_channels=given["channel_max"],
        architecture=given["architecture"],
        mapping_layers=layers,
    )
    names = discriminator_map(resolution, given["architecture"], bool(given["c_dim"]), layers)
    load(model, names, golden, "discriminator")
    return model, golden


def class_indices(golden: dict[str, torch.Tensor]) -> torch.Tensor | None:
    return golden["inputs/c"].argmax(1) if "inputs/c" in golden else None


def assert_near(ours: torch.Tensor, golden: torch.Tensor, tolerance: float = 2e-5) -> None:
    assert ours.shape == golden.shape
    assert (ours - golden).abs().max() <= tolerance * golden.abs().max()


each_generator = pytest.mark.parametrize("name", ["stylegan2-generator", "stylegan2-generator-conditional"])
each_discriminator = pytest.mark.parametrize(
    "name", [f"stylegan2-discriminator-{kind}" for kind in ("resnet", "skip", "orig", "conditional")]
)


@each_generator
def test_the_references_ws_come_out_of_our_mapping_truncated_or_not(name):
    model, golden = reference_generator(name)
    z, labels = golden["inputs/z"], class_indices(golden)
    with torch.no_grad():
        assert_near(model.map(z, labels), golden["outputs/ws"])
        assert_near(model.map(z, labels, truncation=0.7), golden["outputs/ws_psi0.7"])
        assert_near(model.map(z, labels, truncation=0.7, cutoff=3), golden["outputs/ws_psi0.7_cutoff3"])
    assert not torch.equal(golden["outputs/ws_psi0.7"], golden["outputs/ws_psi0.7_cutoff3"])


@each_generator
@pytest.mark.parametrize("training", [False, True])
def test_the_references_images_come_out_of_ours_noisy_truncated_or_mixed(name, training):
    model, golden = reference_generator(name)
    model.train(training)
    ws = golden["outputs/ws"]
    mixed = torch.cat([ws[:, :4], ws.flip(0)[:, 4:]], 1)
    with torch.no_grad():
        assert_near(model.synthesize(ws), golden["outputs/image"])
        assert_near(model.synthesize(ws, noise="none"), golden["outputs/image_nonoise"])
        assert_near(model.synthesize(golden["outputs/ws_psi0.7"]), golden["outputs/image_psi0.7"])
        assert_near(model.synthesize(mixed), golden["outputs/image_mixed"])
        images = model(golden["inputs/z"], class_indices(golden))
    assert_near(images, golden["outputs/image"].clamp(-1, 1))


@each_generator
def test_the_references_features_and_colours_come_out_of_every_block(name):
    model, golden = reference_generator(name)
    seen = []
    for block in model.blocks:
        block.register_forward_hook(lambda module, given, made: seen.append(made))
    with torch.no_grad():
        model.synthesize(golden["outputs/ws"])
        image = None
        for (side, _), (x, colours) in zip(stage_resolutions(32), seen, strict=True):
            image = colours if image is None else model.resample.upsample(image) + colours
            assert_near(x[:1], golden[f"outputs/blocks/b{side}.x"])
            assert_near(colours, golden[f"outputs/blocks/b{side}.torgb"])
            assert_near(image, golden[f"outputs/blocks/b{side}.img"])


@each_generator
def test_the_references_path_lengths_and_their_gradients_come_out_of_ours(name):
    model, golden = reference_generator(name)
    ws = model.map(golden["inputs/z"], class_indices(golden))
    mean = golden["inputs/pl_mean"]
    penalty, new_mean = path_length_penalty(model.synthesize(ws), ws, golden["inputs/pl_noise"], mean)
    assert_near(new_mean, golden["outputs/path_length/new_mean"], 1e-4)
    assert_near(penalty, golden["outputs/path_length/penalty"].mean(), 1e-4)
    assert_near(2 * penalty, golden["outputs/path_length/loss"], 1e-4)
    (2 * penalty).backward()
    key = "outputs/path_length/grad/synthesis.b4"
    assert_near(model.const.grad, golden[f"{key}.const"], 1e-4)
    assert_near(model.blocks[0].convolutions[0].affine.weight.grad, golden[f"{key}.conv1.affine.weight"], 1e-4)


@each_discriminator
def test_the_references_scores_come_out_of_ours_in_one_two_or_no_groups(name):
    model, golden = reference_discriminator(name)
    images, many, labels = golden["inputs/images"], golden["inputs/images_two_groups"], class_indices(golden)

    def first(count: int) -> torch.Tensor | None:
        return None if labels is None else labels[:count]

    with torch.no_grad():
        assert_near(model(images, first(4)), golden["outputs/logits"].squeeze(1))
        assert_near(model(many, first(8)), golden["outputs/logits_two_groups"].squeeze(1))
        assert_near(model(many[:1], first(1)), golden["outputs/logits_single"].squeeze(1))
        if labels is not None:
            assert_near(model.mapping(None, labels), golden["outputs/cmap"])


@each_discriminator
def test_the_references_features_come_out_of_every_block_of_the_discriminator(name):
    model, golden = reference_discriminator(name)
    seen, labels = [], class_indices(golden)
    for block in model.blocks:
        block.register_forward_hook(lambda module, given, made: seen.append(made))
    with torch.no_grad():
        model(golden["inputs/images"], None if labels is None else labels[:4])
    for side, x in zip((32, 16, 8), seen, strict=True):
        assert_near(x[:1], golden[f"outputs/blocks/b{side}.x"])


@each_discriminator
def test_the_references_r1_penalty_and_its_gradients_come_out_of_ours(name):
    model, golden = reference_discriminator(name)
    images, labels = golden["inputs/images"].requires_grad_(), class_indices(golden)
    logits = model(images, None if labels is None else labels[:4], force_fp32=True)
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    assert_near(gradient, golden["outputs/r1/image_gradient"], 1e-4)
    assert_near(gradient.square().sum((1, 2, 3)), golden["outputs/r1/penalty"], 1e-4)
    loss = 10 * r1_penalty(logits, images)
    assert_near(loss, golden["outputs/r1/loss"], 1e-4)
    loss.backward()
    assert_near(model.blocks[0].same.weight.grad, golden["outputs/r1/grad/b32.conv0.weight"], 1e-4)
    assert_near(model.score.weight.grad, golden["outputs/r1/grad/b4.out.weight"], 1e-4)


# ---------------------------------------------------------------------- the reference's single operations


@pytest.fixture(scope="module")
def ops() -> dict[str, torch.Tensor]:
    return load_file(GOLDEN / "stylegan2-ops.safetensors")


@pytest.mark.parametrize(("kernel", "doubled"), [(1, False), (3, False), (3, True)])
@pytest.mark.parametrize("demodulate", [False, True])
def test_a_modulated_convolution_is_the_references(ops, kernel, doubled, demodulate):
    """Ours has 1 / √(I k²) in the styles, which demodulation takes out again; doubling, it has I before O in the weight."""
    name = f"k{kernel}_{'demod' if demodulate else 'nodemod'}" + "_up2" * doubled
    weight = ops[f"inputs/mod/weight{kernel}"]
    x, factors = modulated_conv2d(
        ops["inputs/mod/x"],
        weight.transpose(0, 1) if doubled else weight,
        ops["inputs/mod/styles"],
        demodulate,
        Resample() if doubled else None,
    )
    x = x * factors[:, :, None, None] if demodulate else x * math.sqrt(weight[0].numel())
    assert_near(x, ops[f"outputs/modulated_conv2d/{name}"])
    if kernel == 3 and not doubled:
        assert_near(x + ops["inputs/mod/noise"], ops[f"outputs/modulated_conv2d/{name}_noise"])


def test_filters_and_changes_of_size_are_the_references(ops):
    resample, x = Resample(), ops["inputs/x"]
    assert_near(resample.kernel, ops["outputs/setup_filter/1331"])
    assert_near(4 * resample.kernel, ops["outputs/setup_filter/1331_gain4"])
    assert_near(resample.upsample(x), ops["outputs/upsample2d/1331"])
    assert_near(resample.downsample(x), ops["outputs/downsample2d/1331"])


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_halving_convolution_is_the_references(ops, kernel):
    weight = ops[f"inputs/mod/weight{kernel}"]
    layer = Convolution(5, 7, kernel, Resample(), linear=True)
    layer.load_state_dict({"weight": weight}, strict=False)
    assert_near(layer(ops["inputs/mod/x"]) / layer.scale, ops[f"outputs/conv2d_resample/k{kernel}_down2"])


@pytest.mark.parametrize(("name", "options"), [("linear", {}), ("lrelu", {"lr": 0.01, "activation": True})])
def test_a_dense_layer_is_the_references(ops, name, options):
    layer = Dense(5, 7, **options)
    layer.load_state_dict({part: ops[f"weights/fc_{name}/{part}"] for part in ("weight", "bias")})
    assert_near(layer(ops["inputs/fc/x"]), ops[f"outputs/fc_{name}"])


@pytest.mark.parametrize("group", [4, None])
def test_a_minibatch_deviation_is_the_references(ops, group):
    assert_near(MinibatchStddev(group)(ops["inputs/mbstd/x"]), ops[f"outputs/minibatch_std/group{group}_channels1"])


def test_a_second_moment_of_one_is_the_references(ops):
    assert_near(normalize_2nd_moment(ops["inputs/fc/x"]), ops["outputs/normalize_2nd_moment"])

"""StyleGAN against its paper, against the plain form of its fused layers, and against a reference's numbers."""

import inspect
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from gan_hub.images import height_width
from gan_hub.models import ARCHITECTURES
from gan_hub.models.progan import ProGANDiscriminator
from gan_hub.models.stylegan import (
    Blur,
    DownsampleConv2d,
    LayerEpilogue,
    Mapping,
    StyleGANDiscriminator,
    StyleGANGenerator,
    UpsampleConv2d,
    downsampling_kernel,
    fade,
    upsampling_kernel,
)

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
RESIZING = (UpsampleConv2d, DownsampleConv2d)
TINY = dict(resolution=32, base_channels=4, max_channels=8)


def generator(**options) -> StyleGANGenerator:
    """A small one with noise that shows: its strengths would start at 0."""
    torch.manual_seed(0)
    sizes = {"latent_size": 6, "w_size": 8, "mapping_layers": 2, "mapping_width": 10}
    model = StyleGANGenerator(**{**TINY, **sizes, **options})
    for name, parameter in model.named_parameters():
        if name.endswith("noise_strength"):
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def discriminator(**options) -> StyleGANDiscriminator:
    torch.manual_seed(0)
    return StyleGANDiscriminator(**{**TINY, **options})


def activations(model: StyleGANGenerator, ws: torch.Tensor) -> list[torch.Tensor]:
    """What each layer that runs makes of `ws`, after its style."""
    made, hooks = [], []
    for block in model.blocks:
        hooks += [layer.register_forward_hook(lambda *call: made.append(call[-1])) for layer in block.styled]
    with torch.no_grad():
        model.synthesize(ws)
    for hook in hooks:
        hook.remove()
    return made


# ------------------------------------------------------------------------------------ the paper's network


def test_at_1024_the_parameters_are_the_papers_and_a_w_of_512_has_18_rows():
    """Table 1: 26.2 M in the generator, the mapping among them. Feature maps: 512 up to 32 × 32, then halved."""
    with torch.device("meta"):
        players = [cls(resolution=1024, base_channels=16) for cls in ARCHITECTURES["stylegan"]]
    coarse, fine, pairs = 512, [512, 512, 512, 256, 128, 64, 32, 16], []
    for outputs in fine:
        pairs += [(coarse, outputs), (outputs, outputs)]
        coarse = outputs
    mapping = 8 * (512 * 512 + 512)
    convolutions = 9 * 512 * 512 + sum(9 * inputs * outputs for inputs, outputs in pairs)
    maps = 2 * 512 + sum(outputs for _, outputs in pairs)  # each has a bias, a noise strength, and scale and shift of w
    layers = 16 * 512 + convolutions + maps * (1 + 1 + 2 * 513)
    colours = sum(3 * width + 3 for width in [512, *fine])
    assert mapping + layers + colours == 26_219_627

    last = 9 * 513 * 512 + 512 + 512 * 16 * 512 + 512 + 512 + 1
    halving = sum(9 * inputs * outputs + inputs for inputs, outputs in pairs)  # the same pairs, the other way round
    readers = sum(4 * width for width in [512, *fine])  # 1 × 1 convolutions of three colours
    assert last + halving + readers == 23_087_249

    assert [sum(p.numel() for p in player.parameters()) for player in players] == [26_219_627, 23_087_249]
    assert players[0].rows == 18 and players[0].levels == players[1].levels == 8


@pytest.mark.parametrize(
    ("resolution", "start", "rows"), [(28, (7, 7), 6), (32, (4, 4), 8), ([16, 24], (4, 6), 6), ([36, 8], (18, 4), 4)]
)
@pytest.mark.parametrize("num_classes", [0, 3])
@pytest.mark.parametrize("fused_scale", [False, True])
def test_each_size_has_its_start_its_rows_its_images_and_its_logits(resolution, start, rows, num_classes, fused_scale):
    options = dict(resolution=resolution, channels=2, num_classes=num_classes, fused_scale=fused_scale)
    labels = torch.tensor([0, 2]) if num_classes else None
    model, opponent = generator(**options), discriminator(**options)
    assert model.const.shape[1:] == start and model.rows == rows
    for level in range(model.levels + 1):
        model.set_level(level), opponent.set_level(level)
        images = model(torch.randn(2, 6), labels)
        assert images.shape == (2, 2, *height_width(resolution)) and images.dtype == torch.float32
        assert opponent(images, labels).shape == (2,)


def test_both_players_agree_on_the_defaults_they_share():
    shared = [
        {name: parameter.default for name, parameter in inspect.signature(cls.__init__.__wrapped__).parameters.items()}
        for cls in ARCHITECTURES["stylegan"]
    ]
    for name in shared[0].keys() & shared[1].keys():
        assert shared[0][name] == shared[1][name], name


@pytest.mark.parametrize("options", [{"resolution": 64, "base_channels": 16}, {"resolution": 28, "base_channels": 64}])
def test_the_first_images_lie_well_inside_the_bound_at_every_level_and_are_not_all_grey(options):
    for seed in range(3):
        torch.manual_seed(seed)
        model = StyleGANGenerator(**options)
        ws = model.map(torch.randn(4, 512))
        for level in range(model.levels + 1):
            model.set_level(level)
            raw = model.synthesize(ws)
            assert (raw.abs() > 1).float().mean() < 1e-3 and 0.05 < raw.std() < 0.3, level


def test_all_biases_and_noise_strengths_start_at_0_and_weights_at_deviation_1():
    torch.manual_seed(0)
    sizes = dict(resolution=32, base_channels=32, num_classes=20)
    for player in (StyleGANGenerator(**sizes), StyleGANDiscriminator(**sizes)):
        for name, parameter in player.named_parameters():
            if name.endswith(("bias", "noise_strength")):
                assert not parameter.any(), name
            elif "to_rgb" in name:
                assert 0.05 < parameter.std() < 0.08, name  # a sixteenth
            else:
                assert abs(parameter.std().item() / (100 if name.startswith("mapping.layers") else 1) - 1) < 0.12, name


# -------------------------------------------------------------------------------------------------- parts


def test_a_blurred_pixel_is_the_papers_filter_and_a_plain_picture_stays_plain_inside():
    one = torch.zeros(1, 2, 5, 5)
    one[..., 2, 2] = 1
    taps = torch.tensor([1.0, 2, 1])
    torch.testing.assert_close(Blur()(one)[0, 1, 1:4, 1:4], taps[:, None] * taps / 16)
    assert Blur()(one).sum() == 2
    plain = Blur()(torch.full((1, 3, 6, 4), 3.0))
    assert (plain[..., 1:-1, 1:-1] == 3).all() and plain[0, 0, 0, 0] == 3 * 0.75**2  # beyond the edge are zeros
    assert not Blur().state_dict()  # the filter is no weight


def test_kernels_of_4_by_4_are_the_sum_or_mean_of_four_shifted_ones():
    weight = torch.randn(2, 3, 3, 3)
    summed = torch.zeros(2, 3, 4, 4)
    for row in (0, 1):
        for column in (0, 1):
            summed[:, :, row : row + 3, column : column + 3] += weight
    torch.testing.assert_close(downsampling_kernel(weight), summed / 4)
    torch.testing.assert_close(upsampling_kernel(weight), summed.flip(2, 3).transpose(0, 1))


@pytest.mark.parametrize("kind", RESIZING)
def test_a_fused_layer_is_the_plain_one_to_the_edge_and_so_are_its_gradients(kind):
    torch.manual_seed(0)
    plain, fused = kind(5, 7, fused=False).double(), kind(5, 7, fused=True).double()
    x = torch.randn(2, 5, 6, 8, dtype=torch.float64, requires_grad=True)
    for name, parameter in plain.named_parameters():
        torch.nn.init.normal_(parameter)
        fused.get_parameter(name).data.copy_(parameter)
    found = []
    for layer in (plain, fused):
        made = layer(x)
        found.append([made, *torch.autograd.grad(made.pow(3).sum(), [x, *layer.parameters()])])
    assert found[0][0].shape == (2, 7, *((12, 16) if kind is UpsampleConv2d else (3, 4)))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_networks_with_and_without_fusing_have_the_same_weights_and_give_the_same():
    z, images = torch.randn(2, 6), torch.randn(2, 3, 32, 32)
    for make, given in ((generator, z), (discriminator, images)):
        fused, plain = make(fused_scale=True), make(fused_scale=False)
        for model in (fused, plain):
            kinds = [layer.fused for layer in model.modules() if isinstance(layer, RESIZING)]
            assert kinds == [model is fused] * 3
        plain.load_state_dict(fused.state_dict())
        torch.testing.assert_close(fused(given), plain(given), rtol=1e-4, atol=1e-5)


def test_a_layer_puts_out_the_mean_and_deviation_that_the_style_asks_for_whatever_goes_in():
    """Equation 1: instance normalisation takes all that was there before."""
    torch.manual_seed(0)
    layer, w = LayerEpilogue(5, 8, (8, 8), "const"), torch.randn(3, 8)
    torch.nn.init.normal_(layer.bias)
    torch.nn.init.normal_(layer.affine.bias)
    torch.nn.init.normal_(layer.noise_strength)
    style = layer.affine(w)
    for size in (1, 100):
        y = layer(size * torch.randn(3, 5, 8, 8) + size, w, "const")
        torch.testing.assert_close(y.std((2, 3), unbiased=False), (style[:, :5] + 1).abs(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(y.mean((2, 3)), style[:, 5:], rtol=1e-4, atol=1e-5)


def test_a_layer_is_noise_bias_leaky_relu_and_style_in_this_order_by_hand():
    torch.manual_seed(0)
    layer, w, x = LayerEpilogue(3, 8, (4, 6), "const"), torch.randn(2, 8), torch.randn(2, 3, 4, 6)
    torch.nn.init.normal_(layer.bias), torch.nn.init.normal_(layer.noise_strength)
    y = x + layer.noise_strength[:, None, None] * layer.noise_const + layer.bias[:, None, None]
    y = torch.where(y > 0, y, 0.2 * y)
    variance, mean = torch.var_mean(y, (2, 3), unbiased=False, keepdim=True)
    scale, shift = layer.affine(w)[:, :, None, None].chunk(2, 1)
    expected = (y - mean) / (variance + 1e-8).sqrt() * (scale + 1) + shift
    torch.testing.assert_close(layer(x, w, "const"), expected)


def test_the_mapping_sees_the_direction_of_z_alone_and_with_classes_its_size_beside_the_label():
    z, labels = torch.randn(3, 6), torch.tensor([0, 1, 1])
    torch.manual_seed(0)
    plain, labelled = Mapping(6, 0, 10, 8, 2), Mapping(6, 2, 10, 8, 2)
    torch.testing.assert_close(plain(7 * z, None), plain(z, None))
    assert not torch.allclose(labelled(7 * z, labels), labelled(z, labels), atol=1e-3)  # normalised together
    assert not torch.allclose(labelled(z, labels), labelled(z, 1 - labels), atol=1e-3)
    assert [tuple(layer.weight.shape) for layer in labelled.layers] == [(10, 12), (8, 10)]


def test_the_mapping_learns_a_hundredth_as_fast_and_nothing_else_does():
    model = generator()
    slow = [layer.lr for layer in model.mapping.layers]
    assert slow == [0.01, 0.01] and {layer.affine.lr for block in model.blocks for layer in block.styled} == {1}
    w = model.mapping(torch.randn(64, 6), None)
    assert 0.3 < w.square().mean() < 3  # at the start as large as z for all that


# -------------------------------------------------------------------------------- styles, mixed and drawn


@pytest.mark.parametrize("crossover", [1, 2, 5, 7])
def test_layers_before_the_crossover_are_the_first_latents_and_those_behind_are_changed(crossover):
    """Section 3.1: two latents, w1 before the crossover point and w2 after it."""
    model = generator().eval()
    first, second = model.map(torch.randn(1, 6)), model.map(torch.randn(1, 6))
    mixed = torch.cat([first[:, :crossover], second[:, crossover:]], 1)
    pure, both = activations(model, first), activations(model, mixed)
    assert len(pure) == len(both) == 8
    for layer, (one, other) in enumerate(zip(pure, both)):
        if layer < crossover:
            assert torch.equal(one, other), layer
        else:
            assert (one - other).abs().max() > 1e-2, layer


def test_every_row_of_ws_is_heard():
    model = generator().eval()
    ws = model.map(torch.randn(1, 6))
    image = model.synthesize(ws)
    for row in range(model.rows):
        changed = ws.clone()
        changed[:, row] += 1
        assert (model.synthesize(changed) - image).abs().max() > 1e-4, row


def test_the_mean_w_follows_as_fast_as_in_the_authors_program():
    assert StyleGANGenerator.W_AVG_DECAY == 0.995


@pytest.mark.parametrize("shape", [(1, 7, 8), (1, 8, 7), (1, 8), (8, 8)])
def test_ws_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"ws is \(.*allowed: \(N, 8, 8\)"):
        generator().synthesize(torch.zeros(shape))


# ------------------------------------------------------------------------------------------------- growing


@pytest.mark.parametrize(
    ("level", "expected"), [(0, (0, 1)), (0.5, (1, 0.5)), (1, (1, 1)), (1.25, (2, 0.25)), (3, (3, 1))]
)
def test_a_level_names_the_finest_stage_and_its_share(level, expected):
    assert fade(level) == expected


def run_layers(model, given) -> list[str]:
    """The layers that took part, in their order."""
    names, hooks = [], []
    for name, module in model.named_modules():
        if name and not list(module.children()):
            hooks.append(module.register_forward_hook(lambda *_, name=name: names.append(name)))
    with torch.no_grad():
        model(given)
    for hook in hooks:
        hook.remove()
    return names


@pytest.mark.parametrize(
    ("level", "stages", "colours"), [(0, 1, [0]), (0.5, 2, [1, 0]), (1, 2, [1]), (2.25, 4, [3, 2])]
)
def test_stages_beyond_the_level_are_not_run_nor_colours_that_have_no_share(level, stages, colours):
    model, opponent = generator(), discriminator(fused_scale=True)
    model.set_level(level), opponent.set_level(level)
    names = run_layers(model, torch.randn(1, 6))
    assert {name.split(".")[1] for name in names if name.startswith("blocks")} == {str(i) for i in range(stages)}
    assert [name for name in names if name.startswith("to_rgb")] == [f"to_rgb.{stage}" for stage in colours]
    names = run_layers(opponent, torch.randn(1, 3, 32, 32))
    assert {name.split(".")[1] for name in names if name.startswith("blocks")} == {str(i) for i in range(stages - 1)}
    assert [name for name in names if name.startswith("from_rgb")] == [f"from_rgb.{stage}" for stage in colours]


# ------------------------------------------------------------------------------------------------- noise


def test_constant_noise_makes_the_way_from_w_to_the_image_a_function_and_is_heard_in_every_layer():
    model, z = generator(), torch.randn(2, 6)
    ws = model.map(z)
    assert torch.equal(model(z), model(z)) and torch.equal(model(z), model.eval()(z))
    image = model.synthesize(ws)
    assert torch.equal(image, model.synthesize(ws)) and torch.equal(image, model.synthesize(ws, noise="const"))
    fresh = [model.synthesize(ws, noise="random") for _ in range(2)]
    assert not torch.equal(*fresh) and not torch.equal(image, model.synthesize(ws, noise="none"))
    one = model.synthesize(ws[:1].expand(2, -1, -1), noise="random")
    assert not torch.equal(one[0], one[1])  # each image its own
    for name, pixels in model.named_buffers():
        if name.endswith("noise_const"):
            pixels.add_(torch.randn_like(pixels))
            changed = model.synthesize(ws)
            assert (changed - image).abs().max() > 1e-4, name
            image = changed


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


# ----------------------------------------------------------------------------------- classes and verdicts


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


def test_a_verdict_depends_on_its_neighbours_in_training_only_and_not_at_all_without_the_deviation():
    images = torch.randn(4, 3, 32, 32)
    crowd = torch.cat([images[:1], 0 * images[1:]])
    for deviation in (True, False):
        model = discriminator(minibatch_stddev=deviation)
        assert torch.allclose(model(images)[:1], model(crowd)[:1], atol=1e-4) != deviation
        model.eval()
        torch.testing.assert_close(model(images)[:2], model(images[:2]), rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------------------------------------- precision


@pytest.mark.parametrize("make", [generator, discriminator])
def test_force_fp32_computes_in_float32_inside_autocast(make):
    model = make(num_classes=2).eval()
    x, labels = torch.randn(2, 6) if make is generator else torch.randn(2, 3, 32, 32), torch.tensor([0, 1])
    exact = model(x, labels)
    with torch.autocast("cpu", torch.bfloat16):
        rough, forced = model(x, labels), model(x, labels, force_fp32=True)
    assert not torch.equal(rough.float(), exact) and torch.equal(forced, exact)
    assert forced.dtype == torch.float32
    assert (rough - exact).abs().mean() < 0.05 * exact.abs().mean()


def test_w_and_styles_have_the_digits_of_float32_under_autocast():
    model, z, seen = generator().eval(), torch.randn(2, 6), []
    exact = model.map(z)
    model.blocks[0].styled[0].affine.register_forward_hook(lambda *call: seen.append(call[-1]))
    model.synthesize(exact)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model.map(z), exact)
        model.synthesize(exact)
    assert torch.equal(*seen)


@pytest.mark.parametrize("make", [generator, discriminator])
def test_in_float64_nothing_is_rounded_to_float32_on_the_way(make):
    """A weight's change of 1e-11 is seen in proportion, which float32 anywhere in between would swallow."""
    model = make(num_classes=2).double()
    x = torch.randn(4, 6).double() if make is generator else torch.randn(4, 3, 32, 32).double()
    labels, changes = torch.tensor([0, 1, 0, 1]), []
    direction = torch.randn_like(x)
    with torch.no_grad():
        before = model(x, labels)
        for size in (1e-11, 1e-6):
            changes.append((model(x + size * direction, labels) - before) / size)
    assert before.dtype == torch.float64
    assert (changes[0] - changes[1]).abs().max() < 0.01 * changes[1].abs().max()


# ---------------------------------------------------------------------------------------- golden values

FILES = ("stylegan1", "stylegan1-fused", "stylegan1-conditional")
each_file = pytest.mark.parametrize("name", FILES)


def read(name: str) -> tuple[dict[str, torch.Tensor], dict[str, dict]]:
    """Tensors, and the reference's own arguments of both players."""
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, json.loads(file.metadata()["constructor"])


def generator_map(levels: int, mapping_layers: int, conditional: bool) -> dict[str, str]:
    """Our tensor → the reference's, which counts layers through; its first has the constant and no convolution."""
    names = {"w_avg": "truncation.w_avg", "const": "synthesis.layer0.const"}
    for layer in range(mapping_layers):
        names |= {f"mapping.layers.{layer}.{part}": f"mapping.dense{layer}.{part}" for part in ("weight", "bias")}
    if conditional:
        names["mapping.embed.weight"] = "mapping.label_weight"
    for stage in range(levels + 1):
        names |= {f"to_rgb.{stage}.{part}": f"synthesis.output{stage}.{part}" for part in ("weight", "bias")}
        for half in (0, 1):
            ours, theirs = f"blocks.{stage}.styled.{half}", f"synthesis.layer{2 * stage + half}"
            names |= {
                f"{ours}.bias": f"{theirs}.bias",
                f"{ours}.noise_strength": f"{theirs}.apply_noise.weight",
                f"{ours}.noise_const": f"{theirs}.apply_noise.noise",
                f"{ours}.affine.weight": f"{theirs}.style.weight",
                f"{ours}.affine.bias": f"{theirs}.style.bias",
            }
            if (stage, half) != (0, 0):
                names[f"blocks.{stage}.convolutions.{half}.weight"] = f"{theirs}.weight"
    return names


def discriminator_map(levels: int) -> dict[str, str]:
    """Our tensor → the reference's, which counts from fine to coarse; ours alone: stddev.running."""
    first = 2 * levels
    found = {"last": f"layer{first}", "dense": f"layer{first + 1}", "score": f"layer{first + 2}"}
    for stage in range(levels + 1):
        found[f"from_rgb.{stage}"] = f"input{levels - stage}"
    for stage in range(levels):
        theirs = 2 * (levels - 1 - stage)
        found |= {f"blocks.{stage}.same": f"layer{theirs}", f"blocks.{stage}.down": f"layer{theirs + 1}"}
    return {f"{ours}.{part}": f"{name}.{part}" for ours, name in found.items() for part in ("weight", "bias")}


def converted(ours: str, tensor: torch.Tensor, fused: bool) -> torch.Tensor:
    """The constant and the noise lose axes of size 1; a fused doubling has its kernels flipped, see the generator."""
    if ours == "const":
        return tensor[0]
    if ours.endswith("noise_const"):
        return tensor[0, 0]
    doubles = ours.endswith("convolutions.0.weight")
    return tensor.flip(2, 3) if doubles and fused else tensor


def load(model, names: dict[str, str], golden: dict[str, torch.Tensor], role: str, fused: bool) -> None:
    """The reference's weights into ours; each of its tensors is used exactly once, each of its filters is ours."""
    theirs = {k.removeprefix(f"weights/{role}/"): v for k, v in golden.items() if k.startswith(f"weights/{role}/")}
    filters = {name for name in theirs if name.endswith("blur.kernel")}
    for name in filters:
        assert torch.equal(theirs[name], Blur().kernel.expand_as(theirs[name]))
    levels_of_detail = {name for name in theirs if name.split(".")[-1] == "lod"}  # our level, which is no weight
    assert sorted(names.values()) == sorted(theirs.keys() - filters - levels_of_detail)
    state = {ours: converted(ours, theirs[name], fused and role == "generator") for ours, name in names.items()}
    if role == "discriminator":
        state["stddev.running"] = torch.zeros(())
    model.load_state_dict(state)


def sizes(given: dict) -> dict:
    """What our two players call what the reference's are given; those it leaves out are its defaults."""
    return {
        "resolution": given["resolution"],
        "num_classes": given.get("label_size", 0),
        "base_channels": given["fmaps_base"] // given["resolution"],
        "max_channels": given["fmaps_max"],
        "fused_scale": given.get("fused_scale", False),
    }


def reference_generator(name: str) -> tuple[StyleGANGenerator, dict[str, torch.Tensor]]:
    golden, constructor = read(name)
    given = constructor["generator"]
    layers = given.get("mapping_layers", 8)
    model = StyleGANGenerator(
        **sizes(given),
        latent_size=given["z_space_dim"],
        w_size=given["w_space_dim"],
        mapping_layers=layers,
        mapping_width=given["mapping_fmaps"],
    )
    names = generator_map(model.levels, layers, "label_size" in given)
    load(model, names, golden, "generator", given.get("fused_scale", False))
    return model.eval(), golden


def reference_discriminator(name: str) -> tuple[StyleGANDiscriminator, dict[str, torch.Tensor]]:
    """In training mode, as the reference's deviation always belongs to the batch."""
    golden, constructor = read(name)
    model = StyleGANDiscriminator(**sizes(constructor["discriminator"]))
    load(model, discriminator_map(model.levels), golden, "discriminator", False)
    return model.train(), golden


def class_indices(golden: dict[str, torch.Tensor]) -> torch.Tensor | None:
    return golden["inputs/c"].argmax(1) if "inputs/c" in golden else None


def assert_near(ours: torch.Tensor, golden: torch.Tensor, tolerance: float = 5e-5) -> None:
    assert ours.shape == golden.shape
    assert (ours - golden).abs().max() <= tolerance * golden.abs().max()


def lods(golden: dict[str, torch.Tensor]) -> list[float]:
    """The levels of detail of the file: 0 is the whole network, each more a doubling less."""
    found = sorted(float(key.split("/")[1][3:]) for key in golden if key.startswith("outputs/lod") and "image" in key)
    assert found == [0.25, 1.0, 1.5, 2.5, 3.0]
    return found


@each_file
def test_the_references_ws_come_out_of_our_mapping_truncated_or_not(name):
    model, golden = reference_generator(name)
    z, labels = golden["inputs/z"], class_indices(golden)
    with torch.no_grad():
        assert_near(model.map(z, labels)[:, 0], golden["outputs/w"])
        assert_near(model.map(z, labels, truncation=0.7, cutoff=4), golden["outputs/wp_psi0.7_layers4"])


@each_file
def test_the_references_styles_and_layers_come_out_of_ours(name):
    model, golden = reference_generator(name)
    ws, styles = golden["outputs/w"][:, None].expand(-1, 8, -1), []
    for block in model.blocks:
        for layer in block.styled:
            layer.affine.register_forward_hook(lambda *call: styles.append(call[-1]))
    made = activations(model, ws)
    assert len(made) == len(styles) == 8
    for layer, (style, x) in enumerate(zip(styles, made)):
        assert_near(style, golden[f"outputs/styles/style{layer:02}"])
        assert_near(x[:1], golden[f"outputs/layers/layer{layer}"])


@each_file
@pytest.mark.parametrize("training", [False, True])
def test_the_references_images_come_out_of_ours_truncated_or_not(name, training):
    model, golden = reference_generator(name)
    model.train(training)
    with torch.no_grad():
        assert_near(model.synthesize(model.map(golden["inputs/z"], class_indices(golden))), golden["outputs/image"])
        assert_near(model.synthesize(golden["outputs/wp_psi0.7_layers4"]), golden["outputs/image_psi0.7_layers4"])
        images = model(golden["inputs/z"], class_indices(golden))
    assert_near(images, golden["outputs/image"].clamp(-1, 1))


@each_file
def test_the_references_images_and_scores_come_out_of_ours_at_every_level_of_detail(name):
    model, golden = reference_generator(name)
    opponent, labels = reference_discriminator(name)[0], class_indices(golden)
    with torch.no_grad():
        ws = model.map(golden["inputs/z"], labels)
        for lod in lods(golden):
            model.set_level(model.levels - lod), opponent.set_level(opponent.levels - lod)
            assert_near(model.synthesize(ws), golden[f"outputs/lod{lod}/image"])
            assert_near(opponent(golden["inputs/images"], labels), golden[f"outputs/lod{lod}/logits"].squeeze(1))


@each_file
def test_the_references_scores_come_out_of_ours_in_one_group_or_two(name):
    model, golden = reference_discriminator(name)
    with torch.no_grad():
        logits = model(golden["inputs/images"], class_indices(golden))
        assert_near(logits, golden["outputs/logits"].squeeze(1))
        if "inputs/images_two_groups" in golden:
            assert_near(model(golden["inputs/images_two_groups"]), golden["outputs/logits_two_groups"].squeeze(1))


def test_two_files_have_two_groups_and_one_has_classes():
    tensors = [read(name)[0] for name in FILES]
    assert ["inputs/images_two_groups" in golden for golden in tensors] == [True, True, False]
    assert [class_indices(golden) is not None for golden in tensors] == [False, False, True]


def test_what_is_copied_from_progan_is_still_the_same():
    ours, original = (inspect.getsource(cls.stage_features) for cls in (StyleGANDiscriminator, ProGANDiscriminator))
    assert ours == original

"""DCGAN against its paper, and against the numbers of a reference implementation."""

import copy
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from gan_hub.images import height_width
from gan_hub.losses import r1_penalty
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.dcgan import ConditionalNorm, DCGANDiscriminator, DCGANGenerator, stage_grids, stage_widths

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "dcgan.safetensors"
PUBLISHED = sorted((Path(__file__).resolve().parents[2] / "model_cards").glob("dcgan-*/discriminator"))
SIZES = (8, 12, 20, 28, 32, 36, 64, 100, 128, [28, 32], [36, 24], [8, 132], [136, 12])
SHAPES = [(resolution, channels) for resolution in SIZES for channels in (1, 3)]


# ------------------------------------------------------------------------------------ the paper's rules


def test_the_default_generator_is_the_papers_figure_1():
    with torch.device("meta"):
        model = DCGANGenerator()
    assert model.project.weight.shape == (1024 * 4 * 4, 100)
    planes = [(up.in_channels, up.out_channels, up.kernel_size, up.stride) for up in model.ups]
    assert planes == [(i, o, (4, 4), (2, 2)) for i, o in ((1024, 512), (512, 256), (256, 128), (128, 3))]
    seen = []
    for up in model.ups:
        up.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape[1:])))
    assert model(torch.empty(1, 100, device="meta")).shape == (1, 3, 64, 64)
    assert seen == [(512, 8, 8), (256, 16, 16), (128, 32, 32), (3, 64, 64)]
    # z → 4 × 4 × 1024; a scale and a shift a feature; 4 × 4 kernels (5 × 5 in the paper), a bias in the last layer only.
    kernels = 16 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3)
    expected = 100 * 16 * 1024 + 2 * (1024 + 512 + 256 + 128) + kernels + 3
    assert sum(parameter.numel() for parameter in model.parameters()) == expected == 12_658_435


def test_the_default_discriminator_mirrors_the_generator():
    with torch.device("meta"):
        model = DCGANDiscriminator()
    planes = [(down.in_channels, down.out_channels, down.kernel_size, down.stride) for down in model.downs]
    assert planes == [(i, o, (4, 4), (2, 2)) for i, o in ((3, 128), (128, 256), (256, 512), (512, 1024))]
    assert (model.score.in_features, model.score.out_features) == (1024 * 4 * 4, 1)


@pytest.mark.parametrize(
    ("resolution", "base", "most", "expected"),
    [
        (64, 128, 1024, [1024, 512, 256, 128]),
        (28, 64, 1024, [256, 128, 64]),
        (32, 64, 100, [100, 100, 64]),
        (128, 16, 1024, [256, 128, 64, 32, 16]),
        ([128, 64], 16, 1024, [128, 64, 32, 16]),
        (8, 16, 1024, [16]),
    ],
)
def test_widths_halve_towards_the_image_and_stay_below_the_most(resolution, base, most, expected):
    assert stage_widths(resolution, base, most) == expected


@pytest.mark.parametrize(
    ("resolution", "expected"),
    [
        (28, [(4, 4), (7, 7), (14, 14), (28, 28)]),
        (64, [(4, 4), (8, 8), (16, 16), (32, 32), (64, 64)]),
        (36, [(3, 3), (5, 5), (9, 9), (18, 18), (36, 36)]),
        ([28, 40], [(4, 5), (7, 10), (14, 20), (28, 40)]),
        ([64, 24], [(8, 3), (16, 6), (32, 12), (64, 24)]),
    ],
)
def test_the_image_is_halved_until_its_shorter_side_is_4_or_3_and_the_longer_one_follows(resolution, expected):
    assert stage_grids(resolution) == expected


def test_every_step_of_every_size_is_one_that_a_kernel_can_take():
    sides = range(8, 1025, 4)
    for resolution in [*sides, *([8, side] for side in sides), *([side, 28] for side in sides)]:
        found = stage_grids(resolution)
        assert min(found[0]) in (3, 4) and found[-1] == height_width(resolution) and len(found) > 1
        for small, large in zip(found, found[1:]):
            assert min(large) > 4 and all(long in (2 * short, 2 * short - 1) for short, long in zip(small, large))


@pytest.mark.parametrize(
    "value",
    [0, 4, 30, 1028, -8, 10**9, True, 28.0, "64", [64], [64, 64], [64, 30], [64, 32, 3], (64, 32), [64, True], []],
)
def test_a_size_that_no_network_has_is_refused_with_the_rule(value):
    for cls in (DCGANGenerator, DCGANDiscriminator):
        with pytest.raises(
            ValueError, match="'resolution' has the value .*multiple of 4 from 8 to 1024 for a square, or"
        ):
            cls(resolution=value)


def test_nothing_pools_and_only_the_projection_and_the_score_are_fully_connected():
    for model in (DCGANGenerator(base_channels=2), DCGANDiscriminator(base_channels=2)):
        kinds = [type(module) for module in model.modules()]
        assert not any("Pool" in kind.__name__ or "Upsample" in kind.__name__ for kind in kinds)
        assert kinds.count(nn.Linear) == 1
        convolutions = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
        assert len(convolutions) == 4 and all(convolution.stride == (2, 2) for convolution in convolutions)


def test_batch_norm_is_everywhere_but_in_the_generators_last_and_the_discriminators_first_layer():
    generator, discriminator = DCGANGenerator(base_channels=2), DCGANDiscriminator(base_channels=2)
    assert all(isinstance(norm.normalise, nn.BatchNorm2d) for norm in generator.norms)
    assert len(generator.norms) == len(generator.ups)  # each stands before its convolution: none after the last
    assert [type(norm) for norm in discriminator.norms] == [nn.Identity] + [nn.BatchNorm2d] * 3
    # A bias in front of a batch norm does nothing; where there is no norm it is needed.
    assert [up.bias is not None for up in generator.ups] == [False, False, False, True]
    assert [down.bias is not None for down in discriminator.downs] == [True, False, False, False]


def test_without_norm_no_batch_statistics_are_left_and_every_convolution_has_a_bias():
    model = DCGANDiscriminator(base_channels=2, norm="none")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert all(down.bias is not None for down in model.downs)
    generator = DCGANGenerator(base_channels=2, norm="none")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in generator.modules())


def test_weights_start_from_a_normal_of_standard_deviation_0_02():
    torch.manual_seed(0)
    for model in (DCGANGenerator(base_channels=16), DCGANDiscriminator(base_channels=16, num_classes=50)):
        seen = 0
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)):
                weight, seen = module.weight.detach(), seen + 1
                error = 5 * 0.02 / weight.numel() ** 0.5  # five standard errors
                assert abs(weight.mean().item()) < error
                assert abs(weight.std().item() - 0.02) < error
                if getattr(module, "bias", None) is not None:
                    assert not module.bias.any()
        assert seen == 5 + isinstance(model, DCGANDiscriminator)
    norm = ConditionalNorm(4, 3, "batch")
    assert (norm.scale == 1).all() and (norm.shift == 0).all() and norm.scale.shape == (3, 4)


def captured(monkeypatch, name: str) -> list:
    """The arguments of every call of `torch.nn.functional.<name>` or `torch.<name>` from now on."""
    calls, home = [], torch.nn.functional if hasattr(torch.nn.functional, name) and name == "leaky_relu" else torch
    original = getattr(home, name)

    def spy(*args, **options):
        calls.append(args)
        return original(*args, **options)

    monkeypatch.setattr(home, name, spy)
    return calls


def test_the_generator_is_relu_and_tanh_and_the_discriminator_leaky_relu_of_slope_0_2(monkeypatch):
    generator, discriminator = DCGANGenerator(base_channels=2), DCGANDiscriminator(base_channels=2)
    relu, tanh, leaky = (captured(monkeypatch, name) for name in ("relu_", "tanh", "leaky_relu"))
    images = generator(torch.randn(2, 100))
    assert (len(relu), len(tanh), len(leaky)) == (4, 1, 0)
    discriminator(images)
    assert (len(relu), len(tanh)) == (4, 1)
    assert [args[1] for args in leaky] == [0.2] * 4


# --------------------------------------------------------------------------------------------- shapes


@pytest.mark.parametrize(("resolution", "channels"), SHAPES)
@pytest.mark.parametrize("num_classes", [0, 3])
def test_both_players_have_the_right_shape_and_range(resolution, channels, num_classes):
    shape = dict(resolution=resolution, channels=channels, num_classes=num_classes, base_channels=2)
    labels = torch.tensor([0, 2]) if num_classes else None
    images = DCGANGenerator(**shape, latent_size=5)(30 * torch.randn(2, 5), labels)
    assert images.shape == (2, channels, *height_width(resolution)) and images.dtype == torch.float32
    assert -1 <= images.min() < images.max() <= 1
    logits = DCGANDiscriminator(**shape)(images, labels)
    assert logits.shape == (2,) and logits.dtype == torch.float32


def test_the_class_decides_about_image_and_verdict():
    torch.manual_seed(0)
    shape = dict(resolution=28, channels=1, num_classes=3, base_channels=4)
    generator, discriminator = DCGANGenerator(**shape).eval(), DCGANDiscriminator(**shape).eval()
    for norm in generator.norms:
        nn.init.normal_(norm.shift)
    z = torch.randn(1, 100).expand(3, -1)
    images = generator(z, torch.arange(3))
    assert not torch.equal(images[0], images[1]) and not torch.equal(images[1], images[2])
    logits = discriminator(images[:1].expand(3, -1, -1, -1), torch.arange(3))
    assert len(set(logits.tolist())) == 3


def test_labels_are_asked_for_where_there_are_classes_and_only_there():
    for cls, size in ((DCGANGenerator, (1, 100)), (DCGANDiscriminator, (1, 3, 64, 64))):
        with pytest.raises(ValueError, match=f"{cls.__name__} needs labels"):
            cls(base_channels=1, num_classes=2)(torch.zeros(size))
        with pytest.raises(ValueError, match=f"{cls.__name__} has no classes and takes no labels"):
            cls(base_channels=1)(torch.zeros(size), torch.tensor([0]))


# --------------------------------------------------------------------------------- minibatch deviation


def test_a_verdict_in_eval_mode_does_not_depend_on_the_neighbours():
    model = DCGANDiscriminator(28, 1, base_channels=4, minibatch_stddev=True)
    images = torch.randn(8, 1, 28, 28)
    for _ in range(3):
        model(images)
    model.eval()
    torch.testing.assert_close(model(images)[:2], model(images[:2]), rtol=0, atol=1e-6)


# --------------------------------------------------------------------------------------- spectral norm


def spectral(**options) -> DCGANDiscriminator:
    torch.manual_seed(0)
    return DCGANDiscriminator(28, 1, base_channels=4, norm="none", spectral_norm=True, **options)


def test_with_spectral_norm_every_weights_largest_singular_value_becomes_one():
    model = spectral(num_classes=3)
    images, labels = torch.randn(4, 1, 28, 28), torch.tensor([0, 1, 2, 0])
    for _ in range(100):  # one step of power iteration at each use
        model(images, labels)
    model.eval()
    weighted = [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Linear, nn.Embedding))]
    assert len(weighted) == 5
    for module in weighted:
        largest = torch.linalg.matrix_norm(module.weight.flatten(1), 2).item()
        assert 0.99 < largest < 1.01, module
    with torch.no_grad():  # the scale of the weights themselves no longer matters
        before = model(images, labels)
        for module in weighted:
            module.parametrizations.weight.original.mul_(7)
        torch.testing.assert_close(model(images, labels), before)


def test_without_spectral_norm_no_weight_is_touched():
    torch.manual_seed(0)
    plain = DCGANDiscriminator(28, 1, base_channels=4, norm="none")
    assert not any("parametrizations" in name for name in plain.state_dict())
    assert torch.equal(plain.downs[1].weight, spectral().downs[1].parametrizations.weight.original)


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_spectral_norm_survives_its_folder_its_config_and_a_copy(tmp_path, variant):
    model, images = spectral(minibatch_stddev=True), torch.randn(4, 1, 28, 28)
    model(images)
    model.save_pretrained(tmp_path, variant=variant)
    loaded = DCGANDiscriminator.from_pretrained(tmp_path, variant=variant)
    assert loaded.config["spectral_norm"] is True
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor if variant is None else tensor.half().float()), name
    rebuilt = DCGANDiscriminator.from_config(model.config)
    rebuilt.load_state_dict(model.state_dict())
    twin = copy.deepcopy(model)
    verdict = model.eval()(images)
    assert torch.equal(rebuilt.eval()(images), verdict) and torch.equal(twin.eval()(images), verdict)
    twin.downs[0].parametrizations.weight.original.data.normal_()
    assert torch.equal(model(images), verdict)
    with pytest.raises(RuntimeError, match="downs.0.weight"):
        DCGANDiscriminator(28, 1, base_channels=4, norm="none", minibatch_stddev=True).load_state_dict(
            model.state_dict()
        )


def test_the_r1_penalty_goes_through_spectral_norm_twice():
    model, reals = spectral(num_classes=3).double(), torch.rand(4, 1, 28, 28, dtype=torch.float64, requires_grad=True)
    model.eval()  # the power iteration stands still, so that a finite difference can be taken
    labels, weight = torch.tensor([0, 1, 2, 0]), model.downs[0].parametrizations.weight.original

    def penalty() -> torch.Tensor:
        return r1_penalty(model(reals, labels, force_fp32=True), reals)

    penalty().backward()
    step = 1e-7
    with torch.no_grad():
        weight[0, 0, 1, 1] += step
    higher = penalty().item()
    with torch.no_grad():
        weight[0, 0, 1, 1] -= 2 * step
    slope = (higher - penalty().item()) / (2 * step)
    assert abs(slope) > 0 and weight.grad[0, 0, 1, 1].item() == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.parent.name)
def test_a_config_from_before_a_key_existed_means_what_it_meant(folder, tmp_path):
    """As published before spectral_norm: the file lacks the key, and the network has none."""
    old = tmp_path / "discriminator"
    shutil.copytree(folder, old)
    config = json.loads((folder / "config.json").read_text())
    config.pop("spectral_norm", None)
    (old / "config.json").write_text(json.dumps(config))
    model = DCGANDiscriminator.from_pretrained(old)
    assert model.config["spectral_norm"] is False


def test_only_the_keys_that_were_added_later_may_be_missing(tmp_path):
    model = spectral()
    model.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    for key in config.keys() - {"_diffusers_version", *DCGANDiscriminator.CONFIG_DEFAULTS_FOR_OLD_FILES}:
        path.write_text(json.dumps({other: value for other, value in config.items() if other != key}))
        with pytest.raises(LoadError, match=f"config key '{key}' is missing|_class_name is None"):
            DCGANDiscriminator.from_pretrained(tmp_path)
    # Without the key the file says that these are plain weights, and they are not.
    path.write_text(json.dumps({key: value for key, value in config.items() if key != "spectral_norm"}))
    with pytest.raises(LoadError, match=r"tensor 'downs\.0\.weight' is missing"):
        DCGANDiscriminator.from_pretrained(tmp_path)


# ------------------------------------------------------------------------------------------ precision


@pytest.mark.parametrize("cls", [DCGANGenerator, DCGANDiscriminator])
def test_force_fp32_computes_in_float32_inside_autocast(cls):
    torch.manual_seed(0)
    model = cls(resolution=28, channels=1, base_channels=8).eval()
    x = torch.randn(2, 100) if cls is DCGANGenerator else torch.randn(2, 1, 28, 28)
    exact = model(x)
    with torch.autocast("cpu", torch.bfloat16):
        rough, forced = model(x), model(x, force_fp32=True)
    assert rough.dtype == torch.bfloat16 and not torch.equal(rough.float(), exact)
    assert forced.dtype == torch.float32 and torch.equal(forced, exact)


# ---------------------------------------------------------------------------------------- golden values


def key_map() -> tuple[dict[str, str], dict[str, str]]:
    """Our tensor → the reference's, for generator and discriminator.

    The reference is one flat `main`: in the generator (transposed convolution, batch norm, ReLU) four times, then a
    last transposed convolution; in the discriminator a convolution, three times (convolution, batch norm), and a
    4 × 4 convolution as the score. Our first layer is that transposed convolution of a 1 × 1 input written as the
    linear map that it is, and our score the 4 × 4 convolution likewise, plus a bias.
    """
    generator = {"project.weight": "main.0.weight"}
    for stage, norm in enumerate((1, 4, 7, 10)):
        generator |= {
            f"norms.{stage}.scale": f"main.{norm}.weight",
            f"norms.{stage}.shift": f"main.{norm}.bias",
            f"norms.{stage}.normalise.running_mean": f"main.{norm}.running_mean",
            f"norms.{stage}.normalise.running_var": f"main.{norm}.running_var",
            f"norms.{stage}.normalise.num_batches_tracked": f"main.{norm}.num_batches_tracked",
            f"ups.{stage}.weight": f"main.{norm + 2}.weight",
        }
    discriminator = {"downs.0.weight": "main.0.weight", "score.weight": "main.11.weight"}
    for stage, convolution in enumerate((2, 5, 8), start=1):
        discriminator[f"downs.{stage}.weight"] = f"main.{convolution}.weight"
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            discriminator[f"norms.{stage}.{name}"] = f"main.{convolution + 1}.{name}"
    return generator, discriminator


OUR_BIASES = ("ups.3.bias", "downs.0.bias", "score.bias")  # the reference has none: they are zero there


def reshaped(name: str, tensor: torch.Tensor) -> torch.Tensor:
    if name == "project.weight":  # (Z, F, 4, 4) → (F · 4 · 4, Z)
        return tensor.flatten(1).t()
    if name == "score.weight":  # (1, F, 4, 4) → (1, F · 4 · 4)
        return tensor.flatten(1)
    if name.endswith((".scale", ".shift")):  # (F,) → (one class, F)
        return tensor[None]
    return tensor


@pytest.fixture
def golden() -> dict[str, torch.Tensor]:
    with safe_open(GOLDEN, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}


def players(golden) -> tuple[DCGANGenerator, DCGANDiscriminator]:
    """Our networks with the reference's weights; every tensor of the reference is used exactly once."""
    models = DCGANGenerator(64, 3, 16, base_channels=6), DCGANDiscriminator(64, 3, base_channels=6)
    for model, names, role in zip(models, key_map(), ("generator", "discriminator")):
        theirs = {k.removeprefix(f"weights/{role}/"): v for k, v in golden.items() if k.startswith(f"weights/{role}/")}
        assert sorted(names.values()) == sorted(theirs)
        state = {ours: reshaped(ours, theirs[name]) for ours, name in names.items()}
        for bias in OUR_BIASES:
            if bias in model.state_dict():
                state[bias] = torch.zeros_like(model.state_dict()[bias])
        model.load_state_dict(state)
    return models


def assert_near(ours: torch.Tensor, golden: torch.Tensor, tolerance: float = 2e-5) -> None:
    assert ours.shape == golden.shape
    assert (ours - golden).abs().max() <= tolerance * golden.abs().max()


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_the_reference_networks_images_and_logits_come_out_of_ours(golden, mode):
    generator, discriminator = (model.train(mode == "train") for model in players(golden))
    with torch.no_grad():
        images = generator(golden["inputs/z"].flatten(1))
        logits = discriminator(golden["inputs/images"])
    assert_near(images, golden[f"outputs/{mode}/image"])
    assert_near(logits, golden[f"outputs/{mode}/real_logits"])
    assert_near(torch.sigmoid(logits), golden[f"outputs/{mode}/real_probability"])
    if mode == "train":
        for model, names, role in zip((generator, discriminator), key_map(), ("generator", "discriminator")):
            moved = {ours: theirs for ours, theirs in names.items() if "running_" in ours}
            assert len(moved) == (8 if role == "generator" else 6)
            for ours, theirs in moved.items():
                assert_near(model.state_dict()[ours], golden[f"outputs/train/after/{role}/{theirs}"])


def test_the_reference_losses_come_out_of_ours(golden):
    from gan_hub.losses import non_saturating_discriminator, non_saturating_generator

    generator, discriminator = (model.eval() for model in players(golden))
    with torch.no_grad():
        real = discriminator(golden["inputs/images"])
        fake = discriminator(generator(golden["inputs/z"].flatten(1)))
    assert_near(non_saturating_discriminator(real, fake), golden["outputs/losses/d"])
    assert_near(non_saturating_generator(fake), golden["outputs/losses/g"])


def test_a_disturbed_weight_would_be_noticed_by_the_golden_values(golden):
    generator, _ = players(golden)
    with torch.no_grad():
        generator.ups[1].weight *= 1.02
        images = generator.eval()(golden["inputs/z"].flatten(1))
    with pytest.raises(AssertionError):
        assert_near(images, golden["outputs/eval/image"])

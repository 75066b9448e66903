"""StyleGAN3: its table of signals and its filters are the authors', its images follow shifts and turns."""

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from gan_hub.foreign.nvidia_stylegan3 import generator_names
from gan_hub.models import ARCHITECTURES
from gan_hub.models.modeling import GANModel
from gan_hub.models.ops.resampling import downsample, low_pass_filter, upsample
from gan_hub.models.stylegan3 import MAGNITUDE_IMAGES, StyleGAN3Generator, ToRGB, signals

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
OPTIONS = {
    "t": dict(resolution=32, latent_size=8, w_size=8, base_channels=4, max_channels=6, conv_clamp=2),
    "r": dict(
        resolution=32, channels=1, latent_size=8, w_size=8, num_classes=3, base_channels=4, max_channels=8,
        synthesis_layers=10, conv_kernel=1, radial_filters=True,
    ),
}  # fmt: skip
each_config = pytest.mark.parametrize("kind", OPTIONS)


def reference(kind: str) -> tuple[StyleGAN3Generator, dict[str, torch.Tensor], dict]:
    """Ours with the authors' weights, their tensors, and the sizes of their layers."""
    with safe_open(GOLDEN / f"stylegan3-{kind}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
        about = json.loads(file.metadata()["attributes"])
    model = StyleGAN3Generator(**OPTIONS[kind]).eval()
    names = generator_names(model, about["synthesis"]["layer_names"])
    model.load_state_dict({own: tensors[f"weights/generator/{foreign}"] for own, foreign in names.items()})
    return model, tensors, about


def small(**options) -> StyleGAN3Generator:
    torch.manual_seed(0)
    sizes = dict(resolution=32, latent_size=8, w_size=8, base_channels=4, max_channels=16, synthesis_layers=6)
    return StyleGAN3Generator(**sizes | options).eval()


def relative(made: torch.Tensor, expected: torch.Tensor) -> float:
    return ((made - expected).abs().max() / expected.abs().max()).item()


# ------------------------------------------------------------------------------------------- the authors' program


@each_config
def test_images_are_the_authors_whole_and_truncated(kind):
    model, tensors, _ = reference(kind)
    labels = tensors["inputs/c"].argmax(1) if "inputs/c" in tensors else None
    with torch.no_grad():
        for truncation, name in ((1.0, "image"), (0.7, "image_psi0.7")):
            image = model.synthesize(model.map(tensors["inputs/z"], labels, truncation))
            assert relative(image, tensors[f"outputs/{name}"]) < 1e-5


@each_config
def test_sizes_cutoffs_and_rates_are_those_of_the_authors_layers(kind):
    model, _, about = reference(kind)
    sizes = ("resolution", "channels", "base_channels", "max_channels", "synthesis_layers")
    plan = signals(*(model.config[name] for name in sizes))
    for signal, theirs in zip(plan, about["layers"].values(), strict=True):
        assert [signal.size] * 2 == theirs["out_size"] and signal.rate == theirs["out_sampling_rate"]
        assert signal.cutoff == pytest.approx(theirs["out_cutoff"]) and signal.features > 0
        assert signal.half_width == pytest.approx(theirs["out_half_width"])
    assert {signal.rate for signal in plan} == {16, 32}, "a doubling on the way"


@each_config
def test_filters_are_the_authors_to_the_last_digits(kind):
    model, tensors, about = reference(kind)
    kinds = set()
    for layer, name in zip(model.layers[:-1], about["synthesis"]["layer_names"][:-1], strict=True):
        for part in ("up_filter", "down_filter"):
            taps, expected = getattr(layer, part), tensors[f"weights/generator/synthesis.{name}.{part}"]
            torch.testing.assert_close(taps, expected, rtol=0, atol=1e-7)
            kinds.add(tuple(taps.shape))
    assert kinds == ({(12,), (24,)} if kind == "t" else {(12,), (24,), (12, 12)})


def test_the_bound_the_start_and_the_running_magnitudes_are_felt_in_these_networks():
    """So that the comparison of images would notice if one of them were not kept."""
    model, tensors, _ = reference("t")
    z = tensors["inputs/z"]
    with torch.no_grad():
        before = model(z)
        for name in ("input.transform", "layers.3.magnitude_ema"):
            tensor = model.state_dict()[name]
            kept = tensor.clone()
            tensor.copy_(torch.eye(3) if name == "input.transform" else 2 * kept)
            assert relative(model(z), before) > 0.01, name
            tensor.copy_(kept)
        for layer in model.layers:
            layer.clamp = 0
        assert relative(model(z), before) > 0.01


def test_the_config_of_the_paper_has_its_number_of_weights():
    with torch.device("meta"):
        config_t = StyleGAN3Generator(1024, base_channels=32)
    assert round(sum(weight.numel() for weight in config_t.parameters()) / 1e6, 1) == 22.3  # table 1


# ------------------------------------------------------------------------------------------- filters


@pytest.mark.parametrize("radial", [False, True])
def test_a_filter_lets_low_frequencies_through_and_stops_high_ones(radial):
    taps = low_pass_filter(24, cutoff=8.0, width=8.0, rate=64.0, radial=radial)
    line = taps.sum(0) if radial else taps
    places = (torch.arange(24, dtype=torch.float64) - 11.5) / 64

    def gain(frequency: float) -> float:
        return (torch.from_numpy(line) * torch.cos(2 * math.pi * frequency * places)).sum().item()

    assert gain(0) == pytest.approx(1) and gain(8) == pytest.approx(0.5, abs=0.06)
    assert gain(3) > 0.95 and all(abs(gain(frequency)) < 0.02 for frequency in (14, 20, 32))


@pytest.mark.parametrize("radial", [False, True])
def test_changes_of_the_rate_are_adjoint_and_their_derivatives_are_right(radial):
    taps = torch.from_numpy(low_pass_filter(12, 4.0, 8.0, 32.0, radial)).double()
    x = torch.randn(2, 3, 7, 9, dtype=torch.float64, requires_grad=True)
    y = upsample(x, taps, 2, 0)
    other = torch.randn_like(y, requires_grad=True)
    torch.testing.assert_close((y * other).sum(), (x * downsample(other, taps, 2)).sum())
    assert torch.autograd.gradcheck(lambda x: upsample(x, taps, 2, 3).square(), x)
    # An odd rest: the last pixels of what is halved are not reached by the filter.
    longer = torch.randn(1, 2, 17, 16, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: downsample(x, taps, 2).square(), longer)
    assert torch.autograd.gradgradcheck(lambda x: downsample(upsample(x, taps, 2, 3), taps, 2).square(), x)


def test_with_gradient_and_without_the_values_are_the_same():
    model, z = small(), torch.randn(2, 8)
    with torch.no_grad():
        plain = model(z)
    torch.testing.assert_close(model(z.requires_grad_()).detach(), plain, rtol=0, atol=1e-6)


# ------------------------------------------------------------------------------------------- what the paper is about


@torch.no_grad()
def test_images_follow_a_shift_and_come_back():
    model = small(base_channels=8, synthesis_layers=14)
    ws = model.map(torch.randn(2, 8))
    before = model.synthesize(ws)
    model.move(right=4 / 32, down=-8 / 32)
    moved = model.synthesize(ws)
    change = (moved - before).abs().mean()
    assert (moved[:, :, :-8, 4:] - before[:, :, 8:, :-4]).abs().mean() < 0.1 * change
    assert (moved[:, :, 8:, 4:] - before[:, :, :-8, :-4]).abs().mean() > change
    model.move()
    assert torch.equal(model.synthesize(ws), before)


@torch.no_grad()
def test_config_r_follows_a_quarter_turn_and_config_t_does_not():
    for options, follows in (({"conv_kernel": 1, "radial_filters": True}, True), ({}, False)):
        model = small(base_channels=8, **options)
        ws = model.map(torch.randn(2, 8))
        before = model.synthesize(ws)
        model.move(degrees=90)
        error = (model.synthesize(ws) - before.rot90(1, (2, 3))).abs().mean() / before.std()
        assert error < 1e-3 if follows else error > 0.05, error


@torch.no_grad()
def test_a_turn_comes_before_the_shift():
    model = small(base_channels=8, conv_kernel=1, radial_filters=True, synthesis_layers=14)
    ws = model.map(torch.randn(1, 8))
    before = model.synthesize(ws).rot90(1, (2, 3))
    model.move(right=0.25, degrees=90)
    moved = model.synthesize(ws)
    change = (moved - before).abs().mean()
    assert (moved[..., 8:] - before[..., :-8]).abs().mean() < 0.1 * change


def test_a_shift_is_saved_with_the_network(tmp_path):
    model, z = small(), torch.randn(1, 8)
    model.move(right=0.2, degrees=10)
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(StyleGAN3Generator.from_pretrained(tmp_path)(z), model(z))


def test_filters_lie_in_no_file_and_are_there_after_loading(tmp_path):
    model = small(radial_filters=True)
    assert not [name for name in model.state_dict() if "filter" in name]
    model.save_pretrained(tmp_path)
    loaded = StyleGAN3Generator.from_pretrained(tmp_path)
    for own, again in zip(model.layers[:-1], loaded.layers[:-1], strict=True):
        assert torch.equal(own.up_filter, again.up_filter) and torch.equal(own.down_filter, again.down_filter)


# ------------------------------------------------------------------------------------------- training, arguments


def test_running_magnitudes_follow_the_inputs_in_training_and_stand_still_in_eval():
    model, z = small(), torch.randn(16, 8)
    seen = []
    model.layers[2].register_forward_pre_hook(lambda layer, given: seen.append(given[0].detach().square().mean()))
    layer = model.layers[2]
    with torch.no_grad():
        model(z)
        assert layer.magnitude_ema == 1
        model.train()(z)
    share = 1 - 0.5 ** (16 / MAGNITUDE_IMAGES)
    torch.testing.assert_close(layer.magnitude_ema, 1 + share * (seen[1] - 1), rtol=0, atol=1e-6)
    assert abs(layer.magnitude_ema - 1) > 1e-5


def test_a_layer_that_makes_colours_has_no_filter_and_a_quarter_of_their_size():
    model = small()
    assert isinstance(model.layers[-1], ToRGB) and sum(isinstance(layer, ToRGB) for layer in model.layers) == 1
    x, w = torch.randn(2, 4, 32, 32), torch.randn(2, 8)
    with torch.no_grad():
        model.layers[-1].bias.fill_(8.0)
        assert (model.layers[-1](x, w).mean() - 2).abs() < 0.5


def test_noise_another_shape_of_w_and_sides_between_powers_of_2_are_refused():
    model = small()
    with pytest.raises(ValueError, match="noise 'const' is not allowed; StyleGAN3 has no noise"):
        model.synthesize(model.map(torch.randn(1, 8)), noise="const")
    with pytest.raises(ValueError, match=r"ws is \(1, 3, 8\); allowed: \(N, 8, 8\)"):
        model.synthesize(torch.randn(1, 3, 8))
    with pytest.raises(ValueError, match="'resolution' has the value 48; allowed: one of 8, 16, 32"):
        StyleGAN3Generator(48)


def test_it_runs_without_memory_for_whoever_counts_what_it_does():
    with torch.device("meta"):
        model = StyleGAN3Generator(16, latent_size=4, w_size=4, base_channels=2, max_channels=4, synthesis_layers=4)
        assert model(torch.randn(2, 4)).shape == (2, 3, 16, 16)


def test_its_opponent_is_the_discriminator_of_stylegan2():
    generator, discriminator = ARCHITECTURES["stylegan3"]
    assert discriminator is ARCHITECTURES["stylegan2"].discriminator and issubclass(generator, GANModel)

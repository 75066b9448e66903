"""StyleGAN2 of rosinality, converted: against its arithmetic, written out here layer by layer in the names of its files."""

import argparse
import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from gan_hub import GANPipeline
from gan_hub.foreign.convert import convert
from gan_hub.model_folder.strict import LoadError

WIDTHS, W, Z = (8, 8, 4), 6, 6  # of 4 × 4, 8 × 8 and 16 × 16
TAPS = torch.tensor([1.0, 3, 3, 1])
KERNEL = torch.outer(TAPS, TAPS) / 64


def generator_state() -> dict[str, torch.Tensor]:
    """Random weights of a generator under the names of its files."""
    torch.manual_seed(0)
    state = {"input.input": torch.randn(1, WIDTHS[0], 4, 4)}
    for layer in (1, 2):
        state |= {f"style.{layer}.weight": 100 * torch.randn(W, W), f"style.{layer}.bias": 100 * torch.randn(W)}
    places = [("conv1", WIDTHS[0], WIDTHS[0])]
    for block, (narrow, wide) in enumerate(zip(WIDTHS, WIDTHS[1:])):
        places += [(f"convs.{2 * block}", narrow, wide), (f"convs.{2 * block + 1}", wide, wide)]
    for number, (place, inputs, outputs) in enumerate(places):
        side = 4 * 2 ** ((number + 1) // 2)
        state |= modulated(place, inputs, outputs, 3)
        state |= {f"{place}.noise.weight": torch.randn(1), f"{place}.activate.bias": torch.randn(outputs)}
        state[f"noises.noise_{number}"] = torch.randn(1, 1, side, side)
        if number % 2:
            state[f"{place}.conv.blur.kernel"] = 4 * KERNEL
    for number, width in enumerate(WIDTHS):
        place = f"to_rgbs.{number - 1}" if number else "to_rgb1"
        state |= modulated(place, width, 3, 1) | {f"{place}.bias": torch.randn(1, 3, 1, 1)}
        if number:
            state[f"{place}.upsample.kernel"] = 4 * KERNEL
    return state


def modulated(place: str, inputs: int, outputs: int, size: int) -> dict[str, torch.Tensor]:
    return {
        f"{place}.conv.weight": torch.randn(1, outputs, inputs, size, size),
        f"{place}.conv.modulation.weight": torch.randn(inputs, W),
        f"{place}.conv.modulation.bias": 1 + 0.1 * torch.randn(inputs),
    }


def leaky(x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    shape = (1, -1) + (1,) * (x.dim() - 2)
    return math.sqrt(2) * functional.leaky_relu(x + bias.view(shape), 0.2)


def filtered(x: torch.Tensor, kernel: torch.Tensor, up: int, before: int, after: int) -> torch.Tensor:
    """Zeros between the pixels, padding, the filter."""
    n, c, h, w = x.shape
    spread = torch.zeros(n, c, h * up, w * up)
    spread[:, :, ::up, ::up] = x
    spread = functional.pad(spread, (before, after, before, after))
    return functional.conv2d(spread, kernel.flip(0, 1).expand(c, 1, -1, -1), groups=c)


def modulated_conv(
    state: dict, place: str, x: torch.Tensor, w: torch.Tensor, demodulate: bool, up: bool
) -> torch.Tensor:
    """One image after the other."""
    weight, made = state[f"{place}.conv.weight"][0], []
    styles = w @ state[f"{place}.conv.modulation.weight"].t() / math.sqrt(W) + state[f"{place}.conv.modulation.bias"]
    for image, style in zip(x, styles):
        own = weight * style[None, :, None, None] / math.sqrt(weight[0].numel())
        own = own * (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).rsqrt() if demodulate else own
        if up:
            doubled = functional.conv_transpose2d(image[None], own.transpose(0, 1), stride=2)
            made.append(filtered(doubled, 4 * KERNEL, 1, 1, 1))
        else:
            made.append(functional.conv2d(image[None], own, padding=own.shape[-1] // 2))
    return torch.cat(made)


def draw(state: dict, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(images, w) of a generator with its constant noise."""
    w = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
    for layer in (1, 2):
        w = leaky(0.01 * w @ state[f"style.{layer}.weight"].t() / math.sqrt(W), 0.01 * state[f"style.{layer}.bias"])
    x, image = state["input.input"].expand(len(z), -1, -1, -1), None
    for number in range(5):
        place = f"convs.{number - 1}" if number else "conv1"
        x = modulated_conv(state, place, x, w, True, up=number % 2 == 1)
        x = x + state[f"{place}.noise.weight"] * state[f"noises.noise_{number}"]
        x = leaky(x, state[f"{place}.activate.bias"])
        if number % 2 == 0:
            place = f"to_rgbs.{number // 2 - 1}" if number else "to_rgb1"
            colors = modulated_conv(state, place, x, w, False, False) + state[f"{place}.bias"]
            image = colors if image is None else filtered(image, 4 * KERNEL, 2, 2, 1) + colors
    return image, w


def discriminator_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    fine = WIDTHS[::-1]
    state = {"convs.0.0.weight": torch.randn(fine[0], 3, 1, 1), "convs.0.1.bias": torch.randn(fine[0])}
    for block, (narrow, wide) in enumerate(zip(fine, fine[1:]), 1):
        start = f"convs.{block}"
        state |= {
            f"{start}.conv1.0.weight": torch.randn(narrow, narrow, 3, 3),
            f"{start}.conv1.1.bias": torch.randn(narrow),
            f"{start}.conv2.0.kernel": KERNEL,
            f"{start}.conv2.1.weight": torch.randn(wide, narrow, 3, 3),
            f"{start}.conv2.2.bias": torch.randn(wide),
            f"{start}.skip.0.kernel": KERNEL,
            f"{start}.skip.1.weight": torch.randn(wide, narrow, 1, 1),
        }
    last = fine[-1]
    return state | {
        "final_conv.0.weight": torch.randn(last, last + 1, 3, 3),
        "final_conv.1.bias": torch.randn(last),
        "final_linear.0.weight": torch.randn(last, last * 16),
        "final_linear.0.bias": torch.randn(last),
        "final_linear.1.weight": torch.randn(1, last),
        "final_linear.1.bias": torch.randn(1),
    }


def judge(state: dict, images: torch.Tensor) -> torch.Tensor:
    """Logits of a batch of four images, which share one minibatch deviation."""

    def scaled(name: str) -> torch.Tensor:
        return state[name] / math.sqrt(state[name][0].numel())

    x = leaky(functional.conv2d(images, scaled("convs.0.0.weight")), state["convs.0.1.bias"])
    for block in (1, 2):
        start = f"convs.{block}"
        y = leaky(functional.conv2d(x, scaled(f"{start}.conv1.0.weight"), padding=1), state[f"{start}.conv1.1.bias"])
        y = functional.conv2d(filtered(y, KERNEL, 1, 2, 2), scaled(f"{start}.conv2.1.weight"), stride=2)
        beside = functional.conv2d(filtered(x, KERNEL, 1, 1, 1), scaled(f"{start}.skip.1.weight"), stride=2)
        x = (leaky(y, state[f"{start}.conv2.2.bias"]) + beside) / math.sqrt(2)
    deviation = (x.var(0, unbiased=False) + 1e-8).sqrt().mean()
    x = torch.cat([x, deviation.expand(len(x), 1, 4, 4)], 1)
    x = leaky(functional.conv2d(x, scaled("final_conv.0.weight"), padding=1), state["final_conv.1.bias"]).flatten(1)
    x = leaky(x @ scaled("final_linear.0.weight").t(), state["final_linear.0.bias"])
    return (x @ scaled("final_linear.1.weight").t() + state["final_linear.1.bias"]).flatten()


def saved(folder: Path, **content: object) -> Path:
    path = folder / "550000.pt"
    torch.save(content, path)
    return path


def relative(made: torch.Tensor, expected: torch.Tensor) -> float:
    return ((made - expected).abs().max() / expected.abs().max()).item()


def test_images_and_logits_are_those_of_its_arithmetic(tmp_path):
    average, judging, z = generator_state(), discriminator_state(), torch.randn(3, Z)
    other = {name: -tensor for name, tensor in average.items()}
    options = argparse.Namespace(size=16, path="lmdb")
    path = saved(tmp_path, g=other, d=judging, g_ema=average, args=options, ada_aug_p=0.0)
    report = convert(path, tmp_path / "model")
    assert "(g_ema)" in report.recognized and any("mean w" in sentence for sentence in report.folded)
    pipe = GANPipeline.from_pretrained(tmp_path / "model")
    expected, w = draw(average, z)
    images = torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        assert relative(pipe.generator.map(z)[:, 0], w) < 1e-5
        assert relative(pipe.generator.synthesize(pipe.generator.map(z)), expected) < 1e-5
        assert relative(pipe.discriminator.train()(images), judge(judging, images)) < 1e-5
    assert pipe.seeds_like == "torch"


def test_the_mean_w_is_the_files_or_else_that_of_many_latents(tmp_path):
    state, mean = generator_state(), torch.arange(W).float()
    convert(saved(tmp_path, g_ema=state, latent_avg=mean), tmp_path / "a")
    assert torch.equal(GANPipeline.from_pretrained(tmp_path / "a").generator.w_avg, mean)
    convert(saved(tmp_path, g_ema=state), tmp_path / "b")
    generator = GANPipeline.from_pretrained(tmp_path / "b").generator
    with torch.no_grad():
        expected = generator.mapping(torch.randn(20_000, Z), None)
    assert ((generator.w_avg - expected.mean(0)).abs() < 0.05 * expected.std(0)).all()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("convs.0.conv.blur.kernel", torch.ones(3, 3), "resamples by a filter of its own"),
        ("to_alpha.weight", torch.ones(3), "'to_alpha.weight' belongs to no part"),
        ("noises.noise_2", torch.ones(1, 1, 4, 4), "has the shape"),
    ],
)
def test_another_network_is_refused_in_one_sentence(tmp_path, name, value, words):
    path = saved(tmp_path, g_ema=generator_state() | {name: value})
    with pytest.raises(LoadError, match=words) as caught:
        convert(path, tmp_path / "model")
    assert str(caught.value).startswith(f"{path}: ") and not (tmp_path / "model").exists()

"""StyleGAN2 of rosinality/stylegan2-pytorch: state dicts of torch.save, beside them what was asked of the run.

Names and layout are those that the program's files have; sizes are read from the shapes.
"""

import re
from typing import Any

import torch

from gan_hub.foreign.nvidia_stylegan2 import calibrate_deviation, with_kernels_turned
from gan_hub.foreign.report import Converted, Report
from gan_hub.foreign.sizes import width_options
from gan_hub.foreign.weights import Weights, fill
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator, taps_of

MARK = "conv1.conv.modulation.weight"  # of their generator alone
MEAN_LATENTS = 16_384  # of which the mean w is estimated, where the file has none
BATCH = 1024


def find_generator(content: Any) -> tuple[str, dict[str, Any]] | None:
    """(role, state dict) of the generator in a file; None for a file of another program."""
    named = content if isinstance(content, dict) else {}
    for role in ("g_ema", "g"):
        state = named.get(role)
        if isinstance(state, dict) and MARK in state:
            return role, state
    return ("g_ema", named) if MARK in named else None


def convert(content: Any) -> Converted:
    """Build the networks of a file.

    Args:
        content: what `read_foreign` gave.

    Returns: the averaged generator, or the other where there is none, and the discriminator.

    Raises:
        LoadError: for a generator with parts that StyleGAN2 here has not. A discriminator with such is left out.
    """
    pair = find_generator(content)
    assert pair is not None, "the caller recognised the file"
    role, state = pair
    report = Report(f"StyleGAN2 of rosinality/stylegan2-pytorch ({role})")
    generator = _generator(_weights(state, role), content.get("latent_avg"), report)
    report.recognized += f", {generator.config['resolution']} × {generator.config['resolution']}"
    discriminator, alone = None, state is content
    if isinstance(content.get("d"), dict):
        try:
            discriminator = _discriminator(_weights(content["d"], "d"), report)
            calibrate_deviation(generator, discriminator, report)
        except (LoadError, ValueError) as error:
            report.lost.append(f"the discriminator, which is left out ({error})")
    known = {role, "d", "latent_avg"}
    report.ignored += [f"{name}, which is no part of the model" for name in content if not alone and name not in known]
    report.lost.append(
        "the noise that this program draws afresh for each image: it is constant here, so that a seed is a picture"
    )
    return Converted(report, generator, discriminator)


def _weights(state: dict[str, Any], title: str) -> Weights:
    tensors = {str(name): value for name, value in state.items() if isinstance(value, torch.Tensor)}
    return Weights(tensors, title)


# ------------------------------------------------------------------------------------------- generator


def _generator(weights: Weights, mean: object, report: Report) -> StyleGAN2Generator:
    doublings = sum(re.fullmatch(r"to_rgbs\.\d+\.bias", name) is not None for name in weights.tensors)
    layers = sum(re.fullmatch(r"style\.\d+\.weight", name) is not None for name in weights.tensors)
    places = ["conv1", *(f"convs.{2 * stage + 1}" for stage in range(doublings))]
    widths = [weights.shape(f"{place}.conv.weight")[1] for place in places]
    resolution = 4 * 2**doublings
    _check_blur(weights)
    w_size, latent = weights.shape("style.1.weight")
    generator = StyleGAN2Generator(
        resolution=resolution,
        channels=weights.shape("to_rgb1.bias")[1],
        latent_size=latent,
        w_size=w_size,
        mapping_layers=layers,
        noise="const",
        **width_options(resolution, widths, weights.title),
    )
    state = {name: _taken(weights, name) for name in generator.state_dict() if name != "w_avg"}
    weights.refuse_left()
    is_known = isinstance(mean, torch.Tensor) and mean.numel() == w_size
    w_avg = mean.reshape(-1).float() if isinstance(mean, torch.Tensor) and is_known else torch.zeros(w_size)
    fill(generator, state | {"w_avg": w_avg}, weights.title)
    report.renamed += len(state)
    if not is_known:
        _estimate_mean(generator)
        report.folded.append(f"the mean w, which the file does not have, from {MEAN_LATENTS:,} latents")
    return generator


def _taken(weights: Weights, name: str) -> torch.Tensor:
    """Their tensor for our `name`, in our shape."""
    if name == "const":
        return weights.take("input.input")[0]
    if name.startswith("mapping."):
        _, _, layer, part = name.split(".")
        return weights.take(f"style.{int(layer) + 1}.{part}")  # their first layer only brings z to length
    _, stage, layer, part = name.split(".", 3)
    row, which = int(stage), "0"
    if layer == "to_rgb":
        place = f"to_rgbs.{row - 1}" if row else "to_rgb1"
    else:
        which, _, part = part.partition(".")
        place = f"convs.{2 * (row - 1) + int(which)}" if row else "conv1"
    if part.startswith("affine."):
        return weights.take(f"{place}.conv.modulation.{part.removeprefix('affine.')}")
    if part == "weight":
        return with_kernels_turned(name, weights.take(f"{place}.conv.weight")[0])
    if part == "bias":
        return weights.take(f"{place}.bias" if layer == "to_rgb" else f"{place}.activate.bias").reshape(-1)
    if part == "noise_strength":
        return weights.take(f"{place}.noise.weight").reshape(())
    number = 2 * row - 1 + int(which) if row else 0
    return weights.take(f"noises.noise_{number}")[0, 0]


def _check_blur(weights: Weights) -> None:
    """Use up the filters, which must be the paper's."""
    taps = torch.tensor(taps_of("1-3-3-1"), dtype=torch.float32)
    expected = torch.outer(taps, taps) / taps.sum() ** 2
    for name in [name for name in weights.left if name.endswith(".kernel")]:
        kernel = weights.take(name)
        if kernel.shape != expected.shape or not torch.allclose(kernel / kernel.sum(), expected, atol=1e-6):
            raise LoadError(
                f"{weights.title}: it resamples by a filter of its own ({name}); allowed: that of [1, 3, 3, 1]."
            )


@torch.no_grad()
def _estimate_mean(generator: StyleGAN2Generator) -> None:
    random, total = torch.Generator("cpu").manual_seed(0), torch.zeros_like(generator.w_avg)
    for _ in range(MEAN_LATENTS // BATCH):
        total += generator.mapping(torch.randn(BATCH, generator.config["latent_size"], generator=random), None).sum(0)
    generator.w_avg.copy_(total / MEAN_LATENTS)


# ------------------------------------------------------------------------------------------- discriminator


def _discriminator(weights: Weights, report: Report) -> StyleGAN2Discriminator:
    blocks = sum(re.fullmatch(r"convs\.\d+\.conv1\.0\.weight", name) is not None for name in weights.tensors)
    widths = [weights.shape("convs.0.0.weight")[0]]
    widths += [weights.shape(f"convs.{block}.conv2.1.weight")[0] for block in range(1, blocks + 1)]
    resolution = 4 * 2**blocks
    _check_blur(weights)
    discriminator = StyleGAN2Discriminator(
        resolution=resolution,
        channels=weights.shape("convs.0.0.weight")[1],
        **width_options(resolution, widths[::-1], weights.title),
    )
    layers = {"from_rgb.0": ("convs.0.0", "convs.0.1"), "last": ("final_conv.0", "final_conv.1")}
    layers |= {"dense": ("final_linear.0", "final_linear.0"), "score": ("final_linear.1", "final_linear.1")}
    for block in range(blocks):
        start = f"convs.{block + 1}"
        layers[f"blocks.{block}.same"] = (f"{start}.conv1.0", f"{start}.conv1.1")
        layers[f"blocks.{block}.down"] = (f"{start}.conv2.1", f"{start}.conv2.2")
        layers[f"blocks.{block}.shortcut"] = (f"{start}.skip.1", "")
    state = {f"{name}.weight": weights.take(f"{place}.weight") for name, (place, _) in layers.items()}
    state |= {f"{name}.bias": weights.take(f"{place}.bias").reshape(-1) for name, (_, place) in layers.items() if place}
    weights.refuse_left()
    assert discriminator.stddev is not None  # for type checkers: it has one by default
    fill(discriminator, state | {"stddev.running": discriminator.stddev.running}, weights.title)
    report.renamed += len(state)
    return discriminator

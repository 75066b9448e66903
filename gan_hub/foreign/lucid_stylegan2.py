"""StyleGAN2 of lucidrains/stylegan2-pytorch: state dicts of all networks in one, and the program's version."""

import re
from typing import Any

import torch

from gan_hub.foreign.report import Converted, Report
from gan_hub.foreign.sizes import width_options
from gan_hub.foreign.weights import Weights, fill, plain_names
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.plain_stylegan2 import PlainStyleGAN2Generator

MARK = "blocks.0.to_style1.weight"  # of their generator alone
ROLES = {"GE": "SE", "G": "S"}  # generator → mapping network, the averaged ones first
MAPPING_RATE = 0.1  # by which the mapping network's weights are multiplied, the program's default
MEAN_LATENTS = 16_384
BATCH = 1024


def find_generator(content: Any) -> tuple[str, dict[str, torch.Tensor]] | None:
    """(role, tensors of all networks) where a file has a generator; None for a file of another program."""
    named = content if isinstance(content, dict) else {}
    tensors = plain_names(named["GAN"]) if isinstance(named.get("GAN"), dict) else {}
    role = next((role for role in ROLES if f"{role}.{MARK}" in tensors), None)
    return None if role is None else (role, tensors)


def convert(content: Any) -> Converted:
    """Build the generator of a file.

    Args:
        content: what `read_foreign` gave.

    Returns: the averaged generator, or the other where there is none.

    Raises:
        LoadError: for a generator with parts that it has not here (attention, a start of w).
    """
    pair = find_generator(content)
    assert pair is not None, "the caller recognised the file"
    role, tensors = pair
    parts = {
        name: tensor
        for prefix in (role, ROLES[role])
        for name, tensor in tensors.items()
        if name.startswith(f"{prefix}.")
    }
    report = Report(f"StyleGAN2 of lucidrains/stylegan2-pytorch ({role})")
    generator = _generator(Weights(parts, role), role, report)
    report.recognized += f", {generator.config['resolution']} × {generator.config['resolution']}"
    report.folded.append(f"the mapping network's rate of {MAPPING_RATE} into its weights")
    report.folded.append(f"the mean w, which the file does not have, from {MEAN_LATENTS:,} latents")
    report.lost.append(
        f"another rate of the mapping network (lr_mlp): the file does not say it, and {MAPPING_RATE} is taken"
    )
    report.lost.append("the discriminator: an architecture of its own, which is not here")
    report.lost.append(
        "the noise that its program draws for each image: it is constant here, so that a seed is a picture"
    )
    report.ignored += [f"{name}, which is no part of the model" for name in content if name != "GAN"]
    return Converted(report, generator)


def _generator(weights: Weights, role: str, report: Report) -> PlainStyleGAN2Generator:
    if any(name.startswith(f"{role}.attns.") for name in weights.tensors):
        raise LoadError(f"{role}: it has attention, which cannot be had here.")
    if f"{role}.initial_block" not in weights:
        raise LoadError(f"{role}: it starts from w instead of a constant, which cannot be had here.")
    mapping = ROLES[role]
    layers = sum(re.fullmatch(rf"{mapping}\.net\.\d+\.weight", name) is not None for name in weights.tensors)
    stages = sum(re.fullmatch(rf"{role}\.blocks\.\d+\.conv1\.weight", name) is not None for name in weights.tensors)
    widths = [weights.shape(f"{role}.blocks.{stage}.conv1.weight")[0] for stage in range(stages)]
    resolution = 4 * 2 ** (stages - 1)
    generator = PlainStyleGAN2Generator(
        resolution=resolution,
        channels=weights.shape(f"{role}.blocks.0.to_rgb.conv.weight")[0],
        latent_size=weights.shape(f"{role}.{MARK}")[1],
        mapping_layers=layers,
        **width_options(resolution, widths, weights.title),
    )
    state = {"const": weights.take(f"{role}.initial_block")[0]}
    for part in ("weight", "bias"):
        state[f"start.{part}"] = weights.take(f"{role}.initial_conv.{part}")
        for layer in range(layers):
            state[f"mapping.layers.{layer}.{part}"] = MAPPING_RATE * weights.take(f"{mapping}.net.{2 * layer}.{part}")
    for stage in range(stages):
        state |= _stage(weights, f"stages.{stage}", f"{role}.blocks.{stage}")
    weights.ignore(r".*\.upsample\.1\.f")  # the blur's [1, 2, 1]
    weights.refuse_left()
    field = torch.rand(resolution, resolution, generator=torch.Generator("cpu").manual_seed(0))
    latent_size = generator.config["latent_size"]
    fill(generator, state | {"noise_const": field, "w_avg": torch.zeros(latent_size)}, weights.title)
    _estimate_mean(generator)
    report.renamed += len(state)
    return generator


def _stage(weights: Weights, name: str, place: str) -> dict[str, torch.Tensor]:
    """Our tensors for a block."""
    state = {}
    for layer, number in (("first", 1), ("second", 2)):
        state[f"{name}.{layer}.convolution.weight"] = weights.take(f"{place}.conv{number}.weight")
        state[f"{name}.{layer}.noise_strength"] = weights.take(f"{place}.to_noise{number}.weight")[:, 0]
        state[f"{name}.{layer}.noise_level"] = weights.take(f"{place}.to_noise{number}.bias")
        for part in ("weight", "bias"):
            state[f"{name}.{layer}.convolution.affine.{part}"] = weights.take(f"{place}.to_style{number}.{part}")
    state[f"{name}.to_rgb.weight"] = weights.take(f"{place}.to_rgb.conv.weight")
    for part in ("weight", "bias"):
        state[f"{name}.to_rgb.affine.{part}"] = weights.take(f"{place}.to_rgb.to_style.{part}")
    return state


@torch.no_grad()
def _estimate_mean(generator: PlainStyleGAN2Generator) -> None:
    random, total = torch.Generator("cpu").manual_seed(0), torch.zeros_like(generator.w_avg)
    for _ in range(MEAN_LATENTS // BATCH):
        total += generator.mapping(torch.randn(BATCH, generator.config["latent_size"], generator=random)).sum(0)
    generator.w_avg.copy_(total / MEAN_LATENTS)

"""FastGAN of lucidrains/lightweight-gan: state dicts of all networks in one, and the program's version."""

import re
from typing import Any

import torch

from gan_hub.foreign.report import Converted, Report
from gan_hub.foreign.weights import Weights, fill, plain_names
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.lightweight_gan import THIN_FROM, LightweightGANGenerator, block_widths

MARK = "initial_conv.0.weight"  # of their generator alone
ROLES = ("GE", "G")  # the averaged one first
PARTS = ("weight", "bias")
STATISTICS = ("weight", "bias", "running_mean", "running_var")
ATTENTION = {
    "global_query": "fn.to_lin_q",
    "global_around": "fn.to_lin_kv.net.0",
    "global_key_value": "fn.to_lin_kv.net.1",
    "local_query": "fn.to_q",
    "local_key_value": "fn.to_kv",
    "out": "fn.to_out",
}
CONTEXT = {"key": "to_k", "squeeze": "net.0", "excite": "net.2"}


def find_generator(content: Any) -> tuple[str, dict[str, torch.Tensor]] | None:
    """(role, tensors) of the generator in a file; None for a file of another program."""
    named = content if isinstance(content, dict) else {}
    tensors = plain_names(named["GAN"]) if isinstance(named.get("GAN"), dict) else {}
    role = next((role for role in ROLES if f"{role}.{MARK}" in tensors), None)
    if role is None:
        return None
    start = f"{role}."
    return role, {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def convert(content: Any) -> Converted:
    """Build the generator of a file.

    Args:
        content: what `read_foreign` gave.

    Returns: the averaged generator, or the other where there is none.

    Raises:
        LoadError: for a generator with parts or sizes that it has not here (attention of frequencies).
    """
    pair = find_generator(content)
    assert pair is not None, "the caller recognised the file"
    role, tensors = pair
    report = Report(f"FastGAN of lucidrains/lightweight-gan ({role})")
    generator = _generator(Weights(tensors, role), report)
    report.recognized += f", {generator.config['resolution']} × {generator.config['resolution']}"
    report.lost.append("the discriminator: an architecture of its own, which is not here")
    report.lost.append("the noise that its program draws afresh for each image: a seed is one picture here, without")
    report.lost.append("its seeds: the latents of its program are those of a whole batch, here each seed has its own")
    report.ignored += [f"{name}, which is no part of the model" for name in content if name != "GAN"]
    return Converted(report, generator)


def _generator(weights: Weights, report: Report) -> LightweightGANGenerator:
    blocks = sum(re.fullmatch(r"layers\.\d+\.0\.2\.1\.weight", name) is not None for name in weights.tensors)
    if any(name.endswith("dct_weights") for name in weights.tensors):
        raise LoadError(f"{weights.title}: it has attention of frequencies (freq_chan_attn), which cannot be had here.")
    resolution = 4 * 2**blocks
    widths = [weights.shape(f"layers.{block}.0.2.1.weight")[0] // 2 for block in range(blocks)]
    power, most = _width_options(weights.title, resolution, widths)
    attention = sum(4 * 2**block for block in range(blocks) if f"layers.{block}.2.fn.to_q.weight" in weights)
    generator = LightweightGANGenerator(
        resolution=resolution,
        channels=weights.shape("out_conv.weight")[0],
        latent_size=weights.shape(MARK)[0],
        max_channels=most,
        width_power=power,
        attention=attention,
    )
    names = {"project": "initial_conv.0", "to_image": "out_conv"}
    state: dict[str, torch.Tensor] = _norm(weights, "norm", "initial_conv.1")
    for block in range(blocks):
        place, side = f"layers.{block}", 4 * 2**block
        names |= {f"blocks.{block}.expand": f"{place}.0.0.net.0", f"blocks.{block}.convolution": f"{place}.0.2.1"}
        state[f"blocks.{block}.noise_strength"] = weights.take(f"{place}.0.3.weight").reshape(())
        state |= _norm(weights, f"blocks.{block}.norm", f"{place}.0.4")
        if attention & side:
            names |= {f"attentions.{side}.{name}": f"{place}.2.{source}" for name, source in ATTENTION.items()}
            for name, source in (("scale", "g"), ("shift", "b")):
                state[f"attentions.{side}.norm.{name}"] = weights.take(f"{place}.2.norm.{source}").flatten()
        if f"{place}.1.to_k.weight" in weights:
            names |= {f"contexts.{2 * side}.{name}": f"{place}.1.{source}" for name, source in CONTEXT.items()}
    for name, place in names.items():
        state |= {f"{name}.{part}": weights.take(f"{place}.{part}") for part in PARTS if f"{place}.{part}" in weights}
    weights.ignore(r"layers\.\d+\.0\.1\.f")  # the blur's [1, 2, 1]
    weights.ignore(r".*\.num_batches_tracked")
    weights.refuse_left()
    fill(generator, state, weights.title)
    report.renamed += len(state)
    return generator


def _width_options(title: str, resolution: int, widths: list[int]) -> tuple[int, int]:
    """The power of 2 and the most that give these feature maps; raises LoadError where none do."""
    finest = max(block for block in range(len(widths)) if 8 * 2**block < THIN_FROM)
    power = (widths[finest] * 8 * 2**finest).bit_length() - 2
    if block_widths(resolution, max(widths), power) != widths:
        raise LoadError(
            f"{title}: its feature maps are {widths} from coarse to fine; allowed: halved from a largest number on."
        )
    return power, max(widths)


def _norm(weights: Weights, name: str, place: str) -> dict[str, torch.Tensor]:
    """Our tensors for a batch norm."""
    state = {f"{name}.{part}": weights.take(f"{place}.{part}") for part in STATISTICS}
    return state | {f"{name}.num_batches_tracked": torch.tensor(0)}

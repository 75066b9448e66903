"""MSG-GAN of its authors' second program (akanimax/BMSG-GAN): state dicts, a file for each network."""

import math
import re
from typing import Any

import torch

from gan_hub.foreign.nvidia_stylegan2 import calibrate_deviation
from gan_hub.foreign.report import Answers, Converted, Report
from gan_hub.foreign.sizes import width_options
from gan_hub.foreign.weights import Weights, fill, plain_names
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.msg_gan import MSGGANDiscriminator, MSGGANGenerator

ASKS = ("discriminator",)
LINEAR_GAIN = math.sqrt(2)  # of their layers for colours and logits; ours have 1


def find_tensors(content: Any, mark: str) -> dict[str, torch.Tensor] | None:
    """The tensors of a network that has the tensor `mark`, without what several GPUs put into the names; None for others."""
    tensors = plain_names(content) if isinstance(content, dict) else {}
    tensors = {re.sub(r"\.module\.", ".", name): tensor for name, tensor in tensors.items()}
    return tensors if mark in tensors else None


def find_generator(content: Any) -> dict[str, torch.Tensor] | None:
    """The tensors of a generator; None for a file of another program."""
    return find_tensors(content, "rgb_converters.0.weight")


def convert(content: Any, answers: Answers) -> Converted:
    """Build the generator of a file, and the discriminator of another one.

    Args:
        content: what `read_foreign` gave.
        answers: `discriminator`, where it is to be taken.

    Returns: the generator, and the discriminator where it was given.

    Raises:
        LoadError: for parts or sizes that MSG-GAN here has not.
    """
    tensors = find_generator(content)
    assert tensors is not None, "the caller recognised the file"
    report = Report("MSG-GAN of akanimax/BMSG-GAN")
    generator = _generator(Weights(tensors, "generator"), report)
    report.recognized += f", {generator.config['resolution']} × {generator.config['resolution']}"
    report.folded.append("√2 into the layers for colours, whose gain it is there")
    report.lost.append("whether its learning rates were equalised: the file does not say it, and its default is taken")
    report.lost.append("its seeds: the latents of its program are those of a whole batch, here each seed has its own")
    discriminator = None
    if answers.discriminator is not None:
        judging = find_tensors(answers.discriminator, "final_converter.weight")
        if judging is None:
            raise LoadError("the discriminator's file has none of this program.")
        discriminator = _discriminator(Weights(judging, "discriminator"), report)
        if discriminator.config["resolution"] != generator.config["resolution"]:
            raise LoadError(
                f"the discriminator judges {discriminator.config['resolution']} pixels, but the generator makes "
                f"{generator.config['resolution']}."
            )
        calibrate_deviation(generator, discriminator, report, scales=True)
    return Converted(report, generator, discriminator)


def _generator(weights: Weights, report: Report) -> MSGGANGenerator:
    depth = sum(re.fullmatch(r"rgb_converters\.\d+\.weight", name) is not None for name in weights.tensors)
    widths = [weights.shape(f"rgb_converters.{stage}.weight")[1] for stage in range(depth)]
    generator = MSGGANGenerator(
        resolution=4 * 2 ** (depth - 1),
        channels=weights.shape("rgb_converters.0.weight")[0],
        latent_size=weights.shape("layers.0.conv_1.weight")[0],
        start_norm=False,
        output="none",
        **width_options(4 * 2 ** (depth - 1), widths, weights.title),
    )
    state: dict[str, torch.Tensor] = {}
    for stage in range(depth):
        for layer, place in (("first", "conv_1"), ("second", "conv_2")):
            for part in ("weight", "bias"):
                state[f"blocks.{stage}.{layer}.{part}"] = weights.take(f"layers.{stage}.{place}.{part}")
        state[f"to_rgb.{stage}.weight"] = weights.take(f"rgb_converters.{stage}.weight") * LINEAR_GAIN
        state[f"to_rgb.{stage}.bias"] = weights.take(f"rgb_converters.{stage}.bias")
    weights.refuse_left()
    fill(generator, state, weights.title)
    report.renamed += len(state)
    return generator


def _discriminator(weights: Weights, report: Report) -> MSGGANDiscriminator:
    blocks = sum(re.fullmatch(r"rgb_to_features\.\d+\.weight", name) is not None for name in weights.tensors)
    widths = [weights.shape("final_block.conv_1.weight")[0]]
    widths += [weights.shape(f"layers.{stage}.conv_1.weight")[0] for stage in range(blocks)]
    discriminator = MSGGANDiscriminator(
        resolution=4 * 2**blocks,
        channels=weights.shape("final_converter.weight")[1],
        stddev_each_scale=False,
        **width_options(4 * 2**blocks, widths, weights.title),
    )
    names = {"from_rgb.0": "final_converter", "last.first": "final_block.conv_1", "last.second": "final_block.conv_2"}
    names |= {"score": "final_block.conv_3"}
    for stage in range(blocks):
        names[f"from_rgb.{stage + 1}"] = f"rgb_to_features.{stage}"
        names |= {f"blocks.{stage}.first": f"layers.{stage}.conv_1", f"blocks.{stage}.second": f"layers.{stage}.conv_2"}
    state = {f"{name}.bias": weights.take(f"{place}.bias") for name, place in names.items()}
    for name, place in names.items():
        weight = weights.take(f"{place}.weight") * (LINEAR_GAIN if name.startswith(("from_rgb", "score")) else 1)
        state[f"{name}.weight"] = weight.flatten(1) if name in ("last.second", "score") else weight
    weights.refuse_left()
    fill(discriminator, state | {"last.stddev.running": torch.zeros(())}, weights.title)
    report.renamed += len(state)
    return discriminator

"""DCGAN generators of many programs: a chain of transposed convolutions, with a batch norm after each but the last.

Keys and shapes do not say the activation, the range of the images or the distribution of the latents, so that weights load
and draw wrong without a word. These are asked for (`Answers`).
"""

import re
from itertools import pairwise
from typing import Any, NamedTuple

import torch

from gan_hub.foreign.report import Answers, Converted, Report
from gan_hub.foreign.weights import fill, is_module, tensors_of
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.dcgan import DCGANGenerator, stage_grids, stage_widths

HOLDERS = (
    "generator", "netG", "netG_state_dict", "generator_state_dict", "G", "G_ema", "gen", "state_dict", "model",
    "model_state_dict",
)  # fmt: skip
NORM_PARTS = ("weight", "bias", "running_mean", "running_var")
DOUBLING = {2, 3, 4}  # sides of kernels of stride 2 that DCGAN here can hold
QUESTIONS = {
    "negative_slope": "negative_slope= (0 for ReLU, 0.2 for the usual leaky ReLU)",
    "output": "output= (tanh, sigmoid or none)",
    "latents": "latents= (normal, or uniform from −1 to 1)",
}


class Layer(NamedTuple):
    """A transposed convolution, and the batch norm after it."""

    weight: torch.Tensor  # (I, O, k, k)
    bias: torch.Tensor | None
    norm: dict[str, torch.Tensor] | None


def find_layers(content: Any) -> list[Layer] | None:
    """The chain of a generator, from z to the image; None for anything else."""
    state = _state(content)
    if state is None:
        return None
    # A file of torch has its layers in their order; in safetensors, "10" comes before "2".
    return _chain(state) or _chain(dict(sorted(state.items(), key=lambda pair: _natural(pair[0]))))


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A key to sort by that takes numbers in a name for numbers."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]


def _chain(state: dict[str, torch.Tensor]) -> list[Layer] | None:
    layers: list[Layer] = []
    for name, tensor in state.items():
        place, _, part = name.rpartition(".")
        if part == "weight" and tensor.dim() == 4:
            layers.append(Layer(tensor, state.get(f"{place}.bias"), None))
        elif part == "weight" and tensor.dim() == 1 and layers and layers[-1].norm is None:
            norm = {each: state[f"{place}.{each}"] for each in NORM_PARTS if f"{place}.{each}" in state}
            layers[-1] = layers[-1]._replace(norm=norm if len(norm) == len(NORM_PARTS) else None)
    used = sum(1 + (layer.bias is not None) + len(layer.norm or ()) for layer in layers)
    others = sum(name.endswith("num_batches_tracked") for name in state)
    return layers if used + others == len(state) and _is_chain(layers) else None


def _state(content: Any) -> dict[str, torch.Tensor] | None:
    """The tensors of the generator in a file by name, without the `module.` of several GPUs."""
    if is_module(content):
        return tensors_of(content)
    if not isinstance(content, dict) or not content:
        return None
    if all(isinstance(value, torch.Tensor) for value in content.values()):
        return {re.sub(r"^module\.", "", str(name)): value for name, value in content.items()}
    inside = [content[name] for name in HOLDERS if name in content]
    return _state(inside[0]) if inside else None


def _is_chain(layers: list[Layer]) -> bool:
    """Whether each layer takes what the one before gives, all but the last have a norm, and all kernels are square."""
    fits = all(before.weight.shape[1] == after.weight.shape[0] for before, after in pairwise(layers))
    square = all(layer.weight.shape[2] == layer.weight.shape[3] for layer in layers)
    normed = [layer.norm is not None for layer in layers]
    return len(layers) > 2 and fits and square and normed == [True] * (len(layers) - 1) + [False]


def convert(content: Any, answers: Answers) -> Converted:
    """Build the generator of a file.

    Args:
        content: what `read_foreign` gave.
        answers: all of them.

    Returns: the generator, without a discriminator.

    Raises:
        LoadError: for sizes that DCGAN here cannot have.
        ValueError: for an answer that is missing.
    """
    layers = find_layers(content)
    assert layers is not None, "the caller recognised the file"
    missing = [question for name, question in QUESTIONS.items() if name not in answers.answered()]
    if missing:
        raise ValueError(
            f"its file does not say {', '.join(missing)}: look them up in the program that wrote it, as wrong ones draw "
            "other pictures without a word."
        )
    report = Report("DCGAN generator, a chain of transposed convolutions and batch norms")
    generator = _generator(layers, answers, report)
    report.recognized += f", {generator.config['resolution']} × {generator.config['resolution']}"
    report.lost.append("its seeds: the latents of its program are those of a whole batch, here each seed has its own")
    answered = (
        f"activation below 0 times {answers.negative_slope:g}, output {answers.output}, latents {answers.latents}"
    )
    report.folded.append(f"what you said of it: {answered}")
    return Converted(report, generator, seeds_like="uniform" if answers.latents == "uniform" else "torch")


def _generator(layers: list[Layer], answers: Answers, report: Report) -> DCGANGenerator:
    first, *ups = layers
    start = first.weight.shape[2]
    side = start
    for layer in ups:
        kernel = layer.weight.shape[2]
        if kernel not in DOUBLING:
            raise LoadError(
                f"it has kernels of {kernel} × {kernel}; allowed: 4 × 4, 2 × 2, and 3 × 3 where a side of 4 becomes 7"
            )
        side = 2 * side - (kernel == 3)
    widths = [layer.weight.shape[0] for layer in ups]
    usual = stage_grids(side)[0][0] == start
    options = {"base_channels": widths[-1], "max_channels": max(widths)}
    if stage_widths(side, **options, start=0 if usual else start) != widths:
        raise LoadError(f"its feature maps are {widths} from coarse to fine; allowed: halved from a largest number on")
    leak = 100 * float(answers.negative_slope or 0)
    if not 0 <= leak <= 100 or abs(leak - round(leak)) > 1e-9:
        raise ValueError(
            f"negative_slope={answers.negative_slope} is not allowed; it is a number of hundredths from 0 to 1."
        )
    generator = DCGANGenerator(
        resolution=side,
        channels=ups[-1].weight.shape[1],
        latent_size=first.weight.shape[0],
        base_channels=options["base_channels"],
        max_channels=options["max_channels"],
        leak=round(leak),
        start=0 if usual else start,
        output=str(answers.output),
    )
    state = {"project.weight": first.weight.flatten(1).t()}
    for stage, layer in enumerate(layers):
        state |= _stage_state(stage, layer, report)
    if f"ups.{len(ups) - 1}.bias" not in state:
        state[f"ups.{len(ups) - 1}.bias"] = torch.zeros(generator.config["channels"])
    fill(
        generator,
        {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()},
        "it",
    )
    report.renamed += len(state)
    return generator


def _stage_state(stage: int, layer: Layer, report: Report) -> dict[str, torch.Tensor]:
    """Our tensors for the layer number `stage`, the first of which is our projection."""
    state: dict[str, torch.Tensor] = {}
    if stage:
        weight = layer.weight
        if weight.shape[2] == 2:  # stride 2 without padding is the middle of 4 × 4 with a padding of 1
            weight = torch.nn.functional.pad(weight, (1, 1, 1, 1))
            report.folded.append(f"the 2 × 2 kernels of layer {stage} into the middle of 4 × 4 ones")
        state[f"ups.{stage - 1}.weight"] = weight
    if layer.norm is None:
        return state | ({f"ups.{stage - 1}.bias": layer.bias} if layer.bias is not None else {})
    mean = layer.norm["running_mean"]
    if layer.bias is not None:
        mean = mean - layer.bias
        report.folded.append(f"the bias of layer {stage} into the mean of its batch norm")
    return state | {
        f"norms.{stage}.scale": layer.norm["weight"][None],
        f"norms.{stage}.shift": layer.norm["bias"][None],
        f"norms.{stage}.normalise.running_mean": mean,
        f"norms.{stage}.normalise.running_var": layer.norm["running_var"],
        f"norms.{stage}.normalise.num_batches_tracked": torch.tensor(0),
    }

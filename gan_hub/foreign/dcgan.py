"""DCGANs of many programs: chains of convolutions, with a batch norm after each but the last.

Keys and shapes do not say the activation, the range of the images or the distribution of the latents, so that weights load
and draw wrong without a word. These are asked for (`Answers`).
"""

import math
from itertools import pairwise
from typing import Any

import torch

from gan_hub.foreign import dcgan_discriminator
from gan_hub.foreign.chains import Layer, find_state, folded, in_order, read_layers
from gan_hub.foreign.report import Answers, Converted, Report
from gan_hub.foreign.sizes import hundredths
from gan_hub.foreign.weights import fill
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.dcgan import DCGANDiscriminator, DCGANGenerator, stage_grids, stage_widths

HOLDERS = (
    "generator", "netG", "netG_state_dict", "generator_state_dict", "G", "G_ema", "gen", "state_dict", "model",
    "model_state_dict",
)  # fmt: skip
DOUBLING = {2, 3, 4}  # sides of kernels of stride 2 that DCGAN here can hold
QUESTIONS = {
    "negative_slope": "negative_slope= (0 for ReLU, 0.2 for the usual leaky ReLU)",
    "output": "output= (tanh, sigmoid or none)",
    "latents": "latents= (normal, or uniform from −1 to 1)",
}
START_QUESTION = "start_activation= (whether one follows its first layer, which has no norm)"
JUDGE_QUESTION = "discriminator_negative_slope= (0.2 for the usual leaky ReLU, 0 for ReLU)"
ASKS = ("negative_slope", "output", "latents", "start_activation")
ASKS += ("discriminator", "discriminator_negative_slope", "real_label")


def find_layers(content: Any) -> list[Layer] | None:
    """The chain of a generator, from z to the image; None for anything else."""
    state = find_state(content, HOLDERS)
    return None if state is None else in_order(state, _chain)


def _chain(state: dict[str, torch.Tensor]) -> list[Layer] | None:
    layers = read_layers(state)
    if not layers or len(layers) < 3 or any(layer.weight.dim() != 4 for layer in layers[1:]):
        return None
    layers = [_as_start(*layers[:2]), *layers[1:]]
    fits = all(before.weight.shape[1] == after.weight.shape[0] for before, after in pairwise(layers))
    square = all(layer.weight.dim() == 4 and layer.weight.shape[2] == layer.weight.shape[3] for layer in layers)
    normed = [layer.norm is not None for layer in layers[1:]]
    return layers if fits and square and normed == [True] * (len(normed) - 1) + [False] else None


def _as_start(first: Layer, second: Layer) -> Layer:
    """A first linear layer as a transposed convolution of one pixel, with a bias at each place; any other as it is."""
    if first.weight.dim() == 4:
        return first
    features = second.weight.shape[0]
    side = math.isqrt(first.weight.shape[0] // features)
    if features * side**2 != first.weight.shape[0] or side < 2:
        return first
    if first.norm is not None and len(first.norm["weight"]) != features:  # of all numbers, before they become pixels
        first = folded(first, 0)
    grid = (features, side, side)
    bias = None if first.bias is None else first.bias.view(grid)
    return Layer(first.weight.t().unflatten(1, grid), bias, first.norm)


def convert(content: Any, answers: Answers) -> Converted:
    """Build the networks of a file, and of another one with the discriminator.

    Args:
        content: what `read_foreign` gave.
        answers: all of them; of the discriminator, only where it is to be taken.

    Returns: the generator, and the discriminator where there is one and its slope is said.

    Raises:
        LoadError: for sizes that DCGAN here cannot have, also of a discriminator that was given as another file.
        ValueError: for an answer that is missing.
    """
    layers = find_layers(content)
    assert layers is not None, "the caller recognised the file"
    _ask(layers, answers)
    report = Report("DCGAN generator, a chain of transposed convolutions and batch norms")
    generator = _generator(layers, answers, report)
    report.recognized += f", {generator.config['resolution']} × {generator.config['resolution']}"
    discriminator = _discriminator(content, generator, answers, report)
    report.lost.append("its seeds: the latents of its program are those of a whole batch, here each seed has its own")
    answered = (
        f"activation below 0 times {answers.negative_slope:g}, output {answers.output}, latents {answers.latents}"
    )
    report.folded.append(f"what you said of it: {answered}")
    seeds_like = "uniform" if answers.latents == "uniform" else "torch"
    return Converted(report, generator, discriminator, seeds_like)


def _ask(layers: list[Layer], answers: Answers) -> None:
    """Raise ValueError for what neither the file nor the user says."""
    answered = answers.answered()
    missing = [question for name, question in QUESTIONS.items() if name not in answered]
    if layers[0].norm is None and answers.start_activation is None:
        missing.append(START_QUESTION)
    if answers.discriminator is not None and answers.discriminator_negative_slope is None:
        missing.append(JUDGE_QUESTION)
    if missing:
        raise ValueError(
            f"its file does not say {', '.join(missing)}: look them up in the program that wrote it, as wrong ones draw "
            "other pictures without a word."
        )
    if layers[0].norm is not None and answers.start_activation is False:
        raise ValueError("start_activation=False is not allowed: a norm and an activation follow its first layer.")


def _discriminator(
    content: Any, generator: DCGANGenerator, answers: Answers, report: Report
) -> DCGANDiscriminator | None:
    """The discriminator of a file of its own, or that of the generator's file where its slope is said."""
    if answers.discriminator is not None:
        return dcgan_discriminator.convert(answers.discriminator, generator, answers, report)
    if not dcgan_discriminator.is_beside(content):
        if answers.discriminator_negative_slope is not None or answers.real_label is not None:
            raise ValueError("there is no discriminator in it; discriminator= names the file that has it.")
        return None
    if answers.discriminator_negative_slope is None:
        report.lost.append("the discriminator, as the slope of its activation below 0 was not said")
        return None
    try:
        return dcgan_discriminator.convert(content, generator, answers, report)
    except LoadError as error:
        report.lost.append(f"the discriminator, which is left out ({error})")
        return None


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
    # A bias of features is taken in by a norm; one at each place is not.
    has_bias = first.bias is not None and (first.norm is None or first.bias.dim() == 3)
    generator = DCGANGenerator(
        resolution=side,
        channels=ups[-1].weight.shape[1],
        latent_size=first.weight.shape[0],
        base_channels=options["base_channels"],
        max_channels=options["max_channels"],
        leak=hundredths("negative_slope", answers.negative_slope),
        start=0 if usual else start,
        output=str(answers.output),
        start_bias=has_bias,
        start_block="norm" if first.norm is not None else "activation" if answers.start_activation else "linear",
    )
    state = {"project.weight": first.weight.flatten(1).t()}
    if has_bias:
        assert first.bias is not None  # for type checkers
        bias = first.bias if first.bias.dim() == 3 else first.bias[:, None, None].expand(first.weight.shape[1:])
        state["project.bias"] = bias.flatten()
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
    """Our tensors for the layer number `stage`, the first of which is our projection, apart from those of the projection."""
    state: dict[str, torch.Tensor] = {}
    if stage:
        weight = layer.weight
        if weight.shape[2] == 2:  # stride 2 without padding is the middle of 4 × 4 with a padding of 1
            weight = torch.nn.functional.pad(weight, (1, 1, 1, 1))
            report.folded.append(f"the 2 × 2 kernels of layer {stage} into the middle of 4 × 4 ones")
        state[f"ups.{stage - 1}.weight"] = weight
    if layer.norm is None:
        return state | ({f"ups.{stage - 1}.bias": layer.bias} if stage and layer.bias is not None else {})
    mean = layer.norm["running_mean"]
    if layer.bias is not None and layer.bias.dim() == 1:
        mean = mean - layer.bias
        report.folded.append(f"the bias of layer {stage} into the mean of its batch norm")
    return state | {
        f"norms.{stage}.scale": layer.norm["weight"][None],
        f"norms.{stage}.shift": layer.norm["bias"][None],
        f"norms.{stage}.normalise.running_mean": mean,
        f"norms.{stage}.normalise.running_var": layer.norm["running_var"],
        f"norms.{stage}.normalise.num_batches_tracked": torch.tensor(0),
    }

"""ProGAN of facebookresearch/pytorch_GAN_zoo: state dicts of both networks and the average, beside the run's config.

Its layers multiply what they give, bias and all, by He's constant of a layer, and its deviations are those of samples.
"""

import math
import re
from typing import Any

import torch
from torch import nn

from gan_hub.foreign.nvidia_stylegan2 import calibrate_deviation
from gan_hub.foreign.report import Converted, Report
from gan_hub.foreign.sizes import width_options
from gan_hub.foreign.weights import Weights, fill, plain_names
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.modeling import GANModel
from gan_hub.models.progan import LEAK, ProGANDiscriminator, ProGANGenerator

MARK = "formatLayer.module.weight"  # of their generator alone
BOUNDED = {"MSE": "tanh", "DCGAN": "tanh", "WGANGP": "clamp", "Logistic": "clamp"}  # by loss
GROUP = 4  # images that share a deviation


def find_generator(content: Any) -> tuple[str, dict[str, torch.Tensor]] | None:
    """(role, tensors) of the generator in a file, the averaged one first; None for a file of another program."""
    named = content if isinstance(content, dict) else {}
    for role in ("avgG", "netG"):
        tensors = plain_names(named[role]) if isinstance(named.get(role), dict) else {}
        if MARK in tensors and "toRGBLayers.0.module.weight" in tensors:
            return role, tensors
    return None


def convert(content: Any) -> Converted:
    """Build the networks of a file.

    Args:
        content: what `read_foreign` gave.

    Returns: the averaged generator, or the other where there is none, and the discriminator.

    Raises:
        LoadError: for a generator with parts or options that ProGAN here has not. A discriminator with such is left out.
    """
    pair = find_generator(content)
    assert pair is not None, "the caller recognised the file"
    role, tensors = pair
    options = getattr(content.get("config"), "attributes", {})
    _check(options)
    report = Report(f"ProGAN of pytorch_GAN_zoo ({role})")
    scaled = options.get("equalizedlR", True) is not False
    generator = _generator(Weights(tensors, role), str(options.get("lossCriterion", "WGANGP")), scaled, report)
    report.recognized += f", {generator.config['resolution']} × {generator.config['resolution']}"
    report.folded.append("the scale of each layer into its bias, and into the weights where ours has another")
    if options.get("alpha"):
        report.lost.append(
            "the blending with the coarser image: the file was written while its last stage was faded in"
        )
    discriminator = None
    if isinstance(content.get("netD"), dict):
        try:
            discriminator = _discriminator(Weights(plain_names(content["netD"]), "netD"), scaled, report)
            calibrate_deviation(generator, discriminator, report)
        except (LoadError, ValueError) as error:
            report.lost.append(f"the discriminator, which is left out ({error})")
    known = {role, "netG", "netD", "config"}
    report.ignored += [f"{name}, which is no part of the model" for name in content if name not in known]
    report.lost.append("its seeds: the latents of its program are those of a whole batch, here each seed has its own")
    return Converted(report, generator, discriminator)


def _check(options: Any) -> None:
    """Raise LoadError for what a run's config asks of its networks and ours have not."""
    if options.get("attribKeysOrder"):
        raise LoadError("its latents hold attributes (AC-GAN), which cannot be had here.")
    if options.get("leakyReluLeak", LEAK) != LEAK:
        raise LoadError(f"its activation has the slope {short_repr(options['leakyReluLeak'])}; allowed: {LEAK}.")
    if options.get("lossCriterion", "WGANGP") not in BOUNDED:
        raise LoadError(f"its loss is {short_repr(options['lossCriterion'])}; allowed: {', '.join(BOUNDED)}.")


def _scales(weights: Weights) -> int:
    return sum(re.fullmatch(r"scaleLayers\.\d+\.0\.module\.weight", name) is not None for name in weights.tensors)


def _generator(weights: Weights, loss: str, scaled: bool, report: Report) -> ProGANGenerator:
    scales = _scales(weights)
    widths = [weights.shape(f"toRGBLayers.{stage}.module.weight")[1] for stage in range(scales + 1)]
    generator = ProGANGenerator(
        resolution=4 * 2**scales,
        channels=weights.shape("toRGBLayers.0.module.weight")[0],
        latent_size=weights.shape(MARK)[1],
        start_bias="place",
        output=BOUNDED[loss],
        **width_options(4 * 2**scales, widths, weights.title),
    )
    names = {"start": "formatLayer", "blocks.0.convolutions.0": "groupScale0.0"}
    names |= {f"to_rgb.{stage}": f"toRGBLayers.{stage}" for stage in range(scales + 1)}
    state = _scaled(weights, generator, names | _blocks(scales), scaled)
    grid = generator.start.weight.shape[1:]
    state["start.weight"] = state["start.weight"].t().unflatten(1, grid)
    state["start.bias"] = state["start.bias"].view(grid)
    weights.refuse_left()
    fill(generator, state, weights.title)
    report.renamed += len(state)
    return generator


def _blocks(scales: int) -> dict[str, str]:
    """Our convolutions → theirs, of all blocks but the coarsest."""
    places = [(stage, index) for stage in range(1, scales + 1) for index in (0, 1)]
    return {f"blocks.{stage}.convolutions.{index}": f"scaleLayers.{stage - 1}.{index}" for stage, index in places}


def _scaled(weights: Weights, network: GANModel, names: dict[str, str], scaled: bool) -> dict[str, torch.Tensor]:
    """Tensors of our layers, whose own scale is applied to the weight alone, for theirs, whose scale is applied to all."""
    state: dict[str, torch.Tensor] = {}
    for name, place in names.items():
        weight, bias = weights.take(f"{place}.module.weight"), weights.take(f"{place}.module.bias")
        scale = math.sqrt(2 / math.prod(weight.shape[1:])) if scaled else 1.0
        own = network.get_submodule(name).scale
        assert isinstance(own, float)  # for type checkers
        state |= {f"{name}.weight": weight * (scale / own), f"{name}.bias": bias * scale}
    return state


def _discriminator(weights: Weights, scaled: bool, report: Report) -> ProGANDiscriminator:
    scales = _scales(weights)
    widths = [weights.shape(f"fromRGBLayers.{stage}.module.weight")[0] for stage in range(scales + 1)]
    if weights.shape("decisionLayer.module.weight")[0] != 1:
        raise LoadError(f"{weights.title}: it gives several numbers an image; allowed: one logit.")
    surplus = weights.shape("groupScaleZero.0.module.weight")[1] - widths[0]
    discriminator = ProGANDiscriminator(
        resolution=4 * 2**scales,
        channels=weights.shape("fromRGBLayers.0.module.weight")[1],
        minibatch_stddev=surplus == 1,
        stddev_group=GROUP,
        **width_options(4 * 2**scales, widths, weights.title),
    )
    names = {"blocks.0.convolutions.0": "groupScaleZero.0", "dense": "groupScaleZero.1", "score": "decisionLayer"}
    names |= {f"from_rgb.{stage}": f"fromRGBLayers.{stage}" for stage in range(scales + 1)}
    state = _scaled(weights, discriminator, names | _blocks(scales), scaled)
    weights.refuse_left()
    if not isinstance(discriminator.stddev, nn.Identity):
        # Theirs divides by one image less than there are.
        state["blocks.0.convolutions.0.weight"][:, -1] *= math.sqrt(GROUP / (GROUP - 1))
        state["stddev.running"] = torch.zeros(())
    fill(discriminator, state, weights.title)
    report.renamed += len(state)
    return discriminator

"""R3GAN of its authors' program (brownvc/R3GAN): pickles of whole networks, whose sizes are in the shapes alone."""

import re
from typing import Any

import torch

from gan_hub.foreign.read import ForeignObject
from gan_hub.foreign.report import Converted, Report
from gan_hub.foreign.sizes import width_options
from gan_hub.foreign.weights import Weights, attribute, fill, is_module, tensors_of
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.modeling import GANModel
from gan_hub.models.r3gan import R3GANDiscriminator, R3GANGenerator, SmoothResample

ROLES = ("G_ema", "G")
MARK = "Model.MainLayers.0.Layers.0.Basis"  # of their generator alone
PARTS = {
    "expand.weight": "LinearLayer1.Layer.weight",
    "expand.bias": "NonLinearity1.Bias",
    "mix.weight": "LinearLayer2.Layer.weight",
    "mix.bias": "NonLinearity2.Bias",
    "reduce.weight": "LinearLayer3.Layer.weight",
}


def find_generator(content: Any) -> tuple[str, ForeignObject] | None:
    """(role, network) of the generator in a file; None for a file of another program."""
    named = content if isinstance(content, dict) else {"G_ema": content}
    for role in ROLES:
        network = named.get(role)
        if isinstance(network, ForeignObject) and is_module(network) and MARK in tensors_of(network):
            return role, network
    return None


def convert(content: Any) -> Converted:
    """Build the networks of a file.

    Args:
        content: what `read_foreign` gave.

    Returns: the averaged generator, or the other where there is none, and the discriminator.

    Raises:
        LoadError: for a generator with parts that R3GAN here has not. A discriminator with such is left out.
    """
    pair = find_generator(content)
    assert pair is not None, "the caller recognised the file"
    role, network = pair
    report = Report(f"R3GAN of its authors' program ({role})")
    generator = _generator(Weights(tensors_of(network), role), report)
    config = generator.config
    report.recognized += f", {config['resolution']} × {config['resolution']}, {config['num_classes'] or 'no'} classes"
    if _has_bfloat16(network):
        report.lost.append("bfloat16 in some stages: here they compute in float32, which moves pixels by some 0.02")
    others = content if isinstance(content, dict) else {}
    report.ignored += [f"{name}, which is no part of the model" for name in others if name not in (role, "D")]
    discriminator = None
    if is_module(others.get("D")):
        try:
            discriminator = _discriminator(Weights(tensors_of(others["D"]), "D"), report)
        except (LoadError, ValueError) as error:
            report.lost.append(f"the discriminator, which is left out ({error})")
    return Converted(report, generator, discriminator, seeds_like="numpy")


def _generator(weights: Weights, report: Report) -> R3GANGenerator:
    stages = _stages(weights, first_block=1)
    classes, embedding = _classes(weights)
    latent = weights.shape("Model.MainLayers.0.Layers.0.LinearLayer.weight")[1] - embedding
    generator = R3GANGenerator(
        channels=weights.shape("Model.AggregationLayer.Layer.weight")[0],
        latent_size=latent,
        num_classes=classes,
        embedding_size=embedding or 64,
        tanh=False,
        **_options(weights, stages, 1),
    )
    _fill(generator, {name: _name_in_generator(name) for name in generator.state_dict()}, weights, report)
    return generator


def _discriminator(weights: Weights, report: Report) -> R3GANDiscriminator:
    stages = _stages(weights, first_block=0)
    classes, embedding = _classes(weights)
    discriminator = R3GANDiscriminator(
        channels=weights.shape("Model.ExtractionLayer.Layer.weight")[1],
        num_classes=classes,
        embedding_size=embedding or 64,
        **_options(weights, stages, 0),
    )
    blocks, last = discriminator.config["blocks"], len(stages) - 1
    names = {name: _name_in_discriminator(name, blocks, last) for name in discriminator.state_dict()}
    _fill(discriminator, names, weights, report)
    return discriminator


def _stages(weights: Weights, first_block: int) -> list[tuple[int, int]]:
    """(feature maps, blocks) of each stage, in the file's order; a generator's first block comes after another layer."""
    stages = []
    while f"Model.MainLayers.{len(stages)}.Layers.{first_block}.LinearLayer1.Layer.weight" in weights:
        start = f"Model.MainLayers.{len(stages)}.Layers"
        width = weights.shape(f"{start}.{first_block}.LinearLayer1.Layer.weight")[1]
        blocks = sum(
            re.fullmatch(rf"{start}\.\d+\.LinearLayer1\.Layer\.weight", name) is not None for name in weights.tensors
        )
        stages.append((width, blocks))
    return stages


def _options(weights: Weights, stages: list[tuple[int, int]], first_block: int) -> dict[str, int]:
    """The sizes that both networks have in our config."""
    blocks = {count for _, count in stages}
    if len(blocks) != 1 or len(stages) < 2:
        raise LoadError(f"{weights.title}: it has {sorted(blocks)} blocks a stage; allowed: equally many in each.")
    widths = [width for width, _ in stages]
    widths = widths if first_block else widths[::-1]  # coarse to fine
    resolution = 4 * 2 ** (len(stages) - 1)
    wide, group, *_ = weights.shape(f"Model.MainLayers.0.Layers.{first_block}.LinearLayer2.Layer.weight")
    sizes = {"resolution": resolution, "blocks": blocks.pop(), "group_size": group, "expansion": wide // stages[0][0]}
    options = width_options(resolution, widths, weights.title)
    return sizes | {"base_channels": options["base_channels"], "max_channels": options["max_channels"]}


def _classes(weights: Weights) -> tuple[int, int]:
    """(classes, size of a class's embedding), both 0 in a network without classes."""
    if "Model.EmbeddingLayer.weight" not in weights:
        return 0, 0
    embedding, classes = weights.shape("Model.EmbeddingLayer.weight")
    return classes, embedding


def _name_in_generator(name: str) -> str:
    """Their tensor for ours. A stage of theirs begins with the step up to it, the first with the basis instead."""
    whole = {
        "layers.basis": MARK,
        "layers.project.weight": "Model.MainLayers.0.Layers.0.LinearLayer.weight",
        "layers.to_image.weight": "Model.AggregationLayer.Layer.weight",
        "layers.embed.weight": "Model.EmbeddingLayer.weight",
    }
    if name in whole:
        return whole[name]
    _, kind, stage, rest = name.split(".", 3)
    if kind == "ups":
        return f"Model.MainLayers.{int(stage) + 1}.Layers.0.LinearLayer.Layer.weight"
    block, _, part = rest.partition(".")
    return f"Model.MainLayers.{stage}.Layers.{int(block) + 1}.{PARTS[part]}"


def _name_in_discriminator(name: str, blocks: int, last: int) -> str:
    """Their tensor for ours. A stage of theirs ends with the step down from it, the `last` with the basis instead."""
    whole = {
        "layers.from_image.weight": "Model.ExtractionLayer.Layer.weight",
        "layers.basis.weight": f"Model.MainLayers.{last}.Layers.{blocks}.Basis.weight",
        "layers.score.weight": f"Model.MainLayers.{last}.Layers.{blocks}.LinearLayer.weight",
        "layers.embed.weight": "Model.EmbeddingLayer.weight",
    }
    if name in whole:
        return whole[name]
    _, kind, stage, rest = name.split(".", 3)
    if kind == "downs":
        return f"Model.MainLayers.{stage}.Layers.{blocks}.LinearLayer.Layer.weight"
    block, _, part = rest.partition(".")
    return f"Model.MainLayers.{stage}.Layers.{block}.{PARTS[part]}"


def _fill(network: GANModel, names: dict[str, str], weights: Weights, report: Report) -> None:
    """Load the weights; their filters must be ours, and nothing may be left."""
    state = {name: weights.take(foreign) for name, foreign in names.items()}
    if "layers.embed.weight" in state:  # theirs is a linear map of the one-hot label, (E, K); ours has one row a class
        state["layers.embed.weight"] = state["layers.embed.weight"].t()
    expected = SmoothResample().kernel
    kernels = [name for name in weights.left if name.endswith(".Resampler.Kernel")]
    for name in kernels:
        kernel = weights.take(name)
        if kernel.shape != expected.shape or not torch.allclose(kernel, expected, atol=1e-6):
            raise LoadError(
                f"{weights.title}: it resamples by a filter of its own ({name}); allowed: that of [1, 2, 1]."
            )
    weights.refuse_left()
    fill(network, state, weights.title)
    report.renamed += len(names)
    if kernels:
        report.ignored.append(f"{len(kernels)} filters of {weights.title}, which are the ones that R3GAN has here")


def _has_bfloat16(network: ForeignObject) -> bool:
    """Whether a stage computes in bfloat16, which stands in an attribute of it."""
    stages = (attribute(network, f"Model.MainLayers.{stage}.DataType") for stage in range(9))
    return any(isinstance(dtype, ForeignObject) and dtype.path == "torch.bfloat16" for dtype in stages)

"""FastGAN: state dicts of odegeasslbc/FastGAN-pytorch, and pickles of autonomousvision/projected-gan.

Names and layout are those that the files have; sizes are read from the shapes. The second program's network differs in its
blocks (all of two convolutions, or of one), has classes, and brings latents to the sphere.
"""

import re
from typing import Any, NamedTuple

import torch

from gan_hub.foreign.read import ForeignObject
from gan_hub.foreign.report import Answers, Converted, Report
from gan_hub.foreign.weights import Weights, attribute, fill, is_module, plain_names, tensors_of, without_spectral_norm
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.fastgan import FastGANGenerator, generator_widths

MARK = "init.init.0.weight_orig"  # of their generators alone: a transposed convolution with spectral norm
OBJECT = "synthesis."
SIZES = (128, 256, 512, 1024)
PLATEAU = 32  # pixels a side, where there are as many feature maps as at twice the side
BOUNDED_FROM = 1024  # pixels a side, from which on the first program's images pass through tanh
ASKS = ("output",)


class Found(NamedTuple):
    """A generator in a file: its role, tensors, image size and program."""

    role: str
    tensors: dict[str, torch.Tensor]
    resolution: int | None  # None where the file does not say it
    is_projected: bool


def find_generator(content: Any) -> Found | None:
    """The generator in a file, the averaged one where there are several; None for a file of another program."""
    named = content if isinstance(content, dict) else {"G_ema": content}
    for role in ("G_ema", "G"):
        network = named.get(role)
        if isinstance(network, ForeignObject) and is_module(network) and OBJECT + MARK in tensors_of(network):
            tensors = {name.removeprefix(OBJECT): tensor for name, tensor in tensors_of(network).items()}
            return Found(role, tensors, attribute(network, "img_resolution"), is_projected=True)
    for role, state in (("g", named.get("g")), ("file", named)):
        tensors = plain_names(state) if isinstance(state, dict) else {}
        if MARK in tensors:
            averages = named.get("g_ema")
            if role == "g" and isinstance(averages, list):
                return Found("g_ema", _averaged(tensors, averages), None, is_projected=False)
            return Found(role, tensors, None, is_projected=False)
    return None


def _averaged(tensors: dict[str, torch.Tensor], averages: list[Any]) -> dict[str, torch.Tensor]:
    """The tensors with the averages of their parameters, which the file lists without names."""
    parts = ("_u", "_v", "running_mean", "running_var", "num_batches_tracked")
    names = [name for name in tensors if not name.endswith(parts)]
    shapes = [getattr(average, "shape", None) for average in averages]
    if [tensors[name].shape for name in names] != shapes:
        raise LoadError("g_ema: its averages are not those of its generator.")
    return tensors | dict(zip(names, averages, strict=True))


def convert(content: Any, answers: Answers) -> Converted:
    """Build the generator of a file.

    Args:
        content: what `read_foreign` gave.
        answers: `output`, where it is not what the program has at that size.

    Returns: the generator, the averaged one where there is one.

    Raises:
        LoadError: for parts or sizes that FastGAN here has not.
    """
    source = find_generator(content)
    assert source is not None, "the caller recognised the file"
    program = "autonomousvision/projected-gan" if source.is_projected else "odegeasslbc/FastGAN-pytorch"
    report = Report(f"FastGAN of {program} ({source.role})")
    tensors, norms = without_spectral_norm(source.tensors, lambda name: name == "init.init.0.weight")
    report.folded.append(f"the spectral norms of {norms} layers into their weights")
    generator = _generator(Weights(tensors, source.role), source, answers, report)
    config = generator.config
    report.recognized += f", {config['resolution']} × {config['resolution']}, {config['num_classes'] or 'no'} classes"
    report.recognized += f", output {config['output']}"
    if config["noise"] == "random":
        report.lost.append(
            "the noise that its program draws afresh for each image: a seed is one picture here, without"
        )
    if isinstance(content, dict) and source.role != "file":
        others = [name for name in content if name not in (source.role, "g", "G") and content[name] is not None]
        report.ignored += [f"{name}, which is no part of the generator" for name in others]
    return Converted(report, generator, seeds_like="numpy" if source.is_projected else "torch")


def _generator(weights: Weights, source: Found, answers: Answers, report: Report) -> FastGANGenerator:
    resolution = source.resolution or _finest(weights)
    if resolution not in SIZES:
        raise LoadError(f"{weights.title}: its resolution is {resolution}; allowed: {', '.join(map(str, SIZES))}.")
    sides = [8 * 2**stage for stage in range((resolution // 8).bit_length())]
    excited = [side for side in sides if f"se_{side}.main.1.weight" in weights]
    layers = [_layers(weights, f"feat_{side}") for side in sides]
    generator = _built(weights, resolution, layers, len(excited), source, answers)
    embedding = weights.take("embed.weight") if generator.config["num_classes"] else None
    state = {"project.weight": weights.take("init.init.0.weight").flatten(1).t()}
    state |= _norm(weights, "norm", "init.init.1", embedding)
    for stage, block in enumerate(layers):
        for number, (convolution, norm, noise) in enumerate(block):
            name = f"blocks.{stage}.{number}"
            state[f"{name}.convolution.weight"] = weights.take(f"{convolution}.weight")
            state |= _norm(weights, f"{name}.norm", norm, embedding)
            if noise:
                state[f"{name}.noise_strength"] = weights.take(f"{noise}.weight").reshape(())
    for number, side in enumerate(excited):
        state[f"excitations.{number}.squeeze.weight"] = weights.take(f"se_{side}.main.1.weight")
        state[f"excitations.{number}.excite.weight"] = weights.take(f"se_{side}.main.3.weight")
    state["to_image.weight"] = weights.take("to_big.weight")
    has_bias = "to_big.bias" in weights
    state["to_image.bias"] = weights.take("to_big.bias") if has_bias else torch.zeros(generator.config["channels"])
    _ignore_unused(weights, resolution, report)
    weights.refuse_left()
    fill(generator, state, weights.title)
    report.renamed += len(state)
    return generator


def _finest(weights: Weights) -> int:
    """The side of the finest block."""
    sides = [re.match(r"feat_(\d+)\.", name) for name in weights.tensors]
    return max((int(side[1]) for side in sides if side), default=0)


def _layers(weights: Weights, block: str) -> list[tuple[str, str, str]]:
    """Where the convolution, the norm and the noise of each layer of a block are; "" for no noise."""
    if f"{block}.conv.weight" in weights:
        return [(f"{block}.conv", f"{block}.bn", "")]
    if f"{block}.conv1.weight" in weights:  # whose two layers have one strength of noise
        return [(f"{block}.conv{number}", f"{block}.bn{number}", f"{block}.noise") for number in (1, 2)]
    if f"{block}.5.weight" in weights:
        return [(f"{block}.{first}", f"{block}.{first + 2}", f"{block}.{first + 1}") for first in (1, 5)]
    return [(f"{block}.1", f"{block}.2", "")]


def _built(
    weights: Weights,
    resolution: int,
    layers: list[list[tuple[str, str, str]]],
    excitations: int,
    source: Found,
    answers: Answers,
) -> FastGANGenerator:
    counts = [len(block) for block in layers]
    patterns = {"alternating": [2 - stage % 2 for stage in range(len(counts))], "two": [2] * len(counts)}
    pattern = next((name for name, pattern in patterns.items() if pattern == counts), "one")
    if pattern == "one" and set(counts) != {1}:
        raise LoadError(
            f"{weights.title}: its blocks have {counts} convolutions; allowed: 2 and 1 in turn, or all the same."
        )
    widths = [weights.shape("init.init.1.weight")[0] // 2]
    widths += [weights.shape(f"{block[-1][0]}.weight")[0] // 2 for block in layers]
    base, most = widths[-1], max(widths)
    if generator_widths(resolution, base, most, PLATEAU) != widths:
        raise LoadError(
            f"{weights.title}: its feature maps are {widths} from coarse to fine; allowed: halved from step to step, but equal "
            "at 32 and 64 pixels."
        )
    unbounded = source.is_projected or resolution < BOUNDED_FROM
    return FastGANGenerator(
        resolution=resolution,
        channels=weights.shape("to_big.weight")[0],
        latent_size=weights.shape("init.init.0.weight")[0],
        num_classes=weights.shape("embed.weight")[0] if "embed.weight" in weights else 0,
        base_channels=base,
        max_channels=most,
        noise="none" if pattern == "one" else "random",
        plateau=PLATEAU,
        block_layers=pattern,
        most_excitations=excitations,
        excitation_activation="swish",
        normalize_latent=source.is_projected,
        output=answers.output or ("none" if unbounded else "tanh"),
    )


def _norm(weights: Weights, name: str, place: str, embedding: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """Our tensors for a batch norm; a class has the scale and shift that its embedding is mapped to."""
    if f"{place}.stored_mean" in weights and embedding is not None:
        scale, shift = (
            embedding @ weights.take(f"{place}.{part}.weight").t() + weights.take(f"{place}.{part}.bias")
            for part in ("gain", "bias")
        )
        scale, mean, variance = 1 + scale, weights.take(f"{place}.stored_mean"), weights.take(f"{place}.stored_var")
    else:
        rows = 1 if embedding is None else len(embedding)
        scale, shift = (weights.take(f"{place}.{part}").expand(rows, -1) for part in ("weight", "bias"))
        mean, variance = weights.take(f"{place}.running_mean"), weights.take(f"{place}.running_var")
        weights.ignore(re.escape(f"{place}.num_batches_tracked"))
    return {
        f"{name}.scale": scale.contiguous(),
        f"{name}.shift": shift.contiguous(),
        f"{name}.normalise.running_mean": mean,
        f"{name}.normalise.running_var": variance,
        f"{name}.normalise.num_batches_tracked": torch.tensor(0),
    }


def _ignore_unused(weights: Weights, resolution: int, report: Report) -> None:
    """Use up what plays no part in the image: the small image of training, and blocks finer than the resolution."""
    if weights.ignore(r"to_128\..*"):
        report.ignored.append("to_128, which makes the small images of training")
    finer = [
        name for name in weights.left if (side := re.match(r"(?:feat|se)_(\d+)\.", name)) and int(side[1]) > resolution
    ]
    if sum(weights.ignore(re.escape(name)) for name in finer):
        report.ignored.append(f"blocks finer than {resolution} pixels, which its program has and does not use")

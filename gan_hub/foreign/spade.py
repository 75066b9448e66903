"""SPADE of its authors' program (NVlabs/SPADE): state dicts, a file for each network.

Two of its three generators have the same tensors, and none says the size of its images or what the last plane of its maps is:
these are asked for (`Answers`).
"""

import os
import re
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from gan_hub.foreign.report import Answers, Converted, Report
from gan_hub.foreign.weights import Weights, fill, plain_names
from gan_hub.images import height_width
from gan_hub.messages import short_repr
from gan_hub.model_folder.segmentations import MAX_EXAMPLES, as_maps
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.spade import SPADEDiscriminator, SPADEGenerator

MARK = "G_middle_0.conv_0.bias"  # of their generator alone
DOUBLINGS = {"normal": 5, "more": 6, "most": 7}
QUESTIONS = {
    "upsampling_layers": "upsampling_layers= (normal, more or most)",
    "resolution": "resolution= (of its images, as 256 or 256x512, height first)",
    "instance_edges": "instance_edges= (whether the last plane of its maps is the edges of objects)",
}
ASKS = (*QUESTIONS, "discriminator", "maps")
EXAMPLES, REGIONS = 8, 6  # maps to draw samples from, and regions of each
MAP_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")  # of pictures that keep numbers as they are
DONT_CARE = 255  # in maps of their data sets: the program takes it for its last class
SAME = ("weight", "bias")
STATISTICS = ("running_mean", "running_var")


def find_generator(content: Any) -> dict[str, torch.Tensor] | None:
    """The tensors of a generator; None for a file of another program."""
    tensors = plain_names(content) if isinstance(content, dict) else {}
    return tensors if MARK in tensors else None


def convert(content: Any, answers: Answers) -> Converted:
    """Build the generator of a file, and the discriminator of another one.

    Args:
        content: what `read_foreign` gave.
        answers: `upsampling_layers`, `resolution` and `instance_edges`; `discriminator` and `maps`, where they are to be
            taken.

    Returns: the generator, the discriminator where it was given, and maps that samples are drawn from.

    Raises:
        LoadError: for parts or sizes that SPADE here has not.
        ValueError: for an answer that is missing.
    """
    tensors = find_generator(content)
    assert tensors is not None, "the caller recognised the file"
    answered = answers.answered()
    missing = [question for name, question in QUESTIONS.items() if name not in answered]
    if missing:
        raise ValueError(
            f"its file does not say {', '.join(missing)}: look them up in the opt.txt beside it, as wrong ones draw other "
            "pictures without a word."
        )
    report = Report(f"SPADE of NVlabs/SPADE ({answers.upsampling_layers})")
    generator = _generator(Weights(tensors, "generator"), answers, report)
    config = generator.config
    height, width = height_width(config["resolution"])
    report.recognized += f", {width} × {height}, maps of {config['semantic_classes']} classes"
    discriminator = None
    if answers.discriminator is not None:
        judging = plain_names(answers.discriminator) if isinstance(answers.discriminator, dict) else {}
        discriminator = _discriminator(Weights(judging, "discriminator"), config, report)
    if config["start"] == "latent":
        report.lost.append("the encoder of styles, which is another file: z is drawn at random")
    if config["instance_edges"]:
        report.lost.append("edges between objects of one class that touch: here they are those between classes")
    if answers.maps is None:
        report.folded.append(
            f"examples of maps: the file has none, and {EXAMPLES} of {REGIONS} regions each were made up"
        )
        examples = _examples(height, width, config["semantic_classes"])
    else:
        examples = _given_maps(answers.maps, (height, width), config["semantic_classes"])
        report.folded.append(f"examples of maps: the {len(examples)} that were given")
    return Converted(report, generator, discriminator, segmentations=examples)


def _resolution(answer: str | None) -> int | list[int]:
    """A size in the user's words as our config has it; raises ValueError for others."""
    sides = re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", str(answer))
    if sides is None:
        raise ValueError(
            f"resolution={short_repr(answer)} is not allowed; it is a side, or height and width as in 256x512."
        )
    height, width = int(sides[1]), int(sides[2] or sides[1])
    return height if height == width else [height, width]


# ------------------------------------------------------------------------------------------- generator


def _blocks(kind: str) -> dict[str, str]:
    """Our blocks → theirs, coarse to fine."""
    middle = ["1.0", "1.1"] if kind == "normal" else ["1.0", "2.0"]
    first_up = int(middle[-1].split(".")[0]) + 1
    ups = {f"{first_up + number}.0": f"up_{number}" for number in range(5 if kind == "most" else 4)}
    return {"0.0": "head_0", middle[0]: "G_middle_0", middle[1]: "G_middle_1", **ups}


def _generator(weights: Weights, answers: Answers, report: Report) -> SPADEGenerator:
    kind, resolution = str(answers.upsampling_layers), _resolution(answers.resolution)
    if kind not in DOUBLINGS:
        raise ValueError(f"upsampling_layers={short_repr(kind)} is not allowed; it is {', '.join(DOUBLINGS)}.")
    if (kind == "most") != ("up_4.conv_0.bias" in weights):
        raise LoadError(
            f"{weights.title}: it has {4 + ('up_4.conv_0.bias' in weights)} blocks after the middle, unlike {kind!r}."
        )
    start, uneven = divmod(min(height_width(resolution)), 2 ** DOUBLINGS[kind])
    if uneven or not start:
        raise LoadError(
            f"{weights.title}: {resolution} is not allowed with {kind!r}, which doubles {DOUBLINGS[kind]} times."
        )
    if "head_0.conv_0.weight_orig" not in weights:
        raise LoadError(f"{weights.title}: its convolutions have no spectral norm, which they have here.")
    hidden, planes, kernel, _ = weights.shape("head_0.norm_0.mlp_shared.0.weight")
    if kernel != 3:
        raise LoadError(f"{weights.title}: its norms have kernels of {kernel} × {kernel}; allowed: 3 × 3.")
    is_linear = len(weights.shape("fc.weight")) == 2
    generator = SPADEGenerator(
        resolution=resolution,
        channels=weights.shape("conv_img.weight")[0],
        latent_size=weights.shape("fc.weight")[1] if is_linear else 1,
        semantic_classes=planes - bool(answers.instance_edges),
        base_channels=weights.shape("conv_img.weight")[1],
        max_channels=weights.shape("head_0.conv_1.bias")[0],
        hidden_channels=hidden,
        start="latent" if is_linear else "map",
        norm="batch" if "head_0.norm_0.param_free_norm.running_mean" in weights else "instance",
        start_side=start,
        middle="together" if kind == "normal" else "apart",
        instance_edges=bool(answers.instance_edges),
    )
    state = {f"layers.start.{part}": weights.take(f"fc.{part}") for part in SAME}
    state |= {f"layers.to_image.{part}": weights.take(f"conv_img.{part}") for part in SAME}
    for name, place in _blocks(kind).items():
        state |= _block(weights, f"layers.stages.{name}", place, generator.config["norm"] == "batch")
    weights.ignore(r".*\.num_batches_tracked")
    weights.refuse_left()
    fill(generator, state, weights.title)
    report.renamed += len(state)
    report.folded.append("the bias of each block's first convolution into the mean of the norm after it")
    return generator


def _block(weights: Weights, name: str, place: str, has_statistics: bool) -> dict[str, torch.Tensor]:
    """Our tensors for a residual block."""
    layers = {"first": "0", "second": "1"} | ({"shortcut": "s"} if f"{place}.conv_s.weight_orig" in weights else {})
    state = {f"{name}.second.bias": weights.take(f"{place}.conv_1.bias")}
    for layer, number in layers.items():
        state |= _spectral(weights, f"{name}.{layer}", f"{place}.conv_{number}")
        for part, source in (("shared", "mlp_shared.0"), ("scale", "mlp_gamma"), ("shift", "mlp_beta")):
            for each in SAME:
                state[f"{name}.{layer}_norm.{part}.{each}"] = weights.take(f"{place}.norm_{number}.{source}.{each}")
        if has_statistics:
            statistics = f"{name}.{layer}_norm.normalise"
            for each in STATISTICS:
                state[f"{statistics}.{each}"] = weights.take(f"{place}.norm_{number}.param_free_norm.{each}")
            state[f"{statistics}.num_batches_tracked"] = torch.tensor(0)
    bias = weights.take(f"{place}.conv_0.bias")  # which the norm after it takes away again
    if has_statistics:
        state[f"{name}.second_norm.normalise.running_mean"] = state[f"{name}.second_norm.normalise.running_mean"] - bias
    return state


def _spectral(weights: Weights, name: str, place: str) -> dict[str, torch.Tensor]:
    """Our tensors for a weight with spectral norm; its other vector follows from these."""
    weights.ignore(re.escape(f"{place}.weight_u"))
    kept = f"{name}.parametrizations.weight"
    return {f"{kept}.original": weights.take(f"{place}.weight_orig"), f"{kept}.0.v": weights.take(f"{place}.weight_v")}


# ------------------------------------------------------------------------------------------- discriminator


def _discriminator(weights: Weights, config: Any, report: Report) -> SPADEDiscriminator:
    if "discriminator_0.model0.0.weight" not in weights:
        raise LoadError("the discriminator's file has none of this program.")
    scales = sum(re.fullmatch(r"discriminator_\d+\.model0\.0\.weight", name) is not None for name in weights.tensors)
    layers = (
        sum(re.fullmatch(r"discriminator_0\.model\d+\.0\.0\.weight_orig", name) is not None for name in weights.tensors)
        + 1
    )
    edges = config["instance_edges"]
    planes = weights.shape("discriminator_0.model0.0.weight")[1]
    if planes != config["semantic_classes"] + edges + config["channels"]:
        raise LoadError(
            f"the discriminator sees {planes} planes, which are not those of the generator's maps and images."
        )
    discriminator = SPADEDiscriminator(
        resolution=config["resolution"],
        channels=config["channels"],
        semantic_classes=config["semantic_classes"],
        base_channels=weights.shape("discriminator_0.model0.0.bias")[0],
        layers=layers,
        scales=scales,
        instance_edges=edges,
    )
    state: dict[str, torch.Tensor] = {}
    for scale in range(scales):
        for part in SAME:
            state[f"judges.{scale}.layers.0.0.{part}"] = weights.take(f"discriminator_{scale}.model0.0.{part}")
            state[f"judges.{scale}.score.{part}"] = weights.take(f"discriminator_{scale}.model{layers}.0.{part}")
        for layer in range(1, layers):
            state |= _spectral(weights, f"judges.{scale}.layers.{layer}.0", f"discriminator_{scale}.model{layer}.0.0")
    weights.refuse_left()
    fill(discriminator, state, weights.title)
    report.renamed += len(state)
    return discriminator


# ------------------------------------------------------------------------------------------- maps


def _given_maps(folder: str | os.PathLike[str], size: tuple[int, int], classes: int) -> torch.Tensor:
    """The maps (M, H, W) of a folder's pictures, in the order of their names."""
    place = Path(folder).expanduser()
    files = sorted(place.iterdir()) if place.is_dir() else []
    files = [file for file in files if file.suffix.lower() in MAP_SUFFIXES]
    if not 1 <= len(files) <= MAX_EXAMPLES:
        raise ValueError(
            f"maps={short_repr(os.fspath(folder), 200)} has {len(files)} pictures; give a folder with 1 to {MAX_EXAMPLES} maps, "
            f"whose numbers are classes ({', '.join(MAP_SUFFIXES)})."
        )
    maps = []
    for file in files:
        try:
            with Image.open(file) as image:
                numbers = image.point(
                    [min(value, classes - 1) if value == DONT_CARE else value for value in range(256)]
                )
            maps.append(as_maps(numbers, 1, size, classes)[0])
        except (OSError, ValueError) as error:
            raise ValueError(f"{file}: no map of this model ({str(error).rstrip('.')}).") from error
    return torch.stack(maps)


def _examples(height: int, width: int, classes: int) -> torch.Tensor:
    """Maps (M, H, W) of regions around points, each of one class, the same in every conversion."""
    random = torch.Generator("cpu").manual_seed(0)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    maps = []
    for _ in range(EXAMPLES):
        points = torch.rand(REGIONS, 2, generator=random) * torch.tensor([height, width])
        kinds = torch.randint(classes, (REGIONS,), generator=random)
        distances = torch.stack(
            [(rows - row).square() + (columns - column).square() for row, column in points.tolist()]
        )
        maps.append(kinds[distances.argmin(0)])
    return torch.stack(maps)

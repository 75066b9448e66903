"""Plain generators whose layers the user declares: their tensors are taken in the order of the file, or by name."""

import math
from typing import Any

import torch

from gan_hub.foreign.chains import find_state, natural
from gan_hub.foreign.dcgan import HOLDERS
from gan_hub.foreign.report import Answers, Converted, Report
from gan_hub.foreign.weights import fill, without_spectral_norm
from gan_hub.images import height_width
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.ops.layer_list import fault_of_words, shapes_of
from gan_hub.models.sequential import SequentialGenerator

ASKS = ("layers", "latents")
QUESTION = "latents= (normal, or uniform from −1 to 1)"
NAME = "name"  # of a layer's tensors in the file, which its list may say


def convert(content: Any, answers: Answers) -> Converted:
    """Build the generator of a file by a list of its layers.

    Args:
        content: what `read_foreign` gave.
        answers: `layers`, as `models.ops.layer_list` has them, each of which may say the `name` of its tensors in the file; and
            `latents`.

    Returns: the generator, without a discriminator.

    Raises:
        LoadError: for a file whose tensors are not those of the layers.
        ValueError: for a list that is not allowed, and where `latents` is missing.
    """
    if answers.latents is None:
        raise ValueError(f"neither its file nor the list says {QUESTION}.")
    layers, names = _without_names(answers.layers)
    fault = fault_of_words(layers)
    if fault:
        raise ValueError(f"layers= is not allowed: {fault}.")
    state = find_state(content, HOLDERS)
    if not state:
        raise LoadError("there is no network in it whose tensors could be taken")
    try:
        generator, made = _generator(layers, names, state)
    except ValueError:  # safetensors have an order of their own
        ordered = dict(sorted(state.items(), key=lambda pair: natural(pair[0])))
        if list(ordered) == list(state):
            raise
        generator, made = _generator(layers, names, ordered)
    height, width = height_width(generator.config["resolution"])
    report = Report(f"a generator of {len(layers)} declared layers, {width} × {height}", renamed=made)
    report.folded.append(f"what you said of it: its layers, and {answers.latents} latents")
    report.lost.append("its seeds: the latents of its program are those of a whole batch, here each seed has its own")
    return Converted(report, generator, seeds_like="uniform" if answers.latents == "uniform" else "torch")


def _without_names(layers: object) -> tuple[list[Any], list[str | None]]:
    """A list without the names of tensors, and these; raises ValueError for names that are no texts."""
    listed = layers if isinstance(layers, list) else []
    names = [layer.get(NAME) if isinstance(layer, dict) else None for layer in listed]
    wrong = [name for name in names if name is not None and not isinstance(name, str)]
    if wrong:
        raise ValueError(f"layers= have the name {short_repr(wrong[0])}; it is the text before .weight in the file.")
    plain = [
        {key: v for key, v in layer.items() if key != NAME} if isinstance(layer, dict) else layer for layer in listed
    ]
    return plain, names


def _generator(
    layers: list[dict[str, Any]], names: list[str | None], state: dict[str, torch.Tensor]
) -> tuple[SequentialGenerator, int]:
    """The filled generator, and how many tensors it took."""
    places: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in state.items():
        place, _, part = name.rpartition(".")
        places.setdefault(place, {})[part] = tensor
    latent_size = _latent_size(layers[0], names[0], places)
    shapes = shapes_of(layers, latent_size)
    if len(shapes[-1]) != 3:
        raise ValueError("layers= end with numbers; an image has channels, height and width.")
    channels, height, width = shapes[-1]
    generator = SequentialGenerator(
        resolution=height if height == width else [height, width],
        channels=channels,
        latent_size=latent_size,
        layers=layers,
    )
    free = [place for place in places if place not in names]  # taken in their order
    made: dict[str, torch.Tensor] = {}
    for number, (layer, name, module) in enumerate(zip(layers, names, generator.stack, strict=True)):
        wanted = module.state_dict()
        if not wanted:
            continue
        place = name if name is not None else free.pop(0) if free else None
        if place not in places:
            raise LoadError(
                f"layer {number} ({layer['kind']}): no tensors {'left' if name is None else f'of {name!r}'} in it"
            )
        parts = places.pop(place)
        parts, _ = without_spectral_norm(parts, lambda _, kind=layer["kind"]: kind == "conv_transpose")
        parts = {"num_batches_tracked": torch.tensor(0)} | parts if "num_batches_tracked" in wanted else parts
        _check(f"layer {number} ({layer['kind']}), {place!r}", wanted, parts)
        made |= {f"stack.{number}.{part}": parts[part] for part in wanted}
    if places:
        raise LoadError(f"{short_repr(next(iter(places)))} belongs to no layer of the list")
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in made.items()}
    fill(generator, floats, "its list")
    return generator, len(made)


def _latent_size(layer: dict[str, Any], name: str | None, places: dict[str, dict[str, torch.Tensor]]) -> int:
    """Z, which the first layer's weights or its shape say; raises ValueError for a first layer that says it not."""
    if layer["kind"] == "reshape":
        return math.prod(layer["to"])
    weight = next(iter(places.values()) if name is None else iter([places.get(name, {})])).get("weight")
    if layer["kind"] != "linear" or weight is None or weight.dim() != 2:
        raise ValueError(
            "layers= begin with a linear layer that is the file's first, or with a reshape of z to [Z, 1, 1]."
        )
    return weight.shape[1]


def _check(title: str, wanted: dict[str, torch.Tensor], parts: dict[str, torch.Tensor]) -> None:
    """Raise LoadError where a layer's tensors are not those of its place in the file."""
    for part in sorted(wanted.keys() ^ parts.keys()):
        raise LoadError(f"{title}: the {'list' if part in wanted else 'file'} has a {part}, and the other has none")
    for part, tensor in wanted.items():
        if parts[part].shape != tensor.shape:
            raise LoadError(f"{title}: its {part} is {list(parts[part].shape)}, and by the list {list(tensor.shape)}")

"""Alias-free StyleGAN3 of NVIDIA's program stylegan3 and of programs that write its files, configs T and R.

Names and sizes were read from files that the program writes; the arithmetic is compared in tests/foreign.
"""

import re
from typing import Any

import torch

from gan_hub.foreign.nvidia_stylegan2 import (
    build_networks,
    check_activations,
    check_mapping,
    checked_clamp,
    count,
)
from gan_hub.foreign.read import ForeignObject
from gan_hub.foreign.report import Converted, Report
from gan_hub.foreign.sizes import checked_resolution
from gan_hub.foreign.weights import Weights, attribute, fill, tensors_of
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.stylegan3 import (
    CRITICAL,
    MARGIN,
    OUTPUT_SCALE,
    StyleGAN3Generator,
    SynthesisLayer,
    signals,
)

ALLOWED = {"num_critical": CRITICAL, "margin_size": MARGIN, "output_scale": OUTPUT_SCALE}  # of the synthesis network


def is_stylegan3(generator: ForeignObject) -> bool:
    """Whether a network of NVIDIA's is an alias-free generator."""
    return "synthesis.input.freqs" in tensors_of(generator)


def convert(content: Any) -> Converted:
    """Build the networks of a file.

    Args:
        content: what `read_foreign` gave.

    Returns: the averaged generator, or the other where there is none, and the discriminator, which is StyleGAN2's.

    Raises:
        LoadError: for a generator with parts that StyleGAN3 here has not. A discriminator with such is left out.
    """
    converted = build_networks(content, "alias-free StyleGAN3", build_generator)
    config = converted.generator.config
    radial = config["radial_filters"]
    if radial == (config["conv_kernel"] == 1):
        converted.report.recognized += ", config R" if radial else ", config T"
    return converted


def build_generator(network: ForeignObject, title: str, report: Report) -> StyleGAN3Generator:
    """Build a generator.

    Args:
        network: NVIDIA's.
        title: what messages call it.
        report: is told what was done.

    Returns: ours, with its weights.

    Raises:
        LoadError: for parts that it cannot have here.
    """
    weights = Weights(tensors_of(network), title)
    if attribute(network, "head_layer_names") or "mapping.embed_proj.weight" in weights:
        raise LoadError(
            f"{title}: it is StyleGAN-XL's, which has more stages at its end, or sees classes through a classifier; allowed: "
            "the networks of stylegan3."
        )
    layers = _layer_names(network, title)
    mapping_layers = count(weights, r"mapping\.fc(\d+)\.weight")
    check_activations(network, "", title)
    check_mapping(network, mapping_layers, title)
    shapes = [_kernel_shape(weights, f"synthesis.{layer}.weight") for layer in layers]
    widths, first = [shape[0] for shape in shapes], f"synthesis.{layers[0]}"
    generator = StyleGAN3Generator(
        resolution=checked_resolution(attribute(network, "img_resolution"), title),
        channels=widths[-1],
        latent_size=attribute(network, "z_dim"),
        num_classes=attribute(network, "c_dim"),
        w_size=attribute(network, "w_dim"),
        base_channels=widths[-2],
        max_channels=max(widths[:-1]),
        mapping_layers=mapping_layers,
        synthesis_layers=len(layers) - 1,
        conv_kernel=shapes[0][3],
        radial_filters=len(weights.shape(f"{first}.down_filter")) == 2,
        conv_clamp=checked_clamp(attribute(network, f"{first}.conv_clamp"), title),
    )
    _check_signals(network, layers, generator, title)
    _check_filters(weights, layers, generator, report)
    names = generator_names(generator, layers)
    fill(generator, {name: weights.take(foreign) for name, foreign in names.items()}, title)
    weights.refuse_left()
    report.renamed += len(names)
    if not torch.equal(generator.input.transform, torch.eye(3)):
        report.folded.append("a shift or turn of all its images, which the file asks for; `generator.move()` undoes it")
    if any(attribute(network, f"synthesis.{layer}.use_fp16") for layer in layers):
        report.lost.append(
            "float16 in the finest layers: here they compute in float32, which moves pixels by some 0.01"
        )
    return generator


def generator_names(generator: StyleGAN3Generator, layers: list[str]) -> dict[str, str]:
    """Our tensor → theirs, whose layers are called by number, size and feature maps, and whose w_avg lies in their mapping."""
    names = {}
    for name in generator.state_dict():
        part, _, rest = name.partition(".")
        if name == "w_avg":
            names[name] = "mapping.w_avg"
        elif part == "layers":
            number, _, tensor = rest.partition(".")
            names[name] = f"synthesis.{layers[int(number)]}.{tensor}"
        elif part == "input":
            names[name] = f"synthesis.{name}"
        else:
            names[name] = re.sub(r"mapping\.layers\.(\d+)", r"mapping.fc\1", name)
    return names


# ------------------------------------------------------------------------------------------- what it must be


def _layer_names(network: ForeignObject, title: str) -> list[str]:
    """The names of the synthesis layers in their order, from the module itself."""
    names = attribute(network, "synthesis.layer_names")
    if not isinstance(names, list) or len(names) < 3 or not all(isinstance(name, str) for name in names):
        raise LoadError(f"{title}: its layers are {short_repr(names)}; allowed: a list of their names, three or more.")
    return names


def _kernel_shape(weights: Weights, name: str) -> torch.Size:
    shape = weights.shape(name)
    if len(shape) != 4:
        raise LoadError(f"{weights.title}: {name} has the shape {list(shape)}; allowed: one of four numbers.")
    return shape


def _check_signals(network: ForeignObject, layers: list[str], generator: StyleGAN3Generator, title: str) -> None:
    """Refuse layers whose sizes, bounds or widths are not those that the config's few numbers give."""
    for name, allowed in ALLOWED.items():
        _check_number(attribute(network, f"synthesis.{name}"), allowed, f"{title}: its {name} is")
    config = generator.config
    sizes = ("resolution", "channels", "base_channels", "max_channels", "synthesis_layers")
    plan = signals(*(config[name] for name in sizes))
    for name, allowed in (("bandwidth", plan[0].cutoff), ("sampling_rate", plan[0].rate)):
        _check_number(attribute(network, f"synthesis.input.{name}"), allowed, f"{title}: its start has the {name}")
    for layer, signal in zip(layers, plan, strict=True):
        size = _plain(attribute(network, f"synthesis.{layer}.out_size"))
        if size != [signal.size] * 2:
            raise LoadError(f"{title}: {layer} has the size {short_repr(size)}; allowed: {[signal.size] * 2}.")
        width = attribute(network, f"synthesis.{layer}.out_channels")
        _check_number(width, signal.features, f"{title}: the number of feature maps of {layer} is")
        clamp = checked_clamp(attribute(network, f"synthesis.{layer}.conv_clamp"), title)
        _check_number(clamp, config["conv_clamp"], f"{title}: {layer} is bounded at")


def _check_number(value: object, allowed: float, words: str) -> None:
    if type(value) not in (int, float) or value != allowed:
        raise LoadError(f"{words} {short_repr(value)}; allowed: {allowed:g}.")


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, torch.Tensor) else value


def _check_filters(weights: Weights, layers: list[str], generator: StyleGAN3Generator, report: Report) -> None:
    """Refuse filters that are not ours to six digits, which are computed and so are in no file here."""
    checked = 0
    for layer, own in zip(layers, generator.layers, strict=True):
        if not isinstance(own, SynthesisLayer):  # the last one, which has none
            continue
        for name in ("up_filter", "down_filter"):
            taps, expected = weights.take(f"synthesis.{layer}.{name}"), getattr(own, name)
            if taps.shape != expected.shape or not torch.allclose(taps, expected, rtol=0, atol=1e-6):
                raise LoadError(
                    f"{weights.title}: {layer} has a {name} of its own ({list(taps.shape)}); allowed: the paper's filter for "
                    f"its cutoff ({list(expected.shape)})."
                )
            checked += 1
    report.ignored.append(f"{checked} filters of {weights.title}, which are those that the config gives")

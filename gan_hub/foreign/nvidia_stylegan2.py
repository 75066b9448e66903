"""StyleGAN2 of NVIDIA's programs for PyTorch: stylegan2-ada-pytorch, and the StyleGAN2 of stylegan3 and its descendants.

Names and sizes were read from files that those programs write; the arithmetic is compared in tests/foreign.
"""

import re
import typing
from collections.abc import Callable
from typing import Any

import torch

from gan_hub.foreign.read import ForeignObject
from gan_hub.foreign.report import Converted, Report
from gan_hub.foreign.sizes import checked_resolution, width_options
from gan_hub.foreign.weights import Weights, attribute, fill, is_module, tensors_of
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.layers import MinibatchStddev, stage_resolutions
from gan_hub.models.mixins import StyleBased
from gan_hub.models.modeling import GANModel
from gan_hub.models.stylegan2 import Filter, StyleGAN2Discriminator, StyleGAN2Generator, taps_of

ROLES = ("G_ema", "G", "D")
CALIBRATION_IMAGES = 128  # for the running deviation of a discriminator, in batches of one group
CALIBRATION_PIXELS = 2**22  # of all of them, where that is fewer images: four of 1024 × 1024 take half a minute
LRELU, MAPPING_LR = "lrelu", 0.01


def find_networks(content: Any) -> dict[str, ForeignObject]:
    """The networks of a file by role, "G_ema", "G" or "D"; none for a file of another program."""
    named = content if isinstance(content, dict) else {"G_ema": content}
    return {
        role: named[role] for role in ROLES if is_module(named.get(role)) and named[role].path.startswith("nvidia.")
    }


def is_stylegan2(generator: ForeignObject) -> bool:
    """Whether a network of NVIDIA's is a generator of StyleGAN2."""
    return "synthesis.b4.const" in tensors_of(generator)


def convert(content: Any) -> Converted:
    """Build the networks of a file.

    Args:
        content: what `read_foreign` gave.

    Returns: the averaged generator, or the other where there is none, and the discriminator.

    Raises:
        LoadError: for a generator with parts that StyleGAN2 here has not. A discriminator with such is left out.
    """
    return build_networks(content, "StyleGAN2", build_generator)


def build_networks(
    content: Any, architecture: str, build: Callable[[ForeignObject, str, Report], StyleBased]
) -> Converted:
    """Build the networks of a file of NVIDIA's programs, all of which have the same discriminator.

    Args:
        content: what `read_foreign` gave.
        architecture: of the generator, for the report.
        build: makes the generator of the foreign one, of what messages call it, and of the report, which it tells what it did.

    Returns: the averaged generator, or the other where there is none, and the discriminator.
    """
    networks = find_networks(content)
    role = "G_ema" if "G_ema" in networks else "G"
    report = Report(f"{architecture} of NVIDIA's programs ({role})")
    generator = build(networks[role], role, report)
    config = generator.config
    report.recognized += f", {config['resolution']} × {config['resolution']}, {config['num_classes'] or 'no'} classes"
    if config["conv_clamp"]:
        report.recognized += f", convolutions bounded at {config['conv_clamp']}"
    others = content if isinstance(content, dict) else {}
    report.ignored += [
        f"{name}, which is no part of the model"
        for name in others
        if name not in (role, "D") and others[name] is not None
    ]
    discriminator = None
    if "D" in networks:
        try:
            discriminator = build_discriminator(networks["D"], report)
            calibrate_deviation(generator, discriminator, report)
        except (LoadError, ValueError) as error:
            report.lost.append(f"the discriminator, which is left out ({error})")
    return Converted(report, generator, discriminator, seeds_like="numpy")


# ------------------------------------------------------------------------------------------- generator


def build_generator(network: ForeignObject, title: str, report: Report) -> StyleGAN2Generator:
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
    resolution = checked_resolution(attribute(network, "img_resolution"), title)
    sides = [side for side, _ in stage_resolutions(resolution)]
    widths = [weights.shape(f"synthesis.b{side}.conv1.weight")[0] for side in sides]
    layers = count(weights, r"mapping\.fc(\d+)\.weight")
    check_activations(network, "synthesis", title)
    check_mapping(network, layers, title)
    architecture = attribute(network, f"synthesis.b{sides[0]}.architecture", "skip")
    generator = StyleGAN2Generator(
        resolution=resolution,
        channels=weights.shape(f"synthesis.b{resolution}.torgb.weight")[0],
        latent_size=attribute(network, "z_dim"),
        num_classes=attribute(network, "c_dim"),
        w_size=attribute(network, "w_dim"),
        **width_options(resolution, widths, title),
        mapping_layers=layers,
        noise="const" if f"synthesis.b{sides[0]}.conv1.noise_const" in weights else "none",
        architecture=architecture,
        conv_clamp=checked_clamp(attribute(network, f"synthesis.b{sides[0]}.conv1.conv_clamp"), title),
        resample_filter=_filter(weights, "conv0", report),
    )
    names = generator_names(generator, sides)
    state = {name: with_kernels_turned(name, weights.take(foreign)) for name, foreign in names.items()}
    weights.refuse_left()
    fill(generator, state, title)
    report.renamed += len(names)
    if any(attribute(network, f"synthesis.b{side}.use_fp16") for side in sides):
        report.lost.append(
            "float16 in the finest layers: here they compute in float32, which moves pixels by some 0.01"
        )
    return generator


def generator_names(generator: StyleGAN2Generator, sides: list[int]) -> dict[str, str]:
    """Our tensor → theirs; their first block has a second convolution only, and w_avg lies in their mapping."""
    names = {"w_avg": "mapping.w_avg", "const": "synthesis.b4.const"}
    for name in generator.state_dict():
        if name in names:
            continue
        place = re.fullmatch(r"blocks\.(\d+)\.(convolutions\.\d|to_rgb|shortcut)\.(.+)", name)
        if place is None:
            names[name] = re.sub(r"mapping\.layers\.(\d+)", r"mapping.fc\1", name)
            continue
        stage, layer, part = int(place[1]), place[2], place[3]
        both = ("conv1",) if stage == 0 else ("conv0", "conv1")
        layers = {f"convolutions.{row}": each for row, each in enumerate(both)} | {
            "to_rgb": "torgb",
            "shortcut": "skip",
        }
        names[name] = f"synthesis.b{sides[stage]}.{layers[layer]}.{part}"
    return names


def with_kernels_turned(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Theirs (O, I, 3, 3) is ours (I, O, 3, 3) where a convolution doubles: the first of every block but block 0."""
    doubles = name.endswith("convolutions.0.weight") and not name.startswith("blocks.0.")
    return tensor.transpose(0, 1) if doubles else tensor


# ------------------------------------------------------------------------------------------- discriminator


def build_discriminator(network: ForeignObject, report: Report) -> StyleGAN2Discriminator:
    """Build a discriminator; raises LoadError for parts that it cannot have here, and tells the report what was done."""
    title, weights = "D", Weights(tensors_of(network), "D")
    resolution = checked_resolution(attribute(network, "img_resolution"), title)
    sides = [side for side, _ in stage_resolutions(resolution)][::-1]
    widths = [weights.shape(f"b{side}.conv0.weight")[0] for side in sides[:-1]] + [weights.shape("b4.conv.weight")[0]]
    check_activations(network, "", title)
    group = attribute(network, "b4.mbstd.group_size")
    deviations = weights.shape("b4.conv.weight")[1] - widths[-1]
    discriminator = StyleGAN2Discriminator(
        resolution=resolution,
        channels=weights.shape(f"b{resolution}.fromrgb.weight")[1],
        num_classes=attribute(network, "c_dim"),
        **width_options(resolution, widths[::-1], title),
        architecture=attribute(network, f"b{resolution}.architecture", "resnet"),
        mapping_layers=max(1, count(weights, r"mapping\.fc(\d+)\.weight")),
        minibatch_stddev=deviations > 0,
        stddev_group=min(group or 64, 64),
        stddev_channels=max(1, deviations),
        conv_clamp=checked_clamp(attribute(network, f"b{resolution}.conv0.conv_clamp"), title),
        resample_filter=_filter(weights, "conv1", report),
    )
    names = discriminator_names(discriminator, sides)
    state = {name: weights.take(foreign) for name, foreign in names.items()}
    weights.refuse_left()
    if discriminator.stddev is not None:
        state["stddev.running"] = discriminator.stddev.running
    fill(discriminator, state, title)
    report.renamed += len(names)
    return discriminator


def discriminator_names(discriminator: StyleGAN2Discriminator, sides: list[int]) -> dict[str, str]:
    """Our tensor → theirs; their block of 4 × 4 is our last three layers, and the running deviation is ours alone."""
    whole = {"last": "b4.conv", "dense": "b4.fc", "score": "b4.out"}
    layers = {"same": "conv0", "down": "conv1", "shortcut": "skip"}
    names = {}
    for name in discriminator.state_dict():
        first, _, rest = name.partition(".")
        stage, _, part = rest.partition(".")
        if first in whole:
            names[name] = f"{whole[first]}.{rest}"
        elif first == "from_rgb":
            names[name] = f"b{sides[int(stage)]}.fromrgb.{part}"
        elif first == "blocks":
            layer, _, part = part.partition(".")
            names[name] = f"b{sides[int(stage)]}.{layers[layer]}.{part}"
        elif first == "mapping":
            names[name] = re.sub(r"mapping\.layers\.(\d+)", r"mapping.fc\1", name)
    return names


@torch.no_grad()
def calibrate_deviation(generator: GANModel, discriminator: GANModel, report: Report, **options: bool) -> None:
    """Set the running minibatch deviation, which no foreign file has, to its mean over batches of generated images.

    Args:
        generator: draws them.
        discriminator: is changed.
        report: is told.
        **options: of the generator's call.
    """
    layers, config = [each for each in discriminator.modules() if isinstance(each, MinibatchStddev)], generator.config
    if not layers:
        return
    group = min(layers[0].group or 16, 16)
    batches = max(1, min(CALIBRATION_IMAGES, CALIBRATION_PIXELS // config["resolution"] ** 2) // group)
    random = torch.Generator("cpu").manual_seed(0)
    discriminator.train()
    for batch in range(batches):
        z = torch.randn(group, config["latent_size"], generator=random)
        classes = torch.randint(max(1, config["num_classes"]), (group,), generator=random)
        labels = classes if config["num_classes"] else None
        for stddev in layers:
            stddev.MOMENTUM = 1 / (batch + 1)  # so that the running value is the mean of all
        discriminator(generator(z, labels, **options), labels)
    for stddev in layers:
        del stddev.MOMENTUM
    discriminator.eval()
    report.folded.append(
        f"the discriminator's minibatch deviation, measured on {group * batches} images of the generator in groups of {group}: "
        "a logit here does not depend on the rest of its batch"
    )


# ------------------------------------------------------------------------------------------- what it must be


def count(weights: Weights, pattern: str) -> int:
    """How many tensors have a name that matches as a whole."""
    return sum(re.fullmatch(pattern, name) is not None for name in weights.tensors)


def checked_clamp(value: object, title: str) -> int:
    """The bound of convolutions as our config has it, 0 for none; raises LoadError for one that it cannot have."""
    if value is None:
        return 0
    if not isinstance(value, (int, float)) or not 0 < value <= 65_504 or value != int(value):
        raise LoadError(f"{title}: conv_clamp is {short_repr(value)}; allowed: a whole number to 65504, or none.")
    return int(value)


def check_activations(network: ForeignObject, part: str, title: str) -> None:
    """Refuse activations other than the leaky ReLU, which the shapes of weights do not show.

    Args:
        network: NVIDIA's.
        part: the name of a module in it; "" for all of it.
        title: what messages call it.

    Raises:
        LoadError: for such a layer.
    """
    root = network if not part else (attribute(network, "_modules") or {}).get(part, network)
    for path, layer in _modules(root):
        activation = layer.attributes.get("activation")
        if activation not in (None, LRELU, "linear"):
            raise LoadError(f"{title}: {path} has the activation {short_repr(activation)}; allowed: lrelu.")


def check_mapping(network: ForeignObject, layers: int, title: str) -> None:
    """Refuse a mapping network that learns at another rate, by which its weights are scaled.

    Args:
        network: NVIDIA's.
        layers: how many the mapping has.
        title: what messages call it.

    Raises:
        LoadError: for such a network.
    """
    for layer in range(layers):
        gain = attribute(network, f"mapping.fc{layer}.bias_gain")
        if not isinstance(gain, float) or abs(gain - MAPPING_LR) > 1e-6:
            raise LoadError(
                f"{title}: its mapping network learns at {short_repr(gain)} of the rate; allowed: {MAPPING_LR}."
            )


def _modules(module: ForeignObject, prefix: str = "") -> list[tuple[str, ForeignObject]]:
    children = attribute(module, "_modules")
    pairs = children.items() if isinstance(children, dict) else ()
    modules = [(f"{prefix}{name}", child) for name, child in pairs if is_module(child)]
    return modules + [each for path, child in modules for each in _modules(child, f"{path}.")]


def _filter(weights: Weights, changes_size: str, report: Report) -> str:
    """The filter that the layers of a network have.

    Args:
        weights: of the network; the copies of the filter are used up.
        changes_size: the layer of a block, beside its shortcut, that changes the size; the others hold a filter unused.
        report: is told.

    Returns: its name in our config.

    Raises:
        LoadError: for one that is not known, and for several.
    """
    names = [name for name in weights.left if name.endswith("resample_filter")]
    used = re.compile(rf"(.*\.)?b\d+\.(({changes_size}|skip)\.)?resample_filter")
    kernels = {name: weights.take(name) for name in names if used.fullmatch(name)}
    weights.ignore(r".*resample_filter")
    for known in typing.get_args(Filter)[1].values:
        taps = torch.tensor(taps_of(known), dtype=torch.float32)
        expected = torch.outer(taps, taps) / taps.sum() ** 2
        if all(each.shape == expected.shape and torch.allclose(each, expected, atol=1e-6) for each in kernels.values()):
            report.ignored.append(f"{len(names)} filters of {weights.title}, which a word of the config says ({known})")
            return known
    name = next(iter(kernels))
    raise LoadError(
        f"{weights.title}: it resamples by a filter of its own ({name}, {list(kernels[name].shape)}); allowed: one of "
        f"{', '.join(typing.get_args(Filter)[1].values)} for all layers."
    )

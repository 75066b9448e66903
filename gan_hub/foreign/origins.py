"""The programs whose files are recognised, in the order in which they are tried, and what is said of all others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from gan_hub.foreign import (
    bmsg_gan,
    dcgan,
    dcgan_discriminator,
    fastgan,
    gan_zoo,
    lightweight_gan,
    lucid_stylegan2,
    nvidia_stylegan2,
    nvidia_stylegan3,
    r3gan,
    rosinality,
    sequential,
    spade,
)
from gan_hub.foreign.read import ForeignObject
from gan_hub.foreign.report import Answers, Converted
from gan_hub.foreign.weights import is_module
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError

DOCS = "docs/converting.md has the table of what is known"


class Origin(NamedTuple):
    """A program whose files can be converted.

    Example:
        >>> from gan_hub.foreign.origins import ORIGINS
        >>> ORIGINS[0].recognizes({"G_ema": None})
        False
    """

    title: str
    recognizes: Callable[[Any], bool]
    convert: Callable[[Any, Answers], Converted]
    asks: tuple[str, ...] = ()  # what of `Answers` its files leave out


def _nvidia_generator(content: Any) -> ForeignObject | None:
    networks = nvidia_stylegan2.find_networks(content)
    return next((networks[role] for role in ("G_ema", "G") if role in networks), None)


def _is_nvidia_stylegan2(content: Any) -> bool:
    generator = _nvidia_generator(content)
    return generator is not None and nvidia_stylegan2.is_stylegan2(generator)


def _is_nvidia_stylegan3(content: Any) -> bool:
    generator = _nvidia_generator(content)
    return generator is not None and nvidia_stylegan3.is_stylegan3(generator)


DECLARED = Origin("a network whose layers were declared", lambda _: True, sequential.convert, sequential.ASKS)
ORIGINS = [
    Origin(
        "StyleGAN2 of stylegan2-ada-pytorch and stylegan3",
        _is_nvidia_stylegan2,
        lambda content, _: nvidia_stylegan2.convert(content),
    ),
    Origin(
        "alias-free StyleGAN3 of stylegan3",
        _is_nvidia_stylegan3,
        lambda content, _: nvidia_stylegan3.convert(content),
    ),
    Origin(
        "R3GAN of brownvc/R3GAN",
        lambda content: bool(r3gan.find_generator(content)),
        lambda content, _: r3gan.convert(content),
    ),
    Origin(
        "StyleGAN2 of rosinality",
        lambda content: bool(rosinality.find_generator(content)),
        lambda content, _: rosinality.convert(content),
    ),
    Origin(
        "FastGAN of odegeasslbc/FastGAN-pytorch and projected-gan",
        lambda content: bool(fastgan.find_generator(content)),
        fastgan.convert,
        fastgan.ASKS,
    ),
    Origin(
        "ProGAN of facebookresearch/pytorch_GAN_zoo",
        lambda content: bool(gan_zoo.find_generator(content)),
        lambda content, _: gan_zoo.convert(content),
    ),
    Origin(
        "MSG-GAN of akanimax/BMSG-GAN",
        lambda content: bool(bmsg_gan.find_generator(content)),
        bmsg_gan.convert,
        bmsg_gan.ASKS,
    ),
    Origin(
        "StyleGAN2 of lucidrains/stylegan2-pytorch",
        lambda content: bool(lucid_stylegan2.find_generator(content)),
        lambda content, _: lucid_stylegan2.convert(content),
    ),
    Origin(
        "FastGAN of lucidrains/lightweight-gan",
        lambda content: bool(lightweight_gan.find_generator(content)),
        lambda content, _: lightweight_gan.convert(content),
    ),
    Origin("SPADE of NVlabs/SPADE", lambda content: bool(spade.find_generator(content)), spade.convert, spade.ASKS),
    Origin("a DCGAN generator", lambda content: dcgan.find_layers(content) is not None, dcgan.convert, dcgan.ASKS),
]


def convert_content(path: Path, content: Any, answers: Answers) -> Converted:
    """Build the networks of a file whose content was read.

    Args:
        path: the file, for messages.
        content: what `read_foreign` gave.
        answers: what the user says of the network.

    Returns: the networks and a report.

    Raises:
        LoadError: for a file of a program that is not known, and for networks that cannot be built here.
    """
    for origin in ORIGINS if answers.layers is None else [DECLARED]:
        if origin.recognizes(content):
            try:
                surplus = [name for name in answers.answered() if name not in origin.asks]
                if surplus:
                    raise ValueError(
                        f"{surplus[0]}= is not allowed: its files say it themselves, or it has no such part."
                    )
                return origin.convert(content, answers)
            except ValueError as error:  # of a config, or a LoadError
                raise LoadError(f"{path}: {origin.title}, but {error}") from error
    raise LoadError(f"{path}: {describe(content)}; {DOCS}.")


def describe(content: Any) -> str:
    """What a file holds that is no network that could be converted, to follow its name and a colon."""
    networks = nvidia_stylegan2.find_networks(content)
    if networks:
        return f"networks of NVIDIA's programs ({', '.join(networks)}), but not those of StyleGAN2 or StyleGAN3"
    if dcgan_discriminator.is_alone(content):
        return "a discriminator alone, as DCGAN has it; convert its generator, with discriminator= for this file"
    names = _tensor_names(content)
    if names:
        return f"tensors of a program that is not known (such as {short_repr(names[0])})"
    if isinstance(content, dict):
        return f"no network in it (it has {', '.join(short_repr(key) for key in list(content)[:5]) or 'nothing'})"
    kind = content.path if isinstance(content, ForeignObject) else type(content).__name__
    return f"no network in it, but an object of the class {short_repr(kind)}"


def _tensor_names(content: Any, depth: int = 4) -> list[str]:
    """Names of some tensors, from the outermost dictionary that has any."""
    if is_module(content):
        return sorted(nvidia_stylegan2.tensors_of(content))
    if not isinstance(content, dict) or not depth:
        return []
    names = [str(name) for name, value in content.items() if isinstance(value, torch.Tensor)]
    inside = (_tensor_names(value, depth - 1) for value in content.values())
    return names or next((each for each in inside if each), [])

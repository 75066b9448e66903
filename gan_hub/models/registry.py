"""Which generator plays against which discriminator, by name; and how networks from outside the package join them."""

import inspect
import re
from collections.abc import Mapping
from typing import Annotated, NamedTuple, get_args, get_origin

import torch

from gan_hub.messages import short_repr
from gan_hub.models.began import BEGANDiscriminator, BEGANGenerator
from gan_hub.models.config_schema import Rule
from gan_hub.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_hub.models.fastgan import FastGANDiscriminator, FastGANGenerator
from gan_hub.models.features_discriminator import FeaturesDiscriminator
from gan_hub.models.gmmn import GMMNGenerator
from gan_hub.models.lightweight_gan import LightweightGANGenerator
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.models.mlp import MLPDiscriminator, MLPGenerator
from gan_hub.models.modeling import GANModel
from gan_hub.models.msg_gan import MSGGANDiscriminator, MSGGANGenerator
from gan_hub.models.plain_stylegan2 import PlainStyleGAN2Generator
from gan_hub.models.progan import ProGANDiscriminator, ProGANGenerator
from gan_hub.models.r3gan import R3GANDiscriminator, R3GANGenerator
from gan_hub.models.sequential import SequentialGenerator
from gan_hub.models.spade import SPADEDiscriminator, SPADEGenerator
from gan_hub.models.stylegan import StyleGANDiscriminator, StyleGANGenerator
from gan_hub.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from gan_hub.models.stylegan3 import StyleGAN3Generator


class Architecture(NamedTuple):
    """A generator's class and its discriminator's; None where the generator's loss needs no opponent.

    Example:
        >>> from gan_hub import ARCHITECTURES
        >>> generator, discriminator = ARCHITECTURES["dcgan"]
        >>> generator.__name__, discriminator.__name__
        ('DCGANGenerator', 'DCGANDiscriminator')
    """

    generator: type[GANModel]
    discriminator: type[GANModel] | None


# Name in a recipe → the pair of classes.
ARCHITECTURES: dict[str, Architecture] = {
    "mlp": Architecture(MLPGenerator, MLPDiscriminator),
    "gmmn": Architecture(GMMNGenerator, None),
    "dcgan": Architecture(DCGANGenerator, DCGANDiscriminator),
    "fastgan": Architecture(FastGANGenerator, FastGANDiscriminator),
    "began": Architecture(BEGANGenerator, BEGANDiscriminator),
    "r3gan": Architecture(R3GANGenerator, R3GANDiscriminator),
    "progan": Architecture(ProGANGenerator, ProGANDiscriminator),
    "msg_gan": Architecture(MSGGANGenerator, MSGGANDiscriminator),
    "spade": Architecture(SPADEGenerator, SPADEDiscriminator),
    "stylegan": Architecture(StyleGANGenerator, StyleGANDiscriminator),
    "stylegan2": Architecture(StyleGAN2Generator, StyleGAN2Discriminator),
    "stylegan3": Architecture(StyleGAN3Generator, StyleGAN2Discriminator),
}
BUNDLED = frozenset(ARCHITECTURES)

# Argument of `discriminator` in a recipe → the class that it asks for, in place of the architecture's own.
JOINING_DISCRIMINATORS: dict[str, type[GANModel]] = {"features": FeaturesDiscriminator}

# Generators that conversion makes and pipelines draw; no recipe trains them.
CONVERTED_GENERATORS: dict[str, type[GANModel]] = {
    cls.__name__: cls for cls in (LightweightGANGenerator, PlainStyleGAN2Generator, SequentialGenerator)
}

# Class name in a published file → class. Names are promises: a renamed class keeps its old name here as an alias.
CLASSES: dict[str, type[GANModel]] = {
    cls.__name__: cls for pair in ARCHITECTURES.values() for cls in pair if cls is not None
} | {cls.__name__: cls for cls in JOINING_DISCRIMINATORS.values()}


def discriminator_class(architecture: str, arguments: Mapping[str, object]) -> type[GANModel] | None:
    """The discriminator that a recipe asks for: the architecture's own, or one that joins any generator.

    Args:
        architecture: A name in ARCHITECTURES.
        arguments: Those of the discriminator in the recipe; {"features": …} asks for `FeaturesDiscriminator`, unless
            the architecture's own takes an argument of that name.

    Returns:
        Its class; None where the architecture's generator is trained alone.
    """
    own = ARCHITECTURES[architecture].discriminator
    for argument, cls in JOINING_DISCRIMINATORS.items():
        if own is not None and argument in arguments and argument not in inspect.signature(own.__init__).parameters:
            return cls
    return own


def register_architecture(name: str, generator: type[GANModel], discriminator: type[GANModel] | None = None) -> None:
    """Make networks from outside the package known: to recipes by `name`, to saved models by their class names.

    A process that trains, loads or shows such a model registers it first; docs/own-architecture.md shows how. Registering
    a name again replaces its pair, as when the cell of a notebook runs twice.

    Args:
        name: What a recipe calls the pair: small letters, digits and _, not the name of a bundled architecture.
        generator: A subclass of `GANModel`, z (N, Z), labels (N,) or None → images (N, C, H, W) in [-1, 1].
        discriminator: A subclass of `GANModel`, images, labels → logits (N,); None for a loss without an opponent.

    Raises:
        ValueError: for another name, for a class that does not keep the rules of `GANModel`, and for a class name that
            another registered class has.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", name):
        raise ValueError(
            f"name={short_repr(name)} is not allowed; it is small letters, digits and _, 50 at most, a letter first."
        )
    if name in BUNDLED:
        raise ValueError(f"name={name!r} is not allowed; it is a bundled architecture.")
    pair = Architecture(generator, discriminator)
    others = {known: classes for known, classes in ARCHITECTURES.items() if known != name}
    _check_class("generator", generator, others)
    if discriminator is not None:
        _check_class("discriminator", discriminator, others)
    if discriminator is not None and generator.__name__ == discriminator.__name__:
        raise ValueError(
            f"generator and discriminator are both called {generator.__name__}; files tell them apart by name."
        )
    ARCHITECTURES[name] = pair
    CLASSES.update({cls.__name__: cls for cls in pair if cls is not None})


def _check_class(role: str, cls: type[GANModel], others: dict[str, Architecture]) -> None:
    """Raise ValueError where a class could not be built, called, saved or loaded as a bundled one is."""
    if not isinstance(cls, type) or not issubclass(cls, GANModel):
        raise ValueError(f"{role}={short_repr(cls)} is not allowed; it is a subclass of gan_hub.models.GANModel.")
    init = getattr(cls.__init__, "__wrapped__", None)
    if init is None:
        raise ValueError(f"{cls.__name__}: its __init__ is not decorated with gan_hub.models.register_checked.")
    _check_config(role, cls)
    try:
        inspect.signature(cls.forward).bind(cls, "z or images", "labels", force_fp32=True)
    except TypeError:
        first = "z" if role == "generator" else "images"
        raise ValueError(
            f"{cls.__name__}: its forward cannot be called as forward({first}, labels, force_fp32=True)."
        ) from None
    _check_class_name(role, cls, others)
    _check_tensors(cls)


def _check_tensors(cls: type[GANModel]) -> None:
    """Raises ValueError where a network cannot be made without memory, or has a tensor that no file would hold."""
    try:
        with torch.device("meta"):  # as loading makes it
            network = cls()
        modules = dict(network.named_modules())
    except Exception as error:  # an __init__ from outside the package may raise anything
        raise ValueError(
            f"{cls.__name__}: its __init__ fails on torch's meta device, where loading runs it: {error}"
        ) from error
    for module in modules.values():
        fill_constants = getattr(module, "fill_constants", None)
        if fill_constants is not None:
            fill_constants("cpu")
    for path, module in modules.items():
        hidden = {name: module._buffers[name] for name in module._non_persistent_buffers_set}
        for name, value in (hidden | vars(module)).items():
            if isinstance(value, torch.Tensor) and value.is_meta:
                raise ValueError(
                    f"{cls.__name__}: the tensor {f'{path}.{name}'.lstrip('.')} would lie in no file; make it a buffer by "
                    "register_buffer, persistent as by default, or make it in forward."
                )


def _check_config(role: str, cls: type[GANModel]) -> None:
    """Raise ValueError where an argument of `__init__` has no rule or default, or one that every network has is missing."""
    init = inspect.unwrap(cls.__init__)
    annotations = inspect.get_annotations(init, eval_str=True)
    parameters = {name: value for name, value in inspect.signature(init).parameters.items() if name != "self"}
    for name, parameter in parameters.items():
        annotation = annotations.get(name)
        rule = get_args(annotation)[1] if get_origin(annotation) is Annotated else None
        if not isinstance(rule, Rule):
            raise ValueError(
                f"{cls.__name__}: {name} has no rule in its annotation, such as Width of gan_hub.models.config_schema."
            )
        if not rule.allows(parameter.default):
            raise ValueError(f"{cls.__name__}: {name} needs a default that its rule allows: {rule}.")
    wanted = ["resolution", "channels", "num_classes"]
    wanted += ["latent_size"] if role == "generator" else []
    wanted += ["semantic_classes"] if issubclass(cls, SegmentationConditional) else []
    missing = [name for name in wanted if name not in parameters]
    if missing:
        raise ValueError(f"{cls.__name__}: its __init__ has no argument {', '.join(missing)}, which every {role} has.")


def _check_class_name(role: str, cls: type[GANModel], others: dict[str, Architecture]) -> None:
    """Raise ValueError where a file with this class name would mean another class, or the same in the other role."""
    taken = [(repr(known), *its) for known, pair in others.items() for its in pair._asdict().items()]
    taken += [(f"recipes with {key!r}", "discriminator", joining) for key, joining in JOINING_DISCRIMINATORS.items()]
    taken += [("conversion", "generator", converted) for converted in CONVERTED_GENERATORS.values()]
    for known, its_role, its_class in taken:
        if its_class is None or its_class.__name__ != cls.__name__ or (its_class is cls and its_role == role):
            continue
        raise ValueError(f"{cls.__name__} is the name of the {its_role} of {known}; choose another name for the class.")

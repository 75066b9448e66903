"""Which options go with which architecture: the rules of the game that depend on what networks can do.

A rule takes the configuration and returns the sentence that refuses it, or None; rules.py has the table of all of them.
"""

from typing import TYPE_CHECKING

from gan_hub.models import ARCHITECTURES, FeaturesDiscriminator
from gan_hub.models.mixins import (
    AutoencoderDiscriminator,
    MultiScale,
    ProgressiveGrowing,
    SegmentationConditional,
    StyleBased,
)

if TYPE_CHECKING:
    from gan_hub.training.config import TrainConfig


def trains_alone(config: "TrainConfig") -> bool:
    """Whether the generator has no opponent."""
    return ARCHITECTURES[config.architecture].discriminator is None


def has_autoencoder(config: "TrainConfig") -> bool:
    """Whether the discriminator's score is an error of reconstruction."""
    discriminator = config.discriminator_class
    return discriminator is not None and issubclass(discriminator, AutoencoderDiscriminator)


def sees_features(config: "TrainConfig") -> bool:
    """Whether the discriminator sees through a frozen network."""
    discriminator = config.discriminator_class
    return discriminator is not None and issubclass(discriminator, FeaturesDiscriminator)


def has_several_scales(config: "TrainConfig") -> bool:
    """Whether the generator gives its images at several scales."""
    return issubclass(ARCHITECTURES[config.architecture].generator, MultiScale)


def autoencoders_have_no_labels(config: "TrainConfig") -> str | None:
    """Neither an autoencoder nor the generator that has its decoder takes labels."""
    own = ARCHITECTURES[config.architecture].discriminator
    if config.conditional and own is not None and issubclass(own, AutoencoderDiscriminator):
        return f"conditional=True is not allowed with architecture={config.architecture!r}, which has no classes."
    return None


def architecture_can_do_it(config: "TrainConfig") -> str | None:
    """Options that only some architectures can follow."""
    for option, ability in (
        ("grow_kimg", ProgressiveGrowing),
        ("mixing", StyleBased),
        ("feature_matching_weight", SegmentationConditional),
    ):
        able = [name for name, pair in ARCHITECTURES.items() if issubclass(pair.generator, ability)]
        if getattr(config, option) and config.architecture not in able:
            return (
                f"{option}={getattr(config, option)} is not allowed with architecture={config.architecture!r}; it goes with "
                f"{', '.join(able)}."
            )
    return None


def growing_ends_in_time(config: "TrainConfig") -> str | None:
    """All doublings fit into the run."""
    if 2 * config.levels * config.grow_kimg > config.total_kimg:
        return (
            f"grow_kimg={config.grow_kimg} is not allowed; to grow {config.levels} times takes {2 * config.levels} times that, "
            f"and total_kimg is {config.total_kimg}."
        )
    return None


def growing_networks_are_not_compiled(config: "TrainConfig") -> str | None:
    """A network that changes while it is trained is not compiled."""
    if config.grow_kimg and config.compile:
        return f"grow_kimg={config.grow_kimg} is not allowed with compile=True, which would begin anew at every step."
    return None


def path_length_needs_one_input(config: "TrainConfig") -> str | None:
    """A path length is by one z or w."""
    has_more = config.can_grow or config.takes_maps or has_several_scales(config)
    if config.path_length_weight and has_more:
        return (
            f"path_length_weight={config.path_length_weight} is not allowed with architecture={config.architecture!r}, whose "
            "images come from more, or at times from less, than one z or w; choose 0."
        )
    return None


def several_scales_are_not_augmented(config: "TrainConfig") -> str | None:
    """No augmentation, and no penalty between images, is about several scales."""
    for option, off in (("augment", "none"), ("wgan_gp_weight", 0.0), ("dragan_weight", 0.0)):
        if has_several_scales(config) and getattr(config, option) != off:
            return (
                f"{option}={getattr(config, option)!r} is not allowed with architecture={config.architecture!r}, whose "
                f"images have several scales; choose {off!r}. r1_gamma, r2_gamma and flip go with it."
            )
    return None


def features_are_of_one_image(config: "TrainConfig") -> str | None:
    """What a discriminator that sees through a frozen network cannot play with."""
    if not sees_features(config):
        return None
    if config.takes_maps or has_several_scales(config):
        what = "maps" if config.takes_maps else "images of several scales"
        return (
            f"discriminator={config.discriminator!r} is not allowed with architecture={config.architecture!r}: its frozen "
            f"features are those of one image, without {what}. Leave features out."
        )
    if config.grow_kimg:
        return (
            f"grow_kimg={config.grow_kimg} is not allowed with discriminator={config.discriminator!r}, which does not grow; "
            "choose 0."
        )
    if config.discriminator.get("pixels") == 0 and config.penalties:
        return (
            f"discriminator={config.discriminator!r} is not allowed with a gradient penalty ({', '.join(config.penalties)}), "
            "which is about the discriminator of pixels; choose pixels above 0, or no penalty (r1_gamma 0)."
        )
    return None


def maps_are_not_augmented(config: "TrainConfig") -> str | None:
    """No augmentation moves a map with its image."""
    if config.takes_maps and config.augment != "none":
        return (
            f"augment={config.augment!r} is not allowed with architecture={config.architecture!r}: it would move the image and "
            "leave its map; choose none. flip mirrors both."
        )
    return None


def began_needs_an_autoencoder(config: "TrainConfig") -> str | None:
    """BEGAN's loss and an autoencoder go together."""
    if config.loss == "began" and sees_features(config):
        return (
            f"loss='began' is not allowed with discriminator={config.discriminator!r}, which reconstructs no image; choose "
            "hinge, or leave features out."
        )
    if (config.loss == "began") != has_autoencoder(config):
        return (
            f"loss={config.loss!r} is not allowed with architecture={config.architecture!r}; the loss began and an "
            "architecture whose discriminator is an autoencoder (began is one) go together only."
        )
    return None

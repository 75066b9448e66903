"""What goes together in a run, and what does not: options that are right each by itself, against each other."""

import dataclasses
import re
from typing import TYPE_CHECKING

from gan_hub.augment import policy_columns
from gan_hub.losses import ADVERSARIAL, MATCHING
from gan_hub.messages import short_repr
from gan_hub.metrics.features import BUNDLED, BY_FILE, EXTRACTORS, HUB_ID
from gan_hub.models import ARCHITECTURES
from gan_hub.models.config_schema import validate
from gan_hub.models.mixins import (
    AutoencoderDiscriminator,
    MultiScale,
    ProgressiveGrowing,
    SegmentationConditional,
    StyleBased,
)
from gan_hub.training.options import default_of

if TYPE_CHECKING:
    from gan_hub.training.config import TrainConfig

MAX_NAME_BYTES = 200  # a folder's name may have 255
PUBLISHED = "model_cards/"  # of a checkout: models whose real images or maps another recipe may ship again


def check_together(config: "TrainConfig") -> None:
    """Raises ValueError, in one sentence, for the first thing that does not fit."""
    _name(config)
    if config.decay_kimg > config.total_kimg:
        raise ValueError(
            f"decay_kimg={config.decay_kimg} is not allowed; it is at most total_kimg, {config.total_kimg}: choose less."
        )
    if config.balance_classes and not config.conditional:
        raise ValueError("balance_classes=True is not allowed with conditional=False, which has no classes.")
    _game(config)
    _extractor(config)
    _scores(config)
    _card(config)
    for network in ("generator", "discriminator"):
        _network(config, network)


def _name(config: "TrainConfig") -> None:
    """Whether it can be a folder's on any system: a run is moved from one to another, and its model is downloaded."""
    name = config.name
    marks = sorted(set(name) & set('/\\ <>:"|?*')) or [mark for mark in name if not mark.isprintable()]
    if not name or marks or name.startswith((".", "-")) or name.endswith("."):
        raise ValueError(
            f'name={short_repr(name)} is not allowed; a name has no spaces or slashes, none of <>:"|?*, nothing that is not '
            "printed, no leading dot or dash and no dot at its end."
        )
    if len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        raise ValueError(f"name={short_repr(name)} is not allowed; it has at most {MAX_NAME_BYTES} bytes in UTF-8.")
    if re.fullmatch(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])(\..*)?", name, re.IGNORECASE):
        raise ValueError(f"name={short_repr(name)} is not allowed; Windows keeps it for a device.")


def _game(config: "TrainConfig") -> None:
    """Options that are right each by itself and do not go together."""
    optimizers = {config.optimizer_generator, config.optimizer_discriminator}
    if config.momentum != type(config).momentum and "sgd" not in optimizers:
        raise ValueError(f"momentum={config.momentum} is not allowed without sgd; Adam's is beta1.")
    alone = ARCHITECTURES[config.architecture].discriminator is None
    if alone != (config.loss in MATCHING):
        raise ValueError(
            f"loss={config.loss!r} is not allowed with architecture={config.architecture!r}; the loss mmd and the "
            "architecture gmmn, which has no discriminator, go together only."
        )
    if alone:
        _alone(config)
        _abilities(config)
        return
    if config.label_smoothing and "real_target" not in ADVERSARIAL[config.loss].options:
        able = [name for name, game in ADVERSARIAL.items() if "real_target" in game.options]
        raise ValueError(
            f"label_smoothing={config.label_smoothing} is not allowed with loss={config.loss!r}, which has no target for "
            f"reals to smooth; it goes with {', '.join(able)}."
        )
    autoencoding = issubclass(ARCHITECTURES[config.architecture].discriminator, AutoencoderDiscriminator)
    if (config.loss == "began") != autoencoding:
        raise ValueError(
            f"loss={config.loss!r} is not allowed with architecture={config.architecture!r}; the loss began and an "
            "architecture whose discriminator is an autoencoder (began is one) go together only."
        )
    try:
        policy_columns(config.augment_policy)
    except ValueError as error:
        raise ValueError(f"augment_policy={short_repr(config.augment_policy)} is not allowed; {error}") from error
    if config.augment == "ada" and ADVERSARIAL[config.loss].threshold is None:
        able = [name for name, game in ADVERSARIAL.items() if game.threshold is not None]
        raise ValueError(
            f"augment='ada' is not allowed with loss={config.loss!r}, whose logits have no sign to steer p by; it goes "
            f"with {', '.join(able)}. augment='diffaugment' goes with any."
        )
    if config.skip_discriminator_below and config.loss in ("wasserstein", "began"):
        raise ValueError(
            f"skip_discriminator_below={config.skip_discriminator_below} is not allowed with loss={config.loss!r}, which has "
            "no value that means a discriminator that has won."
        )
    if autoencoding and config.conditional:
        raise ValueError(
            f"conditional=True is not allowed with architecture={config.architecture!r}, which has no classes."
        )
    _abilities(config)
    _images(config)
    _turns(config)


def _extractor(config: "TrainConfig") -> None:
    """Whether it is known, takes these images, and has its weights."""
    name, weights = config.extractor, config.extractor_weights
    if name not in ("none", *EXTRACTORS) and not re.fullmatch(HUB_ID, name):
        raise ValueError(
            f"extractor={short_repr(name)} is not allowed; choose one of none, {', '.join(EXTRACTORS)}, or a Hub id (owner/name)."
        )
    if name in BUNDLED and (config.resolution, config.channels) != (28, 1):
        others = ", ".join(other for other in EXTRACTORS if other not in BUNDLED)
        raise ValueError(
            f"extractor={short_repr(name)} is not allowed with {config.resolution} pixels and {config.channels} channels; it "
            f"takes 28 pixels and 1 channel. Choose none, or {others}, which take any size."
        )
    if name in BY_FILE and not weights:
        raise ValueError(
            f"extractor={short_repr(name)} needs extractor_weights: a .safetensors file, or the Hub id of a repository with one."
        )
    if weights and name in ("none", *BUNDLED):
        raise ValueError(
            f"extractor_weights={short_repr(weights)} is not allowed with extractor={short_repr(name)}, which needs none."
        )


def _scores(config: "TrainConfig") -> None:
    """Options that follow the scores, which must then be measured while the run goes on."""
    for name, off in (("publish", "last"), ("patience_kimg", 0.0)):
        given = getattr(config, name)
        if given != off and (config.extractor == "none" or config.evaluate_kimg == 0):
            raise ValueError(
                f"{name}={given!r} is not allowed with extractor={config.extractor!r} and evaluate_kimg="
                f"{config.evaluate_kimg}; it follows scores that are measured in training, so choose both."
            )


def _card(config: "TrainConfig") -> None:
    """What must be said, and of what is shipped whose it is."""
    for name, what in (("license", "of the published weights (Hub licence id)"), ("data", "what to train on")):
        if not getattr(config, name).strip():
            raise ValueError(f"{name}='' is not allowed; it says {what}.")
    of_a_model = config.real_samples.startswith(PUBLISHED)  # whose notice comes with them
    if config.real_samples and not of_a_model and not config.real_samples_notice.strip():
        raise ValueError(
            "real_samples_notice='' is not allowed with real_samples; say where they come from and their licence."
        )


def _turns(config: "TrainConfig") -> None:
    """What the two players share in a step, and noise that must end."""
    if config.instance_noise_kimg > config.total_kimg:
        raise ValueError(
            f"instance_noise_kimg={config.instance_noise_kimg} is not allowed; it is at most total_kimg, "
            f"{config.total_kimg}, or the noise would never end."
        )
    if config.share_fakes and config.discriminator_steps > 1:
        raise ValueError(
            f"share_fakes=True is not allowed with discriminator_steps={config.discriminator_steps}; each of several "
            "updates needs fresh fakes."
        )
    if bool(config.instance_noise) != bool(config.instance_noise_kimg):
        raise ValueError(
            f"instance_noise={config.instance_noise} and instance_noise_kimg={config.instance_noise_kimg} go together: how "
            "much noise, and when it has fallen to 0."
        )


def _alone(config: "TrainConfig") -> None:
    """Options of a game of two, which would do nothing: only those at their default, or at 0, are let pass."""
    for spec in dataclasses.fields(config):
        given = getattr(config, spec.name)
        if spec.metadata["needs_two"] and given not in (default_of(spec), 0):
            raise ValueError(
                f"{spec.name}={given!r} is not allowed with architecture={config.architecture!r}, which has no discriminator."
            )


def _abilities(config: "TrainConfig") -> None:
    """Options that only some architectures can follow."""
    generator = ARCHITECTURES[config.architecture].generator
    for option, ability in (
        ("grow_kimg", ProgressiveGrowing),
        ("mixing", StyleBased),
        ("feature_matching_weight", SegmentationConditional),
    ):
        if getattr(config, option) and not issubclass(generator, ability):
            able = [name for name, pair in ARCHITECTURES.items() if issubclass(pair.generator, ability)]
            raise ValueError(
                f"{option}={getattr(config, option)} is not allowed with architecture={config.architecture!r}; it goes with "
                f"{', '.join(able)}."
            )
    if 2 * config.levels * config.grow_kimg > config.total_kimg:
        raise ValueError(
            f"grow_kimg={config.grow_kimg} is not allowed; to grow {config.levels} times takes {2 * config.levels} times that, "
            f"and total_kimg is {config.total_kimg}."
        )
    if config.grow_kimg and config.compile:
        raise ValueError(
            f"grow_kimg={config.grow_kimg} is not allowed with compile=True, which would begin anew at every step."
        )
    if config.path_length_weight and (config.can_grow or config.takes_maps or issubclass(generator, MultiScale)):
        raise ValueError(
            f"path_length_weight={config.path_length_weight} is not allowed with architecture={config.architecture!r}, whose "
            "images come from more, or at times from less, than one z or w; choose 0."
        )


def _images(config: "TrainConfig") -> None:
    """What cannot be done to images of several scales, or to images that have maps."""
    if issubclass(ARCHITECTURES[config.architecture].generator, MultiScale):
        for option, off in (("augment", "none"), ("wgan_gp_weight", 0.0), ("dragan_weight", 0.0)):
            if getattr(config, option) != off:
                raise ValueError(
                    f"{option}={getattr(config, option)!r} is not allowed with architecture={config.architecture!r}, whose "
                    f"images have several scales; choose {off!r}. r1_gamma, r2_gamma and flip go with it."
                )
    if config.takes_maps and config.augment != "none":
        raise ValueError(
            f"augment={config.augment!r} is not allowed with architecture={config.architecture!r}: it would move the image and "
            "leave its map; choose none. flip mirrors both."
        )
    if config.takes_maps and (config.conditional or config.real_samples):
        raise ValueError(
            f"conditional={config.conditional} and real_samples={short_repr(config.real_samples)} are not allowed with "
            f"architecture={config.architecture!r}, whose data are pairs of images and maps; choose false and ''."
        )
    if config.shipped_maps and not (config.takes_maps and config.shipped_maps.startswith(PUBLISHED)):
        raise ValueError(
            f"shipped_maps={short_repr(config.shipped_maps)} is not allowed with architecture={config.architecture!r}; it "
            f"is a folder {PUBLISHED}<model> and goes with an architecture that draws from maps."
        )


def _network(config: "TrainConfig", option: str) -> None:
    """The arguments of one network against its class, which is not built for it."""
    network, given = getattr(ARCHITECTURES[config.architecture], option), getattr(config, option)
    shared = [key for key in given if key in ("resolution", "channels", "num_classes", "semantic_classes")]
    if network is None:
        return
    if shared:
        raise ValueError(
            f"{option}: {shared[0]!r} is set for both networks at the top of the recipe, or by the data, not here."
        )
    shape = {"resolution": config.resolution, "channels": config.channels}
    sentence = validate(network.__init__.__wrapped__, shape | given, complete=False)
    if sentence:
        raise ValueError(f"{option}: {sentence}")

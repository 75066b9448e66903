"""Which options go together: a table of rules for each section, checked once every option is valid by itself.

A rule takes the configuration and returns the sentence that refuses it, or None.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from gan_hub.augment import policy_columns
from gan_hub.losses import ADVERSARIAL, MATCHING
from gan_hub.messages import short_repr
from gan_hub.metrics.features import BUNDLED, BY_FILE, EXTRACTORS, HUB_ID, OWN_CLASSIFIERS
from gan_hub.models import ARCHITECTURES
from gan_hub.models.config_schema import validate
from gan_hub.training import architecture_rules as of_networks
from gan_hub.training.options import default_of
from gan_hub.training.recipes import PUBLISHED
from gan_hub.training.sections import FIELDS

if TYPE_CHECKING:
    from gan_hub.training.config import TrainConfig

MAX_NAME_BYTES = 200  # a folder's name may have 255

# ---------------------------------------------------------------------------------------------------- data


def _name_is_a_folder_name(config: "TrainConfig") -> str | None:
    """On any system: a run is moved from one to another, and its model is downloaded."""
    name = config.name
    marks = sorted(set(name) & set('/\\ <>:"|?*')) or [mark for mark in name if not mark.isprintable()]
    if not name or marks or name.startswith((".", "-")) or name.endswith("."):
        return (
            f'name={short_repr(name)} is not allowed; a name has no spaces or slashes, none of <>:"|?*, nothing that is not '
            "printed, no leading dot or dash and no dot at its end."
        )
    if len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        return f"name={short_repr(name)} is not allowed; it has at most {MAX_NAME_BYTES} bytes in UTF-8."
    if re.fullmatch(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])(\..*)?", name, re.IGNORECASE):
        return f"name={short_repr(name)} is not allowed; Windows keeps it for a device."
    return None


def _data_is_named(config: "TrainConfig") -> str | None:
    return None if config.data.strip() else "data='' is not allowed; it says what to train on."


def _balanced_classes_need_classes(config: "TrainConfig") -> str | None:
    if config.balance_classes and not config.conditional:
        return "balance_classes=True is not allowed with conditional=False, which has no classes."
    return None


def _pairs_have_no_labels(config: "TrainConfig") -> str | None:
    if config.takes_maps and (config.conditional or config.real_samples):
        return (
            f"conditional={config.conditional} and real_samples={short_repr(config.real_samples)} are not allowed with "
            f"architecture={config.architecture!r}, whose data are pairs of images and maps; choose false and ''."
        )
    return None


# ------------------------------------------------------------------------------------------------ networks


def _generator_arguments_fit(config: "TrainConfig") -> str | None:
    return _arguments_fit(config, "generator")


def _discriminator_arguments_fit(config: "TrainConfig") -> str | None:
    return _arguments_fit(config, "discriminator")


def _arguments_fit(config: "TrainConfig", option: str) -> str | None:
    """Whether the class of a network takes these arguments; it is not built for that."""
    arguments = getattr(config, option)
    network = config.discriminator_class if option == "discriminator" else ARCHITECTURES[config.architecture].generator
    if network is None:
        return None
    shared = [key for key in arguments if key in ("resolution", "channels", "num_classes", "semantic_classes")]
    if shared:
        return f"{option}: {shared[0]!r} is set for both networks at the top of the recipe, or by the data, not here."
    shape = {"resolution": config.resolution, "channels": config.channels}
    sentence = validate(network.__init__.__wrapped__, shape | arguments, complete=False)
    return f"{option}: {sentence}" if sentence else None


# ---------------------------------------------------------------------------------------------------- game


def _matching_needs_no_discriminator(config: "TrainConfig") -> str | None:
    if of_networks.trains_alone(config) != (config.loss in MATCHING):
        return (
            f"loss={config.loss!r} is not allowed with architecture={config.architecture!r}; the loss mmd and the "
            "architecture gmmn, which has no discriminator, go together only."
        )
    return None


def _a_generator_alone_has_no_opponents_options(config: "TrainConfig") -> str | None:
    """Options of a discriminator would do nothing: only those at their default, or at 0, pass."""
    if not of_networks.trains_alone(config):
        return None
    for name, spec in FIELDS.items():
        value = getattr(config, name)
        if spec.metadata["needs_discriminator"] and value not in (default_of(spec), 0):
            return f"{name}={value!r} is not allowed with architecture={config.architecture!r}, which has no discriminator."
    return None


def _smoothing_needs_a_target(config: "TrainConfig") -> str | None:
    able = [name for name, game in ADVERSARIAL.items() if "real_target" in game.options]
    if config.label_smoothing and config.loss not in able:
        return (
            f"label_smoothing={config.label_smoothing} is not allowed with loss={config.loss!r}, which has no target for "
            f"reals to smooth; it goes with {', '.join(able)}."
        )
    return None


def _policy_is_known(config: "TrainConfig") -> str | None:
    try:
        policy_columns(config.augment_policy)
    except ValueError as error:
        return f"augment_policy={short_repr(config.augment_policy)} is not allowed; {error}"
    return None


def _ada_needs_logits_with_a_sign(config: "TrainConfig") -> str | None:
    able = [name for name, game in ADVERSARIAL.items() if game.threshold is not None]
    if config.augment == "ada" and config.loss not in able:
        return (
            f"augment='ada' is not allowed with loss={config.loss!r}, whose logits have no sign to steer p by; it goes "
            f"with {', '.join(able)}. augment='diffaugment' goes with any."
        )
    return None


def _skipping_needs_a_winners_loss(config: "TrainConfig") -> str | None:
    if config.skip_discriminator_below and config.loss in ("wasserstein", "began"):
        return (
            f"skip_discriminator_below={config.skip_discriminator_below} is not allowed with loss={config.loss!r}, which has "
            "no value that means a discriminator that has won."
        )
    return None


def _several_updates_need_fresh_fakes(config: "TrainConfig") -> str | None:
    if config.share_fakes and config.discriminator_steps > 1:
        return (
            f"share_fakes=True is not allowed with discriminator_steps={config.discriminator_steps}; each of several "
            "updates needs fresh fakes."
        )
    return None


def _instance_noise_has_an_end(config: "TrainConfig") -> str | None:
    if config.instance_noise_kimg > config.total_kimg:
        return (
            f"instance_noise_kimg={config.instance_noise_kimg} is not allowed; it is at most total_kimg, "
            f"{config.total_kimg}, or the noise would never end."
        )
    if bool(config.instance_noise) != bool(config.instance_noise_kimg):
        return (
            f"instance_noise={config.instance_noise} and instance_noise_kimg={config.instance_noise_kimg} go together: how "
            "much noise, and when it has fallen to 0."
        )
    return None


# -------------------------------------------------------------------------------------------- optimization


def _decay_fits_into_the_run(config: "TrainConfig") -> str | None:
    if config.decay_kimg > config.total_kimg:
        return f"decay_kimg={config.decay_kimg} is not allowed; it is at most total_kimg, {config.total_kimg}: choose less."
    return None


def _momentum_needs_sgd(config: "TrainConfig") -> str | None:
    optimizers = {config.optimizer_generator, config.optimizer_discriminator}
    if config.momentum != default_of(FIELDS["momentum"]) and "sgd" not in optimizers:
        return f"momentum={config.momentum} is not allowed without sgd; Adam's is beta1."
    return None


# ------------------------------------------------------------------------------------------------- scoring


def _extractor_takes_the_images(config: "TrainConfig") -> str | None:
    name = config.extractor
    if name not in ("none", *EXTRACTORS) and not re.fullmatch(HUB_ID, name):
        known = f"none, {', '.join(EXTRACTORS)}"
        return f"extractor={short_repr(name)} is not allowed; choose one of {known}, or a Hub id (owner/name)."
    if name in OWN_CLASSIFIERS and (config.resolution, config.channels) != (28, 1):
        others = ", ".join(other for other in EXTRACTORS if other not in BUNDLED)
        return (
            f"extractor={short_repr(name)} is not allowed with {config.resolution} pixels and {config.channels} channels; it "
            f"takes 28 pixels and 1 channel. Choose mobilenet-v2, which takes any size and needs no file, {others}, or none."
        )
    return None


def _extractor_has_its_weights(config: "TrainConfig") -> str | None:
    name, weights = config.extractor, config.extractor_weights
    if name in BY_FILE and name not in BUNDLED and not weights:
        what = "a .safetensors file, or the Hub id of a repository with one"
        return f"extractor={short_repr(name)} needs extractor_weights: {what}."
    if weights and name in ("none", *OWN_CLASSIFIERS):
        return f"extractor_weights={short_repr(weights)} is not allowed with extractor={short_repr(name)}, which needs none."
    return None


def _selection_needs_scores(config: "TrainConfig") -> str | None:
    """Scores must be measured while the run goes on where something follows them."""
    for name, off in (("publish", "last"), ("patience_kimg", 0.0)):
        value = getattr(config, name)
        if value != off and (config.extractor == "none" or config.evaluate_kimg == 0):
            return (
                f"{name}={value!r} is not allowed with extractor={config.extractor!r} and evaluate_kimg="
                f"{config.evaluate_kimg}; it follows scores that are measured in training, so choose both."
            )
    return None


# ---------------------------------------------------------------------------------------------------- card


def _weights_have_a_license(config: "TrainConfig") -> str | None:
    if not config.license.strip():
        return "license='' is not allowed; it names the licence of the published weights (Hub licence id)."
    return None


def _shipped_images_have_a_notice(config: "TrainConfig") -> str | None:
    of_a_model = config.real_samples.startswith(PUBLISHED)  # their notice comes with them
    if config.real_samples and not of_a_model and not config.real_samples_notice.strip():
        return "real_samples_notice='' is not allowed with real_samples; say where they come from and their licence."
    return None


def _shipped_maps_are_a_models(config: "TrainConfig") -> str | None:
    if config.shipped_maps and not (config.takes_maps and config.shipped_maps.startswith(PUBLISHED)):
        return (
            f"shipped_maps={short_repr(config.shipped_maps)} is not allowed with architecture={config.architecture!r}; it "
            f"is a folder {PUBLISHED}<model> and goes with an architecture that draws from maps."
        )
    return None


# ----------------------------------------------------------------------------------------------- the table

RULES: dict[str, tuple[Callable[["TrainConfig"], str | None], ...]] = {
    "data": (_name_is_a_folder_name, _data_is_named, _balanced_classes_need_classes, _pairs_have_no_labels),
    "networks": (_generator_arguments_fit, _discriminator_arguments_fit),
    "game": (
        _matching_needs_no_discriminator,
        _a_generator_alone_has_no_opponents_options,
        _smoothing_needs_a_target,
        of_networks.began_needs_an_autoencoder,
        _policy_is_known,
        _ada_needs_logits_with_a_sign,
        _skipping_needs_a_winners_loss,
        of_networks.autoencoders_have_no_labels,
        of_networks.architecture_can_do_it,
        of_networks.growing_ends_in_time,
        of_networks.growing_networks_are_not_compiled,
        of_networks.path_length_needs_one_input,
        of_networks.several_scales_are_not_augmented,
        of_networks.maps_are_not_augmented,
        of_networks.features_are_of_one_image,
        _instance_noise_has_an_end,
        _several_updates_need_fresh_fakes,
    ),
    "optimization": (_decay_fits_into_the_run, _momentum_needs_sgd),
    "scoring": (_extractor_takes_the_images, _extractor_has_its_weights, _selection_needs_scores),
    "card": (_weights_have_a_license, _shipped_images_have_a_notice, _shipped_maps_are_a_models),
}


def check_together(config: "TrainConfig") -> None:
    """Raise ValueError, in one sentence, for the first rule that a configuration breaks."""
    for rules in RULES.values():
        for rule in rules:
            sentence = rule(config)
            if sentence:
                raise ValueError(sentence)

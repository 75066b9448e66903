"""The options of a run in their eight sections, each with its default, its limits and a reason or unit.

The docstring of a section is its heading in `--help`. Which options go together is in rules.py.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from gan_hub.augment import AugmentPipe
from gan_hub.losses import ADVERSARIAL, MATCHING
from gan_hub.metrics.features import EXTRACTORS, OWN_CLASSIFIERS
from gan_hub.models import ARCHITECTURES
from gan_hub.training.options import card_option, option

PRECISIONS = ("fp32", "bf16", "fp16", "fp64", "auto")  # fp64 is for parity tests
AUTO_PRECISIONS = ("fp32", "bf16")  # what auto chooses between
DEVICES = ("auto", "cpu", "cuda", "mps")
OPTIMIZERS = ("adam", "sgd")
INITIAL_PLAYERS = ("both", "generator")
MAX_KIMG = 1e9  # a trillion images


def _about_extractor(name: str) -> str:
    """A classifier of the project's own knows the classes of one data set, and counts those of others wrongly."""
    return "data" if name in OWN_CLASSIFIERS else "run"


def _about_rate(rate: float) -> str:
    """A rate of 0 goes with `initial`: the weights are finished, and stay as they are."""
    return "data" if rate == 0 else "run"


@dataclass(frozen=True)
class DataOptions:
    """data: the run's name and folder, its images and their shape."""

    name: str = option("my-gan", "name of the model; the run lies in runs/<name>", free=True)
    data: str = option("mnist", "known name, folder, .zip, .npz, or Hub data set id", free=True)
    output: str = option("runs", "folder of all runs", free=True)
    resolution: int | list = option(28, "pixels a side, or [height, width]")
    channels: int = option(1, "1 grey; 2 grey, opacity; 3 RGB; 4 RGB, opacity")
    conditional: bool = option(True, "use the data's labels")
    balance_classes: bool = option(False, "show each class equally often, however many images it has")
    flip: bool = option(False, "mirror real images at random")
    strict_data: bool = option(False, "a file that cannot be used ends the run instead of being skipped", free=True)


@dataclass(frozen=True)
class NetworkOptions:
    """networks: the architecture, and the weights to start from."""

    architecture: str = option("dcgan", "which pair of networks", choices=ARCHITECTURES)
    generator: dict = option({}, "further arguments of the generator class, as {latent_size: 64}")
    discriminator: dict = option({}, "further arguments of the discriminator class", needs_discriminator=True)
    initial: str = option(
        "",
        "a model with the weights that both networks start from: a folder, a bundled name, or a Hub id",
        about="data",
    )
    initial_players: str = option(
        "both", "which networks start from there: both, or the generator alone", choices=INITIAL_PLAYERS
    )


@dataclass(frozen=True)
class GameOptions:
    """game: loss, penalties, steps, and what the discriminator sees."""

    loss: str = option("non_saturating", "adversarial, or mmd of gmmn", choices=(*ADVERSARIAL, *MATCHING))
    label_smoothing: float = option(
        0.0, "one-sided: the target of real images is 1 minus this", low=0, high=0.5, needs_discriminator=True
    )
    discriminator_steps: int = option(
        1, "k of Algorithm 1: updates of D before each of G, each on fresh images", low=1, needs_discriminator=True
    )
    share_fakes: bool = option(
        False, "one batch of fakes for both networks' steps (faster; Algorithm 1 draws anew)", needs_discriminator=True
    )
    skip_discriminator_below: float = option(
        0.0, "D is not updated while its loss is below this; 0: always", low=0, needs_discriminator=True
    )
    r1_gamma: float = option(
        0.5, "weight of R1, the gradient penalty on reals; 0 turns it off", low=0, needs_discriminator=True
    )
    r2_gamma: float = option(0.0, "weight of R2, the same on fakes", low=0, needs_discriminator=True)
    wgan_gp_weight: float = option(
        0.0, "weight of WGAN-GP's penalty between reals and fakes; the paper's is 10", low=0, needs_discriminator=True
    )
    dragan_weight: float = option(
        0.0, "weight of DRAGAN's penalty around reals; the paper's is 10", low=0, needs_discriminator=True
    )
    penalty_interval: int = option(16, "steps between gradient penalties, each weighted by this interval", low=1)
    weight_clip: float = option(
        0.0, "clip D's weights to ± this after each update; WGAN's is 0.01", low=0, needs_discriminator=True
    )
    path_length_weight: float = option(
        0.0, "StyleGAN2's path length penalty of G; the paper's is 2", low=0, needs_discriminator=True
    )
    path_length_interval: int = option(4, "steps between path length penalties, each weighted by this interval", low=1)
    mixing: float = option(
        0.0, "StyleGAN, StyleGAN2: share of fakes made of two latents; the paper's is 0.9", low=0, high=1
    )
    grow_kimg: float = option(
        0.0, "ProGAN, StyleGAN: kimg in which each doubling fades in, and again to settle; 0: all at once",
        low=0, high=MAX_KIMG, shrinks_with_run=True,
    )  # fmt: skip
    feature_matching_weight: float = option(
        0.0, "SPADE: G also matches D's features of the real image; the paper's is 10", low=0
    )
    began_gamma: float = option(
        0.5, "BEGAN: diversity ratio, the balance kept between fakes' and reals' errors", low=0, high=1
    )
    began_rate: float = option(0.001, "BEGAN: step of the balance", low=0)
    augment: str = option(
        "none", "what reals and fakes go through before D", choices=AugmentPipe.AUGMENTS, needs_discriminator=True
    )
    augment_policy: str = option("color,translation,cutout", "operations of diffaugment")
    ada_target: float = option(0.6, "ada: p is steered so that the mean sign of reals' logits is this", low=0, high=1)
    ada_kimg: float = option(500.0, "ada: the shortest time in which p goes from 0 to 1", low=0.001, high=MAX_KIMG)
    instance_noise: float = option(
        0.0, "standard deviation of noise on D's inputs at the start", low=0, needs_discriminator=True
    )
    instance_noise_kimg: float = option(
        0.0, "linear decay of that noise to 0 over the first N kimg", low=0, high=MAX_KIMG, shrinks_with_run=True,
        needs_discriminator=True,
    )  # fmt: skip


@dataclass(frozen=True)
class OptimizationOptions:
    """optimization: batches, length, optimizers, averaged generator."""

    batch_size: int = option(64, "images a step, over all processes", low=1, high=2**20, may_change=True)
    total_kimg: float = option(1000.0, "length of the run", low=0.001, high=MAX_KIMG, may_change=True)
    optimizer_generator: str = option("adam", "optimizer of the generator", choices=OPTIMIZERS)
    optimizer_discriminator: str = option(
        "adam", "optimizer of the discriminator; ganhacks' tip 9 is sgd", choices=OPTIMIZERS, needs_discriminator=True
    )
    learning_rate_generator: float = option(
        5e-4, "of G's optimizer; sgd wants some 100 times adam's", low=0, about=_about_rate, may_change=True
    )
    learning_rate_discriminator: float = option(5e-4, "of D's", low=0, about=_about_rate, may_change=True)
    momentum: float = option(0.9, "of SGD", low=0, high=0.9999)
    beta1: float = option(0.5, "of Adam; the DCGAN paper's 0.5 damps oscillation", low=0, high=0.9999)
    beta2: float = option(0.99, "of Adam", low=0, high=0.999999)
    decay_kimg: float = option(
        0.0, "linear decay of both learning rates to 0 over the last N kimg", low=0, high=MAX_KIMG,
        shrinks_with_run=True, may_change=True,
    )  # fmt: skip
    ema_halflife_kimg: float = option(
        10.0, "half-life of the averaged generator; 0: no averaging", low=0, high=MAX_KIMG
    )


@dataclass(frozen=True)
class PrecisionOptions:
    """precision: arithmetic, device, seed."""

    precision: str = option(
        "fp32",
        "arithmetic of the networks; penalties are fp32 in bf16 and fp16; auto measures fp32 and bf16 for a second",
        choices=PRECISIONS,
    )
    compile: bool = option(
        False, "torch.compile both networks (needs a C++ compiler; minutes at the start)", may_change=True
    )
    channels_last: bool = option(
        True, "memory format of the networks; faster on CPUs, and with bf16 on GPUs", may_change=True
    )
    tf32: bool = option(False, "fp32 products of CUDA GPUs with TF32's 10-bit mantissa", may_change=True)
    device: str = option("auto", "auto takes a GPU where there is one", choices=DEVICES, free=True)
    seed: int = option(0, "of weights, data order and noise", low=0, high=2**63 - 1)


@dataclass(frozen=True)
class LoggingOptions:
    """logging: log, sample grids, alarms, checkpoints."""

    log_kimg: float = option(5.0, "kimg between lines of the training log", low=0.001, high=MAX_KIMG, free=True)
    sample_kimg: float = option(50.0, "kimg between sample grids", low=0.001, high=MAX_KIMG, free=True)
    trackers: str = option("tensorboard", "any of accelerate's trackers, comma-separated; or none", free=True)
    alarms: str = option("warn", "what a monitor's alarm does to the run", choices=("warn", "stop", "off"), free=True)
    timelapse_frames: int = option(
        24, "frames of an animation of the same latents from start to end; 0: none", low=0, high=10_000, free=True
    )
    checkpoint_kimg: float = option(50.0, "kimg between checkpoints", low=0.001, high=MAX_KIMG, free=True)
    keep_checkpoints: int = option(2, "newest checkpoints kept", low=1, free=True)


@dataclass(frozen=True)
class ScoringOptions:
    """scoring: scores while training, and which weights become the model."""

    evaluate_kimg: float = option(100.0, "kimg between scores; 0: only at the end", low=0, high=MAX_KIMG, free=True)
    publish: str = option(
        "last", "which averaged weights become the model; best is by score", choices=("last", "best"), free=True,
        selects_weights=True,
    )  # fmt: skip
    patience_kimg: float = option(
        0.0, "the run ends after this many kimg without a better score; 0: never", low=0, high=MAX_KIMG, free=True,
        selects_weights=True,
    )  # fmt: skip
    extractor: str = option(
        "none", f"features of the Fréchet distance: none, {', '.join(EXTRACTORS)}, or a Hub id", free=True,
        about=_about_extractor,
    )  # fmt: skip
    extractor_weights: str = option(
        "",
        "its .safetensors file, or the Hub id of one; digits, fashion and mobilenet-v2 have theirs",
        free=True,
        part_of="extractor",
    )
    evaluate_images: int = option(10_000, "generated images a score is made of", low=2, free=True)
    held_out: int = option(1000, "images kept from training for the judge where the data has no test split", low=4)


@dataclass(frozen=True)
class CardOptions:
    """card: words of the model card, what is shipped beside the weights; `card:` in a recipe."""

    license: str = card_option("apache-2.0", "of the published weights (Hub licence id)", about="data")
    data_license: str = card_option("", "licence of the images", about="data")
    example_maps: int = card_option(
        64, "SPADE: number of held-out maps that are shipped with the model", about="run", low=1, high=64
    )
    shipped_maps: str = card_option(
        "", "SPADE: model_cards/<model>; its example maps are shipped where held-out ones may not be",
        about="data",
    )  # fmt: skip
    real_samples: str = card_option(
        "", "held-out images that may be shipped: the test split of any data source", about="data"
    )
    real_samples_notice: str = card_option(
        "", "origin and licence of the shipped images; those of model_cards/… bring theirs", about="data",
        part_of="real_samples",
    )  # fmt: skip
    pictures_may_be_shown: bool = card_option(
        False, "the licence lets the card show training images beside generated ones", about="data"
    )
    seen: str = card_option("", "what a person saw in the sample grid, and what is wrong in it", about="model")
    goals: str = card_option("", "what the model was to reach, what it did, and why not (Markdown)", about="model")
    not_for: str = card_option(
        "", "what the model must not be used for; by default what holds of any GAN", about="data"
    )


SECTIONS: dict[str, type[Any]] = {
    "data": DataOptions,
    "networks": NetworkOptions,
    "game": GameOptions,
    "optimization": OptimizationOptions,
    "precision": PrecisionOptions,
    "logging": LoggingOptions,
    "scoring": ScoringOptions,
    "card": CardOptions,
}
FIELDS = {spec.name: spec for section in SECTIONS.values() for spec in dataclasses.fields(section)}
CARD_OPTIONS = {spec.name for spec in dataclasses.fields(CardOptions)}
# Names of 0.1.0, still read in recipes, flags and checkpoints.
ALIASES = {"r1_interval": "penalty_interval"}


def options_with(mark: str) -> set[str]:
    """The names of all options declared with `mark`, as "free" or "shrinks_with_run"."""
    return {name for name, spec in FIELDS.items() if spec.metadata[mark]}


# Options that may differ between a run and its continuation, for they change no weight. (Data are compared by content.)
FREE_OPTIONS = options_with("free")
# Free options that decide which of the run's weights become the model.
SELECTION_OPTIONS = options_with("selects_weights")

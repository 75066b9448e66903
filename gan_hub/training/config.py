"""One frozen dataclass holds a run: a recipe (YAML) fills it, flags override it, it is saved with the run."""

import argparse
import dataclasses
import math
import re
import typing
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from gan_hub.augment import View, policy_columns
from gan_hub.data import NAMED
from gan_hub.losses import ADVERSARIAL, MATCHING
from gan_hub.metrics.features import BUNDLED, BY_FILE, EXTRACTORS, HUB_ID
from gan_hub.models import ARCHITECTURES
from gan_hub.models.abilities import Autoencoding, Growing, MultiScale, Semantic, StyleBased
from gan_hub.models.fields import problem
from gan_hub.models.layers import doublings

PRECISIONS = ("fp32", "bf16", "fp16", "fp64")  # fp64 is for parity tests
DEVICES = ("auto", "cpu")
OPTIMIZERS = ("adam", "sgd")
INITIAL_PLAYERS = ("both", "generator")
PUBLISHED = "model_cards/"  # of a checkout: models whose real images or maps another recipe may ship again


def option(default, help: str, choices=None, low=None, high=None, about="run", free=False, may_change=False):
    """A field with its reason or unit, the values allowed, and the smallest and largest one allowed.

    `about`: "run", what is trained and how; "data", a statement about the recipe's own images, and "model", one about
    the model it made of them, which other people's runs must not repeat. `free`: it changes no weight, so that a run's
    continuation may have another value. `may_change`: it may as well, and changes the weights from there on.
    """
    value = {"default_factory": dict} if default == {} else {"default": default}
    metadata = {"help": help, "choices": choices, "low": low, "high": high, "about": about, "free": free}
    metadata["may_change"] = may_change
    return field(**value, metadata=metadata)


@dataclass(frozen=True)
class TrainConfig:
    """A run. The clock counts images (kimg = 1,000 images over all processes), not steps."""

    name: str = option("my-gan", "name of the model; the run lies in runs/<name>", free=True)
    data: str = option("mnist", "known name, folder, .zip, .npz, or Hub data set id", free=True)
    output: str = option("runs", "folder of all runs", free=True)

    architecture: str = option("dcgan", "which pair of networks", choices=ARCHITECTURES)
    resolution: int | list = option(28, "pixels a side, or [height, width]")
    channels: int = option(1, "1 grey; 2 grey, opacity; 3 RGB; 4 RGB, opacity")
    conditional: bool = option(True, "use the data's labels")
    generator: dict = option({}, "further arguments of the generator class, as {latent_size: 64}")
    discriminator: dict = option({}, "further arguments of the discriminator class")
    initial: str = option("", "a model whose weights both players start from: a folder, a bundled name, or a Hub id")
    initial_players: str = option(
        "both", "which of them start from there, or the generator alone", choices=INITIAL_PLAYERS
    )

    loss: str = option("non_saturating", "adversarial, or mmd of gmmn", choices=(*ADVERSARIAL, *MATCHING))
    label_smoothing: float = option(0.0, "one-sided: reals are called real with 1 minus this", low=0, high=0.5)
    discriminator_steps: int = option(1, "k of Algorithm 1: updates of D before each of G, each on fresh images", low=1)
    share_fakes: bool = option(False, "the same fakes serve both players' steps (faster; Algorithm 1 draws anew)")
    skip_discriminator_below: float = option(0.0, "D is not updated while its loss is below this; 0: always", low=0)
    r1_gamma: float = option(0.5, "weight of R1, the gradient penalty on reals; 0 turns it off", low=0)
    r2_gamma: float = option(0.0, "weight of R2, the same on fakes", low=0)
    wgan_gp_weight: float = option(0.0, "weight of WGAN-GP's penalty between reals and fakes; the paper's is 10", low=0)
    dragan_weight: float = option(0.0, "weight of DRAGAN's penalty around reals; the paper's is 10", low=0)
    penalty_interval: int = option(16, "steps between gradient penalties, each weighted by this interval", low=1)
    weight_clip: float = option(0.0, "D's weights are clipped to ± this after each update; WGAN's is 0.01", low=0)
    path_length_weight: float = option(0.0, "StyleGAN2's path length penalty of G; the paper's is 2", low=0)
    path_length_interval: int = option(4, "steps between path length penalties, each weighted by this interval", low=1)
    mixing: float = option(
        0.0, "StyleGAN, StyleGAN2: share of fakes made of two latents; the paper's is 0.9", low=0, high=1
    )
    grow_kimg: float = option(
        0.0, "ProGAN, StyleGAN: each doubling fades in so long, then settles; 0: all at once", low=0
    )
    feature_matching_weight: float = option(
        0.0, "SPADE: G also matches D's features of the real image; 10 there", low=0
    )
    began_gamma: float = option(
        0.5, "BEGAN: diversity ratio, the balance kept between fakes' and reals' errors", low=0, high=1
    )
    began_rate: float = option(0.001, "BEGAN: step of the balance", low=0)
    batch_size: int = option(64, "images a step, over all processes", low=1, may_change=True)

    flip: bool = option(False, "reals are mirrored at random")
    augment: str = option("none", "what both reals and fakes go through before D", choices=View.AUGMENTS)
    augment_policy: str = option("color,translation,cutout", "of diffaugment")
    ada_target: float = option(0.6, "ada: the mean sign of reals' logits that p is steered to", low=0, high=1)
    ada_kimg: float = option(500.0, "ada: the time p takes from 0 to 1 at most", low=0.001)
    instance_noise: float = option(0.0, "standard deviation of noise on D's inputs at the start", low=0)
    instance_noise_kimg: float = option(0.0, "when that noise has fallen, linearly, to exactly 0", low=0)

    total_kimg: float = option(1000.0, "length of the run", low=0.001, may_change=True)
    optimizer_generator: str = option("adam", "what follows the gradient", choices=OPTIMIZERS)
    optimizer_discriminator: str = option("adam", "the same of D; ganhacks' tip 9 is sgd", choices=OPTIMIZERS)
    learning_rate_generator: float = option(
        5e-4, "of G's optimizer; sgd wants some 100 times adam's", low=0, may_change=True
    )
    learning_rate_discriminator: float = option(5e-4, "of D's", low=0, may_change=True)
    momentum: float = option(0.9, "SGD", low=0, high=0.9999)
    beta1: float = option(0.5, "Adam; the DCGAN paper's 0.5 damps oscillation", low=0, high=0.9999)
    beta2: float = option(0.99, "Adam", low=0, high=0.999999)
    decay_kimg: float = option(
        0.0, "the last so many kimg both learning rates fall linearly to 0", low=0, may_change=True
    )
    ema_halflife_kimg: float = option(10.0, "half-life of the averaged generator", low=0)

    precision: str = option(
        "fp32", "arithmetic of the networks; penalties are fp32 in bf16 and fp16", choices=PRECISIONS
    )
    compile: bool = option(
        False, "torch.compile both networks (needs a C++ compiler; minutes at the start)", may_change=True
    )
    channels_last: bool = option(
        False, "memory format of the networks; faster with bf16 on CPUs and GPUs", may_change=True
    )
    tf32: bool = option(False, "fp32 products of CUDA GPUs with TF32's 10-bit mantissa", may_change=True)
    device: str = option("auto", "auto takes a GPU where there is one", choices=DEVICES, free=True)
    seed: int = option(0, "of weights, data order and noise", low=0, high=2**63 - 1)

    log_kimg: float = option(5.0, "between lines of the training log", low=0.001, free=True)
    sample_kimg: float = option(50.0, "between sample grids", low=0.001, free=True)
    trackers: str = option("tensorboard", "any of accelerate's trackers, comma-separated; or none", free=True)
    alarms: str = option("warn", "what a monitor's alarm does to the run", choices=("warn", "stop", "off"), free=True)
    timelapse_frames: int = option(
        24, "pictures of the same latents from start to end, an animation; 0: none", low=0, free=True
    )
    checkpoint_kimg: float = option(50.0, "between checkpoints", low=0.001, free=True)
    keep_checkpoints: int = option(2, "newest checkpoints kept", low=1, free=True)
    evaluate_kimg: float = option(100.0, "between scores; 0: only at the end", low=0, free=True)
    publish: str = option(
        "last", "which averaged weights become the model; best is by score", choices=("last", "best"), free=True
    )
    patience_kimg: float = option(0.0, "the run ends when no score was better for so long; 0: never", low=0, free=True)
    extractor: str = option(
        "none", f"features of the Fréchet distance: none, {', '.join(EXTRACTORS)}, or a Hub id", free=True
    )
    extractor_weights: str = option(
        "", "its .safetensors file, or the Hub id of one; digits and fashion have theirs", free=True
    )
    evaluate_images: int = option(10_000, "generated images a score is made of", low=2, free=True)
    held_out: int = option(1000, "images kept from training for the judge where the data has no test split", low=4)

    strict_data: bool = option(False, "a file that cannot be used ends the run instead of being skipped", free=True)
    license: str = option("apache-2.0", "of the published weights (Hub licence id)", free=True)
    data_license: str = option("", "licence of the images, for the card", about="data", free=True)
    example_maps: int = option(
        64, "SPADE: held-out maps that go into the model's folder, and where it goes", low=1, high=64, free=True
    )
    shipped_maps: str = option(
        "", "SPADE: model_cards/<model> whose example maps go there instead, as where held-out ones may not", free=True
    )
    real_samples: str = option(
        "", "held-out images that may be shipped: any data source, whose test split is taken", about="data", free=True
    )
    real_samples_notice: str = option(
        "", "origin and licence of the shipped images; those of model_cards/… bring theirs", about="data", free=True
    )
    pictures_may_be_shown: bool = option(
        False, "the licence lets the card show training images beside generated ones", about="data", free=True
    )
    seen: str = option(
        "", "what a person saw in the sample grid, and what is wrong in it, for the card", about="model", free=True
    )
    goals: str = option(
        "", "what the model was to reach, what it did, and why not, for the card (Markdown)", about="model", free=True
    )
    not_for: str = option(
        "",
        "what the model must not be used for, for the card; by default what holds of any GAN",
        about="data",
        free=True,
    )

    def __post_init__(self):
        for name, value in vars(self).items():
            self._check(name, value)
        total, decay = self.total_kimg, self.decay_kimg
        if decay > total:
            raise ValueError(f"decay_kimg={decay} is not allowed; it is at most total_kimg, {total}.")
        self._check_game()
        self._check_extractor()
        self._check_scores()
        for name in ("license", "data"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name}='' is not allowed; {FIELDS[name].metadata['help']}.")
        of_a_model = self.real_samples.startswith(PUBLISHED)  # whose notice comes with them
        if self.real_samples and not of_a_model and not self.real_samples_notice.strip():
            raise ValueError(
                "real_samples_notice='' is not allowed with real_samples; say where they come from and their licence."
            )
        for option in ("generator", "discriminator"):
            self._check_network(option)
        if not self.name or set(self.name) & set("/\\ ") or self.name.startswith("."):
            raise ValueError(f"name={self.name!r} is not allowed; a name has no spaces or slashes and no leading dot.")

    def _check_game(self) -> None:
        """Options that are right each by itself and do not go together."""
        optimizers = {self.optimizer_generator, self.optimizer_discriminator}
        if self.momentum != FIELDS["momentum"].default and "sgd" not in optimizers:
            raise ValueError(f"momentum={self.momentum} is not allowed without sgd; Adam's is beta1.")
        alone = ARCHITECTURES[self.architecture].discriminator is None
        if alone != (self.loss in MATCHING):
            raise ValueError(
                f"loss={self.loss!r} is not allowed with architecture={self.architecture!r}; the loss mmd and the "
                "architecture gmmn, which has no discriminator, go together only."
            )
        if alone:
            self._check_alone()
            self._check_abilities()
            return
        if self.label_smoothing and "real_target" not in ADVERSARIAL[self.loss].options:
            able = [name for name, game in ADVERSARIAL.items() if "real_target" in game.options]
            raise ValueError(
                f"label_smoothing={self.label_smoothing} is not allowed with loss={self.loss!r}, which has no target for "
                f"reals to smooth; it goes with {', '.join(able)}."
            )
        autoencoding = issubclass(ARCHITECTURES[self.architecture].discriminator, Autoencoding)
        if (self.loss == "began") != autoencoding:
            raise ValueError(
                f"loss={self.loss!r} is not allowed with architecture={self.architecture!r}; the loss began and an "
                "architecture whose discriminator is an autoencoder (began is one) go together only."
            )
        try:
            policy_columns(self.augment_policy)
        except ValueError as error:
            raise ValueError(f"augment_policy={self.augment_policy!r} is not allowed; {error}") from error
        if self.augment == "ada" and ADVERSARIAL[self.loss].threshold is None:
            able = [name for name, game in ADVERSARIAL.items() if game.threshold is not None]
            raise ValueError(
                f"augment='ada' is not allowed with loss={self.loss!r}, whose logits have no sign to steer p by; it goes "
                f"with {', '.join(able)}. augment='diffaugment' goes with any."
            )
        if self.skip_discriminator_below and self.loss in ("wasserstein", "began"):
            raise ValueError(
                f"skip_discriminator_below={self.skip_discriminator_below} is not allowed with loss={self.loss!r}, which has "
                "no value that means a discriminator that has won."
            )
        if autoencoding and self.conditional:
            raise ValueError(
                f"conditional=True is not allowed with architecture={self.architecture!r}, which has no classes."
            )
        self._check_abilities()
        self._check_images()
        self._check_turns()

    def _check_extractor(self) -> None:
        """Whether it is known, takes these images, and has its weights."""
        name, weights = self.extractor, self.extractor_weights
        if name not in ("none", *EXTRACTORS) and not re.fullmatch(HUB_ID, name):
            raise ValueError(
                f"extractor={name!r} is not allowed; choose one of none, {', '.join(EXTRACTORS)}, or a Hub id (owner/name)."
            )
        if name in BUNDLED and (self.resolution, self.channels) != (28, 1):
            others = ", ".join(other for other in EXTRACTORS if other not in BUNDLED)
            raise ValueError(
                f"extractor={name!r} is not allowed with {self.resolution} pixels and {self.channels} channels; it takes 28 "
                f"pixels and 1 channel. Choose none, or {others}, which take any size."
            )
        if name in BY_FILE and not weights:
            raise ValueError(
                f"extractor={name!r} needs extractor_weights: a .safetensors file, or the Hub id of a repository with one."
            )
        if weights and name in ("none", *BUNDLED):
            raise ValueError(f"extractor_weights={weights!r} is not allowed with extractor={name!r}, which needs none.")

    def _check_scores(self) -> None:
        """Options that follow the scores, which must then be measured while the run goes on."""
        for name, off in (("publish", "last"), ("patience_kimg", 0.0)):
            given = getattr(self, name)
            if given != off and (self.extractor == "none" or self.evaluate_kimg == 0):
                raise ValueError(
                    f"{name}={given!r} is not allowed with extractor={self.extractor!r} and evaluate_kimg="
                    f"{self.evaluate_kimg}; it follows scores that are measured in training, so choose both."
                )

    def _check_turns(self) -> None:
        """What the two players share in a step, and noise that must end."""
        if self.instance_noise_kimg > self.total_kimg:
            raise ValueError(
                f"instance_noise_kimg={self.instance_noise_kimg} is not allowed; it is at most total_kimg, "
                f"{self.total_kimg}, or the noise would never end."
            )
        if self.share_fakes and self.discriminator_steps > 1:
            raise ValueError(
                f"share_fakes=True is not allowed with discriminator_steps={self.discriminator_steps}; each of several "
                "updates needs fresh fakes."
            )
        if bool(self.instance_noise) != bool(self.instance_noise_kimg):
            raise ValueError(
                f"instance_noise={self.instance_noise} and instance_noise_kimg={self.instance_noise_kimg} go together: how "
                "much noise, and when it has fallen to 0."
            )

    def _check_alone(self) -> None:
        """Options of a game of two, which would do nothing: only those at their default, or at 0, are let pass."""
        for name in OF_TWO:
            if getattr(self, name) not in (_default(FIELDS[name]), 0):
                raise ValueError(
                    f"{name}={getattr(self, name)!r} is not allowed with architecture={self.architecture!r}, which has no "
                    "discriminator."
                )

    def _check_abilities(self) -> None:
        """Options that only some architectures can follow."""
        generator = ARCHITECTURES[self.architecture].generator
        for option, ability in (("grow_kimg", Growing), ("mixing", StyleBased), ("feature_matching_weight", Semantic)):
            if getattr(self, option) and not issubclass(generator, ability):
                able = [name for name, pair in ARCHITECTURES.items() if issubclass(pair.generator, ability)]
                raise ValueError(
                    f"{option}={getattr(self, option)} is not allowed with architecture={self.architecture!r}; it goes with "
                    f"{', '.join(able)}."
                )
        if 2 * self.levels * self.grow_kimg > self.total_kimg:
            raise ValueError(
                f"grow_kimg={self.grow_kimg} is not allowed; to grow {self.levels} times takes {2 * self.levels} times that, "
                f"and total_kimg is {self.total_kimg}."
            )
        if self.grow_kimg and self.compile:
            raise ValueError(
                f"grow_kimg={self.grow_kimg} is not allowed with compile=True, which would begin anew at every step."
            )
        if self.path_length_weight and (self.can_grow or self.takes_maps or issubclass(generator, MultiScale)):
            raise ValueError(
                f"path_length_weight={self.path_length_weight} is not allowed with architecture={self.architecture!r}, whose "
                "images come from more, or at times from less, than one z or w; choose 0."
            )

    def _check_images(self) -> None:
        """What cannot be done to images of several scales, or to images that have maps."""
        if issubclass(ARCHITECTURES[self.architecture].generator, MultiScale):
            for option, off in (("augment", "none"), ("wgan_gp_weight", 0.0), ("dragan_weight", 0.0)):
                if getattr(self, option) != off:
                    raise ValueError(
                        f"{option}={getattr(self, option)!r} is not allowed with architecture={self.architecture!r}, whose "
                        f"images have several scales; choose {off!r}. r1_gamma, r2_gamma and flip go with it."
                    )
        if self.takes_maps and self.augment != "none":
            raise ValueError(
                f"augment={self.augment!r} is not allowed with architecture={self.architecture!r}: it would move the image and "
                "leave its map; choose none. flip mirrors both."
            )
        if self.takes_maps and (self.conditional or self.real_samples):
            raise ValueError(
                f"conditional={self.conditional} and real_samples={self.real_samples!r} are not allowed with architecture="
                f"{self.architecture!r}, whose data are pairs of images and maps; choose false and ''."
            )

        if self.shipped_maps and not (self.takes_maps and self.shipped_maps.startswith(PUBLISHED)):
            raise ValueError(
                f"shipped_maps={self.shipped_maps!r} is not allowed with architecture={self.architecture!r}; it is a folder "
                f"{PUBLISHED}<model> and goes with an architecture that draws from maps."
            )

    def _check_network(self, option: str) -> None:
        """The arguments of one network against its class, which is not built for it."""
        network, given = getattr(ARCHITECTURES[self.architecture], option), getattr(self, option)
        shared = [key for key in given if key in ("resolution", "channels", "num_classes", "semantic_classes")]
        if network is None:
            return
        if shared:
            raise ValueError(
                f"{option}: {shared[0]!r} is set for both networks at the top of the recipe, or by the data, not here."
            )
        shape = {"resolution": self.resolution, "channels": self.channels}
        sentence = problem(network.__init__.__wrapped__, shape | given, complete=False)
        if sentence:
            raise ValueError(f"{option}: {sentence}")

    def _check(self, name: str, value: object) -> None:
        spec = FIELDS[name]
        wanted, choices = spec.type, spec.metadata["choices"]
        low, high = spec.metadata["low"], spec.metadata["high"]
        if wanted is float and type(value) is int:
            object.__setattr__(self, name, float(value))
            value = float(value)
        if type(value) not in _types(wanted):
            raise ValueError(f"{name}={value!r} is not allowed; it is a value of type {_shown(wanted)}.")
        if choices is not None and value not in choices:
            raise ValueError(f"{name}={value!r} is not allowed; choose one of {', '.join(choices)}.")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name}={value!r} is not allowed; it is a finite number.")
        if low is not None and value < low:
            raise ValueError(f"{name}={value!r} is not allowed; it is {low} or more.")
        if high is not None and value > high:
            raise ValueError(f"{name}={value!r} is not allowed; it is {high} or less.")

    @property
    def run_folder(self) -> Path:
        return Path(self.output) / self.name

    @property
    def tracker_names(self) -> list[str]:
        """Accelerate's names of the trackers that are on."""
        names = [name.strip() for name in self.trackers.split(",")]
        return [name for name in names if name not in ("", "none")]

    @property
    def penalties(self) -> dict[str, float]:
        """Name in `losses.PENALTIES` → weight, of the discriminator's gradient penalties that are on."""
        weights = {
            "r1": self.r1_gamma,
            "r2": self.r2_gamma,
            "wgan_gp": self.wgan_gp_weight,
            "dragan": self.dragan_weight,
        }
        return {name: weight for name, weight in weights.items() if weight > 0}

    @property
    def can_grow(self) -> bool:
        """Whether the players have layers that only some levels use."""
        return issubclass(ARCHITECTURES[self.architecture].generator, Growing)

    @property
    def takes_maps(self) -> bool:
        """Whether both players are told a map of semantic classes, so that the data are pairs of images and maps."""
        return issubclass(ARCHITECTURES[self.architecture].generator, Semantic)

    @property
    def pairs_matter(self) -> bool:
        """Whether a fake is held against the real image of the same row, and so needs its label."""
        return ADVERSARIAL[self.loss].paired or self.feature_matching_weight > 0

    @property
    def levels(self) -> int:
        """How often a growing network doubles its size."""
        return len(doublings(self.resolution)) - 1

    def level(self, images_seen: int) -> float:
        """How far a growing network has grown: `grow_kimg` at level 0, then as long to fade each level in as to settle."""
        time = images_seen / (1000 * self.grow_kimg) - 1
        whole = time // 2
        return 0.0 if time < 0 else min(float(self.levels), whole + min(1.0, time - 2 * whole))

    @property
    def total_steps(self) -> int:
        return math.ceil(1000 * self.total_kimg / self.batch_size)

    def every(self, kimg: float) -> int:
        """An interval in kimg as a whole number of steps, at least one."""
        return max(1, round(1000 * kimg / self.batch_size))

    def learning_rate_factor(self, images_seen: int) -> float:
        """1, then linearly down to 0 over the last `decay_kimg`."""
        left = 1000 * self.total_kimg - images_seen
        return 1.0 if self.decay_kimg == 0 else min(1.0, max(0.0, left / (1000 * self.decay_kimg)))

    def to_yaml(self) -> str:
        return yaml.safe_dump(dataclasses.asdict(self), sort_keys=False, allow_unicode=True)


FIELDS = {spec.name: spec for spec in dataclasses.fields(TrainConfig)}
ALIASES = {"r1_interval": "penalty_interval"}  # names of 0.1.0, still read in recipes, flags and checkpoints


def modern(options: dict) -> dict:
    """Options with today's names, whichever release wrote them."""
    return {ALIASES.get(name, name): value for name, value in options.items()}


def _types(wanted) -> tuple[type, ...]:
    return typing.get_args(wanted) or (wanted,)


def _shown(wanted) -> str:
    return " or ".join(kind.__name__ for kind in _types(wanted))


# Options of a game of two: without a discriminator they mean nothing.
OF_TWO = (
    "discriminator", "label_smoothing", "discriminator_steps", "share_fakes", "skip_discriminator_below", "r1_gamma",
    "r2_gamma", "wgan_gp_weight", "dragan_weight", "weight_clip", "path_length_weight", "augment", "instance_noise",
    "instance_noise_kimg", "optimizer_discriminator",
)  # fmt: skip
# Options that may differ between a run and its continuation, for they change no weight. (Data are compared by content.)
FREE_OPTIONS = {name for name, spec in FIELDS.items() if spec.metadata["free"]}
# What a recipe says about its own images and about the model it made of them.
ABOUT_THE_DATA = {name for name, spec in FIELDS.items() if spec.metadata["about"] in ("data", "model")}
# Of these, the ones that look at a finished model.
ABOUT_THE_MODEL = {name for name, spec in FIELDS.items() if spec.metadata["about"] == "model"}
# Options that change no weight of the run and yet decide which of its weights the model has.
CHOOSING = {"publish", "patience_kimg"}


def merge(recipe: dict, flags: dict) -> dict:
    """A recipe's options with flags over them; what the recipe says of other data, or of another run, is not repeated.

    With `data` given, its statements about the images go; with anything that changes weights, the words about samples.
    """
    options = recipe | flags
    dropped = ABOUT_THE_DATA if flags.get("data", recipe.get("data")) != recipe.get("data") else set()
    if flags.keys() - (FREE_OPTIONS - CHOOSING) - {"name"}:
        dropped = dropped | ABOUT_THE_MODEL
    return {name: value for name, value in options.items() if name in flags or name not in dropped}


def read_recipe(path: Path) -> dict:
    """The options a recipe sets; raises ValueError for an unreadable file or a key that is no option."""
    try:
        options = yaml.load(path.read_text(encoding="utf-8"), Loader=_Recipe)  # a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"recipe {path}: cannot be read ({' '.join(str(error).split())}).") from error
    if not isinstance(options, dict):
        raise ValueError(f"recipe {path}: 'key: value' lines are expected.")
    unknown = [key for key in options if key not in FIELDS and key not in ALIASES]
    if unknown:
        raise ValueError(f"recipe {path}: unknown key {unknown[0]!r}; known keys: {', '.join(FIELDS)}.")
    twice = [old for old, new in ALIASES.items() if old in options and new in options]
    if twice:
        raise ValueError(
            f"recipe {path}: {twice[0]!r} is the old name of {ALIASES[twice[0]]!r}; one of them is enough."
        )
    return modern(options)


class _Recipe(yaml.SafeLoader):
    """YAML that refuses a key given twice, of which the language itself keeps the last one without a word."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """One flag `--key value` for every option, of a switch also `--key`; what is not given leaves the recipe's value."""
    group = parser.add_argument_group("options (each overrides the recipe; defaults in brackets)")
    for name, spec in FIELDS.items():
        bare = {"nargs": "?", "const": "true"} if spec.type is bool else {}
        names = [name, *(old for old, new in ALIASES.items() if new == name)]
        group.add_argument(
            *dict.fromkeys(f"--{spelled}" for given in names for spelled in (given, given.replace("_", "-"))), dest=name,
            default=argparse.SUPPRESS, metavar=_shown(spec.type).replace(" or ", "|"),
            help=f"{spec.metadata['help']} [{_default(spec)}]".replace("%", "%%"), **bare,
        )  # fmt: skip


def _default(spec: dataclasses.Field) -> object:
    return spec.default if spec.default is not dataclasses.MISSING else spec.default_factory()


def parse_flag(name: str, text: str) -> object:
    """A flag's text as the type of its option; raises ValueError naming both."""
    wanted = FIELDS[name].type
    if wanted is str:
        return text
    try:
        value = yaml.safe_load(text)
        if wanted is float and isinstance(value, str):
            value = float(value)  # YAML reads 5e-4 as text
    except (yaml.YAMLError, ValueError):
        value = text
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) not in _types(wanted):
        raise ValueError(f"--{name} {text!r} is not allowed; it is a value of type {_shown(wanted)}.")
    return value


def public_name(data: str) -> str:
    """What data are called where others read it: a known name or a Hub id as it is, else words instead of a path."""
    is_public = data in NAMED or (data.count("/") == 1 and not Path(data).exists())
    return data if is_public else "your-data"

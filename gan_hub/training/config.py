"""One frozen dataclass holds a run: a recipe (YAML) fills it, flags override it, it is saved with the run."""

import dataclasses
import difflib
import math
import os
from dataclasses import dataclass
from pathlib import Path

from gan_hub.augment import AugmentPipe
from gan_hub.data import NAMED_DATASETS
from gan_hub.data.diagnose import is_hub_id
from gan_hub.hub.resolve import bundled_models
from gan_hub.losses import ADVERSARIAL, MATCHING
from gan_hub.messages import short_repr
from gan_hub.metrics.features import BUNDLED, EXTRACTORS
from gan_hub.models import ARCHITECTURES
from gan_hub.models.layers import stage_resolutions
from gan_hub.models.mixins import ProgressiveGrowing, SegmentationConditional
from gan_hub.training import strict_yaml
from gan_hub.training.option_aliases import unknown
from gan_hub.training.options import Group, default_of, option, type_name, types_of
from gan_hub.training.rules import check_together

PRECISIONS = ("fp32", "bf16", "fp16", "fp64")  # fp64 is for parity tests
DEVICES = ("auto", "cpu", "cuda", "mps")
OPTIMIZERS = ("adam", "sgd")
INITIAL_PLAYERS = ("both", "generator")
MOST_KIMG = 1e9  # a trillion images
MOST = 2**63 - 1  # of any number, up or down: more is no integer of a tensor
RECIPES = Path(__file__).resolve().parents[2] / "recipes"  # of a checkout

RUN = Group("the run and its data")
NETWORKS = Group("the two networks")
GAME = Group("the game: losses, penalties, steps")
VIEW = Group("what the discriminator is shown")
DESCENT = Group("length, optimizers, average")
MACHINE = Group("arithmetic, device, seed")
RECORDS = Group("log, samples, checkpoints")
SCORES = Group("scores in training, and which weights become the model")
CARD = Group("what the card says, and what is shipped beside the weights", about=None)


def _about_extractor(name: str) -> str:
    """A bundled one knows the classes of one data set, and counts those of others wrongly."""
    return "data" if name in BUNDLED else "run"


def _about_rate(rate: float) -> str:
    """A generator that learns nothing is `initial`'s, finished."""
    return "data" if rate == 0 else "run"


@dataclass(frozen=True)
class TrainConfig:
    """A run. The clock counts images (kimg = 1,000 images over all processes), not steps."""

    name: str = option(RUN, "my-gan", "name of the model; the run lies in runs/<name>", free=True)
    data: str = option(RUN, "mnist", "known name, folder, .zip, .npz, or Hub data set id", free=True)
    output: str = option(RUN, "runs", "folder of all runs", free=True)

    architecture: str = option(NETWORKS, "dcgan", "which pair of networks", choices=ARCHITECTURES)
    resolution: int | list = option(NETWORKS, 28, "pixels a side, or [height, width]")
    channels: int = option(NETWORKS, 1, "1 grey; 2 grey, opacity; 3 RGB; 4 RGB, opacity")
    conditional: bool = option(NETWORKS, True, "use the data's labels")
    balance_classes: bool = option(RUN, False, "each class is shown equally often, however many images it has")
    generator: dict = option(NETWORKS, {}, "further arguments of the generator class, as {latent_size: 64}")
    discriminator: dict = option(NETWORKS, {}, "further arguments of the discriminator class", needs_two=True)
    initial: str = option(
        NETWORKS,
        "",
        "a model whose weights both players start from: a folder, a bundled name, or a Hub id",
        about="data",
    )
    initial_players: str = option(
        NETWORKS, "both", "which of them start from there, or the generator alone", choices=INITIAL_PLAYERS
    )

    loss: str = option(GAME, "non_saturating", "adversarial, or mmd of gmmn", choices=(*ADVERSARIAL, *MATCHING))
    label_smoothing: float = option(
        GAME, 0.0, "one-sided: reals are called real with 1 minus this", low=0, high=0.5, needs_two=True
    )
    discriminator_steps: int = option(
        GAME, 1, "k of Algorithm 1: updates of D before each of G, each on fresh images", low=1, needs_two=True
    )
    share_fakes: bool = option(
        GAME, False, "the same fakes serve both players' steps (faster; Algorithm 1 draws anew)", needs_two=True
    )
    skip_discriminator_below: float = option(
        GAME, 0.0, "D is not updated while its loss is below this; 0: always", low=0, needs_two=True
    )
    r1_gamma: float = option(
        GAME, 0.5, "weight of R1, the gradient penalty on reals; 0 turns it off", low=0, needs_two=True
    )
    r2_gamma: float = option(GAME, 0.0, "weight of R2, the same on fakes", low=0, needs_two=True)
    wgan_gp_weight: float = option(
        GAME, 0.0, "weight of WGAN-GP's penalty between reals and fakes; the paper's is 10", low=0, needs_two=True
    )
    dragan_weight: float = option(
        GAME, 0.0, "weight of DRAGAN's penalty around reals; the paper's is 10", low=0, needs_two=True
    )
    penalty_interval: int = option(GAME, 16, "steps between gradient penalties, each weighted by this interval", low=1)
    weight_clip: float = option(
        GAME, 0.0, "D's weights are clipped to ± this after each update; WGAN's is 0.01", low=0, needs_two=True
    )
    path_length_weight: float = option(
        GAME, 0.0, "StyleGAN2's path length penalty of G; the paper's is 2", low=0, needs_two=True
    )
    path_length_interval: int = option(
        GAME, 4, "steps between path length penalties, each weighted by this interval", low=1
    )
    mixing: float = option(
        GAME, 0.0, "StyleGAN, StyleGAN2: share of fakes made of two latents; the paper's is 0.9", low=0, high=1
    )
    grow_kimg: float = option(
        GAME,
        0.0,
        "ProGAN, StyleGAN: each doubling fades in so long, then settles; 0: all at once",
        low=0,
        high=MOST_KIMG,
        stretch=True,
    )
    feature_matching_weight: float = option(
        GAME, 0.0, "SPADE: G also matches D's features of the real image; 10 there", low=0
    )
    began_gamma: float = option(
        GAME, 0.5, "BEGAN: diversity ratio, the balance kept between fakes' and reals' errors", low=0, high=1
    )
    began_rate: float = option(GAME, 0.001, "BEGAN: step of the balance", low=0)
    batch_size: int = option(GAME, 64, "images a step, over all processes", low=1, high=2**20, may_change=True)

    flip: bool = option(VIEW, False, "reals are mirrored at random")
    augment: str = option(
        VIEW, "none", "what both reals and fakes go through before D", choices=AugmentPipe.AUGMENTS, needs_two=True
    )
    augment_policy: str = option(VIEW, "color,translation,cutout", "of diffaugment")
    ada_target: float = option(VIEW, 0.6, "ada: the mean sign of reals' logits that p is steered to", low=0, high=1)
    ada_kimg: float = option(VIEW, 500.0, "ada: the time p takes from 0 to 1 at most", low=0.001, high=MOST_KIMG)
    instance_noise: float = option(
        VIEW, 0.0, "standard deviation of noise on D's inputs at the start", low=0, needs_two=True
    )
    instance_noise_kimg: float = option(
        VIEW,
        0.0,
        "when that noise has fallen, linearly, to exactly 0",
        low=0,
        high=MOST_KIMG,
        stretch=True,
        needs_two=True,
    )

    total_kimg: float = option(DESCENT, 1000.0, "length of the run", low=0.001, high=MOST_KIMG, may_change=True)
    optimizer_generator: str = option(DESCENT, "adam", "what follows the gradient", choices=OPTIMIZERS)
    optimizer_discriminator: str = option(
        DESCENT, "adam", "the same of D; ganhacks' tip 9 is sgd", choices=OPTIMIZERS, needs_two=True
    )
    learning_rate_generator: float = option(
        DESCENT, 5e-4, "of G's optimizer; sgd wants some 100 times adam's", low=0, about=_about_rate, may_change=True
    )
    learning_rate_discriminator: float = option(DESCENT, 5e-4, "of D's", low=0, about=_about_rate, may_change=True)
    momentum: float = option(DESCENT, 0.9, "SGD", low=0, high=0.9999)
    beta1: float = option(DESCENT, 0.5, "Adam; the DCGAN paper's 0.5 damps oscillation", low=0, high=0.9999)
    beta2: float = option(DESCENT, 0.99, "Adam", low=0, high=0.999999)
    decay_kimg: float = option(
        DESCENT,
        0.0,
        "the last so many kimg both learning rates fall linearly to 0",
        low=0,
        high=MOST_KIMG,
        stretch=True,
        may_change=True,
    )
    ema_halflife_kimg: float = option(DESCENT, 10.0, "half-life of the averaged generator", low=0, high=MOST_KIMG)

    precision: str = option(
        MACHINE, "fp32", "arithmetic of the networks; penalties are fp32 in bf16 and fp16", choices=PRECISIONS
    )
    compile: bool = option(
        MACHINE, False, "torch.compile both networks (needs a C++ compiler; minutes at the start)", may_change=True
    )
    channels_last: bool = option(
        MACHINE, False, "memory format of the networks; faster with bf16 on CPUs and GPUs", may_change=True
    )
    tf32: bool = option(MACHINE, False, "fp32 products of CUDA GPUs with TF32's 10-bit mantissa", may_change=True)
    device: str = option(MACHINE, "auto", "auto takes a GPU where there is one", choices=DEVICES, free=True)
    seed: int = option(MACHINE, 0, "of weights, data order and noise", low=0, high=2**63 - 1)

    log_kimg: float = option(RECORDS, 5.0, "between lines of the training log", low=0.001, high=MOST_KIMG, free=True)
    sample_kimg: float = option(RECORDS, 50.0, "between sample grids", low=0.001, high=MOST_KIMG, free=True)
    trackers: str = option(RECORDS, "tensorboard", "any of accelerate's trackers, comma-separated; or none", free=True)
    alarms: str = option(
        RECORDS, "warn", "what a monitor's alarm does to the run", choices=("warn", "stop", "off"), free=True
    )
    timelapse_frames: int = option(
        RECORDS,
        24,
        "pictures of the same latents from start to end, an animation; 0: none",
        low=0,
        high=10_000,
        free=True,
    )
    checkpoint_kimg: float = option(RECORDS, 50.0, "between checkpoints", low=0.001, high=MOST_KIMG, free=True)
    keep_checkpoints: int = option(RECORDS, 2, "newest checkpoints kept", low=1, free=True)
    evaluate_kimg: float = option(SCORES, 100.0, "between scores; 0: only at the end", low=0, high=MOST_KIMG, free=True)
    publish: str = option(
        SCORES,
        "last",
        "which averaged weights become the model; best is by score",
        choices=("last", "best"),
        free=True,
        chooses=True,
    )
    patience_kimg: float = option(
        SCORES,
        0.0,
        "the run ends when no score was better for so long; 0: never",
        low=0,
        high=MOST_KIMG,
        free=True,
        chooses=True,
    )
    extractor: str = option(
        SCORES,
        "none",
        f"features of the Fréchet distance: none, {', '.join(EXTRACTORS)}, or a Hub id",
        free=True,
        about=_about_extractor,
    )
    extractor_weights: str = option(
        SCORES,
        "",
        "its .safetensors file, or the Hub id of one; digits and fashion have theirs",
        free=True,
        of="extractor",
    )
    evaluate_images: int = option(SCORES, 10_000, "generated images a score is made of", low=2, free=True)
    held_out: int = option(
        SCORES, 1000, "images kept from training for the judge where the data has no test split", low=4
    )

    strict_data: bool = option(
        RUN, False, "a file that cannot be used ends the run instead of being skipped", free=True
    )
    license: str = option(CARD, "apache-2.0", "of the published weights (Hub licence id)", free=True, about="data")
    data_license: str = option(CARD, "", "licence of the images, for the card", about="data", free=True)
    example_maps: int = option(
        CARD,
        64,
        "SPADE: held-out maps that go into the model's folder, and where it goes",
        low=1,
        high=64,
        free=True,
        about="run",
    )
    shipped_maps: str = option(
        CARD,
        "",
        "SPADE: model_cards/<model> whose example maps go there instead, as where held-out ones may not",
        free=True,
        about="data",
    )
    real_samples: str = option(
        CARD,
        "",
        "held-out images that may be shipped: any data source, whose test split is taken",
        about="data",
        free=True,
    )
    real_samples_notice: str = option(
        CARD,
        "",
        "origin and licence of the shipped images; those of model_cards/… bring theirs",
        about="data",
        free=True,
        of="real_samples",
    )
    pictures_may_be_shown: bool = option(
        CARD, False, "the licence lets the card show training images beside generated ones", about="data", free=True
    )
    seen: str = option(
        CARD,
        "",
        "what a person saw in the sample grid, and what is wrong in it, for the card",
        about="model",
        free=True,
    )
    goals: str = option(
        CARD,
        "",
        "what the model was to reach, what it did, and why not, for the card (Markdown)",
        about="model",
        free=True,
    )
    not_for: str = option(
        CARD,
        "",
        "what the model must not be used for, for the card; by default what holds of any GAN",
        about="data",
        free=True,
    )

    def __post_init__(self):
        for name, value in vars(self).items():
            self._check(name, value)
        check_together(self)

    def _check(self, name: str, value: object) -> None:
        """The type, the size and the choice of one option; a whole number serves where a fraction is wanted."""
        spec = FIELDS[name]
        wanted, choices = spec.type, spec.metadata["choices"]
        if getattr(value, "shape", None) == ():  # of numpy or torch
            value = value.item()
            object.__setattr__(self, name, value)
        low, high = spec.metadata["low"], spec.metadata["high"]
        if type(value) is int and not -MOST <= value <= MOST:
            limit = f"{MOST} or less" if value > 0 else f"{-MOST} or more"
            raise ValueError(f"{name}={short_repr(value)} is not allowed; it is {limit}.")
        if wanted is float and type(value) is int:
            object.__setattr__(self, name, float(value))
            value = float(value)
        if type(value) not in types_of(wanted):
            raise ValueError(
                f"{name}={short_repr(value, 200)} is not allowed; it is a value of type {type_name(wanted)}."
            )
        if choices is not None and value not in choices:
            raise ValueError(f"{name}={short_repr(value)} is not allowed; choose one of {', '.join(choices)}.")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name}={value!r} is not allowed; it is a finite number.")
        if isinstance(value, str) and "\0" in value:
            raise ValueError(f"{name}={short_repr(value)} is not allowed; text has no zero byte.")
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
        return issubclass(ARCHITECTURES[self.architecture].generator, ProgressiveGrowing)

    @property
    def takes_maps(self) -> bool:
        """Whether both players are told a map of semantic classes, so that the data are pairs of images and maps."""
        return issubclass(ARCHITECTURES[self.architecture].generator, SegmentationConditional)

    @property
    def pairs_matter(self) -> bool:
        """Whether a fake is held against the real image of the same row, and so needs its label."""
        return ADVERSARIAL[self.loss].paired or self.feature_matching_weight > 0

    @property
    def levels(self) -> int:
        """How often a growing network doubles its size."""
        return len(stage_resolutions(self.resolution)) - 1

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
        return strict_yaml.dump(dataclasses.asdict(self))


FIELDS = {spec.name: spec for spec in dataclasses.fields(TrainConfig)}
ALIASES = {"r1_interval": "penalty_interval"}  # names of 0.1.0, still read in recipes, flags and checkpoints


def with_current_names(options: dict) -> dict:
    """Options with today's names, whichever release wrote them."""
    return {ALIASES.get(name, name): value for name, value in options.items()}


def _options(mark: str) -> set[str]:
    return {name for name, spec in FIELDS.items() if spec.metadata[mark]}


# Options that may differ between a run and its continuation, for they change no weight. (Data are compared by content.)
FREE_OPTIONS = _options("free")
# Options that change no weight of the run and yet decide which of its weights the model has.
CHOOSING = _options("chooses")


def merge(recipe: dict, flags: dict) -> dict:
    """A recipe's options with flags over them, less what it says of other images or another model, fitted into the run.

    With `data` given, all goes that the recipe says or has of its own images; with anything that changes weights, the
    words about samples. `remarks` has the sentences on both.
    """
    gone = _not_taken_over(recipe, flags)
    return {name: value for name, value in recipe.items() if name not in gone} | _fitted(recipe, flags) | flags


def remarks(recipe: dict, flags: dict) -> list[str]:
    """What `merge` did that nobody asked for, a sentence each: what it left out of the recipe, and what it shortened."""
    gone, fitted = _not_taken_over(recipe, flags), _fitted(recipe, flags)
    said = []
    if gone:
        said.append(f"not taken over, for it is of the recipe's own images or model: {', '.join(gone)}.")
    if fitted:
        values = ", ".join(f"{name} {value:g} (the recipe's is {recipe[name]:g})" for name, value in fitted.items())
        said.append(
            f"as much shorter as the run, for it would not fit into total_kimg {flags['total_kimg']:g}: {values}."
        )
    return said


def _other_data(recipe: dict, flags: dict) -> bool:
    own = recipe.get("data", FIELDS["data"].default)
    return os.path.normpath(str(flags.get("data", own))) != os.path.normpath(str(own))


def _not_taken_over(recipe: dict, flags: dict) -> list[str]:
    """The recipe's options that a run with these flags must not repeat."""
    of_others = {"data", "model"} if _other_data(recipe, flags) else set()
    if flags.keys() - (FREE_OPTIONS - CHOOSING) - {"name"}:
        of_others.add("model")
    said = [name for name in recipe if name not in flags and recipe[name] != default_of(FIELDS[name])]
    gone = []
    for name in said:
        about, owner = FIELDS[name].metadata["about"], FIELDS[name].metadata["of"]
        of_another_value = owner in flags and flags[owner] != recipe.get(owner)
        if (about(recipe[name]) if callable(about) else about) in of_others or of_another_value:
            gone.append(name)
    if "extractor" in gone and "extractor" not in flags:  # without which there is nothing to choose by
        gone += [name for name in said if name in CHOOSING]
    return gone


def _fitted(recipe: dict, flags: dict) -> dict[str, float]:
    """Parts of the recipe's run that are too long for one of the flags' `total_kimg`, as much shorter as that is."""
    whole, total = recipe.get("total_kimg", FIELDS["total_kimg"].default), flags.get("total_kimg")
    if not _positive(whole) or not _positive(total) or total >= whole:
        return {}
    fitted = {}
    for name in _options("stretch") & recipe.keys() - flags.keys():
        parts = 2 * _levels(recipe | flags) if name == "grow_kimg" else 1
        if _positive(recipe[name]) and total < parts * recipe[name] <= whole:
            fitted[name] = recipe[name] * total / whole
    return {name: fitted[name] for name in FIELDS if name in fitted}


def _positive(value: object) -> bool:
    return type(value) in (int, float) and 0 < value <= MOST_KIMG


def _levels(options: dict) -> int:
    """How often a network of these options would grow; 0 where that is no size."""
    try:
        return len(stage_resolutions(options.get("resolution", FIELDS["resolution"].default))) - 1
    except (ValueError, TypeError):
        return 0


def read_recipe(path: Path) -> dict:
    """The options a recipe sets; raises ValueError for an unreadable file or a key that is no option."""
    if not os.path.lexists(path):
        raise ValueError(f"recipe {path}: cannot be read (there is no such file). {_where_recipes_are(path)}")
    if os.path.isdir(path):
        inside = "recipe.yaml" if (path / "recipe.yaml").is_file() else "NAME.yaml"
        raise ValueError(f"recipe {path}: cannot be read (it is a folder). A recipe is a file: {path / inside}")
    try:
        options = strict_yaml.read(path)
    except ValueError as error:
        raise ValueError(f"recipe {error}") from error
    if not isinstance(options, dict):
        raise ValueError(f"recipe {path}: 'key: value' lines are expected.")
    for key in options:
        if key not in FIELDS and key not in ALIASES:
            raise ValueError(f"recipe {path}: {unknown('key', key, FIELDS)}.")
    twice = [old for old, new in ALIASES.items() if old in options and new in options]
    if twice:
        raise ValueError(
            f"recipe {path}: {twice[0]!r} is the old name of {ALIASES[twice[0]]!r}; one of them is enough."
        )
    return {name: typed(name, value) for name, value in with_current_names(options).items()}


def _where_recipes_are(path: Path) -> str:
    """What to write in place of a recipe that is not there."""
    known = {recipe.stem: recipe for recipe in sorted(RECIPES.glob("*.yaml"))}
    models = bundled_models()
    if path.stem in known:
        return f"The recipe of that name is {_short(known[path.stem])}"
    if str(path) in models and (models[str(path)] / "recipe.yaml").is_file():
        return f"That is a model, whose recipe is {_short(models[str(path)] / 'recipe.yaml')}"
    nearest = difflib.get_close_matches(path.stem, known, n=1)
    if nearest:
        return f"Did you mean {_short(known[nearest[0]])}?"
    return f"Recipes are in {_short(RECIPES)}." if known else "Recipes are in the project's repository."


def _short(path: Path) -> str:
    """A path as one writes it from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def typed(name: str, value: object) -> object:
    """An option's value as its type: YAML 1.1's words for switches, and text that is a number, are taken for what they mean."""
    wanted = FIELDS[name].type
    if wanted is bool and isinstance(value, str):
        return {"yes": True, "on": True, "no": False, "off": False}.get(value.lower(), value)
    if wanted is int and isinstance(value, float) and value.is_integer():  # 1e3
        return int(value)
    if wanted is float and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def public_name(data: str) -> str:
    """What data are called where others read it: a known name or a Hub id as it is, else words instead of a path."""
    is_public = data in NAMED_DATASETS or (is_hub_id(data) and not Path(data).exists())
    return data if is_public else "your-data"


def recipe_of(config: TrainConfig) -> str:
    """The recipe that a card names: that of the repository where it makes this very model, else the one beside the card."""
    path = Path("recipes") / f"{config.name}.yaml"
    try:
        theirs = TrainConfig(**read_recipe(path))
    except ValueError:
        return "recipe.yaml"
    deciding = FIELDS.keys() - (FREE_OPTIONS - CHOOSING)
    same = all(getattr(config, name) == getattr(theirs, name) for name in deciding)
    return str(path) if same and Path(config.data).name == Path(theirs.data).name else "recipe.yaml"

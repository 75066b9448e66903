"""The configuration of a run: one frozen dataclass that a recipe (YAML) fills, flags override, and the run saves."""

import dataclasses
import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_hub.data import NAMED_DATASETS
from gan_hub.data.diagnose import is_hub_id
from gan_hub.losses import ADVERSARIAL
from gan_hub.models import ARCHITECTURES, GANModel, discriminator_class
from gan_hub.models.layers import stage_resolutions
from gan_hub.models.mixins import ProgressiveGrowing, SegmentationConditional
from gan_hub.training import strict_yaml
from gan_hub.training.options import checked_value
from gan_hub.training.recipes import RECIPES, flatten, merge, nest, read_recipe, remarks
from gan_hub.training.rules import check_together
from gan_hub.training.sections import (
    AUTO_PRECISIONS,
    FIELDS,
    FREE_OPTIONS,
    SELECTION_OPTIONS,
    CardOptions,
    DataOptions,
    GameOptions,
    LoggingOptions,
    NetworkOptions,
    OptimizationOptions,
    PrecisionOptions,
    ScoringOptions,
)


@dataclass(frozen=True)
class TrainConfig(  # a dataclass lists the fields of its last base first
    CardOptions, ScoringOptions, LoggingOptions, PrecisionOptions, OptimizationOptions, GameOptions, NetworkOptions, DataOptions
):  # fmt: skip
    """A run's options, by keyword; docs/training.md and `gan-hub train --help` describe each.

    The clock counts images (kimg: 1,000 images over all processes), not steps.
    Raises ValueError, in one sentence, for a value that is not allowed and for options that do not go together.

    Example:
        >>> from gan_hub.training.config import TrainConfig
        >>> TrainConfig(architecture="dcgan", total_kimg=3, batch_size=32).total_steps
        94
        >>> TrainConfig.from_recipe("dcgan-mnist").learning_rate_generator
        0.0005
    """

    def __post_init__(self) -> None:
        for name, spec in FIELDS.items():
            object.__setattr__(self, name, checked_value(spec, getattr(self, name)))
        check_together(self)

    @classmethod
    def from_recipe(cls, recipe: str | os.PathLike, **overrides: Any) -> "TrainConfig":
        """The configuration of a recipe, with some options changed, as `gan-hub train RECIPE --option value` reads it.

        Args:
            recipe: name of a recipe of gan_hub, as "dcgan-mnist", or path of a YAML file.
            overrides: options that replace the recipe's; `card={…}` for those of the card. Options of the recipe that
                hold only for its own images or model are then left out, and parts of the run are shortened with
                `total_kimg`; a UserWarning names them.

        Returns:
            the configuration, checked.

        Raises:
            ValueError: for a recipe that cannot be read, an unknown option, or a value that is not allowed.
        """
        options, changes = read_recipe(recipe), flatten(overrides, what="option")
        config = cls(**merge(options, changes))
        for remark in remarks(options, changes):
            warnings.warn(f"{os.fspath(recipe)}: {remark}", stacklevel=2)
        return config

    @property
    def run_folder(self) -> Path:
        """The folder of the run: `output`/`name`."""
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
    def discriminator_class(self) -> type[GANModel] | None:
        """The class of the discriminator: the architecture's own, or the one that the arguments ask for; None without."""
        return discriminator_class(self.architecture, self.discriminator)

    @property
    def can_grow(self) -> bool:
        """Whether the networks have layers that only some levels use."""
        return issubclass(ARCHITECTURES[self.architecture].generator, ProgressiveGrowing)

    @property
    def takes_maps(self) -> bool:
        """Whether both networks take a map of semantic classes, so that the data are pairs of images and maps."""
        return issubclass(ARCHITECTURES[self.architecture].generator, SegmentationConditional)

    @property
    def pairs_matter(self) -> bool:
        """Whether a fake is compared with the real image of the same row, and so needs its label."""
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
        """The number of steps until `total_kimg` images were seen."""
        return math.ceil(1000 * self.total_kimg / self.batch_size)

    def every(self, kimg: float) -> int:
        """An interval in kimg as a whole number of steps, at least one."""
        return max(1, round(1000 * kimg / self.batch_size))

    def learning_rate_factor(self, images_seen: int) -> float:
        """1, then linearly down to 0 over the last `decay_kimg`."""
        left = 1000 * self.total_kimg - images_seen
        return 1.0 if self.decay_kimg == 0 else min(1.0, max(0.0, left / (1000 * self.decay_kimg)))

    def to_yaml(self) -> str:
        """All options as a recipe, which `from_recipe` reads back."""
        return strict_yaml.dump(nest(dataclasses.asdict(self)))


def public_name(data: str) -> str:
    """The name of data in a published card or recipe: known names and Hub ids as they are, "your-data" for a path."""
    is_public = data in NAMED_DATASETS or (is_hub_id(data) and not Path(data).exists())
    return data if is_public else "your-data"


def recipe_of(config: TrainConfig) -> str:
    """The recipe that a card names: the repository's where it makes this very model, else the one beside the card."""
    path = RECIPES / f"{config.name}.yaml"
    try:
        published = TrainConfig(**read_recipe(path))
    except ValueError:
        return "recipe.yaml"
    if published.precision == "auto" and config.precision in AUTO_PRECISIONS:
        published = dataclasses.replace(
            published, precision=config.precision
        )  # of `auto` a run knows only what it stood for
    deciding = FIELDS.keys() - (FREE_OPTIONS - SELECTION_OPTIONS)
    same = all(getattr(config, name) == getattr(published, name) for name in deciding)
    return f"recipes/{path.name}" if same and Path(config.data).name == Path(published.data).name else "recipe.yaml"

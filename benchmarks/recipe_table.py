"""Writes docs/recipes.md, a line for each recipe: `python benchmarks/recipe_table.py`."""

from pathlib import Path

from gan_hub.atomic import write_text
from gan_hub.images import height_width
from gan_hub.training.config import TrainConfig
from gan_hub.training.recipes import bundled_recipes, read_recipe

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "recipes.md"
OPENING = """# The recipes, side by side

`gan-hub train NAME` trains one. `python benchmarks/recipe_table.py` writes this table from [recipes/](../recipes), whose files
have the rest: sizes of the networks, precision, what is wrong with the images. [training.md](training.md) explains every option.

- **images**: data, height × width × channels; + classes where the networks are given the labels.
- **regularizers**: weights of gradient penalties, /16: every 16 steps; weight clip, path length, feature matching, spectral norm.
- **rates**: learning rates of generator and discriminator, the optimizer where it is not Adam.
- **decay**: kimg at the end in which the rates fall linearly to 0.

"""
COLUMNS = (
    "recipe",
    "architecture",
    "images",
    "loss",
    "regularizers",
    "kimg",
    "batch",
    "rates G, D",
    "decay",
    "augment",
)


def document() -> str:
    """The whole text of docs/recipes.md."""
    rows = [COLUMNS] + [_row(name, TrainConfig(**read_recipe(path))) for name, path in bundled_recipes().items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return OPENING + "\n".join(lines) + "\n"


def _row(name: str, config: TrainConfig) -> tuple[str, ...]:
    height, width = height_width(config.resolution)
    images = f"{Path(config.data).name}, {height} × {width} × {config.channels}" + " + classes" * config.conditional
    return (
        f"[{name}](../recipes/{name}.yaml)",
        config.architecture,
        images,
        config.loss,
        _regularizers(config),
        f"{config.total_kimg:g}",
        str(config.batch_size),
        _rates(config),
        f"{config.decay_kimg:g}",
        _augment(config),
    )


def _regularizers(config: TrainConfig) -> str:
    if config.loss == "mmd":
        return "none"
    every = f" /{config.penalty_interval}" if config.penalty_interval > 1 else ""
    parts = [f"{penalty} {weight:g}{every}" for penalty, weight in config.penalties.items()]
    parts += [f"clip {config.weight_clip:g}"] if config.weight_clip else []
    parts += [f"path length {config.path_length_weight:g} /{config.path_length_interval}"] * (
        config.path_length_weight > 0
    )
    parts += [f"feature matching {config.feature_matching_weight:g}"] * (config.feature_matching_weight > 0)
    parts += ["spectral norm"] * bool(config.discriminator.get("spectral_norm"))
    return ", ".join(parts) or "none"


def _rates(config: TrainConfig) -> str:
    players = [(config.learning_rate_generator, config.optimizer_generator)]
    if config.loss != "mmd":
        players.append((config.learning_rate_discriminator, config.optimizer_discriminator))
    return ", ".join(f"{rate:g}" + f" ({optimizer})" * (optimizer != "adam") for rate, optimizer in players)


def _augment(config: TrainConfig) -> str:
    parts = ["flip"] * config.flip + [config.augment] * (config.augment != "none")
    parts += [f"instance noise {config.instance_noise:g}"] * (config.instance_noise > 0)
    return ", ".join(parts) or "none"


if __name__ == "__main__":
    write_text(DOCUMENT, document())

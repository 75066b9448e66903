"""`gan-hub list`: the bundled models."""

import argparse
from typing import TYPE_CHECKING

from gan_hub.cli.arguments import Commands, Parser, add_command

if TYPE_CHECKING:
    from gan_hub.hub.zoo import ModelInfo

EXAMPLES = ["gan-hub list"]
COLUMNS = ("model", "network", "data", "pixels", "MB", "score", "AUC")


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "the bundled models: network, data, size, score and how well their discriminators judge"
    add_command(commands, "list", summary, run, EXAMPLES)


def run(args: argparse.Namespace) -> None:
    """Print `list_models()` as a table."""
    from gan_hub.hub.zoo import list_models

    models = list_models()
    if not models:
        print("no models at hand: they lie in model_cards/ of a source checkout; others load by their Hub id.")
        return
    rows = [COLUMNS, *map(_row, models)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(model: "ModelInfo") -> tuple[str, ...]:
    """The cells of a model: MB are of float32 weights, AUC is of its discriminator against it."""
    from gan_hub.hub.cards import format_number
    from gan_hub.resolutions import height_width

    height, width = height_width(model.resolution)
    kind = "from maps" if model.from_maps else f"{len(model.label_names)} classes" if model.label_names else ""
    return (
        model.name,
        f"{model.architecture}, {kind}" if kind else model.architecture,
        model.dataset,
        f"{width} × {height} {'grey' if model.channels < 3 else 'RGB'}",
        f"{model.megabytes:.1f}",
        "–" if model.score is None else f"{model.score[0]} {format_number(model.score[1])}",
        "–" if model.auc is None else f"{model.auc:.3f}",
    )

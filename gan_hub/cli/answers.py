"""`gan-hub answers`: how often people were fooled, from the answers that the page's game counted."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from gan_hub.cli.arguments import Commands, Parser, add_command

if TYPE_CHECKING:
    from gan_hub.metrics.human_answers import FoolingRate

EXAMPLES = ["gan-hub answers answers.jsonl"]
COLUMNS = ("model", "question", "difficulty", "answers", "fooled", "95 % interval", "discriminator fooled")
QUESTIONS = {
    "real": "which is real",
    "preferred": "which D prefers",
    "later": "which is later",
    "better": "which network is better",
}


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "how often people took a generated picture for the real one in the page's game, with intervals"
    parser = add_command(commands, "answers", summary, run, EXAMPLES)
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a file that GAN_HUB_ANSWERS named when the page was served"
    )


def run(args: argparse.Namespace) -> None:
    """Print a line for each model, question and difficulty."""
    from gan_hub.metrics.human_answers import fooling_rates, read_answers

    rates = fooling_rates(read_answers(args.file))
    if not rates:
        print(f"{args.file} has no answers yet.")
        return
    rows = [COLUMNS, *map(_row, rates)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print("fooled: the share of wrong answers; at 50 % people cannot tell. Intervals: Wilson, for independent answers.")


def _row(rate: "FoolingRate") -> tuple[str, ...]:
    low, high = rate.interval
    judge = f"{100 * rate.judge_fooled / rate.judge_answers:.1f} %" if rate.judge_answers else "–"
    return (
        rate.model,
        QUESTIONS[rate.kind],
        rate.level,
        str(rate.answers),
        f"{100 * rate.share:.1f} %",
        f"{100 * low:.1f} – {100 * high:.1f} %",
        judge,
    )

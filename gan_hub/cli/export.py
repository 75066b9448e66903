"""`gan-hub export`: a model folder of a training run."""

import argparse
from pathlib import Path

from gan_hub.cli.arguments import Commands, Parser, add_command, output_folder, whole_number

EXAMPLES = [
    "gan-hub export runs/my-gan --out my-gan-so-far",
    "gan-hub export runs/my-gan --checkpoint 12000 --no-scores",
]


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "make a model of a training run, as it stands at one of its checkpoints"
    parser = add_command(commands, "export", summary, run, EXAMPLES)
    parser.add_argument(
        "run_folder", type=Path, metavar="RUN", help="a run's folder, as runs/my-gan; it may still go on"
    )
    parser.add_argument(
        "--out", type=output_folder, metavar="FOLDER", help="where the model goes; by default RUN/export"
    )
    parser.add_argument(
        "--checkpoint",
        dest="step",
        type=whole_number(1, 10**9 - 1),
        metavar="STEP",
        help="by default the newest valid one",
    )
    parser.add_argument("--data", default="", help="where the run's images lie now, if they were moved")
    parser.add_argument("--no-scores", action="store_true", help="measure no Fréchet distance, which takes the longest")


def run(args: argparse.Namespace) -> None:
    """Write the model folder and print where."""
    from gan_hub.training.export_checkpoint import export_run

    folder = export_run(args.run_folder, args.out, args.step, args.data, scores=not args.no_scores)
    print(f"wrote {folder}")

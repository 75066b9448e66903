"""`gan-hub train`: the same run as `python train.py`."""

import argparse

from gan_hub.cli.arguments import Commands, Parser, add_command

EXAMPLES = [
    "gan-hub train dcgan-mnist --name my-gan",
    "gan-hub train dcgan-mnist --dry-run",
    "gan-hub train dcgan-mnist --resume",
]


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root; its options are those of the training room."""
    summary = "train a GAN by a recipe: RECIPE [--key value ...] [--dry-run] [--resume] [--push-to-hub REPO_ID]"
    add_command(commands, "train", summary, run, EXAMPLES).delegated = True


def run(args: argparse.Namespace) -> int:
    """Train; returns the exit code of the training command."""
    from gan_hub.training.command import main

    return main(args.arguments, prog="gan-hub train")

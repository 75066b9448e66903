"""`gan-hub verify`: check a model's files and images against its manifest and reference."""

import argparse

from gan_hub.cli.arguments import Commands, Parser, add_command, add_model, source_of

EXAMPLES = ["gan-hub verify dcgan-mnist", "gan-hub verify runs/my-gan/export"]


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "check a model's files: checksums, weights, and that it draws its reference images again"
    add_model(add_command(commands, "verify", summary, run, EXAMPLES), with_force_download=False)


def run(args: argparse.Namespace) -> None:
    """Print a line for each thing that was checked; the first that is wrong is an error."""
    from gan_hub.verify import verify_model

    print("\n".join(verify_model(args.model, **source_of(args))))

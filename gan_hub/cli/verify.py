"""`gan-hub verify`: whether a model is what its files say."""

import argparse
import sys

from gan_hub.cli.arguments import Commands, Parser, add_command, add_model, source_of

EXAMPLES = ["gan-hub verify dcgan-mnist", "gan-hub verify runs/my-gan/export"]


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root."""
    summary = "check a model's files: checksums, weights, and that it draws its reference images again"
    add_model(add_command(commands, "verify", summary, run, EXAMPLES))


def run(args: argparse.Namespace) -> int:
    """Print what is wrong, a line each; 1 where anything is."""
    from gan_hub.verify import verify_model

    faults = verify_model(args.model, **source_of(args))
    for fault in faults:
        print(f"gan-hub verify: {fault}", file=sys.stderr)
    if not faults:
        print(f"{args.model}: intact")
    return 1 if faults else 0

"""`gan-hub demo`: the page in a browser."""

import argparse

from gan_hub.cli.arguments import Commands, Parser, add_command

EXAMPLES = ["gan-hub demo", "gan-hub demo my-gan --port 8000"]


def add(commands: "Commands[Parser]") -> None:
    """Add the command to the root; its options are those of the page."""
    summary = "play with models in a browser: [MODEL] [--port N] [--share]"
    add_command(commands, "demo", summary, run, EXAMPLES).delegated = True


def run(args: argparse.Namespace) -> None:
    """Serve the page until it is stopped."""
    from gan_hub.demo.arguments import parse

    parse(args.arguments, "gan-hub demo")  # --help and wrong usage do not wait for gradio
    from gan_hub.demo.app import main

    main(args.arguments, prog="gan-hub demo")

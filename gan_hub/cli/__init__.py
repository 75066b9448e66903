"""The command `gan-hub`: one file a command, each a thin front of public functions of the library."""

from gan_hub.cli.program import main, parser

__all__ = ["main", "parser"]

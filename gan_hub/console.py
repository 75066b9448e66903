"""Printing that no encoding of a terminal, pipe or log file can break."""

import io
import sys


def print_in_any_encoding() -> None:
    """Make stdout and stderr write "?" for a character that they cannot encode ("→" in Windows' cp1252)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # pytest and notebooks put other objects there
            stream.reconfigure(errors="replace")

"""What a command prints reaches any terminal, pipe or log file, whatever encoding the system gives it."""

import io
import sys


def print_in_any_encoding() -> None:
    """Makes stdout and stderr write "?" for a character that they cannot encode ("→" in Windows' cp1252)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # pytest and notebooks put other objects there
            stream.reconfigure(errors="replace")

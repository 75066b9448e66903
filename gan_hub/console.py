"""What a command prints reaches any terminal, pipe or log file, whatever encoding the system gives it."""

import sys


def print_in_any_encoding() -> None:
    """From now on a character that stdout or stderr cannot encode ("→" in Windows' cp1252) is a "?", not an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # pytest and notebooks put other objects there
            stream.reconfigure(errors="replace")

"""The command line of the page, read before gradio is imported, which takes seconds."""

import argparse
import difflib
import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from gan_hub.engines.record import AUTO, ENGINES

ENGINE_VARIABLE = "GAN_HUB_ENGINE"  # what draws the page's pictures, "auto" by default; --engine sets it
ANSWERS_VARIABLE = "GAN_HUB_ANSWERS"  # where the game counts answers of visitors who agree; by default nowhere
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


class _Parser(argparse.ArgumentParser):
    """argparse that answers wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        """Print one line and leave with exit code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parse(arguments: Sequence[str] | None, prog: str) -> argparse.Namespace:
    """The arguments; wrong usage and a port in use end the process with one line on stderr and exit code 2."""
    parser = _Parser(prog=prog, description="Serve the page: draw, interpolate, calculate, and play real or fake.")
    source = parser.add_mutually_exclusive_group()
    model_help = "a folder, bundled name or Hub id; offered beside the bundled models, and the page opens with it"
    source.add_argument("model", nargs="?", metavar="MODEL", default=argparse.SUPPRESS, help=model_help)
    source.add_argument("--model", metavar="MODEL", default=None, help="the same")
    parser.add_argument("--port", type=int, help="1 to 65535; by default the first free one from 7860")
    parser.add_argument("--share", action="store_true", help="also open a public address through Gradio's servers")
    parser.add_argument(
        "--engine",
        choices=(AUTO, *ENGINES),
        help="what draws: auto, the fastest here within a level of 255 (the default); plain, the models bit for bit",
    )
    args, unknown = parser.parse_known_args(arguments)
    if unknown:
        near = difflib.get_close_matches(unknown[0], ("--model", "--port", "--share", "--engine", "--help"), 1)
        parser.error(f"unrecognized arguments: {' '.join(unknown)}" + (f"; did you mean {near[0]}?" if near else ""))
    if args.port is not None and not 1 <= args.port <= 65535:
        parser.error(f"--port {args.port} is not allowed; it is a number from 1 to 65535")
    if args.port is not None and (reason := _port_error(args.port)):
        parser.error(f"--port {args.port} cannot be used ({reason}); choose another, or leave it out")
    engine = os.environ.get(ENGINE_VARIABLE)
    if args.engine is None and engine and engine not in (AUTO, *ENGINES):
        parser.error(f"{ENGINE_VARIABLE}={engine!r} is not allowed; choose one of {', '.join((AUTO, *ENGINES))}")
    answers = os.environ.get(ANSWERS_VARIABLE)
    if answers and (reason := _answers_error(answers)):
        parser.error(reason)
    if args.model is not None and not args.model.strip():
        parser.error("--model is empty; it is a folder, a bundled name or a Hub id")
    return args


def _port_error(port: int) -> str:
    """Why this machine cannot serve at `port`, or "". Asked before models are loaded, which takes longer."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _answers_error(value: str) -> str:
    """Why answers cannot be counted there, as a sentence; "" where they can."""
    if value.endswith(".jsonl"):
        folder = Path(value).expanduser().absolute().parent
        return "" if folder.is_dir() else f"{ANSWERS_VARIABLE}={value!r}: there is no folder {str(folder)!r}"
    if HUB_ID.fullmatch(value):
        return ""
    return f"{ANSWERS_VARIABLE}={value!r} is not allowed; give a file that ends in .jsonl, or a dataset as owner/name"

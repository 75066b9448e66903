"""The table of commands; and their exit codes, errors in one line, --debug.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. A command imports what it needs when it runs, so that
--help is quick.
"""

import argparse
import atexit
import gc
import sys
from collections.abc import Sequence

from gan_hub import __version__
from gan_hub.cli import (
    answers,
    compare,
    concepts,
    convert,
    demo,
    evaluate,
    export,
    info,
    interpolate,
    push,
    sample,
    style_transfer,
    train,
    verify,
)
from gan_hub.cli import (
    list as list_,
)
from gan_hub.cli.arguments import Parser, in_flags
from gan_hub.console import print_in_any_encoding
from gan_hub.imports import collect_rarely

COMMANDS = (
    list_,
    info,
    sample,
    interpolate,
    concepts,
    evaluate,
    compare,
    train,
    export,
    convert,
    verify,
    push,
    demo,
    answers,
    style_transfer,
)


def parser() -> Parser:
    """The parser of all commands; it checks everything that can be checked without a model."""
    examples = "\n".join(f"  {command.EXAMPLES[0]}" for command in COMMANDS)
    root = Parser(
        prog="gan-hub",
        description="Load, play with, train and publish GANs.",
        epilog=f"exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted\n\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"gan-hub {__version__}")
    root.commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(root.commands)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Wrong usage that the parser sees leaves through SystemExit(2).

    Without `arguments` it is the command line of this process, which then is the command's own.
    """
    print_in_any_encoding()
    if arguments is None:  # another program's collector is not ours to set, and what it left open has to be closed
        collect_rarely()
        # At its end Python would look for garbage among half a million objects of torch and diffusers, for a second.
        atexit.register(gc.freeze)
    root = parser()
    args = root.parse_args(arguments)
    try:
        return args.run(args) or 0
    except KeyboardInterrupt as interrupt:
        return _fail(args.command, f"interrupted; {str(interrupt) or 'nothing was written.'}", 130)
    except Exception as error:
        if getattr(args, "debug", False):
            raise
        message = in_flags(str(error), root.command_parser(args.command))
        return _fail(args.command, *_explain(error, message))


def _explain(error: Exception, message: str) -> tuple[str, int]:
    """(the line to print, the exit code) for an error; its message is already in the words of the shell."""
    from gan_hub.model_folder.strict import LoadError

    if isinstance(error, LoadError | OSError | ArithmeticError):
        return message, 1
    if isinstance(error, ValueError):
        return message, 2
    return f"{type(error).__name__}: {message} (--debug shows where)", 1


def _fail(command: str, message: str, code: int) -> int:
    print(f"gan-hub {command}: {' '.join(message.split())}", file=sys.stderr)
    return code

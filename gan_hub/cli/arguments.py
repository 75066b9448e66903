"""Shared by the commands: the parser, readers of values, common options, and a library's messages in flags."""

import argparse
import itertools
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from gan_hub.messages import did_you_mean
from gan_hub.seeds import parse_seeds

if TYPE_CHECKING:
    from gan_hub.pipeline import GANPipeline

MODEL_HELP = "a bundled model (see `gan-hub list`), a folder, or a Hub id"
SEEDS_HELP = 'whole numbers and ranges, as in "0-15, 99" or 1 5 9'
SEED_OPTIONS = ("--seeds", "--held-out")
SOURCE_OPTIONS = ("revision", "variant", "token", "force_download")
MAX_FRAMES = 4096  # of a walk; they all lie in memory at once
MAX_SEEDS = 1_000_000  # of one command

Commands = argparse._SubParsersAction  # what `add_subparsers` returns


class Parser(argparse.ArgumentParser):
    """argparse that answers wrong usage in one line with the nearest name, instead of a whole synopsis.

    Several arguments after --seeds are one list: a shell splits `--seeds 0-3 7` at its blank.
    """

    commands: "Commands[Parser] | None" = None
    delegated = False  # a delegated command parses its own arguments, which are all left alone here

    def command_parser(self, command: str) -> "Parser":
        """The parser of one command."""
        assert self.commands is not None, "only the root has commands"
        return self.commands.choices[command]

    def error(self, message: str) -> NoReturn:
        """Print one line and leave with exit code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        """Parse the arguments of a command; an argument that no option takes is refused by that command."""
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            hint = "" if unknown[0].startswith("-") else "; quotes hold what has blanks, and commas join several names"
            self.command_parser(parsed.command).error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return parsed

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse what is known; an unknown option is answered before one that is missing."""
        if self.delegated:
            return argparse.Namespace(**self._defaults, arguments=[*(args or ())]), []
        args = [*(sys.argv[1:] if args is None else args)]
        if self.commands is None:
            args = _join_seeds(args)
        # After a command's name stand the command's own options, which its parser looks at.
        own = itertools.takewhile(lambda arg: arg != "--" and (self.commands is None or arg.startswith("-")), args)
        for option in (arg.partition("=")[0] for arg in own):
            if option.startswith("--") and option not in self._option_string_actions:
                self.error(f"unrecognized arguments: {option}{did_you_mean(option, self._option_string_actions)}")
        return super().parse_known_args(args, namespace)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            raise argparse.ArgumentError(
                action,
                f"invalid choice: {str(value)[:40]!r}{did_you_mean(str(value), choices)} (choose from {', '.join(choices)})",
            )


def _join_seeds(arguments: Sequence[str]) -> list[str]:
    """The arguments, those after --seeds that are numbers, ranges and dashes joined to one."""
    joined: list[str] = []
    collecting = False
    for argument in arguments:
        is_list = re.fullmatch(r"[0-9,;\s][0-9,;\s\u2010-\u2015\u2212-]*|[\u2010-\u2015\u2212-]", argument) is not None
        if collecting and is_list:
            joined[-1] += " " + argument
            continue
        name, equals, _ = argument.partition("=")
        follows_option = bool(joined) and joined[-1] in SEED_OPTIONS
        collecting = follows_option or (bool(equals) and name in SEED_OPTIONS)
        joined.append(argument)
    return joined


def in_flags(message: str, parser: argparse.ArgumentParser) -> str:
    """A library's message in the words of the shell: `num_images=5` is `--num 5`, `force=True` is `--force`.

    The parser is the mapping: an option's `dest` is the name of the library's parameter.
    """
    flags = {action.dest: action.option_strings[0] for action in parser._actions if action.option_strings}

    def in_shell(match: re.Match[str]) -> str:
        name, switch, value = match.groups()
        return flags[name] if switch or not value else f"{flags[name]} {value}"

    return re.sub(rf"\b({'|'.join(flags)})=(True\b)?([^\s,.;:)]?)", in_shell, message)


# ------------------------------------------------------------------------------------------------- adding options


def add_command(
    commands: "Commands[Parser]",
    name: str,
    summary: str,
    run: Callable[[argparse.Namespace], int | None],
    examples: Sequence[str],
) -> Parser:
    """Add one command to the root.

    Args:
        commands: the commands of the root.
        name: the command's name, as it is typed.
        summary: one line for the help of the root and of the command.
        run: the function that does the work and returns the exit code, None for 0.
        examples: command lines for the end of the help.

    Returns:
        The command's parser, for its own options.
    """
    epilog = "\n".join(["examples:", *(f"  {example}" for example in examples)])
    raw = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        name, help=summary, description=summary, epilog=epilog, formatter_class=raw, allow_abbrev=False
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.set_defaults(run=run)
    return parser


def add_model(parser: Parser, with_force_download: bool = True) -> None:
    """Add MODEL and the options that say which version of it is loaded, for `load_model`."""
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    add_source(parser, with_force_download)


def add_source(parser: Parser, with_force_download: bool = True) -> None:
    """Add the options that say which version of a model is loaded, for `load_model`."""
    source = parser.add_argument_group("which version of a model on the Hub")
    source.add_argument("--revision", metavar="NAME", help="a branch, a tag or a commit (main)")
    source.add_argument("--variant", metavar="NAME", help="weights in another precision: fp16 or bf16")
    source.add_argument("--token", help="for a private or gated model, instead of the one of `hf auth login`")
    if with_force_download:
        source.add_argument("--force-download", action="store_true", help="download again what the cache has")


def add_device(parser: Parser) -> None:
    """Add --device, for `load_model`."""
    parser.add_argument("--device", help="cpu, cuda or mps (cpu)")


def source_of(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `add_model` that were given, as `from_pretrained` takes them.

    Raises ValueError for one that means nothing for a model that lies here.
    """
    from gan_hub.hub.resolve import bundled_models

    options = {name: value for name in SOURCE_OPTIONS if (value := getattr(args, name, None))}
    is_here = os.path.isdir(os.path.expanduser(args.model)) or args.model.rstrip("/") in bundled_models()
    for name in ("revision", "force_download"):
        if name in options and is_here:
            flag = f"--{name.replace('_', '-')}"
            raise ValueError(f"{flag} is not allowed with {args.model}, which is no download from the Hub.")
    return options


def load_model(args: argparse.Namespace, with_discriminator: bool = True) -> "GANPipeline":
    """The pipeline that the options of `add_model` and `add_device` describe."""
    from gan_hub.devices import find_device
    from gan_hub.pipeline import GANPipeline

    device = find_device(args.device) if getattr(args, "device", None) else None
    networks: dict[str, Any] = {} if with_discriminator else {"discriminator": None}
    pipe = GANPipeline.from_pretrained(args.model, **source_of(args), **networks)
    return pipe if device is None else pipe.to(device)


# ------------------------------------------------------------------------------------------------ readers of values


def seed_list(least: int, most: int = MAX_SEEDS) -> Callable[[str], list[int]]:
    """A reader of "0-3,7" → [0, 1, 2, 3, 7], of `least` to `most` seeds."""

    def read(text: str) -> list[int]:
        try:
            return parse_seeds(text, least, most)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None

    return read


def comma_list(text: str) -> list[str]:
    """Read "a,b c" → ["a", "b c"]."""
    return [piece.strip() for piece in text.split(",") if piece.strip()]


def word_list(text: str) -> list[str]:
    """Read "fd, kid pr" → ["fd", "kid", "pr"]: names without blanks, between commas or blanks."""
    words = [piece for piece in re.split(r"[,\s]+", text) if piece]
    if not words:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not allowed; names, joined by commas")
    return words


def rename_pair(text: str) -> tuple[str, str]:
    """Read "pca 1=bright fur" → ("pca 1", "bright fur")."""
    old, equals, new = (part.strip() for part in text.partition("="))
    if not old or not equals or not new:
        raise argparse.ArgumentTypeError(f'{text[:40]!r} is not allowed; two names, as in "pca 1=bright fur"')
    return old, new


def name_and_strength(text: str) -> tuple[str, float]:
    """Read "thickness=1.5" → ("thickness", 1.5)."""
    name, _, number = (part.strip() for part in text.partition("="))
    if not name or not re.fullmatch(r"[-+]?([0-9]{1,3}(\.[0-9]{0,6})?|\.[0-9]{1,6})", number, re.ASCII):
        raise argparse.ArgumentTypeError(f'{text[:40]!r} is not allowed; a name and a number, as in "thickness=1.5"')
    return name, float(number)


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A reader of a whole number from `least` to `most`."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not allowed; a whole number from {least} to {most}")
        return int(text)

    return read


def png_file(text: str) -> Path:
    """Read the name of a .png that can be written."""
    return output_file(text, (".png",))


def json_file(text: str) -> Path:
    """Read the name of a .json that can be written."""
    return output_file(text, (".json",))


def animation_file(text: str) -> Path:
    """Read the name of an animation that can be written."""
    if text.lower().endswith(".mp4"):
        raise argparse.ArgumentTypeError(f"{text!r}: gan_hub has no writer of .mp4; take .webp or .gif")
    return output_file(text, (".webp", ".gif"))


def output_folder(text: str) -> Path:
    """Read the name of a folder; an empty one, as of a variable that is not set, would be the working directory."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; it is a folder, as . for this one")
    return Path(text)


def output_file(text: str, endings: tuple[str, ...], otherwise: str = "") -> Path:
    """A file that can be written, as far as can be told before hours of work.

    Args:
        text: the path as it was typed.
        endings: the endings that are allowed.
        otherwise: what else is allowed, for the message.

    Returns:
        The path.

    Raises:
        argparse.ArgumentTypeError: for another ending, and where nothing can be written.
    """
    path = Path(text)
    if path.suffix not in endings:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; it ends in {' or '.join(endings)}{otherwise}")
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: its folder must exist and be writable")
    return path


def once(pairs: Sequence[tuple[str, Any]], option: str) -> dict[str, Any]:
    """Name → what it was given; raises ValueError for a name that stands twice in a repeated option."""
    names = [name for name, _ in pairs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{option} {twice[0]} was given twice.")
    return dict(pairs)

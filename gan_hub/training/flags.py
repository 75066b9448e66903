"""The command line of a run: one flag for every option, in sections, and one line for wrong usage."""

import argparse
import dataclasses
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from gan_hub.training import strict_yaml
from gan_hub.training.option_aliases import unknown_option
from gan_hub.training.options import default_of, type_name, types_of
from gan_hub.training.recipes import typed
from gan_hub.training.sections import ALIASES, FIELDS, SECTIONS

USAGE = "{} RECIPE [--dry-run] [--resume] [--push-to-hub OWNER/NAME] [--OPTION VALUE …]"
OVERRIDES = "An option overrides the recipe's; its default stands in brackets."


class Parser(argparse.ArgumentParser):
    """argparse, with wrong usage answered in one line, an unknown flag by what it is called here."""

    def parse_args(self, args: Sequence[str], namespace: None = None) -> argparse.Namespace:  # type: ignore[override]
        """Parse the arguments; exits with code 2 and one line on stderr where they are wrong."""
        flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
        for argument in args:
            flag = argument.partition("=")[0]
            if re.match(r"--?[A-Za-z]", flag) and flag not in self._option_string_actions:
                self.error(unknown_option("flag", flag, flags, self.prog))
        return super().parse_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 and one line on stderr."""
        hint = "" if "--help" in message else f" (see {self.prog} --help)"
        self.exit(2, f"{self.prog}: {message}{hint}\n")


def parser(description: str, prog: str = "train.py") -> Parser:
    """The parser of `prog`, which trains: the recipe, what to do with it, and a flag for each option."""
    made = Parser(
        prog=prog, usage=USAGE.format(prog), description=f"{description}\n{OVERRIDES}", allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    made.add_argument("recipe", help="name of a recipe of gan_hub, as dcgan-mnist, or a YAML file of options")
    made.add_argument("--dry-run", action="store_true", help="say what the run would be, and how long; write nothing")
    made.add_argument("--resume", action="store_true", help="go on from the newest valid checkpoint")
    made.add_argument("--push-to-hub", metavar="OWNER/NAME", help="upload the finished model")
    made.add_argument("--debug", action="store_true", help="show tracebacks")
    add_flags(made)
    return made


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag `--key value` for every option, of a switch also `--key`; an omitted one leaves the recipe's value."""
    for name, section in SECTIONS.items():
        group = parser.add_argument_group(f"{name} ({heading(section)})")
        for spec in dataclasses.fields(section):
            nargs: Any = {"nargs": "?", "const": "true"} if spec.type is bool else {}
            metavar = type_name(spec.type).replace(" or ", "|")
            for flag in _spellings(spec.name):
                text = _help(spec) if flag == f"--{spec.name}" else argparse.SUPPRESS
                group.add_argument(flag, dest=spec.name, default=argparse.SUPPRESS, metavar=metavar, help=text, **nargs)


def heading(section: type[Any]) -> str:
    """What a section is about, as its docstring says after its name."""
    return (section.__doc__ or "").partition(": ")[2].rstrip(".")


def _help(spec: dataclasses.Field) -> str:
    choices, default = spec.metadata["choices"], default_of(spec)
    allowed = f" ({', '.join(choices)})" if choices else ""
    return f"{spec.metadata['help']}{allowed} [{default}]".replace("%", "%%")


def _spellings(name: str) -> list[str]:
    """The flags of an option: its name first, then with dashes, and under the names of older releases."""
    names = [name, *(old for old, new in ALIASES.items() if new == name)]
    return list(dict.fromkeys(f"--{way}" for each in names for way in (each, each.replace("_", "-"))))


def parse_flag(name: str, text: str) -> Any:
    """A flag's text as the type of its option; raises ValueError naming both."""
    wanted = FIELDS[name].type
    if wanted is str:
        return text
    try:
        value = typed(name, strict_yaml.parse(text))
    except ValueError:
        value = text
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) not in types_of(wanted):
        raise ValueError(f"--{name} {text!r} is not allowed; it is a value of type {type_name(wanted)}.")
    return value

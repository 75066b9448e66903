"""The command line of a run: one flag for every option, in the groups of the options, and one line for wrong usage."""

import argparse
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from gan_hub.training import strict_yaml
from gan_hub.training.config import ALIASES, FIELDS, typed
from gan_hub.training.option_aliases import unknown
from gan_hub.training.options import default_of, type_name, types_of

USAGE = "train.py RECIPE [--dry-run] [--resume] [--push-to-hub OWNER/NAME] [--OPTION VALUE …]"

OVERRIDES = "An option overrides the recipe's; its default stands in brackets."


class Parser(argparse.ArgumentParser):
    """argparse, with wrong usage answered in one line, an unknown flag by what it is called here."""

    def parse_args(self, arguments: Sequence[str]) -> argparse.Namespace:
        for argument in arguments:
            flag = argument.partition("=")[0]
            if re.match(r"--?[A-Za-z]", flag) and flag not in self._option_string_actions:
                self.error(unknown("flag", flag, [action.dest for action in self._actions]))
        return super().parse_args(arguments)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser(description: str) -> Parser:
    """Everything that train.py takes."""
    made = Parser(
        prog="train.py", usage=USAGE, description=f"{description}\n{OVERRIDES}", allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    made.add_argument("recipe", type=Path, help="a YAML file of options, see recipes/")
    made.add_argument("--dry-run", action="store_true", help="say what the run would be, and how long; write nothing")
    made.add_argument("--resume", action="store_true", help="go on from the newest valid checkpoint")
    made.add_argument("--push-to-hub", metavar="OWNER/NAME", help="upload the finished model")
    made.add_argument("--debug", action="store_true", help="show tracebacks")
    add_flags(made)
    return made


def add_flags(parser: argparse.ArgumentParser) -> None:
    """One flag `--key value` for every option, of a switch also `--key`; what is not given leaves the recipe's value."""
    groups = {spec.metadata["group"]: None for spec in FIELDS.values()}
    groups = {group: parser.add_argument_group(group.title) for group in groups}
    for name, spec in FIELDS.items():
        group = groups[spec.metadata["group"]]
        settings = {"dest": name, "default": argparse.SUPPRESS, "metavar": type_name(spec.type).replace(" or ", "|")}
        if spec.type is bool:
            settings |= {"nargs": "?", "const": "true"}
        group.add_argument(f"--{name}", help=_help(spec), **settings)
        for spelled in _other_spellings(name):
            group.add_argument(spelled, help=argparse.SUPPRESS, **settings)


def _help(spec: dataclasses.Field) -> str:
    choices, default = spec.metadata["choices"], default_of(spec)
    allowed = f" ({', '.join(choices)})" if choices else ""
    return f"{spec.metadata['help']}{allowed} [{default}]".replace("%", "%%")


def _other_spellings(name: str) -> list[str]:
    """With dashes in place of underscores, and under the names of older releases."""
    names = [name, *(old for old, new in ALIASES.items() if new == name)]
    spelled = dict.fromkeys(f"--{way}" for given in names for way in (given, given.replace("_", "-")))
    return [flag for flag in spelled if flag != f"--{name}"]


def parse_flag(name: str, text: str) -> object:
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

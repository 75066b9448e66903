"""How an option of a run is declared: a dataclass field with its help, its limits, and what may change it."""

import dataclasses
import math
import typing
from collections.abc import Callable, Collection
from typing import Any

from gan_hub.messages import short_repr

About = str | Callable[[Any], str]
MAX_INT = 2**63 - 1  # a tensor holds no larger integer


def option(
    default: Any, help: str, *, choices: Collection[str] | None = None, low: float | None = None, high: float | None = None,
    about: About = "run", part_of: str = "", free: bool = False, may_change: bool = False, selects_weights: bool = False,
    needs_discriminator: bool = False, shrinks_with_run: bool = False,
) -> Any:  # fmt: skip
    """Declare an option of a run as a field of a dataclass.

    Args:
        default: the value where nothing else is given; {} is copied for each run.
        help: a line for --help: the unit, or the reason of the default.
        choices: the only values allowed.
        low, high: the smallest and the largest value allowed.
        about: what the value describes. "run": what is trained and how. "data": the recipe's own images. "model": the
            model that the recipe made of them. A run on other images repeats only what is about the run. A function of
            the value where it depends on that.
        part_of: another option that this one belongs to: it is dropped with that option's value.
        free: it changes no weight, so a resumed run may have another value.
        may_change: a resumed run may have another value, which changes the weights from there on.
        selects_weights: it is free, and yet decides by the scores which weights become the model.
        needs_discriminator: it has no meaning for a generator that is trained alone.
        shrinks_with_run: a part of the run's length, shortened with it.

    Returns:
        the field, typed as `Any` so that it fits every annotation.
    """
    metadata = {
        "help": help, "choices": choices, "low": low, "high": high, "about": about, "part_of": part_of, "free": free,
        "may_change": may_change, "selects_weights": selects_weights, "needs_discriminator": needs_discriminator,
        "shrinks_with_run": shrinks_with_run,
    }  # fmt: skip
    if default == {}:
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def card_option(
    default: Any, help: str, *, about: str, low: float | None = None, high: float | None = None, part_of: str = ""
) -> Any:
    """Declare an option of the model card, which changes no weight; `about` must be given.

    Args:
        default, help, low, high, part_of: as of `option`.
        about: as of `option`; no default, so that no text about one model reaches another's card by oversight.

    Returns:
        the field, typed as `Any` so that it fits every annotation.
    """
    return option(default, help, about=about, low=low, high=high, part_of=part_of, free=True)


def types_of(annotation: Any) -> tuple[type, ...]:
    """The types that an option's annotation allows: (int, list) for `int | list`."""
    return typing.get_args(annotation) or (annotation,)


def type_name(annotation: Any) -> str:
    """The types that an option's annotation allows, in words: "int or list"."""
    return " or ".join(kind.__name__ for kind in types_of(annotation))


def default_of(spec: dataclasses.Field) -> Any:
    """The default of an option; a new dict each time."""
    if spec.default_factory is not dataclasses.MISSING:
        return spec.default_factory()
    return spec.default


def checked_value(spec: dataclasses.Field, value: Any) -> Any:
    """Check the value of one option and give it the option's type; numpy's and torch's numbers are taken, too.

    Raises ValueError for another type, a value that is not among the choices, and a number outside the limits.
    """
    name, choices, low, high = spec.name, *(spec.metadata[key] for key in ("choices", "low", "high"))
    if getattr(value, "shape", None) == ():  # of numpy or torch
        value = value.item()
    if type(value) is int and not -MAX_INT <= value <= MAX_INT:
        limit = f"{MAX_INT} or less" if value > 0 else f"{-MAX_INT} or more"
        raise ValueError(f"{name}={short_repr(value)} is not allowed; it is {limit}.")
    if spec.type is float and type(value) is int:
        value = float(value)
    if type(value) not in types_of(spec.type):
        raise ValueError(
            f"{name}={short_repr(value, 200)} is not allowed; it is a value of type {type_name(spec.type)}."
        )
    if choices is not None and value not in choices:
        raise ValueError(f"{name}={short_repr(value)} is not allowed; choose one of {', '.join(choices)}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name}={value!r} is not allowed; it is a finite number.")
    if isinstance(value, str) and "\0" in value:
        raise ValueError(f"{name}={short_repr(value)} is not allowed; text has no zero byte.")
    if low is not None and value < low:
        raise ValueError(f"{name}={value!r} is not allowed; it is {low} or more.")
    if high is not None and value > high:
        raise ValueError(f"{name}={value!r} is not allowed; it is {high} or less.")
    return value

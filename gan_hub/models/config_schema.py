"""Rules for config values. Each stands in the annotation of its `__init__` parameter.

def __init__(self, resolution: Annotated[int, Choice(32, 64)] = 64): ...
"""

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from gan_hub.messages import short_repr
from gan_hub.models.ops.layer_list import LayerList


@dataclass(frozen=True)
class Integer:
    """A whole number from `low` to `high`; true, 1.0 and "1" are not."""

    low: int
    high: int

    def allows(self, value: object) -> bool:
        """Whether the rule allows a value."""
        return type(value) is int and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"


class Choice:
    """One of the listed values, of exactly their type."""

    def __init__(self, *values: int | str | bool) -> None:
        self.values = values

    def allows(self, value: object) -> bool:
        """Whether the rule allows a value."""
        return any(type(value) is type(choice) and value == choice for choice in self.values)

    def __str__(self) -> str:
        return "one of " + ", ".join(repr(value) for value in self.values)


@dataclass(frozen=True)
class Size:
    """The size of an image: one whole number for a square, or a list [height, width] of two different ones.

    Each side is a multiple of `multiple` from `low` to `high`. A square is never a list, so that equal sizes are equal.
    """

    multiple: int
    low: int
    high: int

    def allows(self, value: object) -> bool:
        """Whether the rule allows a value."""
        if type(value) is list:
            return len(value) == 2 and all(map(self._is_side, value)) and value[0] != value[1]
        return self._is_side(value)

    def _is_side(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high and value % self.multiple == 0

    def __str__(self) -> str:
        sides = f"a multiple of {self.multiple} from {self.low} to {self.high}"
        return f"{sides} for a square, or a list [height, width] of two different ones"


Rule = Integer | Choice | Size | LayerList

# The keys that most architectures have.
Resolution = Annotated[int | list[int], Size(multiple=4, low=8, high=1024)]
Channels = Annotated[int, Integer(1, 4)]  # grey; grey, opacity; RGB; RGB, opacity
Classes = Annotated[int, Integer(0, 10_000)]  # 0: unconditional
Latent = Annotated[int, Integer(1, 4096)]  # size of z, of w, of an embedding
Width = Annotated[int, Integer(1, 2048)]  # feature maps
Layers = Annotated[int, Integer(1, 16)]
Switch = Annotated[bool, Choice(False, True)]


def rules(init: Callable) -> dict[str, Rule]:
    """Parameter name → rule, read from the annotations of an `__init__`; every parameter must have one.

    Annotations may be text, as `from __future__ import annotations` makes them.
    """
    annotations = inspect.get_annotations(init, eval_str=True)
    names = [name for name in inspect.signature(init).parameters if name != "self"]
    return {name: typing.get_args(annotations[name])[1] for name in names}


def validate(init: Callable, values: Mapping[str, object], complete: bool) -> str | None:
    """Find the first fault of a config: an unknown name, a value that its rule does not allow, a missing name.

    Args:
        init: The `__init__` with the rules in its annotations.
        values: Parameter name → value.
        complete: Whether a missing name is a fault.

    Returns:
        The fault as a sentence without a subject, or None.
    """
    known = rules(init)
    for name in values:
        if name not in known:
            return f"config key {short_repr(name)} is unknown; known: {', '.join(known)}."
    for name, rule in known.items():
        if name not in values:
            if complete:
                return f"config key {name!r} is missing; it is {rule}."
        elif not rule.allows(values[name]):
            return f"config key {name!r} has the value {short_repr(values[name])}; allowed: {rule}."
    return None

"""What the objects of a pickle become: names and data that nothing can call.

Imports the standard library alone, as all that runs in the reader's process does but for numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


class ForeignError(ValueError):
    """A file that cannot be read; the message is one sentence, without the file's name."""


@dataclass(slots=True, eq=False)
class Global:
    """A class or function, by name alone."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """Module and name, joined by a dot."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Inert:
    """An object of a class, or the result of a function, that was not made: its name, arguments, state and items."""

    path: str
    arguments: Sequence[Any] = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)
    elements: list[Any] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Storage:
    """Numbers in a row. `data` is None until a legacy file has been read to its end."""

    dtype: str  # as safetensors names it
    length: int  # in numbers
    data: memoryview | None = None


@dataclass(slots=True, eq=False)
class Array:
    """A view of a storage: a tensor or an array of numpy."""

    storage: Storage
    offset: int  # in numbers
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(slots=True, eq=False)
class NumpyDtype:
    """A dtype of numpy: its code, as "f4", and the order of its bytes."""

    code: str
    order: str = "<"


@dataclass(slots=True, eq=False)
class NumpyArray:
    """An array of numpy whose content a BUILD brings; then `array` is set."""

    array: Array | None = None


ITEM_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
    "U16": 2, "U32": 4, "U64": 8,
}  # fmt: skip


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides, in numbers, of an array that lies in memory row by row."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))

"""Inert data on their way out of the reader's process: a tree in JSON, and the tensors in one safetensors file."""

import json
import math
from typing import IO, Any

import numpy as np

from gan_hub.foreign.inert import ITEM_BYTES, Array, ForeignError, Global, Inert, NumpyArray, NumpyDtype, Storage
from gan_hub.foreign.inert import contiguous_strides as contiguous

MAX_DEPTH = 60  # containers in containers; a network of networks has some 20
MAX_NODES = 1_000_000  # of the tree
MAX_TEXT = 20_000  # letters of a text; longer ones are source code or logs
MAX_TEXTS = 64_000_000  # letters of all texts together
SPARE_BYTES = 64_000_000  # how much more than the file its tensors may take


class Encoder:
    """Collects the tensors of a tree while it turns the tree into what JSON can hold.

    A text, a number that is finite, None, a bool and a list stand for themselves. Everything else is an object with
    one key: {"dict": [[key, value], …]}, {"object": [path, arguments, state, items, elements]}, {"tensor": name},
    {"number": text} and {"left out": what}.

    Example:
        >>> from gan_hub.foreign.encode import Encoder
        >>> Encoder().encode({"lr": 0.1, 3: [None]})
        {'dict': [['lr', 0.1], [3, [None]]]}
    """

    def __init__(self) -> None:
        self.arrays: dict[tuple[Any, ...], tuple[str, Array]] = {}
        self.nodes = self.letters = 0
        self.open: set[int] = set()  # containers around the value: a pickle may put a list into itself

    def encode(self, value: Any) -> Any:
        """What stands for a value in JSON; raises ForeignError for more than the limits above allow."""
        self.nodes += 1
        if self.nodes > MAX_NODES or self.letters > MAX_TEXTS:
            raise ForeignError("it describes more objects than any network has")
        if value is None or type(value) is bool:
            return value
        if type(value) is int:
            return value if abs(value) < 2**63 else {"left out": f"a number of {value.bit_length()} bits"}
        if type(value) is float:
            return value if math.isfinite(value) else {"number": repr(value)}
        if type(value) is str:
            self.letters += min(len(value), MAX_TEXT)
            return value if len(value) <= MAX_TEXT else {"left out": f"a text of {len(value)} letters"}
        if isinstance(value, NumpyArray):
            value = value.array
        if isinstance(value, Array):
            return self._tensor(value)
        return self._container(value)

    def _container(self, value: Any) -> Any:
        if id(value) in self.open:
            return {"left out": "an object within itself"}
        if len(self.open) >= MAX_DEPTH:
            raise ForeignError("its objects are nested too deeply")
        self.open.add(id(value))
        try:
            return self._content(value)
        finally:
            self.open.remove(id(value))

    def _content(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self.encode(each) for each in value]
        if isinstance(value, dict):
            return {"dict": [[self._key(key), self.encode(each)] for key, each in value.items()]}
        if isinstance(value, Global):
            return {"object": [value.path, [], None, {"dict": []}, []]}
        if isinstance(value, Inert):
            content = (list(value.arguments), value.state, value.items, value.elements)
            return {"object": [value.path[:400], *(self.encode(each) for each in content)]}
        if isinstance(value, bytes):
            return {"left out": f"{len(value)} bytes"}
        if isinstance(value, (Storage, NumpyDtype)):
            return {"left out": f"a {type(value).__name__}"}
        return {"left out": type(value).__name__}

    def _key(self, key: Any) -> Any:
        return key if type(key) in (str, int) and len(str(key)) < 1000 else repr(key)[:1000]

    def _tensor(self, array: Array) -> Any:
        place = (id(array.storage), array.offset, array.shape, array.strides)
        name, _ = self.arrays.setdefault(place, (f"t{len(self.arrays)}", array))
        return {"tensor": name}

    def write_tensors(self, file: IO[bytes], file_size: int) -> None:
        """Write the tensors of the tree as a safetensors file.

        Args:
            file: where to.
            file_size: bytes of the foreign file. ForeignError for tensors that take much more, as views of the same
                numbers can.
        """
        header: dict[str, Any] = {}
        end = 0
        for name, array in self.arrays.values():
            begin, end = end, end + math.prod(array.shape) * ITEM_BYTES[array.storage.dtype]
            header[name] = {"dtype": array.storage.dtype, "shape": list(array.shape), "data_offsets": [begin, end]}
        if end > file_size + SPARE_BYTES:
            raise ForeignError("its tensors take more memory than the whole file")
        text = json.dumps(header).encode("ascii")
        text += b" " * (-len(text) % 8)
        file.write(len(text).to_bytes(8, "little") + text)
        for _, array in self.arrays.values():
            file.write(_numbers(array))
        file.flush()


def _numbers(array: Array) -> memoryview | bytes:
    """The numbers of a tensor, row by row."""
    storage, item = array.storage, ITEM_BYTES[array.storage.dtype]
    count = math.prod(array.shape)
    if storage.data is None or len(storage.data) < storage.length * item:
        raise ForeignError("a tensor in it claims more numbers than the file holds")
    steps = zip(array.shape, array.strides, contiguous(array.shape), strict=True)
    if not count or all(size == 1 or own == row for size, own, row in steps):
        return storage.data[array.offset * item : (array.offset + count) * item]
    numbers = np.frombuffer(storage.data, f"V{item}")[array.offset :]
    view = np.lib.stride_tricks.as_strided(
        numbers, array.shape, [step * item for step in array.strides], writeable=False
    )
    return view.tobytes()

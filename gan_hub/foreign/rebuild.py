"""The handful of functions whose calls in a pickle mean data, each done by our own code; all other calls stay inert.

Nothing here calls what a file names: a name is looked up in a table of our own functions, and what is not in it becomes an
`Inert` with its name and arguments. Functions of the standard library that no network needs, such as os.system, make the
file suspect, and it is refused.
"""

import math
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any

from gan_hub.foreign.inert import (
    ITEM_BYTES,
    Array,
    ForeignError,
    Global,
    Inert,
    NumpyArray,
    NumpyDtype,
    Storage,
    contiguous_strides,
)

MAX_DIMENSIONS = 16
MAX_NUMBERS = 2**40  # of a tensor
# Name of a storage's class in torch → dtype, as safetensors names it.
STORAGES = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
    "BoolStorage": "BOOL", "UntypedStorage": "U8",
}  # fmt: skip
NUMPY_DTYPES = {
    "f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8", "u1": "U8", "b1": "BOOL",
    "u2": "U16", "u4": "U32", "u8": "U64",
}  # fmt: skip
STRUCT_CODES = {"f8": "d", "f4": "f", "f2": "e", "i8": "q", "i4": "i", "i2": "h", "i1": "b", "u1": "B", "b1": "?",
                "u2": "H", "u4": "I", "u8": "Q"}  # fmt: skip
# Modules of the standard library whose classes hold data, and so may be named and stay inert.
DATA_MODULES = {"argparse", "collections", "copyreg", "copy_reg", "datetime", "decimal", "enum", "fractions", "pathlib",
                "random", "types", "typing", "uuid"}  # fmt: skip
OLD_MODULES = {"commands", "exceptions", "popen2"}  # of Python 2
LOADERS = ("torch.load", "torch.hub", "torch.jit", "torch.serialization", "torch.utils.cpp_extension", "numpy.load",
           "numpy.f2py", "numpy.testing", "dill", "cloudpickle", "joblib", "setuptools", "pip")  # fmt: skip
BUILTIN_DATA = {"bool", "bytes", "complex", "dict", "float", "int", "list", "object", "range", "slice", "str", "tuple"}
TENSORFLOW = ("dnnlib.tflib", "tfutil", "tensorflow", "network")  # of NVIDIA's programs before PyTorch


def storage_dtype(kind: object) -> str:
    """The dtype of a storage's class; raises ForeignError for any that is not known."""
    dtype = STORAGES.get(kind.name) if isinstance(kind, Global) and kind.module.split(".")[0] == "torch" else None
    if dtype is None:
        raise ForeignError(f"it holds numbers of a kind that is not read here ({_named(kind)})")
    return dtype


def refuse_by_name(name: Global) -> None:
    """Refuse the files of programs that are known and not read, as soon as a class of theirs is named."""
    if name.module.startswith(TENSORFLOW) and name.name in ("Network", "Session", "Graph"):
        raise ForeignError(
            "a pickle of a TensorFlow program, whose networks are source code; legacy.py of NVIDIA's "
            "stylegan2-ada-pytorch turns such a file into one of PyTorch, which can be converted"
        )


def call(function: object, arguments: Sequence[Any], nested: Callable[[bytes], Storage]) -> Any:
    """The data that a call in a pickle means.

    Args:
        function: what the file calls.
        arguments: what it calls it with.
        nested: reads a storage that lies in a file inside of the file.

    Returns: the data; an `Inert` for a function or class that is not known.

    Raises:
        ForeignError: for a call that no network needs, and for arguments that make no sense.
    """
    if not isinstance(function, Global):
        return Inert(f"(called) {_named(function)}", arguments)
    if function.path == "torch.storage._load_from_bytes":
        return nested(_bytes(arguments[0]))
    known = FUNCTIONS.get(function.path)
    if known is not None:
        return known(*arguments)
    if function.module == "torch._tensor" and function.name == "_rebuild_from_type_v2" and len(arguments) == 4:
        return call(arguments[0], arguments[2], nested)  # a subclass of Tensor: its numbers
    _refuse_suspect(function)
    return Inert(function.path, arguments)


def _refuse_suspect(function: Global) -> None:
    """Refuse a call into the standard library, or to what loads or compiles code, that no network needs."""
    top = function.module.split(".")[0]
    is_builtin = top in ("builtins", "__builtin__")
    is_data = top in DATA_MODULES or (is_builtin and function.name in BUILTIN_DATA)
    is_library = top in sys.stdlib_module_names or is_builtin or top in OLD_MODULES
    if (is_library and not is_data) or function.path.startswith(LOADERS):
        raise ForeignError(
            f"it asks to call {_named(function)}, which no network needs: the file may be meant to do harm; nothing of it "
            "was run"
        )


# ------------------------------------------------------------------------------------------------- torch


def _tensor(storage: object, offset: object, shape: object, strides: object, *_: object) -> Array:
    if not isinstance(storage, Storage):
        raise ForeignError("a tensor in it has no numbers")
    return checked_array(storage, offset, shape, strides)


def checked_array(storage: Storage, offset: object, shape: object, strides: object) -> Array:
    """A view of a storage.

    Args:
        storage: the numbers.
        offset: the place of the first number.
        shape, strides: in numbers, as the file says.

    Returns: the view.

    Raises:
        ForeignError: unless it lies within the storage and has no more numbers than that.
    """
    sizes, steps = _whole_numbers(shape), _whole_numbers(strides)
    if len(sizes) != len(steps) or len(sizes) > MAX_DIMENSIONS or type(offset) is not int or offset < 0:
        raise ForeignError("the shape of a tensor in it makes no sense")
    count = math.prod(sizes)
    last = offset + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True)) if count else offset
    if count > min(storage.length, MAX_NUMBERS) or (count and last >= storage.length):
        raise ForeignError("a tensor in it claims more numbers than the file holds")
    return Array(storage, offset, sizes, steps)


def _whole_numbers(values: object) -> tuple[int, ...]:
    numbers = tuple(values) if isinstance(values, (tuple, list)) else ()
    if not isinstance(values, (tuple, list)) or any(
        type(each) is not int or not 0 <= each <= MAX_NUMBERS for each in numbers
    ):
        raise ForeignError("the shape of a tensor in it makes no sense")
    return numbers


def _first(value: object, *_: object) -> object:
    return value


# ------------------------------------------------------------------------------------------------- python


def _ordered_dict(pairs: Any = ()) -> dict[Any, Any]:
    fresh: dict[Any, Any] = {}
    for pair in pairs.items() if isinstance(pairs, dict) else pairs:
        key, value = pair
        fresh[key_of(key)] = value
    return fresh


def _default_dict(_factory: object = None, pairs: Any = ()) -> dict[Any, Any]:
    return _ordered_dict(pairs)


def _set(elements: Any = ()) -> list[Any]:
    return list(elements)


def _encode(text: str, _encoding: str = "latin1", _errors: str = "strict") -> bytes:
    return text.encode("latin1")  # how old protocols spell bytes; no other encoding is ever asked for


def _bytearray(data: Any = b"", encoding: str = "latin1") -> bytes:
    return data.encode("latin1") if isinstance(data, str) else _bytes(data)


def key_of(key: Any) -> Any:
    """A key of a dictionary: a plain value as it is, anything else by its kind, so that no hash of ours follows a file."""
    if key is None or type(key) in (bool, int, float, str, bytes):
        return key
    if type(key) is tuple and all(part is None or type(part) in (bool, int, float, str) for part in key):
        return key
    return f"<{_named(key)} {id(key):x}>"


def _named(thing: object) -> str:
    """The name of an object of a pickle, cut and printable."""
    path = thing.path if isinstance(thing, (Global, Inert)) else type(thing).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in path[:80])


def _bytes(data: object) -> bytes:
    if isinstance(data, str):
        return data.encode("latin1")
    if not isinstance(data, bytes):
        raise ForeignError("a part of it that should be bytes is none")
    return data


# ------------------------------------------------------------------------------------------------- numpy


def _dtype(code: Any, *_: object) -> NumpyDtype | Inert:
    text = code if isinstance(code, str) else ""
    order, text = (text[0], text[1:]) if text[:1] in ("<", ">", "|", "=") else ("<", text)
    return NumpyDtype(text, order) if text in NUMPY_DTYPES else Inert("numpy.dtype", (code,))


def _scalar(dtype: Any, data: Any = b"") -> Any:
    if not isinstance(dtype, NumpyDtype):
        return Inert("numpy.scalar", ())
    order = ">" if dtype.order == ">" else "<"
    return struct.unpack(order + STRUCT_CODES[dtype.code], _bytes(data))[0]


def _reconstruct(*_: object) -> NumpyArray:
    return NumpyArray()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any = "C") -> NumpyArray:
    return numpy_array(NumpyArray(), (1, shape, dtype, order == "F", data))


def numpy_array(empty: NumpyArray, state: object) -> NumpyArray:
    """Fill an array of numpy with the state that a BUILD brings; one of objects stays empty."""
    if not isinstance(state, tuple) or len(state) != 5:
        raise ForeignError("an array of numpy in it makes no sense")
    _, shape, dtype, is_fortran, data = state
    if isinstance(dtype, NumpyDtype):
        numbers, kind = _bytes(data), NUMPY_DTYPES[dtype.code]
        if dtype.order == ">" and ITEM_BYTES[kind] > 1:
            numbers = b"".join(
                numbers[place : place + ITEM_BYTES[kind]][::-1] for place in range(0, len(numbers), ITEM_BYTES[kind])
            )
        storage = Storage(kind, len(numbers) // ITEM_BYTES[kind], memoryview(numbers))
        sizes = _whole_numbers(shape)
        strides = contiguous_strides(sizes[::-1])[::-1] if is_fortran else contiguous_strides(sizes)
        empty.array = checked_array(storage, 0, sizes, strides)
    return empty


# -------------------------------------------------------------------------------------------------


def _persistent(meta: Any) -> Inert:
    """An object of NVIDIA's programs, whose pickle carries the source of its class: the source is not even kept."""
    fields = meta.items if isinstance(meta, Inert) else meta
    if not isinstance(fields, dict):
        raise ForeignError("a network of NVIDIA's in it has no state")
    return Inert(f"nvidia.{fields.get('class_name')}", (), fields.get("state"))


def _copyreg(cls: Any, *_: object) -> Inert:
    return Inert(_named(cls))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch.Size": _set,
    "torch_utils.persistence._reconstruct_persistent_obj": _persistent,
    "collections.OrderedDict": _ordered_dict,
    "collections.defaultdict": _default_dict,
    "copyreg._reconstructor": _copyreg,
    "copy_reg._reconstructor": _copyreg,
    "_codecs.encode": _encode,
    "numpy.dtype": _dtype,
} | {
    f"{module}.{name}": function
    for module in ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
    for name, function in (("scalar", _scalar), ("_reconstruct", _reconstruct), ("_frombuffer", _from_buffer))
} | {
    f"{module}.{name}": function
    for module in ("builtins", "__builtin__")
    for name, function in (("set", _set), ("frozenset", _set), ("bytearray", _bytearray))
}  # fmt: skip

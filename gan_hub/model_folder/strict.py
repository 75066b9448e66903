"""Reading a model's files without trusting them: strict JSON, strict safetensors, one typed error."""

import contextlib
import hashlib
import json
import math
import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from safetensors import SafetensorError, safe_open

from gan_hub.atomic import write_text
from gan_hub.messages import short_repr
from gan_hub.model_folder.files import MAX_JSON_BYTES, PICKLE_SUFFIXES, weights_name

if (
    TYPE_CHECKING
):  # torch is imported for tensors alone: JSON is read without; manifest.py reads its file by this module
    import torch

    from gan_hub.model_folder.manifest import Manifest

MAX_HEADER_BYTES = 8_000_000  # about 80,000 tensors; the header is parsed before anything else is read

# The floating dtypes a weight file may hold, by their safetensors names, with their bytes per element.
FLOAT_BYTES = {"F32": 4, "F16": 2, "BF16": 2}
VARIANT_DTYPES = {"fp16": ("F16", "float16"), "bf16": ("BF16", "bfloat16")}  # variant → names in a file, and of torch


class LoadError(ValueError):
    """A model that is damaged, incomplete, unknown or unreachable. The message names the file and the field."""


@contextlib.contextmanager
def refuse_unloadable(folder: Path) -> Iterator[None]:
    """Around loading what was just written to the scratch `folder`: turns its LoadError into a ValueError of the save."""
    try:
        yield
    except LoadError as error:
        why = str(error).replace(f"{folder}{os.sep}", "").replace(f"{folder}: ", "")
        raise ValueError(f"nothing was saved, as it could not be loaded again: {why}") from error


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file of at most `max_bytes`; raises LoadError for anything else (FIFO, folder, absent)."""
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer that never comes.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise LoadError(f"{path}: not a regular file.")
            if status.st_size > max_bytes:
                raise LoadError(f"{path}: {status.st_size:,} bytes, but at most {max_bytes:,} are allowed here.")
            data = file.read(status.st_size)  # not max_bytes: read() takes that much memory first
    except OSError as error:
        raise LoadError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if is_lfs_pointer(data):
        raise LoadError(f"{path}: a Git LFS pointer in place of the file; `git lfs pull` in its repository fetches it.")
    return data


def is_lfs_pointer(data: bytes) -> bool:
    """Whether a file begins as the pointers do that Git LFS leaves in place of large files."""
    return data.startswith(b"version https://git-lfs.github.com/spec/")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from `path`: UTF-8, no duplicate keys, no NaN or Infinity. Raises LoadError."""
    return parse_json(path, read_bytes(path, MAX_JSON_BYTES))


def parse_json(path: Path, data: bytes) -> dict[str, Any]:
    """Parse JSON as `read_json` does, from bytes at hand; errors name `path` as their origin."""

    def refuse_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not a JSON number")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(key for key, _ in pairs)
        if len(counts) != len(pairs):
            raise ValueError(f"duplicate key {short_repr(next(key for key, count in counts.items() if count > 1))}")
        return dict(pairs)

    try:
        value = json.loads(data.decode("utf-8"), parse_constant=refuse_constant, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{path}: not valid JSON ({short_repr(str(error))}).") from error
    if not isinstance(value, dict):
        raise LoadError(f"{path}: a JSON object is expected, not {type(value).__name__}.")
    return value


def write_json(path: Path, value: dict) -> None:
    """Write a JSON file, whole or not at all: indented, keys in their order, a newline at the end."""
    write_text(path, to_json(value))


def to_json(value: dict) -> str:
    """The text that `write_json` writes."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sha256(data: bytes) -> str:
    """The SHA-256 of some bytes, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def parse_tensors(path: Path, data: bytes) -> "dict[str, torch.Tensor]":
    """The tensors of a safetensors file, from bytes at hand, on the CPU; raises LoadError, naming `path`, for damage."""
    from safetensors.torch import load

    try:
        return load(data)
    except Exception as error:  # the parser raises SafetensorError, TypeError or KeyError, depending on the damage
        raise LoadError(f"{path}: damaged ({short_repr(str(error))}).") from error


def read_header(path: Path) -> tuple[set[str], dict[str, str]]:
    """The tensor names and the metadata of a safetensors file; raises LoadError for any other file."""
    if path.name.endswith(PICKLE_SUFFIXES):
        raise LoadError(f"{path}: a pickle, which can run code; only .safetensors files are ever loaded.")
    if not os.path.isfile(path):
        raise LoadError(f"{path}: not found, or not a regular file.")
    try:
        with safe_open(path, "pt") as file:
            return set(file.keys()), file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise LoadError(f"{path}: not a safetensors file ({short_repr(str(error))}).") from error


# --------------------------------------------------------------------------------------------- weights


def is_finite(tensor: "torch.Tensor") -> bool:
    """Whether a tensor of floats has neither NaN nor Inf.

    Its extremes tell, as both are NaN where any element is: one pass, a tenth of the time of an element-wise answer.
    """
    import torch

    return tensor.numel() == 0 or all(math.isfinite(extreme) for extreme in torch.aminmax(tensor.detach()))


def weights_path(folder: Path, variant: str | None) -> Path:
    """The safetensors file of a component's folder; raises LoadError where only a pickle, or nothing, is there."""
    path = folder / weights_name(variant)
    if os.path.lexists(path):
        return path
    present = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    pickles = [name for name in present if name.endswith(PICKLE_SUFFIXES)]
    if pickles:
        raise LoadError(f"{folder / pickles[0]}: a pickle, which can run code; only {path.name} is ever loaded.")
    weights = [name for name in present if name.endswith(".safetensors")]
    raise LoadError(f"{path}: not found; this folder has {', '.join(weights) or 'no weights'}.")


def _parse_header(path: Path, data: bytes) -> Mapping[str, dict]:
    """Tensor name → {dtype, shape, data_offsets} of the first bytes of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise LoadError(f"{path}: not a safetensors file (its header is cut off, or larger than allowed).")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("duplicate tensor name")
        return dict(pairs)

    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{path}: not a safetensors file (header: {short_repr(str(error))}).") from error
    if not isinstance(header, dict):
        raise LoadError(f"{path}: not a safetensors file (its header is no JSON object).")
    header.pop("__metadata__", None)
    if not all(isinstance(entry, dict) for entry in header.values()):
        raise LoadError(f"{path}: not a safetensors file (a header entry is no JSON object).")
    return header


def _check_header(
    path: Path, header: Mapping[str, dict], expected: "Mapping[str, torch.Tensor]", variant: str | None, mixed: bool
) -> None:
    """Names, dtypes and shapes against the tensors the network has (on the meta device)."""
    missing, extra = sorted(expected.keys() - header.keys()), sorted(header.keys() - expected.keys())
    if missing:
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise LoadError(f"{path}: tensor {missing[0]!r} is missing{others}.")
    if extra:
        raise LoadError(f"{path}: tensor {short_repr(extra[0])} is not part of this network.")

    floats = [VARIANT_DTYPES[variant][0]] if variant and variant in VARIANT_DTYPES else sorted(FLOAT_BYTES)
    for name, tensor in expected.items():
        dtype, shape = header[name].get("dtype"), header[name].get("shape")
        wanted = floats if tensor.is_floating_point() else ["I64"]
        if dtype not in wanted:  # a list: a hostile dtype need not be hashable
            raise LoadError(f"{path}: tensor {name!r} has dtype {short_repr(dtype)}; allowed: {', '.join(wanted)}.")
        if shape != list(tensor.shape):
            raise LoadError(
                f"{path}: tensor {name!r} has shape {short_repr(shape)}, but the config asks for {list(tensor.shape)}."
            )
    dtypes = sorted({header[name]["dtype"] for name, tensor in expected.items() if tensor.is_floating_point()})
    if len(dtypes) > 1 and not mixed:
        raise LoadError(f"{path}: its tensors mix the dtypes {', '.join(dtypes)}; one file has one floating dtype.")


def read_weights(
    path: Path,
    expected: "Mapping[str, torch.Tensor]",
    variant: str | None = None,
    manifest: "Manifest | None" = None,
    mixed_dtypes: bool = False,
) -> "dict[str, torch.Tensor]":
    """The tensors of a weight file, in the file's dtype, on the CPU.

    The file is read only once its size and header agree with `expected`, and parsed from the very bytes that were hashed.
    Nothing of it is ever executed.

    Args:
        path: the safetensors file.
        expected: the state dict that it must fill, on any device (meta costs nothing): the same names and shapes, floating
            tensors all in one of float32, float16, bfloat16, integer tensors in int64.
        variant: "fp16" or "bf16" narrows the floating dtype to that one.
        manifest: verifies the bytes; None for a file outside a model.
        mixed_dtypes: lets each floating tensor have its own dtype.

    Returns: name → tensor.

    Raises:
        LoadError: naming the file and the tensor that is missing, unknown, of another shape or dtype, or not finite.
    """
    # Float tensors of at most 4 bytes, integer tensors of 8, plus the header: no honest file is larger.
    elements = sum(t.numel() * (4 if t.is_floating_point() else 8) for t in expected.values())
    data = read_bytes(path, 8 + MAX_HEADER_BYTES + elements)
    _check_header(path, _parse_header(path, data), expected, variant, mixed_dtypes)
    if manifest is not None:
        manifest.verify(path.relative_to(manifest.path.parent).as_posix(), data)
    tensors = parse_tensors(path, data)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not is_finite(tensor):
            raise LoadError(f"{path}: tensor {name!r} contains NaN or Inf.")
    return tensors

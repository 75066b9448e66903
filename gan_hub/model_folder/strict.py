"""Reading a model's files without trusting them: strict JSON, strict safetensors, checksums, one typed error."""

import contextlib
import hashlib
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import load as parse_safetensors

from gan_hub.atomic import write_text
from gan_hub.messages import short_repr

MAX_JSON_BYTES = 1_000_000
MAX_HEADER_BYTES = 8_000_000  # about 80,000 tensors; the header is parsed before anything else is read
PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
WEIGHTS_NAME = "diffusion_pytorch_model"  # the file name that diffusers gives a ModelMixin's weights
MANIFEST_NAME = "manifest.json"

# The floating dtypes a weight file may hold, by their safetensors names, with their bytes per element.
FLOAT_BYTES = {"F32": 4, "F16": 2, "BF16": 2}
VARIANT_DTYPES = {"fp16": ("F16", torch.float16), "bf16": ("BF16", torch.bfloat16)}


class LoadError(ValueError):
    """A model that is damaged, incomplete, unknown or unreachable. The message names the file and the field."""


@contextlib.contextmanager
def refuse_unloadable(folder: Path) -> Iterator[None]:
    """Around loading what was just written to the scratch `folder`: its LoadError becomes a ValueError of who saves."""
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


def read_json(path: Path) -> dict:
    """A JSON object from `path`: UTF-8, no duplicate keys, no NaN or Infinity. Raises LoadError."""
    return parse_json(path, read_bytes(path, MAX_JSON_BYTES))


def parse_json(path: Path, data: bytes) -> dict:
    """`read_json` of bytes that are at hand; errors name `path` as where they come from."""

    def refuse_constant(name: str):
        raise ValueError(f"{name} is not a JSON number")

    def unique(pairs: list[tuple[str, object]]) -> dict:
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
    """The inverse of `read_json`: indented, sorted as given, ends in a newline. The file is there whole, or as it was."""
    write_text(path, to_json(value))


def to_json(value: dict) -> str:
    """The text that `write_json` writes."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --------------------------------------------------------------------------------------------- manifest


class Manifest:
    """`manifest.json`: sha256 and size of every file that decides an image or a verdict.

    Safetensors checks a file's structure, not its content: a flipped bit in a weight loads silently. This does not.
    """

    def __init__(self, folder: Path):
        self.path = folder / MANIFEST_NAME
        content = read_json(self.path)
        for name in sorted(content.keys() ^ {"files"}):
            raise LoadError(f"{self.path}: key {short_repr(name)} is {'missing' if name == 'files' else 'unknown'}.")
        if not isinstance(content["files"], dict):
            raise LoadError(f"{self.path}: files is {short_repr(content['files'])}; allowed: an object.")
        for name, entry in content["files"].items():
            self._check_entry(name, entry)
        self.files: dict[str, dict] = content["files"]

    def _check_entry(self, name: str, entry: object) -> None:
        valid = (
            isinstance(entry, dict)
            and set(entry) == {"sha256", "size"}
            and type(entry["size"]) is int
            and isinstance(entry["sha256"], str)
            and re.fullmatch(r"[0-9a-f]{64}", entry["sha256"]) is not None
        )
        if not valid:
            raise LoadError(
                f"{self.path}: entry {short_repr(name)} of files needs a sha256 (64 hex digits) and a size in bytes."
            )

    def verify(self, name: str, data: bytes) -> None:
        """Raises LoadError unless `data` is what the manifest says file `name` (relative, with /) holds."""
        path = self.path.parent / name
        entry = self.files.get(name)
        if entry is None:
            raise LoadError(f"{path}: not listed in {MANIFEST_NAME}.")
        if self._lists(entry, data):
            return
        if any(self._lists(entry, data.replace(*ends)) for ends in ((b"\r\n", b"\n"), (b"\n", b"\r\n"))):
            raise LoadError(
                f"{path}: only its line endings differ from {MANIFEST_NAME}, as git changes them where core.autocrlf is "
                "set. After `git config core.autocrlf false`, delete the file and let `git checkout -- .` bring it back."
            )
        differs = f"its sha256 differs from {MANIFEST_NAME}"
        if len(data) != entry["size"]:
            differs = f"{len(data):,} bytes, but {MANIFEST_NAME} says {entry['size']:,}"
        raise LoadError(
            f"{path}: {differs}. The file is damaged or was changed; get it anew from where the folder came from, or save "
            "the model anew if the change is your own."
        )

    @staticmethod
    def _lists(entry: dict, data: bytes) -> bool:
        return len(data) == entry["size"] and sha256(data) == entry["sha256"]

    @staticmethod
    def write(folder: Path, names: Iterable[str], others: Mapping[str, dict] | None = None) -> None:
        """Writes the manifest of the files `names` (relative, with /) of `folder`, and of `others`, whose entries are known."""
        files = dict(others or {})
        for name in names:
            data = (folder / name).read_bytes()
            files[name] = {"sha256": sha256(data), "size": len(data)}
        write_json(folder / MANIFEST_NAME, {"files": dict(sorted(files.items()))})


# --------------------------------------------------------------------------------------------- weights


def weights_path(folder: Path, variant: str | None) -> Path:
    """The safetensors file of a component's folder; raises LoadError where only a pickle, or nothing, is there."""
    path = folder / f"{WEIGHTS_NAME}{f'.{variant}' if variant else ''}.safetensors"
    if os.path.lexists(path):
        return path
    present = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    pickles = [name for name in present if name.endswith(PICKLE_SUFFIXES)]
    if pickles:
        raise LoadError(f"{folder / pickles[0]}: a pickle, which can run code; only {path.name} is ever loaded.")
    weights = [name for name in present if name.endswith(".safetensors")]
    raise LoadError(f"{path}: not found; this folder has {', '.join(weights) or 'no weights'}.")


def _read_header(path: Path, data: bytes) -> Mapping[str, dict]:
    """Tensor name → {dtype, shape, data_offsets} of the first bytes of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise LoadError(f"{path}: not a safetensors file (its header is cut off, or larger than allowed).")

    def unique(pairs):
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


def _check_header(path: Path, header: Mapping[str, dict], expected: Mapping[str, torch.Tensor], variant, mixed) -> None:
    """Names, dtypes and shapes against the tensors the network has (on the meta device)."""
    missing, extra = sorted(expected.keys() - header.keys()), sorted(header.keys() - expected.keys())
    if missing:
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise LoadError(f"{path}: tensor {missing[0]!r} is missing{others}.")
    if extra:
        raise LoadError(f"{path}: tensor {short_repr(extra[0])} is not part of this network.")

    floats = [VARIANT_DTYPES[variant][0]] if variant in VARIANT_DTYPES else sorted(FLOAT_BYTES)
    for name, tensor in expected.items():
        dtype, shape = header[name].get("dtype"), header[name].get("shape")
        wanted = floats if tensor.is_floating_point() else ["I64"]
        if dtype not in wanted:  # a list: a hostile dtype need not be hashable
            raise LoadError(f"{path}: tensor {name!r} has dtype {short_repr(dtype)}; allowed: {', '.join(wanted)}.")
        if shape != list(tensor.shape):
            raise LoadError(
                f"{path}: tensor {name!r} has shape {short_repr(shape)}, but the config asks for {list(tensor.shape)}."
            )
    found = sorted({header[name]["dtype"] for name, tensor in expected.items() if tensor.is_floating_point()})
    if len(found) > 1 and not mixed:
        raise LoadError(f"{path}: its tensors mix the dtypes {', '.join(found)}; one file has one floating dtype.")


def read_weights(
    path: Path,
    expected: Mapping[str, torch.Tensor],
    variant: str | None = None,
    manifest: Manifest | None = None,
    mixed_dtypes: bool = False,
) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, in the file's dtype, on the CPU.

    `expected` is the state dict the file must fill, on any device (meta costs nothing): same names, same shapes,
    floating tensors all in one of float32, float16, bfloat16 (`variant` narrows it to one, `mixed_dtypes` lets
    each tensor have its own), integer tensors in int64.
    The file is read only once its header and size agree with that, and parsed from the very bytes that were hashed.
    Raises LoadError; nothing of the file is ever executed.
    """
    # Float tensors of at most 4 bytes, integer tensors of 8, plus the header: no honest file is larger.
    elements = sum(t.numel() * (4 if t.is_floating_point() else 8) for t in expected.values())
    data = read_bytes(path, 8 + MAX_HEADER_BYTES + elements)
    _check_header(path, _read_header(path, data), expected, variant, mixed_dtypes)
    if manifest is not None:
        manifest.verify(path.relative_to(manifest.path.parent).as_posix(), data)
    try:
        tensors = parse_safetensors(data)
    except Exception as error:  # the parser raises SafetensorError, TypeError or KeyError, depending on the damage
        raise LoadError(f"{path}: damaged ({short_repr(str(error))}).") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise LoadError(f"{path}: tensor {name!r} contains NaN or Inf.")
    return tensors

"""Read a foreign file in a process of its own; what comes back is tensors and plain data."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_hub.foreign.child import REFUSED, seconds_for
from gan_hub.model_folder.strict import LoadError, is_lfs_pointer, parse_tensors, read_bytes

if TYPE_CHECKING:
    import torch

MAX_FOREIGN_BYTES = 16 * 2**30
PACKAGE_ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop(1)); from gan_hub.foreign.child import run; run()"
HEADER = 200  # bytes that tell what a file is


@dataclass
class ForeignObject:
    """An object of a class that was not made: its class's name and what the file says of it.

    Example:
        >>> from gan_hub.foreign.read import ForeignObject
        >>> ForeignObject("argparse.Namespace", state={"size": 256}).attributes["size"]
        256
    """

    path: str  # module and name of the class
    arguments: list[Any] = field(default_factory=list)
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)
    elements: list[Any] = field(default_factory=list)

    @property
    def attributes(self) -> Mapping[Any, Any]:
        """What it holds by name: its state, or the items of a dictionary."""
        return self.state if isinstance(self.state, dict) else self.items


def read_foreign(path: str | os.PathLike[str]) -> Any:
    """The content of a checkpoint of any program, without running anything in it.

    Args:
        path: a file of `torch.save` (both formats), a pickle, NVIDIA's .pkl, or a safetensors file.

    Returns: dicts, lists, numbers, texts, CPU tensors, and a `ForeignObject` for each object of a class.

    Raises:
        LoadError: in one sentence, for what is damaged, hostile, too large or of another kind.
    """
    path = Path(path)
    size = _size_of(path)
    with path.open("rb") as file:
        start = file.read(HEADER)
    if is_lfs_pointer(start):
        raise LoadError(f"{path}: a Git LFS pointer in place of the file; `git lfs pull` in its repository fetches it.")
    if _is_safetensors(start, size):
        return dict(parse_tensors(path, read_bytes(path, MAX_FOREIGN_BYTES)))
    with tempfile.TemporaryDirectory(prefix="gan_hub-reader-") as scratch:
        _run_child(path, scratch, size)
        tree = (Path(scratch) / "tree.json").read_text(encoding="utf-8")
        tensors = parse_tensors(path, (Path(scratch) / "tensors.safetensors").read_bytes())
    return _decoded(json.loads(tree), tensors)


def _size_of(path: Path) -> int:
    if not path.is_file():  # a FIFO would be waited for
        raise LoadError(f"{path}: not found, or not a regular file.")
    size = path.stat().st_size
    if size > MAX_FOREIGN_BYTES:
        raise LoadError(f"{path}: {size:,} bytes, but at most {MAX_FOREIGN_BYTES:,} are allowed here.")
    return size


def _is_safetensors(start: bytes, size: int) -> bool:
    return start[8:9] == b"{" and 8 < int.from_bytes(start[:8], "little") + 8 <= size


def _run_child(path: Path, scratch: str, size: int) -> None:
    """Let a process without the user's environment read the file into a folder; raises LoadError in its words."""
    inherited = {name: os.environ[name] for name in ("SYSTEMROOT", "LD_LIBRARY_PATH", "PATH") if name in os.environ}
    environment = inherited | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-I", "-c", PROGRAM, str(PACKAGE_ROOT), str(path.resolve()), scratch]
    wait = 20 + 3 * seconds_for(size)
    try:
        done = subprocess.run(
            command, env=environment, cwd=scratch, stdin=subprocess.DEVNULL, capture_output=True, timeout=wait
        )
    except subprocess.TimeoutExpired:
        raise LoadError(
            f"{path}: not read within {wait} seconds, which is more than a network of its size needs."
        ) from None
    if done.returncode == REFUSED:
        sentence = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise LoadError(f"{path}: {_plain(''.join(sentence))}.")
    if done.returncode:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
        raise LoadError(
            f"{path}: reading it takes more memory or time than a network of its size needs, or it is damaged (the reader "
            f"ended with {how})."
        )


def _plain(sentence: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in sentence[:400])


def _decoded(value: Any, tensors: "Mapping[str, torch.Tensor]") -> Any:
    """The data that the tree of encode.py stands for."""
    if isinstance(value, list):
        return [_decoded(each, tensors) for each in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "dict":
        return {key: _decoded(each, tensors) for key, each in content}
    if kind == "tensor":
        return tensors[content]
    if kind == "object":
        path, *parts = content
        return ForeignObject(path, *(_decoded(part, tensors) for part in parts))
    return float(content) if kind == "number" else None

"""Files and folders that appear whole, on the disk, under their final name, or not at all."""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A scratch name beside `path`, with its ending; what was written there takes the place of `path` at the end.

    Whatever is raised inside, or a kill at any moment, leaves `path` as it was.
    """
    scratch = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield scratch
        fsync(scratch)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def clear_scratch(folder: Path) -> None:
    """Removes what `atomic_file` left in a folder where it was killed; nobody may be writing there."""
    for path in folder.glob(".*"):
        if re.fullmatch(r"\..+\.[0-9a-f]{8}(\.[^.]*)?", path.name) and path.is_file():
            path.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all."""
    with atomic_file(path) as scratch:
        scratch.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Writes a text file, in UTF-8 with plain newlines on every system, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def replace_folder(fresh: Path, folder: Path) -> None:
    """`fresh` takes the place of `folder`, of which nothing goes before the new one is whole and on the disk."""
    for path in [*fresh.rglob("*"), fresh]:
        fsync(path)
    old = folder.with_name(f".{folder.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(fresh, folder)
    fsync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def fsync(path: Path) -> None:
    """Waits until a file or a folder is on the disk. Windows cannot open a folder, and needs no such call for one."""
    try:
        # fsync wants a descriptor that may be written to on Windows, and a folder has none such elsewhere.
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | getattr(os, "O_BINARY", 0))
    except PermissionError:
        if path.is_dir():
            return
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

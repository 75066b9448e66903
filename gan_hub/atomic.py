"""Files and folders that appear whole, on the disk, under their final name, or not at all."""

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A scratch name beside `path`, with its ending, for a file that takes the place of `path` at the end.

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
    """Remove the scratch files that a killed `atomic_file` left in a folder; no process may be writing there."""
    for path in folder.glob(".*"):
        if re.fullmatch(r"\..+\.[0-9a-f]{8}(\.[^.]*)?", path.name) and path.is_file():
            path.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic_file(path) as scratch:
        scratch.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a text file, in UTF-8 with plain newlines on every system, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


@contextlib.contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """An empty folder inside `folder`, on the same disk, removed at the end; so is `folder` if it was new and is empty.

    Raises ValueError where `folder` is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: a file, where a folder is to be written.")
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as scratch:
            yield Path(scratch)
    finally:
        if made and not any(folder.iterdir()):
            folder.rmdir()


def move_files(fresh: Path, folder: Path) -> list[str]:
    """Move every file in `fresh` to the same place in `folder`; returns the relative names, with / between the parts.

    Raises ValueError, before the first is moved, where a file has the name of a folder or the other way round.
    """
    files = sorted(path for path in fresh.rglob("*") if path.is_file())
    for path in fresh.rglob("*"):
        place = folder / path.relative_to(fresh)
        if place.exists() and place.is_dir() != path.is_dir():
            here, wanted = ("a folder", "file") if place.is_dir() else ("a file", "folder")
            raise ValueError(f"{place}: {here}, where a {wanted} of this name is to be written; nothing was saved.")
    probe = fresh / ".mode"
    probe.touch()  # safetensors makes files that only their owner may read; these shall be like any other
    for path in files:
        shutil.copymode(probe, path)
        fsync(path)
        target = folder / path.relative_to(fresh)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
    return [path.relative_to(fresh).as_posix() for path in files]


def replace_folder(fresh: Path, folder: Path) -> None:
    """Put `fresh` in the place of `folder`; nothing is removed before the new one is whole and on the disk."""
    for path in [*fresh.rglob("*"), fresh]:
        fsync(path)
    old = _replaced(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(fresh, folder)
    fsync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder` that takes its place at the end, whole and on the disk.

    Whatever is raised inside, or a kill at any moment, leaves `folder` as it was; what a kill left is cleared next time.
    Only one process may be writing there.
    """
    fresh = _unfinished(folder)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        yield fresh
        replace_folder(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder, if it is there, and what a kill of `atomic_folder` left of it."""
    for path in (folder, _unfinished(folder), _replaced(folder)):
        shutil.rmtree(path, ignore_errors=True)


def _unfinished(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}-unfinished")


def _replaced(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}-old")


def fsync(path: Path) -> None:
    """Wait until a file or a folder is on the disk. Windows cannot open a folder, and needs no such call for one."""
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

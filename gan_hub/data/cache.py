"""Decoded sets that are kept on the disk: written once, then mapped into memory without being decoded again.

<root>/<set>/images.npy   uint8 (N, H, W, C)
<root>/<set>/about.json   labels, names, what was skipped, the state of the source, checksums

A kept set whose source has changed, or whose files are damaged, is made anew. All of it may be deleted at any time.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from filelock import FileLock

from gan_hub.data.decode import decoded
from gan_hub.data.image_set import chunks
from gan_hub.data.sources import Contents, Listing
from gan_hub.data.splits import NoSuchSplitError

ROOT_VARIABLE = "GAN_HUB_CACHE"  # a folder; decoded sets lie in its sub-folder data
VERSION = 2  # of what decoding means: raised when a change of it would change a pixel, a label or a split

DecodedImages = tuple[np.ndarray, list, Contents]  # images, labels, and what else is told, without the entries
TOLD = ("label_names", "split", "labels_of", "notes")  # of Contents


def cache_root(kind: str = "data") -> Path:
    """Where decoded sets are kept, or what else of that kind can be made again."""
    return Path(os.environ.get(ROOT_VARIABLE) or "~/.cache/gan_hub").expanduser() / kind


def load_cached(
    source: str, listing: Listing, size: tuple[int, int], channels: int, split: str, limit: int | None
) -> DecodedImages:
    """The decoded set, from the disk where it lies there, else made and put there; its images are a memory map.

    Of several processes that ask for it at the same time one makes it and the others wait.
    Raises ValueError where it cannot be written (and leaves nothing half-written), and what the source itself raises.
    """
    place = source if listing.keep else str(Path(source).resolve())
    question = json.dumps([VERSION, place, size, channels, split, limit])
    name = re.sub(r"[^\w.-]+", "-", place)[-40:].strip("-.")
    folder = cache_root() / f"{name}-{hashlib.sha256(question.encode()).hexdigest()[:16]}"
    with _said_in_a_sentence(source):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{folder}.lock")
        lock.acquire()
    try:
        state = listing.state()
        found = _opened(folder, state)
        if found is None:
            _make(source, folder, state, listing, size, channels, limit)
            found = _opened(folder, state, check=False)
    finally:
        lock.release()
    return found


@contextlib.contextmanager
def _said_in_a_sentence(source: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"data {source!r}: its decoded images cannot be written to {cache_root()} ({error.strerror or error}); make room "
            f"there, or set {ROOT_VARIABLE} to a folder on another disk."
        ) from error


def _opened(folder: Path, state: str | None, check: bool = True) -> DecodedImages | None:
    """What is kept in `folder`, or None where that is nothing, something damaged, or of another `state` of the source."""
    try:
        whole = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        about = whole["about"]
        if whole["sha256"] != _digest_of(about) or (state is not None and about["state"] != state):
            return None
        if about["missing"] is None:
            images = np.lib.format.open_memmap(folder / "images.npy", mode="r")
            if images.dtype != np.uint8 or list(images.shape) != about["shape"]:
                return None
            if check and _digest(images) != about["images"]:
                return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if about["missing"] is not None:
        raise NoSuchSplitError(about["missing"])
    told = {name: about[name] for name in TOLD}
    return images, about["labels"], Contents((), **told, unusable=[tuple(pair) for pair in about["unusable"]])


def _digest(images: np.ndarray) -> str:
    digest = hashlib.sha256()
    for chunk in chunks(images):
        digest.update(chunk)
    return digest.hexdigest()


def _digest_of(about: dict) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _make(
    source: str,
    folder: Path,
    state: str | None,
    listing: Listing,
    size: tuple[int, int],
    channels: int,
    limit: int | None,
) -> None:
    """Decodes everything into a new folder beside `folder`, which takes its place once it is whole."""
    for old in [folder, *folder.parent.glob(f"{folder.name}.new-*")]:  # stale, or left over from a killed process
        shutil.rmtree(old, ignore_errors=True)
    if listing.count is not None:
        need, free = listing.count * size[0] * size[1] * channels, shutil.disk_usage(folder.parent).free
        if need > free:
            raise ValueError(
                f"data {source!r}: its decoded images need {need / 1e9:,.1f} GB, but {cache_root()} has {free / 1e9:,.1f} GB; "
                f"make room there, or set {ROOT_VARIABLE} to a folder on another disk."
            )
    labels, unusable = [], []
    about = {"state": state, "missing": None, "images": None}
    with _said_in_a_sentence(source):
        fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}.new-"))
    try:
        try:
            contents = listing.open()
        except NoSuchSplitError as error:
            about["missing"] = str(error)
        else:
            about |= {name: getattr(contents, name) for name in TOLD}
            rows = decoded(islice(contents.entries, limit), size, channels, labels, unusable)
            about["images"] = _write(source, fresh / "images.npy", rows, (*size, channels))
            unusable += contents.unusable
        about |= {"shape": [len(labels), *size, channels], "labels": labels, "unusable": unusable}
        with _said_in_a_sentence(source):
            whole = {"about": about, "sha256": _digest_of(json.loads(json.dumps(about)))}
            (fresh / "about.json").write_text(json.dumps(whole), encoding="utf-8")
            os.rename(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _write(source: str, path: Path, rows: Iterator[np.ndarray], shape: tuple[int, int, int]) -> str:
    """Writes `rows` of one `shape` as an .npy, one at a time; returns the sha256 of their bytes."""
    digest, count = hashlib.sha256(), 0
    with _said_in_a_sentence(source), open(path, "wb") as file:
        _write_header(file, (0, *shape))
        for pixels in map(np.ascontiguousarray, rows):
            file.write(pixels)
            digest.update(pixels)
            count += 1
        _write_header(file, (count, *shape))
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _write_header(file, shape: tuple[int, ...]) -> None:
    """An .npy header at the file's beginning; numpy pads it, so that a longer first dimension fits in later."""
    file.seek(0)
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)

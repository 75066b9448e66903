"""Cache of decoded sets on the disk: written once, then mapped into memory without being decoded again.

<root>/<set>/images.npy   uint8 (N, H, W, C)
<root>/<set>/about.json   labels, names, what was skipped, the version of the source, checksums

A cached set is made again if its source, or what decodes its files, has changed, or if it is damaged. All of it may be
deleted at any time.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import PIL
from filelock import FileLock
from PIL import features

from gan_hub.atomic import atomic_folder, remove_folder
from gan_hub.data.decode import decode_all, read_entry
from gan_hub.data.image_set import chunks
from gan_hub.data.sources import SplitContents, UndecodedSource
from gan_hub.data.splits import NoSuchSplitError

CACHE_VARIABLE = "GAN_HUB_CACHE"  # an environment variable: a folder; decoded sets lie in its sub-folder data
VERSION = 3  # of decoding: raised when a change of it would change a pixel, a label or a split
CACHED_FIELDS = ("label_names", "split", "labels_of", "notes")  # of SplitContents


CODECS = ("libjpeg_turbo", "jpg", "jpg_2000", "webp", "avif", "libtiff")  # of Pillow: each may round in its own way


class CacheError(ValueError):
    """The cache cannot be written: no permission, no room."""


class DecodedImages(NamedTuple):
    """The decoded images of one split."""

    images: np.ndarray  # uint8 (N, H, W, C), in memory or a memory map
    labels: list[int | None]
    contents: SplitContents  # how splits and labels were found, and what was unusable; without entries


class _CacheEntry(NamedTuple):
    """Where a set is cached, and the versions of its source and of the decoders; None where they do not matter."""

    folder: Path
    version: str | None
    decoders: str | None


def cache_root(kind: str = "data") -> Path:
    """The cache directory for `kind` ("data", "features" or another)."""
    return Path(os.environ.get(CACHE_VARIABLE) or "~/.cache/gan_hub").expanduser() / kind


def load_cached(
    source: str, listing: UndecodedSource, size: tuple[int, int], channels: int, split: str, limit: int | None
) -> DecodedImages:
    """Load a decoded set from the cache, or decode and cache it. Of several processes one decodes, the others wait.

    What lies there whole is read without a lock, so that a cache may be read-only, and processes do not queue.

    Args:
        source: name of the source, for the cache key and for messages.
        listing: the source, not decoded.
        size: (H, W) in pixels.
        channels: 1 to 4.
        split: "train" or "test".
        limit: the most entries to read; None for all.

    Returns:
        The set; its images are a read-only memory map.

    Raises:
        CacheError: the cache cannot be written; nothing half-written is left.
        ValueError: what the source itself raises.
    """
    place = source if listing.always_cache else str(Path(source).resolve())
    cache_key = json.dumps([VERSION, place, size, channels, split, limit])
    name = re.sub(r"[^\w.-]+", "-", place)[-40:].strip("-.")
    folder = cache_root() / f"{name}-{hashlib.sha256(cache_key.encode()).hexdigest()[:16]}"
    # Pictures of the Hub are not fetched again for another Pillow, and drawn ones need none.
    decoders = None if listing.always_cache else decoders_version()
    entry = _CacheEntry(folder, listing.version(), decoders)  # what changes from now on is noticed at the next start
    decoded = _open(entry)
    if decoded is not None and not _is_outdated(decoded, listing, limit):
        return decoded
    with _explain_write_errors(source):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{folder}.lock")
        lock.acquire()
    try:
        decoded = _open(entry)  # another process may have written it meanwhile
        if decoded is None or _is_outdated(decoded, listing, limit):
            _decode_into(source, entry, listing, (*size, channels), limit)
            decoded = _open(entry, check=False)
        if decoded is None:
            raise ValueError(f"data {source!r}: its decoded images in {folder} were changed while they were written.")
    finally:
        lock.release()
    return decoded


def decoders_version() -> str:
    """The versions of Pillow and of the libraries by which it decodes: others may round a pixel in another way."""
    return " ".join([PIL.__version__, *(f"{name} {features.version(name)}" for name in CODECS)])


@contextlib.contextmanager
def _explain_write_errors(source: str) -> Iterator[None]:
    """Turn an OSError into a CacheError that says what to do."""
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"data {source!r}: its decoded images cannot be written to {cache_root()} ({error.strerror or error}); make "
            f"room there, or set {CACHE_VARIABLE} to a folder on another disk."
        ) from error


def _open(entry: _CacheEntry, check: bool = True) -> DecodedImages | None:
    """The cached set, or None where there is none, or one that is damaged or of another version of the source.

    Raises NoSuchSplitError where it is cached that the source has no such split. Without `check` (of
    what was just written) images are not hashed.
    """
    try:
        content = json.loads((entry.folder / "about.json").read_text(encoding="utf-8"))
        about = content["about"]
        if content["sha256"] != _sha256_of_json(about):
            return None
        if entry.version is not None and about["state"] != entry.version:
            return None
        if entry.decoders is not None and about.get("decoders") != entry.decoders:
            return None
        if about["missing"] is not None:
            raise NoSuchSplitError(about["missing"])
        images = np.lib.format.open_memmap(entry.folder / "images.npy", mode="r")
        if images.dtype != np.uint8 or list(images.shape) != about["shape"]:
            return None
        if check and _sha256_of_images(images) != about["images"]:
            return None
        fields = {name: about[name] for name in CACHED_FIELDS}
        unusable = [(name, kind) for name, kind in about["unusable"]]
        return DecodedImages(images, about["labels"], SplitContents((), **fields, unusable=unusable))
    except NoSuchSplitError:
        raise
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_outdated(decoded: DecodedImages, listing: UndecodedSource, limit: int | None) -> bool:
    """Whether a file that could not be read can be now, since a disk or a network that failed is back."""
    if listing.always_cache:  # the Hub is asked once
        return False
    # Folders (`name/`) are listed anew each time.
    missed = {name for name, kind in decoded.contents.unusable if kind == "unreadable" and not name.endswith("/")}
    entries = islice(listing.open().entries, limit) if missed else ()
    return any(entry.name in missed and not isinstance(read_entry(entry), str) for entry in entries)


def _sha256_of_images(images: np.ndarray) -> str:
    digest = hashlib.sha256()
    for chunk in chunks(images):
        digest.update(chunk.data)
    return digest.hexdigest()


def _sha256_of_json(about: dict) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _decode_into(
    source: str, entry: _CacheEntry, listing: UndecodedSource, shape: tuple[int, int, int], limit: int | None
) -> None:
    """Decode everything, each image to `shape` (H, W, C), into a new folder that then takes the place of the old one."""
    remove_folder(entry.folder)  # outdated or damaged: its room is needed
    labels: list[int | None] = []
    unusable: list[tuple[str, str]] = []
    about: dict[str, object] = {
        "state": entry.version,
        "decoders": entry.decoders,
        "missing": None,
        "images": None,
    }
    with contextlib.ExitStack() as stack:  # errors of the source are no errors of writing, hence two of three parts
        with _explain_write_errors(source):
            fresh = stack.enter_context(atomic_folder(entry.folder))
        _check_disk(source, listing, shape)
        try:
            contents = listing.open()
        except NoSuchSplitError as error:
            about["missing"] = str(error)
        else:
            about |= {name: getattr(contents, name) for name in CACHED_FIELDS}
            entries, count = islice(contents.entries, limit), least(listing.max_count, limit)
            rows = decode_all(entries, shape[:2], shape[2], labels, unusable, count, listing.workers)
            about["images"] = _write_images(source, fresh / "images.npy", rows, shape)
            unusable += contents.unusable
        about |= {"shape": [len(labels), *shape], "labels": labels, "unusable": unusable}
        with _explain_write_errors(source):
            content = {"about": about, "sha256": _sha256_of_json(json.loads(json.dumps(about)))}
            (fresh / "about.json").write_text(json.dumps(content), encoding="utf-8")
            stack.close()  # puts it in its place


def least(*numbers: int | None) -> int | None:
    """The smallest of the numbers that are known; None where none is."""
    return min((number for number in numbers if number is not None), default=None)


def _check_disk(source: str, listing: UndecodedSource, shape: tuple[int, int, int]) -> None:
    """Raise ValueError where the decoded images would not fit on the disk."""
    if listing.max_count is None:
        return
    height, width, channels = shape
    need, free = listing.max_count * height * width * channels, shutil.disk_usage(cache_root()).free
    if need > free:
        raise CacheError(
            f"data {source!r}: its decoded images need {need / 1e9:,.1f} GB, but {cache_root()} has {free / 1e9:,.1f} GB; "
            f"make room there, or set {CACHE_VARIABLE} to a folder on another disk."
        )


def _write_images(source: str, path: Path, rows: Iterator[np.ndarray], shape: tuple[int, int, int]) -> str:
    """Write `rows` of one `shape` as an .npy, one at a time; returns the sha256 of their bytes."""
    digest, count = hashlib.sha256(), 0
    with _explain_write_errors(source), open(path, "wb") as file:
        _write_header(file, (0, *shape))
        for image in map(np.ascontiguousarray, rows):
            file.write(image.data)
            digest.update(image.data)
            count += 1
        _write_header(file, (count, *shape))
    return digest.hexdigest()


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """An .npy header at the file's beginning; numpy pads it, so that a longer first dimension fits in later."""
    file.seek(0)
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)

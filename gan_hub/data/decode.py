"""Decodes one file's bytes into an image, or names the kind of fault it has (docs/data.md lists the kinds).

Shapes: H × W resolution, C channels.
"""

import contextlib
import functools
import io
import lzma
import math
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from gan_hub.data.limits import MAX_FILE_BYTES, TooLargeError
from gan_hub.data.workers import map_in_order
from gan_hub.images import TooManyPixelsError, fit_pil

Result = TypeVar("Result")

LARGE_PIXELS = 16_000_000  # a picture above is decoded alone: one takes up to ten bytes a pixel while it is
_ONE_LARGE_AT_A_TIME = threading.Lock()
GROUP, GROUP_BYTES = 16, 1_000_000  # images that a thread decodes at a time, or fewer, where they are large
BAR_AFTER = 1.0  # seconds; what is done sooner needs no progress bar

# Formats that Pillow decodes by itself. Not among them: EPS, for which it would start another program.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")

# First bytes, in lower case → the kind of a file that has an image's name and is none.
OTHER_SIGNATURES = (
    (b"version https://git-lfs", "LFS pointer"),
    (b"<!doctype html", "web page"),
    (b"<html", "web page"),
    (b"<head", "web page"),
    (b"<", "markup"),  # a drawing or a page, see `fault_kind`
    (b"%pdf-", "vector drawing"),
    (b"%!ps", "vector drawing"),
    (b"pk\x03\x04", "archive"),
    (b"\x1f\x8b", "archive"),
    (b"rar!", "archive"),
    (b"7z\xbc\xaf", "archive"),
    (b"8bps", "other format"),  # Photoshop
    (b"\xff\x0a", "other format"),  # JPEG XL
)
IMAGE_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")


@dataclass(frozen=True)
class Entry:
    """An image of a source that is not read yet."""

    name: str
    label: int | None
    size: int  # bytes
    read: Callable[[], bytes | np.ndarray]  # the file's bytes, or uint8 pixels (H, W) or (H, W, C)


class OutsideFileError(ValueError):
    """A row of a table names a file that does not belong to the table."""


def decode_all(
    entries: Iterable[Entry],
    size: tuple[int, int],
    channels: int,
    labels: list[int | None],
    unusable: list[tuple[str, str]],
    count: int | None = None,
    workers: int | None = None,
) -> Iterator[np.ndarray]:
    """Decode entries on all cores, in their order; what cannot be used is noted and left out.

    A terminal shows how many are done, how many a second, and how long it will take.

    Args:
        entries: the images in their order.
        size: (H, W) in pixels.
        channels: 1 to 4.
        labels: gets the label of each usable entry.
        unusable: gets (name, kind of fault) of each other one.
        count: how many entries there are, at most, where that is known.
        workers: threads that decode; by default one a core.

    Returns:
        The usable images, uint8 (H, W, C).
    """

    def decode(group: list[Entry]) -> list[tuple[str, int | None, np.ndarray | str]]:
        return [(entry.name, entry.label, decode_entry(entry, size, channels)) for entry in group]

    def group_bytes(group: list[Entry]) -> int:
        return sum(entry.size for entry in group)

    groups = _groups(entries, max(1, min(GROUP, GROUP_BYTES // math.prod((*size, channels)))))

    with progress_bar(count) as bar:
        for name, label, image in chain.from_iterable(map_in_order(decode, groups, workers, group_bytes)):
            bar.update()
            if isinstance(image, str):
                unusable.append((name, image))
            else:
                labels.append(label)
                yield image


def progress_bar(count: int | None) -> tqdm:
    """A bar over `count` images, where that is known; only a terminal shows it, of what takes more than a moment."""
    hidden = None  # which tqdm takes for "unless this is a terminal"
    return tqdm(total=count, desc="decoding", unit="img", disable=hidden, delay=BAR_AFTER, leave=False)


def _groups(entries: Iterable[Entry], most: int) -> Iterator[list[Entry]]:
    """The entries in lists of `most`, or of GROUP_BYTES of files: threads that take small ones singly mostly wait."""
    group, file_bytes = [], 0
    for entry in entries:
        group.append(entry)
        file_bytes += entry.size
        if len(group) == most or file_bytes > GROUP_BYTES:
            yield group
            group, file_bytes = [], 0
    if group:
        yield group


def decode_entry(entry: Entry, size: tuple[int, int], channels: int) -> np.ndarray | str:
    """Decode one image. One bad file must not end a run, whatever it makes a decoder raise.

    Args:
        entry: the image.
        size: (H, W) in pixels.
        channels: 1 to 4.

    Returns:
        uint8 (H, W, C), or the kind of fault.
    """

    def fit(image: Image.Image) -> np.ndarray:
        return np.asarray(fit_pil(image, size, channels)).reshape(*size, channels)

    data = read_entry(entry)
    if isinstance(data, str):
        return data
    if isinstance(data, bytes):
        return apply_to_image(data, fit)
    if data.shape == (*size, channels):
        return data
    return fit(Image.fromarray(data[..., 0] if data.shape[2:] == (1,) else data))


def read_entry(entry: Entry) -> bytes | np.ndarray | str:
    """The bytes or pixels of an entry, not decoded, or the kind of fault."""
    if entry.size > MAX_FILE_BYTES:
        return "too large"
    try:
        data = entry.read()
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError):
        return "damaged"  # in its archive
    except (MemoryError, TooLargeError):
        return "too large"
    except OutsideFileError:
        return "elsewhere"
    except Exception:  # permissions, a broken disk, a password, a vanished address
        return "unreadable"
    return "too large" if isinstance(data, bytes) and len(data) > MAX_FILE_BYTES else data


def apply_to_image(data: bytes, function: Callable[[Image.Image], Result]) -> Result | str:
    """`function` of the image that a file's bytes hold, or the kind of fault."""
    try:
        image = Image.open(io.BytesIO(data), formats=_formats())
        large = image.width * image.height > LARGE_PIXELS
        with _ONE_LARGE_AT_A_TIME if large else contextlib.nullcontext():
            return function(image)
    except Exception as error:
        return fault_kind(data, error)


@functools.cache
def _formats() -> tuple[str, ...]:
    """Those of FORMATS that this Pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def fault_kind(data: bytes, error: Exception) -> str:
    """The kind of fault of a file's bytes, on which Pillow raised `error`."""
    if isinstance(error, (Image.DecompressionBombError, TooManyPixelsError)):
        return "too many pixels"
    if isinstance(error, MemoryError):
        return "too large"
    head = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head and len(data) < 1000:
        return "empty"
    for signature, kind in OTHER_SIGNATURES:
        if head.startswith(signature):
            return kind if kind != "markup" else "vector drawing" if b"<svg" in head else "web page"
    if data[4:8] == b"ftyp" and data[8:12] not in (b"avif", b"avis"):
        return "other format"  # HEIC photographs, videos
    if isinstance(error, UnidentifiedImageError) and not data.startswith(IMAGE_SIGNATURES):
        return "not an image"
    return "truncated" if _is_truncated(data, error) else "damaged"


def _is_truncated(data: bytes, error: Exception) -> bool:
    """Whether the end is missing; Pillow's own words for it differ from format to format."""
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data[-64:]
    if data.startswith((b"\xff\xd8", b"\0\0\0\x0cjP  ")):  # JPEG and JPEG 2000 end alike
        return b"\xff\xd9" not in data[-64:]
    if data.startswith(b"GIF8"):
        return b";" not in data[-1:]
    if data[:4] == b"RIFF" and len(data) >= 8:
        return len(data) < struct.unpack("<I", data[4:8])[0] + 8
    if data[:2] == b"BM" and len(data) >= 6:
        return len(data) < struct.unpack("<I", data[2:6])[0]
    return "truncated" in str(error).lower()

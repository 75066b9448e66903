"""One file's bytes → pixels, or the kind of what is wrong with it (docs/data.md has the whole table)."""

import functools
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from gan_hub.data.limits import MAX_FILE_BYTES, TooLargeError
from gan_hub.images import TooManyPixelsError, fit_pil

Made = TypeVar("Made")

# Formats that Pillow decodes by itself. Not among them: EPS, for which it would start another program.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")

# First bytes → what a file is that bears an image's name and is none.
STRANGERS = (
    (b"version https://git-lfs", "LFS pointer"),
    (b"<!doctype html", "web page"),
    (b"<html", "web page"),
    (b"<head", "web page"),
    (b"<", "markup"),  # a drawing or a page, see kind_of
    (b"%pdf-", "vector drawing"),
    (b"%!ps", "vector drawing"),
    (b"pk\x03\x04", "archive"),
    (b"\x1f\x8b", "archive"),
    (b"rar!", "archive"),
    (b"7z\xbc\xaf", "archive"),
    (b"8bps", "other format"),  # Photoshop
    (b"\xff\x0a", "other format"),  # JPEG XL
)
BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")


@dataclass(frozen=True)
class Entry:
    """An image that was found and not yet read."""

    name: str
    label: int | None
    size: int  # bytes
    read: Callable[[], bytes | np.ndarray]  # the file, or pixels (H, W) or (H, W, C)


class OutsideFileError(ValueError):
    """A row that names a file which does not belong to its table."""


def decoded(
    entries: Iterable[Entry], size: tuple[int, int], channels: int, labels: list, unusable: list
) -> Iterator[np.ndarray]:
    """uint8 (H, W, C) of each usable entry, whose label goes to `labels`; (name, kind) of the others to `unusable`."""
    for entry in entries:
        pixels = pixels_or_kind(entry, size, channels)
        if isinstance(pixels, str):
            unusable.append((entry.name, pixels))
        else:
            labels.append(entry.label)
            yield pixels


def pixels_or_kind(entry: Entry, size: tuple[int, int], channels: int) -> np.ndarray | str:
    """uint8 (H, W, C), or the kind of what is wrong: one bad file must not end a run, whatever it makes a decoder raise."""
    content = content_or_kind(entry)
    if isinstance(content, str):
        return content
    if not isinstance(content, bytes):
        if content.shape == (*size, channels):
            return content
        image = Image.fromarray(content[..., 0] if content.shape[2:] == (1,) else content)
        return np.asarray(fit_pil(image, size, channels)).reshape(*size, channels)
    return made_or_kind(content, lambda image: np.asarray(fit_pil(image, size, channels)).reshape(*size, channels))


def content_or_kind(entry: Entry) -> bytes | np.ndarray | str:
    """What an entry holds, not yet decoded, or the kind of what is wrong with it."""
    if entry.size > MAX_FILE_BYTES:
        return "too large"
    try:
        content = entry.read()
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError):
        return "damaged"  # in its archive
    except (MemoryError, TooLargeError):
        return "too large"
    except OutsideFileError:
        return "elsewhere"
    except Exception:  # permissions, a broken disk, a password, a vanished address
        return "unreadable"
    return "too large" if isinstance(content, bytes) and len(content) > MAX_FILE_BYTES else content


def made_or_kind(content: bytes, make: Callable[[Image.Image], Made]) -> Made | str:
    """What `make` makes of the picture that a file's `content` holds, or the kind of what is wrong with it."""
    try:
        return make(Image.open(io.BytesIO(content), formats=_formats()))
    except Exception as error:
        return kind_of(content, error)


@functools.cache
def _formats() -> tuple[str, ...]:
    """Those of FORMATS that this Pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def kind_of(content: bytes, error: Exception) -> str:
    """What is wrong with a file's `content`, which made Pillow raise `error`."""
    if isinstance(error, (Image.DecompressionBombError, TooManyPixelsError)):
        return "too many pixels"
    if isinstance(error, MemoryError):
        return "too large"
    head = content[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head and len(content) < 1000:
        return "empty"
    for beginning, kind in STRANGERS:
        if head.startswith(beginning):
            return kind if kind != "markup" else "vector drawing" if b"<svg" in head else "web page"
    if content[4:8] == b"ftyp" and content[8:12] not in (b"avif", b"avis"):
        return "other format"  # HEIC photographs, videos
    if isinstance(error, UnidentifiedImageError) and not content.startswith(BEGINNINGS):
        return "not an image"
    return "truncated" if _is_cut(content, error) else "damaged"


def _is_cut(content: bytes, error: Exception) -> bool:
    """Whether the end is missing; Pillow's own words for it differ from format to format."""
    if content.startswith(b"\x89PNG"):
        return b"IEND" not in content[-64:]
    if content.startswith((b"\xff\xd8", b"\0\0\0\x0cjP  ")):  # JPEG and JPEG 2000 end alike
        return b"\xff\xd9" not in content[-64:]
    if content.startswith(b"GIF8"):
        return b";" not in content[-1:]
    if content[:4] == b"RIFF" and len(content) >= 8:
        return len(content) < struct.unpack("<I", content[4:8])[0] + 8
    if content[:2] == b"BM" and len(content) >= 6:
        return len(content) < struct.unpack("<I", content[2:6])[0]
    return "truncated" in str(error).lower()

"""Pictures and files that tests make: exact pixels, encoded in any format, in folders and archives."""

import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, channels: int = 1, size: int = 28) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, channels), dtype=np.uint8)


def encoded(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def huge_png(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that says it is very large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def unreadable(path: Path) -> None:
    """A file that is there and cannot be read, not even by root."""
    path.symlink_to("/proc/self/mem")


def bad_files() -> dict[str, dict[str, bytes]]:
    """Kind → file name → content: what is found in data sets that were scraped, copied or cut off."""
    rng = np.random.default_rng(0)
    png, jpeg = encoded(picture(0, 3, 64)), encoded(picture(0, 3, 64), "JPEG")
    wrong_crc = bytearray(png)
    wrong_crc[len(png) // 2] ^= 0xFF
    text_bomb = png[:33] + chunk(b"zTXt", b"x\0\0" + zlib.compress(b"\0" * 70_000_000)) + png[33:]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("image.png", png)
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    noise = rng.integers(0, 256, 5000, dtype=np.uint8).tobytes()
    return {
        "LFS pointer": {"pointer.png": pointer, "pointer.jpg": pointer, "pointer.gif": pointer},
        "web page": {
            "html.jpg": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
            "denied.png": b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>',
            "indented.gif": b"\xef\xbb\xbf\r\n  <HTML>\n" + b" " * 70_000,
        },
        "vector drawing": {
            "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>',
            "drawing.png": b'<?xml version="1.0"?><!-- made by hand --><svg width="9" height="9"/>',
            "paper.jpg": b"%PDF-1.7\n" + noise,
        },
        "archive": {
            "zip.png": archive.getvalue(),
            "gzip.jpg": gzip.compress(png),
            "rar.gif": b"Rar!\x1a\x07\x01\0" + noise,
        },
        "other format": {
            "photo.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + noise,
            "video.jpg": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2" + noise,
            "layers.png": b"8BPS\0\1" + noise,
        },
        "not an image": {
            "zeros.jpg": bytes(5000),
            "text.gif": b"GIF, but not really",
            "no_header.png": png[8:],
        },
        "empty": {"empty.png": b"", "empty.jpg": b"", "blank.gif": b"\n\n"},
        "truncated": {
            "cut.png": png[: len(png) // 2],
            "cut.jpg": jpeg[: len(jpeg) // 2],
            "cut.webp": encoded(picture(0, 3, 64), "WEBP", lossless=True)[:200],
        },
        "damaged": {
            "wrong_crc.png": bytes(wrong_crc),
            "text_bomb.png": text_bomb,
            "header.jpg": jpeg[:3] + noise + b"\xff\xd9",
        },
        "too many pixels": {
            "seventy_megapixels.png": huge_png(10_000, 7_000),
            "nine_hundred_megapixels.png": huge_png(30_000, 30_000),
            "a_long_line.png": huge_png(2**31 - 1, 1),
        },
    }

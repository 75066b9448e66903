"""The real images a model's folder may carry for the game: real_samples.png, a mosaic, and real_samples.json."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gan_hub.images import MODES, grid, height_width, to_pil
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import (
    MANIFEST_NAME,
    MAX_JSON_BYTES,
    LoadError,
    Manifest,
    parse_json,
    read_bytes,
    write_json,
)

NAMES = PICTURE_NAME, TABLE_NAME = "real_samples.png", "real_samples.json"
KEYS = ("tile", "columns", "count", "labels", "notice")
MOST_BYTES, MOST_TILES, LONGEST_NOTICE = 64_000_000, 4096, 2000


@dataclass(frozen=True)
class RealSamples:
    """Held-out real pictures of one size, the class of each (None for models without classes), origin and licence."""

    images: tuple[Image.Image, ...]
    labels: tuple[int, ...] | None
    notice: str


def write(folder: Path, images: np.ndarray, labels: list[int] | None, notice: str, columns: int = 16) -> None:
    """Lays uint8 images (N, H, W, C) out as one lossless mosaic, with the class of each; the inverse of `read`.

    The manifest of the folder, where there is one, lists both files from then on.
    """
    columns = min(columns, len(images))
    grid(to_pil(images), columns, padding=0).save(folder / PICTURE_NAME, optimize=True)
    table = {
        "tile": _tile(*images.shape[1:3]),
        "columns": columns,
        "count": len(images),
        "labels": labels,
        "notice": notice,
    }
    write_json(folder / TABLE_NAME, table)
    if (folder / MANIFEST_NAME).is_file():
        Manifest.write(folder, NAMES, Manifest(folder).files)


def _tile(height: int, width: int) -> int | list[int]:
    """A size as model configs write it."""
    return height if height == width else [height, width]


def read(folder: Path, resolution: int | Sequence[int], channels: int, classes: int | None) -> RealSamples | None:
    """The real samples in a model's folder, or None where it has none.

    Raises LoadError, naming file and field, where table, mosaic and model (`resolution` as in its config, 1 to 4
    `channels`, 0 or more `classes`, None to ignore the labels) do not fit each other, or differ from what the folder's
    manifest says of them. (A manifest of release 0.1 says nothing of them.)
    """
    table, picture = folder / TABLE_NAME, folder / PICTURE_NAME
    manifest = Manifest(folder) if (folder / MANIFEST_NAME).is_file() else None
    listed = manifest is not None and any(name in manifest.files for name in NAMES)
    if not table.exists() and not picture.exists() and not listed:
        return None
    files = {table: read_bytes(table, MAX_JSON_BYTES), picture: read_bytes(picture, MOST_BYTES)}
    for path, data in files.items() if listed else ():
        manifest.verify(path.name, data)
    height, width = height_width(resolution)
    content = _checked_table(table, parse_json(table, files[table]), _tile(height, width), classes)
    count, columns = content["count"], content["columns"]
    mosaic = _decoded_mosaic(picture, files[picture], (columns * width, -(-count // columns) * height), channels)
    corners = [divmod(index, columns) for index in range(count)]
    images = tuple(
        mosaic.crop((column * width, row * height, (column + 1) * width, (row + 1) * height)) for row, column in corners
    )
    labels = content["labels"]
    return RealSamples(images, None if labels is None else tuple(labels), content["notice"])


def _checked_table(path: Path, content: dict, tile: int | list[int], classes: int | None) -> dict:
    if set(content) != set(KEYS):
        raise LoadError(f"{path}: exactly the keys {', '.join(KEYS)} are expected.")
    # Compared as text, for 28.0 == 28 and True == 1 in Python.
    _check(path, content, "tile", json.dumps(content["tile"]) == json.dumps(tile), f"{tile}")
    for key in ("columns", "count"):
        valid = type(content[key]) is int and 1 <= content[key] <= MOST_TILES
        _check(path, content, key, valid, f"a whole number from 1 to {MOST_TILES}")
    labels, notice = content["labels"], content["notice"]
    if classes is None:
        content["labels"] = None
    elif classes == 0:
        _check(path, content, "labels", labels is None, "null")
    else:
        valid = isinstance(labels, list) and len(labels) == content["count"]
        valid = valid and all(type(label) is int and 0 <= label < classes for label in labels)
        _check(path, content, "labels", valid, f"{content['count']} whole numbers from 0 to {classes - 1}")
    valid = isinstance(notice, str) and len(notice) <= LONGEST_NOTICE
    _check(path, content, "notice", valid, f"a text of at most {LONGEST_NOTICE} characters")
    return content


def _check(path: Path, content: dict, key: str, valid: bool, allowed: str) -> None:
    if not valid:
        raise LoadError(f"{path}: {key} is {short_repr(content[key])}; allowed: {allowed}.")


def _decoded_mosaic(path: Path, data: bytes, size: tuple[int, int], channels: int) -> Image.Image:
    """Size and mode are compared before a pixel is decoded: a small file can hold a very large picture."""
    mode = MODES[channels]
    try:
        mosaic = Image.open(io.BytesIO(data), formats=["PNG"])
        if mosaic.size != size or mosaic.mode != mode:
            given = f"{mosaic.width} × {mosaic.height} pixels, mode {mosaic.mode}"
            raise LoadError(f"{path}: {given}; allowed: {size[0]} × {size[1]} pixels, mode {mode}.")
        mosaic.load()
    except LoadError:
        raise
    except Exception as error:  # Pillow raises many kinds for torn files: OSError, SyntaxError, ValueError …
        raise LoadError(f"{path}: not a readable PNG ({short_repr(str(error))}).") from error
    return mosaic

"""Real images in a model's folder, for the game: real_samples.png, a mosaic, and real_samples.json, its table."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gan_hub.atomic import write_bytes
from gan_hub.images import MODES, grid, height_width, to_pil
from gan_hub.messages import short_repr
from gan_hub.model_folder.files import FILES_BY_NAME, MANIFEST_NAME, REAL_SAMPLES_PICTURE, REAL_SAMPLES_TABLE
from gan_hub.model_folder.manifest import Manifest, has_file, read_file, replace_files
from gan_hub.model_folder.strict import LoadError, parse_json, refuse_unloadable, to_json

NAMES = REAL_SAMPLES_PICTURE, REAL_SAMPLES_TABLE
KEYS = ("tile", "columns", "count", "labels", "notice")
MAX_TILES, MAX_NOTICE_LENGTH = 4096, 2000


@dataclass(frozen=True)
class RealSamples:
    """Held-out real pictures of one size, the class of each (None for models without classes), origin and licence."""

    images: tuple[Image.Image, ...]
    labels: tuple[int, ...] | None
    notice: str


def write(folder: Path, images: np.ndarray, labels: list[int] | None, notice: str, columns: int = 16) -> None:
    """Write real images as one lossless mosaic with a table; the inverse of `read`.

    The manifest of the folder, where there is one, lists both files from then on.

    Args:
        folder: the model's folder.
        images: uint8 (N, H, W, C).
        labels: the class of each image; None without classes.
        notice: where the images come from and under which licence, up to MAX_NOTICE_LENGTH characters.
        columns: images in a row of the mosaic.

    Raises:
        ValueError: for what `read` would refuse, such as too many images; nothing is then written.
    """
    columns = min(columns, len(images))
    picture = io.BytesIO()
    grid(to_pil(images), columns, padding=0).save(picture, "PNG", optimize=True)
    table = {
        "tile": _tile(*images.shape[1:3]),
        "columns": columns,
        "count": len(images),
        "labels": labels,
        "notice": notice,
    }
    contents = {REAL_SAMPLES_PICTURE: picture.getvalue(), REAL_SAMPLES_TABLE: to_json(table).encode("utf-8")}
    with refuse_unloadable(folder):
        _checked_table(folder / REAL_SAMPLES_TABLE, table, table["tile"], None)
        for name, data in contents.items():
            if len(data) > FILES_BY_NAME[name].max_bytes:
                raise LoadError(f"{folder / name}: {len(data):,} bytes; allowed: {FILES_BY_NAME[name].max_bytes:,}.")
    if (folder / MANIFEST_NAME).is_file():
        replace_files(folder, contents)
    else:
        for name, data in contents.items():
            write_bytes(folder / name, data)


def _tile(height: int, width: int) -> int | list[int]:
    """A size as model configs write it."""
    return height if height == width else [height, width]


def read(
    folder: Path, manifest: Manifest | None, resolution: int | Sequence[int], channels: int, classes: int | None
) -> RealSamples | None:
    """The real samples of a model's folder.

    Args:
        folder: the model's folder.
        manifest: its manifest (`Manifest.if_any`); one of release 0.1 does not list these files, which are then unverified.
        resolution: the size of the images, as in the model's config.
        channels: 1 grey; 2 grey, opacity; 3 RGB; 4 RGB, opacity.
        classes: the number of the model's classes, 0 for an unconditional one; None ignores the labels.

    Returns: the samples; None for a model without.

    Raises:
        LoadError: naming file and field, where table, mosaic and model do not fit each other or differ from the manifest.
    """
    if not any([has_file(folder, name, manifest) for name in NAMES]):
        return None
    listed = manifest is not None and any(name in manifest.files for name in NAMES)
    table, picture = folder / REAL_SAMPLES_TABLE, folder / REAL_SAMPLES_PICTURE
    files = {path: read_file(folder, path.name, manifest if listed else None) for path in (table, picture)}
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
        valid = type(content[key]) is int and 1 <= content[key] <= MAX_TILES
        _check(path, content, key, valid, f"a whole number from 1 to {MAX_TILES}")
    labels, notice = content["labels"], content["notice"]
    if classes is None:
        content = content | {"labels": None}
    elif classes == 0:
        _check(path, content, "labels", labels is None, "null")
    else:
        valid = isinstance(labels, list) and len(labels) == content["count"]
        valid = valid and all(type(label) is int and 0 <= label < classes for label in labels)
        _check(path, content, "labels", valid, f"{content['count']} whole numbers from 0 to {classes - 1}")
    valid = isinstance(notice, str) and len(notice) <= MAX_NOTICE_LENGTH
    _check(path, content, "notice", valid, f"a text of at most {MAX_NOTICE_LENGTH} characters")
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
            kind = f"{mosaic.width} × {mosaic.height} pixels, mode {mosaic.mode}"
            raise LoadError(f"{path}: {kind}; allowed: {size[0]} × {size[1]} pixels, mode {mode}.")
        mosaic.load()
    except LoadError:
        raise
    except Exception as error:  # Pillow raises many kinds for torn files: OSError, SyntaxError, ValueError …
        raise LoadError(f"{path}: not a readable PNG ({short_repr(str(error))}).") from error
    return mosaic

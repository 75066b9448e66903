"""A source's name → its images, decoded: `load_images`.

Shapes: N images, H × W resolution, C channels.
"""

import math
import os
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from gan_hub.data import sources, tables
from gan_hub.data.image_set import MEMORY_BYTES, ImageSet
from gan_hub.data.kept import Found, kept
from gan_hub.data.pictures import decoded
from gan_hub.data.sources import Listing
from gan_hub.images import height_width

MAX_CLASSES = 10_000
FOLDER_VARIABLE = "GAN_HUB_DATA"  # a folder with one sub-folder a named data set


@dataclass(frozen=True)
class Named:
    """A data set known by name: where to look on this machine, then on the Hub; or how it is drawn."""

    places: tuple[str, ...] = ()
    hub_id: str | None = None  # None where it is drawn
    label_names: tuple[str, ...] | None = None
    drawn: Callable[[str], Listing] | None = None  # split → its images, which are looked for nowhere


def _avatars(split: str) -> Listing:
    from gan_hub.data import avatars  # not above: `python -m gan_hub.data.avatars` would find itself imported already

    return avatars.listing(split)


NAMED = {
    "mnist": Named((), "ylecun/mnist", tuple("0123456789")),
    "fashion-mnist": Named(
        ("/usr/share/datasets/fashion-mnist",),  # Debian's package dataset-fashion-mnist
        "zalando-datasets/fashion_mnist",
        ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
    "avatars": Named(drawn=_avatars),
}


def load_images(
    source: str,
    resolution: int | Sequence[int],
    channels: int,
    split: str = "train",
    *,
    strict: bool = False,
    limit: int | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> ImageSet:
    """The images of `source` in `resolution` pixels (one number, or [height, width]) with 1 to 4 `channels`.

    `source` is a known name (mnist, fashion-mnist, avatars), a folder of images (class sub-folders become labels), a
    .zip of the same, a .parquet file or a folder of them, a folder with idx files, an .npz (x_train, y_train, x_test,
    y_test, or images, labels), or a Hub data set id. How a picture of another size or kind becomes an image,
    `images.fit_pil` says; docs/data.md has all of it as tables. `limit` takes the first so many files or rows.

    Files that cannot be used are skipped and counted; with `strict`, they are an error. Above `memory_bytes`, for a Hub
    data set and for one that is drawn, the decoded images are kept on the disk (kept.py), and above it they also stay
    there (`ImageSet`).
    Raises ValueError where nothing usable is found, NoSuchSplit where only the split is missing.
    """
    size = height_width(resolution)
    if split not in ("train", "test"):
        raise ValueError(f"split {split!r} is not allowed; choose train or test.")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise ValueError(f"limit {limit!r} is not allowed; it is a whole number from 1, or None.")
    known = NAMED.get(source, Named())
    if source in NAMED and known.drawn is None:
        source = _find_named(source)
    listing = known.drawn(split) if known.drawn is not None else _listing(source, split)
    row_bytes = size[0] * size[1] * channels
    if listing.keep or min(listing.count, limit or math.inf) * row_bytes > memory_bytes:
        images, labels, own_names, unusable = kept(source, listing, size, channels, split, limit)
        images = images if images.nbytes > memory_bytes else np.array(images)
    else:
        images, labels, own_names, unusable = _in_memory(listing, size, channels, limit)

    found = ImageSet(images, None, None, by_kind(source, unusable, strict), memory_bytes)
    if len(found) == 0:
        raise ValueError(f"data {source!r}: no usable image in it. {found.report()}")
    if None not in labels:
        found.labels = np.array(labels, dtype=np.int64)
        found.label_names = _label_names(source, found.labels, own_names, known.label_names)
    return found


def by_kind(source: str, unusable: list[tuple[str, str]], strict: bool) -> dict[str, list[str]]:
    """Names by kind, of (name, kind) pairs; with `strict` the first of them is a ValueError instead."""
    if strict and unusable:
        (name, kind), more = unusable[0], len(unusable) - 1
        others = f", and {more} more cannot be used" if more else ""
        raise ValueError(f"data {source!r}: {name} cannot be used ({kind}){others}; drop --strict_data to skip them.")
    skipped = defaultdict(list)
    for name, kind in unusable:
        skipped[kind].append(name)
    return dict(skipped)


def _listing(source: str, split: str) -> Listing:
    path = Path(source)
    try:
        is_folder = path.is_dir()
    except PermissionError as error:  # of a folder around it
        raise ValueError(f"data {source!r}: it cannot be reached ({error.strerror}).") from error
    if is_folder:
        found = sources.idx(path, split)
        if found is not None:
            return found
        files, unreadable = sources.walk(path)
        pictures = [file for file in files if sources.is_picture(file.name)]
        parquet = [file for file in files if file.suffix == ".parquet"]
        if parquet and not pictures:
            return sources.with_unreadable(path, tables.parquet(path, parquet, split), unreadable)
        return sources.folder(path, split, pictures, unreadable)
    if path.is_file():
        if path.suffix == ".zip":
            return sources.archive(path, split)
        if path.suffix == ".npz":
            return sources.npz(path, split)
        if path.suffix == ".parquet":
            return tables.parquet(path, [path], split)
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", source) and not path.exists():
        return tables.hub(source, split)
    raise ValueError(
        f"data {source!r}: no such folder, .zip, .parquet or .npz; known names: {', '.join(NAMED)}; "
        "or a Hub id (owner/name)."
    )


def _in_memory(listing: Listing, size: tuple[int, int], channels: int, limit: int | None) -> Found:
    entries, names = listing.open()
    labels, unusable = [], []
    images = np.empty((listing.count, *size, channels), np.uint8)
    for row, pixels in enumerate(decoded(islice(entries, limit), size, channels, labels, unusable)):
        images[row] = pixels
    return images[: len(labels)], labels, names, unusable


def _label_names(source: str, labels: np.ndarray, own: list[str] | None, known: Sequence[str] | None) -> list[str]:
    """One name a class: the source's own, else the known set's, else numbers. Raises ValueError where a label has none."""
    names, classes = own or known, int(labels.max()) + 1
    most = len(names) if names else MAX_CLASSES
    if classes > most:
        raise ValueError(f"data {source!r}: label {classes - 1} is in it, but there are at most {most} classes.")
    return list(names) if names else [str(label) for label in range(classes)]


def _find_named(name: str) -> str:
    root = os.environ.get(FOLDER_VARIABLE)
    for place in ([str(Path(root) / name)] if root else []) + list(NAMED[name].places):
        if Path(place).is_dir():
            arrays = sorted(Path(place).glob("*.npz"))
            return str(arrays[0]) if arrays else place
    return NAMED[name].hub_id

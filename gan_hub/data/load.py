"""A source's name → its images, decoded: `load_images`.

Shapes: N images, H × W resolution, C channels.
"""

import math
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from gan_hub.data import arrays, diagnose, sources
from gan_hub.data import parquet as tables
from gan_hub.data.cache import DecodedImages, load_cached
from gan_hub.data.decode import decoded
from gan_hub.data.image_set import MEMORY_BYTES, ImageSet
from gan_hub.data.limits import MAX_CLASSES
from gan_hub.data.sources import Listing, Tree
from gan_hub.images import height_width
from gan_hub.messages import short_repr

FOLDER_VARIABLE = "GAN_HUB_DATA"  # a folder with one sub-folder a named data set


@dataclass(frozen=True)
class Named:
    """A data set known by name: where to look on this machine, then on the Hub; or how it is drawn."""

    places: tuple[str, ...] = ()
    hub_id: str | None = None  # None where it is drawn
    label_names: tuple[str, ...] | None = None
    drawn: Callable[[str], Listing] | None = None  # split → its images, which are looked for nowhere


def _avatars(split: str) -> Listing:
    from gan_hub.data.avatars.dataset import listing

    return listing(split)


NAMED_DATASETS = {
    "mnist": Named((), "ylecun/mnist", tuple("0123456789")),
    "fashion-mnist": Named(
        ("/usr/share/datasets/fashion-mnist",),  # Debian's package dataset-fashion-mnist
        "zalando-datasets/fashion_mnist",
        ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
    "avatars": Named(drawn=_avatars),
}


def load_images(
    source: str | os.PathLike,
    resolution: int | Sequence[int],
    channels: int,
    split: str = "train",
    *,
    strict: bool = False,
    limit: int | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> ImageSet:
    """The images of `source` in `resolution` pixels (one number, or [height, width]) with 1 to 4 `channels`.

    `source` is a known name (mnist, fashion-mnist, avatars), a folder of images (class sub-folders become labels, and so
    does a dataset.json, metadata.jsonl or .csv), a .zip of the same, a .parquet file or a folder of them, a folder with
    idx files, an .npz (x_train, y_train, x_test, y_test, or images, labels), or a Hub data set id. How a picture of
    another size or kind becomes an image, `images.fit_pil` says; docs/data.md has all of it as tables. `limit` takes the
    first so many files or rows. Where there is no test split, a validation split is one.

    Files that cannot be used are skipped and counted (`ImageSet.left_out`); with `strict`, they are an error. Above
    `memory_bytes`, for a Hub data set and for one that is drawn, the decoded images are kept on the disk (cache.py), and
    above it they also stay there (`ImageSet`).
    Raises ValueError where nothing usable is found, NoSuchSplit where only the split is missing.
    """
    size = height_width(resolution)
    if split not in ("train", "test"):
        raise ValueError(f"split {split!r} is not allowed; choose train or test.")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise ValueError(f"limit {limit!r} is not allowed; it is a whole number from 1, or None.")
    source = expanded(source)
    known = NAMED_DATASETS.get(source, Named())
    if source in NAMED_DATASETS and known.drawn is None:
        source = _find_named(source)
    listing = known.drawn(split) if known.drawn is not None else _listing(source, split)
    row_bytes = size[0] * size[1] * channels
    if listing.keep or min(listing.count, limit or math.inf) * row_bytes > memory_bytes:
        images, labels, told = load_cached(source, listing, size, channels, split, limit)
        images = images if images.nbytes > memory_bytes else np.array(images)
    else:
        images, labels, told = _in_memory(listing, size, channels, limit)

    skipped = by_kind(source, told.unusable, strict)
    found = ImageSet(images, None, None, skipped, memory_bytes, split=told.split, notes=told.notes)
    if len(found) == 0:
        raise ValueError(f"data {source!r}: no usable image in it; {_nothing(source, found)}")
    missing = sum(label is None for label in labels)
    if missing == 0:
        found.label_names = _label_names(source, max(labels), told.label_names, known.label_names)
        found.labels, found.labels_of = np.array(labels, dtype=np.int64), told.labels_of
    elif missing < len(labels):
        found.notes = [*found.notes, f"no classes: {missing:,} of {len(labels):,} images have no label"]
    return found


def expanded(source: str | os.PathLike) -> str:
    """A source's name with ~ as the user's own folder."""
    return os.path.expanduser(os.fspath(source))


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
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError as error:  # no permission in a folder around it, or a name too long
        raise ValueError(f"data {short_repr(source, 200)}: it cannot be reached ({error.strerror}).") from error
    if is_folder:
        return _in_folder(sources.walk(path), split)
    if path.is_file():
        if path.suffix.lower() == ".zip":
            return sources.archive(path, split)
        if path.suffix.lower() == ".npz":
            return arrays.npz(path, split)
        if path.suffix.lower() == ".parquet":
            return tables.parquet(path, [path], split)
    if is_there:
        raise ValueError(diagnose.unfit(source))
    if diagnose.is_hub_id(source):
        return tables.hub(source, split)
    raise ValueError(diagnose.absent(source, NAMED_DATASETS))


def _in_folder(tree: Tree, split: str) -> Listing:
    found = arrays.idx(tree, split)
    if found is not None:
        return found
    parquet = tree.ending(".parquet")
    if parquet and not tree.pictures:
        return sources.with_unreadable(tree, tables.parquet(tree.path, parquet, split))
    return sources.folder(tree, split)


def _nothing(source: str, found: ImageSet) -> str:
    """What a source without a usable image has instead."""
    if found.skipped:
        return found.report()
    path = Path(source)
    if path.is_dir():
        return diagnose.instead(file.name for file in sources.walk(path).files)
    return diagnose.instead(sources.members(path)) if path.suffix.lower() == ".zip" else found.report()


def _in_memory(listing: Listing, size: tuple[int, int], channels: int, limit: int | None) -> DecodedImages:
    contents = listing.open()
    labels, unusable = [], []
    images = np.empty((listing.count, *size, channels), np.uint8)
    entries = islice(contents.entries, listing.count if limit is None else min(limit, listing.count))
    for row, pixels in enumerate(decoded(entries, size, channels, labels, unusable)):
        images[row] = pixels
    return images[: len(labels)], labels, replace(contents, entries=(), unusable=[*unusable, *contents.unusable])


def _label_names(source: str, highest: int, own: list[str] | None, known: Sequence[str] | None) -> list[str]:
    """One name a class: the source's own, else the known set's, else numbers. Raises ValueError where a label has none."""
    names = own or known
    most = len(names) if names else MAX_CLASSES
    if highest >= most:
        raise ValueError(
            f"data {source!r}: label {short_repr(highest)} is in it, but there are at most {most} classes."
        )
    return list(names) if names else [str(label) for label in range(highest + 1)]


def _find_named(name: str) -> str:
    root = os.environ.get(FOLDER_VARIABLE)
    for place in ([str(Path(expanded(root)) / name)] if root else []) + list(NAMED_DATASETS[name].places):
        if Path(place).is_dir():
            arrays = sorted(Path(place).glob("*.npz"))
            return str(arrays[0]) if arrays else place
    return NAMED_DATASETS[name].hub_id

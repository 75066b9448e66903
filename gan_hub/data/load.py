"""Loads images by the name of their source: `load_images`.

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

from gan_hub.data import arrays, diagnose, parquet, sources
from gan_hub.data.cache import CACHE_VARIABLE, CacheError, DecodedImages, cache_root, least, load_cached
from gan_hub.data.decode import decode_all
from gan_hub.data.image_set import MEMORY_BYTES, ImageSet
from gan_hub.data.limits import MAX_CLASSES
from gan_hub.data.sources import FolderTree, UndecodedSource
from gan_hub.data.splits import check_split
from gan_hub.images import height_width
from gan_hub.messages import short_repr

# What takes longer than half a second to decode on one core is kept decoded on the disk.
CACHED_COUNT, CACHED_BYTES = 1000, 20_000_000  # pictures, or bytes of their files, from which on a set is
FOLDER_VARIABLE = "GAN_HUB_DATA"  # an environment variable: a folder with one sub-folder a named data set


@dataclass(frozen=True)
class NamedDataset:
    """A data set known by name: where it is searched for on this machine, then on the Hub; or how it is drawn."""

    folders: tuple[str, ...] = ()
    hub_id: str | None = None  # None where it is drawn
    label_names: tuple[str, ...] | None = None
    draw: Callable[[str], UndecodedSource] | None = None  # split → its images


def _draw_avatars(split: str) -> UndecodedSource:
    from gan_hub.data.avatars.dataset import list_avatars

    return list_avatars(split)


NAMED_DATASETS = {
    "mnist": NamedDataset((), "ylecun/mnist", tuple("0123456789")),
    "fashion-mnist": NamedDataset(
        ("/usr/share/datasets/fashion-mnist",),  # Debian's package dataset-fashion-mnist
        "zalando-datasets/fashion_mnist",
        ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
    "avatars": NamedDataset(draw=_draw_avatars),
}


def load_images(
    source: str | os.PathLike[str],
    resolution: int | Sequence[int],
    channels: int,
    split: str = "train",
    *,
    strict: bool = False,
    limit: int | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> ImageSet:
    """Load the images of one split, with their labels; docs/data.md describes sources, conversions and faults.

    Args:
        source: a known name (mnist, fashion-mnist, avatars), a folder of images (labels are class sub-folders, a
            dataset.json, metadata.jsonl or .csv), a .zip of the same, a .parquet file or a folder of them, a folder
            with idx files, an .npz (x_train, y_train, x_test, y_test, or images, labels), or a Hub data set id.
        resolution: pixels of a side, or [height, width]; images of another size are cropped and resampled
            (`images.fit_pil`).
        channels: 1 (grey), 2 (grey, opacity), 3 (RGB) or 4 (RGB, opacity).
        split: "train" or "test"; where there is no test split, a validation split serves as one.
        strict: files that cannot be used are an error, instead of skipped and counted (`ImageSet.left_out`).
        limit: the most files or rows to read, the first ones; None for all.
        memory_bytes: a larger set stays on the disk, in the cache; processes of one machine share them. Cached is also
            what is slow to read or to decode.

    Returns:
        uint8 images (N, H, W, C), with labels int64 (N,) where all images have one.

    Raises:
        ValueError: nothing usable is found, or an argument is not allowed.
        NoSuchSplitError: the source has no such split (also a ValueError).

    Example:
        >>> import numpy as np
        >>> from gan_hub.data import load_images
        >>> np.savez("shapes.npz", images=np.zeros((4, 8, 8), np.uint8), labels=[0, 0, 1, 1])
        >>> load_images("shapes.npz", resolution=16, channels=3).report()
        '4 images of 16 × 16 × 3; classes: 0 2, 1 2.'
    """
    size, memory_bytes = height_width(resolution), memory_bytes // _processes_of_this_machine()
    check_split(split)
    if limit is not None and (type(limit) is not int or limit < 1):
        raise ValueError(f"limit {limit!r} is not allowed; it is a whole number from 1, or None.")
    source = expand_home(source)
    known = NAMED_DATASETS.get(source, NamedDataset())
    if known.draw is not None:
        listing = known.draw(split)
    else:
        source = _find_named(source) if source in NAMED_DATASETS else source
        listing = _list_source(source, split)
    decoded = _decode(source, listing, size, channels, split, limit, memory_bytes)

    contents, skipped = decoded.contents, group_skipped(source, decoded.contents.unusable, strict)
    result = ImageSet(
        decoded.images, skipped=skipped, memory_bytes=memory_bytes, split=contents.split, notes=contents.notes
    )
    if len(result) == 0:
        raise ValueError(f"data {source!r}: no usable image in it; {_describe_empty(source, result)}")
    _add_labels(result, source, decoded, known)
    return result


def expand_home(source: str | os.PathLike[str]) -> str:
    """A source's name with ~ as the user's own folder."""
    return os.path.expanduser(os.fspath(source))


def group_skipped(source: str, unusable: list[tuple[str, str]], strict: bool) -> dict[str, list[str]]:
    """Groups files that cannot be used by the kind of their fault.

    Args:
        source: the name of the source, for the message.
        unusable: (name, kind of fault) of each.
        strict: whether they are an error.

    Returns:
        Kind → names.

    Raises:
        ValueError: with `strict`, naming the first one.
    """
    if strict and unusable:
        (name, kind), more = unusable[0], len(unusable) - 1
        others = f", and {more} more cannot be used" if more else ""
        raise ValueError(
            f"data {source!r}: {name} cannot be used ({kind}){others}; drop strict=True (--strict_data) to skip them."
        )
    skipped = defaultdict(list)
    for name, kind in unusable:
        skipped[kind].append(name)
    return dict(skipped)


def _list_source(source: str, split: str) -> UndecodedSource:
    """List a folder, a file or a Hub data set. Raises ValueError where it is neither, saying what to do."""
    path = Path(source)
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:  # no permission in a folder around it, or a name too long
        raise ValueError(f"data {short_repr(source, 200)}: it cannot be reached ({error.strerror}).") from error
    if is_folder:
        return _list_folder(sources.walk_folder(path), split)
    if path.is_file():
        if path.suffix.lower() == ".zip":
            return sources.list_zip(path, split)
        if path.suffix.lower() == ".npz":
            return arrays.list_npz(path, split)
        if path.suffix.lower() == ".parquet":
            return parquet.list_parquet(path, [path], split)
    if exists:
        raise ValueError(diagnose.describe_unsupported(source))
    if diagnose.is_hub_id(source):
        return parquet.list_hub(source, split)
    raise ValueError(diagnose.describe_missing(source, NAMED_DATASETS))


def _list_folder(tree: FolderTree, split: str) -> UndecodedSource:
    """A folder of idx files, of parquet files or of images."""
    listing = arrays.list_idx(tree, split)
    if listing is not None:
        return listing
    parquet_files = tree.ending(".parquet")
    if parquet_files and not tree.images:
        return sources.add_unreadable_folders(tree, parquet.list_parquet(tree.path, parquet_files, split))
    return sources.list_folder(tree, split)


def _describe_empty(source: str, result: ImageSet) -> str:
    """Describe what a source without a usable image has instead."""
    if result.skipped:
        return result.report()
    path = Path(source)
    if path.is_dir():
        return diagnose.describe_other_files(file.name for file in sources.walk_folder(path).files)
    return diagnose.describe_other_files(sources.zip_names(path)) if path.suffix.lower() == ".zip" else result.report()


def _decode(
    source: str,
    listing: UndecodedSource,
    size: tuple[int, int],
    channels: int,
    split: str,
    limit: int | None,
    memory_bytes: int,
) -> DecodedImages:
    """Decode into memory, or by way of the cache where the set is large, or slow to read or to decode."""
    count = least(listing.max_count, limit)
    fits = count is not None and math.prod((count, *size, channels)) <= memory_bytes
    note = ""
    if listing.always_cache or not fits or _is_slow(listing, limit):
        try:
            decoded = load_cached(source, listing, size, channels, split, limit)
        except CacheError:
            if listing.always_cache or not fits:
                raise
            note = (
                f"decoded again at every start, as {cache_root()} cannot be written to ({CACHE_VARIABLE} may name another "
                "folder)"
            )
        else:
            in_memory = decoded.images.nbytes <= memory_bytes
            return decoded._replace(images=np.array(decoded.images)) if in_memory else decoded
    assert count is not None, "a source of unknown size is cached"
    decoded = _decode_into_memory(listing, size, channels, count)
    return decoded._replace(contents=replace(decoded.contents, notes=[*decoded.contents.notes, *filter(None, [note])]))


def _processes_of_this_machine() -> int:
    """How many processes a launcher (accelerate, torchrun) started here: each that loads a set has a copy of its own."""
    value = os.environ.get("LOCAL_WORLD_SIZE", "")
    return max(1, int(value)) if value.isdecimal() else 1


def _is_slow(listing: UndecodedSource, limit: int | None) -> bool:
    """Whether decoding these files takes longer than a moment; what is pixels already never does."""
    file_bytes, count = listing.file_bytes(), least(listing.max_count, limit) or 0
    share = count / max(1, listing.max_count or 1)
    return file_bytes > 0 and (count >= CACHED_COUNT or share * file_bytes >= CACHED_BYTES)


def _decode_into_memory(listing: UndecodedSource, size: tuple[int, int], channels: int, count: int) -> DecodedImages:
    """Decode the first `count` entries into one array."""
    contents = listing.open()
    labels: list[int | None] = []
    unusable: list[tuple[str, str]] = []
    images = np.empty((count, *size, channels), np.uint8)
    entries = islice(contents.entries, count)
    for row, image in enumerate(decode_all(entries, size, channels, labels, unusable, count, listing.workers)):
        images[row] = image
    contents = replace(contents, entries=(), unusable=[*unusable, *contents.unusable])
    return DecodedImages(images[: len(labels)], labels, contents)


def _add_labels(result: ImageSet, source: str, decoded: DecodedImages, known: NamedDataset) -> None:
    """Add the labels where all images have one, else a note where some have."""
    labels = [label for label in decoded.labels if label is not None]
    missing = len(decoded.labels) - len(labels)
    if missing == 0:
        result.label_names = _label_names(source, max(labels), decoded.contents.label_names, known.label_names)
        result.labels, result.labels_of = np.array(labels, dtype=np.int64), decoded.contents.labels_of
    elif labels:
        result.notes = [*result.notes, f"no classes: {missing:,} of {len(decoded.labels):,} images have no label"]


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
    """The folder or .npz of a named data set on this machine, else its Hub id."""
    known = NAMED_DATASETS[name]
    root = os.environ.get(FOLDER_VARIABLE)
    for folder in ([str(Path(expand_home(root)) / name)] if root else []) + list(known.folders):
        if Path(folder).is_dir():
            npz_files = sorted(Path(folder).glob("*.npz"))
            return str(npz_files[0]) if npz_files else folder
    assert known.hub_id is not None, "a data set that is not drawn has a Hub id"
    return known.hub_id

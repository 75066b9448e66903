"""ImageSet: uint8 images with their labels, in memory or on the disk, and functions that divide a set.

Shapes: N images, H × W resolution, C channels.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import DTypeLike

from gan_hub.messages import short_repr

MEMORY_BYTES = 2_000_000_000  # a larger set stays on the disk and is read row by row
CHUNK_BYTES = 64_000_000  # hashed at a time
NAMED_CLASSES = 12  # a report of more classes names the smallest and the largest only
NAMED_FILES = 3  # names shown of each kind that was skipped


class LazyRows:
    """Rows of an array that stays on the disk, in an order of their own; read when they are indexed.

    Takes an index, a slice or an array of indices, and gives numpy arrays; `np.asarray` reads everything.
    """

    def __init__(self, array: "np.ndarray | LazyRows", indices: np.ndarray) -> None:
        if isinstance(array, LazyRows):
            array, indices = array.array, array.indices[indices]
        self.array, self.indices = array, indices
        self.shape, self.dtype = (len(indices), *array.shape[1:]), array.dtype

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        return np.array(self.array[self.indices[rows]])

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.array[self.indices], dtype=dtype)


@dataclass
class ImageSet:
    """Images with their labels, and how they were found.

    Args:
        images: uint8 (N, H, W, C); an array in memory, or, above `memory_bytes`, one on the disk (a memory map or
            `LazyRows` of it), which is read when rows or slices are indexed.
        labels: int64 (N,), or None.
        label_names: name of each class, or None.
        skipped: kind of fault → names of the files that could not be used.
        memory_bytes: above this many bytes, images on the disk stay there (`take`).
        maps: uint8 (N, H, W), the semantic class of each pixel, or None.
        map_names: name of each class of the maps, or None.
        split: which folders, files or arrays were taken for the splits; "" where there are none.
        labels_of: the file or column that the labels come from; "" for the usual one.
        notes: what else to know about how splits and labels were found, a phrase each.

    Example:
        >>> import numpy as np
        >>> from gan_hub.data import ImageSet
        >>> images = ImageSet(np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 1, 1]), ["cat", "dog"])
        >>> images.report()
        '3 images of 8 × 8 × 1; classes: cat 1, dog 2.'
        >>> len(images.take(np.array([0, 2])))
        2
    """

    images: np.ndarray | LazyRows
    labels: np.ndarray | None = None
    label_names: list[str] | None = None
    skipped: dict[str, list[str]] = field(default_factory=dict)
    memory_bytes: int = MEMORY_BYTES
    maps: np.ndarray | None = None
    map_names: list[str] | None = None
    split: str = ""
    labels_of: str = ""
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: np.ndarray) -> "ImageSet":
        """The images at `indices` (M,), with their labels and maps; those on the disk stay there above `memory_bytes`."""
        labels = None if self.labels is None else self.labels[indices]
        large = len(indices) * math.prod(self.images.shape[1:]) > self.memory_bytes
        stays = large and type(self.images) is not np.ndarray
        images = LazyRows(self.images, np.asarray(indices)) if stays else np.asarray(self.images[indices])
        maps = None if self.maps is None else self.maps[indices]
        return replace(self, images=images, labels=labels, maps=maps)

    def fingerprint(self) -> str:
        """The sha256 (hex) of the bytes of all images, then of all labels, then of all maps; read a part at a time."""
        digest = hashlib.sha256()
        for chunk in chunks(self.images):
            digest.update(chunk.data)
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels).data)
        if self.maps is not None:
            digest.update(np.ascontiguousarray(self.maps).data)
        return digest.hexdigest()

    def report(self) -> str:
        """Describe the set in one sentence: number of images, classes, split, and the first skipped files."""
        parts = [f"{len(self):,} images of {self.images.shape[2]} × {self.images.shape[1]} × {self.images.shape[3]}"]
        if self.labels is not None and self.label_names:
            parts.append(self._class_counts(self.labels, self.label_names))
        if self.map_names:
            parts[0] += f", maps of {len(self.map_names)} classes"
        parts += [f"split: {self.split}"] if self.split else []
        parts += [*self.notes, self.left_out]
        return "; ".join(filter(None, parts)) + "."

    @property
    def left_out(self) -> str:
        """How many files of the source are not among the images, by kind, with the first names; "" for none."""
        total = sum(map(len, self.skipped.values()))
        kinds = [
            f"{len(names)} {kind} ({', '.join(names[:NAMED_FILES])}{', …' if len(names) > NAMED_FILES else ''})"
            for kind, names in sorted(self.skipped.items())
        ]
        return f"{total:,} file{'s' * (total > 1)} skipped: {'; '.join(kinds)}" if kinds else ""

    def _class_counts(self, labels: np.ndarray, names: list[str]) -> str:
        """Each class with its count, or of many classes the smallest and the largest."""
        counts = np.bincount(labels, minlength=len(names)).tolist()
        described = [f"{readable(name)} {count:,}" for name, count in zip(names, counts[: len(names)], strict=True)]
        of = f" of {self.labels_of}" if self.labels_of else ""
        if len(described) <= NAMED_CLASSES:
            return f"classes{of}: {', '.join(described)}"
        smallest, largest = counts.index(min(counts)), counts.index(max(counts))
        return f"{len(described):,} classes{of}, from {described[smallest]} to {described[largest]}"


def readable(name: str) -> str:
    """A name from outside as it is, or quoted and cut where it is long or would move a terminal's cursor."""
    return name if name.isprintable() and len(name) <= 40 else short_repr(name, 40)


def chunks(images: np.ndarray | LazyRows) -> Iterator[np.ndarray]:
    """All rows in order, contiguous, about CHUNK_BYTES at a time."""
    step = max(1, CHUNK_BYTES // max(1, math.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        yield np.ascontiguousarray(images[start : start + step])


def image_checksums(images: ImageSet) -> Iterator[bytes]:
    """The sha256 of each image's bytes: they tell images apart in a fraction of the memory, of sets on the disk as well."""
    return (hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in images.images)


def without(images: ImageSet, others: ImageSet) -> ImageSet:
    """The images that are not, byte for byte, among `others`.

    Example:
        >>> import numpy as np
        >>> from gan_hub.data import ImageSet, without
        >>> images = ImageSet(np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1))
        >>> without(images, images.take(np.array([1]))).images.ravel().tolist()
        [0, 2, 3]
    """
    unwanted = set(image_checksums(others))
    remaining = [index for index, checksum in enumerate(image_checksums(images)) if checksum not in unwanted]
    return images.take(np.array(remaining, dtype=np.int64))


def hold_out(images: ImageSet, count: int, seed: int) -> tuple[ImageSet, ImageSet]:
    """Divide a set that has no test split into a training set and a test set.

    Args:
        images: N images.
        count: images of the test set, 1 to N − 1, drawn without replacement.
        seed: the same seed draws the same images.

    Returns:
        (training set of N − count images, test set of `count` images), each in the order of `images`.

    Raises:
        ValueError: `count` is out of range.

    Example:
        >>> import numpy as np
        >>> from gan_hub.data import ImageSet, hold_out
        >>> train, test = hold_out(ImageSet(np.zeros((10, 8, 8, 3), np.uint8)), count=2, seed=0)
        >>> len(train), len(test)
        (8, 2)
    """
    if not 0 < count < len(images):
        raise ValueError(f"cannot hold out {count} of {len(images)} images; at least one is held out, and one is left.")
    order = np.random.default_rng(seed).permutation(len(images))
    whole = replace(images, split=f"{images.split or 'none'}, so {count:,} images drawn at random are held out")
    return whole.take(np.sort(order[count:])), whole.take(np.sort(order[:count]))


def balanced_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices into `labels` (N,), int64 (N,), in which all classes are equally frequent, up to one.

    The images of a large class are drawn without replacement; those of a small class repeat equally often, up to one.

    Example:
        >>> import numpy as np
        >>> from gan_hub.data import balanced_order
        >>> labels = np.array([0, 0, 0, 0, 0, 1])
        >>> np.bincount(labels[balanced_order(labels, np.random.default_rng(0))]).tolist()
        [3, 3]
    """
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    shares = [len(labels) // len(members)] * len(members)
    for larger in rng.permutation(len(members))[: len(labels) % len(members)]:
        shares[larger] += 1
    parts = []
    for indices, share in zip(members, shares, strict=True):
        repeats = [rng.permutation(indices) for _ in range(-(-share // len(indices)))]
        parts.append(np.concatenate(repeats)[:share])
    return rng.permutation(np.concatenate(parts))

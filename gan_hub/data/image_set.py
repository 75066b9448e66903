"""ImageSet: uint8 images with their labels, in memory or on the disk, and the parts of a set.

Shapes: N images, H × W resolution, C channels.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

MEMORY_BYTES = 2_000_000_000  # a larger set stays on the disk and is read row by row
CHUNK_BYTES = 64_000_000  # hashed at a time


class Rows:
    """Some rows of an array that stays on the disk, in an order of their own; read when they are asked for.

    Takes an index, a slice or an array of indices, and gives numpy arrays; `np.asarray` reads everything.
    """

    def __init__(self, array: "np.ndarray | Rows", indices: np.ndarray):
        if isinstance(array, Rows):
            array, indices = array.array, array.indices[indices]
        self.array, self.indices = array, indices
        self.shape, self.dtype = (len(indices), *array.shape[1:]), array.dtype

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        return np.array(self.array[self.indices[rows]])

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self.array[self.indices], dtype=dtype)


@dataclass
class ImageSet:
    """uint8 images (N, H, W, C); labels int64 (N,) with their names, or None; what was skipped, by kind.

    `maps`, uint8 (N, H, W), holds the semantic class of each pixel, whose names are `map_names`; or None. `images` is an
    array in memory, or, above `memory_bytes`, one on the disk (a memory map, or `Rows` of it), of which slices and rows
    are read as they are asked for.
    """

    images: np.ndarray | Rows
    labels: np.ndarray | None = None
    label_names: list[str] | None = None
    skipped: dict[str, list[str]] = field(default_factory=dict)
    memory_bytes: int = MEMORY_BYTES
    maps: np.ndarray | None = None
    map_names: list[str] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: np.ndarray) -> "ImageSet":
        """The images at `indices`, with their labels and maps. What lies on the disk and is too large for memory stays there."""
        labels = None if self.labels is None else self.labels[indices]
        large = len(indices) * math.prod(self.images.shape[1:]) > self.memory_bytes
        stays = large and type(self.images) is not np.ndarray
        images = Rows(self.images, np.asarray(indices)) if stays else np.asarray(self.images[indices])
        maps = None if self.maps is None else self.maps[indices]
        return ImageSet(images, labels, self.label_names, self.skipped, self.memory_bytes, maps, self.map_names)

    def fingerprint(self) -> str:
        """sha256 (hex) of the bytes of all images, then of all labels, then of all maps; read a part at a time."""
        digest = hashlib.sha256()
        for chunk in chunks(self.images):
            digest.update(chunk)
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels))
        if self.maps is not None:
            digest.update(np.ascontiguousarray(self.maps))
        return digest.hexdigest()

    def report(self) -> str:
        """One sentence: how many images, and what was skipped, by kind, with the first names."""
        text = f"{len(self):,} images of {self.images.shape[2]} × {self.images.shape[1]} × {self.images.shape[3]}"
        if self.label_names:
            text += f", {len(self.label_names)} classes"
        if self.map_names:
            text += f", maps of {len(self.map_names)} classes"
        kinds = [
            f"{len(names)} {kind} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
            for kind, names in sorted(self.skipped.items())
        ]
        total = sum(map(len, self.skipped.values()))
        return text + (f"; {total} files skipped: {'; '.join(kinds)}." if kinds else ".")


def chunks(images: np.ndarray | Rows) -> Iterator[np.ndarray]:
    """All rows in order, contiguous, about CHUNK_BYTES at a time."""
    step = max(1, CHUNK_BYTES // max(1, math.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        yield np.ascontiguousarray(images[start : start + step])


def without(images: ImageSet, others: ImageSet) -> ImageSet:
    """The images that are not, byte for byte, among `others`."""
    unwanted = {image.tobytes() for image in others.images}
    return images.take(
        np.array([i for i, image in enumerate(images.images) if image.tobytes() not in unwanted], dtype=np.int64)
    )


def hold_out(images: ImageSet, count: int, seed: int) -> tuple[ImageSet, ImageSet]:
    """(the rest, `count` images drawn without replacement): a test set for data that has none."""
    if not 0 < count < len(images):
        raise ValueError(f"cannot hold out {count} of {len(images)} images.")
    order = np.random.default_rng(seed).permutation(len(images))
    return images.take(np.sort(order[count:])), images.take(np.sort(order[:count]))

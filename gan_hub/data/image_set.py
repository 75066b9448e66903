"""ImageSet: uint8 images with their labels, in memory or on the disk, and the parts of a set.

Shapes: N images, H × W resolution, C channels.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from gan_hub.messages import short_repr

MEMORY_BYTES = 2_000_000_000  # a larger set stays on the disk and is read row by row
CHUNK_BYTES = 64_000_000  # hashed at a time
NAMED_CLASSES = 12  # more of them are told by their number alone
NAMED_FILES = 3  # of each kind that was skipped


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
    are read as they are asked for. How splits and labels were found say `split`, `labels_of` and `notes`, for `report`.
    """

    images: np.ndarray | Rows
    labels: np.ndarray | None = None
    label_names: list[str] | None = None
    skipped: dict[str, list[str]] = field(default_factory=dict)
    memory_bytes: int = MEMORY_BYTES
    maps: np.ndarray | None = None
    map_names: list[str] | None = None
    split: str = ""
    labels_of: str = ""  # the file or column they come from; "" where that is the plain thing
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: np.ndarray) -> "ImageSet":
        """The images at `indices`, with their labels and maps. What lies on the disk and is too large for memory stays there."""
        labels = None if self.labels is None else self.labels[indices]
        large = len(indices) * math.prod(self.images.shape[1:]) > self.memory_bytes
        stays = large and type(self.images) is not np.ndarray
        images = Rows(self.images, np.asarray(indices)) if stays else np.asarray(self.images[indices])
        maps = None if self.maps is None else self.maps[indices]
        return replace(self, images=images, labels=labels, maps=maps)

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
        """One sentence: how many images, of which classes and split, and what was skipped, with the first names."""
        parts = [f"{len(self):,} images of {self.images.shape[2]} × {self.images.shape[1]} × {self.images.shape[3]}"]
        if self.labels is not None and self.label_names:
            parts.append(self._classes())
        if self.map_names:
            parts[0] += f", maps of {len(self.map_names)} classes"
        parts += [f"split: {self.split}"] if self.split else []
        parts += [*self.notes, self.left_out]
        return "; ".join(filter(None, parts)) + "."

    @property
    def left_out(self) -> str:
        """How many files of the source are not among the images, by kind, with the first names; "" where there are none."""
        total = sum(map(len, self.skipped.values()))
        kinds = [
            f"{len(names)} {kind} ({', '.join(names[:NAMED_FILES])}{', …' if len(names) > NAMED_FILES else ''})"
            for kind, names in sorted(self.skipped.items())
        ]
        return f"{total:,} file{'s' * (total > 1)} skipped: {'; '.join(kinds)}" if kinds else ""

    def _classes(self) -> str:
        counts = np.bincount(self.labels, minlength=len(self.label_names)).tolist()
        told = [f"{readable(name)} {count:,}" for name, count in zip(self.label_names, counts)]
        of = f" of {self.labels_of}" if self.labels_of else ""
        if len(told) <= NAMED_CLASSES:
            return f"classes{of}: {', '.join(told)}"
        fewest, most = counts.index(min(counts)), counts.index(max(counts))
        return f"{len(told):,} classes{of}, from {told[fewest]} to {told[most]}"


def readable(name: str) -> str:
    """A name from outside as it is, or quoted and cut where it is long or would move a terminal's cursor."""
    return name if name.isprintable() and len(name) <= 40 else short_repr(name, 40)


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
        raise ValueError(f"cannot hold out {count} of {len(images)} images; at least one is held out, and one is left.")
    order = np.random.default_rng(seed).permutation(len(images))
    whole = replace(images, split=f"{images.split or 'none'}, so {count:,} images drawn at random are held out")
    return whole.take(np.sort(order[count:])), whole.take(np.sort(order[:count]))


def balanced_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """int64 (N,): as many places of `labels` (N,), in which each class that occurs has its share, up to one, of the places.

    The images of a large class are drawn without replacement; those of a small one come in turns, equally often up to one.
    """
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    shares = [len(labels) // len(members)] * len(members)
    for lucky in rng.permutation(len(members))[: len(labels) % len(members)]:
        shares[lucky] += 1
    parts = []
    for places, share in zip(members, shares):
        turns = [rng.permutation(places) for _ in range(-(-share // len(places)))]
        parts.append(np.concatenate(turns)[:share])
    return rng.permutation(np.concatenate(parts))

"""split.json in a model's folder: which images a run trained on and which it held out, as counts and checksums."""

import hashlib
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from gan_hub.data.image_set import ImageSet, hold_out
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError, read_json, write_json

SPLIT_NAME = "split.json"
MAX_COUNT, MAX_SIDE, MAX_LEFT_OUT, MAX_NAME = 10**9, 65_536, 4096, 200


@dataclass(frozen=True)
class DataSplit:
    """The record of a run's data, by which its training and held-out images are found again later.

    Checksums are `ImageSet.fingerprint` of the pixels alone, at `resolution` and `channels`. A copy of the images is never
    part of it, nor is a path.

    Attributes:
        data: a known name or a Hub id; "your-data" for files that only their owner has.
        resolution: pixels of a square, or [height, width].
        channels: 1 to 4.
        seed: of the run, by which `hold_out` drew the held-out images.
        train_images, train_sha256: number and checksum of the images that were trained on, in their order.
        held_out_images, held_out_sha256: the same of the held-out ones.
        held_out_is_test_split: whether these are the data's own test split; otherwise they were drawn from its train split.
        left_out_sha256: one sha256 for each image that is in neither part, because it is shipped with the model.

    Example:
        >>> import numpy as np
        >>> from gan_hub.data import ImageSet, hold_out
        >>> images = ImageSet(np.arange(10 * 4 * 4 * 1, dtype=np.uint8).reshape(10, 4, 4, 1))
        >>> train, held_out = hold_out(images, 3, seed=0)
        >>> split = DataSplit.of(train, held_out, data="your-data", seed=0)
        >>> again = split.apply(images)
        >>> [len(part) for part in again], np.array_equal(again[1].images, held_out.images)
        ([7, 3], True)
    """

    data: str
    resolution: int | list[int]
    channels: int
    seed: int
    train_images: int
    train_sha256: str
    held_out_images: int
    held_out_sha256: str
    held_out_is_test_split: bool
    left_out_sha256: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        train: ImageSet,
        held_out: ImageSet,
        *,
        data: str,
        seed: int,
        held_out_is_test_split: bool = False,
        left_out: ImageSet | None = None,
    ) -> "DataSplit":
        """The record of a split.

        Args:
            train: the images that are trained on, uint8 (N, H, W, C).
            held_out: the images that are not, of the same size.
            data: the public name of the data (see the class).
            seed: what `hold_out` drew with.
            held_out_is_test_split: whether `held_out` is the data's own test split.
            left_out: images of the data that were taken out before (`without`), such as those that a model ships.

        Returns:
            What `write` writes.
        """
        _, height, width, channels = train.images.shape
        left_out_sha256 = [] if left_out is None else sorted({_sha256(image) for image in left_out.images})
        return cls(
            data,
            height if height == width else [height, width],
            channels,
            seed,
            len(train),
            _pixels_sha256(train),
            len(held_out),
            _pixels_sha256(held_out),
            held_out_is_test_split,
            tuple(left_out_sha256),
        )

    @classmethod
    def read(cls, folder: Path) -> "DataSplit | None":
        """The record in a model's folder; None where there is none. Raises LoadError naming file and field."""
        path = Path(folder) / SPLIT_NAME
        if not path.exists():
            return None
        content = read_json(path)
        names = [spec.name for spec in fields(cls)]
        for name in sorted(content.keys() ^ set(names)):
            raise LoadError(f"{path}: key {short_repr(name)} is {'missing' if name in names else 'unknown'}.")
        for name, value in content.items():
            is_valid, allowed = _RULES[name]
            if not is_valid(value):
                raise LoadError(f"{path}: {name} has the value {short_repr(value)}; allowed: {allowed}.")
        values: dict[str, Any] = content | {"left_out_sha256": tuple(content["left_out_sha256"])}
        return cls(**values)

    def write(self, folder: Path) -> None:
        """Write split.json into a folder, whole or not at all."""
        write_json(Path(folder) / SPLIT_NAME, asdict(self))

    def apply(self, images: ImageSet, test: ImageSet | None = None) -> tuple[ImageSet, ImageSet]:
        """Split the same images again in the same way, and check them against the checksums.

        Args:
            images: the data's train split, uint8 (N, H, W, C) in this resolution and these channels, in its order.
            test: the data's test split, where that is what was held out (`held_out_is_test_split`).

        Returns:
            (images that were trained on, held-out images), with the labels and maps that `images` brings.

        Raises:
            ValueError: these are other images, or the same in another order or size.
        """
        train = self._without_left_out(images)
        if not self.held_out_is_test_split:
            self._check_count("images to train on or hold out", len(train), self.train_images + self.held_out_images)
            train, held_out = hold_out(train, self.held_out_images, self.seed)
        elif test is None:
            raise ValueError(f"{SPLIT_NAME} holds out the test split of {self.data}; give its images as test=.")
        else:
            held_out = test
        for part, subset, count, sha256 in (
            ("trained", train, self.train_images, self.train_sha256),
            ("held-out", held_out, self.held_out_images, self.held_out_sha256),
        ):
            self._check_count(f"{part} images", len(subset), count)
            if _pixels_sha256(subset) != sha256:
                raise ValueError(
                    f"these are not the images of {SPLIT_NAME} ({self.data}): the {part} ones differ in their sha256. They "
                    "are other images, or lie in another order."
                )
        return train, held_out

    def _without_left_out(self, images: ImageSet) -> ImageSet:
        """The images that are in one of the two parts; raises ValueError for another size."""
        height, width = self.resolution if isinstance(self.resolution, list) else (self.resolution, self.resolution)
        if tuple(images.images.shape[1:]) != (height, width, self.channels):
            raise ValueError(
                f"these images are {' × '.join(map(str, images.images.shape[1:]))}, but those of {SPLIT_NAME} "
                f"({self.data}) are {height} × {width} × {self.channels}."
            )
        if not self.left_out_sha256:
            return images
        unwanted = set(self.left_out_sha256)
        return images.take(np.flatnonzero([_sha256(image) not in unwanted for image in images.images]))

    def _check_count(self, kind: str, count: int, expected: int) -> None:
        if count != expected:
            raise ValueError(f"there are {count:,} {kind}, but {expected:,} in {SPLIT_NAME} ({self.data}).")


def _pixels_sha256(images: ImageSet) -> str:
    """The checksum of the images whatever labels and maps came with them."""
    return ImageSet(images.images).fingerprint()


def _sha256(image: np.ndarray) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def _is_whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _is_resolution(value: object) -> bool:
    sides = value if isinstance(value, list) and len(value) == 2 else [value]
    return all(_is_whole(side, 1, MAX_SIDE) for side in sides)


_COUNT = (lambda value: _is_whole(value, 1, MAX_COUNT), f"a whole number from 1 to {MAX_COUNT}")
_CHECKSUM = (_is_sha256, "64 hex digits")
# Field → (whether a value of the file is allowed, what is).
_RULES = {
    "data": (
        lambda value: isinstance(value, str) and 0 < len(value) <= MAX_NAME,
        f"a text up to {MAX_NAME} characters",
    ),
    "resolution": (_is_resolution, f"a whole number from 1 to {MAX_SIDE}, or [height, width]"),
    "channels": (lambda value: _is_whole(value, 1, 4), "a whole number from 1 to 4"),
    "seed": (lambda value: _is_whole(value, 0, 2**63 - 1), "a whole number from 0"),
    "train_images": _COUNT,
    "train_sha256": _CHECKSUM,
    "held_out_images": _COUNT,
    "held_out_sha256": _CHECKSUM,
    "held_out_is_test_split": (lambda value: isinstance(value, bool), "true or false"),
    "left_out_sha256": (
        lambda value: isinstance(value, list) and len(value) <= MAX_LEFT_OUT and all(map(_is_sha256, value)),
        f"at most {MAX_LEFT_OUT} checksums of 64 hex digits each",
    ),
}

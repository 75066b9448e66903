"""The data set `avatars` for `load_images`, and the same images as files."""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import astuple, fields
from functools import partial
from pathlib import Path

import numpy as np

from gan_hub.atomic import move_files, scratch_folder
from gan_hub.data.avatars.drawing import draw
from gan_hub.data.avatars.faces import SPLITS, Attributes
from gan_hub.data.decode import Entry
from gan_hub.data.sources import SplitContents, UndecodedSource, hash_lines


def list_avatars(split: str) -> UndecodedSource:
    """The data set `avatars`: 20,000 training and 2,000 test images without labels, drawn as they are read."""
    seed, count = SPLITS[split]

    def pixels(index: int) -> np.ndarray:
        return np.asarray(draw(seed, index)[0])

    def version() -> str:
        """Of the pixels of the first images, so that a set cached before the drawing changed is drawn anew."""
        return hash_lines(pixels(index).tobytes().hex() for index in range(32))

    def entries() -> Iterator[Entry]:
        return (Entry(f"avatar {index}", None, 0, partial(pixels, index)) for index in range(count))

    return UndecodedSource(count, lambda: SplitContents(entries()), version, always_cache=True)


def write_files(folder: Path, count: int, seed: int) -> None:
    """Write the first `count` images of a `seed` as avatars64.zip (00000.png …), and attributes.csv, into `folder`.

    Both files appear when both are whole.

    Args:
        folder: made where it does not exist; other files in it stay.
        count: number of images.
        seed: 0 gives the training split, 1 the test split.
    """
    with scratch_folder(folder) as scratch:
        zip_path, table_path = scratch / "avatars64.zip", scratch / "attributes.csv"
        with zipfile.ZipFile(zip_path, "w") as zipped, open(table_path, "w", newline="", encoding="utf-8") as table:
            rows = csv.writer(table)
            rows.writerow(["id", *(field.name for field in fields(Attributes))])
            for index in range(count):
                image, attributes = draw(seed, index)
                png = io.BytesIO()
                image.save(png, "PNG")
                zipped.writestr(zipfile.ZipInfo(f"{index:05d}.png"), png.getvalue())  # ZipInfo: without the time of day
                rows.writerow([index, *astuple(attributes)])
        move_files(scratch, folder)

"""Painted fruit to train on: `python benchmarks/collect_fruit.py SOURCE OUT.zip`, 64 × 64, in twelve classes.

SOURCE is a clone of https://github.com/jwilber/USDA_Pomological_Watercolors (38 MB): the 7,580 watercolors of the USDA
Pomological Watercolor Collection, 1886 to 1942, some 128 × 192 pixels each. Most show a whole fruit and the same one cut.
Each that stands out from the paper becomes a square of its own, cropped and scaled, not retouched: about 7,000 in all.
Every twelfth variety goes into the test split, with all its paintings, for they show one specimen or its neighbor.
"""

import argparse
import csv
import io
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from gan_hub.atomic import atomic_file

TABLE = Path("data", "usda_pomological_watercolors.csv")
SIDE = 64
EVERY = 12  # one variety of so many is held out
MARGIN = 1.22  # a square's side over the fruit's longer one: paper and shadow around it
INK = 55  # of 255: what is so much darker than the paper in a channel is painted; pale flesh is not, and is left out
CORE = 4  # pixels eroded off: handwriting, twigs and the touch of two fruits are thinner than twice that
SHORTER, LONGER = 26, 30  # pixels that a fruit has at least: smaller ones would be blurs
ASPECT = 1.5  # at most: two fruits that are not separated are longer, and so are twigs
FILL = 0.6  # of its box that a fruit's core covers at least: leaves and sprays cover less
SHARE = 0.35  # of the area of a painting's largest fruit that another has at least: stones and cores have less

# How the Latin name begins → class. What is named here by no row is "other".
KINDS = {
    "Malus": "apple", "Prunus persica": "peach", "Pyrus": "pear", "Prunus domestica": "plum", "Prunus salicina": "plum",
    "Prunus cerasifera": "plum", "Citrus sinensis": "orange", "Citrus reticulata": "orange", "Citrus nobilis": "orange",
    "Citrus tangelo": "orange", "Citrus unshiu": "orange", "Citrus paradisi": "grapefruit", "Citrus grandis": "grapefruit",
    "Citrus limon": "lemon", "Citrus medica": "lemon", "Citrus aurantiifolia": "lemon", "Diospyros": "persimmon",
    "Persea": "avocado", "Fragaria": "strawberry", "Mangifera": "mango",
}  # fmt: skip

Box = tuple[int, int, int, int]  # left, top, right, bottom, as Pillow has them


def kind_of(subjects: str) -> str:
    """The class of a painting by the table's column of subjects, such as "Malus domestica , apples"."""
    return next((kind for name, kind in KINDS.items() if subjects.startswith(name)), "other")


def held_out(varieties: Iterable[str]) -> set[str]:
    """Every twelfth of the different varieties, in alphabetical order: a share of each species."""
    return set(sorted(set(varieties))[EVERY - 1 :: EVERY])


def dilate(mask: torch.Tensor, radius: int) -> torch.Tensor:
    """A mask (H, W) of 0 and 1, grown by so many pixels to all sides."""
    return F.max_pool2d(mask[None], 2 * radius + 1, stride=1, padding=radius)[0]


def erode(mask: torch.Tensor, radius: int) -> torch.Tensor:
    """A mask (H, W) of 0 and 1, shrunk by so many pixels from all sides but the image's own edges."""
    return -dilate(-mask, radius)


def components(mask: torch.Tensor) -> Iterator[torch.Tensor]:
    """Each connected part of a mask (H, W), as the rows and columns of its pixels, int64 (2, N)."""
    numbers = torch.arange(1, mask.numel() + 1, dtype=torch.float32).reshape(mask.shape) * mask
    while not torch.equal(grown := dilate(numbers, 1) * mask, numbers):
        numbers = grown  # in the end a part's pixels all have the largest number among them
    for number in numbers.unique():
        if number > 0:
            yield torch.stack(torch.where(numbers == number))


def page_of(pixels: np.ndarray) -> Box:
    """The sheet of paper in a scan uint8 (H, W, 3), without the black around it, or the whole scan where it is dark."""
    bright = pixels.max(2)
    columns, rows = (np.flatnonzero(np.median(bright, axis) > 110) for axis in (0, 1))
    if len(columns) < LONGER or len(rows) < LONGER:
        return (0, 0, pixels.shape[1], pixels.shape[0])
    return (int(columns[0]) + 1, int(rows[0]) + 1, int(columns[-1]), int(rows[-1]))


def painted(page: np.ndarray) -> torch.Tensor:
    """Where a page uint8 (H, W, 3) is darker than its paper, a mask (H, W); paper is the median of what is light."""
    height, width = page.shape[:2]
    inner = page[height // 10 : height - height // 10, width // 6 : width - width // 6].reshape(-1, 3)
    light = inner[inner.min(1) > 150]
    paper = np.median(light if len(light) > len(inner) / 10 else inner, 0)
    mask = torch.from_numpy(((paper - page).max(2) > INK).astype(np.float32))
    return erode(dilate(mask, 1), 1)


def box_of(part: torch.Tensor) -> Box:
    """The box of a fruit whose core has these pixels, int64 (2, N)."""
    (top, left), (bottom, right) = part.amin(1).tolist(), part.amax(1).tolist()
    return (left - CORE, top - CORE, right + 1 + CORE, bottom + 1 + CORE)


def is_fruit(box: Box, core: int) -> bool:
    """Whether a part with that box and so many pixels in its core has the size and the shape of a single fruit."""
    shorter, longer = sorted((box[2] - box[0], box[3] - box[1]))
    fills = core >= FILL * (shorter - 2 * CORE) * (longer - 2 * CORE)
    return fills and shorter >= SHORTER and longer >= LONGER and longer <= ASPECT * shorter


def fruit_boxes(page: np.ndarray) -> list[Box]:
    """The single fruits of a page uint8 (H, W, 3), the largest first; none that the page's edge cuts."""
    height, width = page.shape[:2]
    parts = [(part.shape[1], box_of(part)) for part in components(erode(painted(page), CORE))]
    whole = [(core, box) for core, box in parts if min(box) >= 0 and box[2] <= width and box[3] <= height]
    least = SHARE * max((core for core, _ in whole), default=0)
    return [box for core, box in sorted(whole, reverse=True) if core >= least and is_fruit(box, core)]


def squares(scan: Image.Image) -> list[Image.Image]:
    """A picture 64 × 64 of each fruit of a scan, centered, but for pages whose edge is nearer than the margin."""
    left, top, right, bottom = page_of(np.asarray(scan))
    page = scan.crop((left, top, right, bottom))
    pictures = []
    for box in fruit_boxes(np.asarray(page)):
        side = min(MARGIN * max(box[2] - box[0], box[3] - box[1]), *page.size)
        corner = [(box[axis] + box[axis + 2] - side) / 2 for axis in (0, 1)]
        x, y = (min(max(start, 0), length - side) for start, length in zip(corner, page.size, strict=True))
        pictures.append(page.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=(x, y, x + side, y + side)))
    return pictures


def write(archive: zipfile.ZipFile, rows: list[dict[str, str]], scans: list[Path]) -> Counter[str]:
    """Write every fruit of the scans as a lossless WebP.

    Args:
        archive: the open zip.
        rows: the table's rows, of one painting each.
        scans: the files of the same paintings.

    Returns:
        Folder, such as "train/apple" → number of pictures.

    Raises:
        ValueError: a scan cannot be read.
    """
    varieties = [" ".join(row["fruit"].lower().split()) for row in rows]
    test, counts = held_out(varieties), Counter()
    for row, variety, path in zip(rows, varieties, scans, strict=True):
        folder = f"{'test' if variety in test else 'train'}/{kind_of(row['subjects'])}"
        try:
            with Image.open(path) as scan:
                pictures = squares(scan.convert("RGB"))
        except OSError as error:
            raise ValueError(f"{path} is no whole picture ({error}); clone the repository anew.") from error
        for index, picture in enumerate(pictures):
            data = io.BytesIO()
            picture.save(data, "WEBP", lossless=True)
            name = f"{folder}/{path.stem.removeprefix('image-'):>04}-{index}.webp"
            archive.writestr(zipfile.ZipInfo(name), data.getvalue())  # stored: WebP is compressed already
        counts[folder] += len(pictures)
    return counts


def main() -> None:
    """Write the zip, and print how many pictures each class has."""
    parser = argparse.ArgumentParser(description="Crop the fruits of the USDA's watercolors into one zip to train on.")
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    if not (args.source / TABLE).is_file():
        parser.error(
            f"{args.source} has no {TABLE}; clone https://github.com/jwilber/USDA_Pomological_Watercolors there."
        )
    with (args.source / TABLE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    # The table counts from 1, the pictures from 0.
    scans = [args.source / "data" / "images" / f"image-{int(row['painting_index']) - 1}.jpg" for row in rows]

    try:
        with atomic_file(args.out) as scratch, zipfile.ZipFile(scratch, "w") as archive:
            counts = write(archive, rows, scans)
    except ValueError as error:
        parser.error(str(error))
    for folder, count in sorted(counts.items()):
        print(f"{folder} {count:,}")
    print(f"{counts.total():,} fruits → {args.out}")


if __name__ == "__main__":
    main()

"""Cartoon faces with exactly known attributes, drawn by this file: `draw`, `attributes`, and the data set `avatars`.

A face is fully determined by (seed, index): each has a random generator of its own, so that it is the same whatever is
drawn before it, and however many. The pictures are the program's own drawings: Apache-2.0 like the rest, free to ship.

  python -m gan_hub.data.avatars.drawing FOLDER --count 20000 --seed 0    avatars64.zip (PNG) and attributes.csv

Coordinates: 64 units a side, x to the right, y down; inside a head from its centre between the eyes, in its own scale.
"""

import argparse
import csv
import io
import os
import random
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from functools import partial
from math import cos, pi, sin
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from gan_hub.data.decode import Entry
from gan_hub.data.sources import Contents, Listing, state_of

SIDE = 64  # pixels
OVERSAMPLING = 4  # drawn so many times larger, then averaged: the antialiasing
SPLITS = {"train": (0, 20_000), "test": (1, 2_000)}  # split → seed, count

BACKGROUNDS = {"sky": "#aedff5", "lilac": "#c7b6ef", "rose": "#ffc6d3", "mint": "#bdeccb", "lemon": "#fff0a8"}
SKINS = {"pale": "#ffdcc8", "fair": "#f2bd94", "tan": "#d6955f", "brown": "#b0703f", "dark": "#84503a"}
HAIR_COLOURS = {"black": "#26222a", "brown": "#58290f", "blond": "#f0c244", "red": "#d4491f", "silver": "#c3c8d2"}
CLOTHES_COLOURS = {"coral": "#f2665a", "blue": "#3f74d1", "green": "#3a9d6b", "violet": "#7f4fb0", "white": "#f6f6f6"}
INK = "#2a2230"  # of pupils and lips
FRAME = "#1d1a24"  # of glasses

HAIRS = ("bald", "short", "long", "curly", "bun")
EYES = ("open", "happy", "wide", "wink")
BROWS = ("raised", "flat", "stern", "worried")
MOUTHS = ("smile", "laugh", "serious", "sad")
GLASSES = ("round", "square", "browline", "sunglasses")
BEARDS = ("full", "goatee", "moustache")
CLOTHES = ("crew", "collar", "stripes")
GLASSES_SHARE, BEARD_SHARE = 0.4, 0.3

# Each attribute's values, in the order in which a classifier may number them.
VALUES = {
    "background": tuple(BACKGROUNDS),
    "skin": tuple(SKINS),
    "hair": HAIRS,
    "hair_colour": tuple(HAIR_COLOURS),
    "eyes": EYES,
    "brows": BROWS,
    "mouth": MOUTHS,
    "glasses": ("none", *GLASSES),
    "beard": ("none", *BEARDS),
    "clothes": CLOTHES,
    "clothes_colour": tuple(CLOTHES_COLOURS),
}

Colour = str | tuple[int, int, int, int]  # the last of the four is opacity
Point = tuple[float, float]


@dataclass(frozen=True)
class Attributes:
    """What a face is, by name. All are drawn independently of each other; those of one are equally frequent.

    Some cannot always be seen: sunglasses hide the eyes, and a bald head has its hair's colour in brows and beard alone.
    """

    background: str
    skin: str
    hair: str
    hair_colour: str
    eyes: str
    brows: str
    mouth: str
    glasses: str  # or "none", in 60 %
    beard: str  # or "none", in 70 %
    clothes: str
    clothes_colour: str


@dataclass(frozen=True)
class Pose:
    """What varies without a name: the place, size and proportions of a head. Uniform within the ranges of `face`."""

    x: float  # the centre between the eyes
    y: float
    scale: float
    width: float  # half a head's, at the ears
    chin: float  # below the eyes
    eye_distance: float  # of each from the middle
    mouth_width: float  # half of it
    parting: float  # −1 left … 1 right


def face(seed: int, index: int) -> tuple[Attributes, Pose]:
    """What picture number `index` of a `seed` shows, without drawing it."""
    rng = random.Random(f"avatar {seed} {index}")  # a text's sha512: no two pairs share a generator

    def one_of(names: Sequence[str]) -> str:
        return list(names)[int(rng.random() * len(names))]  # random() alone is promised to stay as it is

    def between(low: float, high: float) -> float:
        return low + (high - low) * rng.random()

    with_glasses, with_beard = rng.random() < GLASSES_SHARE, rng.random() < BEARD_SHARE
    named = Attributes(
        background=one_of(BACKGROUNDS),
        skin=one_of(SKINS),
        hair=one_of(HAIRS),
        hair_colour=one_of(HAIR_COLOURS),
        eyes=one_of(EYES),
        brows=one_of(BROWS),
        mouth=one_of(MOUTHS),
        glasses=one_of(GLASSES) if with_glasses else "none",
        beard=one_of(BEARDS) if with_beard else "none",
        clothes=one_of(CLOTHES),
        clothes_colour=one_of(CLOTHES_COLOURS),
    )
    pose = Pose(
        x=between(30.5, 33.5),
        y=between(32.0, 34.0),
        scale=between(1.06, 1.14),
        width=between(14.2, 16.0),
        chin=between(16.5, 18.5),
        eye_distance=between(6.2, 7.0),
        mouth_width=between(4.6, 5.8),
        parting=between(-1, 1),
    )
    return named, pose


def attributes(split: str) -> list[Attributes]:
    """Those of all images of a split (train, test) of the data set `avatars`, in their order, without drawing them.

    Raises ValueError for another split.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is not allowed; choose {' or '.join(SPLITS)}.")
    seed, count = SPLITS[split]
    return [face(seed, index)[0] for index in range(count)]


def draw(seed: int, index: int) -> tuple[Image.Image, Attributes]:
    """Picture number `index` of a `seed`, RGB 64 × 64, and what it shows."""
    named, pose = face(seed, index)
    return paint(named, pose), named


# ---------------------------------------------------------------------------------------------- drawing


class Brush:
    """Draws on a picture in units around a centre; colours with opacity are laid over what is there."""

    def __init__(self, image: Image.Image, x: float, y: float, scale: float):
        self.on = ImageDraw.Draw(image, "RGBA")
        self.x, self.y, self.scale = x * OVERSAMPLING, y * OVERSAMPLING, scale * OVERSAMPLING

    def at(self, x: float, y: float) -> Point:
        return self.x + x * self.scale, self.y + y * self.scale

    def oval(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """Filled, around (x, y); `width` and `height` are halves."""
        self.on.ellipse([*self.at(x - width, y - height), *self.at(x + width, y + height)], fill=colour)

    def shape(self, points: Sequence[Point], colour: Colour) -> None:
        self.on.polygon([self.at(*point) for point in points], fill=colour)

    def stroke(self, points: Sequence[Point], thickness: float, colour: Colour) -> None:
        """A line with round ends."""
        self.on.line([self.at(*point) for point in points], colour, round(thickness * self.scale), joint="curve")
        for x, y in (points[0], points[-1]):
            self.oval(x, y, thickness / 2, thickness / 2, colour)

    def box(self, x: float, y: float, half_width: float, half_height: float, radius: float, **paint) -> None:
        """A rounded rectangle around (x, y); `paint` are Pillow's fill, outline and width (in pixels)."""
        corners = [*self.at(x - half_width, y - half_height), *self.at(x + half_width, y + half_height)]
        self.on.rounded_rectangle(corners, radius * self.scale, **paint)


def shaded(colour: str, factor: float) -> str:
    """A #rrggbb colour times `factor`."""
    return "#" + "".join(f"{min(255, round(int(colour[i : i + 2], 16) * factor)):02x}" for i in (1, 3, 5))


def bow(x: float, y: float, width: float, height: float) -> list[Point]:
    """A parabola through (x ± width, y) whose middle hangs `height` lower."""
    return [(x + width * t / 8, y + height * (1 - (t / 8) ** 2)) for t in range(-8, 9)]


def outline(pose: Pose, start: float, end: float, size: float = 1.0) -> list[Point]:
    """The head's rim from one angle to another, in half turns: 0 is right, 0.5 the chin, 1 left, 1.5 the top."""
    points = []
    for step in range(33):
        angle = pi * (start + (end - start) * step / 32)
        c, s = cos(angle), sin(angle)
        height = pose.chin if s > 0 else 18.0
        round_x, round_y = (abs(c) ** 0.86, abs(s) ** 0.94)  # a little squarer than an ellipse
        points.append(
            (size * pose.width * round_x * (1 if c > 0 else -1), size * height * round_y * (1 if s > 0 else -1))
        )
    return points


def paint(named: Attributes, pose: Pose) -> Image.Image:
    """The picture RGB 64 × 64 of a face."""
    image = Image.new("RGB", (SIDE * OVERSAMPLING, SIDE * OVERSAMPLING), BACKGROUNDS[named.background])
    brush = Brush(image, pose.x, pose.y, pose.scale)
    _hair_behind(brush, named, pose)
    _body(brush, named, pose)
    _head(brush, named, pose)
    _beard(brush, named, pose)
    _nose_and_mouth(brush, named, pose)
    _eyes_and_brows(brush, named, pose)
    _hair_in_front(brush, named, pose)
    _glasses(brush, named, pose)
    return image.reduce(OVERSAMPLING)


def _hair_behind(brush: Brush, named: Attributes, pose: Pose) -> None:
    colour, dark = HAIR_COLOURS[named.hair_colour], shaded(HAIR_COLOURS[named.hair_colour], 0.82)
    if named.hair == "long":
        side = pose.width + 4.4
        brush.oval(0, -3, side, 19, dark)
        brush.box(0, 10, side, 16, 5, fill=dark)
    elif named.hair == "curly":
        for turn in range(11):
            angle = pi * (0.95 + 1.1 * turn / 10)
            brush.oval((pose.width + 1.5) * cos(angle), -5 + 15 * sin(angle), 6.4, 6.4, dark if turn % 2 else colour)
    elif named.hair == "bun":
        brush.oval(0, -21, 7, 6.2, dark)
        brush.oval(0, -21.8, 5.6, 4.6, colour)


def _body(brush: Brush, named: Attributes, pose: Pose) -> None:
    skin, colour = SKINS[named.skin], CLOTHES_COLOURS[named.clothes_colour]
    top = pose.chin + 4
    brush.oval(0, top + 17, 26, 18, colour)
    if named.clothes == "stripes":
        for row in range(3):
            y = top + 4.2 + 4.4 * row
            half = 26 * max(0.0, 1 - ((y - top - 17) / 18) ** 2) ** 0.5
            brush.stroke(bow(0, y - 1, half - 0.8, 1.6), 1.9, shaded(colour, 0.66))
    brush.box(0, top - 3, 5.4, 6, 3, fill=shaded(skin, 0.84))
    brush.oval(0, top + 1.6, 6.6, 3.6, shaded(skin, 0.84))
    if named.clothes == "collar":
        for side in (-1, 1):
            flap = [(0, top + 7.5), (side * 5.2, top - 2.4), (side * 10, top + 0.6), (side * 6.6, top + 8.5)]
            brush.shape(flap, shaded(colour, 0.74))
    else:
        brush.stroke(bow(0, top + 1, 7, 4.6), 1.8, shaded(colour, 0.74))


def _head(brush: Brush, named: Attributes, pose: Pose) -> None:
    skin = SKINS[named.skin]
    for side in (-1, 1):
        brush.oval(side * (pose.width + 0.4), 2.5, 3.1, 4.2, skin)
        brush.oval(side * (pose.width + 0.7), 2.7, 1.5, 2.4, shaded(skin, 0.8))
    brush.shape(outline(pose, 0, 2), skin)
    for side in (-1, 1):
        brush.oval(side * (pose.eye_distance + 2.8), 7, 2.9, 2, (238, 84, 84, 52))
    if named.hair == "bald":
        brush.oval(-4.5, -12.2, 4, 2.2, (255, 255, 255, 72))


def _beard(brush: Brush, named: Attributes, pose: Pose) -> None:
    if named.beard == "none":
        return
    colour, skin = shaded(HAIR_COLOURS[named.hair_colour], 0.86), SKINS[named.skin]
    mouth = pose.chin - 6.6
    if named.beard == "full":
        rim = outline(pose, -0.02, 1.02, size=1.05)
        cheeks = [
            (-pose.width + 1.8, 3),
            (-8.6, 7.4),
            (-5, mouth - 4.6),
            (5, mouth - 4.6),
            (8.6, 7.4),
            (pose.width - 1.8, 3),
        ]
        brush.shape(rim + cheeks, colour)
        brush.oval(0, mouth + 0.5, pose.mouth_width + 1.0, 3.0, skin)
    elif named.beard == "goatee":
        brush.box(0, mouth + 2.2, pose.mouth_width + 3.2, 6.6, 5.4, fill=colour)
        brush.oval(0, mouth + 0.4, pose.mouth_width + 0.9, 3.0, skin)
    else:
        for side in (-1, 1):
            brush.shape([(0, mouth - 5.4), (side * 3.6, mouth - 5.8), (side * 7, mouth - 3.4), (side * 9.6, mouth - 4.2),
                         (side * 8, mouth - 0.6), (side * 4, mouth - 1.2), (0, mouth - 2.2)], colour)  # fmt: skip


def _nose_and_mouth(brush: Brush, named: Attributes, pose: Pose) -> None:
    skin, mouth, half = SKINS[named.skin], pose.chin - 6.6, pose.mouth_width
    brush.oval(0, 4.6, 2.3, 1.9, shaded(skin, 0.76))
    if named.mouth == "smile":
        brush.stroke(bow(0, mouth - 0.9, half, 2.8), 1.5, INK)
    elif named.mouth == "laugh":
        brush.shape(bow(0, mouth - 1.4, half, 5), "#7c1f2c")
        brush.shape(bow(0, mouth - 1.4, half - 0.5, 1.7), "#ffffff")
        brush.oval(0, mouth + 2.2, 2, 1, "#f2747c")
    elif named.mouth == "serious":
        brush.stroke([(-half + 0.6, mouth + 0.4), (half - 0.6, mouth + 0.4)], 1.5, INK)
    else:
        brush.stroke(bow(0, mouth + 2.1, half, -2.8), 1.5, INK)


def _eyes_and_brows(brush: Brush, named: Attributes, pose: Pose) -> None:
    dark = shaded(HAIR_COLOURS[named.hair_colour], 0.8)
    for side in (-1, 1):
        x = side * pose.eye_distance
        if named.eyes == "happy" or (named.eyes == "wink" and side == 1):
            brush.stroke(bow(x, 1.3, 3, -2.8), 1.5, INK)
        else:
            size = 4.2 if named.eyes == "wide" else 3.3
            brush.oval(x, 0, size, size, "#ffffff")
            brush.oval(x, 0.2, 2, 2.1, INK)
            brush.oval(x + 0.7, -0.6, 0.7, 0.7, "#ffffff")
        inner, outer, lift = {
            "raised": (0, 0.6, 1.8),
            "flat": (0, 0, 0),
            "stern": (1.7, -0.9, 0),
            "worried": (-1.6, 1.3, 0),
        }[named.brows]
        y = -6.6 - lift
        middle = y - (1.4 if named.brows == "raised" else 0.2) + (inner + outer) / 2
        brush.stroke([(x - side * 3.2, y + inner), (x, middle), (x + side * 3.4, y + outer)], 1.7, dark)


def _hair_in_front(brush: Brush, named: Attributes, pose: Pose) -> None:
    colour, width = HAIR_COLOURS[named.hair_colour], pose.width
    middle = 4.5 * pose.parting
    if named.hair == "short":
        swept = 1 if pose.parting > 0 else -1
        fringe = [(swept * (width - 1), -2), (swept * (width - 3), -9), (swept * 6, -10), (-swept * 4, -12.5),
                  (-swept * (width - 3.4), -8), (-swept * (width - 1), -2)]  # fmt: skip
        rim = outline(pose, 1.02, 1.98, size=1.09)
        brush.shape((rim if swept > 0 else rim[::-1]) + fringe, colour)
    elif named.hair == "long":
        for side in (-1, 1):
            rim = outline(pose, 1.5, 2.06, size=1.1)
            lock = [(middle, -19.2)] + [(side * x, y) for x, y in rim]
            lock += [
                (side * (width + 1.5), 12),
                (side * (width - 1.2), 10),
                (side * (width - 2.4), -4),
                (middle, -12.5),
            ]
            brush.shape(lock, colour)
    elif named.hair == "curly":
        for turn in range(6):
            angle = pi * (1.1 + 0.8 * turn / 5)
            brush.oval((width - 2.5) * cos(angle), -4 + 11 * sin(angle), 4.4, 4.2, colour)
    elif named.hair == "bun":
        rim = outline(pose, 1.04, 1.96, size=1.06)
        brush.shape(rim + bow(0, -3, width - 0.6, -9.6)[::-1], colour)


def _glasses(brush: Brush, named: Attributes, pose: Pose) -> None:
    """All of it lies within 6.5 of the eyes' height and between the ears."""
    if named.glasses == "none":
        return
    thin = max(1, round(1.5 * brush.scale))
    clear = (255, 255, 255, 70)
    for side in (-1, 1):
        x = side * (pose.eye_distance + 0.3)
        brush.stroke([(side * (pose.eye_distance + 5), -1.2), (side * (pose.width + 0.2), -0.6)], 1.3, FRAME)
        if named.glasses == "round":
            brush.box(x, 0.3, 5.7, 5.7, 5.7, fill=clear, outline=FRAME, width=thin)
        elif named.glasses == "square":
            brush.box(x, 0.3, 5.8, 4.8, 1.2, fill=clear, outline=FRAME, width=thin)
        elif named.glasses == "browline":
            brush.box(x, 0.6, 5.5, 4.8, 4, fill=clear, outline="#8d8794", width=max(1, round(0.8 * brush.scale)))
            brush.box(x, -3.3, 6, 1.7, 1.2, fill=FRAME)
        else:
            brush.box(x, 0.3, 6, 4.9, 2.8, fill=FRAME)
            brush.stroke([(x - 2.6, 1.6), (x + 0.4, -2.2)], 1.2, (255, 255, 255, 120))
    brush.stroke(bow(0, -0.6, 1.6, -1.2), 1.5, FRAME)


# --------------------------------------------------------------------------------------------- data set


def listing(split: str) -> Listing:
    """The data set `avatars`: 20,000 training and 2,000 test images without labels, drawn as they are read."""
    seed, count = SPLITS[split]

    def pixels(index: int) -> np.ndarray:
        return np.asarray(draw(seed, index)[0])

    def state() -> str:
        """Of how the first of them look, so that a set kept before the drawing changed is drawn anew."""
        return state_of(pixels(index).tobytes().hex() for index in range(32))

    def entries() -> Iterator[Entry]:
        return (Entry(f"avatar {index}", None, 0, partial(pixels, index)) for index in range(count))

    return Listing(count, lambda: Contents(entries()), state, keep=True)


def write(folder: Path, count: int, seed: int) -> None:
    """avatars64.zip (00000.png …) and attributes.csv; each appears once it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".avatars-") as fresh:
        pictures, table = Path(fresh, "avatars64.zip"), Path(fresh, "attributes.csv")
        with zipfile.ZipFile(pictures, "w") as zipped, open(table, "w", newline="", encoding="utf-8") as rows:
            writer = csv.writer(rows)
            writer.writerow(["id", *(field.name for field in fields(Attributes))])
            for index in range(count):
                image, named = draw(seed, index)
                content = io.BytesIO()
                image.save(content, "PNG")
                zipped.writestr(zipfile.ZipInfo(f"{index:05d}.png"), content.getvalue())  # without the time of day
                writer.writerow([index, *astuple(named)])
        for path in (pictures, table):
            os.replace(path, folder / path.name)


def main() -> None:
    parser = argparse.ArgumentParser("python -m gan_hub.data.avatars.drawing", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.count < 1:
        parser.error(f"--count {given.count} is not allowed; it is a whole number from 1.")
    write(given.folder, given.count, given.seed)


if __name__ == "__main__":
    main()

"""Pictures that are all style: waves, strokes, a mosaic and stripes, made by a few random numbers each, so that no one owns them.

Shapes: S pixels a side.
"""

import functools
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

Color = tuple[int, int, int]
OILS: list[Color] = [
    (244, 196, 48), (30, 80, 160), (90, 150, 210), (240, 240, 220), (20, 30, 70), (180, 120, 40), (70, 110, 90),
]  # fmt: skip
TILES: list[Color] = [(200, 60, 50), (240, 180, 60), (40, 110, 120), (250, 235, 200), (60, 40, 70), (120, 170, 90)]
GROUT = (35, 30, 30)
STROKES, STONES = 2600, 260


def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:side, 0:side] / side
    return y, x


def _image(colors: np.ndarray) -> Image.Image:
    """Colours (S, S, 3) in [0, 1] as a picture."""
    return Image.fromarray((colors.clip(0, 1) * 255).astype(np.uint8))


def waves(side: int) -> Image.Image:
    """Soft bands of light that bend around each other."""
    y, x = _grid(side)
    phase = np.sin(28 * (x + 0.3 * np.sin(6 * y))) + np.sin(22 * (y + 0.2 * np.sin(7 * x)))
    red, green = 0.5 + 0.5 * np.sin(phase + 1 + 2 * y), 0.45 + 0.4 * np.sin(1.2 * phase + 2.5)
    return _image(np.stack([red, green, 0.6 + 0.4 * np.cos(phase + 0.5)], -1))


def strokes(side: int) -> Image.Image:
    """Short strokes of oil that follow the lines of a field."""
    rng, canvas = np.random.default_rng(0), Image.new("RGB", (2 * side, 2 * side), OILS[4])
    brush = ImageDraw.Draw(canvas)
    for x, y, length, width, color in zip(
        *rng.random((4, STROKES)), rng.integers(len(OILS), size=STROKES), strict=True
    ):
        x, y = 2 * side * x, 2 * side * y
        angle = 1.5 * np.sin(4.3 * x / side) + 1.5 * np.cos(5.5 * y / side)
        reach = (18 + 26 * length) * side / 192
        shade = np.array(OILS[color]) + rng.integers(-18, 18, 3)
        ends = [x, y, x + reach * np.cos(angle), y + reach * np.sin(angle)]
        red, green, blue = (int(level) for level in shade.clip(0, 255))
        brush.line(ends, fill=(red, green, blue), width=int((4 + 5 * width) * side / 192))
    return canvas.resize((side, side), Image.Resampling.LANCZOS)


def mosaic(side: int) -> Image.Image:
    """Stones of six colours, each the part of the plane that is nearest to a random point."""
    rng, (y, x) = np.random.default_rng(1), _grid(side)
    points = rng.random((STONES, 2))
    distances = np.sqrt((x[..., None] - points[:, 0]) ** 2 + (y[..., None] - points[:, 1]) ** 2)  # (S, S, stones)
    first, second = np.partition(distances, 1, -1)[..., :2].transpose(2, 0, 1)
    stones = np.array(TILES, np.uint8)[rng.integers(len(TILES), size=STONES)][distances.argmin(-1)]
    stones[second - first < 2 / side] = GROUT
    return Image.fromarray(stones)


def stripes(side: int) -> Image.Image:
    """Ink in two directions on old paper."""
    y, x = _grid(side)
    first = np.sin((x + y) * side / 2.2) > 0.2
    second = (np.sin((x - y) * side / 2.6) > 0.5) & (np.sin(4.8 * x) + np.cos(6.4 * y) > 0)
    grey = 1 - 0.47 * first - 0.35 * second
    return _image(np.stack([grey, 0.96 * grey, 0.86 * grey], -1))


PATTERNS: dict[str, Callable[[int], Image.Image]] = {
    "waves": waves, "strokes": strokes, "mosaic": mosaic, "stripes": stripes,
}  # fmt: skip


@functools.cache
def pattern(name: str, side: int) -> Image.Image:
    """One of PATTERNS, of a size; it is shared, and never changed."""
    return PATTERNS[name](side)

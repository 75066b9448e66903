"""Small handwritten digits to train on: some of MNIST, which may be shipped (pictures/digits.txt has their notice).

Shapes: N images, S × S pixels.
"""

import functools
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gan_hub.images import from_uint8

PICTURES = Path(__file__).parent / "pictures"
SHEET = PICTURES / "digits.png"  # 50 rows of 68; the ten digits take turns
NOTICE = PICTURES / "digits.txt"  # whose they are, and under which licence
TILE = 28
COUNT = 3000  # digits to train on; the other 400 of the sheet are for comparing
MARGIN = 2  # black pixels around a digit, which make 32 × 32 of 28 × 28
SIDES = (16, 32)


@functools.lru_cache(maxsize=4)
def digits(side: int, count: int = COUNT, seed: int = 0) -> np.ndarray:
    """The first digits to train on, or of the others.

    Args:
        side: S, one of SIDES.
        count: N, as far as there are so many.
        seed: 0 for those to train on, 1 for others, as of `faces`.

    Returns:
        uint8 (N, S, S, 1).
    """
    with Image.open(SHEET) as sheet:
        pixels = np.asarray(sheet)
    rows, columns = (length // TILE for length in pixels.shape)
    tiles = pixels.reshape(rows, TILE, columns, TILE).swapaxes(1, 2).reshape(-1, TILE, TILE)
    chosen = tiles[:COUNT][:count] if seed == 0 else tiles[COUNT:][:count]
    whole = np.pad(chosen, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))
    times = whole.shape[1] // side
    means = whole.reshape(len(whole), side, times, side, times).mean((2, 4))
    return means.round().astype(np.uint8)[..., None]


def sample_digits(side: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """Digits to train on, by chance.

    Args:
        side: S, one of SIDES.
        count: N.
        generator: of the random numbers.

    Returns:
        (N, 1, S, S), float32 in [-1, 1].
    """
    images = digits(side)
    return from_uint8(images[torch.randint(0, len(images), (count,), generator=generator).numpy()])

"""Small cartoon faces to train on: the avatars of this package, drawn when they are first asked for.

Shapes: N images, S × S pixels.
"""

import functools

import numpy as np
import torch

from gan_hub.data.avatars import SIDE, draw
from gan_hub.images import from_uint8

COUNT = 4000  # faces that are drawn, two seconds of one core; 12 MB at 32 pixels
SIDES = (16, 32)


@functools.lru_cache(maxsize=4)
def faces(side: int, count: int = COUNT, seed: int = 0) -> np.ndarray:
    """The first faces of a seed, smaller.

    Args:
        side: S, one of SIDES.
        count: N.
        seed: 0 for those to train on, 1 for others.

    Returns:
        uint8 (N, S, S, 3).
    """
    images = [np.asarray(draw(seed, index)[0].reduce(SIDE // side)) for index in range(count)]
    return np.stack(images)


def sample_faces(side: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """Faces to train on, by chance.

    Args:
        side: S, one of SIDES.
        count: N.
        generator: of the random numbers.

    Returns:
        (N, 3, S, S), float32 in [-1, 1].
    """
    images = faces(side)
    return from_uint8(images[torch.randint(0, len(images), (count,), generator=generator).numpy()])

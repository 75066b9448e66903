"""Near duplicates: images that show one picture, such as frames of a film, distinguished from mere neighbours.

The criterion is a gap, not the size of a distance: the sorted distances of an image to others grow little by little, unless
a few of them show its own picture; behind those they jump. Shapes: M and N images.
"""

from collections.abc import Iterable

import numpy as np
import torch

APART = 3.0  # a gap: the next image is this many times as far (Yoon et al. 2023 call a third of the distance a copy)
OWN = 0.9  # at most this share of a set shows one picture: a gap behind it separates a few images unlike all others


def to_other_pictures(distances: torch.Tensor) -> torch.Tensor:
    """The distance of each image to the nearest one of a set that shows another picture, float32 (M,).

    Of distances (M, N) to the set. It is the smallest of them where none shows the same picture, and 0 where all are 0.
    """
    # numpy sorts rows several times faster than torch does.
    ordered = torch.from_numpy(np.sort(distances.cpu().float().numpy(), axis=1))
    before = torch.cat([torch.zeros(len(ordered), 1, dtype=torch.float32), ordered[:, :-1]], 1)
    gaps = (ordered > 0) & (ordered >= APART * before)
    gaps[:, max(1, int(OWN * ordered.shape[1])) :] = False
    last = torch.where(gaps, torch.arange(ordered.shape[1]), 0).amax(1, keepdim=True)
    return ordered.gather(1, last)[:, 0]


def of_one_picture(distances: torch.Tensor, apart: torch.Tensor) -> torch.Tensor:
    """Which images at distances (M, N) show the same picture as the image they are measured from, bool (M, N).

    `apart` (M,) are that image's distances to another picture (`to_other_pictures`).
    """
    return APART * distances <= apart[:, None]


def different_pictures(rows: Iterable[torch.Tensor], count: int) -> int:
    """How many different pictures a set of `count` images shows.

    `rows` are the distances (m, N) of some of its images to all of them, in chunks. Each image counts 1 / n, n being the
    images that show its picture, itself included: exact if `rows` are all images, an estimate if they are spaced evenly.
    """
    shares = [1 / of_one_picture(distances, to_other_pictures(distances)).sum(1).clamp_min(1) for distances in rows]
    return max(1, round(count * torch.cat(shares).mean().item()))


def evenly_spaced(count: int, most: int) -> torch.Tensor:
    """At most `most` row numbers of `count`, evenly spaced, int64."""
    return torch.arange(0, count, max(1, -(-count // most)))

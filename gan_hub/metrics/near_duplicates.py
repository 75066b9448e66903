"""Near duplicates: images that show one picture (frames of a film, a file given twice), told from mere neighbours.

No size of a distance says that; a gap does. Going outwards from an image, the distances to others grow little by little,
unless a few of them show its own picture: behind those they leap. Shapes: M and N images.
"""

from collections.abc import Iterable

import numpy as np
import torch

APART = 3.0  # times as far: the next picture (a third of the way is what Yoon et al. 2023 call a copy)
OWN = 0.9  # of a set, at most, shows one image's picture: more is no gap but a few images that are like no other


def to_other_pictures(distances: torch.Tensor) -> torch.Tensor:
    """Of distances (M, N) of images to those of a set: each one's to the nearest that shows another picture, float32 (M,).

    That is the nearest of all where none shows the same picture. 0 where all are at distance 0.
    """
    # numpy sorts rows several times faster than torch does.
    ordered = torch.from_numpy(np.sort(distances.cpu().float().numpy(), axis=1))
    before = torch.cat([torch.zeros(len(ordered), 1, dtype=torch.float32), ordered[:, :-1]], 1)
    leaps = (ordered > 0) & (ordered >= APART * before)
    leaps[:, max(1, int(OWN * ordered.shape[1])) :] = False
    last = torch.where(leaps, torch.arange(ordered.shape[1]), 0).amax(1, keepdim=True)
    return ordered.gather(1, last)[:, 0]


def of_one_picture(distances: torch.Tensor, apart: torch.Tensor) -> torch.Tensor:
    """Which of the images at distances (M, N) show the picture of the one they are measured from, bool (M, N).

    `apart` (M,) are these ones' distances to another picture.
    """
    return APART * distances <= apart[:, None]


def different_pictures(rows: Iterable[torch.Tensor], count: int) -> int:
    """How many pictures a set of `count` images shows, by the distances, in parts (m, N), of some of its images to all.

    An image counts as one over how many show its picture, itself among them. Of all images this is their number, of some,
    drawn evenly, an estimate of it.
    """
    shares = [1 / of_one_picture(distances, to_other_pictures(distances)).sum(1).clamp_min(1) for distances in rows]
    return max(1, round(count * torch.cat(shares).mean().item()))


def evenly(count: int, most: int) -> torch.Tensor:
    """At most so many rows of `count`, evenly spaced, int64."""
    return torch.arange(0, count, max(1, -(-count // most)))

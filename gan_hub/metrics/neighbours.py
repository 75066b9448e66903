"""Scores by nearest neighbours: precision and recall, density and coverage, and copies of training images.

Shapes: N real and M generated images, F features. Distances are Euclidean, in float64, a tile at a time: some 50 MB of
memory for any N and M, and F up to 2048. Results have one value an image, for resampling; their mean is the score.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from gan_hub.metrics.near_duplicates import different_pictures, evenly_spaced, of_one_picture, to_other_pictures

ROW_NUMBERS = 20_000_000  # distances in memory at a time, where whole rows are needed
SAMPLED = 1000  # training images in which near duplicates are counted
TILE = 1000  # images a side of a tile
# Squared distances that differ by less than this share of the squared norms count as equal: matrix products round
# differently from place to place, and copies of an image must be found at distance 0.
TIE = 1e-12


class PrecisionRecall(NamedTuple):
    """Whether each image lies in the other set's manifold."""

    precision: torch.Tensor  # (M,) bool: this generated image lies where real ones are
    recall: torch.Tensor  # (N,) bool: this real image lies where generated ones are


class DensityCoverage(NamedTuple):
    """Generated images in the neighbourhoods of real ones."""

    density: torch.Tensor  # (M,) float64: how many real neighbourhoods this generated image lies in, over k
    coverage: torch.Tensor  # (N,) bool: this real image's neighbourhood has a generated one in it


class Memorization(NamedTuple):
    """How near generated images come to the training set, and how near real images do that were not trained on."""

    distances: torch.Tensor  # (M,) float64, of each generated image to the nearest training image
    nearest: torch.Tensor  # (M,) int64, that image's row
    threshold: float  # a low quantile of the held-out distances: at or below it an image counts as copied
    copied: torch.Tensor  # (M,) bool: distance ≤ threshold
    nearer: int  # held-out pictures at or below the threshold
    typical: float  # median distance of the held-out pictures
    pictures: int  # different pictures among the held-out images
    repeated: int  # held-out images with a picture that is in the training set, too
    different: int  # estimated number of different pictures in the training set
    witnesses: float  # effective number of independent held-out distances (`_effective_distances`)


def precision_recall(real: torch.Tensor, fake: torch.Tensor, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall (Kynkäänniemi et al. 2019, arXiv 1904.06991).

    A set's manifold is the union of balls around its images, each as far as that image's k-th neighbour in the set, itself
    not counted; the surface is inside (their equation 1).

    Args:
        real, fake: features (N, F) and (M, F).
        k: the neighbour that is a ball's radius.

    Returns:
        Which generated images lie in the real manifold, and which real ones in the generated manifold.
    """
    _check_same(real, fake)
    real_reach, fake_reach = squared_reach(real, k), squared_reach(fake, k)
    precision = torch.zeros(len(fake), dtype=torch.bool, device=fake.device)
    recall = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for fakes, reals, squares, tie in _tiles(fake, real):
        precision[fakes] |= (squares <= real_reach[reals] + tie).any(1)
        recall[reals] |= (squares <= fake_reach[fakes, None] + tie).any(0)
    return PrecisionRecall(precision, recall)


def density_coverage(real: torch.Tensor, fake: torch.Tensor, k: int = 5) -> DensityCoverage:
    """Density and coverage (Naeem et al. 2020, arXiv 2002.09797, equations 5 and 6).

    Only balls around real images are used, as far as their k-th neighbour; the surface is outside, as in the authors'
    program. For equal distributions the mean density is 1, and the coverage 1 − ½ᵏ in the limit of many images.

    Args:
        real, fake: features (N, F) and (M, F).
        k: the neighbour that is a ball's radius.

    Returns:
        How many balls hold each generated image, over k, and which balls hold one.
    """
    _check_same(real, fake)
    reach = squared_reach(real, k)
    density = torch.zeros(len(fake), dtype=torch.float64, device=fake.device)
    coverage = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for fakes, reals, squares, tie in _tiles(fake, real):
        inside = squares < reach[reals] - tie
        density[fakes] += inside.sum(1).double() / k
        coverage[reals] |= inside.any(0)
    return DensityCoverage(density, coverage)


def squared_reach(features: torch.Tensor, k: int) -> torch.Tensor:
    """The squared distance (N,) of each image to its k-th neighbour in the same set (N, F), itself not counted."""
    if not 1 <= k < len(features):
        raise ValueError(f"k={k} is not allowed with {len(features)} images; it is 1 to {len(features) - 1}.")
    nearest = torch.full((len(features), k), torch.inf, dtype=torch.float64, device=features.device)
    for rows, columns, squares, _ in _tiles(features, features):
        if rows == columns:
            squares.fill_diagonal_(torch.inf)
        nearest[rows] = torch.cat([nearest[rows], squares], 1).topk(k, largest=False).values
    return nearest.amax(1)


def memorization(fake: torch.Tensor, train: torch.Tensor, held_out: torch.Tensor, share: float = 0.001) -> Memorization:
    """Which generated images are nearer to the training set than real images are that were not trained on.

    The threshold is the `share` quantile of the held-out distances, of fewer than 1 / `share` the smallest. A generator that
    draws from the data's distribution has about that share of its images there; more of them are copies.

    A held-out image may show a picture that is trained on, too (another frame of the film). Then its distance to the other
    pictures counts, as if its own had been held out with it. Of held-out images that show one picture the first counts, so
    that 40 frames do not count as 40 independent distances.

    Args:
        fake, train, held_out: features of generated (M, F), training (N, F) and held-out real images (H, F).
        share: of the held-out pictures that lie at the threshold or below it.

    Returns:
        Distances, threshold and what they are based on.

    Raises:
        ValueError: no held-out image, or a share outside of (0, 1].
    """
    _check_same(fake, train)
    _check_same(held_out, train)
    if not 0 < share <= 1 or not len(held_out):
        raise ValueError(
            f"share={share} of {len(held_out)} held-out images is not allowed; it lies in (0, 1], of some."
        )
    distances, nearest = nearest_neighbour(fake, train)
    fresh, repeated = _unseen(held_out, train)
    firsts = _firsts(held_out)
    fresh = fresh[firsts].sort().values
    nearer = max(1, int(share * len(fresh)))
    threshold = fresh[nearer - 1].item()
    some = train[evenly_spaced(len(train), SAMPLED)]
    different = different_pictures(distance_rows(some, train), len(train))
    return Memorization(
        distances,
        nearest,
        threshold,
        copied=distances <= threshold,
        nearer=nearer,
        typical=fresh.median().item(),
        pictures=len(fresh),
        repeated=int(repeated.sum()),
        different=different,
        witnesses=_effective_distances(len(fresh), int(repeated[firsts].sum()), different),
    )


def _effective_distances(pictures: int, repeated: int, different: int) -> float:
    """The effective number of independent distances of held-out pictures; `repeated` of them are also trained on.

    Of P `different` training pictures, each of the R repeated ones is compared with the P − 1 others, and a pair of them is
    one distance, not two: R (P − 1) − R (R − 1) / 2 distances, where a new picture has P.
    """
    repeated = min(repeated, different)
    return pictures - repeated * (repeated + 1) / (2 * different)


def _unseen(held_out: torch.Tensor, train: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The distances of held-out images (H, F) to the nearest other picture of `train`, and which show one of its pictures.

    Float64 (H,) and bool (H,).
    """
    apart = torch.cat([to_other_pictures(rows) for rows in distance_rows(held_out, train)]).double()
    nearest = nearest_neighbour(held_out, train)[0].cpu()
    repeated = nearest * (1 + 1e-5) < apart  # by more than the rounding of float32, in which rows are sorted
    return torch.where(repeated, apart, nearest), repeated


def _firsts(features: torch.Tensor) -> torch.Tensor:
    """Which images (H, F) are the first that show their picture, bool (H,)."""
    rows, firsts, start = torch.arange(len(features)), [], 0
    for distances in distance_rows(features, features):
        own = of_one_picture(distances, to_other_pictures(distances))
        firsts.append(~(own & (rows < rows[start : start + len(own), None])).any(1))
        start += len(own)
    return torch.cat(firsts)


def distance_rows(features: torch.Tensor, others: torch.Tensor) -> Iterator[torch.Tensor]:
    """The distances of all images (M, F) to all `others` (N, F), float32, as chunks of rows (m, N)."""
    for some in features.split(max(1, ROW_NUMBERS // len(others))):
        distances = torch.empty(len(some), len(others), dtype=torch.float32)
        for rows, columns, squares, tie in _tiles(some, others):
            distances[rows, columns] = torch.where(squares > tie, squares, 0).sqrt().float()
        yield distances


def nearest_neighbour(features: torch.Tensor, others: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The distance (M,) of each image (M, F) to the nearest of `others` (N, F), and that one's row (M,)."""
    least = torch.full((len(features),), torch.inf, dtype=torch.float64, device=features.device)
    nearest = torch.zeros(len(features), dtype=torch.long, device=features.device)
    for rows, columns, squares, _ in _tiles(features, others):
        smallest, column = squares.min(1)
        nearer = smallest < least[rows]
        least[rows] = torch.where(nearer, smallest, least[rows])
        nearest[rows] = torch.where(nearer, column + columns.start, nearest[rows])
    pairs = zip(features.split(TILE), nearest.split(TILE), strict=True)
    # Computed again from differences, so that a copy's distance is 0 and not the rounding of two large squares.
    return torch.cat([(rows.double() - others[of].double()).norm(dim=1) for rows, of in pairs]), nearest


def nearest_to_training(copies: Memorization, count: int = 16) -> torch.Tensor:
    """The rows of the `count` generated images that are nearest to the training set, the nearest first."""
    return copies.distances.sort(stable=True).indices[:count]


def _tiles(a: torch.Tensor, b: torch.Tensor) -> Iterator[tuple[slice, slice, torch.Tensor, torch.Tensor]]:
    """Tiles as (rows of a, rows of b, squared distances, their rounding error), the last two of shape (rows, columns)."""
    center = b[:TILE].double().mean(0)  # distances do not change, and fewer of their digits cancel out
    for top in range(0, len(a), TILE):
        rows = slice(top, min(top + TILE, len(a)))
        x = a[rows].double() - center
        x_squares = x.square().sum(1)[:, None]
        for left in range(0, len(b), TILE):
            columns = slice(left, min(left + TILE, len(b)))
            y = b[columns].double() - center
            norms = x_squares + y.square().sum(1)
            yield rows, columns, (norms - 2 * x @ y.T).clamp_min(0), TIE * norms


def _check_same(a: torch.Tensor, b: torch.Tensor) -> None:
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[1] or not len(a) or not len(b):
        raise ValueError(f"features are (N, F) and (M, F), given {tuple(a.shape)} and {tuple(b.shape)}.")

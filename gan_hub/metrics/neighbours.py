"""Two sets of features compared by nearest neighbours: fidelity, diversity, and whether a generator copies.

Shapes: N real and M generated images, F features. Distances are Euclidean, in float64 and a tile at a time: memory stays
at some 50 MB whatever N, M and F up to 2048. What is true or not of each image comes as a tensor, whose mean is the score,
so that images can be resampled.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from gan_hub.metrics.near_duplicates import different_pictures, evenly, of_one_picture, to_other_pictures

ROW_NUMBERS = 20_000_000  # distances of whole rows that are in memory at a time
SAMPLED = 1000  # training images whose near duplicates are counted
TILE = 1000  # images a side of what is computed together
# Squared distances that differ by less than this share of the squared norms are equal: matrix products round differently
# from place to place, and copies of an image are to be found at distance 0.
TIE = 1e-12


class PrecisionRecall(NamedTuple):
    precision: torch.Tensor  # (M,) bool: this generated image lies where real ones are
    recall: torch.Tensor  # (N,) bool: this real image lies where generated ones are


class DensityCoverage(NamedTuple):
    density: torch.Tensor  # (M,) float64: how many real neighbourhoods this generated image lies in, over k
    coverage: torch.Tensor  # (N,) bool: this real image's neighbourhood has a generated one in it


class Memorization(NamedTuple):
    distances: torch.Tensor  # (M,) float64, of each generated image to the nearest training image
    nearest: torch.Tensor  # (M,) int64, that image's row
    threshold: float  # nearer to the training set come only so many pictures that were not trained on
    copied: torch.Tensor  # (M,) bool: at the threshold or below it
    nearer: int  # how many of the held-out pictures are there
    typical: float  # the median distance of held-out pictures
    pictures: int  # that the held-out images show: near duplicates are one
    repeated: int  # held-out images whose picture is also in the training set
    different: int  # pictures that the training set shows, about
    witnesses: float  # independent distances that the held-out pictures are worth, at most one each


def precision_recall(real: torch.Tensor, fake: torch.Tensor, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall of features (N, F) and (M, F) (Kynkäänniemi et al. 2019, arXiv 1904.06991).

    An image lies where a set is if it is in the ball around one of its images that reaches to that one's k-th neighbour
    in the set, itself not counted; on the ball's surface is inside (their equation 1).
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
    """Density and coverage of features (N, F) and (M, F) (Naeem et al. 2020, arXiv 2002.09797, equations 5 and 6).

    Only balls around real images, as far as their k-th neighbour, their surface being outside as in the authors'
    program. For equal distributions the mean density is 1, and coverage 1 − ½ᵏ in the limit of many images.
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
    """The squared distance of each image to its k-th neighbour in the same set (N, F), itself not counted: (N,)."""
    if not 1 <= k < len(features):
        raise ValueError(f"k={k} is not allowed with {len(features)} images; it is 1 to {len(features) - 1}.")
    nearest = torch.full((len(features), k), torch.inf, dtype=torch.float64, device=features.device)
    for rows, columns, squares, _ in _tiles(features, features):
        if rows == columns:
            squares.fill_diagonal_(torch.inf)
        nearest[rows] = torch.cat([nearest[rows], squares], 1).topk(k, largest=False).values
    return nearest.amax(1)


def memorization(fake: torch.Tensor, train: torch.Tensor, held_out: torch.Tensor, share: float = 0.001) -> Memorization:
    """Which generated images are nearer to the training set than real ones come that the generator never saw.

    Features of generated (M, F), training (N, F) and held-out real images (H, F). The threshold is the distance below
    which `share` of the held-out pictures lie, of fewer than 1 / `share` the nearest one. A generator that draws from the
    data's distribution has that share of its images there; much more are copied.

    A held-out image may show a picture that is trained on as well (another frame of the film). How near new pictures come
    it tells all the same, by its distance to the others: as if its own had been held out with it. Of held-out images that
    show one picture the first one counts, so that 40 frames are not taken for 40 witnesses.
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
    some = train[evenly(len(train), SAMPLED)]
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
        witnesses=_witnesses(len(fresh), int(repeated[firsts].sum()), different),
    )


def _witnesses(pictures: int, repeated: int, different: int) -> float:
    """How many independent distances the held-out pictures are worth, of which `repeated` are among the `different` trained.

    Each of those R is held against the P − 1 others, and a pair of them is one distance, not two: they bring
    R (P − 1) − R (R − 1) / 2 distances, where a new picture, which has P to be near to, brings P.
    """
    repeated = min(repeated, different)
    return pictures - repeated * (repeated + 1) / (2 * different)


def _unseen(held_out: torch.Tensor, train: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of held-out images (H, F): the distances to the nearest other picture of `train`, float64 (H,); and which of them show
    one of its pictures themselves, bool (H,).
    """
    apart = torch.cat([to_other_pictures(rows) for rows in distance_rows(held_out, train)]).double()
    nearest = nearest_neighbour(held_out, train)[0].cpu()
    repeated = nearest * (1 + 1e-5) < apart  # by more than float32, in which rows are ordered, rounds
    return torch.where(repeated, apart, nearest), repeated


def _firsts(features: torch.Tensor) -> torch.Tensor:
    """Which images (H, F) are the first of their picture, bool (H,)."""
    rows, parts, start = torch.arange(len(features)), [], 0
    for distances in distance_rows(features, features):
        own = of_one_picture(distances, to_other_pictures(distances))
        parts.append(~(own & (rows < rows[start : start + len(own), None])).any(1))
        start += len(own)
    return torch.cat(parts)


def distance_rows(features: torch.Tensor, others: torch.Tensor) -> Iterator[torch.Tensor]:
    """The distances of all images (M, F) to all `others` (N, F), float32, some rows (m, N) at a time."""
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
        found, column = squares.min(1)
        nearer = found < least[rows]
        least[rows] = torch.where(nearer, found, least[rows])
        nearest[rows] = torch.where(nearer, column + columns.start, nearest[rows])
    pairs = zip(features.split(TILE), nearest.split(TILE))
    # Measured once more by differences: a copy's distance is 0, not what rounding leaves of two large squares.
    return torch.cat([(rows.double() - others[of].double()).norm(dim=1) for rows, of in pairs]), nearest


def most_at_risk(found: Memorization, count: int = 16) -> torch.Tensor:
    """The rows of the `count` generated images that are nearest to the training set, the nearest first."""
    return found.distances.sort(stable=True).indices[:count]


def _tiles(a: torch.Tensor, b: torch.Tensor) -> Iterator[tuple[slice, slice, torch.Tensor, torch.Tensor]]:
    """(rows of a, rows of b, squared distances between them, what of it is rounding), the last two (rows, columns)."""
    centre = b[:TILE].double().mean(0)  # distances do not change, and fewer digits cancel out in them
    for top in range(0, len(a), TILE):
        rows = slice(top, min(top + TILE, len(a)))
        x = a[rows].double() - centre
        x_squares = x.square().sum(1)[:, None]
        for left in range(0, len(b), TILE):
            columns = slice(left, min(left + TILE, len(b)))
            y = b[columns].double() - centre
            norms = x_squares + y.square().sum(1)
            yield rows, columns, (norms - 2 * x @ y.T).clamp_min(0), TIE * norms


def _check_same(a: torch.Tensor, b: torch.Tensor) -> None:
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[1] or not len(a) or not len(b):
        raise ValueError(f"features are (N, F) and (M, F), given {tuple(a.shape)} and {tuple(b.shape)}.")

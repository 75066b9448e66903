"""Kernel distances of two sets of features: KID, MMD² with a Gaussian kernel, and a permutation test of equality.

Shapes: N and M images, F features. All in float64. MMD² is the unbiased one (Gretton et al. 2012, Journal of Machine
Learning Research 13, equation 3): its mean over equal distributions is 0, so that it may be negative.
"""

import math

import torch

from gan_hub.latents import seeded
from gan_hub.losses import gaussian_kernel, mmd2

ROWS_AT_A_TIME = 250  # of a kernel matrix with a whole set on the other side
MAX_ROWS = 1000  # of each side in a median or a permutation test, which keep whole matrices; the first ones are taken


def kid(real: torch.Tensor, fake: torch.Tensor, subsets: int = 100, size: int = 1000, seed: int = 0) -> float:
    """The kernel inception distance (Bińkowski et al. 2018, arXiv 1801.01401, section 4).

    Args:
        real, fake: features (N, F) and (M, F).
        subsets: random subsets that are averaged over.
        size: different images of each side in a subset, at most the size of the smaller side. The mean does not depend
            on it, the spread does.
        seed: of the subsets.

    Returns:
        The mean MMD² (`kid_of_subsets`); about 0 for equal distributions, and sometimes below.
    """
    _check(real, fake)
    generator = seeded(seed)
    size = min(size, len(real), len(fake))

    def drawn(count: int) -> torch.Tensor:
        return torch.stack([torch.randperm(count, generator=generator)[:size] for _ in range(subsets)])

    return kid_of_subsets(real, fake, drawn(len(real)), drawn(len(fake))).mean().item()


def kid_error(real: torch.Tensor, fake: torch.Tensor) -> float:
    """The standard error of `kid` over the generated images, for fixed real ones.

    To first order MMD² is a mean over the generated images of 2 h(y), h(y) = E k(y, y′) − E k(y, x) (Gretton et al. 2012,
    appendix B).
    """
    _check(real, fake)
    share = torch.cat(
        [
            (_cubic(rows, fake).sum(1) - _cubic(rows, rows).diagonal()) / (len(fake) - 1) - _cubic(rows, real).mean(1)
            for rows in fake.split(ROWS_AT_A_TIME)
        ]
    )
    return (2 * share.std() / math.sqrt(len(fake))).item()


def kid_of_subsets(
    real: torch.Tensor, fake: torch.Tensor, rows_real: torch.Tensor, rows_fake: torch.Tensor
) -> torch.Tensor:
    """MMD² with the kernel (x · y / F + 1)³ of each subset (Bińkowski et al. 2018, equations 4 and 5).

    Args:
        real, fake: features (N, F) and (M, F).
        rows_real, rows_fake: rows of each subset, (S, m) and (S, n), m and n from 2.

    Returns:
        MMD² of each subset, float64 (S,).

    Raises:
        ValueError: features that do not match, or subsets of one image.
    """
    _check(real, fake)
    if min(rows_real.shape[1], rows_fake.shape[1]) < 2:
        raise ValueError("a subset has two images of each side at least, or there are no pairs in it.")
    pairs = zip(rows_real, rows_fake, strict=True)
    return torch.stack(
        [_cubic_mmd2(real[some_real].double(), fake[some_fake].double()) for some_real, some_fake in pairs]
    )


def _cubic_mmd2(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    def within(x: torch.Tensor) -> torch.Tensor:  # the mean over pairs of two different images
        values = _cubic(x, x)
        return (values.sum() - values.diagonal().sum()) / (len(x) * (len(x) - 1))

    return within(a) + within(b) - 2 * _cubic(a, b).mean()


def _cubic(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The kernel (x · y / F + 1)³ between rows, float64."""
    return (x.double() @ y.double().T / x.shape[1] + 1) ** 3


def median_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """The median distance between two images of both sets together: the usual bandwidth σ of a kernel.

    Gretton et al. 2012, section 8; of the first MAX_ROWS images of each side. Raises ValueError where it is 0.
    """
    median = torch.pdist(_pooled(a, b)).median().item()
    if median == 0:
        raise ValueError("more than half of the images have the same features; they give no bandwidth.")
    return median


def mmd(a: torch.Tensor, b: torch.Tensor) -> float:
    """MMD² of features (N, F) and (M, F) with a Gaussian kernel; its bandwidth is their `median_distance`.

    Of the first MAX_ROWS images of each side, as in `permutation_test`.
    """
    bandwidth = median_distance(a, b)
    return mmd2(a[:MAX_ROWS].double(), b[:MAX_ROWS].double(), [bandwidth]).item()


def permutation_test(a: torch.Tensor, b: torch.Tensor, permutations: int = 500, seed: int = 0) -> float:
    """The p-value of equal distributions: the probability of an `mmd` at least as large if both sets came from one.

    The images are assigned to the two sides at random (Gretton et al. 2012, section 5), which needs the kernel of all pairs
    only once. The real assignment counts as one of the permutations, so that p is never 0 and a test at any level is exact
    (Phipson & Smyth 2010). The bandwidth does not depend on the assignment.

    Args:
        a, b: features (N, F) and (M, F); the first MAX_ROWS of each are used.
        permutations: random assignments.
        seed: of the permutations.

    Returns:
        p in (0, 1]; a small one says that the distributions differ.
    """
    bandwidth, points = median_distance(a, b), _pooled(a, b)
    count, first = len(points), min(len(a), MAX_ROWS)
    kernel = gaussian_kernel(points - points.mean(0), points - points.mean(0), [bandwidth]).fill_diagonal_(0)
    generator = seeded(seed)
    orders = [torch.arange(count), *(torch.randperm(count, generator=generator) for _ in range(permutations))]
    is_first = torch.zeros(count, len(orders), dtype=torch.float64, device=points.device)
    is_first.scatter_(0, torch.stack(orders, 1)[:first].to(points.device), 1.0)

    to_first = kernel @ is_first  # (count, orders): the sum of each image's kernel with the first side
    to_second = kernel.sum(1, keepdim=True) - to_first
    among_first = (is_first * to_first).sum(0) / (first * (first - 1))
    second = count - first
    among_second = ((1 - is_first) * to_second).sum(0) / (second * (second - 1))
    across = (is_first * to_second).sum(0) / (first * second)
    values = among_first + among_second - 2 * across  # (orders,)
    rounding = 1e-12  # equal assignments may differ in the last bits
    return ((values >= values[0] - rounding).sum() / len(orders)).item()


def _pooled(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    _check(a, b)
    return torch.cat([a[:MAX_ROWS].double(), b[:MAX_ROWS].double()])


def _check(a: torch.Tensor, b: torch.Tensor) -> None:
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"features are (N, F) and (M, F) with two images at least, given {tuple(a.shape)} and {tuple(b.shape)}."
        )

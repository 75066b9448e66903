"""Two sets of features compared by a kernel: the kernel inception distance (KID), MMD, and a test of equality.

Shapes: N and M images, F features. All in float64. MMD² is the unbiased one (Gretton et al. 2012, Journal of Machine
Learning Research 13, equation 3): its mean over equal distributions is 0, so that it may be negative.
"""

import math

import torch

from gan_hub.latents import seeded
from gan_hub.losses import gaussian_kernel, mmd2

ROWS_AT_A_TIME = 250  # of a kernel whose other side is a whole set
MAX_ROWS = 1000  # of each side in a median or a permutation test, whose kernels are matrices; the first ones are taken


def kid(real: torch.Tensor, fake: torch.Tensor, subsets: int = 100, size: int = 1000, seed: int = 0) -> float:
    """Kernel inception distance of features (N, F) and (M, F): the mean of `kid_of_subsets` over random subsets.

    Bińkowski et al. 2018 (arXiv 1801.01401), section 4. A subset has `size` different images of each side, or as many as
    the smaller side has: the mean does not depend on it, the spread does.
    """
    _check(real, fake)
    generator = seeded(seed)
    size = min(size, len(real), len(fake))

    def drawn(count: int) -> torch.Tensor:
        return torch.stack([torch.randperm(count, generator=generator)[:size] for _ in range(subsets)])

    return kid_of_subsets(real, fake, drawn(len(real)), drawn(len(fake))).mean().item()


def kid_error(real: torch.Tensor, fake: torch.Tensor) -> float:
    """The standard error of `kid` over the generated images, the real ones being what they are.

    To first order MMD² is a mean over the generated images of 2 h(y), h(y) = E k(y, y′) − E k(y, x): what each of them has
    in common with the others less what it has with the real ones (Gretton et al. 2012, appendix B).
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
    """MMD² by the kernel (x · y / F + 1)³ between the rows of each subset (S, m) and (S, n), float64 (S,).

    Bińkowski et al. 2018, equations 4 and 5.
    """
    _check(real, fake)
    if min(rows_real.shape[1], rows_fake.shape[1]) < 2:
        raise ValueError("a subset has two images of each side at least, or there are no pairs in it.")
    found = [_cubic_mmd2(real[ours].double(), fake[theirs].double()) for ours, theirs in zip(rows_real, rows_fake)]
    return torch.stack(found)


def _cubic_mmd2(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    def within(x: torch.Tensor) -> torch.Tensor:  # the mean over pairs of two different images
        values = _cubic(x, x)
        return (values.sum() - values.diagonal().sum()) / (len(x) * (len(x) - 1))

    return within(a) + within(b) - 2 * _cubic(a, b).mean()


def _cubic(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The kernel (x · y / F + 1)³ between rows, float64."""
    return (x.double() @ y.double().T / x.shape[1] + 1) ** 3


def median_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """The median distance between two different images of both sets together: a kernel's usual bandwidth σ.

    Gretton et al. 2012, section 8. Of the first MAX_ROWS images of each side.
    """
    median = torch.pdist(_pooled(a, b)).median().item()
    if median == 0:
        raise ValueError("more than half of the images have the same features; no bandwidth can be told from them.")
    return median


def mmd(a: torch.Tensor, b: torch.Tensor) -> float:
    """MMD² of features (N, F) and (M, F) by a Gaussian kernel as wide as their `median_distance`.

    Of the first MAX_ROWS images of each side, as in `permutation_test`.
    """
    bandwidth = median_distance(a, b)
    return mmd2(a[:MAX_ROWS].double(), b[:MAX_ROWS].double(), [bandwidth]).item()


def permutation_test(a: torch.Tensor, b: torch.Tensor, permutations: int = 500, seed: int = 0) -> float:
    """The chance p of an `mmd` at least as large if both sets came from one distribution; small p: they do not.

    Images are dealt out anew to the two sides (Gretton et al. 2012, section 5, where the null distribution is resampled),
    which needs the kernel of all pairs only once. The deal that was really made counts as one of them, so that p is never
    0 and a test at any level is exact (Phipson & Smyth 2010). The bandwidth does not see which side an image is on.
    """
    bandwidth, points = median_distance(a, b), _pooled(a, b)
    count, first = len(points), min(len(a), MAX_ROWS)
    kernel = gaussian_kernel(points - points.mean(0), points - points.mean(0), [bandwidth]).fill_diagonal_(0)
    generator = seeded(seed)
    deals = [torch.arange(count), *(torch.randperm(count, generator=generator) for _ in range(permutations))]
    is_first = torch.zeros(count, len(deals), dtype=torch.float64, device=points.device)
    is_first.scatter_(0, torch.stack(deals, 1)[:first].to(points.device), 1.0)

    to_first = kernel @ is_first  # (count, deals): what each image has in common with the first side
    to_second = kernel.sum(1, keepdim=True) - to_first
    among_first = (is_first * to_first).sum(0) / (first * (first - 1))
    second = count - first
    among_second = ((1 - is_first) * to_second).sum(0) / (second * (second - 1))
    across = (is_first * to_second).sum(0) / (first * second)
    values = among_first + among_second - 2 * across  # (deals,)
    rounding = 1e-12  # two deals of the same images to the same sides are equal
    return ((values >= values[0] - rounding).sum() / len(deals)).item()


def _pooled(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    _check(a, b)
    return torch.cat([a[:MAX_ROWS].double(), b[:MAX_ROWS].double()])


def _check(a: torch.Tensor, b: torch.Tensor) -> None:
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"features are (N, F) and (M, F) with two images at least, given {tuple(a.shape)} and {tuple(b.shape)}."
        )

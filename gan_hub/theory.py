"""Closed-form optimal discriminators for any densities, and divergences for 1-D densities.

A density is given by its values on a grid x: x (n,) → p(x) (n,), float64. An integral is a sum over this even grid; its
error is negligible once the densities vanish at both ends (`line` makes such a grid). Divergences are in nats.

Shapes: n points of the grid, k components of a mixture. `target` is the density to learn (p_t, the reals), `generated` the
generator's (p_g, the fakes).
"""

import math
from collections.abc import Sequence

import torch

# ----------------------------------------------------------------------------------------------------- densities


def line(low: float, high: float, points: int = 4001) -> torch.Tensor:
    """An even grid to integrate on.

    Args:
        low, high: Its ends.
        points: n, 2 or more.

    Returns:
        x (n,), float64.

    Raises:
        ValueError: unless low < high and n is 2 or more.
    """
    if not (low < high and points >= 2):
        raise ValueError(f"line({low}, {high}, {points}) is not allowed; low < high and at least 2 points.")
    return torch.linspace(low, high, points, dtype=torch.float64)


def normal(x: torch.Tensor, mean: float = 0.0, std: float = 1.0) -> torch.Tensor:
    """The density of N(mean, std²).

    Args:
        x: Where, (n,).
        mean, std: Of the distribution.

    Returns:
        p(x), (n,).

    Raises:
        ValueError: for a std that is not above 0.
    """
    if not std > 0:
        raise ValueError(f"std={std} is not allowed; it is more than 0.")
    return torch.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def mixture(
    x: torch.Tensor, means: Sequence[float], stds: Sequence[float], weights: Sequence[float] | None = None
) -> torch.Tensor:
    """The density of a mixture of k normal distributions.

    Args:
        x: Where, (n,).
        means, stds: Of the k components.
        weights: Their shares, 0 or more, of any sum above 0; None for equal ones.

    Returns:
        p(x), (n,).

    Raises:
        ValueError: for lists of different lengths, or weights that are not allowed.
    """
    weights = [1.0] * len(means) if weights is None else weights
    if not len(means) == len(stds) == len(weights) or not sum(weights) > 0 or min(weights) < 0:
        raise ValueError(
            f"means={means}, stds={stds}, weights={weights} are not allowed; give the same number of each, and no weight below 0."
        )
    parts = [weight * normal(x, mean, std) for mean, std, weight in zip(means, stds, weights, strict=True)]
    return torch.stack(parts).sum(0) / sum(weights)


def isotropic_mixture(points: torch.Tensor, centers: torch.Tensor, std: float) -> torch.Tensor:
    """The density of k equally likely normal distributions of one standard deviation in every direction, in d dimensions.

    With n samples of a distribution as centers it is their kernel density estimate. Its expectation is the density of the
    distribution plus normal noise of this `std`.

    Args:
        points: Where, (n, d).
        centers: Means of the components, (k, d).
        std: Of all components.

    Returns:
        p(x), (n,), float64.

    Raises:
        ValueError: for a std that is not above 0.
    """
    if not std > 0:
        raise ValueError(f"std={std} is not allowed; it is more than 0.")
    distances = torch.cdist(points.double(), centers.double())  # (n, k)
    scale = (std * math.sqrt(2 * math.pi)) ** points.shape[1]
    return torch.exp(-0.5 * (distances / std) ** 2).mean(1) / scale


def integral(values: torch.Tensor, x: torch.Tensor) -> float:
    """∫ values dx over the grid x, by the trapezoidal rule."""
    return torch.trapezoid(values, x).item()


# ------------------------------------------------------------------------------------ the discriminator of the log loss


def optimal_discriminator(target: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    """D*(x) = p_t / (p_t + p_g), which no discriminator beats in the minimax game; ½ where both densities are 0.

    Goodfellow et al. 2014 (arXiv 1406.2661), proposition 1.
    """
    total = target + generated
    return torch.where(total > 0, target / torch.where(total > 0, total, 1), 0.5)


def jensen_shannon(target: torch.Tensor, generated: torch.Tensor, x: torch.Tensor) -> float:
    """The Jensen-Shannon divergence ½ KL(p_t ‖ m) + ½ KL(p_g ‖ m) with m = ½ (p_t + p_g).

    As p_t / m is 2 D* and p_g / m is 2 (1 − D*): ½ ∫ p_t ln 2 D* dx + ½ ∫ p_g ln 2 (1 − D*) dx.

    Args:
        target, generated: The densities p_t and p_g on the grid, each (n,).
        x: The grid, (n,).

    Returns:
        Nats, from 0 for equal densities to ln 2 for separate ones.
    """
    best = optimal_discriminator(target, generated)
    return integral(target * _log(2 * best) + generated * _log(2 * (1 - best)), x) / 2


def value(discriminator: torch.Tensor, target: torch.Tensor, generated: torch.Tensor, x: torch.Tensor) -> float:
    """V = ∫ p_t ln D dx + ∫ p_g ln(1 − D) dx: minus the discriminator's loss in the minimax game.

    Goodfellow et al. 2014 (arXiv 1406.2661), equation 1. ln 0 counts as −708 (see `_log`): a D that is 0 or 1 by rounding
    costs next to nothing, a wrong one much, if not infinitely much.

    Args:
        discriminator: D(x) on the grid, (n,) in [0, 1].
        target, generated: The densities p_t and p_g on the grid, each (n,).
        x: The grid, (n,).

    Returns:
        V, 0 or less.
    """
    return integral(target * _log(discriminator) + generated * _log(1 - discriminator), x)


def _log(share: torch.Tensor) -> torch.Tensor:
    """ln(share), where a share of 0 counts as the smallest normal float64."""
    return torch.log(share.clamp_min(torch.finfo(torch.float64).tiny))


def value_at_optimum(target: torch.Tensor, generated: torch.Tensor, x: torch.Tensor) -> float:
    """V(D*) = 2 JSD − 2 ln 2, the value of the game against the optimal discriminator.

    Goodfellow et al. 2014 (arXiv 1406.2661), theorem 1.

    Args:
        target, generated: The densities p_t and p_g on the grid, each (n,).
        x: The grid, (n,).

    Returns:
        V, from −2 ln 2 = −1.386 for equal densities up to 0 for separate ones.
    """
    return 2 * jensen_shannon(target, generated, x) - 2 * math.log(2)


# --------------------------------------------------------------------------- the discriminator of the absolute error


def indicator_discriminator(target: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    """1 where p_t > p_g, else 0: the D that minimises ½ E|1 − D(x)| + ½ E|D(G(z))|.

    The error is linear in D(x) at each x, with slope ½ (p_g − p_t), so that its minimum is at an end of [0, 1]: such a loss
    asks for a decision, not for a probability, and leaves a generator no slope to follow.
    """
    return (target > generated).to(target.dtype)


def absolute_error(
    discriminator: torch.Tensor, target: torch.Tensor, generated: torch.Tensor, x: torch.Tensor
) -> float:
    """½ ∫ p_t |1 − D| dx + ½ ∫ p_g |D| dx, the mean absolute error of a discriminator.

    Args:
        discriminator: D(x) on the grid, (n,) in [0, 1].
        target, generated: The densities p_t and p_g on the grid, each (n,).
        x: The grid, (n,).

    Returns:
        The error, in [0, 1].
    """
    return integral(target * (1 - discriminator).abs() + generated * discriminator.abs(), x) / 2


def least_absolute_error(target: torch.Tensor, generated: torch.Tensor, x: torch.Tensor) -> float:
    """½ ∫ min(p_t, p_g) dx, half of the densities' overlap: the Bayes error with equal numbers of reals and fakes.

    Args:
        target, generated: The densities p_t and p_g on the grid, each (n,).
        x: The grid, (n,).

    Returns:
        The share of decisions that are wrong at best, from 0 for separate densities to ½ for equal ones.
    """
    return integral(torch.minimum(target, generated), x) / 2

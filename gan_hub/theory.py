"""What the game comes to where it can be solved: optimal discriminators and divergences of one-dimensional densities.

A density is known here by its function, so nothing is learned or drawn: x (n,) → p(x) (n,), float64. An integral is a sum
over the even grid x, whose error is next to nothing once the densities vanish at both ends (`line` makes such a grid).
Divergences are in nats.

Shapes: n points of the grid, k components of a mixture. `target` is what is to be learned (p_t, the reals), `generated`
what the generator makes (p_g, the fakes).
"""

import math
from collections.abc import Sequence

import torch

# ----------------------------------------------------------------------------------------------------- densities


def line(low: float, high: float, points: int = 4001) -> torch.Tensor:
    """An even grid (n,) from `low` to `high`, in float64, to integrate on."""
    if not (low < high and points >= 2):
        raise ValueError(f"line({low}, {high}, {points}) is not allowed; low < high and at least 2 points.")
    return torch.linspace(low, high, points, dtype=torch.float64)


def normal(x: torch.Tensor, mean: float = 0.0, std: float = 1.0) -> torch.Tensor:
    """The density (n,) of N(mean, std²) at x (n,)."""
    if not std > 0:
        raise ValueError(f"std={std} is not allowed; it is more than 0.")
    return torch.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def mixture(
    x: torch.Tensor, means: Sequence[float], stds: Sequence[float], weights: Sequence[float] | None = None
) -> torch.Tensor:
    """The density (n,) at x (n,) of k normals, each with its share of the weights (equal ones where none are given)."""
    weights = [1.0] * len(means) if weights is None else weights
    if not len(means) == len(stds) == len(weights) or not sum(weights) > 0 or min(weights) < 0:
        raise ValueError(
            f"means={means}, stds={stds}, weights={weights} are not allowed; as many of each, and no weight below 0."
        )
    parts = [weight * normal(x, mean, std) for mean, std, weight in zip(means, stds, weights)]
    return torch.stack(parts).sum(0) / sum(weights)


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
    """½ KL(p_t ‖ m) + ½ KL(p_g ‖ m) with m = ½ (p_t + p_g), in nats: 0 for equal densities, ln 2 for separate ones.

    As p_t / m is 2 D* and p_g / m is 2 (1 − D*): ½ ∫ p_t ln 2 D* dx + ½ ∫ p_g ln 2 (1 − D*) dx.
    """
    best = optimal_discriminator(target, generated)
    return integral(target * _log(2 * best) + generated * _log(2 * (1 - best)), x) / 2


def value(discriminator: torch.Tensor, target: torch.Tensor, generated: torch.Tensor, x: torch.Tensor) -> float:
    """V = ∫ p_t ln D dx + ∫ p_g ln(1 − D) dx for any D (n,) in [0, 1]: minus the discriminator's loss in the game.

    Goodfellow et al. 2014, equation 1. ln 0 is taken for −708 (see `_log`): a D that is 0 or 1 only because it was rounded
    costs next to nothing, one that means it costs much, if not infinitely much.
    """
    return integral(target * _log(discriminator) + generated * _log(1 - discriminator), x)


def _log(share: torch.Tensor) -> torch.Tensor:
    """The logarithm, of the smallest normal float64 where a share has been rounded to 0."""
    return torch.log(share.clamp_min(torch.finfo(torch.float64).tiny))


def value_at_optimum(target: torch.Tensor, generated: torch.Tensor, x: torch.Tensor) -> float:
    """V(D*) = 2 JSD − 2 ln 2: from −2 ln 2 = −1.386 for equal densities up to 0 for separate ones.

    Goodfellow et al. 2014, theorem 1.
    """
    return 2 * jensen_shannon(target, generated, x) - 2 * math.log(2)


# --------------------------------------------------------------------------- the discriminator of the absolute error


def indicator_discriminator(target: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    """1 where p_t > p_g, else 0: what minimises ½ E|1 − D(x)| + ½ E|D(G(z))|, however narrow the lead.

    The error is linear in D(x) at each x, with slope ½ (p_g − p_t), so that its least is at an end of [0, 1]: such a loss
    asks for a verdict, not for a probability, and leaves a generator no slope to follow.
    """
    return (target > generated).to(target.dtype)


def absolute_error(
    discriminator: torch.Tensor, target: torch.Tensor, generated: torch.Tensor, x: torch.Tensor
) -> float:
    """½ ∫ p_t |1 − D| dx + ½ ∫ p_g |D| dx for any D (n,) in [0, 1]."""
    return integral(target * (1 - discriminator).abs() + generated * discriminator.abs(), x) / 2


def least_absolute_error(target: torch.Tensor, generated: torch.Tensor, x: torch.Tensor) -> float:
    """½ ∫ min(p_t, p_g) dx: half of the densities' overlap, from 0 for separate ones to ½ for equal ones.

    As many verdicts as this are wrong at best, with as many reals as fakes (the Bayes error).
    """
    return integral(torch.minimum(target, generated), x) / 2

"""What a discriminator says all over the plane, and what the best one would say, on one scale from fake (0) to real (1).

Shapes: S × S points of a square grid, row by row from the top, (S², 2); N samples.
"""

import math

import torch

from gan_hub.losses import ADVERSARIAL
from gan_hub.theory import indicator_discriminator, isotropic_mixture, optimal_discriminator
from gan_hub.toy.datasets import EDGE, PointSet

BANDWIDTH = 0.06  # standard deviation of the blur through which both densities are compared; about a grid's step
BACKGROUND = 1e-3  # share of a uniform density in both, so that nothing is said of places where there is nothing


def square_grid(side: int) -> torch.Tensor:
    """The centers of side × side pixels of the square [-EDGE, EDGE]², row by row from the top, (side², 2)."""
    places = (torch.arange(side) + 0.5) / side * 2 * EDGE - EDGE
    y, x = torch.meshgrid(places.flip(0), places, indexing="ij")
    return torch.stack([x, y], 2).flatten(0, 1)


def verdicts(loss: str, logits: torch.Tensor, real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """A discriminator's outputs as verdicts from 0, fake, over ½, undecided, to 1, real.

    Args:
        loss: its name in a recipe. The log losses' outputs are logits of a probability, and so are the relativistic's up to a
            constant; least squares asks for 0 and 1, the hinge for −1 and 1. A critic's scale is free: the mean outputs of
            reals and fakes become 0.88 and 0.12.
        logits: the outputs, (n,).
        real_logits, fake_logits: outputs on reals and fakes, each (N,), which set the scale where the loss leaves it free.

    Returns:
        (n,), in [0, 1].
    """
    if loss == "least_squares":
        return logits.clamp(0, 1)
    if loss == "hinge":
        return (0.5 + 0.5 * logits).clamp(0, 1)
    if ADVERSARIAL[loss].threshold is not None:
        return torch.sigmoid(logits)
    middle = (real_logits.mean() + fake_logits.mean()) / 2
    lead = (real_logits.mean() - fake_logits.mean()).abs().clamp_min(1e-6)
    return torch.sigmoid((logits - middle) * (4 / lead if loss == "wasserstein" else 1))


def best_verdicts(
    loss: str, data: PointSet, fakes: torch.Tensor, points: torch.Tensor, instance_noise: float = 0.0
) -> torch.Tensor | None:
    """The verdicts of the best discriminator against a generator, where the loss has one in closed form.

    p / (p + q) for the log losses (Goodfellow et al. 2014, proposition 1), least squares (Mao et al. 2017, equation 10) and, up
    to a constant, the relativistic loss; 1 where p > q for the hinge, else 0. p is known; of q there are samples only. Both are
    compared with normal noise of BANDWIDTH on them: then p is known still, and a kernel density estimate of q is right on
    average.

    Args:
        loss: its name in a recipe.
        data: the reals.
        fakes: samples of the generator, (N, 2).
        points: where, (n, 2).
        instance_noise: on all that the discriminator sees; it blurs both.

    Returns:
        (n,) in [0, 1], float64; None for "wasserstein", whose best critic has no such formula.
    """
    if loss == "wasserstein":
        return None
    blur = math.hypot(BANDWIDTH, instance_noise)
    background = BACKGROUND / (2 * EDGE) ** 2
    target = (1 - BACKGROUND) * data.density(points, blur) + background
    generated = (1 - BACKGROUND) * isotropic_mixture(points, fakes, blur) + background
    return (indicator_discriminator if loss == "hinge" else optimal_discriminator)(target, generated)

"""Data sets of points in the plane whose density is known: mixtures of small round normal distributions.

All lie within the square [−1.5, 1.5]². Curves are mixtures, too, of many centers close to each other.

Shapes: N points (N, 2), K centers (K, 2).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from gan_hub.theory import isotropic_mixture

EDGE = 1.5  # all points lie within [-EDGE, EDGE]²
FAIR_SHARE = 0.08  # of what a mode should get: so much makes it count as hit; 1 % of the points for one of eight


@dataclass(frozen=True)
class PointSet:
    """A mixture of K equally likely normal distributions of standard deviation `sd`, in groups that are its modes.

    Example:
        >>> import torch
        >>> from gan_hub.toy.datasets import DATASETS
        >>> ring = DATASETS["ring"]
        >>> points = ring.sample(5000, torch.Generator().manual_seed(0))
        >>> points.shape, ring.judge(points)[0]
        (torch.Size([5000, 2]), 8)
    """

    centers: torch.Tensor  # (K, 2)
    sd: float
    modes: int  # groups of neighbouring centers, all of the same size

    def sample(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Points of the data: a center by chance, then a normal distribution around it.

        Args:
            count: N.
            generator: of the random numbers.

        Returns:
            (N, 2), float32.
        """
        chosen = self.centers[torch.randint(0, len(self.centers), (count,), generator=generator)]
        return chosen + self.sd * torch.randn(count, 2, generator=generator)

    def density(self, points: torch.Tensor, blur: float = 0.0) -> torch.Tensor:
        """The density p, exactly; with `blur`, that of the data plus normal noise of this standard deviation.

        Args:
            points: where, (N, 2).
            blur: 0 or more.

        Returns:
            p(x), (N,), float64.
        """
        return isotropic_mixture(points, self.centers, math.hypot(self.sd, blur))

    def judge(self, points: torch.Tensor) -> tuple[int, float]:
        """How many modes points hit, and the share of points that could be real.

        Args:
            points: (N, 2).

        Returns:
            The modes that get at least FAIR_SHARE of what they should, by points within 3 sd of a center; and the share of
            such points. 98.9 % of the data's own points are.
        """
        distance, center = torch.cdist(points, self.centers).min(1)  # both (N,)
        mode = center[distance < 3 * self.sd] * self.modes // len(self.centers)
        counts = torch.bincount(mode, minlength=self.modes)
        hit = counts >= FAIR_SHARE / self.modes * len(points)
        return int(hit.sum()), counts.sum().item() / len(points)


def _ring() -> PointSet:
    """Eight narrow modes on a circle of radius 1 (Metz et al. 2017, arXiv 1611.02163, section 3.1)."""
    angles = torch.arange(8) * (2 * math.pi / 8)
    return PointSet(torch.stack([angles.cos(), angles.sin()], 1), 0.02, modes=8)


def _grid() -> PointSet:
    """Twenty-five modes in rows of five."""
    side = torch.linspace(-1, 1, 5)
    return PointSet(torch.cartesian_prod(side, side), 0.03, modes=25)


def _spiral() -> PointSet:
    """A curve of one and a half turns, in twelve parts of about equal length."""
    turn = torch.linspace(0.04, 1, 240).sqrt()
    angles = 3 * math.pi * turn
    return PointSet(1.1 * turn[:, None] * torch.stack([angles.cos(), angles.sin()], 1), 0.03, modes=12)


def _moons() -> PointSet:
    """Two half circles that reach into each other, each in five parts."""
    angles = torch.linspace(0, math.pi, 80)
    upper = torch.stack([angles.cos() - 0.5, angles.sin() - 0.25], 1)
    lower = torch.stack([0.5 - angles.cos(), 0.25 - angles.sin()], 1)
    return PointSet(0.8 * torch.cat([upper, lower]), 0.04, modes=10)


_MAKERS: dict[str, Callable[[], PointSet]] = {"ring": _ring, "grid": _grid, "spiral": _spiral, "moons": _moons}
DATASETS: dict[str, PointSet] = {name: make() for name, make in _MAKERS.items()}

"""Two perceptrons for points of the plane.

Shapes: N points of a batch, Z latent size.
"""

import torch

from gan_hub.models.layers import Perceptron

LATENT = 2  # Z
WIDTH, DEPTH = 128, 3  # of both networks: hidden layers of WIDTH rectified units


class Toy(Perceptron):
    """A perceptron that is called as the project's networks are. One output is a logit: (N, inputs) → (N,).

    Example:
        >>> import torch
        >>> from gan_hub.toy.players import Toy
        >>> Toy(2, 1)(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    def __init__(self, inputs: int, outputs: int, width: int = WIDTH) -> None:
        super().__init__([inputs] + [width] * DEPTH + [outputs])

    def forward(self, x: torch.Tensor, labels: None = None, force_fp32: bool = False) -> torch.Tensor:
        """(N, inputs) → (N, outputs), or (N,) of one."""
        return super().forward(x).squeeze(1)


def make_players(seed: int, width: int = WIDTH) -> tuple[Toy, Toy]:
    """A generator z (N, 2) → points (N, 2) and a discriminator points → logits (N,), with weights of a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Toy(LATENT, 2, width), Toy(2, 1, width)

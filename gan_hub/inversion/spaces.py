"""The spaces in which an image is looked for: latents z, and the styles w and w+ of a `StyleBased` generator.

Shapes: N candidates, Z latent size, L rows of w, W size of w, C channels, H × W.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from gan_hub import latents
from gan_hub.models import GANModel
from gan_hub.models.mixins import SegmentationConditional, StyleBased
from gan_hub.models.modeling import evaluating, precision, unwrapped
from gan_hub.pipeline import GANPipeline

SPACES = ("z", "w", "w+")
TYPICAL_SAMPLES = 256  # random w whose deviation sets the scale of noise and steps


@dataclass(frozen=True)
class Space:
    """One of SPACES for one model.

    Attributes:
        name: "z", "w" or "w+".
        draw: points (N, …) and labels (N,) or None → images (N, C, H, W), differentiable.
        start: z (N, Z) and labels → points (N, …).
        scale: the root mean square distance of a coordinate from its mean: 1 in z.
    """

    name: str
    draw: Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
    start: Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
    scale: float

    def prior(self, points: torch.Tensor) -> torch.Tensor:
        """A penalty (N,) for z that are longer than random ones (compare Creswell & Bharath 2018, equation 3); 0 for w."""
        if self.name != "z":
            return points.new_zeros(len(points))
        return (points.square().mean(1) - 1).clamp_min(0).square()


def space_of(pipe: GANPipeline, name: str | None) -> Space:
    """A space of a model.

    Args:
        pipe: its pipeline.
        name: one of SPACES; None for "w" where the model has one, else "z".

    Returns:
        The space.

    Raises:
        ValueError: for a space that the model does not have, and for a model that draws from maps.
    """
    bare = pipe.unwrapped_generator
    if isinstance(bare, SegmentationConditional):
        raise ValueError(f"this model ({type(bare).__name__}) draws from maps; an image is found in models without.")
    name = name or ("w" if isinstance(bare, StyleBased) else "z")
    if name not in SPACES:
        raise ValueError(f"space {name!r} is not allowed; choose one of {', '.join(SPACES)}.")
    if name == "z":
        return Space("z", _draw_z(pipe, bare), lambda z, labels: z, 1.0)
    if not isinstance(bare, StyleBased):
        raise ValueError(f"this model ({type(bare).__name__}) has no w; its space is 'z'.")
    return _style_space(pipe, name)


def _draw_z(pipe: GANPipeline, bare: GANModel) -> Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]:
    network, first = evaluating(pipe.generator), next(bare.parameters())

    def draw(z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        with precision(first.device, force_fp32=True):
            return network(z.to(first), *(() if labels is None else (labels.to(first.device),))).float()

    return draw


def _style_space(pipe: GANPipeline, name: str) -> Space:
    network = unwrapped(evaluating(pipe.generator))
    assert isinstance(network, StyleBased)  # the caller knows
    first, rows = next(network.parameters()), network.rows

    def start(z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        ws = pipe.map(z, labels)  # (N, L, W)
        return ws if name == "w+" else ws[:, :1]

    def draw(points: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        with precision(first.device, force_fp32=True):
            return network.synthesize(points.expand(-1, rows, -1).to(first)).float()

    z = latents.sample(range(TYPICAL_SAMPLES), pipe.latent_size)
    w = pipe.map(z)[:, 0]
    return Space(name, draw, start, math.sqrt((w - w.mean(0)).square().mean().item()))

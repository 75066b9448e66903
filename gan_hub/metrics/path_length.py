"""Perceptual path length: how much an image changes for a small step of its latent (Karras et al. 2019, section 4.1).

Shapes: N steps, C channels, H, W, Z latent size, L rows of w, W size of w, F features.
"""

from collections.abc import Callable
from typing import Any

import torch

from gan_hub.latents import lerp, seeded, slerp
from gan_hub.metrics.features import Extractor
from gan_hub.model_folder import segmentations as semantic_maps
from gan_hub.models.mixins import SegmentationConditional, StyleBased
from gan_hub.pipeline import GANPipeline
from gan_hub.pipeline.optimized import plain_twin

BATCH = 100  # steps at a time: twice as many images are in memory
TRIMMED = 0.01  # of the steps at either end, as in the authors' program: a few outliers would decide the mean

Draw = Callable[[torch.Tensor], torch.Tensor]  # latents → images
Walk = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]


def perceptual_path_length(
    pipeline: GANPipeline, extractor: Extractor, steps: int = 10_000, epsilon: float = 1e-4, seed: int = 0
) -> torch.Tensor:
    """The squared feature distance over ε² of random small steps; their mean is the perceptual path length.

    A step lies anywhere between two random latents (the paper's "full" path): in w on a straight line where the generator
    has a w, otherwise in z on an arc with an interpolated radius, where the paper's is 1. Class or map stay the same. The
    distance is that of the extractor's features, so that lengths of one extractor compare; the paper's is LPIPS.

    Args:
        pipeline: the model.
        extractor: makes the features by which images are compared.
        steps: N.
        epsilon: length of a step, as a share of the way between two latents, in (0, 1).
        seed: of latents, places and classes.

    Returns:
        Float64 (about 0.98 N,): without the lowest and the highest percent.

    Raises:
        ValueError: no step, or an epsilon outside of (0, 1).
    """
    if steps < 1 or not 0 < epsilon < 1:
        raise ValueError(f"steps={steps} of epsilon={epsilon} are not allowed; one at least, of a length in (0, 1).")
    pipeline, generator = plain_twin(pipeline), seeded(seed)
    start, end = torch.randn(2, steps, pipeline.latent_size, generator=generator, dtype=torch.float32)
    where = torch.rand(steps, generator=generator, dtype=torch.float64) * (1 - epsilon)
    conditions = _conditions(pipeline, start, generator)
    lengths = []
    for rows in torch.arange(steps).split(BATCH):
        fixed: dict[str, Any] = {name: value[rows] for name, value in conditions.items()}
        draw, walk = _drawing(pipeline, fixed)
        first, second = start[rows], end[rows]
        if walk is lerp:
            first, second = pipeline.map(first, **fixed), pipeline.map(second, **fixed)  # (N, L, W)

        def features(latents: torch.Tensor, draw: Draw = draw) -> torch.Tensor:
            return extractor.features(draw(latents))

        # float64, since a step is only a few roundings of float32 long.
        lengths.append(step_lengths(features, first.double(), second.double(), where[rows], epsilon, walk))
    return trimmed(torch.cat(lengths))


def _conditions(pipeline: GANPipeline, start: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """A class for each step, all equally likely, or one of the example maps; {} for a model that has neither."""
    if pipeline.label_names is not None:
        return {"labels": torch.randint(len(pipeline.label_names), (len(start),), generator=generator)}
    if isinstance(pipeline.unwrapped_generator, SegmentationConditional) and pipeline.segmentations is not None:
        return {"segmentation": semantic_maps.choose_examples(pipeline.segmentations, start)}
    return {}


def _drawing(pipeline: GANPipeline, fixed: dict[str, Any]) -> tuple[Draw, Walk]:
    """(latents → images (N, C, H, W) in [-1, 1], how to walk between such latents)."""
    if isinstance(pipeline.unwrapped_generator, StyleBased):
        return lambda w: torch.as_tensor(pipeline.synthesize(w.float(), output_type="pt")), lerp
    return lambda z: torch.as_tensor(pipeline(latents=z.float(), output_type="pt", **fixed).images), slerp


def step_lengths(
    features: Callable[[torch.Tensor], torch.Tensor],
    start: torch.Tensor,
    end: torch.Tensor,
    where: torch.Tensor,
    epsilon: float,
    walk: Walk,
) -> torch.Tensor:
    """‖features(walk(start, end, t + ε)) − features(walk(start, end, t))‖² / ε² (Karras et al. 2019, equations 2 and 3).

    Args:
        features: latents (N, …) → features (N, F).
        start, end: latents (N, …).
        where: t of each step, (N,) in [0, 1 − ε].
        epsilon: length of a step.
        walk: (start, end, t) → the latent in between.

    Returns:
        One length a step, float64 (N,).
    """

    def at(shift: float) -> torch.Tensor:
        steps = zip(start, end, where.tolist(), strict=True)
        return features(torch.stack([walk(a, b, t + shift) for a, b, t in steps]))

    before, after = at(0.0), at(epsilon)
    return (after.double() - before.double()).square().sum(1) / epsilon**2


def trimmed(lengths: torch.Tensor) -> torch.Tensor:
    """The lengths between the percentiles 1 and 99 of all (N,), these two included."""
    low = lengths.quantile(TRIMMED, interpolation="lower")
    high = lengths.quantile(1 - TRIMMED, interpolation="higher")
    return lengths[(lengths >= low) & (lengths <= high)]

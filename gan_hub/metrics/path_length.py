"""Perceptual path length: how far an image moves when its latent takes a small step (Karras et al. 2019, section 4.1).

Shapes: N steps, C channels, H, W, Z latent size, L rows of w, W size of w, F features.
"""

from collections.abc import Callable

import torch

from gan_hub.latents import lerp, seeded, slerp
from gan_hub.metrics.features import Extractor
from gan_hub.model_folder import segmentations as semantic_maps
from gan_hub.models.mixins import SegmentationConditional, StyleBased
from gan_hub.pipeline import GANPipeline

BATCH = 100  # steps at a time: twice as many images are in memory
TRIMMED = 0.01  # of the steps at either end, as in the authors' program: a few outliers would make the mean


def perceptual_path_length(
    pipeline: GANPipeline, extractor: Extractor, steps: int = 10_000, epsilon: float = 1e-4, seed: int = 0
) -> torch.Tensor:
    """Squared feature distance over ε² of each of `steps` small steps, without the extremes: float64 (about 0.98 N,).

    Their mean is the path length. A step lies anywhere on the way between two random latents (the paper's "full" path):
    in w on a straight line where the generator has one, otherwise in z on an arc, of the lengths in between, where the
    paper's has length 1. A step of a conditional model keeps its class, and of one that draws from maps its map.
    The distance is that of the extractor's features, so that lengths compare for one extractor only; the paper's is LPIPS.
    """
    if steps < 1 or not 0 < epsilon < 1:
        raise ValueError(f"steps={steps} of epsilon={epsilon} are not allowed; one at least, of a length in (0, 1).")
    generator = seeded(seed)
    start, end = torch.randn(2, steps, pipeline.latent_size, generator=generator, dtype=torch.float32)
    where = torch.rand(steps, generator=generator, dtype=torch.float64) * (1 - epsilon)
    told = _kept_along_a_step(pipeline, start, generator)
    lengths = []
    for rows in torch.arange(steps).split(BATCH):
        fixed = {name: value[rows] for name, value in told.items()}
        draw, walk = _drawing(pipeline, fixed)
        ends = (start[rows], end[rows])
        if walk is lerp:
            ends = (pipeline.map(each, **fixed) for each in ends)  # (N, L, W)
        ends = (each.double() for each in ends)  # a step is a few roundings of float32 long
        lengths.append(
            step_lengths(lambda x, draw=draw: extractor.features(draw(x)), *ends, where[rows], epsilon, walk)
        )
    return trimmed(torch.cat(lengths))


def _kept_along_a_step(
    pipeline: GANPipeline, start: torch.Tensor, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """A class for each step, all alike likely, or one of the example maps; nothing for a model that has neither."""
    if pipeline.label_names is not None:
        return {"labels": torch.randint(len(pipeline.label_names), (len(start),), generator=generator)}
    if isinstance(pipeline.unwrapped_generator, SegmentationConditional) and pipeline.segmentations is not None:
        return {"segmentation": semantic_maps.choose_examples(pipeline.segmentations, start)}
    return {}


def _drawing(pipeline: GANPipeline, fixed: dict[str, torch.Tensor]) -> tuple[Callable, Callable]:
    """(latents → images (N, C, H, W) in [-1, 1], how to walk between such latents)."""
    if isinstance(pipeline.unwrapped_generator, StyleBased):
        return lambda w: pipeline.synthesize(w.float(), output_type="pt"), lerp
    return lambda z: pipeline(latents=z.float(), output_type="pt", **fixed).images, slerp


def step_lengths(
    features: Callable[[torch.Tensor], torch.Tensor],
    start: torch.Tensor,
    end: torch.Tensor,
    where: torch.Tensor,
    epsilon: float,
    walk: Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor],
) -> torch.Tensor:
    """‖features(walk(start, end, t + ε)) − features(walk(start, end, t))‖² / ε² for each t of `where` (N,): (N,).

    `start` and `end` (N, ...) are latents, `features` makes (N, F) of such. Karras et al. 2019, equations 2 and 3.
    """
    before, after = (
        features(torch.stack([walk(a, b, t + shift) for a, b, t in zip(start, end, where.tolist())]))
        for shift in (0.0, epsilon)
    )
    return (after.double() - before.double()).square().sum(1) / epsilon**2


def trimmed(lengths: torch.Tensor) -> torch.Tensor:
    """Those (N,) that lie between the percentiles 1 and 99, which are themselves among the lengths and kept."""
    low = lengths.quantile(TRIMMED, interpolation="lower")
    high = lengths.quantile(1 - TRIMMED, interpolation="higher")
    return lengths[(lengths >= low) & (lengths <= high)]

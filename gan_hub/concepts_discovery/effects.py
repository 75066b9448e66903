"""The effect of a concept: measures of a model's images, and their change along a direction.

Shapes: N seeds, C channels, H, W.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from gan_hub._moved import renamed_arguments
from gan_hub.concepts_discovery.image_statistics import MEASURES, Measure
from gan_hub.latents import check_seeds, format_seeds
from gan_hub.model_folder.concepts import Concept, Effect
from gan_hub.pipeline import GANPipeline
from gan_hub.pipeline.optimized import plain_twin

STRENGTHS = (-1.0, 0.0, 1.0)  # at which an effect is measured
BATCH = 16  # images at a time: three times as fast as one, and no measure depends on the last bit
CHUNK = 256  # images in memory at a time

Measurement = Callable[[torch.Tensor], torch.Tensor]  # images (N, C, H, W) in [-1, 1] → (N,)


def score(pipe: GANPipeline, seeds: Sequence[int], *measures: Measurement, **options: Any) -> torch.Tensor:
    """Measures of the images of seeds, each in its own class: (N,) of one measure, (N, M) of several.

    `options` are the pipeline's (concepts, truncation, labels). Raises ValueError for a measure that gives anything but one
    number an image.
    """
    seeds, pipe, scores = check_seeds(seeds), plain_twin(pipe), [torch.empty(0, len(measures))]
    for start in range(0, len(seeds), CHUNK):
        chunk = seeds[start : start + CHUNK]
        images = torch.as_tensor(pipe(seeds=chunk, output_type="pt", batch_size=BATCH, **options).images)
        values = [torch.as_tensor(measure(images)).detach().cpu().float() for measure in measures]
        wrong = [tuple(each.shape) for each in values if each.shape != (len(chunk),)]
        if wrong:
            raise ValueError(f"a measure gives one number an image; this one gave {wrong[0]} for {len(chunk)} images.")
        scores.append(torch.stack(values, 1))
    table = torch.cat(scores)
    return table[:, 0] if len(measures) == 1 else table


@renamed_arguments(told="description")
def effect(
    pipe: GANPipeline,
    concept: Concept,
    measure: str | Measurement,
    seeds: Sequence[int],
    description: str | None = None,
) -> Effect:
    """The effect of a concept on a measure: its mean at the strengths −1, 0 and 1.

    Args:
        pipe: the model.
        concept: a direction of its latents.
        measure: a name in `image_statistics.MEASURES`, or a function of images (N, C, H, W) in [-1, 1].
        seeds: others than those by which the concept was found.
        description: what the measure measures, in words; needed for a function.

    Returns:
        Means, deviation and the share of seeds for which the measure grows.

    Raises:
        ValueError: an unknown measure, or a function without a description.
    """
    if isinstance(measure, str):
        known = known_measure(measure)
        measure, description = known.function, description or known.description
    if not description:
        raise ValueError("description= is missing: what the measure measures, in words.")
    scores = [score(moved, seeds, measure, concepts=strength) for moved, strength in _moved(pipe, concept)]
    return _effect(description, scores, seeds)


def strongest_effect(pipe: GANPipeline, concept: Concept, seeds: Sequence[int]) -> Concept:
    """The concept with its effect on the measure that it changes most, in standard deviations over the seeds.

    For directions without a meaning yet. One that lowers the measure is reversed, with its exemplars.

    Args:
        pipe: the model.
        concept: a direction of its latents.
        seeds: others than those by which the concept was found.

    Returns:
        The concept, or its reverse, with the effect on one of `image_statistics.MEASURES`.
    """
    names = measures_for(pipe)
    measures = [MEASURES[name].function for name in names]
    tables = [score(moved, seeds, *measures, concepts=strength) for moved, strength in _moved(pipe, concept)]
    gains = (tables[-1] - tables[0]).mean(0) / tables[STRENGTHS.index(0)].std(0, correction=0).clamp_min(1e-9)  # (M,)
    best = int(gains.abs().argmax())
    scores = [table[:, best] for table in tables]
    if gains[best] < 0:
        reverse = -concept.direction
        concept = replace(concept, direction=reverse, with_it=concept.without_it, without_it=concept.with_it)
        scores = scores[::-1]
    return replace(concept, effect=_effect(MEASURES[names[best]].description, scores, seeds))


def _moved(pipe: GANPipeline, concept: Concept) -> list[tuple[GANPipeline, dict[str, float]]]:
    """A pipeline that has the concept, and its `concepts=` for each of the STRENGTHS."""
    with_concept = with_concepts(pipe, [concept])
    return [(with_concept, {concept.name: strength}) for strength in STRENGTHS]


def _effect(description: str, scores: Sequence[torch.Tensor], seeds: Sequence[int]) -> Effect:
    """The effect of scores (N,) at each of the STRENGTHS."""
    return Effect(
        measure=description,
        strengths=STRENGTHS,
        means=tuple(each.mean().item() for each in scores),
        deviation=scores[STRENGTHS.index(0)].std(correction=0).item(),
        right=(scores[-1] > scores[0]).float().mean().item(),
        seeds=format_seeds(check_seeds(seeds)),
        images=len(seeds),
    )


def with_concepts(pipe: GANPipeline, concepts: Sequence[Concept]) -> GANPipeline:
    """The generator of a pipeline with these concepts and no others."""
    maps, names = (pipe.segmentations, pipe.semantic_names) if pipe.semantic_names else (None, None)
    return GANPipeline(
        pipe.generator,
        label_names=pipe.label_names,
        segmentations=maps,
        semantic_names=names,
        concepts=concepts,
        seeds_like=pipe.seeds_like,
    )


def measures_for(pipe: GANPipeline) -> list[str]:
    """The names of the measures that apply to a model's images."""
    has_color = pipe.unwrapped_generator.config["channels"] > 2
    return [name for name, measure in MEASURES.items() if has_color or not measure.needs_color]


def known_measure(name: str) -> Measure:
    """The measure of a name; raises ValueError for an unknown one."""
    if name not in MEASURES:
        raise ValueError(f"measure {name!r} is not known; choose among {', '.join(MEASURES)}, or pca, or sefa.")
    return MEASURES[name]

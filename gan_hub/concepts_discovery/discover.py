"""Concept discovery: directions by scores, by principal components or by a generator's weights, and their effects.

Shapes: N latents, D their size: Z in the space "z", W in the space "w". The unit of every concept is the distance between
the mean of the lowest share of the seeds and that of the highest, a fifth each unless said otherwise.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from PIL import Image

from gan_hub._moved import renamed_arguments
from gan_hub.concepts_discovery.effects import (
    Measurement,
    effect,
    known_measure,
    measures_for,
    score,
    strongest_effect,
    with_concepts,
)
from gan_hub.concepts_discovery.image_statistics import MEASURES
from gan_hub.images import grid
from gan_hub.latents import check_seeds
from gan_hub.model_folder.concepts import EXEMPLARS, Concept
from gan_hub.models.mixins import HasLatentProjection, StyleBased
from gan_hub.models.modeling import GANModel
from gan_hub.pipeline import GANPipeline

__all__ = [
    "MEASURES",
    "by_attribute",
    "by_components",
    "by_direction",
    "by_measure",
    "by_scores",
    "classes_of",
    "concept_grid",
    "default_space",
    "effect",
    "latents_of",
    "measures_for",
    "principal_directions",
    "score",
    "sefa",
    "strongest_effect",
]

SHARE = 0.2  # of the seeds in each group
NUM_EXEMPLARS = 8  # of each kind


def default_space(pipe: GANPipeline) -> str:
    """The space in which a model's concepts are found: w where it has one, since concepts are less entangled there."""
    return "w" if isinstance(pipe.unwrapped_generator, StyleBased) else "z"


def latents_of(pipe: GANPipeline, seeds: Sequence[int], space: str | None = None) -> torch.Tensor:
    """The latents of seeds.

    Args:
        pipe: the model.
        seeds: N of them.
        space: "z" or "w", by default `default_space`.

    Returns:
        (N, D); w without truncation, of each seed's own class.
    """
    z = pipe.sample_latents(seeds)
    return z if (space or default_space(pipe)) == "z" else pipe.map(z)[:, 0]


def classes_of(pipe: GANPipeline, seeds: Sequence[int]) -> torch.Tensor | None:
    """The class (N,) that each seed has where none is asked for; None for a model without classes."""
    return pipe.labels_of(pipe.sample_latents(seeds))


# ------------------------------------------------------------------------------------------------------------ finders


@renamed_arguments(found="method")
def by_scores(
    latents: torch.Tensor,
    scores: torch.Tensor,
    seeds: Sequence[int],
    *,
    name: str,
    method: str,
    space: str = "z",
    labels: torch.Tensor | None = None,
    share: float = SHARE,
) -> Concept:
    """The mean latent of the highest scores minus that of the lowest.

    The arithmetic of Radford et al. 2016 (section 6.3.2) with groups that a measure or a classifier has chosen. Exemplars
    are, of each group, the seeds that lie farthest along the direction.

    Args:
        latents: (N, D), of `seeds`.
        scores: (N,). Booleans make the two groups; of numbers, each group is a `share` of the seeds.
        seeds: N of them.
        name: of the concept.
        method: in words, how it was found.
        space: "z" or "w", of the latents.
        labels: (N,), classes within which scores are standardized and latents centred, so that no class is found.
        share: of the seeds in each group, where scores are numbers.

    Returns:
        The concept, without an effect.

    Raises:
        ValueError: sizes that do not match, scores that are not finite, or groups that are too small.
    """
    scores = torch.as_tensor(scores)
    if not len(latents) == len(scores) == len(seeds) or scores.ndim != 1:
        raise ValueError(f"{len(latents)} latents, {tuple(scores.shape)} scores and {len(seeds)} seeds do not match.")
    if not torch.isfinite(scores).all():
        raise ValueError("scores contain NaN or Inf.")
    centered = _within(latents.double(), labels, scaled=False)
    if scores.dtype == torch.bool:
        high, low = scores.nonzero()[:, 0], (~scores).nonzero()[:, 0]
    else:
        order = _within(scores.double(), labels, scaled=True).argsort()
        count = round(share * len(order))
        low, high = order[:count], order[len(order) - count :]
    if min(len(low), len(high)) < EXEMPLARS[0]:
        raise ValueError(
            f"{len(high)} seeds with {name!r} and {len(low)} without; {EXEMPLARS[0]} of each are needed: score more seeds."
        )
    direction = centered[high].mean(0) - centered[low].mean(0)
    return _concept(name, direction, space, method, centered @ direction, low, high, seeds)


@renamed_arguments(found="method")
def by_direction(
    latents: torch.Tensor,
    direction: torch.Tensor,
    seeds: Sequence[int],
    *,
    name: str,
    method: str,
    space: str,
    labels: torch.Tensor | None = None,
) -> Concept:
    """The concept of a known direction, scaled by the latents of some seeds.

    Args:
        latents: (N, D), of `seeds`.
        direction: (D,), of any length.
        seeds: N of them.
        name: of the concept.
        method: in words, how it was found.
        space: "z" or "w", of the latents.
        labels: (N,), classes within which latents are centred.

    Returns:
        The concept, without an effect.
    """
    unit = direction.double() / direction.double().norm()
    positions = _within(latents.double(), labels, scaled=False) @ unit
    order = positions.argsort()
    count = max(round(SHARE * len(order)), 1)
    low, high = order[:count], order[-count:]
    return _concept(
        name, unit * (positions[high].mean() - positions[low].mean()), space, method, positions, low, high, seeds
    )


def principal_directions(latents: torch.Tensor, count: int, labels: torch.Tensor | None = None) -> torch.Tensor:
    """The orthogonal directions in which latents w vary most (Härkönen et al. 2020, GANSpace, arXiv 2004.02546, section 2.1).

    z has the same variance in all directions, so that its components mean nothing.

    Args:
        latents: w (N, D).
        count: how many directions, 1 to N and D.
        labels: (N,), classes within which latents are centred.

    Returns:
        Unit directions (count, D), the largest variance first.

    Raises:
        ValueError: a count that is not allowed.
    """
    if not 1 <= count <= min(latents.shape):
        raise ValueError(f"{count} components are not allowed; 1 to {min(latents.shape)} of {len(latents)} latents.")
    centered = _within(latents.double(), labels, scaled=False)
    return _oriented(torch.linalg.svd(centered, full_matrices=False).Vh[:count])


def sefa(generator: GANModel, count: int) -> torch.Tensor:
    """The orthogonal unit directions (count, D) that most change the output of the first layer (Shen & Zhou 2021, SeFa).

    arXiv 2007.06600, equation 7: the eigenvectors of AᵀA with the largest eigenvalues. A (O, D) are the weights of the first
    layer, each row scaled to length 1 as in the authors' program; no image is drawn. Raises ValueError for a generator
    without a linear first layer.
    """
    if not isinstance(generator, HasLatentProjection):
        raise ValueError(f"{type(generator).__name__} has no linear map that its latent meets first; sefa needs one.")
    weights = generator.latent_weights().detach().cpu().double()
    if not 1 <= count <= weights.shape[1]:
        raise ValueError(f"{count} directions are not allowed; 1 to {weights.shape[1]}.")
    rows = torch.nn.functional.normalize(weights, dim=1)
    _, vectors = torch.linalg.eigh(rows.t() @ rows)  # ascending
    return _oriented(vectors.flip(1).t()[:count])


def _within(values: torch.Tensor, labels: torch.Tensor | None, scaled: bool) -> torch.Tensor:
    """Values (N, …) minus the mean of their class, and `scaled` by its deviation; without labels all are one class."""
    labels = torch.zeros(len(values), dtype=torch.long) if labels is None else torch.as_tensor(labels)
    result = torch.zeros_like(values)
    for label in labels.unique():
        rows = labels == label
        centered = values[rows] - values[rows].mean(0)
        result[rows] = centered / centered.std(0, correction=0).clamp_min(1e-12) if scaled else centered
    return result


def _oriented(directions: torch.Tensor) -> torch.Tensor:
    """Each direction (…, D), with the sign that makes its largest number positive, whatever the library returned."""
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return directions * largest.sign()


def _concept(
    name: str,
    direction: torch.Tensor,
    space: str,
    method: str,
    positions: torch.Tensor,
    low: torch.Tensor,
    high: torch.Tensor,
    seeds: Sequence[int],
) -> Concept:
    """A concept; its exemplars are the outermost rows of two groups, by the positions (N,) along the direction."""
    checked = check_seeds(seeds)
    lowest = low[positions[low].argsort()][:NUM_EXEMPLARS]
    highest = high[positions[high].argsort(descending=True)][:NUM_EXEMPLARS]
    with_it, without_it = (tuple(checked[row] for row in rows.tolist()) for rows in (highest, lowest))
    return Concept(name, direction.float(), space, with_it, without_it, method)


# ------------------------------------------------------------------------------------------------- from model to concepts


def by_measure(pipe: GANPipeline, name: str, seeds: Sequence[int], held_out: Sequence[int]) -> Concept:
    """The concept of one measure.

    Args:
        pipe: the model.
        name: of one of `image_statistics.MEASURES`.
        seeds: by which the concept is found.
        held_out: other seeds, by which its effect is measured.

    Returns:
        The concept with its effect.
    """
    scores = score(pipe, seeds, known_measure(name).function)
    return by_attribute(pipe, name, scores, seeds, held_out, name, f"the measure {name}")


@renamed_arguments(told="description")
def by_attribute(
    pipe: GANPipeline,
    name: str,
    scores: torch.Tensor,
    seeds: Sequence[int],
    held_out: Sequence[int],
    measure: str | Measurement,
    by: str,
    description: str | None = None,
    share: float = SHARE,
) -> Concept:
    """A concept by scores of any origin, such as a classifier, with its effect.

    Args:
        pipe: the model.
        name: of the concept.
        scores: (N,), of `seeds`. Booleans make the two groups.
        seeds: by which the concept is found.
        held_out: other seeds, by which its effect is measured.
        measure, description: as of `effect`.
        by: in words, what gave the scores.
        share: of the seeds in each group, where scores are numbers; at most the share that has the attribute.

    Returns:
        The concept with its effect.
    """
    held_out = _disjoint(seeds, held_out)
    space, labels = default_space(pipe), classes_of(pipe, seeds)
    within = ", within classes" if labels is not None else ""
    method = f"difference of means in {space} by {by}, {len(seeds)} seeds{within}"
    concept = by_scores(
        latents_of(pipe, seeds), scores, seeds, name=name, method=method, space=space, labels=labels, share=share
    )
    return replace(concept, effect=effect(pipe, concept, measure, held_out, description))


def by_components(
    pipe: GANPipeline, how: str, count: int, seeds: Sequence[int], held_out: Sequence[int]
) -> list[Concept]:
    """Concepts "pca 1", "pca 2" and so on, or "sefa 1" and so on, to be named after a look at them.

    Args:
        pipe: the model.
        how: "pca" (`principal_directions`) or "sefa".
        count: how many concepts.
        seeds: by which their lengths, and principal components, are found.
        held_out: other seeds, by which effects are measured.

    Returns:
        Each concept with its strongest effect.

    Raises:
        ValueError: "pca" for a model without a w, or "sefa" for one without a linear first layer.
    """
    held_out = _disjoint(seeds, held_out)
    space, labels = default_space(pipe), classes_of(pipe, seeds)
    latents = latents_of(pipe, seeds)
    if how == "pca" and space == "z":
        raise ValueError(
            "pca needs a model with a w, and this one has z alone, which varies alike everywhere; take sefa."
        )
    if how == "pca":
        directions = principal_directions(latents, count, labels)
        method = f"principal component {{}} of w, {len(seeds)} seeds"
    else:
        directions = sefa(pipe.unwrapped_generator, count)
        method = f"SeFa {{}} in {space}, length by {len(seeds)} seeds"
    concepts = []
    for number, direction in enumerate(directions, 1):
        name, method_of_this = f"{how} {number}", method.format(number)
        concept = by_direction(latents, direction, seeds, name=name, method=method_of_this, space=space, labels=labels)
        concepts.append(strongest_effect(pipe, concept, held_out))
    return concepts


def _disjoint(seeds: Sequence[int], held_out: Sequence[int]) -> Sequence[int]:
    """The held-out seeds; raises ValueError where there are none, or some are also among the others."""
    shared = set(check_seeds(seeds)) & set(check_seeds(held_out))
    if shared or not len(held_out):
        raise ValueError(f"{len(shared)} of the {len(held_out)} held-out seeds also find the concept; give others.")
    return held_out


def concept_grid(
    pipe: GANPipeline, concepts: Sequence[Concept], seeds: Sequence[int], strengths: Sequence[float], scale: int = 1
) -> Image.Image:
    """A picture by which concepts can be judged.

    Args:
        pipe: the model.
        concepts: one block of rows each.
        seeds: a row each.
        strengths: a column each.
        scale: pixels a side of each pixel.

    Returns:
        A grid of all images.
    """
    with_all, images = with_concepts(pipe, concepts), []
    for concept in concepts:
        columns = [with_all(seeds=seeds, concepts={concept.name: strength}).images for strength in strengths]
        images += [image for row in zip(*columns, strict=True) for image in row]
    return grid(images, len(strengths), scale=scale)

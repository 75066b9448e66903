"""Finding concepts: directions by scores, by principal components, by a generator's own weights; and what they do.

Shapes: N latents, D their size: Z in the space "z", W in the space "w". One unit of every concept found here is the way
from the mean of the lowest share of the seeds to that of the highest, a fifth each unless said otherwise.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from PIL import Image

from gan_hub.concepts_discovery.image_statistics import MEASURES
from gan_hub.images import grid
from gan_hub.latents import check_seeds, format_seeds
from gan_hub.model_folder.concepts import EXEMPLARS, Concept, Effect
from gan_hub.models.mixins import HasLatentProjection, StyleBased
from gan_hub.models.modeling import GANModel
from gan_hub.pipeline import GANPipeline

SHARE = 0.2  # of the seeds in each group
SHOWN = 8  # exemplars of each kind
STRENGTHS = (-1.0, 0.0, 1.0)  # at which an effect is measured
BATCH = 16  # images at a time: three times as fast as one, and no measure sees the last bit

OfImages = Callable[[torch.Tensor], torch.Tensor]  # (N, C, H, W) in [-1, 1] → (N,)


def home(pipe: GANPipeline) -> str:
    """The space in which a model's concepts are found: w where it has one, for there they are less entangled."""
    return "w" if isinstance(pipe.unwrapped_generator, StyleBased) else "z"


def latents_of(pipe: GANPipeline, seeds: Sequence[int], space: str | None = None) -> torch.Tensor:
    """The latents (N, D) of seeds in a space, by default `home`; w without truncation, of each seed's own class."""
    z = pipe.sample_latents(seeds)
    return z if (space or home(pipe)) == "z" else pipe.map(z)[:, 0]


def classes_of(pipe: GANPipeline, seeds: Sequence[int]) -> torch.Tensor | None:
    """The class (N,) that each seed takes by itself; None for a model without classes."""
    return pipe.labels_of(pipe.sample_latents(seeds))


# ------------------------------------------------------------------------------------------------------------ finders


def by_scores(
    latents: torch.Tensor,
    scores: torch.Tensor,
    seeds: Sequence[int],
    *,
    name: str,
    found: str,
    space: str = "z",
    labels: torch.Tensor | None = None,
    share: float = SHARE,
) -> Concept:
    """The mean latent of those with the highest scores (N,) minus that of those with the lowest (latents (N, D)).

    The arithmetic of Radford et al. 2016 (section 6.3.2) with groups that a measure or a classifier has chosen. Scores that
    are true or false make the groups themselves; otherwise each is that `share` of the seeds. With `labels` (N,), scores are
    standardised within each class and latents centred there, so that no class is found. Exemplars are, of each group, the
    seeds that lie farthest along the direction. Raises ValueError for groups that are too small.
    """
    scores = torch.as_tensor(scores)
    if not len(latents) == len(scores) == len(seeds) or scores.ndim != 1:
        raise ValueError(f"{len(latents)} latents, {tuple(scores.shape)} scores and {len(seeds)} seeds do not match.")
    if not torch.isfinite(scores).all():
        raise ValueError("scores contain NaN or Inf.")
    centred = _within(latents.double(), labels, scaled=False)
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
    direction = centred[high].mean(0) - centred[low].mean(0)
    return _concept(name, direction, space, found, centred @ direction, low, high, seeds)


def along(
    latents: torch.Tensor,
    direction: torch.Tensor,
    seeds: Sequence[int],
    *,
    name: str,
    found: str,
    space: str,
    labels: torch.Tensor | None = None,
) -> Concept:
    """The concept of a direction (D,) that is known but for its length, which the latents (N, D) of some seeds give."""
    unit = direction.double() / direction.double().norm()
    places = _within(latents.double(), labels, scaled=False) @ unit
    order = places.argsort()
    count = max(round(SHARE * len(order)), 1)
    low, high = order[:count], order[-count:]
    return _concept(name, unit * (places[high].mean() - places[low].mean()), space, found, places, low, high, seeds)


def principal_directions(latents: torch.Tensor, count: int, labels: torch.Tensor | None = None) -> torch.Tensor:
    """The `count` orthogonal unit directions (count, D) in which latents w (N, D) vary most, largest first.

    Härkönen et al. 2020 (GANSpace, arXiv 2004.02546), section 2.1. With `labels` (N,), within the classes. z varies alike in
    all directions, so that its components mean nothing.
    """
    if not 1 <= count <= min(latents.shape):
        raise ValueError(f"{count} components are not allowed; 1 to {min(latents.shape)} of {len(latents)} latents.")
    centred = _within(latents.double(), labels, scaled=False)
    return _oriented(torch.linalg.svd(centred, full_matrices=False).Vh[:count])


def sefa(generator: GANModel, count: int) -> torch.Tensor:
    """The `count` orthogonal unit directions (count, D) that change most what the generator makes of a latent first.

    Shen & Zhou 2021 (arXiv 2007.06600), equation 7: the eigenvectors of AᵀA with the largest eigenvalues, A (O, D) being the
    weights that the latent meets first, each row brought to length 1 as in the authors' program; no image is drawn. Raises
    ValueError for a generator whose first weights are of another kind.
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
    """Values (N, …) minus the mean of their class, `scaled` to a deviation of 1 in it; without labels all are one class."""
    labels = torch.zeros(len(values), dtype=torch.long) if labels is None else torch.as_tensor(labels)
    result = torch.zeros_like(values)
    for label in labels.unique():
        rows = labels == label
        part = values[rows] - values[rows].mean(0)
        result[rows] = part / part.std(0, correction=0).clamp_min(1e-12) if scaled else part
    return result


def _oriented(directions: torch.Tensor) -> torch.Tensor:
    """Each direction (…, D) or its opposite, so that its largest number is positive: a sign that no library decides."""
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return directions * largest.sign()


def _concept(name, direction, space, found, places, low, high, seeds) -> Concept:
    """`places` (N,) say how far along each seed lies; exemplars are the outermost of the two groups of rows."""
    seeds = check_seeds(seeds)
    lowest, highest = low[places[low].argsort()][:SHOWN], high[places[high].argsort(descending=True)][:SHOWN]
    exemplars = [[seeds[row] for row in rows.tolist()] for rows in (highest, lowest)]
    return Concept(name, direction.float(), space, *map(tuple, exemplars), found)


# ------------------------------------------------------------------------------------------------------------- effects


def score(pipe: GANPipeline, seeds: Sequence[int], *measures: OfImages, **options) -> torch.Tensor:
    """Measures of the images of seeds, each in its own class: (N,) of one measure, (N, M) of several.

    `options` are the pipeline's (concepts, truncation, labels).
    """
    seeds, scores = check_seeds(seeds), [torch.empty(0, len(measures))]
    for start in range(0, len(seeds), 256):  # as many as lie in memory at once
        some = seeds[start : start + 256]
        images = pipe(seeds=some, output_type="pt", batch_size=BATCH, **options).images
        found = [torch.as_tensor(measure(images)).detach().cpu().float() for measure in measures]
        wrong = [tuple(each.shape) for each in found if each.shape != (len(some),)]
        if wrong:
            raise ValueError(f"a measure gives one number an image; this one gave {wrong[0]} for {len(some)} images.")
        scores.append(torch.stack(found, 1))
    table = torch.cat(scores)
    return table[:, 0] if len(measures) == 1 else table


def effect(
    pipe: GANPipeline, concept: Concept, measure: str | OfImages, seeds: Sequence[int], told: str | None = None
) -> Effect:
    """What a concept does to a measure: its mean at the strengths −1, 0 and 1 over seeds that did not find the concept.

    `measure`: a name among `appearance.MEASURES`, or a function of images (N, C, H, W) in [-1, 1], which `told` says in words.
    """
    if isinstance(measure, str):
        measure, told = _known(measure).of, told or _known(measure).told
    if not told:
        raise ValueError("told is missing: what the measure measures, in words.")
    return _effect(told, [score(*each, measure, **options) for each, options in _moved(pipe, concept, seeds)], seeds)


def strongest_effect(pipe: GANPipeline, concept: Concept, seeds: Sequence[int]) -> Concept:
    """The concept with its effect on whichever of `appearance.MEASURES` it moves most, in deviations over the seeds.

    For directions that nobody looked for. One that lessens the measure is turned round, with its exemplars.
    """
    names = measures_for(pipe)
    measures = [MEASURES[name].of for name in names]
    tables = [score(*each, *measures, **options) for each, options in _moved(pipe, concept, seeds)]
    gains = (tables[-1] - tables[0]).mean(0) / tables[STRENGTHS.index(0)].std(0, correction=0).clamp_min(1e-9)  # (M,)
    best = int(gains.abs().argmax())
    scores = [table[:, best] for table in tables]
    if gains[best] < 0:
        exemplars = {"with_it": concept.without_it, "without_it": concept.with_it}
        concept, scores = replace(concept, direction=-concept.direction, **exemplars), scores[::-1]
    return replace(concept, effect=_effect(MEASURES[names[best]].told, scores, seeds))


def _moved(pipe: GANPipeline, concept: Concept, seeds: Sequence[int]) -> list[tuple[tuple, dict]]:
    """What `score` takes to see a concept at each of the STRENGTHS, in a pipeline that may not have it yet."""
    with_this = _knowing(pipe, [concept])
    return [((with_this, seeds), {"concepts": {concept.name: strength}}) for strength in STRENGTHS]


def _effect(told: str, scores: Sequence[torch.Tensor], seeds: Sequence[int]) -> Effect:
    """Of scores (N,) at each of the STRENGTHS."""
    return Effect(
        measure=told,
        strengths=STRENGTHS,
        means=tuple(each.mean().item() for each in scores),
        deviation=scores[STRENGTHS.index(0)].std(correction=0).item(),
        right=(scores[-1] > scores[0]).float().mean().item(),
        seeds=format_seeds(check_seeds(seeds)),
        images=len(seeds),
    )


def _knowing(pipe: GANPipeline, concepts: Sequence[Concept]) -> GANPipeline:
    """The generator of a pipeline with these concepts and no others."""
    maps = {"segmentations": pipe.segmentations, "semantic_names": pipe.semantic_names} if pipe.semantic_names else {}
    return GANPipeline(pipe.generator, label_names=pipe.label_names, concepts=concepts, **maps)


def measures_for(pipe: GANPipeline) -> list[str]:
    """The names of the measures that a model's images have."""
    colour = pipe.unwrapped_generator.config["channels"] > 2
    return [name for name, measure in MEASURES.items() if colour or not measure.needs_colour]


def _known(name: str):
    if name not in MEASURES:
        raise ValueError(f"measure {name!r} is not known; choose among {', '.join(MEASURES)}, or pca, or sefa.")
    return MEASURES[name]


# ------------------------------------------------------------------------------------------------- from model to concepts


def by_measure(pipe: GANPipeline, name: str, seeds: Sequence[int], held_out: Sequence[int]) -> Concept:
    """The concept of one of `appearance.MEASURES`, found on `seeds` and measured on `held_out`."""
    return by_attribute(pipe, name, score(pipe, seeds, _known(name).of), seeds, held_out, name, f"the measure {name}")


def by_attribute(
    pipe: GANPipeline,
    name: str,
    scores: torch.Tensor,
    seeds: Sequence[int],
    held_out: Sequence[int],
    measure: str | OfImages,
    by: str,
    told: str | None = None,
    share: float = SHARE,
) -> Concept:
    """A concept by `scores` (N,) of `seeds` that anything gave, such as a classifier (`by` says what), with its effect.

    Scores that are true or false make the groups themselves; of others, `share` is better not above the share of the seeds
    that have the attribute. The effect is that on `measure`, as of `effect`, over `held_out` seeds.
    """
    held_out = _apart(seeds, held_out)
    space, labels = home(pipe), classes_of(pipe, seeds)
    within = ", within classes" if labels is not None else ""
    found = f"difference of means in {space} by {by}, {len(seeds)} seeds{within}"
    concept = by_scores(
        latents_of(pipe, seeds), scores, seeds, name=name, found=found, space=space, labels=labels, share=share
    )
    return replace(concept, effect=effect(pipe, concept, measure, held_out, told))


def by_components(
    pipe: GANPipeline, how: str, count: int, seeds: Sequence[int], held_out: Sequence[int]
) -> list[Concept]:
    """The first `count` concepts "pca 1", … or "sefa 1", …, to be looked at and named, each with its strongest effect."""
    held_out = _apart(seeds, held_out)
    space, labels = home(pipe), classes_of(pipe, seeds)
    latents = latents_of(pipe, seeds)
    if how == "pca" and space == "z":
        raise ValueError(
            "pca needs a model with a w, and this one has z alone, which varies alike everywhere; take sefa."
        )
    if how == "pca":
        directions, words = (
            principal_directions(latents, count, labels),
            f"principal component {{}} of w, {len(seeds)} seeds",
        )
    else:
        directions, words = sefa(pipe.unwrapped_generator, count), f"SeFa {{}} in {space}, length by {len(seeds)} seeds"
    concepts = []
    for number, direction in enumerate(directions, 1):
        told = {"name": f"{how} {number}", "found": words.format(number)}
        concept = along(latents, direction, seeds, space=space, labels=labels, **told)
        concepts.append(strongest_effect(pipe, concept, held_out))
    return concepts


def _apart(seeds: Sequence[int], held_out: Sequence[int]) -> Sequence[int]:
    shared = set(check_seeds(seeds)) & set(check_seeds(held_out))
    if shared or not len(held_out):
        raise ValueError(f"{len(shared)} of the {len(held_out)} held-out seeds also find the concept; give others.")
    return held_out


def concept_grid(
    pipe: GANPipeline, concepts: Sequence[Concept], seeds: Sequence[int], strengths: Sequence[float], scale: int = 1
) -> Image.Image:
    """One picture to judge concepts by: for each of them a row a seed, from the lowest strength to the highest."""
    shown, images = _knowing(pipe, concepts), []
    for concept in concepts:
        columns = [shown(seeds=seeds, concepts={concept.name: strength}).images for strength in strengths]
        images += [image for row in zip(*columns) for image in row]
    return grid(images, len(strengths), scale=scale)

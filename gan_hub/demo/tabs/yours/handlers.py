"""A picture → the latent whose picture comes nearest to it, step by step; then that latent, moved."""

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import gradio as gr
import torch
from PIL import Image

from gan_hub.demo import image_files, inputs, models
from gan_hub.demo.components import Update, concept_update
from gan_hub.demo.inputs import BadInputError
from gan_hub.demo.long_jobs import in_slices
from gan_hub.demo.own_picture import Chosen, read_picture, widget
from gan_hub.demo.texts import translate
from gan_hub.images import height_width, save_png
from gan_hub.inversion import Inversion, invert, search
from gan_hub.latents import lerp, slerp
from gan_hub.model_folder import concepts as directions
from gan_hub.models.mixins import SegmentationConditional, StyleBased
from gan_hub.pipeline import GANPipeline

FIRST_SEED, FIRST_GOAL = "1003", "7"
LINK_KEYS = ("seed",)
STEPS, EVERY = 200, 5
MAX_SECONDS = 90  # of computing, for one search
MAX_STRENGTH = 2  # beyond, pictures fall apart
WORDS = (
    (3.0, "yours_twin"),
    (8.0, "yours_sibling"),
    (20.0, "yours_cousin"),
)  # up to so many levels; beyond, "yours_stranger"


@dataclass(frozen=True)
class Point:
    """What a visitor's search has found so far; it lies in the session."""

    model: str
    space: str
    latents: torch.Tensor
    label: int | None
    target: Image.Image


Shown = tuple[Point | None, str, str | Update, str]  # the session's, the pictures as HTML, a link, and a sentence


def can_find(pipe: GANPipeline) -> bool:
    """Whether a model has latents that are pictures by themselves."""
    return not isinstance(pipe.unwrapped_generator, SegmentationConditional)


def load(model: object) -> GANPipeline:
    """The pipeline of an offered model that does not draw from maps; BadInputError for any other."""
    pipe = models.load(model)
    if not can_find(pipe):
        raise BadInputError("lacks_yours")
    return pipe


def space_for(pipe: GANPipeline) -> str:
    """Where pictures are looked for: in w where there is one, unless the model's concepts lie in z."""
    if not isinstance(pipe.unwrapped_generator, StyleBased):
        return "z"
    return "z" if any(concept.space == "z" for concept in pipe.concepts.values()) else "w"


# ---------------------------------------------------------------------------------------------- the search


def find(model: str, chosen: Chosen, request: gr.Request | None = None) -> Iterator[Shown]:
    """Look for the visitor's picture.

    Args:
        model: a model of this page
        chosen: the widget with the picture
        request: has the visitor's language

    Yields:
        The best so far, for the session; both pictures as HTML; the parameters of a link; a sentence.
    """
    pipe = load(model)
    with inputs.of("yours-picture"):
        picture = read_picture(chosen)
    yield from _results(model, pipe, picture, None, request)


def find_seed(model: str, seed: str, request: gr.Request | None = None) -> Iterator[Shown]:
    """Look for one of the model's own pictures.

    Args:
        model: a model of this page
        seed: of the picture
        request: has the visitor's language

    Yields:
        As `find`.
    """
    pipe = load(model)
    number = _seed(seed, "yours-seed")
    (picture,) = models.pil_images(pipe(seeds=[number]))
    yield from _results(model, pipe, picture, number, request)


def find_file(model: str, uri: str) -> tuple[str, Inversion, str | None]:
    """Look for a picture to the end: the path of a PNG of what was found, the result, and the name of its class."""
    pipe = load(model)
    picture = read_picture({"picture": uri})
    result = invert(pipe, picture, space=space_for(pipe), steps=STEPS)
    label = None if result.label is None or pipe.label_names is None else pipe.label_names[result.label]
    path = image_files.new_folder() / f"{image_files.file_name(model, 'found')}.png"
    save_png(result.image, path, model=model, label=label, levels=f"{result.levels:.2f}")
    return str(path), result, label


def _results(
    model: str, pipe: GANPipeline, picture: Image.Image, seed: int | None, request: gr.Request | None
) -> Iterator[Shown]:
    link = "?" + urlencode({"tab": "yours", "model": model} | ({} if seed is None else {"seed": seed}))
    results = search(pipe, picture, space=space_for(pipe), steps=STEPS, every=EVERY)
    for result in in_slices(results, request, MAX_SECONDS):
        point = Point(model, result.space, result.latents, result.label, result.target)
        yield point, _pair(result.target, result.image, "yours_found", request), link, _sentence(result, request)


def _sentence(result: Inversion, request: gr.Request | None) -> str:
    """How near the search is, in words."""
    levels = f"{result.levels:.1f}".replace(".", translate(request, "decimal_point"))
    if result.step < result.steps:
        return translate(request, "yours_step", step=result.step, steps=result.steps, levels=levels)
    key = next((key for most, key in WORDS if result.levels < most), "yours_stranger")
    return translate(request, key, levels=levels)


def _pair(target: Image.Image, image: Image.Image, key: str, request: gr.Request | None) -> str:
    """The target and what the model draws, side by side."""
    figures = [
        f"<figure>{image_files.img_tag(picture, words)}<figcaption>{html.escape(words)}</figcaption></figure>"
        for picture, words in ((target, translate(request, "yours_target")), (image, translate(request, key)))
    ]
    return f'<div class="yours-pair">{"".join(figures)}</div>'


def _seed(value: object, element: str) -> int:
    with inputs.of(element):
        return inputs.seeds(value, most=1)[0]


# ------------------------------------------------------------------------------------- what was found, moved


def change(
    point: Point | None,
    concept: str,
    strength: float,
    goal: str,
    share: float,
    request: gr.Request | None = None,
) -> tuple[str, str]:
    """Move what was found along a concept and towards another picture.

    Args:
        point: the session's.
        concept: a concept of its model, or "none".
        strength: how far, from -2 to 2.
        goal: the seed of the other picture.
        share: of the way to it, from 0 to 1.
        request: has the visitor's language.

    Returns:
        Both pictures as HTML, and a sentence.

    Raises:
        BadInputError: nothing was found yet, or something is not allowed.
    """
    if not isinstance(point, Point):
        raise BadInputError("yours_first")
    pipe = load(point.model)
    name = inputs.concept(concept, list(pipe.concepts))
    amount = inputs.number(strength, -MAX_STRENGTH, MAX_STRENGTH, translate(request, "strength"))
    way = inputs.number(share, 0, 1, translate(request, "yours_walk"))
    seed = _seed(goal, "yours-goal")
    image = _moved(pipe, point, {name: amount} if name else {}, seed, way)
    is_moved = way > 0 or (name is not None and amount != 0)
    words = [f"{name} {amount:g}".replace("-", "−")] if name and amount else []
    words += [translate(request, "yours_moved", share=f"{round(100 * way)} %", seed=seed)] if way else []
    return _pair(point.target, image, "yours_changed" if is_moved else "yours_found", request), " · ".join(words)


def _moved(pipe: GANPipeline, point: Point, strengths: dict[str, float], seed: int, way: float) -> Image.Image:
    """The picture of the moved latent; its class stays."""
    z = pipe.sample_latents([seed])
    if point.space == "z":
        latents = slerp(point.latents, z, way)
        (image,) = models.pil_images(pipe(latents=latents, labels=point.label, concepts=strengths))
        return image
    w = lerp(point.latents, pipe.map(z, labels=point.label), way)
    known = directions.by_name(pipe.concepts, pipe.unwrapped_generator.latent_sizes)
    images: Any = pipe.synthesize(w + directions.shifts(known, strengths).get("w", 0))
    return images[0]


# ------------------------------------------------------------------------------------ links and the model


def fill(model: str, link: dict[str, str], request: gr.Request | None = None) -> list[Any]:
    """Fill the form from a link.

    Args:
        model: the model.
        link: the parameters of the link that are this tab's.
        request: has the visitor's language.

    Returns:
        The seed of the model's own picture.
    """
    return [str(_seed(link["seed"], "yours-seed")) if "seed" in link else FIRST_SEED]


def draw(
    model: str, seed: str, request: gr.Request | None = None
) -> tuple[Chosen, Update, Update, Point | None, str, str, str]:
    """Show the chosen model, with one of its own pictures to be looked for.

    Args:
        model: the model.
        seed: of that picture.
        request: has the visitor's language.

    Returns:
        The empty widget, the updates of the picker of a concept and of its strength, nothing found, the model's own picture as
        HTML, the parameters of a link, and a sentence.
    """
    pipe, number = load(model), _seed(seed, "yours-seed")
    size = height_width(pipe.unwrapped_generator.config["resolution"])
    space = space_for(pipe)
    names = [name for name, concept in pipe.concepts.items() if concept.space == space]
    (picture,) = models.pil_images(pipe(seeds=[number]))
    caption = html.escape(translate(request, "yours_target"))
    figure = (
        f'<div class="yours-pair"><figure>{image_files.img_tag(picture, caption)}<figcaption>{caption}</figcaption>'
    )
    link = "?" + urlencode({"tab": "yours", "model": model, "seed": number})
    return (
        widget(size, request),
        concept_update(names),
        gr.update(value=0, visible=bool(names)),
        None,
        figure + "</figure></div>",
        link,
        translate(request, "yours_empty"),
    )

"""Seeds → a grid of pictures, to look at, download, vary, keep and link to."""

import secrets
from typing import Any
from urllib.parse import urlencode

import gradio as gr
import torch
from PIL import Image

from gan_hub import latents
from gan_hub.demo import image_files, inputs, models, showcase
from gan_hub.demo.answers import remembered
from gan_hub.demo.components import MAX_STRENGTH, Update, class_update, concept_sliders_update, kept_class
from gan_hub.demo.inputs import OWN
from gan_hub.demo.texts import translate
from gan_hub.latents import format_seeds
from gan_hub.model_folder.segmentations import colorize
from gan_hub.pipeline import GANOutput, GANPipeline
from gan_hub.pipeline.styled import NOISES

FIRST_SEEDS, FIRST_TRUNCATION, FIRST_COUNT = "0-15", 1.0, 16
MAX_IMAGES = 64  # at a time
LINK_KEYS = ("seeds", "label", "truncation", "concepts", "chosen", "noise")
OLD_LINK_KEYS = ("concept", "strength")  # of one concept
RANDOM_BELOW = 1_000_000  # new seeds stay short enough to read out
SEEDS = 2**32
OWN_NOISE = NOISES[0]  # the network's own, with which a model draws unless it is told otherwise
VARIATIONS, VARIATION_AMOUNT = 8, 0.3  # how many, and how far each goes on the arc to another latent

Item = dict[str, Any]  # a picture of the grid, see `components.picture_grid`
Sample = tuple[list[Item], str, int, str]  # pictures, link, their number, and a sentence


def sample(
    model: str,
    seeds: str,
    label: str,
    truncation: float,
    concepts: str = "",
    noise: str = OWN_NOISE,
    request: gr.Request | None = None,
) -> Sample:
    """Draw one picture a seed. The same seed gives the same picture, in any selection and on any day.

    Args:
        model: a model of this page, for example dcgan-fashion-mnist
        seeds: whole numbers and ranges, for example "0-15" or "3, 14, 15"; at most 64
        label: the name of a class, or "own" for each seed's own
        truncation: 1 for full variety, less for more typical pictures, 0 for the average
        concepts: concepts of the model that all pictures are moved along, "brightness=1.5,ginger=-0.5"; from -2 to 2
        noise: of the pixels, for a model that has it: "const", the network's own, "random", each seed's own, or "none"
        request: has the visitor's language

    Returns:
        the pictures (PNG in data URIs, original size), the parameters of a link to them, their number, a sentence
    """
    with inputs.of("sample-seeds"):
        numbers = inputs.seeds(seeds, most=MAX_IMAGES)
    psi, pipe = inputs.number(truncation, 0, 1, translate(request, "truncation")), models.load(model)
    name = inputs.class_name(label, pipe.label_names)
    moved, pixels = _strengths(concepts, pipe, request), _noise(noise, pipe, request)
    out = pipe(seeds=numbers, labels=name, truncation=psi, concepts=moved, noise=pixels)
    fields = _fields(psi, moved, pixels)
    items = _items(model, pipe, out, numbers, fields, request)

    count = translate(request, "drawn_1" if len(numbers) == 1 else "drawn_n", count=len(numbers))
    status = [count, *([showcase.class_title(name, request)] if name else [])]
    status += [f"{translate(request, 'truncation')} {psi:g}"]
    status += [
        f"{showcase.concept_title(each, request)} {amount:g}".replace("-", "−") for each, amount in moved.items()
    ]
    status += [translate(request, f"status_noise_{pixels}")] if pixels else []
    return items, _link(model, numbers, name, psi, moved, pixels), len(numbers), " · ".join(status)


def _strengths(concepts: object, pipe: GANPipeline, request: gr.Request | None) -> dict[str, float]:
    with inputs.of("sample-concepts"):
        return inputs.strengths(concepts, list(pipe.concepts), MAX_STRENGTH, translate(request, "strength"))


def _noise(noise: object, pipe: GANPipeline, request: gr.Request | None) -> str | None:
    """The noise to draw with where it is not the network's own, which is left out of links and recipes."""
    with inputs.of("sample-noise"):
        chosen = inputs.choice(noise or OWN_NOISE, NOISES, translate(request, "noise"))
        if chosen != OWN_NOISE and not models.has_noise(pipe):
            raise inputs.BadInputError("bad_noise")
    return None if chosen == OWN_NOISE else chosen


def one_concept(model: str, concept: object, strength: object, request: gr.Request | None = None) -> str:
    """A concept and its strength, as older links and calls give them, in the form that `sample` takes.

    Args:
        model: the model.
        concept: one of its concepts, or "none".
        strength: how far, from -2 to 2.
        request: has the visitor's language.

    Returns:
        The text; empty for no concept.

    Raises:
        BadInputError: for another concept or strength.
    """
    name = inputs.concept(concept, list(models.concepts(model)))
    amount = inputs.number(strength, -MAX_STRENGTH, MAX_STRENGTH, translate(request, "strength"))
    return inputs.written_strengths({name: amount}) if name else ""


def _fields(psi: float, moved: dict[str, float], noise: str | None) -> dict[str, object]:
    return {"truncation": psi, "concepts": inputs.written_strengths(moved) or None, "noise": noise}


def _items(
    model: str,
    pipe: GANPipeline,
    out: GANOutput,
    seeds: list[int],
    fields: dict[str, object],
    request: gr.Request | None,
) -> list[Item]:
    """The pictures of the grid: with the map that each was drawn from, where the model draws from maps."""
    images, classes = models.pil_images(out), models.drawn_classes(pipe, out)
    recipe = models.recipe(model, **fields)
    maps = [None] * len(images) if out.segmentations is None else colorize(out.segmentations)
    items = []
    for image, seed, class_name, its_map in zip(images, seeds, classes, maps, strict=True):
        caption = translate(request, "seed_n", seed=seed)
        caption += f" · {showcase.class_title(class_name, request)}" if class_name else ""
        uri = image_files.png_uri(image, **recipe, seed=seed, label=class_name)
        item = {"src": uri, "alt": caption, "caption": caption, "seed": seed, "model": model}
        item["label"] = class_name
        item["file"] = image_files.file_name(model, "seed", seed, class_name or "").strip("-")
        items.append(item | ({"map": _small_map(its_map)} if its_map is not None else {}))
    return items


def _small_map(picture: Image.Image) -> str:
    return image_files.data_uri(picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=16))


def _link(
    model: str, seeds: list[int], label: str | None, psi: float, moved: dict[str, float], noise: str | None
) -> str:
    values = {"tab": "sample", "model": model, "seeds": format_seeds(seeds).replace(" ", ""), "truncation": f"{psi:g}"}
    values |= {"label": label} if label else {}
    values |= {"concepts": inputs.written_strengths(moved)} if moved else {}
    values |= {"noise": noise} if noise else {}
    return "?" + urlencode(values, safe=",")


# ------------------------------------------------------------------------------------------------ new seeds


def reroll(
    model: str,
    count: float,
    label: str,
    truncation: float,
    concepts: str,
    noise: str = OWN_NOISE,
    request: gr.Request | None = None,
) -> tuple[str, list[Item], str, int, str]:
    """So many pictures of new seeds, in a row from a random one.

    Args:
        model, label, truncation, concepts, noise: the form, as in `sample`.
        count: how many.
        request: has the visitor's language.

    Returns:
        Their seeds, and what `sample` returns.
    """
    number = inputs.integer(count, 1, MAX_IMAGES, translate(request, "count"))
    first = secrets.randbelow(RANDOM_BELOW - number)
    drawn = format_seeds(range(first, first + number))
    return drawn, *sample(model, drawn, label, truncation, concepts, noise, request)


def resize(
    model: str,
    count: float,
    seeds: str,
    label: str,
    truncation: float,
    concepts: str,
    noise: str = OWN_NOISE,
    request: gr.Request | None = None,
) -> tuple[str, list[Item], str, str]:
    """As many pictures as the slider says: the first of those that are there, and those of the seeds that follow.

    Args:
        model, seeds, label, truncation, concepts, noise: the form, as in `sample`.
        count: how many.
        request: has the visitor's language.

    Returns:
        Their seeds, and what `sample` returns but for their number, which a finger may be moving on.
    """
    number = inputs.integer(count, 1, MAX_IMAGES, translate(request, "count"))
    resized = format_seeds(resized_seeds(seeds, number))
    items, link, _, sentence = sample(model, resized, label, truncation, concepts, noise, request)
    return resized, items, link, sentence


def resized_seeds(seeds: str, count: int) -> list[int]:
    """The first seeds of a list, and beyond its end those that follow the last one; from 0 where the text is no list."""
    try:
        numbers = inputs.seeds(seeds, most=MAX_IMAGES)[:count]
    except inputs.BadInputError:
        return list(range(count))
    taken, following = set(numbers), numbers[-1]
    while len(numbers) < count:
        following = (following + 1) % SEEDS
        if following not in taken:
            numbers.append(following)
    return numbers


# ------------------------------------------------------------------------------------------------ variations


def vary(
    model: str,
    truncation: float,
    concepts: str,
    noise: str,
    event: gr.EventData,
    request: gr.Request | None = None,
) -> tuple[dict[str, Any], str]:
    """Pictures near one: each a part of the way from its latent to another random one, of the same class and map.

    Args:
        model, truncation, concepts, noise: the form, as in `sample`.
        event: its `seed` is the picture's, its `label` the class.
        request: has the visitor's language.

    Returns:
        The variations for the large view, with the seed that they are of; and no sentence.
    """
    sent = getattr(event, "_data", None) or {}
    with inputs.of("sample-seeds"):
        seed = inputs.integer(sent.get("seed"), 0, SEEDS - 1, translate(request, "seeds"))
    psi, pipe = inputs.number(truncation, 0, 1, translate(request, "truncation")), models.load(model)
    label = inputs.class_name(sent.get("label") or OWN, pipe.label_names)
    moved, pixels = _strengths(concepts, pipe, request), _noise(noise, pipe, request)
    others = [(seed + number) % SEEDS for number in range(1, VARIATIONS + 1)]
    z = pipe.sample_latents([seed, *others])
    near = torch.stack([latents.slerp(z[0], other, VARIATION_AMOUNT) for other in z[1:]])
    base = pipe(latents=z[:1], labels=label)
    label = models.drawn_classes(pipe, base)[0]
    shared = {"labels": label, "truncation": psi, "concepts": moved, "noise": pixels}
    out = pipe(latents=near, segmentation=models.first_map(base), **shared)
    recipe = models.recipe(model, seed=seed, label=label, amount=VARIATION_AMOUNT, **_fields(psi, moved, pixels))
    items = []
    for number, (image, other) in enumerate(zip(models.pil_images(out), others, strict=True), 1):
        caption = translate(request, "variation_n", number=number, seed=seed)
        stem = image_files.file_name(model, "seed", seed, "variation", number)
        uri = image_files.png_uri(image, **recipe, towards=other)
        items.append({"src": uri, "alt": caption, "caption": caption, "model": model, "file": stem})
    return {"seed": seed, "items": items}, ""


# -------------------------------------------------------------------------------------- links and the model


def fill(model: str, link: dict[str, str], request: gr.Request | None = None) -> list[Any]:
    """The form as a link fills it.

    Args:
        model: the model.
        link: the parameters of the link; what it does not say keeps its default.
        request: has the visitor's language.

    Returns:
        A value for each of the LINK_KEYS.

    Raises:
        BadInputError: for what is wrong in the link.
    """
    seeds = format_seeds(inputs.seeds(link["seeds"], most=MAX_IMAGES)) if "seeds" in link else FIRST_SEEDS
    label = inputs.class_name(link.get("label"), models.class_names(model)) or OWN
    psi = FIRST_TRUNCATION
    if "truncation" in link:
        psi = inputs.number(inputs.as_number(link["truncation"]), 0, 1, translate(request, "truncation"))
    moved = one_concept(model, link.get("concept"), inputs.as_number(link.get("strength", 1)), request)
    if not moved:
        strengths = inputs.strengths(
            link.get("concepts"), list(models.concepts(model)), MAX_STRENGTH, translate(request, "strength")
        )
        moved = inputs.written_strengths(strengths)
    chosen = link.get("chosen", "")
    if chosen:
        chosen = str(inputs.seeds(chosen, most=1)[0])
    noise = _noise(link.get("noise"), models.load(model), request) or OWN_NOISE
    return [seeds, label, psi, moved, chosen, noise]


@remembered
def draw(
    model: str,
    seeds: str,
    label: str,
    truncation: float,
    concepts: str = "",
    chosen: str = "",
    noise: str = OWN_NOISE,
    request: gr.Request | None = None,
) -> tuple[Update, Update, Update, str, list[Item], str, int, str]:
    """The grid of the chosen model.

    Args:
        model: the model.
        seeds, truncation: the form, as in `sample`.
        label, concepts, noise: likewise; kept as far as the model has them.
        chosen: the seed of the picture that a link shows large, or an empty text.
        request: has the visitor's language.

    Returns:
        The updates of the class picker, the sliders of the concepts and the choice of noise, an empty choice, and what `sample`
        returns.
    """
    names = models.class_names(model)
    kept = kept_class(names, label)
    sliders = concept_sliders_update(list(models.concepts(model)), concepts, request)
    pixels = noise if models.has_noise(models.load(model)) else OWN_NOISE
    items, link, count, sentence = sample(model, seeds, kept, truncation, sliders["value"], pixels, request)
    for item in items:
        if str(item["seed"]) == chosen:
            item["chosen"] = True
            link += f"&chosen={chosen}"
            break
    choice = gr.update(value=pixels, visible=models.has_noise(models.load(model)))
    return class_update(names, "own", kept, request), sliders, choice, "", items, link, count, sentence

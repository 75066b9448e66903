"""Seeds → a gallery of pictures, to look at, download and link to."""

import html
import secrets
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import gradio as gr
from PIL import Image

from gan_hub.demo import image_files, inputs, models
from gan_hub.demo.answers import remembered
from gan_hub.demo.components import Update, class_update, concept_update, kept_class
from gan_hub.demo.inputs import NONE, OWN
from gan_hub.demo.texts import translate
from gan_hub.images import grid, save_png
from gan_hub.latents import format_seeds

FIRST_SEEDS, FIRST_TRUNCATION, FIRST_STRENGTH = "0-15", 1.0, 1.0
MAX_STRENGTH = 2  # beyond, pictures fall apart
MAX_IMAGES = 64  # at a time
LINK_KEYS = ("seeds", "label", "truncation", "concept", "strength")
RANDOM_BELOW = 1_000_000  # new seeds stay short enough to read out

Gallery = list[tuple[str, str]]  # (file, caption) of each picture
Sample = tuple[Gallery, str, str, Gallery, str]  # pictures, link, zip, the pictures for the session, and a sentence


def sample(
    model: str,
    seeds: str,
    label: str,
    truncation: float,
    concept: str = NONE,
    strength: float = FIRST_STRENGTH,
    request: gr.Request | None = None,
) -> Sample:
    """Draw one picture a seed. The same seed gives the same picture, in any selection and on any day.

    Args:
        model: a model of this page, for example dcgan-fashion-mnist
        seeds: whole numbers and ranges, for example "0-15" or "3, 14, 15"; at most 64
        label: the name of a class, or "own" for each seed's own
        truncation: 1 for full variety, less for more typical pictures, 0 for the average
        concept: a concept of the model that all pictures are moved along, or "none"
        strength: how far, from -2 to 2; below 0 to its opposite
        request: has the visitor's language

    Returns:
        the gallery (PNG, original size), the parameters of a link to it, a zip of everything, the gallery again, a sentence
    """
    with inputs.of("sample-seeds"):
        numbers = inputs.seeds(seeds, most=MAX_IMAGES)
    psi = inputs.number(truncation, 0, 1, translate(request, "truncation"))
    pipe = models.load(model)
    name = inputs.class_name(label, pipe.label_names)
    moved_by = inputs.concept(concept, list(pipe.concepts))
    amount = inputs.number(strength, -MAX_STRENGTH, MAX_STRENGTH, translate(request, "strength"))
    out = pipe(seeds=numbers, labels=name, truncation=psi, concepts={moved_by: amount} if moved_by else {})
    images, classes = models.pil_images(out), models.drawn_classes(pipe, out)

    fields = {"truncation": psi, "concept": f"{moved_by}={amount:g}" if moved_by else None}
    folder, gallery = image_files.new_folder(), []
    for place, (image, seed, class_name) in enumerate(zip(images, numbers, classes, strict=True)):
        caption = translate(request, "seed_n", seed=seed) + (f" · {class_name}" if class_name else "")
        stem = image_files.file_name(model, f"{place:02d}", "seed", seed, class_name or "").strip("-")
        path = folder / f"{stem}.png"
        save_png(image, path, model=model, seed=seed, label=class_name, **fields)
        gallery.append((str(path), caption))
    save_png(grid(images, 8), folder / "grid.png", model=model, seeds=format_seeds(numbers), **fields)

    count = translate(request, "drawn_1" if len(numbers) == 1 else "drawn_n", count=len(numbers))
    status = [count, *([name] if name else []), f"{translate(request, 'truncation')} {psi:g}"]
    status += [f"{moved_by} {amount:g}".replace("-", "−")] if moved_by else []
    link = _link(model, numbers, name, psi, moved_by, amount)
    return gallery, link, str(_zip(folder, model)), gallery, " · ".join(status)


def _zip(folder: Path, model: str) -> Path:
    archive = folder / f"{image_files.file_name(model)}.zip"
    with zipfile.ZipFile(archive, "w") as file:  # stored, not deflated: PNG is compressed already
        for path in sorted(folder.glob("*.png")):
            file.write(path, path.name)
    return archive


def _link(
    model: str, seeds: list[int], label: str | None, truncation: float, concept: str | None, strength: float
) -> str:
    values = {
        "tab": "sample",
        "model": model,
        "seeds": format_seeds(seeds).replace(" ", ""),
        "truncation": f"{truncation:g}",
    }
    values |= {"label": label} if label else {}
    values |= {"concept": concept, "strength": f"{strength:g}"} if concept else {}
    return "?" + urlencode(values, safe=",")


def reroll(
    model: str,
    seeds: str,
    label: str,
    truncation: float,
    concept: str,
    strength: float,
    request: gr.Request | None = None,
) -> tuple[str, Gallery, str, str, Gallery, str]:
    """As many new pictures as there were: their seeds, and what `sample` returns; the other arguments are the form's."""
    drawn = new_seeds(seeds)
    return drawn, *sample(model, drawn, label, truncation, concept, strength, request)


def new_seeds(seeds: str) -> str:
    """As many new seeds as there were, in a row; 16 where the text was no list of seeds."""
    try:
        count = len(inputs.seeds(seeds, most=MAX_IMAGES))
    except inputs.BadInputError:
        count = 16
    first = secrets.randbelow(RANDOM_BELOW - count)
    return format_seeds(range(first, first + count))


# ----------------------------------------------------------------------------------------- the large picture


def select_image(gallery: Gallery, event: gr.SelectData, request: gr.Request | None = None) -> tuple[str, str, str]:
    """The clicked picture, large, and as a file.

    Args:
        gallery: the session's pictures.
        event: which of them was clicked.
        request: has the visitor's language.

    Returns:
        HTML, the path of the PNG, and no sentence.
    """
    return *_selected(gallery, inputs.position(event.index, len(gallery or []))), ""


def select_first_image(gallery: Gallery) -> tuple[str | Update, str | Update]:
    """The first picture of a new gallery, large and as a file; no change without pictures."""
    return _selected(gallery, 0) if gallery else (gr.skip(), gr.skip())


def _selected(gallery: Gallery, place: int) -> tuple[str, str]:
    path, caption = gallery[place]
    if not Path(path).is_file():
        raise inputs.BadInputError("gone")
    with Image.open(path) as image:
        figure = (
            f"<figure>{image_files.img_tag(image, caption)}<figcaption>{html.escape(caption)}</figcaption></figure>"
        )
    return figure, path


# -------------------------------------------------------------------------------------- links and the model


def fill(model: str, link: dict[str, str], request: gr.Request | None = None) -> list[Any]:
    """The form as a link fills it; what the link does not say keeps its default. Raises BadInputError for what is wrong."""
    seeds = format_seeds(inputs.seeds(link["seeds"], most=MAX_IMAGES)) if "seeds" in link else FIRST_SEEDS
    label = inputs.class_name(link.get("label"), models.class_names(model)) or OWN
    psi = _number(link, "truncation", 0, 1, FIRST_TRUNCATION, request)
    concept = inputs.concept(link.get("concept"), list(models.concepts(model))) or NONE
    strength = _number(link, "strength", -MAX_STRENGTH, MAX_STRENGTH, FIRST_STRENGTH, request)
    return [seeds, label, psi, concept, strength]


def _number(
    link: dict[str, str], key: str, least: float, most: float, default: float, request: gr.Request | None
) -> float:
    return inputs.number(inputs.as_number(link[key]), least, most, translate(request, key)) if key in link else default


@remembered
def draw(
    model: str,
    seeds: str,
    label: str,
    truncation: float,
    concept: str = NONE,
    strength: float = FIRST_STRENGTH,
    request: gr.Request | None = None,
) -> tuple[Update, Update, Update, Gallery, str, str, Gallery, str]:
    """The gallery of the chosen model.

    Args:
        model: the model.
        seeds, truncation, strength: the form, as in `sample`.
        label, concept: likewise; kept if the model has them, else "own" and "none".
        request: has the visitor's language.

    Returns:
        The updates of the pickers of class and concept and of the strength, and what `sample` returns.
    """
    names = models.class_names(model)
    kept = kept_class(names, label)
    updates = _concept_updates(model, concept, strength)
    drawn = sample(model, seeds, kept, truncation, updates[0]["value"], strength, request)
    return class_update(names, "own", kept), *updates, *drawn


def _concept_updates(model: str | None, concept: object, strength: object) -> tuple[Update, Update]:
    """Picker and slider of a model's concepts, both hidden where it has none."""
    names = list(models.concepts(model))
    return concept_update(names, concept), gr.update(value=strength, visible=bool(names))

"""The picker of a model: cards with a strip of pictures, a name for people and the training time; and the moving opening."""

import base64
import concurrent.futures
import functools
import io
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from gan_hub import latents
from gan_hub.demo import models, sanitize, showcase
from gan_hub.demo.components import Update
from gan_hub.demo.guests import GUESTS
from gan_hub.demo.texts import LANGUAGES, TEXTS, t, translate
from gan_hub.images import height_width
from gan_hub.model_folder.strict import LoadError, parse_json, read_bytes

SHEET_PADDING = 2  # white pixels between the pictures of samples.png
MAX_SHEET_BYTES, MAX_SHEET_PIXELS = 4_000_000, 4_000_000  # of a samples.png that is looked into
GUEST_SECONDS = 5.0  # that a visitor's own model has for the pictures of its card
STRIP_SIDE = 96  # pixels, of a picture in a strip: larger ones are made smaller
STRIP_QUALITY, WALK_QUALITY = 90, 85  # of WebP; they are ornaments, and the pictures themselves are PNG
WALKS = 3  # that move in the opening
STOPS = (0, 3, 1)  # of a walk, among the model's best pictures; the next walk begins one further
WALK_SIDE = 128  # pixels
FRAMES, FRAMES_OF_LARGE = 48, 24  # of a walk, up to 64 pixels and beyond


# ------------------------------------------------------------------------------------------------- the cards


def cards() -> list[dict[str, Any]]:
    """What the browser shows of each offered model, in the order of the showcase.

    Returns:
        For each: `name`; `title`, `line` and `time` by language; `art`, whether it stands in the first row; and `strip`, a data
        URI of a row of square pictures, with their number as `tiles`. The strip is empty until it has been drawn.
    """
    return [_card(name) for name in showcase.in_order(models.offered_models())]


def choice(name: str) -> "str | Update":
    """What the picker shows for a chosen model: of a visitor's own, with a card for it beside the others."""
    if GUESTS.find(name) is None:
        return name
    return gr.update(value=name, cards=[_card(name), *cards()])


def _card(name: str) -> dict[str, Any]:
    source = models.offered_models().get(name) or models.load(name).name_or_path
    strip, count = _strip(name, source) or ("", 0)
    return {
        "name": name,
        "title": showcase.titles(name),
        "line": showcase.lines(name),
        "time": _training_time(source),
        "art": showcase.is_art(name),
        "strip": strip,
        "tiles": count,
    }


@functools.lru_cache(maxsize=64)
def _training_time(source: str) -> dict[str, str]:
    """How long a model was trained, by its card; empty texts where it does not say."""
    training = sanitize.training_time(Path(source)) if os.path.isdir(source) else None
    if training is None:
        return dict.fromkeys(LANGUAGES, "")
    minutes, hardware = training
    key = "trained_on_cpu" if hardware is None else "trained_on_gpu"
    return {chosen: TEXTS[chosen][key].format(minutes=minutes, hardware=hardware) for chosen in LANGUAGES}


# ------------------------------------------------------------------------------------------------ the strips


def _strip(name: str, source: str) -> tuple[str, int] | None:
    """A model's strip and how many pictures it has: out of its samples.png, else drawn in the background; None until then."""
    pictures = _tiles_of_sheet(source, showcase.tiles(name)) if name in showcase.EXHIBITS else None
    if pictures:
        return pictures
    future = _strip_in_background(name, source)
    if name not in models.offered_models():  # a small one, whose visitor waits for its card
        concurrent.futures.wait([future], GUEST_SECONDS)
    return future.result() if future.done() and future.exception() is None else None


@functools.lru_cache(maxsize=32)
def _strip_in_background(name: str, source: str) -> "Future[tuple[str, int]]":
    """Draw a model's first pictures in a thread, so that the page need not wait for them. Starts once a model."""
    future: Future[tuple[str, int]] = Future()

    def draw() -> None:
        try:
            images = models.pil_images(models.load(name)(seeds=showcase.FIRST_TILES))
            future.set_result((_as_strip(images), len(images)))
        except Exception as error:  # of a damaged model; its tabs say so
            future.set_exception(error)

    threading.Thread(target=draw, daemon=True, name=f"strip of {source}").start()
    return future


@functools.lru_cache(maxsize=64)
def _tiles_of_sheet(source: str, places: Sequence[int]) -> tuple[str, int] | None:
    """Pictures of the sheet that lies beside a model; None where there is none, or it is not what training writes."""
    folder = Path(os.path.expanduser(source))
    try:
        path = sanitize.path_inside(folder, "config.json")
        height, width = height_width(parse_json(path, read_bytes(path, MAX_SHEET_BYTES))["resolution"])
        scale = 2 if max(height, width) < 64 else 1  # as training lays them out
        height, width = scale * height, scale * width
        data = read_bytes(sanitize.path_inside(folder, "samples.png"), MAX_SHEET_BYTES)
        sheet = Image.open(io.BytesIO(data), formats=["PNG"])
        if sheet.width * sheet.height > MAX_SHEET_PIXELS:
            return None
        columns = (sheet.width + SHEET_PADDING) // (width + SHEET_PADDING)
        rows = (sheet.height + SHEET_PADDING) // (height + SHEET_PADDING)
        corners = [
            ((place % columns) * (width + SHEET_PADDING), (place // columns) * (height + SHEET_PADDING))
            for place in places
            if place < rows * columns
        ]
        images = [sheet.crop((left, top, left + width, top + height)) for left, top in corners]
        return (_as_strip(images), len(images)) if images else None
    except (LoadError, OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return None


def _as_strip(images: Sequence[Image.Image]) -> str:
    return webp(_joined([_square(image, STRIP_SIDE) for image in images]), STRIP_QUALITY)


def _square(image: Image.Image, most: int) -> Image.Image:
    """The middle of a picture, on white, at most so large."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side)).convert("RGBA")
    white = Image.new("RGBA", square.size, "white")
    white.alpha_composite(square)
    flat = white.convert("RGB")
    return flat if side <= most else flat.resize((most, most), Image.Resampling.LANCZOS)


def _joined(images: Sequence[Image.Image], down: bool = False) -> Image.Image:
    side = images[0].width
    count = len(images)
    row = Image.new("RGB", (side, side * count) if down else (side * count, side))
    for place, image in enumerate(images):
        row.paste(image, (0, side * place) if down else (side * place, 0))
    return row


def webp(image: Image.Image, quality: int) -> str:
    """An ornament as a small, lossy WebP in a data URI; what visitors keep is PNG (`image_files.data_uri`)."""
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=quality, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


# ----------------------------------------------------------------------------------------------- the opening


def opening(model: str) -> dict[str, Any] | None:
    """Walks through a model's latents for the top of the page, drawn once a model.

    Args:
        model: the chosen model.

    Returns:
        `model`; and `walks`, each with `src`, a data URI of its frames one below the other, and their number as `frames`.
        None for what cannot be drawn: the tab says so.
    """
    try:
        source = models.offered_models().get(model) or models.load(model).name_or_path
        return {"model": model, "walks": _walks(model, source)}
    except (ValueError, KeyError, TypeError):
        return None


@functools.lru_cache(maxsize=32)
def _walks(name: str, source: str) -> list[dict[str, Any]]:
    """The walks of a model; `source` tells apart what had the same name at different times."""
    pipe, seeds = models.load(name), showcase.tiles(name)
    labels, made = pipe.label_names, []
    frames = FRAMES if max(height_width(pipe.unwrapped_generator.config["resolution"])) <= 64 else FRAMES_OF_LARGE
    for number in range(WALKS):
        stops = [seeds[(number + place) % len(seeds)] for place in STOPS]
        z = latents.interpolate(pipe.sample_latents([*stops, stops[0]]), frames + 1)[:-1]
        label = labels[seeds[number] % len(labels)] if labels else None
        shared_map = models.first_map(pipe(latents=z[:1], labels=label))
        images = models.pil_images(pipe(latents=z, labels=label, segmentation=shared_map))
        film = _joined([_square(image, WALK_SIDE) for image in images], down=True)
        made.append({"src": webp(film, WALK_QUALITY), "frames": frames})
    return made


# --------------------------------------------------------------------------------------------- the components


def model_picker() -> gr.HTML:
    """The cards. The value is the name of the chosen model; `input` is called when a visitor chooses another one."""
    return gr.HTML(
        models.default_model(),
        label=t("model"),
        html_template='<div class="cards"><div class="group" role="radiogroup" aria-label="{{label}}"></div></div>',
        js_on_load="ganHub.picker(element, props, trigger, watch);  // 'input'",
        elem_id="model",
        cards=cards(),
    )


def opening_pictures() -> gr.HTML:
    """The moving pictures at the top of the page; the browser shows those of the card until the walks have been drawn."""
    return gr.HTML(
        None,
        html_template='<div class="walks"></div>',
        js_on_load="ganHub.opening(element, props, watch);",
        elem_id="opening",
    )


def is_complete() -> bool:
    """Whether every card has its strip."""
    return all(card["strip"] for card in cards())


def cards_update() -> Update:
    """The cards anew, with strips that have been drawn and models that have arrived since the page was composed."""
    return gr.update(cards=cards())


def pending_status(request: gr.Request | None = None) -> tuple[str, Update, Update]:
    """The progress of a model that was not there when the page opened.

    Args:
        request: has the visitor's language.

    Returns:
        A sentence as HTML, the update of the picker, and that of the timer, which stops at the end.
    """
    source = os.environ.get(models.MODEL_VARIABLE, "")
    waiting = not models.load_in_background(source).done()
    name = sanitize.escape(models.display_name(source))
    key = "model_awaited" if waiting else "model_arrived" if models.is_available(source) else "model_missing"
    return translate(request, key, name=name), cards_update(), gr.update(active=waiting)

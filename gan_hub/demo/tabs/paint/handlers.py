"""A map of classes, painted in the browser → the picture that a model draws from it."""

import base64
import html
import io
import secrets
from typing import Any
from urllib.parse import urlencode

import gradio as gr
import numpy as np
from PIL import Image, PngImagePlugin

from gan_hub.demo import image_files, inputs, models
from gan_hub.demo.inputs import BadInputError
from gan_hub.demo.tabs.paint import palette
from gan_hub.demo.tabs.paint.maps import read_map, write_map
from gan_hub.demo.texts import translate
from gan_hub.images import height_width
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.pipeline import GANPipeline

FIRST_SEED = "1"
LINK_KEYS = ("seed", "map")
MAX_MAP_IN_LINK = 2500  # characters; the page reads 4,000 of an address, and messengers cut longer ones
RANDOM_BELOW = 1_000_000  # new seeds stay short enough to read out
TOOLS = ("brush", "rectangle", "fill")
WORDS = (*TOOLS, "undo", "redo", "clear", "brush_size", "palette", "tools", "help")  # of the canvas

Painted = dict[str, Any]  # the canvas: its map as text, and what the browser needs to show it
Drawn = tuple[str, str, str]  # the picture as HTML, the parameters of a link, and a sentence


def can_paint(pipe: GANPipeline) -> bool:
    """Whether a model draws from maps."""
    return isinstance(pipe.unwrapped_generator, SegmentationConditional)


def load(model: object) -> GANPipeline:
    """The pipeline of an offered model that draws from maps; BadInputError for any other."""
    pipe = models.load(model)
    if not can_paint(pipe):
        raise BadInputError("lacks_paint")
    return pipe


def size_and_classes(pipe: GANPipeline) -> tuple[tuple[int, int], int]:
    """(H, W) and the number of semantic classes."""
    config = pipe.unwrapped_generator.config
    return height_width(config["resolution"]), config["semantic_classes"]


def seed_map(pipe: GANPipeline, seed: int) -> np.ndarray:
    """The map uint8 (H, W) that a seed draws from by itself; all of class 0 where the model brought no maps along."""
    if pipe.segmentations is None:
        return np.zeros(size_and_classes(pipe)[0], np.uint8)
    cells = models.first_map(pipe(seeds=[seed], output_type="pt"))
    assert cells is not None  # the model draws from maps
    return cells.numpy()


def as_seed(value: object) -> int:
    """The one seed in the form's box."""
    with inputs.of("paint-seed"):
        return inputs.seeds(value, most=1)[0]


# --------------------------------------------------------------------------------------------- drawing


def paint(model: str, painted: Painted, seed: str, request: gr.Request | None = None) -> Drawn:
    """Draw the painted map.

    Args:
        model: a model of this page that draws from maps
        painted: the canvas
        seed: of the picture's light and colours
        request: has the visitor's language

    Returns:
        the picture as HTML with its downloads, the parameters of a link, a sentence
    """
    pipe = load(model)
    return _drawn(model, pipe, _map_of(painted, pipe), as_seed(seed), request)


def _map_of(painted: object, pipe: GANPipeline) -> np.ndarray:
    return read_map(painted.get("map") if isinstance(painted, dict) else None, *size_and_classes(pipe))


def _drawn(model: str, pipe: GANPipeline, cells: np.ndarray, seed: int, request: gr.Request | None) -> Drawn:
    (image,) = models.pil_images(pipe(seeds=[seed], segmentation=cells))
    stem, names = image_files.file_name(model, "painted", "seed", seed), palette.class_names(model, pipe)
    picture = _png(image, model=model, seed=seed, map=write_map(cells))
    links = [
        _download(picture, f"{stem}.png", translate(request, "paint_download")),
        _download(
            _png(_indexed(cells, names), model=model), f"{stem}-map.png", translate(request, "paint_download_map")
        ),
    ]
    figure = image_files.img_tag(image, translate(request, "paint_alt", seed=seed))
    return f'<figure class="painted">{figure}</figure>{"".join(links)}', *_link(model, pipe, cells, seed, request)


def _link(model: str, pipe: GANPipeline, cells: np.ndarray, seed: int, request: gr.Request | None) -> tuple[str, str]:
    """The parameters of a link, which holds a map that is short enough, and the sentence about it."""
    is_own = pipe.segmentations is not None and np.array_equal(cells, seed_map(pipe, seed))
    text = write_map(cells)
    fits = len(text) <= MAX_MAP_IN_LINK
    values = {"tab": "paint", "model": model, "seed": seed} | ({"map": text} if fits and not is_own else {})
    key = "paint_own" if is_own else "paint_yours" if fits else "paint_long"
    return "?" + urlencode(values, safe="~"), translate(request, key, seed=seed)


def paint_file(model: str, text: str, seed: str, request: gr.Request | None = None) -> tuple[str, str, str, str]:
    """Draw a map that is given as text; the seed's own for an empty one.

    Args:
        model: a model of this page that draws from maps.
        text: the map, see `maps`.
        seed: of the picture's light and colours.
        request: has the visitor's language.

    Returns:
        The path of a PNG, the map, the parameters of a link, a sentence.
    """
    pipe, number = load(model), as_seed(seed)
    cells = read_map(text, *size_and_classes(pipe)) if text else seed_map(pipe, number)
    (image,) = models.pil_images(pipe(seeds=[number], segmentation=cells))
    path = image_files.new_folder() / f"{image_files.file_name(model, 'painted', 'seed', number)}.png"
    path.write_bytes(_png(image, model=model, seed=number, map=write_map(cells)))
    return str(path), write_map(cells), *_link(model, pipe, cells, number, request)


def _indexed(cells: np.ndarray, names: list[str]) -> Image.Image:
    """A map as a picture of class numbers in their colours, which the pipeline takes as `segmentation`."""
    image = Image.fromarray(cells, "P")
    image.putpalette([level for color in palette.colors(names) for level in color])
    return image


def _png(image: Image.Image, **fields: object) -> bytes:
    """The bytes of a PNG with text fields that say how it was made."""
    info, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    for key, value in fields.items():
        info.add_text(key, str(value))
    image.save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def _download(content: bytes, name: str, text: str) -> str:
    """A link that saves a PNG, which lies in it."""
    uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return f'<a class="save" download="{html.escape(name, quote=True)}" href="{uri}">{html.escape(text)}</a>'


# ------------------------------------------------------------------------------------ maps to begin with


def from_seed(model: str, seed: str, request: gr.Request | None = None) -> tuple[Painted, str, str, str]:
    """Put a seed's own map on the canvas.

    Args:
        model, seed: as in `paint`.
        request: has the visitor's language.

    Returns:
        The canvas, and what `paint` returns.
    """
    pipe, number = load(model), as_seed(seed)
    cells = seed_map(pipe, number)
    drawn = _drawn(model, pipe, cells, number, request)
    sentence = translate(request, "paint_no_map") if pipe.segmentations is None else drawn[-1]
    return canvas(model, pipe, cells, request), *drawn[:-1], sentence


def reroll(model: str, painted: Painted, request: gr.Request | None = None) -> tuple[str, str, str, str]:
    """Draw the same map with a new seed.

    Args:
        model, painted: as in `paint`.
        request: has the visitor's language.

    Returns:
        The seed, and what `paint` returns.
    """
    seed = str(secrets.randbelow(RANDOM_BELOW))
    return seed, *paint(model, painted, seed, request)


def canvas(model: str, pipe: GANPipeline, cells: np.ndarray, request: gr.Request | None) -> Painted:
    """The canvas with a map on it.

    Args:
        model: the model's name on the page.
        pipe: its pipeline.
        cells: the map, uint8 (H, W).
        request: has the visitor's language.

    Returns:
        What the browser needs: the map as text, its size, the classes with titles and colours, and the words of the tools.
    """
    names = palette.class_names(model, pipe)
    chosen = zip(palette.titles(names, request), palette.colors(names), strict=True)
    return {
        "map": write_map(cells),
        "height": cells.shape[0],
        "width": cells.shape[1],
        "classes": [{"title": title, "color": list(color)} for title, color in chosen],
        "words": {word: translate(request, f"paint_{word}", size="{size}") for word in WORDS},
    }


# ------------------------------------------------------------------------------------ links and the model


def fill(model: str, link: dict[str, str], request: gr.Request | None = None) -> list[Any]:
    """Fill the form from a link.

    Args:
        model: the model.
        link: the parameters of the link that are this tab's.
        request: has the visitor's language.

    Returns:
        The seed, and the canvas with the map alone, which is empty for the seed's own.

    Raises:
        BadInputError: a parameter is not allowed.
    """
    seed = str(as_seed(link["seed"])) if "seed" in link else FIRST_SEED
    if "map" not in link:
        return [seed, {"map": ""}]
    pipe = load(model)
    return [seed, {"map": write_map(read_map(link["map"], *size_and_classes(pipe)))}]


def draw(
    model: str, seed: str, painted: Painted, request: gr.Request | None = None
) -> tuple[Painted, dict[str, Any], str, str, str]:
    """Show the chosen model.

    Args:
        model: the model.
        seed, painted: the form, as in `paint`; a map that is not one of this model gives way to that of the seed.
        request: has the visitor's language.

    Returns:
        The canvas, the update of the button for a new seed, and what `paint` returns.
    """
    pipe, number = load(model), as_seed(seed)
    try:
        cells = _map_of(painted, pipe)
    except BadInputError:
        cells = seed_map(pipe, number)
    uses_seed = pipe.unwrapped_generator.config.get("start") != "map"
    picture, link, sentence = _drawn(model, pipe, cells, number, request)
    sentence = sentence if uses_seed else translate(request, "paint_seed_unused")
    return canvas(model, pipe, cells, request), gr.update(visible=uses_seed), picture, link, sentence

"""Two pictures → the content of one in the style of the other, shown while it is painted."""

import base64
import functools
import html
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import gradio as gr
from PIL import Image

from gan_hub.demo import image_files, inputs, models
from gan_hub.demo.inputs import BadInputError
from gan_hub.demo.long_jobs import in_slices
from gan_hub.demo.own_picture import Chosen, read_picture, widget
from gan_hub.demo.tabs.style.patterns import PATTERNS, pattern
from gan_hub.demo.texts import translate
from gan_hub.images import normalize_pil, to_pil
from gan_hub.style_transfer import FeatureNetwork, Losses, load_features
from gan_hub.style_transfer.transfer import OPTIMIZERS, Objective, optimize, to_tensor

SIDE = 192  # pixels: 5 CPU seconds for all steps, with one thread of an EPYC; the cost grows with the square
STEPS, EVERY = 60, 3
MAX_SECONDS = 60  # of computing, for one picture
WEIGHTS = {"little": 8.0, "some": 30.0, "much": 100.0}
FIRST_CONTENT, FIRST_STYLE, FIRST_WEIGHT = "0", "0", "some"
OWN = "own"  # in place of a number: the visitor's own picture
LINK_KEYS = ("content", "style", "weight")
# Pictures with clear shapes, of the models that are here.
CONTENTS = (("r3gan-avatars-64", 5), ("r3gan-avatars-64", 24), ("r3gan-cats-64", 3), ("spade-facades", 1))
FALLBACK_SEEDS = (1, 2, 3, 4)  # of the page's first model, where none of those is here

Grid = list[dict[str, Any]]
Painted = tuple[str, str, str]  # the picture as HTML, the parameters of a link, and a sentence


# ------------------------------------------------------------------------------------------- what to choose from


def content_sources() -> list[tuple[str, int]]:
    """The models and seeds of the contents that are offered."""
    offered = models.offered_models()
    known = [(name, seed) for name, seed in CONTENTS if name in offered]
    return known or [(models.default_model() or "", seed) for seed in FALLBACK_SEEDS]


def content_picture(number: int) -> Image.Image:
    """One of the offered contents, enlarged to SIDE."""
    model, seed = content_sources()[number]
    return _content(model, seed).copy()


@functools.lru_cache(maxsize=16)
def _content(model: str, seed: int) -> Image.Image:
    (image,) = models.pil_images(models.load(model)(seeds=[seed]))
    return normalize_pil(image, 3).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def content_grid(chosen: str, request: gr.Request | None = None) -> Grid:
    """The contents as buttons, the chosen one pressed."""
    sources = enumerate(content_sources())
    tiles = [
        (f"{model}, {translate(request, 'seed_n', seed=seed)}", content_picture(number))
        for number, (model, seed) in sources
    ]
    return _grid(tiles, chosen)


def style_grid(chosen: str, request: gr.Request | None = None) -> Grid:
    """The styles as buttons, the chosen one pressed."""
    return _grid([(translate(request, f"style_{name}"), pattern(name, SIDE)) for name in PATTERNS], chosen)


def _grid(tiles: list[tuple[str, Image.Image]], chosen: str) -> Grid:
    return [
        {"src": image_files.data_uri(image), "alt": title, "caption": "", "pressed": str(number) == chosen}
        for number, (title, image) in enumerate(tiles)
    ]


def choose_content(event: gr.SelectData, request: gr.Request | None = None) -> tuple[str, Grid, str]:
    """The content that was clicked: its number, the buttons, and no sentence."""
    chosen = str(inputs.position(event.index, len(content_sources())))
    return chosen, content_grid(chosen, request), ""


def choose_style(event: gr.SelectData, request: gr.Request | None = None) -> tuple[str, Grid, str]:
    """The style that was clicked: its number, the buttons, and no sentence."""
    chosen = str(inputs.position(event.index, len(PATTERNS)))
    return chosen, style_grid(chosen, request), ""


def own_content(request: gr.Request | None = None) -> tuple[str, Grid, str]:
    """The visitor's own picture as content: "own", the buttons, and no sentence."""
    return OWN, content_grid(OWN, request), ""


def own_style(request: gr.Request | None = None) -> tuple[str, Grid, str]:
    """The visitor's own picture as style: "own", the buttons, and no sentence."""
    return OWN, style_grid(OWN, request), ""


# --------------------------------------------------------------------------------------------------- painting


def transfer(
    content: str,
    style: str,
    weight: str,
    own_content_picture: Chosen,
    own_style_picture: Chosen,
    request: gr.Request | None = None,
) -> Iterator[Painted]:
    """Paint the content in the style, and show it on the way.

    Args:
        content, style: the number of a picture that is offered, or "own".
        weight: "little", "some" or "much" style.
        own_content_picture, own_style_picture: the widgets with the visitor's own pictures.
        request: has the visitor's language.

    Yields:
        The picture so far as HTML, the parameters of a link, a sentence.
    """
    amount = WEIGHTS[inputs.choice(weight, list(WEIGHTS), translate(request, "style_weight"))]
    with inputs.of("style-own-content"):
        first = _chosen(content, len(content_sources()), own_content_picture, content_picture)
    with inputs.of("style-own-style"):
        second = _chosen(style, len(PATTERNS), own_style_picture, lambda number: pattern([*PATTERNS][number], SIDE))
    link = _link(content, style, weight)
    for step, image, _ in in_slices(steps_of(first, second, amount), request, MAX_SECONDS):
        key = "style_done" if step == STEPS else "style_step"
        yield _figure(image, step, request), link, translate(request, key, step=step, steps=STEPS)


def _chosen(number: object, count: int, own: Chosen, offered: Any) -> Image.Image:
    if number == OWN:
        return read_picture(own)
    if not isinstance(number, str) or not number.isascii() or not number.isdigit() or int(number[:3]) >= count:
        raise BadInputError("style_thin")
    return offered(int(number))


def steps_of(content: Image.Image, style: Image.Image, weight: float) -> Iterator[tuple[int, Image.Image, Losses]]:
    """The picture after every few steps.

    Args:
        content, style: the pictures.
        weight: of the style.

    Yields:
        The step, from EVERY to STEPS, the picture, and its losses.
    """
    start = to_tensor("content", content, SIDE)
    weights = {"content": 1.0, "style": weight, "variation": 1.0}
    objective = Objective(_features(), start, to_tensor("style", style, SIDE), weights)
    image = start.clone().requires_grad_()
    optimizer = OPTIMIZERS["lbfgs"]([image])
    for step in range(EVERY, STEPS + 1, EVERY):
        losses = optimize(optimizer, objective, image, EVERY)[-1]
        yield step, to_pil(image)[0], losses


@functools.cache
def _features() -> FeatureNetwork:
    return load_features("squeezenet")


def _figure(image: Image.Image, step: int, request: gr.Request | None) -> str:
    alt = translate(request, "style_result", step=step, steps=STEPS)
    figure = f'<figure class="styled">{image_files.img_tag(image, alt)}</figure>'
    if step < STEPS:
        return figure
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    uri = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    text = html.escape(translate(request, "style_download"))
    return f'{figure}<a class="save" download="gan_hub-style.png" href="{uri}">{text}</a>'


def _link(content: str, style: str, weight: str) -> str:
    """The parameters of a link; a picture of the visitor's own is in none."""
    values = {"tab": "style", "content": content, "style": style, "weight": weight}
    return "?" + urlencode({key: value for key, value in values.items() if value != OWN})


# --------------------------------------------------------------------------------------- links and the opening


def fill(model: str, link: dict[str, str], request: gr.Request | None = None) -> list[Any]:
    """Fill the form from a link.

    Args:
        model: not used: the tab is about no model.
        link: the parameters of the link that are this tab's.
        request: has the visitor's language.

    Returns:
        The numbers of content and style, and the weight.
    """
    content, style = link.get("content", FIRST_CONTENT), link.get("style", FIRST_STYLE)
    for number, count in ((content, len(content_sources())), (style, len(PATTERNS))):
        _chosen(number, count, {}, int)
    weight = inputs.choice(link.get("weight", FIRST_WEIGHT), list(WEIGHTS), translate(request, "style_weight"))
    return [content, style, weight]


def draw(
    content: str, style: str, weight: str, request: gr.Request | None = None
) -> tuple[Grid, Grid, Chosen, Chosen, str, str, str]:
    """Show the tab.

    Args:
        content, style, weight: the form.
        request: has the visitor's language.

    Returns:
        The buttons of both choices, the empty widgets of both, the content as it is, the parameters of a link, and a sentence.
    """
    own = widget((SIDE, SIDE), request)
    untouched = content_picture(int(content) if content != OWN else 0)
    figure, link = _figure(untouched, 0, request), _link(content, style, weight)
    sentence = translate(request, "style_empty")
    return content_grid(content, request), style_grid(style, request), own, dict(own), figure, link, sentence

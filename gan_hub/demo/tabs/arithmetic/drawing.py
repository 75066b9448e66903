"""What groups of seeds make: mean(A) − mean(B) + mean(C) among its neighbours, and pictures of A in the styles of B.

Shapes: L rows of w, W size of w.
"""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import gradio as gr
import torch
from PIL import Image

from gan_hub.demo import image_files, models, showcase
from gan_hub.demo.tabs.arithmetic.groups import FIRST, NAMES
from gan_hub.demo.texts import translate
from gan_hub.images import grid
from gan_hub.latents import arithmetic, mix_styles, neighbours
from gan_hub.models.mixins import StyleBased
from gan_hub.pipeline import GANOutput, GANPipeline

NEIGHBOUR_SEED = 0  # fixed, so that the same groups always give the same nine pictures
LAYERS = ("coarse", "middle", "fine")
MAX_MIXED = 6  # pictures of a group in a table of mixed styles


def escape(text: object) -> str:
    """A text for HTML that stands in a component's template, where braces would be taken for code."""
    return html.escape(str(text), quote=True).replace("{", "&#123;").replace("}", "&#125;")


@dataclass(frozen=True)
class Drawn:
    """An equation as HTML, with the files' pictures by what they show: "result", "nine", "mixed"; none without a result."""

    html: str
    pictures: dict[str, Image.Image]
    label: str | None = None


def can_mix(pipe: GANPipeline) -> bool:
    """Whether a model has styles, a row for each layer, that can be mixed."""
    return isinstance(pipe.unwrapped_generator, StyleBased)


# ------------------------------------------------------------------------------------------ pool and examples


def pool_pictures(
    pipe: GANPipeline, seeds: Sequence[int], class_name: str | None, request: gr.Request | None = None
) -> list[dict[str, str]]:
    """The pictures that can be clicked; which groups they are in says `marks_html`, which is small.

    Args:
        pipe: the model.
        seeds: of the pictures.
        class_name: their class; None for each one's own.
        request: has the visitor's language.

    Returns:
        The value of a `picture_grid`.
    """
    out = pipe(seeds=seeds, labels=class_name)
    pictures = []
    for seed, image, name in zip(seeds, models.pil_images(out), models.drawn_classes(pipe, out), strict=True):
        alt = translate(request, "pool_n", seed=seed) + (f", {showcase.class_title(name, request)}" if name else "")
        pictures.append({"src": image_files.data_uri(image), "alt": alt, "caption": str(seed)})
    return pictures


def marks_html(letters: dict[str, str]) -> str:
    """The letters of `groups.marks` for the page's script."""
    return f'<div data-marks="{escape(json.dumps(letters))}"></div>'


def presets_html(presets: list[tuple[str, str]], chosen: str, request: gr.Request | None = None) -> str:
    """A button for each example of a concept.

    Args:
        presets: of `groups.presets`.
        chosen: the concept whose example is there, or FIRST.
        request: has the visitor's language.

    Returns:
        HTML.
    """
    first = presets[0][0] if chosen == FIRST and presets else chosen
    buttons = "".join(
        f'<button type="button" data-preset="{place}" aria-pressed="{"true" if name == first else "false"}">'
        f"{escape(words)}</button>"
        for place, (name, words) in enumerate(presets)
    )
    return f'<div class="presets" role="group" aria-label="{escape(translate(request, "presets"))}">{buttons}</div>'


# ----------------------------------------------------------------------------------------------- A − B + C


def draw_sum(
    pipe: GANPipeline,
    groups: Sequence[Sequence[int]],
    titles: Sequence[str],
    exemplar_class: str | None,
    result_class: str | None,
    radius: float,
    request: gr.Request | None = None,
) -> Drawn:
    """mean(A) − mean(B) + mean(C) in z, with eight neighbours; as far as the groups are filled.

    Args:
        pipe: the model.
        groups: the seeds of A, B and C.
        titles: what each group is, or "".
        exemplar_class: the class of the exemplars; None for each one's own.
        result_class: that of the result; None for that of the first exemplar of A.
        radius: of the neighbours, see `latents.neighbours`.
        request: has the visitor's language.

    Returns:
        The equation; no pictures while a group is empty.
    """
    drawn = [pipe(seeds=seeds, labels=exemplar_class) for seeds in groups]
    operands = [
        _operand(pipe, name, title, out, request) for name, title, out in zip(NAMES, titles, drawn, strict=True)
    ]
    if not all(groups):
        note = f'<p class="note">{escape(translate(request, "need_groups"))}</p>'
        return Drawn(_equation(operands, ("−", "+", "="), note), {})

    z = arithmetic(*(out.latents for out in drawn))
    around = neighbours(z, 8, radius, torch.Generator().manual_seed(NEIGHBOUR_SEED))
    result_class = result_class or models.drawn_classes(pipe, drawn[0])[0]
    latents = torch.stack([*around[:4], z, *around[4:]])
    images = models.pil_images(pipe(latents=latents, labels=result_class, segmentation=models.first_map(drawn[0])))
    of_class = f", {showcase.class_title(result_class, request)}" if result_class else ""
    alts = [translate(request, "result_alt" if place == 4 else "neighbour_alt") + of_class for place in range(9)]
    tiles = "".join(
        _picture(image, alt, "middle" if place == 4 else "")
        for place, (image, alt) in enumerate(zip(images, alts, strict=True))
    )
    equation = _equation(operands, ("−", "+", "="), f'<div class="nine">{tiles}</div>')
    return Drawn(equation, {"result": images[4], "nine": grid(images, 3)}, result_class)


def _operand(pipe: GANPipeline, name: str, title: str, out: GANOutput, request: gr.Request | None) -> str:
    """A group as HTML: its letter, which takes the clicks, its mean as a picture, and its exemplars, which leave it."""
    images = models.pil_images(out)
    if not images:
        body = f'<div class="empty">{escape(translate(request, "group_empty"))}</div>'
    else:
        # The mean is drawn in the class, and from the map, of the first exemplar.
        first_class = models.drawn_classes(pipe, out)[0]
        latent = out.latents.mean(0, keepdim=True)
        mean = models.pil_images(pipe(latents=latent, labels=first_class, segmentation=models.first_map(out)))[0]
        caption = f"{translate(request, 'mean')}({name})"
        body = (
            f'{_picture(mean, caption, "mean")}<div class="caption">{escape(caption)}</div>{_few(name, out, request)}'
        )
    return _card(name, title, body, request)


def _card(name: str, title: str, body: str, request: gr.Request | None) -> str:
    label = translate(request, "choose_group", name=name)
    return (
        f'<div class="operand drop" data-group="{name}"><button type="button" class="letter" aria-pressed="false" '
        f'aria-label="{escape(label)}">{name}</button><div class="title">{escape(title)}</div>{body}</div>'
    )


def _few(name: str, out: GANOutput, request: gr.Request | None) -> str:
    """The exemplars of a group, each a button that takes it out."""
    buttons = []
    for image, seed in zip(models.pil_images(out), out.seeds or (), strict=True):
        word = translate(request, "take_out", seed=seed, name=name)
        buttons.append(
            f'<button type="button" data-seed="{seed}" aria-label="{escape(word)}" title="{escape(word)}">'
            f"{_picture(image, '')}</button>"
        )
    return f'<div class="few">{"".join(buttons)}</div>'


def _picture(image: Image.Image, alt: str, css_class: str = "") -> str:
    return f'<img class="px {css_class}" alt="{escape(alt)}" src="{image_files.data_uri(image)}">'


def _equation(operands: list[str], signs: Sequence[str], result: str) -> str:
    terms = "".join(f'{part}<div class="sign">{sign}</div>' for part, sign in zip(operands, signs, strict=True))
    return f'<div class="equation">{terms}<div class="operand result">{result}</div></div>'


# ------------------------------------------------------------------------------------------------ mixed styles


def rows_of(layer: str, rows: int) -> range:
    """The rows of w that are coarse, middle or fine: about a third each, two rows to a grid (Karras et al. 2019, figure 3)."""
    third = 2 * round(rows / 6)
    bounds = {"coarse": (0, third), "middle": (third, rows - third), "fine": (rows - third, rows)}
    return range(*bounds[layer])


def mixed(first: torch.Tensor, second: torch.Tensor, layers: Sequence[str]) -> torch.Tensor:
    """Take the rows of some layers from other pictures.

    Args:
        first, second: w (N, L, W).
        layers: of LAYERS.

    Returns:
        w (N, L, W).
    """
    w = first
    for layer in layers:
        rows = rows_of(layer, first.shape[1])
        w = mix_styles(mix_styles(w, second, rows.start), w, rows.stop)
    return w


def draw_mix(
    pipe: GANPipeline,
    groups: Sequence[Sequence[int]],
    exemplar_class: str | None,
    layers: Sequence[str],
    request: gr.Request | None = None,
) -> Drawn:
    """Each picture of A with the given layers of each picture of B, as a table (Karras et al. 2019, figure 3).

    Args:
        pipe: a style-based model.
        groups: the seeds of A and B; of each the first MAX_MIXED are drawn.
        exemplar_class: the class of the pictures; None for each one's own.
        layers: of LAYERS.
        request: has the visitor's language.

    Returns:
        The table; no pictures while a group is empty.
    """
    drawn = [pipe(seeds=seeds[:MAX_MIXED], labels=exemplar_class) for seeds in groups[:2]]
    operands = [
        _operand(pipe, name, translate(request, f"mix_{name.lower()}"), out, request)
        for name, out in zip("AB", drawn, strict=True)
    ]
    if not all(groups[:2]):
        note = f'<p class="note">{escape(translate(request, "need_two_groups"))}</p>'
        return Drawn(_equation(operands, ("+", "="), note), {})
    first, second = (pipe.map(out.latents, out.labels) for out in drawn)
    count, styles = len(first), len(second)
    pairs = mixed(first.repeat_interleave(styles, 0), second.repeat(count, 1, 1), layers)
    cells = cast("list[Image.Image]", pipe.synthesize(pairs))
    rows, columns = (list(zip(out.seeds or (), models.pil_images(out), strict=True)) for out in drawn)
    table = _table(rows, columns, cells, layers, request)
    return Drawn(_equation(operands, ("+", "="), table), {"mixed": _sheet(rows, columns, cells)})


def _table(
    rows: list[tuple[int, Image.Image]],
    columns: list[tuple[int, Image.Image]],
    cells: list[Image.Image],
    layers: Sequence[str],
    request: gr.Request | None,
) -> str:
    words = ", ".join(translate(request, f"layers_{layer}") for layer in layers) or "–"
    head = "".join(f'<th scope="col">{_picture(image, f"B: {seed}")}</th>' for seed, image in columns)
    body = ""
    for place, (seed, image) in enumerate(rows):
        mixes = cells[place * len(columns) : (place + 1) * len(columns)]
        alts = [translate(request, "mixed_alt", first=seed, second=other, layers=words) for other, _ in columns]
        tiles = "".join(f"<td>{_picture(cell, alt)}</td>" for cell, alt in zip(mixes, alts, strict=True))
        body += f'<tr><th scope="row">{_picture(image, f"A: {seed}")}</th>{tiles}</tr>'
    return f'<table class="mix"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'


def _sheet(
    rows: list[tuple[int, Image.Image]], columns: list[tuple[int, Image.Image]], cells: list[Image.Image]
) -> Image.Image:
    """The table as one picture: B along the top, A down the side."""
    blank = Image.new(cells[0].mode, cells[0].size, "#ffffff00")
    tiles = [blank, *(image for _, image in columns)]
    for place, (_, image) in enumerate(rows):
        tiles += [image, *cells[place * len(columns) : (place + 1) * len(columns)]]
    return grid(tiles, len(columns) + 1)

"""What a walk looks like on the page, as HTML: its keyframes with their buttons, the player, and the curve of distances."""

import html
from collections.abc import Sequence

import gradio as gr
import numpy as np
from PIL import Image

from gan_hub.demo import image_files, showcase
from gan_hub.demo.tabs.interpolate.drawing import Plan, Walk, distances
from gan_hub.demo.texts import translate
from gan_hub.images import grid, to_pil

COLUMNS = 12  # frames in a row of a sheet
SECONDS_PER_FRAME = 0.08
SPEEDS = (0.25, 0.5, 1, 2)
CURVE_HEIGHT = 100  # units of the drawing; a frame is one unit wide


def escape(text: object) -> str:
    """A text for HTML that stands in a component's template, where braces would be taken for code."""
    return html.escape(str(text), quote=True).replace("{", "&#123;").replace("}", "&#125;")


def sheet(frames: np.ndarray) -> Image.Image:
    """All frames (N, H, W, C) as one picture without gaps, COLUMNS a row."""
    return grid(to_pil(frames), COLUMNS, padding=0)


def frames_of(picture: Image.Image, count: int, size: tuple[int, int]) -> list[Image.Image]:
    """The frames of a `sheet` again.

    Args:
        picture: the sheet.
        count: how many frames.
        size: width and height of each.

    Returns:
        The frames.
    """
    width, height = size
    places = (divmod(frame, COLUMNS) for frame in range(count))
    return [
        picture.crop((column * width, row * height, (column + 1) * width, (row + 1) * height)) for row, column in places
    ]


# ------------------------------------------------------------------------------------------------- keyframes


def keyframes_html(plan: Plan, walk: Walk, least: int, request: gr.Request | None = None) -> str:
    """The keyframes, each with buttons to move, reroll and remove it.

    Args:
        plan, walk: what was drawn.
        least: how many keyframes there must be.
        request: has the visitor's language.

    Returns:
        HTML, whose buttons say by `data-act` what they do.
    """
    count, words = len(plan.seeds), {}
    for act in ("left", "reroll", "remove", "right"):
        words[act] = translate(request, f"stop_{act}")
    items = []
    for place, (seed, image, name) in enumerate(zip(plan.seeds, walk.keyframes, walk.classes, strict=True)):
        caption = f"{seed}" + (f" · {showcase.class_title(name, request)}" if name else "")
        title = translate(request, "stop_n", place=place + 1, count=count, seed=seed)
        barred = {"left": place == 0, "right": place == count - 1, "remove": count <= least}
        buttons = "".join(
            f'<button type="button" data-act="{act}" aria-label="{escape(f"{word}: {title}")}" title="{escape(word)}"'
            f"{' disabled' if barred.get(act) else ''}>{SIGNS[act]}</button>"
            for act, word in words.items()
        )
        items.append(
            f'<li class="stop" draggable="true" data-index="{place}" data-seed="{seed}">'
            f'<button type="button" class="picture" data-frame="{plan.frame_of(place)}">'
            f"{_picture(image, ', '.join(filter(None, (title, showcase.class_title(name or '', request)))))}"
            f'<span class="caption">{escape(caption)}</span></button><div class="acts">{buttons}</div></li>'
        )
    return f'<ol class="stops" aria-label="{escape(translate(request, "walk_seeds"))}">{"".join(items)}</ol>'


SIGNS = {"left": "‹", "reroll": "↻", "remove": "×", "right": "›"}


def _picture(image: Image.Image, alt: str) -> str:
    return f'<img class="px" draggable="false" alt="{escape(alt)}" src="{image_files.data_uri(image)}">'


# ---------------------------------------------------------------------------------------------------- player


def player_html(plan: Plan, walk: Walk, request: gr.Request | None = None) -> str:
    """The player: a sheet of all frames, which the browser's script plays on a canvas, its controls and the curve.

    Args:
        plan, walk: what was drawn.
        request: has the visitor's language.

    Returns:
        HTML.
    """
    count, height, width = walk.frames.shape[:3]

    def word(key: str, **values: object) -> str:
        return escape(translate(request, key, **values))

    speeds = "".join(
        f'<option value="{speed}"{" selected" if speed == 1 else ""}>{speed:g}×</option>' for speed in SPEEDS
    )
    data = {"count": count, "columns": min(COLUMNS, count), "seconds": SECONDS_PER_FRAME, "loop": int(plan.is_loop)}
    attributes = " ".join(f'data-{key}="{value}"' for key, value in data.items())
    return f"""<figure class="player" {attributes} data-said="{word("frame_said", frame="{frame}", count="{count}")}">
<img class="sheet" alt="" src="{image_files.data_uri(sheet(walk.frames))}">
<canvas class="px" width="{width}" height="{height}" role="img" aria-label="{word("player_alt")}"></canvas>
<div class="controls"><button type="button" class="play" data-play="{word("play")}" data-pause="{word("pause")}">\
{word("play")}</button>
<input type="range" class="scrub" min="1" max="{count}" step="1" value="1" aria-label="{word("frame")}">
<output class="at">1 / {count}</output>
<label>{word("speed")} <select class="speed">{speeds}</select></label></div>
{_curve(plan, distances(walk.frames, plan.is_loop), request)}</figure>"""


def _curve(plan: Plan, steps: Sequence[float], request: gr.Request | None) -> str:
    """The distances between neighbouring frames as a drawing, with the same in words."""
    most, mean = max(steps), sum(steps) / len(steps)
    top = max(most, 1e-9) * 1.05
    width = plan.frames - 1 + plan.is_loop
    points = " ".join(f"{place + 0.5:g},{CURVE_HEIGHT * (1 - step / top):.2f}" for place, step in enumerate(steps))
    stops = "".join(
        f'<line class="at-stop" x1="{place}" x2="{place}" y1="0" y2="{CURVE_HEIGHT}"/>'
        for place in (plan.frame_of(stop) for stop in range(len(plan.stops)))
    )
    values = {"mean": _number(mean, request), "most": _number(most, request), "where": steps.index(most) + 1}
    return (
        f'<div class="curve"><svg viewBox="0 0 {width} {CURVE_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(translate(request, "curve_alt", **values))}">{stops}<polyline points="{points}"/>'
        f'<line class="marker" x1="0" x2="0" y1="0" y2="{CURVE_HEIGHT}"/></svg>'
        f'<span class="top">{escape(_number(top, request))}</span><span class="bottom">0</span></div>'
        f"<figcaption>{escape(translate(request, 'curve_caption', **values))}</figcaption>"
    )


def _number(value: float, request: gr.Request | None) -> str:
    return f"{value:.1f}".replace(".", translate(request, "decimal_point"))

"""A model's training to look at: the frames of its time-lapse, its curves, and what the monitors said."""

import html
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from PIL import Image

from gan_hub.demo import image_files, inputs, models
from gan_hub.demo.answers import remembered
from gan_hub.demo.tabs.watch import curves
from gan_hub.demo.texts import translate
from gan_hub.model_folder import timelapse
from gan_hub.model_folder.files import LOG_NAME
from gan_hub.model_folder.timelapse import Timelapse
from gan_hub.model_folder.training_log import read_log
from gan_hub.pipeline import GANPipeline
from gan_hub.training.monitors import ALARMS

LINK_KEYS = ("frame",)
MAX_FRAME = 10_000  # as a run makes at most
MAX_SENTENCES = 20  # of alarms and notes


def was_watched(pipe: GANPipeline) -> bool:
    """Whether a model has a time-lapse of its training."""
    return timelapse.exists(Path(pipe.name_or_path))


def fill(model: str, link: dict[str, str], request: gr.Request | None = None) -> list[Any]:
    """The frame that a link asks for.

    Args:
        model: the model of the link.
        link: its parameters by their keys.
        request: has the visitor's language.

    Returns:
        Its number, counted from 1; "" for the last.

    Raises:
        BadInputError: it is no such number.
    """
    return [_checked(link.get("frame"), request)]


def _checked(frame: object, request: gr.Request | None) -> str:
    """The number of a frame as text, "" for the last."""
    if frame in (None, ""):
        return ""
    return str(inputs.integer(inputs.as_number(frame), 1, MAX_FRAME, translate(request, "frame")))


@remembered
def draw(model: str, frame: str = "", request: gr.Request | None = None) -> tuple[str, str, str]:
    """The training of a model.

    Args:
        model: a model of this page.
        frame: the frame to show first, counted from 1; "" for the last.
        request: has the visitor's language.

    Returns:
        All of it as HTML, the file of its frames, and no sentence.
    """
    pipe, frame = models.load(model), _checked(frame, request)
    lapse, log = read_training(pipe)
    sprite = _sprite(lapse)
    counts = _counts(lapse, request)
    total = max([*(lapse.images or ()), *(line["images"] for line in log), 1])
    alarms = [line for line in log if "alarm" in line][:MAX_SENTENCES]
    at = lapse.images or [total * place // max(1, len(lapse.frames) - 1) for place in range(len(lapse.frames))]
    drawn = curves.curves_html(log, total, at, [line["images"] for line in alarms], request)
    first_shown = min(int(frame or MAX_FRAME), len(lapse.frames)) - 1
    body = _film(model, lapse, sprite, counts, first_shown, request) + f'<div class="curves">{drawn}</div>'
    axis = curves.Axis(total, 0, 1)
    places = html.escape(json.dumps([round(axis.x(images), 1) for images in at]), quote=True)
    sentences = _alarms(alarms, request) if log else ""
    notes = _notes([line["note"] for line in log if "note" in line][:MAX_SENTENCES], request)
    return f'<div class="watch" data-places="{places}">{body}{sentences}{notes}</div>', str(sprite), ""


def read_training(pipe: GANPipeline) -> tuple[Timelapse, list[dict]]:
    """The time-lapse of a model and the lines of its log. Raises BadInputError without, LoadError for a damaged one."""
    config = pipe.unwrapped_generator.config
    lapse = timelapse.read(Path(pipe.name_or_path), config["resolution"], config["channels"])
    if lapse is None:
        raise inputs.BadInputError("lacks_watch")
    return lapse, read_log(Path(pipe.name_or_path) / LOG_NAME)


def _sprite(lapse: Timelapse) -> Path:
    """All frames below each other in one lossless file, each pixel of an image once."""
    first = lapse.frames[0]
    width, height = first.width // lapse.scale, first.height // lapse.scale
    sheet = Image.new(first.mode, (width, height * len(lapse.frames)))
    for place, frame in enumerate(lapse.frames):
        sheet.paste(frame.resize((width, height), Image.Resampling.NEAREST), (0, place * height))
    path = image_files.new_folder() / "frames.webp"
    sheet.save(path, lossless=True, quality=20, method=0)
    return path


def _counts(lapse: Timelapse, request: gr.Request | None) -> list[str]:
    """What is said of each frame: after how many images it was drawn."""
    count = len(lapse.frames)
    if lapse.images is None:
        return [translate(request, "watch_nth", number=number, count=count) for number in range(1, count + 1)]
    sentences = []
    for number, images in enumerate(lapse.images, 1):
        is_known = lapse.is_exact or number == count  # the end is in the log
        key = "watch_start" if images == 0 else "watch_counted" if is_known else "watch_about"
        sentences.append(translate(request, key, images=curves.number(images, request)))
    return sentences


def _film(
    model: str, lapse: Timelapse, sprite: Path, counts: list[str], first_shown: int, request: gr.Request | None
) -> str:
    """The frame, the slider below it, and the button that plays it."""
    first, last = lapse.frames[0], len(lapse.frames) - 1

    def text(key: str) -> str:
        return html.escape(translate(request, key), quote=True)

    # Below the page's own address, wherever that is.
    address = f"gradio_api/file={quote(str(sprite))}"
    style = f"--film:url('{address}');--frames:{last + 1};--shape:{first.width} / {first.height}"
    labels = html.escape(json.dumps(counts), quote=True)
    link = html.escape(f"?tab=watch&model={quote(model, safe='')}", quote=True)
    return (
        f'<div class="film px" role="img" aria-label="{text("watch_alt")}" style="{style}"></div>'
        f'<div class="watch-bar"><button type="button" data-watch-play aria-pressed="false" data-play="{text("watch_play")}" '
        f'data-pause="{text("watch_pause")}">{text("watch_play")}</button>'
        f'<input type="range" min="0" max="{last}" value="{first_shown}" step="1" aria-label="{text("watch_slider")}" '
        f'data-told="{labels}" data-link="{link}"><output aria-live="off"></output></div>'
    )


# ---------------------------------------------------------------------------------------- what was said


def _alarms(alarms: list[dict], request: gr.Request | None) -> str:
    """Each alarm with its cause and its remedy, by the number that it has in the curves; a sentence where there was none."""
    if not alarms:
        return f'<p class="note">{html.escape(translate(request, "alarms_none"))}</p>'
    items = "".join(f"<li>{_alarm(line, request)}</li>" for line in alarms)
    return (
        f'<section class="alarms"><h2>{html.escape(translate(request, "alarms_title"))}</h2><ol>{items}</ol></section>'
    )


def _alarm(line: dict, request: gr.Request | None) -> str:
    cause = line["alarm"].split(":")[0]
    at = html.escape(translate(request, "alarm_at", images=curves.number(line["images"], request)))
    words = html.escape(line["alarm"])
    if cause not in ALARMS:  # of another version
        return f'{at} <span lang="en">{words}</span>'
    key = "alarm_" + cause.replace("imbalance, ", "").replace(" ", "_")
    title, why, remedy = (html.escape(translate(request, f"{key}{part}")) for part in ("", "_cause", "_remedy"))
    helps, summary = (html.escape(translate(request, f"alarm_{part}")) for part in ("helps", "log"))
    logged = f'<details><summary>{summary}</summary><p lang="en">{words}</p></details>'
    return f"{at} <strong>{title}.</strong> {why} <em>{helps}</em> {remedy}{logged}"


def _notes(notes: list[str], request: gr.Request | None) -> str:
    """What the run decided by itself, in the words of its log."""
    if not notes:
        return ""
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f'<section class="notes"><h2>{html.escape(translate(request, "notes_title"))}</h2><ul lang="en">{items}</ul></section>'

"""Components that several tabs use, and the options that their events share."""

import math
import os
from collections.abc import Sequence
from typing import Any, Literal, TypedDict

import gradio as gr
from gradio.i18n import I18nData

from gan_hub.demo import inputs, showcase
from gan_hub.demo.texts import t

MAX_STRENGTH = 2  # of a concept; beyond, pictures fall apart
MAX_SLIDERS = 8  # concepts that have one

Update = dict[str, Any]  # what gr.update returns: new properties of a component


class ModelQueueOptions(TypedDict):
    """The queue that an event waits in."""

    concurrency_id: str
    concurrency_limit: int


class PrivateOptions(TypedDict):
    """Leaves an event out of the public API."""

    api_visibility: Literal["private"]


class QuietOptions(PrivateOptions):
    """A private event that shows no progress."""

    show_progress: Literal["hidden"]


# All events that run a model share one queue, a call at a time: each call uses all cores, and calls at once would need the
# memory of all of them.
MODEL_QUEUE: ModelQueueOptions = {"concurrency_id": "model", "concurrency_limit": 1}
# Long work waits in a line of its own, so that a drawing never stands behind it: training, projection, style transfer.
LONG_JOBS = max(1, int(os.environ.get("GAN_HUB_LONG_JOBS", "1")))  # at once
LONG_QUEUE: ModelQueueOptions = {"concurrency_id": "long", "concurrency_limit": LONG_JOBS}
PRIVATE: PrivateOptions = {"api_visibility": "private"}
QUIET: QuietOptions = {"api_visibility": "private", "show_progress": "hidden"}


# ------------------------------------------------------------------------------------------------- pictures


def crisp_gallery(elem_id: str, columns: int) -> gr.Gallery:
    """A gallery of lossless pictures, enlarged without smoothing; a click selects a picture and does not open it."""
    return gr.Gallery(
        show_label=False,
        format="png",  # Gradio's default, lossy WebP, changes pixels
        columns=columns,
        allow_preview=False,
        interactive=False,
        buttons=[],
        height="auto",
        object_fit="contain",
        elem_id=elem_id,
        elem_classes=["crisp", "drawn"],
    )


def crisp_image() -> gr.Image:
    """A lossless picture to look at, enlarged without smoothing."""
    return gr.Image(show_label=False, format="png", interactive=False, buttons=[], elem_classes=["crisp", "drawn"])


def download_button(text_key: str, min_width: int | None = None) -> gr.DownloadButton:
    """A button that downloads a file; `text_key` is the key of its text."""
    label: Any = t(text_key)  # Gradio's annotation says str; every label may be an I18nData
    return gr.DownloadButton(label, min_width=min_width)


SAVE = "(file) => ganHub.save(file)"  # the browser saves the file of a `file_sender`


def file_sender(elem_id: str) -> gr.DownloadButton:
    """An invisible component for a file that a handler makes; an event with `SAVE` and this as its input lets it be saved."""
    return gr.DownloadButton("", elem_id=elem_id, elem_classes="sender")


def picture_grid(elem_id: str, label: I18nData, script: str = "", **options: Any) -> gr.HTML:
    """A grid of pictures that are buttons: a click calls the listeners of `select`, with the place as `event.index`.

    Its value is a list with one dictionary for each picture: `src` (a data URI or a file's address), `alt`, `caption`, and, where
    pictures can be pressed in, `pressed`; and `map`, a small picture in its corner. They are plain texts, and may be untrusted.
    It is only ever an output.

    Args:
        elem_id: id of the element on the page.
        label: what the pictures are, for screen readers.
        script: further JavaScript for when it is there, with `element`, `props`, `trigger` and `watch` of gr.HTML.
        options: of gr.HTML.

    Returns:
        The component.
    """
    return gr.HTML(
        [],
        label=label,
        html_template=GRID_TEMPLATE,
        js_on_load=f"ganHub.grid(element, props, trigger, watch);  // calls 'select'\n{script}",
        elem_id=elem_id,
        elem_classes="drawn",
        **options,
    )


# The browser puts the pictures in as elements and texts: whatever stands in a template may be taken for code.
GRID_TEMPLATE = '<div class="pictures" role="group" aria-label="{{label}}"></div>'


# --------------------------------------------------------------------------------------- sentences and numbers


def note(**options: Any) -> gr.HTML:
    """The line where a tab says what it drew, and what is wrong (see `events.answering`); `options` go to gr.HTML."""
    return gr.HTML(elem_classes="status", js_on_load="ganHub.note(element, watch);", **options)


def slider(least: float, most: float, value: float, step: float, label_key: str, **options: Any) -> gr.Slider:
    """A slider; the page takes any number in its box to the nearest end, and an empty one back to `value` (`clamped`).

    Gradio answers such numbers with an error in English.

    Args:
        least, most: the range.
        value: at first.
        step: between two values.
        label_key: key of the label.
        options: of gr.Slider.

    Returns:
        The slider.
    """
    return gr.Slider(least, most, value, step=step, label=t(label_key), buttons=[], **options)


def clamped(payload: object, of: gr.Slider) -> object:
    """What a slider's number box sent, as a number of its range; `gan_hub.demo.page` asks, before Gradio looks at it.

    A slider cannot do it by itself: once a handler has changed it, Gradio makes another one for the session.
    """
    if isinstance(payload, bool) or not isinstance(payload, (int, float)) or not math.isfinite(payload):
        return of.value
    return min(max(payload, of.minimum), of.maximum)


# -------------------------------------------------------------------------------------------------- pickers


def seeds_box(seeds: str, label: I18nData, **options: Any) -> gr.Textbox:
    """A box for a list of seeds; `options` go to gr.Textbox."""
    return gr.Textbox(seeds, label=label, max_length=inputs.MAX_TEXT_LENGTH, **options)


def class_picker(names: Sequence[str], own_key: str, label_key: str) -> gr.Dropdown:
    """A picker of one of a model's classes, hidden where the model has none.

    Gradio's check against the choices is off (`allow_custom_value`): it knows those of the first model only, and would
    refuse API calls for another one. The handlers check the value instead.

    Args:
        names: the class names of the model.
        own_key: key of the text for the first entry, which leaves the class to the model.
        label_key: key of the picker's label.

    Returns:
        The picker, set to its first entry.
    """
    return gr.Dropdown(
        _class_choices(names, own_key),
        value=inputs.OWN,
        label=t(label_key),
        visible=bool(names),
        allow_custom_value=True,
    )


def class_update(names: Sequence[str], own_key: str, current: object, request: gr.Request | None = None) -> Update:
    """The change of a class picker after a change of model.

    Args:
        names: the class names of the new model.
        own_key: key of the text for the first entry.
        current: the present choice, kept if the new model has a class of that name.
        request: has the visitor's language.

    Returns:
        A gr.update with choices, value and visibility.
    """
    return gr.update(
        choices=_class_choices(names, own_key, request), value=kept_class(names, current), visible=bool(names)
    )


def kept_class(names: Sequence[str], current: object, otherwise: str = inputs.OWN) -> str:
    """The class to show after a change of model.

    Args:
        names: the class names of the new model.
        current: the present choice.
        otherwise: what is chosen if the new model has no class of that name.

    Returns:
        A class name, or `otherwise`.
    """
    return current if isinstance(current, str) and current in names else otherwise


def _class_choices(
    names: Sequence[str], own_key: str, request: gr.Request | None = None
) -> list[tuple[str | I18nData, str]]:
    return [(t(own_key), inputs.OWN), *((showcase.class_title(name, request), name) for name in names)]


def concept_picker(names: Sequence[str], label_key: str, info_key: str, elem_id: str) -> gr.Dropdown:
    """A picker of one of a model's concepts or of none, hidden where the model has none. Checked as `class_picker`.

    Args:
        names: the model's concepts.
        label_key, info_key: keys of the picker's label and of the sentence below it.
        elem_id: id of the element on the page.

    Returns:
        The picker, set to no concept.
    """
    return gr.Dropdown(
        _concept_choices(names),
        value=inputs.NONE,
        label=t(label_key),
        info=t(info_key),
        visible=bool(names),
        allow_custom_value=True,
        elem_id=elem_id,
    )


def concept_update(names: Sequence[str], current: object = inputs.NONE, request: gr.Request | None = None) -> Update:
    """The change of a concept picker after a change of model, with the titles of the visitor's language.

    Args:
        names: the concepts of the new model.
        current: the present choice, kept if the new model has it.
        request: has the visitor's language.

    Returns:
        A gr.update with choices, value and visibility.
    """
    value = current if isinstance(current, str) and current in names else inputs.NONE
    return gr.update(choices=_concept_choices(names, request), value=value, visible=bool(names))


def _concept_choices(names: Sequence[str], request: gr.Request | None = None) -> list[tuple[str | I18nData, str]]:
    return [(t("no_concept"), inputs.NONE), *((showcase.concept_title(name, request), name) for name in names)]


def concept_sliders(label_key: str, elem_id: str) -> gr.HTML:
    """A slider for each of a model's concepts, with both ends named; they call `input` while they are moved.

    Its value is the text that `inputs.strengths` reads; `concept_sliders_update` says which concepts there are.

    Args:
        label_key: key of the label of all of them.
        elem_id: id of the element on the page.

    Returns:
        The component, without any slider.
    """
    return gr.HTML(
        "",
        label=t(label_key),
        html_template='<div class="sliders" role="group" aria-label="{{label}}"></div>',
        js_on_load="ganHub.sliders(element, props, trigger, watch);  // 'input'",
        elem_id=elem_id,
        most=MAX_STRENGTH,
        sliders=[],
    )


def concept_sliders_update(names: Sequence[str], current: object, request: gr.Request | None = None) -> Update:
    """The change of the sliders after a change of model.

    Args:
        names: the concepts of the new model.
        current: the present value; strengths of concepts that the new model has too are kept.
        request: has the visitor's language.

    Returns:
        A gr.update.
    """
    pairs = [part.partition("=") for part in current.split(",")] if isinstance(current, str) else []
    kept = ",".join("".join(pair) for pair in pairs if pair[0] in names)
    sliders = [
        {"name": name, "title": showcase.concept_title(name, request), "ends": showcase.concept_ends(name, request)}
        for name in names[:MAX_SLIDERS]
    ]
    return gr.update(value=kept, sliders=sliders, most=MAX_STRENGTH)

"""The calls by name of the tab "Watch it train", for programs."""

from collections.abc import Callable
from typing import Any, TypedDict

import gradio as gr

from gan_hub.demo import models
from gan_hub.demo.calls import File, as_file
from gan_hub.demo.tabs.watch import handlers as watch


class Training(TypedDict):
    """The time-lapse of a training as all of its frames below each other, and what the log says.

    `images` are the images seen at each frame, [] where nothing says so; `exact` is false where they are an estimate.
    """

    frames: File
    images: list[int]
    exact: bool
    alarms: list[str]


def training_call(model: str, request: gr.Request | None = None) -> Training:
    """Look at the training of a model: always the same latents, drawn again and again while it learnt.

    Args:
        model: a model of this page
        request: has the visitor's language

    Returns:
        the frames as one lossless WebP, the images seen at each, whether these are exact, and the monitors' alarms
    """
    _, film, _ = watch.draw(model, "", request)
    lapse, log = watch.read_training(models.load(model))
    return {
        "frames": as_file(film),
        "images": list(lapse.images or ()),
        "exact": lapse.is_exact,
        "alarms": [line["alarm"] for line in log if "alarm" in line],
    }


CALLS: dict[str, Callable[..., Any]] = {"training": training_call}

"""The calls by name of the tab "Explore", for programs."""

from collections.abc import Callable
from typing import Any, TypedDict

import gradio as gr

from gan_hub.demo import image_files
from gan_hub.demo.calls import File, as_file
from gan_hub.demo.inputs import OWN
from gan_hub.demo.tabs.explore import handlers as explore


class Point(TypedDict):
    """The picture at a place of a plane as a PNG file, where it is, and the parameters of a link to it."""

    picture: File
    sentence: str
    link: str


def explore_call(
    model: str,
    corners: str = explore.FIRST_CORNERS,
    x: float = explore.FIRST_PLACE,
    y: float = explore.FIRST_PLACE,
    axes: str = explore.SEEDS_AXES,
    label: str = OWN,
    request: gr.Request | None = None,
) -> Point:
    """Draw the picture at a place of a plane between three pictures, or along two concepts.

    Args:
        model: a model of this page
        corners: three seeds: top left, top right, bottom left; with two concepts, the first is in the middle
        x: from 0, left, to 1, right
        y: from 0, top, to 1, bottom
        axes: "seeds" for the plane between the three, or two concepts such as "brightness,ginger"
        label: the name of a class, or "own" for that of the first seed
        request: has the visitor's language

    Returns:
        the picture (PNG, original size), a sentence, the parameters of a link to it
    """
    item, link, sentence = explore.picture_at(model, corners, axes, label, x, y, request)
    path = image_files.new_folder() / f"{item['file']}.png"
    path.write_bytes(image_files.png_bytes(item["src"]))
    return {"picture": as_file(str(path)), "sentence": sentence, "link": link}


CALLS: dict[str, Callable[..., Any]] = {"explore": explore_call}

"""The calls by name of the tab "Paint", for programs."""

from collections.abc import Callable
from typing import Any, TypedDict

import gradio as gr

from gan_hub.demo.calls import File, as_file
from gan_hub.demo.tabs.paint import handlers as paint


class Painting(TypedDict):
    """A picture drawn from a map, the map as text, a sentence, and the parameters of a link."""

    image: File
    map: str
    sentence: str
    link: str


def paint_call(model: str, map: str = "", seed: str = paint.FIRST_SEED, request: gr.Request | None = None) -> Painting:
    """Draw a map of classes by a model that draws from maps.

    Args:
        model: a model of this page that draws from maps, for example spade-facades
        map: its lines from top to bottom, joined by full stops (docs/paint.md); empty for the seed's own map
        seed: a whole number, of the picture's light and colours
        request: has the visitor's language

    Returns:
        the picture (PNG, original size), the map, a sentence, the parameters of a link to it
    """
    path, text, link, sentence = paint.paint_file(model, map, seed, request)
    return {"image": as_file(path), "map": text, "sentence": sentence, "link": link}


CALLS: dict[str, Callable[..., Any]] = {"paint": paint_call}

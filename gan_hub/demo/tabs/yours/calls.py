"""The calls by name of the tab "Your image", for programs."""

from collections.abc import Callable
from typing import Any, TypedDict

import gradio as gr

from gan_hub.demo.calls import File, as_file
from gan_hub.demo.tabs.yours import handlers as yours


class FoundPicture(TypedDict):
    """The nearest picture that a model can draw, its latent, and how near it is."""

    image: File
    space: str
    latents: list[float]
    label: str | None
    levels: float
    perceptual: float


def invert_call(model: str, picture: str, request: gr.Request | None = None) -> FoundPicture:
    """Find the latent whose picture comes nearest to a picture; this takes some seconds.

    Args:
        model: a model of this page that does not draw from maps
        picture: PNG or JPEG in a data URI of at most 90,000 characters, at most 256 × 256 pixels
        request: has the visitor's language

    Returns:
        the picture found (PNG), its latent in the space "z" or "w", its class, and two distances (docs/inversion.md)
    """
    path, result, label = yours.find_file(model, picture)
    numbers = [float(number) for number in result.latents.flatten()]
    return {
        "image": as_file(path),
        "space": result.space,
        "latents": numbers,
        "label": label,
        "levels": result.levels,
        "perceptual": result.perceptual,
    }


CALLS: dict[str, Callable[..., Any]] = {"invert": invert_call}

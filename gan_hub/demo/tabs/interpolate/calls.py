"""The calls by name of the tab "Interpolate", for programs."""

from collections.abc import Callable
from typing import Any, TypedDict

import gradio as gr

from gan_hub.demo.calls import File, as_file
from gan_hub.demo.inputs import OWN
from gan_hub.demo.tabs.interpolate import handlers as interpolate


class Film(TypedDict):
    """A walk as an animation and as one PNG of its frames, a sentence, and the parameters of a link."""

    animation: File
    frames: File
    sentence: str
    link: str


def interpolate_call(
    model: str,
    seeds: str = interpolate.FIRST_SEEDS,
    mode: str = "slerp",
    frames: int = interpolate.FIRST_FRAMES,
    label: str = OWN,
    loop: bool = True,
    easing: str = "linear",
    conditions: str = interpolate.KEEP,
    file_format: str = "webp",
    request: gr.Request | None = None,
) -> Film:
    """Walk through latent space from seed to seed.

    Args:
        model: a model of this page
        seeds: two to sixteen seeds, for example "3, 14, 15"
        mode: "slerp" (an arc, at the usual distance from the centre), "lerp" (a straight line), or "w" (a straight line behind
            the mapping network of a style-based model)
        frames: how many pictures, 2 to 120
        label: the name of a class, or "own" for that of the first seed or, blended, of each seed
        loop: whether the walk returns to the first seed
        easing: "linear", or "smooth", which slows down at each seed
        conditions: "keep" the first seed's class or map, or "blend" those of all seeds
        file_format: "webp" (lossless), "gif", or "mp4" where the server has an encoder
        request: has the visitor's language

    Returns:
        an animation, its frames as one PNG, a sentence, the parameters of a link to it
    """
    film, strip, link, sentence = interpolate.walk(
        model, seeds, mode, frames, label, loop, easing, conditions, file_format, request
    )
    return {"animation": as_file(film), "frames": as_file(strip), "sentence": sentence, "link": link}


CALLS: dict[str, Callable[..., Any]] = {"interpolate": interpolate_call}

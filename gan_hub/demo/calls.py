"""The page's calls by name, for programs: `gradio_client`, any HTTP client, and tools of language models."""

from collections.abc import Callable
from typing import Any, TypedDict, get_type_hints

import gradio as gr
from gradio.context import get_blocks_context
from gradio.events import api
from gradio.utils import get_function_description

from gan_hub.demo.components import MODEL_QUEUE
from gan_hub.demo.inputs import NONE, OWN, with_error_toast
from gan_hub.demo.tabs.arithmetic import handlers as arithmetic
from gan_hub.demo.tabs.interpolate import handlers as interpolate
from gan_hub.demo.tabs.sample import handlers as sample


class FileMeta(TypedDict):
    """Marks a file for the clients, which download it."""

    _type: str


class File(TypedDict):
    """A file of the answer."""

    path: str
    meta: FileMeta


class Picture(TypedDict):
    """A picture as a PNG file, and what it is."""

    image: File
    caption: str


class Pictures(TypedDict):
    """Drawn pictures, a zip of them, what they are in a sentence, and the parameters of a link to them."""

    pictures: list[Picture]
    archive: File
    sentence: str
    link: str


class Film(TypedDict):
    """A walk as a lossless WebP animation and as one PNG of its frames, a sentence, and the parameters of a link."""

    animation: File
    frames: File
    sentence: str
    link: str


class Sum(TypedDict):
    """The picture of A − B + C, and the 3 × 3 grid with it in the middle, as PNG files."""

    result: File
    neighbours: File


def _file(path: str) -> File:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def sample_call(
    model: str,
    seeds: str = sample.FIRST_SEEDS,
    label: str = OWN,
    truncation: float = sample.FIRST_TRUNCATION,
    concept: str = NONE,
    strength: float = sample.FIRST_STRENGTH,
    request: gr.Request | None = None,
) -> Pictures:
    """Draw one picture a seed. The same seed gives the same picture, in any selection and on any day.

    Args:
        model: a model of this page, for example dcgan-fashion-mnist
        seeds: whole numbers and ranges, for example "0-15" or "3, 14, 15"; at most 64
        label: the name of a class, or "own" for each seed's own
        truncation: 1 for full variety, less for more typical pictures, 0 for the average
        concept: a concept of the model that all pictures are moved along, or "none"
        strength: how far, from -2 to 2; below 0 to its opposite
        request: has the visitor's language

    Returns:
        the pictures (PNG, original size), a zip of everything, a sentence, the parameters of a link to it
    """
    drawn, link, archive, _, sentence = sample.sample(model, seeds, label, truncation, concept, strength, request)
    pictures: list[Picture] = [{"image": _file(path), "caption": caption} for path, caption in drawn]
    return {"pictures": pictures, "archive": _file(archive), "sentence": sentence, "link": link}


def interpolate_call(
    model: str,
    seeds: str = interpolate.FIRST_SEEDS,
    mode: str = "slerp",
    frames: int = interpolate.FIRST_FRAMES,
    label: str = OWN,
    loop: bool = True,
    request: gr.Request | None = None,
) -> Film:
    """Walk through latent space from seed to seed.

    Args:
        model: a model of this page
        seeds: two to sixteen seeds, for example "3, 14, 15"
        mode: "slerp" (an arc, at the usual distance from the centre) or "lerp" (a straight line)
        frames: how many pictures, 2 to 120
        label: the name of a class, or "own" for that of the first seed
        loop: whether the walk returns to the first seed
        request: has the visitor's language

    Returns:
        a lossless WebP animation, its frames as one PNG, a sentence, the parameters of a link to it
    """
    film, strip, link, _, _, sentence = interpolate.walk(model, seeds, mode, frames, label, loop, request)
    return {"animation": _file(film), "frames": _file(strip), "sentence": sentence, "link": link}


def arithmetic_call(
    model: str,
    a: str,
    b: str,
    c: str,
    exemplar_label: str = OWN,
    label: str = OWN,
    request: gr.Request | None = None,
) -> Sum:
    """Calculate mean(A) − mean(B) + mean(C) in latent space and draw the result among eight neighbours.

    Args:
        model: a model of this page
        a: seeds of group A, for example "0-2"
        b: seeds of group B
        c: seeds of group C
        exemplar_label: the class the exemplars are drawn in, or "own" for each seed's own
        label: the class of the result, or "own" for that of the first exemplar of A
        request: has the visitor's language

    Returns:
        the result, and the 3 × 3 grid with the result in its middle
    """
    _, result, neighbours = arithmetic.calculate(model, a, b, c, exemplar_label, label, request)
    return {"result": _file(str(result)), "neighbours": _file(str(neighbours))}


def publish(name: str, call: Callable[..., Any]) -> None:
    """Offer a call by name on the page that is being composed, described by its docstring.

    Args:
        name: of the call.
        call: a typed function with a section on its arguments and one on what it returns.
    """
    handler = with_error_toast(call)
    handler.__name__ = name  # of the tool that a language model sees
    event, page = api(handler, api_name=name, **MODEL_QUEUE), get_blocks_context()
    assert page is not None
    inputs, outputs = page.fns[event["id"]].inputs, page.fns[event["id"]].outputs
    _, parameters, returned = get_function_description(call)
    named = [parameter for parameter in get_type_hints(call) if parameter not in ("request", "return")]
    for component, parameter in zip(inputs, named, strict=True):
        # Not the parameter's name alone: Gradio's front end translates each label that is a word of its own, such as "label".
        _describe(component, f"{name}.{parameter}", additional_description=parameters[parameter])
    _describe(outputs[0], ", ".join(get_type_hints(get_type_hints(call)["return"])), description=" ".join(returned))


def _describe(component: Any, label: str, **texts: str) -> None:
    """Give a nameless component of a call a name and a description, where Gradio looks for them."""
    component.label = label
    component._api_info = {**component._api_info, **texts}


CALLS: dict[str, Callable[..., Any]] = {
    "sample": sample_call,
    "interpolate": interpolate_call,
    "arithmetic": arithmetic_call,
}

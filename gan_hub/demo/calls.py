"""The page's calls by name, for programs: `gradio_client`, any HTTP client, and tools of language models."""

import zipfile
from collections.abc import Callable
from typing import Any, TypedDict

import gradio as gr

from gan_hub.demo import image_files
from gan_hub.demo.inputs import NONE, OWN
from gan_hub.demo.tabs.arithmetic import handlers as arithmetic
from gan_hub.demo.tabs.explore import handlers as explore
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


class Point(TypedDict):
    """The picture at a place of a plane as a PNG file, where it is, and the parameters of a link to it."""

    picture: File
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
    strength: float = 1.0,
    request: gr.Request | None = None,
) -> Pictures:
    """Draw one picture a seed. The same seed gives the same picture, in any selection and on any day.

    Args:
        model: a model of this page, for example dcgan-fashion-mnist
        seeds: whole numbers and ranges, for example "0-15" or "3, 14, 15"; at most 64
        label: the name of a class, or "own" for each seed's own
        truncation: 1 for full variety, less for more typical pictures, 0 for the average
        concept: a concept of the model that all pictures are moved along, several as "brightness=1.5,ginger=-0.5", or "none"
        strength: how far along the one, from -2 to 2; below 0 to its opposite
        request: has the visitor's language

    Returns:
        the pictures (PNG, original size), a zip of everything, a sentence, the parameters of a link to it
    """
    several = isinstance(concept, str) and "=" in concept
    moved = concept if several else sample.one_concept(model, concept, strength, request)
    items, link, _, sentence = sample.sample(model, seeds, label, truncation, moved, request)
    folder, pictures = image_files.new_folder(), []
    for place, item in enumerate(items):
        path = folder / f"{place:02d}-{item['file']}.png"
        path.write_bytes(image_files.png_bytes(item["src"]))
        pictures.append({"image": _file(str(path)), "caption": item["caption"]})
    archive = folder / f"{image_files.file_name(model)}.zip"
    with zipfile.ZipFile(archive, "w") as file:  # stored, not deflated: PNG is compressed already
        for path in sorted(folder.glob("*.png")):
            file.write(path, path.name)
    return {"pictures": pictures, "archive": _file(str(archive)), "sentence": sentence, "link": link}


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
    return {"picture": _file(str(path)), "sentence": sentence, "link": link}


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


CALLS: dict[str, Callable[..., Any]] = {
    "sample": sample_call,
    "explore": explore_call,
    "interpolate": interpolate_call,
    "arithmetic": arithmetic_call,
}

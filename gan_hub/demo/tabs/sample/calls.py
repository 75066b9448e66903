"""The calls by name of the tab "Sample", for programs."""

import zipfile
from collections.abc import Callable
from typing import Any, TypedDict

import gradio as gr

from gan_hub.demo import image_files
from gan_hub.demo.calls import File, as_file
from gan_hub.demo.inputs import NONE, OWN
from gan_hub.demo.tabs.sample import handlers as sample


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


def sample_call(
    model: str,
    seeds: str = sample.FIRST_SEEDS,
    label: str = OWN,
    truncation: float = sample.FIRST_TRUNCATION,
    concept: str = NONE,
    strength: float = 1.0,
    noise: str = sample.OWN_NOISE,
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
        noise: of the pixels, for a StyleGAN: "const", the network's own, "random", each seed's own, or "none"
        request: has the visitor's language

    Returns:
        the pictures (PNG, original size), a zip of everything, a sentence, the parameters of a link to it
    """
    several = isinstance(concept, str) and "=" in concept
    moved = concept if several else sample.one_concept(model, concept, strength, request)
    items, link, _, sentence = sample.sample(model, seeds, label, truncation, moved, noise, request)
    folder, pictures = image_files.new_folder(), []
    for place, item in enumerate(items):
        path = folder / f"{place:02d}-{item['file']}.png"
        path.write_bytes(image_files.png_bytes(item["src"]))
        pictures.append({"image": as_file(str(path)), "caption": item["caption"]})
    archive = folder / f"{image_files.file_name(model)}.zip"
    with zipfile.ZipFile(archive, "w") as file:  # stored, not deflated: PNG is compressed already
        for path in sorted(folder.glob("*.png")):
            file.write(path, path.name)
    return {"pictures": pictures, "archive": as_file(str(archive)), "sentence": sentence, "link": link}


CALLS: dict[str, Callable[..., Any]] = {"sample": sample_call}

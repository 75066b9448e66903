"""The classes that a model's maps consist of: their names in the visitor's language, and a colour for each."""

import gradio as gr
import numpy as np
import torch

from gan_hub.demo.texts import TEXTS, translate
from gan_hub.model_folder.segmentations import colorize
from gan_hub.pipeline import GANPipeline

# The classes of the CMP facades in the order of their numbers, as benchmarks/made_facades.py has them. Models that were
# trained on the set's pictures know the numbers only.
FACADE = (
    "background", "facade", "window", "door", "cornice", "sill", "balcony", "blind", "deco", "molding", "pillar", "shop",
)  # fmt: skip
CLASSES_OF = {"spade-facades": FACADE}
COLORS = {
    "background": "#a9c7de", "facade": "#d8b48a", "window": "#2f5d9b", "door": "#6b3f1d", "cornice": "#f4e3b2",
    "sill": "#8d8d8d", "balcony": "#3f8f5f", "blind": "#1f9c9c", "deco": "#c77fb3", "molding": "#a4642a",
    "pillar": "#efefef", "shop": "#b5342b",
}  # fmt: skip


def class_names(model: str, pipe: GANPipeline) -> list[str]:
    """The names of a model's semantic classes: those of its folder, where it has more than numbers."""
    names = list(pipe.semantic_names or ())
    known = CLASSES_OF.get(model, ())
    return list(known) if len(known) == len(names) and names == [str(number) for number in range(len(names))] else names


def colors(names: list[str]) -> list[tuple[int, int, int]]:
    """A colour (red, green, blue) for each class: one that suits its name, else one of the circle of hues."""
    numbers = torch.arange(len(names), dtype=torch.uint8)[None, None]
    usual = np.asarray(colorize(numbers)[0])[0].tolist()
    chosen = (COLORS.get(name) for name in names)
    return [
        (int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)) if color else (red, green, blue)
        for color, (red, green, blue) in zip(chosen, usual, strict=True)
    ]


def titles(names: list[str], request: gr.Request | None) -> list[str]:
    """The names as visitors read them: "janela" for "window", "class 7" for a number."""
    return [_title(name, request) for name in names]


def _title(name: str, request: gr.Request | None) -> str:
    if name.isdigit():
        return translate(request, "paint_class_n", number=name)
    return translate(request, f"paint_class_{name}") if f"paint_class_{name}" in TEXTS["en"] else name

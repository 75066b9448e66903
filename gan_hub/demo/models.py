"""Which models the page offers, and their pipelines: each loaded once, by name, and only read from then on."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
import torch

from gan_hub.concepts import Concept
from gan_hub.demo import foreign, inputs
from gan_hub.demo.texts import say, t
from gan_hub.hub.places import bundled
from gan_hub.images import has_opacity, height_width
from gan_hub.pipeline import GANOutput, GANPipeline

FAVOURITE = "dcgan-fashion-mnist"
VARIABLE = "GAN_HUB_MODEL"  # a folder or Hub id to offer beside the bundled zoo; `app.py --model` and Spaces set it
SHOWN_NAMES = 8  # of the models, where another was asked for: the picker has all of them

# Every event that touches a model waits in one line: torch shares the cores, and one visitor's burst is no one's crash.
ON_MODEL = {"concurrency_id": "model", "concurrency_limit": 1}
PRIVATE = {"api_visibility": "private"}


def choices() -> dict[str, str]:
    """Name on the page → what from_pretrained takes. A local folder is shown by its last part alone."""
    offered = {name: str(folder) for name, folder in bundled().items()}
    extra = os.environ.get(VARIABLE)
    if extra:
        offered[Path(extra).resolve().name if Path(extra).is_dir() else extra] = extra
    return offered


def default() -> str | None:
    """The model the page opens with: the one asked for, else Fashion-MNIST, else the first; None without any."""
    offered = choices()
    asked = next((name for name, source in offered.items() if source == os.environ.get(VARIABLE)), None)
    return asked or (FAVOURITE if FAVOURITE in offered else next(iter(offered), None))


def load(name: object) -> GANPipeline:
    """The pipeline of an offered model. Raises BadInput for another name, LoadError for a damaged model."""
    offered = choices()
    if not isinstance(name, str) or name not in offered:
        some = [*offered][:SHOWN_NAMES] + ["…"] * (len(offered) > SHOWN_NAMES)
        raise inputs.BadInput("bad_model", allowed=", ".join(some))
    return _load(offered[name])


@functools.lru_cache(maxsize=16)
def _load(source: str) -> GANPipeline:
    return GANPipeline.from_pretrained(source)


def labels(name: str | None) -> list[str]:
    """The class names of a model; none for an unconditional one."""
    return list(load(name).label_names or ()) if name else []


def first_map(out: GANOutput) -> torch.Tensor | None:
    """The map (H, W) that the first of some images was drawn from, for others to share; None for models without maps."""
    return None if out.segmentations is None else out.segmentations[0]


def label_choices(names: Sequence[str], own: str) -> list[tuple[object, str]]:
    """The entries of a class picker: leaving it to the model first (worded by the text `own`), then the class names."""
    return [(t(own), inputs.OWN), *((name, name) for name in names)]


def label_picker(names: Sequence[str], own: str, **options) -> gr.Dropdown:
    """A class picker; hidden where the model has no classes.

    Its own check against the choices of the first model is switched off: callers of another model's API would fail it.
    """
    choices_ = label_choices(names, own)
    return gr.Dropdown(choices_, value=inputs.OWN, visible=bool(names), allow_custom_value=True, **options)


def label_update(names: Sequence[str], own: str, current: object) -> dict:
    """A class picker after a change of model: the new names, and the old choice where it still is one."""
    value = current if isinstance(current, str) and current in names else inputs.OWN
    return gr.update(choices=label_choices(names, own), value=value, visible=bool(names))


def concepts(name: str | None) -> dict[str, Concept]:
    """The concepts of a model by their names; none for most."""
    return load(name).concepts if name else {}


def concept_picker(names: Sequence[str], **options) -> gr.Dropdown:
    """A picker of a concept, or of none; hidden where the model has no concepts. Not checked, as `label_picker`."""
    choices_ = concept_choices(names)
    return gr.Dropdown(choices_, value=inputs.NONE, visible=bool(names), allow_custom_value=True, **options)


def concept_choices(names: Sequence[str]) -> list[tuple[object, str]]:
    return [(t("no_concept"), inputs.NONE), *((name, name) for name in names)]


def concept_update(names: Sequence[str], current: object = inputs.NONE) -> dict:
    """A picker of a concept after a change of model; the old choice stays where it still is one."""
    value = current if isinstance(current, str) and current in names else inputs.NONE
    return gr.update(choices=concept_choices(names), value=value, visible=bool(names))


def describe(name: str, request: gr.Request | None = None) -> str:
    """One line: what kind of network it is and what it draws."""
    pipe = load(name)
    config = pipe.generator.config
    height, width = height_width(config["resolution"])
    parameters = sum(weight.numel() for weight in pipe.generator.parameters()) / 1e6
    classes = say(request, "n_classes", count=len(pipe.label_names)) if pipe.label_names else ""
    return say(
        request,
        "facts",
        network=type(pipe.generator).__name__.removesuffix("Generator"),
        width=width,
        height=height,
        colour=say(request, "grey" if config["channels"] < 3 else "colour")
        + (say(request, "with_opacity") if has_opacity(config["channels"]) else ""),
        classes=classes,
        parameters=f"{parameters:.1f}".replace(".", say(request, "decimal_point")),
    )


def card(name: str, request: gr.Request | None = None) -> str:
    """The beginning of the model's card as HTML, without pictures and HTML of its own."""
    return foreign.card(Path(load(name).name_or_path)) or foreign.plain(say(request, "no_card"))

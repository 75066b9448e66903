"""Which models the page offers, and their pipelines: each loaded once, by name, and only read from then on."""

import functools
import os
import re
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import gradio as gr
import torch

from gan_hub.demo import inputs, sanitize
from gan_hub.demo.texts import t, translate
from gan_hub.hub.resolve import bundled_models
from gan_hub.images import has_opacity, height_width
from gan_hub.model_folder.concepts import Concept
from gan_hub.pipeline import GANOutput, GANPipeline

FAVOURITE = "dcgan-fashion-mnist"
VARIABLE = "GAN_HUB_MODEL"  # a folder or Hub id to offer beside the bundled zoo; `app.py --model` and Spaces set it
PATIENCE = 3  # seconds that the page waits for a model from the Hub before it opens without it
SHOWN_NAMES = 8  # of the models, where another was asked for: the picker has all of them

# Every event that touches a model waits in one line: torch shares the cores, and one visitor's burst is no one's crash.
ON_MODEL = {"concurrency_id": "model", "concurrency_limit": 1}
PRIVATE = {"api_visibility": "private"}


def choices() -> dict[str, str]:
    """Name on the page → what from_pretrained takes: the bundled zoo, and the model asked for once it is at hand."""
    offered = {name: str(folder) for name, folder in bundled_models().items()}
    source = os.environ.get(VARIABLE)
    if source and is_at_hand(source):
        name = name_of(source)
        if source not in offered and os.path.realpath(offered.get(name, source)) != os.path.realpath(source):
            name = f"{name} (own)"  # recipes are called as the models of the zoo that were trained with them
        offered[name] = source
    return offered


def default() -> str | None:
    """The model the page opens with: the one asked for, else Fashion-MNIST, else the first; None without any."""
    offered = choices()
    asked = next((name for name, source in offered.items() if source == os.environ.get(VARIABLE)), None)
    return asked or (FAVOURITE if FAVOURITE in offered else next(iter(offered), None))


def name_of(source: str) -> str:
    """What the page calls a model: its folder's name, or that of the run it was exported from; a Hub id as it is."""
    if not os.path.isdir(os.path.expanduser(source)):
        return re.sub(r"^(https?://(www\.)?(huggingface\.co|hf\.co)/|hf://)", "", source.strip()).strip("/")
    folder = Path(os.path.realpath(os.path.expanduser(source)))
    if folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--"):  # of the Hub's cache
        return folder.parents[1].name.removeprefix("models--").replace("--", "/")
    if folder.name == "export":  # train.py calls every run's result so
        return sanitize.heading(folder) or folder.parent.name
    return folder.name


# ------------------------------------------------------------------------------------- a model from the Hub


def is_at_hand(source: str) -> bool:
    """Whether a model can be offered: it lies here, or has come from the Hub by now."""
    if source in bundled_models() or os.path.lexists(os.path.expanduser(source)):
        return True
    return arrival(source).done() and arrival(source).exception() is None


@functools.lru_cache(maxsize=4)
def arrival(source: str) -> Future:
    """A model on its way: loaded beside the page, which does not wait for a Hub that is slow, or silent."""
    future = Future()

    def fetch() -> None:
        try:
            future.set_result(_load(source))
        except Exception as error:
            future.set_exception(error)

    # A daemon: a thread that hangs on the Hub must not keep the server from ending.
    threading.Thread(target=fetch, daemon=True, name=f"load {source}").start()
    return future


def await_asked() -> None:
    """Loads the model asked for; for one from the Hub it waits a moment only, if there are others to show meanwhile.

    Raises LoadError where it is known by then that there is no such model.
    """
    source = os.environ.get(VARIABLE)
    if not source:
        return
    at_once = source in bundled_models() or os.path.lexists(os.path.expanduser(source)) or not bundled_models()
    try:
        arrival(source).result(None if at_once else PATIENCE)
    except TimeoutError:
        print(f"Waiting for {source} from the Hub; the page opens with the bundled models meanwhile.", file=sys.stderr)
        arrival(source).add_done_callback(lambda done: print(_outcome(source, done), file=sys.stderr))


def _outcome(source: str, done: Future) -> str:
    return f"{source} has arrived." if done.exception() is None else f"{source} is not offered: {done.exception()}"


def awaited() -> str | None:
    """The model asked for, while it is on its way, and if it did not arrive; None where there is nothing to wait for."""
    source = os.environ.get(VARIABLE)
    return source if source and not is_at_hand(source) else None


def news(request: gr.Request | None = None):
    """What there is to tell of the model that the page opened without: a sentence as HTML, the picker, and when to ask again."""
    source = os.environ.get(VARIABLE, "")
    waiting, name = not arrival(source).done(), sanitize.plain(name_of(source))
    key = "model_awaited" if waiting else "model_arrived" if is_at_hand(source) else "model_missing"
    return translate(request, key, name=name), gr.update(choices=list(choices())), gr.update(active=waiting)


def load(name: object) -> GANPipeline:
    """The pipeline of an offered model. Raises BadInput for another name, LoadError for a damaged model."""
    offered = choices()
    if not isinstance(name, str) or name not in offered:
        some = [*offered][:SHOWN_NAMES] + ["…"] * (len(offered) > SHOWN_NAMES)
        raise inputs.BadInputError("bad_model", allowed=", ".join(some))
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
    config = pipe.unwrapped_generator.config
    height, width = height_width(config["resolution"])
    parameters = sum(weight.numel() for weight in pipe.generator.parameters()) / 1e6
    classes = translate(request, "n_classes", count=len(pipe.label_names)) if pipe.label_names else ""
    return translate(
        request,
        "facts",
        network=type(pipe.unwrapped_generator).__name__.removesuffix("Generator"),
        width=width,
        height=height,
        colour=translate(request, "grey" if config["channels"] < 3 else "colour")
        + (translate(request, "with_opacity") if has_opacity(config["channels"]) else ""),
        classes=classes,
        parameters=f"{parameters:.1f}".replace(".", translate(request, "decimal_point")),
    )


def card(name: str, request: gr.Request | None = None) -> str:
    """The beginning of the model's card as HTML, without pictures and HTML of its own."""
    return sanitize.card(Path(load(name).name_or_path)) or sanitize.plain(translate(request, "no_card"))

"""Which models the page offers, and their pipelines: each is loaded once, by name, and only read from then on."""

import functools
import os
import re
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import cast

import gradio as gr
import torch
from PIL import Image

from gan_hub.demo import fast_drawing, inputs, sanitize, showcase
from gan_hub.demo.guests import GUESTS
from gan_hub.demo.texts import translate
from gan_hub.hub.resolve import bundled_models
from gan_hub.images import has_opacity, height_width
from gan_hub.model_folder.concepts import Concept
from gan_hub.pipeline import GANOutput, GANPipeline, styled
from gan_hub.version import full_version

MODEL_VARIABLE = "GAN_HUB_MODEL"  # a folder or Hub id to offer beside the bundled models; --model and Spaces set it
HUB_TIMEOUT = 3  # seconds that the page waits for a model from the Hub before it opens without it
MAX_LISTED_NAMES = 8  # of models, in the answer to a wrong name


def offered_models() -> dict[str, str]:
    """Name on the page → what from_pretrained takes: the bundled models, and the requested one once it is available."""
    offered = {name: str(folder) for name, folder in bundled_models().items()}
    source = os.environ.get(MODEL_VARIABLE)
    if source and is_available(source):
        name = display_name(source)
        if source not in offered and os.path.realpath(offered.get(name, source)) != os.path.realpath(source):
            name = f"{name} (own)"  # a run often has the name of the bundled model that was trained with its recipe
        offered[name] = source
    return offered


def default_model() -> str | None:
    """The model that the page opens with: the requested one, else the first of the showcase; None without any."""
    offered = offered_models()
    requested = next((name for name, source in offered.items() if source == os.environ.get(MODEL_VARIABLE)), None)
    return requested or next(iter(showcase.in_order(offered)), None)


def is_known(name: object) -> bool:
    """Whether there is a model of this name: one that is offered, or a visitor's own."""
    return name in offered_models() or GUESTS.find(name) is not None


def display_name(source: str) -> str:
    """A model's name on the page: that of its folder, or of the run it was exported from; of the Hub, its id."""
    if not os.path.isdir(os.path.expanduser(source)):
        return re.sub(r"^(https?://(www\.)?(huggingface\.co|hf\.co)/|hf://)", "", source.strip()).strip("/")
    folder = Path(os.path.realpath(os.path.expanduser(source)))
    if folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--"):  # of the Hub's cache
        return folder.parents[1].name.removeprefix("models--").replace("--", "/")
    if folder.name == "export":  # the name of every run's result
        return sanitize.card_title(folder) or folder.parent.name
    return folder.name


# ------------------------------------------------------------------------------------- a model from the Hub


def is_available(source: str) -> bool:
    """Whether a model can be offered: it is on this machine, or has been downloaded by now."""
    if _is_local(source):
        return True
    future = load_in_background(source)
    return future.done() and future.exception() is None


def _is_local(source: str) -> bool:
    return source in bundled_models() or os.path.lexists(os.path.expanduser(source))


@functools.lru_cache(maxsize=4)
def load_in_background(source: str) -> "Future[GANPipeline]":
    """The pipeline of a model, loaded in a thread so that the page need not wait for a slow Hub. Starts once a source."""
    future: Future[GANPipeline] = Future()

    def fetch() -> None:
        try:
            future.set_result(_load(source))
        except Exception as error:
            future.set_exception(error)

    # A daemon: a thread that hangs on the Hub must not keep the server from ending.
    threading.Thread(target=fetch, daemon=True, name=f"load {source}").start()
    return future


def load_requested() -> None:
    """Load the requested model. If it comes from the Hub and there are others to show, wait HUB_TIMEOUT at most.

    Raises LoadError if it is known by then that there is no such model.
    """
    source = os.environ.get(MODEL_VARIABLE)
    if not source:
        return
    future = load_in_background(source)
    try:
        future.result(None if _is_local(source) or not bundled_models() else HUB_TIMEOUT)
    except TimeoutError:
        print(f"Waiting for {source} from the Hub; the page opens with the bundled models meanwhile.", file=sys.stderr)
        future.add_done_callback(lambda done: print(_outcome(source, done), file=sys.stderr))


def _outcome(source: str, done: "Future[GANPipeline]") -> str:
    return f"{source} has arrived." if done.exception() is None else f"{source} is not offered: {done.exception()}"


def pending_model() -> str | None:
    """The requested model while it is not available: still downloading, or failed. None if nothing is missing."""
    source = os.environ.get(MODEL_VARIABLE)
    return source if source and not is_available(source) else None


def hub_name(name: str) -> str | None:
    """The id of an offered model on the Hub, "owner/name"; None for one of this machine."""
    source = offered_models().get(name, "")
    return display_name(source) if source and not _is_local(source) else None


# ------------------------------------------------------------------------------------------------ pipelines


def load(name: object) -> GANPipeline:
    """The pipeline of an offered model, or of a visitor's own. Raises BadInputError without one, LoadError for a damaged one."""
    guest, offered = GUESTS.find(name), offered_models()
    if guest is not None:
        return guest
    if not isinstance(name, str) or name not in offered:
        some = [*offered][:MAX_LISTED_NAMES] + ["…"] * (len(offered) > MAX_LISTED_NAMES)
        raise inputs.BadInputError("bad_model", allowed=", ".join(some))
    return _load(offered[name])


@functools.lru_cache(maxsize=16)
def _load(source: str) -> GANPipeline:
    pipe = GANPipeline.from_pretrained(source)
    fast_drawing.optimizer.add(pipe, fast_drawing.wanted_engine())
    return pipe


def pil_images(out: GANOutput) -> list[Image.Image]:
    """The images of a pipeline that was called without `output_type`, which makes them PIL images."""
    return cast("list[Image.Image]", out.images)


def drawn_classes(pipe: GANPipeline, out: GANOutput) -> list[str | None]:
    """The class name of each image; None for each of an unconditional model."""
    if out.labels is None or pipe.label_names is None:
        return [None] * len(out.latents)
    return [pipe.label_names[index] for index in out.labels]


def first_map(out: GANOutput) -> torch.Tensor | None:
    """The semantic map (H, W) of the first image, for others to share; None for models without maps."""
    return None if out.segmentations is None else out.segmentations[0]


def class_names(name: str | None) -> list[str]:
    """The class names of a model; empty for an unconditional one."""
    return list(load(name).label_names or ()) if name else []


def concepts(name: str | None) -> dict[str, Concept]:
    """The concepts of a model by their names; most models have none."""
    return load(name).concepts if name else {}


def has_noise(pipe: GANPipeline) -> bool:
    """Whether noise of its pixels is part of what a model draws."""
    return styled.has_noise(pipe.unwrapped_generator)


def recipe(name: str, **fields: object) -> dict[str, object]:
    """The text fields of a picture's file: which model drew it, how, with which software, and under which licence.

    Args:
        name: the model.
        fields: how it was drawn; those of None are left out when the file is written.

    Returns:
        All fields.
    """
    license_ = sanitize.license_name(Path(load(name).name_or_path))
    return {"model": name, **fields, "software": f"gan_hub {full_version()}", "license": license_}


# ------------------------------------------------------------------------------------- what a model is


def describe(name: str, request: gr.Request | None = None) -> str:
    """One line: what kind of network it is and what it draws."""
    pipe = load(name)
    config = pipe.unwrapped_generator.config
    height, width = height_width(config["resolution"])
    parameters = sum(weight.numel() for weight in pipe.generator.parameters()) / 1e6
    color = translate(request, "grey" if config["channels"] < 3 else "color")
    return translate(
        request,
        "facts",
        network=type(pipe.unwrapped_generator).__name__.removesuffix("Generator"),
        width=width,
        height=height,
        color=color + (translate(request, "with_opacity") if has_opacity(config["channels"]) else ""),
        classes=translate(request, "n_classes", count=len(pipe.label_names)) if pipe.label_names else "",
        parameters=f"{parameters:.1f}".replace(".", translate(request, "decimal_point")),
    )

"""A walk through latent space from seed to seed, as frames and as an animation."""

from typing import Any
from urllib.parse import urlencode

import gradio as gr
import torch

from gan_hub.demo import image_files, inputs, models
from gan_hub.demo.answers import remembered
from gan_hub.demo.components import Update, class_update, kept_class
from gan_hub.demo.texts import translate
from gan_hub.images import grid, save_animation, save_png
from gan_hub.latents import INTERPOLATIONS, format_seeds, interpolate
from gan_hub.pipeline import GANPipeline

FIRST_SEEDS, MAX_SEEDS = "3, 14, 15", 16
FIRST_FRAMES, MIN_FRAMES, MAX_FRAMES = 48, 2, 120
COLUMNS = 12  # frames in a row of the strip
ANIMATION_SIDE = 256  # pixels at least, by whole factors, which loses nothing; viewers blur smaller animations
SECONDS_PER_FRAME = 0.08
LINK_KEYS = ("seeds", "mode", "frames", "label", "loop")

Walk = tuple[str, str, str, str, str, str]  # animation and strip, link, both files again to download, and a sentence


def walk(
    model: str, seeds: str, mode: str, frames: int, label: str, loop: bool = True, request: gr.Request | None = None
) -> Walk:
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
        a lossless WebP animation, the frames as one PNG, a link to them, both again as files to download, a sentence
    """
    with inputs.of("walk-seeds"):
        numbers = inputs.seeds(seeds, 2, MAX_SEEDS)
    path_kind = inputs.choice(mode, list(INTERPOLATIONS), translate(request, "mode"))
    count = inputs.integer(frames, MIN_FRAMES, MAX_FRAMES, translate(request, "frames"))
    closed = inputs.boolean(loop, translate(request, "loop"))
    pipe = models.load(model)
    # One class, or map, for the whole walk: left to the latents, it would jump from frame to frame.
    first = pipe(seeds=numbers[:1], output_type="pt")
    name = inputs.class_name(label, pipe.label_names) or models.drawn_classes(pipe, first)[0]
    latents = _path(pipe, numbers, path_kind, count, closed)
    images = models.pil_images(pipe(latents=latents, labels=name, segmentation=models.first_map(first)))

    folder = image_files.new_folder()
    animation = folder / f"{image_files.file_name(model, 'walk', *numbers[:4])}.webp"
    strip = animation.with_suffix(".png")
    save_animation([image_files.enlarge(image, ANIMATION_SIDE) for image in images], animation, SECONDS_PER_FRAME)
    save_png(grid(images, COLUMNS), strip, model=model, seeds=format_seeds(numbers), mode=path_kind, label=name)
    stops = " → ".join(map(str, [*numbers, *numbers[: int(closed)]]))
    status = translate(request, "walked", count=count, seeds=stops, label=f" · {name}" if name else "")
    return (
        str(animation),
        str(strip),
        _link(model, numbers, path_kind, count, label, closed),
        str(animation),
        str(strip),
        status,
    )


def _link(model: str, seeds: list[int], mode: str, frames: int, label: str, loop: bool) -> str:
    values = {"tab": "interpolate", "model": model, "seeds": format_seeds(seeds).replace(" ", ""), "mode": mode}
    values |= {"frames": frames, "loop": int(loop)} | ({"label": label} if label and label != inputs.OWN else {})
    return "?" + urlencode(values, safe=",")


def fill(model: str, link: dict[str, str], request: gr.Request | None = None) -> list[Any]:
    """The form as a link fills it; what the link does not say keeps its default. Raises BadInputError for what is wrong."""
    seeds = format_seeds(inputs.seeds(link["seeds"], 2, MAX_SEEDS)) if "seeds" in link else FIRST_SEEDS
    mode = inputs.choice(link.get("mode", INTERPOLATIONS[0]), INTERPOLATIONS, translate(request, "mode"))
    frames = inputs.integer(
        inputs.as_number(link.get("frames", FIRST_FRAMES)), MIN_FRAMES, MAX_FRAMES, translate(request, "frames")
    )
    label = inputs.class_name(link.get("label"), models.class_names(model)) or inputs.OWN
    loop = inputs.choice(link.get("loop", "1"), ("0", "1"), translate(request, "loop")) == "1"
    return [seeds, mode, frames, label, loop]


def _path(pipe: GANPipeline, seeds: list[int], mode: str, count: int, closed: bool) -> torch.Tensor:
    """Latents (count, Z). A closed walk leaves out its last frame, which is the first one again."""
    stops = pipe.sample_latents([*seeds, *seeds[: int(closed)]])
    return interpolate(stops, count + closed, mode)[:count]


@remembered
def draw(
    model: str, seeds: str, mode: str, frames: int, label: str, loop: bool, request: gr.Request | None = None
) -> tuple[Update, str, str, str, str, str, str]:
    """The walk of the chosen model.

    Args:
        model: the model.
        seeds, mode, frames, label, loop: the form, as in `walk`; a class that the model does not have becomes "own".
        request: has the visitor's language.

    Returns:
        The update of the class picker, and what `walk` returns.
    """
    names = models.class_names(model)
    kept = kept_class(names, label)
    return class_update(names, "first_seed", kept), *walk(model, seeds, mode, frames, kept, loop, request)

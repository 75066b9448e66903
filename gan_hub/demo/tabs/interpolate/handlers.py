"""A walk through latent space from keyframe to keyframe: edited, drawn, played, and saved as a film when it is asked for."""

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import gradio as gr
from PIL import Image

from gan_hub import video
from gan_hub.demo import image_files, inputs, models, showcase
from gan_hub.demo.answers import remembered
from gan_hub.demo.components import Update, class_update, kept_class
from gan_hub.demo.tabs.interpolate.drawing import Plan, Walk, condition, draw, modes
from gan_hub.demo.tabs.interpolate.player import (
    COLUMNS,
    SECONDS_PER_FRAME,
    frames_of,
    keyframes_html,
    player_html,
    sheet,
)
from gan_hub.demo.texts import t, translate
from gan_hub.images import grid, save_animation, save_png, to_pil
from gan_hub.latents import EASINGS, format_seeds

FIRST_SEEDS, MIN_SEEDS, MAX_SEEDS = "3, 14, 15", 2, 16
FIRST_FRAMES, MIN_FRAMES, MAX_FRAMES = 48, 2, 120
BLEND, KEEP = "blend", "keep"  # classes or maps of the keyframes
ACTS = ("left", "right", "reroll", "remove", "add", "place")
FORMATS = ("webp", "gif", "mp4", "png")
SCALES = (1, 4, 8)
MAX_SIDE = 1024  # pixels of an enlarged frame
ANIMATION_SIDE = 256  # pixels at least of the call's animation, by whole factors, which loses nothing
RANDOM_BELOW = 1_000_000  # new seeds stay short enough to read out
LINK_KEYS = ("seeds", "mode", "frames", "label", "loop", "easing", "conditions")

# Updates of path, classes and class; keyframes, player, the seeds as a text, a link, and a sentence.
Shown = tuple[Update, Update, Update, str, str, str, str, str]


def checked(
    model: str,
    seeds: str,
    mode: str,
    frames: int,
    label: str,
    loop: bool,
    easing: str,
    conditions: str,
    request: gr.Request | None = None,
) -> Plan:
    """The form as a plan.

    Args:
        model, seeds, mode, frames, label, loop, easing, conditions, request: as in `walk`.

    Returns:
        The plan.

    Raises:
        BadInputError: for what is not allowed.
    """
    with inputs.of("walk-seeds"):
        numbers = inputs.seeds(seeds, MIN_SEEDS, MAX_SEEDS)
    pipe = models.load(model)
    path_kind = inputs.choice(mode, modes(pipe), translate(request, "mode"))
    count = inputs.integer(frames, MIN_FRAMES, MAX_FRAMES, translate(request, "frames"))
    closed = inputs.boolean(loop, translate(request, "loop"))
    speed = inputs.choice(easing, EASINGS, translate(request, "easing"))
    is_blended = inputs.choice(conditions, (BLEND, KEEP), translate(request, "conditions")) == BLEND
    name = inputs.class_name(label, pipe.label_names)
    return Plan(numbers, path_kind, count, closed, speed, name, is_blended)


def sentence(plan: Plan, walk: Walk, request: gr.Request | None = None) -> str:
    """What was drawn, in words.

    Args:
        plan, walk: what was drawn.
        request: has the visitor's language.

    Returns:
        A sentence.
    """
    stops = " → ".join(str(plan.seeds[place]) for place in plan.stops)
    names = [showcase.class_title(name, request) for name in walk.classes if name]
    if len(set(names)) > 1:
        names = [" → ".join(names[place] for place in plan.stops)]
    label = f" · {names[0]}" if names else ""
    return translate(request, "walked", count=plan.frames, seeds=stops, label=label)


def walk(
    model: str,
    seeds: str,
    mode: str,
    frames: int,
    label: str,
    loop: bool = True,
    easing: str = EASINGS[0],
    conditions: str = KEEP,
    file_format: str = FORMATS[0],
    request: gr.Request | None = None,
) -> tuple[str, str, str, str]:
    """Walk through latent space from seed to seed.

    Args:
        model: a model of this page
        seeds: two to sixteen seeds, for example "3, 14, 15"
        mode: "slerp" (an arc, at the usual distance from the centre), "lerp" (a straight line), or "w" (a straight line
            behind the mapping network of a style-based model)
        frames: how many pictures, 2 to 120
        label: the name of a class, or "own" for that of the first seed or, blended, of each seed
        loop: whether the walk returns to the first seed
        easing: "linear", or "smooth", which slows down at each seed
        conditions: "keep" the first seed's class or map, or "blend" those of all seeds
        file_format: "webp" (lossless), "gif", or "mp4" where the server has an encoder
        request: has the visitor's language

    Returns:
        the animation, the frames as one PNG, the parameters of a link to them, a sentence
    """
    plan = checked(model, seeds, mode, frames, label, loop, easing, conditions, request)
    ending = _format(file_format, request)
    drawn = draw(models.load(model), plan)
    fields = _fields(model, plan, request)
    images = to_pil(drawn.frames)
    path = _new_path(model, plan.seeds, ".png")
    save_png(grid(images, COLUMNS), path, **fields)
    film = path if ending == "png" else path.with_suffix(f".{ending}")
    _save([image_files.enlarge(image, ANIMATION_SIDE) for image in images], film, fields)
    return str(film), str(path), _link(model, plan), sentence(plan, drawn, request)


def _save(images: list[Image.Image], path: Path, fields: dict[str, object]) -> None:
    if path.suffix == ".png":
        save_png(grid(images, COLUMNS), path, **fields)
    elif path.suffix == ".mp4":
        video.save_video(images, path, SECONDS_PER_FRAME, **fields)
    else:
        save_animation(images, path, SECONDS_PER_FRAME, **fields)


def _new_path(model: str, seeds: list[int], ending: str) -> Path:
    return image_files.new_folder() / f"{image_files.file_name(model, 'walk', *seeds[:4])}{ending}"


def _fields(model: str, plan: Plan, request: gr.Request | None = None) -> dict[str, object]:
    """What a file says of how it was made."""
    return models.recipe(
        model,
        seeds=format_seeds(plan.seeds),
        mode=plan.mode,
        frames=plan.frames,
        loop=plan.is_loop,
        easing=plan.easing,
        label=plan.label,
        conditions=BLEND if plan.is_blended else KEEP,
        link=_link(model, plan),
    )


def _format(value: object, request: gr.Request | None) -> str:
    allowed = formats()
    if value == "mp4" and "mp4" not in allowed:
        raise inputs.BadInputError("no_encoder")
    return inputs.choice(value, allowed, translate(request, "file_format"))


def formats() -> list[str]:
    """The endings of files that a walk can be saved as on this machine."""
    return [ending for ending in FORMATS if ending != "mp4" or video.encoder()]


def _link(model: str, plan: Plan) -> str:
    values = {"tab": "interpolate", "model": model, "seeds": format_seeds(plan.seeds).replace(" ", "")}
    values |= {"mode": plan.mode, "frames": str(plan.frames), "loop": str(int(plan.is_loop)), "easing": plan.easing}
    values |= {"conditions": BLEND if plan.is_blended else KEEP} | ({"label": plan.label} if plan.label else {})
    return "?" + urlencode(values, safe=",")


def fill(model: str, link: dict[str, str], request: gr.Request | None = None) -> list[Any]:
    """The form as a link fills it; what the link does not say keeps its default.

    Args:
        model: the model.
        link: the values of a link.
        request: has the visitor's language.

    Returns:
        A value for each of LINK_KEYS.

    Raises:
        BadInputError: for what is not allowed.
    """
    seeds = format_seeds(inputs.seeds(link["seeds"], MIN_SEEDS, MAX_SEEDS)) if "seeds" in link else FIRST_SEEDS
    mode = inputs.choice(link.get("mode", "slerp"), modes(models.load(model)), translate(request, "mode"))
    frames = inputs.integer(
        inputs.as_number(link.get("frames", FIRST_FRAMES)), MIN_FRAMES, MAX_FRAMES, translate(request, "frames")
    )
    label = inputs.class_name(link.get("label"), models.class_names(model)) or inputs.OWN
    loop = inputs.choice(link.get("loop", "1"), ("0", "1"), translate(request, "loop")) == "1"
    easing = inputs.choice(link.get("easing", EASINGS[0]), EASINGS, translate(request, "easing"))
    # A link that names a path and nothing about classes was written when all frames had the first seed's.
    usual = KEEP if "mode" in link else BLEND
    kept = inputs.choice(link.get("conditions", usual), (BLEND, KEEP), translate(request, "conditions"))
    return [seeds, _mode_update(model, mode), frames, label, loop, easing, kept]


def _mode_update(model: str, mode: str) -> Update:
    """The paths that a model has: Gradio refuses a choice that the picker does not offer."""
    return gr.update(choices=[(t(each), each) for each in modes(models.load(model))], value=mode)


# ------------------------------------------------------------------------------------- what the events call


@remembered
def show(
    model: str,
    seeds: str,
    mode: str,
    frames: int,
    label: str,
    loop: bool,
    easing: str,
    conditions: str,
    request: gr.Request | None = None,
) -> Shown:
    """The walk of the chosen model.

    Args:
        model: the model.
        seeds, mode, frames, label, loop, easing, conditions: the form, as in `walk`; a path that the model does not have
            becomes the arc, a class "own".
        request: has the visitor's language.

    Returns:
        Updates of the pickers of the path, of what happens to classes or maps, and of the class; keyframes and player as HTML,
        the seeds as a text, the parameters of a link, and a sentence.
    """
    pipe, names = models.load(model), models.class_names(model)
    mode = "slerp" if mode == "w" and mode not in modes(pipe) else mode
    kept = kept_class(names, label) if isinstance(label, str) else label
    plan = checked(model, seeds, mode, frames, kept, loop, easing, conditions, request)
    drawn = draw(pipe, plan)
    kind = condition(pipe)
    updates = (
        _mode_update(model, mode),
        gr.update(
            visible=kind is not None and not plan.label,
            choices=[(t(f"{kind or 'class'}_{each}"), each) for each in (BLEND, KEEP)],
            label=t(f"{kind or 'class'}_conditions"),
            info=t(f"{kind or 'class'}_conditions_info"),
        ),
        class_update(names, "own_classes", kept),
    )
    return (
        *updates,
        keyframes_html(plan, drawn, MIN_SEEDS, request),
        player_html(plan, drawn, request),
        format_seeds(plan.seeds),
        _link(model, plan),
        sentence(plan, drawn, request),
    )


# The handlers below take what `show` takes; those that change the seeds return them before what it returns.


def typed(request: gr.Request | None = None, *form: Any) -> tuple[Any, ...]:
    """Seeds were typed: they are the keyframes."""
    return _again(form, form[1], request)


def edit(event: gr.SelectData, request: gr.Request | None = None, *form: Any) -> tuple[Any, ...]:
    """A button of a keyframe was pressed: the event says which, see `edited`."""
    return _again(form, edited(form[1], event.index, event.value), request)


def add(request: gr.Request | None = None, *form: Any) -> tuple[Any, ...]:
    """Another keyframe, at the end."""
    return _again(form, edited(form[1], None, {"act": "add"}), request)


def _again(form: Sequence[Any], seeds: str, request: gr.Request | None) -> tuple[Any, ...]:
    model, _, mode, frames, label, loop, easing, conditions = form
    return seeds, *show(model, seeds, mode, frames, label, loop, easing, conditions, request)


def edited(seeds: str, index: object, value: object) -> str:
    """The keyframes after a button was pressed.

    A keyframe is found by its seed where clicks before this one have moved it.

    Args:
        seeds: of the keyframes, as a text.
        index: the place of the keyframe when the button was pressed.
        value: {"act": one of ACTS, "seed": the keyframe's, "to": its new place for "place"}.

    Returns:
        The seeds as a text.

    Raises:
        BadInputError: for another value, and where there would be too few keyframes or too many.
    """
    numbers, pressed = inputs.seeds(seeds, MIN_SEEDS, MAX_SEEDS), value if isinstance(value, dict) else {}
    act = inputs.choice(pressed.get("act"), ACTS, "act")
    if act == "add":
        numbers.append(_new_seed(numbers))
    else:
        seed = pressed.get("seed")
        place = index if isinstance(index, int) and 0 <= index < len(numbers) and numbers[index] == seed else None
        place = numbers.index(seed) if place is None and seed in numbers else place
        if place is None:
            raise inputs.BadInputError("bad_position")
        if act == "reroll":
            numbers[place] = _new_seed(numbers)
        else:
            moved = numbers.pop(place)
            target = {"left": place - 1, "right": place + 1, "remove": None}.get(act, pressed.get("to"))
            if act != "remove":
                numbers.insert(inputs.integer(target, -1, MAX_SEEDS, "to") if target != -1 else 0, moved)
    written = format_seeds(numbers)
    inputs.seeds(written, MIN_SEEDS, MAX_SEEDS)  # refuses too few and too many
    return written


def _new_seed(others: list[int]) -> int:
    return next(seed for seed in iter(lambda: secrets.randbelow(RANDOM_BELOW), None) if seed not in others)


def reroll(request: gr.Request | None = None, *form: Any) -> tuple[Any, ...]:
    """As many new keyframes as there were."""
    numbers: list[int] = []
    for _ in inputs.seeds(form[1], MIN_SEEDS, MAX_SEEDS):
        numbers.append(_new_seed(numbers))
    return _again(form, format_seeds(numbers), request)


# ------------------------------------------------------------------------------------------------- the files


def frames_file(request: gr.Request | None = None, *form: Any) -> tuple[str, str]:
    """The frames of the walk in a file of the server, with what a film of them is to say; and no sentence."""
    model, seeds, mode, frames, label, loop, easing, conditions = form
    plan = checked(model, seeds, mode, frames, label, loop, easing, conditions, request)
    drawn = draw(models.load(model), plan)
    path = _new_path(model, plan.seeds, "-frames.png")
    height, width = drawn.frames.shape[1:3]
    about = {"fields": _fields(model, plan, request), "count": plan.frames, "size": [width, height]}
    save_png(sheet(drawn.frames), path, about=json.dumps(about))
    return str(path), ""


def save_film(path: str, file_format: str, scale: int, request: gr.Request | None = None) -> tuple[str, str]:
    """Write a film, or all frames in one PNG, to be downloaded.

    Args:
        path: what `frames_file` wrote.
        file_format: one of `formats`.
        scale: one of SCALES; each pixel becomes so many in both directions.
        request: has the visitor's language.

    Returns:
        The path of the file, and a sentence.

    Raises:
        BadInputError: for what is not allowed, and where the frames are gone.
    """
    ending = _format(file_format, request)
    factor = int(inputs.choice(str(scale), [str(each) for each in SCALES], translate(request, "scale")))
    if not path or not Path(path).is_file():
        raise inputs.BadInputError("walk_gone")
    with Image.open(path) as picture:
        about = json.loads(picture.text["about"])  # pyright: ignore[reportAttributeAccessIssue]  # of PNGs
        width, height = (side * factor for side in about["size"])
        if max(width, height) > MAX_SIDE and factor > 1:
            raise inputs.BadInputError("too_wide", width=width, height=height, most=MAX_SIDE)
        images = frames_of(picture, about["count"], tuple(about["size"]))
    film = Path(path).with_name(f"{Path(path).stem.removesuffix('-frames')}-x{factor}.{ending}")
    _save([image.resize((width, height), Image.Resampling.NEAREST) for image in images], film, about["fields"])
    kilobytes = -(-film.stat().st_size // 1000)
    return str(film), translate(request, "saved", name=film.name, width=width, height=height, size=kilobytes)

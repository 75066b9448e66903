"""mean(A) − mean(B) + mean(C) of latents chosen by clicking pictures (Radford et al. 2016, 6.3.2), and styles mixed by layers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from gan_hub.demo import image_files, inputs, models
from gan_hub.demo.answers import remembered
from gan_hub.demo.components import Update, class_update, kept_class
from gan_hub.demo.inputs import OWN
from gan_hub.demo.tabs.arithmetic import drawing, groups
from gan_hub.demo.tabs.arithmetic.drawing import Drawn
from gan_hub.demo.tabs.arithmetic.groups import MAX_POOL, NAMES, seeds_of, with_groups
from gan_hub.demo.tabs.arithmetic.links import (
    FIRST_LAYERS,
    FIRST_RADIUS,
    MAX_RADIUS,
    MIX,
    PAPERS_RADIUS,
    SUM,
    checked_layers,
    link_of,
)
from gan_hub.demo.texts import translate
from gan_hub.images import save_png
from gan_hub.latents import format_seeds

SCALES = (1, 4, 8)
MAX_SIDE = 4096  # pixels of an enlarged file
KINDS = ("result", "nine")
ACTS = ("take", "drop", "preset")

Result = tuple[str, str | None, str | None]  # the equation as HTML, the files of the result and of the nine pictures


# ------------------------------------------------------------------------------------------------ the calls


def calculate(
    model: str,
    a: str,
    b: str,
    c: str,
    exemplar_label: str,
    label: str,
    radius: float = PAPERS_RADIUS,
    request: gr.Request | None = None,
) -> Result:
    """The equation of the call `arithmetic`.

    Args:
        model, a, b, c, exemplar_label, label, radius, request: as in `calls.arithmetic_call`.

    Returns:
        The equation as HTML, the result as PNG, and the 3 × 3 grid with the result in its middle as PNG.

    Raises:
        BadInputError: as there.
    """
    if not all(map(inputs.text, (a, b, c))):
        raise inputs.BadInputError("need_groups")
    drawn = _drawn(model, (a, b, c), exemplar_label, label, radius, SUM, FIRST_LAYERS, request)
    fields = _fields(model, (a, b, c), drawn, exemplar_label, radius, SUM, FIRST_LAYERS)
    result, nine = (_file(model, drawn.pictures[kind], kind, 1, fields) for kind in KINDS)
    return drawn.html, result, nine


def mix(
    model: str, a: str, b: str, layers: str, exemplar_label: str, request: gr.Request | None = None
) -> tuple[str, str]:
    """The table of the call `mix_styles`.

    Args:
        model, a, b, layers, exemplar_label, request: as in `calls.mix_styles_call`.

    Returns:
        The table as HTML, and as PNG with B along the top and A down the side.

    Raises:
        BadInputError: as there.
    """
    if not drawing.can_mix(models.load(model)):
        raise inputs.BadInputError("no_styles")
    if not all(map(inputs.text, (a, b))):
        raise inputs.BadInputError("need_two_groups")
    drawn = _drawn(model, (a, b, ""), exemplar_label, OWN, FIRST_RADIUS, MIX, layers, request)
    fields = _fields(model, (a, b, ""), drawn, exemplar_label, FIRST_RADIUS, MIX, layers)
    return drawn.html, _file(model, drawn.pictures["mixed"], "mixed", 1, fields)


def _drawn(
    model: str,
    texts: groups.Groups,
    exemplar_label: str,
    label: str,
    radius: float,
    mode: str,
    layers: str,
    request: gr.Request | None,
) -> Drawn:
    """The equation, or the table of mixed styles, after everything was checked."""
    numbers = []
    for name, text in zip(NAMES, texts, strict=True):
        with inputs.of(f"group-{name.lower()}"):
            numbers.append(seeds_of(text))
    pipe = models.load(model)
    exemplar_class = inputs.class_name(exemplar_label, pipe.label_names)
    result_class = inputs.class_name(label, pipe.label_names)
    far = inputs.number(radius, 0, MAX_RADIUS, translate(request, "radius"))
    chosen = checked_layers(layers, request)
    if inputs.choice(mode, (SUM, MIX), translate(request, "arithmetic_mode")) == MIX and drawing.can_mix(pipe):
        return drawing.draw_mix(pipe, numbers, exemplar_class, chosen, request)
    titles = groups.titles(pipe, texts, request)
    return drawing.draw_sum(pipe, numbers, titles, exemplar_class, result_class, far, request)


def _fields(
    model: str, texts: groups.Groups, drawn: Drawn, exemplar_label: str, radius: float, mode: str, layers: str
) -> dict[str, object]:
    """What a file says of how it was made."""
    seeds = {name: text for name, text in zip(NAMES, texts, strict=True) if text}
    made = {"formula": "mean(A) - mean(B) + mean(C)", "radius": radius, "label": drawn.label}
    if mode == MIX:
        made = {"formula": "A with layers of B", "layers": layers}
    of_class = exemplar_label if exemplar_label != OWN else None
    return models.recipe(model, **made, **seeds, exemplar_label=of_class)


def _file(model: str, image: Image.Image, kind: str, scale: int, fields: dict[str, object]) -> str:
    size = image.width * scale, image.height * scale
    if max(size) > MAX_SIDE:
        raise inputs.BadInputError("too_wide_sum", width=size[0], height=size[1], most=MAX_SIDE)
    parts = {"result": ("A-B+C",), "nine": ("A-B+C", "neighbours"), "mixed": ("styles",)}[kind]
    name = image_files.file_name(model, *parts, *([f"x{scale}"] if scale > 1 else []))
    path = image_files.new_folder() / f"{name}.png"
    save_png(image.resize(size, Image.Resampling.NEAREST), path, **fields)
    return str(path)


# ------------------------------------------------------------------------------------- what the events call

# preset, pool, A, B, C for the session; updates of class pickers, mode, layers and radius; examples, pool, marks and equation
# as HTML; the seeds of pool, A, B and C as texts; the save button; a link; a sentence
Shown = tuple[Any, ...]
POOL_PLACE = 11  # of the pool's pictures in what `show` returns


def show(
    model: str,
    preset: str,
    pool: str,
    pool_label: str,
    a: str,
    b: str,
    c: str,
    label: str,
    radius: float,
    mode: str,
    layers: list[str],
    request: gr.Request | None = None,
) -> Shown:
    """Pool and equation of the chosen model.

    Args:
        model: the model.
        preset: the example whose groups these are; "" where the visitor has chosen them.
        pool, a, b, c: seeds of the pool and of the groups.
        pool_label, label: the classes of pool and result; kept if the model has them.
        radius: of the neighbours.
        mode: SUM or MIX; SUM where the model cannot mix.
        layers: of LAYERS.
        request: has the visitor's language.

    Returns:
        What `Shown` lists.
    """
    return _show(model, preset, pool, pool_label, a, b, c, label, radius, mode, _written(layers), request)


@remembered
def _show(
    model: str,
    preset: str,
    pool: str,
    pool_label: str,
    a: str,
    b: str,
    c: str,
    label: str,
    radius: float,
    mode: str,
    layers: Any,
    request: gr.Request | None = None,
) -> Shown:
    pipe, names, words = models.load(model), models.class_names(model), ""
    texts = a, b, c
    if preset:
        example = groups.example(model, preset, request)
        pool, texts = example.pool, example.groups
        words = " · ".join(f"{name}: {title}" for name, title in zip(NAMES, example.titles, strict=True))
        # All pictures have one class at first: a latent means what two pictures differ in, beside the class.
        pool_label = kept_class(names, pool_label, otherwise=next(iter(names), OWN))
    elif isinstance(pool_label, str):
        pool_label = kept_class(names, pool_label)
    label = kept_class(names, label) if isinstance(label, str) else label
    mode = SUM if mode == MIX and not drawing.can_mix(pipe) else mode
    drawn = _drawn(model, texts, pool_label, label, radius, mode, layers, request)
    with inputs.of("pool-seeds"):
        pool = format_seeds(with_groups(texts, inputs.seeds(pool, most=MAX_POOL)))
    is_mix = mode == MIX
    if is_mix:
        words = ""
    elif not words:
        named = zip(NAMES, groups.titles(pipe, texts, request), strict=True)
        words = " · ".join(f"{name}: {title}" for name, title in named if title)
    return (
        *(preset, pool, *texts),
        class_update(names, "own", pool_label),
        class_update(names, "group_own", label) | ({"visible": False} if is_mix else {}),
        gr.update(value=mode, visible=drawing.can_mix(pipe)),
        gr.update(visible=is_mix),
        gr.update(visible=not is_mix),
        drawing.presets_html(groups.presets(pipe, request), preset, request) if not is_mix else "",
        drawing.pool_pictures(pipe, inputs.seeds(pool, most=MAX_POOL), inputs.class_name(pool_label, names), request),
        drawing.marks_html(groups.marks(pool, texts)),
        drawn.html,
        *(pool, *texts),
        *_saving(drawn, mode),
        link_of(model, preset, pool, pool_label, texts, label, radius, mode, layers),
        words,
    )


def _saving(drawn: Drawn, mode: str) -> tuple[Update, Update]:
    """The choice of what to save, and the button, which is off while there is nothing to save."""
    return gr.update(visible=mode == SUM), gr.update(interactive=bool(drawn.pictures))


# The handlers below take what `show` takes, after what they are about, and return what it returns.


def _again(
    form: Sequence[Any],
    request: gr.Request | None,
    preset: str = "",
    pool: str | None = None,
    texts: groups.Groups | None = None,
) -> Shown:
    """What `show` returns for a form of which some parts have changed."""
    model, _, old_pool, pool_label, a, b, c, label, radius, mode, layers = form
    a, b, c = texts or (a, b, c)
    new_pool = old_pool if pool is None else pool
    return show(model, preset, new_pool, pool_label, a, b, c, label, radius, mode, layers, request)


def click(active: str, event: gr.SelectData, request: gr.Request | None = None, *form: Any) -> Shown:
    """A picture of the pool was clicked: it joins the active group, or leaves it. The pool's pictures do not change.

    Args:
        active: the group.
        event: which picture.
        request: has the visitor's language.
        form: what `show` takes.

    Returns:
        What `show` returns.
    """
    numbers = inputs.seeds(form[2], most=MAX_POOL)
    seed = numbers[inputs.position(event.index, len(numbers))]
    a, b, c = form[4:7]
    return _with_the_same_pool(_again(form, request, texts=groups.toggled(active, (a, b, c), seed, request)))


def press(event: gr.SelectData, request: gr.Request | None = None, *form: Any) -> Shown:
    """A button of the equation was pressed, or a picture dropped on a group.

    The event's value is {"act": "take", "group", "seed"}, which takes a seed out of a group; {"act": "drop", "group", "place"},
    which puts the pool's picture of that place in; or {"act": "preset", "place"}, the example of the model's concept.
    """
    value = event.value if isinstance(event.value, dict) else {}
    act = inputs.choice(value.get("act"), ACTS, "act")
    if act == "preset":
        names = groups.in_order(models.load(form[0]))
        return _again(form, request, preset=names[inputs.position(value.get("place"), len(names))])
    name = inputs.choice(value.get("group"), NAMES, translate(request, "active"))
    a, b, c = form[4:7]
    group, seed = seeds_of((a, b, c)[NAMES.index(name)]), value.get("seed")
    if act == "drop":
        numbers = inputs.seeds(form[2], most=MAX_POOL)
        seed = numbers[inputs.position(value.get("place"), len(numbers))]
    if isinstance(seed, int) and (seed in group) == (act == "take"):
        a, b, c = groups.toggled(name, (a, b, c), seed, request)
    return _with_the_same_pool(_again(form, request, texts=(a, b, c)))


def _with_the_same_pool(values: Shown) -> Shown:
    return *values[:POOL_PLACE], gr.skip(), *values[POOL_PLACE + 1 :]


def typed(request: gr.Request | None = None, *form: Any) -> Shown:
    """Seeds were typed: those of A, B, C and of the pool, before what `show` takes."""
    a, b, c, pool, *rest = form
    return _again(rest, request, pool=pool, texts=(a, b, c))


def surprise(request: gr.Request | None = None, *form: Any) -> Shown:
    """Three random groups of the pool."""
    return _again(form, request, texts=groups.random_groups(form[2]))


def clear(request: gr.Request | None = None, *form: Any) -> Shown:
    """Three empty groups."""
    return _again(form, request, texts=("", "", ""))


def new_pool(request: gr.Request | None = None, *form: Any) -> Shown:
    """Other pictures to choose from, after those that are in a group."""
    a, b, c = form[4:7]
    return _again(form, request, pool=groups.new_pool((a, b, c)))


def save(kind: str, scale: int, request: gr.Request | None = None, *form: Any) -> tuple[str, str]:
    """The picture of the equation in a file, enlarged by whole pixels.

    Args:
        kind: one of KINDS; of mixed styles there is only the table.
        scale: one of SCALES.
        request: has the visitor's language.
        form: what `show` takes.

    Returns:
        The path of the PNG, and a sentence.

    Raises:
        BadInputError: for what is not allowed, and while a group is empty.
    """
    model, _, _, pool_label, a, b, c, label, radius, mode, layers = form
    factor = int(inputs.choice(str(scale), [str(each) for each in SCALES], translate(request, "scale_sum")))
    subject = inputs.choice(kind, KINDS, translate(request, "save_what"))
    written = _written(layers)
    drawn = _drawn(model, (a, b, c), pool_label, label, radius, mode, written, request)
    subject = "mixed" if "mixed" in drawn.pictures else subject
    if subject not in drawn.pictures:
        raise inputs.BadInputError("need_two_groups" if mode == MIX else "need_groups")
    fields = _fields(model, (a, b, c), drawn, pool_label, radius, MIX if subject == "mixed" else SUM, written)
    path = _file(model, drawn.pictures[subject], subject, factor, fields)
    return path, translate(request, "saved_sum", name=Path(path).name)


def _written(layers: object) -> Any:
    """The list of layers as the text that links have; what is no list of texts stays, and is refused later."""
    if isinstance(layers, list) and all(isinstance(layer, str) for layer in layers):
        return ",".join(layers)
    return layers

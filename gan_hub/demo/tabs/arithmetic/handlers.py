"""mean(A) − mean(B) + mean(C) of latents chosen by clicking pictures (Radford et al. 2016, 6.3.2)."""

import html
import secrets
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import gradio as gr
import torch
from PIL import Image

from gan_hub.demo import image_files, inputs, models
from gan_hub.demo.answers import remembered
from gan_hub.demo.components import Update, class_update, concept_update, kept_class
from gan_hub.demo.inputs import OWN
from gan_hub.demo.texts import translate
from gan_hub.images import grid, save_png
from gan_hub.latents import arithmetic, format_seeds, neighbours
from gan_hub.pipeline import GANOutput, GANPipeline

GROUPS = ("A", "B", "C")
FIRST_POOL, FIRST_GROUPS = "0-23", ("0-2", "3-5", "6-8")
MAX_POOL, MAX_EXEMPLARS = 48, 12
NEIGHBOUR_RADIUS = 0.25  # the paper's figure 7
NEIGHBOUR_SEED = 0  # fixed, so that the same groups always give the same nine pictures
RANDOM_EXEMPLARS = 3  # a group, as in the paper
LINK_KEYS = ("pool", "pool_label", "a", "b", "c", "label")

Texts = tuple[str, str, str]  # the seeds of A, B and C as they are written
Result = tuple[str, str | None, str | None]  # the equation as HTML, the files of the result and of the nine pictures


# --------------------------------------------------------------------------------------------- the equation


def calculate(
    model: str, a: str, b: str, c: str, exemplar_label: str, label: str, request: gr.Request | None = None
) -> Result:
    """Calculate mean(A) − mean(B) + mean(C) in latent space and draw the result among eight neighbours.

    Args:
        model: a model of this page
        a: seeds of group A, for example "0-2"
        b: seeds of group B
        c: seeds of group C
        exemplar_label: the class the exemplars are drawn in, or "own" for each seed's own
        label: the class of the result, or "own" for that of the first exemplar of A
        request: has the visitor's language

    Raises:
        BadInputError: a group is empty; as a sentence on the page

    Returns:
        the equation as HTML, the result as PNG, and the 3 × 3 grid with the result in its middle as PNG
    """
    if not all(map(inputs.text, (a, b, c))):
        raise inputs.BadInputError("need_groups")
    return _equation(model, (a, b, c), exemplar_label, label, request)


def preview(
    model: str, a: str, b: str, c: str, exemplar_label: str, label: str, request: gr.Request | None = None
) -> Result:
    """The equation as far as the groups are filled; no result while one of them is empty.

    Args:
        model, a, b, c, exemplar_label, label, request: as in `calculate`.

    Returns:
        As `calculate`; the files are None while a group is empty.
    """
    return _equation(model, (a, b, c), exemplar_label, label, request)


def _equation(model: str, texts: Texts, exemplar_label: str, label: str, request: gr.Request | None) -> Result:
    groups = [inputs.seeds(text, 0, MAX_EXEMPLARS) for text in texts]
    pipe = models.load(model)
    exemplar_class = inputs.class_name(exemplar_label, pipe.label_names)
    result_class = inputs.class_name(label, pipe.label_names)
    drawn = [pipe(seeds=seeds, labels=exemplar_class) for seeds in groups]
    operands = [_operand(pipe, name, out, request) for name, out in zip(GROUPS, drawn, strict=True)]
    if not all(groups):
        note = f'<p class="note">{html.escape(translate(request, "need_groups"))}</p>'
        return _equation_html(operands, note), None, None

    z = arithmetic(*(out.latents for out in drawn))
    around = neighbours(z, 8, NEIGHBOUR_RADIUS, torch.Generator().manual_seed(NEIGHBOUR_SEED))
    result_class = result_class or models.drawn_classes(pipe, drawn[0])[0]
    latents = torch.stack([*around[:4], z, *around[4:]])
    images = models.pil_images(pipe(latents=latents, labels=result_class, segmentation=models.first_map(drawn[0])))
    seeds = {name: format_seeds(group) for name, group in zip(GROUPS, groups, strict=True)}
    result, nine = _save(model, images, seeds, result_class)
    alt = " ".join(filter(None, ("A − B + C", result_class)))
    tiles = "".join(
        image_files.img_tag(image, alt, "middle" if place == 4 else "") for place, image in enumerate(images)
    )
    return _equation_html(operands, f'<div class="nine">{tiles}</div>'), result, nine


def _operand(pipe: GANPipeline, name: str, out: GANOutput, request: gr.Request | None) -> str:
    """One operand as HTML: its letter, its exemplars, and its mean latent as a picture."""
    images = models.pil_images(out)
    if not images:
        body = f'<div class="empty">{html.escape(translate(request, "group_empty"))}</div>'
    else:
        # The mean is drawn in the class, and from the map, of the first exemplar.
        first_class = models.drawn_classes(pipe, out)[0]
        latent = out.latents.mean(0, keepdim=True)
        mean = models.pil_images(pipe(latents=latent, labels=first_class, segmentation=models.first_map(out)))[0]
        caption = f"{translate(request, 'mean')}({name})"
        tiles = "".join(
            image_files.img_tag(image, f"{name}: {seed}") for image, seed in zip(images, out.seeds or (), strict=True)
        )
        body = (
            f'{image_files.img_tag(mean, caption, "mean")}<div class="caption">{html.escape(caption)}</div>'
            f'<div class="few">{tiles}</div>'
        )
    return f'<div class="operand"><div class="letter">{name}</div>{body}</div>'


def _equation_html(operands: list[str], result: str) -> str:
    signs = ("−", "+", "=")
    terms = "".join(f'{part}<div class="sign">{sign}</div>' for part, sign in zip(operands, signs, strict=True))
    return f'<div class="equation">{terms}<div class="operand result">{result}</div></div>'


def _save(model: str, images: list[Image.Image], seeds: dict[str, str], label: str | None) -> tuple[str, str]:
    """Write the middle one of nine images, and their 3 × 3 grid, as PNG with what made them; the two paths."""
    folder = image_files.new_folder()
    result = folder / f"{image_files.file_name(model, 'A-B+C')}.png"
    nine = folder / f"{image_files.file_name(model, 'A-B+C', 'neighbours')}.png"
    fields = {"model": model, "label": label, "formula": "mean(A) - mean(B) + mean(C)", **seeds}
    save_png(images[4], result, **fields)
    save_png(grid(images, 3), nine, **fields)
    return str(result), str(nine)


# ------------------------------------------------------------------------------------------------- the pool


def draw_pool(model: str, seeds: str, label: str) -> list[str]:
    """Draw the pictures that can be clicked.

    Args:
        model: a model of this page.
        seeds: the seeds of the pool, as a text.
        label: the class of the pictures, or "own" for each seed's own.

    Returns:
        Their PNG files, one a seed.
    """
    numbers = inputs.seeds(seeds, most=MAX_POOL)
    pipe = models.load(model)
    images = models.pil_images(pipe(seeds=numbers, labels=inputs.class_name(label, pipe.label_names)))
    folder = image_files.new_folder()
    paths = [folder / f"{image_files.file_name(model, 'seed', seed)}-{place}.png" for place, seed in enumerate(numbers)]
    for image, path, seed in zip(images, paths, numbers, strict=True):
        save_png(image, path, model=model, seed=seed)
    return [str(path) for path in paths]


def _with_captions(files: list[str], seeds: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    """The pool's pictures, each with its seed and the groups it is in."""
    groups = [set(inputs.seeds(text, 0, MAX_EXEMPLARS)) for text in texts]
    captions = [
        " ".join([str(seed), *(name for name, group in zip(GROUPS, groups, strict=True) if seed in group)])
        for seed in inputs.seeds(seeds, most=MAX_POOL)
    ]
    return list(zip(files, captions, strict=True))


def show_pool(
    model: str, seeds: str, label: str, a: str, b: str, c: str, request: gr.Request | None = None
) -> tuple[Update, list[str]]:
    """Draw the pool anew.

    Args:
        model, seeds, label: as in `draw_pool`.
        a, b, c: seeds of the groups, for the captions.
        request: has the visitor's language.

    Returns:
        The update of the gallery, and its files for the session.
    """
    files = draw_pool(model, seeds, label)
    return gr.update(value=_with_captions(files, seeds, (a, b, c)), selected_index=None), files


def toggled(active: str, texts: Texts, seed: int, request: gr.Request | None = None) -> Texts:
    """The groups after a click: the picture's seed joins the active group, or leaves it.

    Args:
        active: the group, "A", "B" or "C".
        texts: the seeds of the groups.
        seed: that of the clicked picture.
        request: has the visitor's language.

    Returns:
        The seeds of the groups. Raises BadInputError where the group would be too large.
    """
    place = GROUPS.index(inputs.choice(active, GROUPS, translate(request, "active")))
    group = inputs.seeds(texts[place], 0, MAX_EXEMPLARS)
    group = [other for other in group if other != seed] if seed in group else [*group, seed]
    written = format_seeds(group)
    inputs.seeds(written, 0, MAX_EXEMPLARS)  # refuses a group that is too large now
    a, b, c = (written if index == place else text for index, text in enumerate(texts))
    return a, b, c


def random_groups(seeds: str) -> list[str]:
    """Three groups of three, drawn from the pool without repetition."""
    numbers = inputs.seeds(seeds, len(GROUPS) * RANDOM_EXEMPLARS, MAX_POOL)
    secrets.SystemRandom().shuffle(numbers)
    return [format_seeds(sorted(numbers[start::3][:RANDOM_EXEMPLARS])) for start in range(3)]


def fill_from_concept(model: str, concept: str, a: str, b: str) -> tuple[str, str]:
    """Groups A and B of a concept: exemplars that show it, and exemplars that do not.

    Args:
        model: a model of this page.
        concept: one of its concepts, or "none".
        a, b: seeds of the groups, which stay as they are for "none".

    Returns:
        The seeds of A and of B.
    """
    known = models.concepts(model)
    name = inputs.concept(concept, list(known))
    if name is None:
        return a, b
    with_it, without_it = known[name].with_it[:MAX_EXEMPLARS], known[name].without_it[:MAX_EXEMPLARS]
    return format_seeds(sorted(with_it)), format_seeds(sorted(without_it))


def new_pool_seeds() -> str:
    """Seeds of a new pool, in a row."""
    count = len(inputs.seeds(FIRST_POOL))
    first = secrets.randbelow(1_000_000)
    return format_seeds(range(first, first + count))


# ------------------------------------------------------------------------------------- what the events call

Form = tuple[str, str, str, str, str, str]  # seeds and class of the pool, seeds of A, B and C, class of the result
Shown = tuple[Update, list[str], str, str | None, str | None, str, str]  # pool twice, the equation, a link, a sentence


def show(
    model: str,
    seeds: str,
    pool_label: str,
    a: str,
    b: str,
    c: str,
    label: str,
    request: gr.Request | None = None,
) -> Shown:
    """Pool and equation.

    Args:
        model: the model.
        seeds, a, b, c: seeds of the pool and of the groups.
        pool_label, label: the classes of pool and result.
        request: has the visitor's language.

    Returns:
        What `show_pool` and `preview` return, a link to it, and no sentence.
    """
    result = preview(model, a, b, c, pool_label, label, request)
    pool = show_pool(model, seeds, pool_label, a, b, c, request)
    return *pool, *result, _link(model, (seeds, pool_label, a, b, c, label)), ""


def _link(model: str, form: Form) -> str:
    values = dict(zip(LINK_KEYS, form, strict=True))
    kept = {key: value.replace(", ", ",") for key, value in values.items() if value and value != OWN}
    return "?" + urlencode({"tab": "arithmetic", "model": model} | kept, safe=",")


def fill(model: str, link: dict[str, str], request: gr.Request | None = None) -> list[str]:
    """The form as a link fills it; what the link does not say keeps its default. Raises BadInputError for what is wrong."""
    names = models.class_names(model)
    seeds = format_seeds(inputs.seeds(link.get("pool", FIRST_POOL), most=MAX_POOL))
    given = any(key in link for key in "abc")
    texts = [link.get(key, "" if given else first) for key, first in zip("abc", FIRST_GROUPS, strict=True)]
    groups = [format_seeds(inputs.seeds(text, 0, MAX_EXEMPLARS)) for text in texts]
    pool_label = inputs.class_name(link.get("pool_label"), names) or OWN
    return [seeds, pool_label, *groups, inputs.class_name(link.get("label"), names) or OWN]


def click(
    active: str,
    files: list[str],
    model: str,
    seeds: str,
    pool_label: str,
    a: str,
    b: str,
    c: str,
    label: str,
    event: gr.SelectData,
    request: gr.Request | None = None,
) -> tuple[Any, ...]:
    """A picture of the pool was clicked: the groups, and what `show` returns.

    Args:
        active: the group that clicks go to.
        files: the pool's pictures.
        model, seeds, pool_label, a, b, c, label, request: as in `show`.
        event: which picture was clicked.

    Returns:
        The seeds of the three groups, and what `show` returns.
    """
    numbers = inputs.seeds(seeds, most=MAX_POOL)
    if len(numbers) != len(files):
        raise inputs.BadInputError("bad_position")
    seed = numbers[inputs.position(event.index, len(numbers))]
    groups = toggled(active, (a, b, c), seed, request)
    return *groups, *show(model, seeds, pool_label, *groups, label, request)


def surprise(
    model: str, seeds: str, pool_label: str, a: str, b: str, c: str, label: str, request: gr.Request | None = None
) -> tuple[Any, ...]:
    """Three random groups, and what `show` returns; the arguments are those of `show`."""
    groups = random_groups(seeds)
    return *groups, *show(model, seeds, pool_label, *groups, label, request)


def clear(
    model: str, seeds: str, pool_label: str, a: str, b: str, c: str, label: str, request: gr.Request | None = None
) -> tuple[Any, ...]:
    """Three empty groups, and what `show` returns; the arguments are those of `show`."""
    return "", "", "", *show(model, seeds, pool_label, "", "", "", label, request)


def fill_groups(
    concept: str,
    model: str,
    seeds: str,
    pool_label: str,
    a: str,
    b: str,
    c: str,
    label: str,
    request: gr.Request | None = None,
) -> tuple[Any, ...]:
    """Groups A and B of a concept, C as it was, and what `show` returns; the other arguments are those of `show`."""
    a, b = fill_from_concept(model, concept, a, b)
    return a, b, c, *show(model, seeds, pool_label, a, b, c, label, request)


def new_pool(
    model: str, seeds: str, pool_label: str, a: str, b: str, c: str, label: str, request: gr.Request | None = None
) -> tuple[Any, ...]:
    """The seeds of another pool, three random groups of it, and what `show` returns; the arguments are those of `show`."""
    seeds = new_pool_seeds()
    groups = random_groups(seeds)
    return seeds, *groups, *show(model, seeds, pool_label, *groups, label, request)


@remembered
def draw(
    model: str,
    seeds: str,
    pool_label: str,
    a: str,
    b: str,
    c: str,
    label: str,
    request: gr.Request | None = None,
) -> tuple[Any, ...]:
    """Pool and equation of the chosen model.

    Args:
        model, seeds, a, b, c, request: as in `show`.
        pool_label, label: the classes of pool and result; kept if the model has them.

    Returns:
        Updates of both class pickers and of the concept picker, and what `show` returns.
    """
    names = models.class_names(model)
    # All pictures have one class at first: a latent means what two pictures differ in, beside the class.
    pool_class = kept_class(names, pool_label, otherwise=next(iter(names), OWN))
    result_class = kept_class(names, label)
    updates = class_update(names, "own", pool_class), class_update(names, "group_own", result_class)
    shown = show(model, seeds, pool_class, a, b, c, result_class, request)
    return *updates, concept_update(list(models.concepts(model))), *shown

"""The tab "Arithmetic": mean(A) − mean(B) + mean(C) of latents chosen by clicking pictures (Radford et al. 2016, 6.3.2)."""

import html
import secrets
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
import torch
from PIL import Image

from gan_hub.demo import image_files, inputs, models
from gan_hub.demo.answers import remembered
from gan_hub.demo.components import (
    MODEL_QUEUE,
    PRIVATE,
    QUIET,
    ModelChange,
    Update,
    class_picker,
    class_update,
    concept_picker,
    concept_update,
    crisp_gallery,
    download_button,
    kept_class,
    seeds_box,
)
from gan_hub.demo.inputs import OWN, with_error_toast
from gan_hub.demo.texts import t, translate
from gan_hub.images import grid, save_png
from gan_hub.latents import arithmetic, format_seeds, neighbours
from gan_hub.pipeline import GANOutput, GANPipeline

GROUPS = ("A", "B", "C")
FIRST_POOL, FIRST_GROUPS = "0-23", ("0-2", "3-5", "6-8")
MAX_POOL, MAX_EXEMPLARS = 48, 12
NEIGHBOUR_RADIUS = 0.25  # the paper's figure 7
NEIGHBOUR_SEED = 0  # fixed, so that the same groups always give the same nine pictures
RANDOM_EXEMPLARS = 3  # a group, as in the paper

Texts = tuple[str, str, str]  # the seeds of A, B and C as they are written
Result = tuple[str, str | None, str | None]  # the equation as HTML, the files of the result and of the nine pictures


# --------------------------------------------------------------------------------------------- the equation


@with_error_toast
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


@with_error_toast
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


@with_error_toast
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


@with_error_toast
def toggle_exemplar(
    active: str,
    a: str,
    b: str,
    c: str,
    seeds: str,
    files: list[str],
    event: gr.SelectData,
    request: gr.Request | None = None,
) -> tuple[str, str, str, Update]:
    """Put the clicked picture into the active group, or take it out again.

    Args:
        active: the group, "A", "B" or "C".
        a, b, c: seeds of the groups.
        seeds: the seeds of the pool.
        files: the pool's pictures.
        event: which of them was clicked.
        request: has the visitor's language.

    Returns:
        The seeds of the three groups, and the update of the gallery.

    Raises:
        BadInputError: there is no such picture any more, or the group is full; as a sentence on the page.
    """
    place = GROUPS.index(inputs.choice(active, GROUPS, translate(request, "active")))
    numbers = inputs.seeds(seeds, most=MAX_POOL)
    if len(numbers) != len(files) or not all(Path(file).is_file() for file in files):
        raise inputs.BadInputError("bad_position")
    seed = numbers[inputs.position(event.index, len(numbers))]
    texts = [a, b, c]
    group = inputs.seeds(texts[place], 0, MAX_EXEMPLARS)
    group = [other for other in group if other != seed] if seed in group else [*group, seed]
    texts[place] = format_seeds(group)
    inputs.seeds(texts[place], 0, MAX_EXEMPLARS)  # refuses a group that is too large now
    return texts[0], texts[1], texts[2], gr.update(value=_with_captions(files, seeds, texts), selected_index=None)


@with_error_toast
def random_groups(seeds: str, request: gr.Request | None = None) -> list[str]:
    """Three groups of three, drawn from the pool without repetition."""
    numbers = inputs.seeds(seeds, len(GROUPS) * RANDOM_EXEMPLARS, MAX_POOL)
    secrets.SystemRandom().shuffle(numbers)
    return [format_seeds(sorted(numbers[start::3][:RANDOM_EXEMPLARS])) for start in range(3)]


@with_error_toast
def fill_from_concept(model: str, concept: str, a: str, b: str, request: gr.Request | None = None) -> tuple[str, str]:
    """Groups A and B of a concept: exemplars that show it, and exemplars that do not.

    Args:
        model: a model of this page.
        concept: one of its concepts, or "none".
        a, b: seeds of the groups, which stay as they are for "none".
        request: has the visitor's language.

    Returns:
        The seeds of A and of B.
    """
    known = models.concepts(model)
    name = inputs.concept(concept, list(known))
    if name is None:
        return a, b
    with_it, without_it = known[name].with_it[:MAX_EXEMPLARS], known[name].without_it[:MAX_EXEMPLARS]
    return format_seeds(sorted(with_it)), format_seeds(sorted(without_it))


def clear_groups() -> Texts:
    """Three empty groups."""
    return "", "", ""


def new_pool_seeds() -> str:
    """Seeds of a new pool, in a row."""
    count = len(inputs.seeds(FIRST_POOL))
    first = secrets.randbelow(1_000_000)
    return format_seeds(range(first, first + count))


@with_error_toast
@remembered
def on_model_change(
    model: str,
    seeds: str,
    pool_label: str,
    a: str,
    b: str,
    c: str,
    label: str,
    request: gr.Request | None = None,
) -> tuple[Update, Update, Update, list[str], str, str | None, str | None, Update]:
    """Pool and equation of a model that was just chosen.

    Args:
        model: the model.
        seeds, a, b, c: seeds of the pool and of the groups.
        pool_label, label: the classes of pool and result; kept if the model has them.
        request: has the visitor's language.

    Returns:
        Updates of both class pickers, what `show_pool` and `preview` return, and the update of the concept picker.
    """
    names = models.class_names(model)
    # All pictures have one class at first: a latent means what two pictures differ in, beside the class.
    pool_class = kept_class(names, pool_label, otherwise=next(iter(names), OWN))
    result_class = kept_class(names, label)
    updates = class_update(names, "own", pool_class), class_update(names, "group_own", result_class)
    pool = show_pool(model, seeds, pool_class, a, b, c, request)
    result = preview(model, a, b, c, pool_class, result_class, request)
    return *updates, *pool, *result, concept_update(list(models.concepts(model)))


# ------------------------------------------------------------------------------------------------ the layout


def build(model: gr.Dropdown) -> ModelChange:
    """Lay out the tab."""
    names = models.class_names(models.default_model())
    gr.Markdown(t("arithmetic_intro"))
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            active = gr.Radio(list(GROUPS), value="A", label=t("active"), elem_id="active-group")
            with gr.Row():
                surprise = gr.Button(t("surprise"), min_width=110)
                clear = gr.Button(t("clear"), min_width=110)
            known = list(models.concepts(models.default_model()))
            concept = concept_picker(known, "fill_concept", "fill_concept_info", elem_id="fill-concept")
            pool_label = class_picker(names, "own", "pool_label")
            pool_seeds = seeds_box(FIRST_POOL, t("pool_seeds"))
            new_pool = gr.Button(t("new_pool"))
        with gr.Column(scale=3, min_width=320):
            pool = crisp_gallery("pool", columns=12)
    equation = gr.HTML(elem_id="equation")
    gr.Markdown(t("result_note"), elem_classes="note")
    with gr.Row():
        a, b, c = (
            seeds_box(text, t(f"group_{name.lower()}"), min_width=120)
            for name, text in zip(GROUPS, FIRST_GROUPS, strict=True)
        )
        label = class_picker(names, "group_own", "result_label")
    with gr.Row():
        equals = gr.Button(t("calculate"), variant="primary", min_width=140)
        download = download_button("download_result", min_width=140)
        download_nine = download_button("download_nine", min_width=140)
    files = gr.State([])

    groups, result = [a, b, c], [equation, download, download_nine]
    form = [model, *groups, pool_label, label]
    pool_form, pool_outputs = [model, pool_seeds, pool_label, *groups], [pool, files]

    gr.on(
        [equals.click, *(group.submit for group in groups), label.input],
        calculate,
        form,
        result,
        api_name="arithmetic",
        trigger_mode="always_last",
        show_progress="hidden",
        **MODEL_QUEUE,
    ).success(show_pool, pool_form, pool_outputs, **QUIET, **MODEL_QUEUE)

    clicked = pool.select(
        toggle_exemplar, [active, *groups, pool_seeds, files], [*groups, pool], **QUIET, **MODEL_QUEUE
    )
    clicked.success(preview, form, result, **QUIET, **MODEL_QUEUE)
    changes = [
        surprise.click(random_groups, [pool_seeds], groups, **QUIET),
        clear.click(clear_groups, [], groups, **QUIET),
        concept.input(fill_from_concept, [model, concept, a, b], [a, b], **QUIET, **MODEL_QUEUE),
    ]
    for changed in changes:
        shown_pool = changed.success(show_pool, pool_form, pool_outputs, **QUIET, **MODEL_QUEUE)
        shown_pool.success(preview, form, result, **QUIET, **MODEL_QUEUE)
    drawn = new_pool.click(new_pool_seeds, None, pool_seeds, **QUIET).success(
        show_pool, pool_form, pool_outputs, show_progress_on=pool, **PRIVATE, **MODEL_QUEUE
    )
    regrouped = drawn.success(random_groups, pool_seeds, groups, **QUIET)
    calculated = regrouped.success(preview, form, result, **QUIET, **MODEL_QUEUE)
    calculated.success(show_pool, pool_form, pool_outputs, **QUIET, **MODEL_QUEUE)
    redrawn = gr.on([pool_seeds.submit, pool_label.input], show_pool, pool_form, pool_outputs, **PRIVATE, **MODEL_QUEUE)
    redrawn.success(preview, form, result, **QUIET, **MODEL_QUEUE)
    return ModelChange(
        on_model_change,
        [model, pool_seeds, pool_label, *groups, label],
        [pool_label, label, *pool_outputs, *result, concept],
    )

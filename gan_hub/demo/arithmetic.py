"""The tab "Arithmetic": mean(A) − mean(B) + mean(C) of latents chosen by clicking pictures (Radford et al. 2016, 6.3.2)."""

import html
import secrets
from pathlib import Path

import gradio as gr
import torch
from PIL import Image

from gan_hub.demo import image_files, inputs, models
from gan_hub.demo.inputs import OWN, with_error_toast
from gan_hub.demo.models import ON_MODEL, PRIVATE, first_map
from gan_hub.demo.texts import t, translate
from gan_hub.images import grid, save_png
from gan_hub.latents import arithmetic, format_seeds, neighbours

GROUPS = ("A", "B", "C")
FIRST_POOL, FIRST_GROUPS = "0-23", ("0-2", "3-5", "6-8")
MOST_POOL, MOST_EXEMPLARS = 48, 12
NEIGHBOUR_RADIUS = 0.25  # the paper's figure 7
NEIGHBOUR_SEED = 0  # fixed, so that the same groups always give the same nine pictures
SURPRISE_EACH = 3  # exemplars a group, as in the paper


@with_error_toast
def calculate(model: str, a: str, b: str, c: str, exemplar_label: str, label: str, request: gr.Request | None = None):
    """Calculates mean(A) − mean(B) + mean(C) in latent space and draws the result among eight neighbours.

    Args:
        model: a model of this page
        a: seeds of group A, for example "0-2"
        b: seeds of group B
        c: seeds of group C
        exemplar_label: the class the exemplars are drawn in, or "own" for each seed's own
        label: the class of the result, or "own" for that of the first exemplar of A

    Returns:
        the equation as HTML, the result as PNG, and the 3 × 3 grid with the result in its middle as PNG
    """
    if not all(map(inputs.text, (a, b, c))):
        raise inputs.BadInputError("need_groups")
    return _equation(model, (a, b, c), exemplar_label, label, request)


@with_error_toast
def preview(model: str, a: str, b: str, c: str, exemplar_label: str, label: str, request: gr.Request | None = None):
    """The equation as far as the groups are filled; while one is empty there is no result yet."""
    return _equation(model, (a, b, c), exemplar_label, label, request)


def _equation(model, texts, exemplar_label, label, request):
    groups = [inputs.seeds(text, 0, MOST_EXEMPLARS) for text in texts]
    pipe = models.load(model)
    exemplar_class = inputs.label(exemplar_label, pipe.label_names)
    result_class = inputs.label(label, pipe.label_names)
    drawn = [pipe(seeds=seeds, labels=exemplar_class) for seeds in groups]
    parts = [_group(pipe, name, out, request) for name, out in zip(GROUPS, drawn)]
    note = f'<p class="note">{html.escape(translate(request, "need_groups"))}</p>'
    if not all(groups):
        return _html(parts, note), None, None

    z = arithmetic(*(out.latents for out in drawn))
    around = neighbours(z, 8, NEIGHBOUR_RADIUS, torch.Generator().manual_seed(NEIGHBOUR_SEED))
    result_class = result_class or _class_name(pipe, drawn[0])
    images = pipe(
        latents=torch.stack([*around[:4], z, *around[4:]]), labels=result_class, segmentation=first_map(drawn[0])
    ).images
    files = _files(model, images, dict(zip(GROUPS, map(format_seeds, groups))), result_class)
    alt = " ".join(filter(None, ("A − B + C", result_class)))
    tiles = "".join(image_files.img(image, alt, "middle" if place == 4 else "") for place, image in enumerate(images))
    return _html(parts, f'<div class="nine">{tiles}</div>'), *files


def _class_name(pipe, out) -> str | None:
    """The class of a group's first exemplar, in which its mean is drawn, too."""
    return None if out.labels is None else pipe.label_names[out.labels[0]]


def _group(pipe, name: str, out, request) -> str:
    """One operand: its letter, its exemplars, its mean latent as a picture."""
    if not out.images:
        body = f'<div class="empty">{html.escape(translate(request, "group_empty"))}</div>'
    else:
        class_name = _class_name(pipe, out)
        latent = out.latents.mean(0, keepdim=True)
        mean = pipe(latents=latent, labels=class_name, segmentation=first_map(out)).images[0]
        caption = f"{translate(request, 'mean')}({name})"
        tiles = "".join(image_files.img(image, f"{name}: {seed}") for image, seed in zip(out.images, out.seeds))
        body = f'{image_files.img(mean, caption, "mean")}<div class="caption">{caption}</div><div class="few">{tiles}</div>'
    return f'<div class="operand"><div class="letter">{name}</div>{body}</div>'


def _html(parts: list[str], result: str) -> str:
    signs = ("−", "+", "=")
    terms = "".join(f'{part}<div class="sign">{sign}</div>' for part, sign in zip(parts, signs))
    return f'<div class="equation">{terms}<div class="operand result">{result}</div></div>'


def _files(model: str, images: list[Image.Image], seeds: dict[str, str], label: str | None) -> tuple[str, str]:
    folder = image_files.fresh_folder()
    result = folder / f"{image_files.file_name(model, 'A-B+C')}.png"
    nine = folder / f"{image_files.file_name(model, 'A-B+C', 'neighbours')}.png"
    fields = {"model": model, "label": label, "formula": "mean(A) - mean(B) + mean(C)", **seeds}
    save_png(images[4], result, **fields)
    save_png(grid(images, 3), nine, **fields)
    return str(result), str(nine)


# ------------------------------------------------------------------------------------------------- the pool


def draw_pool(model: str, seeds: str, label: str, request: gr.Request | None = None) -> list[str]:
    """Files of the pictures that can be clicked."""
    numbers = inputs.seeds(seeds, most=MOST_POOL)
    pipe = models.load(model)
    out = pipe(seeds=numbers, labels=inputs.label(label, pipe.label_names))
    folder = image_files.fresh_folder()
    paths = [folder / f"{image_files.file_name(model, 'seed', seed)}-{place}.png" for place, seed in enumerate(numbers)]
    for image, path, seed in zip(out.images, paths, numbers):
        save_png(image, path, model=model, seed=seed)
    return [str(path) for path in paths]


def _captioned(files: list[str], seeds: str, texts: tuple[str, str, str]) -> list[tuple[str, str]]:
    """The pool's pictures, each with the groups it is in."""
    groups = [set(inputs.seeds(text, 0, MOST_EXEMPLARS)) for text in texts]
    captions = [
        " ".join([str(seed), *(name for name, group in zip(GROUPS, groups) if seed in group)])
        for seed in inputs.seeds(seeds, most=MOST_POOL)
    ]
    return list(zip(files, captions))


@with_error_toast
def show_pool(model: str, seeds: str, label: str, a: str, b: str, c: str, request: gr.Request | None = None):
    """Draws the pool anew."""
    files = draw_pool(model, seeds, label)
    return gr.update(value=_captioned(files, seeds, (a, b, c)), selected_index=None), files


@with_error_toast
def click(
    active: str,
    a: str,
    b: str,
    c: str,
    seeds: str,
    files: list[str],
    event: gr.SelectData,
    request: gr.Request | None = None,
):
    """Puts the clicked picture into the active group, or takes it out again."""
    place = GROUPS.index(inputs.choice(active, GROUPS, translate(request, "active")))
    numbers = inputs.seeds(seeds, most=MOST_POOL)
    if len(numbers) != len(files) or not all(Path(file).is_file() for file in files):
        raise inputs.BadInputError("bad_position")
    seed = numbers[inputs.position(event.index, len(numbers))]
    texts = [a, b, c]
    group = inputs.seeds(texts[place], 0, MOST_EXEMPLARS)
    group = [other for other in group if other != seed] if seed in group else [*group, seed]
    texts[place] = format_seeds(group)
    inputs.seeds(texts[place], 0, MOST_EXEMPLARS)
    return *texts, gr.update(value=_captioned(files, seeds, tuple(texts)), selected_index=None)


@with_error_toast
def surprise(seeds: str, request: gr.Request | None = None):
    """Three groups of three, drawn from the pool without repetition."""
    numbers = inputs.seeds(seeds, len(GROUPS) * SURPRISE_EACH, MOST_POOL)
    secrets.SystemRandom().shuffle(numbers)
    return [format_seeds(sorted(numbers[start::3][:SURPRISE_EACH])) for start in range(3)]


@with_error_toast
def fill(model: str, concept: str, a: str, b: str, request: gr.Request | None = None):
    """Groups A and B of a concept: exemplars that show it, and exemplars that do not. Without one they stay."""
    known = models.concepts(model)
    name = inputs.concept(concept, list(known))
    if name is None:
        return a, b
    return tuple(
        format_seeds(sorted(seeds[:MOST_EXEMPLARS])) for seeds in (known[name].with_it, known[name].without_it)
    )


def clear():
    """Three empty groups."""
    return "", "", ""


def new_pool() -> str:
    """Seeds of a new pool, in a row."""
    count = len(inputs.seeds(FIRST_POOL))
    first = secrets.randbelow(1_000_000)
    return format_seeds(range(first, first + count))


@with_error_toast
def open_tab(model, seeds, pool_label, a, b, c, label, request: gr.Request | None = None):
    """Pool and equation of a model that was just chosen, with the class pickers made to fit it."""
    names = models.labels(model)
    # One class for all pictures at first: what is calculated with is what a latent means, not what class it has.
    pool_kept = pool_label if isinstance(pool_label, str) and pool_label in names else next(iter(names), OWN)
    kept = label if isinstance(label, str) and label in names else OWN
    updates = models.label_update(names, "own", pool_kept), models.label_update(names, "group_own", kept)
    pool, files = show_pool(model, seeds, pool_kept, a, b, c, request)
    concept = models.concept_update(list(models.concepts(model)))
    return *updates, pool, files, *preview(model, a, b, c, pool_kept, kept, request), concept


def build(model: gr.Dropdown):
    """Lays out the tab. Returns its opening: handler, inputs, outputs."""
    names = models.labels(models.default())
    gr.Markdown(t("arithmetic_intro"))
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            active = gr.Radio(list(GROUPS), value="A", label=t("active"), elem_id="active-group")
            with gr.Row():
                surprise_me = gr.Button(t("surprise"), min_width=110)
                empty = gr.Button(t("clear"), min_width=110)
            concept = models.concept_picker(
                list(models.concepts(models.default())),
                label=t("fill_concept"),
                info=t("fill_concept_info"),
                elem_id="fill-concept",
            )
            pool_label = models.label_picker(names, "own", label=t("pool_label"))
            pool_seeds = gr.Textbox(FIRST_POOL, label=t("pool_seeds"), max_length=inputs.LONGEST_TEXT)
            fresh = gr.Button(t("new_pool"))
        with gr.Column(scale=3, min_width=320):
            pool = gr.Gallery(
                show_label=False,
                format="png",
                columns=12,
                allow_preview=False,
                interactive=False,
                buttons=[],
                height="auto",
                object_fit="contain",
                elem_id="pool",
                elem_classes="crisp",
            )
    equation = gr.HTML(elem_id="equation")
    gr.Markdown(t("result_note"), elem_classes="note")
    with gr.Row():
        a, b, c = (
            gr.Textbox(text, label=t(f"group_{name.lower()}"), min_width=120, max_length=inputs.LONGEST_TEXT)
            for name, text in zip(GROUPS, FIRST_GROUPS)
        )
        label = models.label_picker(names, "group_own", label=t("result_label"))
    with gr.Row():
        equals = gr.Button(t("calculate"), variant="primary", min_width=140)
        download = gr.DownloadButton(t("download_result"), min_width=140)
        download_nine = gr.DownloadButton(t("download_nine"), min_width=140)
    files = gr.State([])

    groups, made = [a, b, c], [equation, download, download_nine]
    given = [model, *groups, pool_label, label]
    pool_given, pool_made = [model, pool_seeds, pool_label, *groups], [pool, files]
    quiet = {"show_progress": "hidden", **PRIVATE}

    gr.on(
        [equals.click, *(group.submit for group in groups), label.input],
        calculate,
        given,
        made,
        api_name="arithmetic",
        trigger_mode="always_last",
        show_progress="hidden",
        **ON_MODEL,
    ).success(show_pool, pool_given, pool_made, **quiet, **ON_MODEL)

    clicked = pool.select(click, [active, *groups, pool_seeds, files], [*groups, pool], **quiet, **ON_MODEL)
    clicked.success(preview, given, made, **quiet, **ON_MODEL)
    changes = [
        surprise_me.click(surprise, [pool_seeds], groups, **quiet),
        empty.click(clear, [], groups, **quiet),
        concept.input(fill, [model, concept, a, b], [a, b], **quiet, **ON_MODEL),
    ]
    for changed in changes:
        changed.success(show_pool, pool_given, pool_made, **quiet, **ON_MODEL).success(
            preview, given, made, **quiet, **ON_MODEL
        )
    drawn = fresh.click(new_pool, None, pool_seeds, **quiet).success(
        show_pool, pool_given, pool_made, show_progress_on=pool, **PRIVATE, **ON_MODEL
    )
    drawn.success(surprise, pool_seeds, groups, **quiet).success(preview, given, made, **quiet, **ON_MODEL).success(
        show_pool, pool_given, pool_made, **quiet, **ON_MODEL
    )
    gr.on([pool_seeds.submit, pool_label.input], show_pool, pool_given, pool_made, **PRIVATE, **ON_MODEL).success(
        preview, given, made, **quiet, **ON_MODEL
    )
    return open_tab, [model, pool_seeds, pool_label, *groups, label], [pool_label, label, *pool_made, *made, concept]

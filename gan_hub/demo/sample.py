"""The tab "Sample": seeds → a gallery of pictures, to look at, download and link to."""

import html
import secrets
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import gradio as gr
from gradio.components import Component
from PIL import Image

from gan_hub.demo import image_files, inputs, models, sanitize
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
from gan_hub.demo.inputs import NONE, OWN, with_error_toast
from gan_hub.demo.texts import t, translate
from gan_hub.images import grid, save_png
from gan_hub.latents import format_seeds

FIRST_SEEDS, FIRST_TRUNCATION, FIRST_STRENGTH = "0-15", 1.0, 1.0
MAX_STRENGTH = 2  # beyond, pictures fall apart
MAX_IMAGES = 64  # at a time
LINK_KEYS = ("model", "seeds", "label", "truncation", "concept", "strength")  # parameters of a link to a gallery
RANDOM_BELOW = 1_000_000  # new seeds stay short enough to read out

# The server does not know the address a visitor sees (proxies, Spaces); the browser does, and shows it in its own bar.
ABSOLUTE_LINK = """(link) => {
    const target = new URL(link, location.href), here = new URL(location.href);
    for (const key of ["model", "seeds", "label", "truncation", "concept", "strength"]) {
        here.searchParams.delete(key);
        if (target.searchParams.has(key)) here.searchParams.set(key, target.searchParams.get(key));
    }
    if (link) history.replaceState(history.state, "", here);
    return link ? target.href : link;
}"""

Gallery = list[tuple[str, str]]  # (file, caption) of each picture
Sample = tuple[Gallery, str, str, str, Gallery]  # pictures, status, link, zip, and the pictures for the session


@with_error_toast
def sample(
    model: str,
    seeds: str,
    label: str,
    truncation: float,
    concept: str = NONE,
    strength: float = FIRST_STRENGTH,
    request: gr.Request | None = None,
) -> Sample:
    """Draw one picture a seed. The same seed gives the same picture, in any selection and on any day.

    Args:
        model: a model of this page, for example dcgan-fashion-mnist
        seeds: whole numbers and ranges, for example "0-15" or "3, 14, 15"; at most 64
        label: the name of a class, or "own" for each seed's own
        truncation: 1 for full variety, less for more typical pictures, 0 for the average
        concept: a concept of the model that all pictures are moved along, or "none"
        strength: how far, from -2 to 2; below 0 to its opposite
        request: has the visitor's language

    Returns:
        the gallery (PNG, original size), a sentence, the parameters of a link to it, a zip of everything
    """
    numbers = inputs.seeds(seeds, most=MAX_IMAGES)
    psi = inputs.number(truncation, 0, 1, translate(request, "truncation"))
    pipe = models.load(model)
    name = inputs.class_name(label, pipe.label_names)
    moved_by = inputs.concept(concept, list(pipe.concepts))
    amount = inputs.number(strength, -MAX_STRENGTH, MAX_STRENGTH, translate(request, "strength"))
    out = pipe(seeds=numbers, labels=name, truncation=psi, concepts={moved_by: amount} if moved_by else {})
    images, classes = models.pil_images(out), models.drawn_classes(pipe, out)

    fields = {"truncation": psi, "concept": f"{moved_by}={amount:g}" if moved_by else None}
    folder, gallery = image_files.new_folder(), []
    for place, (image, seed, class_name) in enumerate(zip(images, numbers, classes, strict=True)):
        caption = translate(request, "seed_n", seed=seed) + (f" · {class_name}" if class_name else "")
        stem = image_files.file_name(model, f"{place:02d}", "seed", seed, class_name or "").strip("-")
        path = folder / f"{stem}.png"
        save_png(image, path, model=model, seed=seed, label=class_name, **fields)
        gallery.append((str(path), caption))
    save_png(grid(images, 8), folder / "grid.png", model=model, seeds=format_seeds(numbers), **fields)

    count = translate(request, "drawn_1" if len(numbers) == 1 else "drawn_n", count=len(numbers))
    status = [count, *([name] if name else []), f"{translate(request, 'truncation')} {psi:g}"]
    status += [f"{moved_by} {amount:g}".replace("-", "−")] if moved_by else []
    link = _link(model, numbers, name, psi, moved_by, amount)
    return gallery, sanitize.escape(" · ".join(status)), link, str(_zip(folder, model)), gallery


def _zip(folder: Path, model: str) -> Path:
    archive = folder / f"{image_files.file_name(model)}.zip"
    with zipfile.ZipFile(archive, "w") as file:  # stored, not deflated: PNG is compressed already
        for path in sorted(folder.glob("*.png")):
            file.write(path, path.name)
    return archive


def _link(
    model: str, seeds: list[int], label: str | None, truncation: float, concept: str | None, strength: float
) -> str:
    values = {"model": model, "seeds": format_seeds(seeds).replace(" ", ""), "truncation": f"{truncation:g}"}
    values |= {"label": label} if label else {}
    values |= {"concept": concept, "strength": f"{strength:g}"} if concept else {}
    return "?" + urlencode(values, safe=",")


def new_seeds(seeds: str) -> str:
    """As many new seeds as there were, in a row; 16 where the text was no list of seeds."""
    try:
        count = len(inputs.seeds(seeds, most=MAX_IMAGES))
    except inputs.BadInputError:
        count = 16
    first = secrets.randbelow(RANDOM_BELOW - count)
    return format_seeds(range(first, first + count))


# ----------------------------------------------------------------------------------------- the large picture


@with_error_toast
def select_image(gallery: Gallery, event: gr.SelectData, request: gr.Request | None = None) -> tuple[str, str]:
    """The clicked picture, large, and as a file.

    Args:
        gallery: the session's pictures.
        event: which of them was clicked.
        request: has the visitor's language.

    Returns:
        HTML, and the path of the PNG.
    """
    return _selected(gallery, inputs.position(event.index, len(gallery or [])))


def select_first_image(gallery: Gallery) -> tuple[str | Update, str | Update]:
    """The first picture of a new gallery, as `select_image`; no change without pictures."""
    return _selected(gallery, 0) if gallery else (gr.skip(), gr.skip())


def _selected(gallery: Gallery, place: int) -> tuple[str, str]:
    path, caption = gallery[place]
    if not Path(path).is_file():
        raise inputs.BadInputError("gone")
    with Image.open(path) as image:
        figure = (
            f"<figure>{image_files.img_tag(image, caption)}<figcaption>{html.escape(caption)}</figcaption></figure>"
        )
    return figure, path


# -------------------------------------------------------------------------------------- links and the model


@with_error_toast
def from_link(request: gr.Request) -> tuple[str | None, str, Update, float, Update, Update]:
    """The form as a link fills it; what the link does not say, or says wrongly, keeps its default.

    Returns the model, the seeds, the update of the class picker, the truncation, and the updates of concept and strength.
    """
    query = {key: request.query_params.get(key) for key in LINK_KEYS if request.query_params.get(key)}
    model = query["model"] if query.get("model") in models.offered_models() else models.default_model()
    values: dict[str, Any] = {"seeds": FIRST_SEEDS, "label": OWN, "truncation": FIRST_TRUNCATION}
    values |= {"concept": NONE, "strength": FIRST_STRENGTH}
    checks = {
        "seeds": lambda text: format_seeds(inputs.seeds(text, most=MAX_IMAGES)),
        "label": lambda text: inputs.class_name(text, models.class_names(model)) or OWN,
        "truncation": lambda text: inputs.number(_float(text), 0, 1, translate(request, "truncation")),
        "concept": lambda text: inputs.concept(text, list(models.concepts(model))) or NONE,
        "strength": lambda text: inputs.number(
            _float(text), -MAX_STRENGTH, MAX_STRENGTH, translate(request, "strength")
        ),
    }
    try:
        models.load(query.get("model", model))
        for key, check in checks.items():
            values[key] = check(query[key]) if key in query else values[key]
    except inputs.BadInputError as error:
        gr.Warning(html.escape(translate(request, error.key, **error.values)), title=translate(request, "check"))
    label = class_update(models.class_names(model), "own", values["label"])
    pickers = _concept_updates(model, values["concept"], values["strength"])
    return model, values["seeds"], label, values["truncation"], *pickers


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@with_error_toast
@remembered
def on_model_change(
    model: str,
    seeds: str,
    label: str,
    truncation: float,
    concept: str = NONE,
    strength: float = FIRST_STRENGTH,
    request: gr.Request | None = None,
) -> tuple[Update, Gallery, str, str, str, Gallery, Update, Update]:
    """The gallery of a model that was just chosen.

    Args:
        model: the model.
        seeds, truncation, strength: the form, as in `sample`.
        label, concept: likewise; kept if the model has them, else "own" and "none".
        request: has the visitor's language.

    Returns:
        The update of the class picker, what `sample` returns, and the updates of the concept picker and its slider.
    """
    names = models.class_names(model)
    kept = kept_class(names, label)
    updates = _concept_updates(model, concept, strength)
    drawn = sample(model, seeds, kept, truncation, updates[0]["value"], strength, request)
    return class_update(names, "own", kept), *drawn, *updates


def _concept_updates(model: str | None, concept: object, strength: object) -> tuple[Update, Update]:
    """Picker and slider of a model's concepts, both hidden where it has none."""
    names = list(models.concepts(model))
    return concept_update(names, concept), gr.update(value=strength, visible=bool(names))


def build(model: gr.Dropdown) -> tuple[ModelChange, list[Component]]:
    """Lay out the tab. Returns also the components that a link fills in, as `from_link` does."""
    with gr.Row(elem_classes="stage"):
        with gr.Column(scale=1, min_width=280):
            gr.Markdown(t("sample_intro"))
            seeds = seeds_box(FIRST_SEEDS, t("seeds"), info=t("seeds_info"), elem_id="sample-seeds")
            label = class_picker(models.class_names(models.default_model()), "own", "class")
            truncation = gr.Slider(
                0, 1, FIRST_TRUNCATION, step=0.05, label=t("truncation"), info=t("truncation_info"), buttons=[]
            )
            names = list(models.concepts(models.default_model()))
            concept = concept_picker(names, "concept", "concept_info", elem_id="sample-concept")
            strength = gr.Slider(
                -MAX_STRENGTH,
                MAX_STRENGTH,
                FIRST_STRENGTH,
                step=0.1,
                label=t("strength"),
                visible=bool(names),
                buttons=[],
                elem_id="sample-strength",
            )
            with gr.Row():
                generate = gr.Button(t("generate"), variant="primary", min_width=100)
                reroll = gr.Button(t("reroll"), min_width=100)
            status = gr.HTML(elem_classes="status")
        with gr.Column(scale=3, min_width=320):
            gr.Markdown(t("gallery"), elem_classes="note")
            gallery = crisp_gallery("sample-gallery", columns=8)
            with gr.Row(elem_classes="chosen-row"):
                large = gr.HTML(elem_classes="chosen", min_width=170)
                with gr.Column(min_width=240):
                    with gr.Row():
                        download_one = download_button("download_one", min_width=140)
                        download_all = download_button("download_all", min_width=140)
                    link = gr.Textbox(label=t("link"), interactive=False, buttons=["copy"], elem_id="sample-link")
    session = gr.State([])

    form: list[Component] = [seeds, label, truncation, concept, strength]
    outputs, selected = [gallery, status, link, download_all, session], [large, download_one]
    gr.on(
        [generate.click, seeds.submit, label.input, truncation.release, concept.input, strength.release],
        sample,
        [model, *form],
        outputs,
        api_name="sample",
        trigger_mode="always_last",
        show_progress_on=gallery,
        **MODEL_QUEUE,
    )
    reroll.click(new_seeds, seeds, seeds, **QUIET).success(
        sample, [model, *form], outputs, show_progress_on=gallery, **PRIVATE, **MODEL_QUEUE
    )
    session.change(select_first_image, session, selected, **QUIET)
    gallery.select(select_image, session, selected, **QUIET)
    link.change(None, link, link, js=ABSOLUTE_LINK, **PRIVATE)
    return ModelChange(on_model_change, [model, *form], [label, *outputs, concept, strength]), form

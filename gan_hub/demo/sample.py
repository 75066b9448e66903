"""The tab "Sample": seeds → a gallery of pictures, to look at, download and link to."""

import html
import secrets
import zipfile
from pathlib import Path
from urllib.parse import urlencode

import gradio as gr
from PIL import Image

from gan_hub.demo import image_files, inputs, models, sanitize
from gan_hub.demo.inputs import NONE, OWN, with_error_toast
from gan_hub.demo.models import ON_MODEL, PRIVATE
from gan_hub.demo.texts import t, translate
from gan_hub.images import grid, save_png
from gan_hub.latents import format_seeds

FIRST_SEEDS, FIRST_TRUNCATION, FIRST_STRENGTH = "0-15", 1.0, 1.0
MOST_STRENGTH = 2  # beyond, pictures fall apart
MOST = 64  # pictures at a time
LINK_KEYS = (
    "model",
    "seeds",
    "label",
    "truncation",
    "concept",
    "strength",
)  # the parameters of a link that reproduces a gallery
REROLL_BELOW = 1_000_000  # new seeds stay short enough to read out

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

Shown = list[tuple[str, str]]  # (file, caption) of each picture in the gallery; kept on the server


@with_error_toast
def sample(
    model: str,
    seeds: str,
    label: str,
    truncation: float,
    concept: str = NONE,
    strength: float = FIRST_STRENGTH,
    request: gr.Request | None = None,
):
    """Draws one picture a seed. The same seed gives the same picture, in any selection and on any day.

    Args:
        model: a model of this page, for example dcgan-fashion-mnist
        seeds: whole numbers and ranges, for example "0-15" or "3, 14, 15"; at most 64
        label: the name of a class, or "own" for each seed's own
        truncation: 1 for full variety, less for more typical pictures, 0 for the average
        concept: a concept of the model that all pictures are moved along, or "none"
        strength: how far, from -2 to 2; below 0 to its opposite

    Returns:
        the gallery (PNG, original size), a sentence, the parameters of a link to it, a zip of everything
    """
    numbers = inputs.seeds(seeds, most=MOST)
    psi = inputs.number(truncation, 0, 1, translate(request, "truncation"))
    pipe = models.load(model)
    name = inputs.label(label, pipe.label_names)
    moved_by = inputs.concept(concept, list(pipe.concepts))
    amount = inputs.number(strength, -MOST_STRENGTH, MOST_STRENGTH, translate(request, "strength"))
    concepts = {moved_by: amount} if moved_by else {}
    out = pipe(seeds=numbers, labels=name, truncation=psi, concepts=concepts)
    told = {"truncation": psi, "concept": f"{moved_by}={amount:g}" if moved_by else None}
    drawn = [None] * len(numbers) if out.labels is None else [pipe.label_names[index] for index in out.labels]

    folder, shown = image_files.fresh_folder(), []
    for position, (image, seed, class_name) in enumerate(zip(out.images, numbers, drawn)):
        caption = translate(request, "seed_n", seed=seed) + (f" · {class_name}" if class_name else "")
        path = (
            folder / f"{image_files.file_name(model, f'{position:02d}', 'seed', seed, class_name or '').strip('-')}.png"
        )
        save_png(image, path, model=model, seed=seed, label=class_name, **told)
        shown.append((str(path), caption))
    save_png(grid(out.images, 8), folder / "grid.png", model=model, seeds=format_seeds(numbers), **told)

    count = translate(request, "drawn_1" if len(numbers) == 1 else "drawn_n", count=len(numbers))
    status = [count, *([name] if name else []), f"{translate(request, 'truncation')} {psi:g}"]
    status += [f"{name} {amount:g}".replace("-", "−") for name, amount in concepts.items()]
    link = _link(model, numbers, name, psi, moved_by, amount)
    return shown, sanitize.plain(" · ".join(status)), link, str(_zip(folder, model)), shown


def _zip(folder: Path, model: str) -> Path:
    archive = folder / f"{image_files.file_name(model)}.zip"
    with zipfile.ZipFile(archive, "w") as file:  # stored, not deflated: PNG is compressed already
        for path in sorted(folder.glob("*.png")):
            file.write(path, path.name)
    return archive


def _link(
    model: str, numbers: list[int], label: str | None, truncation: float, concept: str | None, strength: float
) -> str:
    values = {"model": model, "seeds": format_seeds(numbers).replace(" ", ""), "truncation": f"{truncation:g}"}
    values |= {"label": label} if label else {}
    values |= {"concept": concept, "strength": f"{strength:g}"} if concept else {}
    return "?" + urlencode(values, safe=",")


def new_seeds(seeds: str) -> str:
    """As many new seeds as there were, in a row; 16 where the text was no list of seeds."""
    try:
        count = len(inputs.seeds(seeds, most=MOST))
    except inputs.BadInputError:
        count = 16
    first = secrets.randbelow(REROLL_BELOW - count)
    return format_seeds(range(first, first + count))


@with_error_toast
def choose(shown: Shown, event: gr.SelectData, request: gr.Request | None = None):
    """The clicked picture, large, and as a file."""
    return _chosen(shown, inputs.position(event.index, len(shown or [])))


def choose_first(shown: Shown):
    """A new gallery: its first picture is the chosen one."""
    return _chosen(shown, 0) if shown else (gr.skip(), gr.skip())


def _chosen(shown: Shown, position: int):
    path, caption = shown[position]
    if not Path(path).is_file():
        raise inputs.BadInputError("gone")
    with Image.open(path) as image:
        figure = f"<figure>{image_files.img(image, caption)}<figcaption>{html.escape(caption)}</figcaption></figure>"
    return figure, path


@with_error_toast
def from_link(request: gr.Request):
    """What the form is filled with, as a link says; what it does not say, or says wrongly, stays at its default."""
    query = {key: request.query_params.get(key) for key in LINK_KEYS if request.query_params.get(key)}
    model = query["model"] if query.get("model") in models.choices() else models.default()
    values = {"seeds": FIRST_SEEDS, "label": OWN, "truncation": FIRST_TRUNCATION}
    values |= {"concept": NONE, "strength": FIRST_STRENGTH}
    checks = {
        "seeds": lambda text: format_seeds(inputs.seeds(text, most=MOST)),
        "label": lambda text: inputs.label(text, models.labels(model)) or OWN,
        "truncation": lambda text: inputs.number(_float(text), 0, 1, translate(request, "truncation")),
        "concept": lambda text: inputs.concept(text, list(models.concepts(model))) or NONE,
        "strength": lambda text: inputs.number(
            _float(text), -MOST_STRENGTH, MOST_STRENGTH, translate(request, "strength")
        ),
    }
    try:
        models.load(query.get("model", model))
        for key, check in checks.items():
            values[key] = check(query[key]) if key in query else values[key]
    except inputs.BadInputError as error:
        gr.Warning(html.escape(translate(request, error.key, **error.values)), title=translate(request, "check"))
    label = models.label_update(models.labels(model), "own", values["label"])
    pickers = _concept_updates(model, values["concept"], values["strength"])
    return model, values["seeds"], label, values["truncation"], *pickers


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@with_error_toast
def open_tab(
    model: str,
    seeds: str,
    label: str,
    truncation: float,
    concept: str = NONE,
    strength: float = FIRST_STRENGTH,
    request: gr.Request | None = None,
):
    """The gallery of a model that was just chosen, with the pickers of class and concept made to fit it."""
    names = models.labels(model)
    kept = label if isinstance(label, str) and label in names else OWN
    updates = _concept_updates(model, concept, strength)
    moved_by = updates[0]["value"]
    drawn = sample(model, seeds, kept, truncation, moved_by, strength, request)
    return models.label_update(names, "own", kept), *drawn, *updates


def _concept_updates(model: str, concept: object, strength: object) -> tuple[dict, dict]:
    """Picker and slider of a model's concepts, both hidden where it has none."""
    names = list(models.concepts(model))
    return models.concept_update(names, concept), gr.update(value=strength, visible=bool(names))


def build(model: gr.Dropdown):
    """Lays out the tab. Returns its opening (handler, inputs, outputs) and the components that a link fills in."""
    with gr.Row(elem_classes="stage"):
        with gr.Column(scale=1, min_width=280):
            gr.Markdown(t("sample_intro"))
            seeds = gr.Textbox(
                FIRST_SEEDS,
                label=t("seeds"),
                info=t("seeds_info"),
                max_length=inputs.LONGEST_TEXT,
                elem_id="sample-seeds",
            )
            label = models.label_picker(models.labels(models.default()), "own", label=t("class"))
            truncation = gr.Slider(
                0, 1, FIRST_TRUNCATION, step=0.05, label=t("truncation"), info=t("truncation_info"), buttons=[]
            )
            names = list(models.concepts(models.default()))
            concept = models.concept_picker(names, label=t("concept"), info=t("concept_info"), elem_id="sample-concept")
            strength = gr.Slider(
                -MOST_STRENGTH,
                MOST_STRENGTH,
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
            gallery = gr.Gallery(
                show_label=False,
                format="png",
                columns=8,
                allow_preview=False,
                interactive=False,
                buttons=[],
                height="auto",
                object_fit="contain",
                elem_id="sample-gallery",
                elem_classes="crisp",
            )
            with gr.Row(elem_classes="chosen-row"):
                chosen = gr.HTML(elem_classes="chosen", min_width=170)
                with gr.Column(min_width=240):
                    with gr.Row():
                        download_one = gr.DownloadButton(t("download_one"), min_width=140)
                        download_all = gr.DownloadButton(t("download_all"), min_width=140)
                    link = gr.Textbox(label=t("link"), interactive=False, buttons=["copy"], elem_id="sample-link")
    shown = gr.State([])

    form = [seeds, label, truncation, concept, strength]
    given, made = [model, *form], [gallery, status, link, download_all, shown]
    gr.on(
        [generate.click, seeds.submit, label.input, truncation.release, concept.input, strength.release],
        sample,
        given,
        made,
        api_name="sample",
        trigger_mode="always_last",
        show_progress_on=gallery,
        **ON_MODEL,
    )
    reroll.click(new_seeds, seeds, seeds, show_progress="hidden", **PRIVATE).success(
        sample, given, made, show_progress_on=gallery, **PRIVATE, **ON_MODEL
    )
    shown.change(choose_first, shown, [chosen, download_one], show_progress="hidden", **PRIVATE)
    gallery.select(choose, shown, [chosen, download_one], show_progress="hidden", **PRIVATE)
    link.change(None, link, link, js=ABSOLUTE_LINK, **PRIVATE)
    return (open_tab, given, [label, *made, concept, strength]), form

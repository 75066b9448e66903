"""The tab "Interpolate": a walk through latent space from seed to seed, as frames and as an animation."""

import gradio as gr

from gan_hub.demo import image_files, inputs, models, sanitize
from gan_hub.demo.inputs import OWN, with_error_toast
from gan_hub.demo.models import ON_MODEL, first_map
from gan_hub.demo.texts import t, translate
from gan_hub.images import grid, save_animation, save_png
from gan_hub.latents import INTERPOLATIONS, format_seeds, interpolate

FIRST_SEEDS, MOST_SEEDS = "3, 14, 15", 16
FIRST_FRAMES, LEAST_FRAMES, MOST_FRAMES = 48, 2, 120
COLUMNS = 12  # frames in a row of the strip
SHOWN_SIDE = 256  # pixels; viewers blur small animations, so these are enlarged by whole pixels, which loses nothing
SECONDS_PER_FRAME = 0.08


@with_error_toast
def walk(
    model: str, seeds: str, mode: str, frames: int, label: str, loop: bool = True, request: gr.Request | None = None
):
    """Walks through latent space from seed to seed.

    Args:
        model: a model of this page
        seeds: two to sixteen seeds, for example "3, 14, 15"
        mode: "slerp" (an arc, at the usual distance from the centre) or "lerp" (a straight line)
        frames: how many pictures, 2 to 120
        label: the name of a class, or "own" for that of the first seed
        loop: whether the walk returns to the first seed

    Returns:
        a lossless WebP animation, the frames as one PNG, a sentence, and both again as files to download
    """
    numbers = inputs.seeds(seeds, 2, MOST_SEEDS)
    path_kind = inputs.choice(mode, list(INTERPOLATIONS), translate(request, "mode"))
    count = inputs.whole(frames, LEAST_FRAMES, MOST_FRAMES, translate(request, "frames"))
    closed = inputs.switch(loop, translate(request, "loop"))
    pipe = models.load(model)
    # One class, or map, for the whole walk: left to the latents, it would jump from frame to frame.
    first = pipe(seeds=numbers[:1], output_type="pt")
    name = inputs.label(label, pipe.label_names) or (first.labels and pipe.label_names[first.labels[0]])
    images = pipe(
        latents=_path(pipe, numbers, path_kind, count, closed), labels=name, segmentation=first_map(first)
    ).images

    folder = image_files.fresh_folder()
    animation = folder / f"{image_files.file_name(model, 'walk', *numbers[:4])}.webp"
    strip = animation.with_suffix(".png")
    save_animation([image_files.enlarge(image, SHOWN_SIDE) for image in images], animation, SECONDS_PER_FRAME)
    save_png(grid(images, COLUMNS), strip, model=model, seeds=format_seeds(numbers), mode=path_kind, label=name)
    stops = " → ".join(map(str, [*numbers, *numbers[: int(closed)]]))
    status = translate(request, "walked", count=count, seeds=stops, label=f" · {name}" if name else "")
    return str(animation), str(strip), sanitize.plain(status), str(animation), str(strip)


def _path(pipe, numbers: list[int], mode: str, count: int, closed: bool):
    """Latents (count, Z). A closed walk leaves out its last frame, which is the first one again."""
    stops = pipe.sample_latents([*numbers, *numbers[: int(closed)]])
    return interpolate(stops, count + closed, mode)[:count]


@with_error_toast
def open_tab(model: str, seeds: str, mode: str, frames: int, label: str, loop: bool, request: gr.Request | None = None):
    """The walk of a model that was just chosen, with the class picker made to fit it."""
    names = models.labels(model)
    kept = label if isinstance(label, str) and label in names else OWN
    update = models.label_update(names, "first_seed", kept)
    return update, *walk(model, seeds, mode, frames, kept, loop, request)


def build(model: gr.Dropdown):
    """Lays out the tab. Returns its opening: handler, inputs, outputs."""
    with gr.Row(elem_classes="stage"):
        with gr.Column(scale=1, min_width=280):
            gr.Markdown(t("interpolate_intro"))
            seeds = gr.Textbox(
                FIRST_SEEDS,
                label=t("walk_seeds"),
                info=t("walk_seeds_info"),
                max_length=inputs.LONGEST_TEXT,
                elem_id="walk-seeds",
            )
            label = models.label_picker(models.labels(models.default()), "first_seed", label=t("class"))
            mode = gr.Radio([(t("slerp"), "slerp"), (t("lerp"), "lerp")], value="slerp", label=t("mode"))
            frames = gr.Slider(LEAST_FRAMES, MOST_FRAMES, FIRST_FRAMES, step=1, label=t("frames"), buttons=[])
            loop = gr.Checkbox(True, label=t("loop"))
            start = gr.Button(t("walk"), variant="primary")
            status = gr.HTML(elem_classes="status")
        with gr.Column(scale=3, min_width=320):
            with gr.Row():
                with gr.Column(scale=1, min_width=220):
                    gr.Markdown(t("animation"), elem_classes="note")
                    animation = gr.Image(
                        show_label=False, format="png", interactive=False, buttons=[], elem_classes="crisp"
                    )
                    download_animation = gr.DownloadButton(t("download_animation"))
                with gr.Column(scale=2, min_width=300):
                    gr.Markdown(t("strip"), elem_classes="note")
                    strip = gr.Image(
                        show_label=False, format="png", interactive=False, buttons=[], elem_classes="crisp"
                    )
                    download_strip = gr.DownloadButton(t("download_strip"))

    given = [model, seeds, mode, frames, label, loop]
    made = [animation, strip, status, download_animation, download_strip]
    gr.on(
        [start.click, seeds.submit, mode.input, frames.release, label.input, loop.input],
        walk,
        given,
        made,
        api_name="interpolate",
        trigger_mode="always_last",
        show_progress_on=[animation, strip],
        **ON_MODEL,
    )
    return open_tab, given, [label, *made]

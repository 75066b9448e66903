"""The tab "Interpolate": a walk through latent space from seed to seed, as frames and as an animation."""

import gradio as gr
import torch

from gan_hub.demo import image_files, inputs, models, sanitize
from gan_hub.demo.answers import remembered
from gan_hub.demo.components import (
    MODEL_QUEUE,
    ModelChange,
    Update,
    class_picker,
    class_update,
    crisp_image,
    download_button,
    kept_class,
    seeds_box,
)
from gan_hub.demo.inputs import with_error_toast
from gan_hub.demo.texts import t, translate
from gan_hub.images import grid, save_animation, save_png
from gan_hub.latents import INTERPOLATIONS, format_seeds, interpolate
from gan_hub.pipeline import GANPipeline

FIRST_SEEDS, MAX_SEEDS = "3, 14, 15", 16
FIRST_FRAMES, MIN_FRAMES, MAX_FRAMES = 48, 2, 120
COLUMNS = 12  # frames in a row of the strip
ANIMATION_SIDE = 256  # pixels at least, by whole factors, which loses nothing; viewers blur smaller animations
SECONDS_PER_FRAME = 0.08

Walk = tuple[str, str, str, str, str]  # animation and strip, status, and both files again for the download buttons


@with_error_toast
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
        a lossless WebP animation, the frames as one PNG, a sentence, and both again as files to download
    """
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
    return str(animation), str(strip), sanitize.escape(status), str(animation), str(strip)


def _path(pipe: GANPipeline, seeds: list[int], mode: str, count: int, closed: bool) -> torch.Tensor:
    """Latents (count, Z). A closed walk leaves out its last frame, which is the first one again."""
    stops = pipe.sample_latents([*seeds, *seeds[: int(closed)]])
    return interpolate(stops, count + closed, mode)[:count]


@with_error_toast
@remembered
def on_model_change(
    model: str, seeds: str, mode: str, frames: int, label: str, loop: bool, request: gr.Request | None = None
) -> tuple[Update, str, str, str, str, str]:
    """The walk of a model that was just chosen.

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


def build(model: gr.Dropdown) -> ModelChange:
    """Lay out the tab."""
    with gr.Row(elem_classes="stage"):
        with gr.Column(scale=1, min_width=280):
            gr.Markdown(t("interpolate_intro"))
            seeds = seeds_box(FIRST_SEEDS, t("walk_seeds"), info=t("walk_seeds_info"), elem_id="walk-seeds")
            label = class_picker(models.class_names(models.default_model()), "first_seed", "class")
            mode = gr.Radio([(t("slerp"), "slerp"), (t("lerp"), "lerp")], value="slerp", label=t("mode"))
            frames = gr.Slider(MIN_FRAMES, MAX_FRAMES, FIRST_FRAMES, step=1, label=t("frames"), buttons=[])
            loop = gr.Checkbox(True, label=t("loop"))
            start = gr.Button(t("walk"), variant="primary")
            status = gr.HTML(elem_classes="status")
        with gr.Column(scale=3, min_width=320), gr.Row():
            with gr.Column(scale=1, min_width=220):
                gr.Markdown(t("animation"), elem_classes="note")
                animation = crisp_image()
                download_animation = download_button("download_animation")
            with gr.Column(scale=2, min_width=300):
                gr.Markdown(t("strip"), elem_classes="note")
                strip = crisp_image()
                download_strip = download_button("download_strip")

    form = [model, seeds, mode, frames, label, loop]
    outputs = [animation, strip, status, download_animation, download_strip]
    gr.on(
        [start.click, seeds.submit, mode.input, frames.release, label.input, loop.input],
        walk,
        form,
        outputs,
        api_name="interpolate",
        trigger_mode="always_last",
        show_progress_on=[animation, strip],
        **MODEL_QUEUE,
    )
    return ModelChange(on_model_change, form, [label, *outputs])

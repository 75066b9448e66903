"""What the tab "Interpolate" looks like, and which event calls which handler."""

import gradio as gr

from gan_hub.demo import models, texts
from gan_hub.demo.components import class_picker, crisp_image, download_button, note, seeds_box, slider
from gan_hub.demo.events import listen
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.interpolate import handlers
from gan_hub.demo.tabs.interpolate.texts import TEXTS
from gan_hub.demo.texts import t

texts.add(TEXTS)


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    with gr.Row(elem_classes="stage"):
        with gr.Column(scale=1, min_width=280):
            gr.Markdown(t("interpolate_intro"))
            seeds = seeds_box(handlers.FIRST_SEEDS, t("walk_seeds"), info=t("walk_seeds_info"), elem_id="walk-seeds")
            label = class_picker(models.class_names(models.default_model()), "first_seed", "class")
            mode = gr.Radio([(t("slerp"), "slerp"), (t("lerp"), "lerp")], value="slerp", label=t("mode"))
            frames = slider(handlers.MIN_FRAMES, handlers.MAX_FRAMES, handlers.FIRST_FRAMES, 1, "frames")
            loop = gr.Checkbox(True, label=t("loop"))
            start = gr.Button(t("walk"), variant="primary")
            sentence = note()
        with gr.Column(scale=3, min_width=320), gr.Row():
            with gr.Column(scale=1, min_width=220):
                gr.Markdown(t("animation"), elem_classes="note")
                animation = crisp_image()
                download_animation = download_button("download_animation")
            with gr.Column(scale=2, min_width=300):
                gr.Markdown(t("strip"), elem_classes="note")
                strip = crisp_image()
                download_strip = download_button("download_strip")

    form = [seeds, mode, frames, label, loop]
    outputs = [animation, strip, shared.address, download_animation, download_strip, sentence]
    changes = [start.click, seeds.submit, mode.input, frames.release, label.input, loop.input]
    listen(changes, handlers.walk, [shared.model, *form], outputs, "interpolate")
    return Opening(handlers.draw, [shared.model, *form], [label, *outputs], form)

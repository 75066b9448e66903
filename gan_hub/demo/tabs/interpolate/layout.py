"""What the tab "Interpolate" looks like, and which event calls which handler."""

import gradio as gr

from gan_hub.demo import models, texts
from gan_hub.demo.components import QUIET, SAVE, class_picker, file_sender, note, seeds_box, slider
from gan_hub.demo.events import answering, listen
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.interpolate import handlers
from gan_hub.demo.tabs.interpolate.texts import TEXTS
from gan_hub.demo.texts import t
from gan_hub.latents import EASINGS, INTERPOLATIONS

texts.add(TEXTS)

SCRIPTS = {
    "walk-stops": "ganHub.stops(element, trigger, watch);  // 'select'",
    "walk-player": "ganHub.player(element, watch);",
}


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    gr.Markdown(t("interpolate_intro"))
    stops = gr.HTML(elem_id="walk-stops", elem_classes="drawn", js_on_load=SCRIPTS["walk-stops"])
    with gr.Row():
        add = gr.Button(t("stop_add"), min_width=120, elem_id="walk-add")  # it stays in its place, for several clicks
        reroll = gr.Button(t("walk_reroll"), min_width=120)
    with gr.Row(elem_classes="stage"):
        with gr.Column(scale=2, min_width=280):
            mode = gr.Radio([(t(each), each) for each in INTERPOLATIONS], value="slerp", label=t("mode"))
            easing = gr.Radio([(t(f"easing_{each}"), each) for each in EASINGS], value="linear", label=t("easing"))
            frames = slider(handlers.MIN_FRAMES, handlers.MAX_FRAMES, handlers.FIRST_FRAMES, 1, "frames")
            loop = gr.Checkbox(True, label=t("loop"))
            choices = [(t(f"class_{each}"), each) for each in (handlers.BLEND, handlers.KEEP)]
            conditions = gr.Radio(choices, value=handlers.BLEND, label=t("class_conditions"), visible=False)
            label = class_picker(models.class_names(models.default_model()), "own_classes", "class")
            with gr.Accordion(t("walk_more"), open=False):
                box = seeds_box(handlers.FIRST_SEEDS, t("walk_seeds"), info=t("walk_seeds_info"), elem_id="walk-seeds")
            sentence = note()
        with gr.Column(scale=3, min_width=300):
            player = gr.HTML(elem_id="walk-player", elem_classes="drawn", js_on_load=SCRIPTS["walk-player"])
            with gr.Row(elem_classes="save-row"):
                known = {"webp": t("format_webp"), "png": t("format_png")}  # the others are called the same everywhere
                formats = [(known.get(each, each.upper()), each) for each in handlers.formats()]
                file_format = gr.Dropdown(formats, value=formats[0][1], label=t("file_format"), min_width=150)
                scales = [(f"×{each}", each) for each in handlers.SCALES]
                scale = gr.Radio(scales, value=handlers.SCALES[1], label=t("scale"), min_width=150)
                save = gr.Button(t("save_walk"), variant="primary", min_width=120, elem_id="save-walk")
            sender = file_sender("walk-file")
    seeds, frames_path = gr.State(handlers.FIRST_SEEDS), gr.State("")

    form = [seeds, mode, frames, label, loop, easing, conditions]
    outputs = [mode, conditions, label, stops, player, box, shared.address, sentence]
    changes = [mode.input, easing.input, frames.input, loop.input, conditions.input, label.input]
    listen(changes, handlers.show, [shared.model, *form], outputs, "interpolate")
    listen(box.submit, handlers.typed, [shared.model, box, *form[1:]], [seeds, *outputs], "interpolate")
    listen(reroll.click, handlers.reroll, [shared.model, *form], [seeds, *outputs], "interpolate")
    pressed = [shared.model, *form]
    listen(stops.select, handlers.edit, pressed, [seeds, *outputs], "interpolate", trigger_mode="multiple")
    listen(add.click, handlers.add, pressed, [seeds, *outputs], "interpolate", trigger_mode="multiple")
    drawn = listen(save.click, handlers.frames_file, pressed, [frames_path, sentence], "interpolate")
    film = drawn.then(
        answering(handlers.save_film, 2),
        [frames_path, file_format, scale],
        [sender, sentence],
        concurrency_id="films",  # encoding keeps no visitor waiting who wants pictures
        concurrency_limit=1,
        **QUIET,
    )
    film.then(None, sender, None, js=SAVE, **QUIET)
    return Opening(handlers.show, [shared.model, *form], outputs, form)

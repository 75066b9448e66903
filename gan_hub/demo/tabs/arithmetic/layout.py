"""What the tab "Arithmetic" looks like, and which event calls which handler."""

import gradio as gr

from gan_hub.demo import models, texts
from gan_hub.demo.components import QUIET, SAVE, class_picker, file_sender, note, picture_grid, seeds_box, slider
from gan_hub.demo.events import listen
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.arithmetic import handlers, links
from gan_hub.demo.tabs.arithmetic.drawing import LAYERS
from gan_hub.demo.tabs.arithmetic.groups import FIRST, NAMES
from gan_hub.demo.tabs.arithmetic.texts import TEXTS
from gan_hub.demo.texts import t

texts.add(TEXTS)

PRESSED = "ganHub.equation(element, trigger, watch);  // calls 'select'"
MARKED = "ganHub.marks(element, watch);"


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    names = models.class_names(models.default_model())
    gr.Markdown(t("arithmetic_intro"))
    modes = [("A − B + C", links.SUM), (t("arithmetic_mix"), links.MIX)]
    mode = gr.Radio(modes, value=links.SUM, label=t("arithmetic_mode"), visible=False, elem_id="arithmetic-mode")
    presets = gr.HTML(elem_id="presets", js_on_load=PRESSED)
    sentence = note()
    equation = gr.HTML(elem_id="equation", elem_classes="drawn", js_on_load=PRESSED)
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            active = gr.Radio(
                list(zip(("A", "− B", "+ C"), NAMES, strict=True)), value="A", label=t("active"), elem_id="active-group"
            )
            pool = picture_grid("pool", t("pool"))
            marks = gr.HTML(visible="hidden", js_on_load=MARKED)
            with gr.Row():
                surprise = gr.Button(t("surprise"), min_width=110)
                new_pool = gr.Button(t("new_pool"), min_width=110)
                clear = gr.Button(t("clear"), min_width=110)
        with gr.Column(scale=2, min_width=280):
            radius = slider(
                0, links.MAX_RADIUS, links.FIRST_RADIUS, 0.05, "radius", info=t("radius_info"), elem_id="radius"
            )
            choices = [(t(f"layers_{layer}"), layer) for layer in LAYERS]
            first = links.FIRST_LAYERS.split(",")
            layers = gr.CheckboxGroup(choices, value=first, label=t("layers"), info=t("layers_info"), visible=False)
            label = class_picker(names, "group_own", "result_label")
            pool_label = class_picker(names, "own", "pool_label")
            with gr.Row(elem_classes="save-row"):
                what = gr.Radio(
                    [(t(f"save_{kind}"), kind) for kind in handlers.KINDS], value="result", label=t("save_what")
                )
                scales = [(f"×{each}", each) for each in handlers.SCALES]
                scale = gr.Radio(scales, value=handlers.SCALES[1], label=t("scale_sum"))
            save = gr.Button(t("save_sum"), variant="primary", elem_id="save-sum")
            gr.Markdown(t("save_needs"), elem_classes=["note", "needs"])
            sender = file_sender("sum-file")
            with gr.Accordion(t("arithmetic_more"), open=False):
                a, b, c = (seeds_box("", t(f"group_{name.lower()}"), elem_id=f"group-{name.lower()}") for name in NAMES)
                box = seeds_box(links.FIRST_POOL, t("pool_seeds"), elem_id="pool-seeds")
    preset, pool_seeds, *groups = (
        gr.State(FIRST),
        gr.State(links.FIRST_POOL),
        gr.State(""),
        gr.State(""),
        gr.State(""),
    )

    form = [preset, pool_seeds, pool_label, *groups, label, radius, mode, layers]
    values, boxes = [shared.model, *form], [a, b, c, box]
    state = [preset, pool_seeds, *groups]
    pictures = [pool_label, label, mode, layers, radius, presets, pool, marks, equation, box, a, b, c]
    outputs = [*state, *pictures, what, save, shared.address, sentence]
    changes = [label.input, pool_label.input, radius.input, mode.input, layers.input]
    clicks = {"trigger_mode": "multiple"}  # each of them counts
    listen(changes, handlers.show, values, outputs, "arithmetic")
    listen([each.submit for each in boxes], handlers.typed, [*boxes, *values], outputs, "arithmetic")
    listen(pool.select, handlers.click, [active, *values], outputs, "arithmetic", **clicks)
    listen([equation.select, presets.select], handlers.press, values, outputs, "arithmetic", **clicks)
    for button, handler in ((surprise, handlers.surprise), (clear, handlers.clear), (new_pool, handlers.new_pool)):
        listen(button.click, handler, values, outputs, "arithmetic")
    saved = listen(save.click, handlers.save, [what, scale, *values], [sender, sentence], "arithmetic")
    saved.then(None, sender, None, js=SAVE, **QUIET)
    return Opening(handlers.show, values, outputs, form)

"""What the tab "Explore" looks like, and which event calls which handler."""

import gradio as gr

from gan_hub.demo import models, texts
from gan_hub.demo.components import class_picker, note, seeds_box
from gan_hub.demo.events import listen
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.explore import handlers
from gan_hub.demo.tabs.explore.texts import TEXTS
from gan_hub.demo.texts import t

texts.add(TEXTS)


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    gr.Markdown(t("explore_intro"), elem_classes="note")
    plane = gr.HTML(
        None,
        html_template='<div class="plane"></div>',
        js_on_load="ganHub.plane(element, props, trigger, watch);  // calls 'submit', 'input' and 'select'",
        elem_id="explore-plane",
        elem_classes="drawn",
    )
    sentence = note()
    with gr.Row():
        corners = seeds_box(
            handlers.FIRST_CORNERS, t("corners"), info=t("corners_info"), elem_id="explore-corners", min_width=220
        )
        names = list(models.concepts(models.default_model()))
        axes = gr.Dropdown(
            handlers.axes_choices(names),
            value=handlers.SEEDS_AXES,
            label=t("axes"),
            visible=len(names) > 1,
            allow_custom_value=True,  # the handlers check it, also for other models
            elem_id="explore-axes",
            min_width=220,
        )
        label = class_picker(models.class_names(models.default_model()), "explore_own", "class")
    exact = gr.HTML(
        None,
        visible="hidden",
        html_template="<span></span>",
        js_on_load="ganHub.planeExact(props, watch);",
    )
    x, y = gr.State(handlers.FIRST_PLACE), gr.State(handlers.FIRST_PLACE)

    form = [corners, axes, label, x, y]
    shape, outputs = [shared.model, corners, axes, label], [plane, exact, shared.address, sentence]
    listen([corners.submit, axes.input, label.input], handlers.show, [shared.model, *form], outputs, "explore")
    listen(plane.submit, handlers.exact, shape, [exact, x, y, shared.address, sentence], "explore", js=None)
    listen(plane.input, handlers.reroll, [shared.model, *form], [corners, *outputs], "explore")
    listen(plane.select, handlers.refine, shape, [plane, sentence], "explore", js=None)
    return Opening(handlers.draw, [shared.model, *form], [axes, label, *outputs], form)

"""What the tab "Your image" looks like, and which event calls which handler."""

import gradio as gr

from gan_hub.demo import texts
from gan_hub.demo.components import concept_picker, note, seeds_box, slider
from gan_hub.demo.events import listen
from gan_hub.demo.long_jobs import start_on, stop_on
from gan_hub.demo.own_picture import own_picture
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.yours import handlers
from gan_hub.demo.tabs.yours.texts import TEXTS
from gan_hub.demo.texts import t

texts.add(TEXTS)


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    gr.Markdown(t("yours_intro"))
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            picture = own_picture("yours-picture")
            with gr.Row():
                find = gr.Button(t("yours_find"), variant="primary", min_width=120, elem_id="yours-find")
                stop = gr.Button(t("yours_cancel"), min_width=90, elem_id="yours-stop")
            seed = seeds_box(handlers.FIRST_SEED, t("yours_seed"), info=t("yours_seed_info"), elem_id="yours-seed")
            find_seed = gr.Button(t("yours_find_seed"), elem_id="yours-find-seed")
        with gr.Column(scale=3, min_width=320):
            pair = gr.HTML(elem_id="yours-result")
            sentence = note()
            gr.Markdown(t("yours_change"), elem_classes="note")
            with gr.Row():
                concept = concept_picker([], "concept", "concept_info", elem_id="yours-concept")
                most = handlers.MAX_STRENGTH
                strength = slider(-most, most, 0, 0.1, "strength", visible=False, elem_id="yours-strength")
            with gr.Row():
                walk = slider(0, 1, 0, 0.02, "yours_walk", info=t("yours_walk_info"), elem_id="yours-walk")
                goal = seeds_box(handlers.FIRST_GOAL, t("yours_walk_seed"), elem_id="yours-goal", min_width=120)
    point = gr.State(None)

    outputs = [point, pair, shared.address, sentence]
    start_on(find.click, handlers.find, [shared.model, picture], outputs)
    start_on([find_seed.click, seed.submit], handlers.find_seed, [shared.model, seed], outputs)
    stop_on(stop.click)
    changes = [concept.input, strength.input, walk.input, goal.submit]
    listen(changes, handlers.change, [point, concept, strength, goal, walk], [pair, sentence], "yours")
    return Opening(handlers.draw, [shared.model, seed], [picture, concept, strength, *outputs], [seed])

"""What the tab "Paint" looks like, and which event calls which handler."""

import gradio as gr

from gan_hub.demo import texts
from gan_hub.demo.components import note, seeds_box
from gan_hub.demo.events import listen
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.paint import handlers
from gan_hub.demo.tabs.paint.texts import TEXTS
from gan_hub.demo.texts import t

texts.add(TEXTS)


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    gr.Markdown(t("paint_intro"))
    with gr.Row(elem_classes="easel"):
        with gr.Column(scale=3, min_width=320):
            painter = gr.HTML(
                {"map": ""},
                html_template='<div class="painter"></div>',  # static: names of an untrusted model come in as text
                js_on_load="ganHub.painter(element, props, trigger, watch);  // calls 'input'",
                elem_id="painter",
            )
        with gr.Column(scale=2, min_width=320):
            picture = gr.HTML(elem_id="paint-picture", elem_classes="drawn")
            with gr.Row():
                seed = seeds_box(
                    handlers.FIRST_SEED, t("paint_seed"), info=t("paint_seed_info"), elem_id="paint-seed", min_width=160
                )
            with gr.Row():
                start = gr.Button(t("paint_from_seed"), min_width=140, elem_id="paint-from-seed")
                reroll = gr.Button(t("paint_reroll"), min_width=100, elem_id="paint-reroll")
            sentence = note()

    outputs = [picture, shared.address, sentence]
    listen([painter.input, seed.submit], handlers.paint, [shared.model, painter, seed], outputs, "paint")
    listen(start.click, handlers.from_seed, [shared.model, seed], [painter, *outputs], "paint")
    listen(reroll.click, handlers.reroll, [shared.model, painter], [seed, *outputs], "paint")
    return Opening(handlers.draw, [shared.model, seed, painter], [painter, reroll, *outputs], [seed, painter])

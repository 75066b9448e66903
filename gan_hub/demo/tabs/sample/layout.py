"""What the tab "Sample" looks like, and which event calls which handler."""

import gradio as gr

from gan_hub.demo import models, texts
from gan_hub.demo.components import (
    QUIET,
    class_picker,
    concept_picker,
    crisp_gallery,
    download_button,
    note,
    seeds_box,
    slider,
)
from gan_hub.demo.events import answering, listen
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.sample import handlers
from gan_hub.demo.tabs.sample.texts import TEXTS
from gan_hub.demo.texts import t

texts.add(TEXTS)


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    most = handlers.MAX_STRENGTH
    with gr.Row(elem_classes="stage"):
        with gr.Column(scale=1, min_width=280):
            gr.Markdown(t("sample_intro"))
            seeds = seeds_box(handlers.FIRST_SEEDS, t("seeds"), info=t("seeds_info"), elem_id="sample-seeds")
            label = class_picker(models.class_names(models.default_model()), "own", "class")
            truncation = slider(0, 1, handlers.FIRST_TRUNCATION, 0.05, "truncation", info=t("truncation_info"))
            names = list(models.concepts(models.default_model()))
            concept = concept_picker(names, "concept", "concept_info", elem_id="sample-concept")
            first = handlers.FIRST_STRENGTH
            strength = slider(-most, most, first, 0.1, "strength", visible=bool(names), elem_id="sample-strength")
            with gr.Row():
                generate = gr.Button(t("generate"), variant="primary", min_width=100)
                reroll = gr.Button(t("reroll"), min_width=100)
            sentence = note()
        with gr.Column(scale=3, min_width=320):
            gr.Markdown(t("gallery"), elem_classes="note")
            gallery = crisp_gallery("sample-gallery", columns=8)
            with gr.Row(elem_classes="chosen-row"):
                large = gr.HTML(elem_classes="chosen", min_width=170)
                with gr.Column(min_width=240), gr.Row():
                    download_one = download_button("download_one", min_width=140)
                    download_all = download_button("download_all", min_width=140)
    session = gr.State([])

    form = [seeds, label, truncation, concept, strength]
    outputs, selected = [gallery, shared.address, download_all, session, sentence], [large, download_one]
    changes = [generate.click, seeds.submit, label.input, truncation.input, concept.input, strength.input]
    listen(changes, handlers.sample, [shared.model, *form], outputs, "sample")
    listen(reroll.click, handlers.reroll, [shared.model, *form], [seeds, *outputs], "sample")
    session.change(handlers.select_first_image, session, selected, **QUIET)
    gallery.select(answering(handlers.select_image, 3), session, [*selected, sentence], **QUIET)
    return Opening(handlers.draw, [shared.model, *form], [label, concept, strength, *outputs], form)

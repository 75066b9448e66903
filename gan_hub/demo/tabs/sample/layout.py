"""What the tab "Sample" looks like, and which event calls which handler."""

import gradio as gr

from gan_hub.demo import models, texts
from gan_hub.demo.components import PRIVATE, class_picker, concept_sliders, note, picture_grid, seeds_box, slider
from gan_hub.demo.events import listen
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.sample import handlers
from gan_hub.demo.tabs.sample.texts import TEXTS
from gan_hub.demo.texts import t
from gan_hub.pipeline.styled import NOISES

texts.add(TEXTS)

DOWNLOAD_ALL = "() => ganHub.downloadAll('sample-gallery', ganHub.model())"


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    most = handlers.MAX_IMAGES
    with gr.Row(elem_classes="stage"):
        with gr.Column(scale=1, min_width=280):
            seeds = seeds_box(handlers.FIRST_SEEDS, t("seeds"), info=t("seeds_info"), elem_id="sample-seeds")
            with gr.Row(elem_classes="bar"):
                generate = gr.Button(t("generate"), variant="primary", min_width=100, elem_id="sample-generate")
                reroll = gr.Button(t("reroll"), min_width=100, elem_id="sample-reroll")
            count = slider(1, most, handlers.FIRST_COUNT, 1, "count", elem_id="sample-count")
            label = class_picker(models.class_names(models.default_model()), "own", "class")
            concepts = concept_sliders("concepts", "sample-concepts")
            truncation = slider(
                0,
                1,
                handlers.FIRST_TRUNCATION,
                0.05,
                "truncation",
                info=t("truncation_info"),
                elem_id="sample-truncation",
            )
            noise = gr.Radio(
                [(t(f"noise_{each}"), each) for each in NOISES],
                value=handlers.OWN_NOISE,
                label=t("noise"),
                info=t("noise_info"),
                visible=False,
                elem_id="sample-noise",
            )
        with gr.Column(scale=3, min_width=320):
            gr.Markdown(t("sample_intro"), elem_classes="note")
            gallery = picture_grid("sample-gallery", t("pictures"), "ganHub.enlargeFrom(element, props, watch);")
            with gr.Row(elem_classes="under"):
                sentence = note()
                download = gr.Button(t("download_all"), size="sm", min_width=140, scale=0, elem_id="sample-download")
    chosen = gr.State("")
    variations = gr.HTML(
        None,
        visible="hidden",
        html_template="<span></span>",
        js_on_load="ganHub.variations(props, trigger, watch);  // calls 'submit'",
    )

    form = [seeds, label, truncation, concepts, chosen, noise]
    outputs, settings = [gallery, shared.address, count, sentence], [label, truncation, concepts, noise]
    resized = [seeds, gallery, shared.address, sentence]
    changes = [generate.click, seeds.submit, label.input, truncation.input, concepts.input, noise.input]
    listen(changes, handlers.sample, [shared.model, seeds, *settings], outputs, "sample")
    listen(reroll.click, handlers.reroll, [shared.model, count, *settings], [seeds, *outputs], "sample")
    listen(count.input, handlers.resize, [shared.model, count, seeds, *settings], resized, "sample")
    varied = [shared.model, truncation, concepts, noise]
    listen(variations.submit, handlers.vary, varied, [variations, sentence], "sample")
    download.click(None, None, None, js=DOWNLOAD_ALL, **PRIVATE)
    return Opening(handlers.draw, [shared.model, *form], [label, concepts, noise, chosen, *outputs], form)

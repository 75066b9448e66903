"""What the tab "Arithmetic" looks like, and which event calls which handler."""

import gradio as gr

from gan_hub.demo import models, texts
from gan_hub.demo.components import class_picker, concept_picker, crisp_gallery, download_button, note, seeds_box
from gan_hub.demo.events import listen
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.arithmetic import handlers
from gan_hub.demo.tabs.arithmetic.texts import TEXTS
from gan_hub.demo.texts import t

texts.add(TEXTS)


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    names = models.class_names(models.default_model())
    gr.Markdown(t("arithmetic_intro"))
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            active = gr.Radio(list(handlers.GROUPS), value="A", label=t("active"), elem_id="active-group")
            with gr.Row():
                surprise = gr.Button(t("surprise"), min_width=110)
                clear = gr.Button(t("clear"), min_width=110)
            known = list(models.concepts(models.default_model()))
            concept = concept_picker(known, "fill_concept", "fill_concept_info", elem_id="fill-concept")
            pool_label = class_picker(names, "own", "pool_label")
            pool_seeds = seeds_box(handlers.FIRST_POOL, t("pool_seeds"), elem_id="pool-seeds")
            new_pool = gr.Button(t("new_pool"))
            sentence = note()
        with gr.Column(scale=3, min_width=320):
            pool = crisp_gallery("pool", columns=12)
    equation = gr.HTML(elem_id="equation", elem_classes="drawn")
    gr.Markdown(t("result_note"), elem_classes="note")
    with gr.Row():
        a, b, c = (
            seeds_box(text, t(f"group_{name.lower()}"), min_width=120, elem_id=f"group-{name.lower()}")
            for name, text in zip(handlers.GROUPS, handlers.FIRST_GROUPS, strict=True)
        )
        label = class_picker(names, "group_own", "result_label")
    with gr.Row():
        equals = gr.Button(t("calculate"), variant="primary", min_width=140)
        download = download_button("download_result", min_width=140)
        download_nine = download_button("download_nine", min_width=140)
    files = gr.State([])

    groups, form = [a, b, c], [pool_seeds, pool_label, a, b, c, label]
    values, outputs = (
        [shared.model, *form],
        [pool, files, equation, download, download_nine, shared.address, sentence],
    )
    changes = [equals.click, *(group.submit for group in groups), label.input, pool_seeds.submit, pool_label.input]
    listen(changes, handlers.show, values, outputs, "arithmetic")
    listen(
        pool.select,
        handlers.click,
        [active, files, *values],
        [*groups, *outputs],
        "arithmetic",
        trigger_mode="multiple",
    )
    listen(surprise.click, handlers.surprise, values, [*groups, *outputs], "arithmetic")
    listen(clear.click, handlers.clear, values, [*groups, *outputs], "arithmetic")
    listen(concept.input, handlers.fill_groups, [concept, *values], [*groups, *outputs], "arithmetic")
    listen(new_pool.click, handlers.new_pool, values, [pool_seeds, *groups, *outputs], "arithmetic")
    return Opening(handlers.draw, values, [pool_label, label, concept, *outputs], form)

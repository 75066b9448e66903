"""What the tab "Two dimensions" looks like, and which event calls which handler."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from gan_hub.demo import texts, toy_form
from gan_hub.demo.components import note
from gan_hub.demo.events import listen
from gan_hub.demo.long_jobs import start_on, stop_on
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.plane import handlers
from gan_hub.demo.tabs.plane.texts import TEXTS
from gan_hub.demo.texts import t
from gan_hub.toy.datasets import DATASETS

texts.add(TEXTS)


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    gr.Markdown(t("plane_intro"))
    with gr.Row(elem_classes="stage"):
        with gr.Column(scale=1, min_width=290):
            names: Any = [(t(f"data_{name}"), name) for name in DATASETS]
            data = gr.Radio(names, value=handlers.FIRST[0], label=t("plane_data"), elem_id="plane-data")
            with gr.Row():
                ill = [
                    gr.Button(t(f"make_{name}"), min_width=120, elem_id=f"plane-{name}")
                    for name in ("collapse", "imbalance")
                ]
            cure = gr.Button(t("make_cure"), elem_id="plane-cure")
            form = [data, *toy_form.lay_out(handlers.HEALTHY, handlers.MAX_R1, "plane")]
        with gr.Column(scale=3, min_width=330):
            with gr.Row():
                run = gr.Button(t("run"), variant="primary", min_width=90, elem_id="plane-run")
                pause = gr.Button(t("pause"), min_width=90, elem_id="plane-pause")
                step = gr.Button(t("one_step"), min_width=90, elem_id="plane-step")
                anew = gr.Button(t("start_anew"), min_width=90, elem_id="plane-reset")
            sentence = note(elem_id="plane-note")
            numbers = gr.HTML(elem_id="plane-numbers")
            with gr.Row(equal_height=False, elem_classes="fields"):
                field, best = toy_form.canvas("field", "plane_field"), toy_form.canvas("field", "plane_best")
            formula = gr.HTML(elem_classes="status", elem_id="plane-formula")
            curves = toy_form.canvas("curves", "plane_curves")

    outputs = [field, best, curves, numbers, formula, shared.address, sentence]
    start_on(run.click, toy_form.requested_stream(handlers.play), form, outputs)
    start_on(step.click, toy_form.requested_stream(handlers.step), form, outputs)
    start_on(
        [anew.click, data.input, form[-1].submit, form[-1].blur], toy_form.requested(handlers.reset), form, outputs
    )
    stop_on(pause.click)
    changes = [component.input for component in form[1:-1]]
    listen(
        changes, toy_form.requested(handlers.draw), form, outputs, "plane", concurrency_id="plane", concurrency_limit=1
    )
    for name, button in zip(("collapse", "imbalance", "cure"), (*ill, cure), strict=True):
        start_on(button.click, _preset(name), form, [*form[1:-1], *outputs])
    return Opening(toy_form.opening(handlers.draw), form, outputs, form)


def _preset(name: str) -> Any:
    def called(request: gr.Request, *form: Any) -> Iterator[Any]:
        yield from handlers.preset(name, request, *form)

    return called

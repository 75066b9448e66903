"""What the tab "Train one" looks like, and which event calls which handler."""

from typing import Any

import gradio as gr

from gan_hub.demo import texts, toy_form
from gan_hub.demo.components import PRIVATE, note
from gan_hub.demo.events import listen
from gan_hub.demo.long_jobs import start_on, stop_on
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.train import handlers, newborn
from gan_hub.demo.tabs.train.texts import TEXTS
from gan_hub.demo.texts import t
from gan_hub.toy.faces import SIDES

texts.add(TEXTS)


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    gr.Markdown(t("train_intro"))
    with gr.Row(elem_classes="stage"):
        with gr.Column(scale=1, min_width=290):
            subjects: Any = [(t(f"subject_{each}"), each) for each in newborn.SUBJECTS]
            subject = gr.Radio(subjects, value=newborn.SUBJECTS[0], label=t("train_subject"), elem_id="train-subject")
            sides: Any = [(t(f"side_{side}"), side) for side in SIDES]
            side = gr.Radio(sides, value=SIDES[-1], label=t("train_side"), elem_id="train-side")
            form = [subject, side, *toy_form.lay_out(handlers.HEALTHY, handlers.MAX_R1, "train")]
        with gr.Column(scale=3, min_width=330):
            with gr.Row():
                start = gr.Button(t("train_start"), variant="primary", min_width=100, elem_id="train-start")
                pause = gr.Button(t("pause"), min_width=100, elem_id="train-pause")
                anew = gr.Button(t("start_anew"), min_width=100, elem_id="train-reset")
            sentence = note(elem_id="train-note")
            pictures = gr.HTML(elem_id="train-faces")
            numbers = gr.HTML(elem_id="train-numbers")
            curves = toy_form.canvas("curves", "train_curves")
    _lay_out_newborn()

    outputs = [pictures, curves, numbers, shared.address, sentence]
    start_on(start.click, toy_form.requested_stream(handlers.train), form, outputs)
    start_on(anew.click, toy_form.requested(handlers.reset), form, outputs)
    stop_on(pause.click)
    changes = [component.input for component in form[2:-1]]
    draw = toy_form.requested(handlers.draw)
    start_on([subject.input, side.input, form[-1].submit], draw, form, outputs)
    listen(changes, draw, form, outputs, "train", concurrency_id="train", concurrency_limit=1)
    return Opening(toy_form.opening(handlers.draw), form, outputs, form)


def _lay_out_newborn() -> None:
    """What can be done with the network that was trained."""
    gr.Markdown(t("born_intro"))
    with gr.Row():
        faces = gr.Button(t("born_faces"), min_width=120, elem_id="born-faces")
        walk = gr.Button(t("born_animate"), min_width=120, elem_id="born-walk")
        play = gr.Button(t("born_play"), min_width=120, elem_id="born-play")
        enter = gr.Button(t("born_enter"), min_width=120, elem_id="born-enter")
        pack = gr.Button(t("born_pack"), min_width=120, elem_id="born-pack")
    stage = gr.HTML(elem_id="born-stage", elem_classes="drawn")
    with gr.Row():
        left = gr.Button(t("born_left"), visible=False, min_width=120, elem_id="born-left")
        right = gr.Button(t("born_right"), visible=False, min_width=120, elem_id="born-right")
    sentence, link = note(elem_id="born-note"), gr.Textbox(visible="hidden")
    for button, handler in ((faces, newborn.new_faces), (walk, newborn.walk), (pack, newborn.pack)):
        listen(button.click, handler, [], [stage, sentence], "train")
    listen(enter.click, newborn.let_in, [], [link, sentence], "train")
    link.change(None, link, None, js="(link) => { if (link) ganHub.go(link); }", **PRIVATE)
    listen(play.click, newborn.next_pair, [], [stage, left, right, sentence], "train")
    for button, is_left in ((left, True), (right, False)):
        listen(button.click, _pick(is_left), [], [stage, left, right, sentence], "train")


def _pick(left: bool) -> Any:
    def called(request: gr.Request) -> Any:
        return newborn.pick(left, request)

    return called

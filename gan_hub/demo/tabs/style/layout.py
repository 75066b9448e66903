"""What the tab "Style" looks like, and which event calls which handler."""

import gradio as gr

from gan_hub.demo import texts
from gan_hub.demo.components import note, picture_grid
from gan_hub.demo.events import listen
from gan_hub.demo.long_jobs import start_on, stop_on
from gan_hub.demo.own_picture import own_picture
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.style import handlers
from gan_hub.demo.tabs.style.texts import TEXTS
from gan_hub.demo.texts import t

texts.add(TEXTS)


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    gr.Markdown(t("style_intro"))
    content, style = gr.State(handlers.FIRST_CONTENT), gr.State(handlers.FIRST_STYLE)
    with gr.Row():
        with gr.Column(scale=1, min_width=320):
            with gr.Row():
                with gr.Column(min_width=240):
                    gr.Markdown(t("style_content"), elem_classes="note")
                    contents = picture_grid("style-contents", t("style_content"))
                    with gr.Accordion(t("style_own"), open=False):
                        own_content = own_picture("style-own-content")
                with gr.Column(min_width=240):
                    gr.Markdown(t("style_style"), elem_classes="note")
                    styles = picture_grid("style-styles", t("style_style"))
                    with gr.Accordion(t("style_own"), open=False):
                        own_style = own_picture("style-own-style")
            weights = [(t(f"style_{name}"), name) for name in handlers.WEIGHTS]
            weight = gr.Radio(weights, value=handlers.FIRST_WEIGHT, label=t("style_weight"), elem_id="style-weight")
            with gr.Row():
                start = gr.Button(t("style_start"), variant="primary", min_width=120, elem_id="style-start")
                stop = gr.Button(t("style_stop"), min_width=90, elem_id="style-stop")
            sentence = note()
        with gr.Column(scale=1, min_width=320):
            picture = gr.HTML(elem_id="style-result")

    form = [content, style, weight]
    values, outputs = [*form, own_content, own_style], [picture, shared.address, sentence]
    start_on(start.click, handlers.transfer, values, outputs)
    stop_on(stop.click)
    for grid, choose, own, take, number in (
        (contents, handlers.choose_content, own_content, handlers.own_content, content),
        (styles, handlers.choose_style, own_style, handlers.own_style, style),
    ):
        listen(grid.select, choose, [], [number, grid, sentence], "style")
        listen(own.input, take, [], [number, grid, sentence], "style")
    drawn = [contents, styles, own_content, own_style, picture, shared.address, sentence]
    return Opening(handlers.draw, form, drawn, form)

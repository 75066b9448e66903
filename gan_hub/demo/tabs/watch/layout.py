"""What the tab "Watch it train" looks like; its slider works in the browser alone."""

import gradio as gr

from gan_hub.demo import texts
from gan_hub.demo.components import note
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.watch import handlers
from gan_hub.demo.tabs.watch.texts import TEXTS
from gan_hub.demo.texts import t

texts.add(TEXTS)


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    gr.Markdown(t("watch_intro"))
    frame = gr.Textbox("", elem_id="watch-frame", elem_classes="unseen")
    training = gr.HTML(js_on_load="ganHubWatch.connect(element, watch);", elem_classes="drawn", elem_id="watch")
    film = gr.State("")  # its file, so that an answer that is kept is dropped with it
    sentence = note()
    return Opening(handlers.draw, [shared.model, frame], [training, film, sentence], [frame])

"""What the tab "Real or fake?" looks like, and which event calls which handler."""

import gradio as gr

from gan_hub.demo import texts
from gan_hub.demo.components import note
from gan_hub.demo.events import listen
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.game import handlers
from gan_hub.demo.tabs.game.texts import TEXTS
from gan_hub.demo.texts import t

texts.add(TEXTS)


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    game = gr.State(None)
    gr.Markdown(t("game_intro"))
    with gr.Column(elem_id="game"):
        question = gr.HTML()
        pair = gr.HTML(js_on_load="", elem_classes="drawn")
        with gr.Row(equal_height=True, elem_classes="picks"):
            left = gr.Button(t("left"), size="lg", interactive=False, elem_id="pick-left", min_width=120)
            right = gr.Button(t("right"), size="lg", interactive=False, elem_id="pick-right", min_width=120)
        with gr.Row(equal_height=True):
            onwards = gr.Button(t("next"), variant="primary", interactive=False, elem_id="next-round", min_width=160)
            reset = gr.Button(t("reset"), elem_id="start-over", min_width=100)
        gr.Markdown(t("keys"), elem_classes="note keys")
        sentence = note()
        points = gr.HTML()
    with gr.Accordion(t("how_judged"), open=False):
        explanation = gr.HTML()

    page = [game, pair, question, points, left, right, onwards, sentence]
    listen(left.click, handlers.pick_left, [game], page, "game", trigger_mode="once")
    listen(right.click, handlers.pick_right, [game], page, "game", trigger_mode="once")
    listen(onwards.click, handlers.next_round, [game], page, "game", trigger_mode="once")
    listen(reset.click, handlers.start_over, [shared.model, game], page, "game", trigger_mode="once")
    return Opening(handlers.draw, [shared.model, game], [explanation, *page])

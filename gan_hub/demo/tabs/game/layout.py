"""What the tab "Real or fake?" looks like, and which event calls which handler."""

import gradio as gr

from gan_hub.demo import answer_log, inputs, texts
from gan_hub.demo.components import MODEL_QUEUE, QUIET, note
from gan_hub.demo.events import answering, listen
from gan_hub.demo.tab import Opening, Shared
from gan_hub.demo.tabs.game import handlers, material
from gan_hub.demo.tabs.game.rounds import RISING
from gan_hub.demo.tabs.game.texts import TEXTS
from gan_hub.demo.texts import t

texts.add(TEXTS)

# What needs no model does not wait behind drawings.
PLAYING = {"concurrency_id": "game", "concurrency_limit": 4, "trigger_mode": "once"}
SUPPLYING = {"trigger_mode": "multiple", **QUIET, **MODEL_QUEUE}


def build(shared: Shared) -> Opening:
    """Lay out the tab."""
    token, memory, seed, label = gr.State(""), shared.games, gr.State(""), gr.State(inputs.OWN)
    with gr.Row(elem_id="game"):
        with gr.Column(scale=3, min_width=300, elem_classes="game-table"):
            question = gr.HTML()
            pair = gr.HTML(js_on_load="ganHubGame.table(element, watch);", elem_classes="drawn")
            with gr.Row(equal_height=True, elem_classes="picks"):
                left = gr.Button(t("left_real"), size="lg", interactive=False, elem_id="pick-left", min_width=120)
                right = gr.Button(t("right_real"), size="lg", interactive=False, elem_id="pick-right", min_width=120)
            with gr.Row(equal_height=True):
                onwards = gr.Button(
                    t("next"), variant="primary", interactive=False, elem_id="next-round", min_width=140
                )
                why = gr.Button(t("why"), interactive=False, elem_id="why", min_width=100)
            sentence = note()
            reason = gr.HTML()
        with gr.Column(scale=2, min_width=280, elem_classes="game-side"):
            points = gr.HTML()
            kinds = [(t(f"kind_{kind}"), kind) for kind in material.KINDS]
            kind = gr.Radio(kinds, value="real", label=t("game_kind"), elem_id="game-kind")
            levels = [(t(f"level_{level}"), level) for level in handlers.DIFFICULTIES]
            level = gr.Radio(levels, value=RISING, label=t("game_level"), elem_id="game-level")
            day = gr.Textbox("", elem_id="game-day", elem_classes="unseen")
            with gr.Row():
                today = gr.Button(t("today"), elem_id="todays-ten", size="sm", min_width=100)
                reset = gr.Button(t("reset"), elem_id="start-over", size="sm", min_width=100)
            gr.Markdown(t("keys"), elem_classes="note keys")
            is_counting = answer_log.is_counting()
            may_count = gr.Checkbox(False, label=t("may_count"), info=t("may_count_info"), visible=is_counting)
    with gr.Accordion(t("how_judged"), open=False):
        explanation = gr.HTML()

    table = [token, memory, pair, question, points, left, right, onwards, why, reason, sentence]
    drawn = [kind, level, day, explanation, shared.address, seed, *table]
    form = [shared.model, kind, level]
    listen([kind.input, level.input], handlers.draw, [*form, day, memory, seed, label], drawn, "game")
    listen(today.click, handlers.draw_today, [*form, memory], drawn, "game")
    listen(reset.click, handlers.start_over, [*form, token, memory], drawn, "game", trigger_mode="once")
    supply = answering(handlers.supply, len(table))
    for button, handler in ((left, handlers.pick_left), (right, handlers.pick_right)):
        picked = listen(button.click, handler, [token, memory, may_count], table, "game", **PLAYING)
        picked.then(supply, [token, memory], table, **SUPPLYING)
    went_on = listen(onwards.click, handlers.next_round, [token, memory], table, "game", **PLAYING)
    went_on.then(supply, [token, memory], table, **SUPPLYING)
    listen(why.click, handlers.explain, [token, memory], [pair, reason, sentence], "game", trigger_mode="once")
    return Opening(handlers.draw, [*form, day, memory, seed, label], drawn, [kind, level, day, seed, label])

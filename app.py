"""The page: four tabs over any model of the zoo. `python app.py [--model NAME_OR_ID] [--port N] [--share]`"""

import argparse
import os
import socket
import sys

import gradio as gr

from gan_hub.console import print_in_any_encoding
from gan_hub.demo import arithmetic, game, interpolate, models, sample
from gan_hub.demo.inputs import with_error_toast
from gan_hub.demo.models import ON_MODEL, PRIVATE
from gan_hub.demo.page import Page
from gan_hub.demo.texts import t
from gan_hub.model_folder.strict import LoadError

ASK_AGAIN_SECONDS = 3  # how often an open page asks whether a model from the Hub has come
CACHE_SECONDS = (3600, 3600)  # how often old files are looked for, and how old they may be


@with_error_toast
def about(model: str, request: gr.Request):
    """One line under the picker, and the beginning of the card."""
    return models.describe(model, request), models.card(model, request)


def compose() -> gr.Blocks:
    """The page over the models that are at hand."""
    with Page(title="gan_hub", delete_cache=CACHE_SECONDS, analytics_enabled=False) as page:
        with gr.Column(elem_id="head"):
            gr.Markdown(t("title"), elem_classes="headline")
            gr.Markdown(t("lead"))
        if not models.choices():
            gr.Markdown(t("no_models"))
            return page

        awaited = models.awaited()
        with gr.Row():
            model = gr.Dropdown(
                list(models.choices()),
                value=models.default(),
                label=t("model"),
                min_width=280,
                elem_id="model",
                allow_custom_value=bool(awaited),  # the picker's own check knows only the models it began with
            )
            line = gr.Markdown(min_height=24, elem_id="line")
        if awaited:
            news, again = gr.HTML(elem_classes="status", elem_id="news"), gr.Timer(ASK_AGAIN_SECONDS)
            gr.on([page.load, again.tick], models.news, None, [news, model, again], show_progress="hidden", **PRIVATE)
        with gr.Tabs():
            with gr.Tab(t("tab_sample"), id="sample", elem_id="tab-sample"):
                opening, linked = sample.build(model)
                openings = [opening]
            with gr.Tab(t("tab_interpolate"), id="interpolate", elem_id="tab-interpolate"):
                openings.append(interpolate.build(model))
            with gr.Tab(t("tab_arithmetic"), id="arithmetic", elem_id="tab-arithmetic"):
                openings.append(arithmetic.build(model))
            with gr.Tab(t("tab_game"), id="game", elem_id="tab-game"):
                openings.append(game.build(model))
        with gr.Accordion(t("about"), open=False):
            card = gr.HTML()

        # A link is read first, so that every tab opens with the model it names. Then the line that says what model it is:
        # the tabs wait in one queue, and the last of them would leave the old model's name beside the new one's pictures.
        arrived = page.load(sample.from_link, None, [model, *linked], show_progress="hidden", **PRIVATE, **ON_MODEL)
        for handler, inputs, outputs in ((about, [model], [line, card]), *openings):
            for event in (arrived.then, model.input):
                event(handler, inputs, outputs, show_progress="hidden", **PRIVATE, **ON_MODEL)
    return page


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a folder or Hub id to offer beside the bundled models, and to open with")
    parser.add_argument("--port", type=int, help="1 to 65535; by default the first free one from 7860")
    parser.add_argument("--share", action="store_true", help="also open a public address through Gradio's servers")
    arguments = parser.parse_args()
    if arguments.port is not None and not 1 <= arguments.port <= 65535:
        parser.error(f"--port {arguments.port} is not allowed; it is a number from 1 to 65535.")
    if arguments.port is not None and (reason := _taken(arguments.port)):
        parser.error(f"--port {arguments.port} cannot be used ({reason}); choose another, or leave it out.")
    if arguments.model is not None and not arguments.model.strip():
        parser.error("--model is empty; it is a folder, a bundled name or a Hub id.")
    return arguments


def _taken(port: int) -> str:
    """Why nothing can be served at a port of this machine; "" where it can. Found before models are loaded, not after."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def main() -> gr.Blocks:
    """Serves the page until it is stopped. A model that does not load or a port that is taken: one line, exit code 2."""
    print_in_any_encoding()
    arguments = _arguments()
    if arguments.model is not None:
        os.environ[models.VARIABLE] = arguments.model
    try:
        models.await_asked()
        page = compose()
        page.launch(server_port=arguments.port, share=arguments.share)
    except (LoadError, OSError) as error:
        print(f"app.py: {error}", file=sys.stderr)
        sys.exit(2)
    return page


# On a Space and in tests the page is imported under this name; served from here it is composed after the flags are read.
demo = main() if __name__ == "__main__" else compose()

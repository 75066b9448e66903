"""The page, four tabs over any model, and the command that serves it: `python app.py` and `gan-hub demo`."""

import gc
import os
import sys
from collections.abc import Sequence

import gradio as gr

from gan_hub.console import print_in_any_encoding
from gan_hub.demo import arithmetic, game, interpolate, models, sample
from gan_hub.demo.arguments import ENGINE_VARIABLE, parse
from gan_hub.demo.components import MODEL_QUEUE, QUIET, ModelChange
from gan_hub.demo.inputs import with_error_toast
from gan_hub.demo.page import Page
from gan_hub.demo.texts import t
from gan_hub.model_folder.strict import LoadError

POLL_SECONDS = 3  # how often an open page asks whether a model from the Hub has arrived
CACHE_SECONDS = (3600, 3600)  # how often old files are looked for, and how old they may be


@with_error_toast
def about(model: str, request: gr.Request) -> tuple[str, str]:
    """The line beside the picker, and the beginning of the model's card as HTML."""
    return models.describe(model, request), models.card(model, request)


def compose() -> gr.Blocks:
    """Build the page for the models that can be offered; one sentence where there are none."""
    with Page(title="gan_hub", delete_cache=CACHE_SECONDS, analytics_enabled=False) as page:
        with gr.Column(elem_id="head"):
            gr.Markdown(t("title"), elem_classes="headline")
            gr.Markdown(t("lead"))
        if not models.offered_models():
            gr.Markdown(t("no_models"))
            return page

        pending = models.pending_model()
        with gr.Row():
            model = gr.Dropdown(
                list(models.offered_models()),
                value=models.default_model(),
                label=t("model"),
                min_width=280,
                elem_id="model",
                allow_custom_value=bool(pending),  # the picker's own check knows only the models it began with
            )
            line = gr.Markdown(min_height=24, elem_id="line")
        if pending:
            status, timer = gr.HTML(elem_classes="status", elem_id="news"), gr.Timer(POLL_SECONDS)
            gr.on([page.load, timer.tick], models.pending_status, None, [status, model, timer], **QUIET)
        with gr.Tabs():
            with gr.Tab(t("tab_sample"), id="sample", elem_id="tab-sample"):
                sample_change, form = sample.build(model)
            with gr.Tab(t("tab_interpolate"), id="interpolate", elem_id="tab-interpolate"):
                interpolate_change = interpolate.build(model)
            with gr.Tab(t("tab_arithmetic"), id="arithmetic", elem_id="tab-arithmetic"):
                arithmetic_change = arithmetic.build(model)
            with gr.Tab(t("tab_game"), id="game", elem_id="tab-game"):
                game_change = game.build(model)
        with gr.Accordion(t("about"), open=False):
            card = gr.HTML()

        # The link is read first, so that every tab starts with the model it names. The line that says what model it is
        # comes next: all of these wait in one queue, and later it would name the old model beside the new one's pictures.
        on_load = page.load(sample.from_link, None, [model, *form], **QUIET, **MODEL_QUEUE)
        about_change = ModelChange(about, [model], [line, card])
        for change in (about_change, sample_change, interpolate_change, arithmetic_change, game_change):
            for event in (on_load.then, model.input):
                event(change.handler, change.inputs, change.outputs, **QUIET, **MODEL_QUEUE)
    return page


def main(arguments: Sequence[str] | None = None, prog: str = "app.py") -> gr.Blocks:
    """Serve the page until it is stopped.

    Wrong usage, a model that does not load and a port in use end the process with one line on stderr and exit code 2.

    Args:
        arguments: the command line without the program's name; by default that of the process.
        prog: the command as the user typed it, named in messages and in the help.

    Returns:
        The page, once it has been stopped.
    """
    print_in_any_encoding()
    args = parse(arguments, prog)
    if args.model is not None:
        os.environ[models.MODEL_VARIABLE] = args.model
    # Gradio asks matplotlib for its backend at every event; looking for a screen would keep the first visitor waiting.
    os.environ.setdefault("MPLBACKEND", "agg")
    if args.engine is not None:
        os.environ[ENGINE_VARIABLE] = args.engine
    try:
        models.load_requested()
        page = compose()
        gc.freeze()  # what the server is made of stays; a pass through it would hold every visitor up for half a second
        page.launch(server_port=args.port, share=args.share)
    except (LoadError, OSError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        sys.exit(2)
    return page

"""The page, its tabs over any model, and the command that serves it: `python app.py` and `gan-hub demo`."""

import gc
import os
import sys
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.blocks import Block

from gan_hub.console import print_in_any_encoding
from gan_hub.demo import lessons, models, navigation, picker
from gan_hub.demo.about import about_html
from gan_hub.demo.arguments import ENGINE_VARIABLE, parse
from gan_hub.demo.calls import publish
from gan_hub.demo.components import MODEL_QUEUE, PRIVATE, QUIET, note
from gan_hub.demo.events import answering
from gan_hub.demo.page import Page
from gan_hub.demo.shelf import shelf
from gan_hub.demo.tab import Opening, Shared, Tab
from gan_hub.demo.tabs import LEVELS, TABS
from gan_hub.demo.texts import t
from gan_hub.model_folder.strict import LoadError

POLL_SECONDS = 3  # how often an open page asks whether a model from the Hub has arrived
CACHE_SECONDS = (3600, 3600)  # how often old files are looked for, and how old they may be
ADDRESS = "() => [location.search]"
LAST_WINS: dict[str, Any] = {"trigger_mode": "always_last", **QUIET, **MODEL_QUEUE}
# The moving pictures are drawn once a model, beside the queue: pictures never wait for an ornament.
WALKS: dict[str, Any] = {"trigger_mode": "always_last", **QUIET, "concurrency_id": "walks", "concurrency_limit": 1}


def about(model: str, request: gr.Request) -> tuple[str, str, str]:
    """The line beside the picker, what has to be known about the model as HTML, and no sentence."""
    return models.describe(model, request), about_html(model, request), ""


def draw_tab(tab: Tab, opening: Opening, model: str, *arguments: Any) -> tuple[Any, ...]:
    """Draw a tab for the chosen model, or say that it does not work with it.

    Args:
        tab, opening: the tab.
        model: the chosen model.
        arguments: the opening's own inputs, and the request.

    Returns:
        What the model lacks as HTML, whether the tab's body is shown, and the opening's outputs.
    """
    missing = navigation.lacks(tab, model, arguments[-1])
    if missing is not None:
        skipped = [gr.skip()] * (len(opening.outputs) - 1)
        return gr.update(value=missing, visible=True), gr.update(visible=False), *skipped, ""
    drawn = opening.handler(*arguments)
    outputs = drawn if isinstance(drawn, tuple) else (drawn,)
    return gr.update(value="", visible=False), gr.update(visible=True), *outputs


def lay_out(tab: Tab, shared: Shared) -> tuple[Opening, list[Block]]:
    """Lay out a tab; its opening, and the components before its own outputs (see `draw_tab`)."""
    with gr.Tab(t(f"tab_{tab.name}"), id=tab.name, elem_id=f"tab-{tab.name}") as item:
        missing = gr.HTML(visible=False)
        with gr.Column() as body:
            opening = tab.build(shared)
            if (link := lessons.link(tab.name)) is not None:
                gr.Markdown(link, elem_classes="note lesson")
    item.select(None, None, None, js=f"() => ganHub.open('{tab.name}')", **PRIVATE)
    return opening, [missing, body]


def connect(router: gr.HTML, tab: Tab, opening: Opening, shared: Shared, frame: list[Block], line: Block) -> None:
    """Let the browser ask for a tab to be drawn; of several such calls the last one wins.

    The line about the model comes along: a call of its own would cost the server more than the rest of a change of model.

    Args:
        router: what the browser's script triggers.
        tab, opening: the tab.
        shared: what all tabs share.
        frame: the components before the opening's own outputs.
        line: the line.
    """

    def handler(model: str, *arguments: Any) -> tuple[Any, ...]:
        return draw_tab(tab, opening, model, *arguments)

    outputs = [*frame, *opening.outputs]
    answer = answering(handler, len(outputs))

    def with_line(model: str, *arguments: Any) -> tuple[Any, ...]:
        try:
            described: Any = models.describe(model, arguments[-1])
        except ValueError:  # of a damaged model, as the tab says
            described = gr.skip()
        return described, *answer(model, *arguments)

    outputs, draw = [line, *outputs], _with_request(with_line)
    ask = f"(...values) => {{ ganHub.asked('{tab.name}', values[0]); return values; }}"
    event = getattr(router, f"draw_{tab.name}")(draw, [shared.model, *opening.inputs], outputs, js=ask, **LAST_WINS)
    event.then(None, None, None, js=f"() => ganHub.drawn('{tab.name}')", **PRIVATE)


def _with_request(handler: Any) -> Any:
    """A handler of any number of arguments whose last one is the request.

    Gradio finds a request by its annotation, and only before the place where any number of arguments begins.
    """

    def called(request: gr.Request | None = None, *arguments: Any) -> Any:
        return handler(*arguments, request)

    return called


def compose() -> gr.Blocks:
    """Build the page for the models that can be offered; one sentence where there are none."""
    with Page(title="gan_hub", delete_cache=CACHE_SECONDS, analytics_enabled=False) as page:
        with gr.Row(elem_id="head"):
            with gr.Column():
                gr.Markdown(t("title"), elem_classes="headline")
                gr.Markdown(t("lead"))
            moving = picker.opening_pictures()
        if not models.offered_models():
            gr.Markdown(t("no_models"))
            return page

        for tab in TABS.values():
            for name, call in tab.calls.items():  # first: a tab's handler of the same name would take the name
                publish(name, call, name in tab.long_calls)
        model, line = _picker(page)
        sentence = note()
        # The secret is fixed, or each start of the server would forget the scores.
        games = gr.BrowserState({}, storage_key="gan_hub_games", secret="no secret")
        shared = Shared(model, gr.Textbox(visible="hidden", elem_id="address"), games)
        names = [tab.name for tabs in LEVELS.values() for tab in tabs]
        events = " ".join(f"'draw_{name}'" for name in names)
        router = gr.HTML(
            visible="hidden", js_on_load=f"ganHub.connect(trigger);  // 'restore' 'pick' 'walk' 'about' {events}"
        )
        rows, openings = [], {}
        with gr.Tabs(elem_classes="levels") as levels:
            for level, tabs in LEVELS.items():
                with gr.Tab(t(f"level_{level}"), id=level, elem_id=f"level-{level}") as item:
                    with gr.Tabs(overflow_behavior="wrap") as row:
                        openings |= {tab.name: (tab, *lay_out(tab, shared)) for tab in tabs}
                    rows.append(row)
                item.select(None, None, None, js=f"() => ganHub.openLevel('{level}')", **PRIVATE)
        shelf()
        with gr.Accordion(t("about"), open=False, elem_id="about-model"):
            card = gr.HTML()

        for tab, opening, frame in openings.values():
            connect(router, tab, opening, shared, frame, line)
        forms = [component for _, opening, _ in openings.values() for component in opening.form]
        place = [router, levels, *rows, model, *forms, sentence]
        for event in (page.load, router.restore):
            read = event(navigation.read, router, place, js=ADDRESS, **QUIET, **MODEL_QUEUE)
            read.then(None, [model, router], None, js="(model, place) => ganHub.restored(model, place)", **PRIVATE)
        router.walk(picker.opening, model, moving, **WALKS)
        picked = router.pick(None, None, model, js="() => ganHub.wanted()", **PRIVATE)
        for event in (model.input, picked.then):  # what was wrong with the address is history then
            event(None, model, sentence, js="(model) => ganHub.picked(model)", **PRIVATE)
        router.about(answering(about, 3), model, [line, card, sentence], **LAST_WINS)
        shared.address.change(None, shared.address, None, js="(link) => ganHub.address(link)", **PRIVATE)
    return page


def _picker(page: gr.Blocks) -> tuple[gr.HTML, gr.Markdown]:
    """The picker of a model and the line about it; where a model is still on its way from the Hub, with news of it."""
    pending = models.pending_model()
    model = picker.model_picker()
    line = gr.Markdown(min_height=24, elem_id="line")
    if pending:
        status, timer = gr.HTML(elem_classes="status", elem_id="news"), gr.Timer(POLL_SECONDS)
        gr.on([page.load, timer.tick], picker.pending_status, None, [status, model, timer], **QUIET)
    elif not picker.is_complete():
        page.load(picker.cards_update, None, model, **QUIET)
    return model, line


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

"""How the page's events answer: what is wrong stands in one sentence beside the form, and everything else stays as it was."""

import functools
import html
import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from gan_hub.demo.components import MODEL_QUEUE
from gan_hub.demo.inputs import failure, visitor

BUSY = "(...values) => {{ ganHub.busy('{name}', {event}); return values; }}"
IDLE = "() => ganHub.idle('{name}', {event})"
EVENTS = itertools.count()  # a number for each event that `listen` makes


def note_html(sentence: str, is_wrong: bool = False, element: str | None = None) -> str:
    """A sentence as HTML that screen readers read out when it appears.

    Args:
        sentence: plain text.
        is_wrong: whether it says that something is wrong.
        element: the id of the part of the form that is wrong, which is marked then.

    Returns:
        HTML; empty for an empty sentence.
    """
    if not sentence:
        return ""
    marks = f' data-wrong="{html.escape(element or "", quote=True)}"' if is_wrong else ""
    return f'<div class="note-line" role="status" aria-live="polite"{marks}>{html.escape(sentence, quote=False)}</div>'


def answering(handler: Callable[..., Any], outputs: int) -> Callable[..., Any]:
    """A handler that never fails: what it raises becomes its last output, a note as HTML, and the others do not change.

    Args:
        handler: returns as many values as there are outputs, the last of them a plain sentence, or gr.skip() to leave the one
            that stands there; or, as a generator, yields them.
        outputs: how many.

    Returns:
        The handler to give to Gradio. It has the same parameters, and is a generator where the other one is.
    """

    def wrong(error: Exception, arguments: Sequence[object]) -> Any:
        note = note_html(failure(error, visitor(arguments)), True, getattr(error, "element", None))
        return note if outputs == 1 else (*[gr.skip()] * (outputs - 1), note)

    def right(answer: Any) -> Any:
        sentence = answer if outputs == 1 else answer[-1]
        note = sentence if isinstance(sentence, dict) else note_html(sentence)  # gr.skip() leaves what stands there
        return note if outputs == 1 else (*answer[:-1], note)

    @functools.wraps(handler)
    def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return right(handler(*args, **kwargs))
        except Exception as error:
            return wrong(error, [*args, *kwargs.values()])

    @functools.wraps(handler)
    def answers(*args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            yield from map(right, handler(*args, **kwargs))
        except Exception as error:
            yield wrong(error, [*args, *kwargs.values()])

    return answers if inspect.isgeneratorfunction(handler) else answer


def listen(
    triggers: Callable[..., Any] | Sequence[Callable[..., Any]],
    handler: Callable[..., Any],
    inputs: Sequence[Component],
    outputs: Sequence[Component],
    tab: str,
    **options: Any,
) -> Dependency:
    """Let a tab's handler answer events: the last one wins, in the model's queue, with a veil over the tab's pictures meanwhile.

    Args:
        triggers: the events.
        handler: see `answering`; plain functions that raise, so that tests can call them.
        inputs: its arguments.
        outputs: what it changes, the tab's note last.
        tab: the tab's name.
        options: of Gradio's listeners; `js=None` for an event that needs no veil.

    Returns:
        The event, for what has to follow.
    """
    defaults = {"trigger_mode": "always_last", "api_visibility": "private", "show_progress": "hidden"}
    number = next(EVENTS)
    options = defaults | {"js": BUSY.format(name=tab, event=number)} | options
    queue = {} if "concurrency_id" in options else MODEL_QUEUE
    event = gr.on(
        triggers,
        answering(handler, len(outputs)),
        list(inputs),
        list(outputs),
        **queue,
        **options,
    )
    if options["js"] is None:  # it answers without a veil
        return event
    for after in (event.then, event.failure):  # Gradio's `then` does not follow a call that was refused
        after(None, None, None, js=IDLE.format(name=tab, event=number), api_visibility="private")
    return event

"""Long work for one visitor: in slices, in a line of its own, with an end that the visitor or the clock can set.

A job is a generator that yields whatever is to be shown, as often as it likes. `in_slices` runs it for half a second at a
time, in a thread of low priority that computes with one core, so that drawings, which have a line of their own, are answered
meanwhile. A visitor has one job: another one, waiting or running, ends when a new one is asked for (JobQueue sees to it).
"""

import contextlib
import functools
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import gradio as gr
import torch
from gradio.components import Component
from gradio.events import Dependency

from gan_hub.demo.components import LONG_JOBS, LONG_QUEUE
from gan_hub.demo.events import answering
from gan_hub.demo.inputs import BadInputError

SLICE_SECONDS = 0.5  # of computing, between two answers
NICENESS = 10  # of the thread; drawings have 0
WALL_FACTOR = 6  # a job may take so many times its seconds of computing, on a machine with other work to do
MAX_STOPS = 1000  # visitors whose last stop is remembered

Value = TypeVar("Value")


class StoppedError(BadInputError):
    """A job ended before its end: `key` is "job_stopped", "job_replaced" or "job_too_long"."""


class Stops:
    """When each visitor's jobs were last told to end, and why. What was asked for later goes on."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def stop(self, visitor: str | None, reason: str = "job_stopped") -> None:
        """End what a visitor has running or waiting; `reason` is the key of the sentence that the visitor reads."""
        if visitor is None:
            return
        with self._lock:
            self._last[visitor] = time.monotonic(), reason
            self._last.move_to_end(visitor)
            while len(self._last) > MAX_STOPS:
                self._last.popitem(last=False)

    def reason(self, visitor: str | None, since: float) -> str | None:
        """Why a job that was asked for at `since` (time.monotonic) is to end; None if it is not."""
        when, reason = self._last.get(visitor or "", (-1.0, ""))
        return reason if when > since else None


STOPS = Stops()


@functools.cache
def _workers() -> ThreadPoolExecutor:
    """The threads of all jobs: their number is that of jobs at once."""
    return ThreadPoolExecutor(LONG_JOBS, "long-job", _prepare_thread)


def _prepare_thread() -> None:
    """One core and a low priority for this thread alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    # torch keeps the number for each thread, and another one for threads to come, which is set back from a thread of its own.
    other = threading.Thread(target=torch.set_num_threads, args=(before,))
    other.start()
    other.join()
    with contextlib.suppress(AttributeError, OSError):  # only Linux has a priority for each thread
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def visitor_of(request: gr.Request | None) -> str | None:
    """Whose job it is: the name of the visitor's session."""
    return getattr(request, "session_hash", None)


def _asked_at(request: gr.Request | None) -> float:
    """When a job was put into the line (JobQueue notes it), for a visitor may end it before it starts; else now."""
    state = getattr(getattr(request, "request", None), "state", None)
    return getattr(state, "asked_at", time.monotonic())


def in_slices(
    job: Iterator[Value], request: gr.Request | None, seconds: float, slice_seconds: float | None = None
) -> Iterator[Value]:
    """Run a job, and yield the newest of what it yields about twice a second, and its last.

    Args:
        job: a generator. What takes long between two of its values cannot be ended meanwhile.
        request: the visitor's.
        seconds: of computing that it may take.
        slice_seconds: between two values; SLICE_SECONDS by default.

    Yields:
        What the job yields.

    Raises:
        StoppedError: the visitor ended it, asked for another one, or the time is up.
    """
    visitor, asked_at, began, spent = visitor_of(request), _asked_at(request), time.monotonic(), 0.0
    try:
        while True:
            newest, is_over, took = _workers().submit(_run_slice, job, slice_seconds or SLICE_SECONDS).result()
            spent += took
            yield from newest
            if is_over:
                return
            reason = STOPS.reason(visitor, asked_at)
            if reason is not None:
                raise StoppedError(reason)
            if spent > seconds or time.monotonic() - began > WALL_FACTOR * seconds:
                raise StoppedError("job_too_long", seconds=round(seconds))
    finally:  # also where the visitor left: Gradio closes the generator
        with contextlib.suppress(AttributeError):
            job.close()  # pyright: ignore[reportAttributeAccessIssue]  # an iterator that is no generator has none


def _run_slice(job: Iterator[Value], seconds: float) -> tuple[list[Value], bool, float]:
    """Some time of a job: the last value, if there was one; whether the job is over; and seconds of computing."""
    began, cpu, newest = time.monotonic(), time.thread_time(), []
    while True:
        try:
            newest = [next(job)]
        except StopIteration:
            return newest, True, time.thread_time() - cpu
        if time.monotonic() - began >= seconds:
            return newest, False, time.thread_time() - cpu


def start_on(
    triggers: Callable[..., Any] | Sequence[Callable[..., Any]],
    handler: Callable[..., Any],
    inputs: Sequence[Component],
    outputs: Sequence[Component],
    **options: Any,
) -> Dependency:
    """Let events start a long job of a tab: in the line of such jobs, without a veil, a new one in place of an old one.

    Args:
        triggers: the events.
        handler: a generator, see `events.answering`; most of them yield from `in_slices`.
        inputs: its arguments.
        outputs: what it changes, the tab's note last.
        options: of Gradio's listeners.

    Returns:
        The event.
    """
    options = {"trigger_mode": "multiple", "api_visibility": "private", "show_progress": "hidden"} | options
    return gr.on(triggers, answering(handler, len(outputs)), list(inputs), list(outputs), **LONG_QUEUE, **options)


def stop_on(triggers: Callable[..., Any] | Sequence[Callable[..., Any]]) -> Dependency:
    """Let events end the visitor's job, whether it runs or waits. It answers by itself, with its sentence."""
    return gr.on(
        triggers,
        stop,
        None,
        None,
        api_visibility="private",
        show_progress="hidden",
        concurrency_id="stop",
        concurrency_limit=None,
    )


def stop(request: gr.Request) -> None:
    """End the visitor's job."""
    STOPS.stop(visitor_of(request))

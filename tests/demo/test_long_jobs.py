"""Long work: in slices, one job a visitor, ended by the visitor or the clock, and never in the way of a drawing."""

import concurrent.futures
import os
import threading
import time
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
import torch
from gradio.server_messages import ProcessCompletedMessage

from gan_hub.demo import long_jobs
from gan_hub.demo.components import LONG_QUEUE, MODEL_QUEUE
from gan_hub.demo.events import listen
from gan_hub.demo.job_queue import JobQueue
from gan_hub.demo.long_jobs import StoppedError, Stops, in_slices
from gan_hub.demo.page import Page
from gan_hub.demo.texts import TEXTS
from tests.demo.conftest import Server, Visitor, launched

STEP_SECONDS = 0.02


class Work:
    """Jobs that count up to a number, or without end, and note who did what in which order."""

    def __init__(self):
        self.notes, self.living, self.is_over = [], 0, False
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def count(self, name: str, most: int):
        self.living += 1
        try:
            for number in range(most):
                self.notes.append((name, number))
                time.sleep(STEP_SECONDS)
                self.may_go_on.wait()
                if self.is_over:
                    return
                yield f"{name} {number}", ""
        finally:
            self.living -= 1

    def names(self) -> list[str]:
        """Whose work it was, in order, each run of the same name once."""
        names = [name for name, _ in self.notes]
        return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]


@pytest.fixture
def page(monkeypatch):
    """A page with a job that counts, a button that ends it, and a drawing beside it."""
    monkeypatch.setattr(long_jobs, "SLICE_SECONDS", 0.1)
    work = Work()

    def job(name: str, most: float, request: gr.Request):
        yield from in_slices(work.count(name, int(most)), request, seconds=60)

    def draw(name: str):
        work.notes.append((name, "drawn"))
        return name, ""

    with Page() as blocks:
        name, most, out, note = gr.Textbox(), gr.Number(), gr.Textbox(), gr.HTML()
        long_jobs.start_on(gr.Button().click, job, [name, most], [out, note])
        long_jobs.stop_on(gr.Button().click)
        listen(gr.Button().click, draw, [name], [out, note], "any")
    with launched(blocks, monkeypatch) as url:
        yield SimpleNamespace(server=Server(blocks, url), job=job, draw=draw, stop=long_jobs.stop, work=work)


@pytest.fixture
def threads(page):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        yield pool
        page.work.is_over = True  # after a test that failed, the pool would wait for a job without end


def wait_until(true, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_free(server) -> bool:
    """Whether no long job runs or waits."""
    line = server.page._queue.event_queue_per_concurrency_id[LONG_QUEUE["concurrency_id"]]
    return not line.queue and line.current_concurrency == 0


# ------------------------------------------------------------------------------------------------- on the page


def test_a_job_shows_what_it_has_while_it_goes_on_and_its_last_word(page):
    success, output, sent = Visitor(page.server).call(page.job, "one", 20)
    assert success and output["data"][0] == "one 19"
    assert 2 <= sent.count('"process_generating"') <= 10  # not for each of the twenty steps


def test_a_drawing_is_answered_while_a_job_runs(page, threads):
    assert LONG_QUEUE["concurrency_id"] != MODEL_QUEUE["concurrency_id"]
    worker = Visitor(page.server)
    running = threads.submit(worker.call, page.job, "worker", 100_000)
    wait_until(lambda: page.work.notes)
    assert Visitor(page.server).call(page.draw, "drawer")[0]
    assert not running.done() and page.work.living == 1
    worker.join(page.stop).raise_for_status()
    assert running.result()[0]
    kinds = page.work.names()
    assert kinds[:3] == ["worker", "drawer", "worker"]


def test_a_visitor_ends_a_job_at_once_and_reads_so(page, threads):
    worker = Visitor(page.server, {"accept-language": "pt"})
    worker.join(page.job, "worker", 100_000).raise_for_status()
    answers = threads.submit(worker.listen, 2)  # of the job and of the stop
    wait_until(lambda: page.work.notes)
    worker.join(page.stop).raise_for_status()
    assert answers.result()[0] and TEXTS["pt"]["job_stopped"] in answers.result()[2]
    wait_until(lambda: is_free(page.server))
    assert page.work.living == 0


def test_the_jobs_of_two_visitors_run_one_after_the_other(page, threads):
    runs = [threads.submit(Visitor(page.server).call, page.job, name, 10) for name in ("first", "second")]
    assert all(run.result()[0] for run in runs)
    assert sorted(page.work.names()) == ["first", "second"]  # neither began before the other's end


def test_a_job_that_waits_is_ended_before_it_begins(page, threads):
    first, second = Visitor(page.server), Visitor(page.server)
    running = threads.submit(first.call, page.job, "first", 100_000)
    wait_until(lambda: page.work.notes)
    second.join(page.job, "second", 10).raise_for_status()
    waiting = threads.submit(second.listen, 2)
    wait_until(lambda: len(page.server.page._queue) == 1)
    second.join(page.stop).raise_for_status()
    success, _, sent = waiting.result()
    assert success and TEXTS["en"]["job_stopped"] in sent
    first.join(page.stop).raise_for_status()
    assert running.result()[0]
    assert page.work.names() == ["first"]


def test_a_job_that_waits_is_answered_even_where_it_is_ended_just_before_the_answer_to_the_stop_is_fetched(
    page, threads, monkeypatch
):
    drop, send = JobQueue._drop_stopped, JobQueue.send_message

    def send_and_drop(queue, event, message):
        send(queue, event, message)
        if isinstance(message, ProcessCompletedMessage) and event.fn.fn is long_jobs.stop:
            drop(queue)

    monkeypatch.setattr(JobQueue, "_drop_stopped", lambda queue: None)
    monkeypatch.setattr(JobQueue, "send_message", send_and_drop)
    first, second = Visitor(page.server), Visitor(page.server)
    running = threads.submit(first.call, page.job, "first", 100_000)
    wait_until(lambda: page.work.notes)
    second.join(page.job, "second", 10).raise_for_status()
    waiting = threads.submit(second.listen, 2)
    wait_until(lambda: len(page.server.page._queue) == 1)
    second.join(page.stop).raise_for_status()
    assert TEXTS["en"]["job_stopped"] in waiting.result()[2]
    first.join(page.stop).raise_for_status()
    assert running.result()[0]


def test_a_new_job_of_a_visitor_takes_the_place_of_the_old_one(page, threads):
    visitor = Visitor(page.server)
    visitor.join(page.job, "old", 100_000).raise_for_status()
    answers = threads.submit(visitor.listen, 3)
    wait_until(lambda: page.work.notes)
    page.work.may_go_on.clear()  # or the second one begins while a slow machine brings the third
    visitor.join(page.job, "never", 10).raise_for_status()
    visitor.join(page.job, "new", 10).raise_for_status()
    page.work.may_go_on.set()
    success, _, sent = answers.result()
    assert success and "new 9" in sent and TEXTS["en"]["job_replaced"] in sent
    assert page.work.names() == ["old", "new"]


def test_a_visitor_who_leaves_frees_the_line(page, threads):
    visitor = Visitor(page.server)
    visitor.join(page.job, "gone", 100_000).raise_for_status()
    address = f"{page.server.url}/gradio_api/queue/data?session_hash={visitor.session}"
    with httpx.Client(timeout=60) as client, client.stream("GET", address) as stream:
        for line in stream.iter_lines():
            if "process_generating" in line:
                break
    wait_until(lambda: is_free(page.server))
    assert page.work.living == 0
    assert Visitor(page.server).call(page.job, "next", 3)[0]


# ------------------------------------------------------------------------------------------------- by themselves


def request_of(session: str) -> gr.Request:
    return gr.Request(session_hash=session)


def test_a_job_ends_when_its_seconds_of_computing_are_spent(monkeypatch):
    monkeypatch.setattr(long_jobs, "SLICE_SECONDS", 0.05)

    def work():
        while True:
            sum(range(10_000))
            yield "busy"

    values = []
    with pytest.raises(StoppedError, match="Ended after 1 seconds of computing"):
        for value in in_slices(work(), None, seconds=1):
            values.append(value)  # what came before the end counts
    assert set(values) == {"busy"} and len(values) > 3


def test_what_goes_wrong_in_a_job_is_raised_where_it_is_shown():
    def work():
        yield "well"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(in_slices(work(), None, 10))


def test_a_job_computes_with_one_thread_of_low_priority_and_leaves_the_others_alone():
    before = torch.get_num_threads()

    def work():
        priority = os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) if hasattr(os, "getpriority") else 10
        yield torch.get_num_threads(), priority

    torch.set_num_threads(3)
    try:
        long_jobs._workers.cache_clear()  # threads that begin now
        assert list(in_slices(work(), None, 10)) == [(1, long_jobs.NICENESS)]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 3
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_only_what_was_asked_for_before_is_ended_and_few_stops_are_remembered():
    stops = Stops()
    before = time.monotonic()
    stops.stop("me", "job_stopped")
    assert stops.reason("me", before) == "job_stopped"
    assert stops.reason("me", time.monotonic()) is None and stops.reason("you", before) is None
    stops.stop(None)
    assert stops.reason(None, before) is None
    for number in range(2 * long_jobs.MAX_STOPS):
        stops.stop(str(number))
    assert len(stops._last) == long_jobs.MAX_STOPS and stops.reason("me", before) is None

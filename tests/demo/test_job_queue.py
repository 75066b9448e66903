"""The queue of calls: fair turns, a limit, only for visitors who listen, and no way around it."""

import concurrent.futures
import itertools
import re
import time
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from gan_hub.demo import job_queue
from gan_hub.demo.page import Page
from gan_hub.demo.texts import TEXTS
from tests.demo.conftest import Server, Visitor, launched


@pytest.fixture
def slow(monkeypatch):
    """A page of one call, "note", that takes a moment and notes its caller; `noted` lists what it did, in order."""
    noted = []

    def note(name: str):
        time.sleep(0.1)
        noted.append(name)
        return name

    with Page() as page:
        box = gr.Textbox()
        gr.Button().click(note, box, box, api_name="note", concurrency_id="model", concurrency_limit=1)
    with launched(page, monkeypatch) as url:
        yield SimpleNamespace(server=Server(page, url), note=note, noted=noted)


def waiting(server) -> int:
    return len(server.page._queue)


def wait_until(true, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def event(session: str, address: str = "1.1.1.1"):
    return SimpleNamespace(session_hash=session, request=SimpleNamespace(client=SimpleNamespace(host=address)))


# ------------------------------------------------------------------------------------------------- in turn


def test_every_session_has_its_first_turn_before_any_has_its_second():
    a, b, c = ([event(name) for _ in range(3)] for name in "abc")
    ordered = job_queue.round_robin([*a, *b, *c])
    assert list(map(id, ordered)) == list(map(id, [a[0], b[0], c[0], a[1], b[1], c[1], a[2], b[2], c[2]]))


def test_many_sessions_of_one_address_take_the_turns_of_one():
    crowd, alone = [event(f"crowd {number}") for number in range(50)], event("alone", "2.2.2.2")
    ordered = job_queue.round_robin([*crowd, alone])
    assert [id(one) for one in ordered].index(id(alone)) == 1


def test_what_a_session_asked_for_keeps_its_order_whoever_else_comes():
    mine, ordered = [event("mine") for _ in range(5)], []
    for number, one in enumerate(mine):
        ordered = job_queue.round_robin([*ordered, one, event(f"other {number}")])
    assert [one for one in ordered if one.session_hash == "mine"] == mine


def test_a_visitor_with_one_call_does_not_wait_for_all_of_anothers(slow):
    many, one = Visitor(slow.server), Visitor(slow.server)
    for number in range(10):
        many.join(slow.note, f"many {number}").raise_for_status()
    assert waiting(slow.server) == 10  # nobody listens yet
    with concurrent.futures.ThreadPoolExecutor() as threads:
        all_of_them = threads.submit(many.listen, 10)
        assert one.call(slow.note, "one")[0]
        assert all_of_them.result()[0]
    assert slow.noted.index("one") < 9
    assert [name for name in slow.noted if name != "one"] == [f"many {number}" for number in range(10)]


# ------------------------------------------------------------------------------------------- nobody listens


def test_calls_that_nobody_listens_to_are_never_started_and_hold_up_nobody(slow):
    for number in range(50):
        assert Visitor(slow.server).join(slow.note, f"abandoned {number}").status_code == 200
    for _ in range(3):
        assert Visitor(slow.server).call(slow.note, "live")[0]
    assert slow.noted == ["live"] * 3 and waiting(slow.server) == 50


def test_calls_that_nobody_listens_to_leave_the_line_when_patience_ends(slow, monkeypatch):
    abandoned = [Visitor(slow.server) for _ in range(5)]
    for visitor in abandoned:
        visitor.join(slow.note, "abandoned").raise_for_status()
    assert waiting(slow.server) == 5
    monkeypatch.setattr(job_queue, "LISTENER_TIMEOUT", 0.2)
    wait_until(lambda: waiting(slow.server) == 0)
    assert Visitor(slow.server).call(slow.note, "live")[0] and slow.noted == ["live"]
    queue = slow.server.page._queue
    assert not set(queue.pending_event_ids_session) & {visitor.session for visitor in abandoned}
    wait_until(lambda: not queue.event_ids_to_events)


def test_who_listens_late_is_served_all_the_same(slow):
    late = Visitor(slow.server)
    late.join(slow.note, "late").raise_for_status()
    time.sleep(0.3)
    assert slow.noted == []
    assert late.listen()[0] and slow.noted == ["late"]


def test_who_listens_keeps_the_place_however_long_the_line_is_and_whatever_else_is_being_sent(slow, monkeypatch):
    """A busy server has messages for a listener that are not taken yet, at any one moment."""
    patient = Visitor(slow.server)
    patient.join(slow.note, "patient").raise_for_status()
    queue, heard = slow.server.page._queue, job_queue.JobQueue._has_listener
    monkeypatch.setattr(job_queue, "LISTENER_TIMEOUT", 0.5)
    monkeypatch.setattr(job_queue.JobQueue, "get_events", lambda self: self._drop_timed_out())  # nothing starts
    looks = itertools.count()
    monkeypatch.setattr(job_queue.JobQueue, "_has_listener", lambda self, event: next(looks) % 3 == 0)
    time.sleep(1.5)
    assert waiting(slow.server) == 1 and next(looks) > 6
    monkeypatch.setattr(job_queue.JobQueue, "_has_listener", heard)
    assert queue._heard


def test_whose_call_left_the_line_is_told_so_and_waits_for_no_answer(slow, monkeypatch):
    late = Visitor(slow.server, {"accept-language": "pt"})
    late.join(slow.note, "late").raise_for_status()
    monkeypatch.setattr(job_queue, "LISTENER_TIMEOUT", 0.2)
    wait_until(lambda: waiting(slow.server) == 0)
    success, output, sent = late.listen()
    assert not success and output["error"] == TEXTS["pt"]["line_is_full"] and slow.noted == []


def test_places_are_told_from_time_to_time_and_not_to_everybody_after_each_call(slow, monkeypatch):
    monkeypatch.setattr(job_queue, "PLACES_SECONDS", 60)
    last = Visitor(slow.server)
    for number in range(8):
        last.join(slow.note, str(number)).raise_for_status()
    sent = last.listen(8)[2]
    assert sent.count('"estimation"') <= 8 + 8 and len(slow.noted) == 8  # a place for each, and of one round of news


def test_nobody_there_costs_little_and_somebody_there_is_not_kept_waiting(slow):
    queue = slow.server.page._queue
    assert queue.sleep_when_free == 0.02
    Visitor(slow.server).join(slow.note, "x").raise_for_status()
    assert queue.sleep_when_free == 0.002


def test_a_session_that_is_forgotten_does_not_end_the_line_for_the_others(slow):
    """Gradio keeps the messages of a bounded number of sessions, and the line tells everybody where he stands."""
    forgotten = Visitor(slow.server)
    forgotten.join(slow.note, "forgotten").raise_for_status()
    del slow.server.page._queue.pending_messages_per_session[forgotten.session]
    for _ in range(3):
        assert Visitor(slow.server).call(slow.note, "live")[0]
    assert slow.noted == ["live"] * 3


# ------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize("language", ["en", "pt"])
def test_a_session_has_a_limited_number_of_calls_in_the_line(slow, language):
    greedy, other = Visitor(slow.server, {"accept-language": language}), Visitor(slow.server)
    answers = [greedy.join(slow.note, "greedy") for _ in range(job_queue.MAX_PER_SESSION + 3)]
    assert [answer.status_code for answer in answers] == [200] * job_queue.MAX_PER_SESSION + [429] * 3
    assert answers[-1].json()["detail"] == TEXTS[language]["too_many_calls"]
    assert other.call(slow.note, "other")[0] and slow.noted == ["other"]


@pytest.fixture
def all_listen(monkeypatch):
    """As far as making room goes, somebody listens to every call."""
    monkeypatch.setattr(job_queue.JobQueue, "_drop_abandoned_for", lambda self, session, events: False)


def test_an_address_has_a_limited_number_of_calls_in_the_line_and_leaves_places_to_others(
    slow, monkeypatch, all_listen
):
    monkeypatch.setattr(job_queue, "MAX_PER_ADDRESS", 5)
    crowd, other = {"x-forwarded-for": "10.0.0.1"}, {"x-forwarded-for": "10.0.0.2"}
    codes = [Visitor(slow.server, crowd).join(slow.note, "crowd").status_code for _ in range(7)]
    assert codes == [200] * 5 + [429] * 2
    assert Visitor(slow.server, other).join(slow.note, "other").status_code == 200
    assert job_queue.MAX_PER_SESSION < job_queue.MAX_QUEUED // 2


def test_a_full_line_says_so(slow, monkeypatch, all_listen):
    monkeypatch.setattr(slow.server.page._queue, "max_size", 3)
    answers = [Visitor(slow.server, {"accept-language": "pt"}).join(slow.note, "x") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [503]
    assert answers[-1].json()["detail"] == TEXTS["pt"]["line_is_full"]


@pytest.mark.parametrize("limit", ["address", "line"])
def test_abandoned_calls_of_an_address_that_all_visitors_share_shut_nobody_out(slow, monkeypatch, limit):
    """As behind a proxy: each call joined in a session of its own and left, and then somebody who listens."""
    if limit == "address":
        monkeypatch.setattr(job_queue, "MAX_PER_ADDRESS", 5)
    else:
        monkeypatch.setattr(slow.server.page._queue, "max_size", 5)
    for _ in range(12):
        assert Visitor(slow.server).join(slow.note, "abandoned").status_code == 200
        assert waiting(slow.server) <= 5
    assert Visitor(slow.server).call(slow.note, "live")[0] and slow.noted == ["live"]


def test_the_oldest_call_that_nobody_listens_to_makes_room_and_never_one_that_is_heard(slow, monkeypatch):
    monkeypatch.setattr(job_queue, "MAX_PER_ADDRESS", 3)
    visitors = [Visitor(slow.server) for _ in range(3)]
    heard = {visitors[0].session, visitors[2].session}
    monkeypatch.setattr(job_queue.JobQueue, "get_events", lambda self: None)  # nothing starts meanwhile
    monkeypatch.setattr(job_queue.JobQueue, "_has_listener", lambda self, event: event.session_hash in heard)
    for visitor in visitors:
        visitor.join(slow.note, "x").raise_for_status()
    newcomer = Visitor(slow.server)
    assert [newcomer.join(slow.note, "x").status_code for _ in range(2)] == [200, 429]
    heard.add(newcomer.session)
    queue = slow.server.page._queue
    left = {event.session_hash for each in queue.event_queue_per_concurrency_id.values() for event in each.queue}
    assert left == heard
    assert Visitor(slow.server).join(slow.note, "x").status_code == 429


def calls_of(server, name: str) -> int:
    """How many calls of the server follow what has happened to the picker of the model, or to the page ("load").

    Beside them the browser asks for the open tab to be drawn.
    """
    numbers = {number for number, event in server.page.fns.items() if any(kind == name for _, kind in event.targets)}
    while more := {
        number for number, event in server.page.fns.items() if event.trigger_after in numbers and number not in numbers
    }:
        numbers |= more
    return sum(server.page.fns[number].fn is not None for number in numbers) + 1


def test_opening_the_page_and_changing_the_model_at_once_stay_below_a_sessions_limit(server):
    opening, change = calls_of(server, "load"), calls_of(server, "pick")
    assert opening >= 2 and change >= 1 and opening + 2 * change <= job_queue.MAX_PER_SESSION


def test_who_waits_is_told_how_many_visitors_come_first_and_not_how_many_calls(slow):
    many, two, last = (Visitor(slow.server) for _ in range(3))
    for number in range(5):
        many.join(slow.note, f"many {number}")
    threads = concurrent.futures.ThreadPoolExecutor(3)
    told = [threads.submit(many.listen, 5)]
    for visitor in (two, last):
        visitor.join(slow.note, "x")
        told.append(threads.submit(visitor.listen))
    places = [re.findall(r'"rank":(\d+)', future.result()[2]) for future in told]
    assert places[0][0] == "0" and places[1][0] == "1" and places[2][0] == "2"
    assert all(place == "0" for place in places[0][:2])


# ------------------------------------------------------------------------------------------------- memory


def test_a_session_costs_the_server_nothing_once_others_have_come(slow):
    """Of ten times the limit of sessions only the limit is kept, and nothing else grows with them."""
    page = slow.server.page
    page.state_holder.capacity = 4
    for _ in range(40):
        assert Visitor(slow.server).call(slow.note, "x")[0]
    queue = page._queue
    wait_until(lambda: not queue.event_ids_to_events)
    assert len(page.state_holder.session_data) <= 4
    assert len(queue.pending_event_ids_session) <= 1 and not queue.event_analytics
    assert len(page.app.iterators) <= 40


def test_of_a_visitor_no_copy_of_the_page_is_kept_and_values_of_their_own_are(monkeypatch):
    with Page() as page:
        count, box = gr.State(0), gr.Textbox()
        for number in range(50):
            gr.Markdown(f"part {number}")
        gr.Button().click(lambda n: (n + 1, gr.update(value=str(n), label="n")), count, [count, box], api_name="add")
    with launched(page, monkeypatch) as url:
        first, second = (Visitor(Server(page, url)) for _ in range(2))
        told = [visitor.call(0, None)[1]["data"][1]["value"] for visitor in (first, first, second)]
        kept = page.state_holder.session_data[first.session]
    assert told == ["0", "1", "0"]
    assert kept.state_data[count._id] == 2 and not kept.config_values


def test_the_page_keeps_the_games_of_a_bounded_number_of_visitors(server):
    assert server.page.state_holder.capacity == 200


def test_the_line_of_a_page_is_this_one_however_it_was_made(server):
    assert isinstance(server.page._queue, job_queue.JobQueue) and server.page._queue.max_size == job_queue.MAX_QUEUED
    with Page() as page:
        gr.Button().click(str, gr.Textbox(), None)
    assert isinstance(page._queue, job_queue.JobQueue) and not page.api_open
    assert isinstance(page.queue(max_size=3)._queue, job_queue.JobQueue) and page._queue.max_size == 3


def test_the_limits_in_the_document_on_hosting_are_these():
    document = (Path(__file__).parents[2] / "docs" / "hosting.md").read_text(encoding="utf-8")
    said = re.search(r"(\d+)\s+waiting calls, (\d+) of one address, (\d+) of one session", document)
    assert said is not None
    limits = (job_queue.MAX_QUEUED, job_queue.MAX_PER_ADDRESS, job_queue.MAX_PER_SESSION)
    assert tuple(map(int, said.groups())) == limits
    assert "after ten seconds without a" in document and job_queue.LISTENER_TIMEOUT == 10


def test_fifty_visitors_of_one_address_find_places_when_they_all_open_the_page_or_change_the_model(server):
    of_one = max(calls_of(server, "load"), calls_of(server, "pick"))
    assert 50 * of_one <= job_queue.MAX_PER_ADDRESS <= job_queue.MAX_QUEUED // 2

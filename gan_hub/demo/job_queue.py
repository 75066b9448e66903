"""The queue in which calls wait for the model: visitors take turns, and a call starts only while its visitor listens.

Gradio's own queue is first come, first served, starts a call even if its visitor has left, and limits only the number of
all calls together: one visitor who sends fifty calls and leaves would keep all others waiting.
"""

import math
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Literal

import gradio as gr
from fastapi import HTTPException, Request
from gradio import queueing
from gradio.data_classes import PredictBodyInternal
from gradio.queueing import Event
from gradio.server_messages import EstimationMessage, EventMessage, ProcessCompletedMessage
from gradio.utils import error_payload

from gan_hub.demo import visitor_state
from gan_hub.demo.components import LONG_QUEUE
from gan_hub.demo.events import note_html
from gan_hub.demo.long_jobs import STOPS
from gan_hub.demo.texts import translate

MAX_QUEUED = 768  # waiting calls; a hundred visitors who open the page or change the model at once have three each
MAX_PER_ADDRESS = 384  # of them; a school or a proxy is one address as well
MAX_PER_SESSION = 16  # of them; opening the page or changing the model takes two or three
LISTENER_TIMEOUT = 10  # seconds that a call waits for its visitor to listen; a browser takes less than one
HEARD_SECONDS = 2  # who has listened so lately keeps a place in a line that is full
CLEANING_SECONDS = 0.1  # between two searches for calls that have waited so long
# Between two messages about the places in a line. Each goes to all who wait: after each call, they would cost more than
# the calls.
PLACES_SECONDS = 1.0


class JobQueue(queueing.Queue):
    """Gradio's queue with turns: each visitor's first call before any visitor's second, and only while they listen."""

    @classmethod
    def replacing(cls, queue: queueing.Queue) -> "JobQueue":
        """A queue with the settings of another."""
        return cls(
            live_updates=queue.live_updates,
            concurrency_count=queue.max_thread_count,
            update_intervals=queue.update_intervals,
            max_size=queue.max_size,
            blocks=queue.blocks,
            default_concurrency_limit=queue.default_concurrency_limit,
        )

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.pending_event_ids_session = defaultdict(set)  # Gradio reads entries that may have been dropped meanwhile
        self.ANALYTICS_MAX_EVENTS = 0  # the statistics are shown nowhere, and each call would compute them anew
        self.progress_update_sleep_when_free = 0.1  # seconds; no call of the page reports progress more finely
        self._heard: dict[str | None, float] = {}  # session → when it was last seen to listen, of those that wait
        self._last_cleaning, self._last_places = 0.0, defaultdict[str, float](float)

    @property
    def sleep_when_free(self) -> float:
        """Seconds until Gradio asks again for a call to start: short while calls wait, since the model stands idle meanwhile."""
        return 0.002 if len(self) else 0.02

    @sleep_when_free.setter
    def sleep_when_free(self, value: float) -> None:
        """Leave Gradio's own value, a millisecond, which costs a twentieth of a core while the page stands idle."""

    def send_message(self, event: Event, event_message: EventMessage) -> None:
        """As in Gradio, except that a forgotten session gets none: a KeyError here would stop the queue for all."""
        if event.session_hash in self.pending_messages_per_session:
            super().send_message(event, event_message)

    def compute_analytics_summary(self, records: object) -> dict[str, Any]:
        """No statistics, see `__init__`."""
        return {"functions": {}}

    def broadcast_estimations(self, concurrency_id: str, after: int | None = None) -> None:
        """Tell a new call (`after`, its rank) how many visitors come first, and from time to time all calls."""
        now = time.monotonic()
        if after is None:
            if now - self._last_places[concurrency_id] < PLACES_SECONDS:
                return
            self._last_places[concurrency_id] = now
        waiting = self.event_queue_per_concurrency_id[concurrency_id].queue
        new = waiting if after is None else waiting[after:]
        running = [event for job in self.active_jobs for event in job or () if event.concurrency_id == concurrency_id]
        before = {event.session_hash for event in running}
        for event in round_robin(waiting):
            if event in new:
                rank = len(before - {event.session_hash})
                self.send_message(event, EstimationMessage(rank=rank, queue_size=len(waiting)))
            before.add(event.session_hash)

    async def push(
        self, body: PredictBodyInternal, request: Request, username: str | None
    ) -> tuple[bool, str | list[dict[str, Any]], Literal["success", "error", "queue_full", "validator_error"]]:
        """Put a call at its place in the queue.

        Args:
            body: the call.
            request: the visitor's request, with the address and the language.
            username: of a visitor who has logged in.

        Returns:
            As in Gradio: whether it was queued, the id of the event or an error, and the outcome in a word.

        Raises:
            HTTPException: the queue is full, or has too many calls of this visitor (503, 429); there is no such call (404).
        """
        self._drop_timed_out()
        waiting = [event for queue in self.event_queue_per_concurrency_id.values() for event in queue.queue]
        of_address = [event for event in waiting if _address(event.request) == _address(request)]
        of_session = sum(event.session_hash == body.session_hash for event in waiting)
        if body.fn_index not in self.blocks.fns:
            raise HTTPException(404, translate(request, "no_such_call"))
        if of_session >= MAX_PER_SESSION:
            raise HTTPException(429, translate(request, "too_many_calls"))
        if len(of_address) >= MAX_PER_ADDRESS and not self._drop_abandoned_for(body.session_hash, of_address):
            raise HTTPException(429, translate(request, "too_many_calls"))
        is_full = self.max_size is not None and len(waiting) >= self.max_size
        if is_full and not self._drop_abandoned_for(body.session_hash, waiting):
            raise HTTPException(503, translate(request, "line_is_full"))
        concurrency_id = self.blocks.fns[body.fn_index].concurrency_id
        if concurrency_id == LONG_QUEUE["concurrency_id"]:
            STOPS.stop(body.session_hash, "job_replaced")
            request.state.asked_at = time.monotonic()
        visitor_state.begin(self.blocks, body.session_hash)
        pushed = await super().push(body, request, username)
        queue = self.event_queue_per_concurrency_id[concurrency_id]
        queue.queue = round_robin(queue.queue)
        return pushed

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """The next call to start: in any queue that is not busy, the first call with a listener."""
        self._drop_timed_out()
        self._drop_stopped()
        queues = list(self.event_queue_per_concurrency_id.values())
        random.shuffle(queues)
        for queue in queues:
            if queue.concurrency_limit is not None and queue.current_concurrency >= queue.concurrency_limit:
                continue
            event = next(filter(self._has_listener, queue.queue), None)
            if event is not None:
                queue.queue.remove(event)
                return [event], False, queue.concurrency_id
        return None

    def _drop_abandoned_for(self, session: str | None, events: Sequence[Event]) -> bool:
        """Drop the oldest of these `events` without a listener, to make room for a call of `session`; False without any.

        Who comes to listen after all is told so. Calls of the same session stay. Behind a proxy all visitors have one address:
        calls that were sent and left there must not keep out the next visitor.
        """
        others = [event for event in events if event.session_hash != session]
        abandoned = [event for event in others if not self._was_heard(event, HEARD_SECONDS)]
        if not abandoned:
            return False
        self._drop(min(abandoned, key=lambda event: event.enqueue_time))
        return True

    def _drop_stopped(self) -> None:
        """Drop the long jobs that wait and whose visitor has ended them or asked for another one."""
        jobs = self.event_queue_per_concurrency_id.get(LONG_QUEUE["concurrency_id"])
        for event in list(jobs.queue) if jobs else ():
            reason = STOPS.reason(event.session_hash, event.enqueue_time)
            if reason is not None:
                # Nothing is wrong: the other outputs stay, and the last one, the tab's note, says why.
                data = [{"__type__": "update"}] * (len(event.fn.outputs) - 1) + [
                    note_html(translate(event.request, reason))
                ]
                self._drop(event, ProcessCompletedMessage(output={"data": data, "is_generating": False}, success=True))

    def _drop(self, event: Event, answer: ProcessCompletedMessage | None = None) -> None:
        """Take a call out of the line and answer it, by default with the sentence that the line is full."""
        for queue in self.event_queue_per_concurrency_id.values():
            if event in queue.queue:
                queue.queue.remove(event)
        self.event_ids_to_events.pop(event._id, None)
        if answer is None:
            self.pending_event_ids_session[event.session_hash].discard(event._id)
        # A visitor who is told more than that listens: the stream must not close before the answer, which strikes the call off.
        error = gr.Error(translate(event.request, "line_is_full"), title=translate(event.request, "check"))
        refusal = ProcessCompletedMessage(output=error_payload(error, True), title=error.title, success=False)
        self.send_message(event, answer or refusal)

    def _has_listener(self, event: Event) -> bool:
        """Whether the visitor listens. A queued call gets a message with its place at once, and a listener takes it away."""
        messages = self.pending_messages_per_session.get(event.session_hash)
        return messages is not None and messages.empty()

    def _was_heard(self, event: Event, seconds: float) -> bool:
        """Whether the visitor has listened within so many seconds.

        Who listens has messages waiting all the same now and then: several come at once, or the server is busy.
        """
        if self._has_listener(event):
            self._heard[event.session_hash] = time.monotonic()
        return time.monotonic() - self._heard.get(event.session_hash, -math.inf) <= seconds

    def _drop_timed_out(self) -> None:
        """Drop calls that had no listener for LISTENER_TIMEOUT seconds, and what Gradio keeps of finished sessions."""
        now = time.monotonic()
        if now - self._last_cleaning < CLEANING_SECONDS:
            return
        self._last_cleaning, oldest = now, now - LISTENER_TIMEOUT
        for queue in self.event_queue_per_concurrency_id.values():
            unheard = [event for event in queue.queue if not self._was_heard(event, LISTENER_TIMEOUT)]
            for event in [event for event in unheard if event.enqueue_time < oldest]:
                self._drop(event)
        waiting = {
            event.session_hash for queue in self.event_queue_per_concurrency_id.values() for event in queue.queue
        }
        self._heard = {session: heard for session, heard in self._heard.items() if session in waiting}
        known = self.pending_messages_per_session
        pending = self.pending_event_ids_session
        for session in [session for session, events in pending.items() if not events or session not in known]:
            del pending[session]


def round_robin(events: list[Event]) -> list[Event]:
    """The order of fair turns: every address's first call, then every address's second, and so on.

    The sessions of one address take turns likewise. The calls of one session keep their order.
    """
    owners: tuple[Callable[[Event], str | None], ...] = (
        lambda event: event.session_hash,
        lambda event: _address(event.request),
    )
    for owner in owners:
        counts, turns = Counter[str | None](), []
        for event in events:
            turns.append(counts[owner(event)])
            counts[owner(event)] += 1
        # The sort is stable: events of the same turn stay in the order they had.
        events = [event for _, event in sorted(zip(turns, events, strict=True), key=lambda pair: pair[0])]
    return events


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None

"""The queue in which calls wait for the model: visitors take turns, and a call starts only while its visitor listens.

Gradio's own queue is first come, first served, starts a call even if its visitor has left, and limits only the number of
all calls together: one visitor who sends fifty calls and leaves would keep all others waiting.
"""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Literal

from fastapi import HTTPException, Request
from gradio import queueing
from gradio.data_classes import PredictBodyInternal
from gradio.queueing import Event
from gradio.server_messages import EventMessage

from gan_hub.demo.texts import translate

MAX_QUEUED = 128  # waiting calls
MAX_PER_ADDRESS = 64  # of them; a school or a proxy is one address as well
MAX_PER_SESSION = 16  # of them; opening the page or changing the model takes five
LISTENER_TIMEOUT = 10  # seconds that a call waits for its visitor to listen; a browser takes less than one


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

    def send_message(self, event: Event, event_message: EventMessage) -> None:
        """As in Gradio, except that a forgotten session gets none: a KeyError here would stop the queue for all."""
        if event.session_hash in self.pending_messages_per_session:
            super().send_message(event, event_message)

    def compute_analytics_summary(self, records: object) -> dict[str, Any]:
        """No statistics, see `__init__`."""
        return {"functions": {}}

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
        pushed = await super().push(body, request, username)
        queue = self.event_queue_per_concurrency_id[self.blocks.fns[body.fn_index].concurrency_id]
        queue.queue = round_robin(queue.queue)
        return pushed

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """The next call to start: in any queue that is not busy, the first call with a listener."""
        self._drop_timed_out()
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

        Calls of the same session stay. Behind a proxy all visitors have one address: calls that were sent and left there
        must not keep out the next visitor.
        """
        abandoned = [event for event in events if event.session_hash != session and not self._has_listener(event)]
        if not abandoned:
            return False
        self._drop(min(abandoned, key=lambda event: event.enqueue_time))
        return True

    def _drop(self, event: Event) -> None:
        for queue in self.event_queue_per_concurrency_id.values():
            if event in queue.queue:
                queue.queue.remove(event)
        self.event_ids_to_events.pop(event._id, None)
        self.pending_event_ids_session[event.session_hash].discard(event._id)

    def _has_listener(self, event: Event) -> bool:
        """Whether the visitor listens. A queued call gets a message with its place at once, and a listener takes it away."""
        messages = self.pending_messages_per_session.get(event.session_hash)
        return messages is not None and messages.empty()

    def _drop_timed_out(self) -> None:
        """Drop calls that had no listener for LISTENER_TIMEOUT seconds, and what Gradio keeps of finished sessions."""
        oldest = time.monotonic() - LISTENER_TIMEOUT
        for queue in self.event_queue_per_concurrency_id.values():
            for event in [e for e in queue.queue if e.enqueue_time < oldest and not self._has_listener(e)]:
                self._drop(event)
        for session in [session for session, events in self.pending_event_ids_session.items() if not events]:
            del self.pending_event_ids_session[session]


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

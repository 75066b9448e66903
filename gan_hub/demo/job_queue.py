"""The line in which calls wait for the model: everybody in turn, and nobody for longer than he listens.

Gradio's own queue is first come, first served, starts a call whether or not anybody will read its answer, and knows no
limit but one for all visitors together: a single one who joins fifty walks and leaves would keep everybody waiting.
"""

import random
import time
from collections import Counter, defaultdict

from fastapi import HTTPException, Request
from gradio import queueing
from gradio.queueing import Event

from gan_hub.demo.texts import translate

MOST_WAITING = 128  # calls in the line
MOST_OF_AN_ADDRESS = 64  # of them; a school or a proxy is one address as well
MOST_OF_A_SESSION = 16  # of them; opening the page or changing the model takes five
PATIENCE = 10  # seconds that a call waits for somebody to listen; a browser takes less than one


class JobQueue(queueing.Queue):
    """Gradio's queue, whose calls start only once somebody listens, everybody's first before anybody's second."""

    @classmethod
    def in_place_of(cls, queue: queueing.Queue) -> "JobQueue":
        """A line with the settings of a queue."""
        return cls(
            live_updates=queue.live_updates,
            concurrency_count=queue.max_thread_count,
            update_intervals=queue.update_intervals,
            max_size=queue.max_size,
            blocks=queue.blocks,
            default_concurrency_limit=queue.default_concurrency_limit,
        )

    def __init__(self, **settings):
        super().__init__(**settings)
        self.pending_event_ids_session = defaultdict(set)  # Gradio reads entries that may have been dropped meanwhile
        self.ANALYTICS_MAX_EVENTS = 0  # nobody looks at these statistics, and each call would compute them anew

    def send_message(self, event: Event, event_message) -> None:
        """As in Gradio, but a session that was forgotten gets none: a KeyError here would end the line for everybody."""
        if event.session_hash in self.pending_messages_per_session:
            super().send_message(event, event_message)

    def compute_analytics_summary(self, records):
        """Nothing: see above."""
        return {"functions": {}}

    async def push(self, body, request: Request, username: str | None):
        """Puts a call at its place in the line. HTTPException where it is full, or has too many of this visitor's."""
        self._drop_unheard()
        waiting = [event for line in self.event_queue_per_concurrency_id.values() for event in line.queue]
        neighbours = [event for event in waiting if _address(event.request) == _address(request)]
        of_session = sum(event.session_hash == body.session_hash for event in waiting)
        if body.fn_index not in self.blocks.fns:
            raise HTTPException(404, translate(request, "no_such_call"))
        if of_session >= MOST_OF_A_SESSION:
            raise HTTPException(429, translate(request, "too_many_calls"))
        if len(neighbours) >= MOST_OF_AN_ADDRESS and not self._makes_room(neighbours, body.session_hash):
            raise HTTPException(429, translate(request, "too_many_calls"))
        if (
            self.max_size is not None
            and len(waiting) >= self.max_size
            and not self._makes_room(waiting, body.session_hash)
        ):
            raise HTTPException(503, translate(request, "line_is_full"))
        pushed = await super().push(body, request, username)
        line = self.event_queue_per_concurrency_id[self.blocks.fns[body.fn_index].concurrency_id]
        line.queue = in_turn(line.queue)
        return pushed

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """The next call to start: the first whose visitor listens, in any line that is not busy."""
        self._drop_unheard()
        lines = list(self.event_queue_per_concurrency_id.values())
        random.shuffle(lines)
        for line in lines:
            if line.concurrency_limit is not None and line.current_concurrency >= line.concurrency_limit:
                continue
            event = next(filter(self._heard, line.queue), None)
            if event is not None:
                line.queue.remove(event)
                return [event], False, line.concurrency_id
        return None

    def _makes_room(self, events: list[Event], session: str) -> bool:
        """Drops the oldest of these calls that nobody listens to, and that another `session` joined; whether there was one.

        Behind one proxy all visitors have one address: calls joined and left there must not shut out who comes next.
        """
        unheard = [event for event in events if event.session_hash != session and not self._heard(event)]
        if not unheard:
            return False
        self._drop(min(unheard, key=lambda event: event.enqueue_time))
        return True

    def _drop(self, event: Event) -> None:
        for line in self.event_queue_per_concurrency_id.values():
            if event in line.queue:
                line.queue.remove(event)
        self.event_ids_to_events.pop(event._id, None)
        self.pending_event_ids_session[event.session_hash].discard(event._id)

    def _heard(self, event: Event) -> bool:
        """Whether somebody listens: each call that joins is told its place in the line, and a listener takes that away."""
        messages = self.pending_messages_per_session.get(event.session_hash)
        return messages is not None and messages.empty()

    def _drop_unheard(self) -> None:
        """Takes out the calls that nobody has listened to for too long, and what Gradio keeps of finished sessions."""
        too_old = time.monotonic() - PATIENCE
        for line in self.event_queue_per_concurrency_id.values():
            for event in [event for event in line.queue if event.enqueue_time < too_old and not self._heard(event)]:
                self._drop(event)
        for session in [session for session, events in self.pending_event_ids_session.items() if not events]:
            del self.pending_event_ids_session[session]


def in_turn(events: list[Event]) -> list[Event]:
    """Every address's first call, then every address's second, and so on; within an address its sessions take turns likewise.

    What one session asked for keeps its order.
    """
    for whose in (lambda event: event.session_hash, lambda event: _address(event.request)):
        seen, rounds = Counter(), []
        for event in events:
            rounds.append(seen[whose(event)])
            seen[whose(event)] += 1
        # The sort is stable: equals stay in the order they had.
        events = [event for _, event in sorted(zip(rounds, events), key=lambda pair: pair[0])]
    return events


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None

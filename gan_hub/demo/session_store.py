"""What a visitor's session keeps in the server's memory beside the form: the newest of few, so that its size is bounded."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

import gradio as gr

Kept = TypeVar("Kept")


class SessionStore(Generic[Kept]):
    """One object a visitor; beyond `most` visitors the one that was used longest ago is forgotten.

    Example:
        >>> from gan_hub.demo.session_store import SessionStore
        >>> store = SessionStore(most=2)
        >>> store.put(None, "a game")
        >>> store.get(None)
        'a game'
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[str | None, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, request: gr.Request | None) -> Kept | None:
        """The visitor's object, or None where there is none any more."""
        with self._lock:
            key = getattr(request, "session_hash", None)
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, request: gr.Request | None, value: Kept) -> None:
        """Keep an object in place of the visitor's last one."""
        with self._lock:
            key = getattr(request, "session_hash", None)
            self._kept[key] = value
            self._kept.move_to_end(key)
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)

    def __len__(self) -> int:
        """How many visitors have one."""
        return len(self._kept)

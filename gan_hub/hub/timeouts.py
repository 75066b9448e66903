"""A time limit for requests to the Hub: huggingface_hub sends some of them without any.

A server that accepts a connection and then is silent would otherwise hold a load for ever.
"""

import contextlib
import threading
import time
from collections.abc import Iterator

from huggingface_hub import constants, get_session
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.utils import httpx

# Seconds without a byte: 10, if not set.
READ_TIMEOUT = max(constants.HF_HUB_ETAG_TIMEOUT, constants.HF_HUB_DOWNLOAD_TIMEOUT)
MAX_READS = 3  # an address is asked again for this many times READ_TIMEOUT
_HOOKS_LOCK = threading.Lock()  # all threads share one client


class HubTimeoutError(OfflineModeIsEnabled):
    """The Hub did not answer, however often it was asked. huggingface_hub then uses its cache, as if offline."""


@contextlib.contextmanager
def hub_timeout(repo_id: str) -> Iterator[None]:
    """Limit every request about the repository `repo_id` to READ_TIMEOUT seconds between two bytes.

    An unanswered request is repeated for MAX_READS times as long at most; huggingface_hub takes up a broken download
    five times. Other requests of the process to the Hub are left alone.
    """
    client = get_session()
    first_request: dict[tuple[str, str], float] = {}  # (method, address) → when it was asked first

    def limit_request(request: httpx.Request) -> None:
        if f"/{repo_id}/" not in f"{request.url.path}/":
            return
        first = first_request.setdefault((request.method, str(request.url)), time.monotonic())
        if time.monotonic() - first > READ_TIMEOUT * MAX_READS:
            raise HubTimeoutError(f"no answer from {request.url.host} for {READ_TIMEOUT * MAX_READS} seconds")
        limits = request.extensions.get("timeout") or dict.fromkeys(("connect", "read", "write", "pool"))
        shorter = {name: READ_TIMEOUT if limit is None else min(limit, READ_TIMEOUT) for name, limit in limits.items()}
        request.extensions = {**request.extensions, "timeout": shorter}

    def clear_on_progress(response: httpx.Response) -> None:
        # A download that has begun may go on after a break, and a client told to come back later may: that is no silence.
        if response.is_error or "/resolve/" in response.request.url.path:
            first_request.pop((response.request.method, str(response.request.url)), None)

    hooks = {"request": limit_request, "response": clear_on_progress}
    with _HOOKS_LOCK:
        for name, hook in hooks.items():
            client.event_hooks[name] = [*client.event_hooks[name], hook]
    try:
        yield
    finally:
        with _HOOKS_LOCK:
            for name, hook in hooks.items():
                client.event_hooks[name] = [each for each in client.event_hooks[name] if each is not hook]


def is_timeout(error: BaseException | None) -> bool:
    """Whether an error of huggingface_hub was caused by a Hub that does not answer."""
    while error is not None:
        if isinstance(error, (HubTimeoutError, httpx.TimeoutException)):
            return True
        error = error.__cause__
    return False

"""A time limit for requests to the Hub: huggingface_hub sends some of them without any.

A server that accepts a connection and then is silent would otherwise hold a load for ever.
"""

import contextlib
import math
import re
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


class HubBusyError(HubTimeoutError):
    """The Hub told to come back later than anybody waits for it."""


@contextlib.contextmanager
def hub_timeout(repo_id: str, whole: bool = False) -> Iterator[None]:
    """Limit every request about the repository `repo_id` to READ_TIMEOUT seconds between two bytes.

    An unanswered request is repeated for MAX_READS times as long at most; huggingface_hub takes up a broken download
    five times, and sleeps for as long as a busy Hub says, an hour perhaps: that ends at once. Other requests of the process
    to the Hub are left alone, but for those that bring files to its storage, if this is a `whole` upload.
    """
    client = get_session()
    first_request: dict[tuple[str, str], float] = {}  # (method, address) → when it was asked first

    def is_limited(request: httpx.Request) -> bool:
        path = f"{request.url.path}/"
        return f"/{repo_id}/" in path or (whole and (f"/{repo_id}.git/" in path or request.method == "PUT"))

    def limit_request(request: httpx.Request) -> None:
        if not is_limited(request):
            return
        first = first_request.setdefault((request.method, str(request.url)), time.monotonic())
        if time.monotonic() - first > READ_TIMEOUT * MAX_READS:
            raise HubTimeoutError(f"no answer from {request.url.host} for {READ_TIMEOUT * MAX_READS} seconds")
        longest = READ_TIMEOUT * MAX_READS if whole else READ_TIMEOUT  # a commit of many files takes the Hub a while
        limits = request.extensions.get("timeout") or dict.fromkeys(("connect", "read", "write", "pool"))
        shorter = {name: longest if limit is None else min(limit, longest) for name, limit in limits.items()}
        request.extensions = {**request.extensions, "timeout": shorter}

    def clear_on_progress(response: httpx.Response) -> None:
        if is_limited(response.request) and (seconds := _seconds_to_wait(response)) > READ_TIMEOUT * MAX_READS:
            raise HubBusyError(f"the Hub asks to come back in {math.ceil(seconds / 60)} minutes")
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


def _seconds_to_wait(response: httpx.Response) -> int:
    """For how long a busy Hub asks to be left alone; 0 where it does not say."""
    if response.status_code not in (429, 503):
        return 0
    after = re.fullmatch(r"\s*(\d+)\s*", response.headers.get("Retry-After", ""))
    limit = re.search(r"\br=0\b.*\bt=(\d+)", response.headers.get("RateLimit", ""))
    return max(int(match[1]) if match else 0 for match in (after, limit))

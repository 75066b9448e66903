"""A bound on how long the Hub is waited for: huggingface_hub asks some of its questions without any.

Who accepts a connection and then is silent would otherwise hold a load for ever.
"""

import contextlib
import threading
import time
from collections.abc import Iterator

from huggingface_hub import constants, get_session
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.utils import httpx

READ_TIMEOUT = max(
    constants.HF_HUB_ETAG_TIMEOUT, constants.HF_HUB_DOWNLOAD_TIMEOUT
)  # seconds without a byte: 10, if not set
MAX_READS = 3  # as many silences, and an address is asked no more
_CHANGING = threading.Lock()  # of the client that all threads share


class HubTimeoutError(OfflineModeIsEnabled):
    """The Hub was asked again and again, and did not answer. huggingface_hub then looks into its cache, as offline."""


@contextlib.contextmanager
def hub_timeout(repo_id: str) -> Iterator[None]:
    """Inside, nothing asked about the repository `repo_id` waits longer than SILENCE seconds for the next byte.

    A question without an answer is asked again for TRIES times as long at most; a file that stops in the middle is taken up
    again five times, by huggingface_hub. What else the process asks of the Hub is left alone.
    """
    client, since = get_session(), {}

    def asked(request: httpx.Request) -> None:
        if f"/{repo_id}/" not in f"{request.url.path}/":
            return
        first = since.setdefault((request.method, str(request.url)), time.monotonic())
        if time.monotonic() - first > READ_TIMEOUT * MAX_READS:
            raise HubTimeoutError(f"no answer from {request.url.host} for {READ_TIMEOUT * MAX_READS} seconds")
        limits = request.extensions.get("timeout") or dict.fromkeys(("connect", "read", "write", "pool"))
        shorter = {name: READ_TIMEOUT if limit is None else min(limit, READ_TIMEOUT) for name, limit in limits.items()}
        request.extensions = {**request.extensions, "timeout": shorter}

    def answered(response: httpx.Response) -> None:
        # A file that has begun may go on after a break, and who is told to come back may: that is no silence.
        if response.is_error or "/resolve/" in response.request.url.path:
            since.pop((response.request.method, str(response.request.url)), None)

    hooks = {"request": asked, "response": answered}
    with _CHANGING:
        for name, hook in hooks.items():
            client.event_hooks[name] = [*client.event_hooks[name], hook]
    try:
        yield
    finally:
        with _CHANGING:
            for name, hook in hooks.items():
                client.event_hooks[name] = [each for each in client.event_hooks[name] if each is not hook]


def is_timeout(error: BaseException | None) -> bool:
    """Whether an error of huggingface_hub came of a Hub that does not answer."""
    while error is not None:
        if isinstance(error, (HubTimeoutError, httpx.TimeoutException)):
            return True
        error = error.__cause__
    return False

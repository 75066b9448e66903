"""A process whose huggingface_hub was imported with a fake Hub as its endpoint."""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

SECONDS = 120  # for an answer; what takes longer hangs


@contextlib.contextmanager
def process_beside(address: str, home: Path, pace: float = 1) -> Iterator[Callable]:
    """call(function, *args, **kwargs) in a process that takes `address` for the Hub and `home` for its cache's place.

    Between two tries huggingface_hub waits `pace` times as long as elsewhere.
    """
    environment = {  # read when huggingface_hub is imported: hence a process of its own
        "HF_ENDPOINT": address,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "2",
        "HF_HUB_ETAG_TIMEOUT": "2",
        "NO_PROXY": "*",
    }
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        with mock.patch.dict(os.environ, environment):
            executor.submit(_set_pace, pace).result(timeout=SECONDS)
        yield lambda function, *args, **kwargs: executor.submit(function, *args, **kwargs).result(timeout=SECONDS)


def _set_pace(pace: float) -> None:
    """Shorten the waits between the tries of huggingface_hub in this process."""
    from huggingface_hub.utils import _http

    _http.time = SimpleNamespace(sleep=lambda seconds: time.sleep(pace * seconds))  # all it uses of the module

"""A process whose huggingface_hub was imported with a fake Hub as its endpoint."""

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from unittest import mock

SECONDS = 120  # for an answer; what takes longer hangs


@contextlib.contextmanager
def process_beside(address: str, home: Path) -> Iterator[Callable]:
    """call(function, *args, **kwargs) in a process that takes `address` for the Hub and `home` for its cache's place."""
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
            executor.submit(os.getpid).result(timeout=SECONDS)
        yield lambda function, *args, **kwargs: executor.submit(function, *args, **kwargs).result(timeout=SECONDS)

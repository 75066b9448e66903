"""The fake Hub, and a process beside it whose huggingface_hub was imported with that Hub as its endpoint."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from unittest import mock

import pytest

from tests.hub.fake_hub import FakeHub


@pytest.fixture(scope="session")
def running_hub(tmp_path_factory):
    """(the fake Hub, an executor with one process that talks to it)."""
    hub = FakeHub()
    environment = {  # read when huggingface_hub is imported: hence a process of its own
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(tmp_path_factory.mktemp("hf-home")),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "2",
        "HF_HUB_ETAG_TIMEOUT": "2",
        "NO_PROXY": "*",
    }
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        with mock.patch.dict(os.environ, environment):
            executor.submit(os.getpid).result(timeout=120)
        yield hub, executor
    hub.close()


@pytest.fixture
def hub(running_hub) -> FakeHub:
    """The fake Hub, empty and in good health."""
    hub, _ = running_hub
    (
        hub.repos.clear(),
        hub.requests.clear(),
        hub.tokens.clear(),
        hub.messages.clear(),
        hub.pull_requests.clear(),
        hub.fail(None),
    )
    hub.before_commit = None
    yield hub
    hub.fail(None)


@pytest.fixture
def client(running_hub):
    """client(function, *args, **kwargs) calls a function of tests.hub.client in the process beside the Hub."""
    _, executor = running_hub
    return lambda function, *args, **kwargs: executor.submit(function, *args, **kwargs).result(timeout=120)

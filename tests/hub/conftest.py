"""The fake Hub, and a process beside it whose huggingface_hub was imported with that Hub as its endpoint."""

import pytest

from tests.hub.beside import process_beside
from tests.hub.fake_hub import FakeHub


@pytest.fixture(scope="session")
def running_hub(tmp_path_factory):
    """(the fake Hub, the call of a function in a process that talks to it)."""
    hub = FakeHub()
    with process_beside(hub.address, tmp_path_factory.mktemp("hf-home"), pace=0.1) as call:
        yield hub, call
    hub.close()


@pytest.fixture
def hub(running_hub) -> FakeHub:
    """The fake Hub, empty and in good health."""
    hub, _ = running_hub
    hub.clear()
    yield hub
    hub.fail(None)


@pytest.fixture
def client(running_hub):
    """client(function, *args, **kwargs) calls a function of tests.hub.client in the process beside the Hub."""
    return running_hub[1]

"""How long the page takes to come up: from nothing, without a network, and while the Hub accepts and says nothing (row C10)."""

import asyncio
import socket
import tempfile
import time

from benchmarks.reliability.crowds import timed_draw
from benchmarks.reliability.row import Row
from benchmarks.visitors import Server


def c10() -> list[Row]:
    """A cold start, and one against an address that never answers."""
    began = time.monotonic()
    server = Server(GRADIO_TEMP_DIR=tempfile.mkdtemp()).wait()
    try:
        opened = time.monotonic() - began
        asyncio.run(timed_draw(server.url))
        first = time.monotonic() - began
    finally:
        server.stop()
    found = f"the page answers after {opened:.1f} s, its first pictures are there after {first:.1f} s"
    rows = [Row("C10", "a cold start without a network", "pictures within 20 s", found, first <= 20)]
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        hub = {
            "HF_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "HF_HOME": tempfile.mkdtemp(),
            "HF_HUB_OFFLINE": "0",
        }
        began = time.monotonic()
        server = Server(0, GRADIO_TEMP_DIR=tempfile.mkdtemp(), GAN_HUB_MODEL="some/model", **hub).wait()
        try:
            opened = time.monotonic() - began
            drawn = asyncio.run(timed_draw(server.url))
        finally:
            server.stop()
    found = f"the page answers after {opened:.1f} s, and draws in {drawn:.1f} s with a bundled model"
    return [
        *rows,
        Row("C10", "a model is asked for of a Hub that says nothing", "a page within 20 s", found, opened <= 20),
    ]

"""Which engine draws the page's pictures: the fastest of this machine, found in the background while pages are already served.

A picture may change by one of 255 levels when an engine takes over; a link, and a fake of the game, stay what they are to it.
"""

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time

from gan_hub.demo.arguments import ENGINE_VARIABLE
from gan_hub.engines import onnx_runtime
from gan_hub.engines.record import AUTO
from gan_hub.pipeline import GANPipeline

DELAY = 3.0  # seconds after a model was loaded: its first picture comes first
SECONDS = 2.0  # of measuring a model
GRAPH_SECONDS = 300.0  # that making a model's ONNX graphs may take
NICENESS = 10  # of the process that makes them


def wanted_engine() -> str:
    """What the page is to draw with: the variable's value, "auto" by default."""
    return os.environ.get(ENGINE_VARIABLE) or AUTO


class Optimizer:
    """A thread that optimizes pipelines one by one; until then, and where that fails, they draw plain.

    Example:
        >>> from gan_hub import GANPipeline
        >>> from gan_hub.demo.fast_drawing import Optimizer
        >>> optimizer = Optimizer(delay=0, seconds=0)
        >>> pipe = GANPipeline.from_pretrained("mlp-mnist")
        >>> optimizer.add(pipe, "torch")
        >>> optimizer.wait()
        >>> pipe.engine.name
        'torch'
    """

    def __init__(self, delay: float = DELAY, seconds: float = SECONDS, graphs: bool = True) -> None:
        """Make the object; the thread starts with the first pipeline.

        Args:
            delay: seconds before a pipeline is measured, at least.
            seconds: of measuring each.
            graphs: whether ONNX graphs that are not in the cache are made, in a process of their own.
        """
        self.delay, self.seconds, self.graphs = delay, seconds, graphs
        self.waiting: queue.Queue[tuple[float, GANPipeline, str]] = queue.Queue()
        self.lock, self.thread = threading.Lock(), None

    def add(self, pipe: GANPipeline, engine: str) -> None:
        """Optimize a pipeline when its turn comes; with "plain", never."""
        if engine == "plain":
            return
        self.waiting.put((time.monotonic() + self.delay, pipe, engine))
        with self.lock:
            if self.thread is None:  # a daemon: it must not keep the server from ending
                self.thread = threading.Thread(target=self._work, daemon=True, name="engines")
                self.thread.start()

    def wait(self) -> None:
        """Return when every pipeline that was added has had its turn."""
        self.waiting.join()

    def _work(self) -> None:
        while True:
            due, pipe, engine = self.waiting.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if self.graphs and engine in (AUTO, "onnxruntime"):
                    make_graphs(pipe)
                pipe.optimize(engine, seconds=self.seconds)
            except Exception as error:  # of an engine that was asked for by its name, or misspelt
                print(f"{pipe.name_or_path} draws plain: {error}", file=sys.stderr)
            finally:
                self.waiting.task_done()


def make_graphs(pipe: GANPipeline) -> None:
    """Put a model's ONNX graphs into the cache, by another process: making them hooks all of torch's modules in it.

    Where that fails, the engines are those that need no graph.
    """
    if onnx_runtime.missing_packages() or onnx_runtime.has_graphs(pipe.unwrapped_generator):
        return
    command = [sys.executable, "-m", "gan_hub.demo.fast_drawing", pipe.name_or_path]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=GRAPH_SECONDS, check=False
        )


optimizer = Optimizer()

if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(NICENESS)  # visitors come first
    GANPipeline.from_pretrained(sys.argv[1], discriminator=None).optimize("onnxruntime", seconds=0)

"""The engine "onnxruntime": a generator's parts as ONNX graphs in ONNX Runtime, on the CPU, in float32."""

import importlib.util
import math
import threading
from collections.abc import Callable
from typing import Any

import torch

from gan_hub.engines.build import Parts
from gan_hub.engines.drop_in import UnsupportedError, parts_of
from gan_hub.engines.onnx_graph import cache_key, cached_graphs, drop_graphs, keep_graphs, onnx_bytes
from gan_hub.models import GANModel

PACKAGES = ("onnxruntime", "onnx", "onnxscript")
ERRORS_ONLY = 3  # ONNX Runtime's level of logging
# What making a graph takes on one core: so long at least, and so long an operator.
EXPORT_SECONDS, OPERATOR_SECONDS = 0.6, 0.01


def build(parts: Parts, seconds: float | None) -> dict[str, Callable[..., torch.Tensor]]:
    """The parts of a generator as functions.

    Args:
        parts: of the generator.
        seconds: that making the graphs may take where they are not in the cache; None for as long as it takes.

    Returns:
        A function a part, for any thread.

    Raises:
        UnsupportedError: where a package is missing, or the time is too short.
        ValueError: for a network that cannot be exported.
    """
    missing = missing_packages()
    if missing:
        raise UnsupportedError(f"needs {', '.join(missing)}: pip install 'gan_hub[fast]'")
    key, names = cache_key(parts.generator), list(parts.modules)
    graphs = cached_graphs(key, names)
    if graphs is not None:
        try:
            return {name: Session(graph) for name, graph in graphs.items()}
        except Exception:  # a graph of another version of ONNX Runtime: it is made again
            drop_graphs(key)
    if threading.current_thread() is not threading.main_thread():
        # To make a graph torch hooks all modules of the process, and would take another thread's drawing for part of it.
        raise UnsupportedError("has no graph of this network in its cache, and makes one in the main thread alone")
    expected = EXPORT_SECONDS + OPERATOR_SECONDS * _operators(parts)
    if seconds is not None and expected > seconds:
        raise UnsupportedError(
            f"would need about {expected:.0f} seconds for its graph, which it keeps: give seconds={math.ceil(expected)} once, "
            "or ask for it by name"
        )
    graphs = {name: onnx_bytes(parts, name) for name in names}
    sessions = {name: Session(graph) for name, graph in graphs.items()}
    keep_graphs(key, graphs)
    return sessions


def missing_packages() -> list[str]:
    """The packages of the extra "fast" that are not installed."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def has_graphs(generator: GANModel) -> bool:
    """Whether the graphs of a generator are in the cache; also where it has none, being drawn in a way of its own."""
    try:
        return cached_graphs(cache_key(generator), list(parts_of(generator))) is not None
    except UnsupportedError:
        return True


def _operators(parts: Parts) -> int:
    """How many operators the parts have together; raises CaptureError where they depend on their inputs."""
    return sum(len(parts.recording(name).calls) for name in parts.modules)


class Session:
    """One graph, called with torch's tensors; it takes up a change of torch's number of threads."""

    def __init__(self, graph: bytes) -> None:
        self.graph, self.lock = graph, threading.Lock()
        self.threads, self.session = 0, None
        self.current()

    def current(self) -> Any:
        """ONNX Runtime's session for as many threads as torch has now."""
        threads = torch.get_num_threads()
        session = self.session
        if session is not None and self.threads == threads:
            return session
        with self.lock:
            if self.session is None or self.threads != threads:
                self.session, self.threads = _session(self.graph, threads), threads
            return self.session

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The function's result."""
        session = self.current()
        names = (described.name for described in session.get_inputs())
        feed = {name: tensor.detach().numpy() for name, tensor in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run(None, feed)[0])


def _session(graph: bytes, threads: int) -> Any:
    """A session that computes the same each time, and reports to no server."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.use_deterministic_compute = True
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # or idle threads would keep torch waiting
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

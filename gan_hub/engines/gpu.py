"""The engines "cuda-graphs" and "compile": what a GPU's launches cost is spared by recording them, or by fusing kernels.

Small batches leave a GPU waiting for the processor, which launches a hundred kernels an image one by one.
"""

import threading
from collections.abc import Callable

import torch
from torch import nn

from gan_hub.engines.build import Parts
from gan_hub.engines.drop_in import UnsupportedError

WARM_UPS = (
    3  # runs before a recording, as torch.cuda.graph asks for: libraries choose their kernels and take their memory
)
MAX_GRAPHS = 4  # recordings that are kept, one a batch size; each has memory of its own


def build_graphs(parts: Parts) -> dict[str, Callable[..., torch.Tensor]]:
    """The parts of a generator on a CUDA device as recordings; raises UnsupportedError elsewhere."""
    if parts.generator.device.type != "cuda":
        raise UnsupportedError("needs a CUDA device that the generator is on")
    return {name: Recorded(module) for name, module in parts.modules.items()}


def build_compiled(parts: Parts) -> dict[str, Callable[..., torch.Tensor]]:
    """The parts of a generator, compiled by torch for any number of images; the first image takes long.

    Raises:
        UnsupportedError: where torch has no compiler, or it fails.
    """
    try:
        functions = {name: torch.compile(module, dynamic=True) for name, module in parts.modules.items()}
        with torch.no_grad():
            for name, function in functions.items():
                function(*parts.inputs(name))
    except Exception as error:
        raise UnsupportedError(f"needs a working compiler ({str(error).strip().splitlines()[0][:120]})") from error
    return functions


class Recorded:
    """A function whose launches are recorded once a batch size and then repeated; one thread at a time."""

    def __init__(self, module: nn.Module) -> None:
        self.module, self.lock = module, threading.Lock()
        self.recordings: dict[
            tuple[torch.Size, ...], tuple[torch.cuda.CUDAGraph, list[torch.Tensor], torch.Tensor]
        ] = {}

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The function's result."""
        with self.lock, torch.no_grad():
            shapes = tuple(tensor.shape for tensor in inputs)
            if shapes not in self.recordings:
                if len(self.recordings) >= MAX_GRAPHS:
                    return self.module(*inputs)
                self.recordings[shapes] = self._recorded(inputs)
            graph, places, result = self.recordings[shapes]
            for place, tensor in zip(places, inputs, strict=True):
                place.copy_(tensor)
            graph.replay()
            return result.clone()  # the next replay writes into the same memory

    def _recorded(
        self, inputs: tuple[torch.Tensor, ...]
    ) -> tuple[torch.cuda.CUDAGraph, list[torch.Tensor], torch.Tensor]:
        """The recording of one batch size, the places of its inputs, and that of its result."""
        places, stream = [tensor.clone() for tensor in inputs], torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                self.module(*places)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = self.module(*places)
        return graph, places, result

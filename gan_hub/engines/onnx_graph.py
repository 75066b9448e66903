"""A network as an ONNX graph, for ONNX Runtime and whatever else reads such graphs; and a cache of a generator's.

A graph holds one function of a network in eval mode, for any number of images.
"""

import contextlib
import hashlib
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import nn

from gan_hub.atomic import atomic_file
from gan_hub.engines.build import Parts
from gan_hub.engines.drop_in import Function
from gan_hub.models import GANModel
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.version import __version__

CACHED_GRAPHS = 32  # in the cache; the one that was used longest ago goes first
DIGEST_BYTES = 32  # of sha256, before the graph in a cached file


def onnx_bytes(parts: Parts, name: str) -> bytes:
    """One part as an ONNX graph; raises ValueError where the exporter is missing or cannot express it.

    It has the input "w" for "synthesis", else "z" and, where the network takes them, "labels" (N,) or "maps" (N, H, W) of
    int64; and one output, "w" or "images".
    """
    condition = "maps" if isinstance(parts.generator, SegmentationConditional) else "labels"
    names = ["w"] if name == "synthesis" else ["z", condition]
    output = "w" if name == "mapping" else "images"
    return graph_bytes(parts.modules[name], parts.inputs(name, 2), names, output, type(parts.generator).__name__)


def graph_bytes(
    module: nn.Module, inputs: tuple[torch.Tensor, ...], names: Sequence[str], output: str, network: str
) -> bytes:
    """A network in eval mode as an ONNX graph.

    Args:
        module: the network, or one function of it.
        inputs: an example of what it takes, for two images; their number is left open in the graph.
        names: what the inputs are called in the graph; more than there are inputs are allowed.
        output: what the result is called.
        network: what the network is called in messages.

    Returns:
        The file's bytes.

    Raises:
        ValueError: where the exporter is missing or cannot express the network.
    """
    try:
        with _quiet():
            batch = torch.export.Dim("batch")
            each = tuple({0: batch} for _ in inputs)
            shapes = (each,) if isinstance(module, Function) else each  # its forward takes *inputs
            exported = torch.onnx.export(
                module,
                inputs,
                dynamo=True,
                dynamic_shapes=shapes,
                optimize=False,
                verbose=False,
                input_names=[*names][: len(inputs)],
                output_names=[output],
            )
    except ImportError as error:
        raise ValueError(f"ONNX graphs need the extra: pip install 'gan_hub[fast]' ({error}).") from error
    except Exception as error:
        raise ValueError(f"{network} cannot be exported to ONNX: {error}") from error
    assert exported is not None  # with dynamo
    return exported.model_proto.SerializeToString()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells what torchvision, which nothing here uses, would have added."""
    exporter = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)


# --------------------------------------------------------------------------------------------------- cache


def cache_key(generator: GANModel) -> str:
    """What a graph depends on: the class, its config and weights, a level of growing, the versions of both makers."""
    digest = hashlib.sha256()
    about = [type(generator).__qualname__, dict(generator.config), getattr(generator, "level", None)]
    digest.update(json.dumps([about, __version__, torch.__version__], default=str, sort_keys=True).encode())
    for name, tensor in generator.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def cached_graphs(key: str, names: Sequence[str]) -> dict[str, bytes] | None:
    """The graphs of a generator's parts; None where one is missing or damaged."""
    graphs = {}
    for name in names:
        try:
            content = _cache_file(key, name).read_bytes()
            _cache_file(key, name).touch()
        except OSError:
            return None
        digest, graph = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        if hashlib.sha256(graph).digest() != digest:
            return None
        graphs[name] = graph
    return graphs


def keep_graphs(key: str, graphs: dict[str, bytes]) -> None:
    """Put graphs into the cache, each file whole or not at all; where that is not possible, nothing is kept."""
    try:
        folder = _cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        for name, graph in graphs.items():
            with atomic_file(_cache_file(key, name)) as scratch:
                scratch.write_bytes(hashlib.sha256(graph).digest() + graph)
        files = sorted(folder.glob("*.graph"), key=lambda file: file.stat().st_mtime)
        for file in files[: max(0, len(files) - CACHED_GRAPHS)]:
            file.unlink(missing_ok=True)
    except OSError:
        return


def drop_graphs(key: str) -> None:
    """Take a generator's graphs out of the cache."""
    with contextlib.suppress(OSError):
        for file in _cache_folder().glob(f"{key}-*.graph"):
            file.unlink(missing_ok=True)


def _cache_folder() -> Path:
    from gan_hub.data.cache import cache_root  # it brings all that reads images

    return cache_root("engines")


def _cache_file(key: str, name: str) -> Path:
    return _cache_folder() / f"{key}-{name}.graph"

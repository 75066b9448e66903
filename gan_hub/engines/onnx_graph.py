"""A generator as an ONNX graph, for ONNX Runtime and whatever else reads such graphs; and a cache of them.

A graph holds one function of a network in eval mode, for any number of images.
"""

import contextlib
import hashlib
import json
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import nn

from gan_hub.atomic import atomic_file, write_bytes
from gan_hub.engines.build import Parts
from gan_hub.engines.drop_in import Function, isolated
from gan_hub.engines.probes import probes_of
from gan_hub.models import GANModel
from gan_hub.models.modeling import evaluating, unwrapped
from gan_hub.version import __version__

CACHED_GRAPHS = 32  # in the cache; the one that was used longest ago goes first
DIGEST_BYTES = 32  # of sha256, before the graph in a cached file


def export_onnx(generator: nn.Module, path: str | os.PathLike) -> list[Path]:
    """Write a generator as ONNX, with its weights inside.

    A style-based generator becomes two files, `NAME.mapping.onnx`, z (N, Z) and labels (N,) → w (N, W), and
    `NAME.synthesis.onnx`, w (N, L, W) → images (N, C, H, W), which may leave [-1, 1]: w is truncated or mixed in between. Any
    other becomes `NAME.onnx`, z (N, Z) and labels (N,) or maps (N, H, W) → images. N is open.

    Args:
        generator: the network; it is drawn from as in eval mode, and not changed.
        path: the file, with the ending .onnx.

    Returns:
        The files, each whole or not written.

    Raises:
        ValueError: for another ending, where onnx or onnxscript is not installed, and for a network that cannot be exported.
    """
    target = Path(path)
    if target.suffix != ".onnx":
        raise ValueError(f"{target}: an ONNX graph is a file .onnx.")
    network = evaluating(generator)
    bare = unwrapped(network)
    if not isinstance(bare, GANModel):
        raise ValueError(f"a {type(bare).__name__} cannot be exported; allowed: a generator of gan_hub.models.")
    parts = Parts(isolated(bare), probes_of(bare, None, bare.device), 1)
    graphs = {name: onnx_bytes(parts, name) for name in parts.modules}
    written = []
    for name, graph in graphs.items():
        file = target if name == "forward" else target.with_suffix(f".{name}.onnx")
        write_bytes(file, graph)
        written.append(file)
    return written


def onnx_bytes(parts: Parts, name: str) -> bytes:
    """One part as an ONNX graph; raises ValueError where the exporter is missing or cannot express it."""
    try:
        with _quiet():
            inputs, batch = parts.inputs(name, 2), torch.export.Dim("batch")
            each = tuple({0: batch} for _ in inputs)
            shapes = (each,) if isinstance(parts.modules[name], Function) else each  # its forward takes *inputs
            exported = torch.onnx.export(
                parts.modules[name], inputs, dynamo=True, dynamic_shapes=shapes, optimize=False, verbose=False
            )
    except ImportError as error:
        raise ValueError(f"ONNX graphs need the extra: pip install 'gan_hub[fast]' ({error}).") from error
    except Exception as error:
        raise ValueError(f"{type(parts.generator).__name__} cannot be exported to ONNX: {error}") from error
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

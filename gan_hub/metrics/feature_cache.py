"""Features of real and generated images: extracted in chunks, cached on disk, resumable, shared among processes.

Shapes: N images, H, W, C channels; F features, K classes of the extractor.
"""

import contextlib
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save as as_safetensors

from gan_hub.atomic import write_bytes
from gan_hub.data import ImageSet
from gan_hub.data.cache import cache_root
from gan_hub.images import from_uint8, height_width
from gan_hub.metrics.distributed import ProcessGroup
from gan_hub.metrics.features import Extractor
from gan_hub.model_folder.strict import LoadError, parse_tensors, read_bytes, sha256
from gan_hub.pipeline import GANPipeline
from gan_hub.pipeline.optimized import plain_twin
from gan_hub.version import full_version

CHUNK = 500  # images that are extracted, cached and given to a process together,
CHUNK_BYTES = 64_000_000  # or fewer, where they are large
MAX_CHUNK_BYTES = 1_000_000_000
VERSION = 1  # of the extraction: raised when a change of the code would change a feature


class Features(NamedTuple):
    """Features of one side of a comparison, real or generated, on the CPU."""

    features: torch.Tensor  # (N, F) float32
    logits: torch.Tensor | None  # (N, K) float32
    labels: torch.Tensor | None  # (N,) int64: the true class, or the class a model was asked for

    @property
    def classes(self) -> torch.Tensor | None:
        """The class that the extractor recognizes in each image, int64 (N,); None without a classifier."""
        return None if self.logits is None else self.logits.argmax(1)


@dataclass(frozen=True)
class ImageSource:
    """Images that are read, or drawn, a range of rows at a time.

    Attributes:
        count: N.
        read: (start, stop) → uint8 (stop − start, H, W, C).
        shape: height, width, channels.
        labels, label_names: the class of each image (N,) and the classes' names, where there are classes.
        identity: what the cache knows these images by: checksums and seeds.
    """

    count: int
    read: Callable[[int, int], np.ndarray]
    shape: tuple[int, int, int]
    labels: np.ndarray | None
    label_names: list[str] | None
    identity: dict[str, object]

    @property
    def chunk_size(self) -> int:
        """Images of a chunk. It depends on their size alone, since cached chunks are found again by it."""
        return min(CHUNK, max(1, CHUNK_BYTES // math.prod(self.shape)))

    @classmethod
    def of_set(cls, images: ImageSet) -> "ImageSource":
        """The images of a data set, in their order."""

        def read(start: int, stop: int) -> np.ndarray:
            return np.asarray(images.images[start:stop])

        _, height, width, channels = images.images.shape
        identity: dict[str, object] = {"images": images.fingerprint()}
        return cls(len(images), read, (height, width, channels), images.labels, images.label_names, identity)

    @classmethod
    def of_model(
        cls, pipe: GANPipeline, count: int, seed: int, batch_size: int | None = None, maps: np.ndarray | None = None
    ) -> "ImageSource":
        """The images that a model makes of the seeds `seed`, `seed` + 1 and so on.

        Args:
            pipe: the model. A conditional one takes each image's class from its seed, as for users who name none.
            count: N.
            seed: of the first image.
            batch_size: images drawn at a time.
            maps: (M, H, W), of a model that draws from maps of classes, which takes them in turn.

        Returns:
            A source of the images that everyone gets for these seeds.
        """

        def read(start: int, stop: int) -> np.ndarray:
            segmentation = None if maps is None else maps[np.arange(start, stop) % len(maps)]
            seeds = range(seed + start, seed + stop)
            images = pipe(seeds=seeds, segmentation=segmentation, batch_size=batch_size, output_type="np").images
            return np.asarray(images)

        pipe, labels = plain_twin(pipe), None
        if pipe.label_names is not None:
            classes = pipe.labels_of(pipe.sample_latents(range(seed, seed + count)))
            labels = None if classes is None else classes.numpy()
        identity: dict[str, object] = {"weights": weights_sha256(pipe), "seed": seed, "batch_size": batch_size}
        if maps is not None:
            identity["maps"] = sha256(np.ascontiguousarray(maps).tobytes())
        identity |= {"device": pipe.device.type, "dtype": str(pipe.unwrapped_generator.dtype)}
        config = pipe.unwrapped_generator.config
        height, width = height_width(config["resolution"])
        return cls(count, read, (height, width, config["channels"]), labels, pipe.label_names, identity)


def weights_sha256(pipe: GANPipeline) -> str:
    """sha256 (hex) of the generator's class, configuration and tensors, whatever file they came from."""
    generator = pipe.unwrapped_generator
    digest = hashlib.sha256(type(generator).__name__.encode())
    digest.update(json.dumps(dict(generator.config), sort_keys=True, default=str).encode())
    for name, tensor in sorted(generator.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def extract_features(
    images: ImageSource,
    extractor: Extractor,
    group: ProcessGroup | None = None,
    keep: bool = False,
    progress: Callable[[int], object] = lambda count: None,
) -> Features:
    """The features of all images, the same for any number of processes and after any interruption.

    Args:
        images: to be measured.
        extractor: what they are measured by.
        group: the processes that share the work; by default this one alone.
        keep: whether every chunk is written to the disk as soon as it is measured, and read from there the next time.
        progress: called with the number of images that have been done since its last call.

    Returns:
        Features, logits and labels of all N images, on every process.
    """
    group = group or ProcessGroup()
    cache = FeatureCache(images, extractor) if keep else None
    starts = range(0, images.count, images.chunk_size)
    sizes = [min(images.chunk_size, images.count - start) for start in starts]
    features, logits = {}, {}
    for number in group.shard(len(sizes)):
        start, stop = starts[number], starts[number] + sizes[number]
        outputs = cache.get(number, sizes[number]) if cache else None
        if outputs is None:
            outputs = _outputs(images.read(start, stop), extractor)
            if cache:
                cache.put(number, outputs)
        features[number] = outputs["features"]
        if "logits" in outputs:
            logits[number] = outputs["logits"]
        progress(sizes[number])
    labels = None if images.labels is None else torch.from_numpy(np.asarray(images.labels, dtype=np.int64))
    has_logits = extractor.num_classes is not None
    return Features(group.gather(features, sizes), group.gather(logits, sizes) if has_logits else None, labels)


def _outputs(images: np.ndarray, extractor: Extractor) -> dict[str, torch.Tensor]:
    """Features, and logits where there is a classifier, of uint8 images; a block of them at a time is float."""
    block = extractor.network.block
    blocks = [extractor.outputs(from_uint8(images[start : start + block])) for start in range(0, len(images), block)]
    outputs = {"features": torch.cat([each.features for each in blocks])}
    if extractor.num_classes is not None:
        outputs["logits"] = torch.cat([each.logits for each in blocks if each.logits is not None])
    return outputs


def _kind_of(device: torch.device) -> str:
    """The kind of processor, since the last bits of a feature depend on it: a home folder may be on several machines."""
    return f"cpu {torch.backends.cpu.get_cpu_capability()}" if device.type == "cpu" else device.type


class FeatureCache:
    """Chunks of features on the disk: <cache>/features/<key>/<number>-<sha256>.safetensors.

    The file name holds the content's checksum: a chunk that was cut off or changed is measured again. All of it may be
    deleted at any time.
    """

    def __init__(self, images: ImageSource, extractor: Extractor) -> None:
        """The chunks of these images, on this machine, by this extractor; the folder is made by the first `put`."""
        key = {
            "version": [VERSION, full_version(), torch.__version__], "part": images.chunk_size, "shape": images.shape,
            "extractor": [extractor.name, extractor.sha256, extractor.resize, _kind_of(extractor.device)],
            "count": images.count, "pictures": images.identity,
        }  # fmt: skip
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        self.folder = cache_root("features") / digest[:24]

    def get(self, number: int, rows: int) -> dict[str, torch.Tensor] | None:
        """The chunk, by the name of each tensor; None where it is not there whole."""
        for path in self.folder.glob(f"{number:06d}-*.safetensors"):
            try:
                data = read_bytes(path, MAX_CHUNK_BYTES)
                if path.stem.split("-")[1] != sha256(data)[:16]:
                    continue
                tensors = parse_tensors(path, data)
            except LoadError:
                continue
            if "features" in tensors and len(tensors["features"]) == rows:
                return tensors
        return None

    def put(self, number: int, tensors: dict[str, torch.Tensor]) -> None:
        """Write a chunk, whole or not at all; where the disk is full it is left out, since scores do not need it."""
        data = as_safetensors({name: tensor.contiguous() for name, tensor in tensors.items()})
        path = self.folder / f"{number:06d}-{sha256(data)[:16]}.safetensors"
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(path, data)

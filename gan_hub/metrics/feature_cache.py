"""The two sides of a comparison: images, real or generated, as features; measured in parts, kept, taken up again.

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
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as as_safetensors

import gan_hub
from gan_hub.atomic import write_bytes
from gan_hub.data import ImageSet
from gan_hub.data.cache import cache_root
from gan_hub.images import from_uint8, height_width
from gan_hub.metrics.distributed import ProcessGroup
from gan_hub.metrics.features import Extractor
from gan_hub.model_folder.strict import LoadError, read_bytes, sha256
from gan_hub.pipeline import GANPipeline

PART = 500  # images that are measured, kept and shared out together,
PART_BYTES = 64_000_000  # or fewer, where they are large
MAX_PART_BYTES = 1_000_000_000
VERSION = 1  # of what measuring means: raised when a change of it would change a feature


class Features(NamedTuple):
    """What the metrics see of one side, on the CPU."""

    features: torch.Tensor  # (N, F) float32
    logits: torch.Tensor | None  # (N, K) float32
    labels: torch.Tensor | None  # (N,) int64: the true class, or the one that was asked for

    @property
    def classes(self) -> torch.Tensor | None:
        """The class that the extractor recognises in each image, int64 (N,)."""
        return None if self.logits is None else self.logits.argmax(1)


@dataclass(frozen=True)
class ImageSource:
    """Images that can be had in any part: uint8 (n, H, W, C) of the rows start … stop, and what tells them from others."""

    count: int
    rows: Callable[[int, int], np.ndarray]
    shape: tuple[int, int, int]  # height, width, channels
    labels: np.ndarray | None
    label_names: list[str] | None
    identity: dict[str, object]

    @property
    def part(self) -> int:
        """Images of a part: it depends on their size alone, as parts that are kept are found again by it."""
        return min(PART, max(1, PART_BYTES // math.prod(self.shape)))

    @classmethod
    def of_set(cls, images: ImageSet) -> "ImageSource":
        """The images of a data set, in their order."""

        def rows(start: int, stop: int) -> np.ndarray:
            return np.asarray(images.images[start:stop])

        shape, identity = tuple(images.images.shape[1:]), {"images": images.fingerprint()}
        return cls(len(images), rows, shape, images.labels, images.label_names, identity)

    @classmethod
    def of_model(
        cls, pipe: GANPipeline, count: int, seed: int, batch_size: int | None = None, maps: np.ndarray | None = None
    ) -> "ImageSource":
        """The images that `pipe` makes of the seeds seed, seed + 1, …: those that anybody gets who asks for these seeds.

        A conditional model takes each class from the latent itself, as it does for everybody who names none. `maps`
        (M, H, W) are the maps that a model which draws from maps takes in turn.
        """

        def told(start: int, stop: int) -> dict:
            chosen = {} if maps is None else {"segmentation": maps[np.arange(start, stop) % len(maps)]}
            return {"seeds": range(seed + start, seed + stop), "batch_size": batch_size, **chosen}

        def rows(start: int, stop: int) -> np.ndarray:
            return pipe(**told(start, stop), output_type="np").images

        labels = None
        if pipe.label_names is not None:
            labels = pipe.labels_of(pipe.sample_latents(range(seed, seed + count))).numpy()
        identity = {"weights": weights_sha256(pipe), "seed": seed, "batch_size": batch_size}
        if maps is not None:
            identity["maps"] = sha256(np.ascontiguousarray(maps).tobytes())
        identity |= {"device": pipe.device.type, "dtype": str(pipe.unwrapped_generator.dtype)}
        shape = (
            *height_width(pipe.unwrapped_generator.config["resolution"]),
            pipe.unwrapped_generator.config["channels"],
        )
        return cls(count, rows, shape, labels, pipe.label_names, identity)


def weights_sha256(pipe: GANPipeline) -> str:
    """sha256 (hex) of the generator's class, configuration and every tensor, whatever file it came from."""
    generator = pipe.unwrapped_generator
    digest = hashlib.sha256(type(generator).__name__.encode())
    digest.update(json.dumps(dict(generator.config), sort_keys=True, default=str).encode())
    for name, tensor in sorted(generator.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def extract_features(
    pictures: ImageSource,
    extractor: Extractor,
    team: ProcessGroup | None = None,
    keep: bool = False,
    progress: Callable[[int], None] = lambda images: None,
) -> Features:
    """The features of all pictures, the same for any number of processes and after any interruption.

    With `keep` every part is written to the disk as soon as it is measured, and read from there the next time.
    `progress` is told how many images are done, as they are.
    """
    team = team or ProcessGroup()
    shelf = FeatureCache(pictures, extractor) if keep else None
    parts = [(start, min(start + pictures.part, pictures.count)) for start in range(0, pictures.count, pictures.part)]
    sizes = [stop - start for start, stop in parts]
    features, logits = {}, {}
    for number, (start, stop) in enumerate(parts):
        if number not in team.mine(len(sizes)):
            continue
        found = shelf.read(number, stop - start) if shelf else None
        if found is None:
            found = _outputs(pictures.rows(start, stop), extractor)
            if shelf:
                shelf.write(number, found)
        features[number] = found["features"]
        if "logits" in found:
            logits[number] = found["logits"]
        progress(stop - start)
    labels = None if pictures.labels is None else torch.from_numpy(np.asarray(pictures.labels, dtype=np.int64))
    has_logits = extractor.num_classes is not None
    return Features(team.gathered(features, sizes), team.gathered(logits, sizes) if has_logits else None, labels)


def _outputs(images: np.ndarray, extractor: Extractor) -> dict[str, torch.Tensor]:
    """Features, and logits where there are any, of uint8 images; no more of them at a time are floats than must be."""
    block = extractor.network.block
    blocks = [extractor.outputs(from_uint8(images[start : start + block])) for start in range(0, len(images), block)]
    found = {"features": torch.cat([outputs.features for outputs in blocks])}
    if extractor.num_classes is not None:
        found["logits"] = torch.cat([outputs.logits for outputs in blocks])
    return found


class FeatureCache:
    """Measured parts on the disk: <cache>/features/<what they are of>/<number>-<sha256>.safetensors.

    The name of a file tells its content's checksum: a part that was cut off or changed is measured anew. All of it may
    be deleted at any time.
    """

    def __init__(self, pictures: ImageSource, extractor: Extractor):
        question = {
            "version": [VERSION, gan_hub.__version__, torch.__version__], "part": pictures.part, "shape": pictures.shape,
            "extractor": [extractor.name, extractor.sha256, extractor.resize, extractor.device.type],
            "count": pictures.count, "pictures": pictures.identity,
        }  # fmt: skip
        self.folder = (
            cache_root("features") / hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:24]
        )

    def read(self, number: int, rows: int) -> dict[str, torch.Tensor] | None:
        """The part, or None where it is not there whole."""
        for path in self.folder.glob(f"{number:06d}-*.safetensors"):
            try:
                data = read_bytes(path, MAX_PART_BYTES)
                if path.stem.split("-")[1] != sha256(data)[:16]:
                    continue
                found = parse_safetensors(data)
            except (LoadError, SafetensorError):
                continue
            if "features" in found and len(found["features"]) == rows:
                return found
        return None

    def write(self, number: int, tensors: dict[str, torch.Tensor]) -> None:
        """Puts a part on the shelf, whole or not at all. A full disk is no reason to lose a score: it is left out then."""
        data = as_safetensors({name: tensor.contiguous() for name, tensor in tensors.items()})
        path = self.folder / f"{number:06d}-{sha256(data)[:16]}.safetensors"
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(path, data)

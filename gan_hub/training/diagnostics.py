"""What the flight recorder measures beside the losses: diversity, weight change, memorising, memory, hardware.

Shapes: n images, C, H, W; images are float in [-1, 1]. All of it is done on the main process only, without a graph.
"""

import platform
import sys
from pathlib import Path

import numpy as np
import torch

from gan_hub.data import ImageSet
from gan_hub.images import from_uint8
from gan_hub.metrics.near_duplicates import different_pictures, evenly, to_other_pictures

PAIRS = 64  # whose mean difference is the diversity
CHUNK_NUMBERS = 20_000_000  # of training pixels that are compared at a time
MEMORISABLE = 10_000  # more training images than this are not searched for copies


@torch.no_grad()
def pair_distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """Mean root-mean-square difference of the images first[i] and second[i], each (n, ...)."""
    return (first.float() - second.float()).flatten(1).square().mean(1).sqrt().mean().item()


class DiversityProbe:
    """How far apart two images of a class are, the generator's against the data's: 1 is as diverse as the data.

    Always the same latents, two for each pair, both with the pair's label: a generator that draws one image a class has
    diversity 0, though its classes differ. Of maps there is one for each image, and each of a pair has its own.
    """

    def __init__(self, data: ImageSet, latent_size: int, seed: int = 0):
        rng = np.random.default_rng(seed)
        first, second = _pairs(data.labels, len(data), rng)
        self.reals = pair_distance(from_uint8(data.images[first]), from_uint8(data.images[second]))
        told = data.maps if data.labels is None else data.labels
        self.labels = [
            None if told is None else torch.from_numpy(told[half].astype(np.int64)) for half in (first, second)
        ]
        generator = torch.Generator().manual_seed(seed)
        self.z = torch.randn(2, len(first), latent_size, generator=generator, dtype=torch.float32)

    @torch.no_grad()
    def __call__(self, generator: torch.nn.Module) -> float:
        """The ratio for a generator in the state it is in; it is left in the mode (train or eval) it was in."""
        like, training = next(generator.parameters()), generator.training
        labels = [None if told is None else told.to(like.device) for told in self.labels]
        generator.eval()
        first, second = (generator(z.to(like.device, like.dtype), told) for z, told in zip(self.z, labels))
        generator.train(training)
        return pair_distance(first, second) / max(self.reals, 1e-12)


def _pairs(labels: np.ndarray | None, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Indices of PAIRS images and of as many others, with the same labels where there are any."""
    first = rng.integers(0, count, PAIRS)
    if labels is None:
        return first, (first + rng.integers(1, max(2, count), PAIRS)) % count
    return first, np.array([rng.choice(np.flatnonzero(labels == labels[index])) for index in first])


class WeightChange:
    """‖w − w₀‖ / ‖w₀‖ of a network's weights since it was asked last: 0 is a player that does not move."""

    def __init__(self, network: torch.nn.Module):
        self.network, self.before = network, self._copy(network)

    @staticmethod
    def _copy(network: torch.nn.Module) -> list[torch.Tensor]:
        return [parameter.detach().clone() for parameter in network.parameters()]

    def __call__(self) -> float:
        now, before = self._copy(self.network), self.before
        self.before = now
        moved = torch.nn.utils.get_total_norm([a - b for a, b in zip(now, before)])
        return (moved / torch.nn.utils.get_total_norm(before).clamp(min=1e-12)).item()


class MemorizationProbe:
    """How near fakes come to the nearest training image, against how near unseen reals come: 1 is a healthy 1, 0 a copy.

    A smooth generator of noisy images comes nearer than a real does, by √½ at most (the mean image against two noisy
    ones); what falls below ½ is drawn from memory. A held-out image that shows a picture of the training set (another frame
    of a film) is held against the others there: how near a new picture comes is the measure, and not how near a new frame.
    Only for data sets of up to MEMORISABLE images.
    """

    def __init__(self, train: ImageSet, held_out: ImageSet, count: int = PAIRS):
        self.train = train
        looked_at = held_out.take(evenly(len(held_out), count).numpy())
        distances = self._distances(from_uint8(looked_at.images))
        apart = to_other_pictures(distances)
        self.reals = apart.median().item()
        self.held_out, self.repeated = len(looked_at), int((distances.amin(1) < apart).sum())
        some = self._distances(from_uint8(train.take(evenly(len(train), count).numpy()).images))
        self.different = different_pictures([some], len(train))

    @classmethod
    def possible(cls, train: ImageSet) -> bool:
        return len(train) <= MEMORISABLE

    @property
    def told(self) -> str:
        """What a run should know of near duplicates in its data, and of what is measured then; "" where there are none."""
        if not self.repeated and self.different == len(self.train):
            return ""
        return (
            f"near duplicates: the {len(self.train):,} training images show about {self.different:,} different pictures, and "
            f"{self.repeated} of {self.held_out} held-out images looked at show one of them. Copies are told by the distance "
            "between different pictures; a new frame of a picture is not told from a copy of it."
        )

    def _distances(self, images: torch.Tensor) -> torch.Tensor:
        """Of images (n, C, H, W) to all N training images, float32 (n, N)."""
        flat = images.float().flatten(1)
        rows = max(1, CHUNK_NUMBERS // flat.shape[1])
        parts = [self.train.images[start : start + rows] for start in range(0, len(self.train), rows)]
        return torch.cat([torch.cdist(flat, from_uint8(part).flatten(1)) for part in parts], 1)

    def __call__(self, fakes: torch.Tensor) -> float:
        nearest = self._distances(fakes.cpu()).amin(1)
        return nearest.median().item() / max(self.reals, 1e-12)


def peak_memory_gb(device: torch.device) -> float:
    """The most memory this process had: of the GPU's where there is one, else of the machine's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    if sys.platform == "win32":
        return float("nan")  # its system does not tell in a way the standard library knows
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def hardware(device: torch.device) -> str:
    """The device's name as its maker gives it, as far as the system tells."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model} ({torch.get_num_threads()} thread(s))"

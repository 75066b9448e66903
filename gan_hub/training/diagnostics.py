"""Diagnostics of a run: diversity, weight change, memorization, memory, hardware; and its alarms.

Shapes: n images, C, H, W; images are float in [-1, 1]. All of it is done on the main process only, without a graph.
"""

import platform
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from gan_hub.data import ImageSet
from gan_hub.images import from_uint8
from gan_hub.metrics.near_duplicates import different_pictures, evenly_spaced, to_other_pictures
from gan_hub.training.batches import Data
from gan_hub.training.callbacks import Callback, TrainContext
from gan_hub.training.config import TrainConfig
from gan_hub.training.measures import WeightChange, pair_distance
from gan_hub.training.monitors import STOPPED_BY_ALARM, AlarmError, Monitors
from gan_hub.training.train_state import TrainState

PAIRS = 64  # of images; their mean difference is the diversity
CHUNK_NUMBERS = 20_000_000  # of training pixels that are compared at a time
MAX_MEMORIZATION_IMAGES = 10_000  # more training images than this are not searched for copies


class DiversityProbe:
    """Diversity: how far apart two images of a class are, the generator's against the data's; 1 is as diverse as the data.

    The latents are always the same, two for each pair, both with the pair's label: a generator that draws one image a class
    has diversity 0, though its classes differ. Maps belong to one image each, so both of a pair have their own.
    """

    def __init__(self, data: ImageSet, latent_size: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        first, second = _pairs(data.labels, len(data), rng)
        self.reals = pair_distance(from_uint8(data.images[first]), from_uint8(data.images[second]))
        labels = data.maps if data.labels is None else data.labels
        self.labels = [
            None if labels is None else torch.from_numpy(labels[half].astype(np.int64)) for half in (first, second)
        ]
        generator = torch.Generator().manual_seed(seed)
        self.z = torch.randn(2, len(first), latent_size, generator=generator, dtype=torch.float32)

    @torch.no_grad()
    def __call__(self, generator: torch.nn.Module) -> float:
        """The ratio for a generator, which keeps its weights, statistics and mode (train or eval)."""
        like, training = next(generator.parameters()), generator.training
        labels = [None if half is None else half.to(like.device) for half in self.labels]
        generator.eval()
        first, second = (generator(z.to(like.device, like.dtype), half) for z, half in zip(self.z, labels, strict=True))
        generator.train(training)
        return pair_distance(first, second) / max(self.reals, 1e-12)


def _pairs(labels: np.ndarray | None, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Indices of PAIRS images and of PAIRS others with the same labels, if the data has labels."""
    first = rng.integers(0, count, PAIRS)
    if labels is None:
        return first, (first + rng.integers(1, max(2, count), PAIRS)) % count
    return first, np.array([rng.choice(np.flatnonzero(labels == labels[index])) for index in first])


class MemorizationProbe:
    """How near fakes come to the nearest training image, relative to how near unseen reals come: 1 is healthy, 0 a copy.

    A smooth generator of noisy images comes nearer than a real does, by √½ at most (the mean image against two noisy
    ones); a value below ½ means copies. A held-out image that shows a picture of the training set (another frame of a film)
    is compared with the other pictures there: the measure is how near a new picture comes, not how near a new frame.
    Only for data sets of up to MAX_MEMORIZATION_IMAGES images.
    """

    def __init__(self, train: ImageSet, held_out: ImageSet, count: int = PAIRS) -> None:
        self.train = train
        unseen = held_out.take(evenly_spaced(len(held_out), count).numpy())
        distances = self._distances(from_uint8(np.asarray(unseen.images)))
        apart = to_other_pictures(distances)
        self.reals = apart.median().item()
        self.held_out, self.repeated = len(unseen), int((distances.amin(1) < apart).sum())
        some = train.take(evenly_spaced(len(train), count).numpy())
        self.different = different_pictures([self._distances(from_uint8(np.asarray(some.images)))], len(train))

    @classmethod
    def possible(cls, train: ImageSet) -> bool:
        """Whether a data set is small enough to search for copies."""
        return len(train) <= MAX_MEMORIZATION_IMAGES

    @property
    def warning(self) -> str:
        """A sentence on near duplicates in the data, and what is measured then; "" where there are none."""
        if not self.repeated and self.different == len(self.train):
            return ""
        return (
            f"near duplicates: the {len(self.train):,} training images show about {self.different:,} different pictures, and "
            f"{self.repeated} of {self.held_out} held-out images looked at show one of them. Copies are told by the distance "
            "between different pictures; a new frame of a picture is not told from a copy of it."
        )

    def _distances(self, images: torch.Tensor) -> torch.Tensor:
        """The distances of images (n, C, H, W) to all N training images, float32 (n, N)."""
        flat = images.float().flatten(1)
        rows = max(1, CHUNK_NUMBERS // flat.shape[1])
        parts = [self.train.images[start : start + rows] for start in range(0, len(self.train), rows)]
        return torch.cat([torch.cdist(flat, from_uint8(part).flatten(1)) for part in parts], 1)

    def __call__(self, fakes: torch.Tensor) -> float:
        """The ratio for fakes (n, C, H, W)."""
        nearest = self._distances(fakes.cpu()).amin(1)
        return nearest.median().item() / max(self.reals, 1e-12)


def peak_memory_gb(device: torch.device) -> float:
    """The peak memory of this process in GB, on its GPU or else on the machine; NaN on Windows."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    if sys.platform == "win32":
        return float("nan")  # no function of the standard library knows it
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def hardware(device: torch.device) -> str:
    """The device's name as its maker gives it, or the machine's kind."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model} ({torch.get_num_threads()} thread(s))"


class Diagnostics(Callback):
    """Adds its measurements to the metrics of each look, and shows all of them to the monitors.

    `alarm` is called with the images seen and the sentence of an alarm. `past` is the monitors' state in a checkpoint.
    """

    def __init__(
        self,
        config: TrainConfig,
        state: TrainState,
        data: Data,
        alarm: Callable[[int, str], None],
        past: dict | None = None,
    ) -> None:
        self.config, self.state, self.alarm = config, state, alarm
        self.monitors = Monitors(config.batch_size, alone=state.discriminator is None)
        if past is not None:
            self.monitors.load(past)
        self.diversity = DiversityProbe(data.train, state.latent_size)
        self.changes = {f"change/{name}": WeightChange(network) for name, network in state.networks.items()}
        possible = MemorizationProbe.possible(data.train)
        self.memorization = MemorizationProbe(data.train, data.held_out) if possible else None

    def on_train_begin(self, run: TrainContext) -> None:
        """Warn of near duplicates in the data: they change what the search for copies measures."""
        if self.memorization is not None and self.memorization.warning:
            tqdm.write(self.memorization.warning)

    def on_look(self, run: TrainContext) -> None:
        """Measure, and raise the alarms; with alarms=stop the first one ends the run."""
        measured = {name: change() for name, change in self.changes.items()}
        measured["diversity"] = self.diversity(self.state.unwrapped_generator)
        if self.memorization is not None and run.sample_due:
            fakes = run.pipeline(num_images=64, seed=0, output_type="pt").images
            assert isinstance(fakes, torch.Tensor)
            measured["memorised"] = self.memorization(fakes)
        if self.config.augment == "ada":
            measured["augment/p"] = self.state.adaptive.augment_p
        if self.config.loss == "began":
            measured["began/k"] = self.state.adaptive.balance
        run.metrics |= measured
        alarms = [] if self.config.alarms == "off" else self.monitors.observe(run.images, run.metrics)
        for sentence in alarms:
            self.alarm(run.images, sentence)
        if alarms and self.config.alarms == "stop":
            run.alarm = AlarmError(STOPPED_BY_ALARM.format(alarms[-1]))

    def state_dict(self) -> dict:
        """The state of the monitors, for a checkpoint."""
        return {"monitors": self.monitors.state()}

"""Images, labels and noise of each step, as a function of (seed, step) alone.

No random generator lives on between steps, so a resumed run draws what the unbroken one drew. Every process draws the whole
global batch and keeps its share: together they see what one process would, whatever their number.
"""

import functools
from dataclasses import dataclass, replace
from typing import Protocol, TypedDict

import numpy as np
import torch

from gan_hub.augment import AugmentPipe, flip_horizontally, noise_sigma
from gan_hub.data import ImageSet, NoSuchSplitError, balanced_order, hold_out, load_images, load_pairs, without
from gan_hub.data.split_file import DataSplit
from gan_hub.host_copy import to_device
from gan_hub.images import from_uint8, height_width
from gan_hub.model_folder import real_samples, segmentations
from gan_hub.model_folder.files import REAL_SAMPLES_TABLE
from gan_hub.model_folder.manifest import Manifest
from gan_hub.training.config import TrainConfig, public_name
from gan_hub.training.recipes import published_folder
from gan_hub.training.sections import FIELDS

REAL_SAMPLES = 256  # shipped with a model, for the game

# One independent stream of random numbers for each purpose. The values decide what is drawn: they must not change.
ORDER, NOISE_DISCRIMINATOR, NOISE_GENERATOR, LABELS_GENERATOR, AUGMENT_DISCRIMINATOR, AUGMENT_GENERATOR, FLIP = range(7)
MIXING_DISCRIMINATOR, MIXING_GENERATOR, LAYERS = 7, 8, 9


def generator_for(seed: int, stream: int, step: int) -> torch.Generator:
    """A random generator on the CPU for one purpose at one step; neighbouring seeds and steps share nothing.

    Args:
        seed: of the run.
        stream: one of the numbers above.
        step: of the run, or another count from 0, such as the epoch.

    Returns:
        A generator at its beginning.
    """
    return torch.Generator().manual_seed(_hashed(seed, stream, step))


def _hashed(*numbers: int) -> int:
    """63 bits that depend on every number and its place."""
    (state,) = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return int(state >> 1)


class PipelineNames(TypedDict):
    """Arguments of a run's `GANPipeline` besides its networks."""

    label_names: list[str] | None
    semantic_names: list[str] | None
    segmentations: torch.Tensor | np.ndarray | None


@dataclass(frozen=True)
class Data:
    """The images of a run: those to train on, those held out, and those shipped with the model."""

    train: ImageSet
    held_out: ImageSet
    real_samples: ImageSet | None
    example_maps: torch.Tensor | np.ndarray | None = None  # uint8 (M, H, W), of a model that draws from maps
    left_out: int = 0  # images of the data's train split that are not in `train`
    notice: str = ""  # origin and licence of `real_samples`
    has_test_split: bool = False  # `held_out` is the data's own test split, not a part of its train split

    @property
    def names(self) -> PipelineNames:
        """What a pipeline of this run has besides its networks: names of classes, and example maps."""
        return {
            "label_names": self.train.label_names,
            "semantic_names": self.train.map_names,
            "segmentations": self.example_maps,
        }

    @property
    def classes(self) -> int:
        """The number of classes: of the images, or of the pixels of their maps."""
        return len(self.train.label_names or self.train.map_names or ())

    def headline(self) -> str:
        """Describe the images in one sentence; a file that both splits leave out is named once."""
        named = {kind: set(names) for kind, names in self.train.skipped.items()}
        skipped = {
            kind: [name for name in names if name not in named.get(kind, ())]
            for kind, names in self.held_out.skipped.items()
        }
        left_out = replace(self.held_out, skipped={kind: names for kind, names in skipped.items() if names}).left_out
        held_out = "; ".join(filter(None, (f"Held out: {len(self.held_out):,}", left_out)))
        return f"training on {self.train.report()} {held_out}."

    def fingerprint(self) -> str:
        """sha256 of the training images and labels: a resumed run must find the very same ones."""
        return self.train.fingerprint()

    def split(self, config: TrainConfig) -> DataSplit:
        """The content of split.json: how to find the held-out images again once the run is over."""
        return DataSplit.of(
            self.train,
            self.held_out,
            data=public_name(config.data),
            seed=config.seed,
            held_out_is_test_split=self.has_test_split,
            left_out=self.real_samples,
        )


def load_data(config: TrainConfig) -> Data:
    """The images of a run. Held out is the test split, or else a part of the others; shipped images are not trained on."""
    train, shipped, notice = _load(config, config.data, "train"), None, config.real_samples_notice.strip()
    whole = len(train)
    if config.real_samples:
        shipped, own_notice = load_real_samples(config, train.label_names)
        notice = notice or own_notice
        train = without(train, shipped)
    has_test_split = True
    try:
        held_out = _load(config, config.data, "test")
    except NoSuchSplitError:
        has_test_split = False
        count = min(config.held_out, len(train) // 5)
        train, held_out = hold_out(train, count, config.seed) if count else (train, train.take(np.arange(0)))
    least = FIELDS["held_out"].metadata["low"]
    if len(held_out) < least:
        raise ValueError(
            f"data {config.data!r}: {len(held_out)} image(s) are held out for the judge, of {len(train)} to train on; it "
            f"needs {least} or more. Give a test split of that size, or {5 * least} images to put them aside from."
        )
    for kind, images in (("test split", held_out), ("real_samples", shipped)):
        if images is not None and not _same_classes(images.label_names, train.label_names):
            raise ValueError(f"the {kind} has the classes {images.label_names}, but training has {train.label_names}.")
    maps = example_maps(config, held_out)
    return Data(train, held_out, shipped, maps, whole - len(train), notice, has_test_split)


def example_maps(config: TrainConfig, held_out: ImageSet) -> torch.Tensor | np.ndarray | None:
    """The maps (M, H, W) that go into the model's folder: the first held-out ones, or those of `shipped_maps`' model."""
    if not config.shipped_maps:
        return None if held_out.maps is None else held_out.maps[: config.example_maps]
    folder, classes = published_folder(config.shipped_maps), len(held_out.map_names or ())
    return segmentations.read(folder, Manifest(folder), config.resolution, classes)


def _same_classes(names: list[str] | None, others: list[str] | None) -> bool:
    """Equal names, or equally many where one side has numbers only, as arrays do."""
    if names == others or names is None or others is None:
        return names == others
    return len(names) == len(others) and [str(index) for index in range(len(names))] in (names, others)


def _load(config: TrainConfig, source: str, split: str) -> ImageSet:
    """`load_images`, with labels if and only if the run is conditional; `load_pairs` where the networks take maps."""
    if config.takes_maps:
        return load_pairs(source, config.resolution, config.channels, split, strict=config.strict_data)
    images = load_images(source, config.resolution, config.channels, split, strict=config.strict_data)
    if not config.conditional:
        unused = (
            [f"{len(images.label_names)} classes are not used (conditional is false)"] if images.label_names else []
        )
        return replace(images, labels=None, label_names=None, notes=[*images.notes, *unused])
    if images.labels is None:
        why = " in its test split" * (split == "test") + f" ({'; '.join(images.notes)})" * bool(images.notes)
        remedy = ", or move it elsewhere, and some of the others are held out" * (split == "test")
        raise ValueError(
            f"data {source!r} has no labels{why}; set conditional to false, or use class sub-folders{remedy}."
        )
    return images


def load_real_samples(config: TrainConfig, label_names: list[str] | None) -> tuple[ImageSet, str]:
    """The images to ship and their notice: a published model's, or 256 of a data source's test split, else train split.

    The latter have no notice: "".
    """
    folder, size, channels = published_folder(config.real_samples), config.resolution, config.channels
    height, width = height_width(size)
    if (folder / REAL_SAMPLES_TABLE).is_file():
        classes = len(label_names) if label_names else None
        published = real_samples.read(folder, Manifest.if_any(folder), size, channels, classes)
        assert published is not None  # its table is there
        labels = None if published.labels is None else np.array(published.labels, dtype=np.int64)
        pixels = np.stack([np.asarray(image).reshape(height, width, channels) for image in published.images])
        return ImageSet(pixels, labels, label_names), published.notice
    try:
        source = _load(config, config.real_samples, "test")
    except NoSuchSplitError:
        source = _load(config, config.real_samples, "train")
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(config.seed))
    return source.take(order[:REAL_SAMPLES].sort().values.numpy()), ""


class Processes(Protocol):
    """What batches need of an accelerator."""

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        ...

    @property
    def num_processes(self) -> int:
        """The number of processes of the run."""
        ...

    @property
    def process_index(self) -> int:
        """The number of this process, from 0."""
        ...


class Batches:
    """The global batches of a run; this process gets their rows rank · n … (rank + 1) · n.

    Updates of a player are counted from 0: with k discriminator steps, the discriminator has k for each of the generator's.
    """

    def __init__(self, data: ImageSet, config: TrainConfig, latent_size: int, accelerator: Processes) -> None:
        self.data, self.config, self.latent_size = data, config, latent_size
        self.batch_size, self.seed = config.batch_size, config.seed
        self.device = accelerator.device
        self.dtype = torch.float64 if config.precision == "fp64" else torch.float32
        self.layout = torch.channels_last if config.channels_last else torch.contiguous_format
        share = self.batch_size // accelerator.num_processes
        self.process = accelerator.process_index
        self.rows = slice(accelerator.process_index * share, (accelerator.process_index + 1) * share)
        self._order = functools.lru_cache(maxsize=2)(self._order_of_epoch)
        # Fakes get the labels of these images: each class as often as in the data, or equally often.
        self._label_sources = self._order_of_epoch(0) if config.balance_classes else np.arange(len(data))

    def _order_of_epoch(self, epoch: int) -> np.ndarray:
        """Indices (N,) of the images in the order in which an epoch shows them."""
        if self.config.balance_classes:
            rng = np.random.default_rng(_hashed(self.seed, ORDER, epoch))
            assert self.data.labels is not None  # of a conditional run
            return balanced_order(self.data.labels, rng)
        return torch.randperm(len(self.data), generator=generator_for(self.seed, ORDER, epoch)).numpy()

    def reals(self, update: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Images (n, C, H, W) in [-1, 1] and their labels; each image once an epoch, in a new order.

        With `balance_classes`, each class as often as any other instead.
        """
        positions = np.arange(update * self.batch_size, (update + 1) * self.batch_size)[self.rows]
        indices = np.array([self._order(int(p) // len(self.data))[p % len(self.data)] for p in positions])
        labels, images = self._labels_of(indices), from_uint8(self.data.images[indices])
        if self.config.flip:
            u = torch.rand(self.batch_size, 1, generator=generator_for(self.seed, FLIP, update))
            images = flip_horizontally(images, u[self.rows])
            if self.config.takes_maps and labels is not None:
                labels = flip_horizontally(labels[:, None], to_device(u[self.rows], self.device))[:, 0]
        images = to_device(images, self.device, self.dtype)
        return images.contiguous(memory_format=self.layout), labels

    def seed_layers(self, step: int) -> None:
        """Seed torch's global generators for a step: dropout and StyleGAN's random noise draw from them.

        They differ between processes, as the images there do.
        """
        torch.manual_seed(_hashed(self.seed, LAYERS, step, self.process))

    def noise(self, update: int, stream: int) -> torch.Tensor:
        """Latents z (n, Z) ~ N(0, 1) of one player's update."""
        z = torch.randn(self.batch_size, self.latent_size, generator=generator_for(self.seed, stream, update))
        return to_device(z[self.rows], self.device, self.dtype)

    def mixing(self, update: int, stream: int) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Mixing regularisation: second latents (n, Z), and the shares (n,) in [0, 1] of rows that stay with the first."""
        if self.config.mixing == 0:
            return None
        generator = generator_for(self.seed, stream, update)
        second = torch.randn(self.batch_size, self.latent_size, generator=generator)[self.rows]
        mixed, share = torch.rand(2, self.batch_size, generator=generator)[:, self.rows]
        share = torch.where(mixed < self.config.mixing, share, 1.0)
        return to_device(second, self.device, self.dtype), to_device(share, self.device, self.dtype)

    def labels(self, update: int) -> torch.Tensor | None:
        """The labels of the generator's update, drawn with the frequencies of the reals."""
        generator = generator_for(self.seed, LABELS_GENERATOR, update)
        drawn = torch.randint(len(self.data), (self.batch_size,), generator=generator).numpy()[self.rows]
        labels = self._labels_of(self._label_sources[drawn])
        if labels is not None and self.config.takes_maps and self.config.flip:
            u = torch.rand(self.batch_size, 1, generator=generator)[self.rows]
            labels = flip_horizontally(labels[:, None], to_device(u, self.device))[:, 0]
        return labels

    def _labels_of(self, indices: np.ndarray) -> torch.Tensor | None:
        """The labels of these images: classes (n,), maps of classes (n, H, W), or None."""
        known = self.data.labels if self.config.conditional else self.data.maps
        return None if known is None else to_device(torch.from_numpy(known[indices].astype(np.int64)), self.device)

    def augment_pipe(self, update: int, stream: int, step: int, ada_p: float) -> AugmentPipe:
        """The augmentation and instance noise of the discriminator's inputs in one player's update.

        Args:
            update: of the player, from 0.
            stream: AUGMENT_DISCRIMINATOR or AUGMENT_GENERATOR.
            step: of the run, for the noise that fades.
            ada_p: ADA's probability, which other augmentations ignore.

        Returns:
            A pipe that draws its own random numbers.
        """
        config = self.config
        return AugmentPipe(
            generator_for(self.seed, stream, update),
            total=self.batch_size,
            rows=self.rows,
            augment=config.augment,
            policy=config.augment_policy,
            p=ada_p if config.augment == "ada" else 1.0,
            sigma=noise_sigma(step * self.batch_size, config.instance_noise, 1000 * config.instance_noise_kimg),
        )

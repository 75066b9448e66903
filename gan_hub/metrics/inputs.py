"""The inputs of an evaluation: the model or images to score, real images in the same size, held-out images.

Shapes: N images, H × W pixels, C channels.
"""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gan_hub.data import ImageSet, NoSuchSplitError, load_images, load_pairs
from gan_hub.data.split_file import SPLIT_NAME, DataSplit
from gan_hub.messages import short_repr
from gan_hub.metrics.features import OWN_CLASSIFIERS, Extractor
from gan_hub.model_folder.files import INDEX_NAME
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.pipeline import GANPipeline

Resolution = int | Sequence[int]  # pixels of a square, or (height, width)
Subject = GANPipeline | ImageSet | str | os.PathLike  # what can be scored: a model or images, or where they lie
Dataset = ImageSet | str | os.PathLike  # real images, or what `load_images` takes


@dataclass(frozen=True)
class EvaluationInputs:
    """What an evaluation compares: a model, or else images, and the real images."""

    subject: str  # name of what is scored
    pipeline: GANPipeline | None
    images: ImageSet | None
    reals: ImageSet

    def held_out(
        self, dataset: Dataset, trained: ImageSet | None = None
    ) -> tuple[ImageSet | None, ImageSet | None, str]:
        """The real images that the model was not trained on, those that it was, and a note for people.

        Where split.json in the model's folder is of these very images, it says what was held out; otherwise the test split
        of the data is, where there is one. `trained` are the images it was trained on, if the caller knows them.
        """
        split = _split_of(self.pipeline)
        note = ""
        if split is not None and not split.held_out_is_test_split:
            try:
                own_trained, held_out = split.apply(self.reals)
                return held_out, own_trained if trained is None else trained, note
            except ValueError as error:
                note = f"{SPLIT_NAME} of {self.subject}: {error}" if split.data == dataset else ""
        return _test_split(dataset, self.reals), trained, note

    @property
    def skipped(self) -> dict[str, ImageSet]:
        """The image sets with skipped files, by what they are: "scored" or "real"."""
        image_sets = {"scored": self.images, "real": self.reals}
        return {name: images for name, images in image_sets.items() if images is not None and images.skipped}


def load_inputs(
    subject: Subject, dataset: Dataset, split: str, extractor: Extractor, resolution: Resolution | None = None
) -> EvaluationInputs:
    """Load what is scored, and the real images in its size and channels.

    Args:
        subject: a pipeline, whatever `GANPipeline.from_pretrained` takes, an ImageSet, or where images lie.
        dataset: the real images.
        split: "train" or "test", of `dataset`.
        extractor: the bundled ones see 28 × 28 grey pixels alone.
        resolution: pixels of both sides, where neither a model nor the extractor says it.

    Returns:
        The model or images, and the real images; a model is where it was, on its device.

    Raises:
        ValueError: what is not allowed, in a sentence; LoadError for a model.
    """
    if isinstance(subject, GANPipeline):
        name = Path(str(subject.name_or_path or "model")).name
        return EvaluationInputs(name, subject, None, _reals_for_model(dataset, subject, split))
    if isinstance(subject, ImageSet):
        images = check_images(subject, "the scored images")
        return EvaluationInputs("images", None, images, _reals_for_images(dataset, images, split))
    path = Path(subject)
    if holds_images(path):
        images = _every_split(os.fspath(subject), *_shape_without_model(extractor, resolution, dataset))
        return EvaluationInputs(path.name, None, images, _reals_for_images(dataset, images, split))
    if resolution is not None:
        raise ValueError(f"resolution={short_repr(resolution)} is not allowed with a model, which has its own.")
    pipeline = GANPipeline.from_pretrained(subject)
    return EvaluationInputs(path.name, pipeline, None, _reals_for_model(dataset, pipeline, split))


def holds_images(path: Path) -> bool:
    """Whether a path is a set of images: a file, or a folder that is neither a model nor a run.

    A name that is no path is a model's. A run's folder has grids and plots in it, which are no images to score; loading it
    as a model says what to give instead.
    """
    is_run = any(path.glob("checkpoints/step-*")) or (path / "export" / INDEX_NAME).is_file()
    return path.is_file() or (path.is_dir() and not (path / INDEX_NAME).is_file() and not is_run)


def move_to_device(pipeline: GANPipeline | None, extractor: Extractor, device: str | torch.device | None) -> None:
    """Move model and extractor to one device.

    Args:
        pipeline: the model, if there is one.
        extractor: moved in place, as the model is.
        device: None leaves the model where it is, and moves the extractor there.
    """
    if device is not None and pipeline is not None and pipeline.device != torch.device(device):
        pipeline.to(device)
    extractor.to(device or (pipeline.device if pipeline is not None else "cpu"))


def subset(images: ImageSet, count: int | None, seed: int | Sequence[int], name: str) -> ImageSet:
    """Some of the images, drawn without replacement, in their order.

    Args:
        images: N of them.
        count: how many, 1 to N; None for all.
        seed: that they are drawn by; several numbers are one seed.
        name: what the caller calls `count`, for the message.

    Returns:
        `count` images.

    Raises:
        ValueError: there are fewer.
    """
    if count is None:
        return images
    if count > len(images):
        raise ValueError(f"{name}={count} is not allowed; it is a whole number from 1 to {len(images)}.")
    rows = np.random.default_rng(seed).permutation(len(images))[:count]
    return images.take(np.sort(rows))


def check_images(images: ImageSet, name: str) -> ImageSet:
    """The images themselves; raises ValueError, in which they are called `name`, unless they are uint8 (N, H, W, C)."""
    pixels = images.images
    if len(pixels.shape) != 4 or pixels.dtype != np.uint8 or 0 in pixels.shape or pixels.shape[3] > 4:
        raise ValueError(
            f"{name} are {pixels.dtype} {tuple(pixels.shape)}; images to be scored are uint8 (N, H, W, C), none of them 0, C "
            "1 to 4."
        )
    return images


def _split_of(pipeline: GANPipeline | None) -> DataSplit | None:
    """The split.json of a model's run; None for images, for models made in memory, and without one."""
    folder = str(pipeline.name_or_path or "") if pipeline is not None else ""
    return DataSplit.read(Path(folder)) if folder and os.path.isdir(folder) else None


def _test_split(dataset: Dataset, reals: ImageSet) -> ImageSet | None:
    """The test split of the data in the size of the real images; None where there is none."""
    if isinstance(dataset, ImageSet):
        return None
    load = load_images if reals.maps is None else load_pairs
    _, *size, channels = reals.images.shape
    try:
        return load(dataset, size, channels, "test")
    except NoSuchSplitError:
        return None


def _reals_for_model(dataset: Dataset, pipeline: GANPipeline, split: str) -> ImageSet:
    """Real images in a model's size and channels, with maps where it draws from maps."""
    if isinstance(dataset, ImageSet):
        return check_images(dataset, "the real images")
    generator = pipeline.unwrapped_generator
    load = load_pairs if isinstance(generator, SegmentationConditional) else load_images
    return load(dataset, generator.config["resolution"], generator.config["channels"], split)


def _reals_for_images(dataset: Dataset, images: ImageSet, split: str) -> ImageSet:
    """Real images in the size and channels of the scored ones."""
    if isinstance(dataset, ImageSet):
        return check_images(dataset, "the real images")
    _, *size, channels = images.images.shape
    return load_images(dataset, size, channels, split)


def _every_split(source: str, size: Resolution, channels: int) -> ImageSet:
    """All images of a source that are to be scored, its train split first where it has splits."""
    splits: list[ImageSet] = []
    for split in ("train", "test"):
        with contextlib.suppress(NoSuchSplitError):
            splits.append(load_images(source, size, channels, split))
    if len(splits) == 1:
        return splits[0]
    train, test = splits
    images = np.concatenate([np.asarray(train.images), np.asarray(test.images)])
    skipped = {kind: train.skipped.get(kind, []) + test.skipped.get(kind, []) for kind in train.skipped | test.skipped}
    if train.labels is None or test.labels is None or train.label_names != test.label_names:
        return ImageSet(images, None, None, skipped)
    return ImageSet(images, np.concatenate([train.labels, test.labels]), train.label_names, skipped)


def _shape_without_model(
    extractor: Extractor, resolution: Resolution | None, dataset: Dataset
) -> tuple[Resolution, int]:
    """(resolution, channels) of both image sets where no model gives them."""
    if isinstance(dataset, ImageSet):
        return list(dataset.images.shape[1:3]), dataset.images.shape[3]
    if extractor.name in OWN_CLASSIFIERS:
        return resolution or 28, 1
    if resolution is None:
        raise ValueError("images without a model need resolution=, the pixels that both sides are brought to.")
    return resolution, 3

"""What a model brings to play with: real pictures, a discriminator, a time-lapse, a rival. Each makes one kind of game."""

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gan_hub.demo import models
from gan_hub.hub.score_names import score_key
from gan_hub.images import normalize_pil
from gan_hub.metrics.report import Report, compare
from gan_hub.model_folder import real_samples, timelapse
from gan_hub.model_folder.files import SCORES_NAME, SUMMARY_NAME
from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.strict import LoadError, read_json
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.pipeline import GANPipeline

KINDS = ("real", "preferred", "later", "better")
FEWEST_FRAMES = 4  # of a time-lapse to play with
EASY_AUC = 0.94  # of the discriminator; pictures that it tells apart so well do not fool eyes either
THUMBNAIL = 16  # pixels along a side


@dataclass(frozen=True)
class Rival:
    """Another network that learnt the same data, and was measured alike."""

    name: str
    winner: str  # the name of the better one of the two
    loses: bool  # whether this one is the worse one
    score: str  # what was measured, smaller is better
    better: float
    worse: float


def kinds_of(pipe: GANPipeline) -> list[str]:
    """The kinds of game that a model can be played with, the best first."""
    path = folder(pipe)
    has = {
        "real": all((path / name).is_file() for name in real_samples.NAMES),
        "preferred": pipe.discriminator is not None,
        "later": timelapse.exists(path) and _has_moments(pipe),
        "better": bool(rivals(pipe)),
    }
    return [kind for kind in KINDS if has[kind]]


def has_early_fakes(pipe: GANPipeline) -> bool:
    """Whether pictures of an earlier stage can lie beside real ones: lossless frames of a time-lapse, of each class."""
    path = folder(pipe)
    if not all((path / name).is_file() for name in real_samples.NAMES):
        return False
    if not timelapse.exists(path) or not _has_moments(pipe):
        return False
    lapse = time_lapse(pipe)
    return lapse is not None and lapse.layout[1] >= len(pipe.label_names or ())


def is_playable(pipe: GANPipeline) -> bool:
    """Whether a model can be played with at all."""
    return bool(kinds_of(pipe))


def is_easily_told(pipe: GANPipeline) -> bool:
    """Whether the discriminator ranks nearly every real picture before a generated one."""
    return can_judge(pipe) and pipe.calibration is not None and pipe.calibration.auc > EASY_AUC


def folder(pipe: GANPipeline) -> Path:
    """Where a model's files lie."""
    return Path(pipe.name_or_path)


def can_judge(pipe: GANPipeline) -> bool:
    """Whether the discriminator can play. Some models have none; some judge by a map, which real pictures lack."""
    return pipe.discriminator is not None and not isinstance(pipe.unwrapped_discriminator, SegmentationConditional)


def real_pictures(pipe: GANPipeline) -> real_samples.RealSamples | None:
    """The real pictures of a model; None for one without."""
    config, path = pipe.unwrapped_generator.config, folder(pipe)
    return real_samples.read(
        path, Manifest.if_any(path), config["resolution"], config["channels"], config["num_classes"]
    )


def _thumbnails(images: Sequence[Image.Image]) -> np.ndarray:
    size = (THUMBNAIL, THUMBNAIL)
    small = [np.asarray(normalize_pil(image, 3).resize(size, Image.Resampling.BOX), np.float32) for image in images]
    return np.stack(small).reshape(len(images), -1)


def distances_to_reals(pipe: GANPipeline, images: Sequence[Image.Image]) -> np.ndarray:
    """How far each picture is from the nearest real one, as both look from afar.

    Args:
        pipe: a model with real pictures.
        images: N pictures of its size.

    Returns:
        (N,) mean squared differences of thumbnails.
    """
    samples = real_pictures(pipe)
    assert samples is not None, "asked only where there are some"
    reals, own = _thumbnails(samples.images), _thumbnails(images)
    return np.array([((reals - each) ** 2).mean(1).min() for each in own])


def time_lapse(pipe: GANPipeline) -> timelapse.Timelapse | None:
    """The time-lapse of a model's training; None for one without."""
    config = pipe.unwrapped_generator.config
    return _time_lapse(str(folder(pipe)), _size(config["resolution"]), config["channels"])


def _has_moments(pipe: GANPipeline) -> bool:
    """Whether there are enough frames, and each is a grid of images that can be cut out."""
    try:
        lapse = time_lapse(pipe)
    except LoadError:  # damaged; the other kinds of game do not need it
        return False
    return lapse is not None and len(lapse.frames) >= FEWEST_FRAMES and lapse.layout != (0, 0)


def _size(resolution: int | Sequence[int]) -> int | tuple[int, ...]:
    return resolution if isinstance(resolution, int) else tuple(resolution)


@functools.lru_cache(maxsize=8)  # decoding takes up to half a second
def _time_lapse(path: str, resolution: int | tuple[int, ...], channels: int) -> timelapse.Timelapse | None:
    return timelapse.read(Path(path), resolution, channels)


# ------------------------------------------------------------------------------------------------- rivals


def rivals(pipe: GANPipeline) -> tuple[Rival, ...]:
    """The other models of the page with a better or worse score on the same data, beyond the noise of both.

    They draw pictures of the same size, of the same classes.

    Args:
        pipe: the model.

    Returns:
        Those with the nearest score first.
    """
    return _rivals(str(folder(pipe)), tuple(models.offered_models().items()))


@functools.lru_cache(maxsize=64)
def _rivals(own: str, offered: tuple[tuple[str, str], ...]) -> tuple[Rival, ...]:
    folders = {name: Path(os.path.expanduser(source)) for name, source in offered}
    own_name = next((name for name, path in folders.items() if os.path.realpath(path) == os.path.realpath(own)), "")
    measured = [
        rival
        for name, path in folders.items()
        if name != own_name and (rival := _rival(own_name, Path(own), name, path)) is not None
    ]
    return tuple(sorted(measured, key=lambda rival: rival.worse / max(rival.better, 1e-9)))


def _rival(own_name: str, own: Path, name: str, other: Path) -> Rival | None:
    """The other model as a rival; None where the two cannot be compared, or not told apart."""
    try:
        sizes = [read_json(path / SUMMARY_NAME) for path in (own, other)]
        alike = all(sizes[0][key] == sizes[1][key] for key in ("resolution", "channels", "label_names"))
        if not alike or any("semantic_names" in size for size in sizes):
            return None
        rows = compare(Report.read(own / SCORES_NAME), Report.read(other / SCORES_NAME))
    except (OSError, ValueError, KeyError):  # no scores, or not measured alike
        return None
    row = next((row for row in rows if score_key(row.name) == "fd"), None)
    if row is None or row.overlap is not False:
        return None
    loses = row.first < row.second
    better, worse = sorted((row.first, row.second))
    return Rival(name, own_name if loses else name, loses, row.name, better, worse)

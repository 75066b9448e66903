"""One call scores a model, or a set of images, against a data set; the provenance is part of the number."""

import contextlib
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import gan_hub
from gan_hub.data import ImageSet, NoSuchSplitError, load_images, load_pairs
from gan_hub.devices import find_device
from gan_hub.latents import as_int, check_seeds, seeded
from gan_hub.messages import short_repr
from gan_hub.metrics.distributed import ProcessGroup
from gan_hub.metrics.feature_cache import ImageSource, extract_features
from gan_hub.metrics.features import BUNDLED, EXTRACTORS, Extractor, load_extractor
from gan_hub.metrics.frechet import frechet_distance, moments
from gan_hub.metrics.memorization import nearest_copies
from gan_hub.metrics.registry import HELD_OUT, SCORES, Evaluation
from gan_hub.metrics.report import Estimate, Report
from gan_hub.model_folder.files import INDEX_NAME
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.pipeline import GANPipeline
from gan_hub.seeds import MAX_SEED

NUM_IMAGES = 10_000  # of a model, unless another number is asked for
BATCH = 16, 64  # images a model makes at a time, on a CPU and on an accelerator
DEFAULT, WHERE_IT_CAN_BE = "fd", ("accuracy",)  # what is scored if nothing is said
REPLICATES = 100  # resamplings an interval is made of
OWN_EXTRACTORS = {"mnist": "digits", "fashion-mnist": "fashion"}  # of data sets; for others one must be named


def evaluate(
    pipe_or_folder: GANPipeline | ImageSet | str | os.PathLike,
    dataset: str | ImageSet,
    metrics: Sequence[str] | None = None,
    extractor: str | Extractor | None = None,
    num_images: int | None = None,
    seed: int = 0,
    split: str = "train",
    real: tuple[torch.Tensor, torch.Tensor] | None = None,
    *,
    weights: str | os.PathLike | None = None,
    num_real: int | None = None,
    resolution: int | Sequence[int] | None = None,
    held_out: ImageSet | None = None,
    replicates: int = REPLICATES,
    batch_size: int | None = None,
    device: str | None = None,
    keep: bool = False,
    together: bool = False,
    progress: bool = False,
    scales: bool = True,
    data_name: str = "images",
    trained: ImageSet | None = None,
    at_risk: int = 0,
) -> Report:
    """Scores a model's images of the seeds `seed`, seed + 1, …, or a set of images, against those of `dataset`, all in uint8.

    `pipe_or_folder` is a pipeline, whatever `GANPipeline.from_pretrained` takes, or images: an ImageSet, a folder, .zip,
    .npz or .parquet, brought like the data to `resolution` pixels where the extractor does not say which.
    `metrics` are names in `SCORES`, by default fd and, of conditional models, accuracy; fid is fd in the features of
    Inception. `extractor` is a name `load_extractor` knows (with its file, `weights`), by default the data set's own.

    `num_images` scored images (10,000 of a model, all of a set) meet `num_real` images (all) of `split`; fewer than there
    are, they are drawn by `seed`. `held_out` real images serve the floor and the judge; of a named data set they are its
    test split. `replicates` is how many resamplings an interval is made of (0: none). `device` is where model and
    extractor work, by default where the model is. `keep` keeps features on the disk, so that an interrupted evaluation
    goes on where it was; `together` shares the work among the processes of an `accelerate launch`. Neither changes a
    number. `real` may bring `real_moments` along.

    `at_risk` so many scored images that come nearest to a training image are shown in the report, where there are held-out
    ones to say how near that is. Where the model was not trained on all of the real images, `trained` are those it was.

    Raises ValueError in a sentence for what is not allowed, LoadError for a model or weights that cannot be had.
    """
    device = None if device is None else find_device(device)
    (seed,) = check_seeds([seed])
    num_images, num_real, batch_size = (
        value if value is None else _count(name, value)
        for name, value in (("num_images", num_images), ("num_real", num_real), ("batch_size", batch_size))
    )
    if seed + (num_images or 1) - 1 > MAX_SEED:
        raise ValueError(f"seed={seed} leaves no seeds for {num_images} images; the last one is {MAX_SEED}.")
    replicates, at_risk = _count("replicates", replicates, least=0), _count("at_risk", at_risk, least=0)
    if replicates == 1:
        raise ValueError("replicates=1 is not allowed; it is 0 (no intervals), or 2 and more.")
    names, extractor = _what_with(metrics, extractor, weights, dataset)
    team = ProcessGroup(together)
    pipe, images, subject = _subject(pipe_or_folder, extractor, resolution, dataset)
    _place(pipe, extractor, team.place(device))
    reals = _reals(dataset, pipe, images, split)
    scales = scales and (not names or "fd" in names)
    sought = scales or at_risk or any(HELD_OUT in SCORES[name].needs for name in names)
    if held_out is None and split == "train" and sought:
        held_out = _other_split(dataset, reals)
    reals = _some(reals, num_real, seed, "num_real")
    if pipe is None:
        pictures = ImageSource.of_set(_some(images, num_images, seed, "num_images"))
    else:
        pictures = _drawn(pipe, num_images, seed, batch_size, reals)
    said = progress and team.first
    sides = {"scored": images, "real": reals, "held-out real": held_out}
    sides = {name: side for name, side in sides.items() if side is not None and side.skipped}
    if said:  # before hours of work
        _note(*(f"{name} images: {side.report()}" for name, side in sides.items()))
    e = Evaluation(extractor, reals, pictures, pipe, held_out, replicates, seed, team, keep, said, trained)
    if real is not None:
        e.real_moments = real
    title = data_name if isinstance(dataset, ImageSet) else Path(dataset).name if os.path.exists(dataset) else dataset
    estimates, pictured = _estimates(e, names), _scales(e) if scales else {}
    copies = nearest_copies(e, at_risk) if at_risk and e.held_out_set is not None else None
    if said and any("FD" in name or name == "FID" for name in estimates):
        _note(*_bias(e))
    provenance = _provenance(e, title, split) | {"skipped": _skipped(sides)}
    return Report.of(estimates, provenance, pictured, subject, copies)


def _count(name: str, value: object, least: int = 1) -> int:
    """A Python, numpy or torch whole number as an int; raises ValueError, naming it, for anything else."""
    count = as_int(value)
    if count is None or count < least:
        raise ValueError(f"{name}={short_repr(value)} is not allowed; it is a whole number from {least}.")
    return count


def _checked(images: ImageSet, name: str) -> ImageSet:
    """Images as everything here takes them; raises ValueError for others."""
    pixels = images.images
    if len(pixels.shape) != 4 or pixels.dtype != np.uint8 or 0 in pixels.shape or pixels.shape[3] > 4:
        raise ValueError(
            f"{name} are {pixels.dtype} {tuple(pixels.shape)}; images to be scored are uint8 (N, H, W, C), none of them 0, C "
            "1 to 4."
        )
    return images


def _note(*sentences: str) -> None:
    """Says on standard error what a person should know beside the scores; the bar of a progress stays below it."""
    for sentence in sentences:
        tqdm.write(f"note: {sentence}", file=sys.stderr)


def _bias(e: Evaluation) -> list[str]:
    """A sentence where a Fréchet distance was measured on far too few images for a covariance."""
    features, fewest = e.fakes.features.shape[1], min(e.pictures.count, len(e.reals_set))
    if 10 * fewest >= features:
        return []
    return [
        f"a Fréchet distance of {fewest:,} images in {features:,} features is mostly bias: it compares with others of as many "
        "images alone. kid has no such bias."
    ]


def _skipped(sides: dict[str, ImageSet]) -> str | None:
    """How many files of each side could not be used, by kind; None where all could."""
    told = []
    for side, images in sides.items():
        kinds = {kind: len(names) for kind, names in sorted(images.skipped.items())}
        said = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
        told.append(f"{sum(kinds.values()):,} {side} files ({said})")
    return ", ".join(told) or None


def _estimates(e: Evaluation, names: list[str]) -> dict[str, Estimate]:
    """The scores of those names; what one of them has not got is said before anything is measured."""
    names = names or [DEFAULT, *(name for name in WHERE_IT_CAN_BE if not SCORES[name].missing(e))]
    for name in names:
        missing = SCORES[name].missing(e)
        if missing:
            raise ValueError(f"metric {name!r} needs {missing}.")
    estimates: dict[str, Estimate] = {}
    for name in names:
        estimates |= SCORES[name].measure(e)
    for name, estimate in estimates.items():
        if not math.isfinite(estimate.value):
            raise ArithmeticError(f"{name} is {estimate.value} for these images: no report is made of it.")
    return estimates


def _what_with(metrics, extractor, weights, dataset) -> tuple[list[str], Extractor]:
    """The names of the scores and the extractor, each given or by default; "fid" is "fd" in Inception's features."""
    names = [metrics] if isinstance(metrics, str) else list(metrics or [])
    for name in names:
        if name not in SCORES and name != "fid":
            raise ValueError(f"metric {short_repr(name)} is not allowed; choose from fid, {', '.join(SCORES)}.")
    own = OWN_EXTRACTORS.get(dataset) if isinstance(dataset, str) else None
    extractor = extractor or ("inception" if "fid" in names else own)
    if extractor is None:
        named = f"data {short_repr(dataset)}" if isinstance(dataset, (str, os.PathLike)) else "an image set"
        others = ", ".join(name for name in EXTRACTORS if name not in BUNDLED)
        raise ValueError(
            f"{named} has no extractor of its own; choose {others} or a Hub id as its extractor, or {' or '.join(BUNDLED)}, "
            "which see 28 × 28 grey pixels."
        )
    if isinstance(extractor, str):
        extractor = load_extractor(extractor, weights)
    if "fid" in names and extractor.name != "inception":
        raise ValueError(
            f"fid is a distance in the features of inception, and no other is called so; with {extractor.name!r} ask for fd."
        )
    if "fid" in names and not extractor.is_fid_inception:
        raise ValueError(
            "fid is measured with the Inception of 2015, and these weights are not known to be it (docs/metrics.md says how "
            "they can be); ask for fd, which is then called FD-inception."
        )
    return list(dict.fromkeys("fd" if name == "fid" else name for name in names)), extractor


def _subject(given, extractor: Extractor, resolution, dataset) -> tuple[GANPipeline | None, ImageSet | None, str]:
    """(pipeline or None, images or None, name) of what is to be scored."""
    if isinstance(given, GANPipeline):
        return given, None, Path(str(given.name_or_path or "model")).name
    if isinstance(given, ImageSet):
        return None, _checked(given, "the scored images"), "images"
    path = Path(given)
    if _holds_images(path):
        return None, _every_split(os.fspath(given), *_shape(extractor, resolution, dataset)), path.name
    if resolution is not None:
        raise ValueError(f"resolution={short_repr(resolution)} is not allowed with a model, which has its own.")
    return GANPipeline.from_pretrained(given), None, path.name


def _holds_images(path: Path) -> bool:
    """Whether a path is a set of images; a name that is no path is a model's, and so is a folder with a model's index.

    A run's folder is none, either, whatever grids and plots lie in it: who loads it as a model says what to give.
    """
    is_run = any(path.glob("checkpoints/step-*")) or (path / "export" / INDEX_NAME).is_file()
    return path.is_file() or (path.is_dir() and not (path / INDEX_NAME).is_file() and not is_run)


def _every_split(source: str, size: int | Sequence[int], channels: int) -> ImageSet:
    """All images of a source that are to be scored, those for training first where it has splits."""
    found: list[ImageSet] = []
    for split in ("train", "test"):
        with contextlib.suppress(NoSuchSplitError):
            found.append(load_images(source, size, channels, split))
    if len(found) == 1:
        return found[0]
    train, test = found
    labelled = train.label_names is not None and train.label_names == test.label_names
    return ImageSet(
        np.concatenate([np.asarray(train.images), np.asarray(test.images)]),
        np.concatenate([train.labels, test.labels]) if labelled else None,
        train.label_names if labelled else None,
        {kind: train.skipped.get(kind, []) + test.skipped.get(kind, []) for kind in train.skipped | test.skipped},
    )


def _place(pipe: GANPipeline | None, extractor: Extractor, device: torch.device | None) -> None:
    """Puts model and extractor on `device`; the extractor where the model is, if none is named."""
    if device is not None and pipe is not None and pipe.device != device:
        pipe.to(device)
    extractor.to(device or (pipe.device if pipe is not None else "cpu"))


def _drawn(
    pipe: GANPipeline, num_images: int | None, seed: int, batch_size: int | None, reals: ImageSet
) -> ImageSource:
    """The images that a model is scored on."""
    count = NUM_IMAGES if num_images is None else num_images
    maps = reals.maps if isinstance(pipe.unwrapped_generator, SegmentationConditional) else None
    return ImageSource.of_model(pipe, count, seed, batch_size or BATCH[pipe.device.type != "cpu"], maps)


def _shape(extractor: Extractor, resolution, dataset) -> tuple[int | Sequence[int], int]:
    """(resolution, channels) that images are brought to where no model says it."""
    if isinstance(dataset, ImageSet):
        return list(dataset.images.shape[1:3]), dataset.images.shape[3]
    if extractor.name in BUNDLED:
        return resolution or 28, 1
    if resolution is None:
        raise ValueError("images without a model need resolution=, the pixels that both sides are brought to.")
    return resolution, 3


def _reals(dataset: str | ImageSet, pipe: GANPipeline | None, images: ImageSet | None, split: str) -> ImageSet:
    """The real images in the size and colours of what is scored, with maps where the model wants them."""
    if isinstance(dataset, ImageSet):
        return _checked(dataset, "the real images")
    if pipe is None:
        *size, channels = images.images.shape[1:]
        return load_images(dataset, size, channels, split)
    load = load_pairs if isinstance(pipe.unwrapped_generator, SegmentationConditional) else load_images
    return load(
        dataset, pipe.unwrapped_generator.config["resolution"], pipe.unwrapped_generator.config["channels"], split
    )


def _other_split(dataset: str | ImageSet, reals: ImageSet) -> ImageSet | None:
    """The test split of a source, where it has one."""
    if isinstance(dataset, ImageSet):
        return None
    load = load_images if reals.maps is None else load_pairs
    *size, channels = reals.images.shape[1:]
    try:
        return load(dataset, size, channels, "test")
    except NoSuchSplitError:
        return None


def _some(images: ImageSet, count: int | None, seed: int, name: str) -> ImageSet:
    """`count` of the images, drawn without replacement and in their order; all of them for None."""
    if count is None:
        return images
    if count > len(images):
        raise ValueError(f"{name}={count} is not allowed; it is a whole number from 1 to {len(images)}.")
    drawn = np.random.default_rng(seed).permutation(len(images))[:count]
    return images.take(np.sort(drawn))


def _provenance(e: Evaluation, data: str, split: str) -> dict[str, object]:
    """What has to be the same in two reports for their numbers to compare."""
    return {
        "extractor": e.extractor.name,
        "extractor_sha256": e.extractor.sha256,
        "extractor_test_accuracy": e.extractor.test_accuracy,
        "trusted_by": e.extractor.trusted_by,
        "size": "{} × {} × {}, others cropped and resized (Lanczos)".format(*e.pictures.shape),
        "resize": e.extractor.resize,
        "data": data,
        "real_images": len(e.reals_set),
        "real_split": split,
        "real_sha256": ImageSet(e.reals_set.images).fingerprint(),  # of pixels alone, whatever labels came with them
        "held_out_sha256": ImageSet(e.held_out_set.images).fingerprint() if e.held_out_set is not None else None,
        "generated_images": e.pictures.count,
        "seed": None if e.pipe is None else e.seed,
        "dtype": None if e.pipe is None else str(e.pipe.unwrapped_generator.dtype).removeprefix("torch."),
        "gan_hub": gan_hub.__version__,
        "near_duplicates": e.near_duplicates,
    }


def _scales(e: Evaluation) -> dict[str, float]:
    """The same Fréchet distance of things that everybody can picture: unseen real images, and noise."""
    scales, name = {}, e.called("FD")
    if e.held_out_set is not None and len(e.held_out_set) > 1:
        found = frechet_distance(moments(e.held_out.features), e.real_moments)
        scales[f"{name} of {len(e.held_out_set):,} held-out real images"] = found
    height, width, channels = e.reals_set.images.shape[1:]
    noise = torch.rand(2000, channels, height, width, generator=seeded(0), dtype=torch.float32) * 2 - 1
    scales[f"{name} of uniform noise"] = frechet_distance(moments(e.extractor.features(noise)), e.real_moments)
    return scales


def real_moments(reals: ImageSet, extractor: Extractor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and covariance of the features of a whole image set."""
    return moments(extract_features(ImageSource.of_set(reals), extractor).features)

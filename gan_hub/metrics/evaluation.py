"""One call scores a model, or a set of images, against real images; the report says what it was measured with."""

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm import tqdm

from gan_hub._moved import renamed_arguments
from gan_hub.data import ImageSet
from gan_hub.devices import find_device
from gan_hub.hub.score_names import score_key
from gan_hub.latents import as_int, check_seeds, seeded
from gan_hub.messages import short_repr
from gan_hub.metrics.distributed import ProcessGroup
from gan_hub.metrics.feature_cache import ImageSource, extract_features
from gan_hub.metrics.features import Extractor, load_extractor
from gan_hub.metrics.frechet import Moments, frechet_distance, moments
from gan_hub.metrics.inputs import Dataset, EvaluationInputs, Resolution, Subject, load_inputs, move_to_device, subset
from gan_hub.metrics.memorization import nearest_copies
from gan_hub.metrics.registry import HELD_OUT, SCORES, Evaluation, Scores
from gan_hub.metrics.report import SCORES_VERSION, Estimate, Report
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.seeds import MAX_SEED
from gan_hub.version import full_version

NUM_IMAGES = 10_000  # of a model, unless another number is asked for
BATCH_CPU, BATCH_ACCELERATOR = 16, 64  # images that a model draws at a time
DEFAULT, DEFAULT_IF_POSSIBLE = "fd", ("accuracy",)  # what is scored where no metric is named
REPLICATES = 100  # resamplings for an interval
OWN_EXTRACTORS = {"mnist": "digits", "fashion-mnist": "fashion"}  # of data sets
ANY_EXTRACTOR = "mobilenet-v2"  # of all others: it takes every size and color, and comes with the package


@renamed_arguments(
    real="real_moments", together="distributed", scales="reference_scores", at_risk="nearest_training_images"
)
def evaluate(
    pipe_or_folder: Subject, dataset: Dataset,
    metrics: str | Sequence[str] | None = None, extractor: str | Extractor | None = None,
    num_images: int | None = None, seed: int = 0, split: str = "train", real_moments: Moments | None = None, *,
    weights: str | os.PathLike | None = None, num_real: int | None = None, resolution: Resolution | None = None,
    held_out: ImageSet | None = None, trained: ImageSet | None = None, replicates: int = REPLICATES,
    batch_size: int | None = None, device: str | torch.device | None = None, keep: bool = False,
    distributed: bool = False, progress: bool = False, reference_scores: bool = True, data_name: str = "images",
    nearest_training_images: int = 0,
) -> Report:  # fmt: skip
    """Scores a model's images of the seeds `seed`, `seed` + 1 and so on, or a set of images, against real images.

    Args:
        pipe_or_folder: a pipeline, whatever `GANPipeline.from_pretrained` takes, or images: an ImageSet, a folder, .zip, ….
        dataset: the real images: whatever `load_images` takes, or an ImageSet.
        metrics: names in `SCORES`, or "fid"; by default fd and, where the classes are the extractor's, accuracy.
        extractor, weights: as of `load_extractor`; by default the data set's own, mobilenet-v2 where it has none.
        num_images, num_real: scored images (10,000 of a model, all of a set) and real ones (all), drawn by `seed`.
        seed: of the first image.
        split: "train" or "test", of `dataset`.
        real_moments: mean and covariance of the real features, where they are known already.
        resolution: pixels of both sides, where neither a model nor the extractor says it.
        held_out, trained: real images that the model was not, and was, trained on; by default what split.json in its folder
            says of these data, else their test split. They serve the reference score, the judge and the search for copies.
        replicates: resamplings for an interval; 0 for none.
        batch_size: images that a model draws at a time.
        device: where model and extractor work; by default where the model is.
        keep: whether features are kept on the disk, so that an interrupted evaluation goes on where it was.
        distributed: whether the processes of an `accelerate launch` share the work. It changes no number, nor does `keep`.
        progress: whether bars and notes are shown on stderr.
        reference_scores: whether the Fréchet distances of held-out images and of noise are measured for scale.
        data_name: what the report calls an ImageSet.
        nearest_training_images: how many of the scored images nearest to a training image go into the report.

    Returns:
        Scores with intervals and provenance.

    Raises:
        ValueError: what is not allowed, in a sentence; LoadError for a model or weights that cannot be loaded.
    """
    counts = _Counts.checked(seed, num_images, num_real, batch_size, replicates, nearest_training_images)
    device = None if device is None else find_device(device)
    names, extractor = _choose_scores(metrics, extractor, weights, dataset)
    group = ProcessGroup(distributed)
    inputs = load_inputs(pipe_or_folder, dataset, split, extractor, resolution)
    move_to_device(inputs.pipeline, extractor, group.local_device(device))
    note, reference_scores = "", reference_scores and (not names or "fd" in names)
    if held_out is None and split == "train" and (reference_scores or counts.nearest or _needs_held_out(names)):
        held_out, trained, note = inputs.held_out(dataset, trained)
    evaluation = _prepare(inputs, extractor, counts, held_out, trained, group, keep, progress and group.is_main_process)
    if real_moments is not None:
        evaluation.real_moments = real_moments
    skipped = inputs.skipped | ({"held-out real": held_out} if held_out is not None and held_out.skipped else {})
    if evaluation.progress:  # before hours of work
        _print_notes(note, *(f"{name} images: {images.report()}" for name, images in skipped.items()))
    name = data_name if isinstance(dataset, ImageSet) else os.fspath(dataset)
    data = Path(name).name if os.path.exists(name) else name
    return _report(evaluation, names, inputs.subject, data, split, skipped, reference_scores, counts.nearest)


class _Counts(NamedTuple):
    """The whole numbers among the arguments of `evaluate`."""

    seed: int
    num_images: int | None
    num_real: int | None
    batch_size: int | None
    replicates: int
    nearest: int

    @classmethod
    def checked(
        cls, seed: int, num_images: object, num_real: object, batch_size: object, replicates: object, nearest: object
    ) -> "_Counts":
        """The numbers as ints, whatever library made them; raises ValueError for what is not allowed."""
        (first,) = check_seeds([seed])
        images, reals, batch = (
            None if value is None else _count(name, value)
            for name, value in (("num_images", num_images), ("num_real", num_real), ("batch_size", batch_size))
        )
        if first + (images or 1) - 1 > MAX_SEED:
            raise ValueError(f"seed={first} leaves no seeds for {images} images; the last one is {MAX_SEED}.")
        resamplings = _count("replicates", replicates, least=0)
        if resamplings == 1:
            raise ValueError("replicates=1 is not allowed; it is 0 (no intervals), or 2 and more.")
        return cls(first, images, reals, batch, resamplings, _count("nearest_training_images", nearest, least=0))


def _count(name: str, value: object, least: int = 1) -> int:
    """A whole number as an int; raises ValueError, naming it, for anything else and for less than `least`."""
    count = as_int(value)
    if count is None or count < least:
        raise ValueError(f"{name}={short_repr(value)} is not allowed; it is a whole number from {least}.")
    return count


def _choose_scores(
    metrics: str | Sequence[str] | None,
    extractor: str | Extractor | None,
    weights: str | os.PathLike | None,
    dataset: Dataset,
) -> tuple[list[str], Extractor]:
    """Names in SCORES ([] for the default ones) and the loaded extractor; "fid" is "fd" in the features of Inception."""
    names = [metrics] if isinstance(metrics, str) else list(metrics or [])
    for name in names:
        if name not in SCORES and name != "fid":
            raise ValueError(f"metric {short_repr(name)} is not allowed; choose from fid, {', '.join(SCORES)}.")
    own = OWN_EXTRACTORS.get(dataset, ANY_EXTRACTOR) if isinstance(dataset, str) else ANY_EXTRACTOR
    extractor = extractor or ("inception" if "fid" in names else own)
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


def _needs_held_out(names: Sequence[str]) -> bool:
    """Whether one of these scores needs held-out images."""
    return any(HELD_OUT in SCORES[name].needs for name in names)


def _prepare(
    inputs: EvaluationInputs,
    extractor: Extractor,
    counts: _Counts,
    held_out: ImageSet | None,
    trained: ImageSet | None,
    group: ProcessGroup,
    keep: bool,
    progress: bool,
) -> Evaluation:
    """Build the `Evaluation` that the scores take, with the requested numbers of images; nothing is measured yet."""
    # With `seed` alone these would be the very images that `hold_out` draws by it, and their floor would be 0.
    reals = subset(inputs.reals, counts.num_real, [counts.seed, 1], "num_real")
    pipe = inputs.pipeline
    if inputs.images is not None:
        scored = ImageSource.of_set(subset(inputs.images, counts.num_images, counts.seed, "num_images"))
    elif pipe is not None:
        batch_size = counts.batch_size or (BATCH_CPU if pipe.device.type == "cpu" else BATCH_ACCELERATOR)
        maps = reals.maps if isinstance(pipe.unwrapped_generator, SegmentationConditional) else None
        scored = ImageSource.of_model(pipe, counts.num_images or NUM_IMAGES, counts.seed, batch_size, maps)
    else:
        raise ValueError("there is neither a model nor a set of images to be scored.")
    return Evaluation(
        extractor, reals, scored, pipe, held_out, counts.replicates, counts.seed, group, keep, progress, trained
    )


def _report(
    evaluation: Evaluation, names: list[str], subject: str, data: str, split: str, skipped: dict[str, ImageSet],
    reference_scores: bool, nearest: int,
) -> Report:  # fmt: skip
    """Measure the scores `names` ([] for the default ones); `subject` and `data` are their names in the report."""
    estimates = _estimates(evaluation, names)
    references = _reference_scores(evaluation) if reference_scores else {}
    copies = nearest_copies(evaluation, nearest) if nearest and evaluation.held_out_images is not None else None
    if evaluation.progress and any(score_key(name) in ("fd", "intra-fd") for name in estimates):
        _print_notes(_note_on_bias(evaluation))
    provenance = _provenance(evaluation, data, split) | {"skipped": _count_skipped(skipped)}
    return Report.of(estimates, provenance, references, subject, copies)


def _print_notes(*sentences: str) -> None:
    """Print sentences, if not empty, on standard error, above a progress bar."""
    for sentence in filter(None, sentences):
        tqdm.write(f"note: {sentence}", file=sys.stderr)


def _note_on_bias(evaluation: Evaluation) -> str:
    """A sentence where a Fréchet distance was measured on far too few images for a covariance; else ""."""
    features = evaluation.fakes.features.shape[1]
    fewest = min(evaluation.scored_images.count, len(evaluation.real_images))
    if 10 * fewest >= features:
        return ""
    return (
        f"a Fréchet distance of {fewest:,} images in {features:,} features is mostly bias: compare it only with one of the "
        "same number of images. kid has no such bias."
    )


def _count_skipped(image_sets: dict[str, ImageSet]) -> str | None:
    """How many files of each side could not be used, by kind; None where all could."""
    phrases = []
    for side, images in image_sets.items():
        counts = {kind: len(names) for kind, names in sorted(images.skipped.items())}
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
        phrases.append(f"{sum(counts.values()):,} {side} files ({kinds})")
    return ", ".join(phrases) or None


def _estimates(evaluation: Evaluation, names: list[str]) -> dict[str, Estimate]:
    """The scores by their display names; what one of them lacks is refused before anything is measured."""
    possible = (name for name in DEFAULT_IF_POSSIBLE if not SCORES[name].missing(evaluation))
    names = names or [DEFAULT, *possible]
    for name in names:
        missing = SCORES[name].missing(evaluation)
        if missing:
            raise ValueError(f"metric {name!r} needs {missing}.")
    scores: Scores = {}
    for name in names:
        scores |= SCORES[name].measure(evaluation)
    estimates = {evaluation.name_of(key): estimate for key, estimate in scores.items()}
    for name, estimate in estimates.items():
        if not math.isfinite(estimate.value):
            raise ArithmeticError(f"{name} is {estimate.value} for these images: no report is made of it.")
    return estimates


def _provenance(evaluation: Evaluation, data: str, split: str) -> dict[str, object]:
    """The facts that two reports must share for their numbers to compare."""
    extractor, pipe, held_out = evaluation.extractor, evaluation.pipeline, evaluation.held_out_images
    return {
        "extractor": extractor.name,
        "extractor_sha256": extractor.sha256,
        "extractor_test_accuracy": extractor.test_accuracy,
        "trusted_by": extractor.trusted_by,
        "size": "{} × {} × {}, others cropped and resized (Lanczos)".format(*evaluation.scored_images.shape),
        "resize": extractor.resize,
        "data": data,
        "real_images": len(evaluation.real_images),
        "real_split": split,
        # Of pixels alone, whatever labels came with them.
        "real_sha256": ImageSet(evaluation.real_images.images).fingerprint(),
        "held_out_sha256": None if held_out is None else ImageSet(held_out.images).fingerprint(),
        "generated_images": evaluation.scored_images.count,
        "seed": None if pipe is None else evaluation.seed,
        "dtype": None if pipe is None else str(pipe.unwrapped_generator.dtype).removeprefix("torch."),
        "gan_hub": full_version(),
        "definition": SCORES_VERSION,
        "near_duplicates": evaluation.near_duplicates,
    }


def _reference_scores(evaluation: Evaluation) -> dict[str, float]:
    """The Fréchet distance of held-out real images and of noise: the best and the worst that can be expected."""
    scores, name = {}, evaluation.name_of("fd")
    held_out = evaluation.held_out_images
    if held_out is not None and len(held_out) > 1:
        distance = frechet_distance(moments(evaluation.held_out.features), evaluation.real_moments)
        scores[f"{name} of {len(held_out):,} held-out real images"] = distance
    height, width, channels = evaluation.real_images.images.shape[1:]
    noise = torch.rand(2000, channels, height, width, generator=seeded(0), dtype=torch.float32) * 2 - 1
    distance = frechet_distance(moments(evaluation.extractor.features(noise)), evaluation.real_moments)
    scores[f"{name} of uniform noise"] = distance
    return scores


def real_moments(reals: ImageSet, extractor: Extractor, keep: bool = False) -> Moments:
    """Mean and covariance of the features of a whole image set.

    Args:
        reals: the images.
        extractor: of their features.
        keep: whether features are kept on the disk, and read from there the next time.

    Returns:
        Mean (F,) and covariance (F, F), float64.
    """
    return moments(extract_features(ImageSource.of_set(reals), extractor, keep=keep).features)

"""One call scores a model against a data set; the provenance is part of the number."""

import os
from dataclasses import asdict, dataclass

import torch

import gan_hub
from gan_hub.data import ImageSet, load_images
from gan_hub.images import from_uint8
from gan_hub.metrics.features import Extractor
from gan_hub.metrics.frechet import frechet_distance, moments
from gan_hub.pipeline import GANPipeline

METRICS = ("fd", "accuracy")


@dataclass(frozen=True)
class Report:
    """Scores by name, and what they were measured with; numbers with different provenance do not compare."""

    scores: dict[str, float]
    provenance: dict[str, object]

    def to_dict(self) -> dict:
        return asdict(self)


def real_moments(reals: ImageSet, extractor: Extractor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and covariance of the features of a whole image set."""
    parts = (reals.images[start : start + 1000] for start in range(0, len(reals), 1000))  # they may lie on the disk
    return moments(torch.cat([extractor.features(from_uint8(part)) for part in parts]))


def evaluate(
    pipe_or_folder: GANPipeline | str | os.PathLike,
    dataset: str | ImageSet,
    metrics: tuple[str, ...] = METRICS,
    extractor: str | Extractor = "fashion",
    num_images: int = 10_000,
    seed: int = 0,
    split: str = "train",
    real: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> Report:
    """Scores `num_images` generated images of seeds `seed`, seed + 1, …, as uint8, against all images of `dataset`.

    "fd": Fréchet distance in the extractor's 128 features, lower is better. "accuracy": the share of images in which
    the extractor recognises the class that was asked for (conditional models). `real` may bring `real_moments` along.
    Raises ValueError for an unknown metric or extractor.
    """
    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        raise ValueError(f"metric {unknown[0]!r} is not allowed; choose from {', '.join(METRICS)}.")
    pipe = pipe_or_folder if isinstance(pipe_or_folder, GANPipeline) else GANPipeline.from_pretrained(pipe_or_folder)
    extractor = Extractor(extractor) if isinstance(extractor, str) else extractor
    config = pipe.generator.config
    if isinstance(dataset, str):
        dataset = load_images(dataset, config["resolution"], config["channels"], split)

    features, hits = [], 0
    for start in range(0, num_images, 500):
        seeds = range(seed + start, seed + min(start + 500, num_images))
        out = pipe(seeds=seeds, output_type="np", batch_size=100)
        pixels = from_uint8(out.images)
        features.append(extractor.features(pixels))
        if out.labels is not None and "accuracy" in metrics:
            hits += int((extractor.classes(pixels) == torch.tensor(out.labels)).sum())

    scores = {}
    if "fd" in metrics:
        real = real or real_moments(dataset, extractor)
        scores[f"FD-{extractor.name}"] = frechet_distance(moments(torch.cat(features)), real)
    if "accuracy" in metrics and pipe.label_names is not None:
        scores[f"label accuracy ({extractor.name})"] = hits / num_images
    provenance = {
        "extractor": extractor.name,
        "extractor_sha256": extractor.sha256,
        "extractor_test_accuracy": extractor.test_accuracy,
        "real_images": len(dataset),
        "real_split": split,
        "generated_images": num_images,
        "seed": seed,
        "dtype": str(pipe.generator.dtype).removeprefix("torch."),
        "gan_hub": gan_hub.__version__,
    }
    return Report(scores, provenance)

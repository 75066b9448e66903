"""The registry of scores: for each name of `--metrics` what it measures, what it needs and how it is computed.

Standard errors are over the scored images: 95 % of the intervals of ± 2 standard errors contain the model's expected score.
Recall, coverage and all that is no smooth function of single images have none.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from tqdm import tqdm

from gan_hub.data import ImageSet
from gan_hub.data.image_set import image_checksums
from gan_hub.hub.score_names import score_name
from gan_hub.metrics.bootstrap import standard_error, standard_error_of_mean
from gan_hub.metrics.calibration import auc, verdicts
from gan_hub.metrics.classes import LEAST_IMAGES, histogram_distance, inception_score, intra_class_frechet, mode_count
from gan_hub.metrics.distributed import ProcessGroup
from gan_hub.metrics.feature_cache import Features, ImageSource, extract_features
from gan_hub.metrics.features import Extractor
from gan_hub.metrics.frechet import Moments, ResampledFrechet, frechet_distance, moments
from gan_hub.metrics.kernels import kid, kid_error, mmd, permutation_test
from gan_hub.metrics.neighbours import Memorization, density_coverage, memorization, precision_recall
from gan_hub.metrics.path_length import perceptual_path_length
from gan_hub.metrics.report import Estimate
from gan_hub.pipeline import GANPipeline

Value = TypeVar("Value")
Scores = dict[str, Estimate]  # by key (hub/score_names.py)
SPLITS = 10  # splits of the inception score
K_PRECISION, K_DENSITY = 3, 5  # neighbours


@dataclass
class Evaluation:
    """What is scored and against what. Features are extracted when the first score asks for them.

    Attributes:
        extractor: makes the features that are compared.
        real_images: what the scored images are compared with.
        scored_images: of a model or of a set.
        pipeline: the model that draws them, if there is one.
        held_out_images: real images that the model was not trained on.
        replicates: resamplings for a standard error; 0 for none.
        seed: of the first image, of resamplings and of random orders.
        group: the processes that share the work.
        keep: whether features are kept on the disk.
        progress: whether bars are shown.
        trained_images: those of `real_images` that the model was trained on; None for all.
    """

    extractor: Extractor
    real_images: ImageSet
    scored_images: ImageSource
    pipeline: GANPipeline | None = None
    held_out_images: ImageSet | None = None
    replicates: int = 0
    seed: int = 0
    group: ProcessGroup | None = None
    keep: bool = False
    progress: bool = False
    trained_images: ImageSet | None = None

    @cached_property
    def reals(self) -> Features:
        """Features of the real images."""
        return self._extract("real images", ImageSource.of_set(self.real_images))

    @cached_property
    def fakes(self) -> Features:
        """Features of the scored images."""
        return self._extract("scored images", self.scored_images)

    @cached_property
    def held_out(self) -> Features:
        """Features of the held-out images. Raises ValueError where there are none."""
        if self.held_out_images is None:
            raise ValueError("there are no held-out images (held_out=).")
        return self._extract("held-out real images", ImageSource.of_set(self.held_out_images))

    @cached_property
    def real_moments(self) -> Moments:
        """Mean and covariance of the real features."""
        return moments(self.reals.features)

    @cached_property
    def trained_rows(self) -> torch.Tensor:
        """The rows of the real images that the model was trained on, int64, found by checksums of their bytes."""
        if self.trained_images is None:
            return torch.arange(len(self.real_images))
        known = set(image_checksums(self.trained_images))
        there = [checksum in known for checksum in image_checksums(self.real_images)]
        if not any(there):
            raise ValueError("none of the real images is among those the model was trained on (trained=).")
        return torch.tensor(there).nonzero().flatten()

    @cached_property
    def copies(self) -> Memorization:
        """The distances of the scored images to those that were trained on; `nearest` is an index into `trained_rows`."""
        return memorization(self.fakes.features, self.reals.features[self.trained_rows], self.held_out.features)

    @property
    def near_duplicates(self) -> str | None:
        """Near duplicates among the real images, in words; None where there are none, or no search for copies was made."""
        if "copies" not in self.__dict__ or self.held_out_images is None:
            return None
        copies, trained, held_out = self.copies, len(self.trained_rows), len(self.held_out_images)
        phrases = []
        if copies.different < trained:
            phrases.append(f"{trained:,} training images show about {copies.different:,} different pictures")
        if copies.pictures < held_out:
            phrases.append(f"{held_out:,} held-out images show {copies.pictures:,}")
        if copies.repeated:
            phrases.append(f"{copies.repeated:,} held-out images show one that is trained on")
        return ", ".join(phrases) or None

    def _extract(self, description: str, images: ImageSource) -> Features:
        hidden = None if self.progress else True  # tqdm takes None for "hidden unless this is a terminal"
        with tqdm(total=images.count, desc=description, unit="img", disable=hidden, leave=False) as bar:
            return extract_features(images, self.extractor, self.group, self.keep, bar.update)

    def name_of(self, key: str) -> str:
        """What a report calls the score of this key."""
        extractor = self.extractor
        return score_name(key, extractor.name, extractor.is_fid_inception, extractor.num_classes)

    def shuffled(self, rows: torch.Tensor) -> torch.Tensor:
        """The rows in a random order by the seed, for scores that split or cut a set: sets are often sorted by class."""
        return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(self.seed))]

    def error(self, statistic: Callable[[torch.Tensor], float]) -> float | None:
        """The standard error of a statistic of the scored images, weighted by how often each was drawn."""
        if not self.replicates:
            return None
        return standard_error(statistic, self.scored_images.count, self.replicates, self.seed)

    def mean(self, values: torch.Tensor) -> Estimate:
        """The mean of one value an image, none negative, with its standard error; of booleans, the share that is true.

        A share's error is computed with two more images that are true and two that are false (Agresti & Coull 1998): a
        share of 0 in 10,000 images does not mean that there are none.
        """
        is_share = values.dtype == torch.bool
        padded = torch.cat([values, torch.tensor([True, True, False, False])]) if is_share else values
        error = standard_error_of_mean(padded) if self.replicates else None
        return Estimate(values.double().mean().item(), error, 0, 1 if is_share else math.inf)


# ------------------------------------------------------------------------------------------------------- the scores


def frechet(evaluation: Evaluation) -> Scores:
    """The Fréchet distance of all features."""
    features, reals = evaluation.fakes.features, evaluation.real_moments
    value = frechet_distance(moments(features), reals)
    error = evaluation.error(ResampledFrechet(features, reals)) if evaluation.replicates else None
    return {"fd": Estimate(value, error, 0)}


def kernel_distance(evaluation: Evaluation) -> Scores:
    """The kernel distance of the features."""
    features = evaluation.reals.features, evaluation.fakes.features
    error = kid_error(*features) if evaluation.replicates else None
    return {"kid": Estimate(kid(*features, seed=evaluation.seed), error)}


def inception(evaluation: Evaluation) -> Scores:
    """The inception score of the extractor's classes."""
    logits = evaluation.shuffled(required(evaluation.fakes.logits, CLASSIFIER))

    def score(weights: torch.Tensor | None = None) -> float:
        return inception_score(logits, SPLITS, weights)[0]

    return {"is": Estimate(score(), evaluation.error(score), 1)}


def precision(evaluation: Evaluation) -> Scores:
    """Improved precision and recall."""
    inside = precision_recall(evaluation.reals.features, evaluation.fakes.features, K_PRECISION)
    recall = inside.recall.double().mean().item()
    return {"precision": evaluation.mean(inside.precision), "recall": Estimate(recall)}


def density(evaluation: Evaluation) -> Scores:
    """Density and coverage."""
    inside = density_coverage(evaluation.reals.features, evaluation.fakes.features, K_DENSITY)
    coverage = inside.coverage.double().mean().item()
    return {"density": evaluation.mean(inside.density), "coverage": Estimate(coverage)}


def intra_class(evaluation: Evaluation) -> Scores:
    """The mean Fréchet distance within a class."""
    reals, fakes = evaluation.reals, evaluation.fakes
    names = required(evaluation.scored_images.label_names, LABELS)
    real_names = required(evaluation.real_images.label_names, LABELS)
    # The two sides may number their classes differently.
    real_labels = torch.tensor([names.index(name) for name in real_names])[required(reals.labels, LABELS)]
    fake_labels = required(fakes.labels, LABELS)
    distances = intra_class_frechet(reals.features, real_labels, fakes.features, fake_labels)
    value = distances.mean().item()
    if not evaluation.replicates:
        return {"intra-fd": Estimate(value)}
    errors = []
    for label in real_labels.unique():
        features = fakes.features[fake_labels == label]
        distance = ResampledFrechet(features, moments(reals.features[real_labels == label]))
        errors.append(standard_error(distance, len(features), evaluation.replicates, evaluation.seed))
    return {"intra-fd": Estimate(value, math.hypot(*errors) / len(errors), 0)}


def label_accuracy(evaluation: Evaluation) -> Scores:
    """The share of images that the extractor recognizes as the class that was asked for."""
    classes, labels = required(evaluation.fakes.classes, CLASSIFIER), required(evaluation.fakes.labels, CLASSES)
    return {"accuracy": evaluation.mean(classes == labels)}


def modes(evaluation: Evaluation) -> Scores:
    """How many of the extractor's classes occur, and how far their frequencies are from those they should have.

    These are the frequencies of the labels, of the scored or else of the real images, where the labels are the extractor's
    own classes; otherwise those of the classes that it recognizes in the real images.
    """
    count, classes = (
        required(evaluation.extractor.num_classes, CLASSIFIER),
        required(evaluation.fakes.classes, CLASSIFIER),
    )
    target = required(evaluation.reals.classes, CLASSIFIER)
    for side, images in ((evaluation.fakes, evaluation.scored_images), (evaluation.reals, evaluation.real_images)):
        if side.labels is not None and tuple(images.label_names or ()) == evaluation.extractor.label_names:
            target = side.labels
            break

    def distance(weights: torch.Tensor | None = None) -> float:
        return histogram_distance(classes, target, count, weights)

    return {
        "modes": Estimate(mode_count(classes, count)),
        "histogram": Estimate(distance(), evaluation.error(distance), 0, 1),
    }


def discrepancy(evaluation: Evaluation) -> Scores:
    """MMD² by a Gaussian kernel, and the p of a permutation test of equality."""
    features = evaluation.shuffled(evaluation.reals.features), evaluation.shuffled(evaluation.fakes.features)
    return {
        "mmd": Estimate(mmd(*features)),
        "mmd-p": Estimate(permutation_test(*features, seed=evaluation.seed)),
    }


def memorized(evaluation: Evaluation) -> Scores:
    """The share of images that are nearer to a training image than held-out images are."""
    return {"memorized": evaluation.mean(evaluation.copies.copied)}


def path_length(evaluation: Evaluation) -> Scores:
    """The perceptual path length, one step for each scored image."""
    pipeline, steps = required(evaluation.pipeline, MODEL), evaluation.scored_images.count
    lengths = perceptual_path_length(pipeline, evaluation.extractor, steps, seed=evaluation.seed)
    return {"ppl": evaluation.mean(lengths)}


def judge(evaluation: Evaluation) -> Scores:
    """The AUC of the discriminator between held-out and generated images."""
    pipeline, held_out = required(evaluation.pipeline, MODEL), required(evaluation.held_out_images, HELD_OUT)
    trained = evaluation.real_images if evaluation.trained_images is None else evaluation.trained_images
    real, fake = verdicts(pipeline, held_out, evaluation.seed, trained=trained)

    def resampled(weights: torch.Tensor) -> float:
        rows = torch.repeat_interleave(torch.arange(len(real)), weights.long())
        return auc(real[rows], fake[rows])

    replicates, seed = evaluation.replicates, evaluation.seed
    error = standard_error(resampled, len(real), replicates, seed) if replicates else None
    return {"auc": Estimate(auc(real, fake), error, 0, 1)}


# --------------------------------------------------------------------------------------------------- what they need


def required(value: Value | None, need: str) -> Value:
    """A value that is there, as `Score.missing` has made sure; raises ValueError where it is not."""
    if value is None:
        raise ValueError(f"this score needs {need}.")
    return value


def _has_enough_of_each_class(evaluation: Evaluation) -> bool:
    """Whether both sides have the same classes, by name, and LEAST_IMAGES of each that is real."""
    real, scored = evaluation.real_images, evaluation.scored_images
    real_names, scored_names = real.label_names or [], scored.label_names or []
    if real.labels is None or scored.labels is None or set(real_names) != set(scored_names):
        return False
    real_counts = np.bincount(real.labels, minlength=len(real_names))
    scored_counts = np.bincount(scored.labels, minlength=len(scored_names))
    pairs = [(real_counts[i], scored_counts[scored_names.index(name)]) for i, name in enumerate(real_names)]
    return all(min(pair) >= LEAST_IMAGES for pair in pairs if pair[0])


def _has_conditions(evaluation: Evaluation) -> bool:
    """Whether the held-out images have the labels or maps that the discriminator takes."""
    held_out, pipeline = required(evaluation.held_out_images, HELD_OUT), required(evaluation.pipeline, MODEL)
    config = pipeline.unwrapped_generator.config
    return (held_out.labels is not None or not config["num_classes"]) and (
        held_out.maps is not None or not config.get("semantic_classes")
    )


def _has_known_classes(evaluation: Evaluation) -> bool:
    """Whether the classes of the scored images are, by name, those of the extractor."""
    images = evaluation.scored_images
    return images.labels is not None and tuple(images.label_names or ()) == evaluation.extractor.label_names


def _has_discriminator(evaluation: Evaluation) -> bool:
    return evaluation.pipeline is not None and evaluation.pipeline.discriminator is not None


def _both_have(least: int) -> Callable[[Evaluation], bool]:
    return lambda evaluation: min(evaluation.scored_images.count, len(evaluation.real_images)) >= least


CLASSIFIER = "an extractor that recognises classes"
CLASSES = "classes that are, by name, those the extractor recognises"
LABELS = f"the same classes on both sides, and {LEAST_IMAGES} images of each"
MODEL = "a model"
DISCRIMINATOR = "a discriminator"
HELD_OUT = "held-out real images (the data's test split; in Python also held_out=)"
CONDITIONS = "labels, or maps, of the held-out images"
TWO = "two images at least on both sides"
TWO_SCORED = "two scored images at least"
SPLIT = f"{SPLITS} scored images at least"
NEIGHBORS = f"{K_PRECISION + 1} images at least on both sides"
BALLS = f"{K_DENSITY + 1} real images at least"

# What a score may need, in words → whether an evaluation has it.
NEEDS: dict[str, Callable[[Evaluation], bool]] = {
    CLASSIFIER: lambda evaluation: evaluation.extractor.num_classes is not None,
    CLASSES: _has_known_classes,
    LABELS: _has_enough_of_each_class,
    MODEL: lambda evaluation: evaluation.pipeline is not None,
    DISCRIMINATOR: _has_discriminator,
    HELD_OUT: lambda evaluation: evaluation.held_out_images is not None,
    CONDITIONS: _has_conditions,
    TWO: _both_have(2),
    TWO_SCORED: lambda evaluation: evaluation.scored_images.count > 1,
    SPLIT: lambda evaluation: evaluation.scored_images.count >= SPLITS,
    NEIGHBORS: _both_have(K_PRECISION + 1),
    BALLS: lambda evaluation: len(evaluation.real_images) > K_DENSITY,
}


@dataclass(frozen=True)
class Score:
    """One name of `--metrics`: what it measures, the function, and what it needs, first things first."""

    description: str
    measure: Callable[[Evaluation], Scores]
    needs: tuple[str, ...] = ()

    def missing(self, evaluation: Evaluation) -> str | None:
        """The first of its needs that an evaluation does not have; None where it has all of them."""
        return next((need for need in self.needs if not NEEDS[need](evaluation)), None)


# Name of `--metrics` → the score. Some give two numbers.
SCORES = {
    "fd": Score("Fréchet distance of the features, lower is better (Heusel et al. 2017)", frechet, (TWO,)),
    "kid": Score("kernel distance, unbiased in the number of images (Bińkowski et al. 2018)", kernel_distance, (TWO,)),
    "is": Score("inception score, 1 to the number of classes (Salimans et al. 2016)", inception, (CLASSIFIER, SPLIT)),
    "pr": Score("improved precision and recall, k = 3 (Kynkäänniemi et al. 2019)", precision, (NEIGHBORS,)),
    "dc": Score("density and coverage, k = 5 (Naeem et al. 2020)", density, (BALLS,)),
    "intra-fd": Score("mean Fréchet distance within a class (Miyato & Koyama 2018)", intra_class, (LABELS,)),
    "accuracy": Score("share of images recognised as the class asked for", label_accuracy, (CLASSIFIER, CLASSES)),
    "modes": Score("classes found, and how unevenly (total variation)", modes, (CLASSIFIER,)),
    "mmd": Score("MMD² and a permutation test of equality (Gretton et al. 2012)", discrepancy, (TWO,)),
    "memorised": Score(
        "share of images nearer to a training image than 1 in 1,000 unseen ones", memorized, (HELD_OUT,)
    ),
    "ppl": Score("perceptual path length, full path (Karras et al. 2019)", path_length, (MODEL, TWO_SCORED)),
    "auc": Score(
        "how often the discriminator tells held-out real images", judge, (DISCRIMINATOR, HELD_OUT, CONDITIONS)
    ),
}

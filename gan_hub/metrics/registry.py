"""Every score by its name: what it says, what it needs, and how it is made of the two sides.

Standard errors are over the scored images: the mean score of ever other images of the same model lies within two of them,
19 times of 20. Recall, coverage and whatever is no smooth function of single images has none.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from tqdm import tqdm

from gan_hub.data import ImageSet
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

Scores = dict[str, Estimate]
SPLITS = 10  # of the inception score
K_PRECISION, K_DENSITY = 3, 5  # neighbours


@dataclass
class Evaluation:
    """What is scored and against what. Features are measured when the first score asks for them."""

    extractor: Extractor
    reals_set: ImageSet
    pictures: ImageSource  # that are scored
    pipe: GANPipeline | None = None  # that makes them
    held_out_set: ImageSet | None = None
    replicates: int = 0  # resamplings a standard error is made of; 0: none is made
    seed: int = 0
    team: ProcessGroup | None = None
    keep: bool = False
    shown: bool = False
    trained_set: ImageSet | None = None  # the part of `reals_set` that the model was trained on; None: all of it

    @cached_property
    def reals(self) -> Features:
        return self._measured("real images", ImageSource.of_set(self.reals_set))

    @cached_property
    def fakes(self) -> Features:
        return self._measured("scored images", self.pictures)

    @cached_property
    def held_out(self) -> Features:
        return self._measured("held-out real images", ImageSource.of_set(self.held_out_set))

    @cached_property
    def real_moments(self) -> Moments:
        return moments(self.reals.features)

    @cached_property
    def trained_rows(self) -> torch.Tensor:
        """The rows of the real images that the model was trained on, int64: known by their bytes."""
        if self.trained_set is None:
            return torch.arange(len(self.reals_set))
        known = {image.tobytes() for image in self.trained_set.images}
        there = [image.tobytes() in known for image in self.reals_set.images]
        if not any(there):
            raise ValueError("none of the real images is among those the model was trained on (trained=).")
        return torch.tensor(there).nonzero().flatten()

    @cached_property
    def copies(self) -> Memorization:
        """How near the scored images come to those that were trained on; `nearest` is a row of `trained_rows`."""
        return memorization(self.fakes.features, self.reals.features[self.trained_rows], self.held_out.features)

    @property
    def near_duplicates(self) -> str | None:
        """What of the real images repeats itself, as far as the search for copies has told; None where nothing does."""
        if "copies" not in self.__dict__:
            return None
        found, trained, held_out = self.copies, len(self.trained_rows), len(self.held_out_set)
        told = []
        if found.different < trained:
            told.append(f"{trained:,} training images show about {found.different:,} different pictures")
        if found.pictures < held_out:
            told.append(f"{held_out:,} held-out images show {found.pictures:,}")
        if found.repeated:
            told.append(f"{found.repeated:,} held-out images show one that is trained on")
        return ", ".join(told) or None

    def _measured(self, what: str, pictures: ImageSource) -> Features:
        hidden = None if self.shown else True  # None: where nobody sits at a terminal
        with tqdm(total=pictures.count, desc=what, unit="img", disable=hidden, leave=False) as bar:
            return extract_features(pictures, self.extractor, self.team, self.keep, bar.update)

    def called(self, stem: str) -> str:
        """A score's name with its extractor's, without which it means nothing; only one network's FD is called FID."""
        if self.extractor.is_fid_inception:
            return {"FD": "FID"}.get(stem, stem)
        return f"{stem}-{self.extractor.name}"

    def mixed(self, rows: torch.Tensor) -> torch.Tensor:
        """The rows in an order drawn by the seed, for scores that look at parts of them: sets are often sorted by class."""
        return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(self.seed))]

    def error(self, statistic: Callable[[torch.Tensor], float]) -> float | None:
        """The standard error of a statistic of the scored images, weighted by how often each was drawn."""
        if not self.replicates:
            return None
        return standard_error(statistic, self.pictures.count, self.replicates, self.seed)

    def mean(self, values: torch.Tensor) -> Estimate:
        """The mean of one value an image, which is not negative, with its standard error.

        A share's error is that of two more images that say yes and two that say no (Agresti & Coull 1998): none of
        10,000 does not mean none at all.
        """
        share = values.dtype == torch.bool
        counted = torch.cat([values, torch.tensor([True, True, False, False])]) if share else values
        error = standard_error_of_mean(counted) if self.replicates else None
        return Estimate(values.double().mean().item(), error, 0, 1 if share else math.inf)


# ------------------------------------------------------------------------------------------------------- the scores


def frechet(e: Evaluation) -> Scores:
    features = e.fakes.features
    value = frechet_distance(moments(features), e.real_moments)
    error = e.error(ResampledFrechet(features, e.real_moments)) if e.replicates else None
    return {e.called("FD"): Estimate(value, error, 0)}


def kernel_distance(e: Evaluation) -> Scores:
    both = e.reals.features, e.fakes.features
    return {e.called("KID"): Estimate(kid(*both, seed=e.seed), kid_error(*both) if e.replicates else None)}


def inception(e: Evaluation) -> Scores:
    logits = e.mixed(e.fakes.logits)

    def score(weights: torch.Tensor | None = None) -> float:
        return inception_score(logits, SPLITS, weights)[0]

    return {e.called("IS"): Estimate(score(), e.error(score), 1)}


def precision(e: Evaluation) -> Scores:
    found = precision_recall(e.reals.features, e.fakes.features, K_PRECISION)
    recall = found.recall.double().mean().item()
    return {e.called("precision"): e.mean(found.precision), e.called("recall"): Estimate(recall)}


def density(e: Evaluation) -> Scores:
    found = density_coverage(e.reals.features, e.fakes.features, K_DENSITY)
    coverage = found.coverage.double().mean().item()
    return {e.called("density"): e.mean(found.density), e.called("coverage"): Estimate(coverage)}


def intra_class(e: Evaluation) -> Scores:
    names = e.pictures.label_names  # the classes of both sides, which may be numbered otherwise
    ours = torch.tensor([names.index(name) for name in e.reals_set.label_names])[e.reals.labels]
    theirs = e.fakes.labels
    distances = intra_class_frechet(e.reals.features, ours, e.fakes.features, theirs)
    value, name = distances.mean().item(), e.called("intra-FD")
    if not e.replicates:
        return {name: Estimate(value)}
    errors = []
    for label in ours.unique():
        features = e.fakes.features[theirs == label]
        distance = ResampledFrechet(features, moments(e.reals.features[ours == label]))
        errors.append(standard_error(distance, len(features), e.replicates, e.seed))
    return {name: Estimate(value, math.hypot(*errors) / len(errors), 0)}


def label_accuracy(e: Evaluation) -> Scores:
    return {f"label accuracy ({e.extractor.name})": e.mean(e.fakes.classes == e.fakes.labels)}


def modes(e: Evaluation) -> Scores:
    count, found = e.extractor.num_classes, e.fakes.classes
    wanted = e.reals.classes  # unless it is known, in the extractor's own classes, what was to be there
    for side, names in ((e.fakes, e.pictures.label_names), (e.reals, e.reals_set.label_names)):
        if side.labels is not None and tuple(names or ()) == e.extractor.label_names:
            wanted = side.labels
            break

    def apart(weights: torch.Tensor | None = None) -> float:
        return histogram_distance(found, wanted, count, weights)

    return {
        f"modes of {count} ({e.extractor.name})": Estimate(mode_count(found, count)),
        f"class histogram distance ({e.extractor.name})": Estimate(apart(), e.error(apart), 0, 1),
    }


def discrepancy(e: Evaluation) -> Scores:
    both = e.mixed(e.reals.features), e.mixed(e.fakes.features)
    return {
        e.called("MMD²"): Estimate(mmd(*both)),
        f"p of equal distributions ({e.extractor.name})": Estimate(permutation_test(*both, seed=e.seed)),
    }


def memorised(e: Evaluation) -> Scores:
    return {e.called("memorised"): e.mean(e.copies.copied)}


def path_length(e: Evaluation) -> Scores:
    return {e.called("PPL"): e.mean(perceptual_path_length(e.pipe, e.extractor, e.pictures.count, seed=e.seed))}


def judge(e: Evaluation) -> Scores:
    real, fake = verdicts(
        e.pipe, e.held_out_set, e.seed, trained=e.reals_set if e.trained_set is None else e.trained_set
    )

    def resampled(weights: torch.Tensor) -> float:
        rows = torch.repeat_interleave(torch.arange(len(real)), weights.long())
        return auc(real[rows], fake[rows])

    error = standard_error(resampled, len(real), e.replicates, e.seed) if e.replicates else None
    return {"discriminator AUC (held out)": Estimate(auc(real, fake), error, 0, 1)}


# --------------------------------------------------------------------------------------------------- what they need


def _enough_of_each(e: Evaluation) -> bool:
    """Whether both sides have the same classes, by name, and LEAST_IMAGES of each that is real."""
    ours, theirs = e.reals_set, e.pictures
    if ours.labels is None or theirs.labels is None or set(ours.label_names) != set(theirs.label_names):
        return False
    counts = np.bincount(ours.labels, minlength=len(ours.label_names))
    scored = np.bincount(theirs.labels, minlength=len(theirs.label_names))
    matched = [(counts[index], scored[theirs.label_names.index(name)]) for index, name in enumerate(ours.label_names)]
    return all(min(pair) >= LEAST_IMAGES for pair in matched if pair[0])


def _judgeable(e: Evaluation) -> bool:
    """Whether the discriminator can be told of held-out images what it was told of those it learnt from."""
    held_out, config = e.held_out_set, e.pipe.unwrapped_generator.config
    return (held_out.labels is not None or not config["num_classes"]) and (
        held_out.maps is not None or not config.get("semantic_classes")
    )


def _both_have(least: int) -> Callable[[Evaluation], bool]:
    return lambda e: min(e.pictures.count, len(e.reals_set)) >= least


NEEDS: dict[str, Callable[[Evaluation], bool]] = {
    "an extractor that recognises classes": lambda e: e.extractor.num_classes is not None,
    "classes that are, by name, those the extractor recognises": lambda e: (
        e.pictures.labels is not None and tuple(e.pictures.label_names) == e.extractor.label_names
    ),
    f"the same classes on both sides, and {LEAST_IMAGES} images of each": _enough_of_each,
    "a model": lambda e: e.pipe is not None,
    "a discriminator": lambda e: e.pipe is not None and e.pipe.discriminator is not None,
    "held-out real images (the data's test split, or held_out=)": lambda e: e.held_out_set is not None,
    "labels, or maps, of the held-out images": _judgeable,
    "two images at least on both sides": _both_have(2),
    "two scored images at least": lambda e: e.pictures.count > 1,
    f"{SPLITS} scored images at least": lambda e: e.pictures.count >= SPLITS,
    f"{K_PRECISION + 1} images at least on both sides": _both_have(K_PRECISION + 1),
    f"{K_DENSITY + 1} real images at least": lambda e: len(e.reals_set) > K_DENSITY,
}
CLASSIFIER, CLASSES, LABELS, MODEL, DISCRIMINATOR, HELD_OUT, TOLD, TWO, TWO_SCORED, SPLIT, NEIGHBOURS, BALLS = NEEDS


@dataclass(frozen=True)
class Score:
    """One name of `--metrics`."""

    says: str
    measure: Callable[[Evaluation], Scores]
    needs: tuple[str, ...] = ()

    def missing(self, e: Evaluation) -> str | None:
        """What it needs and has not got, if anything."""
        return next((need for need in self.needs if not NEEDS[need](e)), None)


SCORES = {
    "fd": Score("Fréchet distance of the features, lower is better (Heusel et al. 2017)", frechet, (TWO,)),
    "kid": Score("kernel distance, unbiased in the number of images (Bińkowski et al. 2018)", kernel_distance, (TWO,)),
    "is": Score("inception score, 1 to the number of classes (Salimans et al. 2016)", inception, (CLASSIFIER, SPLIT)),
    "pr": Score("improved precision and recall, k = 3 (Kynkäänniemi et al. 2019)", precision, (NEIGHBOURS,)),
    "dc": Score("density and coverage, k = 5 (Naeem et al. 2020)", density, (BALLS,)),
    "intra-fd": Score("mean Fréchet distance within a class (Miyato & Koyama 2018)", intra_class, (LABELS,)),
    "accuracy": Score("share of images recognised as the class asked for", label_accuracy, (CLASSIFIER, CLASSES)),
    "modes": Score("classes found, and how unevenly (total variation)", modes, (CLASSIFIER,)),
    "mmd": Score("MMD² and a permutation test of equality (Gretton et al. 2012)", discrepancy, (TWO,)),
    "memorised": Score(
        "share of images nearer to a training image than 1 in 1,000 unseen ones", memorised, (HELD_OUT,)
    ),
    "ppl": Score("perceptual path length, full path (Karras et al. 2019)", path_length, (MODEL, TWO_SCORED)),
    "auc": Score("how often the discriminator tells held-out real images", judge, (DISCRIMINATOR, HELD_OUT, TOLD)),
}

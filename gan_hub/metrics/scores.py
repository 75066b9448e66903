"""Every score by its name: what it says, what it needs, and how it is made of the two sides.

Standard errors are over the scored images: the mean score of ever other images of the same model lies within two of them,
19 times of 20. Recall, coverage and whatever is no smooth function of single images has none.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from tqdm import tqdm

from gan_hub.data import ImageSet
from gan_hub.metrics.bootstrap import standard_error, standard_error_of_mean
from gan_hub.metrics.calibration import auc, verdicts
from gan_hub.metrics.classes import histogram_distance, inception_score, intra_class_frechet, mode_count
from gan_hub.metrics.features import Extractor
from gan_hub.metrics.frechet import Moments, ResampledFrechet, frechet_distance, moments
from gan_hub.metrics.kernels import kid, mmd, permutation_test
from gan_hub.metrics.neighbours import density_coverage, memorisation, precision_recall
from gan_hub.metrics.path_length import perceptual_path_length
from gan_hub.metrics.report import Estimate
from gan_hub.metrics.sides import Pictures, Side, measure
from gan_hub.metrics.team import Team
from gan_hub.pipeline import GANPipeline

Scores = dict[str, Estimate]


@dataclass
class Evaluation:
    """What is scored and against what. Features are measured when the first score asks for them."""

    extractor: Extractor
    reals_set: ImageSet
    pictures: Pictures  # that are scored
    pipe: GANPipeline | None = None  # that makes them
    held_out_set: ImageSet | None = None
    replicates: int = 0  # resamplings a standard error is made of; 0: none is made
    seed: int = 0
    team: Team | None = None
    keep: bool = False
    shown: bool = False

    @cached_property
    def reals(self) -> Side:
        return self._measured("real images", Pictures.of_set(self.reals_set))

    @cached_property
    def fakes(self) -> Side:
        return self._measured("scored images", self.pictures)

    @cached_property
    def held_out(self) -> Side:
        return self._measured("held-out real images", Pictures.of_set(self.held_out_set))

    @cached_property
    def real_moments(self) -> Moments:
        return moments(self.reals.features)

    def _measured(self, what: str, pictures: Pictures) -> Side:
        hidden = None if self.shown else True  # None: where nobody sits at a terminal
        with tqdm(total=pictures.count, desc=what, unit="img", disable=hidden, leave=False) as bar:
            return measure(pictures, self.extractor, self.team, self.keep, bar.update)

    def called(self, stem: str) -> str:
        """A score's name with its extractor's, without which it means nothing; only one network's FD is called FID."""
        if self.extractor.is_fid_inception:
            return {"FD": "FID"}.get(stem, stem)
        return f"{stem}-{self.extractor.name}"

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
    return {e.called("KID"): Estimate(*kid(e.reals.features, e.fakes.features, seed=e.seed))}


def inception(e: Evaluation) -> Scores:
    logits = e.fakes.logits

    def score(weights: torch.Tensor | None = None) -> float:
        return inception_score(logits, weights=weights)[0]

    return {e.called("IS"): Estimate(score(), e.error(score), 1)}


def precision(e: Evaluation) -> Scores:
    found = precision_recall(e.reals.features, e.fakes.features)
    recall = found.recall.double().mean().item()
    return {e.called("precision"): e.mean(found.precision), e.called("recall"): Estimate(recall)}


def density(e: Evaluation) -> Scores:
    found = density_coverage(e.reals.features, e.fakes.features)
    coverage = found.coverage.double().mean().item()
    return {e.called("density"): e.mean(found.density), e.called("coverage"): Estimate(coverage)}


def intra_class(e: Evaluation) -> Scores:
    ours, theirs = e.reals, e.fakes
    value = intra_class_frechet(ours.features, ours.labels, theirs.features, theirs.labels).mean().item()
    if not e.replicates:
        return {e.called("intra-FD"): Estimate(value)}
    members = [(theirs.labels == label, ours.labels == label) for label in ours.labels.unique()]
    classes = [
        (fakes, ResampledFrechet(theirs.features[fakes], moments(ours.features[reals]))) for fakes, reals in members
    ]

    def mean(weights: torch.Tensor) -> float:
        return sum(distance(weights[fakes]) for fakes, distance in classes) / len(classes)

    return {e.called("intra-FD"): Estimate(value, e.error(mean), 0)}


def label_accuracy(e: Evaluation) -> Scores:
    return {f"label accuracy ({e.extractor.name})": e.mean(e.fakes.classes == e.fakes.labels)}


def modes(e: Evaluation) -> Scores:
    known = e.fakes.labels if e.fakes.labels is not None else e.reals.labels
    wanted, count = e.reals.classes if known is None else known, e.extractor.num_classes

    def apart(weights: torch.Tensor | None = None) -> float:
        return histogram_distance(e.fakes.classes, wanted, count, weights)

    return {
        f"modes of {count} ({e.extractor.name})": Estimate(mode_count(e.fakes.classes, count)),
        f"class histogram distance ({e.extractor.name})": Estimate(apart(), e.error(apart), 0, 1),
    }


def discrepancy(e: Evaluation) -> Scores:
    both = e.reals.features, e.fakes.features
    return {
        e.called("MMD²"): Estimate(mmd(*both)),
        f"p of equal distributions ({e.extractor.name})": Estimate(permutation_test(*both, seed=e.seed)),
    }


def memorised(e: Evaluation) -> Scores:
    found = memorisation(e.fakes.features, e.reals.features, e.held_out.features)
    return {e.called("memorised"): e.mean(found.copied)}


def path_length(e: Evaluation) -> Scores:
    return {e.called("PPL"): e.mean(perceptual_path_length(e.pipe, e.extractor, e.pictures.count, seed=e.seed))}


def judge(e: Evaluation) -> Scores:
    real, fake = verdicts(e.pipe, e.held_out_set, e.seed)

    def resampled(weights: torch.Tensor) -> float:
        rows = torch.repeat_interleave(torch.arange(len(real)), weights.long())
        return auc(real[rows], fake[rows])

    error = standard_error(resampled, len(real), e.replicates, e.seed) if e.replicates else None
    return {"discriminator AUC (held out)": Estimate(auc(real, fake), error, 0, 1)}


# --------------------------------------------------------------------------------------------------- what they need

NEEDS: dict[str, Callable[[Evaluation], bool]] = {
    "an extractor that recognises classes": lambda e: e.extractor.num_classes is not None,
    "a conditional model of as many classes as the extractor recognises": lambda e: (
        e.pictures.labels is not None and _classes(e) == e.extractor.num_classes
    ),
    "labels on both sides": lambda e: e.pictures.labels is not None and e.reals_set.labels is not None,
    "a model": lambda e: e.pipe is not None,
    "a discriminator": lambda e: e.pipe is not None and e.pipe.discriminator is not None,
    "held-out real images (the data's test split, or held_out=)": lambda e: e.held_out_set is not None,
    "two images at least": lambda e: e.pictures.count > 1,
}
CLASSIFIER, CLASSES, LABELS, MODEL, DISCRIMINATOR, HELD_OUT, TWO = NEEDS


def _classes(e: Evaluation) -> int:
    return len(e.reals_set.label_names or ()) if e.pipe is None else len(e.pipe.label_names or ())


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
    "is": Score("inception score, 1 to the number of classes (Salimans et al. 2016)", inception, (CLASSIFIER,)),
    "pr": Score("improved precision and recall, k = 3 (Kynkäänniemi et al. 2019)", precision, (TWO,)),
    "dc": Score("density and coverage, k = 5 (Naeem et al. 2020)", density, (TWO,)),
    "intra-fd": Score("mean Fréchet distance within a class (Miyato & Koyama 2018)", intra_class, (LABELS,)),
    "accuracy": Score("share of images recognised as the class asked for", label_accuracy, (CLASSIFIER, CLASSES)),
    "modes": Score("classes found, and how unevenly (total variation)", modes, (CLASSIFIER,)),
    "mmd": Score("MMD² and a permutation test of equality (Gretton et al. 2012)", discrepancy, (TWO,)),
    "memorised": Score(
        "share of images nearer to a training image than 1 in 1,000 unseen ones", memorised, (HELD_OUT,)
    ),
    "ppl": Score("perceptual path length, full path (Karras et al. 2019)", path_length, (MODEL, TWO)),
    "auc": Score("how often the discriminator tells held-out real images", judge, (DISCRIMINATOR, HELD_OUT)),
}

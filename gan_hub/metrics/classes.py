"""Scores that know classes: the inception score, modes that are found, the right frequencies, quality class by class.

Shapes: N images, K classes, F features. `weights` (N,) say how often each image counts, 1 where there are none.
"""

import torch

from gan_hub.metrics.frechet import frechet_distance, moments

LEAST_IMAGES = 5  # of a class, on either side, for a Fréchet distance: below, its covariance is an accident


def inception_score(logits: torch.Tensor, splits: int = 10, weights: torch.Tensor | None = None) -> tuple[float, float]:
    """exp E[KL(p(y|x) ‖ p(y))] of class logits (N, K): mean and standard deviation (divisor `splits`) over the splits.

    Salimans et al. 2016 (arXiv 1606.03498), section 4. 1 at worst, K at best: sure of every image, all classes alike.
    Splits are consecutive images, in the given order. It sees generated images only, so that an image a class is enough.
    """
    if logits.dim() != 2 or not 1 <= splits <= len(logits):
        raise ValueError(f"{splits} splits of logits {tuple(logits.shape)} are not allowed; give (N, K) and 1 to N.")
    weights = torch.ones(len(logits), dtype=torch.float64) if weights is None else weights.double()
    scores = []
    for part, weight in zip(logits.double().tensor_split(splits), weights.tensor_split(splits)):
        log_p, weight = part.log_softmax(1), weight / weight.sum()
        marginal = weight @ log_p.exp()
        divergence = torch.special.xlogy(log_p.exp(), log_p.exp()) - torch.special.xlogy(log_p.exp(), marginal)
        scores.append((weight @ divergence.sum(1)).exp())
    found = torch.stack(scores)
    return found.mean().item(), found.std(correction=0).item()


def mode_count(classes: torch.Tensor, num_classes: int, least: float = 0.1) -> int:
    """How many classes are found among the recognised ones (N,): those with `least` of an even share 1 / K, or more."""
    shares = histogram(classes, num_classes)
    return int((shares >= least / num_classes - 1e-12).sum())


def histogram_distance(
    classes: torch.Tensor, wanted: torch.Tensor, num_classes: int, weights: torch.Tensor | None = None
) -> float:
    """Total variation ½ Σ |p − q| between the frequencies of the recognised classes (N,) and of the wanted ones (M,).

    0 for equal frequencies, 1 where no class is in both. `weights` are those of the recognised ones.
    """
    gap = histogram(classes, num_classes, weights) - histogram(wanted, num_classes)
    return 0.5 * gap.abs().sum().item()


def histogram(classes: torch.Tensor, num_classes: int, weights: torch.Tensor | None = None) -> torch.Tensor:
    """The share of each class among indices (N,), float64 (K,)."""
    if not len(classes) or classes.min() < 0 or classes.max() >= num_classes:
        raise ValueError(f"classes are numbers from 0 to {num_classes - 1}, of one image at least.")
    weights = torch.ones(len(classes), dtype=torch.float64) if weights is None else weights.double()
    return torch.bincount(classes, weights, num_classes) / weights.sum()


def intra_class_frechet(
    real: torch.Tensor, real_labels: torch.Tensor, fake: torch.Tensor, fake_labels: torch.Tensor
) -> torch.Tensor:
    """The Fréchet distance within each class that the real images have, in the order of its number: float64 (K,).

    Features (N, F) and (M, F), labels (N,) and (M,). The mean over the classes is the intra-class score (Miyato & Koyama
    2018, arXiv 1802.05637, section 4): unlike the distance of the whole it sees classes that were confused, and those
    without variety. Few images bias it upwards, and a class has few. Raises ValueError for a class with fewer than
    LEAST_IMAGES images on either side.
    """
    distances = []
    for label in real_labels.unique().tolist():
        ours, theirs = real[real_labels == label], fake[fake_labels == label]
        if min(len(ours), len(theirs)) < LEAST_IMAGES:
            raise ValueError(
                f"class {label} has {len(ours)} real and {len(theirs)} generated images; "
                f"a Fréchet distance within a class takes {LEAST_IMAGES} of each at least."
            )
        distances.append(frechet_distance(moments(theirs), moments(ours)))
    return torch.tensor(distances, dtype=torch.float64)

"""Scores of class predictions: inception score, modes that occur, class frequencies, Fréchet distance within classes.

Shapes: N images, K classes, F features. `weights` (N,) say how often each image counts, 1 where there are none.
"""

import torch

from gan_hub.metrics.frechet import frechet_distance, moments

LEAST_IMAGES = 5  # of a class, on either side, for a Fréchet distance: with fewer, its covariance is arbitrary


def inception_score(logits: torch.Tensor, splits: int = 10, weights: torch.Tensor | None = None) -> tuple[float, float]:
    """The inception score exp E[KL(p(y|x) ‖ p(y))] (Salimans et al. 2016, arXiv 1606.03498, section 4).

    It never sees a real image, so that one image a class is enough for the best score.

    Args:
        logits: (N, K) of class predictions.
        splits: parts of consecutive images, 1 to N.
        weights: (N,), how often each image counts.

    Returns:
        Mean and standard deviation (divisor `splits`) over the splits; 1 at worst, K at best.

    Raises:
        ValueError: logits of another shape, or too many splits.
    """
    if logits.dim() != 2 or not 1 <= splits <= len(logits):
        raise ValueError(f"{splits} splits of logits {tuple(logits.shape)} are not allowed; give (N, K) and 1 to N.")
    weights = torch.ones(len(logits), dtype=torch.float64) if weights is None else weights.double()
    scores = []
    for split, weight in zip(logits.double().tensor_split(splits), weights.tensor_split(splits), strict=True):
        log_p, weight = split.log_softmax(1), weight / weight.sum()
        marginal = weight @ log_p.exp()
        divergence = torch.special.xlogy(log_p.exp(), log_p.exp()) - torch.special.xlogy(log_p.exp(), marginal)
        scores.append((weight @ divergence.sum(1)).exp())
    stacked = torch.stack(scores)
    return stacked.mean().item(), stacked.std(correction=0).item()


def mode_count(classes: torch.Tensor, num_classes: int, least: float = 0.1) -> int:
    """How many classes occur among the recognized ones.

    Args:
        classes: (N,), class predictions.
        num_classes: K.
        least: share of an even share 1 / K, from which a class counts.

    Returns:
        0 to K.
    """
    shares = histogram(classes, num_classes)
    return int((shares >= least / num_classes - 1e-12).sum())


def histogram_distance(
    classes: torch.Tensor, target: torch.Tensor, num_classes: int, weights: torch.Tensor | None = None
) -> float:
    """The total variation distance ½ Σ |p − q| between two class frequencies.

    Args:
        classes: (N,), class predictions.
        target: (M,), classes with the frequencies that there should be.
        num_classes: K.
        weights: (N,), how often each of `classes` counts.

    Returns:
        0 for equal frequencies, 1 where no class is in both.
    """
    gap = histogram(classes, num_classes, weights) - histogram(target, num_classes)
    return 0.5 * gap.abs().sum().item()


def histogram(classes: torch.Tensor, num_classes: int, weights: torch.Tensor | None = None) -> torch.Tensor:
    """The share of each class.

    Args:
        classes: indices (N,), 0 to K − 1.
        num_classes: K.
        weights: (N,), how often each image counts.

    Returns:
        Shares (K,) float64; their sum is 1.

    Raises:
        ValueError: no image, or a class of another number.
    """
    if not len(classes) or classes.min() < 0 or classes.max() >= num_classes:
        raise ValueError(f"classes are numbers from 0 to {num_classes - 1}, of one image at least.")
    weights = torch.ones(len(classes), dtype=torch.float64) if weights is None else weights.double()
    return torch.bincount(classes, weights, num_classes) / weights.sum()


def intra_class_frechet(
    real: torch.Tensor, real_labels: torch.Tensor, fake: torch.Tensor, fake_labels: torch.Tensor
) -> torch.Tensor:
    """The Fréchet distance within each class that the real images have.

    The mean over the classes is the intra-class score (Miyato & Koyama 2018, arXiv 1802.05637, section 4): unlike the
    distance of the whole it sees confused classes and classes without variety. Few images bias it upwards.

    Args:
        real, real_labels: features (N, F) and classes (N,).
        fake, fake_labels: features (M, F) and classes (M,).

    Returns:
        A distance for each class, float64 (K,), in the order of the class numbers.

    Raises:
        ValueError: a class with fewer than LEAST_IMAGES images on either side.
    """
    distances = []
    for label in real_labels.unique().tolist():
        reals, fakes = real[real_labels == label], fake[fake_labels == label]
        if min(len(reals), len(fakes)) < LEAST_IMAGES:
            raise ValueError(
                f"class {label} has {len(reals)} real and {len(fakes)} generated images; "
                f"a Fréchet distance within a class takes {LEAST_IMAGES} of each at least."
            )
        distances.append(frechet_distance(moments(fakes), moments(reals)))
    return torch.tensor(distances, dtype=torch.float64)

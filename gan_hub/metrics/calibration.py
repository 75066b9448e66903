"""A discriminator as a judge: logits → probabilities, fitted and measured on images that were not trained on.

A raw logit has no meaning by itself: its zero and its unit drift during training. A scale and a bias correct both (Platt
1999).
"""

from typing import Any

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from gan_hub.data import ImageSet
from gan_hub.latents import seeded
from gan_hub.pipeline import Calibration, GANPipeline
from gan_hub.pipeline.optimized import plain_twin
from gan_hub.seeds import MAX_SEED

BATCH = 100  # images that a network takes at a time
LEAST_UNSEEN = 20  # with fewer images that were not trained on, all held-out ones are used: 10 to fit, 10 to measure


def auc(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> float:
    """The probability that a random real image has a higher logit than a random generated one, ties counting half.

    The rank-sum statistic (Mann & Whitney 1947) of logits (N,) and (M,): 0.5 is a coin, 1 is never wrong.
    """
    fakes = fake_logits.double().sort().values
    below = torch.searchsorted(fakes, real_logits.double(), right=False)
    below_or_equal = torch.searchsorted(fakes, real_logits.double(), right=True)
    return ((below + below_or_equal).double() / (2 * len(fakes))).mean().item()


def fit_platt(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> tuple[float, float]:
    """(scale, bias) that maximize the likelihood of sigmoid(scale · logit + bias) for "real", both groups weighted equally."""
    logits = torch.cat([real_logits, fake_logits]).double()
    truth = torch.cat([torch.ones(len(real_logits)), torch.zeros(len(fake_logits))]).double()
    weight = torch.where(truth == 1, 0.5 / len(real_logits), 0.5 / len(fake_logits))
    mean, spread = logits.mean(), logits.std().clamp_min(1e-9)  # well conditioned, whatever the logits' unit
    standardized = (logits - mean) / spread
    parameters = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        # A small L2 term keeps the scale finite for separable groups.
        loss = binary_cross_entropy_with_logits(
            parameters[0] * standardized + parameters[1], truth, weight, reduction="sum"
        )
        loss = loss + 1e-6 * parameters[0].square()
        loss.backward()
        return loss

    optimizer.step(closure)
    scale = (parameters[0] / spread).item()
    return scale, (parameters[1] - parameters[0] * mean / spread).item()


def calibration_error(probability: torch.Tensor, truth: torch.Tensor, bins: int = 15) -> float:
    """The expected calibration error (Naeini et al. 2015).

    Args:
        probability: (N,) of "real", in [0, 1].
        truth: (N,), 1 for real images, 0 for generated ones.
        bins: of equal width.

    Returns:
        Mean |probability − share of real images| over the bins, weighted by their share of the images.
    """
    index = (probability * bins).long().clamp_max(bins - 1)
    error = 0.0
    for b in index.unique():
        inside = index == b
        gap = (probability[inside].double().mean() - truth[inside].double().mean()).abs()
        error += (gap * inside.double().mean()).item()
    return error


def unseen(held_out: ImageSet, trained: ImageSet) -> ImageSet:
    """The held-out images that are not, byte for byte, among the trained ones; all where fewer than LEAST_UNSEEN are left.

    A discriminator that has memorized an image calls it real, which says nothing about images that it never saw.
    """
    candidates = {image.tobytes() for image in held_out.images}
    known = {image.tobytes() for image in trained.images if image.tobytes() in candidates}
    rows = np.array([row for row, image in enumerate(held_out.images) if image.tobytes() not in known], dtype=np.int64)
    return held_out.take(rows) if LEAST_UNSEEN <= len(rows) < len(held_out) else held_out


def calibrate(
    pipeline: GANPipeline, held_out: ImageSet, seed: int = 0, limit: int = 5000, trained: ImageSet | None = None
) -> Calibration:
    """Fit the judge on every second image, and measure it on the others.

    Generated images have the labels, or maps, of the real ones: the judge cannot use their frequencies.

    Args:
        pipeline: the model, with its discriminator.
        held_out: real images that were not trained on.
        seed: by which real images and the seeds of generated ones are chosen.
        limit: the most real images, and the most generated ones.
        trained: the images that were trained on; their copies among `held_out` are left out (`unseen`).

    Returns:
        Scale and bias, with the AUC and the calibration error on the other half.
    """
    reals, fakes, conditions = _both(pipeline, held_out, seed, limit, trained)
    real_logits, fake_logits = (pipeline.discriminate(images, **conditions) for images in (reals, fakes))

    scale, bias = unlabelled = fit_platt(real_logits[::2], fake_logits[::2])
    if conditions["labels"] is not None:
        real_half, fake_half = (pipeline.discriminate(images[::2], batch_size=BATCH) for images in (reals, fakes))
        unlabelled = fit_platt(real_half, fake_half)
    sign = _sign(scale)
    logits = torch.cat([real_logits[1::2], fake_logits[1::2]])
    truth = torch.cat([torch.ones(len(real_logits[1::2])), torch.zeros(len(fake_logits[1::2]))])
    return Calibration(
        scale=scale,
        bias=bias,
        auc=auc(sign * real_logits[1::2], sign * fake_logits[1::2]),
        error=calibration_error(torch.sigmoid(scale * logits + bias), truth),
        images=len(logits),
        unlabelled_scale=unlabelled[0],
        unlabelled_bias=unlabelled[1],
    )


def verdicts(
    pipeline: GANPipeline, held_out: ImageSet, seed: int = 0, limit: int = 5000, trained: ImageSet | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits that `calibrate` measures its AUC on.

    Args:
        pipeline, held_out, seed, limit, trained: as of `calibrate`.

    Returns:
        Logits (n,) of real and (n,) of generated images, higher for "real".
    """
    reals, fakes, conditions = _both(pipeline, held_out, seed, limit, trained)
    real_logits, fake_logits = (pipeline.discriminate(images, **conditions) for images in (reals, fakes))
    sign = _sign(fit_platt(real_logits[::2], fake_logits[::2])[0])
    return sign * real_logits[1::2], sign * fake_logits[1::2]


def _both(
    pipeline: GANPipeline, held_out: ImageSet, seed: int, limit: int, trained: ImageSet | None
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """n real and n generated images, uint8 (n, H, W, C), and the conditions of both: options of the pipeline."""
    reals = held_out.take(torch.randperm(len(held_out), generator=seeded(seed))[:limit].numpy())
    if trained is not None:
        reals = unseen(reals, trained)
    labels = None if pipeline.label_names is None or reals.labels is None else reals.labels.tolist()
    seeds = [(MAX_SEED // 2 + seed + index) % MAX_SEED for index in range(len(reals))]  # far from the seeds people type
    conditions = {"labels": labels, "segmentation": reals.maps, "batch_size": BATCH}
    fakes = plain_twin(pipeline)(seeds=seeds, output_type="np", **conditions).images
    return np.asarray(reals.images), np.asarray(fakes), conditions


def _sign(scale: float) -> float:
    """−1 for a discriminator with higher logits for fakes, as an autoencoder has; else 1."""
    return 1.0 if scale >= 0 else -1.0

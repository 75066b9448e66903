"""A discriminator as a judge: logits → probabilities, fitted and measured on images that neither player saw.

A raw logit says nothing by itself: its zero and its unit drift during training. Two numbers repair that (Platt 1999).
"""

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from gan_hub.data import ImageSet
from gan_hub.latents import seeded
from gan_hub.pipeline import Calibration, GANPipeline
from gan_hub.seeds import MAX_SEED

BATCH = 100  # images that a player sees at a time
LEAST_UNSEEN = 20  # held-out images that a judge is measured on rather than on ones it was trained on: 10 for each half


def auc(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> float:
    """The chance that a random real image scores higher than a random generated one, ties counting half.

    The rank-sum statistic (Mann & Whitney 1947): 0.5 knows nothing, 1 is never wrong.
    """
    fakes = fake_logits.double().sort().values
    below = torch.searchsorted(fakes, real_logits.double(), right=False)
    below_or_equal = torch.searchsorted(fakes, real_logits.double(), right=True)
    return ((below + below_or_equal).double() / (2 * len(fakes))).mean().item()


def fit_platt(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> tuple[float, float]:
    """(scale, bias) for which sigmoid(scale · logit + bias) is the likeliest probability of "real", classes weighted equally."""
    logits = torch.cat([real_logits, fake_logits]).double()
    truth = torch.cat([torch.ones(len(real_logits)), torch.zeros(len(fake_logits))]).double()
    weight = torch.where(truth == 1, 0.5 / len(real_logits), 0.5 / len(fake_logits))
    centre, spread = logits.mean(), logits.std().clamp_min(1e-9)  # well conditioned, whatever the logits' unit
    standard = (logits - centre) / spread
    parameters = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def closure():
        optimizer.zero_grad()
        # A whisper of ridge keeps the scale finite where the two groups do not overlap at all.
        loss = binary_cross_entropy_with_logits(
            parameters[0] * standard + parameters[1], truth, weight, reduction="sum"
        )
        loss = loss + 1e-6 * parameters[0].square()
        loss.backward()
        return loss

    optimizer.step(closure)
    scale = (parameters[0] / spread).item()
    return scale, (parameters[1] - parameters[0] * centre / spread).item()


def calibration_error(probability: torch.Tensor, truth: torch.Tensor, bins: int = 15) -> float:
    """Mean |said − happened| over equally wide bins, weighted by their share of images (Naeini et al. 2015)."""
    index = (probability * bins).long().clamp_max(bins - 1)
    error = 0.0
    for b in index.unique():
        inside = index == b
        gap = (probability[inside].double().mean() - truth[inside].double().mean()).abs()
        error += (gap * inside.double().mean()).item()
    return error


def unseen(held_out: ImageSet, trained: ImageSet) -> ImageSet:
    """The held-out images that are not, byte for byte, among the trained ones; all where fewer than LEAST_UNSEEN are left.

    What a discriminator has learnt by heart it knows for real, and would know far better than what it never saw.
    """
    wanted = {image.tobytes() for image in held_out.images}
    known = {image.tobytes() for image in trained.images if image.tobytes() in wanted}
    rows = np.array([row for row, image in enumerate(held_out.images) if image.tobytes() not in known], dtype=np.int64)
    return held_out.take(rows) if LEAST_UNSEEN <= len(rows) < len(held_out) else held_out


def calibrate(
    pipeline: GANPipeline, held_out: ImageSet, seed: int = 0, limit: int = 5000, trained: ImageSet | None = None
) -> Calibration:
    """Fits the judge on every second of at most `limit` held-out real images and as many fresh ones, measures on the rest.

    Generated images have the labels, or maps, of the real ones, so that the judge cannot win by their frequencies. Nor, with
    the images it was `trained` on, by what it knows by heart: held-out copies of those are left out (`unseen`).
    """
    reals, fakes, told = _both(pipeline, held_out, seed, limit, trained)
    real_logits, fake_logits = (pipeline.discriminate(images, **told) for images in (reals, fakes))

    scale, bias = unlabelled = fit_platt(real_logits[::2], fake_logits[::2])
    if told["labels"] is not None:
        unlabelled = fit_platt(*(pipeline.discriminate(kind[::2], batch_size=BATCH) for kind in (reals, fakes)))
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
    """Logits (n,) of the held-out real images and of the fresh ones that `calibrate` measures its AUC on, higher is real."""
    reals, fakes, told = _both(pipeline, held_out, seed, limit, trained)
    real_logits, fake_logits = (pipeline.discriminate(images, **told) for images in (reals, fakes))
    sign = _sign(fit_platt(real_logits[::2], fake_logits[::2])[0])
    return sign * real_logits[1::2], sign * fake_logits[1::2]


def _both(
    pipeline: GANPipeline, held_out: ImageSet, seed: int, limit: int, trained: ImageSet | None
) -> tuple[np.ndarray, np.ndarray, dict]:
    """Real images, as many generated ones, uint8 (n, H, W, C), and what both players are told of both."""
    reals = held_out.take(torch.randperm(len(held_out), generator=seeded(seed))[:limit].numpy())
    if trained is not None:
        reals = unseen(reals, trained)
    labels = None if pipeline.label_names is None else reals.labels.tolist()
    seeds = [(MAX_SEED // 2 + seed + index) % MAX_SEED for index in range(len(reals))]  # far from the seeds people type
    told = {"labels": labels, "segmentation": reals.maps, "batch_size": BATCH}
    return reals.images, pipeline(seeds=seeds, output_type="np", **told).images, told


def _sign(scale: float) -> float:
    """An autoencoder's scores are higher for fakes: the judge turns them round."""
    return 1.0 if scale >= 0 else -1.0

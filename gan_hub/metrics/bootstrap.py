"""How far a score would move with another sample of images: the bootstrap (Efron 1979)."""

from collections.abc import Callable

import torch

from gan_hub.latents import seeded


def standard_error(
    statistic: Callable[[torch.Tensor], float], count: int, replicates: int = 100, seed: int = 0
) -> float:
    """The standard deviation of a statistic of `count` images over `replicates` resamplings with replacement.

    `statistic` takes weights (count,) float64, how often each image was drawn, and gives a number. The same seed gives
    the same resamplings, whatever the statistic.

    An interval is value ± 1.96 · error, not the percentiles of the replicates: a resampling has fewer different images
    than the sample, so that its Fréchet distance is larger on average, and percentiles may not even hold the value.
    The spread of the replicates does not suffer from that. Raises ValueError for fewer than two images or replicates.
    """
    if count < 2 or replicates < 2:
        raise ValueError(f"{replicates} resamplings of {count} images are not allowed; both are at least 2.")
    generator = seeded(seed)
    found = []
    for _ in range(replicates):
        drawn = torch.randint(count, (count,), generator=generator)
        found.append(float(statistic(torch.bincount(drawn, minlength=count).double())))
    return torch.tensor(found, dtype=torch.float64).std().item()


def standard_error_of_mean(values: torch.Tensor) -> float:
    """What `standard_error` of a plain mean of values (N,) tends to with ever more replicates, without drawing any.

    The root of (1 / N²) Σ (value − mean)². Efron 1979, section 3: the bootstrap's variance of a mean is known.
    """
    values = values.double()
    if len(values) < 2:
        raise ValueError(f"{len(values)} images are not enough for a standard error; it takes two or more.")
    return (values.var(correction=0) / len(values)).sqrt().item()

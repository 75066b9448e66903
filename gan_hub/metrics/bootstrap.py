"""Standard errors of scores over samples of images, by the bootstrap (Efron 1979)."""

from collections.abc import Callable

import torch

from gan_hub.latents import seeded


def standard_error(
    statistic: Callable[[torch.Tensor], float], count: int, replicates: int = 100, seed: int = 0
) -> float:
    """The standard deviation of a statistic over resamplings of the images with replacement.

    An interval is value ± 1.96 · error, not the percentiles of the replicates: a resampling has fewer different images
    than the sample, so that its Fréchet distance is larger on average, and percentiles may not even contain the value.
    The spread of the replicates does not suffer from that.

    Args:
        statistic: weights (count,) float64, how often each image was drawn → a number.
        count: images, 2 or more.
        replicates: resamplings, 2 or more.
        seed: the same seed gives the same resamplings, whatever the statistic.

    Returns:
        The standard error.

    Raises:
        ValueError: fewer than two images or replicates.
    """
    if count < 2 or replicates < 2:
        raise ValueError(f"{replicates} resamplings of {count} images are not allowed; both are at least 2.")
    generator = seeded(seed)
    values = []
    for _ in range(replicates):
        drawn = torch.randint(count, (count,), generator=generator)
        values.append(float(statistic(torch.bincount(drawn, minlength=count).double())))
    return torch.tensor(values, dtype=torch.float64).std().item()


def standard_error_of_mean(values: torch.Tensor) -> float:
    """The limit of `standard_error` of the mean of values (N,) for infinitely many replicates, in closed form.

    The root of (1 / N²) Σ (value − mean)²: Efron 1979, section 3. Raises ValueError for fewer than two values.
    """
    values = values.double()
    if len(values) < 2:
        raise ValueError(f"{len(values)} images are not enough for a standard error; it takes two or more.")
    return (values.var(correction=0) / len(values)).sqrt().item()

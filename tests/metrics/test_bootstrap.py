"""Standard errors by resampling, against those that are known in closed form."""

import numpy as np
import pytest
import torch

from gan_hub.metrics.bootstrap import standard_error, standard_error_of_mean


def values(count: int) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3 + 1


def test_the_error_of_a_mean_is_the_deviation_over_the_root_of_the_count():
    sample = values(500)
    error = standard_error(lambda weights: weights @ sample / 500, 500, replicates=2000)
    expected = sample.std().item() / 500**0.5
    assert abs(error / expected - 1) < 0.05  # its own relative error is 1 / √(2 · 2000) = 0.016
    assert abs(standard_error_of_mean(sample) / expected - 1) < 0.002  # divisor N, not N − 1


def test_the_error_of_a_variance_is_that_of_a_gaussian():
    sample = values(1000)

    def variance(weights: torch.Tensor) -> float:
        mean = weights @ sample / weights.sum()
        return (weights @ (sample - mean).square() / weights.sum()).item()

    error = standard_error(variance, 1000, replicates=1000)
    assert abs(error / (9 * (2 / 1000) ** 0.5) - 1) < 0.15


def test_weights_draw_as_many_images_as_there_are_each_from_all():
    seen = []
    standard_error(lambda weights: seen.append(weights) or 0.0, 50, replicates=400)
    drawn = torch.stack(seen)
    assert drawn.dtype == torch.float64 and (drawn.sum(1) == 50).all() and (drawn == drawn.round()).all()
    assert (drawn.mean(0) - 1).abs().max() < 0.25  # five standard errors: each image is drawn once on average


def test_the_same_seed_gives_the_same_error_and_another_another():
    sample = values(30)
    first, again, other = (standard_error(lambda w: w @ sample / 30, 30, 20, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_a_constant_has_no_error():
    assert standard_error(lambda weights: 4.0, 10) == 0
    assert standard_error_of_mean(torch.ones(10)) == 0


def test_what_cannot_be_resampled_is_refused():
    with pytest.raises(ValueError, match="100 resamplings of 1 images are not allowed; both are at least 2"):
        standard_error(lambda weights: 0.0, 1)
    with pytest.raises(ValueError, match="1 images are not enough for a standard error"):
        standard_error_of_mean(torch.ones(1))


def test_any_kind_of_whole_number_is_a_seed():
    values = torch.arange(20).double()
    errors = {standard_error(lambda w: float(w @ values), 20, 5, seed) for seed in (3, np.int64(3), torch.tensor(3))}
    assert len(errors) == 1
    with pytest.raises(ValueError, match="seed 3.5 is not allowed"):
        standard_error(lambda w: 0.0, 20, 5, 3.5)

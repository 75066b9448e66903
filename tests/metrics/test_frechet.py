"""The Fréchet distance against closed forms and against two released packages (tests/golden/metrics.safetensors)."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gan_hub.metrics.bootstrap import standard_error
from gan_hub.metrics.frechet import CHUNK, ResampledFrechet, factor, frechet_distance, moments


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return load_file(Path(__file__).parents[1] / "golden" / "metrics.safetensors")


def of_seed(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def turned(variances: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """The covariance of these variances along axes that no feature is parallel to; one seed, the same axes."""
    axes = torch.linalg.qr(of_seed(seed, len(variances), len(variances))).Q
    return axes @ torch.diag(variances) @ axes.T


def test_equal_sets_are_at_distance_zero(golden):
    real = moments(golden["inputs/features_real"])
    assert abs(frechet_distance(real, real) - golden["outputs/frechet/distance_real_with_itself"].item()) < 1e-8


def test_gaussians_with_diagonal_covariances_have_their_closed_form():
    mean_a, mean_b = torch.tensor([1.0, -2.0, 0.5]).double(), torch.tensor([0.0, 1.0, 0.5]).double()
    std_a, std_b = torch.tensor([1.0, 2.0, 0.1]).double(), torch.tensor([3.0, 0.5, 0.1]).double()
    expected = ((mean_a - mean_b) ** 2).sum() + ((std_a - std_b) ** 2).sum()
    found = frechet_distance((mean_a, torch.diag(std_a**2)), (mean_b, torch.diag(std_b**2)))
    assert abs(found - expected.item()) < 1e-8


def test_gaussians_whose_full_covariances_commute_have_their_closed_form():
    std_a, std_b = of_seed(1, 50).abs() + 0.1, of_seed(2, 50).abs() + 0.1
    mean_a, mean_b = of_seed(3, 50), of_seed(4, 50)
    expected = ((mean_a - mean_b) ** 2).sum() + ((std_a - std_b) ** 2).sum()
    found = frechet_distance((mean_a, turned(std_a**2)), (mean_b, turned(std_b**2)))
    assert abs(found - expected.item()) < 1e-8


def test_two_by_two_covariances_that_do_not_commute_have_their_closed_form():
    zero = torch.zeros(2, dtype=torch.float64)
    a, b = torch.tensor([[2.0, 0.7], [0.7, 1.0]]).double(), torch.tensor([[0.5, -0.3], [-0.3, 3.0]]).double()
    assert (a @ b - b @ a).abs().max() > 0.1
    overlap = ((a @ b).trace() + 2 * (a.det() * b.det()).sqrt()).sqrt()  # tr √M of a 2 × 2 matrix M
    found = frechet_distance((zero, a), (zero, b))
    assert abs(found - (a.trace() + b.trace() - 2 * overlap).item()) < 1e-8


@pytest.mark.parametrize("which", ["first", "second", "both"])
def test_singular_covariances_have_their_closed_form_whichever_side_they_are_on(which):
    std_a, std_b = torch.linspace(0.5, 2, 30).double(), torch.linspace(2, 1, 30).double()
    if which in ("first", "both"):
        std_a[10:] = 0
    if which in ("second", "both"):
        std_b[5:20] = 0
    zero = torch.zeros(30, dtype=torch.float64)
    found = frechet_distance((zero, turned(std_a**2)), (zero, turned(std_b**2)))
    assert abs(found - ((std_a - std_b) ** 2).sum().item()) < 1e-8


def test_it_agrees_with_released_packages(golden):
    real, fake = moments(golden["inputs/features_real"]), moments(golden["inputs/features_fake"])
    torch.testing.assert_close(real[0], golden["outputs/frechet/mean_real"], rtol=0, atol=1e-10)
    torch.testing.assert_close(real[1], golden["outputs/frechet/cov_real"], rtol=0, atol=1e-10)
    means = (real[0] - fake[0]).square().sum()
    torch.testing.assert_close(means, golden["outputs/frechet/mean_term"], rtol=0, atol=1e-10)
    assert abs(frechet_distance(real, fake) - golden["outputs/frechet/distance"].item()) < 1e-6
    assert abs(frechet_distance(fake, real) - golden["outputs/frechet/distance"].item()) < 1e-6


def test_fewer_images_than_features_still_give_the_exact_distance(golden):
    real, fake = (moments(golden[f"inputs/features_{kind}"][:40]) for kind in ("real", "fake"))
    assert abs(frechet_distance(real, fake) - golden["outputs/frechet/distance_first40_exact"].item()) < 1e-8
    # The packages keep the rounding errors of the directions without variance, and so lie further off.
    assert abs(frechet_distance(real, fake) - golden["outputs/frechet/distance_first40"].item()) < 1e-3


def test_moments_in_chunks_are_those_of_the_whole():
    features = (of_seed(5, 2 * CHUNK + 17, 6) + 100).float()
    mean, covariance = moments(features)
    torch.testing.assert_close(mean, features.double().mean(0), rtol=0, atol=1e-10)
    torch.testing.assert_close(covariance, torch.cov(features.double().T), rtol=0, atol=1e-10)


def test_weights_count_a_row_as_often_as_they_say():
    features, weights = of_seed(6, 50, 4), torch.arange(50) % 4
    repeated = moments(features.repeat_interleave(weights, 0))
    for found, expected in zip(moments(features, weights), repeated):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_a_root_gives_its_covariance_and_has_no_more_columns_than_rank():
    for variances, rank in ((torch.linspace(1, 2, 20), 20), (torch.linspace(1, 2, 20) * (torch.arange(20) < 7), 7)):
        covariance = turned(variances.double())
        root = factor(covariance)
        assert root.shape == (20, rank)
        torch.testing.assert_close(root @ root.T, covariance, rtol=0, atol=1e-12)


def test_a_resampled_distance_is_that_of_the_resampled_set(golden):
    real, fakes = moments(golden["inputs/features_real"]), golden["inputs/features_fake"]
    weights = torch.bincount(torch.randint(500, (500,), generator=torch.Generator().manual_seed(7)), minlength=500)
    expected = frechet_distance(moments(fakes, weights), real)
    assert abs(ResampledFrechet(fakes, real)(weights) - expected) < 1e-8
    assert abs(expected - frechet_distance(moments(fakes), real)) > 0.01


def test_the_standard_error_of_a_distance_is_its_spread_over_fresh_samples():
    real = (torch.zeros(3, dtype=torch.float64), torch.eye(3, dtype=torch.float64))
    fresh = torch.tensor([frechet_distance(moments(of_seed(seed, 400, 3) + 0.5), real) for seed in range(200)])
    error = standard_error(ResampledFrechet(of_seed(300, 400, 3) + 0.5, real), 400, replicates=200)
    assert abs(error / fresh.std().item() - 1) < 0.25


def test_what_has_no_covariance_is_refused():
    with pytest.raises(ValueError, match="a covariance needs at least two images, given 1"):
        moments(torch.zeros(1, 4))
    with pytest.raises(ValueError, match=r"features are \(N, F\), given \(4,\)"):
        moments(torch.zeros(4))
    with pytest.raises(ValueError, match=r"weights of shape \(3,\) for 4 images"):
        moments(torch.zeros(4, 2), torch.ones(3))
    with pytest.raises(ValueError, match="features contain NaN or Inf"):
        moments(torch.tensor([[1.0], [torch.nan], [2.0]]))
    with pytest.raises(ValueError, match="2 features cannot be compared with 3"):
        frechet_distance(moments(of_seed(0, 9, 2)), moments(of_seed(0, 9, 3)))

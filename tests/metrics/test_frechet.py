"""The Fréchet distance against closed forms and against two released packages (tests/golden/metrics.safetensors)."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gan_hub.metrics.frechet import frechet_distance, moments


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return load_file(Path(__file__).parents[1] / "golden" / "metrics.safetensors")


def test_equal_sets_are_at_distance_zero(golden):
    real = moments(golden["inputs/features_real"])
    assert abs(frechet_distance(real, real)) < 1e-8


def test_gaussians_with_diagonal_covariances_have_their_closed_form():
    mean_a, mean_b = torch.tensor([1.0, -2.0, 0.5]).double(), torch.tensor([0.0, 1.0, 0.5]).double()
    std_a, std_b = torch.tensor([1.0, 2.0, 0.1]).double(), torch.tensor([3.0, 0.5, 0.1]).double()
    expected = ((mean_a - mean_b) ** 2).sum() + ((std_a - std_b) ** 2).sum()
    found = frechet_distance((mean_a, torch.diag(std_a**2)), (mean_b, torch.diag(std_b**2)))
    assert abs(found - expected.item()) < 1e-8


def test_it_agrees_with_released_packages(golden):
    real, fake = moments(golden["inputs/features_real"]), moments(golden["inputs/features_fake"])
    torch.testing.assert_close(real[0], golden["outputs/frechet/mean_real"], rtol=0, atol=1e-10)
    torch.testing.assert_close(real[1], golden["outputs/frechet/cov_real"], rtol=0, atol=1e-10)
    assert abs(frechet_distance(real, fake) - golden["outputs/frechet/distance"].item()) < 1e-6
    assert abs(frechet_distance(fake, real) - golden["outputs/frechet/distance"].item()) < 1e-6


def test_fewer_images_than_features_still_give_the_exact_distance(golden):
    real, fake = (moments(golden[f"inputs/features_{kind}"][:40]) for kind in ("real", "fake"))
    assert abs(frechet_distance(real, fake) - golden["outputs/frechet/distance_first40_exact"].item()) < 1e-4

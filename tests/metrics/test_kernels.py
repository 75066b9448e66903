"""KID, MMD and the permutation test: against released packages, by brute force, and on distributions that are known."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gan_hub.losses import mmd2
from gan_hub.metrics.kernels import kid, kid_error, kid_of_subsets, median_distance, mmd, permutation_test


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return load_file(Path(__file__).parents[1] / "golden" / "metrics.safetensors")


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_kid_agrees_with_released_packages(golden):
    real, fake = golden["inputs/features_real"], golden["inputs/features_fake"]
    found = kid_of_subsets(real, fake, golden["inputs/kid_subsets_real"], golden["inputs/kid_subsets_fake"])
    torch.testing.assert_close(found, golden["outputs/kid/per_subset"], rtol=0, atol=1e-8)
    torch.testing.assert_close(found.mean(), golden["outputs/kid/mean"], rtol=0, atol=1e-8)
    torch.testing.assert_close(found.std(correction=0), golden["outputs/kid/std"], rtol=0, atol=1e-8)
    everything = torch.arange(500)[None]
    whole = kid_of_subsets(real, fake, everything, everything)
    torch.testing.assert_close(whole[0], golden["outputs/kid/all_rows"], rtol=0, atol=1e-8)


def test_kid_of_two_and_two_images_is_the_sum_written_out():
    (a, b), (c, d) = real, fake = normal(0, 2, 3), normal(1, 2, 3)

    def k(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return ((x * y).sum() / 3 + 1) ** 3

    expected = k(a, b) + k(c, d) - (k(a, c) + k(a, d) + k(b, c) + k(b, d)) / 2
    assert abs(kid(real, fake, subsets=3) - expected.item()) < 1e-12


def test_kid_takes_subsets_no_larger_than_the_smaller_side():
    real, fake = normal(2, 40, 5), normal(3, 25, 5)
    whole = kid_of_subsets(real, fake, torch.arange(40)[None], torch.arange(25)[None])
    drawn = kid(real, fake, subsets=400)  # of all 25 fakes and 25 of the reals
    assert abs(drawn - whole.item()) < 0.05 * kid_of_subsets(real, fake + 1, *[torch.arange(25)[None]] * 2).item()
    assert kid(real, fake, 10, 20, seed=1) == kid(real, fake, 10, 20, seed=1) != kid(real, fake, 10, 20, seed=2)


@pytest.mark.parametrize("count", [61, 150])
def test_kids_error_is_how_far_it_moves_with_other_generated_images(count):
    real = normal(0, 600, 3)
    samples = [normal(seed + 1, count, 3) + 0.5 for seed in range(80)]
    values = torch.tensor([kid(real, fake, 40, 60) for fake in samples])
    errors = torch.tensor([kid_error(real, fake) for fake in samples])
    assert 0.7 < errors.mean() / values.std() < 1.3


@pytest.mark.parametrize("distance", [mmd, lambda a, b: kid(a, b, subsets=1, size=50)], ids=["mmd", "kid"])
def test_equal_distributions_are_at_distance_zero_on_average(distance):
    found = torch.tensor([distance(normal(2 * seed, 50, 4), normal(2 * seed + 1, 50, 4)) for seed in range(100)])
    assert abs(found.mean() / (found.std() / 10)) < 3
    assert found.min() < 0 < found.max()
    apart = torch.tensor([distance(normal(2 * seed, 50, 4), normal(2 * seed + 1, 50, 4) + 1) for seed in range(10)])
    assert apart.min() > found.max()


def test_mmd_of_two_gaussians_has_its_closed_form():
    a, b, sigma, shift = normal(0, 600, 1), normal(1, 600, 1) + 1.5, 1.0, 1.5
    # E exp(−(x − y)² / 2σ²) for x − y ~ N(m, 2) is σ / √(σ² + 2) · exp(−m² / 2(σ² + 2)).
    expected = 2 * sigma / (sigma**2 + 2) ** 0.5 * (1 - torch.exp(torch.tensor(-(shift**2) / (2 * (sigma**2 + 2)))))
    assert abs(mmd2(a, b, [sigma]).item() / expected.item() - 1) < 0.1
    assert mmd(a, b) == pytest.approx(mmd2(a, b, [median_distance(a, b)]).item(), abs=1e-12)


def test_the_median_is_that_of_all_pairs_of_both_sets():
    found = median_distance(torch.tensor([[0.0], [1.0]]), torch.tensor([[10.0], [10.0]]))
    assert found == 9.0  # of 0, 1, 9, 9, 10, 10: the lower of the two in the middle


def test_the_permutation_test_tells_shifted_distributions_apart_and_not_equal_ones():
    assert permutation_test(normal(0, 60, 4), normal(1, 60, 4) + 0.7, permutations=200) == pytest.approx(1 / 201)
    values = torch.tensor([permutation_test(normal(2 * s, 40, 4), normal(2 * s + 1, 40, 4), 99) for s in range(60)])
    assert abs(values.mean() - 0.5) < 3 * (1 / 12 / 60) ** 0.5  # uniform under equality
    assert (values <= 0.2).double().mean() < 0.2 + 3 * (0.16 / 60) ** 0.5


def test_the_permutation_test_sees_what_two_sides_of_unlike_size_have():
    a, b = normal(0, 30, 3), normal(1, 80, 3)
    assert permutation_test(a, b, 200) > 0.01
    assert permutation_test(a * 2, b, 200) == pytest.approx(1 / 201)  # equal means, another spread
    assert permutation_test(a, b, 50, seed=3) == permutation_test(a, b, 50, seed=3)


def test_identical_sets_are_never_called_different():
    points = normal(0, 30, 3)
    assert permutation_test(points, points, 100) > 0.5


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match=r"given \(5, 3\) and \(5, 4\)"):
        kid(torch.zeros(5, 3), torch.zeros(5, 4))
    with pytest.raises(ValueError, match="they give no bandwidth"):
        mmd(torch.zeros(5, 3), torch.zeros(5, 3))
    with pytest.raises(ValueError, match="a subset has two images of each side"):
        kid_of_subsets(torch.zeros(5, 3), torch.zeros(5, 3), torch.zeros(1, 1).long(), torch.zeros(1, 1).long())

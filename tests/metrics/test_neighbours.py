"""Precision, recall, density, coverage and copies: against released packages, on toy sets, and by brute force."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gan_hub.metrics import neighbours
from gan_hub.metrics.neighbours import density_coverage, memorization, nearest_to_training, precision_recall


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return load_file(Path(__file__).parents[1] / "golden" / "metrics.safetensors")


@pytest.fixture(params=[1000, 64], ids=["one tile", "many tiles"])
def tile(request, monkeypatch) -> int:
    monkeypatch.setattr(neighbours, "TILE", request.param)
    return request.param


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("k", [3, 5])
def test_they_agree_with_released_packages(golden, k, tile):
    real, fake = golden["inputs/features_real"], golden["inputs/features_fake"]
    found = {**precision_recall(real, fake, k)._asdict(), **density_coverage(real, fake, k)._asdict()}
    for name, values in found.items():
        assert abs(values.double().mean() - golden[f"outputs/prc/prdc_k{k}/{name}"]) < 1e-9, name
    for name in ("precision", "recall"):  # float32 in that package; no image lies on a ball's surface here
        expected = golden[f"outputs/prc/torch_fidelity_k{k}/{name}"]
        assert abs(found[name].double().mean() - expected) < 1e-6, name


def test_images_of_one_mode_are_precise_and_recall_nothing_else():
    real = torch.cat([normal(0, 50, 2), normal(1, 50, 2) + 100])
    precision, recall = precision_recall(real, normal(2, 80, 2) * 0.5)
    assert precision.double().mean() > 0.95
    assert recall[:50].double().mean() > 0.3 and not recall[50:].any()
    coverage = density_coverage(real, normal(2, 80, 2) * 0.5).coverage
    assert coverage[:50].double().mean() > 0.5 and not coverage[50:].any()


def test_images_inside_one_ball_have_precision_1_and_recall_0():
    real = normal(0, 50, 2)
    precision, recall = precision_recall(real, real[:1] + 1e-6 * normal(1, 20, 2))
    assert precision.all() and recall.sum() <= 1


def test_far_away_images_have_nothing():
    real, fake = normal(0, 60, 3), normal(1, 60, 3) + 1000
    for values in (*precision_recall(real, fake), *density_coverage(real, fake)):
        assert values.shape == (60,) and not values.any()


def test_the_surface_of_a_ball_is_inside_for_precision_and_outside_for_density(tile):
    real = torch.tensor([[0.0], [1.0], [2.0], [3.0]])  # k = 1: every ball has radius 1
    precision, recall = precision_recall(real, torch.tensor([[4.0], [50.0]]), k=1)
    assert precision.tolist() == [True, False] and recall.all()
    density, coverage = density_coverage(real, torch.tensor([[4.0], [1.5]]), k=1)
    assert density.tolist() == [0.0, 2.0]
    assert coverage.tolist() == [False, True, True, False]


def test_a_set_against_itself_is_precise_and_of_the_density_that_its_balls_have(tile):
    real = normal(0, 300, 20) + 5
    precision, recall = precision_recall(real, real)
    density, coverage = density_coverage(real, real)
    assert precision.all() and recall.all() and coverage.all()
    # Each ball has its centre and k − 1 of the k neighbours inside, the k-th lying on its surface: exactly 1.
    assert abs(density.mean().item() - 1) < 1e-12


def test_samples_of_one_distribution_have_density_1_and_the_expected_coverage():
    density, coverage = density_coverage(normal(0, 1500, 3), normal(1, 1500, 3))
    assert abs(density.mean().item() - 1) < 0.1
    assert abs(coverage.double().mean().item() - (1 - 0.5**5)) < 0.02


def test_tiles_of_any_size_give_what_one_does(monkeypatch):
    real, fake = normal(0, 130, 8), normal(1, 90, 8)
    whole = [*precision_recall(real, fake), *density_coverage(real, fake), *memorization(fake, real, real[:7] + 1)]
    monkeypatch.setattr(neighbours, "TILE", 37)
    parts = [*precision_recall(real, fake), *density_coverage(real, fake), *memorization(fake, real, real[:7] + 1)]
    for expected, found in zip(whole, parts):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_a_copied_training_set_is_called_memorised_and_fresh_samples_are_not():
    train, held_out, fresh = normal(0, 400, 6), normal(1, 400, 6), normal(2, 400, 6)
    copies = train[torch.arange(100) * 3] + 1e-3 * normal(3, 100, 6)
    found = memorization(copies, train, held_out, share=0.01)
    assert found.copied.all() and (found.nearest == torch.arange(100) * 3).all()
    assert memorization(fresh, train, held_out, share=0.01).copied.double().mean() < 0.04


def test_the_threshold_is_the_distance_that_its_share_of_held_out_images_reaches(tile):
    train, held_out = torch.zeros(3, 2), torch.stack([torch.arange(1.0, 201), torch.zeros(200)], 1)
    for share, expected in ((0.001, 1.0), (0.01, 2.0), (0.5, 100.0), (1.0, 200.0)):
        found = memorization(torch.tensor([[0.0, 2.0], [0.0, 2.5]]), train, held_out, share)
        assert found.threshold == expected
        assert found.copied.tolist() == [expected >= 2, expected >= 2.5]


def test_an_exact_copy_is_at_distance_zero_and_the_first_at_risk(tile):
    train = normal(0, 300, 30) + 1000
    fakes = torch.cat([normal(1, 40, 30) + 1000, train[[123]], normal(2, 40, 30) + 1000])
    found = memorization(fakes, train, normal(3, 50, 30) + 1000)
    assert found.distances[40] == 0 and found.nearest[40] == 123 and found.copied[40]
    assert found.distances[41:].min() > 1
    at_risk = nearest_to_training(found)
    assert at_risk[0] == 40 and len(at_risk) == 16
    assert found.distances[at_risk].diff().min() >= 0 and found.distances[at_risk].max() <= found.distances.median()


def test_what_has_no_neighbours_is_refused():
    with pytest.raises(ValueError, match="k=3 is not allowed with 3 images; it is 1 to 2"):
        precision_recall(torch.zeros(3, 2), torch.zeros(9, 2))
    with pytest.raises(ValueError, match=r"given \(3, 2\) and \(9, 4\)"):
        density_coverage(torch.zeros(3, 2), torch.zeros(9, 4))
    with pytest.raises(ValueError, match="share=0 of 4 held-out images is not allowed"):
        memorization(torch.zeros(3, 2), torch.zeros(9, 2), torch.zeros(4, 2), share=0)

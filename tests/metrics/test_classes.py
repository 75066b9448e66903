"""Scores that know classes: against released packages, and where they are known in closed form."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gan_hub.metrics.classes import (
    histogram,
    histogram_distance,
    inception_score,
    intra_class_frechet,
    mode_count,
)
from gan_hub.metrics.frechet import frechet_distance, moments


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return load_file(Path(__file__).parents[1] / "golden" / "metrics.safetensors")


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("splits", [1, 10])
def test_the_inception_score_agrees_with_released_packages(golden, splits):
    mean, deviation = inception_score(golden["inputs/class_logits"], splits)
    assert abs(mean - golden[f"outputs/inception_score/splits{splits}/mean"].item()) < 1e-8
    assert abs(deviation - golden[f"outputs/inception_score/splits{splits}/std"].item()) < 1e-8


def test_logits_that_know_nothing_score_1_and_sure_ones_the_number_of_classes():
    assert inception_score(torch.zeros(100, 10)) == pytest.approx((1, 0), abs=1e-8)
    sure = torch.where(torch.eye(10, dtype=torch.bool), 0.0, -torch.inf).repeat(10, 1)
    assert inception_score(sure) == pytest.approx((10, 0), abs=1e-8)
    assert inception_score(sure[torch.arange(100) % 10 < 5], 1)[0] == pytest.approx(5, abs=1e-8)


def test_a_weight_counts_an_image_as_often_as_it_says():
    logits, weights = normal(0, 40, 5), torch.arange(40) % 3
    repeated = inception_score(logits.repeat_interleave(weights, 0), 1)
    assert inception_score(logits, 1, weights) == pytest.approx(repeated, abs=1e-12)
    classes = torch.arange(40) % 7
    assert torch.allclose(histogram(classes, 7, weights), histogram(classes.repeat_interleave(weights), 7))


def test_a_mode_counts_once_it_has_its_share():
    assert mode_count(torch.tensor([0] * 98 + [1] * 2), 5) == 2  # an even share is a fifth, a tenth of it 2 %
    assert mode_count(torch.tensor([0] * 99 + [1] * 1), 5) == 1
    assert mode_count(torch.arange(5), 5, least=1.0) == 5


def test_total_variation_is_half_of_what_the_frequencies_differ_by():
    wanted = torch.tensor([0, 1, 2, 3])
    assert histogram_distance(torch.tensor([3, 2, 1, 0, 0, 1, 2, 3]), wanted, 4) == 0
    assert histogram_distance(torch.tensor([0, 0, 0, 1]), wanted, 4) == pytest.approx(0.5)
    assert histogram_distance(torch.tensor([4, 4]), wanted, 5) == pytest.approx(1)
    assert histogram_distance(torch.tensor([0, 4]), wanted, 5, torch.tensor([0, 3])) == pytest.approx(1)


def test_the_distance_within_classes_sees_what_the_whole_does_not():
    labels = torch.arange(200) % 2
    real = normal(0, 200, 3) + 5 * labels[:, None]
    per_class = intra_class_frechet(real, labels, real, labels)
    assert per_class.shape == (2,) and per_class.abs().max() < 1e-8
    confused = intra_class_frechet(real, labels, real, 1 - labels)  # every image is another class's
    expected = frechet_distance(moments(real[labels == 1]), moments(real[labels == 0]))
    assert confused.tolist() == pytest.approx([expected, expected], abs=1e-8) and expected > 70
    assert abs(frechet_distance(moments(real), moments(real))) < 1e-8


def test_classes_are_taken_in_the_order_of_their_numbers():
    labels = torch.tensor([7, 3]).repeat(20)
    real, moved = normal(0, 40, 2), torch.where(labels == 7, 2.0, 0.0)[:, None]
    assert intra_class_frechet(real, labels, real + moved, labels).tolist() == pytest.approx([0, 8], abs=1e-8)


def test_a_class_of_few_images_is_refused():
    labels = torch.tensor([0] * 8 + [1] * 8)
    fewer = torch.tensor([0] * 12 + [1] * 4)
    with pytest.raises(ValueError, match="class 1 has 8 real and 4 generated images; .* takes 5 of each at least"):
        intra_class_frechet(normal(0, 16, 2), labels, normal(1, 16, 2), fewer)


def test_what_are_no_classes_is_refused():
    with pytest.raises(ValueError, match="classes are numbers from 0 to 4"):
        mode_count(torch.tensor([0, 5]), 5)
    with pytest.raises(ValueError, match="classes are numbers from 0 to 4, of one image at least"):
        histogram_distance(torch.tensor([], dtype=torch.long), torch.tensor([0]), 5)
    with pytest.raises(ValueError, match=r"10 splits of logits \(5, 3\) are not allowed"):
        inception_score(torch.zeros(5, 3))

"""AUC, Platt scaling and calibration error on logits with a known truth."""

import math

import numpy as np
import torch

from gan_hub.data import ImageSet
from gan_hub.metrics.calibration import auc, calibrate, calibration_error, fit_platt, unseen, verdicts


def gaussians(shift: float, count: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of two unit Gaussians `shift` apart: the true log odds of x are shift · x, the AUC Φ(shift / √2)."""
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, count, generator=generator)
    return real + shift / 2, fake - shift / 2


def test_auc_is_the_share_of_pairs_in_the_right_order():
    real, fake = torch.tensor([0.1, 0.5, 2.0]), torch.tensor([0.5, -1.0])
    pairs = [(r > f) + 0.5 * (r == f) for r in real.tolist() for f in fake.tolist()]
    assert auc(real, fake) == sum(pairs) / 6
    assert auc(fake, real) == 1 - sum(pairs) / 6


def test_auc_of_gaussians_is_known_and_a_blind_judge_has_one_half():
    assert abs(auc(*gaussians(1.0)) - 0.5 * (1 + math.erf(0.5))) < 0.01
    assert abs(auc(*gaussians(0.0)) - 0.5) < 0.01


def test_platt_scaling_finds_the_true_log_odds_whatever_the_unit():
    real, fake = gaussians(2.0)
    for unit, offset in ((1.0, 0.0), (30.0, 500.0), (0.001, -4.0)):
        scale, bias = fit_platt(real * unit + offset, fake * unit + offset)
        assert abs(scale * unit - 2.0) < 0.1
        assert abs(scale * offset + bias) < 0.1


def test_unequal_numbers_of_real_and_fake_do_not_tilt_the_judge():
    real, fake = gaussians(2.0)
    scale, bias = fit_platt(real, fake[:1000])
    assert abs(scale - 2.0) < 0.2 and abs(bias) < 0.2


def test_platt_scaling_stays_finite_where_nothing_overlaps():
    scale, bias = fit_platt(torch.ones(50), -torch.ones(50))
    assert 0 < scale < 1000 and math.isfinite(bias)


def test_calibration_error_is_zero_for_honest_and_large_for_boastful_probabilities():
    generator = torch.Generator().manual_seed(0)
    said = torch.rand(50_000, generator=generator)
    truth = (torch.rand(50_000, generator=generator) < said).float()
    assert calibration_error(said, truth) < 0.01
    assert abs(calibration_error(torch.full((1000,), 0.9), torch.tensor([1.0, 0.0] * 500)) - 0.4) < 1e-6


def test_a_discriminator_that_saw_no_training_is_no_better_than_a_coin(tiny_pipeline):
    labels = np.arange(300) % 3
    fakes = tiny_pipeline(seeds=range(300), labels=labels.tolist(), output_type="np").images
    found = calibrate(tiny_pipeline, ImageSet(fakes, labels.astype(np.int64), ["a", "b", "c"]))
    assert found.images == 300 and abs(found.auc - 0.5) < 0.1 and found.error < 0.15


def test_the_judge_is_measured_on_images_of_seeds_far_from_those_that_people_type(tiny_pipeline):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1), dtype=np.uint8)
    held_out = ImageSet(pixels, np.zeros(40, np.int64), ["a", "b", "c"])
    typed = tiny_pipeline(seeds=range(100), labels=[0] * 100, output_type="np").images
    typed_logits = tiny_pipeline.discriminate(typed, labels=[0] * 100)
    for seed in (0, 7):
        _, logits = verdicts(tiny_pipeline, held_out, seed=seed)
        apart = (logits.abs()[:, None] - typed_logits.abs()).abs().min(1).values
        assert len(logits) == 20 and apart.max() > 1e-4  # of other images some logit is apart from all of these


def test_the_judge_is_not_measured_on_duplicates_of_its_training_images_where_others_are_left(tiny_pipeline):
    pixels = np.random.default_rng(0).integers(0, 256, (120, 28, 28, 1), dtype=np.uint8)
    labels = np.zeros(120, np.int64)
    everything = ImageSet(pixels, labels, ["a", "b", "c"])
    trained, held_out = everything.take(np.arange(60)), everything.take(np.arange(30, 120))  # thirty are in both
    left = unseen(held_out, trained)
    assert len(left) == 60 and np.array_equal(left.images, pixels[60:])
    assert calibrate(tiny_pipeline, held_out, trained=trained).images == 60
    assert [len(logits) for logits in verdicts(tiny_pipeline, held_out, trained=trained)] == [30, 30]
    assert calibrate(tiny_pipeline, held_out).images == 90
    few = everything.take(np.arange(41, 79))  # only nineteen are not: too few to measure a judge on
    assert unseen(few, trained) is few

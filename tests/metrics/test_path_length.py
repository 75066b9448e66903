"""Perceptual path length: where it is known in closed form, and that a step keeps what is not the latent."""

import pytest
import torch

from gan_hub.latents import lerp, slerp
from gan_hub.metrics.path_length import perceptual_path_length, step_lengths, trimmed
from gan_hub.models.stylegan2 import StyleGAN2Generator
from gan_hub.pipeline import GANPipeline


class Pixels:
    """An extractor with the pixels as features; it remembers its inputs."""

    def __init__(self):
        self.seen = []

    def features(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images)
        return images.flatten(1)


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_linear_generator_on_straight_paths_has_its_closed_form():
    start, end, matrix = normal(0, 20, 6), normal(1, 20, 6), normal(2, 6, 9)
    where = torch.linspace(0, 0.9, 20, dtype=torch.float64)
    found = step_lengths(lambda z: z @ matrix, start, end, where, 1e-4, lerp)
    expected = ((end - start) @ matrix).square().sum(1)  # wherever the step lies and however long it is
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=0)


def test_an_arc_on_a_sphere_has_the_speed_of_its_angle():
    start, end = normal(0, 20, 6), normal(1, 20, 6)
    start, end = start / start.norm(dim=1, keepdim=True), end / end.norm(dim=1, keepdim=True)
    found = step_lengths(lambda z: 3 * z, start, end, torch.full((20,), 0.37), 1e-4, slerp)
    expected = (3 * (start * end).sum(1).arccos()) ** 2
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_the_extremes_are_left_out():
    lengths = torch.arange(1001.0, dtype=torch.float64)
    assert torch.equal(trimmed(lengths.flip(0)).sort().values, torch.arange(10.0, 991.0, dtype=torch.float64))
    assert trimmed(torch.tensor([3.0])).tolist() == [3.0]


def test_a_step_keeps_its_class(tiny_pipeline, monkeypatch):
    asked = []
    draw = GANPipeline.__call__

    def watched(self, **given):
        asked.append((given["labels"].tolist(), given["latents"]))
        return draw(self, **given)

    monkeypatch.setattr(GANPipeline, "__call__", watched)
    lengths = perceptual_path_length(tiny_pipeline, Pixels(), steps=12)
    (before, z), (after, moved) = asked
    assert before == after and set(before) == {0, 1, 2} and len(lengths) == 12
    assert 0 < (z - moved).abs().max() < 1e-3 and lengths.isfinite().all() and lengths.min() > 0


def test_lengths_do_not_depend_on_what_is_measured_together(tiny_rgb_pipeline, monkeypatch):
    first = perceptual_path_length(tiny_rgb_pipeline, Pixels(), steps=10, seed=4)
    monkeypatch.setattr("gan_hub.metrics.path_length.BATCH", 3)
    assert torch.equal(perceptual_path_length(tiny_rgb_pipeline, Pixels(), steps=10, seed=4), first)
    assert not torch.equal(perceptual_path_length(tiny_rgb_pipeline, Pixels(), steps=10, seed=5), first)


def test_a_step_of_a_real_generator_is_as_long_as_its_derivative_says(tiny_rgb_pipeline):
    """Twice the step, the same length: what rounding in float32 adds is small beside it."""
    short, long = (perceptual_path_length(tiny_rgb_pipeline, Pixels(), 20, epsilon).mean() for epsilon in (1e-3, 2e-3))
    assert abs(short / long - 1) < 0.02
    default = perceptual_path_length(tiny_rgb_pipeline, Pixels(), 20).mean()
    assert abs(default / short - 1) < 0.02


def test_a_generator_with_styles_is_walked_through_in_w():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = StyleGAN2Generator(resolution=8, channels=1, latent_size=8, base_channels=8, num_classes=0)
    pipeline, pixels = GANPipeline(network), Pixels()
    perceptual_path_length(pipeline, pixels, steps=1, epsilon=0.25, seed=0)
    generator = torch.Generator().manual_seed(0)
    ends = [pipeline.map(z) for z in torch.randn(2, 1, 8, generator=generator)]
    where = torch.rand(1, generator=generator, dtype=torch.float64).item() * 0.75
    for seen, t in zip(pixels.seen, (where, where + 0.25)):
        expected = pipeline.synthesize(torch.lerp(*ends, t), output_type="pt")
        torch.testing.assert_close(seen, expected, rtol=0, atol=1e-6)
    assert (pixels.seen[0] - pixels.seen[1]).abs().max() > 1e-3


def test_a_path_without_steps_is_refused(tiny_pipeline):
    for steps, epsilon in ((0, 1e-4), (5, 0.0)):
        with pytest.raises(ValueError, match=f"steps={steps} of epsilon={epsilon} are not allowed"):
            perceptual_path_length(tiny_pipeline, Pixels(), steps, epsilon)

"""W of a style-based model through the pipeline: map, synthesize, mixing, truncation; and who has none."""

import pytest
import torch

from gan_hub import GANPipeline
from gan_hub.latents import interpolate, mix_styles
from gan_hub.models.dcgan import DCGANGenerator
from gan_hub.models.stylegan2 import StyleGAN2Generator

SEEDS = [3, 1, 4]


@pytest.fixture(scope="module", params=[0, 3], ids=["unconditional", "conditional"])
def pipe(request) -> GANPipeline:
    """A tiny StyleGAN2 with a mean w that is not 0 and layers that react to w."""
    torch.manual_seed(0)
    sizes = dict(resolution=32, latent_size=6, w_size=8, base_channels=4, max_channels=8, mapping_layers=2)
    generator = StyleGAN2Generator(**sizes, num_classes=request.param)
    with torch.no_grad():
        generator.w_avg.normal_(std=0.5)
    return GANPipeline(generator)


def test_map_and_synthesize_are_the_two_halves_of_sampling(pipe):
    z = pipe.sample_latents(SEEDS)
    w = pipe.map(z)
    assert w.shape == (3, 8, 8) and w.dtype == torch.float32 and w.device.type == "cpu" and not w.requires_grad
    assert torch.equal(pipe.synthesize(w, "pt"), pipe(seeds=SEEDS, output_type="pt").images)
    assert pipe.synthesize(w)[0].size == (32, 32) and pipe.synthesize(w, "np").shape == (3, 32, 32, 3)
    assert pipe.synthesize(w[:0], "pt").shape == (0, 3, 32, 32) and pipe.map(z[:0]).shape == (0, 8, 8)


def test_a_row_does_not_depend_on_the_others(pipe):
    z = pipe.sample_latents(SEEDS)
    assert torch.equal(pipe.map(z)[1:2], pipe.map(z[1:2]))
    w = pipe.map(z)
    assert torch.equal(pipe.synthesize(w, "pt")[1:2], pipe.synthesize(w[1:2], "pt"))


def test_truncation_draws_w_to_its_mean_and_leaves_z_alone(pipe):
    z = pipe.sample_latents(SEEDS)
    half, full = pipe.map(z, truncation=0.5), pipe.map(z)
    mean = pipe.generator.w_avg
    torch.testing.assert_close(half - mean, 0.5 * (full - mean))
    out = pipe(seeds=SEEDS, truncation=0.5, output_type="pt")
    assert torch.equal(out.images, pipe.synthesize(half, "pt")) and torch.equal(out.latents, z)
    centre = pipe(seeds=SEEDS, truncation=0, output_type="pt").images
    assert torch.equal(centre[0], centre[1]) and not torch.equal(centre[0], out.images[0])


def test_the_label_decides_about_w(pipe):
    z = pipe.sample_latents([3])
    if pipe.label_names is None:
        with pytest.raises(ValueError, match="unconditional"):
            pipe.map(z, labels=1)
    else:
        assert not torch.equal(pipe.map(z, labels=0), pipe.map(z, labels="2"))
        assert torch.equal(pipe.map(z, labels=2), pipe.map(z, labels="2"))


def test_mixed_styles_are_the_first_image_up_to_the_crossover_and_the_second_from_there(pipe):
    first, second = pipe.map(pipe.sample_latents([3])), pipe.map(pipe.sample_latents([4]))
    mixed = mix_styles(first, second, 3)
    assert torch.equal(mixed[:, :3], first[:, :3]) and torch.equal(mixed[:, 3:], second[:, 3:])
    assert torch.equal(mix_styles(first, second, 8), first) and torch.equal(mix_styles(first, second, 0), second)
    images = [pipe.synthesize(w, "pt") for w in (first, mixed, second)]
    assert not torch.equal(images[0], images[1]) and not torch.equal(images[1], images[2])


@pytest.mark.parametrize("crossover", [-1, 9, 1.5, True, None, "3"])
def test_a_crossover_beyond_the_rows_is_refused(crossover):
    w = torch.zeros(1, 8, 4)
    with pytest.raises(ValueError, match="crossover=.* from 0 to 8"):
        mix_styles(w, w, crossover)


@pytest.mark.parametrize("shape", [(1, 8), (2, 8, 4), (1, 7, 4), (1, 8, 5)])
def test_styles_of_other_shapes_are_not_mixed(shape):
    with pytest.raises(ValueError, match="cannot be mixed"):
        mix_styles(torch.zeros(1, 8, 4), torch.zeros(shape), 1)


def test_a_walk_in_w_is_a_walk_of_rows(pipe):
    w = pipe.map(pipe.sample_latents([3, 4]))
    walk = interpolate(w.flatten(1), frames=3, mode="lerp").unflatten(1, (8, 8))
    torch.testing.assert_close(walk[1], w.mean(0))
    assert len(pipe.synthesize(walk)) == 3


@pytest.mark.parametrize(
    "w", [None, [1.0], torch.zeros(8, 8), torch.zeros(1, 7, 8), torch.zeros(1, 8, 9), torch.full((1, 8, 8), torch.nan)]
)
def test_a_wrong_w_is_refused_in_a_sentence(pipe, w):
    with pytest.raises(ValueError, match=r"w is a tensor \(N, 8, 8\) without NaN or Inf, given"):
        pipe.synthesize(w)


def test_wrong_latents_truncations_and_types_are_refused_in_a_sentence(pipe):
    for z in (None, torch.zeros(2, 5), torch.full((1, 6), torch.inf)):
        with pytest.raises(ValueError, match="latents"):
            pipe.map(z)
    for psi in (-0.1, 1.1, "1", True, None):
        with pytest.raises(ValueError, match="truncation"):
            pipe.map(torch.zeros(1, 6), truncation=psi)
        with pytest.raises(ValueError, match="truncation"):
            pipe(seeds=[0], truncation=psi)
    with pytest.raises(ValueError, match="output_type 'jpg'"):
        pipe.synthesize(torch.zeros(1, 8, 8), "jpg")


def test_a_model_without_w_says_so():
    pipe = GANPipeline(DCGANGenerator(resolution=8, latent_size=6, base_channels=2))
    for ask in (lambda: pipe.map(torch.zeros(1, 6)), lambda: pipe.synthesize(torch.zeros(1, 8, 8))):
        with pytest.raises(ValueError, match="DCGANGenerator.* has no w"):
            ask()

"""Noise of a StyleGAN's pixels through the pipeline: its own, each latent's, none; and who has none."""

import pytest
import torch

from gan_hub import GANPipeline
from gan_hub.model_folder.concepts import Concept
from gan_hub.models.dcgan import DCGANGenerator
from gan_hub.models.plain_stylegan2 import PlainStyleGAN2Generator
from gan_hub.models.stylegan import StyleGANGenerator
from gan_hub.models.stylegan2 import StyleGAN2Generator
from gan_hub.models.stylegan3 import StyleGAN3Generator

SEEDS = [3, 1, 4]
SIZES = dict(resolution=16, latent_size=6, w_size=8, base_channels=4, max_channels=8, mapping_layers=2)
NOISY = {
    "stylegan": lambda: StyleGANGenerator(**SIZES, noise="random"),
    "stylegan2": lambda: StyleGAN2Generator(**SIZES, num_classes=3),
    "plain": lambda: PlainStyleGAN2Generator(resolution=16, latent_size=6, base_channels=2, mapping_layers=2),
}


def with_noise(make) -> GANPipeline:
    """A tiny network whose noise shows: its strengths start at 0."""
    torch.manual_seed(0)
    generator = make()
    with torch.no_grad():
        for name, weight in generator.named_parameters():
            if name.endswith("noise_strength"):
                weight.fill_(0.5)
    return GANPipeline(generator)


@pytest.fixture(scope="module", params=NOISY)
def pipe(request) -> GANPipeline:
    return with_noise(NOISY[request.param])


def drawn(pipe: GANPipeline, seeds=SEEDS, **options) -> torch.Tensor:
    return pipe(seeds=seeds, output_type="pt", **options).images


def test_the_networks_own_noise_is_the_default_and_other_noise_another_image(pipe):
    usual, fresh, without = drawn(pipe), drawn(pipe, noise="random"), drawn(pipe, noise="none")
    assert torch.equal(drawn(pipe, noise="const"), usual)
    for one, other in ((usual, fresh), (usual, without), (fresh, without)):
        assert (one - other).abs().mean() > 0.01


def test_random_noise_is_the_seeds_own_in_any_batch_and_whatever_torch_drew_before(pipe):
    fresh = drawn(pipe, noise="random")
    state = torch.random.get_rng_state()
    torch.manual_seed(7)
    for place, seed in enumerate(SEEDS):
        torch.testing.assert_close(drawn(pipe, [seed], noise="random")[0], fresh[place], rtol=0, atol=0)
    together = drawn(pipe, noise="random", batch_size=3)
    torch.testing.assert_close(together, fresh, rtol=0, atol=1e-5)
    assert torch.initial_seed() == 7 and torch.equal(drawn(pipe, noise="random"), fresh)
    torch.random.set_rng_state(state)
    # Of one w, only the noise tells the images apart.
    mean, same = drawn(pipe, noise="random", truncation=0), drawn(pipe, truncation=0)
    assert not torch.equal(mean[0], mean[1]) and torch.equal(same[0], same[1])


def test_noise_stays_where_a_concept_moves_the_latent():
    pipe = with_noise(NOISY["stylegan2"])
    pipe.concepts = {"long": Concept("long", torch.ones(6), "z", (1, 2, 3), (4, 5, 6), "made up")}
    still, moved = (drawn(pipe, noise="random", truncation=0, concepts=by, labels=1) for by in ({}, {"long": 2.0}))
    assert torch.equal(still, moved)
    assert not torch.equal(drawn(pipe, concepts={"long": 2.0}, labels=1), drawn(pipe, labels=1))


def test_a_stream_has_the_noise_that_was_asked_for(pipe):
    images = [output.images for output in pipe.stream(SEEDS, noise="random", output_type="pt")]
    assert torch.equal(torch.cat(images), drawn(pipe, noise="random"))


def test_an_engine_leaves_other_noise_to_the_generator():
    pipe = with_noise(NOISY["stylegan2"])
    plain = {noise: drawn(pipe, noise=noise) for noise in ("random", "none")}
    pipe.optimize("torch", seconds=0)
    assert pipe.engine.name == "torch"
    for noise, images in plain.items():
        assert torch.equal(drawn(pipe, noise=noise), images)


@pytest.mark.parametrize("noise", ["fresh", "", 1, True, ["const"]])
def test_noise_of_another_name_is_refused_in_a_sentence(pipe, noise):
    with pytest.raises(ValueError, match=r"noise=.* is not allowed; choose one of const, random, none\."):
        pipe(seeds=[0], noise=noise)


def test_a_model_without_noise_says_so_and_draws_without():
    generators = [
        DCGANGenerator(resolution=8, latent_size=6, base_channels=2),
        StyleGAN2Generator(**SIZES, noise="none"),
        StyleGAN3Generator(32, latent_size=8, w_size=8, base_channels=4, max_channels=16, synthesis_layers=6),
    ]
    for generator in generators:
        pipe = GANPipeline(generator)
        assert torch.equal(drawn(pipe, noise="none"), drawn(pipe))
        for noise in ("const", "random"):
            with pytest.raises(ValueError, match=f"{type(generator).__name__}.* has no noise of its pixels"):
                pipe(seeds=[0], noise=noise)

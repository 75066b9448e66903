"""Images drawn in blocks are those drawn alone, bit for bit, for every published model and every architecture."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from gan_hub import GANPipeline
from gan_hub.hub.resolve import bundled_models
from gan_hub.models import ARCHITECTURES
from gan_hub.models.dcgan import DCGANGenerator
from gan_hub.models.mixins import SegmentationConditional, StyleBased
from gan_hub.pipeline import blocks
from gan_hub.pipeline.blocks import BLOCK, SingleImageBits
from tests.conftest import lively, make_pipeline
from tests.models.test_registry import build_pair, inputs, moved


@pytest.fixture
def tried_at_once(monkeypatch):
    """A block is taken from its first image on wherever its bits are right, however long it takes."""
    monkeypatch.setattr(blocks, "TRIED_AFTER", BLOCK)
    monkeypatch.setattr(blocks, "WORTH", math.inf)


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def made(generator_class, **shape) -> GANPipeline:
    return GANPipeline(lively(generator_class(resolution=16, channels=1, latent_size=8, base_channels=4, **shape), 0))


def drawn(pipe: GANPipeline, count: int, **options) -> torch.Tensor:
    return pipe(seeds=range(count), output_type="pt", **options).images


@pytest.mark.parametrize("name", bundled_models())
def test_a_published_model_draws_blocks_with_the_bits_of_images_drawn_alone(name, threads, tried_at_once):
    pipe = GANPipeline.from_pretrained(name)
    assert torch.equal(drawn(pipe, BLOCK + 3), drawn(pipe, BLOCK + 3, batch_size=1))


@pytest.mark.parametrize("name", bundled_models())
def test_a_block_of_published_pictures_is_the_published_one(name, tried_at_once):
    """Of the kind of machine that is asked here, alone as in a block; another kind may round to the next level."""
    pipe = GANPipeline.from_pretrained(name)
    reference = load_file(bundled_models()[name] / "reference.safetensors")
    seeds = reference["seeds"].tolist()
    many = pipe(seeds=seeds * BLOCK, output_type="np").images
    alone = pipe(seeds=seeds, output_type="np", batch_size=1).images
    assert np.array_equal(many, np.concatenate([alone] * BLOCK))
    assert np.abs(alone.astype(int) - reference["images"].numpy()).max() <= 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_draws_blocks_with_the_bits_of_images_drawn_alone(architecture, threads, tried_at_once):
    torch.manual_seed(0)
    generator, _ = build_pair(ARCHITECTURES[architecture], 0 if architecture in ("spade", "began") else 3)
    _, _, maps = inputs(generator)
    examples = {"segmentations": maps} if isinstance(generator, SegmentationConditional) else {}
    pipe = GANPipeline(moved(generator), **examples)
    for options in ({}, {"truncation": 0.5}):
        assert torch.equal(drawn(pipe, 2 * BLOCK + 1, **options), drawn(pipe, 2 * BLOCK + 1, batch_size=1, **options))
    if isinstance(generator, StyleBased):
        w = pipe.map(pipe.sample_latents(range(2 * BLOCK + 1)))
        assert torch.equal(pipe.synthesize(w, "pt"), pipe.synthesize(w, "pt", batch_size=1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_bits_are_the_same_in_every_dtype(dtype, tried_at_once):
    pipe = make_pipeline(3, 28, 1).to(dtype)
    assert torch.equal(drawn(pipe, 2 * BLOCK), drawn(pipe, 2 * BLOCK, batch_size=1))


def test_blocks_are_really_taken_and_from_the_first_images_on_only_after_some(monkeypatch):
    monkeypatch.setattr(blocks, "WORTH", math.inf)
    pipe, sizes = made(DCGANGenerator), []
    pipe.generator.register_forward_pre_hook(lambda network, args: sizes.append(len(args[0])))
    drawn(pipe, 20)
    assert set(sizes) == {1}, "a trial is not worth its time for so few"
    for _ in range(3):
        drawn(pipe, 20)
    sizes.clear()
    drawn(pipe, 20)
    assert sizes == [BLOCK, BLOCK, 1, 1, 1, 1]


def test_a_block_that_takes_longer_is_not_taken(monkeypatch):
    monkeypatch.setattr(blocks, "TRIED_AFTER", BLOCK)
    monkeypatch.setattr(blocks, "WORTH", -1.0)
    pipe, sizes = made(DCGANGenerator), []
    drawn(pipe, BLOCK)
    pipe.generator.register_forward_pre_hook(lambda network, args: sizes.append(len(args[0])))
    drawn(pipe, BLOCK)
    assert sizes == [1] * BLOCK


class CenteredGenerator(DCGANGenerator):
    """Its images depend on the others of their batch."""

    def forward(self, *args, **options):
        images = super().forward(*args, **options)
        return images - images.mean(0, keepdim=True) / 2


class GrowingGenerator(CenteredGenerator):
    """Its images depend on the others of their batch, once it has grown."""

    level = 0

    def forward(self, *args, **options):
        return (super().forward if self.level else super(CenteredGenerator, self).forward)(*args, **options)


class LonelyGenerator(DCGANGenerator):
    """It takes one image at a time."""

    def forward(self, z, *args, **options):
        return super().forward(z.reshape(1, 8), *args, **options)


@pytest.mark.parametrize("kind", [CenteredGenerator, LonelyGenerator])
def test_a_network_whose_images_depend_on_their_batch_is_drawn_one_by_one(kind, tried_at_once):
    pipe = made(kind)
    assert torch.equal(drawn(pipe, 3 * BLOCK), drawn(pipe, 3 * BLOCK, batch_size=1))


def test_another_level_of_growing_is_tried_again(tried_at_once):
    pipe = made(GrowingGenerator)
    assert torch.equal(drawn(pipe, 2 * BLOCK), drawn(pipe, 2 * BLOCK, batch_size=1))
    pipe.generator.level = 1
    assert torch.equal(drawn(pipe, 2 * BLOCK), drawn(pipe, 2 * BLOCK, batch_size=1))


def test_products_and_convolutions_have_the_bits_of_single_images():
    generator = torch.Generator().manual_seed(1)

    def numbers(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    matrix, kernel, bias = numbers(40, 24), numbers(16, 16, 3, 3), numbers(24)
    ways = {
        "linear": (lambda x: functional.linear(x, matrix.t()), (40,)),
        "rows of an image": (lambda x: functional.linear(x, matrix.t(), bias=bias), (5, 40)),
        "product": (lambda x: x @ matrix, (40,)),
        "addmm": (lambda x: torch.addmm(bias, x, matrix, alpha=0.5), (40,)),
        "convolution": (lambda x: functional.conv2d(x, kernel, padding=1), (16, 7, 7)),
        "transposed": (lambda x: functional.conv_transpose2d(x, kernel, stride=2), (16, 7, 7)),
        "a stack of matrices": (lambda x: x @ x.transpose(1, 2), (6, 6)),
    }
    for name, (compute, shape) in ways.items():
        x = numbers(BLOCK, *shape)
        with SingleImageBits(BLOCK):
            together = compute(x)
        assert torch.equal(together, torch.cat([compute(row.clone()) for row in x.split(1)])), name


def test_what_has_other_rows_than_images_is_left_as_it_is():
    """Such as a weight with as many rows as there are images, or an image without a batch."""
    left, right = torch.randn(BLOCK, 12), torch.randn(12, 12)
    image, kernel = torch.randn(BLOCK, 9, 9), torch.randn(4, BLOCK, 3, 3)
    rows = torch.randn(BLOCK, 12)
    expected = [torch.addmm(rows, left, right), functional.conv2d(image, kernel), rows @ torch.ones(12)]
    with SingleImageBits(BLOCK):
        found = [torch.addmm(rows, left, right), functional.conv2d(image, kernel), rows @ torch.ones(12)]
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))

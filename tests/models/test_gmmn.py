"""The moment matching generator against its paper: the prior, the layers, and that it has no opponent."""

import pytest
import torch
from torch import nn

from gan_hub.models import ARCHITECTURES, CLASSES
from gan_hub.models.gmmn import GMMNGenerator
from gan_hub.pipeline import GANPipeline

SMALL = {"resolution": 8, "hidden_size": 32}


def test_the_layers_are_those_of_the_papers_experiments_with_mnist():
    with torch.device("meta"):
        layers = [layer for layer in GMMNGenerator().layers]
    sizes = [(layer.in_features, layer.out_features) for layer in layers if isinstance(layer, nn.Linear)]
    assert sizes == [(10, 64), (64, 256), (256, 256), (256, 1024), (1024, 784)]
    assert [type(layer) for layer in layers[1::2]] == [nn.ReLU] * 4


def test_a_normal_z_becomes_the_uniform_prior_of_the_paper():
    generator, seen = GMMNGenerator(**SMALL, latent_size=2), []
    generator.layers.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    z = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        generator(z)
    h = seen[0].sort(dim=0).values
    even = (torch.arange(len(h)) + 0.5) / len(h) * 2 - 1
    assert (h - even[:, None]).abs().max() < 0.03  # Kolmogorov and Smirnov would allow 0.027 with p = 0.001
    torch.testing.assert_close(seen[0], 2 * torch.special.ndtr(z) - 1)


def test_the_images_are_a_sigmoids_on_their_own_range():
    generator = GMMNGenerator(**SMALL).double()
    z = torch.randn(3, 10, dtype=torch.float64)
    before = generator.layers(torch.erf(z / 2**0.5)).unflatten(1, (1, 8, 8))
    torch.testing.assert_close(generator(z), 2 * torch.sigmoid(2 * before) - 1)


def test_a_class_changes_the_image_and_is_asked_for():
    torch.manual_seed(0)  # a layer of one unit may be dead from the start
    generator, z = GMMNGenerator(**SMALL, num_classes=3), torch.randn(2, 10)
    assert not torch.equal(generator(z, torch.tensor([0, 0])), generator(z, torch.tensor([0, 1])))
    with pytest.raises(ValueError, match="GMMNGenerator needs labels"):
        generator(z)


def test_a_model_without_a_discriminator_is_saved_loaded_and_sampled_and_says_that_it_cannot_judge(tmp_path):
    assert ARCHITECTURES["gmmn"].discriminator is None and None not in CLASSES.values()
    pipeline = GANPipeline(GMMNGenerator(**SMALL))
    pipeline.save_pretrained(tmp_path)
    again = GANPipeline.from_pretrained(tmp_path)
    images = [pipe(seeds=[0, 1], output_type="pt").images for pipe in (pipeline, again)]
    assert torch.equal(*images) and again.discriminator is None and again.calibration is None
    with pytest.raises(ValueError, match="without a discriminator"):
        again.discriminate(images[0])

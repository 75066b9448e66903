"""Networks inside torch.compile, DataParallel, an average of weights, a child process: they keep their kind."""

import copy
import pickle
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from gan_hub import GANPipeline
from gan_hub.concepts_discovery.discover import default_space
from gan_hub.hub.resolve import bundled_models
from gan_hub.metrics.feature_cache import weights_sha256
from gan_hub.metrics.path_length import perceptual_path_length
from gan_hub.models import ARCHITECTURES
from gan_hub.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_hub.models.modeling import evaluating, unwrapped
from tests.conftest import lively


def compiled(network: nn.Module) -> nn.Module:
    return torch.compile(network, backend="eager")


WRAPPERS = {"compiled": compiled, "data-parallel": nn.DataParallel, "averaged": AveragedModel}
BOTH = lambda network: compiled(nn.DataParallel(network))  # noqa: E731


@pytest.fixture(params=[*WRAPPERS.values(), BOTH], ids=[*WRAPPERS, "both"])
def wrap(request):
    torch._dynamo.reset()
    return request.param


def images(pipe: GANPipeline, **options) -> torch.Tensor:
    return pipe(seeds=[0, 3], output_type="pt", **options).images


@pytest.mark.parametrize("name", ["stylegan2-cats-64", "spade-facades", "dcgan-fashion-mnist"])
def test_a_wrapped_network_keeps_its_kind(name, wrap):
    """Truncation in w, concepts, maps, labels, verdicts: all as without the wrapping."""
    plain, pipe = GANPipeline.from_pretrained(name), GANPipeline.from_pretrained(name)
    pipe.generator, pipe.discriminator = wrap(pipe.generator), wrap(pipe.discriminator)
    concepts = {concept: 1.5 for concept in list(plain.concepts)[:1]}
    for options in ({}, {"truncation": 0.5}, {"concepts": concepts}):
        assert torch.allclose(images(pipe, **options), images(plain, **options), atol=1e-5), options
    drawn = plain(seeds=[0, 3])
    maps = {} if drawn.segmentations is None else {"segmentation": drawn.segmentations}
    assert torch.allclose(pipe.discriminate(drawn.images, **maps), plain.discriminate(drawn.images, **maps), atol=1e-4)
    assert pipe.device == plain.device and pipe.latent_size == plain.latent_size
    if name.startswith("stylegan2"):
        w = plain.map(drawn.latents, truncation=0.7)
        assert torch.equal(pipe.map(drawn.latents, truncation=0.7), w)
        assert torch.equal(pipe.synthesize(w, "pt"), plain.synthesize(w, "pt"))


def test_a_pipeline_takes_wrapped_networks_and_saves_what_is_inside(tiny_pipeline, wrap, tmp_path):
    generator, discriminator = copy.deepcopy(tiny_pipeline.generator), copy.deepcopy(tiny_pipeline.discriminator)
    pipe = GANPipeline(wrap(generator), wrap(discriminator), tiny_pipeline.label_names, tiny_pipeline.calibration)
    assert torch.allclose(images(pipe), images(tiny_pipeline), atol=1e-6)
    pipe.save_pretrained(tmp_path)
    pipe.save_pretrained(tmp_path, variant="fp16")
    loaded = GANPipeline.from_pretrained(tmp_path)
    assert torch.equal(images(loaded), images(tiny_pipeline)) and loaded.verify_reference() == 0
    assert type(GANPipeline.from_pretrained(tmp_path, variant="fp16").generator) is DCGANGenerator
    half = pipe.to(torch.bfloat16)
    assert images(half).dtype == torch.float32 and half.judge(half(seeds=[0]).images).shape == (1,)


def test_a_wrapped_network_in_training_mode_is_evaluated_all_the_same(tiny_pipeline, wrap):
    network = wrap(copy.deepcopy(tiny_pipeline.generator)).train()
    assert torch.allclose(images(GANPipeline(network, label_names=tiny_pipeline.label_names)), images(tiny_pipeline))
    assert unwrapped(network).training


def test_a_network_that_is_compiled_in_place_is_evaluated_in_eval_mode(tiny_pipeline):
    network = copy.deepcopy(tiny_pipeline.generator).train()
    network.compile(backend="eager")
    assert torch.allclose(images(GANPipeline(network, label_names=tiny_pipeline.label_names)), images(tiny_pipeline))
    assert network.training


def test_a_network_with_a_compiled_block_is_evaluated_in_eval_mode(tiny_pipeline):
    torch._dynamo.reset()
    network = copy.deepcopy(tiny_pipeline.generator).train()
    network.norms[0] = compiled(network.norms[0])
    assert torch.allclose(images(GANPipeline(network, label_names=tiny_pipeline.label_names)), images(tiny_pipeline))


def test_a_twin_in_eval_mode_shares_every_tensor_and_no_flag():
    network = DCGANDiscriminator(resolution=32, base_channels=4, norm="none", spectral_norm=True)
    twin = evaluating(network)
    assert type(twin) is type(network) and not any(module.training for module in twin.modules())
    assert all(module.training for module in network.modules())
    ours, theirs = network.state_dict(keep_vars=True), twin.state_dict(keep_vars=True)
    assert ours.keys() == theirs.keys() and all(ours[name] is theirs[name] for name in ours)
    assert evaluating(network.eval()) is network


@pytest.mark.parametrize("name", bundled_models())
def test_a_pipeline_travels_to_another_process(name):
    pipe = GANPipeline.from_pretrained(name)
    back = pickle.loads(pickle.dumps(pipe))
    assert torch.equal(images(back), images(pipe))
    assert pickle.loads(pickle.dumps(back)).generator.state_dict().keys() == pipe.generator.state_dict().keys()


@pytest.mark.parametrize("architecture", ["dcgan", "fastgan", "spade"])
def test_a_spectrally_normalised_network_is_the_same_after_pickling_and_goes_on_training(architecture):
    sizes = dict(resolution=32, base_channels=4)
    options = {"semantic_classes": 3} if architecture == "spade" else {"spectral_norm": True, "norm": "none"}
    network = lively(ARCHITECTURES[architecture].discriminator(**sizes, **options), 0).train()
    back = pickle.loads(pickle.dumps(network))
    assert list(back.state_dict()) == list(network.state_dict()) and back.training
    condition = (torch.zeros(2, 32, 32, dtype=torch.long),) if architecture == "spade" else ()
    reals = torch.rand(2, 3, 32, 32) * 2 - 1
    for player in (network, back, copy.deepcopy(back)):
        player(reals, *condition).sum().backward()
    gradients = [[parameter.grad for parameter in player.parameters()] for player in (network, back)]
    assert gradients[0] and all(torch.equal(*pair) for pair in zip(*gradients))


@pytest.mark.parametrize("name", ["stylegan2-avatars-32", "spade-facades"])
def test_scores_and_directions_see_the_network_inside(name, wrap):
    """The same weights, latent space, maps and path length, so that no score is of something else without a word."""
    plain, pipe = GANPipeline.from_pretrained(name), GANPipeline.from_pretrained(name)
    pipe.generator, pipe.discriminator = wrap(pipe.generator), wrap(pipe.discriminator)
    assert weights_sha256(pipe) == weights_sha256(plain) and default_space(pipe) == default_space(plain)
    features = SimpleNamespace(features=lambda images: images.flatten(1))
    lengths = [perceptual_path_length(each, features, steps=4) for each in (pipe, plain)]
    assert torch.allclose(*lengths, rtol=1e-3)


def test_a_network_that_is_none_of_this_library_is_told_what_it_is(tiny_pipeline):
    """Also where it is put into a pipeline later: traced, wrapped by hand, or taken out."""
    inputs = (torch.zeros(1, tiny_pipeline.latent_size), torch.zeros(1, dtype=torch.long))
    traced = torch.jit.trace(copy.deepcopy(tiny_pipeline.generator), inputs)
    uses = (lambda pipe: pipe(seeds=[0]), lambda pipe: pipe.latent_size, lambda pipe: pipe.device)
    for network, kind in ((traced, "TopLevelTracedModule"), (nn.Sequential(), "Sequential"), (None, "NoneType")):
        with pytest.raises(ValueError, match=f"generator is a {kind}; allowed: a network of gan_hub.models"):
            GANPipeline(network)
        pipe = copy.copy(tiny_pipeline)
        pipe.generator = network
        for use in uses:
            with pytest.raises(ValueError, match=f"generator is a {kind}"):
                use(pipe)

"""Runs whose discriminator sees through a frozen network: trained, exported, judged, started from, and refused."""

import json

import pytest
import torch

from gan_hub import FeaturesDiscriminator, GANPipeline
from gan_hub.models import ARCHITECTURES, CLASSES, register_architecture
from gan_hub.training import TrainConfig, train
from gan_hub.training.batches import Batches
from gan_hub.training.steps import train_step
from tests.models.test_own_architectures import Generator

FEATURES = {
    "discriminator": {"features": "squeezenet", "pixels": 4, "max_channels": 16},
    "loss": "hinge",
    "r1_gamma": 0.1,
    "trackers": "none",
}


def test_a_run_with_frozen_features_becomes_a_model_that_judges_and_a_start_for_another(small_options):
    folder = train(TrainConfig(**small_options | FEATURES))
    index = json.loads((folder / "model_index.json").read_text())
    assert index["discriminator"] == ["gan_hub", "FeaturesDiscriminator"]
    assert "The discriminator saw the images through a frozen squeezenet and" in (folder / "README.md").read_text()
    pipe = GANPipeline.from_pretrained(folder)
    images = pipe(seeds=[1, 2, 3], labels=0).images
    logits = pipe.discriminate(images, labels=0)
    assert logits.shape == (3,) and torch.isfinite(logits).all()
    alone = torch.cat([pipe.discriminate([image], labels=0) for image in images])
    assert torch.allclose(alone, logits, atol=1e-5)  # nothing of its batch is in a logit
    assert ((0 <= pipe.judge(images, labels=0)) & (pipe.judge(images, labels=0) <= 1)).all()

    again = small_options | FEATURES | {"name": "again", "initial": str(folder), "total_kimg": 0.032, "decay_kimg": 0.0}
    train(TrainConfig(**again))
    with pytest.raises(ValueError, match="the class of its discriminator is 'FeaturesDiscriminator', this run's"):
        train(TrainConfig(**again | {"name": "other", "discriminator": small_options["discriminator"]}))


def test_the_generator_learns_from_the_features_and_the_frozen_network_stays(new_game):
    state, batches, config = new_game(Batches, **FEATURES)
    frozen = {name: tensor.clone() for name, tensor in state.discriminator.projected.named_buffers()}
    before = {name: tensor.clone() for name, tensor in state.generator.named_parameters()}
    heads = {name: tensor.clone() for name, tensor in state.discriminator.heads.named_parameters()}
    for step in range(2):
        metrics = train_step(state, config, batches, step)
    assert "penalty/r1" not in metrics  # of the first of four steps
    for name, tensor in state.discriminator.projected.named_buffers():
        assert torch.equal(tensor, frozen[name]), name
    assert all(not torch.equal(tensor, before[name]) for name, tensor in state.generator.named_parameters())
    assert all(not torch.equal(tensor, heads[name]) for name, tensor in state.discriminator.heads.named_parameters())


REFUSED = {
    "several scales": ({"architecture": "msg_gan"}, "without images of several scales. Leave features out."),
    "growing": ({"architecture": "progan", "grow_kimg": 0.01}, "grow_kimg=0.01 is not allowed with discriminator="),
    "a penalty without pixels": (
        {"discriminator": {"features": "squeezenet", "pixels": 0}},
        r"not allowed with a gradient penalty \(r1\), which is about the discriminator of pixels; choose pixels above 0",
    ),
    "no discriminator": ({"architecture": "gmmn", "loss": "mmd", "r1_gamma": 0.0}, "which has no discriminator"),
    "an autoencoder's loss": ({"loss": "began"}, "which reconstructs no image; choose hinge, or leave features out"),
    "an autoencoder's loss with its generator": (
        {"architecture": "began", "loss": "began", "conditional": False},
        "which reconstructs no image; choose hinge, or leave features out",
    ),
    "classes of a generator without": (
        {"architecture": "began", "conditional": True},
        "conditional=True is not allowed with architecture='began', which has no classes",
    ),
    "another network": (
        {"discriminator": {"features": "inception"}},
        "config key 'features' has the value 'inception'; allowed: one of 'squeezenet'",
    ),
    "an unknown argument": (
        {"discriminator": {"features": "squeezenet", "base_channels": 4}},
        "discriminator: config key 'base_channels' is unknown; known: .*features, enlarge, pixels",
    ),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_does_not_go_with_frozen_features_is_refused_in_a_sentence(small_options, case):
    changes, sentence = REFUSED[case]
    with pytest.raises(ValueError, match=sentence):
        TrainConfig(**small_options | FEATURES | {"generator": {"latent_size": 8}} | changes)


def test_maps_do_not_go_with_frozen_features(small_options):
    options = {"architecture": "spade", "conditional": False, "generator": {}, "r1_gamma": 0.0}
    with pytest.raises(ValueError, match="features are those of one image, without maps. Leave features out."):
        TrainConfig(**small_options | FEATURES | options)


def test_an_own_generator_may_have_it_as_its_discriminator_and_its_card_says_what_it_saw(small_options, monkeypatch):
    monkeypatch.setitem(
        ARCHITECTURES, "own", ARCHITECTURES["dcgan"]
    )  # what is registered in their place is gone afterwards
    monkeypatch.setitem(CLASSES, "Generator", Generator)
    register_architecture("own", Generator, FeaturesDiscriminator)
    options = {"architecture": "own", "conditional": False, "generator": {}, "discriminator": {"pixels": 4}}
    folder = train(TrainConfig(**small_options | FEATURES | options))
    assert "through a frozen squeezenet and, beside that" in (folder / "README.md").read_text()


def test_any_architecture_with_one_image_may_be_joined(small_options):
    for architecture in ("mlp", "dcgan", "r3gan", "stylegan", "stylegan2", "progan"):
        options = {"architecture": architecture, "generator": {"latent_size": 8}}
        config = TrainConfig(**small_options | FEATURES | options)
        assert config.discriminator_class is not None and config.discriminator_class.__name__ == "FeaturesDiscriminator"

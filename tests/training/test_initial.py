"""A run that starts from a published model: its weights for both players and the average, or a sentence why not."""

import shutil

import pytest
import torch

from gan_hub import GANPipeline
from gan_hub.training import trainer
from gan_hub.training.config import TrainConfig
from gan_hub.training.recipes import read_recipe

SHORT = {"total_kimg": 0.032, "decay_kimg": 0.0, "checkpoint_kimg": 100.0}
STILL = {"learning_rate_generator": 0.0, "learning_rate_discriminator": 0.0}


@pytest.fixture
def published(small_options):
    """A model folder of a run of its own."""
    return trainer.train(TrainConfig(**small_options | SHORT | {"name": "first", "learning_rate_generator": 0.01}))


def same(ours: torch.nn.Module, theirs: torch.nn.Module) -> bool:
    parameters = dict(theirs.named_parameters())
    return all(torch.equal(value, parameters[name]) for name, value in ours.named_parameters())


def test_both_players_and_the_average_start_from_the_models_weights(small_options, published):
    folder = trainer.train(TrainConfig(**small_options | SHORT | STILL | {"initial": str(published), "seed": 5}))
    ours, theirs = GANPipeline.from_pretrained(folder), GANPipeline.from_pretrained(published)
    assert same(ours.generator, theirs.generator) and same(ours.discriminator, theirs.discriminator)


def test_the_generator_alone_meets_a_new_discriminator_even_of_another_shape(small_options, published):
    narrow = {"discriminator": {"base_channels": 2, "norm": "none"}, "initial_players": "generator"}
    folder = trainer.train(TrainConfig(**small_options | SHORT | STILL | narrow | {"initial": str(published)}))
    ours, theirs = GANPipeline.from_pretrained(folder), GANPipeline.from_pretrained(published)
    assert same(ours.generator, theirs.generator) and ours.discriminator.config["base_channels"] == 2


def test_what_was_trained_on_is_told_by_words_where_it_is_a_folder(small_options, published):
    folder = trainer.train(TrainConfig(**small_options | SHORT | {"initial": str(published)}))
    assert read_recipe(folder / "recipe.yaml")["initial"] == "your-model"


def test_a_resumed_run_needs_the_model_no_more(small_options, published):
    options = small_options | SHORT | STILL | {"initial": str(published)}
    theirs = GANPipeline.from_pretrained(published)
    trainer.train(TrainConfig(**options))
    shutil.rmtree(published)
    folder = trainer.train(TrainConfig(**options), resume=True)
    assert same(GANPipeline.from_pretrained(folder).generator, theirs.generator)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"generator": {"latent_size": 8, "base_channels": 8}}, "base_channels of its generator is 4, this run's is 8"),
        ({"discriminator": {"base_channels": 4}}, "norm of its discriminator is 'none', this run's is 'batch'"),
        ({"conditional": False}, "num_classes of its generator is 3, this run's is 0"),
        ({"architecture": "mlp", "generator": {}, "discriminator": {}}, "class of its generator is 'DCGANGenerator'"),
    ],
)
def test_another_network_is_refused_in_one_sentence(small_options, published, change, said):
    with pytest.raises(ValueError, match=said):
        trainer.train(TrainConfig(**small_options | SHORT | {"initial": str(published)} | change))


def test_a_model_without_a_discriminator_is_refused(small_options, published):
    pipeline = GANPipeline.from_pretrained(published, discriminator=None)
    alone = GANPipeline(pipeline.generator, label_names=pipeline.label_names)
    shutil.rmtree(published)
    alone.save_pretrained(published)
    with pytest.raises(ValueError, match="has no discriminator"):
        trainer.train(TrainConfig(**small_options | SHORT | {"initial": str(published)}))

"""Scores, calibrations and checks of a pipeline are of the generator's own images, whatever engine draws for people."""

import numpy as np
import pytest
import torch

from gan_hub import GANPipeline
from gan_hub.concepts_discovery import effects
from gan_hub.data import ImageSet
from gan_hub.metrics.calibration import verdicts
from gan_hub.metrics.feature_cache import ImageSource
from gan_hub.metrics.features import load_extractor
from gan_hub.metrics.path_length import perceptual_path_length
from tests.engines.test_networks import pictures


@pytest.fixture
def engine_with_other_pictures():
    """A published model, drawn several levels off."""
    return GANPipeline.from_pretrained("dcgan-mnist").optimize("torch-bfloat16", max_levels=255, seconds=0)


def test_scored_images_are_the_generators_own(engine_with_other_pictures):
    pipe, plain = engine_with_other_pictures, GANPipeline.from_pretrained("dcgan-mnist")
    scored = ImageSource.of_model(pipe, 40, 0)
    assert np.array_equal(scored.read(0, 40), ImageSource.of_model(plain, 40, 0).read(0, 40))
    assert not np.array_equal(pictures(pipe), pictures(plain)), "then nothing was tested"
    assert pipe.engine.name == "torch-bfloat16"


def test_the_published_pictures_are_verified_by_the_generator_itself(engine_with_other_pictures):
    plain = GANPipeline.from_pretrained("dcgan-mnist")
    assert engine_with_other_pictures.verify_reference() == plain.verify_reference()
    assert engine_with_other_pictures.engine.name == "torch-bfloat16"


def test_a_path_and_a_judge_are_measured_by_the_generator_itself(engine_with_other_pictures):
    pipe, plain = engine_with_other_pictures, GANPipeline.from_pretrained("dcgan-mnist")
    extractor = load_extractor("digits")
    lengths = [perceptual_path_length(each, extractor, steps=4) for each in (pipe, plain)]
    assert torch.equal(*lengths)
    reals = ImageSet(np.zeros((20, 28, 28, 1), np.uint8) + 9, np.arange(20) % 10, plain.label_names)
    assert all(map(torch.equal, verdicts(pipe, reals), verdicts(plain, reals)))


def test_a_concepts_effect_is_that_on_the_generators_own_images(engine_with_other_pictures):
    plain = GANPipeline.from_pretrained("dcgan-mnist")

    def brightness(images: torch.Tensor) -> torch.Tensor:
        return images.mean((1, 2, 3))

    both = [effects.score(each, range(8), brightness) for each in (engine_with_other_pictures, plain)]
    assert torch.equal(*both)

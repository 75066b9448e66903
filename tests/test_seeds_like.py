"""Seeds of models from elsewhere: their program's latents, kept through saving, sharing and editing."""

import json

import numpy as np
import pytest
import torch

from gan_hub import GANPipeline, LoadError
from gan_hub.concepts_discovery.effects import with_concepts
from gan_hub.latents import sample
from gan_hub.model_folder.files import SUMMARY_NAME
from gan_hub.model_folder.manifest import Manifest


def as_numpy_draws(seed: int, size: int) -> np.ndarray:
    return np.random.RandomState(seed).randn(1, size).astype(np.float32)


def test_numpys_latents_are_those_of_its_own_generator_a_seed_each():
    z = sample([85, 2**32 - 1, 85], 7, "numpy")
    assert z.dtype == torch.float32 and z.shape == (3, 7) and torch.equal(z[0], z[2])
    assert np.array_equal(z[:1], as_numpy_draws(85, 7)) and np.array_equal(z[1:2], as_numpy_draws(2**32 - 1, 7))
    assert sample([], 7, "numpy").shape == (0, 7) and not torch.equal(z[:1], sample([85], 7))
    with pytest.raises(ValueError, match="seeds_like is 'jax'; allowed: 'torch', 'numpy'"):
        sample([1], 7, "jax")


def test_a_model_keeps_whose_seeds_it_has(tiny_model, tmp_path):
    pipe = GANPipeline.from_pretrained(tiny_model)
    assert pipe.seeds_like == "torch" and "seeds_like" not in (tiny_model / SUMMARY_NAME).read_text()
    other = GANPipeline.from_pipe(pipe, seeds_like="numpy")
    other.save_pretrained(tmp_path)
    loaded = GANPipeline.from_pretrained(tmp_path)
    z = as_numpy_draws(85, loaded.latent_size)
    expected = pipe(latents=z, labels=0, output_type="np").images
    for each in (other, loaded, GANPipeline(**loaded.components), with_concepts(loaded, [])):
        assert np.array_equal(each(seeds=[85], labels=0, output_type="np").images, expected)
        streamed = next(iter(each.stream([85], labels=0, output_type="np"))).images
        assert np.array_equal(streamed, expected)
    assert not np.array_equal(pipe(seeds=[85], labels=0, output_type="np").images, expected)


def test_another_word_in_a_models_file_is_refused(tiny_model_copy):
    path = tiny_model_copy / SUMMARY_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seeds_like": "jax"}))
    Manifest.write(tiny_model_copy, Manifest(tiny_model_copy).files)
    with pytest.raises(LoadError, match="config.json: seeds_like is 'jax'; allowed: 'torch', 'numpy'"):
        GANPipeline.from_pretrained(tiny_model_copy)

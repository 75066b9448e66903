"""The shipped feature extractors: what they recognise, what they refuse, and the scale of their features."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from gan_hub.hub.places import ZOO
from gan_hub.images import from_uint8
from gan_hub.metrics.features import EXTRACTORS, Extractor


def real_samples(model: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The real images that a bundled model ships, and their labels."""
    facts = json.loads((ZOO / model / "real_samples.json").read_text())
    sheet = np.asarray(Image.open(ZOO / model / "real_samples.png"))
    tile, columns = facts["tile"], facts["columns"]
    tiles = sheet.reshape(-1, tile, columns, tile).swapaxes(1, 2).reshape(-1, tile, tile, 1)[: facts["count"]]
    return from_uint8(tiles), torch.tensor(facts["labels"])


@pytest.mark.parametrize(
    ("name", "model", "least"), [("fashion", "dcgan-fashion-mnist", 0.85), ("digits", "dcgan-mnist", 0.95)]
)
def test_an_extractor_recognises_real_images_as_what_they_are_and_as_nothing_else(name, model, least):
    images, labels = real_samples(model)
    guesses = Extractor(name).classes(images)
    assert (guesses == labels).float().mean() >= least
    assert (guesses == (labels + 1) % 10).float().mean() < 0.1


@pytest.mark.parametrize(("name", "model"), [("fashion", "dcgan-fashion-mnist"), ("digits", "dcgan-mnist")])
def test_features_have_a_variance_of_about_one(name, model):
    features = Extractor(name).features(real_samples(model)[0])
    assert features.shape[1] == 128 and (features >= 0).all()
    assert 0.7 < features.var(0).mean() < 1.4


@pytest.mark.parametrize("name", EXTRACTORS)
def test_features_do_not_depend_on_the_batch(name):
    extractor = Extractor(name)
    images = torch.rand(9, 1, 28, 28) * 2 - 1
    torch.testing.assert_close(extractor.features(images, 9), extractor.features(images, 2), rtol=0, atol=1e-5)


def test_an_unknown_extractor_or_other_shapes_are_refused():
    with pytest.raises(ValueError, match="extractor 'inception' is not allowed; choose one of digits, fashion"):
        Extractor("inception")
    with pytest.raises(ValueError, match=r"takes images \(N, 1, 28, 28\), given \(2, 3, 32, 32\)"):
        Extractor("digits").features(torch.zeros(2, 3, 32, 32))


def test_the_accuracy_an_extractor_states_is_in_its_file():
    for name in EXTRACTORS:
        assert 0.9 < Extractor(name).test_accuracy < 1

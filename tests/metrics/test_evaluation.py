"""evaluate(): scores with provenance, the same whoever calls it, honest about unknown names."""

import numpy as np
import pytest
import torch

from gan_hub.data import ImageSet
from gan_hub.data.image_set import Rows
from gan_hub.images import from_uint8, to_uint8
from gan_hub.metrics import evaluate
from gan_hub.metrics.evaluation import real_moments
from gan_hub.metrics.features import Extractor
from gan_hub.metrics.frechet import moments
from tests.metrics.test_features import real_samples


@pytest.fixture(scope="module")
def reals() -> ImageSet:
    images, labels = real_samples("dcgan-mnist")
    return ImageSet(to_uint8(images), labels.numpy(), [str(digit) for digit in range(10)])


def test_a_trained_model_scores_far_better_than_a_random_one(reals, tiny_pipeline):
    trained = evaluate("dcgan-mnist", reals, extractor="digits", num_images=300)
    random = evaluate(tiny_pipeline, reals, ("fd",), extractor="digits", num_images=300)
    assert 0 < trained.scores["FD-digits"] < random.scores["FD-digits"] / 3
    assert trained.scores["label accuracy (digits)"] > 0.9


def test_the_score_bears_its_provenance_and_repeats_itself(reals, tiny_pipeline):
    first, second = (evaluate(tiny_pipeline, reals, extractor="digits", num_images=40, seed=5) for _ in range(2))
    assert first == second
    assert evaluate(tiny_pipeline, reals, extractor="digits", num_images=40, seed=6) != first
    told = first.to_dict()["provenance"]
    assert (told["extractor"], told["generated_images"], told["real_images"], told["seed"]) == ("digits", 40, 256, 5)
    assert len(told["extractor_sha256"]) == 64 and told["dtype"] == "float32"


def test_real_images_that_lie_on_the_disk_have_the_same_moments(reals, tmp_path):
    np.save(tmp_path / "images.npy", np.tile(reals.images, (5, 1, 1, 1)))
    disk = ImageSet(np.load(tmp_path / "images.npy", mmap_mode="r"), memory_bytes=1000).take(np.arange(1279, -1, -1))
    extractor = Extractor("digits")
    expected = moments(extractor.features(from_uint8(np.tile(reals.images, (5, 1, 1, 1))[::-1])))
    for found in (real_moments(disk, extractor), real_moments(ImageSet(np.asarray(disk.images)), extractor)):
        for ours, theirs in zip(found, expected):
            torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
    assert isinstance(disk.images, Rows)


def test_no_number_is_called_fid(reals, tiny_pipeline):
    names = evaluate(tiny_pipeline, reals, extractor="fashion", num_images=20).scores
    assert set(names) == {"FD-fashion", "label accuracy (fashion)"}


def test_an_unknown_metric_is_refused(reals, tiny_pipeline):
    with pytest.raises(ValueError, match="metric 'fid' is not allowed; choose from fd, accuracy"):
        evaluate(tiny_pipeline, reals, ("fid",))

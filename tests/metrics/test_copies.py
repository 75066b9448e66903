"""The check for copies of a card: planted copies are found, and shown beside what they were copied from."""

import numpy as np
import pytest

from gan_hub.data import ImageSet
from gan_hub.metrics.copies import nearest_copies, nearest_copies_in_pixels
from gan_hub.metrics.evaluation import evaluate
from gan_hub.metrics.features import Extractor
from gan_hub.metrics.scores import Evaluation
from gan_hub.metrics.sides import Pictures


def drawn(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28, 1), dtype=np.uint8)


TRAIN, HELD_OUT = ImageSet(drawn(0, 60)), ImageSet(drawn(1, 20))
FAKES = drawn(2, 40)
FAKES[[7, 30]] = TRAIN.images[[50, 3]]  # the two that are copies


@pytest.fixture(scope="module")
def digits() -> Extractor:
    return Extractor("digits")


def check(found, trained: int) -> None:
    assert sorted(found.seeds[:2]) == [1007, 1030] and found.distances[:2] == [0, 0] and found.distances[2] > 0
    assert (found.searched, found.trained, found.held_out, found.first_seed) == (40, trained, 20, 1000)
    assert found.copied >= 2 and found.threshold <= found.typical
    pixels = [np.asarray(image) for image in found.pairs]
    assert len(pixels) == 32 and all(np.array_equal(*pixels[at : at + 2]) for at in (0, 2))
    assert not np.array_equal(*pixels[4:6])


def test_copies_are_found_in_features_and_in_pixels(digits):
    e = Evaluation(digits, TRAIN, Pictures.of_set(ImageSet(FAKES)), held_out_set=HELD_OUT, seed=1000)
    check(nearest_copies(e), 60)
    check(nearest_copies_in_pixels(Pictures.of_set(ImageSet(FAKES)), TRAIN, HELD_OUT, 1000), 60)


def test_what_was_held_out_of_the_real_images_is_no_original_of_a_copy(digits):
    """Both sets lie in the real images: without telling them apart, the held-out ones would be copies themselves."""
    everything = ImageSet(np.concatenate([HELD_OUT.images, TRAIN.images]))
    e = Evaluation(digits, everything, Pictures.of_set(ImageSet(FAKES)), held_out_set=HELD_OUT, seed=1000)
    assert e.copies.threshold == 0
    e = Evaluation(
        digits, everything, Pictures.of_set(ImageSet(FAKES)), held_out_set=HELD_OUT, seed=1000, trained_set=TRAIN
    )
    check(nearest_copies(e), 60)
    assert nearest_copies(e).threshold > 0


def test_a_report_has_them_where_they_are_asked_for(digits):
    given = {"extractor": digits, "metrics": ["fd"], "held_out": HELD_OUT, "replicates": 0}
    report = evaluate(ImageSet(FAKES), TRAIN, **given, at_risk=5)
    assert sorted(report.at_risk.seeds[:2]) == [7, 30] and len(report.at_risk.seeds) == 5
    assert evaluate(ImageSet(FAKES), TRAIN, **given).at_risk is None and "at_risk" not in report.to_dict()

"""The check for copies of a card: planted copies are found, and shown beside what they were copied from."""

import numpy as np
import pytest

from gan_hub.data import ImageSet
from gan_hub.data.image_set import hold_out
from gan_hub.metrics.evaluation import evaluate
from gan_hub.metrics.feature_cache import ImageSource
from gan_hub.metrics.features import Extractor
from gan_hub.metrics.memorization import nearest_copies, nearest_copies_in_pixels
from gan_hub.metrics.registry import Evaluation


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
    e = Evaluation(digits, TRAIN, ImageSource.of_set(ImageSet(FAKES)), held_out_images=HELD_OUT, seed=1000)
    check(nearest_copies(e), 60)
    check(nearest_copies_in_pixels(ImageSource.of_set(ImageSet(FAKES)), TRAIN, HELD_OUT, 1000), 60)


def test_what_was_held_out_of_the_real_images_is_no_original_of_a_copy(digits):
    """Both sets lie in the real images: without telling them apart, the held-out ones would be copies themselves."""
    everything = ImageSet(np.concatenate([HELD_OUT.images, TRAIN.images]))
    e = Evaluation(digits, everything, ImageSource.of_set(ImageSet(FAKES)), held_out_images=HELD_OUT, seed=1000)
    assert nearest_copies(e).trained == 80 and nearest_copies(e).repeated == 20
    e = Evaluation(
        digits,
        everything,
        ImageSource.of_set(ImageSet(FAKES)),
        held_out_images=HELD_OUT,
        seed=1000,
        trained_images=TRAIN,
    )
    check(nearest_copies(e), 60)
    assert nearest_copies(e).threshold > 0 and nearest_copies(e).repeated == 0


def test_a_report_has_them_where_they_are_asked_for(digits):
    given = {"extractor": digits, "metrics": ["fd"], "held_out": HELD_OUT, "replicates": 0}
    report = evaluate(ImageSet(FAKES), TRAIN, **given, nearest_training_images=5)
    assert (
        sorted(report.nearest_training_images.seeds[:2]) == [7, 30] and len(report.nearest_training_images.seeds) == 5
    )
    assert (
        evaluate(ImageSet(FAKES), TRAIN, **given).nearest_training_images is None and "at_risk" not in report.to_dict()
    )


# --------------------------------------------------------------------------------- duplicates in the data (frames of a film)


def drawings(count: int, seed: int) -> np.ndarray:
    """Pictures of 28 × 28 that have nothing in common: 4 × 4 random squares."""
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 1)).repeat(7, 1).repeat(7, 2)


def frames(pictures: np.ndarray, count: int, seed: int, noise: float = 6.0) -> np.ndarray:
    """`count` frames of each picture, which differ by noise."""
    shown = pictures.repeat(count, 0)
    return np.clip(shown + np.random.default_rng(seed).normal(0, noise, shown.shape), 0, 255).astype(np.uint8)


def searched(fakes: np.ndarray, train: ImageSet, held_out: ImageSet):
    return nearest_copies_in_pixels(ImageSource.of_set(ImageSet(fakes)), train, held_out, 0)


def test_duplicates_do_not_blind_the_check_200_frames_of_5_pictures_that_are_drawn_from_memory():
    pictures = drawings(5, 0)
    train, held_out = hold_out(ImageSet(frames(pictures, 40, 1)), 40, 0)
    found = searched(frames(pictures, 40, 2), train, held_out)
    assert (found.different, found.pictures, found.repeated) == (5, 5, 40) and found.copied == 200
    said = found.summary()
    assert "160 training images (about 5 different pictures: near duplicates are one)" in said
    assert (
        "40 real images that were held out (5 different pictures, each counted once; 40 show one that is also" in said
    )
    assert "So do 200 of the generated ones" in said and "That is more than chance explains." in said


def test_new_pictures_are_no_copies_though_the_data_are_frames_of_few():
    train, held_out = hold_out(ImageSet(frames(drawings(5, 0), 40, 1)), 40, 0)
    found = searched(frames(drawings(200, 7), 1, 2), train, held_out)
    assert found.copied < 180 and "no more than chance explains" in found.summary()


def test_a_data_set_given_twice_is_searched_as_if_it_were_given_once():
    once = frames(drawings(60, 0), 1, 1)
    train, held_out = hold_out(ImageSet(np.concatenate([once, once])), 24, 0)  # which has two pictures twice
    fakes = np.concatenate([frames(drawings(50, 5), 1, 3), once[:10]])
    found = searched(fakes, train, held_out)
    assert found.different == 58 and found.threshold > 0 and found.copied >= 10
    assert sorted(found.distances[:10]) == [0] * 10 and found.repeated > 10


def test_a_test_split_that_contains_training_images_still_has_a_threshold():
    everything = frames(drawings(90, 0), 1, 1)
    train, held_out = ImageSet(everything[:60]), ImageSet(everything[50:])  # ten are in both
    found = searched(np.concatenate([everything[:6], frames(drawings(44, 5), 1, 3)]), train, held_out)
    without = searched(frames(drawings(44, 5), 1, 3), train, ImageSet(everything[60:]))
    assert found.repeated == 10 and found.pictures == 40 and found.threshold > 0
    assert found.copied >= 6 and found.typical == pytest.approx(without.typical, rel=0.2)


def test_two_pictures_are_too_few_to_speak_of_chance():
    pictures = drawings(2, 0)
    train, held_out = hold_out(ImageSet(frames(pictures, 40, 1)), 24, 0)
    said = searched(frames(pictures, 10, 2), train, held_out).summary()
    assert "So few different pictures were held out that chance could explain any number: look at the pairs." in said


def test_images_that_do_not_repeat_themselves_are_told_of_as_ever():
    found = searched(FAKES, TRAIN, HELD_OUT)
    assert (found.different, found.pictures, found.repeated) == (60, 20, 0)
    assert "training images, by Euclidean" in found.summary() and "held out, half come nearer" in found.summary()


def test_the_score_memorised_sees_copies_of_frames_and_the_report_tells_of_near_duplicates(digits):
    pictures = drawings(5, 0)
    train, held_out = hold_out(ImageSet(frames(pictures, 40, 1)), 40, 0)
    given = {"extractor": digits, "metrics": ["memorised"], "replicates": 0, "reference_scores": False}
    found = evaluate(ImageSet(frames(pictures, 10, 2)), train, held_out=held_out, **given)
    assert found.scores["memorised-digits"] == 1
    assert found.provenance["near_duplicates"] == (
        "160 training images show about 5 different pictures, 40 held-out images show 5, 40 held-out images show one that is "
        "trained on"
    )
    assert evaluate(ImageSet(FAKES), TRAIN, held_out=HELD_OUT, **given).provenance["near_duplicates"] is None

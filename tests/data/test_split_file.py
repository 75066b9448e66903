"""split.json: the same images are split the same way again, and others are refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from gan_hub.data import ImageSet, hold_out, without
from gan_hub.data.split_file import SPLIT_NAME, DataSplit
from gan_hub.model_folder.strict import LoadError


def images(count: int = 20, seed: int = 0, height: int = 4, width: int = 4, channels: int = 3) -> ImageSet:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, height, width, channels), np.uint8)
    return ImageSet(pixels, np.arange(count, dtype=np.int64) % 2, ["even", "odd"])


def split_of(data: ImageSet, count: int = 5, seed: int = 3) -> DataSplit:
    return DataSplit.of(*hold_out(data, count, seed), data="your-data", seed=seed)


def test_the_same_images_are_split_the_same_way_again_with_their_labels(tmp_path):
    data = images()
    train, held_out = hold_out(data, 5, 3)
    split_of(data).write(tmp_path)
    again = DataSplit.read(tmp_path).apply(data)
    for part, expected in zip(again, (train, held_out), strict=True):
        assert np.array_equal(part.images, expected.images) and np.array_equal(part.labels, expected.labels)


def test_what_is_written_is_read_as_it_was(tmp_path):
    for data in (images(), images(height=4, width=6, channels=1)):
        split_of(data).write(tmp_path)
        assert DataSplit.read(tmp_path) == split_of(data)
    assert json.loads((tmp_path / SPLIT_NAME).read_text())["resolution"] == [4, 6]
    assert DataSplit.read(tmp_path / "nowhere") is None


def test_shipped_images_are_in_neither_part_again():
    data = images()
    shipped = data.take(np.array([2, 7, 11]))
    train, held_out = hold_out(without(data, shipped), 5, 0)
    split = DataSplit.of(train, held_out, data="avatars", seed=0, left_out=shipped)
    assert len(split.left_out_sha256) == 3
    assert [len(part) for part in split.apply(data)] == [12, 5]
    assert np.array_equal(split.apply(data)[1].images, held_out.images)


def test_labels_do_not_change_a_checksum():
    data = images()
    assert split_of(data) == split_of(ImageSet(data.images))


def test_a_test_split_of_the_data_is_held_against_its_checksum():
    train, test = images(), images(5, seed=1)
    split = DataSplit.of(train, test, data="mnist", seed=0, held_out_is_test_split=True)
    assert split.apply(train, test) == (train, test)
    with pytest.raises(ValueError, match="give its images as test="):
        split.apply(train)
    with pytest.raises(ValueError, match="the held-out ones differ"):
        split.apply(train, images(5, seed=2))
    with pytest.raises(ValueError, match="there are 4 held-out images, but 5"):
        split.apply(train, images(4, seed=1))


def test_other_images_are_refused_in_a_sentence():
    data = images()
    split = split_of(data)
    for other, why in (
        (images(seed=1), "not the images of split.json"),
        (data.take(np.arange(20)[::-1]), "another order"),
        (images(19), r"there are 19 images to train on or hold out, but 20 in split.json \(your-data\)"),
        (images(height=8, width=8), "these images are 8 × 8 × 3, but those of split.json .* are 4 × 4 × 3"),
    ):
        with pytest.raises(ValueError, match=why):
            split.apply(other)


def test_a_damaged_file_is_refused_naming_file_and_field(tmp_path):
    split_of(images()).write(tmp_path)
    path = tmp_path / SPLIT_NAME
    good = json.loads(path.read_text())
    for name, value in (
        ("data", ""),
        ("data", "x" * 500),
        ("resolution", 0),
        ("resolution", [4, 4, 4]),
        ("resolution", "4"),
        ("channels", 5),
        ("channels", True),
        ("seed", -1),
        ("seed", 1.0),
        ("train_images", 0),
        ("train_sha256", "A" * 64),
        ("held_out_images", 10**10),
        ("held_out_sha256", None),
        ("held_out_is_test_split", 1),
        ("left_out_sha256", ["x"]),
        ("left_out_sha256", {}),
    ):
        path.write_text(json.dumps(good | {name: value}))
        with pytest.raises(LoadError) as caught:
            DataSplit.read(tmp_path)
        assert str(caught.value).startswith(f"{path}: {name} has the value "), caught.value
    for content in ({**good, "more": 1}, {name: value for name, value in good.items() if name != "seed"}):
        path.write_text(json.dumps(content))
        with pytest.raises(LoadError, match="key '(more' is unknown|seed' is missing)"):
            DataSplit.read(tmp_path)
    path.write_text("{")
    with pytest.raises(LoadError, match="not valid JSON"):
        DataSplit.read(tmp_path)


def test_nothing_is_left_of_a_write_that_fails(tmp_path):
    with pytest.raises(OSError):
        split_of(images()).write(Path(tmp_path / "nowhere"))
    assert list(tmp_path.iterdir()) == []

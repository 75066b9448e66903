"""The data set that the project draws itself: the same for everybody, with the attributes that it says."""

import csv
import runpy
import sys
from collections import Counter
from dataclasses import astuple, fields, replace
from math import ceil, floor

import numpy as np
import pytest
from PIL import Image

from gan_hub.data import avatars, load_images
from gan_hub.data.avatars import dataset, faces
from gan_hub.training.batches import load_data
from gan_hub.training.config import TrainConfig
from gan_hub.training.export import portable


@pytest.fixture
def few(tmp_path, monkeypatch):
    """The data set with 40 and 12 pictures, kept in a folder of the test's own."""
    monkeypatch.setenv("GAN_HUB_CACHE", str(tmp_path / "cache"))
    for split, (seed, count) in {"train": (0, 40), "test": (1, 12)}.items():
        monkeypatch.setitem(avatars.SPLITS, split, (seed, count))


def drawn(seed: int, index: int) -> np.ndarray:
    return np.asarray(avatars.draw(seed, index)[0])


def test_a_picture_depends_on_its_seed_and_index_alone():
    first = drawn(3, 5)
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8
    drawn(3, 4)
    assert np.array_equal(drawn(3, 5), first)
    assert len({drawn(seed, index).tobytes() for seed in (3, 35) for index in (4, 5, 54)}) == 6  # 3 | 54 is not 35 | 4


def test_the_first_faces_are_those_that_the_published_models_were_trained_on():
    published = {
        0: ("lemon tan curly blond happy raised sad none none stripes white", (235, 202, 110), (230, 202, 147)),
        1: ("mint dark bun brown wink worried laugh square goatee crew white", (153, 165, 138), (165, 176, 152)),
        2: ("sky brown curly black wide worried serious none goatee collar blue", (118, 138, 150), (142, 157, 168)),
    }
    for index, (values, top_left, bottom_right) in published.items():
        image, attributes = avatars.draw(0, index)
        assert " ".join(astuple(attributes)) == values
        quarters = np.asarray(image.reduce(32)).astype(int)  # mean colors: other releases of Pillow draw edges alike
        assert np.abs(quarters[0, 0] - top_left).max() <= 1 and np.abs(quarters[1, 1] - bottom_right).max() <= 1


def test_the_attributes_of_a_split_are_those_of_its_pictures(few):
    assert avatars.attributes("train") == [avatars.draw(0, index)[1] for index in range(40)]
    assert avatars.attributes("test") == [avatars.draw(1, index)[1] for index in range(12)]
    with pytest.raises(ValueError, match="split 'validation' is not allowed; choose train or test."):
        avatars.attributes("validation")


def test_glasses_and_beards_have_their_shares_and_everything_else_is_equally_frequent():
    faces = [avatars.sample_face(0, index)[0] for index in range(8000)]
    assert sum(face.glasses != "none" for face in faces) / 8000 == pytest.approx(0.4, abs=0.02)
    assert sum(face.beard != "none" for face in faces) / 8000 == pytest.approx(0.3, abs=0.02)
    both = sum(face.glasses != "none" and face.beard != "none" for face in faces)
    assert both / 8000 == pytest.approx(0.12, abs=0.015)  # independent
    for field in fields(avatars.Attributes):
        found = Counter(getattr(face, field.name) for face in faces)
        del found["none"]
        assert set(found) == set(avatars.VALUES[field.name]) - {"none"} and 3 <= len(found) <= 5, field.name
        assert max(found.values()) < 1.25 * min(found.values()), field.name


@pytest.mark.parametrize("kind", faces.GLASSES)
def test_glasses_change_the_eyes_surroundings_and_nothing_else(kind):
    for index in range(6):
        attributes, pose = avatars.sample_face(0, index)
        bare = np.asarray(avatars.draw_face(replace(attributes, glasses="none"), pose)).astype(int)
        glazed = np.asarray(avatars.draw_face(replace(attributes, glasses=kind), pose)).astype(int)
        rows, columns = np.nonzero(np.abs(bare - glazed).max(axis=2))
        height, width = 6.5 * pose.scale, (pose.width + 1.5) * pose.scale
        assert floor(pose.y - height) <= rows.min() and rows.max() <= ceil(pose.y + height)
        assert floor(pose.x - width) <= columns.min() and columns.max() <= ceil(pose.x + width)
        assert len(rows) > 120 and np.abs(bare - glazed).max() > 80  # unmistakable


@pytest.mark.parametrize("field", [field.name for field in fields(avatars.Attributes)])
def test_each_value_of_an_attribute_looks_different(field):
    attributes, pose = avatars.sample_face(0, 0)
    attributes = replace(attributes, beard="full", glasses="none")
    values = {getattr(avatars.sample_face(0, index)[0], field) for index in range(60)}
    pictures = {
        np.asarray(avatars.draw_face(replace(attributes, **{field: value}), pose)).tobytes() for value in values
    }
    assert len(pictures) == len(values) >= 3


def test_the_known_name_is_drawn_once_and_resized_like_any_other_picture(few, monkeypatch):
    found = load_images("avatars", 64, 3)
    assert len(found) == 40 and found.labels is None and found.label_names is None and not found.skipped
    assert all(np.array_equal(found.images[index], drawn(0, index)) for index in (0, 39))
    assert np.array_equal(load_images("avatars", 64, 3, "test").images[3], drawn(1, 3))
    assert load_images("avatars", 32, 1, limit=4).images.shape == (4, 32, 32, 1)

    whole = dataset.draw
    monkeypatch.setattr(dataset, "draw", lambda seed, index: whole(seed, index) if index < 32 else pytest.fail("again"))
    assert np.array_equal(load_images("avatars", 64, 3).images, found.images)


def test_a_kept_set_is_drawn_anew_when_the_drawing_has_changed(few, monkeypatch):
    before = load_images("avatars", 64, 3).images.copy()
    monkeypatch.setitem(faces.SKINS, "pale", "#fff0e0")
    after = load_images("avatars", 64, 3).images
    pale = np.array([face.skin == "pale" for face in avatars.attributes("train")])
    assert 0 < pale.sum() < 40
    assert np.array_equal((before != after).any(axis=(1, 2, 3)), pale)


def test_a_run_trains_on_it_and_ships_pictures_of_its_test_split(few):
    config = TrainConfig(
        data="avatars", resolution=64, channels=3, conditional=False, real_samples="avatars", real_samples_notice="ours"
    )
    data = load_data(config)
    assert (len(data.train), len(data.held_out), data.left_out) == (40, 12, 0)
    assert np.array_equal(data.real_samples.images, data.held_out.images)
    assert (portable(config).data, portable(config).real_samples) == ("avatars", "avatars")


def test_the_command_writes_pictures_without_loss_and_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["avatars", str(tmp_path / "out"), "--count", "3", "--seed", "7"])
    runpy.run_module("gan_hub.data.avatars", run_name="__main__")  # as python -m does
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["attributes.csv", "avatars64.zip"]
    found = load_images(str(tmp_path / "out" / "avatars64.zip"), 64, 3)
    assert np.array_equal(found.images, np.stack([drawn(7, index) for index in range(3)]))
    rows = list(csv.reader((tmp_path / "out" / "attributes.csv").open(encoding="utf-8")))
    assert rows[0] == ["id", *(field.name for field in fields(avatars.Attributes))]
    assert rows[1:] == [[str(index), *astuple(avatars.sample_face(7, index)[0])] for index in range(3)]


def test_what_the_command_wrote_before_stays_whole_when_it_is_stopped(tmp_path, monkeypatch):
    dataset.write_files(tmp_path, 2, 0)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def stopped(image: Image.Image, *arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", stopped)
    with pytest.raises(KeyboardInterrupt):
        dataset.write_files(tmp_path, 2, 1)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

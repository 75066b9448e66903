"""The mosaic of real pictures: read exactly, refused when table, picture and model do not fit."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from gan_hub.images import height_width
from gan_hub.model_folder import real_samples
from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.strict import LoadError
from tests.demo.conftest import write_real_samples


def test_tiles_come_back_row_by_row(tmp_path):
    write_real_samples(tmp_path)
    samples = real_samples.read(tmp_path, Manifest.if_any(tmp_path), 28, 1, 3)
    mosaic = np.asarray(Image.open(tmp_path / "real_samples.png"))
    assert len(samples.images) == 12 and samples.labels == tuple(index % 3 for index in range(12))
    assert (np.asarray(samples.images[7]) == mosaic[28:56, 56:84]).all()
    assert samples.notice == "random pixels, public domain"


@pytest.mark.parametrize("columns", [3, 7, 16])
def test_fewer_pictures_than_columns_are_one_row(tmp_path, columns):
    images = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 1), dtype=np.uint8)
    real_samples.write(tmp_path, images, None, "made up", columns)
    assert len(real_samples.read(tmp_path, Manifest.if_any(tmp_path), 8, 1, 0).images) == 7


def test_a_model_may_have_none(tmp_path):
    assert real_samples.read(tmp_path, Manifest.if_any(tmp_path), 28, 1, 3) is None


def test_colour_without_classes(tmp_path):
    write_real_samples(tmp_path, channels=3, labels=None)
    samples = real_samples.read(tmp_path, Manifest.if_any(tmp_path), 28, 3, 0)
    assert samples.labels is None and samples.images[0].mode == "RGB"


@pytest.mark.parametrize(("resolution", "tile"), [([8, 12], [8, 12]), ([12, 8], [12, 8]), (8, 8)], ids=str)
def test_what_is_written_is_read_again_also_where_it_is_no_square(tmp_path, resolution, tile):
    height, width = height_width(resolution)
    images = np.random.default_rng(0).integers(0, 256, (7, height, width, 3), dtype=np.uint8)
    real_samples.write(tmp_path, images, [0, 1, 2, 0, 1, 2, 0], "made up", columns=3)
    assert json.loads((tmp_path / "real_samples.json").read_text())["tile"] == tile
    samples = real_samples.read(tmp_path, Manifest.if_any(tmp_path), resolution, 3, 3)
    assert np.array_equal(np.stack([np.asarray(image) for image in samples.images]), images)
    for other in ([width, height + 4], 16, [height + 4, width]):
        with pytest.raises(LoadError, match="tile is"):
            real_samples.read(tmp_path, Manifest.if_any(tmp_path), other, 3, 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"tile": 32},
        {"tile": True},
        {"tile": 28.0},
        {"tile": [28, 28]},
        {"tile": "28"},
        {"columns": 0},
        {"columns": 4},
        {"columns": "5"},
        {"count": 0},
        {"count": 11, "labels": [0] * 11, "columns": 11},
        {"count": 10**9},
        {"labels": None},
        {"labels": [0] * 11},
        {"labels": [3] + [0] * 11},
        {"labels": [-1] + [0] * 11},
        {"labels": [True] + [0] * 11},
        {"labels": "012"},
        {"notice": 3},
        {"notice": "x" * 3000},
        {"extra": 1},
    ],
    ids=str,
)
def test_a_table_that_does_not_fit_is_refused(tmp_path, changes):
    write_real_samples(tmp_path, **changes)
    with pytest.raises(LoadError, match=r"real_samples\.(json|png)"):
        real_samples.read(tmp_path, Manifest.if_any(tmp_path), 28, 1, 3)


def test_half_of_the_pair_is_refused(tmp_path):
    write_real_samples(tmp_path)
    os.remove(tmp_path / "real_samples.json")
    with pytest.raises(LoadError):
        real_samples.read(tmp_path, Manifest.if_any(tmp_path), 28, 1, 3)
    write_real_samples(tmp_path)
    os.remove(tmp_path / "real_samples.png")
    with pytest.raises(LoadError):
        real_samples.read(tmp_path, Manifest.if_any(tmp_path), 28, 1, 3)


def test_a_missing_key_is_refused(tmp_path):
    write_real_samples(tmp_path)
    table = json.loads((tmp_path / "real_samples.json").read_text())
    for key in table:
        (tmp_path / "real_samples.json").write_text(json.dumps({k: v for k, v in table.items() if k != key}))
        with pytest.raises(LoadError, match="exactly the keys"):
            real_samples.read(tmp_path, Manifest.if_any(tmp_path), 28, 1, 3)


def test_a_torn_or_disguised_picture_is_refused(tmp_path):
    picture = write_real_samples(tmp_path) / "real_samples.png"
    whole = picture.read_bytes()
    for content in (b"", b"not a picture", whole[: len(whole) // 2]):
        picture.write_bytes(content)
        with pytest.raises(LoadError, match="not a readable PNG"):
            real_samples.read(tmp_path, Manifest.if_any(tmp_path), 28, 1, 3)
    Image.new("L", (140, 84)).save(picture, format="JPEG")
    with pytest.raises(LoadError, match="not a readable PNG"):
        real_samples.read(tmp_path, Manifest.if_any(tmp_path), 28, 1, 3)
    Image.new("RGB", (140, 84)).save(picture)
    with pytest.raises(LoadError, match="mode RGB"):
        real_samples.read(tmp_path, Manifest.if_any(tmp_path), 28, 1, 3)

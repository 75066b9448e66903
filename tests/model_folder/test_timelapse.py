"""The time-lapse of a model's folder: its frames, and how many images had been seen at each."""

import json

import numpy as np
import pytest
from PIL import Image

from gan_hub.hub.resolve import bundled_models
from gan_hub.images import save_animation
from gan_hub.model_folder import timelapse
from gan_hub.model_folder.files import TIMELAPSE_COUNTS_NAME
from gan_hub.model_folder.strict import LoadError, read_json


def written(folder, frames, seconds=0.25):
    """A folder with an animation of random frames, as a run writes it."""
    generator = np.random.default_rng(0)
    images = [Image.fromarray(generator.integers(0, 256, (238, 318), dtype=np.uint8)) for _ in range(frames)]
    save_animation(images + images[-1:] * 6, folder / "timelapse.webp", seconds_per_frame=seconds)
    return images


def recipe(folder, *, total_kimg=0.4, batch_size=4, frames=5, last=400, note=None):
    (folder / "recipe.yaml").write_text(
        f"total_kimg: {total_kimg}\nbatch_size: {batch_size}\ntimelapse_frames: {frames}\n"
    )
    lines = [{"images": 100, "loss/generator": 1.0}, {"images": last, "loss/generator": 1.0}]
    lines += [{"images": last, "note": note}] if note else []
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_counts_are_those_that_were_written(tmp_path):
    images = written(tmp_path, 3)
    timelapse.write_counts(tmp_path, [0, 12, 400])
    lapse = timelapse.read(tmp_path, 28, 1)
    assert lapse.images == (0, 12, 400) and lapse.is_exact
    assert [frame.tobytes() for frame in lapse.frames] == [image.tobytes() for image in images]


def test_equal_frames_in_a_row_are_stored_as_one_and_keep_their_place(tmp_path):
    first, last = (Image.new("L", (58, 58), grey) for grey in (0, 255))
    save_animation([first, first, *[last] * 7], tmp_path / "timelapse.webp", seconds_per_frame=0.25)
    timelapse.write_counts(tmp_path, [0, 12, 400])
    lapse = timelapse.read(tmp_path, 28, 1)
    assert lapse.images == (0, 400) and len(lapse.frames) == 2


def test_what_is_stored_behind_the_last_frame_is_its_repetition(tmp_path):
    """Equal frames that were not joined after all: here they differ, so that they cannot be."""
    images = [Image.new("L", (58, 58), grey) for grey in range(0, 180, 20)]
    save_animation(images, tmp_path / "timelapse.webp", seconds_per_frame=0.25)
    timelapse.write_counts(tmp_path, [0, 12, 400])
    assert len(timelapse.read(tmp_path, 28, 1).frames) == 3


def test_without_counts_they_follow_from_the_recipe_of_a_run_that_went_as_planned(tmp_path):
    written(tmp_path, 5)
    recipe(tmp_path)
    lapse = timelapse.read(tmp_path, 28, 1)
    assert lapse.images == (0, 24, 100, 224, 400) and lapse.is_exact


@pytest.mark.parametrize(
    "changes", [{"frames": 16}, {"last": 396}, {"note": "went on at 0.1 kimg with total_kimg."}], ids=str
)
def test_elsewhere_they_are_an_estimate_that_says_so(tmp_path, changes):
    written(tmp_path, 5)
    recipe(tmp_path, **changes)
    lapse = timelapse.read(tmp_path, 28, 1)
    assert not lapse.is_exact and lapse.images[0] == 0 and lapse.images[-1] == changes.get("last", 400)


def test_without_log_and_recipe_nothing_is_said(tmp_path):
    written(tmp_path, 5)
    assert timelapse.read(tmp_path, 28, 1).images is None
    assert timelapse.read(tmp_path / "nowhere", 28, 1) is None


@pytest.mark.parametrize("counts", [[0, 1], [0, 5, 3], [0, 1, "2"], [0, 1, True], "012", [-1, 0, 1]], ids=str)
def test_a_damaged_table_is_refused_by_name(tmp_path, counts):
    written(tmp_path, 3)
    (tmp_path / "timelapse.json").write_text(json.dumps({"images": counts}))
    with pytest.raises(LoadError, match=r"timelapse\.json: images has to be a growing list"):
        timelapse.read(tmp_path, 28, 1)


def test_a_damaged_or_enormous_animation_is_refused_by_name(tmp_path, monkeypatch):
    path = tmp_path / "timelapse.webp"
    written(tmp_path, 3)
    monkeypatch.setattr(timelapse, "MAX_PIXELS", 3 * 238 * 318 - 1)
    with pytest.raises(LoadError, match="3 frames of 318 × 238 pixels are too many"):
        timelapse.read(tmp_path, 28, 1)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(LoadError, match=r"timelapse\.webp: not a readable animation"):
        timelapse.read(tmp_path, 28, 1)


@pytest.mark.parametrize("name", bundled_models())
def test_a_published_time_lapse_is_cut_into_its_images(name):
    folder = bundled_models()[name]
    config = read_json(folder / "generator" / "config.json")
    lapse = timelapse.read(folder, config["resolution"], config["channels"])
    rows, columns = lapse.layout
    assert (rows, columns) == (4, 4 if "facades" in name else columns) and columns in (4, 8, 10, 12)
    assert lapse.images[0] == 0 and len(lapse.images) == len(lapse.frames) == len(set(lapse.images))
    assert lapse.is_exact == (len(lapse.frames) == 24 or (folder / TIMELAPSE_COUNTS_NAME).is_file())
    image = lapse.image(len(lapse.frames) - 1, rows - 1, columns - 1)
    assert image.size == lapse.resolution[::-1] and np.asarray(image).std() > 1

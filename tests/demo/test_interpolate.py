"""The handlers of the tab "Interpolate" as plain functions: what is walked, edited, played and saved."""

import base64
import io
import json
import re
import sys
from urllib.parse import parse_qsl

import numpy as np
import pytest
from PIL import Image

from gan_hub.demo import image_files, models
from gan_hub.demo.tabs.interpolate import handlers as interpolate
from gan_hub.demo.tabs.interpolate.player import frames_of
from tests.demo.conftest import pixels


def test_a_walk_is_lossless_and_visits_its_seeds(offered):
    animation, strip, _, status = interpolate.walk(offered, "3, 14", "slerp", 5, "star", False)
    ends = models.load(offered)(seeds=[3, 14], labels="star").images
    with Image.open(animation) as film:
        assert film.n_frames == 5
        for frame, image in ((0, ends[0]), (4, ends[1])):
            film.seek(frame)
            assert (np.asarray(film.convert("L"))[::10, ::10] == np.asarray(image)).all()
    assert pixels(strip).shape == (28, 5 * 30 - 2)
    assert status == "5 frames from seed to seed: 3 → 14 · star"


def test_a_closed_walk_returns_without_showing_the_first_frame_twice(offered):
    _, strip, _, status = interpolate.walk(offered, "3, 14", "lerp", 4, "star", True)
    frames = [pixels(strip)[:, start : start + 28] for start in range(0, 120, 30)]
    assert "3 → 14 → 3" in status
    assert (frames[1] == frames[3]).all() and not (frames[0] == frames[3]).all()


def test_a_walk_keeps_one_class_unless_those_of_its_pictures_are_blended(offered):
    pipe = models.load(offered)
    first, other = 1, next(seed for seed in range(2, 40) if pipe(seeds=[seed]).labels != pipe(seeds=[1]).labels)
    names = [pipe.label_names[pipe(seeds=[seed]).labels[0]] for seed in (first, other)]
    kept = interpolate.walk(offered, f"1, {other}", "slerp", 3, "own", False)
    blended = interpolate.walk(offered, f"1, {other}", "slerp", 3, "own", False, conditions="blend")
    assert kept[-1].endswith(f"· {names[0]}") and blended[-1].endswith(f"· {names[0]} → {names[1]}")
    frames = [[pixels(strip)[:, place : place + 28] for place in (0, 30, 60)] for _, strip, *_ in (kept, blended)]
    own = [np.asarray(pipe(seeds=[seed]).images[0]) for seed in (first, other)]
    assert (frames[1][0] == own[0]).all() and (frames[1][2] == own[1]).all()
    assert (frames[0][2] == np.asarray(pipe(seeds=[other], labels=names[0]).images[0])).all()
    assert not (frames[0][1] == frames[1][1]).all()


def test_the_form_of_a_walk_is_its_link_and_an_old_link_is_what_it_was(offered):
    form = ["3, 14", "lerp", 24, "own", False, "smooth", "blend"]
    *_, link, _ = interpolate.show(offered, *form)
    filled = interpolate.fill(offered, dict(parse_qsl(link[1:])))
    assert [filled[0], filled[1]["value"], *filled[2:]] == form
    assert [value for _, value in filled[1]["choices"]] == ["slerp", "lerp"]
    assert interpolate.fill(offered, {})[-2:] == ["linear", "blend"]
    assert interpolate.fill(offered, {"seeds": "3,14"})[-1] == "blend"
    assert interpolate.fill(offered, {"seeds": "3,14", "mode": "lerp", "frames": "9", "loop": "1"})[-1] == "keep"
    for wrong in ({"mode": "w"}, {"easing": "fast"}, {"conditions": "x"}, {"frames": "1"}, {"seeds": "3"}):
        with pytest.raises(ValueError):
            interpolate.fill(offered, wrong)


def test_the_keyframes_are_edited_one_by_one_whatever_clicks_came_before():
    def press(act: str, place: int, seed: int | None, to: int | None = None) -> str:
        return interpolate.edited("3, 14, 15", place, {"act": act, "seed": seed, "to": to})

    assert press("remove", 1, 14) == "3, 15" and press("left", 1, 14) == "14, 3, 15"
    assert (
        press("right", 0, 3) == "14, 3, 15"
        and press("left", 0, 3) == "3, 14, 15"
        and press("right", 2, 15) == "3, 14, 15"
    )
    assert press("place", 0, 3, 2) == "14, 15, 3"
    assert press("remove", 0, 15) == "3, 14", "the seed has moved since the button was pressed"
    added, rerolled = (interpolate.inputs.seeds(press(act, 1, 14)) for act in ("add", "reroll"))
    assert added[:3] == [3, 14, 15] and len(set(added)) == 4
    assert (rerolled[0], rerolled[2]) == (3, 15) and rerolled[1] not in (3, 14, 15)
    with pytest.raises(ValueError, match="1 seeds are given; 2 to 16"):
        interpolate.edited("3, 14", 0, {"act": "remove", "seed": 3})
    with pytest.raises(ValueError, match="17 seeds"):
        interpolate.edited("0-15", 0, {"act": "add"})
    for value in (
        None,
        {"act": "fly"},
        {"act": "remove", "seed": 99},
        {"act": "remove"},
        {"act": "place", "seed": 3},
        "remove",
    ):
        with pytest.raises(ValueError):
            interpolate.edited("3, 14, 15", 0, value)


def test_the_player_has_every_frame_and_the_curve_says_how_much_they_differ(offered):
    *_, stops, player, seeds, _, status = interpolate.show(
        offered, "3, 14, 15", "lerp", 5, "star", True, "linear", "keep"
    )
    assert (
        stops.count("<li") == 3 and 'data-seed="14"' in stops and seeds == "3, 14, 15" and "3 → 14 → 15 → 3" in status
    )
    assert 'data-count="5"' in player and 'data-loop="1"' in player
    sheet = Image.open(io.BytesIO(base64.b64decode(re.search(r'class="sheet" alt="" src="[^,]*,([^"]*)"', player)[1])))
    frames = np.stack([np.asarray(frame).astype(int) for frame in frames_of(sheet, 5, (28, 28))])
    steps = [abs(frames[(place + 1) % 5] - frames[place]).mean() for place in range(5)]
    assert (
        f"{np.mean(steps):.1f} grey levels on average, at most {max(steps):.1f} after frame {np.argmax(steps) + 1}"
        in player
    )
    assert (frames[0] == np.asarray(models.load(offered)(seeds=[3], labels="star").images[0])).all()


@pytest.mark.parametrize(("file_format", "scale"), [("webp", 1), ("webp", 4), ("gif", 4), ("png", 8)])
def test_a_film_is_written_when_it_is_asked_for_and_says_how_it_was_made(offered, file_format, scale):
    path, _ = interpolate.frames_file(None, offered, "3, 14", "lerp", 5, "star", False, "smooth", "keep")
    film, said = interpolate.save_film(path, file_format, scale)
    assert film.endswith(f"-x{scale}.{file_format}") and f"{28 * scale} × {28 * scale} pixels" in said
    with Image.open(film) as opened:
        if file_format == "png":
            told = opened.text
        else:
            told = json.loads(opened.getexif()[0x010E] if file_format == "webp" else opened.info["comment"])
            assert (opened.n_frames, opened.size) == (5, (28 * scale, 28 * scale))
            shown = np.asarray(opened.convert("L"))
            assert (
                shown == np.kron(models.load(offered)(seeds=[3], labels="star").images[0], np.ones((scale, scale)))
            ).all()
    assert told["license"] == "mit" and told["software"].startswith("gan_hub ") and told["model"] == offered
    assert (
        told["seeds"] == "3, 14" and told["easing"] == "smooth" and told["link"].startswith("?tab=interpolate&model=")
    )


def test_a_film_that_cannot_be_written_is_one_sentence(offered, monkeypatch, tmp_path):
    path, _ = interpolate.frames_file(None, offered, "3, 14", "lerp", 2, "own", False, "linear", "keep")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)  # as if it were not installed
    assert interpolate.formats() == ["webp", "gif", "png"]
    for arguments, sentence in (
        ((path, "mp4", 1), "no encoder of MP4"),
        ((path, "avi", 1), "Format is one of webp, gif, png"),
        ((path, "webp", 3), "Enlarged is one of 1, 4, 8"),
        (("", "webp", 1), "expired"),
        ((f"{path}x", "webp", 1), "expired"),
    ):
        with pytest.raises(ValueError, match=sentence):
            interpolate.save_film(*arguments)


@pytest.mark.parametrize(("size", "enlarged"), [((28, 28), (280, 280)), ((24, 40), (168, 280)), ((300, 8), (300, 8))])
def test_a_small_picture_is_enlarged_by_whole_pixels_until_its_longer_side_is_long_enough(size, enlarged):
    assert image_files.enlarge(Image.new("L", size), 256).size == enlarged


def test_a_style_based_model_can_be_walked_in_w(styled):
    _, strip, link, _ = interpolate.walk(styled, "3, 14", "w", 3, "own", False)
    pipe = models.load(styled)
    w = pipe.map(pipe.sample_latents([3, 14]))
    middle = pixels(strip)[:, 34:66].astype(int)
    assert abs(middle - np.asarray(pipe.synthesize(w.mean(0, keepdim=True))[0])).max() <= 1 and "mode=w" in link
    updates = interpolate.show(styled, "3, 14", "w", 3, "own", False, "linear", "blend")
    assert updates[0]["value"] == "w" and not updates[1]["visible"]
    (path,) = (value for value in interpolate.fill(styled, {"mode": "w"}) if isinstance(value, dict))
    assert path["value"] == "w" and "w" in [value for _, value in path["choices"]], "or the picker would refuse it"

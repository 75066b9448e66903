"""The plane of pictures: what its sheet shows, what is drawn exactly, and its links."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from gan_hub.demo import image_files, models
from gan_hub.demo.tabs.explore import handlers as explore

NAN = float("nan")
FORM = dict(corners="3, 14, 15", axes="seeds", label="star", x=0.25, y=0.75)


def png(item: dict) -> Image.Image:
    return Image.open(io.BytesIO(image_files.png_bytes(item["src"])))


def sent(**data) -> SimpleNamespace:
    """What the browser sends with an event."""
    return SimpleNamespace(_data=data)


def test_the_corners_of_a_plane_are_its_seeds(offered):
    plane = explore.Plane(models.load(offered), [3, 14, 15], None, "star")
    expected = models.load(offered)(seeds=[3, 14, 15], labels="star").images
    for image, seed in zip(plane.draw([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]), expected, strict=True):
        assert (np.asarray(image) == np.asarray(seed)).all()


def test_latents_in_the_middle_are_as_long_as_those_of_seeds():
    corners = torch.randn(3, 4096, generator=torch.Generator().manual_seed(0))
    lengths = (explore.weights(explore.sheet_points(5)) @ corners).norm(dim=1)
    assert ((lengths / 64 - 1).abs() < 0.06).all()  # 64: the root of 4096
    assert (explore.weights([(1.0, 0.0)]) == torch.tensor([[0.0, 1, 0]])).all()


def test_a_place_is_drawn_exactly_and_says_in_the_file_where_it_is(offered):
    item, link, sentence = explore.picture_at(offered, **FORM)
    z = explore.weights([(0.25, 0.75)]) @ models.load(offered).sample_latents([3, 14, 15])
    expected = models.load(offered)(latents=z, labels="star").images[0]
    assert (np.asarray(png(item)) == np.asarray(expected)).all()
    text = png(item).text
    assert (text["corners"], text["x"], text["y"], text["label"]) == ("3, 14, 15", "0.25", "0.75", "star")
    assert link == f"?tab=explore&model={offered}&corners=3,14,15&label=star&x=0.25&y=0.75"
    assert sentence == item["caption"] == "25 % across, 75 % down"


@pytest.mark.parametrize("model", [None, "stylegan2-cats-64"])  # concepts of z, and of w
def test_a_plane_of_two_concepts_is_what_the_pipeline_draws_with_them(offered, model):
    name = model or offered
    axes = tuple(list(models.concepts(name))[:2])
    plane = explore.Plane(models.load(name), [3, 14, 15], axes, None)
    moved = {axes[0]: -1.0, axes[1]: -1.0}  # left, and down: less of both
    expected = models.load(name)(seeds=[3], concepts=moved, labels=plane.label).images[0]
    assert (np.asarray(plane.exact(0.25, 0.75)) == np.asarray(expected)).all()
    difference = np.asarray(plane.draw([(0.25, 0.75)])[0], dtype=int) - np.asarray(expected, dtype=int)
    assert np.abs(difference).max() <= 1
    _, link, _ = explore.picture_at(name, "3, 14, 15", ",".join(axes), "own", 0.25, 0.75)
    assert f"axes={axes[0].replace(' ', '+')},{axes[1].replace(' ', '+')}" in link


def test_the_sheet_shows_the_places_row_by_row_coarsely_at_once_and_finely_when_asked(offered):
    sheet, item, _, _ = explore.show(offered, **FORM)
    fine, _ = explore.refine(offered, "3, 14, 15", "seeds", "star")
    assert (sheet["side"], sheet["is_fine"], fine["side"], fine["is_fine"]) == (5, False, 21, True)
    plane = explore.Plane(models.load(offered), [3, 14, 15], None, "star")
    for each in (sheet, fine):
        pixels = np.asarray(Image.open(io.BytesIO(image_files.png_bytes(each["src"]))).convert("L"), dtype=float)
        side = each["side"]
        assert pixels.shape == (28 * side, 28 * side)
        for column, row in ((0, 0), (side - 1, 0), (1, side - 2)):
            expected = np.asarray(plane.draw([(column / (side - 1), row / (side - 1))])[0], dtype=float)
            shown = pixels[28 * row : 28 * row + 28, 28 * column : 28 * column + 28]
            assert np.abs(shown - expected).mean() < 8  # WebP is lossy
    assert [corner["seed"] for corner in sheet["corners"]] == [3, 14, 15]
    assert (np.asarray(png(sheet["corners"][1])) == np.asarray(plane.draw([(1.0, 0.0)])[0])).all()


def test_a_corner_can_be_drawn_anew_and_the_others_stay(offered):
    changed, sheet, *_ = explore.reroll(offered, **FORM, event=sent(corner=1))
    seeds = explore.inputs.seeds(changed)
    assert seeds[0] == 3 and seeds[2] == 15 and seeds[1] != 14 and sheet["corners"][1]["seed"] == seeds[1]
    for wrong in ({"corner": 3}, {"corner": "1"}, {"corner": -1}, {}):
        with pytest.raises(ValueError):
            explore.reroll(offered, **FORM, event=sent(**wrong))


def test_a_link_shows_the_same_place_again(offered):
    link = {"corners": "3,14,15", "axes": "thick,leaning over", "label": "star", "x": "0.25", "y": "0.75"}
    assert explore.fill(offered, link) == ["3, 14, 15", "thick,leaning over", "star", 0.25, 0.75]
    assert explore.fill(offered, {}) == ["2, 11, 8", "seeds", "own", 0.5, 0.5]
    wrong = {"corners": "1,2", "axes": "thick,thick", "label": "nobody", "x": "1.5", "y": "nan"}
    for key, value in wrong.items():
        with pytest.raises(ValueError):
            explore.fill(offered, {key: value})


def test_the_plane_follows_a_change_of_model(offered_rgb):
    axes, label, sheet, item, *_ = explore.draw(offered_rgb, "3, 14, 15", "thick,leaning over", "star", 0.5, 0.5)
    assert (axes["value"], axes["visible"], label["value"], label["visible"]) == ("seeds", False, "own", False)
    assert sheet["model"] == item["model"] == offered_rgb


@pytest.mark.parametrize(
    "bad",
    [{"corners": value} for value in ("1, 2", "0-3", "x", "", None, 3)]
    + [{"axes": value} for value in ("thick", "thick,thick", "thick,nothing", 1, ["thick"])]
    + [{"x": value} for value in (NAN, None, "1", True, -0.1, 1.1)]
    + [{"y": value} for value in (NAN, None, 2)]
    + [{"label": "nobody"}, {"model": "../secret"}],
    ids=str,
)
def test_what_is_not_allowed_is_answered_with_one_sentence(offered, bad):
    with pytest.raises(ValueError) as caught:
        explore.show(**{"model": offered, **FORM, **bad})
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    if set(bad) & {"x", "y"}:
        with pytest.raises(ValueError):
            explore.exact(offered, "3, 14, 15", "seeds", "star", sent(**{"x": 0.5, "y": 0.5} | bad))

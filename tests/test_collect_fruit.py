"""Painted fruit to train on: what becomes a square of its own, of which class, and on which side of the split."""

import csv
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageDraw

from benchmarks import collect_fruit
from gan_hub.data import load_images

PAPER, RED, GREEN, FLESH = (250, 243, 222), (190, 30, 30), (60, 130, 40), (252, 246, 214)


def scan(draw_on=lambda draw: None) -> Image.Image:
    """A sheet of paper on black, as the collection's thumbnails are."""
    image = Image.new("RGB", (128, 192), "black")
    draw = ImageDraw.Draw(image)
    draw.rectangle((6, 5, 122, 186), fill=PAPER)
    draw_on(draw)
    return image


def whole_and_cut(draw: ImageDraw.ImageDraw) -> None:
    """What most of them show: a fruit, the same one cut, whose skin touches it, and a line of handwriting."""
    draw.ellipse((40, 30, 90, 80), fill=RED)
    draw.ellipse((42, 80, 88, 126), fill=FLESH, outline=RED)
    draw.line((30, 160, 100, 161), fill=(70, 60, 50))


def card(draw: ImageDraw.ImageDraw) -> None:
    """A white card on a gray sheet."""
    draw.rectangle((6, 5, 122, 186), fill=(180, 176, 168))
    draw.rectangle((45, 60, 85, 110), fill="white")


def source(folder, rows, draw_on=whole_and_cut):
    """A folder laid out as the clone, of paintings with (name of the variety, subjects)."""
    (folder / "data" / "images").mkdir(parents=True)
    with (folder / collect_fruit.TABLE).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ("painting_index", "fruit", "subjects"))
        table.writeheader()
        for number, (variety, subjects) in enumerate(rows):
            table.writerow({"painting_index": number + 1, "fruit": variety, "subjects": subjects})
            scan(draw_on).save(folder / "data" / "images" / f"image-{number}.jpg", quality=95)
    return folder


def collect(monkeypatch, *args) -> None:
    monkeypatch.setattr(sys, "argv", ["collect_fruit.py", *map(str, args)])
    collect_fruit.main()


def near(pixel, color) -> bool:
    return np.abs(np.subtract(pixel, color)).max() < 30


def test_a_whole_fruit_fills_a_square_of_paper_and_its_pale_half_and_the_writing_do_not():
    (picture,) = collect_fruit.squares(scan(whole_and_cut))
    assert picture.size == (64, 64) and near(picture.getpixel((32, 32)), RED)
    assert all(near(picture.getpixel(corner), PAPER) for corner in ((0, 0), (63, 0), (0, 63), (63, 63)))
    reddish = np.abs(np.asarray(picture, int) - RED).max(2) < 30
    rows, columns = np.flatnonzero(reddish[:, 32]), np.flatnonzero(reddish[32])
    assert len(rows) >= 50 and abs(columns[0] - (63 - columns[-1])) <= 2  # 64 / 1.22 pixels, in the middle


def test_two_fruits_on_one_stalk_become_two_squares_the_larger_first():
    def two(draw):
        draw.line((66, 90, 66, 140), fill=GREEN, width=6)
        draw.ellipse((48, 125, 84, 161), fill=GREEN)
        draw.ellipse((40, 60, 92, 112), fill=RED)

    larger, smaller = collect_fruit.squares(scan(two))
    assert near(larger.getpixel((32, 32)), RED) and near(smaller.getpixel((32, 32)), GREEN)


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda draw: None, id="an empty sheet"),
        pytest.param(lambda draw: draw.ellipse((60, 60, 80, 80), fill=RED), id="a berry that would be a blur"),
        pytest.param(lambda draw: draw.rectangle((40, 20, 70, 170), fill=RED), id="a twig"),
        pytest.param(lambda draw: draw.polygon([(30, 40), (100, 40), (30, 110)], fill=GREEN), id="half of its box"),
        pytest.param(lambda draw: draw.ellipse((80, 60, 140, 120), fill=RED), id="cut by the edge"),
        pytest.param(card, id="a card lighter than the sheet"),
    ],
)
def test_what_is_no_single_fruit_is_left_out(shape):
    assert collect_fruit.squares(scan(shape)) == []


def test_a_stone_beside_a_large_fruit_is_left_out_and_alone_it_is_a_fruit():
    def stone(draw):
        draw.ellipse((20, 140, 52, 172), fill=GREEN)

    def fruit_and_stone(draw):
        stone(draw)
        draw.ellipse((30, 30, 100, 100), fill=RED)

    assert len(collect_fruit.squares(scan(stone))) == 1
    (picture,) = collect_fruit.squares(scan(fruit_and_stone))
    assert near(picture.getpixel((32, 32)), RED)


def test_a_fruit_near_the_edge_brings_paper_from_its_other_side_and_nothing_of_the_black():
    (picture,) = collect_fruit.squares(scan(lambda draw: draw.ellipse((9, 8, 109, 108), fill=RED)))
    assert np.asarray(picture).max(2).min() > 100


def test_the_class_is_what_the_latin_name_says_and_the_rest_is_other():
    subjects = (
        "Malus , crab apple",
        "Prunus persica , nectarines",
        "Prunus domestica , plums",
        "Prunus avium , cherries",
    )
    kinds = [collect_fruit.kind_of(each) for each in subjects]
    assert kinds == ["apple", "peach", "plum", "other"]


def test_all_paintings_of_a_variety_lie_on_one_side_and_every_twelfth_variety_is_held_out(
    tmp_path, monkeypatch, capsys
):
    rows = [(f"Malus domestica: {name}", "Malus domestica , apples") for name in "abcdefghijklmnopqrstuvwxyz"[:24]]
    rows += [("Malus  domestica: L", "Malus domestica , apples"), ("Malus domestica: a", "Malus domestica , apples")]
    collect(monkeypatch, source(tmp_path / "clone", rows), tmp_path / "fruit.zip")
    with zipfile.ZipFile(tmp_path / "fruit.zip") as archive:
        names = archive.namelist()
    assert sorted(name for name in names if name.startswith("test/")) == [
        "test/apple/0011-0.webp", "test/apple/0023-0.webp", "test/apple/0024-0.webp",
    ]  # fmt: skip
    assert len(names) == 26 and "26 fruits" in capsys.readouterr().out


def test_the_zip_is_read_with_its_classes_and_its_split_and_is_the_same_each_time(tmp_path, monkeypatch):
    rows = [(f"v{number:02}", ("Malus , apples", "Persea , avocados")[number % 2]) for number in range(24)]
    folder = source(tmp_path / "clone", rows)
    for name in ("one.zip", "two.zip"):
        collect(monkeypatch, folder, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    train = load_images(tmp_path / "one.zip", 64, 3)
    assert train.label_names == ["apple", "avocado"] and len(train) == 22
    assert len(load_images(tmp_path / "one.zip", 64, 3, split="test")) == 2


def test_what_is_no_clone_is_said_in_a_sentence(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        collect(monkeypatch, tmp_path, tmp_path / "fruit.zip")
    assert "has no data/usda_pomological_watercolors.csv; clone https://github.com/" in capsys.readouterr().err


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:900])])
def test_a_missing_or_broken_picture_is_named_and_leaves_the_zip_as_it_was(tmp_path, monkeypatch, capsys, damage):
    folder = source(tmp_path / "clone", [("a", "Malus"), ("b", "Malus")])
    (tmp_path / "fruit.zip").write_bytes(b"the one before")
    damage(folder / "data" / "images" / "image-1.jpg")
    with pytest.raises(SystemExit):
        collect(monkeypatch, folder, tmp_path / "fruit.zip")
    assert "image-1.jpg is no whole picture" in capsys.readouterr().err
    assert (tmp_path / "fruit.zip").read_bytes() == b"the one before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clone", "fruit.zip"]

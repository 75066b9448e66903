"""The handlers of the tab "Arithmetic" as plain functions: groups, equations, mixed styles, and what is saved."""

import html
import json
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from gan_hub.demo import models
from gan_hub.demo.tabs.arithmetic import groups, links
from gan_hub.demo.tabs.arithmetic import handlers as arithmetic
from gan_hub.demo.tabs.arithmetic.drawing import rows_of
from tests.demo.conftest import pixels

FORM = ("", "10-13", "own", "10", "", "", "own", 1.0, "sum", ["middle"])
STATE = slice(0, 5)  # preset, pool and groups in what the handlers return


def test_the_result_is_a_minus_b_plus_c_among_its_neighbours(offered):
    equation, result, nine = arithmetic.calculate(offered, "0-2", "3", "4, 5", "own", "star")
    pipe = models.load(offered)
    z = [pipe.sample_latents(seeds).mean(0) for seeds in ((0, 1, 2), (3,), (4, 5))]
    expected = pipe(latents=(z[0] - z[1] + z[2])[None], labels="star").images[0]
    assert (pixels(result) == np.asarray(expected)).all()
    grid = pixels(nine)
    assert (grid[30:58, 30:58] == np.asarray(expected)).all() and grid.shape == (88, 88)
    assert not (grid[:28, :28] == np.asarray(expected)).all()
    assert equation.count("<img") == 3 + 1 + 2 + 3 + 9
    told = Image.open(result).text
    assert (told["A"], told["label"], told["license"], told["radius"]) == ("0-2", "star", "mit", "0.25")
    assert (pixels(arithmetic.calculate(offered, "0-2", "3", "4, 5", "own", "star")[2]) == grid).all()


def test_a_larger_radius_moves_the_neighbours_further_and_the_result_not_at_all(offered):
    grids = [
        pixels(arithmetic.calculate(offered, "0-2", "3", "4, 5", "own", "star", radius)[2]).astype(int)
        for radius in (0, 0.25, 1.0)
    ]
    middle, corner = (slice(30, 58),) * 2, (slice(0, 28),) * 2
    assert all((grid[middle] == grids[0][middle]).all() for grid in grids)
    away = [abs(grid[corner] - grid[middle]).mean() for grid in grids]
    assert away[0] == 0 < away[1] < away[2]


def test_arithmetic_without_classes_and_in_colour(offered_rgb):
    equation, result, _ = arithmetic.calculate(offered_rgb, "0", "1", "2", "own", "own")
    assert pixels(result).shape == (32, 32, 3) and equation.count("<img") == 15


def test_an_empty_group_is_shown_as_empty_and_there_is_nothing_to_save(offered):
    *_, save, link, _ = shown = arithmetic.show(offered, "", "0-3", "own", "0", "", "2", "own", 1.0, "sum", [])
    assert not save["interactive"] and "empty: click pictures" in shown[13] and "&b=" not in link
    for call in (
        lambda: arithmetic.calculate(offered, "0", " ", "2", "own", "own"),
        lambda: arithmetic.save("result", 1, None, offered, "", "0-3", "own", "0", "", "2", "own", 1.0, "sum", []),
    ):
        with pytest.raises(ValueError, match="at least one picture"):
            call()


def test_a_click_puts_a_picture_into_the_active_group_and_the_next_takes_it_out(offered):
    shown = arithmetic.click("B", SimpleNamespace(index=2), None, offered, *FORM)
    assert shown[STATE] == ("", "10-13", "10", "12", "")
    assert json.loads(html.unescape(shown[12].split('"')[1])) == {"0": "A", "2": "B"}
    assert shown[arithmetic.POOL_PLACE] == gr.skip(), "the pictures of the pool are not sent again"
    form = (*shown[:2], "own", *shown[2:5], *FORM[6:])
    assert arithmetic.click("B", SimpleNamespace(index=2), None, offered, *form)[3] == ""
    with pytest.raises(ValueError, match="not there any more"):
        arithmetic.click("B", SimpleNamespace(index=4), None, offered, *FORM)


def test_a_picture_is_taken_out_of_its_group_or_dropped_on_one(offered):
    def press(**value) -> tuple:
        return arithmetic.press(SimpleNamespace(value=value), None, offered, *FORM)[2:5]

    assert press(act="take", group="A", seed=10) == ("", "", "") and press(act="take", group="B", seed=10)[0] == "10"
    assert (
        press(act="drop", group="C", place=3) == ("10", "", "13") and press(act="drop", group="A", place=0)[0] == "10"
    )
    for wrong in ({}, {"act": "fly"}, {"act": "drop", "group": "C", "place": 4}, {"act": "take", "group": "D"}):
        with pytest.raises(ValueError):
            press(**wrong)


def test_a_full_group_takes_no_more_and_what_is_in_a_group_stays_in_the_pool():
    with pytest.raises(ValueError, match="13 seeds"):
        groups.toggled("A", ("0-11", "", ""), 12)
    assert groups.with_groups(("7", "900", "2"), range(10)) == [900, *range(10)]
    crowded = groups.with_groups(("100-111", "47", "0"), range(48))
    assert len(crowded) == 48 and {*range(100, 112), 47, 0} <= set(crowded)
    pool = groups.seeds_of(groups.new_pool(("7", "900", "2"))[:9])
    assert pool[:3] == [7, 900, 2]


def test_a_surprise_fills_three_different_groups_of_three():
    drawn = [groups.seeds_of(text) for text in groups.random_groups("0-23")]
    assert [len(group) for group in drawn] == [3, 3, 3] and len(set(sum(drawn, []))) == 9
    with pytest.raises(ValueError):
        groups.random_groups("0-3")


def test_the_first_example_is_made_of_the_models_concepts_and_the_pool_shows_it_first(offered):
    shown = arithmetic.show(offered, "first", "0-3", "own", "", "", "", "own", 1.0, "sum", [])
    concepts = models.load(offered).concepts
    a, b, c = (groups.seeds_of(text) for text in shown[2:5])
    assert (
        set(a) <= set(concepts["thick"].with_it)
        and set(b) <= set(concepts["leaning over"].without_it)
        and len(a) == len(b) == 3
    )
    assert shown[-1].startswith("A: with leaning over · B: without leaning over · C: ")
    assert "with thick − without thick" in shown[10] and shown[10].index("leaning") < shown[10].index("thick")
    assert [int(each["caption"]) for each in shown[arithmetic.POOL_PLACE]][:9] == [*a, *b, *c]
    chosen = arithmetic.press(SimpleNamespace(value={"act": "preset", "place": 1}), None, offered, *FORM)
    assert chosen[0] == "thick" and set(groups.seeds_of(chosen[2])) <= set(concepts["thick"].with_it)
    link = dict(parse_qsl(chosen[-2][1:]))
    assert links.fill(offered, link)[0] == "thick" and links.fill(offered, link | {"c": "9"})[0] == ""
    again = arithmetic.show(offered, *links.fill(offered, link))
    assert again[2:5] == chosen[2:5] and again[-1].startswith("A: with "), "a link says what its groups are"


def test_a_model_without_concepts_opens_with_its_brightest_and_darkest_pictures(offered_rgb):
    example = groups.example(offered_rgb, "first")
    images = models.load(offered_rgb)(seeds=range(24), output_type="np").images
    means = {seed: images[seed].mean() for seed in range(24)}
    bright, dark = (groups.seeds_of(text) for text in example.groups[:2])
    assert min(means[seed] for seed in bright) > max(value for seed, value in means.items() if seed not in bright)
    assert max(means[seed] for seed in dark) < min(value for seed, value in means.items() if seed not in dark)
    assert example.titles == ("the brightest", "the darkest", "three others")


def test_the_form_of_the_arithmetic_is_its_link_and_an_old_link_is_what_it_was(offered):
    form = ["", "0-5", "star", "0", "1", "2, 3", "own", 0.5, "sum", ["middle", "fine"]]
    *_, link, _ = arithmetic.show(offered, *form)
    assert links.fill(offered, dict(parse_qsl(link[1:]))) == form
    assert links.fill(offered, {"pool": "0-5", "a": "0"})[7] == 0.25 and links.fill(offered, {})[7] == 1
    assert links.fill(offered, {"a": "900"})[:5] == ["", "900, 0-23", "own"][:2] + ["own", "900", ""]
    for wrong in (
        {"radius": "4"},
        {"mode": "mix"},
        {"layers": "skin"},
        {"preset": "nothing"},
        {"a": "x"},
        {"pool": ""[:0] or "y"},
    ):
        with pytest.raises(ValueError):
            links.fill(offered, wrong)


def test_a_model_without_styles_mixes_none(offered):
    with pytest.raises(ValueError, match="no styles"):
        arithmetic.mix(offered, "0", "1", "fine", "own")


def test_styles_are_mixed_by_layers_where_a_model_has_them(styled):
    name = styled
    pipe = models.load(name)
    first, second = (pipe.map(pipe.sample_latents([seed])) for seed in (3, 14))
    coarse, middle, fine = (rows_of(layer, first.shape[1]) for layer in ("coarse", "middle", "fine"))
    assert [*coarse, *middle, *fine] == list(range(first.shape[1])) and min(map(len, (coarse, middle, fine))) > 0
    expected = first.clone()
    expected[:, coarse], expected[:, fine] = second[:, coarse], second[:, fine]
    table, path = arithmetic.mix(name, "3, 4", "14", "fine,coarse", "own")
    tile = 32 + 2
    assert (pixels(path)[tile : tile + 32, tile:] == np.asarray(pipe.synthesize(expected)[0])).all()
    assert pixels(path).shape[:2] == (3 * tile - 2, 2 * tile - 2) and table.count("<td><img") == 2
    shown = arithmetic.show(name, "", "0-9", "own", "3", "14", "", "own", 1.0, "mix", ["fine"])
    assert shown[8]["visible"] and "<table" in shown[13] and "&mode=mix&layers=fine" in shown[-2]
    with pytest.raises(ValueError, match="groups A and B"):
        arithmetic.mix(name, "3", "", "fine", "own")
    with pytest.raises(ValueError, match="one of coarse, middle, fine"):
        arithmetic.mix(name, "3", "14", "skin", "own")


def test_the_result_is_saved_enlarged_with_how_it_was_made(offered):
    form = ("", "0-5", "star", "0", "1", "2, 3", "own", 0.5, "sum", [])
    path, said = arithmetic.save("nine", 4, None, offered, *form)
    assert (
        path.endswith("A-B-C-neighbours-x4.png") and pixels(path).shape == (352, 352) and said.endswith(Path(path).name)
    )
    told = Image.open(path).text
    assert (told["radius"], told["C"], told["exemplar_label"], told["license"]) == ("0.5", "2, 3", "star", "mit")
    for wrong in (("ten", 1), ("nine", 3)):
        with pytest.raises(ValueError):
            arithmetic.save(*wrong, None, offered, *form)

"""The handlers of the four tabs as plain functions: what they draw, and that bad inputs change nothing."""

import json
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image

from gan_hub.demo import image_files, models, navigation
from gan_hub.demo.tabs.arithmetic import handlers as arithmetic
from gan_hub.demo.tabs.game import handlers as game
from gan_hub.demo.tabs.interpolate import handlers as interpolate
from gan_hub.demo.tabs.sample import handlers as sample
from gan_hub.demo.texts import language, translate

NAN = float("nan")
SAMPLE = dict(seeds="0-3", label="own", truncation=1.0)
WALK = dict(seeds="1, 2", mode="slerp", frames=3, label="own", loop=True)
SUM = dict(a="0-2", b="3", c="4, 5", exemplar_label="own", label="own")
BAD_SEEDS = ["", "a", None, 3, True, NAN, ["1"], "1" * 2000, "0-99999", "4294967296"]
BAD_LABELS = ["nobody", 0, 1.5, True, NAN, ["star"], {"a": 1}]
BAD_MODELS = ["../secret", "/etc/passwd", "someone/else", None, 1, NAN, ["x"], ""]


def request(header: str):
    """What a handler reads of a request."""
    return SimpleNamespace(headers={"accept-language": header}, query_params={})


def pixels(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


# ------------------------------------------------------------------------------------------------- sample


def test_sample_draws_what_the_pipeline_draws_and_says_how_in_the_file(offered):
    gallery, link, archive, shown, status = sample.sample(offered, "3, 14", "star", 0.5)
    expected = models.load(offered)(seeds=[3, 14], labels="star", truncation=0.5).images
    for (path, caption), image, seed in zip(gallery, expected, (3, 14)):
        assert (pixels(path) == np.asarray(image)).all()
        assert Image.open(path).text == {"model": offered, "seed": str(seed), "label": "star", "truncation": "0.5"}
        assert caption == f"seed {seed} · star"
    assert gallery == shown and status == "2 pictures · star · Truncation 0.5"
    assert link == f"?tab=sample&model={offered}&seeds=3,14&truncation=0.5&label=star"
    with zipfile.ZipFile(archive) as file:
        assert len(file.namelist()) == 3 and "grid.png" in file.namelist()


def test_sample_lets_each_seed_choose_its_class(offered):
    gallery, *_ = sample.sample(offered, "0-7", "own", 1)
    pipe = models.load(offered)
    names = [pipe.label_names[index] for index in pipe(seeds=range(8)).labels]
    assert [caption for _, caption in gallery] == [f"seed {seed} · {name}" for seed, name in enumerate(names)]


def test_sample_works_without_classes_and_in_colour(offered_rgb):
    gallery, *_ = sample.sample(offered_rgb, "7", "own", 1.0)
    assert gallery[0][1] == "seed 7" and pixels(gallery[0][0]).shape == (32, 32, 3)
    with pytest.raises(ValueError, match="no such class"):
        sample.sample(offered_rgb, "7", "star", 1.0)


def test_answers_come_in_the_visitors_language(offered):
    assert language(request("pt-BR,pt;q=0.9,en;q=0.8")) == "pt" and language(request("pt")) == "pt"
    assert language(request("en-GB,pt")) == "en" and language(request("")) == "en" and language(None) == "en"
    assert translate(request("pt-PT"), "drawn_n", count=2) == "2 imagens"


def test_sample_moves_the_pictures_along_a_concept_and_says_so(offered):
    gallery, link, *_, status = sample.sample(offered, "3, 14", "star", 0.5, "leaning over", -1.5)
    expected = models.load(offered)(seeds=[3, 14], labels="star", truncation=0.5, concepts={"leaning over": -1.5})
    for (path, _), image in zip(gallery, expected.images):
        assert (pixels(path) == np.asarray(image)).all()
    assert Image.open(gallery[0][0]).text["concept"] == "leaning over=-1.5"
    assert status == "2 pictures · star · Truncation 0.5 · leaning over −1.5"
    assert link.endswith("&label=star&concept=leaning+over&strength=-1.5")


def test_a_link_fills_in_the_form(offered):
    link = {
        "tab": "sample",
        "model": offered,
        "seeds": "3,14",
        "label": "star",
        "truncation": "0.5",
        "concept": "thick",
        "strength": "-2",
    }
    place, level, create, learn, model, *rest = navigation.read("?" + urlencode(link))
    seeds, label, truncation, concept, strength = rest[:5]
    assert (json.loads(place), level["selected"], create["selected"]) == (
        {"level": "create", "tab": "sample"},
        "create",
        "sample",
    )
    assert (model, seeds, label, truncation) == (offered, "3, 14", "star", 0.5)
    assert (concept, strength, rest[-1]) == ("thick", -2, "")


@pytest.mark.parametrize(
    "link",
    [{"seeds": "x"}, {"seeds": "0-99999"}, {"label": "nobody"}, {"truncation": "nan"}, {"truncation": "x"}]
    + [{"model": "../../etc"}, {"truncation": "1e400"}, {"seeds": "<script>alert(1)</script>"}]
    + [{"concept": "nothing"}, {"concept": "thick", "strength": "3"}, {"strength": "nan"}],
    ids=str,
)
def test_a_bad_link_opens_the_usual_page_and_says_what_is_wrong(offered, link):
    *_, note = read = navigation.read("?" + urlencode(link))
    model, *form = read[4:10]
    assert (model, *form) == (offered, "0-15", "own", 1.0, "none", 1.0)
    assert "data-wrong" in note and "<script" not in note


def test_new_seeds_are_as_many_as_before():
    assert len(sample.inputs.seeds(sample.new_seeds("0-7"))) == 8
    assert len(sample.inputs.seeds(sample.new_seeds("rubbish"))) == 16
    assert sample.new_seeds("0-7") != sample.new_seeds("0-7")


def test_a_clicked_picture_is_the_one_to_download(offered):
    *_, shown, _ = sample.sample(offered, "0-3", "own", 1.0)
    figure, path, _ = sample.select_image(shown, SimpleNamespace(index=2))
    assert path == shown[2][0] and "seed 2" in figure
    Path(path).unlink()
    with pytest.raises(ValueError, match="expired"):
        sample.select_image(shown, SimpleNamespace(index=2))


@pytest.mark.parametrize("index", [-1, 4, None, "0", 1.0, True, [0, 0]])
def test_a_click_beside_the_gallery_is_refused(offered, index):
    *_, shown, _ = sample.sample(offered, "0-3", "own", 1.0)
    with pytest.raises(ValueError):
        sample.select_image(shown, SimpleNamespace(index=index))


# -------------------------------------------------------------------------------------------- interpolate


def test_a_walk_is_lossless_and_visits_its_seeds(offered):
    animation, strip, *_, status = interpolate.walk(offered, "3, 14", "slerp", 5, "star", False)
    ends = models.load(offered)(seeds=[3, 14], labels="star").images
    with Image.open(animation) as film:
        assert film.n_frames == 5
        for frame, image in ((0, ends[0]), (4, ends[1])):
            film.seek(frame)
            assert (np.asarray(film.convert("L"))[::10, ::10] == np.asarray(image)).all()
    assert pixels(strip).shape == (28, 5 * 30 - 2)
    assert status == "5 frames from seed to seed: 3 → 14 · star"


def test_a_closed_walk_returns_without_showing_the_first_frame_twice(offered):
    _, strip, *_, status = interpolate.walk(offered, "3, 14", "lerp", 4, "star", True)
    frames = [pixels(strip)[:, start : start + 28] for start in range(0, 120, 30)]
    assert "3 → 14 → 3" in status
    assert (frames[1] == frames[3]).all() and not (frames[0] == frames[3]).all()


def test_a_walk_keeps_one_class(offered):
    pipe = models.load(offered)
    first = pipe.label_names[pipe(seeds=[1]).labels[0]]
    assert interpolate.walk(offered, "1, 2", "slerp", 4, "own", True)[-1].endswith(f"· {first}")


@pytest.mark.parametrize(("size", "enlarged"), [((28, 28), (280, 280)), ((24, 40), (168, 280)), ((300, 8), (300, 8))])
def test_a_small_picture_is_enlarged_by_whole_pixels_until_its_longer_side_is_long_enough(size, enlarged):
    assert image_files.enlarge(Image.new("L", size), 256).size == enlarged


# --------------------------------------------------------------------------------------------- arithmetic


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
    assert Image.open(result).text["A"] == "0-2" and Image.open(result).text["label"] == "star"
    assert (pixels(arithmetic.calculate(offered, "0-2", "3", "4, 5", "own", "star")[2]) == grid).all()


def test_arithmetic_without_classes_and_in_colour(offered_rgb):
    equation, result, _ = arithmetic.calculate(offered_rgb, "0", "1", "2", "own", "own")
    assert pixels(result).shape == (32, 32, 3) and equation.count("<img") == 15


def test_an_empty_group_is_shown_as_empty_and_refused_in_a_calculation(offered):
    equation, result, nine = arithmetic.preview(offered, "0", "", "2", "own", "own")
    assert result is None and nine is None and "empty: click pictures" in equation
    with pytest.raises(ValueError, match="at least one picture"):
        arithmetic.calculate(offered, "0", " ", "2", "own", "own")


def test_a_click_puts_a_picture_into_the_active_group_and_the_next_takes_it_out(offered):
    _, files = arithmetic.show_pool(offered, "10-13", "own", "", "", "")
    form = (offered, "10-13", "own", "10", "", "", "own")
    a, b, c, pool, *_ = arithmetic.click("B", files, *form, SimpleNamespace(index=2))
    assert (a, b, c) == ("10", "12", "")
    assert [caption for _, caption in pool["value"]] == ["10 A", "11", "12 B", "13"]
    form = (offered, "10-13", "own", a, b, c, "own")
    assert arithmetic.click("B", files, *form, SimpleNamespace(index=2))[1] == ""


def test_a_full_group_takes_no_more(offered):
    with pytest.raises(ValueError, match="13 seeds"):
        arithmetic.toggled("A", ("0-11", "", ""), 12)


def test_a_surprise_fills_three_different_groups_of_three():
    groups = [arithmetic.inputs.seeds(text) for text in arithmetic.random_groups("0-23")]
    assert [len(group) for group in groups] == [3, 3, 3] and len(set(sum(groups, []))) == 9
    with pytest.raises(ValueError):
        arithmetic.random_groups("0-3")


def test_a_concept_fills_the_groups_a_and_b_with_its_exemplars(offered):
    assert arithmetic.fill_from_concept(offered, "thick", "7", "8") == ("1-3", "4-6, 4294967295")
    assert arithmetic.fill_from_concept(offered, "none", "7", "8") == ("7", "8")
    assert (
        arithmetic.preview(offered, *arithmetic.fill_from_concept(offered, "thick", "", ""), "9", "own", "own")[1]
        is not None
    )


# ------------------------------------------------------------------------------------------- bad inputs

BAD = [
    *[(sample.sample, SAMPLE, {"seeds": value}) for value in BAD_SEEDS],
    *[(sample.sample, SAMPLE, {"label": value}) for value in BAD_LABELS],
    *[(sample.sample, SAMPLE, {"truncation": value}) for value in (NAN, None, "1", True, -0.1, 1.1, [1])],
    *[(sample.sample, SAMPLE, {"model": value}) for value in BAD_MODELS],
    *[(sample.sample, SAMPLE, {"concept": value}) for value in ("glasses", 1, True, NAN, ["thick"], {"thick": 1})],
    *[(sample.sample, SAMPLE, {"strength": value}) for value in (NAN, None, "1", True, -2.1, 2.1, [1])],
    *[
        (arithmetic.fill_from_concept, {"concept": "thick", "a": "", "b": ""}, {"concept": value})
        for value in ("x", 1, ["thick"])
    ],
    *[(interpolate.walk, WALK, {"seeds": value}) for value in ["5", "0-16", *BAD_SEEDS]],
    *[(interpolate.walk, WALK, {"mode": value}) for value in ("spline", None, 1, ["slerp"])],
    *[(interpolate.walk, WALK, {"frames": value}) for value in (NAN, None, 1, 121, 2.5, "3", True, [3])],
    *[(interpolate.walk, WALK, {"label": value}) for value in BAD_LABELS],
    *[(interpolate.walk, WALK, {"loop": value}) for value in (None, "no", 1, {})],
    *[(interpolate.walk, WALK, {"model": value}) for value in BAD_MODELS],
    *[(arithmetic.calculate, SUM, {name: value}) for name in "abc" for value in ["0-12", *BAD_SEEDS]],
    *[(arithmetic.calculate, SUM, {name: value}) for name in ("exemplar_label", "label") for value in BAD_LABELS],
    *[(arithmetic.calculate, SUM, {"model": value}) for value in BAD_MODELS],
    *[(game.draw, {}, {"model": value}) for value in BAD_MODELS],
]


def shown(value: object) -> str:
    """The part of a test's name: a function's own name, not its address, which differs between processes."""
    return getattr(value, "__name__", str(value)[:40])


@pytest.mark.parametrize(("handler", "good", "bad"), BAD, ids=shown)
def test_a_bad_input_is_answered_with_one_sentence(offered, handler, good, bad):
    with pytest.raises(ValueError) as caught:
        handler(**{"model": offered, **good, **bad})
    message = str(caught.value)
    assert re.fullmatch(r"[^\n<>]{10,300}\.", message) and "Traceback" not in message and "/" not in message


def test_the_good_inputs_beside_the_bad_ones_are_good(offered):
    """Or the table above would prove nothing."""
    for handler, good in ((sample.sample, SAMPLE), (interpolate.walk, WALK), (arithmetic.calculate, SUM)):
        handler(**{"model": offered, **good})
    game.draw(offered)


def test_every_tab_follows_a_change_of_model(offered_rgb):
    """Choices of the former model's classes are dropped, and the pickers hidden, where the new one has none."""
    picker, concept, strength, gallery, *_ = sample.draw(offered_rgb, "0-3", "star", 1.0, "thick", 1.5)
    assert not picker["visible"] and picker["value"] == "own" and len(gallery) == 4
    assert (concept["visible"], concept["value"], strength["visible"]) == (False, "none", False)
    picker, animation, *_ = interpolate.draw(offered_rgb, "1, 2", "slerp", 3, "star", True)
    assert not picker["visible"] and Path(animation).is_file()
    first, second, concept, pool, *_ = arithmetic.draw(offered_rgb, "0-3", "star", "0", "1", "2", "star")
    assert not first["visible"] and not second["visible"] and len(pool["value"]) == 4 and not concept["visible"]


def test_a_models_concepts_are_offered_and_a_choice_that_still_exists_is_kept(offered):
    _, concept, strength, *_ = sample.draw(offered, "0", "own", 1.0, "thick", -0.5)
    assert (concept["visible"], concept["value"], strength["value"], strength["visible"]) == (True, "thick", -0.5, True)
    assert [value for _, value in concept["choices"]] == ["none", "thick", "leaning over"]
    _, _, concept, *_ = arithmetic.draw(offered, "0-3", "own", "0", "1", "2", "own")
    assert concept["visible"] and [value for _, value in concept["choices"]] == ["none", "thick", "leaning over"]


def test_class_pickers_keep_a_choice_that_still_exists(offered):
    assert sample.draw(offered, "0", "star", 1.0)[0]["value"] == "star"
    assert [value for _, value in sample.draw(offered, "0", "x", 1.0)[0]["choices"]] == [
        "own",
        "circle",
        "square",
        "star",
    ]
    assert arithmetic.draw(offered, "0", "own", "0", "1", "2", "own")[0]["value"] == "circle"

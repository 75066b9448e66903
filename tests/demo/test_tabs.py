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

from gan_hub.demo import models, navigation
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


# ------------------------------------------------------------------------------------------- bad inputs

BAD = [
    *[(sample.sample, SAMPLE, {"seeds": value}) for value in BAD_SEEDS],
    *[(sample.sample, SAMPLE, {"label": value}) for value in BAD_LABELS],
    *[(sample.sample, SAMPLE, {"truncation": value}) for value in (NAN, None, "1", True, -0.1, 1.1, [1])],
    *[(sample.sample, SAMPLE, {"model": value}) for value in BAD_MODELS],
    *[(sample.sample, SAMPLE, {"concept": value}) for value in ("glasses", 1, True, NAN, ["thick"], {"thick": 1})],
    *[(sample.sample, SAMPLE, {"strength": value}) for value in (NAN, None, "1", True, -2.1, 2.1, [1])],
    *[(interpolate.walk, WALK, {"seeds": value}) for value in ["5", "0-16", *BAD_SEEDS]],
    *[(interpolate.walk, WALK, {"mode": value}) for value in ("spline", "w", None, 1, ["slerp"])],
    *[(interpolate.walk, WALK, {"easing": value}) for value in ("fast", None, 1, ["linear"])],
    *[(interpolate.walk, WALK, {"conditions": value}) for value in ("mix", None, True, ["blend"])],
    *[(interpolate.walk, WALK, {"file_format": value}) for value in ("avi", None, 1, ["gif"], "../x")],
    *[(arithmetic.calculate, SUM, {"radius": value}) for value in (NAN, None, "1", True, -0.1, 3.1, [1])],
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
    path, kind, picker, *_ = interpolate.show(offered_rgb, "1, 2", "w", 3, "star", True, "linear", "blend")
    assert not picker["visible"] and not kind["visible"] and path["value"] == "slerp"
    shown = arithmetic.show(offered_rgb, "thick", "0-3", "star", "0", "1", "2", "star", 1.0, "mix", ["fine"])
    assert not any(update["visible"] for update in shown[5:9]) and len(shown[arithmetic.POOL_PLACE]) == 24
    assert shown[7]["value"] == "sum" and shown[-1].startswith("A: the brightest")


def test_a_models_concepts_are_offered_and_a_choice_that_still_exists_is_kept(offered):
    _, concept, strength, *_ = sample.draw(offered, "0", "own", 1.0, "thick", -0.5)
    assert (concept["visible"], concept["value"], strength["value"], strength["visible"]) == (True, "thick", -0.5, True)
    assert [value for _, value in concept["choices"]] == ["none", "thick", "leaning over"]


def test_class_pickers_keep_a_choice_that_still_exists(offered):
    assert sample.draw(offered, "0", "star", 1.0)[0]["value"] == "star"
    assert [value for _, value in sample.draw(offered, "0", "x", 1.0)[0]["choices"]] == [
        "own",
        "circle",
        "square",
        "star",
    ]
    form = ("0", "star", "0", "1", "2", "star", 1.0, "sum", [])
    assert [update["value"] for update in arithmetic.show(offered, "", *form)[5:7]] == ["star", "star"]
    assert arithmetic.show(offered, "first", *form[:1], "own", *form[2:])[5]["value"] == "circle"

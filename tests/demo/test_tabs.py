"""The handlers of the four tabs as plain functions: what they draw, and that bad inputs change nothing."""

import io
import json
import re
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
from gan_hub.model_folder.segmentations import colorize
from gan_hub.version import full_version

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


def png(item: dict) -> Image.Image:
    """The picture of an item of a grid."""
    return Image.open(io.BytesIO(image_files.png_bytes(item["src"])))


def test_sample_draws_what_the_pipeline_draws_and_says_how_in_the_file(offered):
    items, link, count, status = sample.sample(offered, "3, 14", "star", 0.5)
    expected = models.load(offered)(seeds=[3, 14], labels="star", truncation=0.5).images
    for item, image, seed in zip(items, expected, (3, 14)):
        assert (np.asarray(png(item)) == np.asarray(image)).all()
        recipe = {"model": offered, "seed": str(seed), "label": "star", "truncation": "0.5", "license": "mit"}
        assert png(item).text == recipe | {"software": f"gan_hub {full_version()}"}
        assert item["caption"] == item["alt"] == f"seed {seed} · star"
        assert item["file"] == f"{offered}-seed-{seed}-star"
    assert count == 2 and status == "2 pictures · star · Truncation 0.5"
    assert link == f"?tab=sample&model={offered}&seeds=3,14&truncation=0.5&label=star"


def test_sample_lets_each_seed_choose_its_class(offered):
    items, *_ = sample.sample(offered, "0-7", "own", 1)
    pipe = models.load(offered)
    names = [pipe.label_names[index] for index in pipe(seeds=range(8)).labels]
    assert [item["caption"] for item in items] == [f"seed {seed} · {name}" for seed, name in enumerate(names)]


def test_sample_works_without_classes_and_in_colour(offered_rgb):
    items, *_ = sample.sample(offered_rgb, "7", "own", 1.0)
    assert items[0]["caption"] == "seed 7" and np.asarray(png(items[0])).shape == (32, 32, 3)
    with pytest.raises(ValueError, match="no such class"):
        sample.sample(offered_rgb, "7", "star", 1.0)


def test_answers_come_in_the_visitors_language(offered):
    assert language(request("pt-BR,pt;q=0.9,en;q=0.8")) == "pt" and language(request("pt")) == "pt"
    assert language(request("en-GB,pt")) == "en" and language(request("")) == "en" and language(None) == "en"
    assert translate(request("pt-PT"), "drawn_n", count=2) == "2 imagens"


def test_sample_moves_the_pictures_along_several_concepts_and_says_so(offered):
    moved = {"leaning over": -1.5, "thick": 0.5}
    items, link, _, status = sample.sample(offered, "3, 14", "star", 0.5, "leaning over=-1.5, thick=0.5")
    expected = models.load(offered)(seeds=[3, 14], labels="star", truncation=0.5, concepts=moved)
    for item, image in zip(items, expected.images):
        assert (np.asarray(png(item)) == np.asarray(image)).all()
    assert png(items[0]).text["concepts"] == "leaning over=-1.5,thick=0.5"
    assert status == "2 pictures · star · Truncation 0.5 · leaning over −1.5 · thick 0.5"
    assert link.endswith("&label=star&concepts=leaning+over%3D-1.5,thick%3D0.5")


def test_a_picture_that_was_drawn_from_a_map_shows_its_map():
    items, *_ = sample.sample("spade-facades", "0-1", "own", 1.0)
    shown = png({"src": items[0]["map"]}).convert("RGB")
    expected = colorize(models.load("spade-facades")(seeds=[0]).segmentations)[0].convert("RGB")
    assert (np.asarray(shown) == np.asarray(expected)).all()


def test_a_link_fills_in_the_form(offered):
    link = {
        "tab": "sample",
        "model": offered,
        "seeds": "3,14",
        "label": "star",
        "truncation": "0.5",
        "concepts": "thick=-2,leaning over=1",
        "chosen": "14",
    }
    place, level, create, learn, model, *rest = navigation.read("?" + urlencode(link))
    seeds, label, truncation, concepts, chosen = rest[:5]
    assert (json.loads(place), level["selected"], create["selected"]) == (
        {"level": "create", "tab": "sample"},
        "create",
        "sample",
    )
    assert (model, seeds, label, truncation) == (offered, "3, 14", "star", 0.5)
    assert (concepts, chosen, rest[-1]) == ("thick=-2,leaning over=1", "14", "")


def test_a_link_of_former_times_with_one_concept_still_works(offered):
    *_, concepts, chosen, _ = sample.fill(offered, {"concept": "thick", "strength": "-2"})
    assert (concepts, chosen) == ("thick=-2", "") and sample.fill(offered, {"concept": "thick"})[3] == "thick=1"
    read = navigation.read(f"?model={offered}&concept=thick&strength=-2")
    assert read[8] == "thick=-2" and read[-1] == ""


@pytest.mark.parametrize(
    "link",
    [{"seeds": "x"}, {"seeds": "0-99999"}, {"label": "nobody"}, {"truncation": "nan"}, {"truncation": "x"}]
    + [{"model": "../../etc"}, {"truncation": "1e400"}, {"seeds": "<script>alert(1)</script>"}]
    + [{"concept": "nothing"}, {"concept": "thick", "strength": "3"}, {"strength": "nan"}]
    + [{"concepts": "nothing=1"}, {"concepts": "thick=3"}, {"concepts": "thick"}, {"chosen": "1, 2"}, {"chosen": "x"}],
    ids=str,
)
def test_a_bad_link_opens_the_usual_page_and_says_what_is_wrong(offered, link):
    *_, note = read = navigation.read("?" + urlencode(link))
    model, *form = read[4:10]
    assert (model, *form) == (offered, "0-15", "own", 1.0, "", "")
    assert "data-wrong" in note and "<script" not in note


def test_new_seeds_are_as_many_as_asked_for(offered):
    seeds, items, *_ = sample.reroll(offered, 5, "own", 1.0, "")
    assert len(items) == 5 and sample.inputs.seeds(seeds) == [item["seed"] for item in items]
    assert sample.reroll(offered, 5, "own", 1.0, "")[0] != seeds
    for count in (0, 65, 2.5, None, "3", True, NAN):
        with pytest.raises(ValueError, match="whole number from 1 to 64"):
            sample.reroll(offered, count, "own", 1.0, "")


@pytest.mark.parametrize(
    ("seeds", "count", "expected"),
    [("3, 14", 1, [3]), ("3, 14", 4, [3, 14, 15, 16]), ("5, 3", 5, [5, 3, 4, 6, 7]), ("rubbish", 3, [0, 1, 2])]
    + [("4294967295", 3, [4294967295, 0, 1])],
)
def test_another_number_keeps_the_pictures_that_are_there(seeds, count, expected):
    assert sample.resized_seeds(seeds, count) == expected


def varied(model: str, **sent):
    return sample.vary(model, 1.0, "", "const", SimpleNamespace(_data=sent))[0]


def test_variations_are_near_their_picture_and_of_its_class(offered):
    answer = varied(offered, seed=7, label="star")
    assert answer["seed"] == 7 and len(answer["items"]) == 8
    base = np.asarray(models.load(offered)(seeds=[7], labels="star").images[0], dtype=float)
    others = [
        np.asarray(image, dtype=float) for image in models.load(offered)(seeds=range(20, 28), labels="star").images
    ]
    near = [np.abs(np.asarray(png(item), dtype=float) - base).mean() for item in answer["items"]]
    assert 0 < np.mean(near) < 0.7 * np.mean([np.abs(other - base).mean() for other in others])
    text = png(answer["items"][2]).text
    assert (text["seed"], text["towards"], text["amount"], text["label"]) == ("7", "10", "0.3", "star")
    assert varied(offered, seed=7, label="star") == answer
    for sent in ({}, {"seed": -1}, {"seed": "7"}, {"seed": 7, "label": "nobody"}):
        with pytest.raises(ValueError):
            varied(offered, **sent)


def test_a_link_shows_the_chosen_picture_large(offered):
    *_, items, link, _, _ = sample.draw(offered, "3, 14", "own", 1.0, "", "14")
    assert [item.get("chosen") for item in items] == [None, True] and link.endswith("&chosen=14")
    *_, items, link, _, _ = sample.draw(offered, "3, 14", "own", 1.0, "", "15")  # of seeds that were changed since
    assert not any("chosen" in item for item in items) and "chosen" not in link


# ------------------------------------------------------------------------------------------- bad inputs

BAD = [
    *[(sample.sample, SAMPLE, {"seeds": value}) for value in BAD_SEEDS],
    *[(sample.sample, SAMPLE, {"label": value}) for value in BAD_LABELS],
    *[(sample.sample, SAMPLE, {"truncation": value}) for value in (NAN, None, "1", True, -0.1, 1.1, [1])],
    *[(sample.sample, SAMPLE, {"model": value}) for value in BAD_MODELS],
    *[(sample.sample, SAMPLE, {"concepts": value}) for value in ("glasses=1", 1, True, NAN, ["thick"], {"thick": 1})],
    *[
        (sample.sample, SAMPLE, {"concepts": f"thick={value}"})
        for value in ("nan", "", "x", "-2.1", "2.1", "1e400", "1=1")
    ],
    *[(sample.sample, SAMPLE, {"concepts": value}) for value in ("=1", "none=1", "thick=1," * 200)],
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
    picker, concepts, _, _, gallery, *_ = sample.draw(offered_rgb, "0-3", "star", 1.0, "thick=1.5")
    assert not picker["visible"] and picker["value"] == "own" and len(gallery) == 4
    assert (concepts["value"], concepts["sliders"]) == ("", [])
    path, kind, picker, *_ = interpolate.show(offered_rgb, "1, 2", "w", 3, "star", True, "linear", "blend")
    assert not picker["visible"] and not kind["visible"] and path["value"] == "slerp"
    shown = arithmetic.show(offered_rgb, "thick", "0-3", "star", "0", "1", "2", "star", 1.0, "mix", ["fine"])
    assert not any(update["visible"] for update in shown[5:9]) and len(shown[arithmetic.POOL_PLACE]) == 24
    assert shown[7]["value"] == "sum" and shown[-1].startswith("A: the brightest")


def test_a_models_concepts_are_offered_and_a_choice_that_still_exists_is_kept(offered):
    _, concepts, *_ = sample.draw(offered, "0", "own", 1.0, "thick=-0.5,ginger=1")
    assert concepts["value"] == "thick=-0.5" and concepts["most"] == 2
    assert [slider["name"] for slider in concepts["sliders"]] == ["thick", "leaning over"]


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

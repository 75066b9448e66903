"""What the page calls its models, and the cards of its picker."""

import base64
import io
import json
import shutil
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from gan_hub.demo import models, navigation, picker, sanitize, showcase
from gan_hub.demo.tab import Tab
from gan_hub.demo.texts import TEXTS
from gan_hub.hub.resolve import bundled_models

PORTUGUESE = SimpleNamespace(headers={"accept-language": "pt-BR"}, query_params={})


def pixels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_every_bundled_model_has_a_name_for_people_and_no_other_has():
    assert set(showcase.EXHIBITS) == set(bundled_models())
    for exhibit in showcase.EXHIBITS.values():
        for english, portuguese in (exhibit.title, exhibit.line):
            assert english and portuguese and english != portuguese and len(english) <= 60 and len(portuguese) <= 60
    titles = [exhibit.title for exhibit in showcase.EXHIBITS.values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", bundled_models())
def test_every_class_and_concept_of_a_bundled_model_has_a_portuguese_word(name):
    pipe = models.load(name)
    assert set(pipe.label_names or ()) <= set(showcase.CLASSES_IN_PORTUGUESE)
    assert set(pipe.concepts) <= set(showcase.CONCEPTS_IN_PORTUGUESE)
    assert set(pipe.concepts) <= set(showcase.ENDS)


def test_names_come_in_the_visitors_language_and_stay_as_they_are_where_no_word_is_known():
    assert showcase.model_title("r3gan-cats-64") == "Cats, 64 px"
    assert showcase.model_title("r3gan-cats-64", PORTUGUESE) == "Gatos, 64 px"
    assert showcase.class_title("t-shirt", PORTUGUESE) == "camiseta" and showcase.class_title("t-shirt") == "t-shirt"
    assert showcase.concept_title("ginger", PORTUGUESE) == "ruivo"
    assert showcase.concept_ends("brightness", PORTUGUESE) == ("escuro", "claro")
    assert showcase.model_title("my-cats", PORTUGUESE) == showcase.class_title("my-cats", PORTUGUESE) == "my-cats"
    assert showcase.concept_ends("fluffy") == ("−", "+")


def test_models_are_listed_by_beauty_and_an_own_one_first(offered):
    names = [card["name"] for card in picker.cards()]
    assert names == [offered, *showcase.EXHIBITS]
    arts = [card["art"] for card in picker.cards()]
    assert arts == sorted(arts, reverse=True) and arts[0] and not arts[-1]


def test_a_strip_has_the_pictures_of_the_models_sheet():
    card = next(card for card in picker.cards() if card["name"] == "dcgan-fashion-mnist")
    strip = pixels(card["strip"])
    assert strip.shape == (56, 6 * 56, 3) and card["tiles"] == 6
    with Image.open(bundled_models()["dcgan-fashion-mnist"] / "samples.png") as sheet:
        place = showcase.tiles("dcgan-fashion-mnist")[1]
        left, top = 58 * (place % 10), 58 * (place // 10)
        expected = np.asarray(sheet.crop((left, top, left + 56, top + 56)), dtype=float)
    assert np.abs(strip[:, 56:112, 0] - expected).mean() < 6  # WebP is lossy


def test_a_model_without_a_sheet_gets_its_strip_in_the_background(offered):
    def own() -> dict:
        return next(card for card in picker.cards() if card["name"] == offered)

    end = time.monotonic() + 60
    while not own()["strip"] and time.monotonic() < end:
        time.sleep(0.05)
    drawn = models.load(offered)(seeds=[0]).images[0]
    assert np.abs(pixels(own()["strip"])[:, :28, 0] - np.asarray(drawn, dtype=float)).mean() < 12
    assert picker.is_complete() and own()["title"] == {"en": offered, "pt": offered}


@pytest.mark.parametrize("damage", [b"no picture", None])
def test_a_sheet_that_cannot_be_read_is_as_good_as_none(tmp_path, damage):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"resolution": 28}))
    if damage:
        (folder / "samples.png").write_bytes(damage)
    else:  # a link out of the folder, to a picture of somebody else
        Image.new("L", (580, 580)).save(tmp_path / "private.png")
        (folder / "samples.png").symlink_to(tmp_path / "private.png")
    assert picker._tiles_of_sheet(str(folder), (0, 1)) is None


def test_the_training_time_is_that_of_the_models_card(tmp_path):
    cards = {card["name"]: card for card in picker.cards()}
    assert cards["r3gan-cats-64"]["time"]["en"] == "trained in 7 min on H100"
    assert cards["mlp-mnist"]["time"]["pt"] == "treinado em 7 min de CPU"
    shutil.copy(bundled_models()["mlp-mnist"] / "README.md", tmp_path)
    assert sanitize.training_time(tmp_path) == (7, None)
    (tmp_path / "README.md").write_text("trained for ever")
    assert sanitize.training_time(tmp_path) is None


def test_the_opening_walks_in_a_circle_through_the_models_best_pictures():
    opening = picker.opening("mlp-mnist")
    assert opening["model"] == "mlp-mnist" and len(opening["walks"]) == picker.WALKS
    film = pixels(opening["walks"][0]["src"])
    assert film.shape == (48 * 28, 28, 3) and opening["walks"][0]["frames"] == 48
    frames = film.reshape(48, 28, 28, 3).astype(float)
    steps = np.abs(frames - np.roll(frames, 1, 0)).mean((1, 2, 3))
    assert 0 < steps[0] < 3 * steps.mean()  # from the last frame to the first as well
    assert picker.opening("nobody") is None and picker.opening(None) is None


def test_a_tab_offers_models_by_their_names_for_people(offered, monkeypatch):
    monkeypatch.setitem(TEXTS["pt"], "lacks_painting", "Este modelo não desenha a partir de mapas.")
    painting = Tab("painting", None, ability=lambda pipe: pipe.segmentations is not None)
    offer = navigation.lacks(painting, offered, PORTUGUESE)
    assert 'data-pick-model="spade-facades">Fachadas, 64 px</button>' in offer

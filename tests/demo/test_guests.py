"""What a visitor has trained in the other tabs: as a model of its own, for whoever has its name, and nobody else's."""

import io
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl

import numpy as np
import pytest
from PIL import Image

from gan_hub import GANPipeline
from gan_hub.demo import guests, image_files, models, navigation, picker
from gan_hub.demo.inputs import BadInputError
from gan_hub.demo.tabs.game import handlers as game
from gan_hub.demo.tabs.game import rounds
from gan_hub.demo.tabs.interpolate import handlers as interpolate
from gan_hub.demo.tabs.sample import handlers as sample
from gan_hub.demo.tabs.train import handlers, newborn
from gan_hub.images import to_pil


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """One step of training, few real pictures, and a store of this test's own."""
    store = guests.Guests(most=2)
    for module in (guests, models, picker, newborn):
        monkeypatch.setattr(module, "GUESTS", store)
    monkeypatch.setattr(handlers, "STEPS", {16: 1, 32: 1})
    monkeypatch.setattr(newborn, "DEALT", 12)
    return store


def visitor(name: str):
    return SimpleNamespace(session_hash=name, query_params={}, headers={}, request=None)


def let_in(me, subject: str = "digits") -> str:
    """Train a network and let it in; its name."""
    list(handlers.train(subject, 16, *handlers.HEALTHY, request=me))
    link, sentence = newborn.let_in(me)
    assert sentence == ""
    values = dict(parse_qsl(link[1:]))
    assert values.pop("tab") == "sample" and [*values] == ["model"]
    return values["model"]


def test_what_was_born_is_a_model_of_the_other_tabs_with_a_card_of_its_own():
    me = visitor("me")
    name, born = let_in(me), handlers.NEWBORNS.get(me)
    items, link, *_ = sample.sample(name, "5, 6", "own", 1.0)
    for item, expected in zip(items, to_pil(born.draw([5, 6]))):
        with Image.open(io.BytesIO(image_files.png_bytes(item["src"]))) as drawn:
            assert np.abs(np.asarray(drawn).astype(int) - np.asarray(expected)).max() <= 1
            assert drawn.text["license"] == "apache-2.0" and drawn.text["model"] == name
    assert name in link
    assert interpolate.show(name, "1, 2", "slerp", 3, "own", True, "linear", "blend")
    dealt = rounds.GAMES.find(game.draw(name, "real", "easy")[6])
    assert dealt.kind == "real" and dealt.pair.halves[0].size == (16, 16)

    chosen = navigation.read(link)
    update = next(value for value in chosen if isinstance(value, dict) and "cards" in value)
    assert update["value"] == name and [card["name"] for card in update["cards"]].count(name) == 1
    card = update["cards"][0]
    assert card["name"] == name and card["title"]["en"] == "Yours, just born" and card["strip"] and card["tiles"] == 5
    assert len(picker.opening(name)["walks"]) == picker.WALKS


def test_nobody_else_is_offered_it():
    name = let_in(visitor("me"), "faces")
    assert name not in models.offered_models() and name not in [card["name"] for card in picker.cards()]
    assert not any(isinstance(value, dict) and "cards" in value for value in navigation.read("?tab=sample"))
    with pytest.raises(BadInputError) as refused:
        models.load("yours-0000000000000000")
    assert name not in str(refused.value)


def test_a_network_that_is_let_in_again_takes_the_place_of_its_younger_self(small):
    me = visitor("me")
    first = let_in(me)
    place = Path(models.load(first).name_or_path)
    assert GANPipeline.from_pretrained(place) and (place / "real_samples.png").is_file()
    second = let_in(me)
    assert first != second and small.find(first) is None and not place.exists() and small.find(second) is not None
    with pytest.raises(BadInputError, match="not offered here"):
        sample.sample(first, "0", "own", 1.0)
    assert models.default_model() in navigation.read(f"?tab=sample&model={first}")


def test_few_guests_are_kept(small):
    names = [let_in(visitor(each)) for each in "abc"]
    assert [small.find(name) is not None for name in names] == [False, True, True]


def test_without_a_network_there_is_a_sentence():
    with pytest.raises(BadInputError, match="There is no network yet"):
        newborn.let_in(visitor("nobody"))

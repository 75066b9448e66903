"""Which models the page offers, and what it says about them."""

import pytest

from gan_hub.demo import models
from gan_hub.demo.inputs import BadInput
from gan_hub.hub.places import bundled


def test_the_model_asked_for_is_offered_and_opened_first(offered, playable):
    assert models.choices() == {**{name: str(folder) for name, folder in bundled().items()}, offered: str(playable)}
    assert models.default() == offered


def test_fashion_mnist_is_preferred_among_the_bundled(monkeypatch, tiny_model):
    monkeypatch.delenv(models.VARIABLE, raising=False)
    monkeypatch.setattr(models, "bundled", lambda: {"a": tiny_model, models.FAVOURITE: tiny_model})
    assert models.default() == models.FAVOURITE
    monkeypatch.setattr(models, "bundled", lambda: {"a": tiny_model, "b": tiny_model})
    assert models.default() == "a"
    monkeypatch.setattr(models, "bundled", dict)
    assert models.default() is None and models.labels(models.default()) == []


def test_a_model_is_loaded_once_and_only_when_offered(offered):
    assert models.load(offered) is models.load(offered)
    for name in ("tiny-gan", "someone/else", "../tiny", None, 3, ["x"]):
        with pytest.raises(BadInput, match="not offered"):
            models.load(name)


def test_one_line_says_what_a_model_is(offered):
    assert models.describe(offered).startswith("DCGAN, 28 × 28 pixels, grey, 3 classes, 0.0 million")


def test_the_card_comes_without_front_matter_markup_and_foreign_pictures(offered):
    assert models.card(offered) == "<h1>Tiny</h1>\n<p></p>\n<p>For &lt;b&gt;tests&lt;/b&gt; only.</p>\n"


def test_a_missing_card_is_said_to_be_missing(offered_rgb):
    assert models.card(offered_rgb) == "This model came without a card."
    assert "colour, 0.0 million" in models.describe(offered_rgb)

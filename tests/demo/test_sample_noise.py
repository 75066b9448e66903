"""Noise of the pixels in the tab "Sample": for models that have it, in links, in files, in variations."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from gan_hub.demo import image_files, models
from gan_hub.demo.inputs import BadInputError
from gan_hub.demo.tabs.sample import handlers as sample

NOISY = "stylegan2-avatars-32"


def png(item: dict) -> Image.Image:
    return Image.open(io.BytesIO(image_files.png_bytes(item["src"])))


@pytest.mark.parametrize(("noise", "said"), [("random", "each its own noise"), ("none", "without noise")])
def test_pictures_have_the_chosen_noise_and_files_links_and_the_sentence_say_which(noise, said):
    items, link, _, status = sample.sample(NOISY, "3, 14", "own", 0.5, "", noise)
    expected = models.load(NOISY)(seeds=[3, 14], truncation=0.5, noise=noise).images
    for item, image in zip(items, expected):
        assert (np.asarray(png(item)) == np.asarray(image)).all() and png(item).text["noise"] == noise
    assert link.endswith(f"&truncation=0.5&noise={noise}") and status.endswith(f" · {said}")


def test_the_networks_own_noise_is_what_pictures_had_and_is_written_nowhere():
    own, before = sample.sample(NOISY, "3", "own", 1.0, "", "const"), sample.sample(NOISY, "3", "own", 1.0)
    assert own == before and "noise" not in own[1] and "noise" not in png(own[0][0]).text


def test_a_variation_keeps_the_noise_of_the_form():
    event = SimpleNamespace(_data={"seed": 3, "label": None})
    for noise in ("const", "none"):
        (item, *_) = sample.vary(NOISY, 1.0, "", noise, event)[0]["items"]
        assert png(item).text.get("noise") == (None if noise == "const" else noise)


def test_the_choice_is_there_for_models_with_noise_alone_and_a_link_fills_it_in(offered):
    *_, noise = sample.fill(NOISY, {"noise": "none"})
    update = sample.draw(NOISY, "0", "own", 1.0, "", "", noise)[2]
    assert (update["value"], update["visible"]) == ("none", True)
    without = sample.draw(offered, "0", "own", 1.0, "", "", noise)
    assert (without[2]["value"], without[2]["visible"]) == ("const", False) and "noise" not in without[5]
    assert sample.fill(offered, {})[-1] == "const"


def test_noise_that_a_model_does_not_have_is_refused_in_a_sentence(offered):
    for ask in (
        lambda: sample.sample(offered, "0", "own", 1.0, "", "random"),
        lambda: sample.fill(offered, {"noise": "none"}),
    ):
        with pytest.raises(BadInputError, match="This model has no noise of its pixels") as refused:
            ask()
        assert refused.value.element == "sample-noise"
    for noise in ("fresh", 1, True, ["none"]):
        with pytest.raises(BadInputError, match="Noise"):
            sample.sample(NOISY, "0", "own", 1.0, "", noise)

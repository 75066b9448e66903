"""The tab "Style": what can be chosen, painting as a stream, links, and what is refused."""

import numpy as np
import pytest

from gan_hub.demo import long_jobs, models, navigation
from gan_hub.demo.image_files import data_uri
from gan_hub.demo.inputs import BadInputError
from gan_hub.demo.tabs import style as tab
from gan_hub.demo.tabs.style import handlers
from gan_hub.demo.tabs.style.patterns import PATTERNS, pattern
from tests.demo.test_paint import pictures
from tests.demo.test_tabs import request
from tests.demo.test_yours import noise

EMPTY = {"picture": ""}


@pytest.fixture
def quick(monkeypatch):
    """Six steps of small pictures."""
    monkeypatch.setattr(handlers, "SIDE", 48)
    monkeypatch.setattr(handlers, "STEPS", 6)


def test_every_pattern_is_a_picture_of_its_own_and_always_the_same():
    drawn = [np.asarray(pattern(name, 64)) for name in PATTERNS]
    assert {image.shape for image in drawn} == {(64, 64, 3)} and all(image.std() > 20 for image in drawn)
    assert all(np.array_equal(PATTERNS[name](64), image) for name, image in zip(PATTERNS, drawn))
    assert min(np.abs(a.astype(int) - b).mean() for i, a in enumerate(drawn) for b in drawn[:i]) > 20


def test_painting_streams_a_picture_that_has_ever_more_of_the_style(quick, monkeypatch):
    monkeypatch.setattr(long_jobs, "SLICE_SECONDS", 1e-9)  # each step is shown, however fast it is
    answers = list(handlers.transfer("0", "1", "much", EMPTY, EMPTY))
    assert [sentence[:9] for _, _, sentence in answers] == ["Step 3 of", "Done, in "]
    first, last = (pictures(html) for html, _, _ in answers)
    assert first[0].size == (48, 48) and len(first) == 1 and len(last) == 2  # the finished one is there to be saved
    assert last[0].tobytes() == last[1].tobytes() != handlers.content_picture(0).tobytes()
    assert answers[-1][1] == "?tab=style&content=0&style=1&weight=much"
    styles = [losses.style for *_, losses in handlers.steps_of(handlers.content_picture(0), pattern("mosaic", 48), 100)]
    assert styles[-1] < styles[0]


def test_ones_own_pictures_are_taken_and_are_in_no_link(quick):
    mine, yours = {"picture": data_uri(noise(48, 48))}, {"picture": data_uri(pattern("stripes", 48))}
    *_, (html, link, _) = handlers.transfer("own", "own", "little", mine, yours)
    assert pictures(html)[0].size == (48, 48) and link == "?tab=style&weight=little"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        *(
            ({"content": value}, "Choose a content and a style")
            for value in ("9", "-1", "", None, 0, "٣", "1" * 5000, [])
        ),
        *(({"style": value}, "Choose a content and a style") for value in ("4", "x", True)),
        ({"weight": "huge"}, "How much style is one of little, some, much"),
        ({"content": "own"}, "Choose a picture first"),
        ({"style": "own"}, "Choose a picture first"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_offered_is_refused(changes, says):
    values = {"content": "0", "style": "0", "weight": "some", **changes}
    with pytest.raises(BadInputError, match=says):
        next(handlers.transfer(**values, own_content_picture=EMPTY, own_style_picture=EMPTY))


def test_a_choice_is_pressed_and_a_link_brings_it_back():
    contents, styles, own, _, figure, link, sentence = handlers.draw("1", "2", "some", request("pt-BR"))
    assert [tile["pressed"] for tile in contents] == [False, True, False, False]
    assert [tile["alt"] for tile in styles] == ["ondas", "pinceladas", "mosaico", "nanquim"]
    assert pictures(figure)[0].tobytes() == handlers.content_picture(1).tobytes()
    assert styles[2]["pressed"] and (own["width"], own["picture"]) == (handlers.SIDE, "") and "Pintar" in sentence
    assert navigation.read(link)[-1] == "" and {"1", "2", "some"} <= {
        each for each in navigation.read(link) if isinstance(each, str)
    }
    assert "Choose a content" in navigation.read("?tab=style&content=77")[-1]
    chosen, grid, _ = handlers.own_style()
    assert chosen == "own" and not any(tile["pressed"] for tile in grid)


def test_without_the_usual_models_the_pages_first_one_gives_the_contents(offered_rgb, monkeypatch):
    only = {offered_rgb: models.offered_models()[offered_rgb]}
    monkeypatch.setattr(models, "offered_models", lambda: only)
    assert handlers.content_sources() == [(offered_rgb, seed) for seed in handlers.FALLBACK_SEEDS]
    assert handlers.content_picture(0).size == (handlers.SIDE, handlers.SIDE)
    assert not tab.TAB.follows_model

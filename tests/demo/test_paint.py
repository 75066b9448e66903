"""The tab "Paint": maps as text, the picture of a painted map, links, and what is refused."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from gan_hub.demo import models, navigation
from gan_hub.demo.inputs import BadInputError
from gan_hub.demo.tabs import paint as tab
from gan_hub.demo.tabs.paint import handlers, palette
from gan_hub.demo.tabs.paint.calls import paint_call
from gan_hub.demo.tabs.paint.maps import read_map, write_map
from gan_hub.model_folder.files import FILES_BY_NAME, REFERENCE_NAME, SEGMENTATIONS_NAME
from gan_hub.model_folder.manifest import Manifest
from tests.demo.test_tabs import request
from tests.test_pipeline_segmentation import CLASSES, SIZE, make_pipeline

HOUSE = "0~8.0x5_1x14_0~4.0x5_1x4_2x3_1x7_3"  # 13 lines of 24 pixels


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two models that draw from maps: one with example maps, and one without."""
    folder = tmp_path_factory.mktemp("paint")
    make_pipeline(semantic_names=["window", "${1}", "<b>", "7"]).save_pretrained(folder / "with-maps")
    make_pipeline().save_pretrained(folder / "without-maps")
    for name in (SEGMENTATIONS_NAME, REFERENCE_NAME):
        (folder / "without-maps" / name).unlink()
    names = [path.relative_to(folder / "without-maps").as_posix() for path in (folder / "without-maps").rglob("*.*")]
    Manifest.write(folder / "without-maps", [name for name in names if FILES_BY_NAME[name].may_be_listed])
    return folder


@pytest.fixture
def model(folders, monkeypatch) -> str:
    monkeypatch.setenv(models.MODEL_VARIABLE, str(folders / "with-maps"))
    return "with-maps"


@pytest.fixture
def bare(folders, monkeypatch) -> str:
    monkeypatch.setenv(models.MODEL_VARIABLE, str(folders / "without-maps"))
    return "without-maps"


def pictures(html: str) -> list[Image.Image]:
    """The pictures in data URIs of some HTML, in their order."""
    found = re.findall(r'"data:image/png;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(each))) for each in found]


# --------------------------------------------------------------------------------------------- maps as text


def test_a_map_is_read_as_it_was_written():
    rng = np.random.default_rng(0)
    for cells in (
        rng.integers(0, CLASSES, SIZE),
        np.zeros(SIZE, int),
        rng.integers(0, 2, SIZE).cumsum(0) // 5 % CLASSES,
    ):
        assert (read_map(write_map(cells.astype(np.uint8)), SIZE, CLASSES) == cells).all()


def test_equal_lines_and_the_rest_of_a_line_are_written_once():
    cells = np.zeros((4, 6), np.uint8)
    cells[1:3, 1:3] = 1
    assert write_map(cells) == "0.0x1_1x2_0~2.0"


@pytest.mark.parametrize(
    "text",
    [
        *(None, 1, {}, [], "", "x", ".", "0", "0~15", "0~17", "0~0", "4~16", "-1~16", "0x24_1~16", "0x0_1~99"),
        *("0~16.", "0 ~16", "0~16\n", "٣~16", "0x9999_0~16", "9" * 100_000, "0~1." * 20_000),
    ],
    ids=lambda text: str(text)[:12],
)
def test_a_text_that_is_no_map_of_the_model_is_refused_in_one_sentence(text):
    with pytest.raises(BadInputError, match=r"16 lines of 24 pixels of the classes 0 to 3"):
        read_map(text, SIZE, CLASSES)


# ------------------------------------------------------------------------------------------------- drawing


def test_a_painted_map_is_drawn_as_the_pipeline_draws_it(model):
    text = "0~8.0x5_1x14_2~8"
    picture, link, sentence = handlers.paint(model, {"map": text}, "7")
    expected = models.load(model)(seeds=[7], segmentation=read_map(text, SIZE, CLASSES)).images[0]
    shown, saved, painted = pictures(picture)
    assert shown.tobytes() == saved.tobytes() == expected.tobytes()
    assert saved.text == {"model": model, "seed": "7", "map": text}
    assert link == f"?tab=paint&model={model}&seed=7&map={text}" and "the link holds it" in sentence
    again = models.load(model)(seeds=[7], segmentation=painted).images[0]  # the saved map is one that the library takes
    assert painted.mode == "P" and again.tobytes() == expected.tobytes()


def test_a_link_brings_the_map_back(model):
    _, link, _ = handlers.paint(model, {"map": "0~8.0x5_1x14_2~8"}, "7")
    place, *values = navigation.read(link)
    assert '"tab": "paint"' in place and "7" in values and {"map": "0~8.0x5_1x14_2~8"} in values and values[-1] == ""
    values = navigation.read(f"?tab=paint&model={model}&map=0~3")
    assert "16 lines" in values[-1] and {"map": ""} in values


def test_the_map_of_a_seed_needs_no_map_in_the_link(model):
    canvas, picture, link, sentence = handlers.from_seed(model, "3")
    own = models.load(model)(seeds=[3])
    assert read_map(canvas["map"], SIZE, CLASSES).tolist() == own.segmentations[0].tolist()
    assert pictures(picture)[0].tobytes() == own.images[0].tobytes()
    assert link == f"?tab=paint&model={model}&seed=3" and sentence == "Seed 3, with its own map."
    assert handlers.fill(model, {"seed": "3"}) == ["3", {"map": ""}]
    assert handlers.draw(model, "3", {"map": ""})[0] == canvas


def test_a_map_that_is_too_long_for_a_link_is_drawn_and_said_to_be_missing_there(model, monkeypatch):
    monkeypatch.setattr(handlers, "MAX_MAP_IN_LINK", 5)
    _, link, sentence = handlers.paint(model, {"map": "0~8.1~8"}, "7")
    assert link == f"?tab=paint&model={model}&seed=7" and "too detailed for a link" in sentence


def test_a_new_seed_keeps_the_map(model):
    seed, _, link, _ = handlers.reroll(model, {"map": "0~8.1~8"})
    assert link.endswith(f"&seed={seed}&map=0~8.1~8")


def test_a_model_without_maps_of_its_own_begins_with_an_empty_one(bare):
    canvas, _, _, link, _ = handlers.draw(bare, "1", {"map": ""})
    assert canvas["map"] == "0~16" and link.endswith("&map=0~16")
    assert handlers.from_seed(bare, "2", request("pt-BR"))[-1].startswith("Este modelo veio sem mapas próprios")


def test_opening_keeps_a_map_that_fits_the_model_and_drops_another(model):
    assert handlers.draw(model, "1", {"map": "0~8.1~8"})[0]["map"] == "0~8.1~8"
    own = write_map(models.load(model)(seeds=[1]).segmentations[0].numpy())
    assert handlers.draw(model, "1", {"map": "0~64"})[0]["map"] == own


@pytest.mark.parametrize("painted", [None, "0~16", [], {}, {"map": None}, {"map": "0~64"}])
def test_a_canvas_without_a_map_of_the_model_is_refused(model, painted):
    with pytest.raises(BadInputError, match="16 lines"):
        handlers.paint(model, painted, "1")


def test_a_wrong_seed_is_said_beside_its_box(model):
    with pytest.raises(BadInputError) as caught:
        handlers.paint(model, {"map": "0~16"}, "x")
    assert caught.value.element == "paint-seed"


def test_a_model_that_draws_from_numbers_alone_cannot_be_painted_for(offered):
    assert not tab.TAB.ability(models.load(offered))
    with pytest.raises(BadInputError, match="nothing to paint"):
        handlers.paint(offered, {"map": "0~16"}, "1")


# ------------------------------------------------------------------------------------------------ the palette


def test_classes_are_named_in_the_visitors_language_and_unknown_names_stay(model):
    classes = handlers.draw(model, "1", {"map": ""}, request("pt-BR"))[0]["classes"]
    assert [each["title"] for each in classes] == ["janela", "${1}", "<b>", "classe 7"]
    assert len({tuple(each["color"]) for each in classes}) == CLASSES


def test_the_facades_have_the_names_of_their_data_set_in_place_of_numbers():
    pipe = models.load("spade-facades")
    names = palette.class_names("spade-facades", pipe)
    assert names == list(palette.FACADE) and len(set(palette.colors(names))) == 12
    assert palette.titles(names, None)[:4] == ["sky", "wall", "window", "door"]
    assert palette.class_names("another", pipe) == [str(number) for number in range(12)]


def test_the_call_by_name_draws_a_map_and_the_seeds_own(model):
    drawn = paint_call(model, "0~8.1~8", "7")
    assert drawn["map"] == "0~8.1~8" and Image.open(drawn["image"]["path"]).text["map"] == "0~8.1~8"
    own = paint_call(model, seed="3")
    assert Image.open(own["image"]["path"]).tobytes() == models.load(model)(seeds=[3]).images[0].tobytes()

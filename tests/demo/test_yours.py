"""The tab "Your image": what is taken for a picture, the search as a stream, and what was found, moved."""

import base64
import io
import itertools

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from gan_hub.demo import long_jobs, models, navigation
from gan_hub.demo.image_files import data_uri
from gan_hub.demo.inputs import BadInputError
from gan_hub.demo.own_picture import MAX_CHARACTERS, MAX_SIDE, read_picture, widget
from gan_hub.demo.tabs import yours as tab
from gan_hub.demo.tabs.yours import handlers
from gan_hub.demo.tabs.yours.calls import invert_call
from tests.demo.test_paint import pictures
from tests.demo.test_tabs import request
from tests.test_pipeline_segmentation import make_pipeline


def noise(*size: int, mode: str = "RGB") -> Image.Image:
    channels = len(mode)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], channels), np.uint8)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode)


def uri(image: Image.Image, kind: str = "PNG", **options) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


@pytest.fixture
def quick(monkeypatch):
    """Searches of a few steps."""
    monkeypatch.setattr(handlers, "STEPS", 40)


# ------------------------------------------------------------------------------------------- what is a picture


def test_a_picture_arrives_as_its_pixels_and_nothing_else():
    image, info = noise(30, 20), PngImagePlugin.PngInfo()
    info.add_text("author", "somebody")
    exif = Image.Exif()
    exif[274] = 6  # "turn me": the browser has done that already
    got = read_picture({"picture": uri(image, pnginfo=info, exif=exif)})
    assert got.mode == "RGB" and got.tobytes() == image.tobytes() and got.info == {} and not got.getexif()
    assert read_picture({"picture": uri(image, "JPEG", quality=100)}).size == (30, 20)
    assert read_picture({"picture": uri(noise(8, 8, mode="L"))}).mode == "RGB"
    assert read_picture({"picture": uri(noise(MAX_SIDE, 1))}).size == (MAX_SIDE, 1)


def bomb() -> str:
    """A PNG of a few bytes that says it has four thousand million pixels."""
    good = io.BytesIO()
    Image.new("1", (8, 8)).save(good, "PNG")
    content = bytearray(good.getvalue())
    content[16:24] = (65_535).to_bytes(4, "big") * 2
    return "data:image/png;base64," + base64.b64encode(bytes(content)).decode()


@pytest.mark.parametrize(
    "picture",
    [
        *(1, True, ["x"], {}, "x", "/etc/passwd", "http://127.0.0.1/a.png", "data:image/png;base64,"),
        *("data:image/png;base64,!!!!", "data:image/svg+xml;base64,PHN2Zy8+", "data:image/png;base64,é"),
        *(uri(noise(MAX_SIDE + 1, 4)), uri(noise(8, 8), "GIF"), uri(noise(8, 8)).replace("png", "jpeg"), bomb()),
        *(uri(noise(64, 64))[:2000], "data:image/png;base64," + "A" * MAX_CHARACTERS),
    ],
    ids=lambda picture: str(picture)[:30],
)
def test_anything_else_is_refused_in_one_sentence(picture):
    with pytest.raises(BadInputError, match=r"PNG or JPEG in a data URI|Choose a picture first"):
        read_picture({"picture": picture})


@pytest.mark.parametrize("chosen", [None, {}, {"picture": ""}, {"picture": None}, [], "x"])
def test_without_a_picture_the_visitor_is_asked_for_one(chosen):
    with pytest.raises(BadInputError, match="Choose a picture first"):
        read_picture(chosen)


def test_the_browser_sends_the_models_size_and_never_more_than_a_small_picture():
    assert {key: widget((32, 48), None)[key] for key in ("picture", "width", "height")} == dict(
        picture="", width=48, height=32
    )
    big = widget((512, 1024), request("pt-BR"))
    assert (big["width"], big["height"]) == (MAX_SIDE, MAX_SIDE // 2) and "recorte" in big["words"]["move"]


# ------------------------------------------------------------------------------------------------- the search


def test_a_search_streams_ever_nearer_pictures_and_ends_with_words(offered_rgb, quick, monkeypatch):
    monkeypatch.setattr(long_jobs, "SLICE_SECONDS", 1e-9)  # each step is shown, however fast it is
    answers = list(handlers.find_seed(offered_rgb, "1003"))
    point, pair, link, sentence = answers[-1]
    target, image = pictures(pair)
    pipe = models.load(offered_rgb)
    assert len(answers) == 9 and "Step 0 of 40" in answers[0][-1]
    assert target.tobytes() == pipe(seeds=[1003]).images[0].tobytes()
    assert image.tobytes() == pipe(latents=point.latents).images[0].tobytes()
    assert sentence.startswith(("Found: off by ", "As near as it comes: off by "))
    assert link == f"?tab=yours&model={offered_rgb}&seed=1003"


def test_a_visitors_picture_is_cropped_looked_for_and_in_no_link(offered_rgb, quick, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    chosen = {"picture": data_uri(noise(40, 20))}
    _, pair, link, _ = next(handlers.find(offered_rgb, chosen))
    assert pictures(pair)[0].size == (32, 32) and link == f"?tab=yours&model={offered_rgb}"
    assert not list(tmp_path.rglob("*.*"))  # nothing is kept
    (*_, sentence) = list(handlers.find(offered_rgb, chosen, request("pt-BR")))[-1]
    assert sentence.startswith("O mais perto possível: diferença média de ") and "," in sentence


def test_a_search_may_be_given_up(offered_rgb):
    running = handlers.find_seed(offered_rgb, "1003")
    assert len(list(itertools.islice(running, 2))) == 2
    running.close()


def test_what_is_wrong_is_said_beside_its_field(offered_rgb):
    for call, element in (
        (lambda: next(handlers.find(offered_rgb, {})), "yours-picture"),
        (lambda: next(handlers.find_seed(offered_rgb, "x")), "yours-seed"),
    ):
        with pytest.raises(BadInputError) as caught:
            call()
        assert caught.value.element == element


def test_a_model_that_draws_from_maps_has_no_such_tab(tmp_path, monkeypatch):
    make_pipeline().save_pretrained(tmp_path / "from-maps")
    monkeypatch.setenv(models.MODEL_VARIABLE, str(tmp_path / "from-maps"))
    assert not tab.TAB.ability(models.load("from-maps"))
    with pytest.raises(BadInputError, match="draws from maps"):
        next(handlers.find_seed("from-maps", "1"))


# ----------------------------------------------------------------------------------------- what was found, moved


def test_what_was_found_is_moved_along_a_concept_and_to_another_seed(offered, quick):
    *_, (point, *_) = handlers.find_seed(offered, "1003")
    pipe = models.load(offered)
    found, sentence = handlers.change(point, "none", 0, "7", 0)
    assert (
        sentence == ""
        and pictures(found)[1].tobytes() == pipe(latents=point.latents, labels=point.label).images[0].tobytes()
    )
    thick, sentence = handlers.change(point, "thick", -1, "7", 0)
    moved = pipe(latents=point.latents, labels=point.label, concepts={"thick": -1}).images[0]
    assert pictures(thick)[1].tobytes() == moved.tobytes() and sentence == "thick −1"
    there, sentence = handlers.change(point, "none", 0, "7", 1)
    assert pictures(there)[1].tobytes() == pipe(seeds=[7], labels=point.label).images[0].tobytes()
    assert sentence == "100 % of the way to seed 7"


@pytest.mark.parametrize(
    "changes", [{"concept": "x"}, {"strength": 3}, {"strength": None}, {"goal": "x"}, {"share": 1.1}, {"share": "1"}]
)
def test_a_wrong_change_is_refused(offered, quick, changes):
    point = next(handlers.find_seed(offered, "1003"))[0]
    with pytest.raises(BadInputError):
        handlers.change(**{"point": point, "concept": "none", "strength": 0, "goal": "7", "share": 0.5, **changes})


@pytest.mark.parametrize("point", [None, {}, "x"])
def test_before_anything_is_found_there_is_nothing_to_change(point):
    with pytest.raises(BadInputError, match="Find a picture first"):
        handlers.change(point, "none", 0, "7", 0.5)


# ------------------------------------------------------------------------------------------------- the page


def test_opening_shows_a_picture_to_be_looked_for_and_the_models_concepts(offered, offered_rgb, monkeypatch, playable):
    chosen, concept, strength, point, figure, link, _ = handlers.draw(offered_rgb, "3")
    assert (chosen["width"], concept["visible"], strength["visible"], point) == (32, False, False, None)
    assert len(pictures(figure)) == 1 and link.endswith("&seed=3")
    monkeypatch.setenv(models.MODEL_VARIABLE, str(playable))
    assert [value for _, value in handlers.draw(offered, "3")[1]["choices"]] == ["none", "thick", "leaning over"]
    assert "3" in navigation.read(f"?tab=yours&model={offered}&seed=3")


def test_the_call_by_name_finds_a_picture(offered, quick):
    drawn = models.load(offered)(seeds=[1003]).images[0]
    answer = invert_call(offered, data_uri(drawn))
    assert len(answer["latents"]) == 8 and answer["space"] == "z" and answer["label"] in models.class_names(offered)
    assert Image.open(answer["image"]["path"]).size == (28, 28) and answer["levels"] < 20

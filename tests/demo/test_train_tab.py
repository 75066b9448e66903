"""The tab "Train one": a network is born before its visitor, played with, taken home, and nobody else's."""

import base64
import io
import json
import re
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from gan_hub.demo.inputs import BadInputError
from gan_hub.demo.session_store import SessionStore
from gan_hub.demo.tabs.train import handlers, newborn
from gan_hub.demo.tabs.train.calls import train_call
from gan_hub.demo.tabs.train.handlers import HEALTHY, LINK_KEYS, draw, fill, reset, train
from gan_hub.demo.texts import TEXTS
from gan_hub.pipeline import GANPipeline
from gan_hub.toy import faces as face_sets
from gan_hub.toy.digits import digits
from tests.demo.conftest import Visitor

FORM = ("faces", 16, *HEALTHY)


def visitor(name: str):
    return SimpleNamespace(session_hash=name, query_params={}, headers={}, request=None)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Few faces and steps, and a store of this test's own."""
    store = SessionStore(most=2)
    monkeypatch.setattr(handlers, "NEWBORNS", store)
    monkeypatch.setattr(newborn, "NEWBORNS", store)
    monkeypatch.setattr(handlers, "STEPS", {16: 3, 32: 2})
    monkeypatch.setattr(newborn, "UNSEEN", 8)
    monkeypatch.setattr(face_sets.faces, "__defaults__", (64, 0), raising=False)
    small = {side: face_sets.faces(side, 64) for side in face_sets.SIDES}
    monkeypatch.setattr(face_sets, "faces", lambda side, count=64, seed=0: small[side])
    monkeypatch.setattr(newborn, "faces", lambda side, count, seed: small[side])


@pytest.fixture
def trained():
    """A visitor who has trained a network for three steps."""
    me = visitor("me")
    list(train(*FORM, request=me))
    return me


def images(markup: str) -> list[Image.Image]:
    found = re.findall(r"data:image/\w+;base64,([A-Za-z0-9+/=]+)", markup)
    return [Image.open(io.BytesIO(base64.b64decode(content))) for content in found]


def test_training_streams_and_goes_on_where_it_was(monkeypatch):
    monkeypatch.setattr(handlers, "SLICE_SECONDS", 1e-6)
    me = visitor("me")
    views = list(train(*FORM, request=me))
    assert len(views) == 2 + 3 and views[-1][-1] == TEXTS["en"]["train_done"]
    assert [view[1]["steps"] for view in views] == [0, 1, 2, 3, 3]
    assert images(views[-1][0])[0].size == (8 * 16, 3 * 16)
    list(train(*FORM, request=me))
    assert handlers.NEWBORNS.get(me).game.step_count == 6
    assert reset(*FORM, request=me)[1]["steps"] == 0


def test_every_button_is_answered_through_the_queue(server):
    me = Visitor(server)
    wrong = [
        me.call(server.fn_clicked(f"born-{button}"))[2] for button in ("faces", "walk", "play", "enter", "pack", "left")
    ]
    assert all(TEXTS["en"]["train_first"] in sent for sent in wrong)
    success, output, sent = me.call(server.fn_clicked("train-start"), *FORM)
    assert (
        success
        and "data-wrong" not in sent
        and TEXTS["en"]["train_done"] in json.dumps(output["data"], ensure_ascii=False)
    )
    for button in ("faces", "walk", "play", "enter", "pack", "left"):
        success, output, sent = me.call(server.fn_clicked(f"born-{button}"))
        assert success and "data-wrong" not in sent, button
    assert me.call(server.fn_clicked("train-reset"), *FORM)[0]


def test_a_seed_decides_what_is_born_for_every_visitor():
    last = [list(train(*FORM, request=visitor(name)))[-1] for name in "ab"]
    assert last[0][:2] == last[1][:2]
    assert list(train(*FORM[:-1], 1, request=visitor("b")))[-1][0] != last[0][0]


def test_both_sizes_can_be_trained_and_a_change_acts_at_once(trained):
    draw(*FORM[:6], 0.25, *FORM[7:], request=trained)
    game = handlers.NEWBORNS.get(trained).game
    assert game.settings.instance_noise == 0.25 and game.step_count == 3
    list(train("faces", 32, *HEALTHY, request=trained))
    assert handlers.NEWBORNS.get(trained).side == 32


def test_what_was_born_draws_walks_and_is_played_against(trained):
    sheet, sentence = newborn.new_faces(trained)
    assert images(sheet)[0].size == (128, 48) and re.fullmatch(r"Seeds \d+ to \d+", sentence)
    film, _ = newborn.walk(trained)
    assert images(film)[0].n_frames == newborn.FRAMES
    for number in range(newborn.ROUNDS):
        pair, left, _, question = newborn.next_pair(trained)
        assert f"Round {number + 1} of 10" in question and left["interactive"]
        contents = re.findall(r"base64,([A-Za-z0-9+/=]+)", pair)
        assert len(contents) == 2 and len(contents[0]) == len(contents[1])  # only pixels tell them apart
        *_, verdict = newborn.pick(handlers.NEWBORNS.get(trained).real_is_left, trained)
        assert verdict.startswith(f"Correct. {number + 1} of {number + 1};")
    assert "fooled you 0 times in 10" in verdict
    with pytest.raises(BadInputError, match="judged already"):
        newborn.pick(True, trained)
    assert "Round 1 of 10" in newborn.next_pair(trained)[-1]
    *_, verdict = newborn.pick(not handlers.NEWBORNS.get(trained).real_is_left, trained)
    assert verdict.startswith("Wrong") and "0 of 1" in verdict


def test_what_is_taken_home_loads_and_draws_the_same_faces(trained, tmp_path):
    link, _ = newborn.pack(trained)
    assert 'download="my-first-gan.zip"' in link
    content = base64.b64decode(re.search(r"application/zip;base64,([^\"]+)", link)[1])
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        file.extractall(tmp_path)
    pipe = GANPipeline.from_pretrained(tmp_path / "my-first-gan")
    drawn = pipe(seeds=[5, 6], output_type="pt").images
    assert torch.allclose(drawn, handlers.NEWBORNS.get(trained).draw([5, 6]), atol=1e-6)
    assert len(pipe.discriminate(drawn)) == 2
    card = (tmp_path / "my-first-gan" / "README.md").read_text()
    assert "3 steps of 64 images" in card and "{" not in card
    assert handlers.NEWBORNS.get(trained).game.generator.training  # and it can be trained on
    list(train(*FORM, request=trained))


def test_without_a_network_and_with_anothers_there_is_a_sentence(trained):
    for action in (newborn.new_faces, newborn.walk, newborn.pack, newborn.next_pair):
        with pytest.raises(BadInputError, match="There is no network yet"):
            action(visitor("you"))
    draw(*FORM, request=visitor("you"))
    with pytest.raises(BadInputError, match="There is no network yet"):
        newborn.pick(True, visitor("you"))


def test_few_networks_are_kept(trained):
    for name in "ab":
        list(train(*FORM, request=visitor(name)))
    assert len(handlers.NEWBORNS) == 2
    with pytest.raises(BadInputError, match="There is no network yet"):
        newborn.walk(trained)


def test_a_link_gives_the_form_back_and_wrong_values_are_named():
    form = ("digits", 16, "relativistic", 2, "0.0005", "0.002", 0.1, 0.5, False, 9)
    link = draw(*form, request=visitor("me"))[3]
    values = dict(pair.split("=") for pair in link[1:].split("&"))
    assert values.pop("tab") == "train" and fill("any", values) == list(form) and set(values) == set(LINK_KEYS)
    with pytest.raises(BadInputError, match="Pictures of is one of 16, 32"):
        fill("any", {"side": "64"})
    with pytest.raises(BadInputError, match="They learn is one of faces, digits"):
        fill("any", {"subject": "cats"})
    with pytest.raises(BadInputError, match="R1 is a number from 0 to 1"):
        fill("any", {"r1": "2"})


def test_digits_are_learnt_like_faces_played_against_and_taken_home(tmp_path):
    me = visitor("me")
    sheet = list(train("digits", *FORM[1:], request=me))[-1][0]
    born = handlers.NEWBORNS.get(me)
    assert born.game.step_count == 3 and born.draw([5]).shape == (1, 1, 16, 16)
    assert images(sheet)[0].mode == "L" and images(newborn.new_faces(me)[0])[0].size == (128, 48)
    pair = newborn.next_pair(me)[0]
    first, second = images(pair)
    assert (first.mode, first.size) == (second.mode, second.size) == ("L", (16, 16))
    real = first if born.real_is_left else second
    assert np.asarray(real).tobytes() in {each.tobytes() for each in digits(16, 8, seed=1)}
    newborn.save(born, tmp_path / "mine")
    assert GANPipeline.from_pretrained(tmp_path / "mine")(seeds=[5]).images[0].mode == "L"
    card = (tmp_path / "mine" / "README.md").read_text()
    assert "A DCGAN of handwritten digits" in card and "CC BY-SA 3.0" in card and "cartoon" not in card
    # Another subject is another network.
    list(train(*FORM, request=me))
    assert handlers.NEWBORNS.get(me).subject == "faces"


# ----------------------------------------------------------------------------------------------------- for programs


def test_a_program_trains_a_network_and_takes_it_home(tmp_path):
    made = train_call(side="16", seed=2, steps=3)
    assert made["steps"] == 3 and made["alarms"] == [] and "side=16" in made["link"]
    with Image.open(made["faces"]["path"]) as sheet:
        faces = np.asarray(sheet)
    assert faces.shape == (3 * 16, 8 * 16, 3)
    with zipfile.ZipFile(made["model"]["path"]) as packed:
        packed.extractall(tmp_path)
    first = GANPipeline.from_pretrained(tmp_path / newborn.MODEL_NAME)(seeds=[0]).images[0]
    assert (np.asarray(first) == faces[:16, :16]).all()
    for wrong in ({"side": "64"}, {"steps": 4}, {"loss": "x"}, {"subject": "cats"}):
        with pytest.raises(BadInputError):
            train_call(**wrong)

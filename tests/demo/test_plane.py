"""The tab "Two dimensions": what a visitor starts, changes, pauses and links to, and the presets that do what they say."""

import base64
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gan_hub.demo import long_jobs
from gan_hub.demo.inputs import BadInputError
from gan_hub.demo.session_store import SessionStore
from gan_hub.demo.tabs.plane import handlers
from gan_hub.demo.tabs.plane.calls import plane_call
from gan_hub.demo.tabs.plane.handlers import FIRST, LINK_KEYS, PRESETS, draw, fill, play, preset, reset, step
from gan_hub.demo.texts import TEXTS
from gan_hub.demo.watched_game import MAX_CURVE, Curve
from gan_hub.toy.datasets import DATASETS
from tests.demo.conftest import Visitor


def visitor(name: str, language: str = "en"):
    return SimpleNamespace(session_hash=name, query_params={"lang": language}, headers={}, request=None)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Few steps, and a store of this test's own."""
    monkeypatch.setattr(handlers, "GAMES", SessionStore(most=3))
    monkeypatch.setattr(handlers, "RUN_STEPS", 4)
    monkeypatch.setattr(handlers.play, "__kwdefaults__", {"request": None, "steps": 4})


def changed(**values):
    """The first form with other values."""
    return tuple(values.get(key, value) for key, value in zip(LINK_KEYS, FIRST, strict=True))


def steps(request) -> int:
    return handlers.GAMES.get(request).watched.game.step_count


def test_a_run_streams_and_goes_on_where_it_was(monkeypatch):
    monkeypatch.setattr(handlers, "SLICE_SECONDS", 1e-6)
    me = visitor("me")
    views = list(play(*FIRST, request=me))
    assert len(views) >= 4 and steps(me) == 4
    assert [view[2]["steps"] for view in views][-1] == 4 and len(views[-1][2]["curves"]["generator"]) == 4
    list(step(*FIRST, request=me))
    list(play(*FIRST, request=me))
    assert steps(me) == 9
    assert reset(*FIRST, request=me)[2] == {"curves": {"discriminator": [], "generator": []}, "steps": 0}


@pytest.mark.parametrize("name", ["plane", "train"])
def test_the_page_draws_the_tab_when_it_is_opened(name, server):
    visitor = Visitor(server)
    number = next(
        number for number, event in server.page.fns.items() if any(each[1] == f"draw_{name}" for each in event.targets)
    )
    inputs = [block.value for block in server.page.fns[number].inputs]
    success, output, _ = visitor.call(number, *inputs)
    assert success and output["data"][2]["visible"] is True
    assert visitor.session in handlers.GAMES._kept or name == "train"  # and not for everybody
    assert f"tab={name}&" in json.dumps(output["data"])


@pytest.mark.parametrize("button", ["run", "step", "reset", "collapse", "imbalance", "cure"])
def test_every_button_is_answered_through_the_queue(button, server):
    success, output, sent = Visitor(server).call(server.fn_clicked(f"plane-{button}"), *FIRST)
    assert success and "data-wrong" not in sent
    assert {"run": "4", "step": "1", "reset": "0"}.get(button, "4") + "</b>" in json.dumps(output["data"])


def test_the_same_seed_gives_the_same_game_to_every_visitor():
    last = [list(play(*FIRST, request=visitor(name)))[-1] for name in "ab"]
    assert last[0][:4] == last[1][:4]
    other = list(play(*changed(seed=1), request=visitor("c")))[-1]
    assert other[0] != last[0][0]


def test_what_is_drawn_has_every_pixel_and_points_within_the_square():
    field, best, *_ = draw(*FIRST, request=visitor("me"))
    for each in (field, best):
        assert len(base64.b64decode(each["field"])) == handlers.SIDE**2
    reals = np.frombuffer(base64.b64decode(field["reals"]), "<u2").reshape(-1, 2) / 65535 * 3 - 1.5
    assert reals.shape == (handlers.POINTS, 2)
    assert DATASETS["ring"].judge(torch.tensor(reals).float())[0] == 8
    assert draw(*changed(loss="wgan_gp"), request=visitor("me"))[1]["field"] == ""


def test_a_change_acts_on_the_game_that_goes_on_and_a_new_seed_or_data_begin_anew():
    me = visitor("me")
    list(play(*FIRST, request=me))
    draw(*changed(r1=0.2, k=3, loss="hinge"), request=me)
    settings = handlers.GAMES.get(me).watched.game.settings
    assert (settings.r1_gamma, settings.discriminator_steps, settings.loss) == (0.2, 3, "hinge") and steps(me) == 4
    draw(*changed(seed=5), request=me)
    assert steps(me) == 0
    list(play(*FIRST, request=me))
    draw(*changed(data="moons"), request=me)
    assert steps(me) == 0


def test_what_is_changed_while_a_game_runs_stays_in_its_link(monkeypatch):
    monkeypatch.setattr(handlers, "SLICE_SECONDS", 1e-6)
    me = visitor("me")
    run = play(*FIRST, request=me, steps=5)
    next(run), next(run)
    link = draw(*changed(r1=0.2, averaged=False), request=me)[5]
    assert "r1=0.2" in link and all(view[5] == link for view in run)


def test_a_run_that_its_visitor_ends_says_so_and_keeps_the_game(monkeypatch):
    monkeypatch.setattr(handlers, "SLICE_SECONDS", 1e-6)
    me = visitor("me", "pt")
    run = play(*FIRST, request=me, steps=10_000)
    next(run), next(run)
    long_jobs.STOPS.stop("me")
    last = list(run)[-1]
    assert last[-1] == TEXTS["pt"]["job_stopped"] and 0 < steps(me) < 10_000


def test_a_link_gives_the_form_back():
    form = changed(
        data="grid", loss="wgan_gp", k=5, lg="0.0005", ld="0.01", noise=0.25, r1=0.1, averaged=False, seed=77
    )
    link = draw(*form, request=visitor("me"))[5]
    assert link.startswith("?tab=plane&")
    values = dict(pair.split("=") for pair in link[1:].split("&"))
    assert fill("any", {key: values[key] for key in LINK_KEYS}) == list(form)
    assert fill("any", {}) == list(FIRST)


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ({"data": "ocean"}, "Data is one of ring, grid, spiral, moons"),
        ({"loss": "began"}, "Loss is one of"),
        ({"k": "2.5"}, "k is a whole number from 1 to 5"),
        ({"k": "nan"}, "k is a whole number from 1 to 5"),
        ({"lg": "7"}, "Generator's rate is one of"),
        ({"noise": "-1"}, "Noise is a number from 0 to 0.5"),
        ({"r1": "1e9"}, "R1 is a number from 0 to 0.2"),
        ({"averaged": "yes"}, "Averaged generator is on or off"),
        ({"seed": "-1"}, "Seed is a whole number"),
    ],
)
def test_a_wrong_value_is_named_in_a_sentence(link, sentence):
    with pytest.raises(BadInputError, match=sentence):
        fill("any", link)


def test_a_wrong_seed_is_marked_in_the_form():
    with pytest.raises(BadInputError) as caught:
        draw(*changed(seed=None), request=visitor("me"))
    assert caught.value.element == "plane-seed"


def test_a_cure_goes_on_with_the_game_that_is_ill_and_the_others_begin_anew():
    me = visitor("me")
    ill, *_ = list(preset("collapse", me, *FIRST))
    assert steps(me) == 4 and ill[:7] == PRESETS["collapse"] and ill[-1] == TEXTS["en"]["preset_collapse"]
    cured, *_ = list(preset("cure", me, "ring", *ill[:7], FIRST[-1]))
    assert steps(me) == 8 and cured[:7] == PRESETS["cure"]
    *_, _ = preset("imbalance", me, *FIRST)
    assert steps(me) == 4


def test_few_games_are_kept_and_none_is_anothers():
    for name in "abcd":
        list(step(*FIRST, request=visitor(name)))
    assert len(handlers.GAMES) == 3 and handlers.GAMES.get(visitor("a")) is None
    assert handlers.GAMES.get(visitor("c")) is not handlers.GAMES.get(visitor("d"))


def test_a_long_curve_is_the_means_of_its_steps():
    curve = Curve()
    for number in range(10 * MAX_CURVE):
        curve.append(float(number))
    assert len(curve.means) < MAX_CURVE and curve.steps == 16
    assert curve.means[:2] == [7.5, 23.5]


def judged(request) -> tuple[int, float]:
    """Modes and spread of the generator that the visitor looks at."""
    kept = handlers.GAMES.get(request)
    data, watched = kept.data, kept.watched
    fakes = watched.game.sample(2000)
    with torch.no_grad():
        raw = watched.game.generator(torch.randn(2000, 2, generator=torch.Generator().manual_seed(5)))
    return max(DATASETS[data].judge(fakes)[0], DATASETS[data].judge(raw)[0]), raw.std(0).mean().item()


@pytest.mark.parametrize("ill", ["collapse", "imbalance"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_made_ill_is_ill_and_the_cure_cures_it(ill, seed, monkeypatch):
    me, form = visitor("me"), changed(seed=seed)
    monkeypatch.setattr(handlers.play, "__kwdefaults__", {"request": None, "steps": 600})
    for _ in preset(ill, me, *form):
        pass
    modes, spread = judged(me)
    assert modes <= 1  # of eight
    assert (spread < 0.2) == (ill == "collapse")  # all of it in one place; the data's is 0.71
    gradient = handlers.GAMES.get(me).watched.game.step()["gradient/generator"]
    assert (gradient < 1e-3) == (ill == "imbalance")
    monkeypatch.setattr(handlers.play, "__kwdefaults__", {"request": None, "steps": 1200})
    for _ in preset("cure", me, form[0], *PRESETS[ill], seed):
        pass
    kept = handlers.GAMES.get(me)
    assert DATASETS[kept.data].judge(kept.watched.game.sample(2000))[0] == 8


# ----------------------------------------------------------------------------------------------------- for programs


def test_a_program_plays_a_game_of_its_own_and_gets_its_points(monkeypatch):
    played = plane_call(data="grid", seed=3, steps=4)
    assert played["steps"] == 4 and played["all_modes"] == DATASETS["grid"].modes and 0 <= played["good"] <= 1
    assert np.array(played["points"]).shape == (handlers.POINTS, 2) and "data=grid" in played["link"]
    again = plane_call(data="grid", seed=3, steps=4)
    assert again["points"] == played["points"] and len(handlers.GAMES) == 0
    assert plane_call(data="grid", seed=3, steps=4, averaged=False)["points"] != played["points"]
    for wrong in ({"data": "x"}, {"steps": 5}, {"steps": 0}, {"loss": "x"}, {"seed": -1}):
        with pytest.raises(BadInputError):
            plane_call(**wrong)

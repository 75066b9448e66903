"""The game for programs: a game is its token, and needs no page."""

import pytest
from gradio_client import Client
from PIL import Image

from gan_hub.demo.tabs.game.calls import game_pick_call, game_round_call
from gan_hub.demo.tabs.game.rounds import GAMES


def test_a_program_plays_ten_rounds_by_their_token(offered):
    token, rights = "", 0
    for number in range(1, 11):
        dealt = game_round_call(offered, "real", "easy", game_token=token)
        token = dealt["game"]
        pair = GAMES.find(token).pair
        assert (dealt["round"], dealt["rounds"]) == (number, 10) and dealt["question"].endswith("which one is real?")
        with Image.open(dealt["pair"]["path"]) as picture:
            assert picture.size == (56, 28) and picture.filename.endswith("/pair.png")
        verdict = game_pick_call(token, "left")
        rights += verdict["right"]
        assert verdict["right"] == pair.answer_is_left and verdict["answer"] == (
            "left" if pair.answer_is_left else "right"
        )
        assert verdict["discriminator"] == ("left" if pair.left_probability > 0.5 else "right")
        assert (verdict["score"], verdict["rounds_played"]) == (rights, number)
        assert verdict["sentence"] == f"The {verdict['answer']} picture is the real one."
    with pytest.raises(ValueError, match="All ten rounds are played"):
        game_round_call(offered, game_token=token)


def test_wrong_calls_get_a_sentence(offered):
    token = game_round_call(offered)["game"]
    for call, reason in (
        (lambda: game_round_call(offered, game_token=token), "first"),
        (lambda: game_round_call(offered, game_token="none"), "no round to play"),
        (lambda: game_pick_call("none", "left"), "no round to play"),
        (lambda: game_pick_call(token, "up"), "left, right"),
        (lambda: game_round_call("nobody"), "not offered"),
        (lambda: game_round_call(offered, "odd"), "one of real"),
        (lambda: game_round_call(offered, "real", "odd"), "one of rising, early, easy, normal, hard"),
        (lambda: game_round_call(offered, day="odd"), "A day is written"),
    ):
        with pytest.raises(ValueError, match=reason):
            call()


def test_the_calls_are_described_and_reached_over_the_wire(server, playable):
    client = Client(server.url, verbose=False)
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    parameters = {name: [each["parameter_name"] for each in spec["parameters"]] for name, spec in endpoints.items()}
    assert {name: parameters[name] for name in ("/game_round", "/game_pick", "/training")} == {
        "/training": ["model"],
        "/game_round": ["model", "kind", "difficulty", "day", "game_token"],
        "/game_pick": ["game_token", "side"],
    }
    dealt = client.predict(playable.name, "real", "easy", api_name="/game_round")
    assert dealt["round"] == 1 and "answer" not in str(dealt)
    verdict = client.predict(dealt["game"], "right", api_name="/game_pick")
    assert verdict["answer"] in ("left", "right") and verdict["rounds_played"] == 1

"""Answers of the game are counted where the owner asked for it and the player agreed, and nothing else is."""

import json

import pytest

from gan_hub.demo import answer_log, arguments
from gan_hub.demo.tabs.game import handlers, rounds
from gan_hub.metrics.human_answers import Answer, fooling_rates, read_answers, wilson_interval
from tests.demo.game_play import begun


@pytest.fixture
def counted(tmp_path, monkeypatch):
    """The file in which answers are counted."""
    monkeypatch.setenv(arguments.ANSWERS_VARIABLE, str(tmp_path / "answers.jsonl"))
    yield tmp_path / "answers.jsonl"
    answer_log._place.cache_clear()


def test_an_answer_is_counted_only_with_consent_and_says_nothing_of_the_player(offered, counted):
    for consent in (False, None, "yes", 1):
        handlers.pick_left(begun(offered).token, None, consent)
    assert not counted.exists()
    game = begun(offered, level="hard")
    handlers.pick_left(game.token, None, True)
    played = rounds.GAMES.find(game.token).rounds[0]
    assert json.loads(counted.read_text()) == {
        "model": offered,
        "kind": "real",
        "level": "hard",
        "right": played.is_right,
        "judge_right": played.judge_is_right,
    }


def test_without_the_owners_wish_nothing_is_counted(offered, tmp_path, monkeypatch):
    monkeypatch.delenv(arguments.ANSWERS_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    handlers.pick_left(begun(offered).token, None, True)
    assert not answer_log.is_counting() and not [*tmp_path.iterdir()]


def test_a_full_disk_is_told_to_the_owner_and_the_game_goes_on(offered, counted, capsys):
    counted.mkdir()
    table = handlers.pick_left(begun(offered).token, None, True)
    assert 'data-score="rounds">1/10<' in table[4]
    assert "an answer of the game could not be counted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("answers.txt", "give a file that ends in .jsonl, or a dataset as owner/name"),
        ("owner/name/more", "give a file that ends in .jsonl"),
        ("/no/such/folder/answers.jsonl", "there is no folder '/no/such/folder'"),
    ],
)
def test_a_place_where_nothing_can_be_counted_ends_the_start_with_one_line(monkeypatch, capsys, value, reason):
    monkeypatch.setenv(arguments.ANSWERS_VARIABLE, value)
    with pytest.raises(SystemExit) as left:
        arguments.parse([], "app.py")
    assert left.value.code == 2 and reason in capsys.readouterr().err
    monkeypatch.setenv(arguments.ANSWERS_VARIABLE, "owner/answers")
    arguments.parse([], "app.py")


def test_rates_are_counted_by_model_question_and_difficulty(tmp_path):
    answers = [Answer("a", "real", "normal", number >= 30, number < 10) for number in range(100)]
    answers += [Answer("a", "real", "hard", False), Answer("a", "later", "easy", True)]
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(answer.to_json() for answer in answers) + "\n\n")
    normal, hard, later = fooling_rates(read_answers(file))
    assert (normal.answers, normal.fooled, normal.share) == (100, 30, 0.3)
    assert (normal.judge_answers, normal.judge_fooled) == (100, 90)
    assert (hard.level, hard.share, hard.judge_answers) == ("hard", 1.0, 0) and (later.kind, later.fooled) == (
        "later",
        0,
    )


def test_the_interval_is_wilsons():
    """Against the published example of Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20."""
    for (successes, trials), (low, high) in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
    }.items():
        assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)
    for wrong in ((1, 0), (-1, 5), (6, 5)):
        with pytest.raises(ValueError, match="is no share"):
            wilson_interval(*wrong)


GOOD = {"model": "a", "kind": "real", "level": "easy", "right": True, "judge_right": None}


@pytest.mark.parametrize(
    "line",
    ["{", "[]", json.dumps(GOOD | {"who": "me"}), json.dumps(GOOD | {"right": 1}), json.dumps(GOOD | {"kind": "odd"})]
    + [json.dumps(GOOD | {"judge_right": "no"}), json.dumps(GOOD | {"model": 3}), json.dumps({"model": "a"})],
)
def test_a_line_that_is_no_answer_is_named(tmp_path, line):
    file = tmp_path / "answers.jsonl"
    file.write_text(json.dumps(GOOD) + "\n" + line + "\n")
    with pytest.raises(ValueError, match=r"answers\.jsonl: line 2: "):
        [*read_answers(file)]

"""Answers of the game, counted in a dataset of the Hub."""

import json
import re
from pathlib import Path

from tests.hub.client import count_answers

ANSWER = {"model": "dcgan-mnist", "kind": "real", "level": "hard", "right": False, "judge_right": True}


def test_answers_are_appended_to_one_file_of_a_private_dataset(hub, client):
    answers = [ANSWER, ANSWER | {"right": True}]
    assert client(count_answers, answers, "me/answers") == ""
    repo = hub.repos["me/answers"]
    (name, content), *others = repo.commits[repo.branches["main"]].items()
    assert not others and name.startswith("answers/answers-") and name.endswith(".jsonl") and repo.private
    assert [json.loads(line) for line in content.splitlines()] == answers


def test_a_hub_that_refuses_is_told_to_the_owner_and_the_game_goes_on(hub, client):
    hub.fail("403")
    complaint = client(count_answers, [ANSWER], "me/refused")
    folder = re.search(r"answers of the game stay in (\S+) until the next start: ", complaint)[1]
    (kept,) = Path(folder).iterdir()
    assert json.loads(kept.read_text()) == ANSWER

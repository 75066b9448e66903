"""`gan-hub answers`: the human fooling rate with its interval."""

import json


def test_the_rates_of_a_file_are_a_table(run, tmp_path):
    line = {"model": "dcgan-mnist", "kind": "real", "level": "normal", "right": True, "judge_right": True}
    lines = [line | {"right": number >= 30, "judge_right": number >= 10} for number in range(100)]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    code, out, err = run("answers", "answers.jsonl")
    head, row, meaning = out.splitlines()
    assert (code, err) == (0, "") and head.startswith("model        question") and "Wilson" in meaning
    assert row == "dcgan-mnist  which is real  normal      100      30.0 %  21.9 – 39.6 %  10.0 %"


def test_an_empty_a_missing_and_a_wrong_file_are_answered_in_one_line(run, tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "wrong.jsonl").write_text("{}\n")
    assert run("answers", "empty.jsonl") == (0, "empty.jsonl has no answers yet.\n", "")
    code, out, err = run("answers", "wrong.jsonl")
    assert (code, out) == (2, "") and "wrong.jsonl: line 1: an answer has exactly the keys model, kind" in err
    code, out, err = run("answers", "missing.jsonl")
    assert (code, out) == (1, "") and "missing.jsonl" in err and len(err.splitlines()) == 1

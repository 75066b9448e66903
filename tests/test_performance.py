"""The harness of benchmarks/performance: turns, ratios, counted work, two clones side by side, the page of what is stored."""

import argparse
import importlib
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from benchmarks.performance import __main__ as command
from benchmarks.performance import inference, models, paper, peers, processes
from benchmarks.performance.harness import (
    Goal,
    median,
    number,
    orders,
    ratios,
    spread,
    table,
    take_turns,
    work,
)
from benchmarks.performance.page import SECTIONS, all_goals, describe_goals, document
from benchmarks.performance.scripts import Script
from gan_hub.model_folder.strict import read_json, write_json


class Clock:
    """Time that passes only in the work of variants."""

    def __init__(self):
        self.now, self.order = 0.0, []

    def __call__(self):
        return self.now

    def variant(self, name, seconds):
        def call():
            self.order.append(name)
            self.now += seconds

        return call


def test_variants_take_turns_and_every_second_round_runs_backwards():
    assert list(orders("abc", 3)) == [["a", "b", "c"], ["c", "b", "a"], ["a", "b", "c"]]
    clock = Clock()
    take_turns({name: clock.variant(name, 1.0) for name in "ab"}, 3, clock, turn=0.5)
    assert "".join(clock.order) == "ab" + "abbaab"  # one call that is not counted, then three rounds


def test_a_short_variant_is_called_until_its_turn_is_long_enough_and_its_time_is_that_of_one_call():
    clock = Clock()
    rounds = take_turns({"long": clock.variant("long", 2.0), "short": clock.variant("short", 0.25)}, 2, clock, turn=1.0)
    assert clock.order.count("long") == 1 + 2 and clock.order.count("short") == 2 + 2 * 4
    assert rounds == [{"long": 2.0, "short": 0.25}, {"short": 0.25, "long": 2.0}]


def test_a_ratio_is_the_median_of_the_rounds_ratios_not_the_ratio_of_medians():
    rounds = [{"theirs": 4.0, "ours": 1.0}, {"theirs": 20.0, "ours": 10.0}, {"theirs": 9.0, "ours": 2.0}]
    assert median(rounds, "ours") == 2.0 and ratios(rounds, "theirs", "ours") == (4.0, 2.0, 4.5)
    assert spread(ratios(rounds, "theirs", "ours")) == "4.00 (2.00–4.50)"


def test_work_is_what_one_counts_by_hand():
    x, weight = torch.ones(2, 4, 8, 8), torch.ones(6, 4, 3, 3)
    counted = work(lambda: functional.conv2d(x, weight, padding=1))
    assert counted["flop"] == 2 * (2 * 64 * 6 * 4 * 9)
    assert counted["bytes"] == 4 * (x.numel() + weight.numel() + 2 * 6 * 64) and counted["operators"] == 1
    assert work(lambda: functional.linear(torch.ones(5, 7), torch.ones(3, 7)))["flop"] == 2 * 5 * 7 * 3


def test_what_only_looks_at_a_tensor_moves_no_bytes():
    x = torch.ones(4, 4)
    assert work(lambda: x.view(2, 8).t()) == {"flop": 0, "bytes": 0, "operators": 0}
    assert work(lambda: x + x)["bytes"] == 3 * 16 * 4


def test_numbers_have_three_digits_and_tables_a_line_a_row():
    assert [number(value) for value in (0, 1234.6, 12.34, 9.996, 0.004567)] == [
        "0",
        "1,230",
        "12.3",
        "10.00",
        "0.00457",
    ]
    assert table(["a", "b"], [["x", 1]]) == "| a | b |\n|---|--:|\n| x | 1 |"


def test_a_sum_over_gpus_takes_the_bytes_of_a_ring_and_its_hops():
    assert paper.ring(1e9, 1) == 0
    assert paper.ring(450e9, 8) == pytest.approx(2 * 7 / 8 + 14 * paper.HOP)
    assert paper.ring(400e9, 64) == pytest.approx(2 * 63 / 64 + 126 * paper.HOP)
    row = {"flop": paper.SHARE * paper.PRODUCT, "calls": 10, "weights": 0}
    assert paper.step_seconds(row, 1, 2, 0.1) == 2.0 and paper.step_seconds(row, 1, 0.5, 0.1) == 1.0  # the host waits


def test_the_overhead_of_the_pipeline_is_the_median_of_the_rounds_differences():
    rounds = [{models.NETWORK: 0.001, models.PLAIN: 0.001 + extra} for extra in (0.0005, 0.0001, 0.0002)]
    assert models.overhead({"rounds": rounds}) == pytest.approx(0.2)


def test_two_clones_whose_modules_have_the_same_names_are_both_imported(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "their_networks.py").write_text(f"NAME = {name!r}\n")
    names = []
    for name in ("one", "two"):
        with peers.modules_of(tmp_path / name):
            names.append(importlib.import_module("their_networks").NAME)
    assert names == ["one", "two"]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("their_networks")


def test_without_a_clone_the_table_is_of_ours_alone_and_says_so(tmp_path):
    assert peers.clone(None, "dcgan") is None and peers.clone(tmp_path, "dcgan") is None
    row = {"game": "dcgan", "batch": 1, "flop": {"ours": 2e8}, "parameters": 3e6, "about": {}}
    raw = {"rows": [row | {"rounds": [{"pipeline, plain": 0.002}]}]}
    text = inference.render(raw, {})
    assert "no clone: dcgan" in text and "| dcgan, batch 1 | pipeline, plain | 2.00 | – | 100 | – | – |" in text
    assert inference.goals(raw, {}) == []


def test_the_goal_counts_the_fastest_variant_in_fp32_and_says_what_bfloat16_would_give():
    rounds = [{inference.THEIRS: 1.0, "pipeline, plain": 0.5, "exact": 0.2, "rough": 0.1}]
    about = {"exact": {"dtype": "float32"}, "rough": {"dtype": "bfloat16"}}
    goal = inference.goals({"rows": [{"game": "r3gan", "batch": 1, "rounds": rounds, "about": about}]}, {})[0]
    assert goal.reached == 5.0 and "exact" in goal.what and goal.met and "(`max_levels`), 10.00 ×" in goal.reason


def test_missed_goals_come_first_the_farthest_on_top_each_with_its_reason():
    goals = [
        Goal("near", 1.9, 2.0, reason="Noise."),
        Goal("kept", 2.5, 2.0, reason="Not shown."),
        Goal("overhead", 0.3, 0.15, "ms", at_least=False, reason="Copies."),
    ]
    text = describe_goals(goals)
    assert text.index("overhead: **0.30 ms**, wanted at most 0.150. Copies.") < text.index("near: **1.90 ×**")
    assert text.index("near: **1.90 ×**, wanted at least 2.00. Noise.") < text.index("| kept | 2.50 × | 2.00 |")
    assert "Not shown." not in text
    assert "None." in describe_goals([goals[1]])


def test_the_law_of_two_processes_is_half_the_arithmetic_and_one_sum():
    def launch(clock, processor, reduce):
        return {
            recipe: dict(clock=clock, processor=processor, bytes=4e6, reduce=reduce) for recipe in processes.BATCHES
        }

    ways = (launch(1.0, 1.0, 0.0), launch(0.75, 1.2, 0.125), launch(1.25, 2.2, 0.125))
    raw = {"precision": "fp32", "rounds": [dict(zip(processes.WAYS, ways, strict=True))], "load": 0.5, "cores": 2}
    text = processes.render(raw, {})
    assert "| dcgan-64, two, the batch shared | 32 | 750 | 1.33 | 1.60 | 1.20 | 4.00 | 125 |" in text
    assert "| dcgan-64, two, a batch each | 64 | 1,250 | 1.60 | 1.78 | 1.10 | 4.00 | 125 |" in text


def test_what_another_benchmark_prints_is_shown_and_its_column_of_goals_is_read():
    printed = [
        "on a machine",
        "| start | seconds | goal |",
        "|---|--:|--:|",
        "| fast | 0.10 | 0.2 |",
        "| slow | 7.5 | 5 |",
    ]
    raw = {"printed": [*printed, "| `torch` | 3 | |", "", "| other | table |", "| 1 | 2 |"], "load": 2.0}
    goals = Script("Starting", "Fresh processes.", "benchmarks/start_up.py").goals(raw, {})
    assert [(goal.what, goal.reached, goal.wanted, goal.met) for goal in goals] == [
        ("fast", 0.1, 0.2, True),
        ("slow", 7.5, 5.0, False),
    ]
    assert all("load of 2.0" in goal.reason for goal in goals)
    text = Script("Starting", "Fresh processes.", "benchmarks/start_up.py", "--rounds", "1").render(raw, {})
    assert "`python benchmarks/start_up.py --rounds 1`" in text and "\n| slow | 7.5 | 5 |\n" in text


def test_a_benchmark_is_run_by_its_command_and_its_failure_says_why(tmp_path):
    (tmp_path / "good.py").write_text("print('| a |')")
    (tmp_path / "bad.py").write_text("raise ValueError('no cats')")
    assert Script("", "", str(tmp_path / "good.py")).measure(argparse.Namespace())["printed"] == ["| a |"]
    with pytest.raises(SystemExit, match="no cats"):
        Script("", "", str(tmp_path / "bad.py")).measure(argparse.Namespace())
    assert not Script("", "", str(tmp_path / "none.py")).exists


@pytest.fixture
def sections(monkeypatch, tmp_path):
    """Two small sections in place of the real ones, and files of their own."""
    measured = []

    def section(name):
        def measure(options):
            measured.append(name)
            return {"figure": len(measured) + 0.123456789}

        return SimpleNamespace(TITLE=name.upper(), measure=measure, render=lambda raw, _: f"{raw['figure']}")

    for name in list(SECTIONS):
        monkeypatch.delitem(SECTIONS, name)
    for name in ("first", "second"):
        monkeypatch.setitem(SECTIONS, name, section(name))
    monkeypatch.setattr(command, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(command, "PAGE", tmp_path / "page.md")
    return measured


def test_a_section_measured_again_leaves_the_others_as_they_were_stored(sections, tmp_path):
    command.main([])
    command.main(["--only", "second"])
    assert sections == ["first", "second", "second"]
    raws = {name: result["raw"] for name, result in read_json(tmp_path / "results.json").items()}
    assert raws == {"first": {"figure": 1.1235}, "second": {"figure": 3.1235}}
    page = (tmp_path / "page.md").read_text()
    assert page.index("## FIRST\n\n1.1235") < page.index("## SECOND\n\n3.1235")


def test_the_page_alone_is_written_without_measuring(sections, tmp_path):
    command.main([])
    stored = read_json(tmp_path / "results.json")
    stored["first"]["raw"]["figure"] = 7.5
    write_json(tmp_path / "results.json", stored)
    command.main(["--page"])
    assert sections == ["first", "second"] and "## FIRST\n\n7.5" in (tmp_path / "page.md").read_text()


def test_the_page_in_the_docs_is_what_the_stored_figures_give():
    assert command.PAGE.read_text() == document(read_json(command.RESULTS)), (
        "python -m benchmarks.performance --page writes it anew"
    )


def test_every_missed_goal_on_the_page_has_its_reason():
    goals = all_goals(read_json(command.RESULTS))
    assert goals and [goal.what for goal in goals if not goal.met and not goal.reason] == []

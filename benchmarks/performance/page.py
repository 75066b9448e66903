"""docs/performance.md, from what was measured and stored: missed goals with their reasons, then every table."""

from collections.abc import Mapping
from typing import Any

from benchmarks.performance import growth, inference, models, paper, peak, processes, steps
from benchmarks.performance.harness import Goal, number, table
from benchmarks.performance.scripts import SCRIPTS

# name of a section on the command line → its module, or another benchmark that prints its tables, in the order of the page:
# TITLE, measure(options), render(raw, results) and, where it has goals, goals(raw, results).
SECTIONS: dict[str, Any] = {
    "peak": peak,
    "inference": inference,
    "models": models,
    "steps": steps,
    "growth": growth,
    "processes": processes,
    "paper": paper,
} | {name: script for name, script in SCRIPTS.items() if script.exists}

HEAD = """# Performance

Written by `python -m benchmarks.performance --peers FOLDER`, without a GPU; FOLDER has clones of the
[three programs](../benchmarks/performance/peers.py) that ours is held against. `--only SECTION` measures one table again,
`--page` writes this page anew from [what was stored](../benchmarks/performance/results.json) without measuring.

Variants of a table take turns in one process, on one thread, and their processor time is read: a ratio is the median of the
rounds' ratios, with the smallest and the largest round in parentheses. Milliseconds of different tables were not measured
together. FLOP are multiplications and additions of matrix products and convolutions, counted.
"""


def all_goals(results: Mapping[str, dict]) -> list[Goal]:
    """The goals of every section that was measured."""
    raws = {name: result["raw"] for name, result in results.items()}
    return [
        goal
        for name, section in SECTIONS.items()
        if name in results and hasattr(section, "goals")
        for goal in section.goals(raws[name], raws)
    ]


def describe_goals(goals: list[Goal]) -> str:
    """Missed goals, the farthest first, with their reasons; then those that were met."""

    def share(goal: Goal) -> float:
        return goal.reached / goal.wanted if goal.at_least else goal.wanted / goal.reached

    def sentence(goal: Goal) -> str:
        wanted = f"{'at least' if goal.at_least else 'at most'} {number(goal.wanted)}"
        reason = f" {goal.reason}" if goal.reason else ""
        return f"- {goal.what}: **{goal.reached:.2f} {goal.unit}**, wanted {wanted}.{reason}"

    missed = sorted((goal for goal in goals if not goal.met), key=share)
    lines = ["## Missed goals", "", *(map(sentence, missed) if missed else ["None."])]
    met = [goal for goal in goals if goal.met]
    if met:
        rows = [[goal.what, f"{goal.reached:.2f} {goal.unit}", number(goal.wanted)] for goal in met]
        lines += ["", "Met:", "", table(["goal", "reached", "wanted"], rows)]
    return "\n".join(lines)


def machines(results: Mapping[str, dict]) -> str:
    """On what the sections were measured: one sentence for each machine."""
    each: dict[str, list[str]] = {}
    for name in SECTIONS:
        if name in results:
            each.setdefault(results[name]["machine"], []).append(name)
    minutes = sum(result["seconds"] for result in results.values()) / 60
    named = [f"{machine} ({', '.join(names)})" if len(each) > 1 else machine for machine, names in each.items()]
    return f"Measured on {'; '.join(named)}, in {minutes:.0f} minutes of the processor altogether."


def document(results: Mapping[str, dict]) -> str:
    """The page for what was measured: section → `machine`, `seconds` and `raw`."""
    raws = {name: result["raw"] for name, result in results.items()}
    parts = [HEAD, machines(results), "", describe_goals(all_goals(results))]
    for name, section in SECTIONS.items():
        if name in raws:
            parts += ["", f"## {section.TITLE}", "", section.render(raws[name], raws)]
    return "\n".join(parts) + "\n"

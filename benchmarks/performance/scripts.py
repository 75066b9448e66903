"""Sections that other benchmarks measure: a command is run, and the tables that it prints are shown as they are."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.performance.harness import Goal

ROOT = Path(__file__).parents[2]


class Script:
    """One benchmark as a section: `measure`, `render` and `goals`, as the modules of the other sections have them.

    A table with the columns "seconds" and "goal" is also a list of goals.
    """

    def __init__(self, title: str, about: str, *command: str) -> None:
        self.TITLE, self.about, self.command = title, about, command

    @property
    def exists(self) -> bool:
        """Whether the benchmark is there."""
        return (ROOT / self.command[0]).is_file()

    def measure(self, _: argparse.Namespace) -> dict:
        """What the benchmark prints, and how busy the machine was at its start."""
        load = os.getloadavg()[0]
        done = subprocess.run([sys.executable, *self.command], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(self.command)} ended: {done.stderr[-2000:]}")
        return {"printed": done.stdout.strip().splitlines(), "load": load}

    def render(self, raw: dict, _: dict) -> str:
        """The tables, and the command that prints them."""
        printed = "\n".join(raw["printed"])
        return f"{self.about} `python {' '.join(self.command)}`, at a load of {raw['load']:.1f}.\n\n{printed}"

    def goals(self, raw: dict, _: dict) -> list[Goal]:
        """The rows of tables that have seconds and a goal."""
        goals, head = [], []
        for line in raw["printed"]:
            cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
            if {"seconds", "goal"} <= set(cells):
                head = cells
            elif not cells:
                head = []
            elif head and re.fullmatch(r"[\d.]+", cells[head.index("goal")]):
                seconds, wanted = (float(cells[head.index(column)]) for column in ("seconds", "goal"))
                # Seconds by the clock: what else runs on the machine is in them.
                reason = f"By the clock, at a load of {raw['load']:.1f}: the table below has the processor's seconds."
                goals.append(Goal(cells[0], seconds, wanted, "s", at_least=False, reason=reason))
        return goals


SCRIPTS = {
    "start_up": Script(
        "Starting", "Fresh processes, seconds by the clock and of the processor.", "benchmarks/start_up.py"
    ),
    "data": Script("Data and evaluation", "Loading photographs, scoring images.", "benchmarks/data_growth.py"),
    "visitors": Script(
        "Many visitors",
        "Crowds that come to look at the page.",
        "benchmarks/page_load.py",
        "--crowd",
        "1",
        "8",
        "32",
        "50",
    ),
}

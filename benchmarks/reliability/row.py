"""One line of the table: what was done, what was wanted, what was found."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Row:
    """A claim that was measured.

    Example:
        >>> from benchmarks.reliability.row import Row
        >>> str(Row("C8", "a body of 50 MB", "refused within 0.5 s", "413 in 0.01 s", True))
        '| C8 | a body of 50 MB | refused within 0.5 s | 413 in 0.01 s | yes |'
    """

    name: str
    what: str
    goal: str
    found: str
    is_met: bool

    def __str__(self) -> str:
        cells = (self.name, self.what, self.goal, self.found, "yes" if self.is_met else "**no**")
        return "| " + " | ".join(cells) + " |"


HEADER = "| row | what | wanted | found | met |\n|---|---|---|---|---|"


def tested(name: str, what: str, goal: str, *arguments: str) -> Row:
    """A row whose claim is a test's: it is met where every test that pytest finds by `arguments`, the slow ones too, passes."""
    command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:xdist", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = (done.stdout.strip().splitlines() or ["no test"])[-1].strip("= ").partition(" in ")[0]
    found = re.sub(r", \d+ deselected", "", found)
    return Row(name, what, goal, found, done.returncode == 0)

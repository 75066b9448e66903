"""What a crowd and a stranger can do to the page: `python -m benchmarks.reliability [ROW …] [--write]`, some eight minutes.

Serves app.py on a free port of 127.0.0.1, drawing with the generators themselves, so that the same seed has the same bits
throughout, and prints a table of rows C1 to C10; `--write` puts it into docs/reliability.md. Ends with 1 where a goal is missed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.reliability import abuse, crowds, start
from benchmarks.reliability.row import HEADER, Row
from benchmarks.visitors import ROOT, Server

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- rows: begin -->", "<!-- rows: end -->"
SECRECY = "tests/demo/test_game_secrecy.py"


def c6() -> list[Row]:
    """What a player's computer is told of the pictures before the pick, as its tests read it."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", SECRECY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = (done.stdout.strip().splitlines() or ["no test"])[-1].strip("= ")
    what = f"a bot that reads everything but the pixels ({SECRECY})"
    return [Row("C6", what, "right in at most 55 % of 1,000 rounds", found, done.returncode == 0)]


def measured(names: Sequence[str], folder: Path, seconds: float) -> list[Row]:
    """The rows of these names.

    Args:
        names: "C1" to "C10".
        folder: an empty one, for the files of the page.
        seconds: of each crowd.

    Returns:
        The rows, in their order.
    """
    server = Server(GRADIO_TEMP_DIR=str(folder), GAN_HUB_ENGINE="plain").wait()
    rows: dict[str, Callable[[], list[Row]]] = {
        "C1": lambda: crowds.c1(server, seconds),
        "C2": lambda: crowds.c2(server, 200),
        "C3": lambda: abuse.c3(server, 2000),
        "C4": lambda: abuse.c4(server),
        "C5": lambda: crowds.c5(server, 50, 20),
        "C6": c6,
        "C7": lambda: abuse.c7(server),
        "C8": lambda: abuse.c8(server),
        "C9": lambda: abuse.c9(server, folder, 5000),
        "C10": start.c10,
    }
    done = []
    try:
        for name in (name for name in rows if name in names):
            began = time.monotonic()
            done += rows[name]()
            print(*(row for row in done if row.name == name), sep="\n", flush=True)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    finally:
        server.stop()
    return done


def write(rows: Sequence[Row]) -> None:
    """Put rows into the page, in place of those of the same names."""
    import torch

    from gan_hub.training.diagnostics import hardware  # brings accelerate, which measuring does not need

    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    old, _, after = rest.partition(END)
    new = {row.name for row in rows}
    kept = [line for line in old.splitlines() if line.startswith("| C") and line.split()[1] not in new]
    lines = sorted([*kept, *map(str, rows)], key=lambda line: int(line.split()[1][1:]))
    machine = f"{hardware(torch.device('cpu'))}, {os.cpu_count()} cores, torch {torch.__version__}"
    table = "\n".join([f"Measured on {machine}.", "", HEADER, *lines])
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


def main() -> int:
    """1 where a goal is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [f"C{number}" for number in range(1, 11)]
    parser.add_argument("rows", nargs="*", default=every, metavar="ROW", help="C1 to C10; all by default")
    parser.add_argument("--seconds", type=float, default=45, help="of each crowd of C1")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.relative_to(ROOT)}")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    print(HEADER)
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(given.rows, Path(folder), given.seconds)
    if given.write:
        write(rows)
    return 0 if all(row.is_met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

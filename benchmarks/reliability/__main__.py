"""What the page and the loaders withstand: `python -m benchmarks.reliability [ROW …] [--write]`, some twenty minutes.

Rows A1 to A7 load damaged models and models of a Hub that fails, C1 to C10 are what a crowd and a stranger can do to the page, D1
to D4 read other people's checkpoints. For the rows of the page app.py is served on a free port of 127.0.0.1, drawing with the
generators themselves, so that the same seed has the same bits throughout. Prints a table; `--write` puts it into
docs/reliability.md. Ends with 1 where a goal is missed.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.reliability import abuse, crowds, start
from benchmarks.reliability.row import HEADER, ROOT, Row, tested
from benchmarks.visitors import Server

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- rows: begin -->", "<!-- rows: end -->"
SECRECY = "tests/demo/test_game_secrecy.py"
NAMES = [f"{letter}{number}" for letter, last in (("A", 7), ("C", 10), ("D", 4)) for number in range(1, last + 1)]


def c6() -> list[Row]:
    """What a player's computer is told of the pictures before the pick, as its tests read it."""
    what = f"a bot that reads everything but the pixels ({SECRECY})"
    return [tested("C6", what, "right in at most 55 % of 1,000 rounds", SECRECY)]


def rows_of_files(folder: Path) -> dict[str, Callable[[], list[Row]]]:
    """The rows of models and checkpoints; `folder` is an empty one."""
    from benchmarks.reliability import files, foreign, hub  # bring torch, for which the page has a process of its own

    given = [
        files.a1,
        files.a2,
        files.a3,
        files.a4,
        files.a5,
        files.a6,
        hub.a7,
        foreign.d1,
        foreign.d2,
        foreign.d3,
        foreign.d4,
    ]

    def in_its_own(row: Callable[[Path], list[Row]]) -> Callable[[], list[Row]]:
        def run() -> list[Row]:
            place = folder / row.__name__
            place.mkdir()
            return row(place)

        return run

    return {row.__name__.upper(): in_its_own(row) for row in given}


def rows_of_the_page(server: Server, folder: Path, seconds: float) -> dict[str, Callable[[], list[Row]]]:
    """The rows of the page that `server` serves, which writes its files into `folder`; `seconds` are of each crowd."""
    return {
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


def measured(names: Sequence[str], folder: Path, seconds: float) -> list[Row]:
    """The rows of these names.

    Args:
        names: some of NAMES.
        folder: an empty one.
        seconds: of each crowd.

    Returns:
        The rows, in their order.
    """
    page = [name for name in NAMES if name in names and name.startswith("C")]
    others = [name for name in NAMES if name in names and not name.startswith("C")]
    done = _each(others, rows_of_files(folder)) if others else []
    if page:
        (folder / "page").mkdir()
        server = Server(GRADIO_TEMP_DIR=str(folder / "page"), GAN_HUB_ENGINE="plain").wait()
        try:
            done += _each(page, rows_of_the_page(server, folder / "page", seconds))
        finally:
            server.stop()
    return done


def _each(names: Sequence[str], rows: dict[str, Callable[[], list[Row]]]) -> list[Row]:
    done = []
    for name in names:
        began = time.monotonic()
        found = rows[name]()
        print(*found, sep="\n", flush=True)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
        done += found
    return done


def write(rows: Sequence[Row]) -> None:
    """Put rows into the page, in place of those of the same names."""
    import torch

    from gan_hub.training.diagnostics import hardware  # brings accelerate, which measuring does not need

    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    old, _, after = rest.partition(END)
    new = {row.name for row in rows}
    kept = [line for line in old.splitlines() if line.startswith("| ") and line.split()[1] in {*NAMES} - new]
    lines = sorted([*kept, *map(str, rows)], key=lambda line: NAMES.index(line.split()[1]))
    machine = f"{hardware(torch.device('cpu'))}, {os.cpu_count()} cores, torch {torch.__version__}"
    table = "\n".join([f"Measured on {machine}.", "", HEADER, *lines])
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


def main() -> int:
    """1 where a goal is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = "A1 to A7, C1 to C10, D1 to D4; all by default"
    parser.add_argument("rows", nargs="*", default=NAMES, metavar="ROW", help=what)
    parser.add_argument("--seconds", type=float, default=45, help="of each crowd of C1")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.relative_to(ROOT)}")
    given = parser.parse_args()
    unknown = [name for name in given.rows if name not in NAMES]
    if unknown:
        parser.error(f"{unknown[0]} is no row; they are {what}")
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    print(HEADER)
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(given.rows, Path(folder), given.seconds)
    if given.write:
        write(rows)
    return 0 if all(row.is_met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Hostile, exploding and damaged files through the reader of foreign checkpoints, counted.

`python benchmarks/foreign_files.py` prints the table of docs/converting.md; it takes some two minutes of one core. The files are
those of tests/foreign.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gan_hub.foreign.read import read_foreign  # noqa: E402
from gan_hub.model_folder.strict import LoadError  # noqa: E402
from tests.foreign import made_pickles  # noqa: E402

BATCHES, BATCH = 10, 1000  # of damaged files
REFUSED, READ = "refused in one sentence", "read as inert data"


def outcome(path: Path) -> str:
    """Whether a file is read or refused; whatever else it raises is not caught."""
    try:
        read_foreign(path)
    except LoadError as error:
        assert "\n" not in str(error)
        return REFUSED
    return READ


def run_payloads(folder: Path) -> tuple[Counter[str], int]:
    """(outcomes, how many ran) of each payload in each container."""
    outcomes, ran = Counter[str](), 0
    for container, wrap in made_pickles.CONTAINERS.items():
        for number, payload in enumerate(made_pickles.PAYLOADS):
            sentinel, file = folder / f"ran-{container}-{number}", folder / "payload"
            os.environ["GAN_HUB_SENTINEL"] = str(sentinel)
            file.write_bytes(wrap(made_pickles.payloads(sentinel)[payload]))
            outcomes[outcome(file)] += 1
            ran += sentinel.exists()
    return outcomes, ran


def run_bombs(folder: Path) -> tuple[Counter[str], float]:
    """(outcomes, the most seconds of the processor) of the bombs."""
    outcomes, slowest = Counter[str](), 0.0
    for data in made_pickles.bombs().values():
        (folder / "bomb").write_bytes(data)
        start = children_seconds()
        outcomes[outcome(folder / "bomb")] += 1
        slowest = max(slowest, children_seconds() - start)
    return outcomes, slowest


def children_seconds() -> float:
    """Seconds that the processor spent on processes that this one started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_damaged(folder: Path) -> Counter[str]:
    """Outcomes of damaged files, each batch in a process under the reader's limits."""
    files, outcomes = folder / "good", Counter[str]()
    files.mkdir()
    for name, data in made_pickles.good_files().items():
        (files / name).write_bytes(data)
    environment = os.environ | {"FILES": str(files), "PYTHONPATH": str(ROOT)}
    for seed in range(BATCHES):
        driver = [sys.executable, str(ROOT / "tests/foreign/mutation_driver.py"), str(seed), str(BATCH)]
        done = subprocess.run(driver, env=environment, capture_output=True, text=True, check=True)
        words = {"refused": REFUSED, "read": READ}  # of the driver; whatever else it counts keeps its name
        outcomes.update({words.get(what, what): count for what, count in json.loads(done.stdout).items()})
    return outcomes


def counts(outcomes: Counter[str]) -> str:
    """The outcomes in words."""
    return ", ".join(f"{count:,} {what}" for what, count in sorted(outcomes.items()))


def main() -> None:
    """Run all of them and print the table."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        payloads, ran = run_payloads(folder)
        bombs, slowest = run_bombs(folder)
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        damaged = run_damaged(folder)
    print("| files | outcomes | |")
    print("|---|---|---|")
    print(f"| {payloads.total()} payloads in containers | {counts(payloads)} | **{ran} ran** |")
    print(f"| {bombs.total()} bombs | {counts(bombs)} | {slowest:.1f} s of the processor and {most:.0f} MB at most |")
    print(f"| {damaged.total():,} damaged files | {counts(damaged)} | the reader's process never fell |")


if __name__ == "__main__":
    main()

"""Other people's checkpoints: hostile, exploding, damaged and whole ones through the reader of them (rows D1 to D4)."""

import resource
from pathlib import Path

from benchmarks import foreign_files
from benchmarks.foreign_files import READ, REFUSED
from benchmarks.reliability.row import Row, tested

SECONDS, MEGABYTES = 10, 1024  # that a bomb may take


def d1(folder: Path) -> list[Row]:
    """Programs in pickles, each in every container; a sentinel file tells that one ran."""
    outcomes, ran = foreign_files.run_payloads(folder)
    found = f"{foreign_files.counts(outcomes)}; **{ran} ran**"
    met = not ran and outcomes.keys() <= {REFUSED, READ}
    return [Row("D1", f"{outcomes.total()} programs in pickles, each in a container", "none runs", found, met)]


def d2(folder: Path) -> list[Row]:
    """Files as torch, NVIDIA and others write them: every tensor bit by bit, and the source in them unread."""
    names = "bit_equal or without_its_source or safetensors_are_read"
    what = "files as torch, NVIDIA's programs and safetensors write them (`tests/foreign/test_reader.py`)"
    return [tested("D2", what, "every tensor bit-equal, no source run", "tests/foreign/test_reader.py", "-k", names)]


def d3(folder: Path) -> list[Row]:
    """Files that unfold to terabytes, or to no end."""
    outcomes, slowest = foreign_files.run_bombs(folder)
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    found = f"{foreign_files.counts(outcomes)}; at most {slowest:.1f} s of the processor and {most:.0f} MB"
    met = outcomes.keys() <= {REFUSED, READ} and slowest <= SECONDS and most <= MEGABYTES
    return [Row("D3", f"{outcomes.total()} bombs", f"a sentence within {SECONDS} s and {MEGABYTES} MB", found, met)]


def d4(folder: Path) -> list[Row]:
    """Flipped and truncated files, a thousand in a process."""
    outcomes = foreign_files.run_damaged(folder)
    met = outcomes.keys() <= {REFUSED, READ} and outcomes.total() == foreign_files.BATCHES * foreign_files.BATCH
    found = f"{foreign_files.counts(outcomes)}; the reader's process never fell"
    return [Row("D4", f"{outcomes.total():,} damaged files", "refused in one sentence or read as data", found, met)]

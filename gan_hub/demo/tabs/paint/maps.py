"""Maps of semantic classes as short texts that fit into a link: lines of runs, equal lines once.

A line is its runs from left to right, "0x5_1x54_0": five pixels of class 0, 54 of class 1, and class 0 up to the right end.
Lines follow each other from top to bottom, with a full stop between them; "~8" after a line repeats it eight times.

Shapes: H × W resolution, S semantic classes.
"""

import itertools
import re

import numpy as np

from gan_hub.demo.inputs import BadInputError

MAX_LENGTH = 60_000  # characters: a request of the page has 100,000 bytes
LINE = re.compile(r"(\d{1,3}x\d{1,4}_)*\d{1,3}(~\d{1,4})?", re.ASCII)


def write_map(cells: np.ndarray) -> str:
    """A map, whole numbers (H, W), as text."""
    lines = [_write_line(line) for line in cells.tolist()]
    groups = ((line, len(list(equal))) for line, equal in itertools.groupby(lines))
    return ".".join(line if count == 1 else f"{line}~{count}" for line, count in groups)


def _write_line(line: list[int]) -> str:
    runs = [(number, len(list(equal))) for number, equal in itertools.groupby(line)]
    return "".join(f"{number}x{count}_" for number, count in runs[:-1]) + str(runs[-1][0])


def read_map(text: object, size: tuple[int, int], classes: int) -> np.ndarray:
    """The map that a text stands for.

    Args:
        text: what was sent.
        size: the model's (H, W).
        classes: the number S of its semantic classes.

    Returns:
        uint8 (H, W), from 0 to S − 1.

    Raises:
        BadInputError: it is no such text, or a map of another size or with other classes.
    """
    height, width = size
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        raise BadInputError("bad_map", height=height, width=width, most=classes - 1)
    rows: list[list[int]] = []
    for line in text.split("."):
        cells, count = _read_line(line, width) if LINE.fullmatch(line) else ([], 0)
        if not cells or max(cells) >= classes or not 0 < count <= height - len(rows):
            raise BadInputError("bad_map", height=height, width=width, most=classes - 1)
        rows += [cells] * count
    if len(rows) != height:
        raise BadInputError("bad_map", height=height, width=width, most=classes - 1)
    return np.array(rows, np.uint8)


def _read_line(line: str, width: int) -> tuple[list[int], int]:
    """The classes of one line, and how often it is repeated; no classes where it is too long."""
    runs, _, count = line.partition("~")
    *first, last = runs.split("_")
    cells: list[int] = []
    for run in first:
        number, _, length = run.partition("x")
        if int(length) >= width - len(cells):
            return [], 0
        cells += [int(number)] * int(length)
    return [*cells, *[int(last)] * (width - len(cells))], int(count or 1)

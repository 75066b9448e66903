"""Variants that take turns in one process, the operations and bytes of one call, and cells of tables.

A machine that does other things slows all variants of a round alike, so that what counts is the ratio within a round; of
several rounds the median is taken, and the smallest and the largest are shown. Time is that of the process's own clock, unless
a table says otherwise. Stored are the seconds of every turn; medians and ratios are made when a page is written.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from gan_hub.training.flops import Operations

TURN = 0.03  # seconds: a shorter variant is called so often in its turn that the turn takes as long

Rounds = list[dict[str, float]]  # of each round: variant → seconds of one call


def orders(names: Sequence[str], rounds: int) -> Iterator[list[str]]:
    """The order of each round: every variant once, and every second round backwards, so that none always follows another."""
    for number in range(rounds):
        yield list(names) if number % 2 == 0 else list(names)[::-1]


def take_turns(
    variants: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
    turn: float = TURN,
) -> Rounds:
    """Time variants in turns, after a call or two of each that are not counted.

    Args:
        variants: Name → what is called.
        rounds: How often each has its turn.
        clock: Seconds; by default of the processor.
        turn: Seconds that a turn takes at least: a shorter variant is called several times.

    Returns:
        Seconds of one call, round by round.
    """

    def seconds(name: str, calls: int) -> float:
        began = clock()
        for _ in range(calls):
            variants[name]()
        return (clock() - began) / calls

    calls = dict.fromkeys(variants, 1)
    for name in variants:
        # The first call allocates; a second one says how long a short variant takes.
        if seconds(name, 1) < turn:
            calls[name] = max(1, math.ceil(turn / max(seconds(name, 1), 1e-6)))
    return [{name: seconds(name, calls[name]) for name in order} for order in orders(list(variants), rounds)]


def median(rounds: Rounds, name: str) -> float:
    """Seconds of one call: the median of the rounds."""
    return statistics.median(each[name] for each in rounds)


def ratios(rounds: Rounds, reference: str, name: str) -> tuple[float, float, float]:
    """How many times as fast as another variant one is.

    Args:
        rounds: Seconds of each.
        reference, name: The other variant, and the one.

    Returns:
        The median of the rounds' ratios, the smallest and the largest.
    """
    each = [times[reference] / times[name] for times in rounds]
    return statistics.median(each), min(each), max(each)


class Work(Operations):
    """Counts operations in `count`, and in `bytes` what every operator reads and writes, while it is entered.

    The bytes are those of all tensors that go into an operator and come out of it, as if nothing stayed in a cache; what only
    looks at a tensor in another shape moves nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes, self.calls = 0, 0

    def __torch_dispatch__(self, operator: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run an operator of torch, and add what it does."""
        result = super().__torch_dispatch__(operator, types, args, kwargs)
        if not operator.is_view:
            self.calls += 1
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors((args, kwargs, result)))
        return result


def tensors(value: object) -> Iterator[torch.Tensor]:
    """All tensors in nested tuples, lists and dictionaries."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))


def work(call: Callable[[], object]) -> dict[str, float]:
    """Operations, bytes and operators of one call."""
    with Work() as counted:
        call()
    return {"flop": counted.count, "bytes": counted.bytes, "operators": counted.calls}


class Goal(NamedTuple):
    """What was wanted, what was reached, and why not more: the reason is shown where the goal is missed."""

    what: str
    reached: float
    wanted: float
    unit: str = "×"
    at_least: bool = True
    reason: str = ""

    @property
    def met(self) -> bool:
        """Whether it is reached, at the digits that are shown."""
        reached = round(self.reached, 2)
        return reached >= self.wanted if self.at_least else reached <= self.wanted


# ----------------------------------------------------------------------------------------------- cells and tables


def number(value: float) -> str:
    """Three digits, without an exponent: 1234 → "1,230", 0.00456 → "0.00456"."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    rounded = round(value, 2 - math.floor(math.log10(abs(value))))
    return f"{rounded:,.{digits}f}"


def spread(ratio: tuple[float, float, float]) -> str:
    """A ratio with the smallest and the largest round."""
    return "{:.2f} ({:.2f}–{:.2f})".format(*ratio)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of Markdown; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])

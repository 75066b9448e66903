"""Applies a function to many items on several cores, and gives the results in the order of the items.

Threads, since Pillow lets go of Python's lock while it decodes and resizes: they share the memory of what they read, and
start at once.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 8  # threads: more wait for each other
AHEAD = 4  # items a thread that are begun before their turn: what they hold in memory is bounded


def worker_count() -> int:
    """Threads that decode: the cores that this process may use, up to MOST."""
    allowed = getattr(
        os, "sched_getaffinity", None
    )  # Linux; a container's or a job's cores are fewer than the machine's
    cores = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    return min(MOST, cores)


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """The function of each item, in the order of the items, whichever is done first.

    Args:
        function: called by several threads at a time.
        items: iterated by the caller's thread alone, a few ahead of the results.
        workers: threads; by default `worker_count()`. With one, nothing is ahead.

    Returns:
        The results. What the function or the iteration raises is raised when it is its turn.
    """
    workers = worker_count() if workers is None else workers
    if workers < 2:
        yield from map(function, items)
        return
    remaining = iter(items)
    pool = ThreadPoolExecutor(workers, "decode")
    try:
        begun: deque[Future[Result]] = deque()
        begun.extend(pool.submit(function, item) for item in islice(remaining, AHEAD * workers))
        while begun:
            yield begun.popleft().result()
            begun.extend(pool.submit(function, item) for item in islice(remaining, 1))
    finally:
        pool.shutdown(cancel_futures=True)

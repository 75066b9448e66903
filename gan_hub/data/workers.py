"""Applies a function to many items on several cores, and gives the results in the order of the items.

Threads, since Pillow lets go of Python's lock while it decodes and resizes: they share the memory of what they read, and
start at once.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 8  # threads: more wait for each other
AHEAD, AHEAD_BYTES = 4, 32_000_000  # items a thread that are begun before their turn, and bytes of all of them


def worker_count() -> int:
    """Threads that decode: the cores that this process may use, up to MOST."""
    # Of Linux alone; the cores of a container or a job are fewer than the machine's.
    allowed = getattr(os, "sched_getaffinity", None)
    cores = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    return min(MOST, cores)


def map_in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None = None,
    size: Callable[[Item], int] = lambda item: 0,
) -> Iterator[Result]:
    """The function of each item, in the order of the items, whichever is done first.

    Args:
        function: called by several threads at a time.
        items: iterated by the caller's thread alone, a few ahead of the results.
        workers: threads; by default `worker_count()`. With one, nothing is ahead.
        size: the bytes that an item holds: none is begun ahead while those that are hold AHEAD_BYTES.

    Returns:
        The results. What the function raises is raised when it is its turn.
    """
    workers = worker_count() if workers is None else workers
    if workers < 2:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(workers, "decode")
    try:
        begun: deque[tuple[int, Future[Result]]] = deque()
        for item in items:
            begun.append((size(item), pool.submit(function, item)))
            while len(begun) >= AHEAD * workers or sum(held for held, _ in begun) >= AHEAD_BYTES:
                yield begun.popleft()[1].result()
        while begun:
            yield begun.popleft()[1].result()
    finally:
        pool.shutdown(cancel_futures=True)

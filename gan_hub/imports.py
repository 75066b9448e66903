"""Imports of large libraries without the many passes of Python's garbage collector that they set off."""

import contextlib
import gc
import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the cyclic garbage collector around imports, for the whole process; one that is off already is left off.

    Torch, diffusers and gradio make half a million objects that stay until the process ends. The collector would walk through
    them again and again while they are made, a quarter to a third of the time that the imports take. Afterwards all of them
    are counted as old, so that the next short pass does not walk through them either. Nothing is kept that would be freed.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:  # else the caller's own frozen objects would thaw
            gc.freeze()
            gc.unfreeze()  # into the oldest generation
        gc.enable()


def collect_rarely() -> None:
    """Let the collector pass once in 20,000 new objects instead of 700: for a program that imports as it goes on.

    For the whole process, so only its entry point may call it.
    """
    gc.set_threshold(20_000, *gc.get_threshold()[1:])


def import_lazily(module: str) -> ModuleType:
    """Import a module for the first of its names that is asked for, with the collector paused (PEP 562)."""
    with contextlib.nullcontext() if module in sys.modules else collector_paused():
        return import_module(module)

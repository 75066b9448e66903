"""Memory that a training step frees stays with the process, so that the next step finds it at hand."""

import contextlib
import ctypes
import os
from collections.abc import Iterator

import torch

# glibc's mallopt: which parameter; see its manual page.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
# What glibc's thresholds grow to by themselves, and how many blocks it maps one by one unless told otherwise.
LARGEST_THRESHOLD, MAPPED_BLOCKS = 32 * 2**20, 65536
NEVER = -1  # of trimming; any number, as an int, would be 2 GiB at most, which one step may free
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_")  # the same, in the environment


@contextlib.contextmanager
def freed_memory_kept(device: torch.device) -> Iterator[bool]:
    """Inside, on a CPU with glibc, freed memory is not handed back to the system.

    glibc maps every block above 32 MiB anew and unmaps it when it is freed. The features of a batch are such blocks, and the
    system clears each of their pages at the first touch: in a step of large feature maps that takes as long as computing them.

    Args:
        device: Of the networks; on any other nothing is changed, and neither where the environment has settings of the
            user's own, which could not be read back.

    Yields:
        Whether memory is kept.
    """
    libc = None if device.type != "cpu" or _is_set_by_user() else _glibc()
    if libc is None:
        yield False
        return
    try:
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, NEVER)
        yield True
    finally:
        libc.mallopt(M_MMAP_MAX, MAPPED_BLOCKS)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_THRESHOLD)
        libc.mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_THRESHOLD)
        libc.malloc_trim(0)


def _is_set_by_user() -> bool:
    """Whether the environment says what glibc does with freed memory."""
    return any(name in os.environ for name in SETTINGS) or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", "")


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process where it is glibc, else None."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows has no library of that name
        return None
    return library if hasattr(library, "gnu_get_libc_version") else None

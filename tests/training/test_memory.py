"""Memory that a step frees is kept for the next one: the system is not asked to clear the same pages again."""

import ctypes
import sys

import pytest
import torch

from gan_hub.training.memory import freed_memory_kept

ELEMENTS = 2**24  # 64 MiB, above what glibc ever keeps by itself
PAGES = 4 * ELEMENTS // 4096


def faults_of_a_large_tensor() -> int:
    """Pages that the system had to provide for a tensor that is made, filled and freed."""
    import resource  # Unix has it

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(ELEMENTS).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_a_large_tensor_finds_the_pages_of_the_one_before_it():
    if sys.platform == "win32":  # nothing to ask for pages there, and nothing is changed
        with freed_memory_kept(torch.device("cpu")) as kept:
            assert not kept
        return
    with freed_memory_kept(torch.device("cpu")) as kept:
        # Something small may come to lie behind one, so that the next, which needs room to be aligned, is put elsewhere.
        faults = min(faults_of_a_large_tensor() for _ in range(6))
    assert not kept or faults < PAGES / 10


def test_a_run_on_another_device_leaves_memory_alone():
    with freed_memory_kept(torch.device("meta")) as kept:
        assert not kept


def test_a_step_that_frees_more_than_two_gigabytes_keeps_them_too():
    with freed_memory_kept(torch.device("cpu")) as kept:
        if not kept:
            return  # as on macOS, where there is nothing to look at
        sbrk = ctypes.CDLL(None).sbrk  # of 0: where the memory ends that the process asked for
        sbrk.restype = ctypes.c_void_p
        blocks = [torch.empty(2**26) for _ in range(10)]  # 2.5 GiB, no page of which is touched
        end = sbrk(ctypes.c_long(0))
        del blocks
        assert sbrk(ctypes.c_long(0)) == end


@pytest.mark.parametrize(
    "name, value", [("MALLOC_MMAP_MAX_", "0"), ("GLIBC_TUNABLES", "glibc.rtld.nns=8:glibc.malloc.mmap_max=0")]
)
def test_a_users_own_settings_of_memory_are_left_alone(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with freed_memory_kept(torch.device("cpu")) as kept:
        assert not kept

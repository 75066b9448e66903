"""Memory that a step frees is kept for the next one: the system is not asked to clear the same pages again."""

import sys

import torch

from gan_hub.training.memory import freed_memory_kept

ELEMENTS = 2**24  # 64 MiB, above what glibc ever keeps by itself


def faults_of_a_large_tensor() -> int:
    """Pages that the system had to provide for a tensor that is made, filled and freed."""
    import resource  # Unix has it

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(ELEMENTS).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_a_large_tensor_takes_new_pages_once_inside_and_each_time_outside():
    if sys.platform == "win32":  # nothing to ask for pages there, and nothing is changed
        with freed_memory_kept(torch.device("cpu")) as kept:
            assert not kept
        return
    with freed_memory_kept(torch.device("cpu")) as kept:
        first, second = faults_of_a_large_tensor(), faults_of_a_large_tensor()
    outside = min(faults_of_a_large_tensor(), faults_of_a_large_tensor())
    assert not kept or second < min(first, outside) / 2


def test_a_run_on_another_device_leaves_memory_alone():
    with freed_memory_kept(torch.device("meta")) as kept:
        assert not kept

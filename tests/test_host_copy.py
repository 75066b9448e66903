"""Copies to a device: the same numbers, and no wait where the device allows it."""

import pytest
import torch

from gan_hub.host_copy import to_device
from tests.training.waits import META, Waits

CPU = torch.device("cpu")


def test_what_is_on_the_host_already_is_not_copied():
    numbers = torch.randn(3)
    assert to_device(numbers, CPU) is numbers and to_device(numbers, CPU, torch.float32) is numbers


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_dtype_is_changed_as_torch_does(dtype):
    numbers = torch.randn(3)
    assert torch.equal(to_device(numbers, CPU, dtype), numbers.to(dtype))


def test_a_device_that_works_behind_python_is_not_waited_for():
    with Waits() as waits:
        copy = to_device(torch.randn(3), META, torch.float64)
    assert copy.device == META and copy.dtype == torch.float64 and waits.found == []

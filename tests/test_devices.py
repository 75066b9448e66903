"""Devices by name: what is here, and what a name that is not is answered with."""

import pytest
import torch

from gan_hub.devices import devices, find_device


def test_the_cpu_is_always_here():
    assert devices()[0] == "cpu" and find_device("cpu") == find_device(torch.device("cpu")) == torch.device("cpu")
    assert all(find_device(name) == torch.device(name) for name in devices())


@pytest.mark.parametrize("name", ["gpu", "abacus", "", "cuda:", "cuda:x", None, 1.5, ["cpu"], "CPU0"])
def test_an_unknown_device_is_answered_with_the_devices_that_are_here(name):
    with pytest.raises(ValueError, match="is not known; choose cpu.*GPUs are called cuda, mps, xpu"):
        find_device(name)


@pytest.mark.parametrize("name", ["cuda:99", "mps:7", "xpu:9", "meta", "cpu:3"])
def test_a_device_that_is_not_on_this_machine_is_answered_with_those_that_are(name):
    with pytest.raises(ValueError, match=f"device '{name}' is not on this machine; choose cpu"):
        find_device(name)


def test_a_torch_without_cuda_is_named_as_the_cause():
    if torch.version.cuda is None:
        with pytest.raises(ValueError, match="This torch was built without CUDA"):
            find_device("cuda")
    else:
        assert "built without" not in str(pytest.raises(ValueError, find_device, "cuda:99").value)

"""The devices of this machine, by torch's names."""

import torch

from gan_hub.messages import short_repr

KINDS = ("cuda", "mps", "xpu")  # GPUs of NVIDIA and AMD, of Apple, of Intel


def devices() -> list[str]:
    """The devices of this machine: "cpu", and accelerators by kind and number ("cuda", "cuda:0")."""
    kind = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if kind is None:
        return ["cpu"]
    return ["cpu", kind.type, *(f"{kind.type}:{index}" for index in range(torch.accelerator.device_count()))]


def find_device(name: str | torch.device) -> torch.device:
    """The device of that name; raises ValueError, with the names of those that are here, for anything else."""
    here = devices()
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise ValueError(
            f"device {short_repr(name)} is not known; choose {' or '.join(here)}. GPUs are called {', '.join(KINDS)}."
        ) from None
    if str(device) not in here and str(device) != "cpu:0":
        built = " This torch was built without CUDA." if device.type == "cuda" and torch.version.cuda is None else ""
        raise ValueError(f"device {short_repr(str(device))} is not on this machine; choose {' or '.join(here)}.{built}")
    return device

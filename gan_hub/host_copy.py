"""Copies from the host to a device that Python does not wait for."""

import torch

# Kinds to which a copy may go on while Python does: of "cuda" it is known to be safe from pinned memory, "meta" copies nothing.
UNAWAITED = ("cuda", "meta")


def to_device(tensor: torch.Tensor, device: torch.device, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Copy a tensor from the host without waiting for the device, where that is possible.

    A plain copy waits until a GPU has done all that was queued before it, and then the GPU waits for Python.

    Args:
        tensor: On the host; it must not be changed afterwards.
        device: Where to.
        dtype: Of the result; None keeps it.

    Returns:
        The same numbers on the device; the tensor itself where nothing is to be done.
    """
    if device.type not in UNAWAITED:
        return tensor.to(device, dtype)
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, dtype, non_blocking=True)

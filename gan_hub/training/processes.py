"""Sums, means and flags over the processes of one run."""

from typing import Literal

import torch
from accelerate import Accelerator


def reduce(accelerator: Accelerator, value: torch.Tensor, how: Literal["sum", "mean"]) -> torch.Tensor:
    """The sum or mean of a tensor over all processes; each of them has to call it.

    Args:
        accelerator: knows the processes.
        value: this process's tensor, of one shape and dtype everywhere.
        how: "sum" or "mean".

    Returns:
        A tensor of that shape, the same on every process.
    """
    total = accelerator.reduce(value, how)
    assert isinstance(total, torch.Tensor)  # accelerate also takes nested tensors
    return total


def on_any(accelerator: Accelerator, flag: bool) -> bool:
    """Whether `flag` is true on at least one process; each of them has to call it, after the same step."""
    if accelerator.num_processes == 1:
        return flag
    return reduce(accelerator, torch.tensor(float(flag), device=accelerator.device), "sum").item() > 0

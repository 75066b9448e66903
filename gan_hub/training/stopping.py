"""Ending a run from outside without losing it: SIGTERM, Ctrl-C, or the death of the launcher."""

import os
import signal

import torch
from accelerate import Accelerator


class Stopped(Exception):
    """The run was asked to end (SIGTERM, Ctrl-C) and saved its state first."""


class StopSignal:
    """SIGTERM or Ctrl-C ends the run at the next step, on all processes together, after a checkpoint.

    `accelerate launch` does not pass a SIGTERM on: when it dies under a run, the run takes that as the signal.
    """

    def __init__(self, accelerator: Accelerator):
        self.accelerator = accelerator
        self.received = False
        self.parent = os.getppid() if "ACCELERATE_MIXED_PRECISION" in os.environ else None

    def __enter__(self) -> "StopSignal":
        self.previous = {number: signal.signal(number, self._receive) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _receive(self, number, frame) -> None:
        self.received = True

    def requested(self) -> bool:
        received = self.received or (self.parent is not None and os.getppid() != self.parent)
        if self.accelerator.num_processes == 1:
            return received
        flag = torch.tensor(float(received), device=self.accelerator.device)
        return self.accelerator.reduce(flag, "sum").item() > 0  # one process's signal stops them all at the same step

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
        self.signalled = False
        self.parent = os.getppid() if "ACCELERATE_MIXED_PRECISION" in os.environ else None

    def __enter__(self) -> "StopSignal":
        self.previous = {number: signal.signal(number, self._receive) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _receive(self, number, frame) -> None:
        self.signalled = True

    def received(self) -> bool:
        """Whether this process was told to stop."""
        return self.signalled or (self.parent is not None and os.getppid() != self.parent)

    def requested(self) -> bool:
        """Whether any process was; all of them ask, after the same step."""
        if self.accelerator.num_processes == 1:
            return self.received()
        flag = torch.tensor(float(self.received()), device=self.accelerator.device)
        return self.accelerator.reduce(flag, "sum").item() > 0  # one process's signal stops them all at the same step

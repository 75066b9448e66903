"""Ending a run from outside without losing it: a signal, a closed terminal, the death of the launcher."""

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

import torch
from accelerate import Accelerator

# Of these, the ones that the system has: kill, Ctrl-C, a closed terminal or a lost connection, Windows' Ctrl-Break.
SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
GONE = (errno.EIO, errno.EPIPE)  # what a write says to a terminal that was closed, or to a pipe that nobody reads


class StoppedError(Exception):
    """The run was asked to end by a signal, and saved its state first."""


class StopSignal:
    """A signal ends the run: while it `plays`, at the next step, on all processes together, after a checkpoint.

    Before the first step and after the last one there is nothing to save, and it ends at once. Further signals change
    nothing: a terminal that closes, a launcher and an impatient person may each send one. A signal that was ignored
    when the run started (nohup) stays ignored. `accelerate launch` does not pass a SIGTERM on: when it dies under a
    run, the run takes that as the signal.
    """

    def __init__(self, accelerator: Accelerator):
        self.accelerator = accelerator
        self.signalled = self.playing = False
        self.parent = os.getppid() if "ACCELERATE_MIXED_PRECISION" in os.environ else None
        self.previous: dict[int, object] = {}

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():  # no other one may choose what a signal does
            heeded = [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
            self.previous = {number: signal.signal(number, self._receive) for number in heeded}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _receive(self, number, frame) -> None:
        already, self.signalled = self.signalled, True
        if not self.playing and not already:
            raise StoppedError("stopped; what was saved is kept, --resume goes on.")

    @contextlib.contextmanager
    def plays(self) -> Iterator[None]:
        """Inside, a signal waits for the end of the step; what came too late for the last one ends the run afterwards."""
        self.playing = True
        try:
            yield
        finally:
            self.playing = False
        if self.signalled:
            raise StoppedError("stopped after the last step, which is saved; --resume exports.")

    def received(self) -> bool:
        """Whether this process was told to stop."""
        return self.signalled or (self.parent is not None and os.getppid() != self.parent)

    def requested(self) -> bool:
        """Whether any process was; all of them ask, after the same step."""
        if self.accelerator.num_processes == 1:
            return self.received()
        flag = torch.tensor(float(self.received()), device=self.accelerator.device)
        return self.accelerator.reduce(flag, "sum").item() > 0  # one process's signal stops them all at the same step


class _Lasting:
    """A text stream whose reader may go: from then on, what is written to it is written nowhere."""

    def __init__(self, stream: TextIO):
        self.stream, self.was_terminal = stream, stream.isatty()

    def __getattr__(self, name: str):
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        with self._letting_go():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._letting_go():
            self.stream.flush()

    @contextlib.contextmanager
    def _letting_go(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in GONE:
                raise
            self._write_nowhere()

    def _write_nowhere(self) -> None:
        """From the descriptor on, so that what still lies in the stream's buffer goes there as well."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.stream.fileno())
        os.close(nowhere)

    def close(self) -> None:
        """The end of the wrapping; a closed terminal, which is none any more, is let go for what comes after it, too."""
        self.flush()
        if self.was_terminal and not self.stream.isatty():
            self._write_nowhere()


@contextlib.contextmanager
def lasting_console() -> Iterator[None]:
    """Inside, a terminal that was closed, or a pipe that nobody reads any more, does not end what prints to it."""
    with contextlib.ExitStack() as stack:
        for redirect, stream in (
            (contextlib.redirect_stdout, sys.stdout),
            (contextlib.redirect_stderr, sys.stderr),
        ):
            if stream is not None:  # as where Windows starts Python without a console
                lasting = stack.enter_context(contextlib.closing(_Lasting(stream)))
                stack.enter_context(redirect(lasting))
        yield

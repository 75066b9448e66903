"""What ends a run from outside: a signal, a closed terminal, the death of the launcher or a process, a full disk."""

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from accelerate import Accelerator

from gan_hub.training.config import TrainConfig
from gan_hub.training.processes import on_any

# Of kill, Ctrl-C, a closed terminal or lost connection, and Windows' Ctrl-Break, the signals that this system has.
SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
GONE = (errno.EIO, errno.EPIPE)  # errors of a terminal that was closed, and of a pipe without a reader
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS)  # errors of a disk that takes no more


class StoppedError(Exception):
    """A signal has ended the run, after its state was saved."""


class StopSignal:
    """Ends a run at a signal: while it `plays`, after the step at hand and a checkpoint, on all processes together.

    Before the first step and after the last one there is nothing to save, and the run ends at once. Further signals change
    nothing: a terminal that closes, a launcher and an impatient person may each send one. A signal that was ignored when
    the run started (nohup) stays ignored. `accelerate launch` does not pass a SIGTERM on: its death counts as the signal.
    In a thread other than the main one, which Python does not let handle signals, none is handled.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.signalled = self.playing = False
        self.parent = os.getppid() if "ACCELERATE_MIXED_PRECISION" in os.environ else None
        self.previous: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():  # Python allows no other
            handled = [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
            self.previous = {number: signal.signal(number, self._receive) for number in handled}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        already, self.signalled = self.signalled, True
        if not self.playing and not already:
            raise StoppedError("stopped; what was saved is kept, resume=True goes on.")

    @contextlib.contextmanager
    def plays(self) -> Iterator[None]:
        """Inside, a signal waits for the end of the step; one that came too late for the last step ends the run afterwards."""
        self.playing = True
        try:
            yield
        finally:
            self.playing = False
        if self.signalled:
            raise StoppedError("stopped after the last step, which is saved; resume=True exports.")

    def received(self) -> bool:
        """Whether this process was told to stop."""
        return self.signalled or (self.parent is not None and os.getppid() != self.parent)

    def requested(self) -> bool:
        """Whether any process was told to stop; all of them have to ask, after the same step."""
        return on_any(self.accelerator, self.received())


class _Lasting:
    """A text stream that drops what is written once its terminal or reader is gone."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.was_terminal = stream, stream.isatty()

    def __getattr__(self, name: str) -> Any:
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
        """Redirect the file descriptor to nowhere, where the stream's buffer goes as well."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.stream.fileno())
        os.close(nowhere)

    def close(self) -> None:
        """End the wrapping; a terminal that was closed meanwhile stays redirected for later writes."""
        self.flush()
        if self.was_terminal and not self.stream.isatty():
            self._write_nowhere()


@contextlib.contextmanager
def lasting_console() -> Iterator[None]:
    """Inside, printing goes on, to nowhere, when the terminal is closed or the reader of a pipe is gone."""
    with contextlib.ExitStack() as stack:
        for redirect, stream in (
            (contextlib.redirect_stdout, sys.stdout),
            (contextlib.redirect_stderr, sys.stderr),
        ):
            if stream is not None:  # as where Windows starts Python without a console
                lasting = stack.enter_context(contextlib.closing(_Lasting(stream)))
                stack.enter_context(redirect(lasting))
        yield


@contextlib.contextmanager
def failures_explained(config: TrainConfig, processes: int) -> Iterator[None]:
    """Says what to do where the disk is full, or where another process of the run has died."""
    try:
        yield
    except OSError as error:
        inside = error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(config.run_folder)
        if error.errno not in FULL and not (inside and isinstance(error, PermissionError)):
            raise
        raise OSError(
            f"{config.run_folder}: cannot be written ({error.strerror}). What was saved is kept: make room, or the folder "
            "writable, and go on with resume=True."
        ) from error
    except RuntimeError as error:
        lost = ("Connection closed by peer", "Connection reset", "Broken pipe", "NCCL", "Timed out waiting", "gloo")
        if processes == 1 or not any(word in str(error) for word in lost):
            raise
        raise ConnectionError(
            "another process of this run ended, so that this one cannot go on. What was saved is kept; start all processes "
            "again with resume=True."
        ) from error

"""One process trains in a run's folder at a time: a second one is refused, with the name of the first, before it writes."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import gather_object
from filelock import FileLock, Timeout

from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError, read_json, write_json

LOCK_NAME, HOLDER_NAME, EXPORT_LOCK_NAME = "run.lock", "running.json", "export.lock"
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # what a file system says that knows none


class RunInUseError(ValueError):
    """Another process trains in the folder; the message says which."""


@contextlib.contextmanager
def held(folder: Path, accelerator: Accelerator) -> Iterator[None]:
    """Holds the lock of a run's folder, on the main process for all processes of this run.

    The system releases the lock when the process dies, however it dies. Raises RunInUseError on every process.
    """
    with contextlib.ExitStack() as stack:
        refusal = None
        if accelerator.is_main_process:
            try:
                stack.enter_context(_taken(folder))
            except RunInUseError as error:
                refusal = str(error)
        refusals = gather_object([refusal]) if accelerator.num_processes > 1 else [refusal]
        for sentence in filter(None, refusals):
            raise RunInUseError(sentence)
        yield


@contextlib.contextmanager
def _taken(folder: Path) -> Iterator[None]:
    """The lock of one process, and a note beside it of who holds it: a locked file cannot be read on every system."""
    lock, note = FileLock(folder / LOCK_NAME), folder / HOLDER_NAME
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunInUseError(
            f"{folder} is in use: {_holder(note)} trains there. Wait for its end or stop it, and go on with resume=True, or "
            "choose another name=."
        ) from error
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise
        print(f"note: the file system of {folder} knows no locks; start no second run of this name.", flush=True)
    try:
        since = datetime.now().astimezone().isoformat(" ", "seconds")
        write_json(note, {"pid": os.getpid(), "host": socket.gethostname(), "since": since})
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _holder(note: Path) -> str:
    """The holder of the lock, as far as the note tells."""
    try:
        content = read_json(note)
        pid, host, since = (short_repr(content[key]).strip("'") for key in ("pid", "host", "since"))
    except (LoadError, KeyError):
        return "another process"
    return f"process {pid} on {host}, started at {since},"


@contextlib.contextmanager
def one_export_at_a_time(folder: Path) -> Iterator[None]:
    """Holds the lock of exports: the end of a run and `gan-hub export` wait for each other."""
    lock = FileLock(folder / EXPORT_LOCK_NAME)
    try:
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()

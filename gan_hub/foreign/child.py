"""The reader's process: takes limits upon itself, opens three files, closes every door, and only then reads.

`python child.py IN FOLDER` with this package's parent on sys.path writes FOLDER/tree.json and FOLDER/tensors.safetensors, or
ends with code 3 and one sentence on stderr. It has neither torch nor pickle, and could load neither: once sealed, an import,
an opened file, a process, a connection or compiled code ends it.
"""

import codecs
import contextlib
import json
import mmap
import os
import sys
from typing import IO, NoReturn

from gan_hub.foreign.containers import read_container
from gan_hub.foreign.encode import Encoder
from gan_hub.foreign.inert import ForeignError

REFUSED = 3  # exit code of a sentence
SPARE_MEMORY = 600_000_000  # bytes beside what the file takes: Python and numpy reserve most of it
BYTES_A_SECOND = 20_000_000  # of a file, at the least
SPARE_SECONDS = 10
# Audit events of Python (PEP 578) that may not happen once the process is sealed, by how their names begin.
FORBIDDEN = (
    "import", "open", "exec", "compile", "marshal.", "code.", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pty.",
    "pickle.", "tempfile.", "glob.", "urllib.", "http.", "ftplib.", "webbrowser.", "sqlite3.", "mmap.", "sys.settrace",
    "sys.setprofile", "signal.", "fcntl.", "syslog.", "resource.", "winreg.", "msvcrt.", "cpython.run_", "builtins.input",
)  # fmt: skip


def seconds_for(size: int) -> int:
    """The CPU seconds that a file of `size` bytes may take."""
    return SPARE_SECONDS + size // BYTES_A_SECOND


def limit_resources(size: int) -> None:
    """Limit memory, CPU time, written bytes, open files and processes for a file of `size` bytes.

    On Windows, which has no `resource`, the time that the parent waits is the only limit.
    """
    try:
        import resource
    except ImportError:
        return
    limits = {
        "RLIMIT_AS": SPARE_MEMORY + 4 * size,  # the file, its strings and the tensors' copies
        "RLIMIT_CPU": seconds_for(size),
        "RLIMIT_FSIZE": 2 * size + 200_000_000,
        "RLIMIT_NOFILE": 32,
        "RLIMIT_NPROC": 0,
        "RLIMIT_CORE": 0,
    }
    for name, most in limits.items():
        kind = getattr(resource, name, None)
        # A system that has no such limit, or a lower one already, keeps what it has.
        with contextlib.suppress(ValueError, OSError):
            if kind is not None:
                resource.setrlimit(kind, (most, most))


def seal() -> None:
    """Forbid everything but computing and writing to open files, for good: an audit hook cannot be taken away."""
    for name in ("ascii", "latin-1", "raw_unicode_escape", "unicode_escape", "utf-8", "cp437"):
        codecs.lookup(name)  # which would be imported later

    def refuse(event: str, _: object) -> None:
        if event.startswith(FORBIDDEN):
            raise RuntimeError(f"the reader may not do this: {event}")

    sys.addaudithook(refuse)


def main(path: str, folder: str) -> int:
    """Read the file `path` into `folder`; returns the exit code."""
    size = os.path.getsize(path)
    if not size:
        return _refuse("it is empty")
    limit_resources(size)
    with (
        open(path, "rb") as source,
        open(os.path.join(folder, "tree.json"), "w", encoding="utf-8", errors="backslashreplace") as tree,
        open(os.path.join(folder, "tensors.safetensors"), "wb") as tensors,
    ):
        mapped = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
        seal()
        try:
            read_into(memoryview(mapped), tree, tensors)
        except ForeignError as error:
            return _refuse(str(error))
        except MemoryError:
            return _refuse("reading it takes more memory than a network of its size needs")
        except Exception as error:  # the reader's own guard, or damage of an unforeseen kind
            return _refuse(f"it is damaged, or of a kind that is not read here ({type(error).__name__})")
    return 0


def read_into(data: memoryview, tree: IO[str], tensors: IO[bytes]) -> None:
    """Read a file.

    Args:
        data: its bytes.
        tree, tensors: files for what was read.

    Raises:
        ForeignError: for whatever is wrong with it.
        MemoryError: where it takes more than the limit.
    """
    encoder = Encoder()
    content = encoder.encode(read_container(data))
    tree.write(json.dumps(content))
    encoder.write_tensors(tensors, len(data))


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return REFUSED


def run() -> NoReturn:
    """Read what the command line says, and leave at once: at its end Python would import and open what is forbidden."""
    code = main(*sys.argv[1:3])
    sys.stderr.flush()
    os._exit(code)

"""The containers that weights come in: zip files of torch, its older format, bare pickles; found by their first bytes.

No container is unpacked: numbers stay where they lie in the file, which is mapped into memory.
"""

import io
import mmap
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from gan_hub.foreign.inert import ITEM_BYTES, ForeignError, Inert, Storage
from gan_hub.foreign.opcodes import Machine, Persistent, refuse_persistent
from gan_hub.foreign.rebuild import storage_dtype

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of torch's format before 1.6
MAX_ENTRIES = 200_000  # of a zip file
MAX_NESTED = 3  # files in files; NVIDIA's pickles hold one storage a file, in one file
LOCAL_HEADER = 30  # bytes of a zip entry's own header before its name


def read_container(data: memoryview, depth: int = 0) -> Any:
    """The object in a file, as inert data.

    Args:
        data: the bytes of the file.
        depth: how many files it lies in.

    Returns: what it holds.

    Raises:
        ForeignError: for any other container, and for a damaged one.
    """
    if depth > MAX_NESTED:
        raise ForeignError("its pickle is nested too deeply")
    start = bytes(data[:8])
    if start.startswith(b"PK\x03\x04"):
        return _read_zip(data, depth)
    if start[:1] == b"\x80" or _is_text_pickle(data):
        return _read_pickles(data, depth)
    raise ForeignError("neither a zip file of torch nor a pickle")


def _is_text_pickle(data: memoryview) -> bool:
    """Whether bytes may be a pickle of protocol 0 or 1: it begins with one of few opcodes and ends in STOP."""
    return len(data) > 1 and bytes(data[:1]) in b"(]}Ncl" and bytes(data[-1:]) in (b".", b"\n")


def _machine(stream: IO[bytes], persistent: Persistent, depth: int) -> Machine:
    def nested(data: bytes) -> Storage:
        storage = read_container(memoryview(data), depth + 1)
        if isinstance(storage, Inert) and isinstance(
            storage.state, dict
        ):  # of torch 1.13 and later: typed, around untyped
            storage = storage.state.get("_untyped_storage")
        if not isinstance(storage, Storage):
            raise ForeignError("a part of it that should be numbers is none")
        return storage

    return Machine(stream, persistent, nested)


# ------------------------------------------------------------------------------------------------- pickles


def _read_pickles(data: memoryview, depth: int) -> Any:
    """A bare pickle, or several and their storages: torch's older format."""
    # Of the whole file, which is mapped, no copy is made; a file in a file is small.
    stream: Any = data.obj if isinstance(data.obj, mmap.mmap) else io.BytesIO(data)
    storages: dict[str, Storage] = {}

    def persistent(key: object) -> Any:
        if isinstance(key, tuple) and len(key) == 4 and key[0] == "module":
            return key[1]  # the name of a network's class; its source lies beside it, and is left there
        storage, name = _storage_of(key)
        return storages.setdefault(name, storage)

    first = _machine(stream, persistent, depth).run()
    if first != LEGACY_MAGIC:
        if any(storage.data is None for storage in storages.values()):
            refuse_persistent(None)
        return first
    _check_system(*(_machine(stream, refuse_persistent, depth).run() for _ in range(2)))
    content = _machine(stream, persistent, depth).run()
    names = _machine(stream, refuse_persistent, depth).run()
    if not isinstance(names, list) or {str(name) for name in names} != storages.keys():
        raise ForeignError("it does not list its storages")
    place = stream.tell()
    for name in names:
        storage = storages[str(name)]
        size = storage.length * ITEM_BYTES[storage.dtype]
        if int.from_bytes(data[place : place + 8], "little") != storage.length or place + 8 + size > len(data):
            raise ForeignError("it is cut off, or its storages have other sizes than it says")
        storage.data = data[place + 8 : place + 8 + size]
        place += 8 + size
    return content


def _check_system(protocol: object, system: object) -> None:
    if protocol != 1001 or not isinstance(system, dict):
        raise ForeignError("of a version of torch's old format that is not known")
    if system.get("little_endian") is False:
        raise ForeignError("written by a machine whose numbers begin with their high byte")


def _storage_of(key: object) -> tuple[Storage, str]:
    """The storage that a persistent id of torch describes, still without numbers, and its name in the file."""
    parts: tuple[Any, ...] = key if isinstance(key, tuple) else ()
    if len(parts) < 5 or parts[0] != "storage":
        refuse_persistent(key)
    _, kind, name, _, length, *view = parts
    if type(length) is not int or not 0 <= length < 2**48 or not isinstance(name, (str, int)):
        raise ForeignError("the size of a storage in it makes no sense")
    if view and view[0] is not None:
        raise ForeignError("one of its storages is a part of another, as in files of torch before 0.4")
    return Storage(storage_dtype(kind), length), str(name)


# ------------------------------------------------------------------------------------------------- zip


def _read_zip(data: memoryview, depth: int) -> Any:
    entries = dict(_entries(data))
    pickle_name = next((name for name in entries if name.rpartition("/")[2] == "data.pkl"), None)
    if pickle_name is None:
        raise ForeignError("a zip file, but none of torch (no data.pkl in it)")
    root = pickle_name.removesuffix("data.pkl")
    if f"{root}constants.pkl" in entries or any(name.startswith(f"{root}code/") for name in entries):
        raise ForeignError("a TorchScript program, which is code; save the state dict of the network instead")
    if bytes(entries.get(f"{root}byteorder", b"little")).strip() == b"big":
        raise ForeignError("written by a machine whose numbers begin with their high byte")
    storages: dict[str, Storage] = {}

    def persistent(key: object) -> Any:
        storage, name = _storage_of(key)
        if name not in storages:
            record = entries.get(f"{root}data/{name}")
            size = storage.length * ITEM_BYTES[storage.dtype]
            if record is None or len(record) < size:
                raise ForeignError("a tensor in it claims more numbers than the file holds")
            storage.data = record[:size]
            storages[name] = storage
        return storages[name]

    return _machine(io.BytesIO(entries[pickle_name]), persistent, depth).run()


def _entries(data: memoryview) -> Iterator[tuple[str, memoryview]]:
    """(name, bytes) of the entries of a zip file, which torch never compresses."""
    stream: Any = data.obj if isinstance(data.obj, mmap.mmap) else io.BytesIO(data)
    try:
        listed = zipfile.ZipFile(stream).infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, UnicodeDecodeError) as error:
        raise ForeignError("a zip file that is damaged or cut off") from error
    if len(listed) > MAX_ENTRIES:
        raise ForeignError(f"a zip file of more than {MAX_ENTRIES:,} entries")
    total = 0
    for entry in listed:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise ForeignError("a zip file with compressed or encrypted entries, as torch writes none")
        header = bytes(data[entry.header_offset : entry.header_offset + LOCAL_HEADER])
        name, extra = (int.from_bytes(header[place : place + 2], "little") for place in (26, 28))
        begin = entry.header_offset + LOCAL_HEADER + name + extra
        total += entry.file_size
        if header[:4] != b"PK\x03\x04" or entry.file_size != entry.compress_size or begin + entry.file_size > len(data):
            raise ForeignError("a zip file that is damaged or cut off")
        if total > len(data):
            raise ForeignError("a zip file whose entries overlap")
        yield entry.filename, data[begin : begin + entry.file_size]

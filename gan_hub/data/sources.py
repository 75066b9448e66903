"""Lists the images in a folder or a zip, before any is decoded."""

import functools
import hashlib
import os
import re
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

from gan_hub.data.decode import Entry
from gan_hub.data.folder_layout import SplitSelection, select_split
from gan_hub.data.label_files import precedence, read_label_files
from gan_hub.data.limits import MAX_TABLE_BYTES, TooLargeError
from gan_hub.model_folder.strict import read_bytes

DECODED_SUFFIXES = {".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
DECODED_SUFFIXES |= {".jp2", ".avif"}
# Images that cannot be decoded: listed as well, so that they are counted instead of quietly left out.
COUNTED_SUFFIXES = {".heic", ".heif", ".svg", ".jxl", ".psd"}
IMAGE_SUFFIXES = DECODED_SUFFIXES | COUNTED_SUFFIXES
# Names of the MNIST family's files.
IDX_NAME = re.compile(r"(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(\.gz)?", re.IGNORECASE)


@dataclass
class SplitContents:
    """The entries of one split, and how its split and labels were found."""

    entries: Iterable[Entry]
    label_names: list[str] | None = None
    split: str = ""  # which folders, files or arrays were taken for the splits; "" where there are none
    labels_of: str = ""  # the file or column the labels come from; "" for the usual one
    notes: list[str] = field(default_factory=list)  # what else to know about how splits and labels were found
    unusable: list[tuple[str, str]] = field(default_factory=list)  # (name, kind) of what is no entry


@dataclass(frozen=True)
class UndecodedSource:
    """A source that was listed. Nothing is decoded before `open` is called and its entries are iterated."""

    max_count: int | None  # upper bound of the number of entries; None where only reading gives it
    open: Callable[[], SplitContents]
    version: Callable[[], str | None]  # a text that differs when the source has changed; None where that is unknown
    always_cache: bool = False  # reading it again is slow: what was decoded is kept on the disk whatever its size
    file_bytes: Callable[[], int] = lambda: 0  # of the files that are decoded; 0 of what is pixels already

    @property
    def workers(self) -> int | None:
        """Threads that are worth their while, for `decode_all`: one where nothing is decoded."""
        return None if self.file_bytes() else 1


def hash_lines(lines: Iterable[str]) -> str:
    """One sha256 (hex) of many lines."""
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def file_version(path: Path) -> str:
    """Name, size and times of the last change of a file: of its content, and of what the system knows about it.

    The former can be set by hand, and is by tools that copy files with their times.
    """
    try:
        status = path.stat()
    except OSError:
        return f"{path} gone"
    return f"{path} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def file_size(path: Path) -> int:
    """Bytes of a file; 0 where it cannot be asked for them, as when it was removed since it was listed."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def is_image_name(name: str) -> bool:
    """Whether a file's name has the ending of an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _is_data_name(name: str) -> bool:
    return is_image_name(name) or Path(name).suffix.lower() == ".parquet" or IDX_NAME.fullmatch(name) is not None


def is_hidden(file: Path, folder: Path) -> bool:
    """Whether the file, or a folder around it below `folder`, has a name that begins with a dot."""
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


# --------------------------------------------------------------------------------------------- folders


@dataclass
class FolderTree:
    """All files in a folder at any depth, without the hidden ones, sorted by name."""

    path: Path
    files: list[Path]
    unreadable: list[Path]  # sub-folders
    unusable: list[tuple[str, str]]  # (name, kind) of links to folders, broken links, pipes, devices

    @functools.cached_property
    def images(self) -> list[Path]:
        """The files whose names have the ending of an image."""
        return [file for file in self.files if is_image_name(file.name)]

    def ending(self, *suffixes: str) -> list[Path]:
        """The files whose names end in one of `suffixes`, in capitals or not."""
        return [file for file in self.files if file.name.lower().endswith(suffixes)]


def walk_folder(path: Path) -> FolderTree:
    """List the folder `path`. Raises ValueError where `path` itself cannot be read.

    Links to files are files. Links to folders are not followed: they may lead anywhere, and round in a ring.
    """
    errors: list[OSError] = []
    files, unusable = [], []
    for folder, folders, names in os.walk(path, onerror=errors.append):
        files += [Path(folder, name) for name in names]
        unusable += [(Path(folder, name), "link to a folder") for name in folders if os.path.islink(Path(folder, name))]
    unreadable = {Path(error.filename): error for error in errors}
    if path in unreadable:
        raise ValueError(f"data {str(path)!r}: the folder cannot be read ({unreadable[path].strerror}).")
    faults = {file: _file_fault(file) for file in files if not is_hidden(file, path)}
    unusable += [(file, fault) for file, fault in faults.items() if fault is not None and _is_data_name(file.name)]
    named = sorted((_relative_name(file, path, kind), kind) for file, kind in unusable if not is_hidden(file, path))
    readable = sorted(file for file, fault in faults.items() if fault is None)
    return FolderTree(path, readable, sorted(folder for folder in unreadable if not is_hidden(folder, path)), named)


def _file_fault(path: Path) -> str | None:
    """None for files, and for paths of unknown type (reading them fails later)."""
    try:
        return None if path.is_file() else "not a file" if path.exists() else "broken link"
    except OSError:
        return None


def _relative_name(file: Path, folder: Path, kind: str = "link to a folder") -> str:
    """The path below `folder`, with / at the end of what is a folder."""
    return file.relative_to(folder).as_posix() + "/" * (kind == "link to a folder")


def add_unreadable_folders(tree: FolderTree, source: UndecodedSource) -> UndecodedSource:
    """`source`, and after its entries one for each sub-folder that cannot be read, so that it is counted as unusable."""
    missed = [
        Entry(_relative_name(path, tree.path), None, 0, path.read_bytes) for path in tree.unreadable
    ]  # which fails

    def open_() -> SplitContents:
        contents = source.open()
        unusable = [*contents.unusable, *tree.unusable]
        return replace(contents, entries=chain(contents.entries, missed), unusable=unusable)

    extra = [*(entry.name for entry in missed), *(f"{name} {kind}" for name, kind in tree.unusable)]
    max_count = None if source.max_count is None else source.max_count + len(missed)
    return replace(source, max_count=max_count, open=open_, version=lambda: hash_lines([str(source.version()), *extra]))


def list_folder(tree: FolderTree, split: str, classes: bool = True) -> UndecodedSource:
    """The images in a folder. Its unreadable sub-folders are entries as well, which cannot be used.

    Args:
        tree: the folder.
        split: "train" or "test".
        classes: whether labels are looked for, in files and folder names.

    Returns:
        The images of the split, not decoded.
    """
    path = tree.path
    names = [file.relative_to(path).as_posix() for file in tree.images]
    tables = {
        file.relative_to(path).as_posix(): partial(read_bytes, file, MAX_TABLE_BYTES)
        for file in (tree.ending(".json", ".jsonl", ".csv", ".tsv") if classes else ())
    }
    unreadable = [_relative_name(folder, path) for folder in tree.unreadable]
    selection = _select(path, names, unreadable, tables, split, classes)
    selection.left_out += tree.unusable

    def entries() -> Iterator[Entry]:
        for name, label in selection.images:
            yield Entry(name, label, file_size(path / name), (path / name).read_bytes)

    return UndecodedSource(
        len(selection.images),
        lambda: _contents(entries(), selection),
        lambda: hash_lines(
            chain((file_version(path / name) for name, _ in selection.images), _version_lines(selection))
        ),
        file_bytes=lambda: sum(file_size(path / name) for name, _ in selection.images),
    )


def _select(
    path: Path,
    images: list[str],
    unreadable: list[str],
    tables: dict[str, Callable[[], bytes]],
    split: str,
    classes: bool,
) -> SplitSelection:
    """The images of a split and their labels; ValueError names the source where a file with labels is wrong."""
    try:
        table, unused = read_label_files(tables, images) if classes else (None, [])
    except ValueError as error:
        raise ValueError(
            f"data {str(path)!r}: {str(error).rstrip('.')}; put that right, or move the file elsewhere, and the folders "
            "are the classes."
        ) from error
    selection = select_split(images + unreadable, split, table, classes)
    selection.notes += unused
    return selection


def _contents(entries: Iterable[Entry], selection: SplitSelection) -> SplitContents:
    return SplitContents(
        entries, selection.class_names, selection.split, selection.labels_of, selection.notes, selection.left_out
    )


def _version_lines(selection: SplitSelection) -> Iterator[str]:
    """The lines that a selection adds to a source's version, besides the names of its images."""
    yield (f"{selection.class_names} {selection.split} {selection.labels_of} {selection.notes} {selection.left_out}")
    yield " ".join(str(label) for _, label in selection.images)


# ------------------------------------------------------------------------------------------------ zips


def list_zip(path: Path, split: str, classes: bool = True) -> UndecodedSource:
    """The images in a .zip, which is read in place and never unpacked to the disk.

    Args:
        path: the file.
        split: "train" or "test".
        classes: whether labels are looked for, in files and folder names.

    Returns:
        The images of the split, not decoded.

    Raises:
        ValueError: the file is no readable zip, or a file with labels in it is wrong.
        NoSuchSplitError: the zip has no such split.
    """

    def opened() -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise ValueError(f"data {path}: not a readable zip ({error}).") from error

    version = file_version(path)  # before it is listed: a zip that takes its place later is another one
    with opened() as zipped:
        infos = {forward_slashes(info.filename): info for info in zipped.infolist() if not info.is_dir()}
    tables = {name: partial(_read_table, path, info) for name, info in infos.items() if precedence(name) is not None}
    selection = _select(path, [name for name in infos if is_image_name(name)], [], tables, split, classes)

    def entries() -> Iterator[Entry]:
        zipped = opened()  # closed with the last entry that reads from it, which may be after the last one is listed
        lock = threading.Lock()  # a ZipFile counts its readers, and threads may miscount

        def read(name: str) -> bytes:
            with lock:
                return read_zip_member(zipped, infos[name].filename, infos[name].file_size)

        for name, label in selection.images:
            yield Entry(name, label, infos[name].file_size, partial(read, name))

    return UndecodedSource(
        len(selection.images),
        lambda: _contents(entries(), selection),
        lambda: hash_lines([version, *_version_lines(selection)]),
        file_bytes=lambda: sum(infos[name].file_size for name, _ in selection.images),
    )


def forward_slashes(name: str) -> str:
    r"""A zip member's name with / between its parts, also where a tool of Windows has written \ there."""
    return name.replace("\\", "/")


def zip_names(path: Path) -> list[str]:
    """Names of all files in a zip."""
    with zipfile.ZipFile(path) as zipped:
        return [forward_slashes(info.filename) for info in zipped.infolist() if not info.is_dir()]


def read_zip_member(zipped: zipfile.ZipFile, name: str, size: int) -> bytes:
    """Read one file of a zip; a bomb that claims a small size is unpacked no further than that.

    Args:
        zipped: the open zip.
        name: the file's name in it.
        size: its unpacked size in bytes, as the zip claims.

    Returns:
        The file's bytes.
    """
    with zipped.open(name) as file:
        return file.read(size + 1)  # one more, so that the end is reached and the checksum compared


def _read_table(path: Path, info: zipfile.ZipInfo) -> bytes:
    """The bytes of a file with labels in the zip `path`."""
    if info.file_size > MAX_TABLE_BYTES:
        raise TooLargeError(
            f"{info.filename} has {info.file_size:,} bytes, and at most {MAX_TABLE_BYTES:,} are allowed"
        )
    try:
        with zipfile.ZipFile(path) as zipped:
            return read_zip_member(zipped, info.filename, info.file_size)
    except Exception as error:  # a wrong checksum, a password, an unknown packing
        raise ValueError(f"{info.filename} cannot be read ({error})") from error

"""What a folder or a zip of pictures holds, found before any picture is decoded."""

import functools
import hashlib
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

from gan_hub.data import labels
from gan_hub.data.decode import Entry
from gan_hub.data.layout import Plan, plan
from gan_hub.data.limits import MAX_TABLE_BYTES, TooLargeError
from gan_hub.model_folder.strict import read_bytes

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
IMAGE_SUFFIXES |= {".jp2", ".avif"}
# Pictures that cannot be used: looked at as well, so that they are counted instead of quietly left out.
COUNTED_SUFFIXES = {".heic", ".heif", ".svg", ".jxl", ".psd"}
PICTURE_SUFFIXES = IMAGE_SUFFIXES | COUNTED_SUFFIXES
# The MNIST family's files.
IDX = re.compile(r"(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(\.gz)?", re.IGNORECASE)


@dataclass
class Contents:
    """The entries of one split, and what is told of them."""

    entries: Iterable[Entry]
    label_names: list[str] | None = None
    split: str = ""  # what was taken for the splits; "" where there are none
    labels_of: str = ""  # the file or column the labels come from; "" where it is the plain thing
    notes: list[str] = field(default_factory=list)  # what else is to be known of how splits and labels were found
    unusable: list[tuple[str, str]] = field(default_factory=list)  # (name, kind) of what is no entry


@dataclass(frozen=True)
class Listing:
    """What a source holds. Nothing is decoded before `open` is called and its entries are gone through."""

    count: int | None  # entries at most; None where only reading tells
    open: Callable[[], Contents]
    state: Callable[[], str | None]  # another text where the source has changed; None where that cannot be found out
    keep: bool = False  # fetching it again is slow: what was decoded is kept on the disk whatever its size


def state_of(lines: Iterable[str]) -> str:
    """One short text for many."""
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def stamp(path: Path) -> str:
    """Name, size and time of a file's last change."""
    try:
        status = path.stat()
    except OSError:
        return f"{path} gone"
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def is_picture(name: str) -> bool:
    """Whether a file's name is that of a picture."""
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES


def _may_be_data(name: str) -> bool:
    return is_picture(name) or Path(name).suffix.lower() == ".parquet" or IDX.fullmatch(name) is not None


def is_hidden(file: Path, folder: Path) -> bool:
    """Whether the file, or a folder around it below `folder`, is a hidden one."""
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


# ----------------------------------------------------------------------------------------- image files


@dataclass
class Tree:
    """What lies in a folder at any depth, without the hidden files, in the order of the names."""

    path: Path
    files: list[Path]
    unreadable: list[Path]  # sub-folders
    unusable: list[tuple[str, str]]  # (name, kind) of what is neither: links that are not followed, pipes, devices

    @functools.cached_property
    def pictures(self) -> list[Path]:
        return [file for file in self.files if is_picture(file.name)]

    def ending(self, *suffixes: str) -> list[Path]:
        return [file for file in self.files if file.name.lower().endswith(suffixes)]


def walk(path: Path) -> Tree:
    """Everything in the folder `path`. Raises ValueError where `path` itself cannot be read.

    Links to files are files, links to folders are not followed: they may lead anywhere, and round in a ring.
    """
    errors: list[OSError] = []
    files, unusable = [], []
    for place, folders, names in os.walk(path, onerror=errors.append):
        files += [Path(place, name) for name in names]
        unusable += [(Path(place, name), "link to a folder") for name in folders if os.path.islink(Path(place, name))]
    unreadable = {Path(error.filename): error for error in errors}
    if path in unreadable:
        raise ValueError(f"data {str(path)!r}: the folder cannot be read ({unreadable[path].strerror}).")
    kinds = {file: _other_kind(file) for file in files if not is_hidden(file, path)}
    unusable += [(file, kind) for file, kind in kinds.items() if kind is not None and _may_be_data(file.name)]
    told = sorted((_name(file, path, kind), kind) for file, kind in unusable if not is_hidden(file, path))
    readable = sorted(file for file, kind in kinds.items() if kind is None)
    return Tree(path, readable, sorted(place for place in unreadable if not is_hidden(place, path)), told)


def _other_kind(path: Path) -> str | None:
    """None for a file, or for what keeps to itself whether it is one: then reading it will tell."""
    try:
        return None if path.is_file() else "not a file" if path.exists() else "broken link"
    except OSError:
        return None


def _name(place: Path, path: Path, kind: str = "link to a folder") -> str:
    return place.relative_to(path).as_posix() + "/" * (kind == "link to a folder")


def with_unreadable(tree: Tree, listing: Listing) -> Listing:
    """`listing` of the folder, and after its entries one for each sub-folder that cannot be read, to be counted."""
    missed = [Entry(_name(place, tree.path), None, 0, place.read_bytes) for place in tree.unreadable]  # which fails

    def open_() -> Contents:
        contents = listing.open()
        return replace(contents, entries=chain(contents.entries, missed), unusable=[*contents.unusable, *tree.unusable])

    extra = [*(entry.name for entry in missed), *(f"{name} {kind}" for name, kind in tree.unusable)]
    return Listing(listing.count + len(missed), open_, lambda: state_of([listing.state(), *extra]))


def folder(tree: Tree, split: str, classes: bool = True) -> Listing:
    """The pictures in a folder; its unreadable sub-folders are entries as well, which cannot be used."""
    path = tree.path
    names = [file.relative_to(path).as_posix() for file in tree.pictures]
    tables = {
        file.relative_to(path).as_posix(): partial(read_bytes, file, MAX_TABLE_BYTES)
        for file in (tree.ending(".json", ".jsonl", ".csv", ".tsv") if classes else ())
    }
    planned = _planned(path, names, [_name(place, path) for place in tree.unreadable], tables, split, classes)
    planned.left_out += tree.unusable

    def entries() -> Iterator[Entry]:
        for name, label in planned.chosen:
            try:
                size = (path / name).stat().st_size
            except OSError:
                size = 0  # gone since; reading it will tell
            yield Entry(name, label, size, (path / name).read_bytes)

    return Listing(
        len(planned.chosen),
        lambda: _contents(entries(), planned),
        lambda: state_of(chain((stamp(path / name) for name, _ in planned.chosen), _said(planned))),
    )


def _planned(
    path: Path, pictures: list[str], unreadable: list[str], tables: dict, split: str, classes: bool = True
) -> Plan:
    try:
        table, unused = labels.read(tables, pictures) if classes else (None, [])
    except ValueError as error:
        raise ValueError(
            f"data {str(path)!r}: {str(error).rstrip('.')}; put that right, or move the file elsewhere, and the folders "
            "are the classes."
        ) from error
    planned = plan(pictures + unreadable, split, table, classes)
    planned.notes += unused
    return planned


def _contents(entries: Iterable[Entry], planned: Plan) -> Contents:
    return Contents(entries, planned.names, planned.split, planned.labels_of, planned.notes, planned.left_out)


def _said(planned: Plan) -> Iterator[str]:
    """What a plan says besides the files it chose, as lines of a state."""
    yield f"{planned.names} {planned.split} {planned.labels_of} {planned.notes} {planned.left_out}"
    yield " ".join(str(label) for _, label in planned.chosen)


def archive(path: Path, split: str, classes: bool = True) -> Listing:
    """A .zip of image files, which is read and never unpacked to the disk."""

    def opened() -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise ValueError(f"data {path}: not a readable zip ({error}).") from error

    with opened() as zipped:
        infos = {plain(info.filename): info for info in zipped.infolist() if not info.is_dir()}
    tables = {name: partial(_table, path, info) for name, info in infos.items() if labels.rank(name) is not None}
    planned = _planned(path, [name for name in infos if is_picture(name)], [], tables, split, classes)

    def entries() -> Iterator[Entry]:
        with opened() as zipped:
            for name, label in planned.chosen:
                size = infos[name].file_size
                yield Entry(name, label, size, partial(member, zipped, infos[name].filename, size))

    return Listing(
        len(planned.chosen),
        lambda: _contents(entries(), planned),
        lambda: state_of([stamp(path), *_said(planned)]),
    )


def plain(name: str) -> str:
    r"""A zip member's name with / between its parts, also where a tool of Windows has written \ there."""
    return name.replace("\\", "/")


def members(path: Path) -> list[str]:
    """Names of all files in a zip."""
    with zipfile.ZipFile(path) as zipped:
        return [plain(info.filename) for info in zipped.infolist() if not info.is_dir()]


def member(zipped: zipfile.ZipFile, name: str, size: int) -> bytes:
    """The bytes of a zip's member; a bomb that says it is of a small `size` is unpacked no further than that."""
    with zipped.open(name) as file:
        return file.read(size + 1)  # one more, so that the end is reached and the checksum compared


def _table(path: Path, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > MAX_TABLE_BYTES:
        raise TooLargeError(
            f"{info.filename} has {info.file_size:,} bytes, and at most {MAX_TABLE_BYTES:,} are allowed"
        )
    try:
        with zipfile.ZipFile(path) as zipped:
            return member(zipped, info.filename, info.file_size)
    except Exception as error:  # a wrong checksum, a password, an unknown packing
        raise ValueError(f"{info.filename} cannot be read ({error})") from error

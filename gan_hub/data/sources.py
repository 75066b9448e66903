"""What a folder, a zip, an .npz or idx files hold, found before any picture is decoded."""

import gzip
import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from gan_hub.data.pictures import Entry

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
IMAGE_SUFFIXES |= {".jp2", ".avif"}
# Pictures that cannot be used: looked at as well, so that they are counted instead of quietly left out.
COUNTED_SUFFIXES = {".heic", ".heif", ".svg", ".jxl", ".psd"}


class NoSuchSplit(ValueError):
    """The data set exists, but not the part of it that was asked for."""


@dataclass(frozen=True)
class Listing:
    """What a source holds. Nothing is decoded before `open` is called and its entries are gone through."""

    count: int | None  # entries at most; None where only reading tells
    open: Callable[[], tuple[Iterable[Entry], list[str] | None]]  # the entries, and the names of the classes
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


# ----------------------------------------------------------------------------------------- image files


def plan(files: list[str], split: str) -> tuple[list[tuple[str, int | None]], list[str] | None]:
    """((file, label) of the split, all class names) of image files given by their paths, with / between the parts.

    Top folders "train" and "test" are splits where there are any, else all is "train". The next folder is the class.
    One folder around everything, and a class without others, say nothing and do not count. The classes are those of
    all splits, so that a label means the same in each. Hidden files, such as macOS leaves in archives, are no images.
    A folder that cannot be read, given as its path with / at the end, is planned as a file in it would be: its class
    keeps its number. Where it is a split, nothing is known of its classes.
    Raises NoSuchSplit where the test split is asked for and there is none.
    """
    parts = {file: file.split("/") for file in files}
    parts = {file: p for file, p in parts.items() if not any(part.startswith(".") for part in p)}
    splits = {"train", "test"}
    while parts and len({p[0] for p in parts.values()} - splits) == len({p[0] for p in parts.values()}) == 1:
        if min(map(len, parts.values())) == 1:
            break
        parts = {file: p[1:] for file, p in parts.items()}
    if any(p[0] in splits for p in parts.values() if len(p) > 1):
        sides = {file: (p[0], p[1:]) for file, p in parts.items() if p[0] in splits}
    else:
        sides = {file: ("train", p) for file, p in parts.items()}
    classes = {file: p[0] if len(p) > 1 else None for file, (_, p) in sides.items()}
    chosen = sorted(file for file, (side, _) in sides.items() if side == split)
    if not chosen and split == "test":
        raise NoSuchSplit("the data has no test split (no folder named test).")
    found = {classes[file] for file, (_, p) in sides.items() if p != [""]}
    if None in found or len(found) < 2:
        return [(file, None) for file in chosen], None
    names = sorted(found)
    numbers = {name: number for number, name in enumerate(names)}
    return [(file, numbers.get(classes[file])) for file in chosen], names


def is_picture(name: str) -> bool:
    """Whether a file's name is that of a picture."""
    return Path(name).suffix.lower() in IMAGE_SUFFIXES | COUNTED_SUFFIXES


def is_hidden(file: Path, folder: Path) -> bool:
    """Whether the file, or a folder around it below `folder`, is a hidden one."""
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def walk(path: Path) -> tuple[list[Path], list[Path]]:
    """(files, sub-folders that cannot be read) at any depth in the folder `path`, without the hidden ones.

    Links to files are files, links to folders are not followed. Raises ValueError where `path` itself cannot be read.
    """
    errors: list[OSError] = []
    files = [Path(place, name) for place, _, names in os.walk(path, onerror=errors.append) for name in names]
    unreadable = {Path(error.filename): error for error in errors}
    if path in unreadable:
        raise ValueError(f"data {str(path)!r}: the folder cannot be read ({unreadable[path].strerror}).")
    files = sorted(file for file in files if not is_hidden(file, path) and _may_be_file(file))
    return files, sorted(place for place in unreadable if not is_hidden(place, path))


def _may_be_file(path: Path) -> bool:
    """Whether it is a file, or keeps that to itself: then reading it will tell."""
    try:
        return path.is_file()
    except OSError:
        return True


def _folder_name(place: Path, path: Path) -> str:
    return f"{place.relative_to(path).as_posix()}/"


def with_unreadable(path: Path, listing: Listing, unreadable: list[Path]) -> Listing:
    """`listing` of the folder `path`, and after its entries one for each `unreadable` sub-folder, to be counted."""
    if not unreadable:
        return listing
    missed = [Entry(_folder_name(place, path), None, 0, place.read_bytes) for place in unreadable]  # which fails

    def open_() -> tuple[Iterable[Entry], list[str] | None]:
        entries, names = listing.open()
        return chain(entries, missed), names

    return Listing(
        listing.count + len(missed), open_, lambda: state_of([listing.state(), *(entry.name for entry in missed)])
    )


def folder(path: Path, split: str, files: list[Path], unreadable: list[Path]) -> Listing:
    """Image `files` in the folder `path`; its `unreadable` sub-folders are entries as well, which cannot be used."""
    found = [file.relative_to(path).as_posix() for file in files]
    chosen, names = plan(found + [_folder_name(place, path) for place in unreadable], split)

    def entries() -> Iterator[Entry]:
        for name, label in chosen:
            try:
                size = (path / name).stat().st_size
            except OSError:
                size = 0  # gone since; reading it will tell
            yield Entry(name, label, size, (path / name).read_bytes)

    return Listing(len(chosen), lambda: (entries(), names), lambda: state_of(stamp(path / name) for name, _ in chosen))


def _member(zipped: zipfile.ZipFile, name: str, size: int) -> bytes:
    """The bytes of a zip's member; a bomb that says it is of a small `size` is unpacked no further than that."""
    with zipped.open(name) as file:
        return file.read(size + 1)  # one more, so that the end is reached and the checksum compared


def archive(path: Path, split: str) -> Listing:
    """A .zip of image files, which is read and never unpacked to the disk."""

    def opened() -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise ValueError(f"data {path}: not a readable zip ({error}).") from error

    with opened() as zipped:
        sizes = {info.filename: info.file_size for info in zipped.infolist() if not info.is_dir()}
    chosen, names = plan([name for name in sizes if is_picture(name)], split)

    def entries() -> Iterator[Entry]:
        with opened() as zipped:
            for name, label in chosen:
                yield Entry(name, label, sizes[name], partial(_member, zipped, name, sizes[name]))

    return Listing(len(chosen), lambda: (entries(), names), lambda: stamp(path))


# ---------------------------------------------------------------------------------------------- arrays


def arrays(images: np.ndarray, labels: np.ndarray | None, files: list[Path]) -> Listing:
    """uint8 images (N, H, W) or (N, H, W, C) with 1 to 4 channels and whole-number labels, read from `files`."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[3:] not in ((), (1,), (2,), (3,), (4,)):
        raise ValueError(
            f"image arrays are uint8 (N, H, W) or (N, H, W, C) with 1 to 4 channels, not {images.dtype} {images.shape}."
        )
    if 0 in images.shape[1:3]:
        raise ValueError(f"data {files[0]}: an image has at least one pixel, but the array's shape is {images.shape}.")
    images = images[..., None] if images.ndim == 3 else images
    if labels is not None:
        if labels.size != len(images):  # (N,), or (N, 1) as in CIFAR's files
            raise ValueError(f"{len(images)} images, but labels of shape {labels.shape}.")
        if labels.dtype.kind not in "iu":
            raise ValueError(f"labels are whole numbers from 0, not {labels.dtype}.")
        if labels.min(initial=0) < 0:
            raise ValueError(f"labels are whole numbers from 0, not from {labels.min()}.")
    numbers = [None] * len(images) if labels is None else labels.reshape(len(images)).tolist()

    def entries() -> Iterator[Entry]:
        for row, label in enumerate(numbers):
            yield Entry(f"row {row}", label, 0, partial(images.__getitem__, row))

    return Listing(len(images), lambda: (entries(), None), lambda: state_of(map(stamp, files)))


def npz(path: Path, split: str) -> Listing:
    """An .npz with x_train, y_train, x_test, y_test, or with images and labels; labels may be missing."""
    return arrays(*_read_npz(path, split), [path])


def _read_npz(path: Path, split: str) -> tuple[np.ndarray, np.ndarray | None]:
    try:
        with np.load(path, allow_pickle=False) as found:
            if f"x_{split}" in found:
                return found[f"x_{split}"], found[f"y_{split}"] if f"y_{split}" in found else None
            if "x_train" in found or (split == "test" and "images" in found):
                raise NoSuchSplit(f"data {path}: no array x_{split} in it.")
            if "images" in found:
                return found["images"], found["labels"] if "labels" in found else None
            raise ValueError(f"arrays x_{split} or images are expected, found {', '.join(found)}")
    except NoSuchSplit:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"data {path}: not usable ({error}).") from error


def idx(path: Path, split: str) -> Listing | None:
    """The MNIST family's idx files in a folder, plain or gzipped; None where it has none."""
    prefixes = {"train": "train", "test": "t10k"}
    if not any(_idx_file(path, prefix, "images-idx3") for prefix in prefixes.values()):
        return None
    files = [_idx_file(path, prefixes[split], kind) for kind in ("images-idx3", "labels-idx1")]
    if files[0] is None:
        raise NoSuchSplit(f"data {path}: no {prefixes[split]}-images-idx3-ubyte in it.")
    found = [file for file in files if file is not None]
    return arrays(*([_idx_array(file) for file in found] + [None])[:2], found)


def _idx_file(path: Path, prefix: str, kind: str) -> Path | None:
    return next(iter(sorted(path.glob(f"{prefix}-{kind}-ubyte*"))), None)


def _idx_array(path: Path) -> np.ndarray:
    """An idx file of unsigned bytes: 0, 0, 8, number of dimensions, each dimension as a big-endian uint32, the bytes."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        if data[:3] != b"\0\0\x08":
            raise ValueError("not an idx file of bytes")
        shape = np.frombuffer(data, ">u4", count=data[3], offset=4).astype(int)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)
    except (ValueError, EOFError, OSError, IndexError, zlib.error) as error:
        raise ValueError(f"data {path}: damaged idx file ({error}).") from error

"""Arrays of images in an .npz or in idx files, with whole numbers as labels; their headers are held against their files."""

import contextlib
import gzip
import math
import os
import re
import stat
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from gan_hub.data.decode import Entry
from gan_hub.data.limits import check_unpacked
from gan_hub.data.sources import IDX, Contents, Listing, Tree, stamp, state_of
from gan_hub.data.splits import WORDS, NoSuchSplitError, held_out_side, listed, side_of

IMAGES = (
    "x",
    "images",
    "image",
    "imgs",
    "data",
    "arr_0",
)  # names of arrays, some of them with a split's word: train_images
LABELS = ("y", "labels", "label", "targets", "arr_1")
CHUNK_BYTES = 16_000_000  # unpacked at a time


def arrays(images: np.ndarray, labels: np.ndarray | None, files: list[Path], split: str = "") -> Listing:
    """uint8 images (N, H, W) or (N, H, W, C) with 1 to 4 channels and whole-number labels, read from `files`."""
    _check_images(images.dtype, images.shape)
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

    return Listing(len(images), lambda: Contents(entries(), split=split), lambda: state_of(map(stamp, files)))


def _check_images(dtype: np.dtype, shape: tuple[int, ...]) -> None:
    if dtype != np.uint8 or len(shape) not in (3, 4) or shape[3:] not in ((), (1,), (2,), (3,), (4,)):
        raise ValueError(f"image arrays are uint8 (N, H, W) or (N, H, W, C) with 1 to 4 channels, not {dtype} {shape}.")


@contextlib.contextmanager
def _in_a_sentence(beginning: str) -> Iterator[None]:
    """Whatever a damaged or hostile file makes a reader raise, as a ValueError that says which file it was."""
    try:
        yield
    except NoSuchSplitError:
        raise
    except MemoryError as error:
        raise ValueError(f"{beginning} (it needs more memory than there is).") from error
    except Exception as error:
        raise ValueError(f"{beginning} ({str(error).rstrip('.') or type(error).__name__}).") from error


# ------------------------------------------------------------------------------------------------- npz


def npz(path: Path, split: str) -> Listing:
    """An .npz with x_train, y_train, x_test, y_test (or train_images …), or with images and labels; labels may be missing."""
    with _in_a_sentence(f"data {path}: not usable"), zipfile.ZipFile(path) as zipped:
        members = {info.filename.removesuffix(".npy"): info for info in zipped.infolist()}
        images, labels, found = _names(list(members), path, split)
        read = [_member(zipped, members[name], path, name == images) for name in (images, labels) if name is not None]
    return arrays(*(read + [None])[:2], [path], found)


def _names(names: list[str], path: Path, split: str) -> tuple[str, str | None, str]:
    """(array of images, array of labels or None, what tells of the splits) among the names of arrays."""
    by_side: dict[tuple[str | None, bool], str] = {}
    for name in names:
        words = [word.lower() for word in re.findall(r"[A-Za-z]+\d*|\d+", name.replace("arr_", "arr"))]
        rest = "_".join(word for word in words if word not in WORDS).replace("arr", "arr_")
        if rest in IMAGES + LABELS:
            by_side.setdefault((side_of(name), rest in LABELS), name)
    sides = {side for side, is_label in by_side if not is_label}
    if not sides:
        raise ValueError(f"arrays x_{split} or images are expected, found {', '.join(names)}")
    named = sides - {None}
    held_out = held_out_side(named)
    side = ("train" if split == "train" else held_out) if named else None
    if side not in sides or (not named and split == "test"):
        raise NoSuchSplitError(f"data {path}: no array x_{split} in it.")
    used = [by_side[name, False] for name in ("train", held_out) if (name, False) in by_side]
    text = f"arrays {' and '.join(used)}" if named else ""
    idle = [by_side[name, False] for name in named - {"train", held_out}]
    return by_side[side, False], by_side.get((side, True)), text + (f", {listed(idle)} left out" if idle else "")


def _member(zipped: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, is_images: bool) -> np.ndarray:
    """An array of an .npz, whose header and whose size in the zip agree before memory is taken for it."""
    check_unpacked(info.filename, min(info.compress_size, path.stat().st_size), info.file_size)
    with zipped.open(info) as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{info.filename} is an array of the format {version}, which images do not have")
        two = version == (2, 0)
        shape, _, dtype = (np.lib.format.read_array_header_2_0 if two else np.lib.format.read_array_header_1_0)(file)
        if not dtype.hasobject:  # those numpy itself refuses
            if is_images:
                _check_images(dtype, shape)
            said = file.tell() + math.prod(shape) * dtype.itemsize
            if min(shape, default=0) < 0 or said != info.file_size:
                raise ValueError(f"{info.filename} says it has {said:,} bytes, and has {info.file_size:,}")
    with zipped.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


# ------------------------------------------------------------------------------------------------- idx


def idx(tree: Tree, split: str) -> Listing | None:
    """The MNIST family's idx files in a folder, plain or gzipped, one or more folders deep where no pictures lie; None
    where it has none.
    """
    found = _idx_files(tree)
    sides = {side for side, kind in found if kind == "images"}
    if not sides:
        return None
    if split not in sides:
        prefix = {"train": "train", "test": "t10k"}[split]
        raise NoSuchSplitError(f"data {tree.path}: no {prefix}-images-idx3-ubyte in it.")
    files = [found[split, kind] for kind in ("images", "labels") if (split, kind) in found]
    names = " and ".join(found[side, "images"].name for side in ("train", "test") if side in sides)
    return arrays(*([_idx_array(file) for file in files] + [None])[:2], files, f"files {names}")


def _idx_files(tree: Tree) -> dict[tuple[str, str], Path]:
    """(train or test, images or labels) → the file that lies least deep, the plain one before the gzipped."""
    found: dict[tuple[str, str], Path] = {}
    deep = not tree.pictures
    files = [file for file in tree.files if IDX.fullmatch(file.name) and (deep or file.parent == tree.path)]
    for file in sorted(files, key=lambda file: (len(file.parts), file.name, file)):
        prefix, kind, _ = IDX.fullmatch(file.name).groups()
        key = ("train" if prefix.lower() == "train" else "test", kind.lower())
        known = found.setdefault(key, file)
        if len(known.parts) == len(file.parts) and known.parent != file.parent:
            raise ValueError(
                f"data {str(tree.path)!r}: {known.relative_to(tree.path)} and {file.relative_to(tree.path)} are two data "
                "sets; give the folder of one of them."
            )
    return found


def _idx_array(path: Path) -> np.ndarray:
    """An idx file of unsigned bytes: 0, 0, 8, number of dimensions, each dimension as a big-endian uint32, the bytes."""
    with _in_a_sentence(f"data {path}: damaged idx file"), contextlib.ExitStack() as stack:
        # O_NONBLOCK: a pipe in the file's place must not be waited for.
        raw = stack.enter_context(open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb"))
        status = os.fstat(raw.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        file = stack.enter_context(gzip.open(raw)) if path.suffix.lower() == ".gz" else raw
        head = file.read(4)
        if len(head) < 4 or head[:3] != b"\0\0\x08" or not 1 <= head[3] <= 4:
            raise ValueError("not an idx file of bytes with 1 to 4 dimensions")
        shape = tuple(np.frombuffer(file.read(4 * head[3]), ">u4", count=head[3]).tolist())
        size = math.prod(shape)
        if file is raw and size != status.st_size - 4 - 4 * len(shape):
            raise ValueError(f"{size:,} bytes are announced, and there are {status.st_size - 4 - 4 * len(shape):,}")
        check_unpacked(path.name, status.st_size, size)
        return _filled(file, size).reshape(shape)


def _filled(file, size: int) -> np.ndarray:
    """`size` bytes, which are all that is left of `file`."""
    content, at = np.empty(size, np.uint8), 0
    while at < size:
        count = file.readinto(content[at : at + CHUNK_BYTES])
        if not count:
            raise ValueError(f"{size:,} bytes are announced, and there are {at:,}")
        at += count
    if file.read(1):
        raise ValueError(f"{size:,} bytes are announced, and there are more")
    return content

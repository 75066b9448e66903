"""Images as arrays in an .npz or in idx files, with whole numbers as labels.

Sizes in headers are compared with those of the files before memory is allocated.
"""

import contextlib
import gzip
import io
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
from gan_hub.data.sources import IDX_NAME, FolderTree, SplitContents, UndecodedSource, file_version, hash_lines
from gan_hub.data.splits import SPLIT_OF_WORD, NoSuchSplitError, held_out_split, join_holdout, join_names, split_of

# Names of arrays, with or without the word of a split: train_images.
IMAGE_NAMES = ("x", "images", "image", "imgs", "data", "arr_0")
LABEL_NAMES = ("y", "labels", "label", "targets", "arr_1")
CHUNK_BYTES = 16_000_000  # unpacked at a time


def list_arrays(images: np.ndarray, labels: np.ndarray | None, files: list[Path], split: str = "") -> UndecodedSource:
    """Images and labels that are arrays already.

    Args:
        images: uint8 (N, H, W) or (N, H, W, C) with 1 to 4 channels.
        labels: whole numbers from 0, (N,) or (N, 1), or None.
        files: the files they were read from.
        split: which arrays or files were taken for the splits.

    Returns:
        The images, in their order.

    Raises:
        ValueError: another dtype or shape; the message names the file.
    """
    fault = _fault_of_images(images.dtype, images.shape)
    if fault is None and 0 in images.shape[1:3]:
        fault = f"an image has at least one pixel, but the array's shape is {images.shape}"
    if fault is not None:
        raise ValueError(f"data {files[0]}: {fault}.")
    images = images[..., None] if images.ndim == 3 else images
    if labels is not None:
        fault = _fault_of_labels(labels, len(images))
        if fault is not None:
            raise ValueError(f"data {files[-1]}: {fault}.")
    numbers = [None] * len(images) if labels is None else labels.reshape(len(images)).tolist()

    def entries() -> Iterator[Entry]:
        for row, label in enumerate(numbers):
            yield Entry(f"row {row}", label, 0, partial(images.__getitem__, row))

    return UndecodedSource(
        len(images), lambda: SplitContents(entries(), split=split), lambda: hash_lines(map(file_version, files))
    )


def _fault_of_images(dtype: np.dtype, shape: tuple[int, ...]) -> str | None:
    """Why an array with such a header holds no images, or None."""
    if dtype != np.uint8 or len(shape) not in (3, 4) or shape[3:] not in ((), (1,), (2,), (3,), (4,)):
        return f"image arrays are uint8 (N, H, W) or (N, H, W, C) with 1 to 4 channels, not {dtype} {shape}"
    return None


def _fault_of_labels(labels: np.ndarray, count: int) -> str | None:
    """Why an array holds no labels of `count` images, or None."""
    if labels.size != count:  # (N,), or (N, 1) as in CIFAR's files
        return f"{count} images, but labels of shape {labels.shape}"
    if labels.dtype.kind not in "iu":
        return f"labels are whole numbers from 0, not {labels.dtype}"
    if labels.min(initial=0) < 0:
        return f"labels are whole numbers from 0, not from {labels.min()}"
    return None


@contextlib.contextmanager
def _explain_errors(beginning: str) -> Iterator[None]:
    """Turn whatever a damaged or hostile file makes a reader raise into a ValueError that names the file."""
    try:
        yield
    except NoSuchSplitError:
        raise
    except MemoryError as error:
        raise ValueError(f"{beginning} (it needs more memory than there is).") from error
    except Exception as error:
        raise ValueError(f"{beginning} ({str(error).rstrip('.') or type(error).__name__}).") from error


# ------------------------------------------------------------------------------------------------- npz


def list_npz(path: Path, split: str) -> UndecodedSource:
    """An .npz with x_train, y_train, x_test, y_test (or train_images …), or with images and labels; labels may be missing."""
    with _explain_errors(f"data {path}: not usable"), zipfile.ZipFile(path) as zipped:
        members = {info.filename.removesuffix(".npy"): info for info in zipped.infolist()}
        image_name, label_name, found_split = _array_names(list(members), path, split)
        images = _read_member(zipped, members[image_name], path, is_images=True)
        labels = None if label_name is None else _read_member(zipped, members[label_name], path, is_images=False)
    return list_arrays(images, labels, [path], found_split)


def _array_names(names: list[str], path: Path, split: str) -> tuple[str, str | None, str]:
    """(array of images, array of labels or None, how the splits were found) among the names of arrays."""
    by_split: dict[tuple[str | None, bool], str] = {}
    for name in names:
        words = re.findall(r"[A-Za-z]+\d*|\d+", join_holdout(name).replace("arr_", "arr"))
        rest = "_".join(word.lower() for word in words if word.lower() not in SPLIT_OF_WORD).replace("arr", "arr_")
        if rest in IMAGE_NAMES + LABEL_NAMES:
            by_split.setdefault((split_of(name), rest in LABEL_NAMES), name)
    splits = {name for name, is_label in by_split if not is_label}
    if not splits:
        raise ValueError(f"arrays x_{split} or images are expected, found {', '.join(names)}")
    named = splits - {None}
    held_out = held_out_split(named)
    wanted = ("train" if split == "train" else held_out) if named else None
    if wanted not in splits or (not named and split == "test"):
        raise NoSuchSplitError(f"data {path}: no array x_{split} in it.")
    used = [by_split[name, False] for name in ("train", held_out) if (name, False) in by_split]
    text = f"arrays {' and '.join(used)}" if named else ""
    unused = [by_split[name, False] for name in named - {"train", held_out}]
    return (
        by_split[wanted, False],
        by_split.get((wanted, True)),
        text + (f", {join_names(unused)} left out" if unused else ""),
    )


def _read_member(zipped: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, is_images: bool) -> np.ndarray:
    """Read an array of an .npz; its header and its size in the zip must agree before memory is allocated."""
    check_unpacked(info.filename, min(info.compress_size, path.stat().st_size), info.file_size)
    with zipped.open(info) as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{info.filename} is an array of the format {version}, which images do not have")
        is_v2 = version == (2, 0)
        shape, _, dtype = (np.lib.format.read_array_header_2_0 if is_v2 else np.lib.format.read_array_header_1_0)(file)
        if not dtype.hasobject:  # numpy itself refuses objects
            fault = _fault_of_images(dtype, shape) if is_images else None
            if fault is not None:
                raise ValueError(fault)
            claimed = file.tell() + math.prod(shape) * dtype.itemsize
            if min(shape, default=0) < 0 or claimed != info.file_size:
                raise ValueError(f"{info.filename} says it has {claimed:,} bytes, and has {info.file_size:,}")
    with zipped.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


# ------------------------------------------------------------------------------------------------- idx


def list_idx(tree: FolderTree, split: str) -> UndecodedSource | None:
    """The MNIST family's idx files in a folder, plain or gzipped; None where it has none.

    They may lie deeper in the folder where it has no other images.
    """
    files = _idx_files(tree)
    splits = {name for name, kind in files if kind == "images"}
    if not splits:
        return None
    if split not in splits:
        prefix = {"train": "train", "test": "t10k"}[split]
        raise NoSuchSplitError(f"data {tree.path}: no {prefix}-images-idx3-ubyte in it.")
    names = " and ".join(files[name, "images"].name for name in ("train", "test") if name in splits)
    images, label_file = _read_idx(files[split, "images"]), files.get((split, "labels"))
    if label_file is None:
        return list_arrays(images, None, [files[split, "images"]], f"files {names}")
    return list_arrays(images, _read_idx(label_file), [files[split, "images"], label_file], f"files {names}")


def _idx_files(tree: FolderTree) -> dict[tuple[str, str], Path]:
    """(train or test, images or labels) → the file that lies least deep, the plain one before the gzipped."""
    files: dict[tuple[str, str], Path] = {}
    matches = [(file, match) for file in tree.files if (match := IDX_NAME.fullmatch(file.name)) is not None]
    if tree.images:
        matches = [(file, match) for file, match in matches if file.parent == tree.path]
    for file, match in sorted(matches, key=lambda pair: (len(pair[0].parts), pair[0].name, pair[0])):
        prefix, kind, _ = match.groups()
        known = files.setdefault(("train" if prefix.lower() == "train" else "test", kind.lower()), file)
        if len(known.parts) == len(file.parts) and known.parent != file.parent:
            raise ValueError(
                f"data {str(tree.path)!r}: {known.relative_to(tree.path)} and {file.relative_to(tree.path)} are two data "
                "sets; give the folder of one of them."
            )
    return files


def _read_idx(path: Path) -> np.ndarray:
    """An idx file of unsigned bytes: 0, 0, 8, number of dimensions, each dimension as a big-endian uint32, the bytes."""
    with _explain_errors(f"data {path}: damaged idx file"), contextlib.ExitStack() as stack:
        # O_NONBLOCK: a pipe in the file's place must not be waited for.
        raw = stack.enter_context(open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb"))
        status = os.fstat(raw.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        is_packed = path.suffix.lower() == ".gz"
        file = stack.enter_context(gzip.open(raw)) if is_packed else raw
        head = file.read(4)
        if len(head) < 4 or head[:3] != b"\0\0\x08" or not 1 <= head[3] <= 4:
            raise ValueError("not an idx file of bytes with 1 to 4 dimensions")
        shape = tuple(np.frombuffer(file.read(4 * head[3]), ">u4", count=head[3]).tolist())
        size = math.prod(shape)
        if not is_packed and size != status.st_size - 4 - 4 * len(shape):
            raise ValueError(f"{size:,} bytes are announced, and there are {status.st_size - 4 - 4 * len(shape):,}")
        check_unpacked(path.name, status.st_size, size)
        return _read_exactly(file, size).reshape(shape)


def _read_exactly(file: gzip.GzipFile | io.BufferedReader, size: int) -> np.ndarray:
    """The rest of `file` as uint8 (size,). Raises ValueError where that is not `size` bytes."""
    data, position = np.empty(size, np.uint8), 0
    while position < size:
        count = file.readinto(data[position : position + CHUNK_BYTES].data)
        if not count:
            raise ValueError(f"{size:,} bytes are announced, and there are {position:,}")
        position += count
    if file.read(1):
        raise ValueError(f"{size:,} bytes are announced, and there are more")
    return data

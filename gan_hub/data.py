"""Images from a folder, zip, idx, npz or Hub data set → one uint8 array; files that cannot be used are counted and named.

Shapes: N images, H × W resolution, C channels.
"""

import gzip
import io
import os
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from gan_hub.images import TooManyPixels, fit_pil, height_width

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
MAX_FILE_BYTES = 200_000_000
MAX_CLASSES = 10_000
FOLDER_VARIABLE = "GAN_HUB_DATA"  # a folder with one sub-folder a named data set


@dataclass(frozen=True)
class Named:
    """A data set known by name: where to look on this machine, then on the Hub."""

    places: tuple[str, ...]
    hub_id: str
    label_names: tuple[str, ...]


NAMED = {
    "mnist": Named((), "ylecun/mnist", tuple("0123456789")),
    "fashion-mnist": Named(
        ("/usr/share/datasets/fashion-mnist",),  # Debian's package dataset-fashion-mnist
        "zalando-datasets/fashion_mnist",
        ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
}


@dataclass
class ImageSet:
    """Images in memory: uint8 (N, H, W, C); labels int64 (N,) with their names, or None; what was skipped, by kind."""

    images: np.ndarray
    labels: np.ndarray | None = None
    label_names: list[str] | None = None
    skipped: dict[str, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: np.ndarray) -> "ImageSet":
        """The images at `indices`, with their labels."""
        labels = None if self.labels is None else self.labels[indices]
        return ImageSet(self.images[indices], labels, self.label_names, self.skipped)

    def report(self) -> str:
        """One sentence: how many images, and what was skipped, by kind, with the first names."""
        text = f"{len(self):,} images of {self.images.shape[2]} × {self.images.shape[1]} × {self.images.shape[3]}"
        if self.label_names:
            text += f", {len(self.label_names)} classes"
        kinds = [
            f"{len(names)} {kind} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
            for kind, names in sorted(self.skipped.items())
        ]
        total = sum(map(len, self.skipped.values()))
        return text + (f"; {total} files skipped: {'; '.join(kinds)}." if kinds else ".")


class NoSuchSplit(ValueError):
    """The data set exists, but not the part of it that was asked for."""


def load_images(source: str, resolution: int | Sequence[int], channels: int, split: str = "train") -> ImageSet:
    """The images of `source` in `resolution` pixels (one number, or [height, width]) with 1 or 3 `channels`.

    How a picture of another size or kind becomes that, `images.fit_pil` says.

    `source` is a known name (mnist, fashion-mnist), a folder of images (class sub-folders become labels), a .zip of the
    same, a folder with idx files, an .npz (x_train, y_train, x_test, y_test, or images, labels), or a Hub data set id.
    Raises ValueError where nothing usable is found, NoSuchSplit where only the split is missing.
    """
    size = height_width(resolution)
    if split not in ("train", "test"):
        raise ValueError(f"split {split!r} is not allowed; choose train or test.")
    names = None
    if source in NAMED:
        names = list(NAMED[source].label_names)
        source = _find_named(source)
    path = Path(source)
    if path.is_dir() and (prefix := _idx_prefix(path, split)):
        found = _from_arrays(*_read_idx(path, prefix), size, channels)
    elif path.is_dir():
        found = _read_folder(path, split, size, channels)
    elif path.suffix == ".zip" and path.is_file():
        found = _read_zip(path, split, size, channels)
    elif path.suffix == ".npz" and path.is_file():
        found = _from_arrays(*_read_npz(path, split), size, channels)
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", source) and not path.exists():
        found = _from_hub(source, split, size, channels)
    else:
        raise ValueError(
            f"data {source!r}: no such folder, .zip or .npz; known names: {', '.join(NAMED)}; or a Hub id (owner/name)."
        )
    if len(found) == 0:
        raise ValueError(f"data {source!r}: no usable image in it. {found.report()}")
    if found.labels is not None and found.label_names is None:
        classes, most = int(found.labels.max()) + 1, len(names) if names else MAX_CLASSES
        if classes > most:
            raise ValueError(f"data {source!r}: label {classes - 1} is in it, but there are at most {most} classes.")
        found.label_names = names or [str(label) for label in range(classes)]
    return found


def without(images: ImageSet, others: ImageSet) -> ImageSet:
    """The images that are not, byte for byte, among `others`."""
    unwanted = {image.tobytes() for image in others.images}
    return images.take(
        np.array([i for i, image in enumerate(images.images) if image.tobytes() not in unwanted], dtype=np.int64)
    )


def hold_out(images: ImageSet, count: int, seed: int) -> tuple[ImageSet, ImageSet]:
    """(the rest, `count` images drawn without replacement): a test set for data that has none."""
    if not 0 < count < len(images):
        raise ValueError(f"cannot hold out {count} of {len(images)} images.")
    order = np.random.default_rng(seed).permutation(len(images))
    return images.take(np.sort(order[count:])), images.take(np.sort(order[:count]))


def _find_named(name: str) -> str:
    root = os.environ.get(FOLDER_VARIABLE)
    for place in ([str(Path(root) / name)] if root else []) + list(NAMED[name].places):
        if Path(place).is_dir():
            arrays = sorted(Path(place).glob("*.npz"))
            return str(arrays[0]) if arrays else place
    return NAMED[name].hub_id


# ----------------------------------------------------------------------------------------- image files


@dataclass(frozen=True)
class Entry:
    """An image file that was found and not yet read."""

    name: str
    label: str | int | None
    size: int  # bytes
    read: Callable[[], bytes]


def _plan(files: list[str], split: str) -> tuple[list[tuple[str, str | None]], list[str] | None]:
    """((file, label) of the split, all class names) of image files given by their paths, with / between the parts.

    Top folders "train" and "test" are splits where there are any, else all is "train". The next folder is the class.
    One folder around everything, and a class without others, say nothing and do not count. The classes are those of
    all splits, so that a label means the same in each. Hidden files, such as macOS leaves in archives, are no images.
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
    labels = {file: p[0] if len(p) > 1 else None for file, (_, p) in sides.items()}
    chosen = sorted(file for file, (side, _) in sides.items() if side == split)
    if not chosen and split == "test":
        raise NoSuchSplit("the data has no test split (no folder named test).")
    names = set(labels.values())
    if None in names or len(names) < 2:
        return [(file, None) for file in chosen], None
    return [(file, labels[file]) for file in chosen], sorted(names)


def _read_folder(folder: Path, split: str, size: tuple[int, int], channels: int) -> ImageSet:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    plan, names = _plan([path.relative_to(folder).as_posix() for path in files], split)
    entries = [Entry(name, label, os.path.getsize(folder / name), (folder / name).read_bytes) for name, label in plan]
    return _from_files(entries, names, size, channels)


def _read_zip(archive: Path, split: str, size: tuple[int, int], channels: int) -> ImageSet:
    try:
        zipped = zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"data {archive}: not a readable zip ({error}).") from error
    with zipped:
        sizes = {info.filename: info.file_size for info in zipped.infolist() if not info.is_dir()}
        plan, names = _plan([name for name in sizes if Path(name).suffix.lower() in IMAGE_SUFFIXES], split)
        entries = [Entry(name, label, sizes[name], partial(zipped.read, name)) for name, label in plan]
        return _from_files(entries, names, size, channels)


def _from_files(entries: Iterable[Entry], names: list[str] | None, size: tuple[int, int], channels: int) -> ImageSet:
    """The usable ones of `entries`; an entry's label is one of `names`, or its index there, or None in all of them."""
    arrays, labels, skipped = [], [], defaultdict(list)
    for entry in entries:
        if entry.size > MAX_FILE_BYTES:
            skipped["too large"].append(entry.name)
            continue
        try:
            arrays.append(np.asarray(fit_pil(Image.open(io.BytesIO(entry.read())), size, channels)))
        except UnidentifiedImageError:
            skipped["not an image"].append(entry.name)
        except (Image.DecompressionBombError, TooManyPixels, MemoryError):
            skipped["too large"].append(entry.name)
        except Exception:  # whatever a decoder, an archive or the disk raises: one bad file must not end a run
            skipped["damaged"].append(entry.name)
        else:
            labels.append(names.index(entry.label) if names and isinstance(entry.label, str) else entry.label)
    images = np.array(arrays, dtype=np.uint8).reshape(len(arrays), *size, channels)
    if names is None or None in labels:
        return ImageSet(images, skipped=dict(skipped))
    return ImageSet(images, np.array(labels, dtype=np.int64), names, dict(skipped))


# ---------------------------------------------------------------------------------------------- arrays


def _from_arrays(images: np.ndarray, labels: np.ndarray | None, size: tuple[int, int], channels: int) -> ImageSet:
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[3:] not in ((), (1,), (3,), (4,)):
        raise ValueError(
            f"image arrays are uint8 (N, H, W) or (N, H, W, C) with 1, 3 or 4 channels, not {images.dtype} {images.shape}."
        )
    if images.ndim == 3:
        images = images[..., None]
    if images.shape[1:] != (*size, channels):
        flat = (image[..., 0] if image.shape[-1] == 1 else image for image in images)
        fitted = [np.asarray(fit_pil(Image.fromarray(image), size, channels)) for image in flat]
        images = np.array(fitted, dtype=np.uint8).reshape(len(images), *size, channels)
    if labels is None:
        return ImageSet(images)
    if labels.size != len(images):  # (N,), or (N, 1) as in CIFAR's files
        raise ValueError(f"{len(images)} images, but labels of shape {labels.shape}.")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels are whole numbers from 0, not {labels.dtype}.")
    if labels.min(initial=0) < 0:
        raise ValueError(f"labels are whole numbers from 0, not from {labels.min()}.")
    return ImageSet(images, labels.astype(np.int64).reshape(len(images)))


def _idx_prefix(folder: Path, split: str) -> str | None:
    """The first part of the names of the MNIST family's idx files, or None where the folder has none."""
    prefixes = {"train": "train", "test": "t10k"}
    if not any(_idx_file(folder, prefix, "images-idx3") for prefix in prefixes.values()):
        return None
    if not _idx_file(folder, prefixes[split], "images-idx3"):
        raise NoSuchSplit(f"data {folder}: no {prefixes[split]}-images-idx3-ubyte in it.")
    return prefixes[split]


def _idx_file(folder: Path, prefix: str, kind: str) -> Path | None:
    return next(iter(sorted(folder.glob(f"{prefix}-{kind}-ubyte*"))), None)


def _read_idx(folder: Path, prefix: str) -> tuple[np.ndarray, np.ndarray | None]:
    labels = _idx_file(folder, prefix, "labels-idx1")
    return _idx_array(_idx_file(folder, prefix, "images-idx3")), None if labels is None else _idx_array(labels)


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


def _read_npz(path: Path, split: str) -> tuple[np.ndarray, np.ndarray | None]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if f"x_{split}" in arrays:
                return arrays[f"x_{split}"], arrays[f"y_{split}"] if f"y_{split}" in arrays else None
            if "x_train" in arrays or (split == "test" and "images" in arrays):
                raise NoSuchSplit(f"data {path}: no array x_{split} in it.")
            if "images" in arrays:
                return arrays["images"], arrays["labels"] if "labels" in arrays else None
            raise ValueError(f"arrays x_{split} or images are expected, found {', '.join(arrays)}")
    except NoSuchSplit:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"data {path}: not usable ({error}).") from error


# ----------------------------------------------------------------------------------------------- Hub


def _from_hub(repo_id: str, split: str, size: tuple[int, int], channels: int) -> ImageSet:
    try:
        import datasets
    except ImportError as error:
        raise ValueError(f"data {repo_id!r}: a Hub data set needs `pip install datasets`.") from error
    try:
        table = datasets.load_dataset(repo_id, split=split)
    except Exception as error:  # the library raises its own and its transport's errors
        missing = NoSuchSplit if f'Unknown split "{split}"' in str(error) else ValueError
        raise missing(f"data {repo_id!r}: cannot be loaded from the Hub ({error}).") from error
    return _from_table(table, size, channels)


def _from_table(table, size: tuple[int, int], channels: int) -> ImageSet:
    """The first image column and the first class-label column of a `datasets.Dataset`."""
    import datasets

    kinds = table.features
    image = next((name for name, kind in kinds.items() if isinstance(kind, datasets.Image)), None)
    label = next((name for name, kind in kinds.items() if isinstance(kind, datasets.ClassLabel)), None)
    if image is None:
        raise ValueError(f"the data set has no image column; its columns: {', '.join(kinds)}.")
    table = table.cast_column(image, datasets.Image(decode=False))
    names = None if label is None else list(kinds[label].names)

    def content(cell: dict) -> bytes:
        return cell["bytes"] or Path(cell["path"]).read_bytes()

    def entries() -> Iterable[Entry]:
        for index, row in enumerate(table):
            cell, number = row[image], None if label is None else row[label]
            # -1 is how the library marks a hidden label, None a missing one
            number = None if number is None or number < 0 else number
            size = len((cell or {}).get("bytes") or b"")
            yield Entry(f"row {index}", number, size, partial(content, cell))

    return _from_files(entries(), names, size, channels)

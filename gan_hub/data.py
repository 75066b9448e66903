"""Images from a folder, zip, idx, npz or Hub data set → one uint8 array; files that cannot be used are counted and named.

Shapes: N images, H = W resolution, C channels.
"""

import gzip
import io
import os
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from gan_hub.images import fit_pil

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
MAX_FILE_BYTES = 200_000_000
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


def load_images(source: str, resolution: int, channels: int, split: str = "train") -> ImageSet:
    """The images of `source` as squares of `resolution` pixels with 1 or 3 `channels` (how: `images.fit_pil`).

    `source` is a known name (mnist, fashion-mnist), a folder of images (class sub-folders become labels), a .zip of the
    same, a folder with idx files, an .npz (x_train, y_train, x_test, y_test, or images, labels), or a Hub data set id.
    Raises ValueError where nothing usable is found, NoSuchSplit where only the split is missing.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split {split!r} is not allowed; choose train or test.")
    names = None
    if source in NAMED:
        names = list(NAMED[source].label_names)
        source = _find_named(source)
    path = Path(source)
    if path.is_dir() and (prefix := _idx_prefix(path, split)):
        found = _from_arrays(*_read_idx(path, prefix), resolution, channels)
    elif path.is_dir():
        found = _from_files(_walk_folder(path, split), resolution, channels)
    elif path.suffix == ".zip" and path.is_file():
        found = _from_files(_walk_zip(path, split), resolution, channels)
    elif path.suffix == ".npz" and path.is_file():
        found = _from_arrays(*_read_npz(path, split), resolution, channels)
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", source) and not path.exists():
        found = _from_hub(source, split, resolution, channels)
    else:
        raise ValueError(
            f"data {source!r}: no such folder, .zip or .npz; known names: {', '.join(NAMED)}; or a Hub id (owner/name)."
        )
    if len(found) == 0:
        raise ValueError(f"data {source!r}: no usable image in it. {found.report()}")
    if found.labels is not None and found.label_names is None:
        found.label_names = names or [str(label) for label in range(int(found.labels.max()) + 1)]
    return found


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


def _split_of(entries: list[str], split: str) -> list[str]:
    """Only the entries below a top folder "train" or "test" where such folders exist, else all of them for "train"."""
    if any(entry.split("/")[0] in ("train", "test") for entry in entries):
        chosen = [entry for entry in entries if entry.split("/")[0] == split]
    else:
        chosen = entries if split == "train" else []
    if not chosen and split == "test":
        raise NoSuchSplit("the data has no test split (no folder named test).")
    return chosen


Entry = tuple[str, str | None, bytes | None]  # name, label, content (None: too large to read)


def _label_of(entry: str, split: str) -> str | None:
    folders = entry.split("/")[:-1]
    folders = folders[1:] if folders[:1] == [split] else folders
    return folders[0] if folders else None


def _walk_folder(folder: Path, split: str) -> Iterator[Entry]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    for name in _split_of([path.relative_to(folder).as_posix() for path in files], split):
        path = folder / name
        yield name, _label_of(name, split), path.read_bytes() if path.stat().st_size <= MAX_FILE_BYTES else None


def _walk_zip(archive: Path, split: str) -> Iterator[Entry]:
    try:
        with zipfile.ZipFile(archive) as zipped:
            sizes = {info.filename: info.file_size for info in zipped.infolist() if not info.is_dir()}
            names = sorted(name for name in sizes if Path(name).suffix.lower() in IMAGE_SUFFIXES)
            for name in _split_of(names, split):
                yield name, _label_of(name, split), zipped.read(name) if sizes[name] <= MAX_FILE_BYTES else None
    except zipfile.BadZipFile as error:
        raise ValueError(f"data {archive}: not a readable zip ({error}).") from error


def _from_files(entries: Iterator[Entry], resolution: int, channels: int) -> ImageSet:
    arrays, labels, skipped = [], [], defaultdict(list)
    for name, label, content in entries:
        try:
            if content is None:
                raise Image.DecompressionBombError
            arrays.append(np.asarray(fit_pil(Image.open(io.BytesIO(content)), resolution, channels)))
            labels.append(label)
        except UnidentifiedImageError:
            skipped["not an image"].append(name)
        except (Image.DecompressionBombError, ValueError):
            skipped["too large"].append(name)
        except (OSError, SyntaxError, EOFError):  # Pillow raises SyntaxError for some broken PNGs
            skipped["damaged"].append(name)
    images = np.stack(arrays) if arrays else np.empty((0, resolution, resolution, channels), np.uint8)
    images = images.reshape(len(images), resolution, resolution, channels)
    if not labels or None in labels:
        return ImageSet(images, skipped=dict(skipped))
    names = sorted(set(labels))
    indices = np.array([names.index(label) for label in labels], dtype=np.int64)
    return ImageSet(images, indices, names, dict(skipped))


# ---------------------------------------------------------------------------------------------- arrays


def _from_arrays(images: np.ndarray, labels: np.ndarray | None, resolution: int, channels: int) -> ImageSet:
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise ValueError(f"image arrays are uint8 (N, H, W) or (N, H, W, C), not {images.dtype} {images.shape}.")
    if images.ndim == 3:
        images = images[..., None]
    if images.shape[1:] != (resolution, resolution, channels):
        flat = (image[..., 0] if image.shape[-1] == 1 else image for image in images)
        fitted = [np.asarray(fit_pil(Image.fromarray(image), resolution, channels)) for image in flat]
        images = np.stack(fitted).reshape(len(images), resolution, resolution, channels)
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"{len(images)} images, but {len(labels)} labels.")
    return ImageSet(images, None if labels is None else labels.astype(np.int64))


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
    except (ValueError, EOFError, OSError, IndexError) as error:
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
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"data {path}: not usable ({error}).") from error


# ----------------------------------------------------------------------------------------------- Hub


def _from_hub(repo_id: str, split: str, resolution: int, channels: int) -> ImageSet:
    try:
        import datasets
    except ImportError as error:
        raise ValueError(f"data {repo_id!r}: a Hub data set needs `pip install datasets`.") from error
    try:
        table = datasets.load_dataset(repo_id, split=split)
    except Exception as error:  # the library raises its own and its transport's errors
        missing = NoSuchSplit if f'Unknown split "{split}"' in str(error) else ValueError
        raise missing(f"data {repo_id!r}: cannot be loaded from the Hub ({error}).") from error
    return _from_table(table, resolution, channels)


def _from_table(table, resolution: int, channels: int) -> ImageSet:
    """The first image column and the first class-label column of a `datasets.Dataset`."""
    import datasets

    kinds = table.features
    image = next((name for name, kind in kinds.items() if isinstance(kind, datasets.Image)), None)
    label = next((name for name, kind in kinds.items() if isinstance(kind, datasets.ClassLabel)), None)
    if image is None:
        raise ValueError(f"the data set has no image column; its columns: {', '.join(kinds)}.")
    table = table.cast_column(image, datasets.Image(decode=False))
    names = None if label is None else kinds[label].names

    def entries() -> Iterator[Entry]:
        for index, row in enumerate(table):
            content = row[image]["bytes"] or Path(row[image]["path"]).read_bytes()
            yield f"row {index}", None if label is None else row[label], content

    found = _from_files(entries(), resolution, channels)
    if names is not None and found.label_names is not None:
        found.labels = np.array([found.label_names[i] for i in found.labels], dtype=np.int64)
        found.label_names = list(names)
    return found

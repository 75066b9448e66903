"""Pictures that have a map of semantic classes each → one ImageSet with both: `load_pairs`.

A pair is NAME.jpg (or any other picture) with NAME_labels.png beside it, or two files of the same name in the folders
images/ and labels/. A map's pixels are class numbers (grey or palette pictures), or colours.

Shapes: N pairs, H × W resolution, C channels.
"""

import json
import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from gan_hub.data import diagnose, sources
from gan_hub.data.decode import Entry, content_or_kind, made_or_kind
from gan_hub.data.image_set import ImageSet
from gan_hub.data.limits import MAX_MAP_CLASSES, MAX_NAMES_BYTES
from gan_hub.data.load import by_kind, expanded
from gan_hub.data.sources import Contents, Listing
from gan_hub.data.splits import NoSuchSplitError
from gan_hub.images import NUMBERED, fit_map, fit_pil, height_width
from gan_hub.model_folder.strict import read_bytes

MARK, FOLDERS = "_labels", ("images", "labels")
CLASS_FILES = ("classes.json", "classes.txt")
NO_CLASS = 255  # what the pixels of no class are called in many data sets
BAND = 256  # rows of a map whose numbers are looked at together


class Half(NamedTuple):
    """One picture, or one map, in the size that is asked for."""

    name: str
    size: tuple[int, int]  # width and height of the file's picture, upright
    pixels: np.ndarray  # uint8 (H, W, C) of a picture; int32 (H, W) of a map: class numbers, or colours as one number
    values: np.ndarray | None = None  # of a map: all that occur in the file
    coloured: bool = False


@dataclass
class Halves:
    """What a split holds, by the name that both halves of a pair have in common."""

    pictures: dict[str, Half] = field(default_factory=dict)
    maps: dict[str, Half] = field(default_factory=dict)
    unusable: list[tuple[str, str]] = field(default_factory=list)  # (name, kind)
    bad: set[str] = field(default_factory=set)  # pairs that an unusable half has already spoilt
    told: Contents = field(default_factory=lambda: Contents(()))  # of the splits


def load_pairs(
    source: str | os.PathLike,
    resolution: int | Sequence[int],
    channels: int,
    split: str = "train",
    *,
    strict: bool = False,
) -> ImageSet:
    """The pairs of `source`, a folder or a .zip, with `maps` uint8 (N, H, W) of classes and their `map_names`.

    Pictures become images as in `load_images`; maps get the same centre crop and are resized by nearest neighbours. The
    class numbers of grey and palette maps are taken as they are. Colours are numbered in their order (by red, green, blue) over
    the maps of all splits, at most 256. Names are those of a classes.json (a list) or classes.txt (one a line), else
    numbers. Everything lies in memory.

    A pair with an unusable or missing half is skipped and counted; with `strict`, it is an error. Raises ValueError where
    nothing usable is found or the maps do not agree on what a class is, NoSuchSplit where only the split is missing.
    """
    size = height_width(resolution)
    if split not in ("train", "test"):
        raise ValueError(f"split {split!r} is not allowed; choose train or test.")
    source = expanded(source)
    halves = _read(_listing(source, split), size, channels)
    pairs = _paired(halves)
    skipped = by_kind(source, halves.unusable, strict)
    if not pairs:
        nothing = ImageSet(np.empty((0, *size, channels), np.uint8), skipped=skipped, notes=halves.told.notes)
        raise ValueError(
            f"data {source!r}: no usable pair in it; a pair is NAME.jpg and NAME{MARK}.png, or two files of the same name "
            f"in {FOLDERS[0]}/ and {FOLDERS[1]}/. {nothing.report()}"
        )
    colours, classes, last = _classes(source, [*halves.maps.values(), *_maps_of_the_other_split(source, split, size)])
    raw = np.stack([half.pixels for _, half in pairs])
    return ImageSet(
        np.stack([picture.pixels for picture, _ in pairs]),
        skipped=skipped,
        maps=(raw if colours is None else np.searchsorted(colours, raw)).astype(np.uint8),
        map_names=_names(source, classes, last),
        split=halves.told.split,
        notes=halves.told.notes,
    )


def shared_name(name: str) -> tuple[str, bool]:
    """(what a picture and its map have in common, whether it is the map) of a path with / between the parts.

    images, labels and _labels may be written in capitals as well.
    """
    *folders, stem = PurePosixPath(name).with_suffix("").parts
    low = [folder.lower() for folder in folders]
    inside = FOLDERS[1] in low
    for kind in FOLDERS[inside:]:
        if kind in low:  # the last folder of that name is the one that says what the file is
            folders[len(low) - 1 - low[::-1].index(kind)] = FOLDERS[0]
            break
    marked = stem.lower().endswith(MARK)
    return "/".join([*folders, stem[: -len(MARK)] if marked else stem]), inside or marked


# ----------------------------------------------------------------------------------------------- reading


def _listing(source: str, split: str) -> Listing:
    path = Path(source)
    if path.is_dir():
        return sources.folder(sources.walk(path), split, classes=False)
    if path.is_file() and path.suffix.lower() == ".zip":
        return sources.archive(path, split, classes=False)
    beginning = diagnose.unfit(source) if path.exists() else f"data {source!r}: no such folder or .zip."
    raise ValueError(f"{beginning.rstrip('.')}; pairs of pictures and maps come from a folder or a .zip alone.")


def _read(listing: Listing, size: tuple[int, int], channels: int | None) -> Halves:
    """All halves, each decoded once; without `channels` the maps alone."""
    found = Halves()
    contents = listing.open()
    found.told = contents
    found.unusable += contents.unusable
    for entry in contents.entries:
        key, is_map = shared_name(entry.name)
        if not is_map and channels is None:
            continue
        place = found.maps if is_map else found.pictures
        if key in place:
            found.unusable.append((entry.name, "second of its name"))
            continue
        half = _map_or_kind(entry, size) if is_map else _picture_or_kind(entry, size, channels)
        if isinstance(half, str):
            found.unusable.append((entry.name, half))
            found.bad.add(key)
        else:
            place[key] = half
    return found


def _picture_or_kind(entry: Entry, size: tuple[int, int], channels: int) -> Half | str:
    def make(image: Image.Image) -> Half:
        pixels = np.asarray(fit_pil(image, size, channels)).reshape(*size, channels)
        return Half(entry.name, ImageOps.exif_transpose(image).size, pixels)

    return _made(entry, make)


def _map_or_kind(entry: Entry, size: tuple[int, int]) -> Half | str:
    def make(image: Image.Image) -> Half | str:
        if image.format in ("JPEG", "MPO"):
            return "map stored with loss"
        upright = fit_map(image, None)
        coloured = upright.mode not in NUMBERED
        fitted = _numbers(fit_map(upright, size), coloured)
        return Half(entry.name, upright.size, fitted, _values(upright, coloured), coloured)

    return _made(entry, make)


def _made(entry: Entry, make) -> Half | str:
    content = content_or_kind(entry)
    return content if isinstance(content, str) else made_or_kind(content, make)


def _numbers(image: Image.Image, coloured: bool) -> np.ndarray:
    """int32 (H, W): a class number a pixel, or a colour as red · 65536 + green · 256 + blue."""
    if not coloured:
        return np.asarray(image).astype(np.int32)
    return np.asarray(image.convert("RGB")).astype(np.int32) @ np.array([65536, 256, 1], np.int32)


def _values(image: Image.Image, coloured: bool) -> np.ndarray:
    """All numbers that occur in a map, in order; a band of it at a time, as a whole one may take ten times its own memory."""
    values = np.empty(0, np.int32)
    for top in range(0, image.height, BAND):
        band = image.crop((0, top, image.width, min(top + BAND, image.height)))
        values = np.union1d(values, _numbers(band, coloured))
    return values


# ---------------------------------------------------------------------------------------------- matching


def _paired(halves: Halves) -> list[tuple[Half, Half]]:
    """(picture, map) of each pair, in the order of their names; what has no partner joins the unusable ones."""
    pairs = []
    for key in sorted((halves.pictures.keys() | halves.maps.keys()) - halves.bad):
        picture, map_ = halves.pictures.get(key), halves.maps.get(key)
        if picture is None or map_ is None:
            missing = (
                (map_.name, "map without a picture") if picture is None else (picture.name, "picture without a map")
            )
            halves.unusable.append(missing)
        elif not _alike(picture.size, map_.size):
            halves.unusable.append((map_.name, "map of another shape than its picture"))
        else:
            pairs.append((picture, map_))
    return pairs


def _alike(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two pictures have the same proportions, up to one pixel: else they would be cropped at different places."""
    (width, height), (other_width, other_height) = size, other
    return abs(width * other_height - other_width * height) <= max(height, other_height)


def _maps_of_the_other_split(source: str, split: str, size: tuple[int, int]) -> Iterable[Half]:
    try:
        return _read(_listing(source, "test" if split == "train" else "train"), size, None).maps.values()
    except NoSuchSplitError:
        return []


def _classes(source: str, maps: list[Half]) -> tuple[np.ndarray | None, int, int]:
    """(the colours in order, or None where pixels are class numbers; how many classes there are; the last below 255)."""
    kinds = {half.coloured: half.name for half in maps}
    if len(kinds) == 2:
        raise ValueError(
            f"data {source!r}: {kinds[False]} holds class numbers, but {kinds[True]} colours; all maps are of one kind."
        )
    coloured, values = True in kinds, np.empty(0, np.int32)
    for half in maps:
        values = np.union1d(values, half.values)
        if coloured and len(values) > MAX_MAP_CLASSES:
            raise ValueError(
                f"data {source!r}: with {half.name} its maps have {len(values):,} colours, but a class has one, and there are "
                f"at most {MAX_MAP_CLASSES}; save maps without antialiasing and without loss (PNG, not JPEG)."
            )
        if not coloured and not 0 <= values[0] <= values[-1] < MAX_MAP_CLASSES:
            wrong = values[0] if values[0] < 0 else values[-1]
            raise ValueError(
                f"data {source!r}: {half.name} has the class {wrong}; classes are numbers from 0 to {MAX_MAP_CLASSES - 1}."
            )
    if coloured:
        return values, len(values), len(values) - 1
    return None, int(values[-1]) + 1, int(max(values[values < NO_CLASS], default=-1))


# ------------------------------------------------------------------------------------------------- names


def _names(source: str, classes: int, last: int) -> list[str]:
    """One name a class: those of the source's file, of which there may be more than occur, else numbers.

    `last` is the last class below 255: where 255 follows on a gap, it marks pixels of no class, unless 256 have names.
    """
    try:
        name, content = _class_file(source)
        names = [str(number) for number in range(classes)] if name is None else _read_names(name, content)
    except (ValueError, RecursionError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"data {source!r}: the names of its classes cannot be read ({error}).") from error
    marked = classes == NO_CLASS + 1 and last < NO_CLASS - 1
    if marked and (name is None or not isinstance(names, list) or len(names) < classes):
        raise ValueError(
            f"data {source!r}: its maps hold {NO_CLASS}, which marks pixels of no class in many data sets and would be a "
            f"class here, of {classes}; the others end at {last}. Give those pixels the number {last + 1}, as a class of "
            f"their own."
        )
    valid = isinstance(names, list) and all(isinstance(n, str) and 0 < len(n) <= 200 and n.isprintable() for n in names)
    if not valid or len(set(names)) != len(names) or not classes <= len(names) <= MAX_MAP_CLASSES:
        raise ValueError(
            f"data {source!r}: {name} holds {classes} to {MAX_MAP_CLASSES} different names, one for each class of the maps."
        )
    return names


def _read_names(name: str, content: bytes) -> list[str]:
    text = content.decode("utf-8")
    return json.loads(text) if name.endswith(".json") else [line.strip() for line in text.splitlines() if line.strip()]


def _class_file(source: str) -> tuple[str | None, bytes]:
    """(name, content) of the class file that lies least deep in the source, or (None, nothing)."""
    path = Path(source)
    if path.is_dir():
        names = [file.relative_to(path).as_posix() for file in sources.walk(path).files]
        name = _least_deep(names)
        if name is None:
            return None, b""
        return name, read_bytes(path / name, MAX_NAMES_BYTES)
    with zipfile.ZipFile(path) as zipped:
        members = {sources.plain(name): name for name in zipped.namelist()}
        name = _least_deep(list(members))
        if name is None:
            return None, b""
        with zipped.open(members[name]) as file:
            return name, file.read(MAX_NAMES_BYTES)


def _least_deep(names: list[str]) -> str | None:
    files = [name for name in names if PurePosixPath(name).name in CLASS_FILES]
    return min(files, key=lambda name: (name.count("/"), name), default=None)

"""Loads pairs of an image and its map of semantic classes: `load_pairs`.

A pair is NAME.jpg (or any other image) with NAME_labels.png beside it, or two files of the same name in the folders
images/ and labels/. A map's pixels are class numbers (grey or palette images), or colors.

Shapes: N pairs, H × W resolution, C channels.
"""

import json
import os
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import tee
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image

from gan_hub.data import diagnose, sources
from gan_hub.data.decode import Entry, apply_to_image, progress_bar, read_entry
from gan_hub.data.image_set import ImageSet
from gan_hub.data.limits import MAX_MAP_CLASSES, MAX_NAMES_BYTES
from gan_hub.data.load import expand_home, group_skipped
from gan_hub.data.sources import SplitContents, UndecodedSource
from gan_hub.data.splits import NoSuchSplitError, check_split
from gan_hub.data.workers import map_in_order
from gan_hub.images import NUMBERED, fit_map, fit_pil, height_width, upright
from gan_hub.model_folder.strict import read_bytes

MAP_MARK, FOLDERS = "_labels", ("images", "labels")
CLASS_FILES = ("classes.json", "classes.txt")
NO_CLASS = 255  # what marks pixels of no class in many data sets
BAND_ROWS = 256  # rows of a map that are read at a time to collect its values

A_PAIR = f"a pair is NAME.jpg and NAME{MAP_MARK}.png, or two files of the same name in {FOLDERS[0]}/ and {FOLDERS[1]}/"

Result = TypeVar("Result")


class DecodedImage(NamedTuple):
    """One image of a pair, in the requested size."""

    name: str
    size: tuple[int, int]  # width and height of the file's image, upright
    pixels: np.ndarray  # uint8 (H, W, C)


class DecodedMap(NamedTuple):
    """One map of a pair, in the requested size."""

    name: str
    size: tuple[int, int]  # width and height of the file's image, upright
    pixels: np.ndarray  # int32 (H, W): class numbers, or colors as one number
    values: np.ndarray  # int32, sorted: all that occur in the file
    is_color: bool


@dataclass
class SplitFiles:
    """The decoded images and maps of a split, by the name that both files of a pair have in common."""

    contents: SplitContents
    images: dict[str, DecodedImage] = field(default_factory=dict)
    maps: dict[str, DecodedMap] = field(default_factory=dict)
    unusable: list[tuple[str, str]] = field(default_factory=list)  # (name, kind)
    spoiled: set[str] = field(default_factory=set)  # pairs with an unusable file, which is counted already


def load_pairs(
    source: str | os.PathLike[str],
    resolution: int | Sequence[int],
    channels: int,
    split: str = "train",
    *,
    strict: bool = False,
) -> ImageSet:
    """Load images with their maps of classes into memory.

    Maps get the same center crop as their images and are resized by nearest neighbours. Class numbers of grey and
    palette maps are taken as they are. Colors are numbered in their order (by red, green, blue) over the maps of all
    splits. Names of classes are those of a classes.json (a list) or classes.txt (one a line), else numbers.

    Args:
        source: a folder or a .zip.
        resolution: pixels of a side, or [height, width].
        channels: of the images: 1 (grey), 2 (grey, opacity), 3 (RGB) or 4 (RGB, opacity).
        split: "train" or "test"; where there is no test split, a validation split serves as one.
        strict: a pair with an unusable or missing file is an error, instead of skipped and counted.

    Returns:
        uint8 images (N, H, W, C) with `maps` uint8 (N, H, W), at most 256 classes, and their `map_names`.

    Raises:
        ValueError: nothing usable is found, the maps do not agree on what a class is, or an argument is not allowed.
        NoSuchSplitError: the source has no such split (also a ValueError).

    Example:
        >>> import numpy as np, os
        >>> from PIL import Image
        >>> from gan_hub.data import load_pairs
        >>> os.makedirs("facades", exist_ok=True)
        >>> Image.new("RGB", (8, 8), "blue").save("facades/a.png")
        >>> Image.fromarray(np.eye(8, dtype=np.uint8)).save("facades/a_labels.png")
        >>> pairs = load_pairs("facades", resolution=8, channels=3)
        >>> pairs.images.shape, pairs.maps.shape, pairs.map_names
        ((1, 8, 8, 3), (1, 8, 8), ['0', '1'])
    """
    size = height_width(resolution)
    check_split(split)
    source = expand_home(source)
    files = _decode_files(_list_source(source, split), size, channels)
    pairs = _match_pairs(files)
    skipped = group_skipped(source, files.unusable, strict)
    if not pairs:
        nothing = ImageSet(np.empty((0, *size, channels), np.uint8), skipped=skipped, notes=files.contents.notes)
        raise ValueError(f"data {source!r}: no usable pair in it; {A_PAIR}. {nothing.report()}")
    colors, classes, last = _find_classes(source, [*files.maps.values(), *_maps_of_other_split(source, split, size)])
    values = np.stack([map_.pixels for _, map_ in pairs])
    return ImageSet(
        np.stack([image.pixels for image, _ in pairs]),
        skipped=skipped,
        maps=(values if colors is None else np.searchsorted(colors, values)).astype(np.uint8),
        map_names=_class_names(source, classes, last),
        split=files.contents.split,
        notes=files.contents.notes,
    )


def shared_name(name: str) -> tuple[str, bool]:
    """(what an image and its map have in common, whether it is the map) of a path with / between the parts.

    images, labels and _labels may be written in capitals as well.
    """
    *folders, stem = PurePosixPath(name).with_suffix("").parts
    lower = [folder.lower() for folder in folders]
    in_labels = FOLDERS[1] in lower
    for kind in FOLDERS[in_labels:]:
        if kind in lower:  # the last folder of that name is the one that says what the file is
            folders[len(lower) - 1 - lower[::-1].index(kind)] = FOLDERS[0]
            break
    marked = stem.lower().endswith(MAP_MARK)
    return "/".join([*folders, stem[: -len(MAP_MARK)] if marked else stem]), in_labels or marked


# ---------------------------------------------------------------------------------------------- decoding


def _list_source(source: str, split: str) -> UndecodedSource:
    path = Path(source)
    if path.is_dir():
        return sources.list_folder(sources.walk_folder(path), split, classes=False)
    if path.is_file() and path.suffix.lower() == ".zip":
        return sources.list_zip(path, split, classes=False)
    beginning = diagnose.describe_unsupported(source) if path.exists() else f"data {source!r}: no such folder or .zip."
    raise ValueError(f"{beginning.rstrip('.')}; pairs of images and maps come from a folder or a .zip alone.")


def _decode_files(listing: UndecodedSource, size: tuple[int, int], channels: int | None) -> SplitFiles:
    """Decode all images and maps of a split on all cores; without `channels` the maps alone."""

    def decode(entry: Entry) -> DecodedImage | DecodedMap | str | None:
        if shared_name(entry.name)[1]:
            return _decode_map(entry, size)
        return None if channels is None else _decode_image(entry, size, channels)

    files = SplitFiles(listing.open())
    files.unusable += files.contents.unusable
    entries, decoding = tee(files.contents.entries)
    with progress_bar(listing.max_count) as bar:
        for entry, decoded in zip(entries, map_in_order(decode, decoding, listing.workers), strict=True):
            bar.update()
            if decoded is not None:
                _add(files, entry.name, decoded)
    return files


def _add(files: SplitFiles, name: str, decoded: DecodedImage | DecodedMap | str) -> None:
    """Add a file to the images or maps, or to the unusable ones, of which `decoded` is the kind of fault."""
    key, is_map = shared_name(name)
    if key in (files.maps if is_map else files.images):
        files.unusable.append((name, "second of its name"))
    elif isinstance(decoded, str):
        files.unusable.append((name, decoded))
        files.spoiled.add(key)
    elif isinstance(decoded, DecodedMap):
        files.maps[key] = decoded
    else:
        files.images[key] = decoded


def _decode_image(entry: Entry, size: tuple[int, int], channels: int) -> DecodedImage | str:
    """An image, or the kind of its fault."""

    def fit(image: Image.Image) -> DecodedImage:
        pixels = np.asarray(fit_pil(image, size, channels)).reshape(*size, channels)
        return DecodedImage(entry.name, upright(image).size, pixels)

    return _read_and_apply(entry, fit)


def _decode_map(entry: Entry, size: tuple[int, int]) -> DecodedMap | str:
    """A map, or the kind of its fault."""

    def fit(image: Image.Image) -> DecodedMap | str:
        if image.format in ("JPEG", "MPO"):
            return "map stored with loss"
        whole = fit_map(image, None)
        is_color = whole.mode not in NUMBERED
        pixels = _pixel_values(fit_map(whole, size), is_color)
        return DecodedMap(entry.name, whole.size, pixels, _unique_values(whole, is_color), is_color)

    return _read_and_apply(entry, fit)


def _read_and_apply(entry: Entry, function: Callable[[Image.Image], Result]) -> Result | str:
    data = read_entry(entry)
    if isinstance(data, str):
        return data
    assert isinstance(data, bytes), "folders and zips hold files"
    return apply_to_image(data, function)


def _pixel_values(image: Image.Image, is_color: bool) -> np.ndarray:
    """int32 (H, W): a class number a pixel, or a color as red · 65536 + green · 256 + blue."""
    if not is_color:
        return np.asarray(image).astype(np.int32)
    return np.asarray(image.convert("RGB")).astype(np.int32) @ np.array([65536, 256, 1], np.int32)


def _unique_values(image: Image.Image, is_color: bool) -> np.ndarray:
    """All values that occur in a map, sorted; a band of it at a time, as a whole one may take ten times its own memory."""
    values = np.empty(0, np.int32)
    for top in range(0, image.height, BAND_ROWS):
        band = image.crop((0, top, image.width, min(top + BAND_ROWS, image.height)))
        values = np.union1d(values, _pixel_values(band, is_color))
    return values


# ---------------------------------------------------------------------------------------------- matching


def _match_pairs(files: SplitFiles) -> list[tuple[DecodedImage, DecodedMap]]:
    """(image, map) of each pair, sorted by name; a file without a partner joins the unusable ones."""
    pairs = []
    for key in sorted((files.images.keys() | files.maps.keys()) - files.spoiled):
        image, map_ = files.images.get(key), files.maps.get(key)
        if map_ is not None and image is None:
            files.unusable.append((map_.name, "map without an image"))
        elif image is not None and map_ is None:
            files.unusable.append((image.name, "image without a map"))
        elif image is not None and map_ is not None:
            if _same_proportions(image.size, map_.size):
                pairs.append((image, map_))
            else:
                files.unusable.append((map_.name, "map of another shape than its image"))
    return pairs


def _same_proportions(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two images have the same proportions, up to one pixel: else they would be cropped at different places."""
    (width, height), (other_width, other_height) = size, other
    return abs(width * other_height - other_width * height) <= max(height, other_height)


def _maps_of_other_split(source: str, split: str, size: tuple[int, int]) -> Iterable[DecodedMap]:
    try:
        return _decode_files(_list_source(source, "test" if split == "train" else "train"), size, None).maps.values()
    except NoSuchSplitError:
        return []


def _find_classes(source: str, maps: list[DecodedMap]) -> tuple[np.ndarray | None, int, int]:
    """(the colors sorted, or None where pixels are class numbers; how many classes there are; the last below 255)."""
    kinds = {map_.is_color: map_.name for map_ in maps}
    if len(kinds) == 2:
        raise ValueError(
            f"data {source!r}: {kinds[False]} holds class numbers, but {kinds[True]} colours; all maps are of one kind."
        )
    is_color, values = True in kinds, np.empty(0, np.int32)
    for map_ in maps:
        values = np.union1d(values, map_.values)
        if is_color and len(values) > MAX_MAP_CLASSES:
            raise ValueError(
                f"data {source!r}: with {map_.name} its maps have {len(values):,} colours, but a class has one, and there "
                f"are at most {MAX_MAP_CLASSES}; save maps without antialiasing and without loss (PNG, not JPEG)."
            )
        if not is_color and not 0 <= values[0] <= values[-1] < MAX_MAP_CLASSES:
            wrong = values[0] if values[0] < 0 else values[-1]
            raise ValueError(
                f"data {source!r}: {map_.name} has the class {wrong}; classes are numbers from 0 to "
                f"{MAX_MAP_CLASSES - 1}."
            )
    if is_color:
        return values, len(values), len(values) - 1
    return None, int(values[-1]) + 1, int(max(values[values < NO_CLASS], default=-1))


# ------------------------------------------------------------------------------------------------- names


def _class_names(source: str, classes: int, last: int) -> list[str]:
    """One name a class: those of the source's file, which may have more than occur, else numbers.

    `last` is the last class below 255. Where 255 follows after a gap, it marks pixels of no class, unless 256 have names.
    """
    try:
        name, data = _read_class_file(source)
        names = [str(number) for number in range(classes)] if name is None else _parse_names(name, data)
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


def _parse_names(name: str, data: bytes) -> list[str]:
    """The names in a class file, as they are; `_class_names` checks them."""
    text = data.decode("utf-8")
    return json.loads(text) if name.endswith(".json") else [line.strip() for line in text.splitlines() if line.strip()]


def _read_class_file(source: str) -> tuple[str | None, bytes]:
    """(name, bytes) of the class file that lies least deep in the source, or (None, b"")."""
    path = Path(source)
    if path.is_dir():
        names = [file.relative_to(path).as_posix() for file in sources.walk_folder(path).files]
        name = _least_deep(names)
        if name is None:
            return None, b""
        return name, read_bytes(path / name, MAX_NAMES_BYTES)
    with zipfile.ZipFile(path) as zipped:
        members = {sources.forward_slashes(name): name for name in zipped.namelist()}
        name = _least_deep(list(members))
        if name is None:
            return None, b""
        with zipped.open(members[name]) as file:
            return name, file.read(MAX_NAMES_BYTES)


def _least_deep(names: list[str]) -> str | None:
    files = [name for name in names if PurePosixPath(name).name in CLASS_FILES]
    return min(files, key=lambda name: (name.count("/"), name), default=None)

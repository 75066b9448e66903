"""Says in a sentence what a source is that cannot be read as images, and what to do about it."""

import difflib
import os
import re
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from gan_hub.data.sources import is_image_name
from gan_hub.messages import short_repr

ALLOWED = "a folder, a .zip, a .parquet or an .npz"
UNPACK = "unpack it, and give the folder"
FRAMES = "save its frames as images (ffmpeg -i {} frames/%05d.png), and give that folder"
TEXT_SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".txt", ".xml")  # often lie beside images
# Endings → what such a file is, and what to do with it ({}: its name).
UNSUPPORTED = {
    (".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zst", ".rar", ".7z"): ("an archive", UNPACK),
    (".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".wmv", ".flv"): ("a video", FRAMES),
    (".npy",): ("a single array", "save it as an .npz: numpy.savez('data.npz', images=array)"),
    (*TEXT_SUFFIXES, ".xlsx"): ("a table or text", "give the folder with the images"),
    (".arrow", ".feather"): ("a table of Arrow", "save it as parquet: data_set.to_parquet('data.parquet')"),
    (".mat", ".h5", ".hdf5", ".tfrecord", ".tfrecords", ".mdb", ".rec", ".beton"): (
        "a container of another library",
        "save its images as files, and give their folder",
    ),
    (".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".safetensors"): (
        "a file of Python objects or weights",
        "save the images as files, or as an .npz with an array images",
    ),
}
FILE_SUFFIXES = {".zip", ".npz", ".parquet"} | {suffix for suffixes in UNSUPPORTED for suffix in suffixes}
SIGNATURES = (
    (b"PK\x03\x04", ".zip"), (b"\x1f\x8b", ".gz"), (b"Rar!", ".rar"), (b"7z\xbc\xaf", ".7z"), (b"\xfd7zXZ", ".xz"),
    (b"BZh", ".bz2"), (b"\x28\xb5\x2f\xfd", ".zst"), (b"PAR1", ".parquet"), (b"\x93NUMPY", ".npy"),
    (b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"GIF8", ".gif"),
)  # fmt: skip


def is_hub_id(source: str) -> bool:
    """Whether a source has the form of a Hub id, owner/name, and not that of a path: ./name, ../name, ~/name, name.zip."""
    part = r"[A-Za-z0-9_][\w.-]*"
    return re.fullmatch(f"{part}/{part}", source) is not None and Path(source).suffix.lower() not in FILE_SUFFIXES


def describe_missing(source: str, names: Iterable[str]) -> str:
    """A sentence about a source that does not exist: what it looks like, and which file or known name was meant."""
    path = Path(source)
    if re.match(r"[A-Za-z][\w+.-]*://", source):
        hub = re.match(r"(?:https?://huggingface\.co/datasets/|hf://datasets/)([\w.-]+/[\w.-]+)", source)
        meant = f"the id {hub[1]!r}" if hub else f"{ALLOWED} of this machine, or a Hub id"
        return f"data {short_repr(source, 200)}: an address; give {meant}."
    if os.path.islink(source):
        return f"data {short_repr(source, 200)}: a link to {short_repr(os.readlink(source), 200)}, which is not there."
    near = difflib.get_close_matches(source.lower().replace("_", "-"), names, 1) or [
        str(path.parent / name) for name in difflib.get_close_matches(path.name, _sibling_names(path), 1)
    ]
    meant = f" did you mean {near[0]}?" if near else ""
    if source and path.parent != Path(".") and not path.parent.exists():
        meant = f" there is no folder {str(path.parent)!r} either.{meant}"
    return (
        f"data {short_repr(source, 200)}: no such folder, .zip, .parquet or .npz;{meant} known names: {', '.join(names)}; "
        "or a Hub id (owner/name)."
    )


def _sibling_names(path: Path) -> list[str]:
    """Names in the folder around `path`, up to 1000."""
    try:
        with os.scandir(path.parent) as entries:
            return [entry.name for entry in islice(entries, 1000) if not entry.name.startswith(".")]
    except (OSError, ValueError):
        return []


def describe_unsupported(source: str) -> str:
    """A sentence about an existing file that is no data: what it is, and what to do."""
    path = Path(source)
    if not path.is_file():
        return f"data {short_repr(source, 200)}: neither a file nor a folder; allowed: {ALLOWED}."
    by_content = next((suffix for start, suffix in SIGNATURES if _first_bytes(path).startswith(start)), "")
    what, todo = unsupported_format(path.name) or unsupported_format(f"x{by_content}") or ("not a file of images", "")
    if by_content in (".zip", ".parquet") and unsupported_format(path.name) is None:
        what, todo = f"a {by_content} by its content", f"let its name end in {by_content}"
    elif is_image_name(path.name) or is_image_name(f"x{by_content}"):
        what, todo = "a single image", "give the folder that it lies in"
    sentence = f"data {short_repr(source, 200)}: {what}; allowed: {ALLOWED}{f'; {todo}' * bool(todo)}."
    return sentence.replace("{}", path.name)


def unsupported_format(name: str) -> tuple[str, str] | None:
    """(what a file of this name is, what to do) where its ending is known and no data."""
    suffix = Path(name).suffix.lower()
    return next((description for suffixes, description in UNSUPPORTED.items() if suffix in suffixes), None)


def _first_bytes(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(8)
    except OSError:
        return b""


def describe_other_files(files: Iterable[str]) -> str:
    """A sentence about a folder or a zip without images: what lies in it, and what to do."""
    suffixes = Counter(Path(name).suffix.lower() or "without an ending" for name in files if not is_image_name(name))
    if not suffixes:
        return "it is empty."
    counts = ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common(3))
    for suffix, _ in suffixes.most_common():
        if suffix in (".zip", ".npz", ".parquet"):
            return f"it has no images, but {counts}: give one of these files, or unpack them into one folder."
        description = unsupported_format(f"x{suffix}")
        if description is not None and suffix not in TEXT_SUFFIXES:
            what, todo = description
            return f"it has no images, but {counts}: {what} each; {todo.format('NAME')}."
    return f"it has no images, but {counts}."

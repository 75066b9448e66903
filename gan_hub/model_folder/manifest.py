"""manifest.json: sha256 and size of every file that decides an image or a verdict, and reading files by it.

Safetensors checks a file's structure, not its content: a flipped bit in a weight loads silently. The manifest notices it.
"""

import hashlib
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypedDict

from gan_hub.atomic import write_bytes
from gan_hub.messages import short_repr
from gan_hub.model_folder.files import MANIFEST_NAME, MAX_FILE_BYTES, Unlisted, find
from gan_hub.model_folder.strict import LoadError, read_bytes, read_json, write_json


class Entry(TypedDict):
    """What a manifest says of one file."""

    sha256: str  # 64 hex digits
    size: int  # bytes


class Manifest:
    """The manifest of a folder: of a model, or of a checkpoint."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest of `folder`; raises LoadError where it is missing or not as it must be."""
        self.path = folder / MANIFEST_NAME
        content = read_json(self.path)
        for name in sorted(content.keys() ^ {"files"}):
            raise LoadError(f"{self.path}: key {short_repr(name)} is {'missing' if name == 'files' else 'unknown'}.")
        if not isinstance(content["files"], dict):
            raise LoadError(f"{self.path}: files is {short_repr(content['files'])}; allowed: an object.")
        for name, entry in content["files"].items():
            self._check_entry(name, entry)
        self.files: dict[str, Entry] = content["files"]

    def _check_entry(self, name: str, entry: object) -> None:
        valid = (
            isinstance(entry, dict)
            and set(entry) == {"sha256", "size"}
            and type(entry["size"]) is int
            and isinstance(entry["sha256"], str)
            and re.fullmatch(r"[0-9a-f]{64}", entry["sha256"]) is not None
        )
        if not valid:
            raise LoadError(
                f"{self.path}: entry {short_repr(name)} of files needs a sha256 (64 hex digits) and a size in bytes."
            )

    @classmethod
    def of_model(cls, folder: Path) -> "Manifest":
        """The manifest of a model's folder.

        Raises LoadError for a name that is no file of a model: that file would be left out silently.
        """
        manifest = cls(folder)
        for name in manifest.files:
            file = find(name)
            if file is None or not file.may_be_listed:
                raise LoadError(
                    f"{manifest.path}: it lists {short_repr(name)}, which this version of gan_hub does not know."
                )
        return manifest

    @classmethod
    def if_any(cls, folder: Path) -> "Manifest | None":
        """The manifest of a folder; None for a folder without one."""
        return cls(folder) if (folder / MANIFEST_NAME).is_file() else None

    def verify(self, name: str, data: bytes) -> None:
        """Raise LoadError unless `data` is what the manifest says file `name` (relative, with /) holds."""
        path = self.path.parent / name
        entry = self.files.get(name)
        if entry is None:
            raise LoadError(f"{path}: not listed in {MANIFEST_NAME}.")
        if self._agrees(entry, data):
            return
        if any(self._agrees(entry, data.replace(*ends)) for ends in ((b"\r\n", b"\n"), (b"\n", b"\r\n"))):
            raise LoadError(
                f"{path}: only its line endings differ from {MANIFEST_NAME}, as git changes them where core.autocrlf is "
                "set. After `git config core.autocrlf false`, delete the file and let `git checkout -- .` bring it back."
            )
        differs = f"its sha256 differs from {MANIFEST_NAME}"
        if len(data) != entry["size"]:
            differs = f"{len(data):,} bytes, but {MANIFEST_NAME} says {entry['size']:,}"
        raise LoadError(
            f"{path}: {differs}. The file is damaged or was changed; get it anew from where the folder came from, or save "
            "the model anew if the change is your own."
        )

    @staticmethod
    def _agrees(entry: Entry, data: bytes) -> bool:
        return len(data) == entry["size"] and entry_of(data) == entry

    @staticmethod
    def write(folder: Path, names: Iterable[str], others: Mapping[str, Entry] | None = None) -> None:
        """Write a manifest.

        Args:
            folder: where the files lie, and the manifest is written.
            names: files to hash, relative to the folder, with / between the parts.
            others: entries of further files that are known already.
        """
        entries = dict(others or {})
        for name in names:
            entries[name] = entry_of((folder / name).read_bytes())
        write_json(folder / MANIFEST_NAME, {"files": dict(sorted(entries.items()))})


def entry_of(data: bytes) -> Entry:
    """The entry of a file that holds `data`."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def read_file(folder: Path, name: str, manifest: Manifest | None = None, max_bytes: int | None = None) -> bytes:
    """The bytes of one file of a model's folder.

    Args:
        folder: the folder.
        name: the file, relative to the folder, with / between the parts.
        manifest: verifies the bytes; None where the caller does that after a look at the content, or there is none.
        max_bytes: the largest size; by default that of the table of files.

    Returns: the content.

    Raises:
        LoadError: where it cannot be read, is too large, or is not what the manifest lists.
    """
    file = find(name)
    data = read_bytes(folder / name, max_bytes or (file.max_bytes if file else MAX_FILE_BYTES))
    if manifest is not None:
        manifest.verify(name, data)
    return data


def has_file(folder: Path, name: str, manifest: Manifest | None) -> bool:
    """Whether a model has an optional file.

    Args:
        folder: the model's folder.
        name: the file, relative to the folder.
        manifest: its manifest; None where there is none.

    Returns: True for a file that is listed, or that lies there; False, with a warning, for one that an interrupted write
        left unlisted and that is therefore left out (`Unlisted.LEFT_OUT`).
    """
    if manifest is not None and name in manifest.files:
        return True
    if not (folder / name).exists():
        return False
    file = find(name)
    if file is None or file.unlisted is not Unlisted.LEFT_OUT:
        return True
    what = name.partition(".")[0]
    warnings.warn(f"{folder / name}: not listed in {MANIFEST_NAME}; the model is loaded without {what}.", stacklevel=6)
    return False


def replace_files(folder: Path, contents: Mapping[str, bytes | None]) -> None:
    """Replace files of a folder with a manifest; None removes one.

    The manifest stops listing the old files before they are replaced, and lists the new ones afterwards: whenever this is
    interrupted, the folder loads, with the old files, without any, or with the new ones.

    Raises:
        LoadError: the folder's manifest is missing or damaged.
    """
    others = {name: entry for name, entry in Manifest(folder).files.items() if name not in contents}
    Manifest.write(folder, [], others)
    written: dict[str, Entry] = {}
    for name, data in contents.items():
        if data is None:
            (folder / name).unlink(missing_ok=True)
        else:
            write_bytes(folder / name, data)
            written[name] = entry_of(data)
    Manifest.write(folder, [], others | written)

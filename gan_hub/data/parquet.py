"""Tables of images: parquet files as the Hub makes them, and Hub data sets, both read a few rows at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from gan_hub.data.decode import Entry, OutsideFileError
from gan_hub.data.limits import MAX_FILE_BYTES, TooLargeError, check_unpacked
from gan_hub.data.sources import SplitContents, UndecodedSource, file_size, file_version, hash_lines
from gan_hub.data.splits import SPLIT_OF_WORD, NoSuchSplitError, held_out_split, join_holdout, join_names, split_of
from gan_hub.model_folder.strict import read_bytes

if TYPE_CHECKING:
    import datasets
    from pyarrow.parquet import ColumnChunkMetaData, FileMetaData

LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "target", "y")  # labels where they hold whole numbers
ROWS = 64  # of a parquet file in memory at a time
# One cell of a dictionary stands for any number of rows. Writers stop at a dictionary of 1 MB and a cell; where one is
# larger, or packed better than images are, each row is read by itself.
DICTIONARY_BYTES, IMAGES_RATIO = 4_000_000, 20
ARCHIVES = ("zip", "tar", "gzip", "bz2", "xz", "zstd")  # fsspec's names of what an address may lie inside of
REMOTE = ("http", "https", "hf", "memory")  # and of what is not this machine's disk, nor opened with its owner's keys


class Columns(NamedTuple):
    """The columns of a table that are read, and what is known of its labels."""

    image: str
    label: str | None
    label_names: list[str] | None = None
    labels_of: str = ""
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The image column, and the label column if there is one."""
        return [self.image] if self.label is None else [self.image, self.label]

    def contents(self, entries: Iterable[Entry], split: str) -> SplitContents:
        """The entries of a split with these labels."""
        return SplitContents(entries, self.label_names, split, self.labels_of, list(self.notes))


def _import_datasets(source: object) -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        raise ValueError(f"data {str(source)!r}: parquet and the Hub need `pip install datasets`.") from error
    return datasets


def _find_columns(source: object, features: datasets.Features) -> Columns:
    """Find images and labels among the columns of a table.

    Images: the first image column, else the first of structs with bytes, else the first of bytes. Labels: the first
    column of class labels, else the first in LABEL_COLUMNS of whole numbers. Raises ValueError for a table without
    images.
    """
    import datasets

    def is_bytes(kind: object) -> bool:
        return isinstance(kind, datasets.Value) and kind.dtype in ("binary", "large_binary")

    image = next((name for name, kind in features.items() if isinstance(kind, datasets.Image)), None)
    image = image or next(
        (n for n, kind in features.items() if isinstance(kind, dict) and is_bytes(kind.get("bytes"))), None
    )
    image = image or next((name for name, kind in features.items() if is_bytes(kind)), None)
    if image is None:
        raise ValueError(f"data {str(source)!r}: it has no image column; its columns: {', '.join(features)}.")
    class_columns = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    if class_columns:
        label, *others = class_columns
        not_of = f", not of {join_names(others)}" if others else ""
        labels_of = f"column {label}{not_of}" if others or label not in LABEL_COLUMNS else ""
        return Columns(image, label, list(features[label].names), labels_of)
    values = {name: features[name].dtype for name in LABEL_COLUMNS if isinstance(features.get(name), datasets.Value)}
    label = next((name for name, dtype in values.items() if "int" in dtype), None)
    if label is None and values:
        return Columns(image, None, notes=(f"no classes: the column {next(iter(values))} holds no whole numbers",))
    return Columns(image, label)


def _row_entry(name: str, row: dict[str, Any], columns: Columns, fetch: Callable[[str], bytes]) -> Entry:
    """One row; `fetch` gets the bytes where the row has nothing but an address."""
    cell = row[columns.image]
    data, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
    label = None if columns.label is None else row[columns.label]
    label = None if label is None or label < 0 else label  # -1 is how `datasets` marks a hidden label
    if not data and path:
        return Entry(name, label, 0, partial(fetch, path))
    return Entry(name, label, len(data or b""), lambda: data or b"")


# --------------------------------------------------------------------------------------------- parquet


def list_parquet(source: Path, files: list[Path], split: str) -> UndecodedSource:
    """List parquet files, which hold a split if their names (train-00000-of-00001.parquet) or folders say so.

    Where no file says so, all are "train"; where some do, the others are left out. Validation serves as test where
    there is no test.

    Args:
        source: the file, or the folder around all files.
        files: the parquet files, in any order.
        split: "train" or "test".

    Returns:
        The rows of the split, not decoded.

    Raises:
        NoSuchSplitError: no file of this split.
        ValueError: a file is no parquet, or a decompression bomb; or `datasets` is not installed.
    """
    _import_datasets(source)
    import pyarrow
    from pyarrow import parquet as reader

    splits = _file_splits(source, files)
    present = {name for name in splits.values() if name is not None}
    held_out = held_out_split(present)
    wanted = held_out if split == "test" and present else "train"
    if present:
        chosen = [file for file in files if splits[file] == wanted]
    else:
        chosen = files if split == "train" else []
    if not chosen:
        raise NoSuchSplitError(f"data {source}: no parquet file of the {split} split in it.")
    try:
        tables = [(file, reader.read_metadata(file)) for file in chosen]
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"data {source}: not readable parquet ({error}).") from error
    used = [name for name in ("train", held_out) if name in present and name is not None]
    unused = sum(name not in used for name in splits.values()) if present else 0
    found_split = f"files {' and '.join(used)}" + (f", {unused} others left out" if unused else "") if present else ""

    def open_() -> SplitContents:
        import datasets

        columns = _find_columns(source, datasets.Features.from_arrow_schema(reader.read_schema(chosen[0])))
        for file, metadata in tables:
            _check_unpacked_column(source, file, metadata, columns.image)
        return columns.contents(_parquet_entries(source, tables, columns), found_split)

    max_count = sum(max(0, metadata.num_rows) for _, metadata in tables)
    return UndecodedSource(
        max_count, open_, lambda: hash_lines(map(file_version, chosen)), file_bytes=lambda: sum(map(file_size, chosen))
    )


def _file_splits(source: Path, files: list[Path]) -> dict[Path, str | None]:
    """File → train, test or validation, by the first word of its name or by a folder's name; None where nothing says so."""

    def split_by(file: Path, split_of_word: Callable[[str], str | None]) -> str | None:
        inside = file.relative_to(source).parts if source != file else ()
        names = [*inside[:-1], re.split(r"[^A-Za-z]", join_holdout(inside[-1]))[0]] if inside else []
        return next((split for name in names if (split := split_of_word(name))), None)

    loose = {file: split_by(file, split_of) for file in files}
    if "train" in loose.values() and len(set(loose.values()) - {None}) > 1 or None not in loose.values():
        return loose
    return {file: split_by(file, lambda name: name if name in ("train", "test") else None) for file in files}


def _column_chunks(metadata: FileMetaData, image: str) -> list[list[ColumnChunkMetaData]]:
    """The column chunks that hold the bytes of the `image` column, a list a row group."""
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    all_chunks = ([group.column(column) for column in range(group.num_columns)] for group in groups)
    return [[chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] == image] for chunks in all_chunks]


def _check_unpacked_column(source: Path, file: Path, metadata: FileMetaData, image: str) -> None:
    """Raise ValueError where the images of a row group are a decompression bomb."""
    file_bytes = file.stat().st_size
    for chunks in _column_chunks(metadata, image):
        packed = sum(chunk.total_compressed_size for chunk in chunks)
        unpacked = sum(chunk.total_uncompressed_size for chunk in chunks)
        try:
            check_unpacked(f"{file.name}, column {image},", min(packed, file_bytes), unpacked)
        except TooLargeError as error:
            raise ValueError(f"data {str(source)!r}: {error}.") from error


def _rows_at_a_time(metadata: FileMetaData, image: str) -> int:
    """1 where a few bytes of the file can stand for many rows, else ROWS."""
    for chunk in (chunk for chunks in _column_chunks(metadata, image) for chunk in chunks):
        if chunk.total_uncompressed_size > IMAGES_RATIO * max(1, chunk.total_compressed_size):
            return 1
        if (
            chunk.has_dictionary_page
            and chunk.data_page_offset - (chunk.dictionary_page_offset or 0) > DICTIONARY_BYTES
        ):
            return 1
    return ROWS


def _parquet_entries(source: Path, tables: list[tuple[Path, FileMetaData]], columns: Columns) -> Iterator[Entry]:
    import pyarrow
    from pyarrow import parquet as reader

    for file, metadata in tables:
        try:
            with reader.ParquetFile(file) as table:
                index, rows = 0, _rows_at_a_time(metadata, columns.image)
                for batch in table.iter_batches(rows, columns=columns.names):
                    for row in batch.to_pylist():
                        yield _row_entry(f"{file.name} row {index}", row, columns, partial(_read_beside, file))
                        index += 1
        except (pyarrow.ArrowException, OSError, KeyError, MemoryError) as error:
            raise ValueError(f"data {source}: {file.name} cannot be read to its end ({error}).") from error


def _read_beside(table: Path, path: str) -> bytes:
    """Read a file that a row names. It lies beside the table or below it: a table chooses no others of this machine."""
    folder, file = table.parent.resolve(), (table.parent / path).resolve()
    if not file.is_relative_to(folder):
        raise OutsideFileError(f"{path} lies outside of {folder}")
    if file.is_file() and file.stat().st_size > MAX_FILE_BYTES:
        raise TooLargeError(f"{path} has {file.stat().st_size:,} bytes")
    return read_bytes(file, MAX_FILE_BYTES)


# ------------------------------------------------------------------------------------------------- Hub


def list_hub(repo_id: str, split: str) -> UndecodedSource:
    """A Hub data set, streamed: what comes over the network is decoded row by row and never stored in full size."""
    datasets = _import_datasets(repo_id)
    revision = _newest_revision(repo_id)

    def open_() -> SplitContents:
        table, name = _open_stream(repo_id, split, revision)
        columns = _find_columns(repo_id, table.features)
        if isinstance(table.features[columns.image], datasets.Image):
            table = table.cast_column(columns.image, datasets.Image(decode=False))
        return columns.contents(_hub_entries(repo_id, table.select_columns(columns.names), columns), name)

    return UndecodedSource(None, open_, lambda: revision, always_cache=True)


def _open_stream(repo_id: str, split: str, revision: str | None) -> tuple[Any, str]:
    """(the rows of a split as a streamed `datasets` table, the split's own name); validation may serve as test.

    Raises NoSuchSplitError where there is none, ValueError where the data set cannot be reached.
    """
    import datasets

    name, tried = split, set()
    while True:
        try:
            pinned: dict[str, Any] = {} if revision is None else {"revision": revision}
            return datasets.load_dataset(repo_id, split=name, streaming=True, **pinned), name
        except Exception as error:  # the library raises its own and its transport's errors
            text = str(error)
            tried.add(name)
            if not re.search(rf"(Bad|Unknown) split:? \"?{name}\b", text):
                raise ValueError(
                    f"data {repo_id!r}: no such folder here, and it cannot be loaded from the Hub ({text})."
                ) from error
            names = re.findall(r"'([^']+)'", text.partition("[")[2])
            splits = {SPLIT_OF_WORD[each.lower()]: each for each in reversed(names) if each.lower() in SPLIT_OF_WORD}
            other = splits.get(("train" if split == "train" else held_out_split(splits)) or "")
            if other is None or other in tried:
                raise NoSuchSplitError(f"data {repo_id!r}: no {split} split in it ({text}).") from error
            name = other


def _newest_revision(repo_id: str) -> str | None:
    """The newest commit, so that all of a set is read at one state of it; None where the Hub cannot be asked."""
    import huggingface_hub

    try:
        return huggingface_hub.HfApi().dataset_info(repo_id).sha
    except Exception:  # offline, or no such set: loading it fails later
        return None


def _hub_entries(repo_id: str, table: Iterable[dict[str, Any]], columns: Columns) -> Iterator[Entry]:
    try:
        for index, row in enumerate(table):
            yield _row_entry(f"row {index}", row, columns, _download)
    except Exception as error:
        raise ValueError(f"data {repo_id!r}: cannot be read to its end ({error}).") from error


def _download(path: str) -> bytes:
    """The file at an address that a row names; a row from elsewhere does not choose files of this machine."""
    import fsspec

    *around, last = (re.match(r"(\w+)://", link) for link in path.split("::"))
    inside = all(link is not None and link[1] in ARCHIVES for link in around)
    if last is None or last[1] not in REMOTE or not inside or len(around) > 2:
        raise OutsideFileError(f"{path} is no address of the network")
    with fsspec.open(path, "rb") as file:
        return file.read(MAX_FILE_BYTES + 1)  # pyright: ignore[reportAttributeAccessIssue]  # stubs: a list of files

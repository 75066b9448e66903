"""Tables of images: parquet files as the Hub makes them, and Hub data sets, both read a few rows at a time."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from gan_hub.data.decode import Entry, OutsideFileError
from gan_hub.data.limits import MAX_FILE_BYTES, TooLargeError, check_unpacked
from gan_hub.data.sources import Contents, Listing, stamp, state_of
from gan_hub.data.splits import WORDS, NoSuchSplitError, held_out_side, listed, side_of
from gan_hub.model_folder.strict import read_bytes

LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "target", "y")  # labels where they hold whole numbers
ROWS = 64  # of a parquet file in memory at a time
# One cell of a dictionary stands for any number of rows. Writers stop at a dictionary of 1 MB and a cell; where one is
# larger, or packed better than pictures are, each row is read by itself.
DICTIONARY_BYTES, PICTURES_RATIO = 4_000_000, 20
ARCHIVES = ("zip", "tar", "gzip", "bz2", "xz", "zstd")  # fsspec's names of what an address may lie inside of
REMOTE = ("http", "https", "hf", "memory")  # and of what is not this machine's disk, nor opened with its owner's keys


def _datasets(source: object):
    try:
        import datasets
    except ImportError as error:
        raise ValueError(f"data {str(source)!r}: parquet and the Hub need `pip install datasets`.") from error
    return datasets


def _columns(source: object, features) -> tuple[str, str | None, Contents]:
    """(image column, label column, what is told of the labels) of the `datasets.Features` of a table from `source`.

    The first image column, else the first of structs with bytes, else the first of bytes. The first column of class
    labels, else the first in LABEL_COLUMNS of whole numbers. Raises ValueError for a table without images.
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
    named = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    if named:
        others = f", not of {listed(named[1:])}" if named[1:] else ""
        of = f"column {named[0]}{others}" if named[1:] or named[0] not in LABEL_COLUMNS else ""
        return image, named[0], Contents((), list(features[named[0]].names), labels_of=of)
    values = {name: features[name].dtype for name in LABEL_COLUMNS if isinstance(features.get(name), datasets.Value)}
    label = next((name for name, dtype in values.items() if "int" in dtype), None)
    notes = [] if label or not values else [f"no classes: the column {next(iter(values))} holds no whole numbers"]
    return image, label, Contents((), notes=notes)


def _entry(name: str, row: dict, image: str, label: str | None, fetch: Callable[[str], bytes]) -> Entry:
    """One row; `fetch` gets the bytes where the row has nothing but an address."""
    cell = row[image]
    content, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
    number = None if label is None else row[label]
    number = None if number is None or number < 0 else number  # -1 is how `datasets` marks a hidden label
    if not content and path:
        return Entry(name, number, 0, partial(fetch, path))
    return Entry(name, number, len(content or b""), lambda: content or b"")


# --------------------------------------------------------------------------------------------- parquet


def parquet(source: Path, files: list[Path], split: str) -> Listing:
    """Parquet `files` of `source`: of a split if their names (train-00000-of-00001.parquet) or folders say so.

    Where no file says so, all are "train"; where some do, the others are left out. Validation serves as test where
    there is no test. Raises NoSuchSplit where nothing is left, ValueError for a file that is no parquet, or a bomb.
    """
    _datasets(source)
    import pyarrow
    from pyarrow import parquet as reader

    sides = _sides(source, files)
    present = set(sides.values()) - {None}
    wanted = held_out_side(present) if split == "test" and present else "train"
    chosen = [
        file for file in files if (sides[file] if present else "train") == wanted and (present or split == "train")
    ]
    if not chosen:
        raise NoSuchSplitError(f"data {source}: no parquet file of the {split} split in it.")
    try:
        tables = [(file, reader.read_metadata(file)) for file in chosen]
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"data {source}: not readable parquet ({error}).") from error
    used = [side for side in ("train", held_out_side(present)) if side in present]
    idle = sum(side not in used for side in sides.values()) if present else 0
    told = f"files {' and '.join(used)}" + (f", {idle} others left out" if idle else "") if present else ""

    def open_() -> Contents:
        import datasets

        features = datasets.Features.from_arrow_schema(reader.read_schema(chosen[0]))
        image, label, contents = _columns(source, features)
        for file, metadata in tables:
            _check_column(source, file, metadata, image)
        contents.entries, contents.split = _parquet_entries(source, tables, image, label), told
        return contents

    return Listing(sum(max(0, data.num_rows) for _, data in tables), open_, lambda: state_of(map(stamp, chosen)))


def _sides(source: Path, files: list[Path]) -> dict[Path, str | None]:
    """File → train, test or validation, by the first word of its name or by a folder's name; None where nothing says so."""

    def side(file: Path, words: Callable[[str], str | None]) -> str | None:
        inside = file.relative_to(source).parts if source != file else ()
        names = [*inside[:-1], re.split(r"[^A-Za-z]", inside[-1])[0]] if inside else []
        return next((its for name in names if (its := words(name))), None)

    loose = {file: side(file, side_of) for file in files}
    if "train" in loose.values() and len(set(loose.values()) - {None}) > 1 or None not in loose.values():
        return loose
    return {file: side(file, lambda name: name if name in ("train", "test") else None) for file in files}


def _column_chunks(metadata, image: str) -> list[list]:
    """The column chunks that hold the bytes of the `image` column, a list a row group."""
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    whole = ([group.column(column) for column in range(group.num_columns)] for group in groups)
    return [[chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] == image] for chunks in whole]


def _check_column(source: Path, file: Path, metadata, image: str) -> None:
    packed_file = file.stat().st_size
    for chunks in _column_chunks(metadata, image):
        packed, unpacked = (
            sum(getattr(c, f"total_{kind}_size") for c in chunks) for kind in ("compressed", "uncompressed")
        )
        try:
            check_unpacked(f"{file.name}, column {image},", min(packed, packed_file), unpacked)
        except TooLargeError as error:
            raise ValueError(f"data {str(source)!r}: {error}.") from error


def _rows_at_a_time(metadata, image: str) -> int:
    """1 where a few bytes of the file can stand for many rows, else ROWS."""
    for chunk in (chunk for chunks in _column_chunks(metadata, image) for chunk in chunks):
        if chunk.total_uncompressed_size > PICTURES_RATIO * max(1, chunk.total_compressed_size):
            return 1
        if (
            chunk.has_dictionary_page
            and chunk.data_page_offset - (chunk.dictionary_page_offset or 0) > DICTIONARY_BYTES
        ):
            return 1
    return ROWS


def _parquet_entries(source: Path, tables: list[tuple], image: str, label: str | None) -> Iterator[Entry]:
    import pyarrow
    from pyarrow import parquet as reader

    for file, metadata in tables:
        try:
            with reader.ParquetFile(file) as table:
                index, rows = 0, _rows_at_a_time(metadata, image)
                for batch in table.iter_batches(rows, columns=[image] + [label] * (label is not None)):
                    for row in batch.to_pylist():
                        yield _entry(f"{file.name} row {index}", row, image, label, partial(_beside, file))
                        index += 1
        except (pyarrow.ArrowException, OSError, KeyError, MemoryError) as error:
            raise ValueError(f"data {source}: {file.name} cannot be read to its end ({error}).") from error


def _beside(file: Path, path: str) -> bytes:
    """The file that a row names, which lies beside the table or below it: a table does not choose others of this machine."""
    folder, place = file.parent.resolve(), (file.parent / path).resolve()
    if not place.is_relative_to(folder):
        raise OutsideFileError(f"{path} lies outside of {folder}")
    if place.is_file() and place.stat().st_size > MAX_FILE_BYTES:
        raise TooLargeError(f"{path} has {place.stat().st_size:,} bytes")
    return read_bytes(place, MAX_FILE_BYTES)


# ------------------------------------------------------------------------------------------------- Hub


def hub(repo_id: str, split: str) -> Listing:
    """A Hub data set, streamed: what comes over the network is decoded row by row and never stored in full size."""
    datasets = _datasets(repo_id)
    revision = _revision(repo_id)

    def open_() -> Contents:
        table, name = _streamed(repo_id, split, {} if revision is None else {"revision": revision})
        features = table.features
        image, label, contents = _columns(repo_id, features)
        if isinstance(features[image], datasets.Image):
            table = table.cast_column(image, datasets.Image(decode=False))
        table = table.select_columns([image] + [label] * (label is not None))
        contents.entries, contents.split = _hub_entries(repo_id, table, image, label), name
        return contents

    return Listing(None, open_, lambda: revision, keep=True)


def _streamed(repo_id: str, split: str, pinned: dict[str, str]) -> tuple:
    """(the rows of a split, its own name): of train or test, or of what the set has that plays their part.

    Raises NoSuchSplit where there is none, ValueError where the set cannot be reached.
    """
    import datasets

    wanted, tried = split, set()
    while True:
        try:
            return datasets.load_dataset(repo_id, split=wanted, streaming=True, **pinned), wanted
        except Exception as error:  # the library raises its own and its transport's errors
            text = str(error)
            tried.add(wanted)
            if not re.search(rf"(Bad|Unknown) split:? \"?{wanted}\b", text):
                raise ValueError(
                    f"data {repo_id!r}: no such folder here, and it cannot be loaded from the Hub ({text})."
                ) from error
            names = re.findall(r"'([^']+)'", text.partition("[")[2])
            sides = {WORDS[name.lower()]: name for name in reversed(names) if name.lower() in WORDS}
            other = sides.get("train" if split == "train" else held_out_side(sides))
            if other is None or other in tried:
                raise NoSuchSplitError(f"data {repo_id!r}: no {split} split in it ({text}).") from error
            wanted = other


def _revision(repo_id: str) -> str | None:
    """The newest commit, so that all of a set is read at one state of it; None where the Hub cannot be asked."""
    import huggingface_hub

    try:
        return huggingface_hub.HfApi().dataset_info(repo_id).sha
    except Exception:  # offline, or no such set: loading it will tell
        return None


def _hub_entries(repo_id: str, table, image: str, label: str | None) -> Iterator[Entry]:
    try:
        for index, row in enumerate(table):
            yield _entry(f"row {index}", row, image, label, _download)
    except Exception as error:
        raise ValueError(f"data {repo_id!r}: cannot be read to its end ({error}).") from error


def _download(path: str) -> bytes:
    """The file at an address that a row names; a row from elsewhere does not choose files of this machine."""
    import fsspec

    *around, last = (re.match(r"(\w+)://", link) for link in path.split("::"))
    inside = all(link is not None and link[1] in ARCHIVES for link in around)
    if last is None or last[1] not in REMOTE or not inside or len(around) > 2:
        raise OutsideFileError(f"{path} is no address of the network")
    with fsspec.open(path, "rb") as content:
        return content.read(MAX_FILE_BYTES + 1)

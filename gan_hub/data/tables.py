"""Tables of images: parquet files as the Hub makes them, and Hub data sets, both read a few rows at a time."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from gan_hub.data.pictures import MAX_FILE_BYTES, Entry
from gan_hub.data.sources import Listing, NoSuchSplit, stamp, state_of

LABEL_COLUMNS = ("label", "labels", "class", "target", "y")  # taken for labels where they hold whole numbers
ROWS = 64  # of a parquet file in memory at a time


def _datasets(source: object):
    try:
        import datasets
    except ImportError as error:
        raise ValueError(f"data {str(source)!r}: parquet and the Hub need `pip install datasets`.") from error
    return datasets


def _columns(source: object, features) -> tuple[str, str | None, list[str] | None]:
    """(image column, label column, names of the classes) of the `datasets.Features` of a table from `source`.

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
    label = next((name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)), None)
    if label is not None:
        return image, label, list(features[label].names)
    whole = (n for n in LABEL_COLUMNS if isinstance(features.get(n), datasets.Value) and "int" in features[n].dtype)
    return image, next(whole, None), None


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
    """Parquet `files` of `source`: of a split if they begin with its name (train-00000-of-00001.parquet) or lie below it.

    Where no file says so, all are "train"; where some do, the others (validation …) are left out.
    Raises NoSuchSplit where nothing is left, ValueError for a file that is no parquet.
    """
    _datasets(source)
    import pyarrow
    from pyarrow import parquet as reader

    def side(file: Path) -> str | None:
        inside = file.relative_to(source).parts if source != file else ()
        words = [*inside[:-1], re.split(r"[^A-Za-z]", inside[-1])[0]] if inside else []
        return next((word for word in words if word in ("train", "test")), None)

    marked = any(map(side, files))
    chosen = [file for file in files if (side(file) if marked else "train") == split]
    if not chosen:
        raise NoSuchSplit(f"data {source}: no parquet file of the {split} split in it.")
    try:
        count = sum(reader.read_metadata(file).num_rows for file in chosen)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"data {source}: not readable parquet ({error}).") from error

    def open_() -> tuple[Iterable[Entry], list[str] | None]:
        import datasets

        features = datasets.Features.from_arrow_schema(reader.read_schema(chosen[0]))
        image, label, names = _columns(source, features)
        return _parquet_entries(source, chosen, image, label), names

    return Listing(count, open_, lambda: state_of(map(stamp, chosen)))


def _parquet_entries(source: Path, files: list[Path], image: str, label: str | None) -> Iterator[Entry]:
    import pyarrow
    from pyarrow import parquet as reader

    for file in files:
        try:
            with reader.ParquetFile(file) as table:
                index = 0
                for batch in table.iter_batches(ROWS, columns=[image] + [label] * (label is not None)):
                    for row in batch.to_pylist():
                        yield _entry(f"{file.name} row {index}", row, image, label, partial(_beside, file))
                        index += 1
        except (pyarrow.ArrowException, OSError, KeyError) as error:
            raise ValueError(f"data {source}: {file.name} cannot be read to its end ({error}).") from error


def _beside(file: Path, path: str) -> bytes:
    """The file that a row names, which lies beside the table or anywhere on this machine."""
    with open(file.parent / path, "rb") as content:
        return content.read(MAX_FILE_BYTES + 1)


# ------------------------------------------------------------------------------------------------- Hub


def hub(repo_id: str, split: str) -> Listing:
    """A Hub data set, streamed: what comes over the network is decoded row by row and never stored in full size."""
    datasets = _datasets(repo_id)
    revision = _revision(repo_id)

    def open_() -> tuple[Iterable[Entry], list[str] | None]:
        pinned = {} if revision is None else {"revision": revision}
        try:
            table = datasets.load_dataset(repo_id, split=split, streaming=True, **pinned)
        except Exception as error:  # the library raises its own and its transport's errors
            absent = re.search(rf"(Bad|Unknown) split:? \"?{split}\b", str(error))
            raise (NoSuchSplit if absent else ValueError)(
                f"data {repo_id!r}: cannot be loaded from the Hub ({error})."
            ) from error
        features = table.features
        image, label, names = _columns(repo_id, features)
        if isinstance(features[image], datasets.Image):
            table = table.cast_column(image, datasets.Image(decode=False))
        table = table.select_columns([image] + [label] * (label is not None))
        return _hub_entries(repo_id, table, image, label), names

    return Listing(None, open_, lambda: revision, keep=True)


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

    if "://" not in path or "file:" in path or "local:" in path:
        raise OSError(f"{path} is on another machine")
    with fsspec.open(path, "rb") as content:
        return content.read(MAX_FILE_BYTES + 1)

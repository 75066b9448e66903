"""Labels in a file beside the images: StyleGAN's dataset.json, the Hub's metadata.jsonl or .csv, another .csv.

Such a file names images among those that were listed; no name in it ever opens a file.
"""

import csv
import io
import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gan_hub.data.limits import MAX_TABLE_ROWS
from gan_hub.data.splits import join_names, split_of
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import parse_json

FILE_COLUMNS = (
    *("file_name", "filename", "filepath", "filepaths", "file", "path", "image_path", "image_name", "image_id"),
    *("image", "img", "id", "name"),
)
LABEL_COLUMNS = ("label", "labels", "class", "target", "y", "fine_label", "class_name", "category", "class_id")
SPLIT_COLUMNS = ("split", "set", "subset", "partition", "data set")
# The first kind of file that has labels of these images is used; then any other .csv, and then the folders.
PRECEDENCE = ("dataset.json", "metadata.jsonl", "metadata.csv")
MAX_TABLES = 100  # of other .csv files: where there are more, each belongs to an image
MAX_NAME = 200  # characters of a class's name; more are a text about the image

Row = tuple[str, object, object]  # an image's name, its label, its split, as they are written
Tables = dict[str, Callable[[], bytes]]  # name of a file → a function that reads it


class NoLabelsError(ValueError):
    """A file that may lie beside images has no labels of theirs."""


@dataclass
class ImageLabels:
    """Image → label, and image → split where a column says so. An empty `of` means that no image has a label."""

    source: str  # names of the files
    of: dict[str, str | int] = field(default_factory=dict)
    split_of: dict[str, str] = field(default_factory=dict)
    numbered: bool = False  # a label is the class's number, not its name
    notes: list[str] = field(default_factory=list)


def class_order(labels: Iterable[str]) -> list[str]:
    """Names of all classes, in alphabetical order, or in that of the numbers where all names are whole numbers."""
    names = set(labels)
    return sorted(names, key=int) if all(name.isdecimal() for name in names) else sorted(names)


def precedence(name: str) -> int | None:
    """How early a file is searched for labels, 0 first; None where it never is."""
    base = PurePosixPath(name).name.lower()
    if base in PRECEDENCE:
        return PRECEDENCE.index(base)
    return len(PRECEDENCE) if base.endswith((".csv", ".tsv")) else None


def read_label_files(tables: Tables, images: list[str]) -> tuple[ImageLabels | None, list[str]]:
    """(labels of the `images` that the `tables` hold, or None; a sentence for each table that is not used).

    Raises ValueError where a table gives an image two labels, has one name for two images, or cannot be read.
    """
    names_by_order: dict[int, list[str]] = defaultdict(list)
    for name in sorted(tables):
        order = precedence(name)
        if order is not None and not any(part.startswith(".") for part in name.split("/")):
            names_by_order[order].append(name)
    find_image, unused = ImageFinder(images if names_by_order else []), []
    for order in sorted(names_by_order):
        names = names_by_order[order]
        if order == len(PRECEDENCE) and len(names) > MAX_TABLES:
            unused.append(f"{len(names):,} .csv files are not asked for labels; they are too many")
            break
        labels = _merge_tables({name: tables[name] for name in names}, find_image, unused)
        if labels is not None:
            later = sorted(name for other in names_by_order if other > order for name in names_by_order[other])
            labels.notes += [f"{join_names(later)} not asked for labels"] if later else []
            return labels, unused
    return None, unused


def _merge_tables(tables: Tables, find_image: "ImageFinder", unused: list[str]) -> ImageLabels | None:
    """The labels of all tables of one kind, or None; `unused` gets the reason where a table has none."""
    labels, names = ImageLabels(""), []
    for name, read in tables.items():
        try:
            _add_rows(labels, name, _rows(name, read(), find_image), find_image)
        except NoLabelsError as reason:
            unused.append(f"{name} is not used ({reason})")
            continue
        names.append(name)
    if not names:
        return None
    labels.source = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    labels.numbered = precedence(names[0]) == 0 and all(type(label) is int for label in labels.of.values())
    if not labels.numbered:
        labels.of = {image: str(label) for image, label in labels.of.items()}
    return labels


def _add_rows(labels: ImageLabels, table: str, rows: list[Row], find_image: "ImageFinder") -> None:
    """Add the rows of one table. Raises ValueError for a second label or split of an image."""

    def add(known: dict, image: str, value: str | int | None) -> None:
        if value is not None and known.setdefault(image, value) != value:
            both = f"as {short_repr(known[image])} and as {short_repr(value)}"
            raise ValueError(f"{table} names {image} twice, {both}; an image has one")

    missing, matched = [], 0
    for name, label, split in rows:
        image = find_image(table, name)
        if image is None:
            missing.append(name)
            continue
        matched += 1
        add(labels.of, image, _checked_label(table, label))
        add(labels.split_of, image, split_of(str(split)))
    if rows and not matched:
        raise NoLabelsError(f"it names none of the images; the first name in it is {short_repr(rows[0][0])}")
    if missing:
        first = ", ".join(short_repr(name, 40) for name in missing[:3])
        labels.notes.append(
            f"{len(missing):,} images that {table} names are not there ({first}{', …' * (len(missing) > 3)})"
        )


def _checked_label(table: str, value: object) -> str | int | None:
    """A label as text or whole number, None for none; a number with a fraction or a vector is no class."""
    if value is None or isinstance(value, str) and not value.strip():
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*\d+\.\d*\s*", value):  # a spreadsheet's number
        if float(value) % 1:
            raise NoLabelsError(f"a class is a name or a whole number, and not {short_repr(value.strip())}")
        return value.partition(".")[0].strip()
    if isinstance(value, (str, bool)):
        label = str(value).strip()
        if len(label) > MAX_NAME:
            raise NoLabelsError(f"a class's name has at most {MAX_NAME} characters, and one here has {len(label):,}")
        return label
    if not isinstance(value, int):
        raise NoLabelsError(f"a class is a name or a whole number, and not {short_repr(value)}")
    if value < 0:
        raise ValueError(f"{table} has the label {short_repr(value)}; labels are whole numbers from 0, or names")
    return value


class ImageFinder:
    """Finds the path of the image that a table names."""

    def __init__(self, images: list[str]) -> None:
        self.paths = set(images)
        self.by_name: dict[str, list[str]] = defaultdict(list)
        for image in images:
            base = posixpath.basename(image)
            for name in {base, posixpath.splitext(base)[0]}:
                self.by_name[name].append(image)

    def __call__(self, table: str, written: str) -> str | None:
        """The image called `written` in `table`, or None; raises ValueError where several images are called so.

        A name is a path from the table's folder or from the top, else the end of one image's path, with or without the
        ending.
        """
        name, folder = posixpath.normpath(written.strip().replace("\\", "/")), posixpath.dirname(table)
        for path in (posixpath.join(folder, name), name):
            if path in self.paths:
                return path
        images = self.by_name.get(posixpath.basename(name), [])
        for better in (lambda path: path.startswith(f"{folder}/"), lambda path: f"/{path}".endswith(f"/{name}")):
            if len(images) > 1:
                images = list(filter(better, images)) or images
        if len(images) > 1:
            raise ValueError(
                f"{table} names {short_repr(written)}, and {len(images)} images are called so "
                f"({', '.join(images[:2])}); give their paths"
            )
        return images[0] if images else None


# ---------------------------------------------------------------------------------------------- formats


def _rows(table: str, data: bytes, find_image: ImageFinder) -> list[Row]:
    """Parse a table. Raises NoLabelsError where it is about something else, ValueError where it is damaged."""
    order = precedence(table)
    if order == 0:
        return _stylegan_rows(table, data)
    if order == 1:
        if data.count(b"\n") > MAX_TABLE_ROWS:
            raise ValueError(f"{table} has more than {MAX_TABLE_ROWS:,} lines")
        lines = [line for line in data.splitlines() if line.strip()]
        return _select_columns([parse_json(Path(table), line) for line in lines])
    try:
        return _csv_rows(table, data.decode("utf-8-sig"), find_image)
    except (UnicodeDecodeError, csv.Error) as error:
        if _promises_labels(table):
            raise ValueError(f"{table} cannot be read ({error})") from error
        raise NoLabelsError(f"it cannot be read: {error}") from error


def _promises_labels(table: str) -> bool:
    """Whether a table's name promises labels; any other .csv may be about something else."""
    return PurePosixPath(table).name.lower() in PRECEDENCE


def _stylegan_rows(table: str, data: bytes) -> list[Row]:
    """Rows of {"labels": [["00000/img00000000.png", 3], …]}; the labels may be a dictionary, or null."""
    parsed = parse_json(Path(table), data)
    if "labels" not in parsed:
        raise NoLabelsError("it has no labels")
    pairs = parsed["labels"]
    pairs = list(pairs.items()) if isinstance(pairs, dict) else pairs or []
    for pair in pairs if isinstance(pairs, list) else [pairs]:
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str)):
            raise ValueError(
                f'{table} has the label {short_repr(pair)}; allowed: ["00000/img00000000.png", 3], or labels: null'
            )
    # A vector, such as a camera's pose, is no class; the images have none then.
    return [(image, label if isinstance(label, (int, str)) else None, None) for image, label in pairs]


def _select_columns(rows: list[dict]) -> list[Row]:
    """Take name, label and split from rows of column → value, by the first usual names of columns."""
    columns: dict[str, str] = {}
    for column in dict.fromkeys(column for row in rows for column in row if column):
        columns.setdefault(column.strip().lower(), column)
    chosen = []
    for what, usual in (("file names", FILE_COLUMNS), ("labels", LABEL_COLUMNS)):
        column = next((columns[name] for name in usual if name in columns), None)
        if column is None:
            raise NoLabelsError(
                f"no column of {what}, such as {usual[0]}; its columns: {', '.join(columns)[:100] or 'none'}"
            )
        chosen.append(column)
    split = next((columns[name] for name in SPLIT_COLUMNS if name in columns), None)
    return [(str(row.get(chosen[0]) or ""), row.get(chosen[1]), row.get(split)) for row in rows]


def _csv_rows(table: str, text: str, find_image: ImageFinder) -> list[Row]:
    """Rows of a .csv or .tsv with a line of columns' names, or of one with two columns and no such line."""
    if text.count("\n") > MAX_TABLE_ROWS:
        raise NoLabelsError(f"it has more than {MAX_TABLE_ROWS:,} lines")
    first_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first_line.count)
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    if rows and len(rows[0]) == 2 and find_image(table, rows[0][0]) is not None:
        return [(row[0], row[1] if len(row) > 1 else None, None) for row in rows]
    head, *rows = rows or [[]]
    return _select_columns([dict(zip(head[: len(row)], row[: len(head)], strict=True)) for row in rows])

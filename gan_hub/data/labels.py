"""Labels that a file beside the pictures holds: StyleGAN's dataset.json, the Hub's metadata.jsonl or .csv, another .csv.

Such a file names pictures among those that were found; no name in it ever opens a file.
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
from gan_hub.data.splits import listed, side_of
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import parse_json

FILE_COLUMNS = (
    "file_name",
    "filename",
    "filepath",
    "filepaths",
    "file",
    "path",
    "image_path",
    "image_name",
    "image_id",
)
FILE_COLUMNS += ("image", "img", "id", "name")
LABEL_COLUMNS = ("label", "labels", "class", "target", "y", "fine_label", "class_name", "category", "class_id")
SPLIT_COLUMNS = ("split", "set", "subset", "partition", "data set")
# The first kind of file that has labels of these pictures is believed; then any other .csv, and then the folders.
PRECEDENCE = ("dataset.json", "metadata.jsonl", "metadata.csv")
MAX_TABLES = 100  # of other .csv files: where there are more, each belongs to a picture
MAX_NAME = 200  # characters of a class's name; more are a text about the picture

Row = tuple[str, object, object]  # a picture's name, its label, its split, as they are written


class NoLabelsError(ValueError):
    """A file that may lie beside pictures and says nothing of their classes."""


@dataclass
class Labels:
    """Picture → label, and picture → split where a column says so. An empty `of` says that no picture has a label."""

    source: str  # names of the files
    of: dict[str, str | int] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    numbered: bool = False  # a label is the class's number, and not its name
    notes: list[str] = field(default_factory=list)

    @staticmethod
    def classes(labels: Iterable[str]) -> list[str]:
        """Names of all classes, in the order of the alphabet, or of the numbers where all of them are."""
        names = set(labels)
        return sorted(names, key=int) if all(name.isdecimal() for name in names) else sorted(names)


def rank(name: str) -> int | None:
    """How early a file is asked for labels; None where it never is."""
    base = PurePosixPath(name).name.lower()
    if base in PRECEDENCE:
        return PRECEDENCE.index(base)
    return len(PRECEDENCE) if base.endswith((".csv", ".tsv")) else None


def read(tables: dict[str, Callable[[], bytes]], pictures: list[str]) -> tuple[Labels | None, list[str]]:
    """(what the `tables`, name → content, say of the `pictures`, or None; a sentence each of those that say nothing).

    Raises ValueError where one gives a picture two labels, means two pictures by one name, or cannot be read.
    """
    by_rank = defaultdict(list)
    for name in sorted(tables):
        if rank(name) is not None and not any(part.startswith(".") for part in name.split("/")):
            by_rank[rank(name)].append(name)
    match, unused = Pictures(pictures if by_rank else []), []
    for number in sorted(by_rank):
        if number == len(PRECEDENCE) and len(by_rank[number]) > MAX_TABLES:
            unused.append(f"{len(by_rank[number]):,} .csv files are not asked for labels; they are too many")
            break
        found = _joined({name: tables[name] for name in by_rank[number]}, match, unused)
        if found is not None:
            later = sorted(name for other in by_rank if other > number for name in by_rank[other])
            found.notes += [f"{listed(later)} not asked for labels"] if later else []
            return found, unused
    return None, unused


def _joined(tables: dict[str, Callable[[], bytes]], match: "Pictures", unused: list[str]) -> Labels | None:
    """The labels of all tables of one kind, or None; why one is of no use joins the `unused`."""
    joined, names = Labels(""), []
    for name, content in tables.items():
        try:
            _add(joined, name, _rows(name, content(), match), match)
        except NoLabelsError as reason:
            unused.append(f"{name} is not used ({reason})")
            continue
        names.append(name)
    if not names:
        return None
    joined.source = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    joined.numbered = rank(names[0]) == 0 and all(type(label) is int for label in joined.of.values())
    if not joined.numbered:
        joined.of = {picture: str(label) for picture, label in joined.of.items()}
    return joined


def _add(joined: Labels, name: str, rows: list[Row], match: "Pictures") -> None:
    missing, seen = [], 0
    for given, value, split in rows:
        picture = match(name, given)
        if picture is None:
            missing.append(given)
            continue
        seen += 1
        for known, new in ((joined.of, _label(name, value)), (joined.splits, side_of(str(split)))):
            if new is not None and known.setdefault(picture, new) != new:
                both = f"as {short_repr(known[picture])} and as {short_repr(new)}"
                raise ValueError(f"{name} names {picture} twice, {both}; a picture has one")
    if rows and not seen:
        raise NoLabelsError(f"it names none of the pictures; the first name in it is {short_repr(rows[0][0])}")
    if missing:
        first = ", ".join(short_repr(given, 40) for given in missing[:3])
        joined.notes.append(
            f"{len(missing):,} pictures that {name} names are not there ({first}{', …' * (len(missing) > 3)})"
        )


def _label(name: str, value: object) -> str | int | None:
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
    if type(value) is not int:
        raise NoLabelsError(f"a class is a name or a whole number, and not {short_repr(value)}")
    if value < 0:
        raise ValueError(f"{name} has the label {short_repr(value)}; labels are whole numbers from 0, or names")
    return value


class Pictures:
    """The name of a picture in a table → its path in the source, or None."""

    def __init__(self, pictures: list[str]):
        self.all = set(pictures)
        self.by_end: dict[str, list[str]] = defaultdict(list)
        for picture in pictures:
            base = posixpath.basename(picture)
            for end in {base, posixpath.splitext(base)[0]}:
                self.by_end[end].append(picture)

    def __call__(self, table: str, given: str) -> str | None:
        """A path from the `table`'s folder or from the top, else the end of one picture's path, with or without its ending."""
        name, folder = posixpath.normpath(given.strip().replace("\\", "/")), posixpath.dirname(table)
        for place in (posixpath.join(folder, name), name):
            if place in self.all:
                return place
        found = self.by_end.get(posixpath.basename(name), [])
        for better in (lambda path: path.startswith(f"{folder}/"), lambda path: f"/{path}".endswith(f"/{name}")):
            if len(found) > 1:
                found = list(filter(better, found)) or found
        if len(found) > 1:
            raise ValueError(
                f"{table} names {short_repr(given)}, and {len(found)} pictures are called so ({', '.join(found[:2])}); give "
                "their paths"
            )
        return found[0] if found else None


# ---------------------------------------------------------------------------------------------- formats


def _rows(name: str, content: bytes, match: Pictures) -> list[Row]:
    """What a table says, picture by picture. Raises NoLabels where it is about something else, ValueError for damage."""
    if rank(name) == 0:
        return _of_stylegan(name, content)
    if rank(name) == 1:
        if content.count(b"\n") > MAX_TABLE_ROWS:
            raise ValueError(f"{name} has more than {MAX_TABLE_ROWS:,} lines")
        lines = [line for line in content.splitlines() if line.strip()]
        return _of_columns([parse_json(Path(name), line) for line in lines])
    try:
        return _of_csv(name, content.decode("utf-8-sig"), match)
    except (UnicodeDecodeError, csv.Error) as error:
        if rank(name) < len(PRECEDENCE):
            raise ValueError(f"{name} cannot be read ({error})") from error
        raise NoLabelsError(f"it cannot be read: {error}") from error


def _of_stylegan(name: str, content: bytes) -> list[Row]:
    whole = parse_json(Path(name), content)
    if "labels" not in whole:
        raise NoLabelsError("it has no labels")
    pairs = whole["labels"]
    pairs = list(pairs.items()) if isinstance(pairs, dict) else pairs or []
    for pair in pairs if isinstance(pairs, list) else [pairs]:
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str)):
            raise ValueError(
                f'{name} has the label {short_repr(pair)}; allowed: ["00000/img00000000.png", 3], or labels: null'
            )
    # A vector, such as a camera's pose, is no class; the pictures have none then.
    return [(picture, label if isinstance(label, (int, str)) else None, None) for picture, label in pairs]


def _of_columns(rows: list[dict]) -> list[Row]:
    """Rows of column → value, of which the first usual names of columns are taken."""
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


def _of_csv(name: str, text: str, match: Pictures) -> list[Row]:
    if text.count("\n") > MAX_TABLE_ROWS:
        raise NoLabelsError(f"it has more than {MAX_TABLE_ROWS:,} lines")
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    if rows and len(rows[0]) == 2 and match(name, rows[0][0]) is not None:  # no line with the columns' names
        return [(row[0], row[1] if len(row) > 1 else None, None) for row in rows]
    return _of_columns([dict(zip(rows[0], row)) for row in rows[1:]] if rows else [])

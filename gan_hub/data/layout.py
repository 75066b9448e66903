"""Which split and which class a picture belongs to, told by the folders around it, or by a file with labels.

Paths have / between their parts, whatever system or archive they come from.
"""

import re
from dataclasses import dataclass, field

from gan_hub.data.labels import Labels
from gan_hub.data.splits import WORDS, NoSuchSplitError, held_out_side, listed, side_of

ALONE = {"test", "testing", "val", "validation"}  # speak of a split also where no folder is called train
MOST = 0.5  # of the pictures without a class: so many are left out; where they are more, there are no classes


@dataclass
class Plan:
    """The pictures of one split with their labels, and what is to be told of how they were found."""

    chosen: list[tuple[str, int | None]]  # (file, label), in the order of the files
    names: list[str] | None = None  # of all classes; None where there are none, or numbers alone
    split: str = ""
    labels_of: str = ""  # the file the labels come from; "" where they are folders
    notes: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)  # (file, kind)


def plan(files: list[str], split: str, table: Labels | None = None, classes: bool = True) -> Plan:
    """Which of the image `files` belong to the split train or test, and their labels.

    Splits are folders called train, test or validation in one of their usual spellings (splits.py), at the top or in
    each class; validation serves as test where there is no test. Without any, all is train. Labels are those of the
    `table`, else the next folder is the class. One folder around everything, and a class without others, say nothing
    and do not count. The classes are those of all splits, so that a label means the same in each. Hidden files, such
    as macOS leaves in archives, are no images. Without `classes` nothing is told of them, and nothing left out for them.
    A folder that cannot be read, given as its path with / at the end, is planned as a file in it would be: its class
    keeps its number. Where it is a split, nothing is known of its classes.
    Raises NoSuchSplit where there are splits and none of this name, and where there are none and test is asked for.
    """
    parts = {file: file.split("/") for file in files}
    parts = {file: p for file, p in parts.items() if not any(part.startswith(".") for part in p)}
    parts, beside = _unwrapped(parts)
    found = _splits(parts, table)
    if not found.folders and not (classes and _classes(found.sides, table)):
        found.sides |= {file: ("train", [file]) for file in beside}
        beside = []
    present = {side for side, _ in found.sides.values()}
    wanted = "train" if split == "train" else held_out_side(present)
    if wanted not in present and (split == "test" or present):
        raise NoSuchSplitError(found.missing(split))
    chosen = sorted(file for file, (side, _) in found.sides.items() if side == wanted)
    done = Plan([], split=found.sentence())
    done.left_out = [(file, "outside the folders") for file in sorted([*beside, *found.beside])]
    others = len(parts) - len(found.sides) - len(found.beside)
    if others:
        done.notes.append(f"{others:,} pictures in other folders than the splits are left out")
    if not classes:
        done.chosen = [(file, None) for file in chosen]
    elif table is None:
        _by_folders(done, chosen, found.sides)
    else:
        _by_table(done, chosen, found.sides, table)
    return done


# ---------------------------------------------------------------------------------------------- splits


@dataclass
class Splits:
    """Which side each picture is on, and by what: folders, or a table's column."""

    sides: dict[str, tuple[str, list[str]]]  # file → (train, test or validation; its path below the split)
    folders: dict[str, str] = field(default_factory=dict)  # name → side; empty where nothing tells of any split
    of: str = ""  # what has these names, where they are no folders at the top
    beside: list[str] = field(default_factory=list)  # pictures beside the splits

    def sentence(self) -> str:
        """What the splits are called, which of them is not used, and what is for training where no name says so."""
        if not self.folders:
            return ""
        held_out = held_out_side(self.folders.values())
        used = [listed(n for n, side in self.folders.items() if side == wanted) for wanted in ("train", held_out)]
        used = [names for names in used if names]
        text = f"{'folders' if len(used) > 1 else 'folder'} {' and '.join(used)}{self.of}"
        if "train" not in self.folders.values():
            text += ", all else is for training"
        idle = [name for name, side in self.folders.items() if side not in ("train", held_out)]
        count = sum(side not in ("train", held_out) for side, _ in self.sides.values())
        return text + (f", {listed(idle)} ({count:,} files) left out" if idle else "")

    def missing(self, split: str) -> str:
        if not self.folders:
            return "the data has no test split (no folder named test, val or alike)."
        wanted = "for training" if split == "train" else "for tests (test, val or alike)"
        return f"the data has no {split} split: {listed(self.folders)} is there, and nothing {wanted}."


def _unwrapped(parts: dict[str, list[str]]) -> tuple[dict[str, list[str]], list[str]]:
    """Paths without the folders around everything, and the pictures that lay beside such a folder."""
    outside: list[str] = []
    while True:
        inside = {file: p for file, p in parts.items() if len(p) > 1}
        tops, beside = {p[0] for p in inside.values()}, parts.keys() - inside.keys()
        if len(tops) != 1 or WORDS.get(next(iter(tops)).lower()) in ("train", "test"):
            return parts, outside
        if beside and (len(beside) > MOST * len(parts) or all(len(p) == 2 for p in inside.values())):
            return parts, outside
        outside += beside
        parts = {file: p[1:] for file, p in inside.items()}


def _splits(parts: dict[str, list[str]], table: Labels | None) -> Splits:
    folders = _split_folders(parts)
    if folders:
        return _at_the_top(parts, folders)
    within = {p[1] for p in parts.values() if len(p) > 2}
    if within and all(len(p) > 2 for p in parts.values()) and all(name.lower() in WORDS for name in within):
        folders = {name: WORDS[name.lower()] for name in within}
        if "train" in folders.values() and len(folders) > 1:
            sides = {file: (folders[p[1]], [p[0], *p[2:]]) for file, p in parts.items()}
            return Splits(sides, folders, " in each class")
    if table is not None and table.splits:
        sides = {file: (table.splits[file], p) for file, p in parts.items() if file in table.splits}
        return Splits(sides, {side: side for side, _ in sides.values()}, f" of the column in {table.source}")
    return Splits({file: ("train", p) for file, p in parts.items()})


def _split_folders(parts: dict[str, list[str]]) -> dict[str, str]:
    """Top folder → its side; empty where no folder is a split, as a class may be called train, or valid."""
    folders = {p[0] for p in parts.values() if len(p) > 1}
    exact = {folder: WORDS[folder.lower()] for folder in folders if folder.lower() in WORDS}
    loose = {folder: side for folder in folders if (side := side_of(folder))}
    for named in (exact, loose):
        if "train" in named.values() and len(set(named.values())) > 1:
            return named
    if exact and len(exact) == len(folders):
        return exact
    if "train" in exact.values():
        deep = {p[0] for p in parts.values() if len(p) > 2}
        return exact if deep and deep <= exact.keys() else {}
    return {folder: side for folder, side in exact.items() if folder.lower() in ALONE}


def _at_the_top(parts: dict[str, list[str]], folders: dict[str, str]) -> Splits:
    flat = [file for file, p in parts.items() if len(p) == 1]
    sides = {file: (folders[p[0]], p[1:]) for file, p in parts.items() if len(p) > 1 and p[0] in folders}
    if "train" not in folders.values():  # then what lies in no split is
        rest = {file: ("train", p) for file, p in parts.items() if file not in sides}
        if 2 * len(flat) <= len(rest):  # as the classes do; else the pictures themselves lie there
            rest = {file: side for file, side in rest.items() if file not in set(flat)}
        sides, flat = sides | rest, [file for file in flat if file not in rest]
    return Splits(_unwrapped_sides(sides), folders, beside=flat)


def _unwrapped_sides(sides: dict[str, tuple[str, list[str]]]) -> dict[str, tuple[str, list[str]]]:
    """Without a folder around all of each split: seg_train/seg_train/…, train/images/cat/…"""
    tops = {(side, p[0] if len(p) > 1 else None) for side, p in sides.values() if p != [""]}
    if None in {top for _, top in tops} or len(tops) != len({side for side, _ in tops}):
        return sides
    repeated = all(side_of(top) == side for side, top in tops)
    same = len({top for _, top in tops}) == 1 and all(len(p) > 2 for _, p in sides.values() if p != [""])
    if not repeated and not same:
        return sides
    return {file: (side, p[1:] or p) for file, (side, p) in sides.items()}


# --------------------------------------------------------------------------------------------- classes


def _classes(sides: dict[str, tuple[str, list[str]]], table: Labels | None) -> set[str]:
    """The folders that are classes; none where a table has the labels."""
    if table is not None:
        return set()
    found = {p[0] for _, p in sides.values() if len(p) > 1}
    return found if len(found) > 1 else set()


def _by_folders(done: Plan, chosen: list[str], sides: dict[str, tuple[str, list[str]]]) -> None:
    names = sorted(_classes(sides, None))
    classes = {file: sides[file][1][0] if len(sides[file][1]) > 1 else None for file in chosen}
    unknown = {file for file in chosen if sides[file][1] == [""]}  # a whole split that cannot be read
    without = [file for file in chosen if classes[file] is None and file not in unknown]
    if names and _are_shards(names, [p for _, p in sides.values()]):
        done.notes.append(f"the folders {listed(names)} are taken for parts of a large set, not for classes")
        names = []
    if names and len(without) > MOST * len(chosen):
        done.notes.append(f"no classes: {len(without):,} of {len(chosen):,} pictures lie outside {listed(names)}")
        names = []
    if not names:
        done.chosen = [(file, None) for file in chosen]
        return
    numbers = {name: number for number, name in enumerate(names)}
    done.names, done.left_out = names, done.left_out + [(file, "outside the folders") for file in without]
    done.chosen = [(f, numbers.get(classes[f])) for f in chosen if classes[f] is not None or f in unknown]


def _are_shards(names: list[str], paths: list[list[str]]) -> bool:
    """Whether folders only divide a large set, as StyleGAN's and FFHQ's do: 00000/img00000123.png, numbered through."""
    if not all(re.fullmatch(r"\d{5}", name) for name in names):
        return False
    ranges: dict[str, list[int]] = {}
    for path in paths:
        number = re.fullmatch(r"(?:img)?(\d{5,})\.\w+", path[-1])
        if number is None or len(path) != 2:
            return False
        low, high = ranges.get(path[0], (10**9, -1))
        ranges[path[0]] = [min(low, int(number[1])), max(high, int(number[1]))]
    ordered = [ranges[name] for name in names]
    return all(high < low for (_, high), (low, _) in zip(ordered, ordered[1:]))


def _by_table(done: Plan, chosen: list[str], sides: dict, table: Labels) -> None:
    done.notes += table.notes
    labels = {file: table.of[file] for file in sides if file in table.of}
    without = [file for file in chosen if file not in labels]
    done.chosen, done.labels_of = [(file, None) for file in chosen], table.source
    if len(set(labels.values())) < 2:
        done.notes.append(f"no classes: {table.source} has {len(set(labels.values()))} of them")
        return
    if len(without) > MOST * len(chosen):
        done.notes.append(f"no classes: {len(without):,} of {len(chosen):,} pictures have no label in {table.source}")
        return
    done.left_out += [(file, "without a label") for file in without]
    if table.numbered:
        done.chosen = [(file, int(labels[file])) for file in chosen if file in labels]
        return
    done.names = table.classes(labels.values())
    numbers = {name: number for number, name in enumerate(done.names)}
    done.chosen = [(file, numbers[labels[file]]) for file in chosen if file in labels]

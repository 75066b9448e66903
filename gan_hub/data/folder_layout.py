"""Which split and which class an image belongs to, by the folders around it, or by a file with labels.

Paths have / between their parts, whatever system or archive they come from.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from gan_hub.data.label_files import ImageLabels, class_order
from gan_hub.data.splits import HOLDOUT_WORDS, SPLIT_OF_WORD, NoSuchSplitError, held_out_split, join_names, split_of

# Words that name a split also where no folder is called train.
ALWAYS_SPLITS = {"test", "testing", "val", "validation", *HOLDOUT_WORDS}
MAX_WITHOUT_CLASS = 0.5  # share of the images without a class that are left out; with more of them, no image has one

Parts = dict[str, list[str]]  # file → the parts of its path
Splits = dict[str, tuple[str, list[str]]]  # file → (train, test or validation; the parts of its path below the split)


@dataclass
class SplitSelection:
    """The images of one split with their labels, and how they were found."""

    images: list[tuple[str, int | None]]  # (file, label), sorted by file
    class_names: list[str] | None = None  # of all classes; None where there are none, or numbers alone
    split: str = ""
    labels_of: str = ""  # the file the labels come from; "" where they are folders
    notes: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)  # (file, kind)


def select_split(
    files: list[str], split: str, table: ImageLabels | None = None, classes: bool = True
) -> SplitSelection:
    """Select the images of one split and find their labels.

    Splits are folders called train, test or validation in one of their usual spellings (splits.py), at the top or in
    each class; validation serves as test where there is no test. Without any, all is train. Labels are those of the
    `table`, else the next folder is the class. One folder around everything, and a class without others, do not count.
    The classes are those of all splits, so that a label means the same in each. Hidden files, such as macOS leaves in
    archives, are no images.

    Args:
        files: paths of images; a path with / at the end is a folder that cannot be read. Such a folder is treated as a
            file in it would be, so that its class keeps its number; where it is a split, its classes are unknown.
        split: "train" or "test".
        table: labels of a file, if there is one.
        classes: False: no labels, no notes about them, and nothing left out for lack of them.

    Returns:
        The images of the split and their labels.

    Raises:
        NoSuchSplitError: there are splits and none of this name, or there are none and test is asked for.
    """
    parts = {file: file.split("/") for file in files}
    parts = {file: p for file, p in parts.items() if not any(part.startswith(".") for part in p)}
    parts, outside = _strip_common_folders(parts)
    found_splits = _find_splits(parts, table)
    if not found_splits.folders and not (classes and _class_folders(found_splits.of_file, table)):
        found_splits.of_file |= {file: ("train", [file]) for file in outside}
        outside = []
    present = {name for name, _ in found_splits.of_file.values()}
    wanted = "train" if split == "train" else held_out_split(present)
    if wanted not in present and (split == "test" or present):
        raise NoSuchSplitError(found_splits.missing(split))
    files = sorted(file for file, (name, _) in found_splits.of_file.items() if name == wanted)
    selection = SplitSelection([], split=found_splits.sentence())
    selection.left_out = [(file, "outside the folders") for file in sorted([*outside, *found_splits.outside])]
    others = len(parts) - len(found_splits.of_file) - len(found_splits.outside)
    if others:
        selection.notes.append(f"{others:,} images in other folders than the splits are left out")
    if not classes:
        selection.images = [(file, None) for file in files]
    elif table is None:
        _label_by_folders(selection, files, found_splits.of_file)
    else:
        _label_by_table(selection, files, found_splits.of_file, table)
    return selection


# ---------------------------------------------------------------------------------------------- splits


@dataclass
class FoundSplits:
    """The split of each image, and what names the splits: folders, or a table's column."""

    of_file: Splits
    folders: dict[str, str] = field(default_factory=dict)  # name → split; empty where nothing names a split
    of: str = ""  # what has these names, where they are no folders at the top
    outside: list[str] = field(default_factory=list)  # images beside the folders of the splits

    def sentence(self) -> str:
        """What the splits are called, which of them is not used, and what is for training where no name says so."""
        if not self.folders:
            return ""
        held_out = held_out_split(self.folders.values())
        used = [join_names(n for n, split in self.folders.items() if split == one) for one in ("train", held_out)]
        used = [names for names in used if names]
        text = f"{'folders' if len(used) > 1 else 'folder'} {' and '.join(used)}{self.of}"
        if "train" not in self.folders.values():
            text += ", all else is for training"
        unused = [name for name, split in self.folders.items() if split not in ("train", held_out)]
        count = sum(split not in ("train", held_out) for split, _ in self.of_file.values())
        return text + (f", {join_names(unused)} ({count:,} files) left out" if unused else "")

    def missing(self, split: str) -> str:
        """A sentence that says that there is no such split, and which there are."""
        if not self.folders:
            return "the data has no test split (no folder named test, val or alike)."
        wanted = "for training" if split == "train" else "for tests (test, val or alike)"
        return f"the data has no {split} split: {join_names(self.folders)} is there, and nothing {wanted}."


def _strip_common_folders(parts: Parts) -> tuple[Parts, list[str]]:
    """Paths without the folders around everything, and the images that lay beside such a folder."""
    outside: list[str] = []
    while True:
        inside = {file: p for file, p in parts.items() if len(p) > 1}
        tops, beside = {p[0] for p in inside.values()}, parts.keys() - inside.keys()
        if len(tops) != 1 or SPLIT_OF_WORD.get(next(iter(tops)).lower()) in ("train", "test"):
            return parts, outside
        if beside and (len(beside) > MAX_WITHOUT_CLASS * len(parts) or all(len(p) == 2 for p in inside.values())):
            return parts, outside
        outside += beside
        parts = {file: p[1:] for file, p in inside.items()}


def _find_splits(parts: Parts, table: ImageLabels | None) -> FoundSplits:
    """Splits by folders at the top, else by folders in each class, else by the table; else all is train."""
    folders = _split_folders(parts)
    if folders:
        return _splits_at_top(parts, folders)
    within = {p[1] for p in parts.values() if len(p) > 2}
    if within and all(len(p) > 2 for p in parts.values()) and all(name.lower() in SPLIT_OF_WORD for name in within):
        folders = {name: SPLIT_OF_WORD[name.lower()] for name in within}
        if "train" in folders.values() and len(folders) > 1:
            of_file = {file: (folders[p[1]], [p[0], *p[2:]]) for file, p in parts.items()}
            return FoundSplits(of_file, folders, " in each class")
    if table is not None and table.split_of:
        of_file = {file: (table.split_of[file], p) for file, p in parts.items() if file in table.split_of}
        names = {split: split for split, _ in of_file.values()}
        return FoundSplits(of_file, names, f" of the column in {table.source}")
    return FoundSplits({file: ("train", p) for file, p in parts.items()})


def _split_folders(parts: Parts) -> dict[str, str]:
    """Top folder → its split; empty where no folder is a split, as a class may be called train, or valid."""
    folders = {p[0] for p in parts.values() if len(p) > 1}
    exact = {folder: SPLIT_OF_WORD[folder.lower()] for folder in folders if folder.lower() in SPLIT_OF_WORD}
    loose = {folder: split for folder in folders if (split := split_of(folder))}
    for named in (exact, loose):
        if "train" in named.values() and len(set(named.values())) > 1:
            return named
    if exact and len(exact) == len(folders):
        return exact
    if "train" in exact.values():
        deep = {p[0] for p in parts.values() if len(p) > 2}
        return exact if deep and deep <= exact.keys() else {}
    return {folder: split for folder, split in exact.items() if folder.lower() in ALWAYS_SPLITS}


def _splits_at_top(parts: Parts, folders: dict[str, str]) -> FoundSplits:
    flat = [file for file, p in parts.items() if len(p) == 1]
    of_file = {file: (folders[p[0]], p[1:]) for file, p in parts.items() if len(p) > 1 and p[0] in folders}
    if "train" not in folders.values():  # then what lies in no split is
        rest = {file: ("train", p) for file, p in parts.items() if file not in of_file}
        if 2 * len(flat) <= len(rest):  # the classes lie beside the split; else the images themselves do
            rest = {file: split for file, split in rest.items() if file not in set(flat)}
        of_file, flat = of_file | rest, [file for file in flat if file not in rest]
    return FoundSplits(_strip_folders_in_splits(of_file), folders, outside=flat)


def _strip_folders_in_splits(of_file: Splits) -> Splits:
    """Paths without a folder around all of each split: seg_train/seg_train/…, train/images/cat/…"""
    tops = {(split, p[0] if len(p) > 1 else None) for split, p in of_file.values() if p != [""]}
    if None in {top for _, top in tops} or len(tops) != len({split for split, _ in tops}):
        return of_file
    repeated = all(top is not None and split_of(top) == split for split, top in tops)
    same = len({top for _, top in tops}) == 1 and all(len(p) > 2 for _, p in of_file.values() if p != [""])
    if not repeated and not same:
        return of_file
    return {file: (split, p[1:] or p) for file, (split, p) in of_file.items()}


# --------------------------------------------------------------------------------------------- classes


def _class_folders(of_file: Splits, table: ImageLabels | None) -> set[str]:
    """The folders that are classes; none where a table has the labels."""
    if table is not None:
        return set()
    folders = {p[0] for _, p in of_file.values() if len(p) > 1}
    return folders if len(folders) > 1 else set()


def _label_by_folders(selection: SplitSelection, files: list[str], of_file: Splits) -> None:
    """Add `files` with the numbers of their folders, or without labels where folders are no classes."""
    names = sorted(_class_folders(of_file, None))
    classes = {file: of_file[file][1][0] if len(of_file[file][1]) > 1 else None for file in files}
    unknown = {file for file in files if of_file[file][1] == [""]}  # a whole split that cannot be read
    without = [file for file in files if classes[file] is None and file not in unknown]
    if names and _are_shards(names, [p for _, p in of_file.values()]):
        selection.notes.append(f"the folders {join_names(names)} are taken for parts of a large set, not for classes")
        names = []
    if names and len(without) > MAX_WITHOUT_CLASS * len(files):
        selection.notes.append(f"no classes: {len(without):,} of {len(files):,} images lie outside {join_names(names)}")
        names = []
    if not names:
        selection.images = [(file, None) for file in files]
        return
    numbers: dict[str | None, int] = {name: number for number, name in enumerate(names)}
    selection.class_names = names
    selection.left_out += [(file, "outside the folders") for file in without]
    selection.images = [(f, numbers.get(classes[f])) for f in files if classes[f] is not None or f in unknown]


def _are_shards(names: list[str], paths: Iterable[list[str]]) -> bool:
    """Whether folders only divide a large set, as StyleGAN's and FFHQ's do: 00000/img00000123.png, numbered through."""
    if not all(re.fullmatch(r"\d{5}", name) for name in names):
        return False
    ranges: dict[str, tuple[int, int]] = {}
    for path in paths:
        number = re.fullmatch(r"(?:img)?(\d{5,})\.\w+", path[-1])
        if number is None or len(path) != 2:
            return False
        low, high = ranges.get(path[0], (10**9, -1))
        ranges[path[0]] = min(low, int(number[1])), max(high, int(number[1]))
    ordered = [ranges[name] for name in names]
    return all(high < low for (_, high), (low, _) in zip(ordered[:-1], ordered[1:], strict=True))


def _label_by_table(selection: SplitSelection, files: list[str], of_file: Splits, table: ImageLabels) -> None:
    """Add `files` with the labels of the table, or without where too few have one."""
    selection.notes += table.notes
    labels = {file: table.of[file] for file in of_file if file in table.of}
    without = [file for file in files if file not in labels]
    selection.images, selection.labels_of = [(file, None) for file in files], table.source
    if len(set(labels.values())) < 2:
        selection.notes.append(f"no classes: {table.source} has {len(set(labels.values()))} of them")
        return
    if len(without) > MAX_WITHOUT_CLASS * len(files):
        selection.notes.append(f"no classes: {len(without):,} of {len(files):,} images have no label in {table.source}")
        return
    selection.left_out += [(file, "without a label") for file in without]
    if table.numbered:
        selection.images = [(file, int(labels[file])) for file in files if file in labels]
        return
    selection.class_names = class_order(str(label) for label in labels.values())
    numbers = {name: number for number, name in enumerate(selection.class_names)}
    selection.images = [(file, numbers[str(labels[file])]) for file in files if file in labels]

"""The words by which folders, files, arrays and columns are named after the split that they hold."""

import re
from collections.abc import Iterable

# Those of the Hub's folders of images and of some more tools; and Portuguese ones, the other language of the page.
SPLIT_WORDS = {
    "train": ("train", "training", "trainset", "trainval", "treino", "treinamento"),
    "test": ("test", "testing", "testset", "eval", "evaluation", "teste"),
    "validation": ("val", "valid", "valset", "validation", "dev", "validacao", "validação"),
}
HOLDOUT_WORDS = ("holdout", "hold-out", "hold_out", "heldout", "held-out", "held_out")
SPLIT_WORDS["test"] += HOLDOUT_WORDS
SPLIT_OF_WORD = {word: split for split, words in SPLIT_WORDS.items() for word in words}
HELD_OUT = ("test", "validation")  # the first of them that is present serves as the test split


class NoSuchSplitError(ValueError):
    """The data set exists, but not the requested split of it."""


def check_split(split: str) -> None:
    """Raise ValueError for a requested split that is neither train nor test."""
    if split not in ("train", "test"):
        raise ValueError(f"split {split!r} is not allowed; choose train or test.")


def join_holdout(name: str) -> str:
    """`name` with hold-out, held_out and the like as the one word Holdout."""
    return re.sub(r"(?<![A-Za-z])(?i:h[oe]ld[-_ ]?out)(?![a-z])", "Holdout", name)


def split_of(name: str) -> str | None:
    """Train, test or validation, where a word of a name says so (Train, seg_test, val2017), else None."""
    words = (word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", join_holdout(name)))
    splits = {SPLIT_OF_WORD[word] for word in words if word in SPLIT_OF_WORD}
    if splits == {"train", "validation"}:  # trainval: what is trained on in the end, as opposed to a test set
        return "train"
    return splits.pop() if len(splits) == 1 else None


def held_out_split(splits: Iterable[str | None]) -> str | None:
    """Which of the present splits serves as the test split; None where neither test nor validation is present."""
    present = set(splits)
    return next((split for split in HELD_OUT if split in present), None)


def join_names(names: Iterable[str], most: int = 4) -> str:
    """Sorted names with "and" before the last; of more than `most`, the first ones and their number."""
    names = sorted(names)
    if len(names) > most:
        return f"{', '.join(names[:most])}, … ({len(names):,})"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))

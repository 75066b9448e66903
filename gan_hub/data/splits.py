"""The words by which folders, files, arrays and columns are called after the split that they hold."""

import re
from collections.abc import Iterable

# As the Hub's folders of images have them, and some more tools; and in Portuguese, the other language of the page.
SIDES = {
    "train": ("train", "training", "trainset", "trainval", "treino", "treinamento"),
    "test": ("test", "testing", "testset", "eval", "evaluation", "teste"),
    "validation": ("val", "valid", "valset", "validation", "dev", "validacao", "validação"),
}
WORDS = {word: side for side, words in SIDES.items() for word in words}
HELD_OUT = ("test", "validation")  # the first of them that is there plays the test split


class NoSuchSplitError(ValueError):
    """The data set exists, but not the part of it that was asked for."""


def side_of(name: str) -> str | None:
    """train, test or validation, where a word in a name says so (Train, seg_test, val2017), else None."""
    words = (word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name))
    sides = {WORDS[word] for word in words if word in WORDS}
    if sides == {"train", "validation"}:  # what is trained on in the end, as opposed to a test set
        return "train"
    return sides.pop() if len(sides) == 1 else None


def held_out_side(sides: Iterable[str]) -> str | None:
    """Which of the sides that are there plays the test split."""
    present = set(sides)
    return next((side for side in HELD_OUT if side in present), None)


def listed(names: Iterable[str], most: int = 4) -> str:
    """Sorted names with "and" before the last; of many, the first ones and their number."""
    names = sorted(names)
    if len(names) > most:
        return f"{', '.join(names[:most])}, … ({len(names):,})"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))

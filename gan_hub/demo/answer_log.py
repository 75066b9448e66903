"""Answers of the game, counted where the owner of the page asked for it and the visitor agreed.

GAN_HUB_ANSWERS names a file that ends in .jsonl, or a dataset of the Hub, "owner/name", to which a file is uploaded from time to
time. A line says what was asked and whether the answer was right (metrics/human_answers.py); nothing says who answered, or when.
"""

import functools
import os
import secrets
import sys
import threading
from pathlib import Path

from gan_hub.demo import image_files
from gan_hub.demo.arguments import ANSWERS_VARIABLE
from gan_hub.metrics.human_answers import Answer


def is_counting() -> bool:
    """Whether the owner of the page wants answers counted."""
    return bool(os.environ.get(ANSWERS_VARIABLE))


def count(answer: Answer) -> None:
    """Add an answer to the file. A failure is told to the owner, not to the player, whose game goes on."""
    try:
        place = _place(os.environ[ANSWERS_VARIABLE])
        with place.lock, place.file.open("a", encoding="utf-8") as file:
            file.write(answer.to_json() + "\n")
    except Exception as error:  # of the disk, or of the Hub
        print(f"an answer of the game could not be counted: {error}", file=sys.stderr)


class _Place:
    """A file to append to, and what keeps others from reading half a line."""

    def __init__(self, value: str) -> None:
        self.lock = threading.Lock()
        if value.endswith(".jsonl"):
            self.file = Path(value).expanduser()
            return
        from gan_hub.hub.answer_uploads import schedule_uploads  # asks the Hub, so only where it is wanted

        folder = image_files.cache_folder().parent / "gan_hub-answers"
        self.file = folder / f"answers-{secrets.token_hex(8)}.jsonl"  # replicas do not overwrite each other's
        self.lock = schedule_uploads(value, folder).lock


@functools.lru_cache(maxsize=4)
def _place(value: str) -> _Place:
    return _Place(value)

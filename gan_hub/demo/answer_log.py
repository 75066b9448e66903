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

from gan_hub.data.cache import cache_root
from gan_hub.demo.arguments import ANSWERS_VARIABLE
from gan_hub.hub.answer_uploads import CommitScheduler, schedule_uploads
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
    """A file to append to, and what keeps others from reading half a line.

    The file of a dataset lies in the cache, where it stays if the Hub cannot be had: the next start uploads it.
    """

    def __init__(self, value: str) -> None:
        self.lock = threading.Lock()
        self.scheduler: CommitScheduler | None = None
        self.connecting: threading.Thread | None = None
        if value.endswith(".jsonl"):
            self.file = Path(value).expanduser()
            return
        folder = cache_root("answers") / value.replace("/", "--")
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / f"answers-{secrets.token_hex(8)}.jsonl"  # replicas do not overwrite each other's
        # No player waits for the Hub.
        self.connecting = threading.Thread(target=self._connect, args=(value, folder), daemon=True)
        self.connecting.start()

    def _connect(self, repo_id: str, folder: Path) -> None:
        try:
            self.scheduler = schedule_uploads(repo_id, folder)
            self.lock = self.scheduler.lock
        except Exception as error:
            print(f"answers of the game stay in {folder} until the next start: {error}", file=sys.stderr)


@functools.lru_cache(maxsize=4)
def _place(value: str) -> _Place:
    return _Place(value)

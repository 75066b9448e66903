"""Answers of the page's game, sent to a dataset of the Hub from time to time."""

import logging
from pathlib import Path

from huggingface_hub import CommitScheduler

EVERY = 10  # minutes between uploads


def schedule_uploads(repo_id: str, folder: Path) -> CommitScheduler:
    """Upload a growing folder to a dataset of the Hub, every ten minutes and at the end of the process.

    Args:
        repo_id: "owner/name" of the dataset, made private where there is none yet.
        folder: its files are only ever appended to, under the returned object's `lock`.

    Returns:
        The scheduler. It starts at once.

    Raises:
        OSError, ValueError: the Hub cannot be reached, or refuses.
    """
    logging.getLogger("huggingface_hub").addFilter(lambda record: "scheduled" not in record.getMessage().lower())
    return CommitScheduler(
        repo_id=repo_id, repo_type="dataset", folder_path=folder, path_in_repo="answers", every=EVERY, private=True
    )

"""Publish a finished model: say what its card lacks, upload it, say where it is. The commands and a run's end do it alike."""

import sys
from pathlib import Path

from yaml import YAMLError

from gan_hub.hub.cards import load_card, metadata_of
from gan_hub.hub.lint import lint
from gan_hub.hub.upload import Push, Upload
from gan_hub.model_folder.files import CARD_NAME, REFERENCE_NAME
from gan_hub.model_folder.strict import LoadError

MAX_REMARKS = 5  # that are printed; a card of one's own may lack all that ours have


def publish(
    folder: Path,
    repo_id: str,
    *,
    variant: str | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    commit_message: str | None = None,
    create_pr: bool = False,
    revision: str | None = None,
    strict: bool = False,
) -> Upload:
    """Upload a model folder, with remarks about it on stderr and the address on stdout.

    Args:
        folder, repo_id, variant, private, token, commit_message, create_pr, revision: as of `gan_hub.hub.upload.upload`.
        strict: refuse a model about which there is a remark.

    Returns:
        What became of it.

    Raises:
        LoadError: as of `upload`, and for a remark, if `strict`. Nothing is then sent.
    """
    push, faults = Push.from_folder(folder, variant), remarks(folder)
    listed = faults if strict else faults[:MAX_REMARKS]
    for remark in listed:
        print(f"{folder}: {remark}", file=sys.stderr)
    if len(faults) > len(listed):
        print(f"{folder}: and {len(faults) - len(listed)} more of this kind, which --strict shows.", file=sys.stderr)
    if faults and strict:
        raise LoadError(f"{folder}: not sent, as {len(faults)} things are to be said about it; see above.")
    if push.left:
        names = ", ".join(push.left[:MAX_REMARKS]) + (", …" if len(push.left) > MAX_REMARKS else "")
        print(f"{folder}: not sent, as no file of a model: {names}", file=sys.stderr)
    done = push.send(
        repo_id, private=private, token=token, commit_message=commit_message, create_pr=create_pr, revision=revision
    )
    print(f"published: {done.address}" if done.sent else f"nothing new: {done.address} has it all")
    return done


def remarks(folder: Path) -> list[str]:
    """What a stranger would miss about a model folder, a sentence each: a licence, a card, pixels to compare with."""
    faults = []
    if not (folder / REFERENCE_NAME).is_file():
        faults.append(f"no {REFERENCE_NAME} in it, so others cannot check that it draws there what it draws here.")
    if not (folder / CARD_NAME).is_file():
        return [*faults, f"no {CARD_NAME} in it, so the Hub shows neither its licence nor what it is good for."]
    if license_of(folder) is None:
        faults.append(
            f"its card states no licence, without which others may not use it; `license: ID` belongs into the first lines of "
            f"{CARD_NAME}."
        )
    return faults + [f"{CARD_NAME}: {fault}" for fault in lint(folder) if "'license'" not in fault]


def license_of(folder: Path) -> str | None:
    """The licence in the metadata of a model's card; None where there is none, or none is known."""
    try:
        stated = metadata_of(load_card(folder / CARD_NAME)).license
    except (ValueError, YAMLError, TypeError, AssertionError):
        return None
    return stated if isinstance(stated, str) and stated.lower() not in ("", "unknown", "none") else None

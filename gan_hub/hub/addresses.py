"""Parse what people write for a model of the Hub: its id, the address of one of its pages, hf://, an id@revision."""

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from huggingface_hub import constants

from gan_hub.messages import short_repr
from gan_hub.model_folder.files import PICKLE_SUFFIXES
from gan_hub.model_folder.strict import LoadError

HOSTS = {"huggingface.co", "www.huggingface.co", "hf.co", "www.hf.co", urlsplit(constants.ENDPOINT).netloc}
OTHER_REPOSITORIES = {  # first part of an address → what it names, and what to give instead
    "datasets": ("a data set", "the id of a model"),
    "spaces": ("a Space", "the id of the model that it shows"),
    "buckets": ("a bucket", "the id of a model"),
    "collections": ("a collection", "the id of one of its models"),
    "papers": ("a paper", "the id of one of its models"),
    "docs": ("a page of the documentation", "the id of a model"),
}
FILE_PAGES = ("blob", "resolve", "raw")  # third part of the address of a file, before its revision
CHECKPOINTS = (*PICKLE_SUFFIXES, ".safetensors")
PART = r"[\w.-]{1,96}"


class HubModel(NamedTuple):
    """A model repository on the Hub, at a branch, a tag or a commit; None is its main branch."""

    repo_id: str  # "owner/name"
    revision: str | None


def parse(text: str) -> HubModel | None:
    """The model that `text` means, or None if it is neither a Hub id nor an address.

    Understood are `owner/name`, `owner/name@revision`, `hf://owner/name@revision`, and the address of any page of a
    model, https://huggingface.co/owner/name/tree/revision or shorter. A name without a slash is no Hub id. Raises
    LoadError, in one sentence, for the address of anything else.
    """
    if text.startswith("git@hf.co:"):
        text = text.replace("git@hf.co:", "https://hf.co/", 1)
    scheme, _, rest = text.rpartition("://")
    if not scheme and is_address(text):
        scheme, rest = "https", text
    if not scheme:
        name, at, revision = text.removesuffix("/").partition("@")
        _refuse_other_repositories(text, name.split("/"))
        return _model(name, revision) if bool(at) == bool(revision) else None
    if scheme.lower() == "hf":
        return _parse_path(text, rest)
    address = urlsplit(f"https://{rest}")
    if scheme.lower() not in ("http", "https") or address.netloc.lower() not in HOSTS:
        after = "download it and give the folder, or give a Hub id (owner/name)"
        if address.path.lower().endswith(CHECKPOINTS):
            after = "download the file, and `gan-hub convert FILE OUT` makes a model of it, running nothing in it"
        raise LoadError(f"{short_repr(text, 200)}: an address that is not the Hub's; {after}.")
    return _parse_path(text, address.path)


def is_address(text: str) -> bool:
    """Whether a text begins as an address, with or without https://."""
    return "://" in text or text.split("/")[0].lower() in HOSTS


def _parse_path(text: str, path: str) -> HubModel:
    parts = [unquote(part) for part in path.split("/") if part]
    _refuse_other_repositories(text, parts)
    parts = parts[1:] if parts[:1] == ["models"] else parts
    if len(parts) > 2 and parts[-1].lower().endswith(PICKLE_SUFFIXES):
        file = "/".join(parts[4:] if parts[2] in FILE_PAGES else parts[2:])
        raise LoadError(
            f"{short_repr(text, 200)}: a pickle, which can run code; it is never loaded, but after "
            f"`hf download {'/'.join(parts[:2])} {file} --local-dir .` `gan-hub convert {file} OUT` makes a model of it."
        )
    name, _, revision = "/".join(parts[:2]).partition("@")
    if len(parts) > 3 and parts[2] in (*FILE_PAGES, "tree", "commit", "commits"):
        revision = parts[3]
    model = _model(name, revision) if len(parts) > 1 else None
    if model is None:
        raise LoadError(f"{short_repr(text, 200)}: an address of the Hub, but of no model; give a Hub id (owner/name).")
    return model


def _refuse_other_repositories(text: str, parts: list[str]) -> None:
    if len(parts) > 1 and parts[0] in OTHER_REPOSITORIES:
        kind, instead = OTHER_REPOSITORIES[parts[0]]
        raise LoadError(f"{short_repr(text, 200)}: {kind} of the Hub, not a model; give {instead} (owner/name).")


def _model(name: str, revision: str) -> HubModel | None:
    if not re.fullmatch(f"{PART}/{PART}", name) or not re.fullmatch(r"[\w./-]{0,200}", revision):
        return None
    return HubModel(name.removesuffix(".git"), revision or None)

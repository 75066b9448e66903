"""What people write for a model of the Hub: its id, the address of one of its pages, hf://, an id with a revision."""

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from huggingface_hub import constants

from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError

HOSTS = {"huggingface.co", "www.huggingface.co", "hf.co", "www.hf.co", urlsplit(constants.ENDPOINT).netloc}
OTHERS = {  # first part of an address → what it is of, and what to give instead
    "datasets": ("a data set", "the id of a model"),
    "spaces": ("a Space", "the id of the model that it shows"),
    "buckets": ("a bucket", "the id of a model"),
    "collections": ("a collection", "the id of one of its models"),
    "papers": ("a paper", "the id of one of its models"),
    "docs": ("a page of the documentation", "the id of a model"),
}
PART = r"[\w.-]{1,96}"


class HubModel(NamedTuple):
    repo_id: str  # "owner/name", or a name alone
    revision: str | None


def parse(text: str) -> HubModel | None:
    """The model that `text` means, None where it means none of the Hub.

    Understood are `owner/name`, `owner/name@revision`, a name alone, `hf://owner/name@revision`, and the address of any
    page of a model, https://huggingface.co/owner/name/tree/revision or shorter. Raises LoadError, in one sentence, for
    the address of anything else.
    """
    if text.startswith("git@hf.co:"):
        text = text.replace("git@hf.co:", "https://hf.co/", 1)
    scheme, _, rest = text.rpartition("://")
    if not scheme and is_address(text):
        scheme, rest = "https", text
    if not scheme:
        name, at, revision = text.removesuffix("/").partition("@")
        _refuse_others(text, name.split("/"))
        return _model(name, revision) if bool(at) == bool(revision) else None
    if scheme.lower() == "hf":
        return _of_address(text, rest)
    address = urlsplit(f"https://{rest}")
    if scheme.lower() not in ("http", "https") or address.netloc.lower() not in HOSTS:
        raise LoadError(
            f"{short_repr(text, 200)}: an address that is not the Hub's; download it and give the folder, or give a Hub id "
            "(owner/name)."
        )
    return _of_address(text, address.path)


def is_address(text: str) -> bool:
    """Whether a text begins as an address, with or without https://."""
    return "://" in text or text.split("/")[0].lower() in HOSTS


def _of_address(text: str, path: str) -> HubModel:
    parts = [unquote(part) for part in path.split("/") if part]
    _refuse_others(text, parts)
    parts = parts[1:] if parts[:1] == ["models"] else parts
    name, _, revision = "/".join(parts[:2]).partition("@")
    if len(parts) > 3 and parts[2] in ("tree", "blob", "resolve", "raw", "commit", "commits"):
        revision = parts[3]
    model = _model(name, revision) if len(parts) > 1 else None
    if model is None:
        raise LoadError(f"{short_repr(text, 200)}: an address of the Hub, but of no model; give a Hub id (owner/name).")
    return model


def _refuse_others(text: str, parts: list[str]) -> None:
    if len(parts) > 1 and parts[0] in OTHERS:
        kind, instead = OTHERS[parts[0]]
        raise LoadError(f"{short_repr(text, 200)}: {kind} of the Hub, not a model; give {instead} (owner/name).")


def _model(name: str, revision: str) -> HubModel | None:
    if not re.fullmatch(f"{PART}(/{PART})?", name) or not re.fullmatch(r"[\w./-]{0,200}", revision):
        return None
    return HubModel(name.removesuffix(".git"), revision or None)

"""Untrusted text of models: names are escaped, and cards rendered as Markdown without pictures, HTML and odd links.

Anybody can publish a model. Its texts may neither run code in a visitor's browser, nor make it call another server, nor
ask for a password, nor keep this server busy.
"""

import html
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

from gan_hub.model_folder.strict import LoadError, read_bytes

MAX_CARD_BYTES = 1_000_000  # of a README.md; those of the bundled models have 8,000
MAX_CARD_LENGTH = 4000  # characters that are parsed and shown; bounds what parsing costs
_LICENSE = re.compile(r"---\n(?:(?!---\n)[^\n]*\n)*?license: *[\"']?(?P<name>[\w.+-]{1,40})[\"']?\n")
LINK_SCHEMES, LINK_REL = ("https", "http"), "noopener noreferrer nofollow"


def escape(text: str) -> str:
    """The text as HTML that shows it literally, between tags; `html.escape` is for attributes."""
    return html.escape(text, quote=False)


def card(folder: Path) -> str | None:
    """The beginning of the card in a model's folder, as HTML; None where it has none that can be shown."""
    text = _text(folder)
    return None if text is None else render_markdown(_truncate(text))


def card_title(folder: Path) -> str | None:
    """The heading that the card in a model's folder begins with; None where it is no plain name."""
    name = (_text(folder) or "").partition("\n")[0].removeprefix("# ").strip()
    return name if re.fullmatch(r"[\w.-]{1,96}", name) else None


def license_name(folder: Path) -> str | None:
    """The licence that the front matter of a card names, such as "apache-2.0"; None where it names none."""
    try:
        text = read_bytes(_path_inside(folder, "README.md"), MAX_CARD_BYTES).decode("utf-8", errors="replace")
    except LoadError:
        return None
    line = _LICENSE.match(text.replace("\r\n", "\n"))
    return line["name"] if line else None


def _text(folder: Path) -> str | None:
    try:
        text = read_bytes(_path_inside(folder, "README.md"), MAX_CARD_BYTES).decode("utf-8", errors="replace")
    except LoadError:
        return None
    return _without_front_matter(text.replace("\r\n", "\n")).strip()


def render_markdown(markdown: str) -> str:
    """Markdown as HTML: headings, lists, tables, code and links to web pages; everything else stays text."""
    return _PARSER.render(markdown)


def _path_inside(folder: Path, name: str) -> Path:
    """A file of a model's folder. Raises LoadError for a link that leads out of it, except to where the Hub's cache keeps files.

    There <cache>/models--owner--name/snapshots/<commit>/README.md is a link to <cache>/models--owner--name/blobs/<hash>.
    """
    folder, path = Path(os.path.realpath(folder)), Path(os.path.realpath(folder / name))
    allowed = [folder]
    if folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--"):
        allowed += [folder.parents[1] / "blobs", folder.parents[2] / "blobs"]
    if not any(path.is_relative_to(place) for place in allowed):
        raise LoadError(f"{folder / name}: a link that leads out of the model's folder.")
    return path


def _without_front_matter(text: str) -> str:
    end = text.find("\n---\n", 3) if text.startswith("---\n") else -1
    return text[end + 5 :] if end >= 0 else text


def _truncate(text: str) -> str:
    if len(text) <= MAX_CARD_LENGTH:
        return text
    return text[: max(text.rfind("\n", 0, MAX_CARD_LENGTH), 0) or MAX_CARD_LENGTH] + "\n\n…"


def _restrict_links_and_images(state: StateCore) -> None:
    """Open web links in windows of their own, make other links plain text, and drop pictures, which would be fetched."""
    for block in state.tokens:
        tag = "span"
        block.children = block.children and [token for token in block.children if token.type != "image"]
        for token in block.children or ():
            if token.type == "link_open":
                address = str(token.attrGet("href"))
                tag = "a" if _is_web_link(address) else "span"
                token.attrs = {"href": address, "target": "_blank", "rel": LINK_REL} if tag == "a" else {}
            if token.type in ("link_open", "link_close"):
                token.tag = tag  # links are not nested: a link_close belongs to the last link_open


def _is_web_link(address: str) -> bool:
    try:
        return urlsplit(address).scheme in LINK_SCHEMES
    except ValueError:
        return False


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.core.ruler.push("restrict_links_and_images", _restrict_links_and_images)
    return parser


_PARSER = _parser()

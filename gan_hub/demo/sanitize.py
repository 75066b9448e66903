"""Text that a model brings with it: names as text, and its card as Markdown without pictures, HTML and odd links.

Whoever publishes a model is a stranger. What he wrote may neither run anything in a visitor's browser, nor make it call
another server, nor ask for a password, nor keep this server busy.
"""

import html
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

from gan_hub.model_folder.strict import LoadError, read_bytes

LARGEST_CARD = 1_000_000  # bytes of a README.md; the zoo's have 8,000
SHOWN = 4000  # characters of it that are parsed and shown: what parsing costs must not depend on a stranger
LINKED_TO, REL = ("https", "http"), "noopener noreferrer nofollow"


def plain(text: str) -> str:
    """The text as HTML that shows it letter by letter."""
    return html.escape(text, quote=False)


def card(folder: Path) -> str | None:
    """The beginning of the card in a model's folder, as HTML; None where it has none that can be shown."""
    text = _text(folder)
    return None if text is None else rendered(_beginning(text))


def heading(folder: Path) -> str | None:
    """The name that the card in a model's folder begins with; None where that is no plain name."""
    name = (_text(folder) or "").partition("\n")[0].removeprefix("# ").strip()
    return name if re.fullmatch(r"[\w.-]{1,96}", name) else None


def _text(folder: Path) -> str | None:
    try:
        text = read_bytes(_inside(folder, "README.md"), LARGEST_CARD).decode("utf-8", errors="replace")
    except LoadError:
        return None
    return _without_front_matter(text.replace("\r\n", "\n")).strip()


def rendered(markdown: str) -> str:
    """Markdown as HTML: headings, lists, tables, code, and links that a click follows; all else stays text."""
    return _PARSER.render(markdown)


def _inside(folder: Path, name: str) -> Path:
    """A file of a model's folder. Raises LoadError for a link that leads out of it, except to where the Hub's cache keeps files.

    There <cache>/models--owner--name/snapshots/<commit>/README.md is a link to <cache>/models--owner--name/blobs/<hash>.
    """
    folder, path = Path(os.path.realpath(folder)), Path(os.path.realpath(folder / name))
    kept = [folder]
    if folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--"):
        kept += [folder.parents[1] / "blobs", folder.parents[2] / "blobs"]
    if not any(path.is_relative_to(place) for place in kept):
        raise LoadError(f"{folder / name}: a link that leads out of the model's folder.")
    return path


def _without_front_matter(text: str) -> str:
    end = text.find("\n---\n", 3) if text.startswith("---\n") else -1
    return text[end + 5 :] if end >= 0 else text


def _beginning(text: str) -> str:
    if len(text) <= SHOWN:
        return text
    return text[: max(text.rfind("\n", 0, SHOWN), 0) or SHOWN] + "\n\n…"


def _tame(state: StateCore) -> None:
    """Links lead to other pages, in windows of their own, or are words alone; pictures, which would be fetched, are left out."""
    for block in state.tokens:
        block.children = block.children and [token for token in block.children if token.type != "image"]
        for token in block.children or ():
            if token.type == "link_open":
                tag = "a" if _leads_to_a_page(str(token.attrGet("href"))) else "span"
                token.attrs = {"href": token.attrGet("href"), "target": "_blank", "rel": REL} if tag == "a" else {}
            if token.type in ("link_open", "link_close"):
                token.tag = tag  # links do not lie in one another, so the last that was opened is the one that closes


def _leads_to_a_page(address: str) -> bool:
    try:
        return urlsplit(address).scheme in LINKED_TO
    except ValueError:
        return False


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.core.ruler.push("tame", _tame)
    return parser


_PARSER = _parser()

"""Untrusted text of models: names are escaped, and cards rendered as Markdown without pictures, HTML and odd links.

Anybody can publish a model. Its texts may neither run code in a visitor's browser, nor make it call another server, nor
ask for a password, nor keep this server busy.
"""

import html
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

from gan_hub.model_folder.strict import LoadError, read_bytes

MAX_CARD_BYTES = 1_000_000  # of a README.md; those of the bundled models have 8,000
MAX_CARD_LENGTH = 12_000  # characters that are parsed and shown; bounds what parsing costs
MAX_HEADING = 100  # characters
MAX_FIRST = 4  # sections that are shown before the whole card
# What a visitor has to know first: the headings of our own cards, and those that strangers' cards usually have.
FIRST_HEADINGS = re.compile(r"licen[cs]|limit|must not|out.of.scope|misuse|bias", re.IGNORECASE)
LICENCE = re.compile(r"^license(?:_name)?: *[\"']?([\w .+-]{1,60})[\"']?$", re.MULTILINE)
# What training/export.py writes: "7 minutes by the clock, 8 minutes of CPU time, …, with 1 process(es) on NVIDIA H100 80GB HBM3."
_TRAINED = re.compile(
    r"(?P<clock>[\d,]{1,9}) minutes by the clock, (?P<cpu>[\d,]{1,9}) minutes of CPU time,[^.\n]{1,120}"
    r" on (?P<hardware>[\w ()-]{1,60}?)\. "
)
LINK_SCHEMES, LINK_REL = ("https", "http"), "noopener noreferrer nofollow"


def escape(text: str) -> str:
    """The text as HTML that shows it literally, between tags; `html.escape` is for attributes."""
    return html.escape(text, quote=False)


def attribute(text: str) -> str:
    """The text as HTML within the quotes of an attribute."""
    return html.escape(text, quote=True)


@dataclass(frozen=True)
class Card:
    """A model's card: the licence of its front matter ("" without one), what a visitor has to know first, and all of it.

    `first` has pairs of a heading and its text; they and `whole` are Markdown, cut to a length that can be shown.
    """

    licence: str
    first: list[tuple[str, str]]
    whole: str


def card_parts(folder: Path) -> Card | None:
    """The card in a model's folder; None where it has none that can be shown."""
    text = _raw_text(folder)
    if text is None:
        return None
    body = _without_front_matter(text).strip()
    licence = LICENCE.search(text[: len(text) - len(body)])
    return Card(licence[1].strip() if licence else "", _first_sections(body[:MAX_CARD_BYTES]), _truncate(body))


def _first_sections(text: str) -> list[tuple[str, str]]:
    """The sections that a visitor has to know first; what stands between code fences is no heading."""
    sections, lines, is_code = [], list[str](), False
    for line in text.split("\n"):
        is_code ^= line.startswith("```")
        if not is_code and line.startswith(("# ", "## ", "### ")):
            lines = []
            heading = line[:MAX_HEADING].strip("# ")
            if FIRST_HEADINGS.search(heading) and len(sections) < MAX_FIRST:
                sections.append((heading, lines))
        else:
            lines.append(line)
    return [(heading, _truncate("\n".join(lines).strip(), MAX_CARD_LENGTH // MAX_FIRST)) for heading, lines in sections]


def card(folder: Path) -> str | None:
    """The card in a model's folder as HTML, cut to a length that can be shown; None where it has none that can be."""
    parts = card_parts(folder)
    return None if parts is None else render_markdown(parts.whole)


def license_name(folder: Path) -> str | None:
    """The licence that the front matter of a card names, such as "apache-2.0"; None where it names none."""
    parts = card_parts(folder)
    return parts.licence if parts is not None and parts.licence else None


def card_title(folder: Path) -> str | None:
    """The heading that the card in a model's folder begins with; None where it is no plain name."""
    name = _without_front_matter(_raw_text(folder) or "").strip().partition("\n")[0].removeprefix("# ").strip()
    return name if re.fullmatch(r"[\w.-]{1,96}", name) else None


def training_time(folder: Path) -> tuple[int, str | None] | None:
    """How long a model was trained, as its card says it.

    Args:
        folder: of the model.

    Returns:
        Minutes and the accelerator's name: by the clock there, of the processor without one (None), since a CPU may have had
        other work beside. None where the card does not say.
    """
    sentence = _TRAINED.search(_raw_text(folder) or "")
    if sentence is None:
        return None
    hardware, is_cpu = sentence["hardware"], "thread" in sentence["hardware"]
    minutes = int(sentence["cpu" if is_cpu else "clock"].replace(",", ""))
    words = [word for word in hardware.split() if word != "NVIDIA" and "GB" not in word and "HBM" not in word]
    return minutes, None if is_cpu else " ".join(words[:3]) or hardware


def _raw_text(folder: Path) -> str | None:
    try:
        text = read_bytes(path_inside(folder, "README.md"), MAX_CARD_BYTES).decode("utf-8", errors="replace")
    except LoadError:
        return None
    return text.replace("\r\n", "\n")


def render_markdown(markdown: str) -> str:
    """Markdown as HTML: headings, lists, tables, code and links to web pages; everything else stays text."""
    return _PARSER.render(markdown)


def path_inside(folder: Path, name: str) -> Path:
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


def _truncate(text: str, most: int = MAX_CARD_LENGTH) -> str:
    if len(text) <= most:
        return text
    return text[: max(text.rfind("\n", 0, most), 0) or most] + "\n\n…"


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

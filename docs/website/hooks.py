"""What MkDocs calls while it builds the site: lays out the pages, expands the shelves, draws formulas and figures inline."""

import html
import re
from pathlib import Path

import staging
import tables
from latex2mathml.converter import convert
from mkdocs.plugins import event_priority

FORMULA = re.compile(r'<(span|div) class="arithmatex">\s*(?:\\\(|\\\[)(.+?)(?:\\\)|\\\])\s*</\1>', re.DOTALL)
UNDER = re.compile(r"<msub>(<mo>(?:min|max|sup|inf)</mo><mi>[^<]*</mi>)</msub>")  # of a formula on a line of its own
FIGURE = re.compile(r'<img alt="([^"]*)" src="([^"]+\.svg)"(?: ?/)?>')


@event_priority(100)  # before the languages, which want to know the folder
def on_config(config):
    """Build from the laid out pages. It is called once a language with the same configuration, and lays out once."""
    if config["docs_dir"] != str(staging.STAGE):
        config["docs_dir"] = str(staging.lay_out())
        config["nav"] = expanded(config["nav"], staging.STAGE)
    return config


def expanded(nav: list, folder: Path) -> list:
    """A navigation in which "folder/*" stands for all pages of that folder but its index."""
    full = []
    for entry in nav:
        if isinstance(entry, dict):
            ((title, inner),) = entry.items()
            full.append({title: expanded(inner, folder) if isinstance(inner, list) else inner})
        elif entry.endswith("/*"):
            pages = sorted((folder / entry).parent.glob("*.md"))
            places = [page.relative_to(folder).as_posix() for page in pages if not page.name.endswith(".pt.md")]
            full += [place for place in places if place not in full and not place.endswith("/index.md")]
        else:
            full.append(entry)
    return full


def on_page_content(content, page, config, files):
    """Formulas as MathML, which browsers draw without a script, diagrams as parts of the page, in its colors, room in tables."""

    def formula(match):
        latex = html.unescape(match[2]).replace(
            r"\arg", r"\operatorname{arg}"
        )  # a word that the converter does not know
        if match[1] == "span":
            return convert(latex)
        return UNDER.sub(r"<munder>\1</munder>", convert(latex, display="block"))

    def figure(match):
        source = Path(config["docs_dir"]) / "diagrams" / match[2].rsplit("/", 1)[1]
        picture = re.sub(r"<style>.*?</style>", "", source.read_text(encoding="utf-8"), flags=re.DOTALL)
        return f'<span class="diagram">{picture}</span>'

    return tables.with_room(FIGURE.sub(figure, FORMULA.sub(formula, content)))

"""Checks the built site: `python docs/website/check.py FOLDER`. Lists every broken link, every address that a page loads
from another server, and every command left in a formula; exits with 1 where there is one."""

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

LOADED = {"script": "src", "img": "src", "link": "href", "source": "src", "iframe": "src", "video": "src"}
COMMAND = re.compile(r"<m[ion][^>]*>(\\\w+)")  # of LaTeX, shown as it was written
ELSEWHERE = re.compile(r"@import|url\(\s*['\"]?https?:")


class Page(HTMLParser):
    """The links of a page, what it loads, and the anchors it has."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(text)
        self.commands = COMMAND.findall(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag leads to."""
        given = dict(attrs)
        self.anchors |= {value for key, value in attrs if key in ("id", "name") and value}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        address = given.get(LOADED.get(tag, ""))
        if address and not (tag == "link" and given.get("rel") in ("canonical", "alternate", "prev", "next")):
            self.loaded.append(address)


@cache
def page(path: Path) -> Page:
    """A page of the site, read once."""
    return Page(path.read_text(encoding="utf-8"))


def target_of(site: Path, path: Path, link: str) -> tuple[Path, str]:
    """The file and the anchor that a link of a page leads to."""
    address = urlsplit(urljoin(f"http://site/{path.relative_to(site).as_posix()}", link))
    file = site / unquote(address.path).lstrip("/")
    return (file / "index.html" if file.is_dir() else file), unquote(address.fragment)


def faults(site: Path) -> list[str]:
    """Everything that is wrong, a line each."""
    found = []
    for path in sorted(site.rglob("*.html")):
        here = path.relative_to(site)
        if here.name == "404.html":
            continue
        for address in page(path).loaded:
            if address.startswith(("http:", "https:", "//")):
                found.append(f"{here} loads {address}")
        found += [f"{here} has {command} in a formula" for command in page(path).commands]
        for link in [*page(path).links, *page(path).loaded]:
            if re.match(r"[a-z]+:|//", link):
                continue
            file, anchor = target_of(site, path, link)
            if not file.is_file():
                found.append(f"{here} leads to {link}, which is not there")
            elif file.suffix == ".html" and anchor not in page(file).anchors:
                found.append(f"{here} leads to {link}, which has no such place")
    for path in site.rglob("*.css"):
        if ELSEWHERE.search(path.read_text(encoding="utf-8")):
            found.append(f"{path.relative_to(site)} loads from elsewhere")
    return found


def main(folder: str) -> int:
    """Print what is wrong; returns the exit code."""
    found = faults(Path(folder).resolve())
    print(
        "\n".join(found)
        or f"{folder}: every link leads somewhere, nothing is loaded from elsewhere, formulas are whole"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

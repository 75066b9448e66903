"""Lays out the pages that MkDocs builds the site from: docs/ as it stands, and what is made from code, cards and notebooks.

A link that leads out of docs/ gets a page of its own: a card of model_cards/ under models/, another file under files/.
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import lessons
import reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
STAGE = ROOT / "build" / "docs"
LANGUAGES = {"en": "", "pt": ".pt"}  # language → what the names of its pages end in, before .md
KINDS = {".yaml": "yaml", ".py": "python", ".json": "json", ".sh": "bash", ".txt": "text"}

FENCE = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<=\]\()([^)\s#]+)((?:#[^)\s]*)?)(?=\))")
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def outside_code(pattern: re.Pattern, replace: Callable[[re.Match], str], text: str) -> str:
    """Replace in a page of Markdown, but for its blocks of code."""
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [pattern.sub(replace, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, pattern.sub(replace, text[end:])])


def place_of(path: Path) -> str:
    """Where a file of the repository lies on the stage, as a name relative to it; "" for a folder without a page."""
    if path.is_dir():
        path = path / "README.md"
        if not path.is_file():
            return ""
    if path.is_relative_to(DOCS / "lessons") and path.suffix == ".ipynb":
        return f"lessons/{path.stem}.md"
    if path == DOCS / "lessons" / "README.md":
        return "lessons/index.md"
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    inside = path.relative_to(ROOT).as_posix()
    if inside.startswith("model_cards/"):
        inside = inside.replace("model_cards/", "models/").replace("/README.md", ".md")
        return inside
    inside = inside.replace("/README.md", ".md")
    if path.suffix in (".md", ".png"):
        return f"files/{inside}"
    return (
        f"files/{inside.removesuffix(path.suffix)}-{path.suffix[1:]}.md"  # in a dot's place: .py.md would be a language
    )


class Stage:
    """The pages and pictures that have been laid out so far, and those of other folders that still have to be."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.waiting: list[Path] = []
        self.known: set[Path] = set()

    def write(self, place: str, text: str) -> None:
        """Write one page."""
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def copy(self, source: Path, place: str) -> None:
        """Copy a picture."""
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)

    def page(self, source: Path, place: str, text: str | None = None) -> None:
        """Write a page with its links led to the stage. `source` is where its links start from."""
        text = source.read_text(encoding="utf-8") if text is None else text
        here = os.path.dirname(place)

        def lead(match: re.Match) -> str:
            if re.match(r"[a-z]+:", match[1]):
                return match[0]
            target = Path(os.path.normpath(source.parent / match[1]))
            if not target.exists() or not target.is_relative_to(ROOT):
                return match[0]  # MkDocs names it
            there = place_of(target)
            if not target.is_relative_to(DOCS) and there:
                self.want(target)
            return os.path.relpath(there, here or ".") + match[2] if there else match[0]

        text = outside_code(LINK, lead, text)
        self.write(place, outside_code(re.compile(r"\[([^\]]+)\]\((?:\.\./)*[\w/]+\)"), lambda link: link[1], text))

    def want(self, path: Path) -> None:
        """Remember a file outside of docs/ that some page links to."""
        path = path / "README.md" if path.is_dir() else path
        if path not in self.known:
            self.known.add(path)
            self.waiting.append(path)

    def lay_out_the_others(self) -> None:
        """Write what pages link to outside of docs/, and what that links to in turn."""
        while self.waiting:
            path = self.waiting.pop()
            place = place_of(path)
            if path.suffix == ".md":
                self.page(path, place, FRONT_MATTER.sub("", path.read_text(encoding="utf-8")))
            elif path.suffix in KINDS:
                code = path.read_text(encoding="utf-8")
                name = path.relative_to(ROOT).as_posix()
                hidden = "---\nsearch:\n  exclude: true\n---\n"
                self.write(place, f"{hidden}# `{name}`\n\n````{KINDS[path.suffix]}\n{code}````\n")
            else:
                self.copy(path, place)


def is_page(path: Path) -> bool:
    """Whether a file of docs/ is a page or a picture of the site."""
    inside = path.relative_to(DOCS).as_posix()
    if inside.startswith("website/"):
        return inside.endswith((".css", ".png"))
    if inside.startswith("lessons/"):
        return path.name in ("index.md", "index.pt.md") or path.suffix == ".png"
    return path.suffix in (".md", ".png", ".svg", ".webp")


def lay_out(folder: Path = STAGE) -> Path:
    """Write the whole stage anew; returns its folder."""
    shutil.rmtree(folder, ignore_errors=True)
    stage = Stage(folder)
    for path in sorted(DOCS.rglob("*")):
        if path.is_file() and is_page(path):
            place = path.relative_to(DOCS).as_posix()
            if path.suffix == ".md":
                text = reference.filled(path.read_text(encoding="utf-8"))
                stage.page(path, place, lessons.filled(text, place))
            else:
                stage.copy(path, place)
    for language, ending in LANGUAGES.items():
        for notebook in sorted((DOCS / "lessons" / language).glob("*.ipynb")):
            text, pictures = lessons.page(notebook)
            stage.page(notebook, f"lessons/{notebook.stem}{ending}.md", text)
            for name, data in pictures.items():
                path = folder / "lessons" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    for place, text in reference.pages().items():
        stage.page(DOCS / place, place, text)
    stage.lay_out_the_others()
    return folder

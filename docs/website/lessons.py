"""Notebooks of docs/lessons as pages: text, code and what the code printed and drew. Nothing is run.

By these few lines rather than by mkdocs-jupyter, whose pages fetch MathJax from another server and have one language.
"""

import base64
import json
import os
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LESSONS = ROOT / "docs" / "lessons"
LIST = "<!-- lessons -->"  # stands in a page where the list of the lessons belongs
BADGES = "[![Colab]"  # how the cell of a notebook begins that opens it elsewhere; the page has buttons instead


def joined(text: str | list[str]) -> str:
    """A text of a notebook's file, which may be a list of lines."""
    return text if isinstance(text, str) else "".join(text)


def cells_of(notebook: Path) -> list[dict]:
    """The cells of a notebook's file."""
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def fence(text: str, kind: str) -> str:
    """A block of code that may itself hold three backticks."""
    return f"````{kind}\n{text.rstrip()}\n````\n"


def outputs_of(cell: dict, name: str, pictures: dict[str, bytes]) -> list[str]:
    """What a cell printed and drew, as Markdown; pictures are added to `pictures` under names that begin with `name`."""
    blocks = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if "image/png" in data:
            picture = f"{name}/{len(pictures) + 1}.png"
            pictures[picture] = base64.b64decode(joined(data["image/png"]))
            blocks.append(f"![]({picture}){{ .figure }}\n")
        elif text := joined(output.get("text", data.get("text/plain", ""))).rstrip().lstrip("\n"):
            blocks.append(fence(text, "text { .output }"))
    return blocks


def page(notebook: Path) -> tuple[str, dict[str, bytes]]:
    """A notebook as Markdown, and the pictures it shows: name relative to lessons/ → PNG."""
    pictures: dict[str, bytes] = {}
    blocks = []
    for cell in cells_of(notebook):
        source = joined(cell["source"])
        if source.startswith(BADGES):
            continue
        if cell["cell_type"] == "markdown":
            blocks.append(source + "\n")
        else:
            blocks.append(fence(source, "python"))
            blocks += outputs_of(cell, notebook.stem, pictures)
    links = badges(notebook)
    title, *rest = "\n".join(blocks).split("\n", 1)
    return "\n".join([title, *([f"\n{links}\n"] if links else []), *rest]), pictures


def repository() -> str:
    """The repository's address on GitHub: $GAN_HUB_REPOSITORY, or `Repository` of pyproject.toml's urls; "" for none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = os.environ.get("GAN_HUB_REPOSITORY") or project.get("urls", {}).get("Repository", "")
    address = known.rstrip("/").removesuffix(".git")
    return address if re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", address) else ""


def services(notebook: Path) -> dict[str, str]:
    """Name → link that opens a notebook there, of the services that read GitHub; none without an address."""
    if not (address := repository()):
        return {}
    inside = f"blob/main/docs/lessons/{notebook.parent.name}/{notebook.name}"
    return {
        "Colab": f"https://colab.research.google.com/github/{address.removeprefix('https://github.com/')}/{inside}",
        "Kaggle": f"https://kaggle.com/kernels/welcome?src={address}/{inside}",
    }


def badges(notebook: Path) -> str:
    """Buttons of the site that open a notebook in Colab and Kaggle."""
    return " ".join(f"[{name}]({link}){{ .md-button }}" for name, link in services(notebook).items())


def filled(text: str, place: str) -> str:
    """A page with the list of the lessons in place of its mark: number, title, and the line below it."""
    if LIST not in text:
        return text
    language = "pt" if place.endswith(".pt.md") else "en"
    rows = []
    for notebook in sorted((LESSONS / language).glob("*.ipynb")):
        first = joined(cells_of(notebook)[0]["source"])
        number, title = re.match(r"# (\d+)\. (.+)", first).groups()
        about = " ".join(re.search(r"^\*(.+?)\*$", first, re.MULTILINE | re.DOTALL)[1].split())
        rows.append(f"- **[{number}. {title}]({notebook.relative_to(LESSONS)})**  \n    {about}")
    return text.replace(LIST, "\n".join(rows))

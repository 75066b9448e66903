"""Writes the lessons' notebooks, in English and Portuguese: `python docs/lessons/build.py [--execute] [LESSON …]`

A lesson is one Python file of docs/lessons/source in the percent format, which runs as it stands. Its code is the same in both
languages; a cell of text says its language: `# %% [markdown] lang="pt"`. So a figure carries formulas, and words stand in the
text around it.

Where the repository's address is known (`Repository` of pyproject.toml's urls, or $GAN_HUB_REPOSITORY), each notebook gets
badges that open it in Colab and Kaggle.

With --execute each lesson is run once, and both notebooks get what it printed and drew. Without, outputs that are there stay
where their code is unchanged. With --check each is run, and nothing is written. `pip install -e ".[docs]"` brings what is needed.
"""

import argparse
import copy
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER.parent / "website"))
from lessons import repository, services  # noqa: E402

SOURCES = sorted((FOLDER / "source").glob("*.py"))
LANGUAGES = ("en", "pt")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
BADGES = {
    "Colab": "https://colab.research.google.com/assets/colab-badge.svg",
    "Kaggle": "https://kaggle.com/static/images/open-in-kaggle.svg",
}
FIRST_THERE = {
    "en": "There, run `%pip install -q git+{repository}` in a cell of its own first.",
    "pt": "Lá, rode antes `%pip install -q git+{repository}` numa célula à parte.",
}
SECONDS = 600  # of a cell, on the slowest machine that anyone waits at


def path_of(source: Path, language: str) -> Path:
    """The notebook of a lesson in one language."""
    return FOLDER / language / f"{source.stem}.ipynb"


def notebooks(source: Path) -> dict[str, NotebookNode]:
    """The notebook of each language, without outputs."""
    cells = jupytext.read(source, fmt="py:percent").cells
    return {language: _notebook(cells, path_of(source, language)) for language in LANGUAGES}


def _notebook(cells: list[NotebookNode], path: Path) -> NotebookNode:
    language = path.parent.name
    kept = [copy.deepcopy(cell) for cell in cells if cell.metadata.get("lang", language) == language]
    kept[1:1] = opened_elsewhere(path)
    for number, cell in enumerate(kept):
        cell.metadata.clear()
        cell["id"] = f"cell-{number}"  # nbformat's are drawn at random, which would change the file at every build
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=kept, metadata=metadata)


def opened_elsewhere(path: Path) -> list[NotebookNode]:
    """A cell with links that open a notebook in Colab and Kaggle, where the repository's address is known; else none."""
    links = services(path)
    if not links:
        return []
    badges = " ".join(f"[![{name}]({BADGES[name]})]({link})" for name, link in links.items())
    words = FIRST_THERE[path.parent.name].format(repository=repository())
    return [nbformat.v4.new_markdown_cell(f"{badges}\n\n{words}")]


def execute(source: Path) -> list[list[NotebookNode]]:
    """The outputs of each cell of code, in order. Raises nbclient's CellExecutionError where one fails."""
    from nbclient import NotebookClient  # only here: the tests compare notebooks without a kernel

    notebook = next(iter(notebooks(source).values()))
    NotebookClient(notebook, timeout=SECONDS, kernel_name=KERNEL["name"]).execute()
    return [_without_times(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]


def _without_times(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs of which nothing tells how fast the machine was.

    Progress bars and warnings are left out, and lines that came in several pieces are one output, as if they had come at once.
    """
    kept: list[NotebookNode] = []
    for output in outputs:
        if output.output_type != "stream":
            kept.append(output)
        elif output.name == "stdout" and kept and kept[-1].output_type == "stream":
            kept[-1].text += output.text
        elif output.name == "stdout":
            kept.append(output)
    return kept


def kept_outputs(old: NotebookNode, new: NotebookNode) -> list[list[NotebookNode]]:
    """The old notebook's outputs for the cells of code in the new one; none from the first cell on that has changed."""
    outputs: list[list[NotebookNode]] = []
    unchanged = True
    before = [cell for cell in old.cells if cell.cell_type == "code"]
    for number, cell in enumerate(cell for cell in new.cells if cell.cell_type == "code"):
        unchanged = unchanged and number < len(before) and before[number].source == cell.source
        outputs.append(before[number].outputs if unchanged else [])
    return outputs


def write(source: Path, executed: bool) -> None:
    """Write a lesson's notebooks."""
    outputs = execute(source) if executed else None
    for language, notebook in notebooks(source).items():
        path = path_of(source, language)
        kept = outputs
        if kept is None and path.exists():
            kept = kept_outputs(nbformat.read(path, as_version=4), notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for cell, of_cell in zip(code, kept or [[] for _ in code], strict=True):
            cell.outputs = of_cell
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", help="their numbers, such as 01; all by default")
    parser.add_argument("--execute", action="store_true", help="run them, and keep what they print and draw")
    parser.add_argument("--check", action="store_true", help="run them, and write nothing")
    args = parser.parse_args()
    for source in SOURCES:
        if not args.lessons or source.stem[:2] in args.lessons:
            if args.check:
                execute(source)
                print(f"{source.stem} runs")
            else:
                write(source, args.execute)


if __name__ == "__main__":
    main()

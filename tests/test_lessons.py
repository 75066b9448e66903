"""The lessons run as they stand, and their notebooks say what their sources say, in both languages."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
LESSONS = ROOT / "docs" / "lessons"
SOURCES = sorted((LESSONS / "source").glob("*.py"))
QUICK = {"01", "03", "05"}  # run at every change; the others in the slow lane


def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_lessons", LESSONS / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILD = build()


def texts(source: Path, language: str) -> list[str]:
    return [cell.source for cell in BUILD.notebooks(source)[language].cells if cell.cell_type == "markdown"]


def run(source: Path, folder: Path) -> None:
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(source)], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def lesson(path: Path) -> object:
    return pytest.param(path, id=path.stem, marks=[] if path.stem[:2] in QUICK else pytest.mark.slow)


@pytest.mark.parametrize("source", [lesson(path) for path in SOURCES])
def test_a_lesson_runs(source, tmp_path):
    run(source, tmp_path)


@pytest.mark.parametrize("language", BUILD.LANGUAGES)
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_is_what_the_build_makes_of_its_source(source, language):
    notebook = nbformat.read(BUILD.path_of(source, language), as_version=4)
    nbformat.validate(notebook)
    built = BUILD.notebooks(source)[language]
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        (cell.cell_type, cell.source) for cell in built.cells
    ]
    assert any(cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    assert not any(output.output_type == "error" for cell in notebook.cells for output in cell.get("outputs", []))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_both_languages_have_the_same_sections_formulas_and_links_in_the_same_places(source):
    english, portuguese = texts(source, "en"), texts(source, "pt")
    assert len(english) == len(portuguese)
    for one, other in zip(english, portuguese, strict=True):
        for pattern in (r"^#+ ", r"\$\$.+?\$\$", r"\]\((.+?)\)", r"^\d+\. "):
            assert re.findall(pattern, one, re.M | re.S) == re.findall(pattern, other, re.M | re.S)
        assert one != other


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_lesson_ends_with_exercises_and_a_question_that_the_next_cell_answers(source):
    cells = BUILD.notebooks(source)["en"].cells
    (place,) = [number for number, cell in enumerate(cells) if "## Exercises" in cell.source]
    assert "**A question.**" in cells[place].source
    assert [cell.cell_type for cell in cells[place + 1 :]] == ["code", "markdown"]
    assert any("## Exercícios" in text and "**Uma pergunta.**" in text for text in texts(source, "pt"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_links_of_a_lesson_lead_somewhere(source):
    for text in texts(source, "en"):
        for link in re.findall(r"\]\(([^)#]+)", text):
            if not link.startswith("http"):
                assert (LESSONS / "en" / link).exists(), link


def test_outputs_stay_until_the_code_above_them_changes(tmp_path):
    cells = [nbformat.v4.new_code_cell(text) for text in ("a = 1", "print(a)", "print(2)")]
    old = nbformat.v4.new_notebook(cells=cells)
    for number, cell in enumerate(old.cells):
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=str(number))]
    new = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text) for text in ("a = 1", "print(b)", "print(2)")]
    )
    assert [len(outputs) for outputs in BUILD.kept_outputs(old, new)] == [1, 0, 0]
    assert [len(outputs) for outputs in BUILD.kept_outputs(old, old)] == [1, 1, 1]

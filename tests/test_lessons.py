"""The lessons run as they stand, and their notebooks say what their sources say, in both languages."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qsl, urlencode

import nbformat
import pytest

from gan_hub.demo.models import default_model, load
from gan_hub.demo.navigation import read
from gan_hub.demo.tabs import TABS
from gan_hub.demo.texts import TEXTS

ROOT = Path(__file__).parents[1]
LESSONS = ROOT / "docs" / "lessons"
SOURCES = sorted((LESSONS / "source").glob("*.py"))
QUICK = {"01", "03", "05"}  # run at every change; the others in the slow lane
NIGHTLY = {"04", "07", "09"}  # but for these, of nearly two minutes of the processor: `make lessons` runs all of them


def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_lessons", LESSONS / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILD = build()


def texts(source: Path, language: str) -> list[str]:
    """The texts of a lesson, but for the badges, if there are any."""
    cells = [cell.source for cell in BUILD.notebooks(source)[language].cells if cell.cell_type == "markdown"]
    return [text for text in cells if not text.startswith("[![Colab]")]


def run(source: Path, folder: Path) -> None:
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(source)], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def lesson(path: Path) -> object:
    return pytest.param(path, id=path.stem, marks=[] if path.stem[:2] in QUICK else pytest.mark.slow)


@pytest.mark.parametrize("source", [lesson(path) for path in SOURCES if path.stem[:2] not in NIGHTLY])
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


def test_a_known_repository_gives_each_notebook_badges_that_open_it_elsewhere_and_what_to_install_there(monkeypatch):
    monkeypatch.delenv("GAN_HUB_REPOSITORY", raising=False)
    plain = BUILD.notebooks(SOURCES[0])["pt"].cells
    monkeypatch.setenv("GAN_HUB_REPOSITORY", "https://github.com/someone/gan_hub.git")
    title, badges, *rest = BUILD.notebooks(SOURCES[0])["pt"].cells
    assert [title.source, *(cell.source for cell in rest)] == [cell.source for cell in plain]
    inside = f"blob/main/docs/lessons/pt/{SOURCES[0].stem}.ipynb"
    assert f"(https://colab.research.google.com/github/someone/gan_hub/{inside})" in badges.source
    assert f"(https://kaggle.com/kernels/welcome?src=https://github.com/someone/gan_hub/{inside})" in badges.source
    assert "`%pip install -q git+https://github.com/someone/gan_hub`" in badges.source
    monkeypatch.setenv("GAN_HUB_REPOSITORY", "https://elsewhere/gan_hub")
    assert len(BUILD.notebooks(SOURCES[0])["pt"].cells) == len(plain)


def test_what_the_makefile_runs_is_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    scripts = re.findall(r"^\tpython (?!-m)(\S+)", makefile, re.M)
    modules = re.findall(r"^\tpython -m (benchmarks\S*)", makefile, re.M)
    assert "docs/lessons/build.py" in scripts and modules
    assert all((ROOT / path).is_file() for path in scripts)
    assert all((ROOT / module.replace(".", "/") / "__main__.py").is_file() for module in modules)
    (nightly,) = re.findall(r"^nightly: (?!export)(.+)$", makefile, re.M)
    assert {"test-all", "site", "lessons", "studies"} <= set(nightly.split())


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


def test_what_is_printed_in_pieces_is_one_output_and_progress_bars_are_none():
    pieces = [("stdout", "a\n"), ("stderr", "50 %"), ("stdout", "b\n")]
    outputs = [nbformat.v4.new_output("stream", name=name, text=text) for name, text in pieces]
    outputs[2:2] = [picture] = [nbformat.v4.new_output("display_data")]
    outputs.append(nbformat.v4.new_output("stream", name="stdout", text="c\n"))
    kept = BUILD._without_times(outputs)
    assert [output.get("text", "") for output in kept] == ["a\n", "", "b\nc\n"] and kept[1] is picture


# ----------------------------------------------------------------------------------------------- links to the page

PAGE = "http://127.0.0.1:7860/"


def links_to_the_page(source: Path, language: str) -> list[tuple[str, dict[str, str]]]:
    """The paragraph of each link to the page, and the link's parameters."""
    paragraphs = "\n".join(texts(source, language)).split("\n\n")
    found = [(paragraph, link) for paragraph in paragraphs for link in re.findall(rf"\]\({PAGE}\?([^)]+)\)", paragraph)]
    return [(paragraph, dict(parse_qsl(link, strict_parsing=True))) for paragraph, link in found]


@pytest.mark.parametrize("language", BUILD.LANGUAGES)
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_lesson_links_to_tabs_of_the_page_by_their_titles_and_the_keys_that_they_read(source, language):
    links = links_to_the_page(source, language)
    assert links, "no link to the page"
    for paragraph, link in links:
        tab = TABS[link["tab"]]
        assert f"*{TEXTS[language][f'tab_{tab.name}']}*" in paragraph
        assert set(link) <= {"tab", "model", *tab.link_keys}, link
        model = link.get("model", default_model())
        assert tab.ability(load(model)), link
        assert read("?" + urlencode(link))[-1] == "", link


def test_a_link_with_a_key_that_its_tab_does_not_read_or_a_wrong_value_would_be_noticed():
    assert "rate" not in TABS["plane"].link_keys
    assert "Generator's rate is one of" in str(read("?tab=plane&lg=7")[-1])

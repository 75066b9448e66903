"""The site of docs/: every public name is in its reference, every page on a shelf, every link leads somewhere, and what a page
tells a reader to type is understood. `make site` builds it; here is all that needs no MkDocs."""

import ast
import importlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import gan_hub
from gan_hub import cli
from gan_hub.losses import ADVERSARIAL
from gan_hub.model_folder.files import FILES
from gan_hub.models import ARCHITECTURES
from gan_hub.training.command import _configure
from gan_hub.training.flags import parser as training_parser
from gan_hub.training.sections import FIELDS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "website"))
import check  # noqa: E402
import diagrams  # noqa: E402
import docstrings  # noqa: E402
import lessons  # noqa: E402
import reference  # noqa: E402
import staging  # noqa: E402
import tables  # noqa: E402

sys.path.remove(str(DOCS / "website"))

WRITTEN_IN_BOTH = (
    *("index.md", "faq.md", "glossary.md", "lessons/index.md"),
    *("howto/own-images.md", "howto/pipeline.md", "howto/labels.md", "howto/resume.md", "hosting.md"),
    *("howto/space-and-container.md", "howto/score-images.md"),
)
PAGES = [path for path in sorted(DOCS.rglob("*.md")) if staging.is_page(path)]
NEW_SHELVES = [
    path for path in PAGES if path.parent.name in ("howto", "explanation") or path.name.startswith(("faq", "index"))
]
# Rooms with `__all__` whose names are for the package itself.
INNER = {"gan_hub.cli", "gan_hub.pretrained_networks"}


class AnyTag(yaml.SafeLoader):
    """YAML whose own tags (!ENV, !!python/…) stand for nothing."""


AnyTag.add_multi_constructor("", lambda loader, tag, node: None)
SITE = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), AnyTag)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    return staging.lay_out(tmp_path_factory.mktemp("site") / "docs")


def read(place: str) -> str:
    return (DOCS / place).read_text(encoding="utf-8")


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


# ------------------------------------------------------------------------------------------------- the reference


def test_each_room_with_public_names_has_a_page_with_each_of_them():
    rooms = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "gan_hub").rglob("__init__.py")
        if re.search(r"^__all__", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert rooms - set(reference.MODULES) == INNER
    pages = reference.pages()
    for module in reference.MODULES:
        loaded, text = importlib.import_module(module), pages[reference.page_of(module)]
        names = {name for name in getattr(loaded, "__all__", reference.public_names(module)) if name[0] != "_"}
        here = re.escape(module)
        places = set(re.findall(rf"^::: {here}\.(\w+)$|id='{here}\.(\w+)'", text, re.MULTILINE))
        assert {one or other for one, other in places} == names and names, module
    # Each name of the package itself leads to the place that has it in full.
    rows = re.findall(r"^\| .*\[`(\w+)`\]\((?:[\w-]+\.md)?#[\w.]+\)", pages["reference/api/gan_hub.md"], re.MULTILINE)
    assert rows == [name for name in gan_hub.__all__ if name != "__version__"]


@pytest.mark.parametrize("module", [module for module in reference.MODULES if module != "gan_hub"])
def test_each_public_name_has_a_docstring(module):
    loaded = importlib.import_module(module)
    for name in reference.public_names(module):
        thing = getattr(loaded, name)
        if callable(thing):
            assert (thing.__doc__ or "").strip(), name
            assert thing.__module__.startswith("gan_hub"), name


@pytest.mark.parametrize("module", [module for module in reference.MODULES if module != "gan_hub"])
def test_each_public_name_is_used_in_an_example(module):
    loaded, example = importlib.import_module(module), reference.example_of(module)
    for name in reference.public_names(module):
        assert re.search(rf"\b{name}\b", example) or ">>>" in (getattr(loaded, name).__doc__ or ""), name


@pytest.mark.parametrize("path", sorted(reference.EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    if path.stem not in ("hub-upload", "foreign-convert"):  # they need an account, and a file of others
        exec(code, {"__name__": path.stem})  # our own text, beside this test


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_what_a_page_imports_is_in_the_reference(path):
    for code in blocks(path.read_text(encoding="utf-8"), "python"):
        try:
            imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
        except SyntaxError:  # lines of a session, with what they print
            continue
        for node in imports:
            if node.module.startswith("gan_hub") and node.module != "gan_hub.models.config_schema":
                for alias in node.names:
                    inside = f"{node.module}.{alias.name}" in reference.MODULES
                    assert inside or alias.name in reference.public_names(node.module), (path, alias.name)


def test_options_commands_and_files_are_all_there():
    pages = reference.pages()
    rows = re.findall(r"^\| `(\w+)` \|", pages["reference/options.md"], re.MULTILINE)
    assert sorted(rows) == sorted(FIELDS)
    (commands,) = (action for action in cli.parser()._actions if action.dest == "command")
    assert re.findall(r"^## `gan-hub ([\w-]+)`$", pages["reference/command-line.md"], re.MULTILINE) == list(
        commands.choices
    )
    files = re.findall(r"^\| `([\w./]+)` \|", pages["reference/model-folder.md"], re.MULTILINE)
    assert files == [file.name for file in FILES]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_architecture_has_a_page_with_its_figure_its_keys_and_its_models(name):
    text = read(f"architectures/{name}.md")
    assert f"](../diagrams/{name}.svg)" in text and f"`architecture: {name}`" in text
    full = reference.filled(text)
    for cls in ARCHITECTURES[name]:
        assert cls is None or f"gan_hub.models.{cls.__name__})" in full
    assert "| `resolution` |" in full
    assert name != "stylegan2" or "(../../model_cards/stylegan2-cats-64/README.md)" in full


def test_a_docstring_gets_sections_that_a_reader_of_docstrings_knows():
    ours = "Draw.\n\nReturns: the images,\n    and more.\n\nExample:\n    >>> 1"
    assert docstrings.sections(ours) == "Draw.\n\nReturns:\n    the images,\n        and more.\n\nExamples:\n    >>> 1"


# ----------------------------------------------------------------------------------------------- figures, lessons


def test_the_figures_are_what_the_script_draws():
    drawn = diagrams.figures()
    assert {path.name for path in diagrams.FOLDER.glob("*.svg")} == set(drawn)
    for name, text in drawn.items():
        assert (diagrams.FOLDER / name).read_text(encoding="utf-8") == text, f"python docs/website/diagrams.py ({name})"
    assert set(ARCHITECTURES) <= {Path(name).stem for name in drawn}


def test_a_notebook_becomes_a_page_with_its_text_code_and_pictures(tmp_path, monkeypatch):
    drawn = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo="}}
    printed = {"output_type": "stream", "name": "stdout", "text": ["1\n", "2\n"]}
    cells = [
        {"cell_type": "markdown", "source": ["# 1. Title\n", "\n", "*about*"]},
        {"cell_type": "markdown", "source": ["[![Colab](badge.svg)](there)\n"]},
        {"cell_type": "code", "source": "print(1)", "outputs": [printed, drawn]},
    ]
    notebook = tmp_path / "en" / "01-title.ipynb"
    notebook.parent.mkdir()
    notebook.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    text, pictures = lessons.page(notebook)
    assert text.startswith("# 1. Title\n") and "````python\nprint(1)\n````" in text and "1\n2\n````" in text
    assert "badge.svg" not in text
    assert pictures == {"01-title/1.png": b"\x89PNG\r\n\x1a\n"} and "![](01-title/1.png)" in text
    monkeypatch.setenv("GAN_HUB_REPOSITORY", "https://github.com/someone/gan_hub")
    text, _ = lessons.page(notebook)
    assert "https://colab.research.google.com/github/someone/gan_hub/blob/main/docs/lessons/en/01-title.ipynb" in text


@pytest.mark.parametrize("language, ending", [("en", ""), ("pt", ".pt")])
def test_the_list_of_the_lessons_has_the_whole_sentence_below_each_title(language, ending):
    listed = lessons.filled(lessons.LIST, f"lessons/index{ending}.md")
    notebooks = list((DOCS / "lessons" / language).glob("*.ipynb"))
    for notebook in notebooks:
        title, about = lessons.joined(lessons.cells_of(notebook)[0]["source"]).split("\n\n")[:2]
        assert title.removeprefix("# ") in listed and " ".join(about.strip("*").split()) in listed
    assert listed.count("- **") == len(notebooks)


# ----------------------------------------------------------------------------------------------- shelves and links


def titles_and_pages(nav: list) -> tuple[list[str], list[str]]:
    titles, pages = [], []
    for entry in nav:
        title, inner = next(iter(entry.items())) if isinstance(entry, dict) else (None, entry)
        titles += [title] if title else []
        if isinstance(inner, list):
            below = titles_and_pages(inner)
            titles, pages = titles + below[0], pages + below[1]
        else:
            pages.append(inner)
    return titles, pages


def test_every_page_stands_on_a_shelf_and_every_shelf_has_a_portuguese_name(stage):
    titles, pages = titles_and_pages(SITE["nav"])
    assert {"Lessons", "How-to", "Reference", "Explanation"} == {title for entry in SITE["nav"][1:] for title in entry}
    laid_out = {path.relative_to(stage).as_posix() for path in stage.rglob("*.md")}
    laid_out = {place for place in laid_out if not place.endswith(".pt.md") and not place.startswith("files/")}
    shelved = {place for place in laid_out if place in pages or f"{Path(place).parent}/*" in pages}
    assert laid_out == shelved and set(pages) - {page for page in pages if page.endswith("*")} <= laid_out
    (languages,) = (plugin["i18n"]["languages"] for plugin in SITE["plugins"] if "i18n" in plugin)
    translated = languages[1]["nav_translations"]
    same_in_both = {"Python"}
    assert set(titles) - same_in_both <= set(translated) and set(translated) <= set(titles) | {"Questions", "Glossary"}


def places_in(text: str) -> set[str]:
    """The anchors of a page: its headings as GitHub and the site spell them, and those that are given."""
    bare = staging.FENCE.sub("", text)
    given = re.findall(r"^::: ([\w.]+)$|id='([\w.]+)'", bare, re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", bare, re.MULTILINE)
    slugs = {
        re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading)).strip().lower().replace(" ", "-") for heading in headings
    }
    return slugs | {one or other for one, other in given}


def test_every_link_of_every_page_leads_somewhere(stage):
    followed = 0
    for path in stage.rglob("*.md"):
        parts = re.split(staging.FENCE, path.read_text(encoding="utf-8"))[::3]
        for target, anchor in re.findall(r"\]\(([^)\s#]*)(#[^)\s]*)?\)", "\n".join(parts)):
            if re.match(r"[a-z]+:", target):
                continue
            file = path.parent / target if target else path
            assert file.is_file(), f"{path.relative_to(stage)} → {target}"
            if anchor and file.suffix == ".md":
                assert anchor[1:] in places_in(file.read_text(encoding="utf-8")), (
                    f"{path.relative_to(stage)} → {target}{anchor}"
                )
            followed += 1
    assert followed > 400


def test_the_check_of_the_built_site_finds_what_is_broken(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.html").write_text("<a href='../b/'></a><a href='#here'></a><h1 id='there'>x</h1>")
    (tmp_path / "formula.html").write_text("<math><mi>x</mi><mo>max</mo><mi>\\arg</mi></math>")
    (tmp_path / "index.html").write_text(
        "<a href='a/#there'></a><a href='https://elsewhere/'></a><script src='https://elsewhere/x.js'></script>"
    )
    found = check.faults(tmp_path)
    assert "formula.html has \\arg in a formula" in found
    found.remove("formula.html has \\arg in a formula")
    assert len(found) == 3 and "loads https://elsewhere/x.js" in found[-1]
    assert "../b/, which is not there" in found[0] and "#here, which has no such place" in found[1]


def test_long_and_short_cells_of_a_table_are_marked_by_the_letters_that_a_reader_sees():
    long, middle = "<code>x</code> " + "&lt;word&gt; " * 7, "<b>" + "&lt;w&gt; " * 6 + "</b>"
    row = f'<td style="text-align: right;">{long}</td><td>{middle}</td><td><a href="{"x" * 50}">12</a></td>'
    marked = tables.with_room(f"<table><tr>{row}</tr></table>")
    assert f'<td class="long" style="text-align: right;">{long}</td><td>{middle}</td><td class="short"><a' in marked


# ----------------------------------------------------------------------------------------------- two languages


@pytest.mark.parametrize("place", WRITTEN_IN_BOTH)
def test_a_page_in_both_languages_has_the_same_sections_links_tables_and_commands(place):
    english, portuguese = read(place), read(place.replace(".md", ".pt.md")).replace("lessons/pt/", "lessons/en/")
    assert english != portuguese
    for pattern in (r"^(#+) ", r"\]\(([^)]+)\)", r"^\|(?=[^-])", r"^(- )", r"^(?:gan-hub \w+|python \w+\.py)"):
        one, other = (re.findall(pattern, text, re.MULTILINE) for text in (english, portuguese))
        assert sorted(one) == sorted(other), pattern


def test_portuguese_pages_exist_only_beside_english_ones():
    for path in PAGES:
        if path.name.endswith(".pt.md"):
            assert path.with_name(path.name.replace(".pt.md", ".md")).is_file(), path


# ----------------------------------------------------------------------------------------------- what a reader types


def commands_of(text: str) -> list[list[str]]:
    """The words of each command in a page's blocks of bash, lines that go on joined."""
    lines = re.sub(r"\\\n", " ", "\n".join(blocks(text, "bash"))).splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def trainings_of(words: list[str]) -> list[list[str]]:
    """The arguments of the training that a command starts, if it starts one; also one in the quotes of another command."""
    inner = [shlex.split(word) for word in words if "gan-hub train " in word]
    for candidate in (*inner, words):
        for start in (["gan-hub", "train"], ["train.py"]):
            for place in range(len(candidate)):
                if candidate[place : place + len(start)] == start:
                    return [candidate[place + len(start) :]]
    return []


@pytest.mark.parametrize("path", NEW_SHELVES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_the_commands_of_a_page_are_understood(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    for words in commands_of(path.read_text(encoding="utf-8")):
        for arguments in trainings_of(words):
            flags = vars(training_parser("").parse_args(arguments))
            recipe = flags.pop("recipe")
            for other in ("dry_run", "resume", "push_to_hub", "debug"):
                flags.pop(other)
            assert _configure(recipe, flags, None).total_kimg > 0
        if words[0] == "gan-hub" and words[1] != "train":
            assert cli.parser().parse_args(words[1:]).command == words[1]


def test_the_pages_that_train_are_read_by_the_test_above():
    trainings = sum(
        len(trainings_of(words)) for path in NEW_SHELVES for words in commands_of(path.read_text(encoding="utf-8"))
    )
    assert trainings > 20


def test_a_loss_of_ones_own_is_an_option_when_it_is_registered_before_the_options_are_read(tmp_path):
    code = "\n".join(blocks(read("howto/extend.md"), "python")) + "\nprint(config.loss)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.stdout == "squared_hinge\n", done.stderr


def test_the_python_of_the_pages_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (48, 16, 16, 1), dtype=np.uint8)
    np.savez("theirs.npz", images=pixels[:24])
    np.savez("real.npz", images=pixels[24:])
    known = set(ADVERSARIAL)
    run = 0
    for path in NEW_SHELVES:
        names = {}
        for code in blocks(path.read_text(encoding="utf-8"), "python"):
            if "TrainConfig" not in code:  # the options are read when the room is imported, which it has been here
                exec(compile(code, str(path), "exec"), names)  # our own text, beside this test
                run += 1
    for name in set(ADVERSARIAL) - known:
        del ADVERSARIAL[name]
    assert run >= 5

"""A checkout of this repository as Git for Windows makes it: every line ending is changed that git may change."""

import filecmp
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from gan_hub import GANPipeline
from gan_hub.hub import resolve
from gan_hub.hub.resolve import bundled_models
from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.strict import LoadError
from gan_hub.training.config import read_recipe

ROOT = Path(__file__).parents[2]
LEFT_OUT = ("*.webp", "*.png")  # large, and no text
LINE_ENDINGS = "only its line endings differ from manifest.json, as git changes them where core.autocrlf is set"


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True)


def cloned(source: Path, target: Path, *parts: str) -> Path:
    """What `git clone` with core.autocrlf=true makes of `parts` of the folder `source`."""
    origin = target / "origin"
    for part in parts:
        (origin / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_file():
            shutil.copyfile(source / part, origin / part)
        else:
            shutil.copytree(source / part, origin / part, ignore=shutil.ignore_patterns(*LEFT_OUT))
    git(origin, "init", "-q")
    git(origin, "-c", "core.autocrlf=false", "add", "-f", ".")
    git(origin, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "all")
    git(target, "clone", "-q", "-c", "core.autocrlf=true", str(origin), "clone")
    return target / "clone"


def crlf(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


@pytest.fixture
def windows(monkeypatch, tmp_path) -> Path:
    """Models, recipes and expected numbers of this repository, checked out with core.autocrlf=true."""
    clone = cloned(ROOT, tmp_path, ".gitattributes", "model_cards", "recipes", "tests/golden")
    monkeypatch.setattr(resolve, "BUNDLED_MODELS_DIR", clone / "model_cards")
    return clone


def test_all_models_of_a_checkout_with_autocrlf_load_and_no_file_is_changed(windows):
    files = [path.relative_to(windows) for path in windows.rglob("*") if path.is_file() and ".git" not in path.parts]
    different = [path for path in files if not filecmp.cmp(ROOT / path, windows / path, shallow=False)]
    assert len(files) > 300
    assert different == []
    assert len(bundled_models()) == 16
    for name, folder in bundled_models().items():
        assert folder.parent.parent == windows
        assert GANPipeline.from_pretrained(name).name_or_path == str(folder)
    for recipe in (windows / "recipes").glob("*.yaml"):
        assert read_recipe(recipe) == read_recipe(ROOT / "recipes" / recipe.name)


def test_without_the_attributes_the_message_names_the_line_endings_and_the_cure(tiny_model, tmp_path, monkeypatch):
    clone = cloned(tiny_model.parent, tmp_path, tiny_model.name)
    folder = clone / tiny_model.name
    assert b"\r\n" in (folder / "generator" / "config.json").read_bytes(), (
        "git changed nothing: this test proves nothing"
    )
    with pytest.raises(LoadError) as caught:
        GANPipeline.from_pretrained(folder)
    assert str(caught.value) == (
        f"{folder / 'generator' / 'config.json'}: {LINE_ENDINGS}. After `git config core.autocrlf false`, delete the file "
        "and let `git checkout -- .` bring it back."
    )
    monkeypatch.setattr(resolve, "BUNDLED_MODELS_DIR", clone)
    with pytest.raises(LoadError, match=f"For a bundled model that is `git checkout -- model_cards/{tiny_model.name}`"):
        GANPipeline.from_pretrained(tiny_model.name)
    git(clone, "config", "core.autocrlf", "false")  # the cure
    for path in folder.rglob("*.json"):
        path.unlink()
    git(clone, "checkout", "--", ".")
    GANPipeline.from_pretrained(folder)


@pytest.mark.parametrize("name", ["model_index.json", "config.json", "judge.json", "generator/config.json"])
def test_line_endings_that_were_changed_either_way_are_named(tiny_model_copy, name):
    path = tiny_model_copy / name
    plain = path.read_bytes()
    crlf(path)
    with pytest.raises(LoadError, match=f"{name}: {LINE_ENDINGS}"):
        GANPipeline.from_pretrained(tiny_model_copy)
    Manifest.write(tiny_model_copy, list(Manifest(tiny_model_copy).files))  # of the file as it is now
    GANPipeline.from_pretrained(tiny_model_copy)
    path.write_bytes(plain)
    with pytest.raises(LoadError, match=f"{name}: {LINE_ENDINGS}"):
        GANPipeline.from_pretrained(tiny_model_copy)
    path.write_bytes(plain.replace(b"{", b"{ ", 1))
    with pytest.raises(
        LoadError, match="is damaged or was changed|its sha256 differs|not valid JSON|bytes, but manifest"
    ):
        GANPipeline.from_pretrained(tiny_model_copy)


def test_a_manifest_with_other_line_endings_says_the_same(tiny_model_copy):
    before = json.loads((tiny_model_copy / "manifest.json").read_text())
    crlf(tiny_model_copy / "manifest.json")
    assert {"files": Manifest(tiny_model_copy).files} == before
    GANPipeline.from_pretrained(tiny_model_copy)


def test_a_damaged_bundled_model_says_what_brings_it_back(tiny_model_copy, monkeypatch):
    path = tiny_model_copy / "judge.json"
    path.write_bytes(path.read_bytes().replace(b"0.7", b"0.6"))
    said = (
        "judge.json: its sha256 differs from manifest.json. The file is damaged or was changed; get it anew from where"
    )
    with pytest.raises(LoadError, match=said) as caught:
        GANPipeline.from_pretrained(tiny_model_copy)
    assert "or save the model anew if the change is your own." in str(caught.value)
    monkeypatch.setattr(resolve, "BUNDLED_MODELS_DIR", tiny_model_copy.parent)
    with pytest.raises(LoadError, match=r"`git checkout -- model_cards/tiny-gan`\."):
        GANPipeline.from_pretrained("tiny-gan")

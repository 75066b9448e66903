"""The table of a model's files, one read of each, and the short way of from_pretrained through the package."""

import importlib
import os
import shutil
import sys
from collections import Counter
from itertools import takewhile
from pathlib import Path

import pytest

import gan_hub
from gan_hub import GANPipeline
from gan_hub.hub.resolve import bundled_models
from gan_hub.model_folder.files import FILES, PICKLE_SUFFIXES, WEIGHTS, OnHub, Unlisted, find, names_on_hub
from gan_hub.model_folder.manifest import Manifest, replace_files
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.dcgan import DCGANGenerator

PACKAGE = Path(gan_hub.__file__).parent
BUILDING = {f"models/{path.name}" for path in (PACKAGE / "models").glob("*.py")} - {
    "models/modeling.py",
    "models/diffusers_options.py",
}
MOST_FILES = 6  # that a call passes on its way from `from_pretrained`


def test_every_row_is_read_by_a_module_that_is_there_and_no_name_stands_twice():
    names = [file.name for file in FILES]
    assert len(names) == len(set(names)) and not [name for name in names if name.endswith(PICKLE_SUFFIXES)]
    for file in FILES:
        assert find(file.name) is file and file.max_bytes > 0
        if file.read_by:
            importlib.import_module(f"gan_hub.{file.read_by}")


@pytest.mark.parametrize("name", bundled_models())
def test_every_file_of_a_bundled_model_has_a_row_and_those_that_must_be_listed_are(name):
    folder = bundled_models()[name]
    listed = Manifest.of_model(folder).files
    for path in folder.rglob("*"):
        if path.is_file():
            file = find(path.relative_to(folder).as_posix())
            assert file is not None, path
            if file.unlisted is Unlisted.REFUSED:
                assert path.relative_to(folder).as_posix() in listed, path
            assert path.stat().st_size <= file.max_bytes


def test_variants_have_the_row_of_the_weights_and_others_have_none():
    weights = find("generator/diffusion_pytorch_model.safetensors")
    assert find("generator/diffusion_pytorch_model.fp16.safetensors") is weights
    for name in ("generator/diffusion_pytorch_model.fp17.safetensors", "judge.jsn", "generator/judge.json", ""):
        assert find(name) is None
    assert WEIGHTS.fullmatch("generator/diffusion_pytorch_model.fp17.safetensors")[2] == "fp17"


def test_what_a_push_clears_and_keeps_is_in_the_table():
    assert {"judge.json", "concepts.safetensors", "generator/config.json"} <= names_on_hub(OnHub.PART)
    assert {"scores.json", "reference.safetensors", "real_samples.png"} <= names_on_hub(OnHub.RECORD)
    assert "README.md" not in names_on_hub(OnHub.PART, OnHub.RECORD)


def opened(monkeypatch, folder: Path) -> Counter:
    """Counts how often each file of a folder is opened."""
    count, really = Counter(), os.open

    def counting(path, *args, **kwargs):
        if isinstance(path, (str, os.PathLike)) and Path(path).is_relative_to(folder):
            count[Path(path).relative_to(folder).as_posix()] += 1
        return really(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", counting)
    return count


@pytest.mark.parametrize("name", ["dcgan-mnist", "spade-facades", "stylegan2-cats-64"])
def test_each_file_is_read_once(name, monkeypatch, tmp_path):
    folder = Path(shutil.copytree(bundled_models()[name], tmp_path / name))
    count = opened(monkeypatch, folder)
    GANPipeline.from_pretrained(folder)
    read = {"model_index.json", "config.json", "manifest.json", "judge.json", "generator/config.json"}
    assert read <= {*count, "judge.json"} and set(count.values()) == {1}, count


def test_a_network_alone_is_read_once(monkeypatch, tiny_model_copy):
    count = opened(monkeypatch, tiny_model_copy)
    DCGANGenerator.from_pretrained(tiny_model_copy, subfolder="generator")
    assert len(count) == 3 and set(count.values()) == {1}, count


def ways(call) -> set[tuple[str, ...]]:
    """The files of the package on each call stack below `call`, one after the other, calls within a file left out.

    A stack ends where a network builds itself: an architecture's own layers are no part of the way.
    """
    stacks, stack = set(), []

    def profile(frame, event, _):
        path = frame.f_code.co_filename
        if event == "call":
            inside = path.startswith(str(PACKAGE))
            stack.append(Path(path).relative_to(PACKAGE).as_posix() if inside else None)
            files = list(takewhile(lambda name: name not in BUILDING, (name for name in stack if name)))
            stacks.add(tuple(name for name, before in zip(files, [None, *files], strict=False) if name != before))
        elif event == "return" and stack:
            stack.pop()

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return stacks


@pytest.mark.parametrize("name", ["dcgan-mnist", "spade-facades", "stylegan2-cats-64"])
def test_the_way_of_from_pretrained_crosses_six_files_at_most_and_comes_back_to_none(name):
    GANPipeline.from_pretrained(name)  # imports are done
    for way in ways(lambda: GANPipeline.from_pretrained(name)):
        assert len(way) <= MOST_FILES and len(way) == len(set(way)), " → ".join(way)


# ------------------------------------------------------------------------------------------- replacing files


def test_files_are_replaced_so_that_the_folder_loads_at_any_moment(tiny_model_copy, monkeypatch):
    """The manifest stops listing a file before it is replaced: killed in between, the model loads without it."""
    concepts = bundled_models()["dcgan-mnist"] / "concepts.safetensors"
    replace_files(tiny_model_copy, {"concepts.safetensors": concepts.read_bytes()})
    assert "concepts.safetensors" in Manifest(tiny_model_copy).files
    monkeypatch.setattr("gan_hub.model_folder.manifest.write_bytes", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        replace_files(tiny_model_copy, {"concepts.safetensors": b"new"})
    with pytest.warns(UserWarning, match="not listed"):
        GANPipeline.from_pretrained(tiny_model_copy)
    monkeypatch.undo()
    replace_files(tiny_model_copy, {"concepts.safetensors": None})
    assert not (tiny_model_copy / "concepts.safetensors").exists()
    GANPipeline.from_pretrained(tiny_model_copy)


def test_files_of_a_folder_without_a_manifest_are_not_replaced(tmp_path):
    with pytest.raises(LoadError, match="manifest.json"):
        replace_files(tmp_path, {"judge.json": b"{}"})
    assert not list(tmp_path.iterdir())

"""Make a Hugging Face Space of the page: its program, the models that it shows, and the card that configures it."""

import re
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from huggingface_hub import HfApi

from gan_hub.atomic import atomic_folder, write_text
from gan_hub.hub.addresses import parse
from gan_hub.hub.reasons import HUB_ERRORS, reason
from gan_hub.hub.resolve import bundled_models, place_of, resolve
from gan_hub.hub.timeouts import hub_timeout
from gan_hub.messages import short_repr
from gan_hub.model_folder.files import COMPONENTS, INDEX_NAME, find
from gan_hub.model_folder.strict import LoadError

PACKAGE = Path(__file__).resolve().parents[1]
IS_CHECKOUT = (PACKAGE.parent / "pyproject.toml").is_file()
NAME = re.compile(r"\w[\w.-]{0,95}")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.py[co]", ".*")

CARD = """---
title: {title}
emoji: 🎨
colorFrom: indigo
colorTo: pink
sdk: gradio
sdk_version: {gradio}
python_version: "{python}"
app_file: app.py
pinned: false
license: apache-2.0
short_description: Sample, interpolate, add and outwit GANs
{models}---

# {title}

The page of gan_hub with {what}. It draws on the processor, in milliseconds, and writes nothing but pictures to download. The
models keep the licences that their own cards in `model_cards/` state.
"""
PROGRAM = '''"""The page of gan_hub on a Space."""

import os
{spaces}
from gan_hub.imports import collector_paused

os.environ.setdefault("GAN_HUB_MODEL", "{first}")  # what the page opens with

with collector_paused():
    from gan_hub.demo.app import compose, main

demo = main() if __name__ == "__main__" else compose()
'''
ZEROGPU = '''
import spaces  # before torch, whose CUDA it takes over


@spaces.GPU(duration=1)
def borrow() -> None:
    """Ask for a GPU, as ZeroGPU starts no Space without such a function; the page draws on the processor."""

'''


def write_space(
    folder: Path, models: Sequence[str], *, title: str = "gan_hub", zerogpu: bool = False, token: str | None = None
) -> Path:
    """Write the files of a Space into a new folder, which `python app.py` in it serves as well.

    Args:
        folder: a new one, or an empty one.
        models: bundled names, folders and Hub ids, whose files are copied; the page opens with the first one. All bundled
            models, if none is given.
        title: of the Space.
        zerogpu: whether it is to start on ZeroGPU hardware. The page draws on the processor there as well.
        token: for private models of the Hub, whose files will be as public as the Space.

    Returns:
        The folder.

    Raises:
        LoadError: for a model that is not there, for two of one name, and where Gradio is not installed. Nothing is then
            written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LoadError(f"{folder}: not an empty folder; a Space is written into a new one.")
    sources = _named([*models] or [*bundled_models()])
    if not NAME.fullmatch(title.replace(" ", "-")):
        raise LoadError(
            f"title {short_repr(title)} is not allowed; a Space's title has letters, digits, blanks and -_."
        )
    with atomic_folder(folder) as scratch:
        for name, source in sources.items():
            _copy_model(resolve(source, COMPONENTS, token=token), scratch / "model_cards" / name)
        _copy_program(scratch)
        write_text(scratch / "requirements.txt", "\n".join(_requirements(zerogpu)) + "\n")
        write_text(scratch / "app.py", PROGRAM.format(first=next(iter(sources)), spaces=ZEROGPU if zerogpu else ""))
        write_text(scratch / "README.md", _card(title, sources))
    return folder


def push_space(folder: Path, repo_id: str, *, private: bool | None = None, token: str | None = None) -> str:
    """Upload a folder of `write_space` as a Space, which is made where it is missing; its older files go.

    Args:
        folder: the Space's files.
        repo_id: OWNER/NAME of the Space.
        private: whether a new Space is private; None is the Hub's default. True refuses one that is public.
        token: a token that may write there; None is the one of `hf auth login`.

    Returns:
        The Space's address.

    Raises:
        LoadError: in one sentence, for whatever the Hub refuses.
    """
    api = HfApi(token=token)
    try:
        with hub_timeout("api/repos/create"):
            made = api.create_repo(repo_id, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        with hub_timeout(made.repo_id, whole=True):
            if private and not api.space_info(made.repo_id).private:
                raise LoadError(f"{repo_id}: public already, so it is not as private as wanted; nothing was sent.")
            api.upload_folder(
                repo_id=made.repo_id,
                repo_type="space",
                folder_path=folder,
                commit_message="The page of gan_hub",
                delete_patterns=["gan_hub/*", "model_cards/*", "recipes/*"],
            )
    except LoadError:
        raise
    except HUB_ERRORS as error:
        raise LoadError(f"{repo_id}: upload failed: {reason(error)}.") from error
    return f"{api.endpoint}/spaces/{made.repo_id}"


def _named(models: Sequence[str]) -> dict[str, str]:
    """Name in the Space → source of each model; raises LoadError where that cannot be."""
    if not models:
        raise LoadError("no bundled models here; name the models that the Space is to show.")
    sources: dict[str, str] = {}
    for source in models:
        folder = Path(place_of(source)).absolute()
        bundled = source.strip().rstrip("/")
        name = bundled if bundled in bundled_models() else folder.name
        if folder.is_dir() and name == "export":  # what every run calls its result
            name = folder.parent.name
        if not NAME.fullmatch(name):
            raise LoadError(
                f"{short_repr(source)}: its name {short_repr(name)} is none that a Space can use; rename it."
            )
        if name in sources:
            raise LoadError(f"{short_repr(source)}: another of the models is called {name}, too; rename one of them.")
        sources[name] = source
    return sources


def _copy_model(folder: Path, target: Path) -> None:
    """Copy what is a model's file, with the content of a link in a cache; raises LoadError for what is no whole model."""
    if not (folder / INDEX_NAME).is_file():
        raise LoadError(f"{folder}: not a model folder (no {INDEX_NAME} in it).")
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and find(name.as_posix()) is not None:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)


def _copy_program(folder: Path) -> None:
    """Copy the package as it is here, with the recipes that lie beside it in a checkout."""
    shutil.copytree(PACKAGE, folder / "gan_hub", ignore=NOT_COPIED)
    if IS_CHECKOUT:  # an installed package has its recipes inside
        shutil.copytree(PACKAGE.parent / "recipes", folder / "recipes", ignore=NOT_COPIED)
        shutil.copyfile(PACKAGE.parent / "LICENSE", folder / "LICENSE")


def _requirements(zerogpu: bool) -> list[str]:
    """The package's own requirements: of its checkout, or as it was installed."""
    if IS_CHECKOUT:
        text = (PACKAGE.parent / "requirements.txt").read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    else:
        lines = [each for each in requires("gan_hub") or [] if "extra ==" not in each]
    return lines + (["spaces"] if zerogpu else [])


def _card(title: str, sources: dict[str, str]) -> str:
    """README.md of the Space: the front matter that configures it, and a sentence."""
    try:
        gradio = version("gradio")
    except PackageNotFoundError as error:
        raise LoadError("Gradio is not installed here, and its version is the Space's; pip install gradio.") from error
    ids = [place_of(source) for name, source in sources.items() if name not in bundled_models()]
    ids = [each for each in ids if not Path(each).is_dir() and parse(each)]
    models = "models:\n" + "".join(f"- {each}\n" for each in ids) if ids else ""
    what = f"{len(sources)} models" if len(sources) > 1 else f"the model {next(iter(sources))}"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return CARD.format(title=title, gradio=gradio, python=python, models=models, what=what)

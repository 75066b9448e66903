"""What is installed from a wheel, where no checkout lies around it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("pyproject.toml", "setup.py", "requirements.txt", "README.md", "LICENSE", "gan_hub", "recipes")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the files of the wheel, as an installer lays them out."""
    tmp = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source, copy = ROOT / name, tmp / "source" / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index", "-w", tmp]
    done = subprocess.run(
        list(map(str, command)), cwd=tmp / "source", capture_output=True, text=True, timeout=200, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp / "installed")
    return tmp / "installed"


def test_a_wheel_has_every_module_every_recipe_and_the_mark_of_a_typed_package(installed):
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "gan_hub").rglob("*.py")}
    recipes = {f"gan_hub/recipes/{path.name}" for path in (ROOT / "recipes").glob("*.yaml")}
    files = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    assert modules | recipes | {"gan_hub/py.typed", "gan_hub/recipes/accelerate/many-gpus.yaml"} <= files
    assert not [file for file in files if file.startswith(("tests", "benchmarks", "recipes"))]


def test_recipes_are_found_by_name_where_a_wheel_was_installed(installed, tmp_path):
    code = "from gan_hub.training.config import TrainConfig; print(TrainConfig.from_recipe('dcgan-mnist').name)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": str(installed)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "dcgan-mnist\n"), done.stderr

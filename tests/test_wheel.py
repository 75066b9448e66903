"""The wheel, installed where nothing of the checkout is: it loads a folder, trains ten steps, and serves the page."""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest

import gan_hub

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


class Installed:
    """An environment that has the wheel of its own, and every other library from the environment of the tests."""

    def __init__(self, folder: Path, wheel: Path):
        self.folder, self.wheel = folder, wheel
        self.bin = folder / "env" / ("Scripts" if os.name == "nt" else "bin")

    def start(self, *command: str, cwd: Path) -> subprocess.Popen:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.Popen(
            [str(self.bin / command[0]), *command[1:]], cwd=cwd, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *command: str, cwd: Path) -> str:
        process = self.start(*command, cwd=cwd)
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, out + err
        return out


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*", "build", "dist", "runs", "artefacts", "tests")
    shutil.copytree(ROOT, source, ignore=skipped)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run(build, check=True, timeout=240)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True, timeout=120)
    environment = Installed(folder, wheel)
    python = environment.bin / "python"
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", str(wheel)], check=True, timeout=120)
    libraries = environment.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder)
    # A path in a .pth file lends its libraries, but not the .pth files in it: the checkout itself stays out of reach.
    Path(libraries.strip(), "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return environment


def test_it_has_every_module_and_recipe_and_nothing_of_tests_and_benchmarks(installed):
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "gan_hub").rglob("*.py")}
    recipes = {f"gan_hub/recipes/{path.name}" for path in (ROOT / "recipes").glob("*.yaml")}
    files = set(zipfile.ZipFile(installed.wheel).namelist())
    assert modules | recipes | {"gan_hub/py.typed", "gan_hub/recipes/accelerate/many-gpus.yaml"} <= files
    assert not [file for file in files if file.startswith(("tests", "benchmarks", "recipes"))]


def test_other_peoples_networks_come_along_with_their_notices(installed):
    with zipfile.ZipFile(installed.wheel) as wheel:
        for path in (ROOT / "gan_hub/pretrained_networks/weights").iterdir():
            assert wheel.read(f"gan_hub/pretrained_networks/weights/{path.name}") == path.read_bytes()
        (metadata,) = (wheel.read(name).decode() for name in wheel.namelist() if name.endswith("/METADATA"))
        licenses = {name.rpartition("/")[2] for name in wheel.namelist() if ".dist-info/licenses/" in name}
    assert "License-Expression: Apache-2.0 AND BSD-2-Clause\n" in metadata
    assert licenses == {"LICENSE", "NOTICE", "SQUEEZENET_LICENSE"}


def test_it_is_the_wheel_that_is_imported_and_it_says_its_version(installed, tmp_path):
    where = installed.run("python", "-c", "import gan_hub; print(gan_hub.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.folder / "env")
    assert Path(where.strip()).with_name("py.typed").is_file()
    assert gan_hub.__version__ in installed.run("gan-hub", "--version", cwd=tmp_path)


def test_a_local_folder_is_loaded_and_sampled(installed, tiny_model, tmp_path):
    code = f"""
from gan_hub import GANPipeline
print(GANPipeline.from_pretrained({str(tiny_model)!r})(seeds=[1, 2]).images[0].size)
"""
    assert installed.run("python", "-c", code, cwd=tmp_path).strip() == "(28, 28)"
    installed.run("gan-hub", "sample", str(tiny_model), "--seeds", "0-3", "--out", "grid.png", cwd=tmp_path)
    assert (tmp_path / "grid.png").is_file()


def test_a_recipe_of_the_package_trains_ten_steps(installed, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (200, 28, 28, 1), dtype=np.uint8)
    np.savez(tmp_path / "digits.npz", images=images, labels=np.arange(200) % 10)
    options = [
        "--data",
        "digits.npz",
        "--batch_size",
        "8",
        "--total_kimg",
        "0.08",
        "--extractor",
        "none",
        "--held_out",
        "40",
    ]
    installed.run("gan-hub", "train", "dcgan-mnist", "--name", "ten", *options, "--evaluate_kimg", "0", cwd=tmp_path)
    assert (tmp_path / "runs" / "ten" / "export" / "model_index.json").is_file()
    assert "DCGANGenerator" in installed.run("gan-hub", "info", "runs/ten/export", cwd=tmp_path)


def test_the_page_opens(installed, tiny_model, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = installed.start("gan-hub", "demo", str(tiny_model), "--port", str(port), cwd=tmp_path)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    page = answer.read().decode()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
                time.sleep(0.5)
        assert "tab-sample" in page and tiny_model.name in page
    finally:
        process.terminate()
        process.communicate(timeout=30)

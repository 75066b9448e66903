"""Every example in the README and in the cards is executed, and what they state of files and versions is true."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement

from gan_hub.hub.resolve import bundled_models

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def python_blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


THREE_LINES, TRAINING, TOUR = python_blocks(README)


@pytest.mark.parametrize("code", [THREE_LINES, TOUR], ids=["three lines", "tour"])
def test_the_readmes_python_runs_in_a_fresh_process(code, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()), "the example leaves a picture or a folder"


def test_the_readmes_training_runs_as_it_stands_but_for_its_length_and_its_data(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (120, 28, 28, 1), dtype=np.uint8)
    np.savez(tmp_path / "digits.npz", images=images, labels=np.arange(120) % 10)
    short = "total_kimg=0.032, batch_size=8, data='digits.npz', held_out=40, evaluate_kimg=0, trackers='none'"
    assert "total_kimg=50" in TRAINING
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRAINING.replace("total_kimg=50", short)], cwd=tmp_path, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "my-digits" / "export" / "model_index.json").is_file()


@pytest.mark.parametrize("name", bundled_models())
def test_the_cards_python_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = python_blocks((bundled_models()[name] / "README.md").read_text())
    exec(compile(code, name, "exec"), {})  # our own text, committed beside this test
    assert (tmp_path / "sample.png").is_file()


def test_the_readme_tells_the_truth_about_files():
    for target in re.findall(r"\]\(((?!http)[^)]+)\)", README):
        assert (ROOT / target.partition("#")[0]).exists(), target
    for name in re.findall(
        r"^\s*(\w+(?:\.py|/))\s", README.split("## The house")[1].split("```")[1], flags=re.MULTILINE
    ):
        assert (ROOT / name).exists() or (ROOT / "gan_hub" / name).exists(), name


def test_the_space_installs_versions_that_the_requirements_allow():
    front = yaml.safe_load(README.split("---")[1])
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = {r.name: r for r in (Requirement(line) for line in lines if line and not line.startswith("#"))}
    assert wanted["gradio"].specifier.contains(front["sdk_version"]) and front["sdk_version"].count(".") == 2
    assert front["python_version"] >= "3.11" and front["app_file"] == "app.py"


def test_the_test_command_that_ci_runs_stands_in_the_readme():
    assert re.search(r"^pip install .*pytest.*[^ ] *# 2\. .*$", README, flags=re.MULTILINE)

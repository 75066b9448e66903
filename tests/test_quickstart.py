"""The example that tells the whole story runs as it stands, from data to pictures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan_hub.data.avatars.drawing import draw
from gan_hub.metrics import Report

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_quickstart_goes_from_a_folder_of_pictures_to_a_model_with_scores_and_pictures(tmp_path):
    pictures = tmp_path / "my pictures"
    pictures.mkdir()
    for number in range(60):
        draw(0, number)[0].save(pictures / f"{number}.png")
    command = tmp_path / "bin" / "gan-hub"  # of this checkout, whatever is installed
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gan_hub.cli "$@"\n')
    command.chmod(0o755)
    own = {
        "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PAGE": "no",
        "GAN_HUB_CACHE": str(tmp_path / "cache"),
    }
    short = ["--resolution", "32", "--batch_size", "8", "--total_kimg", "0.064", "--decay_kimg", "0"]
    short += ["--evaluate_images", "100"]
    line = ["bash", str(ROOT / "examples" / "quickstart.sh"), "my pictures", "out", *short]
    done = subprocess.run(line, cwd=tmp_path, env=os.environ | own, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "gan-hub push out/mine/export" in done.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"mine", "scores.json", "grid.png", "walk.gif"}
    assert "FD-mobilenet-v2" in Report.read(tmp_path / "out" / "scores.json").scores


def test_the_quickstart_without_pictures_says_what_it_needs(tmp_path):
    line = ["bash", str(ROOT / "examples" / "quickstart.sh")]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("quickstart: give a folder of pictures")
    assert not list(tmp_path.iterdir())

"""The example that tells the whole story runs as it stands, from data to pictures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan_hub.metrics import Report
from tests.training.conftest import shapes_npz  # noqa: F401  (a fixture)

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_quickstart_goes_from_data_to_a_model_with_scores_and_pictures(shapes_npz, tmp_path):  # noqa: F811
    command = tmp_path / "bin" / "gan-hub"  # of this checkout, whatever is installed
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gan_hub.cli "$@"\n')
    command.chmod(0o755)
    short = ["--total_kimg", "0.128", "--extractor", "none", "--evaluate_kimg", "0", "--held_out", "40"]
    done = subprocess.run(
        ["bash", str(ROOT / "examples" / "quickstart.sh"), "out", *short],
        cwd=tmp_path,
        env=os.environ
        | {
            "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DATA": str(shapes_npz),
            "GAN_HUB_CACHE": str(tmp_path / "cache"),
        },
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert "gan-hub demo out/digits/export" in done.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"digits", "scores.json", "grid.png", "walk.gif"}
    assert "FD-digits" in Report.read(tmp_path / "out" / "scores.json").scores

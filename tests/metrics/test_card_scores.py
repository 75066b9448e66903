"""Scores in a card: what `gan-hub evaluate --card` writes, Python writes as well."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from gan_hub import cli
from gan_hub.hub.resolve import bundled_models
from gan_hub.metrics import evaluate
from gan_hub.metrics.card_scores import evaluate_command, write_card_scores
from gan_hub.model_folder import real_samples
from gan_hub.model_folder.manifest import Manifest


@pytest.fixture
def digits(tmp_path) -> Path:
    """The real digits that a bundled model ships, as an .npz."""
    folder = bundled_models()["dcgan-mnist"]
    samples = real_samples.read(folder, Manifest.if_any(folder), 28, 1, 10)
    np.savez(tmp_path / "digits.npz", images=samples.images, labels=samples.labels)
    return tmp_path / "digits.npz"


def test_python_and_the_shell_write_the_same_card(digits, tmp_path, capsys):
    for name in ("python", "shell"):
        shutil.copytree(bundled_models()["mlp-mnist"], tmp_path / name / "my-gan")
    folder = tmp_path / "python" / "my-gan"
    report = evaluate(folder, str(digits), ["fd"], "digits", 30, replicates=5)
    faults = write_card_scores(folder, report, show_training_images=True)
    options = ["--metrics", "fd", "--extractor", "digits", "--num", "30", "--bootstrap", "5", "--no-cache", "--card"]
    assert cli.main(["evaluate", str(tmp_path / "shell" / "my-gan"), "--data", str(digits), *options]) == 0
    assert "its scores are these now" in capsys.readouterr().out and isinstance(faults, list)
    for name in ("README.md", "scores.json"):
        python, shell = ((tmp_path / side / "my-gan" / name).read_text() for side in ("python", "shell"))
        assert python == shell, name
    assert f"| **FD-digits** | **{report.scores['FD-digits']:.3f}** |" in (folder / "README.md").read_text()


def test_a_command_has_the_flags_that_measure_the_same_scores_and_no_others():
    options = {"metrics": ["fd", "kid"], "num_images": 20, "replicates": 5, "device": "cuda", "seed": 1}
    assert evaluate_command("my-gan", "mnist", options) == (
        "gan-hub evaluate my-gan --data mnist --metrics fd,kid --num 20 --seed 1 --bootstrap 5"
    )


def test_data_that_only_their_owner_has_get_no_command(digits):
    assert evaluate_command("my-gan", str(digits), {}) == ""

"""What the tests of the commands share: one command run in an empty folder, and small inputs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_hub import cli
from gan_hub.hub.resolve import bundled_models
from gan_hub.model_folder import real_samples
from gan_hub.model_folder.manifest import Manifest


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Runs one command in an empty folder → (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            code = cli.main(list(map(str, arguments)))
        except SystemExit as left:
            code = left.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def pictures(tmp_path) -> list[Path]:
    """A content and a style, 40 × 40 pixels of noise."""
    made = []
    for seed, name in enumerate(("content.png", "style.jpg")):
        pixels = np.random.default_rng(seed).integers(0, 255, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((40, 40)).save(tmp_path / name)
        made.append(tmp_path / name)
    return made


@pytest.fixture
def digits(tmp_path) -> Path:
    """The real digits that a bundled model ships, as an .npz beside it."""
    folder = bundled_models()["dcgan-mnist"]
    found = real_samples.read(folder, Manifest.if_any(folder), 28, 1, 10)
    np.savez(tmp_path.parent / "digits.npz", images=found.images, labels=found.labels)
    return tmp_path.parent / "digits.npz"


def present(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}

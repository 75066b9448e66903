"""Films: what is handed to the encoder, which is a program of others, and what is said where there is none."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_hub import video


@pytest.fixture
def program(tmp_path, monkeypatch) -> Path:
    """A program in the place of ffmpeg: it writes down what it was given, and fails if it is told to."""
    path = tmp_path / "bin" / "ffmpeg"
    path.parent.mkdir()
    path.write_text(
        f"#!{sys.executable}\nimport json, sys\nframes = sys.stdin.buffer.read()\n"
        "open(sys.argv[-1], 'wb').write(json.dumps(sys.argv[1:]).encode() + b'\\n' + frames)\n"
        "sys.exit('no such codec' if 'fail' in sys.argv[-1] else 0)\n"
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent))
    return path


def test_a_film_gets_whole_frames_of_even_sides_and_how_they_were_made(program, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 4), dtype=np.uint8)
    video.save_video(list(map(Image.fromarray, pixels)), tmp_path / "a.mp4", 0.1, seeds="3, 14", label=None)
    told, _, frames = (tmp_path / "a.mp4").read_bytes().partition(b"\n")
    arguments = json.loads(told)
    assert "4x6" in arguments and "10.000000" in arguments and 'comment={"seeds": "3, 14"}' in arguments
    shown = np.frombuffer(frames, np.uint8).reshape(3, 6, 4, 3)
    assert (shown[:, :5] == pixels[..., None]).all() and (shown[:, 5] == 255).all()


def test_what_cannot_be_filmed_is_one_sentence_and_leaves_no_file(program, tmp_path, monkeypatch):
    image = Image.new("RGB", (4, 4))
    for images, name, sentence in (
        ([image], "a.avi", "a film ends in .mp4"),
        ([], "a.mp4", "at least one frame"),
        ([image], "fail.mp4", "could not write fail.mp4: no such codec"),
    ):
        with pytest.raises(ValueError, match=sentence):
            video.save_video(images, tmp_path / name)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)  # as if it were not installed
    assert shutil.which("ffmpeg") is None and video.encoder() is None
    with pytest.raises(ValueError, match="there is no encoder of MP4 here"):
        video.save_video([image], tmp_path / "a.mp4")
    assert not list(tmp_path.glob("*.*"))

"""From another program's checkpoint to a page that plays with it, by the two commands that the README shows."""

import os
import shlex
import socket
import subprocess
import sys

import numpy as np
from gradio_client import Client
from PIL import Image

from gan_hub.images import to_pil
from gan_hub.pipeline import GANPipeline
from tests.demo.test_app import ROOT, opened
from tests.foreign.test_convert_stylegan2 import golden, networks, pickled


def readme_commands() -> list[list[str]]:
    """The README's line of a checkpoint and the page, as the arguments of `gan-hub`."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    line = next(line for line in lines if line.startswith("gan-hub convert"))
    return [shlex.split(command)[1:] for command in line.partition("#")[0].split("&&")]


def test_a_pickle_of_nvidias_program_is_played_with_after_two_commands(tmp_path):
    """Each in a process of its own, as a person types them: the page shows the model's pictures, which are the authors'."""
    pickled(networks("resnet"), tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "gan_hub.cli"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "GRADIO_TEMP_DIR": str(tmp_path)}
    convert, demo = readme_commands()
    done = subprocess.run([*program, *convert], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "`gan-hub demo my-gan` plays with it" in done.stdout, done.stderr

    log = open(tmp_path / "log", "w+")
    command = [*program, *demo, "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log) as process:
        try:
            config = opened(f"http://127.0.0.1:{port}", process)
            picker = next(part for part in config["components"] if part["props"].get("elem_id") == "model")
            assert picker["props"]["value"] == "my-gan"
            page = Client(f"http://127.0.0.1:{port}", verbose=False, download_files=str(tmp_path / "shown"))
            pictures = page.predict("my-gan", "0, 85, 7", api_name="/sample")["pictures"]
        finally:
            process.kill()
    log.seek(0)
    assert "Traceback" not in log.read()
    seed_0 = GANPipeline.from_pretrained(tmp_path / "my-gan")(seeds=[0]).images
    authors = to_pil(golden("resnet")[0]["outputs/image"].clamp(-1, 1))  # of their seeds 85 and 7
    for item, expected in zip(pictures, [*seed_0, *authors], strict=True):
        with Image.open(item["image"]) as received:
            difference = np.asarray(received).astype(int) - np.asarray(expected)
        assert np.abs(difference).max() <= 1 and np.asarray(expected).std() > 5

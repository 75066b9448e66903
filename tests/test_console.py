"""Commands print in any locale: a character that a system cannot encode is no reason to fail."""

import os
import subprocess
import sys

import pytest

ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "windows": {"PYTHONIOENCODING": "cp1252"},
    "locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "command",
    [
        ["-m", "gan_hub.cli", "list"],
        ["-m", "gan_hub.cli", "concepts", "dcgan-mnist"],
        ["train.py", "recipes/dcgan-mnist.yaml", "--dry-run", "--name", "café→", "--data", "nowhere→"],
    ],
    ids=["list", "concepts", "train"],
)
def test_commands_print_in_any_locale(command, encoding):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PYTHONIO"))}
    run = subprocess.run([sys.executable, *command], env=environment | ENCODINGS[encoding], capture_output=True)
    assert b"codec" not in run.stdout + run.stderr and b"Traceback" not in run.stderr
    assert run.returncode == (2 if command[0] == "train.py" else 0) and run.stdout + run.stderr

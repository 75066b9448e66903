"""Types help users: the package says that it has them (py.typed), and pyright finds no error in them."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Errors that are still there, by room; a number may only fall, and goes when it is 0.
STILL_THERE: dict[str, int] = {}


@pytest.mark.slow
def test_pyright_finds_no_error_that_is_not_known(tmp_path):
    command = shutil.which("basedpyright", path=str(Path(sys.executable).parent)) or shutil.which("basedpyright")
    assert command, "basedpyright is missing: pip install -e '.[test]'"
    done = subprocess.run(
        [command, "--outputjson", "--level", "error", "--pythonpath", sys.executable], cwd=ROOT, capture_output=True,
        text=True, timeout=280,
    )  # fmt: skip
    errors = [item for item in json.loads(done.stdout)["generalDiagnostics"] if item["severity"] == "error"]
    rooms = Counter(Path(item["file"]).relative_to(ROOT / "gan_hub").parts[0] for item in errors)
    lines = [f"{item['file']}:{item['range']['start']['line'] + 1}: {item['message']}" for item in errors]
    assert dict(rooms) == STILL_THERE, "\n".join(lines)


def test_the_package_says_that_it_has_types():
    assert (ROOT / "gan_hub" / "py.typed").read_bytes() == b""

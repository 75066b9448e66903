"""A disk that takes no more: the last good checkpoint stays, a sentence says what to do, and resume is exact."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from gan_hub.training.checkpoints import list_checkpoints, load_checkpoint, load_newest, save_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.train_state import TENSOR_FILES
from tests.training.test_exact import train
from train import main

ROOT = Path(__file__).parents[2]


def content(value: float) -> dict[str, dict[str, torch.Tensor]]:
    return {"generator": {"weight": torch.full((20_000,), value)}, "ema": {"weight": torch.full((30_000,), value)}}


def limit_file_size(size: int) -> None:
    """No file of this process may grow beyond `size` bytes: what a full disk or a quota does, wherever it strikes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [0, 1, 100, 300, 500, 700, *range(1_000, 120_001, 8_500)])
def test_a_disk_full_at_any_size_leaves_the_last_checkpoint_whole(tmp_path, size):
    save_checkpoint(tmp_path, 1, content(1.0), {"note": "x" * 600}, keep=1)
    child = os.fork()
    if child == 0:
        code = 9
        try:
            limit_file_size(size)
            save_checkpoint(tmp_path, 2, content(2.0), {"note": "x" * 600}, keep=1)
        except OSError as error:
            expected = "the checkpoint of 0.20 MB could not be written" in str(error) and "make room" in str(error)
            code = 7 if expected else 8
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001"]
    _, tensors, _, refused = load_newest(tmp_path, ("generator", "ema"))
    assert tensors["ema"]["weight"][0] == 1.0 and not refused


def run(arguments: list[str], limit: int | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "train.py", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=ROOT, capture_output=True, text=True, timeout=200,
        preexec_fn=None if limit is None else lambda: limit_file_size(limit),
    )  # fmt: skip


def test_a_run_on_a_full_disk_ends_in_a_sentence_and_resumes_exactly(small_options, tmp_path):
    options = small_options | {"trackers": "none"}
    unbroken, full = (TrainConfig(**options | {"output": str(tmp_path / name)}) for name in ("unbroken", "full"))
    train(unbroken)
    train(full, stop_after=7)
    path, folder = tmp_path / "small.yaml", full.run_folder / "checkpoints"
    path.write_text(yaml.safe_dump(options | {"output": full.output}))
    largest = max(file.stat().st_size for file in list_checkpoints(folder)[-1].iterdir())

    for limit, said in ((largest - 1, "MB could not be written"), (200, "cannot be written")):
        stopped = run([str(path), "--resume", "--sample_kimg", "100"], limit)
        assert stopped.returncode == 1 and said in stopped.stderr, stopped.stderr
        assert "make room" in stopped.stderr and "--resume" in stopped.stderr
        assert len(stopped.stderr.strip().splitlines()) == 1 and "Traceback" not in stopped.stderr
    assert [kept.name for kept in list_checkpoints(folder)] == ["step-000000006", "step-000000007"]

    train(full, resume=True)
    expected = load_checkpoint(list_checkpoints(unbroken.run_folder / "checkpoints")[-1], TENSOR_FILES)[0]
    found = load_checkpoint(list_checkpoints(folder)[-1], TENSOR_FILES)[0]
    for file, tensors in expected.items():
        assert all(torch.equal(tensor, found[file][name]) for name, tensor in tensors.items())


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_computed(small_options, tmp_path, capfd):
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(small_options | {"data": "nowhere"}))
    assert main([str(path), "--output", str(tmp_path / "file")]) == 1
    error = capfd.readouterr().err
    assert len(error.strip().splitlines()) == 1 and "cannot be written (Not a directory)" in error

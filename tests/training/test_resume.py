"""A run that is killed or stopped, and resumed, ends with the very bytes of the run that never was."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CALLS_A_SAVE = 11  # state.json; fsync of seven files and their folder; rename; fsync of the parent (save_checkpoint)


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def test_kill_9_in_the_middle_of_a_save_then_resume_is_bit_equal(small_options):
    """Aimed: at the state file, every fsync, the rename and the last fsync of the second of four saves."""
    points = list(range(CALLS_A_SAVE, 2 * CALLS_A_SAVE))
    driver = Path(__file__).with_name("kill_driver.py")
    command = [sys.executable, str(driver), json.dumps(small_options), json.dumps(points)]
    done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=280)
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [result["point"] for result in results] == points, done.stderr
    assert all(result["killed"] == -signal.SIGKILL for result in results), results
    assert all(result["equal"] for result in results), results
    assert not any(result["litter"] for result in results), results
    # The kills really fell into the second save: before its rename one checkpoint is there, after it two.
    assert {len(result["left"]) for result in results} == {1, 2}, results


@pytest.fixture
def recipe(small_options, tmp_path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(small_options))
    return path


def run(*arguments: str, **kwargs) -> subprocess.CompletedProcess:
    command = [sys.executable, "train.py", *arguments]
    return subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=200, **kwargs)


def checksums(folder: Path) -> dict[str, str]:
    newest = sorted((folder / "checkpoints").glob("step-*"))[-1]
    files = json.loads((newest / "manifest.json").read_text())["files"]
    return {name: entry["sha256"] for name, entry in files.items() if name != "state.json"}


def test_sigterm_saves_exits_and_resumes_bit_equal(recipe, tmp_path, small_options):
    assert run(str(recipe), "--output", str(tmp_path / "unbroken")).returncode == 0
    long = [str(recipe), "--output", str(tmp_path / "stopped"), "--checkpoint_kimg", "100"]
    process = subprocess.Popen(
        [sys.executable, "train.py", *long], env=environment(), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    log = tmp_path / "stopped" / "small" / "log.jsonl"
    wait_until(lambda: log.is_file() and log.read_text(), process)
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 143 and "its state is saved, --resume goes on" in error
    assert time.monotonic() - sent < 10
    assert not (tmp_path / "stopped" / "small" / "export").exists()
    assert run(*long, "--resume").returncode == 0
    assert checksums(tmp_path / "stopped" / "small") == checksums(tmp_path / "unbroken" / "small")


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for orphans in Linux's /proc")
def test_sigterm_to_accelerates_launcher_ends_the_run_as_well_and_leaves_no_orphan(recipe, tmp_path):
    output = str(tmp_path / "launched")
    accelerate = str(Path(sys.executable).with_name("accelerate"))
    command = [accelerate, "launch", "--cpu", "--num_processes", "1", "train.py", str(recipe), "--output", output]
    process = subprocess.Popen([*command, "--total_kimg", "500"], env=environment(), cwd=ROOT, stderr=subprocess.PIPE)
    log = tmp_path / "launched" / "small" / "log.jsonl"
    wait_until(lambda: log.is_file() and log.read_text(), process)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)

    def alive() -> bool:
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if output.encode() in entry.read_bytes():
                    return True
            except OSError:  # it ended while we looked
                continue
        return False

    end = time.monotonic() + 10
    while alive() and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive()
    images = json.loads(log.read_text().splitlines()[-1])["images"]
    newest = sorted((tmp_path / "launched" / "small" / "checkpoints").glob("step-*"))[-1]
    assert json.loads((newest / "state.json").read_text())["step"] * 16 >= images


def wait_until(condition, process: subprocess.Popen, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.005)


def test_another_configuration_other_data_or_no_resume_are_refused_in_a_sentence(recipe, tmp_path, shapes_npz):
    import numpy as np

    assert run(str(recipe)).returncode == 0
    again = run(str(recipe))
    assert again.returncode == 1 and "already has checkpoints; --resume goes on" in again.stderr
    other = run(str(recipe), "--resume", "--beta1", "0.9")
    assert other.returncode == 1 and "beta1: 0.5 there, 0.9 now" in other.stderr

    with np.load(shapes_npz) as arrays:
        changed = dict(arrays)
    changed["x_train"][0] = 0
    np.savez(tmp_path / "other.npz", **changed)
    swapped = run(str(recipe), "--resume", "--data", str(tmp_path / "other.npz"))
    assert swapped.returncode == 1 and "was trained on other images" in swapped.stderr
    for result in (again, other, swapped):
        assert "Traceback" not in result.stderr and len(result.stderr.strip().splitlines()) == 1

"""A run that is killed or stopped, and resumed, ends with the very bytes of the run that never was."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
# What save_checkpoint asks of the disk: five tensor files and state.json written, fsync of seven files and their folder,
# rename, fsync of the parent.
CALLS_A_SAVE, SAVES = 5 + 1 + 8 + 1 + 1, 4


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("every", "random"),
    [pytest.param(18, 2, id="eight"), pytest.param(1, 50, id="150 and more", marks=pytest.mark.slow)],
)
def test_kills_wherever_they_fall_end_bit_equal(small_options, every, random):
    """Aimed: before every write, fsync and rename of all four saves. Random: 100, anywhere in the run."""
    quick = {
        "total_kimg": 0.192,
        "checkpoint_kimg": 0.048,
        "sample_kimg": 10.0,
        "trackers": "none",
        "timelapse_frames": 0,
    }
    aimed = list(range(0, SAVES * CALLS_A_SAVE, every))
    plans = [{"aimed": aimed}, {"random": random, "seed": 1}, {"random": random, "seed": 2}]
    driver, drivers = Path(__file__).with_name("kill_driver.py"), []
    for index, plan in enumerate(plans):
        options = small_options | quick | {"output": f"{small_options['output']}/{index}"}
        command = [sys.executable, str(driver), json.dumps(options), json.dumps(plan)]
        pipe = subprocess.PIPE
        drivers.append(subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=pipe, stderr=pipe, text=True))
    outputs = [driver.communicate(timeout=580) for driver in drivers]
    results = [[json.loads(line) for line in out.splitlines() if line.startswith("{")] for out, _ in outputs]
    assert [len(found) for found in results] == [len(aimed), random, random], [error[-2000:] for _, error in outputs]
    assert len(aimed) * every >= 50
    for found in results[0] + results[1] + results[2]:
        assert found["killed"] == -signal.SIGKILL and found["equal"] and not found["litter"], found
    # The aimed kills really fell into the saves: before the rename of the n-th, n - 1 checkpoints lie there (two are kept).
    for found in results[0]:
        save, call = divmod(found["point"], CALLS_A_SAVE)
        renamed = call > CALLS_A_SAVE - 2
        assert len(found["left"]) == min(save + renamed, 3 if renamed else 2), found
    if random == 50:
        assert {len(found["left"]) for found in results[1] + results[2]} >= {0, 1, 2}


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
    assert (
        again.returncode == 1
        and "already has checkpoints; --resume goes on, another --name starts anew." in again.stderr
    )
    other = run(str(recipe), "--resume", "--beta1", "0.9")
    assert other.returncode == 1 and "beta1: 0.5 there, 0.9 now" in other.stderr
    assert re.search(r"then another --name with --initial '/.*/export'\.\n$", other.stderr)

    with np.load(shapes_npz) as arrays:
        changed = dict(arrays)
    changed["x_train"][0] = 0
    np.savez(tmp_path / "other.npz", **changed)
    swapped = run(str(recipe), "--resume", "--data", str(tmp_path / "other.npz"))
    assert swapped.returncode == 1 and "was trained on other images" in swapped.stderr
    for result in (again, other, swapped):
        assert "Traceback" not in result.stderr and len(result.stderr.strip().splitlines()) == 1

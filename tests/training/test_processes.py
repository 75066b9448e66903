"""Two processes train what one trains: same global batch, float64, the same weights on both ranks; and they end together."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from gan_hub.training.checkpoints import list_checkpoints, load_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.train_state import TENSOR_FILES, build_networks
from tests.training import two_process_driver
from tests.training.test_exact import train

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("two_process_driver.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def launch(command: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=200)


# Everything that draws random numbers or moves while it is played; networks without batch statistics, which are those of a
# process's share and so differ by design.
GAME = {
    "generator": {"latent_size": 8, "base_channels": 4, "norm": "none"},
    "discriminator": {"base_channels": 4, "norm": "none"},
    "loss": "least_squares",
    "r2_gamma": 0.5,
    "wgan_gp_weight": 0.1,
    "discriminator_steps": 2,
    "augment": "ada",
    "ada_target": 0.0,
    "ada_kimg": 0.5,
    "flip": True,
    "instance_noise": 0.1,
    "instance_noise_kimg": 0.3,
    "precision": "fp64",
    "trackers": "none",
    # With the driver's scores: the best is of step 8, and for too long no better one has come at step 20, of 24.
    "extractor": "digits",
    "evaluate_kimg": 0.064,
    "patience_kimg": 0.192,
}


# Layers beyond the level have no gradient on any process, and join in the middle of the run.
GROWING = {
    "architecture": "progan",
    "grow_kimg": 0.032,
    "total_kimg": 0.192,
    "instance_noise_kimg": 0.1,
    "augment": "none",
    "extractor": "none",
    "patience_kimg": 0.0,
    "generator": {"latent_size": 8, "base_channels": 2, "max_channels": 4},
    "discriminator": {"base_channels": 2, "max_channels": 4, "minibatch_stddev": False},
}


# Minibatch deviations are those of a process's share, so there is no discriminator of pixels, and no penalty of it.
FEATURES = {
    "discriminator": {"features": "squeezenet", "pixels": 0, "max_channels": 16},
    "r1_gamma": 0.0,
    "r2_gamma": 0.0,
    "wgan_gp_weight": 0.0,
}


@pytest.mark.parametrize("game", [{}, GROWING, FEATURES], ids=["dcgan", "growing", "features"])
def test_two_processes_end_with_the_weights_of_one(small_options, tmp_path, game, capsys):
    options = small_options | GAME | {"checkpoint_kimg": 10.0, "sample_kimg": 10.0} | game
    with pytest.MonkeyPatch.context() as patch:
        two_process_driver.train_and_tell(options | {"name": "one"}, tmp_path, patch.setattr)
    one = capsys.readouterr().out
    two = launch([*TORCHRUN, str(DRIVER), json.dumps(options | {"name": "two"}), str(tmp_path)])
    assert two.returncode == 0, two.stderr
    assert "2 process(es)" in two.stdout and "1 process(es)" in one

    single = load_file(tmp_path / "1-processes-rank-0.safetensors")
    ranks = [load_file(tmp_path / f"2-processes-rank-{rank}.safetensors") for rank in range(2)]
    untrained = load_untrained(options)
    for name, tensor in single.items():
        assert tensor.dtype == torch.float64
        assert torch.equal(ranks[0][name], ranks[1][name]), f"{name} differs between the ranks"
        assert (tensor - ranks[0][name]).abs().max() <= 1e-12, f"{name} differs from one process"
    assert any((single[name] - tensor).abs().max() > 1e-3 for name, tensor in untrained.items()), "nothing was trained"
    states = [newest_state(Path(options["output"]) / name) for name in ("one", "two")]
    assert states[0]["controls"] == states[1]["controls"]
    assert (states[0]["controls"]["augment_p"] > 0) is (options["augment"] == "ada")
    assert [state["step"] for state in states] == ([20, 20] if options["patience_kimg"] else [10, 10])  # by a callback
    assert two.stdout.count("called on process 0, model in export") == 1 and "called on process 1" not in two.stdout
    assert states[0]["watched"]["best"] == states[1]["watched"]["best"]


def load_untrained(options: dict) -> dict[str, torch.Tensor]:
    torch.manual_seed(options.get("seed", 0))
    generator, discriminator = build_networks(TrainConfig(**options), 3)
    weights = {f"g.{name}": tensor.double() for name, tensor in generator.state_dict().items()}
    return weights | {f"d.{name}": tensor.double() for name, tensor in discriminator.state_dict().items()}


def newest_state(run: Path) -> dict:
    return json.loads((list_checkpoints(run / "checkpoints")[-1] / "state.json").read_text())


def recipe(tmp_path: Path, options: dict) -> str:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(options))
    return str(path)


def wait_for(condition, process: subprocess.Popen, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def processes_with(text: str) -> list[int]:
    """Process ids of the training processes (not their launcher) whose command line holds `text`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:  # it ended while we looked
            continue
        if text.encode() in command and b"torch.distributed.run" not in command:
            found.append(int(entry.name))
    return sorted(found)


@pytest.fixture
def two_running(small_options, tmp_path):
    """Two processes in the middle of a long run that has a checkpoint: (launcher, their ids, the run's folder)."""
    options = small_options | {"total_kimg": 500.0, "checkpoint_kimg": 0.16, "sample_kimg": 400.0, "trackers": "none"}
    command = [*TORCHRUN, "train.py", recipe(tmp_path, options)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
    run = Path(options["output"]) / "small"
    wait_for(lambda: list_checkpoints(run / "checkpoints"), process)
    ranks = processes_with(command[-1])
    assert len(ranks) == 2
    yield process, ranks, run
    for rank in processes_with(command[-1]):
        os.kill(rank, signal.SIGKILL)
    process.kill()


linux = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in Linux's /proc")


@linux
@pytest.mark.parametrize("dead", [0, 1])
def test_when_one_process_dies_the_other_says_so_and_ends_within_seconds(two_running, dead, tmp_path):
    process, ranks, run = two_running
    os.kill(ranks[dead], signal.SIGKILL)
    died = time.monotonic()
    _, error = process.communicate(timeout=60)
    assert time.monotonic() - died < 10 and process.returncode != 0
    assert not processes_with(str(tmp_path / "recipe.yaml"))
    assert (
        "another process of this run ended" in error or "SIGTERM" in error
    )  # the launcher may be faster than the news
    newest = list_checkpoints(run / "checkpoints")[-1]
    load_checkpoint(newest, TENSOR_FILES)


@linux
def test_two_processes_share_one_lock_and_both_tell_a_second_run_who_holds_it(two_running, tmp_path):
    process, ranks, run = two_running
    again = launch([*TORCHRUN, "train.py", str(tmp_path / "recipe.yaml"), "--resume", "--total_kimg", "1000"])
    assert again.returncode != 0 and process.poll() is None
    (holder,) = {
        line.split("is in use: process ")[1].split()[0] for line in again.stderr.splitlines() if "in use" in line
    }
    assert int(holder) in ranks and json.loads((run / "running.json").read_text())["pid"] == int(holder)


@linux
def test_sigterm_to_the_launcher_of_two_stops_both_after_a_checkpoint(two_running, tmp_path):
    process, _, run = two_running
    before = newest_state(run)["step"]
    process.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    _, error = process.communicate(timeout=60)
    assert time.monotonic() - sent < 10 and process.returncode != 0
    assert "its state is saved, --resume goes on" in error
    assert not processes_with(str(tmp_path / "recipe.yaml"))
    load_checkpoint(list_checkpoints(run / "checkpoints")[-1], TENSOR_FILES)
    assert newest_state(run)["step"] >= before


def test_two_processes_resume_bit_for_bit(small_options, tmp_path):
    """Batch norm in both players and their running statistics included."""
    options = small_options | {"discriminator": {"base_channels": 4}, "trackers": "none", "keep_checkpoints": 9}
    path = recipe(tmp_path, options)
    assert launch([*TORCHRUN, "train.py", path]).returncode == 0
    run = Path(options["output"]) / "small"
    expected = {p.name: load_checkpoint(p, TENSOR_FILES)[0] for p in list_checkpoints(run / "checkpoints")}
    assert len(expected) == 4
    for checkpoint in list_checkpoints(run / "checkpoints")[2:]:
        for file in checkpoint.iterdir():
            file.unlink()
        checkpoint.rmdir()
    again = launch([*TORCHRUN, "train.py", path, "--resume"])
    assert again.returncode == 0 and "resumed from" in again.stdout, again.stderr
    found = load_checkpoint(list_checkpoints(run / "checkpoints")[-1], TENSOR_FILES)[0]
    for file, content in expected["step-000000024"].items():
        for name, tensor in content.items():
            assert torch.equal(tensor, found[file][name]), f"{file}: {name}"


def test_a_batch_that_cannot_be_shared_equally_is_refused_before_anything_else(small_options, tmp_path):
    done = launch([*TORCHRUN, "train.py", recipe(tmp_path, small_options | {"batch_size": 15, "data": "nowhere"})])
    assert done.returncode != 0
    assert "train.py: batch_size=15 is not divisible by the 2 processes of this run." in done.stderr


def test_processes_without_a_common_disk_are_told_so_before_they_train(small_options, tmp_path):
    """Only the first process writes checkpoints: another machine with a folder of its own would begin at step 0."""
    path = recipe(tmp_path, small_options | {"trackers": "none"})
    code = (
        "import os, sys, train; sys.exit(train.main([sys.argv[1], '--resume', '--output', "
        "sys.argv[2] + '-' + os.environ['RANK']]))"
    )
    script = tmp_path / "apart.py"
    script.write_text(code)
    train(TrainConfig(**small_options | {"trackers": "none", "output": f"{tmp_path}/runs-0"}))
    done = launch([*TORCHRUN, str(script), path, f"{tmp_path}/runs"])
    assert done.returncode != 0
    assert "the processes found different checkpoints or images (first steps [0, 24])" in done.stderr

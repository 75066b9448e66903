"""The lock of a run's folder: a second run of the same name is refused, and told the name of the first."""

import contextlib
import errno
import fcntl
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from accelerate.state import AcceleratorState

from gan_hub.training import trainer
from gan_hub.training.checkpoints import list_checkpoints, load_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.run_lock import RunInUseError
from gan_hub.training.train_state import TENSOR_FILES
from tests.training.test_exact import newest, train
from train import main


@contextlib.contextmanager
def living(config: TrainConfig, step: int, resume: bool = False) -> Iterator[int]:
    """A run in another process that waits in front of a step until this ends; its process id."""
    signs = Path(config.output)
    signs.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if child == 0:
        train_step = trainer.train_step

        def waiting(state, config, batches, at):
            if at == step:
                (signs / "there").touch()
                until((signs / "go").exists)
            return train_step(state, config, batches, at)

        trainer.train_step = waiting
        try:
            train(config, resume)
            os._exit(0)
        except BaseException:
            os._exit(1)
    until((signs / "there").exists)
    try:
        yield child
        (signs / "go").touch()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def until(condition, seconds: float = 100) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same_weights(one: TrainConfig, other: TrainConfig) -> bool:
    first, second = (load_checkpoint(newest(config), TENSOR_FILES)[0] for config in (one, other))
    return all(torch.equal(tensor, second[file][name]) for file in first for name, tensor in first[file].items())


@pytest.fixture
def config(small_options) -> TrainConfig:
    return TrainConfig(**small_options | {"trackers": "none", "timelapse_frames": 0, "total_kimg": 0.192})


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("step", [2, 8], ids=["before the first checkpoint", "after it"])
def test_two_runs_of_one_name_do_not_mix_the_second_is_told_by_whom(config, tmp_path, resume, step, capfd):
    recipe = tmp_path / "small.yaml"
    recipe.write_text(yaml.safe_dump(vars(config) | {"seed": 0 if resume else 5}))
    with living(config, step) as first:
        before = content(config.run_folder)
        capfd.readouterr()
        AcceleratorState._reset_state(reset_partial_state=True)
        assert main([str(recipe), *(["--resume"] if resume else [])]) == 1
        assert content(config.run_folder) == before
        error = capfd.readouterr().err
        assert f"{config.run_folder} is in use: process {first} on {socket.gethostname()}, started at 20" in error
        assert "--resume" in error and "another --name" in error and len(error.strip().splitlines()) == 1
    alone = TrainConfig(**vars(config) | {"output": str(tmp_path / "alone")})
    train(alone)
    assert same_weights(config, alone)


def test_two_that_resume_at_once_do_not_mix(config, tmp_path):
    train(config, stop_after=7)
    with living(config, 9, resume=True):
        with pytest.raises(RunInUseError, match="is in use"):
            train(config, resume=True)
        assert [path.name for path in list_checkpoints(config.run_folder / "checkpoints")] == [
            "step-000000006", "step-000000007",
        ]  # fmt: skip


def test_a_run_that_was_killed_holds_its_folder_no_longer(config):
    with pytest.raises(ChildProcessError), living(config, 8) as child:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        train(config, resume=True)
    assert newest(config).name == "step-000000012"
    assert not (config.run_folder / "running.json").exists()


def test_a_run_lets_go_of_its_folder_when_it_ends_or_fails(config):
    train(config, stop_after=3)
    with pytest.raises(ValueError, match="already has checkpoints"):
        train(config)
    train(config, resume=True)
    assert not (config.run_folder / "running.json").exists()


def test_a_file_system_without_locks_is_said_and_trained_on(config, monkeypatch, capfd):
    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    train(config)
    assert newest(config).name == "step-000000012"
    assert "knows no locks; start no second run of this name" in capfd.readouterr().out

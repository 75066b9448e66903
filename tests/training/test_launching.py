"""What the machine and the launcher are asked for, and what cannot be had: devices, accumulated gradients."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gan_hub.training import accelerator, trainer

ROOT = Path(__file__).parents[2]
ACCELERATE = Path(sys.executable).with_name("accelerate")


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_answered_with_those_that_are(small_config, monkeypatch, device):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    with pytest.raises(ValueError, match=rf"device='{device}': torch \S+ .*finds none; here are auto, cpu\.$"):
        trainer.make_accelerator(replace(small_config, device=device))
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("xpu"))
    with pytest.raises(ValueError, match=rf"device='{device}': .*finds none; here are auto, cpu, xpu\.$"):
        trainer.make_accelerator(replace(small_config, device=device))


def test_a_device_that_is_there_is_taken_unless_the_launcher_was_told_otherwise(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    assert [accelerator._is_cpu(device) for device in ("auto", "cuda", "cpu")] == [False, False, True]
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    with pytest.raises(ValueError, match="device='cuda': ACCELERATE_USE_CPU is set; here are auto, cpu, cuda"):
        accelerator._is_cpu("cuda")


@pytest.mark.parametrize(
    ("command", "asks"),
    [
        ("python /bin/accelerate launch --gradient_accumulation_steps 4 train.py x.yaml", True),
        ("python /bin/accelerate-launch --gradient-accumulation-steps=4 train.py x.yaml", True),
        ("python -m accelerate.commands.launch --gradient_accumulation_steps auto train.py", True),
        ("python /lib/accelerate/commands/launch.py --gradient_accumulation_steps auto train.py", True),
        ("python -m accelerate.commands.accelerate_cli launch --gradient_accumulation_steps 2 train.py", True),
        ("python -X dev -O -u -m accelerate.commands.launch --gradient_accumulation_steps 2 train.py", True),
        ("nice -n 5 python -u /bin/accelerate launch --gradient_accumulation_steps 2 train.py", True),
        ("python /bin/accelerate launch train.py x.yaml --gradient_accumulation_steps 2", False),
        ("python tune.py --launcher accelerate --gradient_accumulation_steps 4", False),
        ("python /bin/accelerate launch --gradient_accumulation_steps 1 train.py", False),
        ("python /bin/accelerate launch train.py x.yaml", False),
        ("python tune.py --gradient_accumulation_steps 4", False),
        ("", False),
    ],
)
def test_accumulated_gradients_are_seen_in_the_launchers_command_and_in_no_others(command, asks):
    assert accelerator._asks_to_accumulate(command.split()) == asks


def test_accumulated_gradients_are_refused_where_the_launcher_is_asked_for_them():
    """Accelerate hands the flag on to DeepSpeed alone: nothing of it is in the environment."""
    asked = ["--cpu", "--num_processes", "1", "--gradient_accumulation_steps", "4"]
    command = [ACCELERATE, "launch", *asked, "train.py", "recipes/dcgan-mnist.yaml", "--dry-run"]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert "train.py: gradient accumulation is not exact with two players" in done.stderr and done.returncode != 0


@pytest.mark.parametrize("steps", ["4", "16", "auto"])
def test_accumulated_gradients_are_refused_where_the_environment_asks_for_them(small_config, monkeypatch, steps):
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", steps)
    with pytest.raises(
        ValueError, match="gradient accumulation is not exact with two players; choose a smaller batch_size"
    ):
        trainer.make_accelerator(small_config)

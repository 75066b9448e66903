"""Two processes train what one trains: same global batch, float64, the same weights on both ranks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("two_process_driver.py")


def launch(command: list[str], **environment) -> subprocess.CompletedProcess:
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=200)


@pytest.fixture
def options(small_options) -> dict:
    # Norm-free networks: batch norm's statistics are those of a process's share, so it differs by design.
    norm_free = {"generator": {"latent_size": 8, "base_channels": 4, "norm": "none"}}
    norm_free["discriminator"] = {"base_channels": 4, "norm": "none"}
    return small_options | norm_free | {"precision": "fp64", "checkpoint_kimg": 10.0, "sample_kimg": 10.0}


TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


def test_two_processes_end_with_the_weights_of_one(options, tmp_path):
    one = launch([sys.executable, str(DRIVER), json.dumps(options | {"name": "one"}), str(tmp_path)])
    assert one.returncode == 0, one.stderr
    two = launch([*TORCHRUN, str(DRIVER), json.dumps(options | {"name": "two"}), str(tmp_path)])
    assert two.returncode == 0, two.stderr
    assert "2 process(es)" in two.stdout and "1 process(es)" in one.stdout

    single = load_file(tmp_path / "1-processes-rank-0.safetensors")
    ranks = [load_file(tmp_path / f"2-processes-rank-{rank}.safetensors") for rank in range(2)]
    untrained = load_untrained(options)
    for name, tensor in single.items():
        assert tensor.dtype == torch.float64
        assert torch.equal(ranks[0][name], ranks[1][name]), f"{name} differs between the ranks"
        assert (tensor - ranks[0][name]).abs().max() <= 1e-12, f"{name} differs from one process"
    assert any((single[name] - tensor).abs().max() > 1e-3 for name, tensor in untrained.items()), "nothing was trained"


def load_untrained(options: dict) -> dict[str, torch.Tensor]:
    from gan_hub.training.config import TrainConfig
    from gan_hub.training.players import build_networks

    torch.manual_seed(options.get("seed", 0))
    generator, discriminator = build_networks(TrainConfig(**options), 3)
    weights = {f"g.{name}": tensor.double() for name, tensor in generator.state_dict().items()}
    return weights | {f"d.{name}": tensor.double() for name, tensor in discriminator.state_dict().items()}

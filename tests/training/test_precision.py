"""`precision: auto`: the faster of fp32 and bf16, measured once at the beginning, recorded, and kept over a resume."""

import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode

from gan_hub.training import precision
from gan_hub.training.accelerator import only_training_of_this_process
from gan_hub.training.checkpoints import list_checkpoints, read_state
from gan_hub.training.config import TrainConfig, recipe_of
from gan_hub.training.dry_run import preview
from gan_hub.training.precision import faster_precision, made_up_step, with_precision
from gan_hub.training.trainer import train
from tests.training.test_processes import ROOT, TORCHRUN, environment

CPU = torch.device("cpu")
SPEEDS = {
    "bf16": {"fp32": 0.3, "bf16": 0.2},
    "fp32": {"fp32": 0.2, "bf16": 0.25},
}  # which is faster → seconds of a step


class Products(TorchDispatchMode):
    """Remembers in which dtypes matrices were multiplied and images convolved."""

    def __init__(self):
        super().__init__()
        self.dtypes = set()

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        if operator.overloadpacket.__name__ in ("convolution", "addmm", "mm"):
            self.dtypes.add(args[1].dtype)
        return operator(*args, **(kwargs or {}))


@pytest.fixture
def machine(monkeypatch):
    """machine("bf16"): a machine on which that precision is the faster one; the times that were measured are counted."""
    measured = []

    def pretend(faster: str) -> list:
        monkeypatch.setattr(precision, "emulates_bf16", lambda cpu: False)
        monkeypatch.setattr(
            precision, "seconds_of_steps", lambda steps, device: measured.append(faster) or SPEEDS[faster]
        )
        return measured

    return pretend


@pytest.fixture
def auto(small_options) -> TrainConfig:
    return TrainConfig(
        **small_options | {"precision": "auto", "trackers": "none", "total_kimg": 0.096, "decay_kimg": 0.0}
    )


@pytest.mark.parametrize("faster", ["bf16", "fp32"])
def test_the_faster_precision_is_taken_and_the_ratio_is_said(auto, machine, capsys, faster):
    machine(faster)
    assert with_precision(auto).precision == faster
    ratio = {"bf16": "1.50", "fp32": "0.80"}[faster]
    said = capsys.readouterr().out
    assert f"precision auto: {faster}, since a step in bf16 runs at {ratio} times" in said


def test_bf16_must_be_worth_its_rounding(auto, monkeypatch, machine):
    machine("bf16")
    monkeypatch.setattr(precision, "seconds_of_steps", lambda steps, device: {"fp32": 0.21, "bf16": 0.2})
    assert faster_precision(auto, CPU)[0] == "fp32"


def test_nothing_is_measured_where_bf16_is_emulated_or_a_precision_is_given(auto, machine, monkeypatch):
    measured = machine("bf16")
    assert with_precision(replace(auto, precision="fp32")).precision == "fp32"
    monkeypatch.setattr(precision, "emulates_bf16", lambda cpu: True)
    assert with_precision(auto).precision == "fp32"
    assert measured == []


def test_a_clock_that_stands_still_during_a_step_finds_no_difference(auto, monkeypatch):
    monkeypatch.setattr(precision, "emulates_bf16", lambda cpu: False)
    monkeypatch.setattr(time, "process_time", lambda: 7.0)
    chosen, why = faster_precision(auto, CPU)
    assert chosen == "fp32" and "1.00 times" in why


def test_steps_in_fp32_are_measured_with_the_products_that_the_run_has(auto, monkeypatch):
    switches = []

    def look(steps, device):
        switches.append(torch.backends.cuda.matmul.allow_tf32)
        return SPEEDS["fp32"]

    monkeypatch.setattr(precision, "emulates_bf16", lambda cpu: False)
    monkeypatch.setattr(precision, "seconds_of_steps", look)
    with only_training_of_this_process():
        for tf32 in (True, False):
            with_precision(replace(auto, tf32=tf32))
    assert switches == [True, False]


@pytest.mark.parametrize("name", ["dcgan-mnist", "spade-facades", "msg-gan-fashion-mnist", "gmmn-mnist"])
def test_the_measured_step_is_the_runs_own_in_the_precision_that_it_says(name):
    recipe = TrainConfig.from_recipe(name) if name != "spade-facades" else TrainConfig.from_recipe(name, resolution=32)
    for wanted, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        step = made_up_step(replace(recipe, device="cpu"), CPU, wanted, batch=2)
        with Products() as products:
            step()
        assert dtype in products.dtypes and (wanted == "bf16") == (torch.bfloat16 in products.dtypes)


def test_the_shortest_of_turns_counts():
    order = []
    steps = {"fp32": lambda: order.append("fp32"), "bf16": lambda: order.append("bf16")}
    seconds = precision.seconds_of_steps(steps, CPU)
    assert set(seconds) == {"fp32", "bf16"} and order[:4] == ["fp32", "bf16", "fp32", "bf16"]


def test_measuring_leaves_random_numbers_and_weights_of_the_run_as_they_were(auto, machine):
    machine("fp32")
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    with_precision(auto)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_run_records_what_was_taken_and_a_resume_measures_nothing(auto, machine):
    measured = machine("bf16")
    folder = train(auto)
    assert measured == ["bf16"]
    assert yaml.safe_load((auto.run_folder / "config.yaml").read_text())["precision"] == "bf16"
    assert read_state(list_checkpoints(auto.run_folder / "checkpoints")[-1])["config"]["precision"] == "bf16"
    assert ", bf16: " in (folder / "README.md").read_text()
    machine("fp32")
    longer = replace(auto, total_kimg=0.128)
    train(longer, resume=True)
    assert measured == ["bf16"]
    assert read_state(list_checkpoints(auto.run_folder / "checkpoints")[-1])["config"]["precision"] == "bf16"


def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(auto, machine):
    machine("bf16")
    whole = train(replace(auto, name="whole", total_kimg=0.192))
    train(auto)
    machine("fp32")  # the machine is busier now
    resumed = train(replace(auto, total_kimg=0.192), resume=True)
    for path in whole.rglob("diffusion_pytorch_model.safetensors"):
        other = load_file(resumed / path.relative_to(whole))
        assert all(torch.equal(tensor, other[name]) for name, tensor in load_file(path).items())


def test_a_run_without_a_checkpoint_measures_and_one_that_has_some_is_not_measured_only_to_be_refused(
    auto, machine, capsys
):
    measured = machine("bf16")
    assert with_precision(auto).precision == "bf16" and measured == ["bf16"]
    train(auto)
    machine("fp32")
    with pytest.raises(ValueError, match="already has checkpoints"):
        train(auto)
    capsys.readouterr()
    preview(auto)
    assert "# precision auto: bf16, as the run was begun." in capsys.readouterr().out
    assert measured == ["bf16", "bf16"]


def test_another_precision_is_refused_at_a_resume(auto, machine):
    machine("bf16")
    train(auto)
    with pytest.raises(ValueError, match=r"precision: 'bf16' there, 'fp32' now"):
        train(replace(auto, precision="fp32"), resume=True)


def test_a_dry_run_says_it(auto, machine, capsys):
    machine("fp32")
    preview(auto)
    assert "# precision auto: fp32, since" in capsys.readouterr().out


def test_the_card_names_the_repositorys_recipe_though_that_says_auto(monkeypatch, tmp_path, auto):
    from gan_hub.training import config as module

    (tmp_path / "small.yaml").write_text(auto.to_yaml())
    monkeypatch.setattr(module, "RECIPES", tmp_path)
    assert recipe_of(replace(auto, precision="bf16")) == "recipes/small.yaml"
    assert recipe_of(replace(auto, precision="bf16", seed=3)) == "recipe.yaml"
    assert recipe_of(replace(auto, precision="fp64")) == "recipe.yaml"  # which auto never stands for


@pytest.mark.slow
def test_two_processes_take_what_the_first_one_measured(auto, tmp_path):
    script = tmp_path / "driver.py"
    script.write_text(
        "import json, os, sys\n"
        "from pathlib import Path\n"
        "from gan_hub.training import precision\n"
        "from gan_hub.training.config import TrainConfig\n"
        "rank = os.environ['RANK']\n"
        "precision.emulates_bf16 = lambda cpu: False\n"
        "seconds = {'fp32': 0.3, 'bf16': 0.2} if rank == '0' else {'fp32': 0.2, 'bf16': 0.3}\n"
        "precision.seconds_of_steps = lambda steps, device: seconds\n"
        "made, batches = precision.made_up_step, []\n"
        "precision.made_up_step = lambda *given: batches.append(given[-1]) or made(*given)\n"
        "config = precision.with_precision(TrainConfig(**json.loads(sys.argv[1])))\n"
        "Path(sys.argv[2], rank).write_text(f'{config.precision} {max(batches, default=0)}')\n"
    )
    options = {name: getattr(auto, name) for name in ("name", "data", "output", "precision", "device", "batch_size")}
    options |= {"generator": dict(auto.generator), "discriminator": dict(auto.discriminator)}
    ended = subprocess.run(
        [*TORCHRUN, str(script), json.dumps(options), str(tmp_path)],
        env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    largest = auto.batch_size // 2  # a process's share
    assert [Path(tmp_path, rank).read_text() for rank in "01"] == [f"bf16 {largest}", "bf16 0"]
    assert ended.stdout.count("precision auto") == 1

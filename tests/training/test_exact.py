"""Everything that the rest of a run depends on is in its checkpoint: resumed halfway, it ends in the same bits."""

import json
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file, save_file

from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.strict import LoadError
from gan_hub.training import trainer
from gan_hub.training.checkpoints import list_checkpoints, load_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.run_files import read_log
from gan_hub.training.stopping import StoppedError, StopSignal
from gan_hub.training.train_state import TENSOR_FILES

GAMES = {
    "recommended": {},
    "hinge, ada, noise, two steps, balanced classes": {
        "loss": "hinge", "r2_gamma": 0.5, "augment": "ada", "ada_kimg": 0.5, "ada_target": 0.0, "flip": True,
        "instance_noise": 0.1, "instance_noise_kimg": 0.2, "discriminator_steps": 2, "balance_classes": True,
    },
    "path length, shared fakes, batch norm": {
        "path_length_weight": 2.0, "share_fakes": True, "r1_gamma": 0.0, "discriminator": {"base_channels": 4},
    },
    "bf16, channels last, spectral norm": {
        "precision": "bf16", "channels_last": True, "loss": "hinge", "r1_gamma": 0.0,
        "discriminator": {"base_channels": 4, "norm": "none", "spectral_norm": True},
    },
    "wasserstein": {"loss": "wasserstein", "wgan_gp_weight": 10.0, "weight_clip": 0.1, "augment": "diffaugment"},
    "growing, hinge, styles mixed, random noise": {
        "architecture": "stylegan", "grow_kimg": 0.064, "loss": "hinge", "r2_gamma": 0.5, "mixing": 0.9,
        "generator": {
            "latent_size": 8, "w_size": 8, "base_channels": 2, "max_channels": 4, "mapping_layers": 2,
            "mapping_width": 8, "noise": "random",
        },
        "discriminator": {"base_channels": 2, "max_channels": 4},
    },
    "styles mixed, random noise, path length in w": {
        "architecture": "stylegan2", "mixing": 0.9, "path_length_weight": 2.0, "path_length_interval": 2,
        "generator": {
            "latent_size": 8, "w_size": 8, "base_channels": 2, "max_channels": 4, "mapping_layers": 2, "noise": "random",
        },
        "discriminator": {"base_channels": 2, "max_channels": 4, "mapping_layers": 2},
    },
    "waves, running magnitudes, styles mixed": {
        "architecture": "stylegan3", "resolution": 32, "mixing": 0.9,
        "generator": {
            "latent_size": 8, "w_size": 8, "base_channels": 2, "max_channels": 4, "synthesis_layers": 4,
        },
        "discriminator": {"base_channels": 2, "max_channels": 4, "mapping_layers": 2},
    },
    "several scales, relativistic": {
        "architecture": "msg_gan", "loss": "relativistic", "r2_gamma": 1.0, "instance_noise": 0.1,
        "instance_noise_kimg": 0.2,
        "generator": {"latent_size": 8, "base_channels": 4}, "discriminator": {"base_channels": 4},
    },
    "frozen features and pixels, bf16": {
        "discriminator": {"features": "squeezenet", "pixels": 4, "max_channels": 16}, "loss": "hinge", "r1_gamma": 0.1,
        "augment": "diffaugment", "share_fakes": True, "precision": "bf16", "channels_last": True,
    },
    "began": {
        "architecture": "began", "loss": "began", "conditional": False, "r1_gamma": 0.0, "began_rate": 0.1,
        "generator": {"latent_size": 8, "base_channels": 4}, "discriminator": {"hidden_size": 8, "base_channels": 4},
    },
}  # fmt: skip


def train(config: TrainConfig, resume: bool = False, stop_after: int | None = None) -> None:
    """A run in this process; with `stop_after`, it is stopped after that number of steps."""
    AcceleratorState._reset_state(reset_partial_state=True)
    with pytest.MonkeyPatch.context() as patch:
        steps = []
        patch.setattr(trainer, "finish", lambda run: run.config.run_folder)
        if stop_after is not None:
            patch.setattr(StopSignal, "requested", lambda self: steps.append(1) or len(steps) == stop_after)
            with pytest.raises(StoppedError):
                trainer.train(config, resume)
        else:
            trainer.train(config, resume)


def newest(config: TrainConfig) -> Path:
    return list_checkpoints(config.run_folder / "checkpoints")[-1]


def numbers(state: dict) -> dict:
    return {name: state[name] for name in ("step", "controls", "scaler_generator", "scaler_discriminator")}


@pytest.mark.parametrize("game", list(GAMES))
def test_a_run_stopped_anywhere_and_resumed_is_the_unbroken_one_bit_for_bit(small_options, game):
    options = small_options | {"trackers": "none", "total_kimg": 0.256} | GAMES[game]  # 16 steps
    unbroken = TrainConfig(**options | {"name": "unbroken"})
    train(unbroken)
    expected, state = load_checkpoint(newest(unbroken), TENSOR_FILES)
    broken = TrainConfig(**options | {"name": "broken"})
    train(broken, stop_after=7)
    train(broken, resume=True, stop_after=6)
    train(broken, resume=True)
    found, again = load_checkpoint(newest(broken), TENSOR_FILES)
    assert numbers(again) == numbers(state)
    for file, content in expected.items():
        assert content.keys() == found[file].keys()
        for name, tensor in content.items():
            assert torch.equal(tensor, found[file][name]), f"{file}: {name}"
    one, two = (read_log(config.run_folder / "log.jsonl") for config in (unbroken, broken))
    assert len(one) == len(two) > 0
    for line, same in zip(one, two):  # the monitors got the same numbers, too
        told = {name: value for name, value in line.items() if name not in ("img/s", "memory/GB")}
        changes = {name for name in told if name.startswith("change/")}  # a stop splits what is then added up
        assert told.keys() == same.keys() - {"img/s", "memory/GB"}
        for name, value in told.items():
            assert same[name] == pytest.approx(value, rel=0.3 if name in changes else 1e-4), name
    if options.get("augment") == "ada":
        assert state["controls"]["augment_p"] > 0
    if "path_length_weight" in options:
        assert state["controls"]["path_length_mean"] > 0
    if options.get("loss") == "began":
        assert state["controls"]["balance"] > 0


def test_five_resumes_in_a_row_only_ever_go_forward(small_options):
    config = TrainConfig(**small_options | {"trackers": "none"})
    steps = []
    for stint in range(5):
        train(config, resume=stint > 0, stop_after=3)
        steps.append(json.loads((newest(config) / "state.json").read_text())["step"])
    assert steps == [3, 6, 9, 12, 15]


# --------------------------------------------------------------------------- one item less in the checkpoint

STATE_ITEMS = (
    "step", "config", "data", "processes", "elapsed", "watched", "tensors", "controls", "scaler_generator",
    "scaler_discriminator",
)  # fmt: skip
CONTROLS = ("augment_p", "balance", "path_length_mean")


@pytest.fixture(scope="module")
def saved(shapes_npz, tmp_path_factory):
    """The options of a run that was stopped, and its checkpoint."""
    options = {
        "name": "small", "data": str(shapes_npz), "output": str(tmp_path_factory.mktemp("runs")), "device": "cpu",
        "generator": {"latent_size": 8, "base_channels": 4}, "batch_size": 16, "total_kimg": 0.2, "evaluate_kimg": 0,
        "discriminator": {"base_channels": 4, "norm": "none"}, "trackers": "none", "timelapse_frames": 0,
    }  # fmt: skip
    train(TrainConfig(**options), stop_after=3)
    return options, newest(TrainConfig(**options))


@pytest.fixture
def spoilt(saved, tmp_path):
    """spoilt(change) → the configuration of a run with its only checkpoint changed and a valid manifest."""
    options, checkpoint = saved

    def make(change) -> TrainConfig:
        config = TrainConfig(**options | {"output": str(tmp_path)})
        folder = config.run_folder / "checkpoints" / checkpoint.name
        folder.mkdir(parents=True)
        for path in checkpoint.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        change(folder)
        (folder / "manifest.json").unlink()
        Manifest.write(folder, sorted(path.name for path in folder.iterdir()))
        return config

    return make


def test_an_untouched_copy_resumes(spoilt):
    config = spoilt(lambda folder: None)
    train(config, resume=True)
    assert newest(config).name == "step-000000013"


@pytest.mark.parametrize("name", [f"{file}.safetensors" for file in TENSOR_FILES] + ["state.json"])
def test_a_file_less_refuses_to_resume_and_names_it(spoilt, name):
    config = spoilt(lambda folder: (folder / name).unlink())
    with pytest.raises(LoadError, match=f"{name}: missing from the checkpoint"):
        train(config, resume=True)


@pytest.mark.parametrize("name", STATE_ITEMS)
def test_an_item_of_the_state_less_refuses_to_resume_and_names_it(spoilt, name):
    def change(folder: Path) -> None:
        state = json.loads((folder / "state.json").read_text())
        del state[name]
        (folder / "state.json").write_text(json.dumps(state))

    with pytest.raises(LoadError, match=f"'{name}' is missing from its state"):
        train(spoilt(change), resume=True)


@pytest.mark.parametrize("name", CONTROLS)
def test_a_number_of_the_game_less_refuses_to_resume_and_names_it(spoilt, name):
    def change(folder: Path) -> None:
        state = json.loads((folder / "state.json").read_text())
        del state["controls"][name]
        (folder / "state.json").write_text(json.dumps(state))

    with pytest.raises(LoadError, match=f"controls lack '{name}'"):
        train(spoilt(change), resume=True)


@pytest.mark.parametrize("file", TENSOR_FILES)
def test_a_tensor_less_refuses_to_resume_and_names_it(spoilt, file):
    def change(folder: Path) -> None:
        content = load_file(folder / f"{file}.safetensors")
        del content[sorted(content)[-1]]
        save_file(content, folder / f"{file}.safetensors")

    with pytest.raises(LoadError, match=rf"{file}.safetensors: '.+' is missing from the checkpoint"):
        train(spoilt(change), resume=True)


def test_a_checkpoint_of_the_first_release_says_what_it_lacks(spoilt):
    """0.1.0 had one loss scaler and no controls; its runs cannot be gone on with bit for bit, and are not."""

    def change(folder: Path) -> None:
        state = json.loads((folder / "state.json").read_text())
        state = {key: state[key] for key in ("step", "config", "data", "processes", "elapsed")} | {"scaler": None}
        state["config"]["r1_interval"] = state["config"].pop("penalty_interval")
        (folder / "state.json").write_text(json.dumps(state))

    with pytest.raises(LoadError, match="'watched' is missing from its state"):
        train(spoilt(change), resume=True)

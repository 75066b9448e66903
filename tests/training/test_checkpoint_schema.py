"""A hostile checkpoint, in order by its manifest: the file and the field are named, and an older one is taken."""

import copy
import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.strict import LoadError
from gan_hub.training.checkpoint_schema import check_state
from gan_hub.training.checkpoints import list_checkpoints, read_state
from gan_hub.training.config import TrainConfig
from tests.training.test_exact import train


@pytest.fixture(scope="module")
def saved(shapes_npz, tmp_path_factory) -> TrainConfig:
    """A stopped run with two checkpoints, of steps 4 and 5."""
    options = {
        "name": "small", "data": str(shapes_npz), "output": str(tmp_path_factory.mktemp("runs")), "device": "cpu",
        "generator": {"latent_size": 8, "base_channels": 4}, "batch_size": 16, "total_kimg": 0.128, "evaluate_kimg": 0.032,
        "discriminator": {"base_channels": 4, "norm": "none"}, "trackers": "none", "timelapse_frames": 0,
        "checkpoint_kimg": 0.064, "extractor": "digits", "evaluate_images": 40, "sample_kimg": 9.0,
    }  # fmt: skip
    config = TrainConfig(**options)
    train(config, stop_after=5)
    return config


@pytest.fixture
def run(saved, tmp_path):
    """run(change) → the configuration of a copy of that run with its newest checkpoint changed and a valid manifest."""

    def make(change, also_older: bool = False) -> TrainConfig:
        config = TrainConfig(**vars(saved) | {"output": str(tmp_path)})
        for source in list_checkpoints(saved.run_folder / "checkpoints"):
            folder = config.run_folder / "checkpoints" / source.name
            folder.mkdir(parents=True)
            for path in source.iterdir():
                (folder / path.name).write_bytes(path.read_bytes())
            if also_older or source.name.endswith("5"):
                change(folder)
                Manifest.write(folder, [path.name for path in folder.iterdir() if path.name != "manifest.json"])
        return config

    return make


def edited(change):
    """Of a checkpoint's folder: `change` of its state."""

    def edit(folder: Path) -> None:
        state = json.loads((folder / "state.json").read_text())
        change(state)
        (folder / "state.json").write_text(json.dumps(state))

    return edit


def set_at(path: str, value) -> object:
    """Of a state: the value at a dotted path; DELETED takes it away."""

    def change(state: dict) -> None:
        *parents, last = path.split(".")
        for name in parents:
            state = state[name]
        if value is DELETED:
            del state[last]
        else:
            state[last] = value

    return change


DELETED = object()
OF_OTHER_TYPES = {
    "step": (1.5, "9", None, [5], True, -5, 0, 3, 1_000_000, 10**30, DELETED),
    "config": (None, [], "x", {"total_kimg": "long"}, {"batch_size": 0}, {"made_up": 1}, {"batch_size": None}, DELETED),
    "data": (None, 5, ["x"], DELETED),
    "processes": ("1", 0, None, 1.0, DELETED),
    "elapsed": (None, 3, [], {}, {"seconds": "1", "cpu_seconds": 1.0}, DELETED),
    "watched": (None, [], {}, "x", DELETED),
    "watched.monitors": (None, {}, [1], DELETED),
    "watched.monitors.looks": (None, {}, [1], [{"diversity": "much"}], DELETED),
    "watched.monitors.pending": ([], {"diversity": [1.0]}, {"diversity": 1.0}, {"diversity": [1, "x"]}, DELETED),
    "watched.monitors.count": (1.5, "x", -1, None, DELETED),
    "watched.monitors.raised": ({"mode collapse": "x"}, [], DELETED),
    "watched.monitors.memorised": ({}, ["x"], 3, DELETED),
    "watched.line": (None, {"loss/generator": 1.0}, {"loss/generator": [1.0, 2.0, 3.0]}, DELETED),
    "watched.changed": (None, {"change/generator": None}, DELETED),
    "watched.latest": (3, {"diversity": True}, DELETED),
    "watched.score_due": (None, 1, "no", DELETED),
    "watched.best": (None, {}, [], DELETED),
    "watched.best.best": ([], {}, "x", None, DELETED),
    "watched.best.best.report": (None, {}, {"scores": {"FD": "x"}}, DELETED),
    "watched.best.best.score": (None, "low", DELETED),
    "tensors": (None, [], {"generator": "x"}, {"generator": [1]}, {"../other": ["x"]}, {"/etc/passwd": []}, DELETED),
    "controls": (None, [], {}, {"augment_p": "x", "balance": 0, "path_length_mean": 0}, DELETED),
    "controls.balance": (None, "0", DELETED),
    "controls.made_up": (0.5,),
    "scaler_generator": (None, [], DELETED),
    "scaler_discriminator": (None, 1, DELETED),
    "hardware": (None, 5),
}  # fmt: skip


@pytest.mark.parametrize("path", list(OF_OTHER_TYPES))
def test_a_hostile_state_is_a_load_error_that_names_file_and_field(run, path):
    field = path.split(".")[-1]
    for value in OF_OTHER_TYPES[path]:
        config = run(edited(set_at(path, value)), also_older=True)
        if path == "step" and value == 4:
            next(folder for folder in list_checkpoints(config.run_folder / "checkpoints")).joinpath(
                "state.json"
            ).unlink()
        with pytest.raises(LoadError, match=rf"step-000000005.*{field}") as said:
            train(config, resume=True)
        assert len(str(said.value)) < 2000
        for folder in list_checkpoints(config.run_folder / "checkpoints"):
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()


def test_a_number_that_json_reads_as_infinite_is_refused_as_well(run):
    def change(folder: Path) -> None:
        text = (folder / "state.json").read_text()
        (folder / "state.json").write_text(text.replace('"balance": 0.0', '"balance": 1e999'))

    with pytest.raises(LoadError, match=r"state\.json: 'controls\.balance' is inf in its state; it is a number\."):
        train(run(change, also_older=True), resume=True)


@pytest.mark.parametrize(
    "change",
    [
        edited(set_at("step", 1.5)),
        edited(set_at("watched.monitors.looks", "x")),
        lambda folder: (folder / "state.json").write_text("[]"),
        lambda folder: (folder / "ema.safetensors").write_bytes(b"no tensors"),
        lambda folder: (folder / "best_generator.safetensors").unlink(),
    ],
)
def test_the_next_older_checkpoint_is_taken_as_for_damage(run, change, capfd):
    config = run(change)
    train(config, resume=True)
    out = capfd.readouterr().out
    assert "passed over a checkpoint:" in out and "resumed from" in out and "step-000000004 (0.1 kimg)" in out


def test_an_untouched_state_is_what_it_was_and_so_are_those_of_younger_and_older_releases(saved):
    path = list_checkpoints(saved.run_folder / "checkpoints")[-1]
    state = read_state(path)
    assert check_state(path, state) == saved
    younger = copy.deepcopy(state) | {"made_up": {"later": 1}}
    assert check_state(path, younger) == saved
    older = {name: value for name, value in state.items() if name != "hardware"}
    assert check_state(path, older) == saved


def tensors_of(file: str, change):
    def edit(folder: Path) -> None:
        tensors = load_file(folder / f"{file}.safetensors")
        change(tensors)
        save_file(tensors, folder / f"{file}.safetensors")
        state = json.loads((folder / "state.json").read_text())
        state["tensors"][file] = sorted(tensors)
        (folder / "state.json").write_text(json.dumps(state))

    return edit


FILES = (
    "generator", "discriminator", "ema", "optimizer_generator", "optimizer_discriminator", "best_generator",
    "best_discriminator",
)  # fmt: skip


def largest(tensors: dict) -> str:
    return max(tensors, key=lambda name: tensors[name].numel())


def cast(dtype: torch.dtype):
    return lambda tensors: tensors.update({largest(tensors): tensors[largest(tensors)].to(dtype)})


def cut(tensors: dict) -> None:
    tensors[largest(tensors)] = tensors[largest(tensors)].flatten()[:1].clone()


def spoil(tensors: dict) -> None:
    tensors[largest(tensors)].view(-1)[0] = math.nan


def add(tensors: dict) -> None:
    tensors["made_up"] = torch.zeros(2)


def remove(tensors: dict) -> None:
    del tensors[largest(tensors)]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    "change, said",
    [
        (cast(torch.float16), r"has dtype torch\.float16; this run's is torch\.float32"),
        (cast(torch.bfloat16), r"has dtype torch\.bfloat16"),
        (cast(torch.float64), r"has dtype torch\.float64"),
        (cast(torch.int64), r"has dtype torch\.int64"),
        (cut, r"has shape \[1\]; this run's is"),
        (spoil, "contains NaN or Inf"),
        (add, "tensor 'made_up' is not part of this network"),
        (remove, "is missing from the checkpoint"),
    ],
    ids=["fp16", "bf16", "fp64", "int64", "shape", "nan", "added", "removed"],
)
def test_a_tensor_of_another_dtype_or_shape_or_with_nan_is_refused_and_not_taken_silently(run, file, change, said):
    config = run(tensors_of(file, change), also_older=True)
    with pytest.raises(LoadError, match=rf"step-000000005/{file}\.safetensors: .*{said}"):
        train(config, resume=True)
    assert len(list_checkpoints(config.run_folder / "checkpoints")) == 2

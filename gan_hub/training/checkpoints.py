"""Durable checkpoints: a folder appears under its final name only when every byte of it is on the disk.

Written as temporary folder → fsync of each file → manifest with sha256 → fsync → rename → fsync of the parent; only then
are old ones pruned. Tensors are safetensors, everything else JSON: no pickle is written or read.
"""

import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from gan_hub.loading import LoadError, Manifest, read_json, write_json

STATE_NAME = "state.json"


def save_checkpoint(
    folder: Path, step: int, tensors: dict[str, dict[str, torch.Tensor]], state: dict, keep: int
) -> Path:
    """Writes `folder`/step-<step> with one safetensors file for each entry of `tensors`, and `state` as JSON.

    Keeps the newest `keep` checkpoints. Raises OSError (disk full, read-only); older checkpoints are then untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _remove_unfinished(folder)
    final, temporary = folder / f"step-{step:09d}", folder / f".unfinished-{step:09d}"
    temporary.mkdir()
    try:
        for name, content in tensors.items():
            save_file(
                {key: value.detach().cpu().contiguous() for key, value in content.items()},
                temporary / f"{name}.safetensors",
            )
        write_json(temporary / STATE_NAME, state | {"step": step})
        names = [f"{name}.safetensors" for name in tensors] + [STATE_NAME]
        Manifest.write(temporary, names)
        for path in [*temporary.iterdir(), temporary]:
            _fsync(path)
        if final.exists():  # the same step again, after a resume: the same content, unless the disk lost some of it
            shutil.rmtree(final)
        os.rename(temporary, final)
        _fsync(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    # What is newer than this one was refused by the resume that led here: it must not push good ones out.
    existing = list_checkpoints(folder)
    newer = [path for path in existing if path.name > final.name]
    for old in newer + [path for path in existing if path not in newer][:-keep]:
        shutil.rmtree(old)
    return final


def list_checkpoints(folder: Path) -> list[Path]:
    """The finished checkpoints of a run, oldest first."""
    return sorted(folder.glob("step-" + "[0-9]" * 9))


def load_checkpoint(path: Path, names: tuple[str, ...]) -> tuple[dict[str, dict[str, torch.Tensor]], dict]:
    """(tensors, state) of one checkpoint; raises LoadError naming the file that is missing or damaged."""
    manifest = Manifest(path)
    for file in [f"{name}.safetensors" for name in names] + [STATE_NAME]:
        if not (path / file).is_file():
            raise LoadError(f"{path / file}: missing from the checkpoint.")
        manifest.verify(file, (path / file).read_bytes())
    return {name: load_file(path / f"{name}.safetensors") for name in names}, read_json(path / STATE_NAME)


def load_newest(folder: Path, names: tuple[str, ...]) -> tuple[Path, dict, dict, list[str]]:
    """The newest valid checkpoint as (path, tensors, state, reasons why newer ones were passed over).

    Raises LoadError where there is none.
    """
    refused = []
    for path in reversed(list_checkpoints(folder)):
        try:
            return path, *load_checkpoint(path, names), refused
        except LoadError as error:
            refused.append(str(error))
    raise LoadError(f"{folder}: no checkpoint to resume from. {' '.join(refused)}".rstrip())


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Adam's state as flat tensors, `<parameter number>.<name>`."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{key}": torch.as_tensor(value) for index, entry in state.items() for key, value in entry.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """The inverse of `optimizer_tensors`; learning rates and betas stay as configured."""
    content = optimizer.state_dict()
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict(content | {"state": state})


def _remove_unfinished(folder: Path) -> None:
    for path in folder.glob(".unfinished-*"):
        shutil.rmtree(path, ignore_errors=True)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

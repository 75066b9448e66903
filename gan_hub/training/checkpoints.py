"""Durable checkpoints: a folder appears under its final name only when every byte of it is on the disk.

Written as temporary folder → fsync of each file → manifest with sha256 → fsync → rename → fsync of the parent; only then
are old ones pruned. Tensors are safetensors, everything else JSON: no pickle is written or read.
"""

import os
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from gan_hub.atomic import fsync
from gan_hub.loading import LoadError, Manifest, read_json, write_json

STATE_NAME = "state.json"


def save_checkpoint(
    folder: Path, step: int, tensors: dict[str, dict[str, torch.Tensor]], state: dict, keep: int
) -> Path:
    """Writes `folder`/step-<step> with one safetensors file for each entry of `tensors`, and `state` as JSON.

    Keeps the newest `keep` checkpoints. Raises OSError (disk full, read-only, quota) in a sentence that says how much
    room is needed; older checkpoints are then untouched.
    """
    final, temporary = folder / f"step-{step:09d}", folder / f".unfinished-{step:09d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_unfinished(folder)
        _write(temporary, tensors, state | {"step": step})
        if final.exists():  # the same step again, after a resume: the same content, unless the disk lost some of it
            shutil.rmtree(final)
        os.rename(temporary, final)
        fsync(folder)
    except (OSError, SafetensorError) as error:
        size = sum(value.numel() * value.element_size() for content in tensors.values() for value in content.values())
        raise OSError(
            f"{folder}: the checkpoint of {size / 1e6:.2f} MB could not be written ({' '.join(str(error).split())}). What "
            "was saved before is kept: make room, or the folder writable, and go on with --resume."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    # What is newer than this one was refused by the resume that led here: it must not push good ones out.
    existing = list_checkpoints(folder)
    newer = [path for path in existing if path.name > final.name]
    for old in newer + [path for path in existing if path not in newer][:-keep]:
        shutil.rmtree(old)
    return final


def _write(folder: Path, tensors: dict[str, dict[str, torch.Tensor]], state: dict) -> None:
    """All files of a checkpoint, on the disk when this returns. The state lists every tensor: none can get lost."""
    folder.mkdir()
    for name, content in tensors.items():
        save_file(
            {key: value.detach().cpu().contiguous() for key, value in content.items()}, folder / f"{name}.safetensors"
        )
    write_json(folder / STATE_NAME, state | {"tensors": {name: sorted(content) for name, content in tensors.items()}})
    Manifest.write(folder, [f"{name}.safetensors" for name in tensors] + [STATE_NAME])
    for path in [*folder.iterdir(), folder]:
        fsync(path)


def list_checkpoints(folder: Path) -> list[Path]:
    """The finished checkpoints of a run, oldest first."""
    return sorted(folder.glob("step-" + "[0-9]" * 9))


def load_checkpoint(path: Path, names: tuple[str, ...]) -> tuple[dict[str, dict[str, torch.Tensor]], dict]:
    """(tensors, state) of one checkpoint: the files of `names`, and whatever else its state lists.

    Raises LoadError naming the file that is missing or damaged.
    """
    manifest = Manifest(path)
    _verify(manifest, path / STATE_NAME)
    state, tensors = read_json(path / STATE_NAME), {}
    listed = state.get("tensors", {})
    for name in dict.fromkeys([*names, *listed]):
        file = path / f"{name}.safetensors"
        _verify(manifest, file)
        tensors[name] = load_file(file)
        for key in listed.get(name, ()):
            if key not in tensors[name]:
                raise LoadError(f"{file}: {key!r} is missing from the checkpoint.")
    return tensors, state


def _verify(manifest: Manifest, file: Path) -> None:
    if not file.is_file():
        raise LoadError(f"{file}: missing from the checkpoint.")
    manifest.verify(file.name, file.read_bytes())


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
    """Adam's moments or SGD's momentum as flat tensors, `<parameter number>.<name>`."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{key}": torch.as_tensor(value)
        for index, entry in state.items()
        for key, value in entry.items()
        if value is not None  # SGD without momentum
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """The inverse of `optimizer_tensors`; learning rates, betas and momentum stay as configured."""
    content = optimizer.state_dict()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        if tensor.dim():  # in the parameter's own memory format, in which the unbroken run computes
            tensor = torch.empty_like(parameters[int(index)], dtype=tensor.dtype).copy_(tensor)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict(content | {"state": state})


def _remove_unfinished(folder: Path) -> None:
    for path in folder.glob(".unfinished-*"):
        shutil.rmtree(path, ignore_errors=True)

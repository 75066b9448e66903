"""Durable checkpoints: a folder appears under its final name only when every byte of it is on the disk.

Written as temporary folder → fsync of each file → manifest with sha256 → fsync → rename → fsync of the parent; only then
are old ones pruned. Tensors are safetensors, everything else JSON: no pickle is written or read.
"""

import math
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save_file

from gan_hub.atomic import fsync
from gan_hub.messages import short_repr
from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.strict import LoadError, parse_json, read_bytes, write_json
from gan_hub.training.checkpoint_schema import validate

CHECKPOINTS_NAME, STATE_NAME = "checkpoints", "state.json"
MAX_STATE_BYTES = 16_000_000

Tensors = dict[str, dict[str, torch.Tensor]]  # file → its tensors by name


class NotFiniteError(ValueError):
    """NaN or Inf is in what a checkpoint would hold."""


def save_checkpoint(folder: Path, step: int, tensors: Tensors, state: dict, keep: int) -> Path:
    """Writes a checkpoint, folder/step-<step>, and removes old ones.

    Args:
        folder: all checkpoints of the run.
        step: the number of steps done.
        tensors: file → name → tensor; each file is one .safetensors.
        state: everything else, written as JSON.
        keep: number of the newest checkpoints to keep, this one included.

    Returns:
        the folder of the checkpoint.

    Raises:
        NotFiniteError: a tensor or a number of the state is NaN or Inf.
        OSError: disk full, read-only, quota; the message has the room that is needed. Older checkpoints are untouched.
    """
    _refuse_what_is_not_finite(step, tensors, state)
    final, temporary = folder / f"step-{step:09d}", folder / f".unfinished-{step:09d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_unfinished(folder)
        _write(temporary, tensors, state | {"step": step})
        if final.exists():  # the same step after a resume, which replaces what the disk may have lost
            shutil.rmtree(final)
        os.rename(temporary, final)
        fsync(folder)
    except (OSError, SafetensorError) as error:
        size = sum(value.numel() * value.element_size() for content in tensors.values() for value in content.values())
        raise OSError(
            f"{folder}: the checkpoint of {size / 1e6:.2f} MB could not be written ({' '.join(str(error).split())}). What "
            "was saved before is kept: make room, or the folder writable, and go on with resume=True."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    # Newer ones than this were refused by the resume that led here, or counted in smaller batches: they must not push good
    # ones out. Windows removes no folder in which a file is open: the next save tries again.
    existing = list_checkpoints(folder)
    newer = [path for path in existing if path.name > final.name]
    for old in newer + [path for path in existing if path not in newer][:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def _refuse_what_is_not_finite(step: int, tensors: Tensors, state: dict) -> None:
    """Raises NotFiniteError naming the first tensor, or number of the state, that is NaN or Inf."""
    for file, content in tensors.items():
        for name, tensor in content.items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise _not_finite(step, f"{name} of {file}", tensor)
    for name, number in _numbers(state):
        if not math.isfinite(number):
            raise _not_finite(step, name, torch.tensor(number))


def _not_finite(step: int, what: str, value: torch.Tensor) -> NotFiniteError:
    kind = "NaN" if value.isnan().any() else "Inf"
    return NotFiniteError(
        f"{what} is {kind} after step {step}: no checkpoint has it, the last one is from before. Go on with resume=True and "
        "lower learning rates, or start anew with precision fp32 or a larger r1_gamma."
    )


def _numbers(value: object, name: str = "") -> list[tuple[str, float]]:
    """Every float in nested objects and lists, with the names that lead to it."""
    if isinstance(value, float):
        return [(name, value)]
    items = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    )
    return [number for key, item in items for number in _numbers(item, f"{name}.{key}" if name else str(key))]


def _write(folder: Path, tensors: Tensors, state: dict) -> None:
    """Writes and syncs all files of a checkpoint. The state lists every tensor, so that a missing one is noticed."""
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


def load_checkpoint(path: Path, names: tuple[str, ...]) -> tuple[Tensors, dict]:
    """(tensors, state) of one checkpoint: the files of `names`, and all others that its state lists.

    Raises LoadError naming the file that is missing or damaged.
    """
    state = read_state(path)
    return read_tensors(path, state, names), state


def read_state(path: Path) -> dict:
    """The state of one checkpoint, parsed but not checked against the schema; raises LoadError."""
    file = path / STATE_NAME
    return parse_json(file, _verified(Manifest(path), file, MAX_STATE_BYTES))


def read_tensors(path: Path, state: dict, names: tuple[str, ...]) -> Tensors:
    """The tensors of one checkpoint.

    Args:
        path: the folder of the checkpoint.
        state: what its state.json holds, which lists further files and the tensors of each.
        names: the files that it must have, without .safetensors.

    Returns:
        file → name → tensor.

    Raises:
        LoadError: a file is missing or damaged, holds NaN or Inf, or lacks a tensor that is listed.
    """
    listed = state.get("tensors", {})
    sentence = validate(listed, dict[str, list[str]], "tensors")
    if sentence:
        raise LoadError(f"{path / STATE_NAME}: {sentence}")
    manifest, tensors = Manifest(path), {}
    for name in dict.fromkeys([*names, *listed]):
        if not re.fullmatch(r"[a-z_]+", name):
            raise LoadError(
                f"{path / STATE_NAME}: 'tensors' lists {short_repr(name)}, which is no file of a checkpoint."
            )
        file = path / f"{name}.safetensors"
        try:
            tensors[name] = parse_safetensors(_verified(manifest, file))
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, LoadError):
                raise
            raise LoadError(f"{file}: damaged ({short_repr(str(error))}).") from error
        for key in listed.get(name, ()):
            if key not in tensors[name]:
                raise LoadError(f"{file}: {key!r} is missing from the checkpoint.")
        for key, tensor in tensors[name].items():
            if tensor.is_floating_point() and tensor.element_size() > 1 and not torch.isfinite(tensor).all():
                raise LoadError(f"{file}: tensor {short_repr(key)} contains NaN or Inf.")
    return tensors


def _verified(manifest: Manifest, file: Path, max_bytes: int = sys.maxsize) -> bytes:
    """The bytes of a file, checked against the manifest; it may be gone, as a run that goes on removes old checkpoints."""
    if not file.is_file():
        raise LoadError(f"{file}: missing from the checkpoint.")
    data = read_bytes(file, max_bytes)
    manifest.verify(file.name, data)
    return data


def load_newest(
    folder: Path,
    names: tuple[str, ...],
    check: Callable[[Path, dict], object] = lambda path, state: None,
    take: Callable[[Path, Tensors, dict], None] = lambda path, tensors, state: None,
    among: list[Path] | None = None,
) -> tuple[Path, Tensors, dict, list[str]]:
    """The newest valid checkpoint.

    Args:
        folder: all checkpoints of the run.
        names: the files that a checkpoint must have, without .safetensors.
        check: called with the path and the state before the tensors are read. A LoadError passes over the checkpoint as
            damage does, any other error is raised.
        take: called with path, tensors and state; as `check`.
        among: the checkpoints to choose from, oldest first; None: all of the folder.

    Returns:
        (path, tensors, state, reasons why newer ones were passed over).

    Raises:
        LoadError: there is no valid checkpoint.
    """
    refused = []
    for path in reversed(list_checkpoints(folder) if among is None else among):
        try:
            state = read_state(path)
            check(path, state)
            tensors = read_tensors(path, state, names)
            take(path, tensors, state)
            return path, tensors, state, refused
        except LoadError as error:
            refused.append(str(error))
    raise LoadError(f"{folder}: no valid checkpoint in it. {' '.join(refused)}".rstrip())


def check_tensors(file: Path, tensors: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    """Compare names, shapes and dtypes of tensors that were read with those of a network.

    Args:
        file: where the tensors came from, for the message.
        tensors: name → tensor, as read.
        expected: name → tensor, of the network.

    Raises:
        LoadError: naming the file and the first tensor that does not fit.
    """
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors:
            raise LoadError(f"{file}: {name!r} is missing from the checkpoint.")
        if name not in expected:
            raise LoadError(f"{file}: tensor {short_repr(name)} is not part of this network.")
        for kind in ("dtype", "shape"):
            there, here = (getattr(each[name], kind) for each in (tensors, expected))
            if there != here:
                there, here = (str(list(each)) if kind == "shape" else str(each) for each in (there, here))
                raise LoadError(f"{file}: tensor {name!r} has {kind} {there}; this run's is {here}.")


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


def expected_of_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The names, shapes and dtypes that `optimizer_tensors` has for the parameters that occur in `tensors`.

    Parameters that no step has reached (a level that a network has not grown to) have no entry.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moved = sorted({int(name.split(".")[0]) for name in tensors if re.match(r"[0-9]{1,9}\.", name)})
    adam = isinstance(optimizer, torch.optim.Adam)
    expected: dict[str, torch.Tensor] = {}
    for index in (index for index in moved if index < len(parameters)):
        like = parameters[index].detach()
        moments = {"step": torch.zeros((), dtype=torch.float32), "exp_avg": like, "exp_avg_sq": like}
        state = moments if adam else {"momentum_buffer": like}
        expected |= {f"{index}.{key}": tensor for key, tensor in state.items()}
    return expected


def _remove_unfinished(folder: Path) -> None:
    for path in folder.glob(".unfinished-*"):
        shutil.rmtree(path, ignore_errors=True)

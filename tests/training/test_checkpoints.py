"""Checkpoints: whole or absent, the newest valid one is found, pruning never takes the last good one."""

import errno
import os
import shutil

import pytest
import torch

from gan_hub.model_folder.strict import LoadError
from gan_hub.training import checkpoints
from gan_hub.training.checkpoints import (
    list_checkpoints,
    load_checkpoint,
    load_newest,
    load_optimizer,
    optimizer_tensors,
    save_checkpoint,
)

TENSORS = {"generator": {"weight": torch.arange(6.0)}, "ema": {"count": torch.tensor(3)}}


def save(folder, step, keep=2, value=0.0):
    tensors = {"generator": {"weight": torch.full((6,), float(value))}, "ema": {"count": torch.tensor(3)}}
    return save_checkpoint(folder, step, tensors, {"note": "x"}, keep)


def test_what_is_saved_comes_back(tmp_path):
    path = save_checkpoint(tmp_path, 7, TENSORS, {"note": "x"}, keep=2)
    tensors, state = load_checkpoint(path, ("generator", "ema"))
    assert torch.equal(tensors["generator"]["weight"], torch.arange(6.0)) and tensors["ema"]["count"] == 3
    assert state == {"note": "x", "step": 7, "tensors": {"generator": ["weight"], "ema": ["count"]}}
    assert {file.name for file in path.iterdir()} == {
        "generator.safetensors",
        "ema.safetensors",
        "state.json",
        "manifest.json",
    }


def test_only_the_newest_are_kept_and_steps_sort_as_numbers(tmp_path):
    for step in (9, 10, 100, 1000):
        save(tmp_path, step)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-000000100", "step-000001000"]


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "state", "manifest"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path, damage):
    save(tmp_path, 1, value=1)
    newest = save(tmp_path, 2, value=2)
    weights = newest / "generator.safetensors"
    if damage == "flip":
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.write_bytes(data)
    elif damage == "truncate":
        weights.write_bytes(weights.read_bytes()[:-3])
    elif damage == "delete":
        weights.unlink()
    else:
        (newest / f"{damage}.json").write_text("{}")
    path, tensors, state, refused = load_newest(tmp_path, ("generator", "ema"))
    assert (path.name, state["step"], len(refused)) == ("step-000000001", 1, 1)
    assert tensors["generator"]["weight"][0] == 1 and "step-000000002" in refused[0]


def test_no_checkpoint_at_all_is_said(tmp_path):
    with pytest.raises(LoadError, match="no valid checkpoint in it"):
        load_newest(tmp_path, ("generator",))


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_full_disk_leaves_the_last_checkpoint_and_no_litter(tmp_path, monkeypatch, call):
    save(tmp_path, 1, keep=1, value=1)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints.os, call, full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, 2, keep=1, value=2)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001"]
    assert load_newest(tmp_path, ("generator", "ema"))[1]["generator"]["weight"][0] == 1


def test_a_damaged_newer_checkpoint_never_pushes_a_good_one_out(tmp_path):
    save(tmp_path, 600, value=6)
    (save(tmp_path, 900) / "generator.safetensors").unlink()
    assert load_newest(tmp_path, ("generator", "ema"))[0].name == "step-000000600"
    save(tmp_path, 650, keep=1, value=7)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-000000650"]
    assert load_newest(tmp_path, ("generator", "ema"))[1]["generator"]["weight"][0] == 7


def test_old_checkpoints_go_only_after_the_new_one_has_its_name(tmp_path, monkeypatch):
    save(tmp_path, 1, keep=1)
    real, seen = os.rename, []
    monkeypatch.setattr(
        checkpoints.os, "rename", lambda a, b: (seen.append(len(list_checkpoints(tmp_path))), real(a, b))
    )
    save(tmp_path, 2, keep=1)
    assert seen == [1] and [path.name for path in list_checkpoints(tmp_path)] == ["step-000000002"]


def test_a_whole_checkpoint_is_written_where_folders_cannot_be_opened_as_on_windows(tmp_path, monkeypatch):
    real, refused = os.open, []

    def windows(path, *rest, **options):
        if os.path.isdir(path):
            refused.append(path)
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *rest, **options)

    def renamed(source, target):
        if os.path.exists(target):
            raise FileExistsError(errno.EEXIST, "Cannot create a file when that file already exists", str(target))
        return rename(source, target)

    rename = os.rename
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", windows)
        patch.setattr(os, "rename", renamed)
        patch.setattr(shutil, "_use_fd_functions", False)  # rmtree opens folders where it may
        for step in (1, 2, 3, 3):
            save(tmp_path, step, value=step)
    assert refused
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-000000002", "step-000000003"]
    assert load_newest(tmp_path, ("generator", "ema"))[1]["generator"]["weight"][0] == 3


def test_an_old_checkpoint_that_somebody_has_open_is_pruned_by_the_next_save(tmp_path, monkeypatch):
    """Windows removes no file that is open."""
    real, held = os.unlink, []

    def windows(path, *rest, **options):
        if held and str(path).endswith("ema.safetensors"):
            raise PermissionError(errno.EACCES, "The process cannot access the file", str(path))
        return real(path, *rest, **options)

    save(tmp_path, 1, keep=1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", windows)
        held.append("reader")
        save(tmp_path, 2, keep=1, value=2)
        assert load_newest(tmp_path, ("generator", "ema"))[0].name == "step-000000002"
        held.clear()
        save(tmp_path, 3, keep=1, value=3)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-000000003"]


def test_what_an_interrupted_write_left_is_cleared_by_the_next(tmp_path):
    (tmp_path / ".unfinished-000000005").mkdir()
    save(tmp_path, 6)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000006"]


def test_adam_goes_on_exactly_from_its_tensors():
    def network():
        torch.manual_seed(0)
        return torch.nn.Linear(3, 2)

    def step(net, optimizer, value):
        optimizer.zero_grad()
        net(torch.full((4, 3), value)).square().sum().backward()
        optimizer.step()

    unbroken = network()
    optimizer = torch.optim.Adam(unbroken.parameters(), 0.01, (0.5, 0.99))
    step(unbroken, optimizer, 1.0)
    saved, weights = optimizer_tensors(optimizer), {k: v.clone() for k, v in unbroken.state_dict().items()}
    saved = {name: tensor.clone() for name, tensor in saved.items()}
    step(unbroken, optimizer, 2.0)

    resumed = network()
    resumed.load_state_dict(weights)
    again = torch.optim.Adam(resumed.parameters(), 0.01, (0.5, 0.99))
    load_optimizer(again, saved)
    step(resumed, again, 2.0)
    assert all(torch.equal(a, b) for a, b in zip(unbroken.parameters(), resumed.parameters()))


def test_adams_moments_come_back_in_their_parameters_memory_format():
    parameter = torch.nn.Parameter(torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last))
    optimizer = torch.optim.Adam([parameter])
    parameter.square().sum().backward()
    optimizer.step()
    saved = {name: tensor.contiguous() for name, tensor in optimizer_tensors(optimizer).items()}
    again = torch.optim.Adam([parameter])
    load_optimizer(again, saved)
    moments = again.state[parameter]
    assert moments["exp_avg"].stride() == parameter.stride() != torch.empty(4, 3, 2, 2).stride()
    assert torch.equal(moments["exp_avg_sq"], saved["0.exp_avg_sq"]) and moments["step"] == 1

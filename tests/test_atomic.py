"""What is written under a name is there whole or not at all: files, folders, and a system that opens no folder."""

import os

import pytest

from gan_hub.atomic import (
    atomic_file,
    atomic_folder,
    clear_scratch,
    fsync,
    remove_folder,
    replace_folder,
    write_bytes,
    write_text,
)


def present(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_is_whole_or_not_there(tmp_path):
    out = tmp_path / "grid.png"
    out.write_bytes(b"old")
    with pytest.raises(OSError, match="disk full"), atomic_file(out) as scratch:
        assert scratch.parent == out.parent and scratch.suffix == ".png"
        scratch.write_bytes(b"ha")
        raise OSError("disk full")
    assert present(tmp_path) == {"grid.png"} and out.read_bytes() == b"old"
    with atomic_file(out) as scratch:
        scratch.write_bytes(b"new")
        assert out.read_bytes() == b"old"
    assert present(tmp_path) == {"grid.png"} and out.read_bytes() == b"new"


def test_what_a_kill_left_half_written_is_cleared_and_nothing_else(tmp_path):
    for name in ("grid.png", "log.jsonl"):
        with atomic_file(tmp_path / name) as scratch:
            scratch.touch()
            left = scratch.name
        (tmp_path / left).touch()
    for name in (".hidden", ".notes.txt", "a.0123abcd.png", ".a.0123abcz.png"):
        (tmp_path / name).touch()
    (tmp_path / ".folder.0123abcd").mkdir()
    clear_scratch(tmp_path)
    assert present(tmp_path) == {
        "grid.png", "log.jsonl", ".hidden", ".notes.txt", "a.0123abcd.png", ".a.0123abcz.png", ".folder.0123abcd",
    }  # fmt: skip


def test_text_has_the_same_bytes_on_every_system(tmp_path):
    write_text(tmp_path / "a.json", "ü\n")
    assert (tmp_path / "a.json").read_bytes() == "ü\n".encode()


def test_a_system_that_cannot_open_a_folder_writes_all_the_same(tmp_path, monkeypatch):
    real = os.open

    def windows(path, *rest):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *rest)

    monkeypatch.setattr(os, "open", windows)
    fsync(tmp_path)
    write_bytes(tmp_path / "a.bin", b"a")
    assert (tmp_path / "a.bin").read_bytes() == b"a"


def test_a_folder_is_whole_or_not_there(tmp_path):
    (model := tmp_path / "model").mkdir()
    (model / "old").touch()
    (tmp_path / ".model-unfinished").mkdir()  # of a process that was killed
    (tmp_path / ".model-unfinished" / "half").touch()
    with pytest.raises(OSError, match="disk full"), atomic_folder(model) as fresh:
        assert fresh.parent == tmp_path and present(fresh) == set()
        (fresh / "new").touch()
        raise OSError("disk full")
    assert present(tmp_path) == {"model"} and present(model) == {"old"}
    with atomic_folder(model) as fresh:
        (fresh / "new").touch()
        assert present(model) == {"old"}
    assert present(tmp_path) == {"model"} and present(model) == {"new"}


def test_a_folder_takes_the_place_of_another_whole(tmp_path):
    for name in ("fresh", "model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    replace_folder(tmp_path / "fresh", tmp_path / "model")
    assert present(tmp_path) == {"model"} and present(tmp_path / "model") == {"fresh"}


def test_a_folder_goes_with_what_a_kill_left_of_it_and_nothing_else(tmp_path):
    for name in ("model", ".model-unfinished", ".model-old", "model-old", ".other-unfinished"):
        (tmp_path / name).mkdir()
    remove_folder(tmp_path / "model")
    remove_folder(tmp_path / "model")  # gone already
    assert present(tmp_path) == {"model-old", ".other-unfinished"}

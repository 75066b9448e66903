"""Sets that are too large for memory: decoded once, kept on the disk, read from there, never half and never stale."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from gan_hub.data import ImageSet, decode, hold_out, load_images, without
from gan_hub.data.cache import cache_root
from gan_hub.data.image_set import LazyRows
from gan_hub.images import from_uint8
from gan_hub.model_folder.strict import sha256
from tests.made_files import encoded, picture, write, zipped

COUNT = 30


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GAN_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


@pytest.fixture
def source(tmp_path) -> Path:
    """Thirty images of three classes, and two bad files."""
    files = {f"{'abc'[seed % 3]}/{seed:02d}.png": encoded(picture(seed)) for seed in range(COUNT)}
    return write(tmp_path / "data", {**files, "b/bad.png": b"", "a/cut.png": encoded(picture(1))[:200]})


@pytest.fixture
def decodings(monkeypatch) -> list:
    """Names of the files that were decoded, as they are."""
    names, real = [], decode.decode_entry

    def counting(entry, *arguments):
        names.append(entry.name)
        return real(entry, *arguments)

    monkeypatch.setattr(decode, "decode_entry", counting)
    return names


def small_memory(source: Path, resolution=28, **options) -> ImageSet:
    """As on a machine whose memory holds ten of the images."""
    return load_images(str(source), resolution, 1, **{"memory_bytes": 10 * 28 * 28, **options})


def same(one: ImageSet, other: ImageSet) -> bool:
    labels = (None if x.labels is None else x.labels.tolist() for x in (one, other))
    return (
        np.array_equal(np.asarray(one.images), np.asarray(other.images))
        and len(set(map(str, labels))) == 1
        and (one.label_names, one.skipped) == (other.label_names, other.skipped)
    )


def sets(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.suffix != ".lock"] if cache.is_dir() else []


def test_a_large_set_is_the_same_from_the_disk_as_from_memory_and_is_decoded_once(source, cache, decodings):
    memory = load_images(str(source), 28, 1)
    assert type(memory.images) is np.ndarray and not sets(cache) and len(decodings) == COUNT + 2
    disk = small_memory(source)
    assert isinstance(disk.images, np.memmap) and not disk.images.flags.writeable and same(disk, memory)
    assert disk.report() == memory.report() and disk.fingerprint() == memory.fingerprint()
    assert len(decodings) == 2 * (COUNT + 2)
    assert same(small_memory(source), memory) and len(decodings) == 2 * (COUNT + 2)
    (folder,) = sets(cache)
    assert {path.name for path in folder.iterdir()} == {"images.npy", "about.json"}
    assert np.array_equal(np.load(folder / "images.npy"), memory.images)  # a plain .npy, whatever reads it


def test_the_bound_is_where_it_says(source, cache):
    small_memory(source, memory_bytes=(COUNT + 2) * 28 * 28)
    assert not sets(cache)
    found = small_memory(source, memory_bytes=(COUNT + 2) * 28 * 28 - 1)
    assert len(sets(cache)) == 1 and isinstance(found.images, np.memmap) is False  # two were bad: the rest does fit
    assert isinstance(small_memory(source, memory_bytes=COUNT * 28 * 28 - 1).images, np.memmap)


def test_each_question_has_an_answer_of_its_own(source, cache):
    small_memory(source)
    small_memory(source, [28, 32])
    small_memory(source, limit=20)
    load_images(str(source), 28, 3, memory_bytes=100)
    assert len(sets(cache)) == 4
    assert small_memory(source).images.shape == (COUNT, 28, 28, 1)
    assert small_memory(source, [28, 32]).images.shape == (COUNT, 28, 32, 1)
    assert len(small_memory(source, limit=20)) == 20 - 1


def test_strict_is_the_same_from_the_disk(source):
    for _ in range(2):
        with pytest.raises(
            ValueError, match=r"a/cut\.png cannot be used \(truncated\), and 1 more cannot be used; drop"
        ):
            small_memory(source, strict=True)
        assert len(small_memory(source)) == COUNT


def touch_later(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


@pytest.mark.parametrize(
    "change",
    [
        lambda source: write(source, {"a/new.png": encoded(picture(77))}),
        lambda source: (source / "a/00.png").unlink(),
        lambda source: (source / "a/00.png").rename(source / "b/00.png"),
        lambda source: write(source, {"a/00.png": encoded(picture(88, 1, 32))}),
        lambda source: touch_later(source / "a/00.png"),
    ],
    ids=["added", "removed", "moved", "rewritten", "touched"],
)
def test_a_changed_source_is_decoded_again_and_replaces_the_stale_set(source, cache, decodings, change):
    small_memory(source)
    change(source)
    decodings.clear()
    assert same(small_memory(source), load_images(str(source), 28, 1))
    assert len(decodings) >= 2 * (COUNT + 1) and len(sets(cache)) == 1


def test_a_changed_zip_is_decoded_again(tmp_path):
    archive = zipped(tmp_path / "data.zip", {f"{seed}.png": encoded(picture(seed)) for seed in range(12)})
    assert len(small_memory(archive)) == 12
    zipped(archive, {f"{seed}.png": encoded(picture(seed + 1)) for seed in range(13)})
    assert same(small_memory(archive), load_images(str(archive), 28, 1))


def flip(path: Path, place: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x01
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        *(lambda folder, place=place: flip(folder / "images.npy", place) for place in (0.0, 0.002, 0.5, 1.0)),
        *(lambda folder, place=place: flip(folder / "about.json", place) for place in (0.0, 0.1, 0.5, 0.9, 1.0)),
        lambda folder: os.truncate(folder / "images.npy", 5000),
        lambda folder: os.truncate(folder / "images.npy", 0),
        lambda folder: (folder / "images.npy").unlink(),
        lambda folder: (folder / "about.json").unlink(),
        lambda folder: (folder / "about.json").write_text("[]"),
        lambda folder: shutil.rmtree(folder),
    ],
)
def test_a_damaged_set_is_made_anew(source, cache, damage):
    expected = load_images(str(source), 28, 1)
    small_memory(source)
    damage(sets(cache)[0])
    assert same(small_memory(source), expected)
    assert same(small_memory(source), expected) and len(sets(cache)) == 1


def test_a_set_in_use_outlives_the_one_that_replaces_it(source):
    old = small_memory(source)
    before = old.fingerprint()
    write(source, {"a/00.png": encoded(picture(99))})
    assert small_memory(source).fingerprint() != before == old.fingerprint()


def test_nothing_usable_is_the_same_error_and_is_not_a_broken_set(tmp_path):
    source = write(tmp_path / "data", {f"{number:02d}.png": b"" for number in range(20)})
    for _ in range(2):
        with pytest.raises(
            ValueError, match=r"no usable image in it; 0 images of 28 × 28 × 1; 20 files skipped: 20 empty"
        ):
            small_memory(source)


# --------------------------------------------------------------------------------- no room, no time, others


def test_a_disk_without_room_is_said_before_the_work_begins(source, cache, decodings, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 32 * 28 * 28 - 1))
    with pytest.raises(
        ValueError, match=r"decoded images need 0\.0 GB, but .*cache/data has 0\.0 GB; make room.*GAN_HUB_CACHE"
    ):
        small_memory(source)
    assert not sets(cache) and not decodings
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 32 * 28 * 28))
    assert len(small_memory(source)) == COUNT


def test_a_disk_that_fills_up_is_one_sentence_and_leaves_nothing_half(source, cache):
    """The limit on the size of a file is the one way to make the system itself refuse a write here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        with pytest.raises(
            ValueError, match=r"cannot be written to .*cache/data \(File too large\); make room there, or set"
        ):
            small_memory(source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert not sets(cache)
    assert len(small_memory(source)) == COUNT


def test_a_place_that_cannot_be_made_is_one_sentence(source, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("GAN_HUB_CACHE", str(tmp_path / "file"))
    with pytest.raises(ValueError, match="cannot be written to .*file/data .*set GAN_HUB_CACHE to a folder"):
        small_memory(source)


def test_by_default_sets_are_kept_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("GAN_HUB_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "gan_hub" / "data"


def test_an_interrupted_set_leaves_nothing_behind(source, cache, monkeypatch):
    real, seen = decode.decode_entry, []

    def interrupted(entry, *arguments):
        seen.append(entry)
        if len(seen) == 15:
            raise KeyboardInterrupt
        return real(entry, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(decode, "decode_entry", interrupted)
        with pytest.raises(KeyboardInterrupt):
            small_memory(source)
    assert not sets(cache)
    assert len(small_memory(source)) == COUNT


SLOWLY = """
import sys, time
from gan_hub.data import decode, load_images
real = decode.decode_entry
def slow(*arguments):
    print("decoding\\n", end="", flush=True)  # in one piece: others print at the same time
    time.sleep({seconds})
    return real(*arguments)
decode.decode_entry = slow
found = load_images(sys.argv[1], 28, 1, memory_bytes=7840)
print(found.fingerprint(), flush=True)
"""


def slowly(source: Path, seconds: float) -> subprocess.Popen:
    code = SLOWLY.format(seconds=seconds)
    return subprocess.Popen([sys.executable, "-c", code, str(source)], stdout=subprocess.PIPE, text=True)


def test_what_a_killed_process_left_is_cleared_away(source, cache):
    process = slowly(source, 0.2)
    assert process.stdout.readline() == "decoding\n"
    process.kill()
    process.wait(timeout=60)
    assert any(path.name.endswith("-unfinished") for path in sets(cache))
    assert same(small_memory(source), load_images(str(source), 28, 1))
    assert len(sets(cache)) == 1 and not sets(cache)[0].name.endswith("-unfinished")


def test_of_processes_that_start_together_one_decodes_and_all_see_the_same(source):
    processes = [slowly(source, 0.05) for _ in range(3)]
    lines = [process.communicate(timeout=120)[0].split() for process in processes]
    assert sorted(words.count("decoding") for words in lines) == [0, 0, COUNT + 2]
    assert {words[-1] for words in lines} == {load_images(str(source), 28, 1).fingerprint()}


def test_threads_of_one_process_do_not_hinder_each_other(source):
    found = []
    threads = [threading.Thread(target=lambda: found.append(small_memory(source).fingerprint())) for _ in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    for thread in threads:
        thread.join(deadline - time.monotonic())
    assert len(found) == 4 and len(set(found)) == 1


# -------------------------------------------------------------------------------- parts of a set on the disk


def test_parts_of_a_set_on_the_disk_stay_there_while_they_are_too_large_for_memory(source):
    disk, memory = small_memory(source), load_images(str(source), 28, 1)
    order = np.random.default_rng(0).permutation(COUNT)
    large, small = disk.take(order[:20]), disk.take(order[:10])
    assert isinstance(large.images, LazyRows) and type(small.images) is np.ndarray
    assert same(large, memory.take(order[:20])) and same(small, memory.take(order[:10]))
    again = large.take(np.arange(19, 0, -1))
    assert isinstance(again.images, LazyRows) and isinstance(again.images.array, np.memmap)
    assert same(again, memory.take(order[19:0:-1]))
    assert again.fingerprint() == memory.take(order[19:0:-1]).fingerprint()
    for part in (hold_out(disk, 6, seed=3)[0], without(disk, memory.take(order[:3]))):
        assert isinstance(part.images, LazyRows)
    assert same(hold_out(disk, 6, seed=3)[0], hold_out(memory, 6, seed=3)[0])
    assert same(without(disk, memory.take(order[:3])), without(memory, memory.take(order[:3])))


def test_rows_are_read_like_an_array(source):
    disk, memory = small_memory(source), load_images(str(source), 28, 1)
    order = np.random.default_rng(1).permutation(COUNT)[:25]
    rows, array = disk.take(order).images, memory.images[order]
    assert isinstance(rows, LazyRows) and rows.shape == array.shape and rows.dtype == array.dtype and len(rows) == 25
    for key in (0, -1, slice(3, 9), slice(None, None, -2), np.array([5, 5, 0]), slice(20, 99), slice(4, 4)):
        assert type(rows[key]) is np.ndarray and np.array_equal(rows[key], array[key]), key
    assert np.array_equal(np.stack(list(rows)), array) and np.array_equal(np.asarray(rows), array)
    assert (from_uint8(rows[:4]) == from_uint8(array[:4])).all()
    with pytest.raises(IndexError):
        rows[25]
    changed = rows[0]
    changed[:] = 0
    assert np.array_equal(rows[0], array[0])


@pytest.mark.parametrize("labels", [None, np.arange(50) % 3])
def test_a_fingerprint_is_that_of_all_bytes_however_they_are_read(labels, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 12, 3), dtype=np.uint8)
    expected = sha256(images.tobytes() + (b"" if labels is None else labels.tobytes()))
    assert ImageSet(images, labels).fingerprint() == expected
    assert ImageSet(images[::2], None).fingerprint() == sha256(images[::2].tobytes())
    monkeypatch.setattr("gan_hub.data.image_set.CHUNK_BYTES", 1000)
    assert ImageSet(images, labels).fingerprint() == expected
    assert ImageSet(images[:0], None).fingerprint() == sha256(b"")
    assert ImageSet(images[:49], None).fingerprint() != ImageSet(images[:48], None).fingerprint()


def test_what_a_set_says_about_itself_can_be_read_without_this_package(source, cache):
    small_memory(source)
    about = json.loads((sets(cache)[0] / "about.json").read_text())["about"]
    assert about["labels"] == [0] * 10 + [1] * 10 + [2] * 10 and about["label_names"] == ["a", "b", "c"]
    assert about["unusable"] == [["a/cut.png", "truncated"], ["b/bad.png", "empty"]]

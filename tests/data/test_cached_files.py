"""Files that take longer than a moment to decode are kept decoded on the disk, and every change of them is noticed."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import PIL
import pytest

from gan_hub.data import ImageSet, decode, load, load_images
from gan_hub.data import cache as cache_module
from tests.made_files import encoded, picture, write, zipped

COUNT = 24


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GAN_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(load, "CACHED_COUNT", COUNT)
    return tmp_path / "cache" / "data"


@pytest.fixture
def source(tmp_path) -> Path:
    return write(
        tmp_path / "data", {f"{'ab'[seed % 2]}/{seed:02d}.bmp": encoded(picture(seed), "BMP") for seed in range(COUNT)}
    )


@pytest.fixture
def decodings(monkeypatch) -> list:
    """Names of the files that were decoded, as they are."""
    names, real = [], decode.decode_entry

    def counting(entry, *arguments):
        names.append(entry.name)
        return real(entry, *arguments)

    monkeypatch.setattr(decode, "decode_entry", counting)
    return names


def sets(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.suffix != ".lock"] if cache.is_dir() else []


def uncached(source: Path, monkeypatch) -> ImageSet:
    with monkeypatch.context() as patch:
        patch.setattr(load, "CACHED_COUNT", sys.maxsize)
        return load_images(source, 28, 1)


def test_a_set_is_decoded_once_and_is_then_the_same_to_the_last_bit(source, cache, decodings, monkeypatch):
    expected = uncached(source, monkeypatch)
    assert not sets(cache)
    decodings.clear()
    for _ in range(3):
        loaded = load_images(source, 28, 1)
        assert type(loaded.images) is np.ndarray and loaded.images.flags.writeable  # in memory, as if it were decoded
        assert loaded.fingerprint() == expected.fingerprint() and loaded.report() == expected.report()
        assert np.array_equal(loaded.labels, expected.labels) and loaded.label_names == expected.label_names
    assert sorted(decodings) == sorted(f"{'ab'[seed % 2]}/{seed:02d}.bmp" for seed in range(COUNT))
    assert len(sets(cache)) == 1


def test_many_pictures_or_many_bytes_are_kept_and_pixels_never_are(source, cache, tmp_path, monkeypatch):
    load_images(source, 28, 1, limit=COUNT - 1)
    assert not sets(cache)
    size = sum(file.stat().st_size for file in source.rglob("*.bmp"))
    monkeypatch.setattr(load, "CACHED_COUNT", sys.maxsize)
    monkeypatch.setattr(load, "CACHED_BYTES", size + 1)
    load_images(source, 28, 1)
    assert not sets(cache)
    monkeypatch.setattr(load, "CACHED_BYTES", size)
    load_images(source, 28, 1)
    assert len(sets(cache)) == 1
    monkeypatch.setattr(load, "CACHED_BYTES", 1)
    monkeypatch.setattr(load, "CACHED_COUNT", 1)
    np.savez(tmp_path / "pixels.npz", images=np.zeros((COUNT, 8, 8), np.uint8))
    load_images(tmp_path / "pixels.npz", 28, 1)
    assert len(sets(cache)) == 1
    load_images(zipped(tmp_path / "set.zip", {"1.png": encoded(picture(1))}), 28, 1)
    assert len(sets(cache)) == 2


def test_a_picture_of_the_same_size_and_time_as_the_one_that_it_replaces_is_noticed(source, monkeypatch):
    before = load_images(source, 28, 1)
    place = source / "a" / "00.bmp"
    status = place.stat()
    place.write_bytes(encoded(picture(99), "BMP"))
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (place.stat().st_size, place.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    after = load_images(source, 28, 1)
    assert after.fingerprint() == uncached(source, monkeypatch).fingerprint() != before.fingerprint()


def test_another_pillow_decodes_again_and_replaces_the_set(source, cache, decodings, monkeypatch):
    load_images(source, 28, 1)
    monkeypatch.setattr(PIL, "__version__", "0.0")
    decodings.clear()
    load_images(source, 28, 1)
    assert len(decodings) == COUNT and len(sets(cache)) == 1
    load_images(source, 28, 1)
    assert len(decodings) == COUNT


def test_a_set_with_an_unreadable_file_is_read_again_until_it_is_whole(source, decodings, monkeypatch):
    place, real = source / "b" / "01.bmp", Path.read_bytes

    def failing(path: Path) -> bytes:
        if path == place:
            raise OSError(5, "Input/output error")
        return real(path)

    with monkeypatch.context() as patch:  # a disk or a share that fails for a while; the file itself is not changed
        patch.setattr(Path, "read_bytes", failing)
        assert load_images(source, 28, 1).skipped == {"unreadable": ["b/01.bmp"]}
    loaded = load_images(source, 28, 1)
    assert not loaded.skipped and len(loaded) == COUNT
    decodings.clear()
    load_images(source, 28, 1)
    assert not decodings


def test_a_set_with_a_file_that_stays_unreadable_is_decoded_once(source, tmp_path, decodings):
    files = {file.relative_to(source).as_posix(): file.read_bytes() for file in sorted(source.rglob("*.bmp"))}
    archive = zipped(tmp_path / "set.zip", files)
    data = bytearray(archive.read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1  # the first member claims to be encrypted
    archive.write_bytes(data)
    for _ in range(3):
        loaded = load_images(archive, 28, 1)
        assert loaded.skipped == {"unreadable": ["a/00.bmp"]} and len(loaded) == COUNT - 1
    assert len(decodings) == COUNT


def test_a_zip_that_is_replaced_while_a_process_waits_for_another_is_read_anew_at_the_next_start(tmp_path, monkeypatch):
    def pictures(first: int) -> dict[str, bytes]:
        return {f"{seed:02d}.bmp": encoded(picture(seed), "BMP") for seed in range(first, first + COUNT)}

    archive, acquire = zipped(tmp_path / "set.zip", pictures(0)), cache_module.FileLock.acquire

    def replace_and_acquire(lock, *arguments, **options):
        archive.unlink()
        zipped(archive, pictures(COUNT // 2))
        return acquire(lock, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(cache_module.FileLock, "acquire", replace_and_acquire)
        load_images(archive, 28, 1)
    loaded = load_images(archive, 28, 1)
    assert loaded.fingerprint() == uncached(archive, monkeypatch).fingerprint() and not loaded.skipped


# ----------------------------------------------------------------------------- caches that cannot be written


def test_a_cache_that_cannot_be_written_is_done_without_and_said(source, tmp_path, monkeypatch):
    expected = uncached(source, monkeypatch)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("GAN_HUB_CACHE", str(tmp_path / "file"))
    loaded = load_images(source, 28, 1)
    assert loaded.fingerprint() == expected.fingerprint() and np.array_equal(loaded.labels, expected.labels)
    assert (
        "decoded again at every start, as " in loaded.report() and "GAN_HUB_CACHE may name another" in loaded.report()
    )
    with pytest.raises(ValueError, match="cannot be written to .*set GAN_HUB_CACHE to a folder"):
        load_images(source, 28, 1, memory_bytes=1)  # it has to lie on the disk


def test_what_lies_in_a_cache_is_read_where_nothing_can_be_written(source, cache, decodings):
    expected = load_images(source, 28, 1)
    (lock,) = cache.glob("*.lock")
    lock.unlink()
    lock.mkdir()  # a lock that cannot be had, as in a read-only folder
    decodings.clear()
    loaded = load_images(source, 28, 1)
    assert loaded.fingerprint() == expected.fingerprint() and not loaded.notes and not decodings
    shutil.rmtree(sets(cache)[0])
    loaded = load_images(source, 28, 1)
    assert loaded.fingerprint() == expected.fingerprint() and len(decodings) == COUNT and loaded.notes


# --------------------------------------------------------------------------------- processes of one machine


def test_processes_of_one_machine_map_what_copies_of_all_would_not_fit(source, monkeypatch):
    alone = load_images(source, 28, 1, memory_bytes=COUNT * 28 * 28)
    assert type(alone.images) is np.ndarray
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    shared = load_images(source, 28, 1, memory_bytes=COUNT * 28 * 28)
    assert isinstance(shared.images, np.memmap) and shared.fingerprint() == alone.fingerprint()
    assert shared.memory_bytes == COUNT * 28 * 28 // 2
    assert type(load_images(source, 28, 1, memory_bytes=2 * COUNT * 28 * 28).images) is np.ndarray
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "many")
    assert type(load_images(source, 28, 1, memory_bytes=COUNT * 28 * 28).images) is np.ndarray

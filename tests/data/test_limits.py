"""Small files that claim, or unpack to, more than there is memory are refused by their headers; honest large ones are read."""

import contextlib
import gzip
import io
import os
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_hub.data import NoSuchSplitError, limits, load_images
from gan_hub.data.decode import Entry, decode_entry
from gan_hub.images import BAND_PIXELS, normalize_pil
from tests.made_files import chunk, encoded, picture, write, zipped

MB = 10**6


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GAN_HUB_CACHE", str(tmp_path / "cache"))


def refused_in(source: Path | str, megabytes: float = 10) -> str:
    """The sentence that a source is refused with, for which no more than so much memory was taken."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError) as caught:
            load_images(str(source), 28, 1)
        assert tracemalloc.get_traced_memory()[1] < megabytes * MB
    finally:
        tracemalloc.stop()
    assert not isinstance(caught.value, NoSuchSplitError)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------- arrays


def idx_header(*shape: int) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def test_an_idx_gz_that_unpacks_to_a_thousand_times_its_size_is_refused_by_its_header(tmp_path):
    content = gzip.compress(idx_header(150_000, 28, 28) + bytes(150_000 * 28 * 28))
    assert len(content) < MB
    write(tmp_path, {"train-images-idx3-ubyte.gz": content})
    assert "would unpack from" in refused_in(tmp_path) and "at most 200 times the packed size" in refused_in(tmp_path)


def test_an_idx_gz_is_unpacked_no_further_than_its_header_says_and_once(tmp_path):
    content = idx_header(3, 28, 28) + b"".join(picture(seed).tobytes() for seed in range(3))
    write(tmp_path, {"train-images-idx3-ubyte.gz": gzip.compress(content + bytes(90 * MB))})
    assert "2,352 bytes are announced, and there are more" in refused_in(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, 40_000 * 784, dtype=np.uint8).tobytes()
    write(tmp_path, {"train-images-idx3-ubyte.gz": gzip.compress(idx_header(40_000, 28, 28) + noise, 1)})
    tracemalloc.start()
    try:
        assert len(load_images(str(tmp_path), 28, 1, limit=2)) == 2
        assert (
            tracemalloc.get_traced_memory()[1] < 1.5 * len(noise) + 40_000 * 784
        )  # the array, and the images made of it
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_an_idx_header_of_more_than_there_is_takes_no_memory(tmp_path, ending):
    content = idx_header(2**32 - 1, 2**32 - 1, 2**32 - 1) + b"x" * 100
    write(tmp_path, {f"train-images-idx3-ubyte{ending}": gzip.compress(content) if ending else content})
    assert "damaged idx file" in refused_in(tmp_path)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"])
def test_an_idx_file_linked_to_an_endless_device_is_never_read(tmp_path, name):
    (tmp_path / name).symlink_to("/dev/zero")
    assert f"1 not a file ({name})" in refused_in(tmp_path)


def npz_of(path: Path, **members: bytes) -> Path:
    return zipped(path / "data.npz", {name.replace("_npy", ".npy"): content for name, content in members.items()})


def npy(shape: tuple, dtype: str = "|u1", content: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue() + content


@pytest.mark.parametrize(
    ("member", "sentence"),
    [
        (npy((10**13, 1, 1)), "says it has 10,000,000,000,128 bytes, and has 128"),
        (npy((-1, 28, 28)), "bytes, and has 128"),
        (npy((10**9, 28, 28), "<f8"), "image arrays are uint8"),
        (npy((200_000, 28, 28), content=bytes(200_000 * 784)), "would unpack from"),
        (b"GIF89a, which is no array", "not usable .*magic string is not correct"),
        (b"\x93NUMPY\x09\0" + bytes(100), r"an array of the format \(9, 0\)"),
        (b"\x93NUMPY\x01\0\xff\xff" + bytes(70_000), "not usable"),
        (b"", "not usable"),
    ],
)
def test_an_npz_is_held_against_its_headers_before_memory_is_taken(tmp_path, member, sentence):
    source = npz_of(tmp_path, images_npy=member)
    pytest.raises(ValueError, load_images, str(source), 28, 1).match(sentence)
    refused_in(source)


def test_labels_beyond_all_bounds_are_refused_with_a_sentence(tmp_path):
    images = np.stack([picture(seed)[..., 0] for seed in range(2)])
    np.savez(tmp_path / "data.npz", images=images, labels=np.array([2**64 - 1, 0], np.uint64))
    assert "label 18446744073709551615 is in it, but there are at most 10000 classes" in refused_in(
        tmp_path / "data.npz"
    )


def test_an_encrypted_npz_and_one_of_an_unknown_packing_are_refused_with_a_sentence(tmp_path):
    whole = bytearray(npz_of(tmp_path, images_npy=npy((2, 28, 28), content=bytes(1568))).read_bytes())
    central = whole.rfind(b"PK\x01\x02")
    for at, value in ((central + 8, 1), (central + 10, 99)):
        damaged = bytearray(whole)
        damaged[at] = value
        (tmp_path / "data.npz").write_bytes(damaged)
        assert "data.npz: not usable" in refused_in(tmp_path / "data.npz")


def test_memory_that_runs_out_is_a_sentence(tmp_path, monkeypatch):
    def empty(*_, **__):
        raise MemoryError

    write(tmp_path, {"train-images-idx3-ubyte": idx_header(2, 28, 28) + bytes(1568)})
    monkeypatch.setattr(np, "empty", empty)
    with pytest.raises(ValueError, match="damaged idx file .it needs more memory than there is"):
        load_images(str(tmp_path), 28, 1)


def test_honest_arrays_that_pack_well_or_are_large_are_read(tmp_path):
    limits.check_unpacked("a map of one class", 100, 99 * MB)
    limits.check_unpacked("ImageNet at 64 pixels", 11_000 * MB, 15_700 * MB)
    with pytest.raises(limits.TooLargeError, match="would unpack from 100 to 101,000,000 bytes"):
        limits.check_unpacked("x", 100, 101 * MB)
    np.savez_compressed(tmp_path / "white.npz", images=np.full((50_000, 28, 28), 255, np.uint8))
    assert len(load_images(str(tmp_path / "white.npz"), 28, 1, limit=3)) == 3


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv", "dataset.json"])
def test_a_bomb_of_labels_is_refused_before_it_is_taken_apart(tmp_path, name):
    for content in (b"{}\n" * 3_500_000, b" " * 65_000_000):
        source = zipped(tmp_path / "data.zip", {"1.png": encoded(picture(1)), name: content})
        tracemalloc.start()
        try:
            with contextlib.suppress(ValueError):
                assert f"{name} is not used" in load_images(str(source), 28, 1).report()
            assert tracemalloc.get_traced_memory()[1] < 120 * MB
        finally:
            tracemalloc.stop()


# ----------------------------------------------------------------------------------------------- pictures


def deep_png(side: int) -> bytes:
    """A black picture of 16 bits, packed to almost nothing."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + 2 * side)) for _ in range(side)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def peak_megabytes_of_numpy(image: Image.Image, channels: int) -> float:
    tracemalloc.start()
    try:
        normalize_pil(image, channels)
        return tracemalloc.get_traced_memory()[1] / MB
    finally:
        tracemalloc.stop()


def test_a_picture_of_16_bits_takes_no_multiple_of_its_own_memory(tmp_path):
    content = deep_png(5000)
    assert len(content) < 100_000
    image = Image.open(io.BytesIO(content))
    image.load()
    assert peak_megabytes_of_numpy(image, 1) < 25 + 5 * 8 * BAND_PIXELS / MB  # the picture of 25 megapixels is 50 MB
    found = decode_entry(Entry("deep.png", None, len(content), lambda: content), (8, 8), 1)
    assert (found == 0).all()


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "RGBA", "LA", "P", "PA"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_picture_that_is_converted_in_bands_is_the_same_as_at_once(monkeypatch, mode, channels):
    rng = np.random.default_rng(0)
    if mode in ("I;16", "I", "F"):
        dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        image = Image.fromarray(rng.integers(0, 60_000, (37, 23)).astype(dtype))
    elif mode == "P":
        image = Image.fromarray(rng.integers(0, 256, (37, 23, 3), dtype=np.uint8)).quantize(16)
        image.info["transparency"] = 3
    else:
        image = Image.fromarray(rng.integers(0, 256, (37, 23, 4), dtype=np.uint8)).convert("RGBA")
        image = image if mode == "RGBA" else image.convert("LA") if mode == "LA" else image.convert("PA")
    assert image.mode == mode
    whole = normalize_pil(image, channels)
    monkeypatch.setattr("gan_hub.images.BAND_PIXELS", 100)
    banded = normalize_pil(image, channels)
    assert banded.mode == whole.mode and np.array_equal(np.asarray(banded), np.asarray(whole))


# ----------------------------------------------------------------------------------------------- parquet

datasets = pytest.importorskip("datasets")
pyarrow = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402


def parquet_of(path: Path, cells: list, **options) -> Path:
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    cells = [cell if isinstance(cell, dict) else {"bytes": cell, "path": None} for cell in cells]
    parquet.write_table(pyarrow.table({"image": pyarrow.array(cells, kind)}), path, **options)
    return path


def arrow_peak(load) -> float:
    """MB that Arrow and Python took at most."""
    pool = pyarrow.default_memory_pool()
    before = pool.bytes_allocated()
    tracemalloc.start()
    try:
        load()
        return (pool.max_memory() - before + tracemalloc.get_traced_memory()[1]) / MB
    finally:
        tracemalloc.stop()


def test_a_parquet_of_a_few_kilobytes_that_unpacks_to_gigabytes_is_refused_by_its_metadata(tmp_path):
    file = parquet_of(tmp_path / "bomb.parquet", [bytes(110 * MB)] * 3, compression="zstd")
    assert file.stat().st_size < 100_000
    assert "bomb.parquet, column image, would unpack from" in refused_in(file)


def test_a_small_dictionary_that_stands_for_many_rows_is_read_row_by_row(tmp_path, monkeypatch):
    file = parquet_of(tmp_path / "bomb.parquet", [bytes(20 * MB)] * 40, compression="zstd")
    read = []
    batches = parquet.ParquetFile.iter_batches

    def counted(self, *arguments, **options):
        for batch in batches(self, *arguments, **options):
            read.append(batch.nbytes)
            yield batch

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", counted)
    assert "40 files skipped: 40 not an image" in refused_in(file, 50)
    assert len(read) == 40 and max(read) < 25 * MB
    honest = parquet_of(tmp_path / "honest.parquet", [encoded(picture(seed)) for seed in range(100)])
    read.clear()
    assert len(load_images(str(honest), 28, 1)) == 100 and len(read) == 2


def test_a_row_does_not_choose_files_of_this_machine(tmp_path):
    folder = write(tmp_path / "set", {"beside.png": encoded(picture(1)), "deep/er.png": encoded(picture(2))})
    write(tmp_path, {"secret.png": encoded(picture(3))})
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    write(folder, {"large.png": b""})
    os.truncate(folder / "large.png", 200_000_001)
    paths = ["beside.png", "deep/er.png", str(folder / "beside.png"), str(tmp_path / "secret.png"), "../secret.png"]
    paths += ["link.png", "pipe.png", "zero.png", "large.png", "gone.png", "deep"]
    file = parquet_of(folder / "rows.parquet", [{"bytes": None, "path": path} for path in paths])
    found = load_images(str(file), 28, 1)
    assert np.array_equal(found.images, [picture(1), picture(2), picture(1)])
    rows = {kind: [name.removeprefix("rows.parquet row ") for name in names] for kind, names in found.skipped.items()}
    assert rows == {"elsewhere": ["3", "4", "5", "7"], "unreadable": ["6", "9", "10"], "too large": ["8"]}


@pytest.mark.parametrize(
    "path",
    [
        "zip://x.png::{}/private.zip",
        "zip://x.png::file://{}/private.zip",
        "local://{}/x.png",
        "file:{}/x.png",
        "{}/x.png",
    ]
    + [
        "zip://x.png::zip://private.zip::{}/outer.zip",
        "simplecache::{}/x.png",
        "filecache::local://{}/x.png",
        "../x.png",
    ]
    + ["zip://x.png::simplecache::{}/private.zip", "reference://::{}/x.json", "dir://x.png::{}", "FILE://{}/x.png"]
    + ["sftp://host{}/x.png", "s3://bucket/x.png", "blockcache::file://{}/x.png"],
)
def test_a_row_of_the_hub_reads_no_file_of_this_machine(tmp_path, path):
    from gan_hub.data.decode import read_entry
    from gan_hub.data.parquet import Columns, _download, _row_entry

    write(tmp_path, {"x.png": encoded(picture(1))})
    zipped(tmp_path / "private.zip", {"x.png": encoded(picture(1))})
    zipped(tmp_path / "outer.zip", {"private.zip": (tmp_path / "private.zip").read_bytes()})
    row = {"image": {"bytes": None, "path": path.format(tmp_path)}}
    assert read_entry(_row_entry("row 0", row, Columns("image", None), _download)) == "elsewhere"


def test_a_row_of_the_hub_may_lie_in_an_archive_of_the_network():
    import fsspec

    from gan_hub.data.parquet import _download

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/1.png", encoded(picture(1)))
    with fsspec.open("memory://shapes/all.zip", "wb") as file:
        file.write(buffer.getvalue())
    assert _download("zip://a/1.png::memory://shapes/all.zip") == encoded(picture(1))


def test_a_parquet_that_says_it_has_more_or_fewer_rows_than_it_has_is_no_crash(tmp_path, monkeypatch):
    file = parquet_of(tmp_path / "rows.parquet", [encoded(picture(seed)) for seed in range(4)])
    real = parquet.read_metadata

    class Lying:
        def __init__(self, metadata, rows):
            self.metadata, self.num_rows = metadata, rows

        def __getattr__(self, name):
            return getattr(self.metadata, name)

    for rows in (2, -5, 9):
        monkeypatch.setattr(parquet, "read_metadata", lambda path, rows=rows: Lying(real(path), rows))
        if rows > 0:
            assert len(load_images(str(file), 28, 1)) == min(rows, 4)
        else:
            refused_in(file)

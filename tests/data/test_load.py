"""Reading data sets: what is usable is read exactly, what is not is counted and named, and nothing bad ends a run."""

import errno
import gzip
import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_hub.data import NAMED_DATASETS, ImageSet, NoSuchSplitError, hold_out, load_images, without
from gan_hub.data.load import NamedDataset
from tests.made_files import bad_files, encoded, picture, write, zipped

GOOD = {f"{name}/{seed}.png": encoded(picture(seed)) for seed, name in enumerate(("b", "a", "c", "a", "b"))}


# --------------------------------------------------------------------------------------- folders and zips


@pytest.fixture(params=["folder", "zip"])
def stored(request, tmp_path):
    """files → the source of a folder, or of a zip, with them."""

    def store(files: dict[str, bytes]) -> str:
        if request.param == "zip":
            return str(zipped(tmp_path / "data.zip", files))
        return str(write(tmp_path / "data", files))

    return store


def test_sub_folders_are_classes_and_pixels_are_exact(stored):
    found = load_images(stored(GOOD), 28, 1)
    assert (found.label_names, found.labels.tolist()) == (["a", "b", "c"], [0, 0, 1, 1, 2])
    assert found.images.dtype == np.uint8 and found.labels.dtype == np.int64
    for image, seed in zip(found.images, (1, 3, 0, 4, 2)):  # in the order of the names
        assert np.array_equal(image, picture(seed))
    assert found.skipped == {} and found.report() == "5 images of 28 × 28 × 1; classes: a 2, b 2, c 1."


def test_files_without_folders_have_no_labels(stored):
    found = load_images(stored({"1.png": encoded(picture(1)), "2.png": encoded(picture(2))}), 28, 1)
    assert (len(found), found.labels, found.label_names) == (2, None, None)
    assert found.report() == "2 images of 28 × 28 × 1."


@pytest.mark.parametrize("around", ["", "my-data/"])
def test_one_stray_picture_beside_class_folders_is_left_out_and_told_and_the_classes_stay(stored, around):
    files = {**{f"{around}{name}": content for name, content in GOOD.items()}, "stray.png": encoded(picture(9))}
    found = load_images(stored(files), 28, 1)
    assert (found.labels.tolist(), found.label_names) == ([0, 0, 1, 1, 2], ["a", "b", "c"])
    assert found.skipped == {"outside the folders": ["stray.png"]}
    assert found.report().endswith("classes: a 2, b 2, c 1; 1 file skipped: 1 outside the folders (stray.png).")


def test_where_most_pictures_lie_beside_the_folders_there_are_no_classes_and_that_is_told(stored):
    found = load_images(stored({**GOOD, **{f"{seed}.png": encoded(picture(seed)) for seed in range(10, 17)}}), 28, 1)
    assert (len(found), found.labels, found.label_names, found.skipped) == (12, None, None, {})
    assert found.report() == "12 images of 28 × 28 × 1; no classes: 7 of 12 images lie outside a, b and c."


def test_one_folder_around_everything_is_no_class(stored):
    found = load_images(stored({f"my-data/{name}": content for name, content in GOOD.items()}), 28, 1)
    assert found.label_names == ["a", "b", "c"]


def test_a_single_class_is_none(stored):
    found = load_images(stored({"cats/1.png": encoded(picture(1)), "cats/2.png": encoded(picture(2))}), 28, 1)
    assert (len(found), found.labels, found.label_names) == (2, None, None)


@pytest.mark.parametrize("around", ["", "my-data/"])
def test_train_and_test_folders_are_splits_and_a_label_means_the_same_in_both(stored, around):
    files = {f"{around}train/{name}": content for name, content in GOOD.items()}
    files |= {f"{around}test/c/9.png": encoded(picture(9)), f"{around}test/b/8.png": encoded(picture(8))}
    source = stored(files)
    train, test = load_images(source, 28, 1), load_images(source, 28, 1, split="test")
    assert train.label_names == test.label_names == ["a", "b", "c"]
    assert train.labels.tolist() == [0, 0, 1, 1, 2] and test.labels.tolist() == [1, 2]
    assert np.array_equal(test.images[1], picture(9))


def test_a_class_whose_files_are_all_bad_keeps_its_number(stored):
    found = load_images(stored({**GOOD, "aa/bad.png": b"nothing"}), 28, 1)
    assert found.label_names == ["a", "aa", "b", "c"] and found.labels.tolist() == [0, 0, 2, 2, 3]


def test_hidden_files_and_what_macos_adds_are_no_images(stored):
    extra = {"__MACOSX/a/._1.png": b"\0\5", "a/._1.png": b"\0\5", ".cache/x.png": b"", "a/notes.txt": b"x", "b/x": b""}
    found = load_images(stored({**GOOD, **extra}), 28, 1)
    assert (len(found), found.skipped, found.label_names) == (5, {}, ["a", "b", "c"])


def test_without_a_test_folder_there_is_no_test_split(stored):
    source = stored(GOOD)
    with pytest.raises(NoSuchSplitError, match="no test split"):
        load_images(source, 28, 1, split="test")
    with pytest.raises(ValueError, match="split 'validation' is not allowed; choose train or test"):
        load_images(source, 28, 1, split="validation")


def test_every_kind_of_bad_file_is_counted_and_named_and_the_good_ones_are_all_there(stored):
    bad = bad_files()
    source = stored(GOOD | {f"a/{name}": content for files in bad.values() for name, content in files.items()})
    found = load_images(source, 28, 1)
    assert found.skipped == {kind: sorted(f"a/{name}" for name in files) for kind, files in bad.items()}
    assert len(found) == 5 and found.labels.tolist() == [0, 0, 1, 1, 2]
    assert (
        "; 30 files skipped: 3 LFS pointer (a/pointer.gif, a/pointer.jpg, a/pointer.png); 3 archive" in found.report()
    )


def test_nothing_but_bad_files_is_an_error_that_names_them(stored):
    with pytest.raises(ValueError, match=r"no usable image in it.*1 not an image \(a/x\.png\)"):
        load_images(stored({"a/x.png": b"no", "b/x.txt": b"no"}), 28, 1)
    with pytest.raises(ValueError, match="no usable image in it"):
        load_images(stored({"readme.txt": b"no"}), 28, 1)


def test_odd_but_whole_pictures_are_used_with_the_policy_of_images(stored):
    ramp = np.tile(np.arange(28, dtype=np.uint16) * 257, (28, 1))
    buffers = {
        "deep.png": io.BytesIO(),
        "alpha.png": io.BytesIO(),
        "moving.gif": io.BytesIO(),
        "cmyk.jpg": io.BytesIO(),
    }
    Image.fromarray(ramp).save(buffers["deep.png"], "PNG")
    Image.new("LA", (28, 28), (0, 0)).save(buffers["alpha.png"], "PNG")
    Image.new("L", (28, 28), 9).save(
        buffers["moving.gif"], "GIF", save_all=True, append_images=[Image.new("L", (28, 28))]
    )
    Image.new("CMYK", (28, 28), (0, 0, 0, 255)).save(buffers["cmyk.jpg"], "JPEG")
    found = load_images(stored({name: buffer.getvalue() for name, buffer in buffers.items()}), 28, 1)
    alpha, cmyk, deep, moving = found.images
    assert (alpha == 255).all() and (cmyk == 0).all() and (moving == 9).all()
    assert deep[0, :, 0].tolist() == list(range(28))
    assert found.skipped == {}


@pytest.mark.parametrize(("given", "wanted"), [(1, 3), (3, 1), (3, 3)])
def test_grey_and_colour_are_turned_into_each_other_and_sizes_are_fitted(stored, given, wanted):
    found = load_images(stored({"1.png": encoded(picture(1, given, 40))}), 28, wanted)
    assert found.images.shape == (1, 28, 28, wanted)
    if given < wanted:
        assert (found.images[..., 0] == found.images[..., 1]).all()


def test_a_size_may_be_height_and_width(stored, tmp_path):
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 12:36] = picture(1, 3, 24)[:16]  # what a crop to 16 × 24 keeps
    source = stored({"1.png": encoded(wide)})
    found = load_images(source, [16, 24], 3)
    assert np.array_equal(found.images, wide[None, :, 12:36]) and found.report() == "1 images of 24 × 16 × 3."
    assert load_images(npz(tmp_path, images=IMAGES), (8, 12), 1).images.shape == (6, 8, 12, 1)
    with pytest.raises(ValueError, match=r"resolution \[16\] is not allowed"):
        load_images(source, [16], 3)


def test_a_broken_link_and_a_pipe_are_counted_and_never_opened(tmp_path):
    write(tmp_path, GOOD)
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "a" / "gone.txt").symlink_to(tmp_path / "nowhere")  # no picture, whatever it leads to
    os.mkfifo(tmp_path / "a" / "pipe.png")  # would block for ever if it were opened
    (tmp_path / "b" / "endless.png").symlink_to("/dev/zero")
    (tmp_path / "a" / "folder.png").mkdir()
    found = load_images(str(tmp_path), 28, 1)
    assert len(found) == 5
    assert found.skipped == {"broken link": ["a/gone.png"], "not a file": ["a/pipe.png", "b/endless.png"]}


@pytest.fixture
def lock(monkeypatch):
    """A folder → one that refuses to be listed, also to root, for whom permissions are none."""
    scandir, locked = os.scandir, set()

    def refusing(path="."):
        if Path(path) in locked:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    return locked.add


@pytest.mark.parametrize("around", ["", "my-data/"])
def test_a_folder_that_cannot_be_read_is_counted_and_its_class_keeps_its_number(tmp_path, lock, around):
    write(tmp_path, {f"{around}{name}": content for name, content in GOOD.items()})
    lock(tmp_path / around / "b")
    found = load_images(str(tmp_path), 28, 1)
    assert found.skipped == {"unreadable": [f"{around}b/"]}
    assert (found.labels.tolist(), found.label_names) == ([0, 0, 2], ["a", "b", "c"])
    with pytest.raises(
        ValueError, match=rf"{around}b/ cannot be used \(unreadable\); drop strict=True \(--strict_data\)"
    ):
        load_images(str(tmp_path), 28, 1, strict=True)


def test_a_folder_that_cannot_be_read_inside_a_class_is_counted_and_a_hidden_one_is_not(tmp_path, lock):
    write(tmp_path, {**GOOD, "a/deep/1.png": encoded(picture(1)), ".trash/1.png": encoded(picture(1))})
    lock(tmp_path / "a" / "deep")
    lock(tmp_path / ".trash")
    found = load_images(str(tmp_path), 28, 1)
    assert (found.skipped, found.labels.tolist()) == ({"unreadable": ["a/deep/"]}, [0, 0, 1, 1, 2])


def test_a_split_that_cannot_be_read_is_not_taken_for_a_missing_one_and_leaves_the_other_its_labels(tmp_path, lock):
    for side in ("train", "test"):
        write(tmp_path, {f"{side}/{name}": content for name, content in GOOD.items()})
    lock(tmp_path / "test")
    train = load_images(str(tmp_path), 28, 1, strict=True)
    assert (train.labels.tolist(), train.label_names) == ([0, 0, 1, 1, 2], ["a", "b", "c"])
    with pytest.raises(ValueError, match=r"no usable image in it.*1 unreadable \(test/\)") as caught:
        load_images(str(tmp_path), 28, 1, "test")
    assert not isinstance(caught.value, NoSuchSplitError)


def test_a_folder_that_cannot_be_read_at_all_is_refused_with_a_sentence(tmp_path, lock):
    write(tmp_path, GOOD)
    lock(tmp_path)
    with pytest.raises(ValueError, match=r"data .*: the folder cannot be read \(Permission denied\)\.$"):
        load_images(str(tmp_path), 28, 1)


def test_a_source_in_a_folder_that_may_not_be_entered_is_refused_with_a_sentence(tmp_path, monkeypatch):
    def refusing(path, **_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", refusing)
    with pytest.raises(ValueError, match=r"data .*: it cannot be reached \(Permission denied\)\.$"):
        load_images(str(tmp_path / "data"), 28, 1)


def test_a_file_whose_kind_cannot_be_asked_for_is_counted_as_unreadable(tmp_path, monkeypatch):
    write(tmp_path, GOOD)  # as in a folder that may be listed and not entered
    is_file, read = Path.is_file, Path.read_bytes

    def refusing(ask):
        def asked(path):
            if path.name == "0.png":
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return ask(path)

        return asked

    monkeypatch.setattr(Path, "is_file", refusing(is_file))
    monkeypatch.setattr(Path, "read_bytes", refusing(read))
    assert load_images(str(tmp_path), 28, 1).skipped == {"unreadable": ["b/0.png"]}


def test_links_to_files_are_files_and_a_linked_sub_folder_is_not_followed_and_told(tmp_path):
    folder = write(tmp_path / "data", GOOD)
    elsewhere = write(tmp_path / "elsewhere", {"7.png": encoded(picture(7))})
    (folder / "a" / "7.png").symlink_to(elsewhere / "7.png")
    (folder / "d").symlink_to(elsewhere)
    (folder / "a" / "round").symlink_to(folder)
    (tmp_path / "link").symlink_to(folder)
    found = load_images(str(tmp_path / "link"), 28, 1)
    assert (found.labels.tolist(), found.label_names) == ([0, 0, 0, 1, 1, 2], ["a", "b", "c"])
    assert np.array_equal(found.images[2], picture(7))
    assert found.skipped == {"link to a folder": ["a/round/", "d/"]}
    with pytest.raises(ValueError, match=r"a/round/ cannot be used \(link to a folder\), and 1 more"):
        load_images(str(tmp_path / "link"), 28, 1, strict=True)


def test_a_member_with_a_wrong_checksum_does_not_end_the_reading_of_a_zip(tmp_path):
    path = zipped(tmp_path / "data.zip", GOOD)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("b/0.png")
    data[info.header_offset + 30 + len(info.filename) + info.compress_size // 2] ^= 0xFF
    path.write_bytes(data)
    found = load_images(str(path), 28, 1)
    assert found.skipped == {"damaged": ["b/0.png"]} and found.labels.tolist() == [0, 0, 1, 2]


def test_an_encrypted_member_is_counted_as_unreadable(tmp_path):
    path = zipped(tmp_path / "data.zip", GOOD)
    data = bytearray(path.read_bytes())
    central = data.rfind(b"PK\x01\x02")  # the last member's entry in the central directory
    data[central + 8] |= 1
    path.write_bytes(data)
    assert load_images(str(path), 28, 1).skipped == {"unreadable": ["b/4.png"]}


def test_a_member_that_unpacks_to_hundreds_of_megabytes_is_not_unpacked(tmp_path):
    path = zipped(tmp_path / "data.zip", {**GOOD, "a/bomb.png": bytes(200_000_001)})
    assert path.stat().st_size < 1_000_000
    assert load_images(str(path), 28, 1).skipped == {"too large": ["a/bomb.png"]}


def test_a_member_that_says_it_is_small_is_read_no_further_than_that(tmp_path):
    path = zipped(tmp_path / "data.zip", {**GOOD, "a/bomb.png": bytes(100_000_000)})
    data, small = bytearray(path.read_bytes()), struct.pack("<I", 1000)
    local, central = data.rfind(b"PK\x03\x04"), data.rfind(b"PK\x01\x02")
    data[local + 22 : local + 26] = data[central + 24 : central + 28] = small  # the size when unpacked
    path.write_bytes(data)
    tracemalloc.start()
    try:
        assert load_images(str(path), 28, 1).skipped == {"damaged": ["a/bomb.png"]}
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip" * 100])
def test_what_is_no_zip_is_refused_with_a_sentence(tmp_path, content):
    (tmp_path / "data.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"data\.zip: not a readable zip"):
        load_images(str(tmp_path / "data.zip"), 28, 1)


# ------------------------------------------------------------------------------------------------- npz


IMAGES, LABELS = np.stack([picture(seed)[..., 0] for seed in range(6)]), np.array([0, 2, 1, 0, 2, 1])


def npz(path: Path, **arrays) -> str:
    np.savez(path / "data.npz", **arrays)
    return str(path / "data.npz")


def test_keras_names_are_two_splits(tmp_path):
    source = npz(tmp_path, x_train=IMAGES[:4], y_train=LABELS[:4], x_test=IMAGES[4:], y_test=LABELS[4:])
    train, test = load_images(source, 28, 1), load_images(source, 28, 1, "test")
    assert np.array_equal(train.images[..., 0], IMAGES[:4]) and np.array_equal(test.images[..., 0], IMAGES[4:])
    assert train.labels.tolist() == [0, 2, 1, 0] and test.labels.tolist() == [2, 1]
    assert train.label_names == ["0", "1", "2"]


def test_plain_names_are_one_split_and_labels_may_be_missing(tmp_path):
    found = load_images(npz(tmp_path, images=IMAGES), 28, 1)
    assert len(found) == 6 and found.labels is None
    with pytest.raises(NoSuchSplitError, match="no array x_test"):
        load_images(npz(tmp_path, images=IMAGES), 28, 1, "test")
    with pytest.raises(NoSuchSplitError, match="no array x_test"):
        load_images(npz(tmp_path, x_train=IMAGES), 28, 1, "test")


@pytest.mark.parametrize("channels", [2, 4])
def test_arrays_with_opacity_keep_it_or_are_laid_on_white_or_are_opaque(tmp_path, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28, channels), dtype=np.uint8)
    pixels[0, :, :, -1] = 0
    source = npz(tmp_path, images=pixels)
    assert np.array_equal(load_images(source, 28, channels).images, pixels)
    assert (load_images(source, 28, channels - 1).images[0] == 255).all()
    (tmp_path / "plain").mkdir()
    opaque = load_images(npz(tmp_path / "plain", images=pixels[..., :-1]), 28, channels).images
    assert np.array_equal(opaque[..., :-1], pixels[..., :-1]) and (opaque[..., -1] == 255).all()
    assert load_images(source, [16, 20], channels).images.shape == (3, 16, 20, channels)


def test_arrays_are_fitted_like_files_and_labels_may_be_a_column(tmp_path):
    colour = np.stack([picture(seed, 3, 40) for seed in range(3)])
    found = load_images(npz(tmp_path, images=colour, labels=np.array([[1], [0], [1]], np.uint8)), 28, 1)
    assert found.images.shape == (3, 28, 28, 1) and found.labels.tolist() == [1, 0, 1]
    folder = write(tmp_path / "same", {f"{i}.png": encoded(image) for i, image in enumerate(colour)})
    assert np.array_equal(found.images, load_images(str(folder), 28, 1).images)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"images": IMAGES.astype(np.float32)}, "uint8 .* not float32"),
        ({"images": IMAGES[0]}, r"not uint8 \(28, 28\)"),
        ({"images": np.zeros((2, 28, 28, 5), np.uint8)}, "with 1 to 4 channels"),
        ({"images": IMAGES, "labels": LABELS[:3]}, r"data\.npz: 6 images, but labels of shape \(3,\)"),
        ({"images": IMAGES, "labels": LABELS * 0.5}, "labels are whole numbers from 0, not float64"),
        (
            {"images": IMAGES, "labels": np.array(list("abcabc"))},
            r"data.*data\.npz: labels are whole numbers from 0, not <U1",
        ),
        ({"images": IMAGES, "labels": LABELS - 1}, "labels are whole numbers from 0, not from -1"),
        ({"images": IMAGES, "labels": LABELS + 10**9}, "at most 10000 classes"),
        ({"images": IMAGES[:0]}, "no usable image"),
        ({"images": IMAGES[:, :0]}, r"data\.npz: an image has at least one pixel, but .* \(6, 0, 28\)\.$"),
        ({"images": np.zeros((2, 28, 0, 3), np.uint8)}, r"at least one pixel, but .* \(2, 28, 0, 3\)\.$"),
        ({"pixels": IMAGES}, "images are expected, found pixels"),
        ({"images": np.array([{"a": 1}], dtype=object)}, "not usable .*allow_pickle=False"),
    ],
)
def test_odd_arrays_are_refused_with_the_reason(tmp_path, arrays, sentence):
    with pytest.raises(ValueError, match=sentence):
        load_images(npz(tmp_path, **arrays), 28, 1)


def test_a_damaged_npz_is_refused_with_a_sentence(tmp_path):
    source = Path(npz(tmp_path, images=IMAGES))
    whole = source.read_bytes()
    middle = len(whole) // 2
    for content in (
        b"",
        whole[:middle],
        whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
        b"x" * 99,
    ):
        source.write_bytes(content)
        with pytest.raises(ValueError, match=r"data\.npz: not usable"):
            load_images(str(source), 28, 1)


# ------------------------------------------------------------------------------------------------- idx


def idx(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()
    )


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_the_mnist_familys_files_are_read(tmp_path, packed):
    pack, ending = (gzip.compress, ".gz") if packed else (bytes, "")
    for prefix, part in (("train", slice(4)), ("t10k", slice(4, 6))):
        write(tmp_path, {f"{prefix}-images-idx3-ubyte{ending}": pack(idx(IMAGES[part]))})
        write(tmp_path, {f"{prefix}-labels-idx1-ubyte{ending}": pack(idx(LABELS[part]))})
    train, test = load_images(str(tmp_path), 28, 1), load_images(str(tmp_path), 28, 1, "test")
    assert np.array_equal(train.images[..., 0], IMAGES[:4]) and np.array_equal(test.images[..., 0], IMAGES[4:])
    assert train.labels.tolist() == [0, 2, 1, 0] and test.labels.tolist() == [2, 1]


def test_idx_files_of_one_split_have_no_other_and_need_no_labels(tmp_path):
    write(tmp_path, {"train-images-idx3-ubyte": idx(IMAGES)})
    assert load_images(str(tmp_path), 28, 1).labels is None
    with pytest.raises(NoSuchSplitError, match="no t10k-images-idx3-ubyte"):
        load_images(str(tmp_path), 28, 1, "test")


def test_a_damaged_idx_file_is_refused_with_a_sentence(tmp_path):
    whole, packed = idx(IMAGES), gzip.compress(idx(IMAGES))
    broken = bytearray(packed)
    broken[len(packed) // 2 : len(packed) // 2 + 20] = b"\xff" * 20
    cases = [("", c) for c in (b"", whole[:3], whole[:10], whole[:-1], whole + b"\0", b"\0\0\x0d" + whole[3:])]
    cases += [("", whole[:4] + b"\xff" * 12 + whole[16:]), ("", whole[:3] + b"\xff" + whole[4:])]
    no_deflate = packed[:10] + b"\xff" * 4 + packed[14:]
    cases += [(".gz", c) for c in (b"", packed[:-20], bytes(broken), no_deflate, whole, b"\x1f\x8b")]
    for ending, content in cases:
        for old in tmp_path.iterdir():
            old.unlink()
        write(tmp_path, {f"train-images-idx3-ubyte{ending}": content})
        with pytest.raises(ValueError, match="damaged idx file"):
            load_images(str(tmp_path), 28, 1)


# ---------------------------------------------------------------------------------- names and the Hub


def test_a_known_name_is_looked_for_below_the_data_folder_first(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_HUB_DATA", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    npz(tmp_path / "mnist", x_train=IMAGES, y_train=LABELS)
    found = load_images("mnist", 28, 1)
    assert len(found) == 6 and found.label_names == list("0123456789")
    npz(tmp_path / "mnist", x_train=IMAGES, y_train=LABELS + 9)
    with pytest.raises(ValueError, match="label 11 is in it, but there are at most 10 classes"):
        load_images("mnist", 28, 1)


def test_every_known_name_is_drawn_or_has_a_place_on_the_hub_and_different_labels():
    for name, place in NAMED_DATASETS.items():
        if place.draw is None:
            assert "/" in place.hub_id and len(set(place.label_names)) == len(place.label_names) == 10, name
        else:
            assert place == NamedDataset(draw=place.draw), name  # nowhere to be looked for, and no labels


@pytest.mark.parametrize("source", ["no-such-thing", "/no/such/folder", "", "a b/c", "x" * 100])
def test_an_unknown_source_is_refused_with_what_is_known(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="known names: mnist, fashion-mnist, avatars|no usable image"):
        load_images(source, 28, 1)


# ------------------------------------------------------------------------------------- parts of a set


def numbered(count: int) -> ImageSet:
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    return ImageSet(images, np.arange(count) % 3, ["a", "b", "c"], {"damaged": ["x"]})


def test_holding_out_divides_without_overlap_and_by_the_seed():
    rest, held = hold_out(numbered(50), 10, seed=1)
    assert (len(rest), len(held)) == (40, 10)
    assert sorted([*rest.images.ravel(), *held.images.ravel()]) == list(range(50))
    for part in (rest, held):
        assert (part.labels == part.images.ravel() % 3).all() and part.label_names == ["a", "b", "c"]
    assert np.array_equal(hold_out(numbered(50), 10, seed=1)[1].images, held.images)
    assert not np.array_equal(hold_out(numbered(50), 10, seed=2)[1].images, held.images)


@pytest.mark.parametrize("count", [0, -1, 50, 51])
def test_an_impossible_part_is_refused(count):
    with pytest.raises(ValueError, match=f"cannot hold out {count} of 50 images"):
        hold_out(numbered(50), count, seed=0)


def test_taking_away_removes_equal_images_and_keeps_the_rest_in_order():
    rest = without(numbered(10), numbered(10).take(np.array([2, 7])))
    assert rest.images.ravel().tolist() == [0, 1, 3, 4, 5, 6, 8, 9]
    assert rest.labels.tolist() == [0, 1, 0, 1, 2, 0, 2, 0]
    assert len(without(numbered(4), numbered(4))) == 0

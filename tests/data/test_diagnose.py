"""What a person gives as data by mistake is answered with what it is, what is allowed and what to do."""

import os
import tarfile

import numpy as np
import pytest

from gan_hub.data import load_images, load_pairs
from tests.made_files import encoded, picture, write, zipped


def refused(source, **options) -> str:
    with pytest.raises(ValueError) as caught:
        load_images(source, 28, 1, **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500, message
    return message


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["pics.tar", "pics.tar.gz", "pics.tgz", "pics.rar", "pics.7z", "PICS.TAR.XZ"])
def test_an_archive_other_than_a_zip_is_called_one_and_to_be_unpacked(here, name):
    write(here, {name: b"anything"})
    assert "an archive; allowed: a folder, a .zip, a .parquet or an .npz; unpack it" in refused(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("1.png", "a single image; allowed: .*; give the folder that it lies in"),
        ("1.JPG", "a single image"),
        ("film.mp4", "a video; allowed: .*ffmpeg -i film.mp4"),
        ("data.npy", r"a single array; .*numpy.savez"),
        ("labels.csv", "a table or text; .* give the folder with the images"),
        ("model.safetensors", "a file of Python objects or weights"),
        ("train.tfrecord", "a container of another library"),
        ("notes.docx", "not a file of images; allowed: a folder"),
        ("data", "not a file of images"),
    ],
)
def test_a_file_that_is_no_data_is_called_what_it_is(here, name, said):
    write(here, {name: b"anything"})
    pytest.raises(ValueError, load_images, name, 28, 1).match(said)
    refused(name)


def test_a_file_without_its_ending_is_known_by_its_content(here):
    zipped(here / "pics", {"1.png": encoded(picture(1))})
    assert "a .zip by its content; " in refused("pics") and "let its name end in .zip" in refused("pics")
    write(here, {"photo": encoded(picture(1))})
    assert "a single image; " in refused("photo")
    with tarfile.open(here / "packed", "w:gz"):
        pass
    assert "an archive" in refused("packed")


@pytest.mark.parametrize("name", ["DATA.ZIP", "data.Zip"])
def test_endings_may_be_written_in_capitals(here, name):
    zipped(here / name, {"A/1.PNG": encoded(picture(1)), "b/2.Jpg": encoded(picture(2), "JPEG")})
    assert load_images(name, 28, 1).label_names == ["A", "b"]
    np.savez(here / "x.npz", images=picture(1)[None])
    os.rename(here / "x.npz", here / "X.NPZ")
    assert len(load_images("X.NPZ", 28, 1)) == 1


@pytest.mark.parametrize(
    "source", ["./pics", "../pics", "pics/", "/no/such/pics", "~/pics", "sets/pics.zip", "..\\pics"]
)
def test_what_looks_like_a_path_and_is_not_there_is_answered_as_a_path(source):
    message = refused(source)
    assert "no such folder, .zip, .parquet or .npz" in message and "Hub (" not in message


def test_a_mistyped_name_is_answered_with_the_near_one(here):
    (here / "pictures").mkdir()
    assert "did you mean pictures?" in refused("./pictres")
    assert "did you mean fashion-mnist?" in refused("fashion_mnist")
    assert "there is no folder 'nowhere/deep' either" in refused("nowhere/deep/pics")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("https://huggingface.co/datasets/owner/name", "an address; give the id 'owner/name'"),
        ("hf://datasets/owner/name", "an address; give the id 'owner/name'"),
        ("https://example.org/pics.zip", "an address; give a folder, a .zip, a .parquet or an .npz of this machine"),
        ("x\0y", "no such folder"),
        ("x" * 5000, "it cannot be reached"),
    ],
)
def test_an_address_and_an_impossible_name_are_called_so(source, said):
    with pytest.raises(ValueError, match=said):
        load_images(source, 28, 1)


def test_a_hub_id_that_is_not_there_is_said_to_be_no_folder_either():
    assert "no such folder here, and it cannot be loaded from the Hub" in refused("someone-unknown/nothing-at-all")


def test_a_tilde_is_the_users_own_folder_and_a_path_object_is_a_path(here, monkeypatch):
    write(here / "pics", {"1.png": encoded(picture(1)), "1_labels.png": encoded(picture(1) % 3)})
    assert len(load_images("~/pics", 28, 1)) == len(load_images(here / "pics", 28, 1)) == 2
    assert len(load_pairs("~/pics", 28, 1)) == len(load_pairs(here / "pics", 28, 1)) == 1
    np.savez(here / "pics" / "digits.npz", images=picture(1)[None])
    monkeypatch.setenv("GAN_HUB_DATA", "~")
    os.rename(here / "pics", here / "mnist")
    assert len(load_images("mnist", 28, 1)) == 1


def test_an_empty_folder_and_one_without_pictures_say_what_is_there(here):
    (here / "empty").mkdir()
    assert "no usable image in it; it is empty." in refused("empty")
    zipped(here / "empty.zip", {})
    assert "it is empty" in refused("empty.zip")
    write(here / "zips", {"a.zip": b"", "b.zip": b"", "read.me": b""})
    assert "it has no images, but 2 .zip, 1 .me: give one of these files, or unpack them" in refused("zips")
    write(here / "tars", {"a.tar": b"", "b.tar": b""})
    assert "it has no images, but 2 .tar: an archive each; unpack it" in refused("tars")
    write(here / "films", {"a.mp4": b"", "b.MOV": b""})
    assert "a video each; save its frames" in refused("films")
    zipped(here / "nested.zip", {"inner.zip": b"", "x/b.zip": b""})
    assert "it has no images, but 2 .zip" in refused("nested.zip")


def test_a_folder_of_nothing_but_links_to_folders_names_them(here):
    write(here / "elsewhere", {"1.png": encoded(picture(1))})
    (here / "links").mkdir()
    (here / "links" / "cats").symlink_to(here / "elsewhere")
    assert "1 file skipped: 1 link to a folder (cats/)" in refused("links")


def test_a_link_that_leads_nowhere_and_a_pipe_are_called_so(here):
    (here / "link").symlink_to("gone")
    assert refused("link") == "data 'link': a link to 'gone', which is not there."
    os.mkfifo(here / "pipe.zip")
    assert "neither a file nor a folder; allowed: a folder" in refused("pipe.zip")


def test_pairs_from_something_else_are_refused_with_what_it_is(here):
    write(here, {"pics.tar": b"", "1.png": encoded(picture(1))})
    for source, said in (
        ("pics.tar", "an archive"),
        ("1.png", "a single image"),
        ("./nothing", "no such folder or .zip"),
    ):
        with pytest.raises(ValueError, match=f"{said}.*; pairs of images and maps come from a folder or a .zip alone"):
            load_pairs(source, 28, 1)


def with_map(values: np.ndarray, **more: bytes) -> dict[str, bytes]:
    return {"a.png": encoded(picture(0, 3)), "a_labels.png": encoded(values.astype(np.uint8)[..., None])} | more


@pytest.mark.parametrize("last", [0, 1, 20, 253])
def test_255_in_maps_is_said_to_mark_pixels_of_no_class(here, last):
    values = np.full((28, 28), last)
    values[0] = 255
    write(here / "pairs", with_map(values))
    with pytest.raises(
        ValueError, match=f"its maps hold 255, which marks .* the others end at {last}. Give .* {last + 1},"
    ):
        load_pairs("pairs", 28, 3)
    write(here / "pairs", {"classes.txt": "\n".join(f"class {number}" for number in range(last + 1)).encode()})
    with pytest.raises(ValueError, match="its maps hold 255"):
        load_pairs("pairs", 28, 3)


def test_255_is_a_class_where_254_is_one_or_256_have_names(here):
    values = np.arange(28 * 28).reshape(28, 28) % 256
    write(here / "all", with_map(values))
    assert len(load_pairs("all", 28, 3).map_names) == 256
    names = "\n".join(f"class {number}" for number in range(256)).encode()
    write(here / "named", with_map(np.where(values > 100, 255, 3)) | {"classes.txt": names})
    assert len(load_pairs("named", 28, 3).map_names) == 256

"""Which class and which split a picture belongs to, by all the ways in which people lay out their data."""

import gzip
import json

import numpy as np
import pytest

from gan_hub.data import ImageSet, NoSuchSplitError, hold_out, load_images, load_pairs
from gan_hub.data.image_set import balanced_order
from gan_hub.data.splits import split_of
from tests.made_files import encoded, picture, write, zipped


@pytest.fixture(params=["folder", "zip", "zip of Windows"])
def stored(request, tmp_path):
    """files → the source of a folder, or of a zip, with them."""

    def store(files: dict[str, bytes], name: str = "data") -> str:
        if request.param == "folder":
            return str(write(tmp_path / name, files))
        slash = "\\" if request.param == "zip of Windows" else "/"
        return str(zipped(tmp_path / f"{name}.zip", {file.replace("/", slash): files[file] for file in files}))

    return store


def pictures(*names: str) -> dict[str, bytes]:
    return {name: encoded(picture(number)) for number, name in enumerate(names)}


def seen(source: str, split: str = "train") -> dict[str, int]:
    """Class → number of its images."""
    found = load_images(source, 28, 1, split)
    assert found.labels is not None, found.report()
    return dict(zip(found.label_names, np.bincount(found.labels, minlength=len(found.label_names)).tolist()))


# ------------------------------------------------------------------------------------------------- splits

CLASSES = ("cat/1.png", "cat/2.png", "dog/1.png")
NAMES = [
    ("train", "test"), ("train", "val"), ("Train", "Test"), ("TRAIN", "VAL"), ("training", "validation"),
    ("Training", "Testing"), ("train", "valid"), ("train", "dev"), ("train", "eval"), ("train", "evaluation"),
    ("training_set", "test_set"), ("train2017", "val2017"), ("seg_train", "seg_test"), ("train-images", "test-images"),
    ("treino", "teste"), ("Treinamento", "Validação"), ("train", "holdout"), ("Train", "Hold-Out"),
    ("train", "held_out"), ("train", "HeldOut"), ("train_images", "held-out images"),
]  # fmt: skip


@pytest.mark.parametrize("around", ["", "my data/", "a/b/"])
@pytest.mark.parametrize(("train", "test"), NAMES)
def test_folders_by_the_usual_names_are_splits_and_never_classes(tmp_path, train, test, around):
    files = pictures(*(f"{around}{train}/{name}" for name in CLASSES), f"{around}{test}/cat/9.PNG")
    source = str(write(tmp_path, files))
    assert seen(source) == {"cat": 2, "dog": 1} and seen(source, "test") == {"cat": 1, "dog": 0}
    assert load_images(source, 28, 1).report() == (
        f"3 images of 28 × 28 × 1; classes: cat 2, dog 1; split: folders {train} and {test}."
    )


def test_splits_are_found_in_zips_of_any_system(stored):
    source = stored(pictures(*(f"set/Train/{name}" for name in CLASSES), "set/Val/dog/9.png"))
    assert seen(source) == {"cat": 2, "dog": 1} and seen(source, "test") == {"cat": 0, "dog": 1}


def test_of_test_and_validation_the_test_images_are_held_out_and_the_others_told(stored):
    source = stored(pictures("train/1.png", "train/2.png", "val/3.png", "test/4.png", "extra/5.png", "6.png"))
    train, test = load_images(source, 28, 1), load_images(source, 28, 1, "test")
    assert np.array_equal(test.images[0], picture(3)) and (len(train), len(test)) == (2, 1)
    assert train.split == "folders train and test, val (1 files) left out"
    assert "1 images in other folders than the splits are left out" in train.report()
    assert train.skipped == {"outside the folders": ["6.png"]}


def test_a_test_folder_beside_classes_is_held_out_and_no_class(stored):
    source = stored(pictures(*CLASSES, "test/cat/7.png", "test/dog/8.png"))
    assert seen(source) == {"cat": 2, "dog": 1} and seen(source, "test") == {"cat": 1, "dog": 1}
    assert load_images(source, 28, 1).split == "folder test, all else is for training"


def test_a_hold_out_folder_beside_classes_is_held_out_and_no_class(stored):
    source = stored(pictures(*CLASSES, "holdout/cat/7.png", "holdout/dog/8.png"))
    assert seen(source) == {"cat": 2, "dog": 1} and seen(source, "test") == {"cat": 1, "dog": 1}
    assert load_images(source, 28, 1).split == "folder holdout, all else is for training"


def test_a_test_folder_beside_flat_pictures_is_held_out(stored):
    source = stored(pictures("1.png", "2.png", "3.png", "test/4.png"))
    assert len(load_images(source, 28, 1)) == 3 and len(load_images(source, 28, 1, "test")) == 1


def test_splits_inside_of_each_class_are_splits(stored):
    source = stored(pictures("cat/train/1.png", "cat/test/2.png", "dog/train/3.png", "dog/train/4.png"))
    assert seen(source) == {"cat": 1, "dog": 2} and seen(source, "test") == {"cat": 1, "dog": 0}
    assert load_images(source, 28, 1).split == "folders train and test in each class"


def test_a_folder_that_is_there_twice_is_no_class(stored):
    source = stored(pictures(*(f"seg_train/seg_train/{name}" for name in CLASSES), "seg_test/seg_test/cat/1.png"))
    assert seen(source) == {"cat": 2, "dog": 1}
    flat = stored(pictures("seg_train/seg_train/1.png", "seg_test/seg_test/2.png"), "flat")
    assert load_images(flat, 28, 1).labels is None and len(load_images(flat, 28, 1, "test")) == 1


@pytest.mark.parametrize(
    "classes",
    [("bus", "car", "train"), ("invalid", "valid"), ("dev", "ops"), ("steam train", "tram"), ("crash test", "x")],
)
def test_a_class_may_be_called_as_a_split_is(tmp_path, classes):
    source = str(write(tmp_path, pictures(*(f"{name}/{number}.png" for name in classes for number in range(2)))))
    assert seen(source) == dict.fromkeys(classes, 2)


def test_a_source_without_training_images_says_so(stored):
    source = stored(pictures("test/cat/1.png", "test/dog/2.png"))
    with pytest.raises(NoSuchSplitError, match="no train split: test is there, and nothing for training"):
        load_images(source, 28, 1)
    assert len(load_images(source, 28, 1, "test")) == 2


@pytest.mark.parametrize(
    ("name", "side"),
    [("train", "train"), ("Training", "train"), ("val2017", "validation"), ("TEST", "test"), ("testA", "test")]
    + [("trainval", "train"), ("train_val", "train"), ("latest", None), ("constrained", None), ("train_test", None)]
    + [("Hold-Out", "test"), ("held_out_2", "test"), ("household outdoor", None), ("threshold_out", None)],
)
def test_a_name_speaks_of_a_split_by_its_words_alone(name, side):
    assert split_of(name) == side


def test_arrays_may_have_other_usual_names_and_validation_serves_as_test(tmp_path):
    images, labels = np.stack([picture(seed)[..., 0] for seed in range(6)]), np.array([0, 1, 1, 0, 1, 0])
    np.savez(tmp_path / "med.npz", train_images=images[:3], train_labels=labels[:3, None], val_images=images[3:5],
             val_labels=labels[3:5, None], test_images=images[5:], test_labels=labels[5:, None])  # fmt: skip
    source = str(tmp_path / "med.npz")
    assert np.array_equal(load_images(source, 28, 1, "test").images[..., 0], images[5:])
    assert load_images(source, 28, 1).split == "arrays train_images and test_images, val_images left out"
    np.savez(tmp_path / "val.npz", X_train=images[:4], Y_train=labels[:4], X_val=images[4:], Y_val=labels[4:])
    found = load_images(str(tmp_path / "val.npz"), 28, 1, "test")
    assert np.array_equal(found.images[..., 0], images[4:]) and found.labels.tolist() == [1, 0]
    np.savez(
        tmp_path / "held.npz", x_train=images[:4], y_train=labels[:4], x_held_out=images[4:], y_held_out=labels[4:]
    )
    found = load_images(str(tmp_path / "held.npz"), 28, 1, "test")
    assert found.labels.tolist() == [1, 0] and found.split == "arrays x_train and x_held_out"
    np.savez(tmp_path / "bare.npz", images)
    assert len(load_images(str(tmp_path / "bare.npz"), 28, 1)) == 6


def test_idx_files_lie_in_a_folder_around_them_and_may_have_a_dot(tmp_path):
    content = b"\0\0\x08\x03" + np.array([2, 28, 28], ">u4").tobytes() + picture(0).tobytes() + picture(1).tobytes()
    write(tmp_path, {"MNIST/raw/train-images.idx3-ubyte.gz": gzip.compress(content), "MNIST/raw/notes.txt": b"x"})
    write(tmp_path, {"MNIST/raw/train-images-idx3-ubyte": content, "MNIST/raw/T10K-images-idx3-ubyte": content})
    found = load_images(str(tmp_path), 28, 1)
    assert np.array_equal(found.images, [picture(0), picture(1)])
    assert found.split == "files train-images-idx3-ubyte and T10K-images-idx3-ubyte"
    write(tmp_path, {"Fashion/raw/train-images-idx3-ubyte": content})
    with pytest.raises(ValueError, match="are two data sets; give the folder of one of them"):
        load_images(str(tmp_path), 28, 1)


@pytest.mark.parametrize(
    "folders", [("images/{}", "labels/{}"), ("{}/images", "{}/labels"), ("Images/{}", "Labels/{}")]
)
def test_pairs_know_the_same_splits(stored, folders):
    files = {}
    for seed, split in enumerate(("Training", "validation")):
        contents = encoded(picture(seed, 3)), encoded(picture(seed) % 3)
        files |= {f"{folder.format(split)}/{seed}.png": content for folder, content in zip(folders, contents)}
    source = stored(files)
    train, test = load_pairs(source, 28, 3), load_pairs(source, 28, 3, "test")
    assert np.array_equal(train.images[0], picture(0, 3)) and np.array_equal(test.images[0], picture(1, 3))
    assert train.report().startswith(
        "1 images of 28 × 28 × 3, maps of 3 classes; split: folders Training and validation"
    )


# ------------------------------------------------------------------------------------------------- labels

SHARDS = ("00000/img00000000.png", "00000/img00000001.png", "00001/img00000002.png", "00001/img00000003.png")


@pytest.mark.parametrize("around", ["", "cats/"])
def test_labels_of_a_stylegan_zip_are_those_of_its_dataset_json(stored, around):
    labels = [[name, label] for name, label in zip(SHARDS, (3, 0, 3, 1))]
    files = pictures(*(f"{around}{name}" for name in SHARDS))
    found = load_images(stored(files | {f"{around}dataset.json": json.dumps({"labels": labels}).encode()}), 28, 1)
    assert (found.labels.tolist(), found.label_names) == ([3, 0, 3, 1], ["0", "1", "2", "3"])
    assert found.report().endswith(f"; classes of {around}dataset.json: 0 1, 1 1, 2 0, 3 2.")


@pytest.mark.parametrize("labels", [None, [[name, [0.1, 0.9]] for name in SHARDS]])
def test_a_stylegan_zip_without_classes_has_none_and_its_shards_are_no_classes(stored, labels):
    found = load_images(stored(pictures(*SHARDS) | {"dataset.json": json.dumps({"labels": labels}).encode()}), 28, 1)
    assert (len(found), found.labels, found.label_names) == (4, None, None)
    assert "no classes: dataset.json has 0 of them" in found.report()
    alone = load_images(stored(pictures(*SHARDS), "alone"), 28, 1)
    assert alone.labels is None and "00000 and 00001 are taken for parts of a large set" in alone.report()


def test_folders_of_numbers_are_classes_where_their_pictures_are_numbered_anew(stored):
    assert seen(stored(pictures("00000/00000.png", "00000/00001.png", "00001/00000.png"))) == {"00000": 2, "00001": 1}


METADATA = {
    "metadata.jsonl": b'{"file_name": "a/1.png", "label": "cat"}\n\n{"file_name": "2.png", "label": "dog"}\n',
    "metadata.csv": b"file_name,label\na/1.png,cat\n2.png,dog\n",
    "labels.csv": b"\xef\xbb\xbfid;Class\r\n1;cat\r\n2;dog\r\n",
    "any name.csv": b"a/1.png,cat\n2.png,dog\n",
    "labels.tsv": b"filename\tlabel\n.\\a\\1.png\tcat\n2.png\tdog\n",
}


@pytest.mark.parametrize("name", METADATA)
def test_labels_come_from_metadata_and_from_a_csv_beside_the_images(stored, name):
    found = load_images(stored(pictures("a/1.png", "2.png") | {name: METADATA[name]}), 28, 1)
    assert found.labels.tolist() == [1, 0] and found.label_names == ["cat", "dog"]  # 2.png comes first
    assert found.report() == f"2 images of 28 × 28 × 1; classes of {name}: cat 1, dog 1."


def test_labels_that_are_numbers_are_in_the_order_of_the_numbers(stored):
    table = "image_id,label\n" + "".join(f"{number},{label}\n" for number, label in enumerate((10, 9, 2)))
    files = {f"{number}.png": encoded(picture(number)) for number in range(3)} | {"train.csv": table.encode()}
    found = load_images(stored(files), 28, 1)
    assert found.label_names == ["2", "9", "10"] and found.labels.tolist() == [2, 1, 0]


def test_each_split_may_have_metadata_of_its_own_and_a_label_means_the_same_in_both(stored):
    files = pictures("train/1.png", "train/2.png", "train/3.png", "test/1.png")
    files["train/metadata.csv"] = b"file_name,label\n1.png,dog\n2.png,cat\n3.png,emu\n"
    files["test/metadata.csv"] = b"file_name,label\n1.png,emu\n"
    source = stored(files)
    assert seen(source) == {"cat": 1, "dog": 1, "emu": 1} and seen(source, "test") == {"cat": 0, "dog": 0, "emu": 1}


def test_a_column_may_say_what_split_a_picture_belongs_to(stored):
    table = b"filepaths,labels,data set\nimages/1.png,cat,train\nimages/2.png,dog,train\nimages/3.png,dog,valid\n"
    source = stored(pictures("images/1.png", "images/2.png", "images/3.png") | {"birds.csv": table})
    assert seen(source) == {"cat": 1, "dog": 1} and seen(source, "test") == {"cat": 0, "dog": 1}


def test_precedence_is_dataset_json_then_metadata_then_a_csv_then_folders(stored):
    files = pictures("x/1.png", "y/2.png")
    tables = {
        "z.csv": b"file,label\nx/1.png,3\ny/2.png,4\n",
        "metadata.csv": b"file_name,label\nx/1.png,5\ny/2.png,6\n",
        "metadata.jsonl": b'{"file_name": "x/1.png", "label": "7"}\n{"file_name": "y/2.png", "label": "8"}\n',
        "dataset.json": b'{"labels": [["x/1.png", 0], ["y/2.png", 1]]}',
    }
    assert set(seen(stored(files))) == {"x", "y"}
    for number, (name, content) in enumerate(tables.items()):
        files[name] = content
        source = stored(files, f"data{number}")
        assert set(seen(source)) == [{"3", "4"}, {"5", "6"}, {"7", "8"}, {"0", "1"}][number]
    assert "metadata.csv, metadata.jsonl and z.csv not asked for labels" in load_images(source, 28, 1).report()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_a_file_named_twice_with_two_labels_is_refused_and_with_one_it_is_not(stored, kind):
    def table(*rows: tuple[str, str]) -> dict[str, bytes]:
        if kind == "json":
            return {"dataset.json": json.dumps({"labels": rows}).encode()}
        if kind == "csv":
            return {"labels.csv": "\n".join(["file_name,label", *map(",".join, rows)]).encode()}
        return {"metadata.jsonl": b"\n".join(json.dumps(dict(zip(("file_name", "label"), r))).encode() for r in rows)}

    rows = [("1.png", "cat"), ("2.png", "dog")]
    source = stored(pictures("1.png", "2.png") | table(*rows, ("1.png", "dog")))
    with pytest.raises(ValueError, match="names 1.png twice, as 'cat' and as 'dog'; an image has one; put that right"):
        load_images(source, 28, 1)
    assert seen(stored(pictures("1.png", "2.png") | table(*rows, ("1.png", "cat")), "same")) == {"cat": 1, "dog": 1}


def test_a_name_that_two_pictures_have_is_refused(stored):
    source = stored(pictures("a/1.png", "b/1.png") | {"labels.csv": b"file,label\n1.png,cat\n"})
    with pytest.raises(ValueError, match=r"names '1.png', and 2 images are called so .*give their paths"):
        load_images(source, 28, 1)


def test_missing_files_of_a_table_are_counted_and_pictures_it_does_not_name_are_left_out_and_told(stored):
    table = b"file_name,label\n1.png,cat\n2.png,dog\n4.png,\ngone.png,cat\n../../etc/passwd,dog\n"
    found = load_images(stored(pictures(*(f"{n}.png" for n in range(1, 5))) | {"metadata.csv": table}), 28, 1)
    assert found.labels.tolist() == [0, 1] and found.skipped == {"without a label": ["3.png", "4.png"]}
    assert "2 images that metadata.csv names are not there ('gone.png', '../../etc/passwd')" in found.report()


def test_a_table_about_something_else_leaves_the_folders_their_classes_and_is_told(stored):
    files = pictures("cat/1.png", "dog/2.png")
    for name, content, reason in (
        ("a.csv", b"file,caption\n1.png,hello\n", "no column of labels, such as label; its columns: file, caption"),
        (
            "a.csv",
            b"file,label\nelsewhere.png,x\n",
            "it names none of the images; the first name in it is 'elsewhere.png'",
        ),
        ("a.csv", b"\xff\xfe\0", "it cannot be read"),
        ("metadata.jsonl", b'{"file_name": "cat/1.png", "text": "hello"}\n', "no column of labels"),
        ("dataset.json", b'{"faces": []}', "it has no labels"),
    ):
        found = load_images(stored(files | {name: content}, str(abs(hash(content)))), 28, 1)
        assert found.label_names == ["cat", "dog"] and f"{name} is not used ({reason}" in found.report()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("dataset.json", b'{"labels": [', "dataset.json: not valid JSON"),
        ("dataset.json", b'{"labels": 5}', "has the label 5; allowed:"),
        ("dataset.json", b'{"labels": [["1.png"]]}', r"has the label \['1.png'\]; allowed:"),
        ("dataset.json", b'{"labels": [["1.png", -1]]}', "has the label -1; labels are whole numbers from 0"),
        ("dataset.json", b'{"labels": [["1.png", 18446744073709551615], ["2.png", 0]]}', "at most 10000 classes"),
        ("metadata.jsonl", b"[]\n", "a JSON object is expected"),
        ("metadata.csv", b"\xff\xfe\0", "metadata.csv cannot be read"),
    ],
)
def test_a_damaged_table_of_labels_is_refused_with_a_sentence(stored, name, content, sentence):
    with pytest.raises(ValueError, match=sentence):
        load_images(stored(pictures("1.png", "2.png") | {name: content}), 28, 1)


def test_a_csv_beside_each_picture_is_no_table_of_labels_and_costs_no_time(stored):
    files = pictures(*(f"{name}/{number}.png" for name in "ab" for number in range(60)))
    files |= {name.replace(".png", ".csv"): b"id,label\n1,x\n" for name in files}
    found = load_images(stored(files), 28, 1)
    assert found.label_names == ["a", "b"] and "120 .csv files are not asked for labels" in found.report()


def test_a_text_about_a_picture_is_no_class(stored):
    rows = "\n".join(f"{number}.png,{'a long caption ' * 20}{number}" for number in (1, 2))
    found = load_images(stored(pictures("1.png", "2.png") | {"texts.csv": f"file,label\n{rows}".encode()}), 28, 1)
    assert found.labels is None and "a class's name has at most 200 characters, and one here has 301" in found.report()


def test_numbers_of_a_csv_are_classes_where_they_are_whole_as_in_json(stored):
    """A spreadsheet writes 1.0 for 1 where a cell of the column is empty."""
    names = [f"{number}.png" for number in range(4)]
    for texts, classes in ((("0.0", "1.0", "1.0", ""), ["0", "1"]), (("10.", "9.00", "9", "10"), ["9", "10"])):
        rows = "\n".join(f"{name},{text}" for name, text in zip(names, texts))
        found = load_images(stored(pictures(*names) | {"labels.csv": f"file,label\n{rows}".encode()}, texts[0]), 28, 1)
        assert found.label_names == classes
    measured = "\n".join(f"{name},0.{name}" for name in names).replace(".png\n", "\n").removesuffix(".png")
    found = load_images(
        stored(pictures(*names) | {"target.csv": f"file,target\n{measured}".encode()}, "measured"), 28, 1
    )
    assert (
        found.labels is None
        and "target.csv is not used (a class is a name or a whole number, and not" in found.report()
    )


def test_labels_kept_on_the_disk_are_those_of_the_table_as_it_is_now(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_HUB_CACHE", str(tmp_path / "cache"))
    folder = write(tmp_path / "data", pictures("1.png", "2.png") | {"metadata.csv": b"file_name,label\n1,a\n2,b\n"})
    for labels in ([0, 1], [1, 0], [1, 0]):
        found = load_images(str(folder), 28, 1, memory_bytes=1)
        assert found.labels.tolist() == labels and "classes of metadata.csv: a 1, b 1" in found.report()
        write(folder, {"metadata.csv": b"file_name,label\n1,b\n2,a\n"})


# ------------------------------------------------------------------------------------------------ headline


def labelled(counts: dict[str, int], **told) -> ImageSet:
    labels = np.repeat(np.arange(len(counts)), list(counts.values()))
    return ImageSet(np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1), labels, list(counts), **told)


def test_the_headline_names_classes_with_counts_and_the_split_it_found():
    found = labelled({"cat": 30, "dog": 20}, split="folders train and val")
    assert found.report() == "50 images of 1 × 1 × 1; classes: cat 30, dog 20; split: folders train and val."
    rest, held = hold_out(labelled({"cat": 30, "dog": 20}), 10, 0)
    assert rest.report().endswith("split: none, so 10 images drawn at random are held out.")
    many = labelled({f"class {number:02}": 3 - (number == 7) + (number == 9) for number in range(13)})
    assert "; 13 classes, from class 07 2 to class 09 4." in many.report()


def test_a_class_name_cannot_move_the_cursor_of_a_terminal():
    assert "classes: 'a\\x1b[2J' 1, b 1." in labelled({"a\x1b[2J": 1, "b": 1}).report()


def test_what_was_left_out_is_one_sentence_for_every_caller():
    assert labelled({"a": 1, "b": 1}).left_out == ""
    found = labelled({"a": 1, "b": 1}, skipped={"truncated": list("wxyz"), "empty": ["v"]})
    assert found.left_out == "5 files skipped: 1 empty (v); 4 truncated (w, x, y, …)"
    assert found.report().endswith(f"; {found.left_out}.")


# ------------------------------------------------------------------------------------------------- balance


def test_unequal_classes_can_be_balanced_and_no_image_of_a_class_comes_twice_before_all_did():
    labels = np.repeat([0, 2, 3], [90, 7, 3])  # class 1 does not occur
    order = balanced_order(labels, np.random.default_rng(0))
    assert len(order) == 100 and sorted(np.bincount(labels[order]).tolist()) == [0, 33, 33, 34]
    times = np.bincount(order, minlength=100)
    for label in (0, 2, 3):
        assert np.ptp(times[labels == label]) <= 1
    assert np.array_equal(order, balanced_order(labels, np.random.default_rng(0)))
    assert not np.array_equal(order, balanced_order(labels, np.random.default_rng(1)))

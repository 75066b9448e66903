"""Parquet files and Hub data sets: read as they lie, streamed, with the labels beside their images."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gan_hub.data import NoSuchSplitError, load_images
from tests.made_files import encoded, picture, write

datasets = pytest.importorskip("datasets")
pyarrow = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GAN_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


def cell(content: bytes | None, path: str | None = None) -> dict:
    return {"bytes": content, "path": path}


def cells(*seeds: int) -> list[dict]:
    return [cell(encoded(picture(seed))) for seed in seeds]


def hub_parquet(file: Path, rows: list, labels: list | None = None, names=("x", "y", "z")) -> Path:
    """A parquet file as `push_to_hub` makes it: an Image column with others around it, class labels with their names."""
    features = {"note": datasets.Value("string"), "width": datasets.Value("int64"), "picture": datasets.Image()}
    columns = {"note": ["n"] * len(rows), "width": [7] * len(rows), "picture": rows}
    if labels is not None:
        features["kind"], columns["kind"] = datasets.ClassLabel(names=list(names)), labels
    file.parent.mkdir(parents=True, exist_ok=True)
    table = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    parquet.write_table(table.data.table, file, row_group_size=2)
    return file


def pixels(*seeds: int) -> np.ndarray:
    return np.stack([picture(seed) for seed in seeds])


# --------------------------------------------------------------------------------------------- parquet


def test_a_parquet_file_gives_its_images_class_labels_and_names(tmp_path):
    file = hub_parquet(tmp_path / "shapes.parquet", cells(0, 1, 2), [2, 0, 2])
    found = load_images(str(file), 28, 1)
    assert np.array_equal(found.images, pixels(0, 1, 2)) and found.images.dtype == np.uint8
    assert (found.labels.tolist(), found.label_names, found.skipped) == ([2, 0, 2], ["x", "y", "z"], {})
    with pytest.raises(NoSuchSplitError, match="no parquet file of the test split"):
        load_images(str(file), 28, 1, "test")


@pytest.mark.parametrize(
    ("train", "test", "other"),
    [
        ("train-{}-of-2.parquet", "test-{}-of-2.parquet", "validation-0.parquet"),
        ("data/train-{}-of-2.parquet", "data/test-{}-of-2.parquet", "data/validation-0.parquet"),
        ("train_{}.parquet", "test_{}.parquet", "validation.parquet"),
        ("train/{}.parquet", "test/{}.parquet", "validation/0.parquet"),
        ("train-{}.parquet", "held_out-{}.parquet", "validation-0.parquet"),
        ("default/train/000{}.parquet", "default/test/000{}.parquet", ".cache/train/0.parquet"),
    ],
)
def test_shards_are_joined_in_the_order_of_their_names_and_divided_by_split(tmp_path, train, test, other):
    folder = tmp_path / "set [1]"  # brackets: a pattern to some libraries
    for shard in (1, 0):
        hub_parquet(folder / train.format(shard), cells(2 * shard, 2 * shard + 1), [shard, 2])
        hub_parquet(folder / test.format(shard), cells(10 + shard), [shard])
    hub_parquet(folder / other, cells(99), [0])
    assert np.array_equal(load_images(str(folder), 28, 1).images, pixels(0, 1, 2, 3))
    assert load_images(str(folder), 28, 1).labels.tolist() == [0, 2, 1, 2]
    found = load_images(str(folder), 28, 1, "test")
    assert np.array_equal(found.images, pixels(10, 11)) and found.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("train", "test"), [("Train-0", "Val-0"), ("training/0", "validation/0"), ("train-0", "valid-0"), ("train", "dev")]
)
def test_a_validation_split_of_parquet_files_is_held_out_where_there_is_no_test(tmp_path, train, test):
    hub_parquet(tmp_path / "set" / f"{train}.parquet", cells(0, 1), [0, 1])
    hub_parquet(tmp_path / "set" / f"{test}.parquet", cells(2), [1])
    assert np.array_equal(load_images(str(tmp_path / "set"), 28, 1).images, pixels(0, 1))
    assert np.array_equal(load_images(str(tmp_path / "set"), 28, 1, "test").images, pixels(2))
    assert (
        load_images(str(tmp_path / "set"), 28, 1)
        .report()
        .endswith("classes of column kind: x 1, y 1, z 0; split: files train and validation.")
    )


def test_of_several_columns_of_labels_the_first_is_taken_and_told(tmp_path):
    features = {"fine_label": datasets.ClassLabel(names=["oak", "elm", "cat"]), "img": datasets.Image()}
    features["coarse_label"] = datasets.ClassLabel(names=["tree", "animal"])
    columns = {"fine_label": [2, 0], "img": cells(0, 1), "coarse_label": [1, 0]}
    table = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    parquet.write_table(table.data.table, tmp_path / "cifar.parquet")
    found = load_images(str(tmp_path / "cifar.parquet"), 28, 1)
    assert found.labels.tolist() == [2, 0]
    assert "classes of column fine_label, not of coarse_label: oak 1, elm 0, cat 1." in found.report()


def test_rows_without_a_label_and_labels_that_are_texts_are_told(tmp_path):
    images = [encoded(picture(seed)) for seed in (1, 2)]
    for labels, told in (
        ([0, None], "no classes: 1 of 2 images have no label"),
        (["a", "b"], "no classes: the column label holds no whole numbers"),
    ):
        parquet.write_table(pyarrow.table({"jpg": images, "label": labels}), tmp_path / "plain.parquet")
        found = load_images(str(tmp_path / "plain.parquet"), 28, 1)
        assert found.labels is None and told in found.report()


def test_without_any_name_of_a_split_all_is_train(tmp_path):
    for name, seed in (("a.parquet", 1), ("training.parquet", 2), ("tests_of_taste.parquet", 3)):
        hub_parquet(tmp_path / "set" / name, cells(seed))
    found = load_images(str(tmp_path / "set"), 28, 1)
    assert np.array_equal(found.images, pixels(1, 3, 2))
    with pytest.raises(NoSuchSplitError):
        load_images(str(tmp_path / "set"), 28, 1, "test")


@pytest.mark.parametrize(
    ("columns", "labels", "names"),
    [
        ({"jpg": "bytes", "label": [5, 0]}, [5, 0], list("012345")),
        ({"id": [7, 8], "img": "struct", "y": [1, 0]}, [1, 0], ["0", "1"]),
        ({"img": "bytes", "height": [28, 28]}, None, None),
        ({"img": "bytes", "label": ["cat", "dog"]}, None, None),
        ({"img": "bytes", "label": [0, None]}, None, None),
        ({"img": "bytes", "label": [0, -1]}, None, None),
    ],
    ids=str,
)
def test_plain_bytes_and_structs_are_images_and_only_whole_numbers_called_labels_are_labels(
    tmp_path, columns, labels, names
):
    forms = {"bytes": [encoded(picture(seed)) for seed in (1, 2)], "struct": cells(1, 2)}
    table = pyarrow.table({name: forms[v] if isinstance(v, str) else v for name, v in columns.items()})
    parquet.write_table(table, tmp_path / "plain.parquet")
    found = load_images(str(tmp_path / "plain.parquet"), 28, 1)
    assert np.array_equal(found.images, pixels(1, 2))
    assert (None if found.labels is None else found.labels.tolist(), found.label_names) == (labels, names)


def test_a_table_without_images_and_a_file_that_is_no_table_are_refused(tmp_path):
    parquet.write_table(pyarrow.table({"text": ["a"], "label": [0]}), tmp_path / "text.parquet")
    with pytest.raises(ValueError, match=r"data '.*text\.parquet': it has no image column; its columns: text, label"):
        load_images(str(tmp_path / "text.parquet"), 28, 1)
    whole = hub_parquet(tmp_path / "good.parquet", cells(*range(5)), [0] * 5).read_bytes()
    for content in (b"", b"PAR1", b"nothing of the kind", whole[: len(whole) // 2]):
        (tmp_path / "bad.parquet").write_bytes(content)
        with pytest.raises(ValueError, match=r"bad\.parquet: not readable parquet"):
            load_images(str(tmp_path / "bad.parquet"), 28, 1)
    holed = whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :]
    (tmp_path / "bad.parquet").write_bytes(holed)
    with pytest.raises(ValueError, match=r"bad\.parquet cannot be read to its end"):
        load_images(str(tmp_path / "bad.parquet"), 28, 1)


def test_bad_rows_are_counted_by_kind_and_the_labels_stay_with_their_images(tmp_path):
    write(tmp_path, {"beside.png": encoded(picture(5))})
    rows = [
        cell(b"<html>"),
        cell(encoded(picture(1))),
        None,
        cell(encoded(picture(3))[:300]),
        cell(None, "beside.png"),
        cell(None, "gone.png"),
    ]
    file = hub_parquet(tmp_path / "shapes.parquet", rows, [0, 1, 0, 0, 2, 0])
    found = load_images(str(file), 28, 1)
    assert found.skipped == {
        "web page": ["shapes.parquet row 0"],
        "empty": ["shapes.parquet row 2"],
        "truncated": ["shapes.parquet row 3"],
        "unreadable": ["shapes.parquet row 5"],
    }
    assert found.labels.tolist() == [1, 2] and np.array_equal(found.images, pixels(1, 5))


def test_a_folder_with_pictures_is_a_folder_of_pictures_whatever_table_lies_beside_them(tmp_path):
    hub_parquet(tmp_path / "metadata.parquet", cells(9))
    write(tmp_path, {"1.png": encoded(picture(1))})
    assert np.array_equal(load_images(str(tmp_path), 28, 1).images, pixels(1))


def test_hidden_pictures_do_not_hide_the_table_beside_them(tmp_path):
    write(tmp_path / "set", {".thumbs/0.png": encoded(picture(9)), "a/._1.png": b"\0"})
    hub_parquet(tmp_path / "set" / "train.parquet", cells(0, 1), [2, 0])
    found = load_images(str(tmp_path / "set"), 28, 1)
    assert np.array_equal(found.images, pixels(0, 1)) and found.labels.tolist() == [2, 0]


@pytest.mark.parametrize("memory_bytes", [10**9, 1], ids=["memory", "disk"])
def test_a_folder_that_cannot_be_read_beside_tables_is_counted_until_it_can(tmp_path, monkeypatch, memory_bytes):
    folder, scandir = tmp_path / "set", os.scandir
    hub_parquet(folder / "train.parquet", cells(0, 1), [2, 0])
    (folder / "more").mkdir()

    def refusing(path="."):
        if Path(path) == folder / "more":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refusing)
        found = load_images(str(folder), 28, 1, memory_bytes=memory_bytes)
        assert found.skipped == {"unreadable": ["more/"]} and found.labels.tolist() == [2, 0]
        with pytest.raises(ValueError, match=r"more/ cannot be used \(unreadable\)"):
            load_images(str(folder), 28, 1, strict=True, memory_bytes=memory_bytes)
    assert load_images(str(folder), 28, 1, strict=True, memory_bytes=memory_bytes).skipped == {}


def test_the_first_rows_alone_may_be_taken(tmp_path):
    file = hub_parquet(tmp_path / "shapes.parquet", cells(*range(7)), [0, 1, 2, 0, 1, 2, 0])
    found = load_images(str(file), 28, 1, limit=3)
    assert np.array_equal(found.images, pixels(0, 1, 2)) and found.labels.tolist() == [0, 1, 2]
    assert len(load_images(str(file), 28, 1, limit=100)) == 7
    for limit in (0, -1, 1.5, True, "3"):
        with pytest.raises(ValueError, match="limit .* is not allowed; it is a whole number from 1, or None"):
            load_images(str(file), 28, 1, limit=limit)


# ------------------------------------------------------------------------------------------------- Hub


class Hub:
    """Data sets in folders, served through the real `datasets.load_dataset`; `reached` says whether there is a network."""

    def __init__(self, root: Path):
        self.root, self.reached, self.commits, self.streamed = root, True, {}, 0

    def publish(self, repo_id: str, rows: list, labels: list | None = None, split: str = "train") -> None:
        hub_parquet(self.root / repo_id / "data" / f"{split}-00000-of-00001.parquet", rows, labels)
        self.commits[repo_id] = f"commit{self.commits.get(repo_id, 'commit0')[6:]}1"

    def load(self, real):
        def load_dataset(repo_id: str, split: str, streaming: bool, revision: str | None = None):
            assert streaming, "the whole data set would be stored in full size"
            if not self.reached:
                raise ConnectionError(f"Couldn't reach '{repo_id}' on the Hub")
            if repo_id not in self.commits:
                raise datasets.exceptions.DatasetNotFoundError(f"Dataset '{repo_id}' doesn't exist on the Hub.")
            assert revision == self.commits[repo_id]
            self.streamed += 1
            return real(str(self.root / repo_id), split=split, streaming=True)

        return load_dataset

    def dataset_info(self, repo_id: str):
        if not self.reached or repo_id not in self.commits:
            raise OSError("unreachable")
        return SimpleNamespace(sha=self.commits[repo_id])


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Hub:
    """The two seams replaced where data would come from the network."""
    import huggingface_hub

    fake = Hub(tmp_path / "hub")
    monkeypatch.setattr(datasets, "load_dataset", fake.load(datasets.load_dataset))
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda self, repo_id: fake.dataset_info(repo_id))
    return fake


def test_a_hub_data_set_gives_its_images_and_class_labels_and_is_never_stored_in_full_size(hub, cache):
    def stored() -> int:
        files = [file for root in (cache, Path(os.environ["HF_HOME"])) for file in root.rglob("*") if file.is_file()]
        return sum(file.stat().st_size for file in files)

    hub.publish("me/shapes", [*cells(0, 1), cell(encoded(picture(2, 1, 280)))], [2, 0, 2])
    before = stored()
    found = load_images("me/shapes", 28, 1)
    assert np.array_equal(found.images[:2], pixels(0, 1)) and type(found.images) is np.ndarray
    assert (found.labels.tolist(), found.label_names, found.skipped) == ([2, 0, 2], ["x", "y", "z"], {})
    assert stored() - before < 20_000 < (280 * 280)


def test_a_hub_data_set_is_streamed_once_and_then_needs_no_network_until_it_changes(hub):
    hub.publish("me/shapes", cells(0, 1))
    first = load_images("me/shapes", 28, 1)
    assert np.array_equal(load_images("me/shapes", 28, 1).images, first.images) and hub.streamed == 1
    load_images("me/shapes", 32, 1)
    assert hub.streamed == 2, "another size is another question"
    hub.reached = False
    assert np.array_equal(load_images("me/shapes", 28, 1).images, first.images)
    hub.reached = True
    hub.publish("me/shapes", cells(5, 6))
    assert np.array_equal(load_images("me/shapes", 28, 1).images, pixels(5, 6)) and hub.streamed == 3


def test_a_hub_data_set_without_labels_or_with_hidden_ones_is_unlabelled(hub):
    for labels in (None, [-1, -1], [0, None]):
        hub.publish("me/shapes", cells(0, 1), labels)
        found = load_images("me/shapes", 28, 1)
        assert (len(found), found.labels, found.label_names) == (2, None, None)


def test_bad_rows_of_a_hub_data_set_are_counted_and_name_no_file_of_this_machine(hub, tmp_path):
    write(tmp_path, {"private.png": encoded(picture(5))})
    rows = [cell(b"<html>"), *cells(1), None, cell(encoded(picture(3))[:300])]
    rows += [cell(None, path) for path in (str(tmp_path / "private.png"), f"file://{tmp_path}/private.png", "gone.png")]
    hub.publish("me/shapes", rows, [0, 1, 0, 0, 2, 2, 2])
    found = load_images("me/shapes", 28, 1)
    elsewhere = ["row 4", "row 5", "row 6"]
    assert found.skipped == {
        "web page": ["row 0"],
        "empty": ["row 2"],
        "truncated": ["row 3"],
        "elsewhere": elsewhere,
    }
    assert found.labels.tolist() == [1] and np.array_equal(found.images, pixels(1))


def test_rows_that_name_an_address_are_fetched_from_there(hub):
    import fsspec

    with fsspec.open("memory://shapes/1.png", "wb") as file:
        file.write(encoded(picture(1)))
    hub.publish("me/shapes", [cell(None, "memory://shapes/1.png"), cell(None, "memory://shapes/2.png")])
    found = load_images("me/shapes", 28, 1)
    assert np.array_equal(found.images, pixels(1)) and found.skipped == {"unreadable": ["row 1"]}


def test_a_missing_split_and_a_missing_data_set_are_told_apart_also_without_a_network(hub):
    hub.publish("me/shapes", cells(0))
    with pytest.raises(NoSuchSplitError, match="me/shapes"):
        load_images("me/shapes", 28, 1, split="test")
    hub.reached = False
    with pytest.raises(NoSuchSplitError, match="me/shapes"):
        load_images("me/shapes", 28, 1, split="test")
    for reached in (True, False):
        hub.reached = reached
        with pytest.raises(ValueError, match="cannot be loaded from the Hub") as caught:
            load_images("me/nothing", 28, 1)
        assert not isinstance(caught.value, NoSuchSplitError)
    hub.reached = True
    hub.publish("me/shapes", cells(3), split="test")
    assert np.array_equal(load_images("me/shapes", 28, 1, split="test").images, pixels(3))


@pytest.mark.parametrize("split", ["validation", "valid", "val", "dev"])
def test_a_hub_data_set_with_a_validation_split_holds_that_out_also_without_a_network(hub, split):
    hub.publish("me/shapes", cells(0, 1), [0, 1])
    hub.publish("me/shapes", cells(2), [2], split=split)
    for hub.reached in (True, False):
        assert np.array_equal(load_images("me/shapes", 28, 1).images, pixels(0, 1))
        found = load_images("me/shapes", 28, 1, "test")
        assert np.array_equal(found.images, pixels(2)) and f"split: {found.split}" in found.report()


def test_a_stream_that_breaks_off_is_an_error_and_half_a_set_is_not_kept(hub, cache, monkeypatch):
    hub.publish("me/shapes", cells(*range(6)))
    rows = datasets.IterableDataset.__iter__

    def breaking(self):
        for index, row in enumerate(rows(self)):
            if index == 4:
                raise ConnectionResetError("connection lost")
            yield row

    with monkeypatch.context() as patch:
        patch.setattr(datasets.IterableDataset, "__iter__", breaking)
        with pytest.raises(ValueError, match=r"me/shapes': cannot be read to its end \(connection lost\)"):
            load_images("me/shapes", 28, 1)
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == []
    assert len(load_images("me/shapes", 28, 1)) == 6


def test_a_hub_data_set_without_images_is_refused_with_its_columns(hub):
    file = hub.root / "me/texts/data/train-00000-of-00001.parquet"
    file.parent.mkdir(parents=True)
    parquet.write_table(pyarrow.table({"text": ["a"], "label": [0]}), file)
    hub.commits["me/texts"] = "1"
    with pytest.raises(ValueError, match="data 'me/texts': it has no image column; its columns: text, label"):
        load_images("me/texts", 28, 1)

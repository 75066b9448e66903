"""What a run held out is known from split.json in the model's folder: to Python, to the shell, by the pixels alone."""

from pathlib import Path

import numpy as np
import pytest

from gan_hub import cli
from gan_hub.data import ImageSet, hold_out, without
from gan_hub.data.split_file import SPLIT_NAME, DataSplit
from gan_hub.hub.resolve import bundled_models
from gan_hub.images import to_uint8
from gan_hub.metrics import Report, evaluate
from gan_hub.metrics.features import Extractor
from gan_hub.model_folder.files import MANIFEST_NAME
from gan_hub.model_folder.strict import LoadError, read_json
from tests.metrics.test_features import real_samples

RECORDED = [name for name, folder in bundled_models().items() if (folder / SPLIT_NAME).is_file()]


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return ImageSet(to_uint8(real_samples("dcgan-mnist")[0]))


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor("digits")


@pytest.fixture
def data(digits, tmp_path) -> Path:
    """256 real images without a test split."""
    np.savez(tmp_path / "digits.npz", images=digits.images)
    return tmp_path / "digits.npz"


@pytest.fixture
def model(tiny_model_copy, digits) -> Path:
    """A model from a run that shipped 16 of the images, held out 60 and trained on 180."""
    shipped = digits.take(np.arange(16))
    train, held_out = hold_out(without(digits, shipped), 60, seed=5)
    DataSplit.of(train, held_out, data="your-data", seed=5, left_out=shipped).write(tiny_model_copy)
    return tiny_model_copy


QUICK = {"num_images": 20, "replicates": 0}


def test_python_and_the_shell_give_the_same_report_with_the_images_that_the_run_held_out(model, data, tmp_path):
    ours = evaluate(model, str(data), ("fd", "memorised"), "digits", **QUICK)
    assert list(ours.reference_scores)[0] == "FD-digits of 60 held-out real images"
    assert ours.provenance["held_out_sha256"] == DataSplit.read(model).held_out_sha256
    command = ["evaluate", str(model), "--data", str(data), "--metrics", "fd,memorised", "--extractor", "digits"]
    out = tmp_path / "shell.json"
    assert cli.main([*command, "--num", "20", "--bootstrap", "0", "--no-cache", "--out", str(out)]) == 0
    assert Report.read(out) == ours


def test_copies_are_sought_among_the_images_that_were_trained_on(model, digits, extractor):
    trained, _ = DataSplit.read(model).apply(digits)
    report = evaluate(model, digits, ("fd",), extractor, nearest_training_images=3, **QUICK)
    assert report.nearest_training_images.trained == len(trained) == 180
    assert report.nearest_training_images.held_out == 60


def test_real_images_that_are_drawn_are_not_the_held_out_ones_where_the_seeds_are_equal(
    tiny_model_copy, digits, extractor
):
    train, held_out = hold_out(digits, 60, seed=0)
    DataSplit.of(train, held_out, data="your-data", seed=0).write(tiny_model_copy)
    report = evaluate(tiny_model_copy, digits, ("fd",), extractor, num_real=60, **QUICK)
    assert report.provenance["real_sha256"] != report.provenance["held_out_sha256"]
    assert report.reference_scores["FD-digits of 60 held-out real images"] > 0.1  # 0 is the distance to themselves


def test_the_same_pixels_are_the_same_data_whatever_they_are_called(model, digits, data, extractor):
    by_pixels = evaluate(model, digits, ("fd",), extractor, **QUICK)
    by_name = evaluate(model, str(data), ("fd",), extractor, **QUICK)
    assert by_pixels.reference_scores == by_name.reference_scores and len(by_name.reference_scores) == 2


def test_of_other_images_nothing_is_held_out(model, digits, extractor, tmp_path, capsys):
    np.savez(tmp_path / "other.npz", images=digits.images[::-1])
    other = str(tmp_path / "other.npz")
    report = evaluate(model, other, ("fd",), extractor, progress=True, **QUICK)
    assert list(report.reference_scores) == ["FD-digits of uniform noise"] and capsys.readouterr().err == ""
    (model / SPLIT_NAME).write_text((model / SPLIT_NAME).read_text().replace("your-data", other))
    evaluate(model, other, ("fd",), extractor, progress=True, **QUICK)  # another version of data of this name
    assert "split.json of tiny: these are not the images of split.json" in capsys.readouterr().err.replace(
        model.name, "tiny"
    )


def test_held_out_images_that_are_given_count_more_than_the_file(model, digits, extractor):
    few = digits.take(np.arange(7))
    report = evaluate(model, digits, ("fd",), extractor, held_out=few, **QUICK)
    assert list(report.reference_scores)[0] == "FD-digits of 7 held-out real images"


def test_a_test_split_of_the_data_is_held_out_as_before(model, digits, extractor, tmp_path):
    train, test = digits.take(np.arange(200)), digits.take(np.arange(200, 256))
    np.savez(tmp_path / "both.npz", x_train=train.images, x_test=test.images)
    DataSplit.of(train, test, data="your-data", seed=0, held_out_is_test_split=True).write(model)
    report = evaluate(model, str(tmp_path / "both.npz"), ("fd",), extractor, **QUICK)
    assert list(report.reference_scores)[0] == "FD-digits of 56 held-out real images"


def test_a_damaged_file_makes_no_report(model, digits, extractor):
    (model / SPLIT_NAME).write_text("{}")
    with pytest.raises(LoadError, match="split.json: key 'channels' is missing"):
        evaluate(model, digits, ("fd",), extractor, **QUICK)


def test_bundled_models_that_say_what_was_held_out_were_measured_so():
    assert len(RECORDED) >= 5
    for name in RECORDED:
        folder = bundled_models()[name]
        split, measured = DataSplit.read(folder), read_json(folder / "scores.json")["provenance"]
        config = read_json(folder / "generator" / "config.json")
        assert (split.resolution, split.channels) == (config["resolution"], config["channels"])
        trained_on = split.train_images + (0 if split.held_out_is_test_split else split.held_out_images)
        assert trained_on == measured["real_images"]
        assert measured["held_out_sha256"] in (None, split.held_out_sha256)
        assert SPLIT_NAME not in read_json(folder / MANIFEST_NAME)["files"]

"""What a card claims of its numbers: its command measures the same ones, or it has none."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gan_hub import cli
from gan_hub.data import NAMED_DATASETS
from gan_hub.data.load import NamedDataset
from gan_hub.metrics.extractors import mobilenet_v2
from gan_hub.metrics.features import Extractor
from gan_hub.metrics.report import Report, compare
from gan_hub.pretrained_networks import path_of
from gan_hub.training import evaluator, trainer
from gan_hub.training.config import TrainConfig
from gan_hub.training.export import command_of_card, portable


@pytest.fixture
def bars(tmp_path, monkeypatch) -> str:
    """A data set known by name: 120 noisy images of ten classes to train on, 60 held out."""
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    np.savez(
        tmp_path / "data" / "bars.npz",
        x_train=rng.integers(0, 256, (120, 28, 28)).astype(np.uint8),
        y_train=np.arange(120) % 10,
        x_test=rng.integers(0, 256, (60, 28, 28)).astype(np.uint8),
        y_test=np.arange(60) % 10,
    )
    monkeypatch.setitem(
        NAMED_DATASETS, "bars", NamedDataset((str(tmp_path / "data"),), "nobody/bars", tuple("0123456789"))
    )
    return "bars"


SCORED = {  # two steps, and a score after each
    "extractor": "digits", "evaluate_kimg": 0.016, "evaluate_images": 40, "total_kimg": 0.032, "decay_kimg": 0.0,
    "trackers": "none",
}  # fmt: skip


def test_the_command_of_a_card_measures_all_its_numbers_again(small_options, bars, tmp_path):
    # The best weights are judged by other seeds than those they were chosen by, and the run's own is another still.
    options = SCORED | {"data": bars, "publish": "best", "seed": 3, "timelapse_frames": 2}
    folder = trainer.train(TrainConfig(**small_options | options))
    told = json.loads((folder / "scores.json").read_text())
    assert told["command"] in (folder / "README.md").read_text()
    assert set(told["scores"]) == {"FD-digits", "label accuracy (digits)", "discriminator AUC (held out)"}

    program, verb, name, *rest = told["command"].split()
    assert (program, verb, name) == ("gan-hub", "evaluate", "small")
    assert cli.main([verb, str(folder), *rest, "--no-cache", "--out", str(tmp_path / "again.json")]) == 0
    again = Report.read(tmp_path / "again.json")
    assert again.scores == told["scores"] and again.scales == told["scales"]
    assert again.provenance == told["provenance"] and again.provenance["seed"] == 40
    assert {name: list(again.intervals[name]) for name in told["intervals"]} == told["intervals"]


RUN = {"data": "mnist", "name": "small", "extractor": "digits", "extractor_weights": ""}
REPORT = Report({"FD-digits": 1.0}, {"generated_images": 60, "seed": 0})


def told_by(left_out: int = 0, judged: bool = True, **changes) -> str:
    config = TrainConfig(**RUN | changes)
    pipeline = SimpleNamespace(calibration=object() if judged else None)
    return command_of_card(SimpleNamespace(config=config, data=SimpleNamespace(left_out=left_out)), pipeline, REPORT)


@pytest.mark.slow
def test_a_run_that_was_given_the_shipped_network_as_a_file_is_measured_again_without_it(
    small_options, bars, tmp_path, monkeypatch
):
    monkeypatch.setattr(evaluator, "REPLICATES", 0)  # an interval of so many features takes a minute
    monkeypatch.setattr(mobilenet_v2, "SIZE", 32)  # the noise in a card is 2,000 images
    copy = shutil.copy(path_of("mobilenet-v2"), tmp_path / "net.safetensors")
    options = SCORED | {"data": bars, "extractor": "mobilenet-v2", "extractor_weights": str(copy), "evaluate_kimg": 0}
    folder = trainer.train(TrainConfig(**small_options | options | {"evaluate_images": 20, "timelapse_frames": 2}))
    assert "extractor_weights: ''" in (folder / "recipe.yaml").read_text()
    told = json.loads((folder / "scores.json").read_text())
    _, verb, _, *rest = told["command"].split()
    assert "--extractor mobilenet-v2 --num" in told["command"]
    again = [verb, str(folder), *rest, "--bootstrap", "0", "--no-cache", "--out", str(tmp_path / "again.json")]
    assert cli.main(again) == 0
    report = Report.read(tmp_path / "again.json")
    assert report.scores == told["scores"]  # to the bit
    assert len(compare(report, Report(told["scores"], told["provenance"]))) == len(report.scores) == 2


def test_a_card_has_no_command_where_not_everybody_can_measure_exactly_the_same(shapes_npz):
    common = "--num 60 --seed 0 --batch-size 100"
    assert told_by() == f"gan-hub evaluate small --data mnist --metrics fd,auc --extractor digits {common}"
    assert told_by(data=str(shapes_npz)) == ""
    assert told_by(left_out=1) == ""
    assert told_by(judged=False) == ""  # the card's root MMD² is no score of the command
    inception = told_by(extractor="inception", extractor_weights="somebody/inception")
    assert "--extractor inception --extractor-weights somebody/inception --num" in inception
    # Of a Hub model that lay in a folder here, the id says where others find it.
    assert "--extractor a/vit --num" in told_by(extractor="a/vit", extractor_weights="/somewhere/vit")


def test_the_extractor_is_on_the_runs_device_before_anything_goes_through_it(small_options, monkeypatch):
    placed, to, real_moments = [], Extractor.to, evaluator.real_moments
    monkeypatch.setattr(Extractor, "to", lambda self, device: placed.append(device) or to(self, device))
    monkeypatch.setattr(evaluator, "real_moments", lambda *given: placed.append("measured") or real_moments(*given))
    monkeypatch.setattr(trainer, "finish", lambda run: None)
    trainer.train(TrainConfig(**small_options | SCORED))
    assert placed[:2] == [torch.device("cpu"), "measured"]


@pytest.mark.parametrize(
    "given, published",
    [
        ("/home/me/emoji.zip", "your-data"),
        ("mnist", "mnist"),
        ("someone/emoji", "someone/emoji"),
        ("model_cards/dcgan-mnist", "model_cards/dcgan-mnist"),
        ("", ""),
    ],
)
def test_the_published_recipe_says_that_there_were_real_images_and_not_where_they_lay(given, published):
    assert portable(TrainConfig(real_samples=given, real_samples_notice="made up, CC0")).real_samples == published

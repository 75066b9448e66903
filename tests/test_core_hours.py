"""What a core-hour buys: every pair can be run, the clock measures at its marks and ends, the page says what was measured."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks import core_hours
from gan_hub.model_folder.strict import write_json


@pytest.mark.parametrize("pair", core_hours.PAIRS)
def test_every_pair_is_a_run_that_is_allowed(pair, tmp_path):
    config = core_hours.config_of(pair, "cats64.zip", tmp_path)
    generator, discriminator = pair.split("-")
    assert config.architecture == generator and config.run_folder == tmp_path / pair
    assert (config.discriminator_class.__name__ == "FeaturesDiscriminator") is (discriminator == "features")


def test_a_run_is_measured_at_its_marks_goes_on_after_an_interruption_and_ends(tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (60, 64, 64, 3), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", x_train=images[:40], x_test=images[40:])
    monkeypatch.setattr(core_hours, "IMAGES", 12)
    small = {"batch_size": 4, "precision": "fp32", "checkpoint_kimg": 0.004, "log_kimg": 0.004}
    monkeypatch.setattr(core_hours, "SHARED", core_hours.SHARED | small)
    data, output = str(tmp_path / "images.npz"), tmp_path / "runs"
    marks = output / "dcgan-features" / "marks"

    core_hours.measure("dcgan-features", data, output, [1e-4])
    first = json.loads((marks / "0.0001.json").read_text())
    assert first["kimg"] == 0.004 and first["FD-mobilenet-v2"] > 0
    core_hours.measure("dcgan-features", data, output, [1e-4, 2e-4])
    again, second = (json.loads((marks / f"{mark}.json").read_text()) for mark in ("0.0001", "0.0002"))
    assert again == first and second["kimg"] == 0.008  # the clock went on from the checkpoint
    assert sorted(path.name for path in marks.iterdir()) == ["0.0001.json", "0.0001.png", "0.0002.json", "0.0002.png"]
    assert core_hours.picture(output, [1e-4, 2e-4]).width > 2 * core_hours.MARGIN

    clock, later = (core_hours.Clock(marks, [1], None) for _ in range(2))
    clock.seconds = 7.5
    later.load_state_dict(clock.state_dict())
    assert later.seconds == 7.5

    monkeypatch.setattr(core_hours, "train", None)  # nothing is left to be done
    core_hours.measure("dcgan-features", data, output, [1e-4, 2e-4])


def test_the_page_has_a_row_a_pair_with_what_was_measured_and_on_which_machine(tmp_path):
    folder = tmp_path / "r3gan-own" / "marks"
    folder.mkdir(parents=True)
    write_json(folder / "30.json", {"kimg": 41.9, "FD-mobilenet-v2": 912.4, "hardware": "a CPU (1 thread(s))"})
    text = core_hours.document(tmp_path, core_hours.MARKS)
    assert "| r3gan | own | – | 912 (42) | – | – |" in text and "a CPU (1 thread(s))" in text
    assert text.count("\n| ") == 2 + len(core_hours.PAIRS)


def test_nothing_is_written_where_nothing_was_measured_and_the_minutes_asked_for_are_the_page_s(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(core_hours, "DOCUMENT", tmp_path / "page.md")
    monkeypatch.setattr(core_hours, "PICTURE", tmp_path / "page.png")
    folder = tmp_path / "runs" / "r3gan-own" / "marks"
    monkeypatch.setattr(sys, "argv", ["core_hours.py", "--table", "--output", str(tmp_path / "runs"), "--minutes", "5"])
    with pytest.raises(SystemExit):
        core_hours.main()
    assert "has no measurement at 5 minutes" in capsys.readouterr().err and not core_hours.DOCUMENT.exists()

    folder.mkdir(parents=True)
    write_json(folder / "5.json", {"kimg": 7.2, "FD-mobilenet-v2": 912.4, "hardware": "a CPU"})
    Image.new("RGB", (64, 32)).save(folder / "5.png")
    core_hours.main()
    assert "| r3gan | own | 912 (7) |" in core_hours.DOCUMENT.read_text() and core_hours.PICTURE.exists()

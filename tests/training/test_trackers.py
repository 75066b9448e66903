"""Trackers: the numbers and pictures that each gets, where it writes, and the checks before a run begins."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from accelerate import tracking
from accelerate.tracking import GeneralTracker, register_tracker_class
from PIL import Image

from gan_hub.training import Callback, trackers, trainer
from gan_hub.training.config import TrainConfig


class Notebook(GeneralTracker):
    """A tracker that keeps what it is given, as accelerate lets a program register one."""

    name, requires_logging_directory = "notebook", False
    opened: list["Notebook"] = []

    def __init__(self, run_name: str, **_):
        super().__init__()
        self.run_name, self.settings, self.values, self.images, self.finished = run_name, {}, [], [], False
        Notebook.opened.append(self)

    @property
    def tracker(self):
        return self

    def store_init_configuration(self, values: dict):
        self.settings |= values

    def log(self, values: dict, step: int | None = None, **_):
        self.values.append((step, values))

    def log_images(self, values: dict, step: int | None = None, **more):
        assert more == {}
        self.images += [(step, name, np.asarray(picture)) for name, pictures in values.items() for picture in pictures]

    def finish(self):
        self.finished = True


class Deaf(Notebook):
    """One that takes no pictures."""

    name = "deaf"
    log_images = property()  # hasattr is False


class Locked(Notebook):
    name = "locked"

    def start(self):
        raise RuntimeError("no API key\nconfigured")


@pytest.fixture
def registered(monkeypatch):
    """The trackers above, known to accelerate for the time of a test."""
    monkeypatch.setattr(tracking, "LOGGER_TYPE_TO_CLASS", tracking.LOGGER_TYPE_TO_CLASS)
    before = dict(tracking.LOGGER_TYPE_TO_CLASS)
    for kind in (Notebook, Deaf, Locked):
        register_tracker_class(kind)
    Notebook.opened = []
    yield
    tracking.LOGGER_TYPE_TO_CLASS.clear()
    tracking.LOGGER_TYPE_TO_CLASS.update(before)


def test_every_tracker_gets_the_projects_name_the_configuration_and_the_grids(small_options, registered):
    config = TrainConfig(**small_options | {"trackers": "tensorboard, notebook, deaf", "sample_kimg": 0.192})
    trainer.train(config)
    notebook, deaf = Notebook.opened
    assert notebook.run_name == deaf.run_name == config.name and notebook.finished and deaf.finished
    assert notebook.settings["generator/latent_size"] == 8 and notebook.settings["total_kimg"] == config.total_kimg
    assert notebook.settings["seen"] == "" and notebook.settings == deaf.settings
    assert [step for step, _ in notebook.values] == [64, 128, 192, 256, 320, 384]
    assert [(step, name) for step, name, _ in notebook.images] == [(192, "samples"), (384, "samples")]
    with Image.open(config.run_folder / "samples.png") as sheet:
        np.testing.assert_array_equal(notebook.images[-1][2], np.asarray(sheet.convert("RGB")))
    assert deaf.images == [] and len(deaf.values) == 6
    assert len(list((config.run_folder / "tensorboard" / config.name).glob("events.*"))) == 1


def test_grids_within_one_kimg_do_not_overwrite_each_other(small_options):
    config = TrainConfig(**small_options | {"trackers": "none", "sample_kimg": 0.192})
    trainer.train(config)
    names = sorted(path.name for path in (config.run_folder / "samples").iterdir())
    assert names == ["000000000192.png", "000000000384.png"]


def test_the_configuration_is_plain_for_any_tracker():
    config = TrainConfig(resolution=[32, 48], conditional=False, generator={"latent_size": 8})
    values = trackers.flat(config)
    assert values["resolution"] == "- 32\n- 48" and values["generator/latent_size"] == 8 and "generator" not in values
    assert all(isinstance(value, (str, int, float, bool)) for value in values.values())
    assert trackers.flat(TrainConfig())["discriminator"] == "{}"


def test_a_tracker_that_cannot_be_started_ends_the_run_in_a_sentence_before_its_first_step(small_options, registered):
    config = TrainConfig(**small_options | {"trackers": "locked"})
    with pytest.raises(
        ValueError, match=r"trackers='locked': cannot be started \('no API key.nconfigured'\); log in, or"
    ):
        trainer.train(config)
    assert not (config.run_folder / "log.jsonl").exists()


def test_the_trackers_of_a_run_that_fails_are_closed(small_options, registered):
    class Failing(Callback):
        def on_log(self, run):
            raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        trainer.train(TrainConfig(**small_options | {"trackers": "notebook"}), callbacks=[Failing()])
    (notebook,) = Notebook.opened
    assert notebook.finished and len(notebook.values) == 1


def test_what_trackers_write_lies_in_the_runs_folder(small_config, monkeypatch):
    for variables in trackers.FOLDERS.values():
        for variable in variables:
            monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TRACKIO_DIR", "/elsewhere")
    folders = trackers.folders(replace(small_config, trackers="wandb, trackio, swanlab, comet_ml, mlflow"))
    assert folders.logging_dir == small_config.run_folder / "tensorboard"
    set_to = {variable: trackers.os.environ[variable] for kind in trackers.FOLDERS.values() for variable in kind}
    assert set_to.pop("TRACKIO_DIR") == "/elsewhere"  # what a person has set stays
    run = small_config.run_folder.resolve()
    assert all(Path(folder) == run or Path(folder).parent == run for folder in set_to.values()), set_to
    for variable in set_to:
        monkeypatch.delenv(variable)


@pytest.mark.parametrize(
    ("key", "mode", "refused"), [("", "", True), ("abc", "", False), ("", "offline", False), ("", "online", True)]
)
def test_nobody_logged_in_is_told_before_training(small_config, monkeypatch, key, mode, refused):
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(api=SimpleNamespace(api_key=key or None)))
    monkeypatch.setattr(trackers, "get_available_trackers", lambda: ["tensorboard", "wandb"])
    monkeypatch.setenv("WANDB_MODE", mode)
    config = replace(small_config, trackers="tensorboard,wandb")
    if refused:
        with pytest.raises(
            ValueError, match="trackers='tensorboard,wandb': there is no login for wandb; run `wandb login`"
        ):
            trackers.check(config)
    else:
        trackers.check(config)

"""Training from Python: in a cell, in a thread, twice in one process, after a failure; and callbacks of one's own."""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState, PartialState

from gan_hub import GANPipeline, LoadError
from gan_hub.training import Callback, TrainConfig, train, trainer
from gan_hub.training.checkpoint_schema import check_state
from gan_hub.training.checkpoints import list_checkpoints, load_checkpoint
from gan_hub.training.command import main
from gan_hub.training.dry_run import preview
from gan_hub.training.run_files import read_log
from gan_hub.training.train_state import TENSOR_FILES

ROOT = Path(__file__).parents[2]


@pytest.fixture
def options(small_options) -> dict:
    """A run of eight steps that writes as little as possible."""
    return small_options | {"total_kimg": 0.128, "decay_kimg": 0.0, "trackers": "none", "timelapse_frames": 0}


@pytest.fixture
def quick(options, monkeypatch) -> TrainConfig:
    """The same run without scoring and export, which take longer than its steps."""
    monkeypatch.setattr(trainer, "finish", lambda run: run.config.run_folder)
    return TrainConfig(**options)


class Events(Callback):
    """Remembers which events there were, and what they were given."""

    def __init__(self, fail_at: int | None = None):
        self.events, self.lines, self.fail_at = [], [], fail_at

    def on_train_begin(self, run):
        self.events.append(("begin", run.step))

    def on_step_end(self, run):
        self.events.append(("step", run.images))
        assert run.tensors["loss/generator"].isfinite()
        if run.step == self.fail_at:
            raise RuntimeError("a mistake in a callback")

    def on_score(self, run):
        self.events.append(("score", run.images))
        assert run.metrics == {f"score/{name}": value for name, value in run.report.scores.items()}

    def on_look(self, run):
        run.metrics["mine"] = 7.0

    def on_log(self, run):
        self.events.append(("log", run.images))
        self.lines.append(dict(run.metrics))

    def on_sample(self, run):
        self.events.append(("sample", run.images))
        assert run.samples.size[0] > 28 and len(run.pipeline(seeds=[1, 2]).images) == 2

    def on_checkpoint(self, run):
        self.events.append(("checkpoint", run.images))
        assert list_checkpoints(run.folder / "checkpoints")[-1] == run.checkpoint

    def on_train_end(self, run):
        self.events.append(("end", run.images))
        assert GANPipeline.from_pretrained(run.export).label_names


def test_two_trainings_in_one_process_may_differ_in_everything_and_leave_the_process_as_it_was(options, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "false")
    environment, tf32 = dict(os.environ), torch.backends.cudnn.allow_tf32
    for name, precision in (("first", "fp32"), ("second", "bf16")):
        folder = train(TrainConfig(**options | {"name": name, "precision": precision, "tf32": not tf32}))
        assert GANPipeline.from_pretrained(folder)(seeds=[1]).images
        assert dict(os.environ) == environment and torch.backends.cudnn.allow_tf32 == tf32
        assert not PartialState._shared_state


def test_a_preview_and_the_command_leave_no_state_that_a_training_with_another_precision_trips_over(
    quick, options, tmp_path
):
    recipe = tmp_path / "small.yaml"
    recipe.write_text(quick.to_yaml())
    environment = dict(os.environ)
    preview(quick)
    with pytest.raises(ValueError, match="no such folder"):
        preview(TrainConfig(**options | {"data": "no-such-data"}))
    assert not PartialState._shared_state and dict(os.environ) == environment
    for precision in ("bf16", "fp32"):
        assert main([str(recipe), "--name", precision, "--precision", precision]) == 0
        assert not PartialState._shared_state


def test_who_asked_accelerate_before_a_training_keeps_its_state_and_may_train_twice(options, quick):
    state = PartialState(cpu=True)
    try:
        for precision in ("fp32", "bf16"):
            train(TrainConfig(**options | {"name": precision, "precision": precision}))
            assert state.initialized and not AcceleratorState._shared_state
    finally:
        PartialState._reset_state()


def test_what_to_do_next_is_said_in_the_words_of_whoever_asked(quick, options, tmp_path, capfd):
    recipe = tmp_path / "small.yaml"
    recipe.write_text(quick.to_yaml())
    train(quick)
    other = TrainConfig(**options | {"batch_size": 8, "seed": 7})
    for ask, command, in_python, in_shell in (
        (lambda: train(quick), [], "resume=True goes on, another name= starts", "--resume goes on, another --name starts"),
        (
            lambda: train(other, resume=True), ["--resume", "--batch_size", "8", "--seed", "7"],
            f"then another name= with initial='{quick.run_folder}/export'.",
            f"then another --name with --initial '{quick.run_folder}/export'.",
        ),
        (
            lambda: train(TrainConfig(**options | {"trackers": "odd"})), ["--trackers", "odd"],
            "trackers='odd': 'odd' is not installed", "--trackers 'odd': 'odd' is not installed",
        ),
    ):  # fmt: skip
        with pytest.raises(ValueError) as refusal:
            ask()
        assert in_python in str(refusal.value) and "--" not in str(refusal.value)
        capfd.readouterr()
        assert main([str(recipe), *command]) == 1
        error = capfd.readouterr().err
        assert in_shell in error and "=" not in error.replace(str(tmp_path), ""), error


def test_a_training_in_a_cell_of_a_notebook_runs_beside_its_event_loop(quick):
    async def cell() -> Path:
        return train(quick)

    assert asyncio.run(cell()) == quick.run_folder
    assert [line["images"] for line in read_log(quick.run_folder / "log.jsonl")] == [64, 128]


def test_a_training_in_a_thread_ends_as_one_in_the_main_thread(quick):
    folders = []
    thread = threading.Thread(target=lambda: folders.append(train(quick)))
    thread.start()
    thread.join(200)
    assert folders == [quick.run_folder]
    assert list_checkpoints(quick.run_folder / "checkpoints")[-1].name == "step-000000008"


def test_a_second_training_at_the_same_time_is_refused_and_the_first_goes_on(quick, options):
    refusals = []

    class Impatient(Callback):
        def on_step_end(self, run):
            with pytest.raises(ValueError, match="another training runs in this process; wait for its end") as refusal:
                train(TrainConfig(**options | {"name": "other"}))
            refusals.append(refusal)

    assert train(quick, callbacks=[Impatient()]) == quick.run_folder and len(refusals) == 8


def test_a_training_after_one_that_failed_starts_anew_and_resumes_from_what_was_saved(quick, options):
    with pytest.raises(RuntimeError, match="a mistake in a callback"):
        train(quick, callbacks=[Events(fail_at=7)])
    other = TrainConfig(**options | {"name": "other", "precision": "bf16"})
    assert train(other) == other.run_folder
    events = Events()
    train(quick, resume=True, callbacks=[events])
    assert events.events[:2] == [("begin", 6), ("step", 112)]


def test_a_callback_sees_every_event_in_its_order_with_the_numbers_of_the_log(options):
    events = Events()
    scored = {"extractor": "digits", "evaluate_kimg": 0.064, "evaluate_images": 20, "total_kimg": 0.08}
    config = TrainConfig(**options | scored)
    train(config, callbacks=[events])
    assert events.events == [
        ("begin", 0), ("step", 16), ("step", 32), ("step", 48), ("step", 64), ("score", 64), ("log", 64),
        ("step", 80), ("score", 80), ("log", 80), ("sample", 80), ("checkpoint", 80), ("end", 80),
    ]  # fmt: skip
    lines = [line for line in read_log(config.run_folder / "log.jsonl") if "loss/generator" in line]
    assert [line["mine"] for line in lines] == [7.0, 7.0]
    for line, metrics in zip(lines, events.lines, strict=True):
        assert line == {"images": line["images"]} | {name: float(f"{value:.6g}") for name, value in metrics.items()}


def test_a_run_with_callbacks_that_draw_ends_in_the_very_bits_of_one_without(options, monkeypatch):
    monkeypatch.setattr(trainer, "finish", lambda run: run.config.run_folder)
    plain, watched = (TrainConfig(**options | {"name": name, "sample_kimg": 0.032}) for name in ("plain", "watched"))
    train(plain)
    train(watched, callbacks=[Events()])
    one, other = (
        load_checkpoint(list_checkpoints(c.run_folder / "checkpoints")[-1], TENSOR_FILES) for c in (plain, watched)
    )
    for file, tensors in one[0].items():
        assert all(torch.equal(tensor, other[0][file][name]) for name, tensor in tensors.items()), file


class Counting(Callback):
    """Counts the steps of a run, also over a resume."""

    count = 0

    def on_step_end(self, run):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


def newest_state(config: TrainConfig) -> dict:
    return json.loads((list_checkpoints(config.run_folder / "checkpoints")[-1] / "state.json").read_text())


def test_the_state_of_callbacks_comes_back_at_a_resume_each_its_own(quick, capsys):
    first, second = Counting(), Counting()
    second.count = 100
    with pytest.raises(RuntimeError):
        train(quick, callbacks=[first, second, Events(fail_at=7)])
    assert newest_state(quick)["callbacks"] == {"Counting": {"count": 6}, "Counting-2": {"count": 106}}
    again = [Counting(), Counting()]
    train(quick, resume=True, callbacks=again)
    assert [callback.count for callback in again] == [8, 108]
    train(quick, resume=True, callbacks=again[:1])
    assert "has the state of the callback Counting-2, which this run does not have" in capsys.readouterr().out


def test_a_damaged_state_of_a_callback_is_named_at_the_resume(quick):
    train(quick, callbacks=[Counting()])
    (_, newest) = list_checkpoints(quick.run_folder / "checkpoints")
    state = json.loads((newest / "state.json").read_text())
    check_state(newest, state)
    with pytest.raises(LoadError, match=r"'callbacks\.Counting' is 3 in its state; it is an object"):
        check_state(newest, state | {"callbacks": {"Counting": 3}})


def test_a_checkpoint_without_callbacks_has_the_keys_it_always_had(quick):
    train(quick, callbacks=[Events()])
    assert "callbacks" not in newest_state(quick)


@pytest.mark.parametrize("value", [float("nan"), {1, 2}])
def test_a_state_that_json_cannot_hold_is_refused_and_no_checkpoint_is_torn(quick, value):
    class Odd(Callback):
        def state_dict(self):
            return {"value": value}

    with pytest.raises(ValueError, match=r"callback Odd: its state_dict\(\) is not allowed in a checkpoint"):
        train(quick, callbacks=[Odd()])
    assert not list_checkpoints(quick.run_folder / "checkpoints")


@pytest.mark.parametrize(("event", "last"), [("on_train_begin", 0), ("on_step_end", 3), ("on_log", 5)])
def test_a_callback_ends_a_run_as_if_it_had_been_meant_to_be_that_short(quick, event, last):
    class Enough(Callback):
        def on_sample(self, run):
            assert run.step == run.last_step

    def enough(self, run):
        if run.step in (0, 3, 4):
            run.stop("that is enough.")

    setattr(Enough, event, enough)
    config = TrainConfig(**vars(quick) | {"log_kimg": 0.064})
    train(config, callbacks=[Enough()])
    if last:
        assert newest_state(config)["step"] == last
    lines = read_log(config.run_folder / "log.jsonl")
    (note,) = [line for line in lines if "note" in line]
    assert note == {"images": 16 * last, "note": f"ended early, at {16 * last / 1000:g} kimg: that is enough."}
    if last:
        assert lines[-1]["images"] == 16 * last  # the last step is logged, whenever it comes
    train(config, resume=last > 0)
    assert newest_state(config)["step"] == 8


@pytest.mark.parametrize(("passed", "instead"), [(Events, r"give Events\(\)"), ("events", "an instance of a Callback")])
def test_what_is_no_callback_is_refused_before_anything_is_written(quick, passed, instead):
    with pytest.raises(ValueError, match=f"callbacks: .* is not allowed; .*{instead}"):
        train(quick, callbacks=[passed])
    assert not quick.run_folder.exists()


def test_a_callback_without_a_list_and_the_name_of_a_recipe_are_answered_in_a_sentence(quick):
    with pytest.raises(ValueError, match=r"callbacks: .* is not allowed; give a list, as \[MyCallback\(\)\]"):
        train(quick, callbacks=Events())
    for wrong in ("dcgan-mnist", {"name": "mine"}):
        with pytest.raises(ValueError, match=r"config=.* is not allowed; it is a TrainConfig, as of TrainConfig\.from"):
            train(wrong)
    assert not quick.run_folder.exists()


def test_the_callback_of_the_document_does_what_it_says(options):
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8").split("## From Python")[1]
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    code, lines = re.subn(r"^config = .*\n", "", code, flags=re.MULTILINE)
    assert lines == 1 and "train(config, callbacks=[" in code
    config = TrainConfig(**options | {"sample_kimg": 0.064})
    names = {"config": config}
    exec(compile(code, "docs/training.md", "exec"), names)
    assert names["folder"] == config.run_folder / "export"
    assert sorted(path.name for path in config.run_folder.glob("seed-7-*")) == [
        "seed-7-000000064.png",
        "seed-7-000000128.png",
    ]
    assert not [line for line in read_log(config.run_folder / "log.jsonl") if "note" in line]


def test_the_room_lends_its_public_names_and_loads_nothing_before():
    code = """
import sys
import gan_hub, gan_hub.training
assert not {"torch", "accelerate", "yaml"} & set(sys.modules)
assert set(dir(gan_hub.training)) >= {"Callback", "StoppedError", "TrainConfig", "train"}
from gan_hub import TrainConfig, train
assert train is gan_hub.training.train and TrainConfig is gan_hub.training.TrainConfig
try:
    gan_hub.training.nothing
except AttributeError as error:
    assert "nothing" in str(error)
else:
    raise AssertionError("gan_hub.training.nothing exists")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr

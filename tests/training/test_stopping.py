"""What ends a run from outside, a closed terminal among them, costs no step; what a run was told to ignore is ignored."""

import contextlib
import os
import pty
import runpy
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from accelerate.state import AcceleratorState

from gan_hub.training import export, stopping, trainer
from gan_hub.training.checkpoints import list_checkpoints
from gan_hub.training.config import TrainConfig
from gan_hub.training.stopping import SIGNALS, StoppedError
from tests.training.test_exact import newest, train

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(small_options) -> TrainConfig:
    return TrainConfig(**small_options | {"trackers": "none", "timelapse_frames": 0})


@pytest.fixture(autouse=True)
def active_layers():
    """Signals as at a terminal: tests under nohup, or in the background of a shell, inherit that some are ignored."""
    usual = {signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def signalled(monkeypatch):
    """signalled(step, *signals): this process sends them to itself in that step, from 1."""

    def arm(step: int, *signals: int) -> None:
        play = trainer.train_step

        def playing(players, config, batches, at):
            if at + 1 == step:
                for number in signals:
                    os.kill(os.getpid(), number)
            return play(players, config, batches, at)

        monkeypatch.setattr(trainer, "train_step", playing)

    return arm


@pytest.mark.parametrize("signals", [[number] for number in SIGNALS] + [[signal.SIGHUP, signal.SIGTERM, signal.SIGHUP]])
def test_sighup_or_any_such_signal_or_several_end_the_run_with_its_state_saved(config, signalled, signals):
    before = [signal.getsignal(number) for number in signals]
    signalled(9, *signals)
    with pytest.raises(StoppedError, match=r"stopped at 0\.1 kimg; its state is saved, resume=True goes on"):
        train(config)
    assert newest(config).name == "step-000000009"
    assert [signal.getsignal(number) for number in signals] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_is_ignored_as_sighup_under_nohup_stays_ignored(config, signalled, number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        signalled(9, number)
        train(config)
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)
    assert newest(config).name == "step-000000024"


def test_sigbreak_is_heeded_where_the_system_has_it_and_sighup_where_it_has_that(monkeypatch):
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    monkeypatch.delattr(signal, "SIGHUP")
    heeded = runpy.run_path(stopping.__file__)["SIGNALS"]
    assert heeded == [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1]


def test_a_signal_before_the_first_step_ends_the_run_at_once_in_a_sentence(config, monkeypatch):
    loaded = []

    def slow(given):
        os.kill(os.getpid(), signal.SIGTERM)
        loaded.append(given)

    monkeypatch.setattr(trainer, "load_data", slow)
    with pytest.raises(StoppedError, match="what was saved is kept, resume=True goes on"):
        train(config)
    assert not loaded and not list(config.run_folder.glob("checkpoints/*"))


def test_a_signal_in_the_export_ends_it_in_a_sentence_and_a_resume_exports(config, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(export, "nearest_copies", lambda *given: os.kill(os.getpid(), signal.SIGHUP))
        with pytest.raises(StoppedError, match="what was saved is kept"):
            trainer.train(config)
    assert newest(config).name == "step-000000024"
    assert not [path.name for path in config.run_folder.iterdir() if "export" in path.name and path.is_dir()]
    AcceleratorState._reset_state(reset_partial_state=True)
    assert (trainer.train(config, resume=True) / "README.md").is_file()


def test_a_run_in_a_thread_which_hears_no_signals_trains_all_the_same(config):
    thread = threading.Thread(target=train, args=[config])
    thread.start()
    thread.join(100)
    assert newest(config).name == "step-000000024"


def on_a_terminal(arguments: list[str], ignoring: bool) -> tuple[int, int]:
    """(process id, terminal) of train.py with these arguments on a terminal of its own."""
    child, terminal = pty.fork()
    if child == 0:
        if ignoring:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.chdir(ROOT)
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        os.execve(sys.executable, [sys.executable, "train.py", *arguments], environment)
    return child, terminal


@pytest.mark.parametrize("ignoring", [False, True], ids=["closed", "closed, SIGHUP ignored"])
def test_a_terminal_that_is_closed_ends_the_run_saved_or_not_at_all(small_options, tmp_path, ignoring):
    length = {} if ignoring else {"total_kimg": 500.0, "decay_kimg": 0.0, "checkpoint_kimg": 400.0}
    options = small_options | {"trackers": "none", "log_kimg": 0.016, "timelapse_frames": 0} | length
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(options))
    child, terminal = on_a_terminal([str(tmp_path / "small.yaml")], ignoring)
    log = Path(options["output"]) / "small" / "log.jsonl"
    end = time.monotonic() + 100
    os.set_blocking(terminal, False)
    while not (log.is_file() and log.read_text()):
        with contextlib.suppress(BlockingIOError):
            os.read(terminal, 10_000)
        assert time.monotonic() < end
        time.sleep(0.005)
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    folder = log.parent
    if ignoring:
        assert code == 0 and (folder / "export" / "README.md").is_file()
    else:
        assert code == 143 and len(list_checkpoints(folder / "checkpoints")) == 1


def test_a_pipe_that_nobody_reads_any_more_does_not_end_the_run(small_options, tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small_options | {"trackers": "none", "timelapse_frames": 0}))
    process = subprocess.Popen(
        [sys.executable, "train.py", str(tmp_path / "small.yaml")],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=200) == 0, process.stderr.read()
    process.stderr.close()
    assert (Path(small_options["output"]) / "small" / "export" / "README.md").is_file()

"""Log and time-lapse: what a resumed run keeps, and what the animation shows."""

import builtins
import errno
import io
import json
import os
import signal

import pytest
from accelerate.state import AcceleratorState
from PIL import Image

from gan_hub.model_folder import timelapse
from gan_hub.training import trainer
from gan_hub.training.config import TrainConfig
from gan_hub.training.run_files import ConsoleLines, RunLog, Timelapse, read_log, save_whole
from tests.training.test_disk import limit_file_size
from tests.training.test_exact import train


def test_a_line_keeps_small_numbers_and_alarms_stand_among_them(tmp_path):
    records = RunLog(tmp_path, 0)
    records.write(64, {"loss/generator": 0.123456789, "penalty/r1": 1.80123456e-8})
    records.alarm(128, "The generator collapsed.")
    assert read_log(tmp_path / "log.jsonl") == [
        {"images": 64, "loss/generator": 0.123457, "penalty/r1": 1.80123e-8},
        {"images": 128, "alarm": "The generator collapsed."},
    ]
    assert records.alarms == ["The generator collapsed."]
    resumed = RunLog(tmp_path, 64)
    resumed.begin()
    assert resumed.alarms == []  # a resumed run hears it again if it is raised again
    assert len(read_log(tmp_path / "log.jsonl")) == 1


@pytest.mark.parametrize("frames", [0, 1, 2, 5])
def test_frames_lie_close_at_the_start_and_the_last_is_the_end(tmp_path, frames):
    lapse = Timelapse(tmp_path, frames, total_steps=100, batch_size=4, images_seen=0)
    due = [step for step in range(101) if lapse.due(step)]
    assert due == {0: [], 1: [0], 2: [0, 100], 5: [0, 6, 25, 56, 100]}[frames]


def test_a_run_shows_its_images_being_born(small_options):
    config = TrainConfig(**small_options | {"timelapse_frames": 4, "trackers": "none"})
    train(config, stop_after=7)
    folder = config.run_folder / "timelapse"
    assert sorted(path.name for path in folder.iterdir()) == ["000000000000.png", "000000000048.png"]
    (folder / "000000000160.png").write_bytes((folder / "000000000048.png").read_bytes())  # after the checkpoint
    train(config, resume=True)
    assert [int(path.stem) for path in sorted(folder.iterdir())] == [0, 48, 176, 384]
    lapse = Timelapse(config.run_folder, 4, config.total_steps, config.batch_size, 384)
    assert lapse.write(config.run_folder / "timelapse.webp")
    with Image.open(config.run_folder / "timelapse.webp") as animation:
        assert animation.n_frames in (4, 5)  # Pillow joins equal frames: the last one is held
        first, last = animation.copy(), None
        animation.seek(animation.n_frames - 1)
        last = animation.copy()
    assert first.convert("L").tobytes() != last.convert("L").tobytes()
    with Image.open(folder / "000000000384.png") as frame:
        assert last.convert("RGB").tobytes() == frame.convert("RGB").tobytes()
    told = timelapse.read(config.run_folder, config.resolution, config.channels)
    assert told.images == (0, 48, 176, 384) and told.is_exact and len(told.frames) == 4


def test_a_torn_frame_of_the_time_lapse_is_passed_over_with_a_word(small_options, capfd):
    config = TrainConfig(**small_options | {"timelapse_frames": 4, "trackers": "none"})
    train(config, stop_after=20)
    folder = config.run_folder / "timelapse"
    first, second, third = sorted(folder.iterdir())
    first.write_bytes(first.read_bytes()[:100])
    Image.new("L", (5, 5)).save(second)
    AcceleratorState._reset_state(reset_partial_state=True)
    export = trainer.train(config, resume=True)
    with Image.open(export / "timelapse.webp") as animation, Image.open(third) as frame:
        assert animation.n_frames <= 3 and animation.size == frame.size
    assert f"2 of 4 frames in {folder} cannot be used, and are left out" in capfd.readouterr().out
    assert json.loads((export / "timelapse.json").read_text()) == {"images": [int(third.stem), 384]}


ODD = [
    "not json",
    "[1, 2]",
    "3",
    '{"loss": 1.0}',
    '{"images": "x"}',
    '{"images": 16, "loss": "low"}',
    '{"images": 16, "note": 5}',
]


def test_an_odd_line_of_the_log_is_passed_over_with_a_word(small_options, capfd):
    config = TrainConfig(**small_options | {"trackers": "none"})
    train(config, stop_after=7)
    path = config.run_folder / "log.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*ODD, *lines, '{"images": 11']))
    AcceleratorState._reset_state(reset_partial_state=True)
    export = trainer.train(config, resume=True)
    assert f"{path}: {len(ODD)} line(s) are no records, and are left out; the first is line 1" in capfd.readouterr().out
    kept = (export / "log.jsonl").read_text().splitlines()
    assert kept[: len(lines)] == lines and len(kept) == 6 and kept == path.read_text().splitlines()


def test_a_resume_that_is_killed_in_the_rewrite_of_the_log_loses_no_line(small_options):
    config = TrainConfig(**small_options | {"trackers": "none", "timelapse_frames": 0})
    train(config, stop_after=13)
    path = config.run_folder / "log.jsonl"
    whole = path.read_text()
    assert len(whole.splitlines()) == 3
    for at in range(4):  # of the calls that write: the first ones are those of the log
        child = os.fork()
        if child == 0:
            killed_at_call(at)
            train(config, resume=True)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        assert path.read_text() == whole
    train(config, resume=True)
    assert path.read_text().startswith(whole) and len(read_log(path)) == 6
    assert not [entry.name for entry in config.run_folder.iterdir() if entry.name.startswith(".")]


def killed_at_call(at: int) -> None:
    """This process dies in front of that call, from 0, of what writes the log anew."""
    calls, rewrite = [], RunLog.begin

    def deadly(real):
        def call(*given, **options):
            if len(calls) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            calls.append(real)
            return real(*given, **options)

        return call

    def armed(records):
        io.open = builtins.open = deadly(open)
        os.fsync, os.replace, os.open = deadly(os.fsync), deadly(os.replace), deadly(os.open)
        rewrite(records)
        os.kill(os.getpid(), signal.SIGKILL)

    RunLog.begin = armed


@pytest.mark.parametrize("size", [0, 60, 200, 1000])
def test_a_resume_that_meets_a_full_disk_loses_no_line(small_options, size):
    config = TrainConfig(**small_options | {"trackers": "none", "timelapse_frames": 0})
    train(config, stop_after=13)
    path = config.run_folder / "log.jsonl"
    whole = path.read_text()
    child = os.fork()
    if child == 0:
        limit_file_size(size)
        try:
            train(config, resume=True)
        except OSError as error:
            os._exit(7 if "make room" in str(error) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert path.read_text().startswith(whole)
    train(config, resume=True)
    lines = [line["images"] for line in read_log(path)]
    assert lines == [64, 128, 192, 256, 320, 384] and path.read_text().startswith(whole)


def test_a_line_that_was_cut_off_by_a_full_disk_is_whole_again_at_the_next_resume(small_options):
    config = TrainConfig(**small_options | {"trackers": "none", "timelapse_frames": 0})
    train(config, stop_after=13)
    path = config.run_folder / "log.jsonl"
    with path.open("a") as file:
        file.write('{"images": 256, "loss/gen')
    train(config, resume=True)
    assert [json.loads(line)["images"] for line in path.read_text().splitlines()] == [64, 128, 192, 256, 320, 384]


def test_a_picture_is_whole_or_what_it_was_and_one_that_is_open_elsewhere_ends_no_run(tmp_path, monkeypatch, capfd):
    path, picture = tmp_path / "samples.png", Image.new("L", (8, 8))
    save_whole(picture.save, path)
    before = path.read_bytes()
    with pytest.raises(OSError, match="No space"):
        save_whole(lambda scratch: scratch.write_bytes(b"half") and full(), path)

    def locked(*given):
        raise PermissionError(errno.EACCES, "The process cannot access the file")

    monkeypatch.setattr(os, "replace", locked)
    save_whole(Image.new("L", (9, 9)).save, path)
    assert f"{path} could not be written" in capfd.readouterr().out
    assert path.read_bytes() == before and [entry.name for entry in tmp_path.iterdir()] == [path.name]


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_run_without_frames_has_no_animation(tmp_path):
    assert not Timelapse(tmp_path, 0, 100, 4, 0).write(tmp_path / "timelapse.webp")
    assert not (tmp_path / "timelapse.webp").exists()


def test_any_tracker_of_accelerate_serves_by_name(small_options):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = TrainConfig(**small_options | {"trackers": "tensorboard", "total_kimg": 0.2})
    train(config)
    (events,) = config.run_folder.glob("tensorboard/*/events.*")
    accumulator = EventAccumulator(str(events.parent)).Reload()
    logged = {key for line in read_log(config.run_folder / "log.jsonl") for key in line} - {"images"}
    assert logged <= set(accumulator.Tags()["scalars"]) and "gradient/generator" in logged
    assert {"diversity", "change/discriminator", "memory/GB", "accuracy/pairs", "img/s", "memorised"} <= logged
    assert accumulator.Tags()["images"] == ["samples"]

    silent = TrainConfig(**small_options | {"trackers": "none", "name": "silent"})
    train(silent)
    assert not list(silent.run_folder.glob("**/events.*"))
    assert [json.loads(line) for line in (silent.run_folder / "log.jsonl").read_text().splitlines()]


def test_off_a_terminal_there_is_a_line_at_least_every_30_seconds_with_the_time_left(capsys):
    now = [0.0]
    lines = ConsoleLines(total_images=6000, images=1000, clock=lambda: now[0])

    def at(seconds: float, images: int) -> str:
        now[0] = seconds
        lines.step(images)
        return capsys.readouterr().out

    assert at(29, 1100) == ""
    assert at(30, 1200) == "      1.2 kimg  ETA 12 min\n"  # 200 images in 30 seconds, 4,800 to go
    assert at(59, 1300) == ""
    lines.write(1300, "loss/generator 0.7")
    assert capsys.readouterr().out.startswith("      1.3 kimg  loss/generator 0.7  ETA ")
    assert at(88, 1400) == "", "the line of the log counts as one"
    assert at(89, 1500) == "      1.5 kimg  ETA 13 min\n"


def test_while_a_score_is_measured_the_lines_go_on_and_the_steps_pace_is_kept(capsys):
    now = [0.0]
    lines = ConsoleLines(total_images=2000, images=0, clock=lambda: now[0])
    now[0] = 10.0
    lines.step(1000)
    lines.pause()
    now[0] = 45.0
    lines.remind("measuring a score")
    assert capsys.readouterr().out == "      1.0 kimg  measuring a score  ETA 0 min\n"
    now[0] = 610.0
    lines.go_on()
    lines.write(1000, "score/FD 3")
    assert capsys.readouterr().out == "      1.0 kimg  score/FD 3  ETA 0 min\n"  # 10 seconds, not 610


def test_a_run_off_a_terminal_prints_lines_by_the_clock_and_in_its_scores(small_options, capsys, monkeypatch):
    monkeypatch.setattr(ConsoleLines, "SILENCE", 0.0)
    scored = {"extractor": "digits", "evaluate_images": 40, "evaluate_kimg": 0.192}
    config = TrainConfig(**small_options | scored | {"trackers": "none", "log_kimg": 9.0})
    train(config)
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if " kimg  " in line]
    assert len([line for line in lines if "ETA" in line]) >= 24 and "measuring a score" in out

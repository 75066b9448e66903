"""Log and time-lapse: what a resumed run keeps, and what the animation shows."""

import json

import pytest
from PIL import Image

from gan_hub.training.config import TrainConfig
from gan_hub.training.records import Records, Timelapse, read_log
from tests.training.test_exact import train


def test_a_line_keeps_small_numbers_and_alarms_stand_among_them(tmp_path):
    records = Records(tmp_path, 0)
    records.write(64, {"loss/generator": 0.123456789, "penalty/r1": 1.80123456e-8})
    records.alarm(128, "The generator collapsed.")
    assert read_log(tmp_path / "log.jsonl") == [
        {"images": 64, "loss/generator": 0.123457, "penalty/r1": 1.80123e-8},
        {"images": 128, "alarm": "The generator collapsed."},
    ]
    assert records.alarms == ["The generator collapsed."]
    resumed = Records(tmp_path, 64)
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


def test_a_run_without_frames_has_no_animation(tmp_path):
    assert not Timelapse(tmp_path, 0, 100, 4, 0).write(tmp_path / "timelapse.webp")
    assert not (tmp_path / "timelapse.webp").exists()


def test_any_tracker_of_accelerate_serves_by_name(small_options):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = TrainConfig(**small_options | {"trackers": "tensorboard", "total_kimg": 0.2})
    train(config)
    (events,) = config.run_folder.glob("tensorboard/**/events.*")
    accumulator = EventAccumulator(str(events.parent)).Reload()
    logged = {key for line in read_log(config.run_folder / "log.jsonl") for key in line} - {"images"}
    assert logged <= set(accumulator.Tags()["scalars"]) and "gradient/generator" in logged
    assert {"diversity", "change/discriminator", "memory/GB", "accuracy/pairs", "img/s", "memorised"} <= logged
    assert accumulator.Tags()["images"] == ["samples"]

    silent = TrainConfig(**small_options | {"trackers": "none", "name": "silent"})
    train(silent)
    assert not list(silent.run_folder.glob("**/events.*"))
    assert [json.loads(line) for line in (silent.run_folder / "log.jsonl").read_text().splitlines()]

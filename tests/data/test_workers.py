"""Pictures are decoded on several cores, and it shows neither in their order, nor in errors, nor in memory."""

import io
import sys
import threading
import time

import numpy as np
import pytest

from gan_hub.data import decode, load_images, load_pairs, workers
from gan_hub.data.workers import map_in_order
from tests.made_files import bad_files, encoded, picture, write, zipped


@pytest.fixture
def four_workers(monkeypatch):
    monkeypatch.setattr(workers, "worker_count", lambda: 4)
    monkeypatch.setattr(decode, "GROUP", 3)


def test_results_come_in_the_order_of_the_items_whichever_is_done_first():
    def late(item: int) -> int:
        time.sleep(0.02 if item % 5 == 0 else 0)
        return -item

    for count in (1, 2, 4):
        assert list(map_in_order(late, range(40), count)) == [-item for item in range(40)]
    assert list(map_in_order(late, [], 4)) == []


def test_several_are_at_work_at_a_time_and_few_are_begun_ahead_of_their_turn():
    both = threading.Barrier(2, timeout=30)  # broken, an error, unless two threads come to it
    assert len(list(map_in_order(lambda item: both.wait(), range(8), 2))) == 8
    items = iter(range(1000))
    results = map_in_order(str, items, 2)
    next(results)
    assert next(items) <= 2 * workers.AHEAD + 1


def test_large_items_are_not_begun_ahead_beyond_the_bytes_allowed():
    items = iter(range(100))
    results = map_in_order(str, items, 4, size=lambda item: workers.AHEAD_BYTES // 2 + 1)
    assert next(results) == "0"
    assert next(items) == 2


def test_an_error_is_raised_when_it_is_its_turn():
    def failing(item: int) -> int:
        if item in (7, 9):
            raise ValueError(f"item {item}")
        return item

    results, seen = map_in_order(failing, range(20), 4), []
    with pytest.raises(ValueError, match="item 7"):
        seen.extend(results)
    assert seen == list(range(7))


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_set_is_the_same_by_one_worker_as_by_four(tmp_path, monkeypatch, form):
    files = {f"{'abc'[seed % 3]}/{seed:03d}.png": encoded(picture(seed)) for seed in range(90)}
    files |= {f"b/{name}": content for contents in bad_files().values() for name, content in contents.items()}
    source = write(tmp_path / "set", files) if form == "folder" else zipped(tmp_path / "set.zip", files)
    sets, errors = [], []
    for count in (1, 4):
        monkeypatch.setattr(workers, "worker_count", lambda count=count: count)
        sets.append(load_images(source, 20, 3))
        with pytest.raises(ValueError, match=r"b/\S+ cannot be used \(.*\), and \d+ more cannot") as error:
            load_images(source, 20, 3, strict=True)
        errors.append(str(error.value))
    one, four = sets
    assert one.fingerprint() == four.fingerprint() and one.report() == four.report() and one.skipped == four.skipped
    assert errors[0] == errors[1]


def test_pairs_are_the_same_by_one_worker_as_by_four(tmp_path, monkeypatch):
    files = {f"{seed:02d}.png": encoded(picture(seed, 3)) for seed in range(30)}
    files |= {f"{seed:02d}_labels.png": encoded(picture(seed) % 3) for seed in range(28)}
    files |= {"03.bmp": encoded(picture(99, 3), "BMP"), "05_labels.png": b"", "31.png": b"<html"}
    write(tmp_path, files)
    loaded = []
    for count in (1, 4):
        monkeypatch.setattr(workers, "worker_count", lambda count=count: count)
        loaded.append(load_pairs(tmp_path, 20, 3))
    one, four = loaded
    assert one.fingerprint() == four.fingerprint() and one.report() == four.report() and one.skipped == four.skipped
    assert one.skipped["second of its name"] == ["03.png"] and len(one) == 27


def test_the_pixels_of_photographs_are_those_that_pillow_decodes_alone(tmp_path, four_workers):
    files = {f"{seed:02d}.jpg": encoded(picture(seed, 3, 200), "JPEG") for seed in range(40)}
    loaded = load_images(write(tmp_path, files), 32, 3)
    entries = [decode.Entry(name, None, len(data), lambda data=data: data) for name, data in files.items()]
    assert np.array_equal(loaded.images, np.stack([decode.decode_entry(entry, (32, 32), 3) for entry in entries]))


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_sees_how_many_are_decoded_a_second_and_a_log_stays_clean(tmp_path, monkeypatch, terminal):
    screen = io.StringIO()
    screen.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(decode, "BAR_AFTER", 0)
    load_images(write(tmp_path, {f"{seed:02d}.png": encoded(picture(seed)) for seed in range(20)}), 28, 1)
    assert ("decoding" in screen.getvalue() and "/20" in screen.getvalue()) is terminal
    assert terminal or not screen.getvalue()


def test_of_large_pictures_one_is_decoded_at_a_time(tmp_path, four_workers, monkeypatch):
    at_work, most, real = [0], [0], decode.fit_pil

    def watched(*arguments):
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        time.sleep(0.01)
        at_work[0] -= 1
        return real(*arguments)

    monkeypatch.setattr(decode, "fit_pil", watched)
    write(tmp_path, {f"{seed:02d}.png": encoded(picture(seed, 1, 40)) for seed in range(16)})
    load_images(tmp_path, 8, 1)
    assert most[0] > 1
    most[0] = 0
    monkeypatch.setattr(decode, "LARGE_PIXELS", 40 * 40 - 1)
    load_images(tmp_path, 8, 1)
    assert most[0] == 1

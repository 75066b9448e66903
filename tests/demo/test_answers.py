"""What many visitors ask for is drawn once, and is what each of them would have got alone."""

from pathlib import Path

import pytest

from gan_hub.demo import answers, image_files
from gan_hub.demo.tabs.arithmetic import handlers as arithmetic
from gan_hub.demo.tabs.interpolate import handlers as interpolate
from gan_hub.demo.tabs.sample import handlers as sample

ASKED = {
    sample: ("0-3", "own", 1.0, "none", 1.0),
}


@pytest.fixture(autouse=True)
def none_yet(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(answers, "ANSWERS", answers.Answers())


def folders() -> int:
    return len(list(image_files.cache_folder().iterdir()))


def test_the_first_pictures_of_a_model_are_drawn_once(offered):
    first = sample.draw(offered, *ASKED[sample])
    drawn = folders()
    again = sample.draw(offered, *ASKED[sample])
    assert folders() == drawn and again == first
    sample.draw(offered, *ASKED[sample][:-1], 0.5)
    assert folders() == drawn + 1


@pytest.mark.parametrize(
    ("show", "asked", "other"),
    [
        (interpolate.show, ("3, 14", "slerp", 4, "own", True, "linear"), ("blend", "keep")),
        (arithmetic.show, ("first", "0-8", "own", "0", "1", "2", "own", 1.0, "sum"), (["fine"], ["coarse"])),
    ],
    ids=["interpolate", "arithmetic"],
)
def test_the_first_walk_and_the_first_equation_of_a_model_are_drawn_once(offered, show, asked, other):
    first = show(offered, *asked, other[0])
    assert len(answers.ANSWERS.kept) == 1 and show(offered, *asked, other[0]) == first
    show(offered, *asked, other[1])
    assert len(answers.ANSWERS.kept) == 2


def test_an_answer_is_the_callers_own(offered):
    first = sample.draw(offered, *ASKED[sample])
    first[3].clear()
    assert len(sample.draw(offered, *ASKED[sample])[3]) == 4


def test_an_answer_whose_files_are_gone_or_old_is_made_anew(offered, monkeypatch):
    first = sample.draw(offered, *ASKED[sample])
    Path(first[3][2][0]).unlink()
    second = sample.draw(offered, *ASKED[sample])
    assert second != first and all(Path(path).is_file() for path, _ in second[3])
    for (one, _), (other, _) in zip(first[3][:2], second[3]):
        assert Path(one).read_bytes() == Path(other).read_bytes()
    monkeypatch.setattr(answers, "LIFETIME", -1)
    assert sample.draw(offered, *ASKED[sample]) != second


def test_the_oldest_answers_make_room(offered, monkeypatch):
    monkeypatch.setattr(answers, "MOST", 2)
    for seeds in ("0", "1", "2"):
        sample.draw(offered, seeds, *ASKED[sample][1:])
    assert len(answers.ANSWERS.kept) == 2 and folders() == 3
    sample.draw(offered, "2", *ASKED[sample][1:])
    assert folders() == 3
    sample.draw(offered, "0", *ASKED[sample][1:])
    assert folders() == 4


def test_values_that_are_equal_and_not_the_same_are_told_apart(offered):
    sample.draw(offered, *ASKED[sample])
    with pytest.raises(Exception, match="Truncation is a number"):
        sample.draw(offered, "0-3", "own", True, "none", 1.0)

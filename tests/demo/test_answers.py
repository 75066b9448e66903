"""What many visitors ask for is drawn once, and is what each of them would have got alone."""

from pathlib import Path

import pytest

from gan_hub.demo import answers, image_files, models
from gan_hub.demo.tabs.arithmetic import handlers as arithmetic
from gan_hub.demo.tabs.interpolate import handlers as interpolate
from gan_hub.demo.tabs.sample import handlers as sample

ASKED = {
    sample: ("0-3", "own", 1.0, "", ""),
}


@pytest.fixture(autouse=True)
def none_yet(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(answers, "ANSWERS", answers.Answers())


def test_the_first_pictures_of_a_model_are_drawn_once(offered):
    first = sample.draw(offered, *ASKED[sample])
    again = sample.draw(offered, *ASKED[sample])
    assert len(answers.ANSWERS.kept) == 1 and again == first
    sample.draw(offered, *ASKED[sample][:-1], "1")
    assert len(answers.ANSWERS.kept) == 2


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
    first[4].clear()
    assert len(sample.draw(offered, *ASKED[sample])[4]) == 4


def test_an_answer_whose_files_are_gone_or_old_is_made_anew(offered, monkeypatch):
    @answers.remembered
    def draw(model: str, seed: int) -> tuple[str, str]:
        path = image_files.new_folder() / f"{seed}.png"
        models.pil_images(models.load(model)(seeds=[seed]))[0].save(path)
        return "a sentence", str(path)

    first = draw(offered, 3)
    assert draw(offered, 3) == first
    Path(first[1]).unlink()
    second = draw(offered, 3)
    assert second != first and Path(second[1]).is_file()
    monkeypatch.setattr(answers, "LIFETIME", -1)
    assert draw(offered, 3) != second


def test_the_oldest_answers_make_room(offered, monkeypatch):
    monkeypatch.setattr(answers, "MOST", 2)
    for seeds in ("0", "1", "2"):
        sample.draw(offered, seeds, *ASKED[sample][1:])
    kept = list(answers.ANSWERS.kept)
    assert len(kept) == 2
    sample.draw(offered, "2", *ASKED[sample][1:])
    assert list(answers.ANSWERS.kept) == kept
    sample.draw(offered, "0", *ASKED[sample][1:])
    assert list(answers.ANSWERS.kept)[0] == kept[1]


def test_values_that_are_equal_and_not_the_same_are_told_apart(offered):
    sample.draw(offered, *ASKED[sample])
    with pytest.raises(Exception, match="Truncation is a number"):
        sample.draw(offered, "0-3", "own", True, "", "")

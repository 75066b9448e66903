"""Every input a visitor can send, good and bad."""

import gradio as gr
import pytest

from gan_hub.demo import inputs
from gan_hub.demo.inputs import BadInputError
from gan_hub.demo.texts import TEXTS
from gan_hub.latents import format_seeds
from gan_hub.model_folder.strict import LoadError

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", [7]),
        ("0-3", [0, 1, 2, 3]),
        ("3, 14, 15", [3, 14, 15]),
        ("3;14 15\n16", [3, 14, 15, 16]),
        (" 1 - 3 , 9 ", [1, 2, 3, 9]),
        ("5–6", [5, 6]),
        ("4294967295", [4294967295]),
        ("7, 7", [7, 7]),
    ],
)
def test_seeds_are_read_from_numbers_and_ranges(text, expected):
    assert inputs.seeds(text) == expected
    assert inputs.seeds(format_seeds(expected)) == expected


@pytest.mark.parametrize(
    "value",
    ["", " ", ",", "a", "1.5", "-1", "1e3", "0x10", "3-1", "1-2-3", "4294967296", "99999999999", "0-64", "0-4294967295"]
    + ["٣", "²", "1,,b", None, 7, NAN, True, ["1"], {"a": 1}, "1," * 600, "__import__('os')", "<script>"],
)
def test_bad_seeds_are_refused(value):
    with pytest.raises(BadInputError):
        inputs.seeds(value)


def test_seeds_are_counted_before_they_are_spelled_out():
    with pytest.raises(BadInputError, match="4294967296 seeds are given"):
        inputs.seeds("0-4294967295")
    with pytest.raises(BadInputError, match="2 to 16"):
        inputs.seeds("1", 2, 16)


@pytest.mark.parametrize("value", [NAN, INF, -INF, None, True, "0.5", [0.5], -0.01, 1.01, {}])
def test_a_number_is_finite_and_in_range(value):
    with pytest.raises(BadInputError, match="Truncation is a number from 0 to 1"):
        inputs.number(value, 0, 1, "Truncation")


def test_good_numbers_pass():
    assert inputs.number(0, 0, 1, "x") == 0.0 and inputs.number(1.0, 0, 1, "x") == 1.0
    assert inputs.integer(24.0, 2, 120, "x") == 24 and type(inputs.integer(24.0, 2, 120, "x")) is int


@pytest.mark.parametrize("value", [NAN, INF, None, True, "24", [24], 1, 121, 24.5, -3])
def test_a_whole_number_has_no_fraction(value):
    with pytest.raises(BadInputError, match="Frames is a whole number from 2 to 120"):
        inputs.integer(value, 2, 120, "Frames")


@pytest.mark.parametrize("value", [0, 1.0, "Star", ["star"], True, NAN, {"a": 1}, "x" * 2000])
def test_an_unknown_class_is_refused(value):
    with pytest.raises(BadInputError, match="no such class"):
        inputs.class_name(value, ["circle", "star"])


def test_leaving_the_class_to_the_seed_is_always_allowed():
    for value in ("own", None, ""):
        assert inputs.class_name(value, ["circle"]) is None and inputs.class_name(value, None) is None
    assert inputs.class_name("circle", ["circle"]) == "circle"
    with pytest.raises(BadInputError):
        inputs.class_name("circle", None)


@pytest.mark.parametrize("value", ["no", 1, 0, None, {}, NAN])
def test_a_switch_is_on_or_off(value):
    with pytest.raises(BadInputError):
        inputs.boolean(value, "x")


@pytest.mark.parametrize("value", [-1, 3, 1.0, True, None, "1", [1]])
def test_a_position_lies_within_the_gallery(value):
    with pytest.raises(BadInputError):
        inputs.position(value, 3)


@pytest.mark.parametrize("value", ["spline", None, 1, ["lerp"], True])
def test_a_choice_is_one_of_a_few(value):
    with pytest.raises(BadInputError, match="slerp, lerp"):
        inputs.choice(value, ["slerp", "lerp"], "Path")


def test_failures_become_one_sentence_without_markup_or_traceback(capsys):
    @inputs.with_error_toast
    def refuse(error):
        raise error

    with pytest.raises(gr.Error) as caught:
        refuse(ValueError("label <img src=x> is not allowed"))
    assert caught.value.message == "label &lt;img src=x&gt; is not allowed"
    with pytest.raises(gr.Error) as caught:
        refuse(LoadError("/srv/models/secret/config.json: torn"))
    assert "/srv" not in caught.value.message and "damaged" in caught.value.message
    assert "/srv/models/secret/config.json: torn" in capsys.readouterr().err
    with pytest.raises(gr.Error) as caught:
        refuse(KeyError("secret path /etc"))
    assert caught.value.message == "That did not work, and it is not your fault; the server&#x27;s log says why."
    assert "secret path" in capsys.readouterr().err


def test_both_languages_have_the_same_texts_with_the_same_gaps():
    import string

    gaps = {
        language: {
            key: {name for _, name, _, _ in string.Formatter().parse(text) if name} for key, text in texts.items()
        }
        for language, texts in TEXTS.items()
    }
    assert gaps["en"] == gaps["pt"]
    same = {text for key, text in TEXTS["en"].items() if text == TEXTS["pt"][key]}
    alike = {
        "{count} classes, ",
        "normal",
        "real",
        "Minimax",
        "Hinge",
        "WGAN-GP",
        "k",
        "R1",
        "Zoom",
        "16 pixels",
        "32 pixels",
    }
    assert same <= alike, "words that are the same in both languages"

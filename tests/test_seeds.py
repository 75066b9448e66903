"""Seeds as people write them: one parser for commands and page."""

import subprocess
import sys
from pathlib import Path

import pytest

from gan_hub import latents, seeds
from gan_hub.cli.arguments import seed_list
from gan_hub.demo import inputs
from gan_hub.seeds import MAX_SEED, WrongCountError, parse_seeds

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", [7]),
        ("0 1 2", [0, 1, 2]),
        ("0-3 7", [0, 1, 2, 3, 7]),
        ("0-3,7", [0, 1, 2, 3, 7]),
        ("0-3, 14 15", [0, 1, 2, 3, 14, 15]),
        ("1;2;3\n4", [1, 2, 3, 4]),
        (" 1 - 3 , 9, ", [1, 2, 3, 9]),
        ("1- 3", [1, 2, 3]),
        ("5–6", [5, 6]),
        ("5 — 6", [5, 6]),
        ("5−6 8", [5, 6, 8]),
        ("3\u00a04", [3, 4]),
        ("7, 7", [7, 7]),
        ("4294967295", [MAX_SEED]),
    ],
)
def test_seeds_are_told_apart_by_commas_and_blanks_and_never_glued(text, expected):
    assert parse_seeds(text) == expected == inputs.seeds(text)
    assert seed_list(1)(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ",",
        "a",
        "1.5",
        "1e3",
        "0x10",
        "-1",
        "3 -5",
        "3-1",
        "1-2-3",
        "1-",
        "4294967296",
        "12345678901",
        "٣",
        "²",
        "1..3",
    ],
)
def test_what_is_no_list_of_seeds_is_refused_with_what_would_be_one(text):
    with pytest.raises(
        ValueError, match='is not allowed; seeds are whole numbers from 0 to 4294967295, .* as in "0-15, 99"'
    ):
        parse_seeds(text)


def test_seeds_are_counted_before_they_are_spelled_out():
    with pytest.raises(WrongCountError, match="4294967296 seeds are not allowed; from 1 to 4096"):
        parse_seeds("0-4294967295")
    with pytest.raises(WrongCountError, match="1 seeds are not allowed; from 2 to 16"):
        parse_seeds("5", least=2, most=16)


def test_an_empty_text_is_a_list_where_none_may_be_given():
    assert parse_seeds("", least=0) == parse_seeds(" , ", least=0) == inputs.seeds("", 0, 5) == []
    assert parse_seeds("3", least=0) == [3]


def test_what_is_no_text_is_refused_in_the_same_words():
    with pytest.raises(ValueError, match="they are written"):
        parse_seeds([1, 2])


def test_the_largest_seed_has_one_home():
    assert latents.MAX_SEED is seeds.MAX_SEED
    sources = (ROOT / "gan_hub").rglob("*.py")
    assert [path.name for path in sources if "SEED = 2**32 - 1" in path.read_text(encoding="utf-8")] == ["seeds.py"]


def test_seeds_are_read_without_torch():
    code = "import sys; from gan_hub.seeds import parse_seeds; parse_seeds('0-3 7'); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")

"""Each tab links to the lesson that explains it, in the visitor's language, where it is known where the lessons are read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan_hub.demo import lessons
from gan_hub.demo.tabs import TABS
from gan_hub.demo.texts import TEXTS

ROOT = Path(__file__).parents[2]
SITE = {"GAN_HUB_SITE": "https://pages.example/gan_hub/"}
REPOSITORY = {"GAN_HUB_REPOSITORY": "https://github.com/someone/gan_hub.git"}


def test_every_tab_has_a_lesson_that_is_there_in_both_languages():
    assert set(lessons.LESSONS) == set(TABS)
    for lesson in lessons.LESSONS.values():
        for language in TEXTS:
            assert (ROOT / "docs" / "lessons" / language / f"{lesson}.ipynb").is_file()


def test_a_lesson_is_read_on_the_site_else_in_the_repository_else_nowhere():
    assert lessons.addresses("02-the-game", SITE | REPOSITORY) == {
        "en": "https://pages.example/gan_hub/lessons/02-the-game/",
        "pt": "https://pages.example/gan_hub/pt/lessons/02-the-game/",
    }
    inside = "https://github.com/someone/gan_hub/blob/main/docs/lessons"
    assert lessons.addresses("02-the-game", REPOSITORY) == {
        "en": f"{inside}/en/02-the-game.ipynb",
        "pt": f"{inside}/pt/02-the-game.ipynb",
    }
    assert lessons.addresses("02-the-game", {}) == {}


@pytest.mark.parametrize("address", ["pages.example", "javascript:alert(1)", "https://a)b", "https://a b", ""])
def test_what_is_no_address_gives_no_link(address):
    assert lessons.addresses("02-the-game", {"GAN_HUB_SITE": address, "GAN_HUB_REPOSITORY": address}) == {}


@pytest.mark.parametrize("environment, links", [(SITE, len(TABS)), ({}, 0)], ids=["known", "unknown"])
def test_the_page_has_a_link_a_tab_where_the_address_is_known_and_none_where_it_is_not(environment, links):
    program = """
from gan_hub.demo.app import compose
from gan_hub.demo.texts import TEXTS
components = compose().get_config_file()["components"]
print(sum("~lesson_" in str(component["props"].get("value")) for component in components))
print(TEXTS["pt"].get("lesson_game", ""))
"""
    bare = {name: value for name, value in os.environ.items() if name not in SITE | REPOSITORY}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=bare | environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    count, link = done.stdout.split("\n")[:2]
    assert (int(count), bool(link)) == (links, bool(links)), done.stderr
    assert not links or link.endswith("(https://pages.example/gan_hub/pt/lessons/03-the-optimal-discriminator/)")

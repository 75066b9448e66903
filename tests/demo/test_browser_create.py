"""Painting and looking for a picture in a real Chromium: pointer and keys, undo, links, a file that stays in the browser."""

import re

import numpy as np
import pytest
from PIL import Image

from tests.demo.conftest import Tab
from tests.demo.test_browser import LEAKS, PHONE, expect_text

pytestmark = pytest.mark.browser
PAINTED = "#paint-picture img"


@pytest.fixture
def open_tab(browser, server):
    """Opens windows; when the test is over none of them may have logged an error or shown a raw text key."""
    tabs = []

    def open_page(model: str, query: str = "", **options) -> Tab:
        tabs.append(Tab(browser, server.url, model, query, **options))
        return tabs[-1]

    yield open_page
    # A page that is left while it listens breaks off its stream, which Gradio's front end logs.
    left = ("AbortError", "Unexpected error Connection errored out")
    wrong = [message for tab in tabs for message in tab.wrong if not message.startswith(left)]
    leaks = [leak for tab in tabs for leak in tab.page.evaluate(LEAKS)]
    for tab in tabs:
        tab.context.close()
    assert not wrong and not leaks


def changed(page, before: str) -> str:
    """The picture, once it is another than `before`."""
    page.wait_for_function("([css, old]) => document.querySelector(css)?.src !== old", arg=[PAINTED, before])
    return page.locator(PAINTED).get_attribute("src")


def test_a_facade_is_painted_with_pointer_and_keys_and_its_link_brings_it_back(open_tab):
    tab = open_tab("spade-facades")
    page = tab.open("paint")
    first = page.locator(PAINTED).get_attribute("src")
    page.locator(".painter button[data-tool=rectangle]").click()
    page.get_by_role("button", name="shop").click()
    canvas = page.locator(".painter canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.6 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.9 * box["height"], steps=4)
    page.mouse.up()
    painted = changed(page, first)
    page.wait_for_function("location.search.includes('map=')")
    link = page.url
    tab.shoot("paint")
    inks = page.locator("#paint-picture .save").evaluate_all(
        "links => links.map((link) => [getComputedStyle(link).color, getComputedStyle(link).backgroundColor])"
    )
    assert len(inks) == 2 and all(ink != ground for ink, ground in inks), "another tab's style would hide the words"

    page.locator(".painter").get_by_role("button", name=re.compile("Undo")).click()
    assert changed(page, painted) == first
    page.locator(".painter").get_by_role("button", name=re.compile("Redo")).click()
    assert changed(page, first) == painted

    canvas.focus()
    for key in ("+", "f", "Space"):  # what was painted last becomes sky, the class after the last one
        page.keyboard.press(key)
    filled = changed(page, painted)
    page.keyboard.press("Control+z")
    assert changed(page, filled) == painted
    page.locator("#paint-seed textarea, #paint-seed input").fill("12")
    page.keyboard.press("Enter")
    other = changed(page, painted)
    page.locator("#paint-from-seed").click()
    changed(page, other)
    expect_text(page, "#tab-paint .note-line", "with its own map")

    tab.drawn("paint")  # a call that is under way would be cut off, which the browser logs
    page.goto(link)
    page.wait_for_selector(PAINTED)
    assert page.locator(PAINTED).get_attribute("src") == painted


def test_painting_fits_a_phone_in_portuguese(open_tab):
    tab = open_tab("spade-facades", "&__theme=dark", viewport=PHONE, locale="pt-BR")
    page = tab.open("paint")
    page.wait_for_selector(PAINTED)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.shoot("paint-phone-dark-pt")


def test_a_picture_of_ones_own_is_looked_for_and_its_file_is_never_sent(open_tab, playable, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 500, 3), np.uint8)).save(tmp_path / "mine.png")
    tab = open_tab(playable.name)
    page = tab.open("yours")
    page.wait_for_selector("#yours-result img")
    sent = []
    page.on("request", lambda request: sent.append((request.url, len(request.post_data or ""))))
    page.locator("#yours-find-seed").click()
    page.locator("#tab-yours .note-line", has_text=re.compile("Found|As near")).wait_for(timeout=60_000)
    assert page.locator("#yours-result img").count() == 2
    tab.shoot("yours")

    page.locator("#yours-picture input[type=file]").set_input_files(tmp_path / "mine.png")
    page.wait_for_selector("#yours-picture canvas")
    page.locator("#yours-find").click()
    page.locator("#tab-yours .note-line", has_text="Step").wait_for()
    page.locator("#yours-stop").click()
    assert max(size for _, size in sent) < 10_000 and not any("/upload" in url for url, _ in sent)

"""The tabs of those who learn, in a real Chromium: a whole game by keys, and a training on its slider."""

import contextlib
import re
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.demo.conftest import ARTEFACTS, DESKTOP, PATIENCE

pytestmark = pytest.mark.browser
CUT_OFF = re.compile("AbortError|Connection errored out")  # what Gradio says of a call that a reload cuts off
UNDECIDED = ".card:not(.answer):not(.other)"


@contextlib.contextmanager
def window(browser, server, query: str, viewport=DESKTOP, locale="en-US", reloads: bool = False):
    """A window on the page, in which nothing may be logged as an error or fetched outside; a reload may cut calls off."""
    context = browser.new_context(viewport=viewport, locale=locale, accept_downloads=True)
    page, wrong = context.new_page(), []
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda request: (
            wrong.append(request.url)
            if urlsplit(request.url).hostname not in ("127.0.0.1", None)
            and not request.url.startswith(("data:", "blob:"))
            else None
        ),
    )
    page.goto(f"{server.url}/?{query}")
    yield page
    ARTEFACTS.mkdir(exist_ok=True)
    name = re.sub(r"\W+", "-", query.split("&model")[0])
    page.screenshot(path=ARTEFACTS / f"page-{name}-{locale}.png", full_page=True)
    context.close()
    assert not [said for said in wrong if not (reloads and CUT_OFF.search(said))]


def text(page, selector: str, expected: str):
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.innerText.includes(text)", arg=[selector, expected]
    )


def press_and_wait(page, key: str, selector: str) -> float:
    """Press a key wherever the focus is, and wait; where the buttons stand then."""
    page.keyboard.press(key)
    page.wait_for_selector(selector)
    return page.locator("#pick-left").bounding_box()["y"] + page.evaluate("scrollY")


def test_ten_rounds_by_keys_right_after_the_tab_was_clicked(browser, server, tmp_path):
    with window(browser, server, "tab=watch&model=dcgan-mnist", reloads=True) as page:
        page.wait_for_selector(".film")
        page.locator("#tab-game-button").click()
        page.wait_for_selector(UNDECIDED)
        places = {press_and_wait(page, "ArrowLeft", ".card.answer")}
        text(page, "[data-score=rounds]", "1/10")
        places.add(press_and_wait(page, "w", ".heat"))
        for number in range(2, 11):
            places.add(press_and_wait(page, "n", UNDECIDED))
            assert page.evaluate("document.activeElement.tagName") != "BODY" or number == 2  # the focus is not lost
            places.add(press_and_wait(page, "ArrowRight", ".card.answer"))
            if number == 4:
                page.reload()
                text(page, "[data-score=rounds]", "4/10")
                page.wait_for_selector(".card.answer")
        assert len(places) <= 2  # before and after the reload, which scrolls
        page.keyboard.press("n")
        page.wait_for_selector(".sheet")
        assert page.locator(".sheet figure").count() == 10 and not page.locator("#pick-left").is_visible()
        with page.expect_download() as download:
            page.locator("[data-sheet-do=save]").click()
        download.value.save_as(tmp_path / "sheet.png")
        with Image.open(tmp_path / "sheet.png") as sheet:
            assert sheet.width == 1080 and sheet.height > 1080 and len(sheet.convert("RGB").getcolors(2**20)) > 50
        page.locator("[data-sheet-do=again]").click()
        page.wait_for_selector(UNDECIDED)
        text(page, "[data-score=rounds]", "0/10")
        best = page.locator("[data-score=best]").inner_text()
        page.locator("#todays-ten").click()
        page.wait_for_function("location.search.includes('day=')")
        page.wait_for_selector(UNDECIDED)
        page.locator("#game-level label").last.click()
        page.wait_for_function("location.search.includes('difficulty=hard')")
        page.wait_for_function("document.activeElement.matches('.pair')")
        press_and_wait(page, "ArrowLeft", ".card.answer")  # a pick, and no other difficulty
        text(page, "[data-score=rounds]", "1/10")
        assert int(page.locator("[data-score=best]").inner_text()) >= int(best)


def test_a_training_on_its_slider_in_portuguese_on_a_phone(browser, server):
    viewport = {"width": 390, "height": 844}
    query = "tab=watch&model=dcgan-mnist&frame=3&__theme=dark"
    with window(browser, server, query, viewport, "pt-BR") as page:
        text(page, ".watch output", "depois de 3.776 imagens")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        slider = page.locator(".watch input[type=range]")
        cursor = page.locator(".cursor").first
        before = float(cursor.get_attribute("x1"))
        slider.focus()
        page.keyboard.press("End")
        text(page, ".watch output", "depois de 500.032 imagens")
        page.wait_for_function("location.search.includes('frame=24')")
        assert (
            float(cursor.get_attribute("x1")) > before
            and slider.get_attribute("aria-valuetext") == "depois de 500.032 imagens"
        )
        page.keyboard.press("Home")
        page.locator("[data-watch-play]").click()
        page.wait_for_function("document.querySelector('.watch input[type=range]').value >= 3")
        page.locator("[data-watch-play]").click()  # pause
        assert page.locator("[data-watch-play]").get_attribute("aria-pressed") == "false"
        page.wait_for_function("!location.search.includes('frame=1&') && location.search.includes('tab=watch')")

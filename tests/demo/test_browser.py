"""Each tab used once in a real Chromium, with a screenshot kept; nothing may be logged as an error or fetched outside."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from gan_hub.demo.texts import TEXTS
from tests.demo.conftest import Tab

pytestmark = pytest.mark.browser
SEEDS = "#sample-seeds textarea, #sample-seeds input"
PHONE = {"width": 390, "height": 844}
LEAKS = """() => [document.body, ...document.querySelectorAll("body *")]
    .filter(node => !["SCRIPT", "STYLE"].includes(node.tagName))
    .filter(node => [...node.childNodes].some(child => child.nodeType === 3 && child.data.includes("__i18n__"))
        || [...node.attributes].some(attribute => attribute.value.includes("__i18n__")))
    .map(node => node.outerHTML.slice(0, 200))"""


@pytest.fixture
def visit(browser, server, shown_model):
    """Opens windows; when the test is over none of them may have logged an error or shown a raw text key."""
    tabs = []

    def open_page(query: str = "", **options) -> Tab:
        tabs.append(Tab(browser, server.url, shown_model, query, **options))
        return tabs[-1]

    yield open_page
    wrong = [message for tab in tabs for message in tab.wrong]
    leaks = [leak for tab in tabs for leak in tab.page.evaluate(LEAKS)]
    for tab in tabs:
        tab.context.close()
    assert not wrong and not leaks


def expect_text(page, selector: str, text: str):
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.innerText.includes(text)", arg=[selector, text]
    )


def test_sample(visit, shown_model, tmp_path):
    tab = visit()
    page = tab.page
    pictures = page.locator("#sample-gallery .thumbnail-item")
    assert pictures.count() == 16
    expect_text(page, ".chosen", "seed 0")
    pictures.nth(7).click()
    expect_text(page, ".chosen", "seed 7")
    assert page.locator(".chosen img").evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"
    tab.shoot("sample")

    with page.expect_download() as download:
        page.get_by_text("This picture (PNG)").click()
    assert download.value.suggested_filename.startswith(shown_model)
    download.value.save_as(tmp_path / "seed.png")
    with Image.open(tmp_path / "seed.png") as image:
        assert image.text["seed"] == "7" and image.text["model"] == shown_model

    page.locator(SEEDS).fill("3, 14")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('#sample-gallery .thumbnail-item').length == 2")
    page.wait_for_function("location.search.includes('seeds=3,14')")
    shown = {"tab": ["sample"], "model": [shown_model], "seeds": ["3,14"], "truncation": ["1"]}
    assert parse_qs(urlsplit(page.url).query) == shown

    page.locator(SEEDS).fill("0-9999")
    page.get_by_role("button", name="Generate").click()
    page.get_by_text("10000 seeds are given; 1 to 64 are allowed here.").wait_for()
    assert pictures.count() == 2


def test_a_link_reproduces_the_pictures(visit):
    first = visit("&seeds=3,14&truncation=0.5").page
    second = visit("&seeds=3,14&truncation=0.5").page
    sources = [
        [
            page.evaluate("async url => btoa(await (await fetch(url)).text().then(encodeURIComponent))", url)
            for url in urls
        ]
        for page in (first, second)
        for urls in [[image.get_attribute("src") for image in page.locator("#sample-gallery img").all()]]
    ]
    assert len(sources[0]) == 2 and sources[0] == sources[1]
    assert first.locator(SEEDS).input_value() == "3, 14"
    second.get_by_role("button", name=re.compile("New seeds")).click()
    second.wait_for_function("!location.search.includes('3,14') && !location.search.includes('3%2C14')")
    assert second.locator("#sample-gallery .thumbnail-item").count() == 2


def test_interpolate(visit, tmp_path):
    tab = visit()
    page = tab.open("interpolate")
    page.locator("#walk-seeds textarea, #walk-seeds input").fill("1, 5")
    page.get_by_role("button", name="Walk", exact=True).click()
    page.get_by_text("48 frames from seed to seed: 1 → 5 → 1").wait_for()
    page.wait_for_timeout(300)  # so that the screenshot has the new pictures
    tab.shoot("interpolate")
    with page.expect_download() as download:
        page.get_by_text("Animation (WebP, lossless)").click()
    download.value.save_as(tmp_path / "walk.webp")
    with Image.open(tmp_path / "walk.webp") as film:
        assert film.n_frames == 48


def test_arithmetic(visit):
    tab = visit()
    page = tab.open("arithmetic")
    expect_text(page, "#pool", "0 A")
    assert page.locator("#equation .nine img").count() == 9
    page.get_by_role("button", name="Empty the groups").click()
    expect_text(page, "#equation", "at least one picture")
    for group, places in (("A", (0, 1, 2)), ("B", (3,)), ("C", (4, 5))):
        page.locator("#active-group").get_by_text(group, exact=True).click()
        for place in places:
            page.locator("#pool .thumbnail-item").nth(place).click()
            expect_text(page, "#pool", f"{place} {group}")
    page.wait_for_function("document.querySelectorAll('#equation .nine img').length == 9")
    page.wait_for_function("document.querySelectorAll('#equation .few img').length == 6")
    tab.shoot("arithmetic")
    page.locator("#pool .thumbnail-item").nth(5).click()  # the same picture again: out it goes
    page.wait_for_function("document.querySelectorAll('#equation .few img').length == 5")
    page.get_by_role("button", name=re.compile("Surprise me")).click()
    page.wait_for_function("document.querySelectorAll('#equation .few img').length == 9")


def test_a_concept_fills_two_groups_and_moves_the_samples_where_the_model_has_some(browser, server, playable):
    tab = Tab(browser, server.url, playable.name)
    page = tab.page
    page.locator("#sample-concept input").click()
    page.get_by_role("option", name="leaning over").click()
    page.wait_for_function("location.search.includes('concept=leaning')")
    assert page.locator("#sample-strength").is_visible()
    page.wait_for_timeout(300)  # so that the screenshot has the new pictures
    tab.shoot("sample-concept")
    tab.open("arithmetic")
    page.locator("#fill-concept input").click()
    page.get_by_role("option", name="thick").click()
    page.wait_for_function("document.querySelectorAll('#equation .few img').length == 10")
    expect_text(page, "#pool", "4 B")
    tab.shoot("arithmetic-concept")
    assert not tab.wrong and not page.evaluate(LEAKS)
    tab.context.close()


def test_game_with_keys_and_buttons_and_a_score_of_its_own(visit):
    tab, other = visit(), visit()
    page = tab.open("game")
    page.wait_for_selector(".pair")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(".card.real")
    assert re.search("Correct|Wrong", page.locator(".verdict").inner_text())
    assert "The discriminator took the" in page.locator(".verdict").inner_text()
    expect_text(page, "[data-score=rounds]", "1")
    page.keyboard.press("n")
    page.wait_for_selector(".card:not(.real):not(.fake)")
    page.locator("#pick-right").click()
    expect_text(page, "[data-score=rounds]", "2")
    tab.shoot("game")

    others = other.open("game")
    others.wait_for_selector(".pair")
    assert others.locator("[data-score=rounds]").inner_text() == "0"
    others.locator(".half.left").click()
    expect_text(others, "[data-score=rounds]", "1")
    assert page.locator("[data-score=rounds]").inner_text() == "2"
    page.locator("#start-over").click()
    expect_text(page, "[data-score=rounds]", "0")


def test_portuguese_dark_and_on_a_phone(visit):
    tab = visit("&__theme=dark", viewport=PHONE, locale="pt-BR")
    page = tab.page
    assert page.evaluate("document.documentElement.lang").startswith("pt")
    expect_text(page, "#head", TEXTS["pt"]["title"].removeprefix("# "))
    expect_text(page, ".chosen", "semente 0")
    for name in ("sample", "interpolate", "arithmetic", "game"):
        tab.open(name)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert page.evaluate(LEAKS) == []
    page.wait_for_selector(".pair")
    page.locator("#pick-left").click()
    page.wait_for_selector(".card.real")
    assert re.search("Certo|Errado", page.locator(".verdict").inner_text())
    tab.shoot("game-phone-dark-pt")

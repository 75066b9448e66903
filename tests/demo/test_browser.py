"""Each tab used once in a real Chromium, with a screenshot kept; nothing may be logged as an error or fetched outside."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from PIL.ExifTags import TAGS

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
    keyframes = page.locator(".stop[data-index]")
    page.wait_for_selector("#walk-player canvas")
    assert keyframes.count() == 3 and page.locator("#walk-player .play").inner_text() == "Pause"

    for _ in range(3):  # faster than the answers come
        page.locator("#walk-add").click()
    page.wait_for_function("document.querySelectorAll('.stop[data-index]').length == 6")
    keyframes.nth(0).locator(".picture").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_function("document.querySelectorAll('.stop[data-index]')[1].dataset.seed == '3'")
    assert page.evaluate("document.activeElement.closest('.stop').dataset.seed") == "3", "the focus goes along"
    page.keyboard.press("Delete")
    page.wait_for_function("document.querySelectorAll('.stop[data-index]').length == 5")

    page.locator("#walk-player .scrub").focus()
    before = int(page.locator("#walk-player .at").inner_text().split(" / ")[0])
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect_text(page, "#walk-player .at", "2 / 48")
    assert before and page.locator("#walk-player .play").inner_text() == "Play", "who looks closely stops the film"
    assert page.locator("#walk-player .marker").get_attribute("x1") == "1"
    assert "grey levels" in page.locator("#walk-player svg").get_attribute("aria-label")
    painted = (
        "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(value => value)"
    )
    assert page.locator("#walk-player canvas").evaluate(painted)
    tab.shoot("interpolate")

    with page.expect_download() as download:
        page.locator("#save-walk").click()
    download.value.save_as(tmp_path / "walk.webp")
    with Image.open(tmp_path / "walk.webp") as film:
        assert film.n_frames == 48 and "ImageDescription" in {TAGS.get(tag) for tag in film.getexif()}
    page.locator("#walk-player").evaluate("node => node.scrollIntoView()")
    address = page.url
    page.reload()
    page.wait_for_selector("#walk-player canvas")
    assert keyframes.count() == 5 and page.url == address


def test_a_film_stands_still_for_those_who_asked_for_less_motion(browser, server, shown_model):
    tab = Tab(browser, server.url, shown_model, reduced_motion="reduce")
    page = tab.open("interpolate")
    page.wait_for_selector("#walk-player canvas")
    expect_text(page, "#walk-player .at", "1 / 48")
    assert page.locator("#walk-player .play").inner_text() == "Play"
    page.locator("#walk-player .play").click()
    page.wait_for_function("!document.querySelector('#walk-player .at').innerText.startsWith('1 /')")
    tab.context.close()


def test_arithmetic(visit, tmp_path):
    tab = visit()
    page = tab.open("arithmetic")
    page.wait_for_selector("#equation .nine img")
    assert (
        page.locator("#equation .few button").count() == 9 and page.locator(".presets [aria-pressed=true]").count() == 1
    )
    page.get_by_role("button", name="Empty the groups").click()
    expect_text(page, "#equation", "at least one picture")
    assert page.locator("#save-sum").is_disabled() and page.get_by_text("when no group is empty").is_visible()

    for key, group, places in (("1", "A", (0, 1, 2)), ("2", "B", (3,)), ("3", "C", (4, 5))):
        page.keyboard.press(key)
        assert page.locator(f"#equation [data-group={group}] .letter").get_attribute("aria-pressed") == "true"
        for place in places:  # faster than the answers come
            page.locator("#pool .picture").nth(place).click()
    page.wait_for_function("document.querySelectorAll('#equation .few button').length == 6")
    page.wait_for_selector("#equation .nine img")
    expect_text(page, "#pool .picture:nth-child(4)", "B")
    assert page.locator("#pool [aria-pressed=true]").count() == 6
    tab.shoot("arithmetic")

    page.locator("#pool .picture").nth(5).click()  # the same picture again: out it goes
    page.wait_for_function("document.querySelectorAll('#equation .few button').length == 5")
    page.locator("#equation [data-group=A] .few button").first.click()
    page.wait_for_function("document.querySelectorAll('#equation .few button').length == 4")
    page.locator("#pool .picture").nth(6).drag_to(page.locator("#equation [data-group=B]"))
    page.wait_for_function("document.querySelectorAll('#equation [data-group=B] .few button').length == 2")
    with page.expect_download() as download:
        page.locator("#save-sum").click()
    download.value.save_as(tmp_path / "sum.png")
    with Image.open(tmp_path / "sum.png") as picture:
        assert picture.text["formula"] == "mean(A) - mean(B) + mean(C)" and picture.width % 4 == 0
    page.locator("#presets button").first.click()
    page.wait_for_function("document.querySelectorAll('#equation .few button').length == 9")


def test_a_concept_moves_the_samples_where_the_model_has_some(browser, server, playable):
    tab = Tab(browser, server.url, playable.name)
    page = tab.page
    page.locator("#sample-concept input").click()
    page.get_by_role("option", name="leaning over").click()
    page.wait_for_function("location.search.includes('concept=leaning')")
    assert page.locator("#sample-strength").is_visible()
    page.wait_for_timeout(300)  # so that the screenshot has the new pictures
    tab.shoot("sample-concept")
    assert not tab.wrong and not page.evaluate(LEAKS)
    tab.context.close()


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
    page.wait_for_selector(".card.answer")
    assert re.search("Certo|Errado", page.locator(".verdict").inner_text())
    tab.shoot("game-phone-dark-pt")

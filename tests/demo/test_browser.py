"""Each tab used once in a real Chromium, with a screenshot kept; nothing may be logged as an error or fetched outside."""

import re
import zipfile
from pathlib import Path

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


def saved(page, press, folder) -> Path:
    """The file that a press of something downloads."""
    with page.expect_download() as download:
        press()
    download.value.save_as(folder / download.value.suggested_filename)
    return folder / download.value.suggested_filename


def test_sample_its_large_view_and_the_shelf(visit, shown_model, tmp_path):
    tab = visit()
    page = tab.page
    pictures = page.locator("#sample-gallery .picture")
    assert pictures.count() == 16
    tab.shoot("sample")
    pictures.nth(7).click()
    expect_text(page, "#large-caption", "seed 7")
    page.wait_for_function("location.search.includes('chosen=7')")
    image = page.locator(".large-view > img").first
    page.wait_for_function("document.querySelector('.large-view > img').getBoundingClientRect().width > 300")
    assert image.evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"
    page.keyboard.press("ArrowRight")
    expect_text(page, "#large-caption", "seed 8")

    original = saved(page, lambda: page.locator("[data-times='1']").click(), tmp_path)
    larger = saved(page, lambda: page.locator("[data-times='4']").click(), tmp_path)
    assert original.name.startswith(shown_model) and larger.name == original.name.replace(".png", "-x4.png")
    with Image.open(original) as small, Image.open(larger) as large:
        assert small.text["seed"] == "8" and small.text["model"] == shown_model and large.text == small.text
        exact = small.convert("RGB").resize((4 * small.width, 4 * small.height), Image.Resampling.NEAREST)
        assert large.convert("RGB").tobytes() == exact.tobytes()

    page.locator(".large .vary").click()
    page.wait_for_function("document.querySelectorAll('.large .pictures img').length == 8")
    page.locator(".large .pictures button").nth(2).click()
    expect_text(page, "#large-caption", "variation 3 of seed 8")
    tab.shoot("sample-large")
    page.locator(".large .keep").click()
    page.wait_for_function("document.querySelectorAll('#shelf li').length == 1")
    page.keyboard.press("Escape")
    page.wait_for_function("!document.querySelector('dialog.large').open && !location.search.includes('chosen')")
    page.go_back()
    page.wait_for_function("document.querySelector('dialog.large').open")
    page.keyboard.press("Escape")

    archive = saved(page, lambda: page.locator("#sample-download").click(), tmp_path)
    with zipfile.ZipFile(archive) as file:
        assert file.testzip() is None and len(file.namelist()) == 16
    page.reload()
    page.wait_for_selector("#shelf li img")
    page.locator("#shelf li .away").click()
    page.wait_for_function("document.querySelectorAll('#shelf li').length == 0")


def test_the_form_of_sample_draws_at_once_and_keeps_the_pictures_where_it_is_wrong(visit):
    tab = visit()
    page = tab.page
    pictures = page.locator("#sample-gallery .picture")
    page.locator(SEEDS).fill("3, 14")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('#sample-gallery .picture').length == 2")
    page.wait_for_function("location.search.includes('seeds=3,14')")
    concept = page.locator("#sample-concepts input").first
    concept.focus()
    before = pictures.first.locator("img").get_attribute("src")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("location.search.includes('concepts=brightness')")
    page.wait_for_function("(before) => document.querySelector('#sample-gallery img').src != before", arg=before)
    page.locator(SEEDS).fill("0-9999")
    page.locator("#sample-generate").click()
    page.get_by_text("10000 seeds are given; 1 to 64 are allowed here.").wait_for()
    assert pictures.count() == 2 and page.locator("#sample-seeds [aria-invalid=true]").count() == 1
    page.wait_for_timeout(1100)  # a step that follows within a second is none of its own
    page.locator("#sample-reroll").click()
    page.wait_for_function("!location.search.includes('seeds=3,14')")
    page.go_back()  # undoes it
    page.wait_for_function("location.search.includes('seeds=3,14')")
    expect_text(page, "#sample-gallery", "seed 14")


def test_a_picture_is_sent_to_other_tabs_without_loading_the_page_anew(visit, shown_model):
    page = visit("&seeds=3,14,15").page
    page.evaluate("window.isSamePage = true")
    page.locator("#sample-gallery .picture").nth(1).click()
    page.locator(".large").get_by_role("button", name="Arithmetic B").click()
    page.wait_for_function("location.search.includes('tab=arithmetic') && location.search.includes('b=14')")
    page.wait_for_selector("#tab-arithmetic-button[aria-selected=true]")
    page.go_back()
    page.wait_for_function("document.querySelector('dialog.large').open")
    page.locator(".large").get_by_role("button", name="Interpolate").click()
    page.wait_for_function("location.search.includes('tab=interpolate') && location.search.includes('14')")
    assert page.evaluate("window.isSamePage")


def test_the_cards_choose_a_model_by_click_and_by_keys(visit, shown_model):
    tab = visit()
    page = tab.page
    radios = page.locator("#model [role=radio]")
    assert page.locator("#model [aria-checked=true]").get_attribute("data-model") == shown_model
    page.wait_for_selector("#opening .film")
    page.locator("#opening button").click()
    assert (
        page.locator("#opening .film").first.evaluate("film => getComputedStyle(film).animationPlayState") == "paused"
    )
    page.locator("#model [aria-checked=true]").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("(old) => !location.search.includes('model=' + old)", arg=shown_model)
    chosen = page.evaluate("document.activeElement.dataset.model")
    assert page.evaluate("document.activeElement.getAttribute('aria-checked')") == "true" and chosen != shown_model
    count = radios.count()
    page.locator("#model .more").click()
    assert radios.count() > count
    radios.last.click()
    name = radios.last.get_attribute("data-model")
    page.wait_for_function("(name) => location.search.includes('model=' + name)", arg=name)
    page.wait_for_function("(name) => ganHub.model() === name", arg=name)
    assert page.locator("#model [aria-checked=true]").get_attribute("data-model") == name


def test_the_plane_follows_the_finger_and_the_keys_and_is_drawn_exactly_where_one_stops(visit):
    tab = visit()
    page = tab.open("explore")
    page.wait_for_selector("#explore-plane .sheet")
    page.wait_for_function("document.querySelector('.plane-more:not([disabled])')")
    box = page.locator(".square").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.7 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.3 * box["height"], steps=8)
    page.mouse.up()
    page.wait_for_function("location.search.includes('x=0.8') && location.search.includes('y=0.3')")
    page.locator(".square").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("location.search.includes('x=0.75')")
    assert page.locator(".square").get_attribute("aria-valuetext") == "75 % across, 30 % down"
    page.wait_for_function("document.querySelector('.plane-more:not([disabled])')")
    tab.shoot("explore")
    corners = page.locator("#explore-corners textarea, #explore-corners input")
    before = corners.input_value()
    page.locator(".corners button").nth(1).click()
    page.wait_for_function(
        "(old) => document.querySelector('#explore-corners textarea, #explore-corners input').value != old", arg=before
    )
    assert corners.input_value().split(", ")[0] == before.split(", ")[0]


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


def test_a_concept_fills_two_groups_where_the_model_has_some(browser, server, playable):
    tab = Tab(browser, server.url, playable.name)
    page = tab.page
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
    page.mouse.click(5, 5)  # the focus leaves the row of tabs, where arrows change the tab
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
    expect_text(page, "#sample-gallery", "semente 0")
    expect_text(page, "#model", "Gatos, 64 px")
    for name in ("#sample-generate", "#sample-reroll"):  # within reach of the thumb
        place = page.locator(name).bounding_box()
        assert place["y"] + place["height"] <= PHONE["height"] and place["y"] > PHONE["height"] / 2
    for name in ("sample", "explore", "interpolate", "arithmetic", "game"):
        tab.open(name)
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert page.evaluate(LEAKS) == []
    page.wait_for_selector(".pair")
    page.locator("#pick-left").click()
    page.wait_for_selector(".card.real")
    assert re.search("Certo|Errado", page.locator(".verdict").inner_text())
    tab.shoot("game-phone-dark-pt")

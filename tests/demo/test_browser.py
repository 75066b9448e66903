"""Each tab used once in a real Chromium, with a screenshot kept; nothing may be logged as an error or fetched outside."""

import re
import zipfile
from pathlib import Path

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
    page.wait_for_timeout(1100)  # a step that follows within a second is none of its own
    page.keyboard.press("Escape")
    page.wait_for_function("!document.querySelector('dialog.large')?.open && !location.search.includes('chosen')")
    page.go_back()
    page.wait_for_function("document.querySelector('dialog.large')?.open")
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
    page.wait_for_function("document.querySelector('dialog.large')?.open")
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

    # The player is another one with each answer, and the answer writes the address.
    page.wait_for_function("new URLSearchParams(location.search).get('seeds').split(',').length == 5")
    tab.drawn("interpolate")
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


def drag_to_group(page, picture, group: str):
    """Drag a picture of the pool into a group that is out of sight when the drag begins."""
    page.evaluate("scrollBy(0, document.getElementById('equation').getBoundingClientRect().bottom)")
    place = picture.bounding_box()
    page.mouse.move(place["x"] + 20, place["y"] + 20)
    page.mouse.down()
    page.mouse.move(place["x"] + 40, place["y"] + 30, steps=3)
    page.wait_for_selector("#equation.awaits")
    there = page.locator(f"#equation [data-group={group}]").bounding_box()
    page.mouse.move(there["x"] + 60, there["y"] + 60, steps=3)
    page.mouse.up()


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
    drag_to_group(page, page.locator("#pool .picture").nth(6), "B")
    page.wait_for_function("document.querySelectorAll('#equation [data-group=B] .few button').length == 2")
    assert page.locator("#equation.awaits").count() == 0
    with page.expect_download() as download:
        page.locator("#save-sum").click()
    download.value.save_as(tmp_path / "sum.png")
    with Image.open(tmp_path / "sum.png") as picture:
        assert picture.text["formula"] == "mean(A) - mean(B) + mean(C)" and picture.width % 4 == 0
    page.locator("#presets button").first.click()
    page.wait_for_function("document.querySelectorAll('#equation .few button').length == 9")


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
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert page.evaluate(LEAKS) == []
    page.wait_for_selector(".pair")
    page.locator("#pick-left").click()
    page.wait_for_selector(".card.answer")
    assert re.search("Certo|Errado", page.locator(".verdict").inner_text())
    tab.shoot("game-phone-dark-pt")

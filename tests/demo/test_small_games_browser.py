"""The tabs "Two dimensions" and "Train one" walked through in a real Chromium."""

import re
import zipfile

import pytest

from gan_hub.demo.texts import TEXTS
from tests.demo.conftest import Tab

pytestmark = pytest.mark.browser


@pytest.fixture
def learn(browser, server, shown_model):
    """Opens the page on a tab of the second level; nothing may be logged as an error or fetched outside."""
    tabs = []

    def open_tab(name: str, **options):
        tab = Tab(browser, server.url, shown_model, **options)
        tabs.append(tab)
        tab.page.locator("#level-learn-button").click()
        tab.page.locator(f"#tab-{name}-button").click()
        return tab

    yield open_tab
    wrong = [message for tab in tabs for message in tab.wrong]
    for tab in tabs:
        tab.context.close()
    assert not wrong


def steps(page) -> int:
    return int(page.locator("[data-figure=plane_steps]").inner_text())


def test_a_game_in_the_plane_runs_pauses_changes_and_is_linked_to(learn):
    tab = learn("plane")
    page = tab.page
    page.wait_for_selector("#plane-numbers .data-row")
    assert steps(page) == 0
    page.locator("#plane-collapse").click()
    page.wait_for_function("Number(document.querySelector('[data-figure=plane_steps]').innerText) > 100")
    page.get_by_text("rushes to the one place").wait_for()
    page.locator("#plane-cure").click()
    page.wait_for_function("location.search.includes('r1=0.05')")
    page.locator("#plane-pause").click()
    page.wait_for_timeout(1500)
    before = steps(page)
    page.wait_for_timeout(1000)
    assert steps(page) == before > 100
    page.locator("#plane-step").click()
    page.wait_for_function(f"document.querySelector('[data-figure=plane_steps]').innerText == '{before + 1}'")
    ink = """() => [...document.querySelectorAll('#tab-plane canvas')].map(canvas => {
        const {width, height} = canvas, pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
        return new Set(new Uint32Array(pixels.buffer)).size; })"""
    assert all(colors > 20 for colors in page.evaluate(ink))
    tab.shoot("plane")
    assert "tab=plane" in page.url and "lg=0.002" in page.url


def test_a_network_is_trained_ended_played_with_and_taken_home(learn, tmp_path):
    tab = learn("train", locale="pt-BR")
    page = tab.page
    page.get_by_text(TEXTS["pt"]["train_empty"]).wait_for()
    page.locator("#born-walk").click()
    page.get_by_text(TEXTS["pt"]["train_first"]).wait_for()
    page.get_by_label(TEXTS["pt"]["side_16"]).click()
    page.locator("#train-start").click()
    page.wait_for_function("Number(document.querySelector('[data-figure=train_steps]')?.innerText) > 20")
    page.locator("#train-pause").click()
    page.get_by_text(TEXTS["pt"]["job_stopped"]).wait_for()
    page.locator("#born-walk").click()
    page.wait_for_selector("#born-stage img.walk")
    page.locator("#born-play").click()
    page.wait_for_selector(".newborn-pair img")
    page.locator("#born-left").click()
    page.wait_for_function("/Certo|Errado/.test(document.querySelector('#born-note').innerText)")
    page.locator("#born-pack").click()
    with page.expect_download() as download:
        page.locator("a.save").click()
    download.value.save_as(tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as file:
        assert any(re.fullmatch(r"my-first-gan/generator/.*safetensors", name) for name in file.namelist())
    tab.shoot("train")

"""How the page behaves under a person's hands, in a real browser: quick picks, wrong input, Back, reload, languages, calls."""

import concurrent.futures
import time

import gradio as gr
import pytest

from gan_hub.demo.page import Page
from gan_hub.demo.texts import TEXTS
from tests.demo.conftest import Server, Tab, Visitor, launched

pytestmark = pytest.mark.browser
QUICK = ("mlp-mnist", "dcgan-mnist", "msg-gan-fashion-mnist", "progan-fashion-mnist")
PICK = """(name) => {
    const button = document.createElement("button");
    button.dataset.pickModel = name;
    document.body.append(button);
    button.click();
    button.remove();
}"""
IDLE = "() => ![...document.querySelectorAll('[id^=tab-][aria-busy]')].some((tab) => tab.ariaBusy === 'true')"
SEEDS = "#sample-seeds textarea, #sample-seeds input"
PICTURES = "#tab-sample img"


@pytest.fixture
def visit(browser, server, shown_model):
    """Opens windows; none of them may have logged an error or fetched something from elsewhere."""
    tabs = []

    def open_page(query: str = "", model: str = shown_model, **options) -> Tab:
        tabs.append(Tab(browser, server.url, model, query, **options))
        return tabs[-1]

    yield open_page
    wrong = [message for tab in tabs for message in tab.wrong]
    for tab in tabs:
        tab.context.close()
    assert not wrong


def calls_of(tab: Tab, server) -> list[str]:
    """What a window calls from now on, but for the pictures that move: the events of the script; the list grows."""
    names = {number: name for number, fn in server.page.fns.items() for _, name in fn.targets if name != "walk"}
    made = []

    def note(request):
        if "/queue/join" in request.url:
            made.extend(filter(None, [names.get(request.post_data_json["fn_index"])]))

    tab.page.on("request", note)
    return made


ALL_SHOW = f"""(name) => ({IDLE})() && document.title.startsWith(name + " ") && location.search.includes(`model=${{name}}&`)
    && document.querySelector(".about details h1")?.textContent === name"""


@pytest.mark.parametrize("trials", [2, 18])
def test_after_four_quick_picks_all_of_the_page_shows_the_last_one(visit, trials):
    """The title is of the picker, the address comes with the pictures, and the card with the line about the model."""
    page = visit().page
    page.get_by_text(TEXTS["en"]["about"]).click()
    for trial in range(trials):
        order = QUICK[trial % 4 :] + QUICK[: trial % 4]
        for name in order:
            page.evaluate(PICK, name)
            page.wait_for_timeout(450)
        page.wait_for_function(ALL_SHOW, arg=order[-1])
        page.wait_for_timeout(600)  # what is late would come now
        assert page.evaluate(f"({ALL_SHOW})('{order[-1]}')")


LINE = "(text) => document.getElementById('line').textContent.trim().startsWith(text)"


def test_a_change_of_model_is_one_call_and_the_card_comes_to_those_who_read_it(visit, server):
    tab, card = visit("&tab=sample"), ".about details h1"
    page, made = tab.page, calls_of(tab, server)
    page.evaluate(PICK, "mlp-mnist")
    page.wait_for_function(LINE, arg="MLP")
    page.wait_for_function(IDLE)
    assert made == ["draw_sample"] and not page.locator(card).count()
    page.get_by_text(TEXTS["en"]["about"]).click()
    page.wait_for_function("document.querySelector('.about details h1')?.textContent === 'mlp-mnist'")
    page.evaluate(PICK, "dcgan-mnist")
    page.wait_for_function("document.querySelector('.about details h1')?.textContent === 'dcgan-mnist'")
    page.wait_for_function(LINE, arg="DCGAN")
    assert sorted(made) == ["about", "about", "draw_sample", "draw_sample"]
    page.get_by_text(TEXTS["en"]["about"]).click()
    tab.open("train")  # which does not show the model, and so is not drawn anew
    del made[:]
    for name, network in (("mlp-mnist", "MLP"), ("r3gan-cats-64", "R3GAN"), ("mlp-mnist", "MLP")):
        page.evaluate(PICK, name)
        page.wait_for_function(LINE, arg=network)
    assert made == ["about"] * 3


def test_what_is_wrong_with_an_address_is_told_until_another_model_is_chosen(visit):
    page = visit(model="nobody").page
    wrong = page.get_by_text(TEXTS["en"]["bad_model"].partition("{")[0])
    page.wait_for_function(f"document.querySelectorAll('{PICTURES}').length && ({IDLE})()")
    page.wait_for_timeout(500)  # what would wipe it comes now
    assert wrong.is_visible()
    page.evaluate(PICK, "mlp-mnist")
    wrong.wait_for(state="detached")


def test_only_the_open_tab_is_drawn(visit, server):
    tab = visit("&tab=sample")
    made = calls_of(tab, server)
    tab.page.evaluate(PICK, QUICK[0])
    tab.page.wait_for_function(f"(name) => location.search.includes(name) && ({IDLE})()", arg=QUICK[0])
    assert made == ["draw_sample"]
    tab.open("interpolate")
    assert made == ["draw_sample", "draw_interpolate"]
    tab.open("sample")
    tab.open("interpolate")
    tab.page.wait_for_timeout(300)
    assert made == ["draw_sample", "draw_interpolate"]


def test_wrong_input_leaves_the_pictures_and_is_told_beside_the_field_in_the_visitors_language(visit, capfd):
    tab = visit("&seeds=3,14", locale="pt-BR")
    page = tab.page
    page.wait_for_timeout(500)  # the large view comes after the others
    before = [image.get_attribute("src") for image in page.locator(PICTURES).all()]
    page.locator(SEEDS).first.fill("abacaxi")
    page.keyboard.press("Enter")
    page.get_by_text(TEXTS["pt"]["bad_seeds"]).wait_for()
    assert page.locator(SEEDS).first.get_attribute("aria-invalid") == "true"
    assert before and [image.get_attribute("src") for image in page.locator(PICTURES).all()] == before
    page.locator(SEEDS).first.fill("3, 14")
    page.keyboard.press("Enter")
    page.wait_for_function("() => !document.querySelector('#tab-sample [aria-invalid=true]')")

    number = page.locator("#tab-sample input[type=number]").nth(1)  # the truncation's
    for text in ("700", "", "-3"):
        number.fill(text)
        number.press("Enter")
        page.wait_for_timeout(200)
        page.wait_for_function(IDLE)
        assert page.locator(PICTURES).count() == len(before)
    assert page.locator(".toast-body").count() == 0
    assert "Traceback" not in "".join(capfd.readouterr())


def test_back_and_reload_keep_what_was_shown(visit):
    tab = visit("&tab=sample&seeds=3,14")
    page = tab.page
    first = page.url
    page.wait_for_timeout(1100)  # steps within a second are one
    tab.open("interpolate")
    page.wait_for_function("location.search.includes('tab=interpolate')")
    page.reload()
    tab.drawn("interpolate")
    assert page.locator("#tab-interpolate").is_visible() and "tab=interpolate" in page.url
    page.go_back()
    page.wait_for_function("location.search.includes('tab=sample')")
    tab.drawn("sample")
    assert page.locator("#tab-sample").is_visible() and page.url == first
    assert page.locator(SEEDS).first.input_value() == "3, 14"


@pytest.mark.parametrize(("locale", "language"), [("en-US", "pt"), ("pt-BR", "en"), ("de-DE", "pt")])
def test_a_link_names_the_language_whatever_the_browser_speaks(visit, locale, language):
    page = visit(f"&lang={language}", locale=locale).page
    assert page.evaluate("document.documentElement.lang").startswith(language)
    assert page.locator("#level-create-button").inner_text() == TEXTS[language]["level_create"]
    page.locator(SEEDS).first.fill("?")
    page.keyboard.press("Enter")
    page.get_by_text(TEXTS[language]["bad_seeds"]).wait_for()
    assert f"lang={language}" in page.url


def test_the_cover_goes_when_the_page_is_drawn(visit):
    page = visit().page
    assert page.locator("#cover").count() == 0


def test_a_visitor_who_waits_reads_how_many_come_first(browser, monkeypatch):
    def slow() -> str:
        time.sleep(2.5)
        return "done"

    with Page() as page_:
        box = gr.Textbox(elem_id="answer")
        gr.Button("Draw", elem_id="draw").click(slow, None, box, concurrency_id="model", concurrency_limit=1)
    with launched(page_, monkeypatch) as url, concurrent.futures.ThreadPoolExecutor(3) as others:
        context = browser.new_context(locale="pt-BR")
        window = context.new_page()
        window.goto(url)
        window.wait_for_selector("#draw")
        for _ in range(3):
            others.submit(Visitor(Server(page_, url)).call, 0)
        window.wait_for_timeout(700)
        window.locator("#draw").click()
        line = window.locator("#waiting")
        line.wait_for(state="visible")
        assert line.inner_text() in [TEXTS["pt"]["waiting_n"].format(count=count) for count in (2, 3)]
        window.wait_for_function("() => document.querySelector('#answer textarea, #answer input').value === 'done'")
        line.wait_for(state="hidden")
        context.close()


def test_the_page_on_the_calls_can_be_read(visit):
    page = visit().page
    page.get_by_role("button", name="Use via API").click()
    page.wait_for_function("() => document.body.innerText.includes('api_name')")
    page.wait_for_timeout(500)
    text = page.locator("body").inner_text()
    assert "[object Object]" not in text and "value_" not in text
    assert 'whole numbers and ranges, for example "0-15"' in text

"""A model from a stranger: its card, notice and names are text, run nothing, fetch nothing, and cost little."""

import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import gradio as gr
import pytest
from PIL import Image

from gan_hub.demo import app, image_files, models, navigation, sanitize
from gan_hub.demo.events import answering, note_html
from gan_hub.demo.tabs.arithmetic import handlers as arithmetic
from gan_hub.demo.tabs.game import markup
from gan_hub.demo.tabs.game.sheet import sheet_html
from gan_hub.demo.tabs.interpolate import handlers as interpolate
from gan_hub.demo.tabs.sample import handlers as sample
from gan_hub.model_folder import real_samples
from gan_hub.model_folder.manifest import Manifest
from tests.conftest import made_concept, make_pipeline
from tests.demo.conftest import Tab, launched, write_real_samples
from tests.demo.game_play import begun, finished

ELSEWHERE = "http://elsewhere.example/t.png"
FORMS = {
    "an image": f"![t]({ELSEWHERE})",
    "an image built by removing one": f"!![x](y)[alt]({ELSEWHERE})",
    "an image built by removing a tag": f"!<b>[alt]({ELSEWHERE})",
    "an image in a link": f"[![t]({ELSEWHERE})](https://a.example)",
    "an image by reference": f"![t][r]\n\n[r]: {ELSEWHERE}",
    "an HTML image": f"<img src={ELSEWHERE} onerror=alert(1)>",
    "a broken tag": f"<<b>img src={ELSEWHERE}>",
    "an unclosed tag": f"<img src={ELSEWHERE} ",
    "a picture": f"<picture><source srcset={ELSEWHERE}><img></picture>",
    "a video": f"<video src={ELSEWHERE} poster={ELSEWHERE} autoplay></video>",
    "an SVG": f"<svg><image href={ELSEWHERE} /></svg>",
    "a script": "</script><script>alert(1)</script>",
    "a frame": f"<iframe src={ELSEWHERE}></iframe>",
    "a form": f"<form action={ELSEWHERE}><input name=password type=password><button>Log in</button></form>",
    "a style": f"<style>body {{ background: url({ELSEWHERE}) }}</style><p style='background: url({ELSEWHERE})'>x</p>",
    "a link tag": f"<link rel=stylesheet href={ELSEWHERE}><meta http-equiv=refresh content='0;url={ELSEWHERE}'>",
    "entities": f"&lt;img src={ELSEWHERE}&gt; &#60;img src={ELSEWHERE}&#62;",
    "a script as an address": "[t](javascript:alert(1)) [t](JaVaScRiPt:alert(1)) [t](data:text/html,<script>alert(1)</script>)",
    "formulas": f"$$\\includegraphics{{{ELSEWHERE}}}\\href{{javascript:alert(1)}}{{x}}$$",
    "a diagram": f'```mermaid\ngraph TD; A["<img src={ELSEWHERE}>"]\nclick A "javascript:alert(1)"\n```',
    "a template": "${alert(1)} {{constructor.constructor('alert(1)')()}} @children",
}
NAMES = [form.replace("\n", " ")[:200].strip() for form in FORMS.values()]
# A concept's name begins with a letter, and has neither "=" nor ",".
CONCEPTS = (
    "a ![t](http://elsewhere.example/t)",
    "b <script>alert(1)</script>",
    "c <b onclick>x</b>",
    "d <form>",
    "e ${alert(1)}",
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """A model all of whose texts are attacks; its folder's name is one as well."""
    folder = tmp_path_factory.mktemp("hostile") / f"<img src={ELSEWHERE}> ![t]({ELSEWHERE})".replace("/", "∕")
    pipe = make_pipeline(3, 28, 1, seed=5)
    pipe.label_names = [NAMES[0], NAMES[5], NAMES[11]]
    pipe.concepts = {name: made_concept(name, 8, number) for number, name in enumerate(CONCEPTS)}
    pipe.save_pretrained(folder)
    (folder / "README.md").write_text("\n\n".join(FORMS.values()))
    return write_real_samples(folder, notice="\n\n".join(FORMS.values())[:2000])


@pytest.fixture
def offered_hostile(hostile, monkeypatch) -> str:
    monkeypatch.setenv(models.MODEL_VARIABLE, str(hostile))
    return next(name for name, source in models.offered_models().items() if source == str(hostile))


def tags(html: str) -> set[str]:
    return {tag.lower() for tag in re.findall(r"<\s*/?\s*([a-zA-Z][a-zA-Z0-9]*)", html)}


# ------------------------------------------------------------------------------------------------- as text


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_card_becomes_words_links_and_code_and_nothing_that_is_fetched_or_run(form):
    html = sanitize.render_markdown(form)
    assert tags(html) <= {"p", "a", "span", "pre", "code", "em", "strong"}
    assert not re.search(r"<[^>]*\b(src|srcset|style|on\w+|action|poster)\s*=", html)
    assert all(address.startswith("http") for address in re.findall(r'href="([^"]*)"', html))


def test_a_card_keeps_what_cards_are_made_of():
    html = sanitize.render_markdown(
        "# A\n\n**b** `c` [d](https://e.example/?f=1&g=2)\n\n| h |\n|---|\n| i |\n\n- j\n\n> k\n"
    )
    assert {"h1", "strong", "code", "a", "table", "th", "td", "ul", "li", "blockquote"} <= tags(html)
    link = '<a href="https://e.example/?f=1&amp;g=2" target="_blank" rel="noopener noreferrer nofollow">d</a>'
    assert link in html
    assert sanitize.render_markdown("[here](../recipe.yaml)") == "<p><span>here</span></p>\n"


def test_no_name_of_a_model_is_markup_in_anything_a_tab_shows(offered_hostile):
    labels, concepts = models.class_names(offered_hostile), list(models.concepts(offered_hostile))
    for label, concept in zip(labels, concepts):
        *_, status = sample.sample(offered_hostile, "0-3", label, 1.0, f"{concept}=1")
        status = note_html(status)
        assert tags(status) == {"div"} and sanitize.escape(label) in status and sanitize.escape(concept) in status
        assert tags(note_html(interpolate.walk(offered_hostile, "1, 2", "slerp", 2, label, True)[-1])) == {"div"}
        assert tags(arithmetic.calculate(offered_hostile, "0", "1", "2", label, label)[0]) <= {"div", "img", "button"}
        walk = interpolate.show(offered_hostile, "1, 2", "slerp", 2, label, True, "linear", "blend")
        assert tags(walk[3]) == {"ol", "li", "button", "img", "span", "div"}
        form = (concept, "0-3", label, "", "", "", label, 1.0, "sum", [])
        equation = arithmetic.show(offered_hostile, *form)
        assert tags(equation[10]) == {"div", "button"} and tags(equation[13]) == {"div", "button", "img"}
        assert not any("{" in part or "}" in part for part in (walk[3], walk[4], equation[10], equation[13]))
    for _ in range(6):
        game = begun(offered_hostile)
        table = markup.pair_html(game) + markup.verdict_html(game) + markup.score_html(game, 0)
        assert tags(table) <= {"div", "span", "strong", "small"}
    allowed = {"div", "h2", "p", "figure", "figcaption", "img", "span", "button"}
    assert tags(sheet_html(finished(offered_hostile))) <= allowed
    assert tags(markup.explanation_html(offered_hostile, "real")) <= {"p", "strong", "code"}
    assert tags(models.describe(offered_hostile)) == set()
    *_, note = answering(sample.sample, 4)(offered_hostile, "0", "nobody", 1.0)
    assert tags(note) == {"div"} and "&lt;img" in note


# A name that ends a text, an attribute and an element, and holds an entity that must not be resolved.
BREAKOUT = """it's "x" onerror="alert(1)"><img src=x onerror='alert(1)'></figcaption></strong><b>&lt;&amp;"""


class Read(HTMLParser):
    """HTML as a browser reads it: the elements, their attributes and the text."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes.append(dict(attrs))

    def handle_data(self, data):
        self.text += data


def test_no_value_goes_into_a_template_that_the_browser_compiles():
    """Where a template quotes a value, "${…}" in a model's class name would be run as code."""
    parts = app.compose().blocks.values()
    templates = [part.html_template for part in parts if isinstance(part, gr.HTML) and part.html_template != "${value}"]
    assert len(templates) > 5
    for template in templates:
        assert set(re.findall(r"{{(.*?)}}", template)) <= {"label"} and "${" not in template


def test_what_a_picture_shows_stays_inside_its_attribute():
    (attributes,) = Read(image_files.img_tag(Image.new("L", (4, 4)), BREAKOUT, "mean")).attributes
    assert attributes.keys() == {"class", "alt", "src"} and attributes["alt"] == BREAKOUT


def test_the_class_in_the_question_of_the_game_is_text(offered):
    game = begun(offered)
    read = Read(markup.verdict_html(replace(game, pair=replace(game.pair, label=BREAKOUT))))
    assert read.elements == ["div", "div", "strong", "div", "small"]
    assert read.text.startswith(f"Class {BREAKOUT}: which one is real?")


def test_the_question_names_the_class_in_the_visitors_language(offered):
    game = begun(offered)
    asked = replace(game, pair=replace(game.pair, label="sneaker"))
    portuguese = SimpleNamespace(headers={"accept-language": "pt-BR"}, query_params={})
    assert "sneaker" in markup.question(asked) and "tênis" in markup.question(asked, portuguese)


def test_the_class_of_a_result_stays_inside_the_pictures_attribute(offered, monkeypatch):
    monkeypatch.setattr(models.load(offered), "label_names", [BREAKOUT, "square", "star"])
    read = Read(arithmetic.calculate(offered, "0", "1", "2", BREAKOUT, BREAKOUT)[0])
    assert set(read.elements) == {"div", "img", "button"} and read.elements.count("img") == 3 + 3 + 9
    pictures = [attributes for attributes in read.attributes if "src" in attributes]
    assert all(attributes.keys() == {"class", "alt", "src"} for attributes in pictures)
    assert sum(attributes["alt"].endswith(f", {BREAKOUT}") for attributes in pictures) == 9


def test_the_class_of_a_keyframe_stays_inside_its_button(offered, monkeypatch):
    monkeypatch.setattr(models.load(offered), "label_names", [BREAKOUT, "square", "star"])
    read = Read(interpolate.show(offered, "1, 2", "slerp", 2, BREAKOUT, True, "linear", "blend")[3])
    assert set(read.elements) == {"ol", "li", "button", "img", "span", "div"} and BREAKOUT in read.text
    assert {attributes["alt"].endswith(BREAKOUT) for attributes in read.attributes if "alt" in attributes} == {True}


def test_classes_and_concepts_in_the_sentence_below_a_tab_are_text(offered, monkeypatch):
    monkeypatch.setattr(models.load(offered), "label_names", [BREAKOUT, "square", "star"])
    for status in (
        sample.sample(offered, "0", BREAKOUT, 1.0)[-1],
        interpolate.walk(offered, "1, 2", "slerp", 2, BREAKOUT, True)[-1],
    ):
        read = Read(note_html(status))
        assert read.elements == ["div"] and BREAKOUT in read.text


def test_a_note_about_a_link_quotes_the_classes_of_a_model_as_text(offered, monkeypatch):
    monkeypatch.setattr(models.load(offered), "label_names", [BREAKOUT, "square", "star"])
    read = Read(navigation.read(f"?model={offered}&label=nobody")[-1])
    assert read.elements == ["div"] and BREAKOUT in read.text


def test_the_notice_of_real_pictures_is_text(hostile, offered_hostile):
    notice = real_samples.read(hostile, Manifest.if_any(hostile), 28, 1, 3).notice
    explanation = markup.explanation_html(offered_hostile, "real")
    assert Read(explanation).text.endswith(f"The real pictures: {notice}")


# ------------------------------------------------------------------------------------------- which file it is


def write_card(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(text)
    return folder


def test_a_card_that_is_a_link_out_of_the_models_folder_is_not_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("root:x:0:0")
    folder = tmp_path / "model"
    folder.mkdir()
    for target in (secret, "../secret.txt", "/etc/passwd", "/dev/zero", "README.md"):
        (folder / "README.md").symlink_to(target)
        assert sanitize.card(folder) is None
        (folder / "README.md").unlink()
    os.mkfifo(folder / "README.md")
    assert sanitize.card(folder) is None
    assert sanitize.card(tmp_path / "nowhere") is None


def test_a_card_comes_without_front_matter_markup_and_foreign_pictures(playable):
    assert sanitize.card(playable) == "<h1>Tiny</h1>\n<p></p>\n<p>For &lt;b&gt;tests&lt;/b&gt; only.</p>\n"


def test_a_card_in_the_hubs_cache_is_a_link_and_is_read(tmp_path):
    repository = tmp_path / "models--owner--name"
    blob = repository / "blobs" / "0a1b"
    blob.parent.mkdir(parents=True)
    blob.write_text("# Cached")
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "README.md").symlink_to("../../blobs/0a1b")
    assert sanitize.card(snapshot) == "<h1>Cached</h1>\n"

    shared = tmp_path / "blobs" / "0a" / "0a1b"
    shared.parent.mkdir(parents=True)
    blob.rename(shared)
    blob.symlink_to("../../blobs/0a/0a1b")
    assert sanitize.card(snapshot) == "<h1>Cached</h1>\n"

    (tmp_path / "token").write_text("hf_secret")
    (snapshot / "README.md").unlink()
    (snapshot / "README.md").symlink_to("../../../token")
    assert sanitize.card(snapshot) is None


def test_a_card_within_the_folder_and_a_linked_folder_are_read(tmp_path):
    folder = write_card(tmp_path / "model", "---\nlicense: mit\n---\n# Here")
    (tmp_path / "latest").symlink_to(folder)
    assert sanitize.card(tmp_path / "latest") == sanitize.card(folder) == "<h1>Here</h1>\n"
    (folder / "README.md").rename(folder / "card.md")
    (folder / "README.md").symlink_to("card.md")
    assert sanitize.card(folder) == "<h1>Here</h1>\n"


# ------------------------------------------------------------------------------------------- what it costs


@pytest.mark.parametrize(
    "piece",
    ["<", "[", "![", "`", "*a ", ">", "- ", "[a](<", "&", "|", "_", "\\", "---\n", "[a]: b\n", "<!--", "a\n", "\t"],
)
def test_what_a_card_costs_does_not_grow_with_its_length(tmp_path, piece):
    """What is parsed is bounded: a card of 150 kB is cut before it is looked at, and one of megabytes is not read."""
    folder = write_card(tmp_path / "model", piece * (150_000 // len(piece)))
    assert len(sanitize.card(folder)) < 10 * sanitize.MAX_CARD_LENGTH


def test_a_card_of_any_size_beyond_a_limit_is_not_read(tmp_path):
    folder = write_card(tmp_path / "model", "")
    with open(folder / "README.md", "wb") as file:
        file.truncate(300_000_000)
    assert sanitize.card(folder) is None


def test_a_long_card_is_cut_at_the_end_of_a_line(tmp_path):
    html = sanitize.card(write_card(tmp_path / "model", "word word\n" * 2000))
    assert html.endswith("word word</p>\n<p>…</p>\n") and len(html) < sanitize.MAX_CARD_LENGTH + 100


# ------------------------------------------------------------------------------------------- in a browser


@pytest.mark.browser
def test_a_hostile_model_makes_no_browser_call_another_server(browser, server, offered_hostile, monkeypatch):
    """Every tab used, with each class and some concepts, the card, the notice and a refusal that quotes names."""
    page_ = app.compose()
    with launched(page_, monkeypatch) as url:
        names = models.class_names(offered_hostile)
        for label in [*names, "nobody"]:
            concept = quote(CONCEPTS[names.index(label) if label in names else 4])
            query = f"&label={quote(label)}&concept={concept}&strength=1"
            tab = Tab(browser, url, quote(offered_hostile), query)
            dialogs = []
            tab.page.on("dialog", lambda dialog, dialogs=dialogs: (dialogs.append(dialog.message), dialog.dismiss()))
            page = tab.page
            page.get_by_text("About this model").click()
            tab.open("interpolate")
            page.wait_for_selector("#walk-player canvas")
            tab.open("arithmetic")
            page.locator("#presets button").last.click()
            page.wait_for_selector("#equation .nine img")
            tab.open("game")
            page.wait_for_selector(".pair")
            page.get_by_text("How the pairs are made").click()
            page.wait_for_selector(".notice")
            page.locator("#pick-left").click()
            page.wait_for_selector(".card.answer")
            page.wait_for_timeout(300)
            made = page.evaluate(
                """() => ["form", "iframe", "video", "object", "embed", "picture", "link[href*=elsewhere]",
                    "img[src^='http://elsewhere']", "image", "[onerror]", "input[type=password]", "a[href^=javascript]",
                    "[style*=elsewhere]"].filter(kind => document.querySelector("body " + kind))"""
            )
            scripts = page.evaluate("[...document.scripts].filter(s => s.text.startsWith('alert')).length")
            tab.context.close()
            assert not tab.wrong and not dialogs and not made and not scripts

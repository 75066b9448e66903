"""What comes before any script: the words and the picture of a link, for the first second and for those who are sent it."""

import html
import io
import re

import httpx
import numpy as np
import pytest
from PIL import Image

from gan_hub.demo import first_page, models
from gan_hub.demo.texts import TEXTS
from gan_hub.images import grid


def shown(page: str) -> dict[str, str]:
    """The meta tags of a page: name → content."""
    tags = re.findall(r'<meta (?:name|property)="([^"]+)" content="([^"]*)">', page)
    return {name: html.unescape(content) for name, content in tags}


def picture(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(answer.content)) as image:
        return np.asarray(image)


def test_a_link_is_shown_with_its_own_title_sentence_and_pictures(server, playable):
    page = httpx.get(f"{server.url}/?tab=sample&model={playable.name}&seeds=3,14&label=star").text
    tags = shown(page)
    assert f"<title>{playable.name} · gan_hub</title>" in page and tags["og:title"] == f"{playable.name} · gan_hub"
    assert tags["og:description"] == tags["description"] == TEXTS["en"]["share_text"].format(seeds="3, 14")
    assert tags["og:url"] == f"{server.url}/?tab=sample&model={playable.name}&seeds=3%2C14&label=star"
    assert 'content="Gradio"' not in page

    expected = np.asarray(grid(models.load(playable.name)(seeds=[3, 14], labels="star").images, 2))
    large = picture(httpx.get(tags["og:image"]))
    factor = large.shape[1] // expected.shape[1]
    assert factor >= 8 and (large[::factor, ::factor] == expected).all()
    cover = re.search(r'<div id="cover"><img src="([^"]+)" alt="([^"]+)">', page)
    assert cover is not None and cover[2] == html.escape(tags["description"])
    small = picture(httpx.get(f"{server.url}/{html.unescape(cover[1])}"))
    assert (small == expected).all()


@pytest.mark.parametrize(
    ("header", "query", "tag", "language"),
    [("pt-BR,en", "", "pt-BR", "pt"), ("de", "", "en", "en")]
    + [("en", "?lang=pt", "pt-BR", "pt"), ("pt", "?lang=en", "en", "en")],
)
def test_the_first_words_are_in_the_language_of_the_link_or_else_of_the_browser(server, header, query, tag, language):
    page = httpx.get(f"{server.url}/{query}", headers={"accept-language": header}).text
    assert f'lang="{tag}"' in page and TEXTS[language]["opening"] in page
    assert shown(page)["description"] == TEXTS[language]["share_text"].format(seeds="0-14")


def test_behind_a_proxy_the_addresses_are_those_that_others_see(server):
    headers = {"x-forwarded-host": "gans.example.org", "x-forwarded-proto": "https"}
    tags = shown(httpx.get(server.url, headers=headers).text)
    assert tags["og:image"].startswith("https://gans.example.org/sheet.png?model=")
    assert tags["og:url"] == "https://gans.example.org/"


@pytest.mark.parametrize("key", ["model", "seeds", "label", "truncation", "lang", "concept"])
def test_a_link_of_a_stranger_stays_text(server, key):
    answer = httpx.get(server.url, params={key: "\"><script>alert(1)</script>'", "tab": "sample"})
    assert answer.status_code == 200 and "<script>alert" not in answer.text and "window.gradio_config" in answer.text
    assert httpx.get(shown(answer.text)["og:image"]).status_code == 200


def test_what_is_wrong_in_a_link_is_left_at_its_default_and_many_pictures_are_cut(offered):
    default = first_page.Linked.read("")
    assert default == first_page.Linked(offered, tuple(range(15)), None, 1.0)
    assert first_page.Linked.read("model=nobody&seeds=0-9999&truncation=7") == default
    assert first_page.Linked.read("truncation=nan").truncation == 1.0
    many = Image.open(io.BytesIO(first_page.sheet(first_page.Linked.read("seeds=0-63"), is_small=True)))
    assert many.size == (5 * 30 - 2, 3 * 30 - 2)


def test_who_comes_when_too_many_sheets_wait_is_told_so(server):
    taken = [first_page._room.acquire(blocking=False) for _ in range(first_page.MOST_WAITING)]
    try:
        answer = httpx.get(f"{server.url}/sheet.png?seeds=77")
    finally:
        for _ in taken:
            first_page._room.release()
    assert answer.status_code == 503 and answer.json()["detail"] == TEXTS["en"]["line_is_full"]
    assert httpx.get(f"{server.url}/sheet.png?seeds=77").status_code == 200


def test_a_sheet_is_drawn_once_and_kept_by_browsers(server, offered):
    before = first_page._small_sheet.cache_info().misses
    answers = [httpx.get(f"{server.url}/sheet.png?model={offered}&seeds=5,6,7") for _ in range(3)]
    assert first_page._small_sheet.cache_info().misses == before + 1
    assert {answer.headers["cache-control"] for answer in answers} == {"public, max-age=3600"}


def test_the_cover_is_dark_where_the_link_asks_for_it_and_text_otherwise(server):
    assert '<div id="cover" class="dark">' in httpx.get(f"{server.url}/?__theme=dark").text
    assert '<div id="cover"><img' in httpx.get(f"{server.url}/?__theme=%22%3E%3Cb%3E").text


def test_other_answers_go_through_as_they_are(server):
    assert httpx.head(server.url).status_code == 200
    assert httpx.get(f"{server.url}/config").headers["content-type"] == "application/json"
    assert "cover" not in httpx.get(f"{server.url}/gradio_api/info").text

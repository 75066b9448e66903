"""What comes in: large, malformed and misdirected requests are answered with a sentence, and cost nothing."""

import asyncio
import concurrent.futures
import json

import gradio as gr
import httpx
import pytest

from gan_hub.demo import models, request_filter
from gan_hub.demo.page import Page
from gan_hub.demo.tabs.game import handlers as game
from gan_hub.demo.texts import TEXTS
from tests.demo.conftest import Server, Visitor, launched

JSON = {"content-type": "application/json"}
JOIN = "queue/join"


def post(server, route: str, **options) -> httpx.Response:
    return httpx.post(f"{server.url}/gradio_api/{route}", timeout=30, **options)


def a_sentence(answer: httpx.Response) -> bool:
    detail = answer.json()["detail"]
    return isinstance(detail, str) and 20 < len(detail) < 200 and detail.endswith(".") and "/" not in detail


# ------------------------------------------------------------------------------------------ ways around the line


@pytest.mark.parametrize("route", ["api/sample", "api/sample/", "run/sample", "run/predict", "run/5"])
def test_the_direct_routes_around_the_line_are_closed(server, playable, route):
    arguments = {"data": [playable.name, "1", "own", 1.0, "none", 1.0], "fn_index": server.fn_named("sample")}
    answer = post(server, route, json=arguments)
    assert answer.status_code == 404 and a_sentence(answer)
    assert not server.page.api_open


@pytest.mark.parametrize(
    "route",
    ["upload", "upload/", "upload?upload_id=x", "component_server", "process_recording", "stream/x", "vibe-edit", ""],
)
def test_nothing_is_uploaded_to_a_page_that_takes_no_files(server, route):
    answer = post(server, route, files=[("files", (f"{number}.txt", b"x" * 900)) for number in range(50)])
    assert answer.status_code == 404 and a_sentence(answer)


@pytest.mark.parametrize(
    "route", ["deep_link?session_hash=x", "dev/reload", "proxy=/etc/passwd%00.png", "proxy=http://x"]
)
def test_routes_that_the_page_has_no_use_for_are_closed(server, route):
    answer = httpx.get(f"{server.url}/gradio_api/{route}", timeout=10)
    assert answer.status_code == 404 and a_sentence(answer)


def test_a_page_with_a_component_that_takes_files_takes_them_up_to_its_limit(monkeypatch):
    with Page() as page:
        gr.Image()
    with launched(page, monkeypatch) as url:
        small, large = (
            httpx.post(f"{url}/gradio_api/upload", files={"files": ("a.png", b"x" * size)}) for size in (1000, 200_000)
        )
    assert small.status_code == 200 and large.status_code == 413


@pytest.mark.parametrize(
    ("component", "takes"),
    [
        (lambda: gr.Image(interactive=False), False),
        (lambda: gr.Gallery(interactive=False), False),
        (lambda: gr.HTML(), False),
        (lambda: gr.DownloadButton(), False),
        (lambda: gr.Textbox(), False),
        (lambda: gr.Image(), True),
        (lambda: gr.ImageEditor(), True),
        (lambda: gr.UploadButton(), True),
        (lambda: gr.MultimodalTextbox(), True),
    ],
)
def test_whether_a_page_takes_files_is_read_from_its_components(component, takes):
    with gr.Blocks() as page, gr.Row():
        component()
    assert request_filter.accepts_uploads(page) == takes


# ------------------------------------------------------------------------------------------ large and malformed


@pytest.mark.parametrize("route", [JOIN, "call/sample", "cancel"])
def test_a_large_request_is_refused_before_it_is_read(server, route):
    answer = post(server, route, content=b"x" * 2_000_000, headers=JSON)
    assert answer.status_code == 413 and a_sentence(answer) and "100000" in answer.json()["detail"]


def test_a_large_request_that_does_not_say_its_size_is_read_no_further_than_allowed(server):
    """At the gate itself: a server goes on to read what it has thrown away, so that a client hears the answer."""
    read, sent = [], []

    async def receive():
        read.append(50_000)
        return {"type": "http.request", "body": b"x" * 50_000, "more_body": True}

    async def send(message):
        sent.append(message)

    async def behind(scope, receive, send):
        raise AssertionError("it was let through")

    scope = {"type": "http", "method": "POST", "path": f"/gradio_api/{JOIN}", "query_string": b"", "headers": []}
    with concurrent.futures.ThreadPoolExecutor() as thread:  # this one may have a loop of the browser's
        thread.submit(asyncio.run, request_filter.RequestFilter(behind, server.page)(scope, receive, send)).result()
    assert sent[0]["status"] == 413 and sum(read) == 150_000
    assert post(server, JOIN, content=iter([b"x" * 100_000] * 3), headers=JSON).status_code == 413


MALFORMED = {
    "empty": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"data": ["\xff"]}',
    "a list": b"[1]",
    "deep": b'{"data": ' + b"[" * 40 + b"]" * 40 + b"}",
    "deeper than Python reads": b"[" * 90_000,
    "objects in objects": b'{"a":' * 15_000 + b"1" + b"}" * 15_000,
    "NaN": b'{"data": [], "fn_index": 3, "session_hash": "a", "trigger_id": NaN}',
    "Infinity": b'{"data": [-Infinity], "fn_index": 3, "session_hash": "a"}',
    "too large a number": b'{"data": [], "fn_index": 3, "session_hash": "a", "trigger_id": 1e999}',
    "a whole number of more than 64 bits": b'{"data": [1180591620717411303424], "fn_index": 3, "session_hash": "a"}',
    "a negative one": b'{"data": [[-9223372036854775808]], "fn_index": 3, "session_hash": "a"}',
    "too large a number among the values": b'{"data": [1e999], "fn_index": 3, "session_hash": "a"}',
    "half a character": b'{"data": [], "fn_index": 3, "session_hash": "a", "trigger_id": "\\ud800"}',
    "half a character as a key": b'{"\\udfff": [], "data": [], "fn_index": 3, "session_hash": "a"}',
    "another type": b'{"data": "x", "fn_index": 3, "session_hash": "a"}',
    "no data": b'{"fn_index": 3, "session_hash": "a"}',
    "no session": b'{"data": [], "fn_index": 3}',
    "session of another type": b'{"data": [], "fn_index": 3, "session_hash": {}}',
    "a session's name without end": b'{"data": [], "fn_index": 3, "session_hash": "' + b"a" * 70_000 + b'"}',
    "unknown call": b'{"data": [], "fn_index": 99999, "session_hash": "a"}',
    "call before the first": b'{"data": [], "fn_index": -1, "session_hash": "a"}',
    "no call": b'{"data": [], "session_hash": "a"}',
    "call of another type": b'{"data": [], "fn_index": "\\u0000", "session_hash": "a"}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("language", ["en", "pt"])
def test_a_malformed_call_gets_a_sentence_in_the_visitors_language(server, body, language):
    answer = post(server, JOIN, content=body, headers=JSON | {"accept-language": language})
    assert answer.status_code in (400, 404, 422) and a_sentence(answer)
    assert answer.json()["detail"] in {text.format(most=0) for text in TEXTS[language].values() if "{" not in text}


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("call/nothing", {"data": []}),
        ("call/v2/nothing", {}),
        ("call/v2/sample", {"x": 1}),
        ("call/on_model_change", {"data": []}),
        ("cancel", {}),
        ("cancel", {"session_hash": "a", "fn_index": "x", "event_id": []}),
    ],
)
def test_a_call_by_a_wrong_name_or_with_wrong_arguments_gets_a_sentence(server, route, body):
    answer = post(server, route, json=body)
    assert answer.status_code in (400, 404, 422) and a_sentence(answer)


HOSTILE = [[], [None] * 8, [{"path": "/etc/passwd"}] * 8]


def test_no_failure_of_any_call_is_without_words(server):
    """Every event, public or not, with values that its components and handlers cannot take."""
    answers = {}
    for number, event in server.page.fns.items():
        if event.fn is None:
            continue
        for place, values in enumerate(HOSTILE):
            values = values[: len(event.inputs)]
            done, output, sent = Visitor(server).call(number, *values, event_data={"index": [1]})
            assert "Traceback" not in sent and "File " not in sent
            if not done:
                assert "/tmp" not in sent
                answers[event.fn.__name__, place] = output["error"]
    assert len(answers) > 30
    wordless = [call for call, error in answers.items() if not isinstance(error, str) or len(error) < 10]
    assert not wordless


def test_a_value_that_a_component_cannot_take_is_told_in_the_visitors_language(monkeypatch, capfd):
    """Neither quotes what was sent, which may be markup, nor shows a traceback."""
    with Page() as page:
        inputs = [gr.Number(maximum=4), gr.Radio(["<b>", "<i>"])]
        gr.Button().click(lambda number, choice: None, inputs, None)
    with launched(page, monkeypatch) as url:
        server = Server(page, url)
        for language in ("en", "pt"):
            visitor = Visitor(server, {"accept-language": language})
            done, output, _ = visitor.call(0, [], "<b>")
            assert not done and output["error"] == TEXTS[language]["bad_value"]
            for values in ((5, "<b>"), (3, "<img src=x>")):
                done, output, _ = visitor.call(0, *values)
                assert not done and output["error"].startswith(TEXTS[language]["refused_value"].partition("(")[0])
                assert "<" not in output["error"] and len(output["error"]) < 300
    assert "Traceback" not in "".join(capfd.readouterr())


def out_of_range(language: str) -> str:
    """The sentence about a truncation that is none."""
    words = TEXTS[language]
    return words["bad_number"].format(name=words["truncation"], least=0, most=1)


def test_a_value_of_the_wrong_kind_is_told_in_the_visitors_language(server, playable):
    arguments = (playable.name, "1", "own", [], "none", 1.0)
    for language in ("en", "pt"):
        visitor = Visitor(server, {"accept-language": language})
        done, output, _ = visitor.call(server.fn_named("sample"), *arguments)
        assert not done and output["error"] == out_of_range(language)


def test_what_is_refused_is_told_without_markup_or_traceback(server, playable, capfd):
    for language in ("en", "pt"):
        refused = TEXTS[language]["bad_model"].partition("{")[0]
        for values, sentence in (
            ((playable.name, "1", "own", 5, "none", 1.0), out_of_range(language)),
            (("<img src=x>", "1", "own", 1.0, "none", 1.0), refused),
        ):
            done, output, _ = Visitor(server, {"accept-language": language}).call(server.fn_named("sample"), *values)
            assert not done and output["error"].startswith(sentence)
            assert "<" not in output["error"] and len(output["error"]) < 300
    assert "Traceback" not in capfd.readouterr().err


def test_the_sentences_of_the_gate_are_read_by_both_of_gradios_clients(server):
    """The browser's shows `detail`, and older ones `error`."""
    answer = post(server, "upload", files={"files": ("a", b"x")}).json()
    assert answer["detail"] == answer["error"] == TEXTS["en"]["nothing_here"]


# ------------------------------------------------------------------------------------------ the page as launched


def test_a_page_launched_by_somebody_else_is_guarded_as_well(monkeypatch, playable):
    """A Space, a notebook or a test calls `launch` itself, with or without options of its own."""
    monkeypatch.setenv(models.MODEL_VARIABLE, str(playable))
    with Page() as page:
        gr.Button().click(lambda: None, None, None)
    with launched(page, monkeypatch, app_kwargs={"title": "mine"}, max_file_size="1kb") as url:
        assert page.app.title == "mine" and page.max_file_size == 1024
        assert httpx.post(f"{url}/gradio_api/upload", files={"files": ("a", b"x")}).status_code == 404
        assert httpx.post(f"{url}/gradio_api/queue/join", content=b"x" * 200_000).status_code == 413
        config = httpx.get(f"{url}/config").text
        assert "Brinque" in json.dumps(json.loads(config), ensure_ascii=False)
    assert page.state_session_capacity == 200


def test_a_browser_is_told_to_fetch_pictures_from_here_alone(server):
    policy = httpx.get(server.url).headers["content-security-policy"]
    assert "img-src 'self' data: blob:;" in policy and "form-action 'self'" in policy and "frame-src 'none'" in policy


# ------------------------------------------------------------------------------- another replica, or a restart


@pytest.mark.parametrize("language", ["en", "pt"])
def test_a_window_that_this_process_does_not_know_is_told_so_and_loads_anew(server, capsys, language):
    """As where a proxy sends it to another replica, or the server was restarted; the page takes `session_not_found` so."""
    address = f"{server.url}/gradio_api/queue/data?session_hash=elsewhere"
    answer = httpx.get(address, headers={"accept-language": language}, timeout=30)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    message = json.loads(answer.text.removeprefix("data: "))
    assert message == {
        "msg": "unexpected_error",
        "message": TEXTS[language]["unknown_session"],
        "success": False,
        "session_not_found": True,
    }
    assert "Traceback" not in "".join(capsys.readouterr())
    visitor = Visitor(server)
    drawn = server.fn_named("sample")
    assert visitor.call(drawn, models.default_model(), "0", "own", 1.0, "none", 1.0)[0]  # of a session that it knows


def test_a_round_of_another_replica_gets_a_sentence_and_its_pictures_are_not_found(server, tmp_path):
    success, output, _ = Visitor(server).call(game.pick_left, None, {}, False)
    assert success and TEXTS["en"]["no_game"] in output["data"][-1]
    picture = tmp_path / "gradio" / "picture.png"
    picture.parent.mkdir()
    picture.write_bytes(b"of the other replica")
    answer = httpx.get(f"{server.url}/gradio_api/file={picture}", timeout=30)
    assert answer.status_code in (403, 404) and b"of the other" not in answer.content

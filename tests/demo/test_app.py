"""The served page: its public endpoints, what it reveals, what it refuses."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from gan_hub.demo import app, models
from gan_hub.demo.tabs.arithmetic import handlers as arithmetic
from gan_hub.demo.tabs.interpolate import handlers as interpolate
from gan_hub.demo.texts import TEXTS
from tests.demo.conftest import Visitor

ROOT = Path(__file__).resolve().parents[2]
NAN = float("nan")


@pytest.fixture(scope="module")
def client(server, tmp_path_factory) -> Client:
    return Client(server.url, verbose=False, download_files=str(tmp_path_factory.mktemp("client")))


WALK_OPTIONS = ["easing", "conditions", "file_format"]


def test_the_endpoints_are_public_and_described(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert {"/sample", "/interpolate", "/arithmetic", "/paint", "/invert", "/explore"} <= set(endpoints)
    names = {name: [p["parameter_name"] for p in spec["parameters"]] for name, spec in endpoints.items()}
    assert names["/sample"] == ["model", "seeds", "label", "truncation", "concept", "strength", "noise"]
    assert names["/explore"] == ["model", "corners", "x", "y", "axes", "label"]
    assert names["/interpolate"] == ["model", "seeds", "mode", "frames", "label", "loop", *WALK_OPTIONS]
    assert names["/arithmetic"] == ["model", "a", "b", "c", "exemplar_label", "label", "radius"]
    assert names["/mix_styles"] == ["model", "a", "b", "layers", "exemplar_label"]
    assert (names["/paint"], names["/invert"]) == (["model", "map", "seed"], ["model", "picture"])
    assert "__i18n__" not in "".join(spec["description"] for spec in endpoints.values())
    for name, spec in endpoints.items():
        assert all(part["label"] == f"{name[1:]}.{part['parameter_name']}" for part in spec["parameters"])
        for part in (*spec["parameters"], *spec["returns"]):
            assert len(part["python_type"]["description"]) > 10 and "value_" not in part["label"]
    assert [part["label"] for part in endpoints["/sample"]["returns"]] == ["pictures, archive, sentence, link"]


def test_a_program_without_a_client_library_makes_a_call_as_the_document_says(server, playable):
    calls = f"{server.url}/gradio_api/call"
    event = httpx.post(f"{calls}/v2/sample", json={"model": playable.name, "seeds": "0-3"}).json()["event_id"]
    answer = httpx.get(f"{calls}/sample/{event}", timeout=60).text
    assert answer.startswith("event: complete") and "4 pictures" in answer
    # One that was written when the call had fewer parameters, and names none of them.
    older = [playable.name, "0-3", "own", 1.0, "none", 1.0]
    event = httpx.post(f"{calls}/sample", json={"data": older}).json()["event_id"]
    assert "4 pictures" in httpx.get(f"{calls}/sample/{event}", timeout=60).text


def test_the_public_endpoints_answer_with_exact_pictures(client, playable):
    pipe = models.load(playable.name)
    drawn = client.predict(playable.name, "3, 14", "star", 1.0, api_name="/sample")
    for item, image in zip(drawn["pictures"], pipe(seeds=[3, 14], labels="star").images):
        with Image.open(item["image"]) as received:
            assert received.format == "PNG" and (np.asarray(received) == np.asarray(image)).all()
    assert drawn["sentence"].startswith("2 pictures") and drawn["link"].startswith("?tab=sample&model=")
    assert drawn["archive"].endswith(".zip")

    moved = client.predict(playable.name, "3", "star", 1.0, "thick", 1.5, api_name="/sample")
    with Image.open(moved["pictures"][0]["image"]) as received:
        expected = pipe(seeds=[3], labels="star", concepts={"thick": 1.5}).images[0]
        assert (np.asarray(received) == np.asarray(expected)).all()

    moved = client.predict(playable.name, "3", concept="thick=1.5,leaning over=-1", api_name="/sample")
    with Image.open(moved["pictures"][0]["image"]) as received:
        expected = pipe(seeds=[3], concepts={"thick": 1.5, "leaning over": -1}).images[0]
        assert (np.asarray(received) == np.asarray(expected)).all()
    point = client.predict(playable.name, "3, 14, 15", 0.0, 1.0, api_name="/explore")
    label = pipe.label_names[pipe(seeds=[3]).labels[0]]
    with Image.open(point["picture"]) as received:
        assert (np.asarray(received) == np.asarray(pipe(seeds=[15], labels=label).images[0])).all()
    assert point["sentence"] == "0 % across, 100 % down"

    walk = client.predict(playable.name, "1, 2", "slerp", 4, "own", True, api_name="/interpolate")
    with Image.open(walk["animation"]) as film:
        assert film.format == "WEBP" and film.n_frames == 4
    result = client.predict(playable.name, "0", "1", "2", "own", "star", api_name="/arithmetic")
    with Image.open(result["result"]) as picture:
        assert picture.size == (28, 28)


def test_clicks_that_come_faster_than_their_answers_all_count(server, playable):
    """The groups and the keyframes lie in the session, and are read when a call runs."""
    visitor, click = Visitor(server), server.fn(arithmetic.click)
    form = [playable.name, None, None, "own", None, None, None, "own", 1.0, "sum", []]
    for group, place in (("A", 5), ("B", 6), ("B", 7)):
        visitor.join(click, group, *form, event_data={"index": place, "value": None})
    _, output, _ = visitor.listen(3)
    assert [value for value in output["data"] if isinstance(value, str)][-6:-2] == ["0-23", "5", "6, 7", ""]
    _, output, _ = Visitor(server).call(click, "C", *form, event_data={"index": 0, "value": None})
    assert [value for value in output["data"] if isinstance(value, str)][-6:-2] == ["0-23", "", "", "0"], (
        "his own groups"
    )

    edit, walk = server.fn(interpolate.edit), [playable.name, None, "slerp", 4, "own", True, "linear", "keep"]
    for seed in (15, 15):
        visitor.join(edit, *walk, event_data={"index": 0, "value": {"act": "left", "seed": seed}})
    visitor.join(edit, *walk, event_data={"index": 0, "value": {"act": "remove", "seed": 3}})
    _, output, _ = visitor.listen(3)
    assert "15 → 14 → 15" in output["data"][-1]


@pytest.mark.parametrize(
    ("endpoint", "arguments"),
    [
        ("/sample", ("0-9999", "own", 1.0)),
        ("/sample", ("1", "nobody", 1.0)),
        ("/sample", ("1", ["star"], 1.0)),
        ("/sample", ("1" * 5000, "own", 1.0)),
        ("/sample", (None, None, 1.0)),
        ("/sample", ("1", "own", NAN)),
        ("/sample", ("1", "own", 1.0, "glasses", 1.0)),
        ("/sample", ("1", "own", 1.0, "thick", 99.0)),
        ("/sample", ("1", "own", 1.0, "thick=99")),
        ("/explore", ("1, 2", 0.5, 0.5)),
        ("/explore", ("1, 2, 3", NAN, 0.5)),
        ("/interpolate", ("1", "slerp", 5, "own", True)),
        ("/interpolate", ("1, 2", "slerp", 2.5, "own", True)),
        ("/interpolate", ("1, 2", "slerp", NAN, "own", True)),
        ("/interpolate", ("1, 2", "slerp", 5, "own", "no")),
        ("/interpolate", ("1, 2", None, 5, "own", True)),
        ("/interpolate", ("1, 2", "slerp", 5, "own", True, "fast")),
        ("/arithmetic", ("", "1", "2", "own", "own")),
        ("/arithmetic", ("0", "1", "2", "own", "own", 9.0)),
        ("/mix_styles", ("0", "1")),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_calls_get_a_sentence(client, playable, endpoint, arguments):
    with pytest.raises((AppError, ValueError)) as caught:
        client.predict(playable.name, *arguments, api_name=endpoint)
    assert len(str(caught.value)) > 10 and "Traceback" not in str(caught.value)


def test_a_visitor_is_answered_in_portuguese(server, playable):
    portuguese = Client(server.url, verbose=False, headers={"accept-language": "pt-BR"}, download_files=False)
    with pytest.raises(AppError, match="Sementes são números inteiros"):
        portuguese.predict(playable.name, "x", "own", 1.0, api_name="/sample")


@pytest.mark.parametrize(
    ("header", "lang", "language"), [("pt-BR", "", "pt"), ("en-US", "pt", "pt"), ("pt-BR", "en", "en")]
)
def test_a_tab_is_drawn_in_the_language_of_the_link_or_else_of_the_browser(server, header, lang, language):
    visitor = Visitor(server, {"accept-language": header}, lang)
    number = server.fn_on("draw_sample")
    done, output, _ = visitor.call(number, *server.form(number, sample_seeds="x"))
    assert done and TEXTS[language]["bad_seeds"] in output["data"][-1]


def test_there_is_no_way_to_upload(server):
    config = httpx.get(f"{server.url}/config").json()
    kinds = {component["type"] for component in config["components"]}
    assert kinds.isdisjoint({"file", "uploadbutton", "video", "audio", "multimodaltextbox", "imageeditor"})
    assert all(not part["props"].get("interactive") for part in config["components"] if part["type"] == "image")


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "app.py", "model_cards"])
def test_files_of_the_machine_are_not_served(server, path):
    answer = httpx.get(f"{server.url}/gradio_api/file={path}")
    assert answer.status_code in (403, 404) and b"root:" not in answer.content


def test_nobody_watches_the_visitors(server):
    assert httpx.get(f"{server.url}/monitoring/summary").status_code in (403, 404)
    config = httpx.get(f"{server.url}/config").json()
    assert not config.get("analytics_enabled") and not config.get("is_space")


def test_every_call_that_draws_waits_in_the_models_line_or_in_that_of_long_work(server):
    """Beside them: small games and picks, which need no model, the ornament at the top, and what draws nothing."""
    lines = {"model", "long", "plane", "train"}
    beside = {event.fn.__name__ for event in server.page.fns.values() if event.fn and event.concurrency_id not in lines}
    picks = {"pick_left", "pick_right", "next_round"}
    assert beside <= {"<lambda>", "opening", "cards_update", "pending_status", "save_film", "stop"} | picks
    assert all(event.concurrency_limit == 1 for event in server.page.fns.values() if event.concurrency_id in lines)


def test_a_page_without_any_model_says_how_to_get_one(server, monkeypatch):
    monkeypatch.setattr(models, "offered_models", dict)
    page = app.compose()
    texts = [str(part["props"].get("value")) for part in page.get_config_file()["components"]]
    assert any("no_models" in text for text in texts) and not page.fns


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port", "99999"], "1 to 65535"),
        (["--port", "0"], "1 to 65535"),
        (["--port", "x"], "invalid int value"),
        (["--model", "/nowhere/at-all"], "not a model folder"),
        (["--model", "./nowhere"], "not a model folder"),
        (["--model", ""], "--model is empty"),
        (["--model", "no/such/thing"], "not a model folder"),
        (["--model", "nobody/nothing"], "nobody/nothing"),
        (["--model", "dcgan-mnits"], "dcgan-mnits"),
        (["--model", __file__], "model"),
    ],
)
def test_a_wrong_flag_is_told_in_one_sentence_before_the_page_opens(server, monkeypatch, capsys, arguments, says):
    monkeypatch.setattr("sys.argv", ["app.py", *arguments])
    monkeypatch.setenv(models.MODEL_VARIABLE, "")
    with pytest.raises(SystemExit) as ended:
        app.main()
    output = capsys.readouterr().err
    assert ended.value.code == 2 and says in output and "Traceback" not in output
    assert len([line for line in output.splitlines() if line.startswith("app.py: ")]) == 1


def test_a_port_in_use_is_told_before_the_model_is_loaded(server, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["app.py", "--port", str(server.page.server_port), "--model", "/nowhere/at-all"])
    with pytest.raises(SystemExit) as ended:
        app.main()
    output = capsys.readouterr().err
    assert (
        ended.value.code == 2 and "cannot be used" in output and "choose another" in output and "nowhere" not in output
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--prot", "7860"], "did you mean --port?"),
        (["a-model", "--model", "another"], "not allowed with argument"),
        (["a-model", "another"], "another"),
    ],
)
def test_a_wrong_command_line_is_answered_in_one_line_by_the_command_that_was_typed(capsys, arguments, says):
    with pytest.raises(SystemExit) as ended:
        app.main(arguments, prog="gan-hub demo")
    output = capsys.readouterr().err
    assert ended.value.code == 2 and says in output
    assert output.startswith("gan-hub demo: ") and output.count("\n") == 1


def test_the_model_is_an_argument_as_well_as_an_option(monkeypatch, capsys):
    for arguments in (["/nowhere/at-all"], ["--model", "/nowhere/at-all"]):
        monkeypatch.setenv(models.MODEL_VARIABLE, "")
        with pytest.raises(SystemExit) as ended:
            app.main(arguments, prog="gan-hub demo")
        output = capsys.readouterr().err
        assert ended.value.code == 2 and output.startswith("gan-hub demo: ") and "/nowhere/at-all" in output


def test_the_help_of_the_command_names_it(capsys):
    with pytest.raises(SystemExit) as ended:
        app.main(["--help"], prog="gan-hub demo")
    output = capsys.readouterr().out
    assert ended.value.code == 0 and output.startswith("usage: gan-hub demo ") and "--port" in output


def test_an_installed_package_serves_a_folder_without_a_checkout(playable, tmp_path):
    """A copy of the package alone, as a wheel installs it: no bundled models, no recipes, no app.py."""
    shutil.copytree(ROOT / "gan_hub", tmp_path / "gan_hub", ignore=shutil.ignore_patterns("weights", "__pycache__"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "GRADIO_TEMP_DIR": str(tmp_path / "gradio")}
    environment.pop(models.MODEL_VARIABLE, None)
    program = "import sys; from gan_hub.demo.app import main; main(sys.argv[1:], prog='gan-hub demo')"
    command = [sys.executable, "-c", program, str(playable), "--port", str(port)]
    with open(tmp_path / "log", "w+") as log:
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log) as process:
            try:
                server = SimpleNamespace(url=f"http://127.0.0.1:{port}")
                config = opened(server.url, process)
                picker = next(part for part in config["components"] if part["props"].get("elem_id") == "model")
                assert [card["name"] for card in picker["props"]["props"]["cards"]] == [playable.name]
                sample_ = next(event["id"] for event in config["dependencies"] if event["api_name"] == "sample")
                assert Visitor(server).call(sample_, playable.name, "0", "own", 1.0, "none", 1.0)[0]
            finally:
                process.kill()
        log.seek(0)
        assert "Traceback" not in log.read()


def test_the_first_visitor_does_not_wait_for_a_plotting_library(playable, tmp_path):
    """Looked at from inside, in a thread of the process that serves."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = """
import os, sys, threading
from types import SimpleNamespace
from gan_hub.demo.app import main
from tests.demo.conftest import Visitor
from tests.demo.test_app import opened
model, port = sys.argv[1:]
def visit():
    try:
        server = SimpleNamespace(url=f"http://127.0.0.1:{port}")
        events = opened(server.url, SimpleNamespace(poll=lambda: None))["dependencies"]
        sample = next(event["id"] for event in events if event["api_name"] == "sample")
        drawn = Visitor(server).call(sample, "tiny-playable", "0", "own", 1.0, "none", 1.0)[0]
        print("drawn:", drawn, "plots:", "matplotlib.pyplot" in sys.modules, flush=True)
    finally:
        os._exit(0)
threading.Thread(target=visit).start()
main([model, "--port", port])
"""
    environment = os.environ | {"GRADIO_TEMP_DIR": str(tmp_path / "gradio"), "PYTHONPATH": str(ROOT)}
    environment.pop("MPLBACKEND", None)
    command = [sys.executable, "-c", program, str(playable), str(port)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert "drawn: True plots: False" in done.stdout, done.stdout + done.stderr


def test_the_page_comes_up_while_the_hub_accepts_and_says_nothing(tmp_path):
    """The whole program, with an empty cache, against an address that never answers."""
    with socket.socket() as silent, socket.socket() as free:
        for each in (silent, free):
            each.bind(("127.0.0.1", 0))
        silent.listen(50)
        port = free.getsockname()[1]
        free.close()
        environment = os.environ | {"HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
        environment |= {"HF_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}", "GRADIO_TEMP_DIR": str(tmp_path)}
        command = [sys.executable, "app.py", "--model", "some/model", "--port", str(port)]
        log = open(tmp_path / "log", "w+")
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process:
            try:
                server = SimpleNamespace(url=f"http://127.0.0.1:{port}")
                config = opened(server.url, process)
                news = next(part["id"] for part in config["components"] if part["props"].get("elem_id") == "news")
                ask = next(event["id"] for event in config["dependencies"] if news in event["outputs"])
                done, output, _ = Visitor(server).call(ask)
                assert done and output["data"][0] == TEXTS["en"]["model_awaited"].format(name="some/model")
                sample_ = next(event["id"] for event in config["dependencies"] if event["api_name"] == "sample")
                name = next(iter(models.bundled_models()))
                assert Visitor(server).call(sample_, name, "0", "own", 1.0, "none", 1.0)[0]
            finally:
                process.kill()
        log.seek(0)
        output = log.read()
        assert "Waiting for some/model from the Hub" in output and "Traceback" not in output


def opened(url: str, process, seconds: float = 120) -> dict:
    """The configuration of a page, once it answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            return httpx.get(f"{url}/config", timeout=5).json()
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError(f"the page did not open; exit code {process.poll()}")

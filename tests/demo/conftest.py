"""A tiny model that can be played with, the page served once for all tests, and windows on it."""

import contextlib
import importlib.util
import inspect
import json
import os
import secrets
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from gan_hub.demo import models
from gan_hub.demo.tabs import LEVELS
from gan_hub.models import ARCHITECTURES
from gan_hub.pipeline import GANPipeline
from tests.conftest import LABEL_NAMES, made_concept, make_pipeline
from tests.models.test_registry import build_pair, moved

ARTEFACTS = Path(__file__).resolve().parents[2] / "artefacts"
SHOWN_MODEL = "dcgan-fashion-mnist"
PATIENCE = 180_000  # ms that a browser waits for what it is to see: a busy machine is no fault of the page
DESKTOP = {"width": 1280, "height": 900}


def write_real_samples(folder: Path, channels: int = 1, **changes) -> Path:
    """Twelve random tiles in rows of five, and a valid table; `changes` replace entries of it."""
    shape = (3 * 28, 5 * 28) if channels == 1 else (3 * 28, 5 * 28, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "real_samples.png")
    table = {"tile": 28, "columns": 5, "count": 12, "notice": "random pixels, public domain"}
    table["labels"] = [index % len(LABEL_NAMES) for index in range(12)]
    (folder / "real_samples.json").write_text(json.dumps(table | changes))
    return folder


@pytest.fixture(scope="session")
def playable(tmp_path_factory) -> Path:
    """A folder with a conditional model that has a discriminator, two concepts, real samples and a card."""
    folder = tmp_path_factory.mktemp("playable") / "tiny-playable"
    pipe = make_pipeline(3, 28, 1, seed=5)
    pipe.concepts = {name: made_concept(name, 8, number) for number, name in enumerate(("thick", "leaning over"))}
    pipe.save_pretrained(folder)
    (folder / "README.md").write_text(
        "---\nlicense: mit\n---\n\n# Tiny\n\n![Samples](https://elsewhere.example/a.png)\n\nFor <b>tests</b> only.\n"
    )
    return write_real_samples(folder)


@pytest.fixture
def offered(playable, monkeypatch) -> str:
    """The name under which the page offers the playable model, for tests that call handlers themselves."""
    monkeypatch.setenv(models.MODEL_VARIABLE, str(playable))
    return playable.name


@pytest.fixture
def offered_rgb(tiny_rgb_model, monkeypatch) -> str:
    """Likewise for an unconditional colour model without real samples."""
    monkeypatch.setenv(models.MODEL_VARIABLE, str(tiny_rgb_model))
    return tiny_rgb_model.name


@pytest.fixture
def styled(tmp_path, monkeypatch) -> str:
    """Likewise for a tiny StyleGAN2."""
    torch.manual_seed(0)
    GANPipeline(moved(build_pair(ARCHITECTURES["stylegan2"])[0])).save_pretrained(tmp_path / "styled")
    monkeypatch.setenv(models.MODEL_VARIABLE, str(tmp_path / "styled"))
    return "styled"


def pixels(path) -> np.ndarray:
    """The numbers of a picture's file."""
    with Image.open(path) as image:
        return np.asarray(image)


class Server:
    """The page, running; `fn` finds the number of a handler's event, since private events have no name to call."""

    def __init__(self, page, url: str):
        self.page, self.url = page, url.rstrip("/")

    def fn(self, handler) -> int:
        return next(number for number, event in self.page.fns.items() if inspect.unwrap(event.fn) is handler)

    def fn_on(self, event: str) -> int:
        """The number of the first event that a browser's script triggers by this name, such as "draw_sample"."""
        return next(number for number, fn in self.page.fns.items() if event in [name for _, name in fn.targets])

    def form(self, number: int, **values) -> list:
        """What an event is sent by a page that was just opened, but for `values`: id of an element → its value."""
        inputs = self.page.fns[number].inputs
        values = {name.replace("_", "-"): value for name, value in values.items()}
        return [values.get(block.elem_id or "", getattr(block, "value", None)) for block in inputs]

    def fn_clicked(self, element: str) -> int:
        """The number of the event that a click on the element of an id calls first."""
        block = next(number for number, each in self.page.blocks.items() if getattr(each, "elem_id", None) == element)
        return next(number for number, event in self.page.fns.items() if (block, "click") in event.targets)

    def fn_named(self, name: str) -> int:
        """The number of a public event."""
        return next(number for number, event in self.page.fns.items() if event.api_name == name)


class Visitor:
    """One browser session without a browser: calls any event, private ones as well, as a page or a bot would."""

    def __init__(self, server: Server, headers: dict[str, str] | None = None, lang: str = ""):
        """`headers` of its requests; `lang`: the language that the page's address asks for."""
        self.server, self.session, self.headers = server, secrets.token_hex(8), headers
        self.query = f"?lang={lang}" if lang else ""

    def join(self, handler, *data, **extra) -> httpx.Response:
        """Puts a call of a handler, or of the event of a number, into the line, and listens to no answer."""
        number = handler if isinstance(handler, int) else self.server.fn(handler)
        body = {"data": list(data), "fn_index": number, "session_hash": self.session, **extra}
        return httpx.post(
            f"{self.server.url}/gradio_api/queue/join{self.query}", json=body, headers=self.headers, timeout=60
        )

    def call(self, handler, *data, **extra) -> tuple[bool, dict, str]:
        """(success, output, everything the server sent)."""
        self.join(handler, *data, **extra).raise_for_status()
        return self.listen()

    def listen(self, calls: int = 1) -> tuple[bool, dict, str]:
        """The server's messages until `calls` calls are done; the outcome is the last one's."""
        with httpx.Client(timeout=60) as client:
            sent = []
            address = f"{self.server.url}/gradio_api/queue/data?session_hash={self.session}"
            with client.stream("GET", address) as stream:
                for line in stream.iter_lines():
                    sent.append(line)
                    message = json.loads(line[5:]) if line.startswith("data:") else {}
                    calls -= message.get("msg") == "process_completed"
                    if not calls:
                        return message["success"], message["output"], "\n".join(sent)
        raise AssertionError(f"no answer: {sent}")


@contextlib.contextmanager
def launched(page, monkeypatch, **options):
    """The address of a page of a test's own."""
    monkeypatch.delenv("GRADIO_SERVER_PORT", raising=False)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **options)
    yield url.rstrip("/")
    page.close()


@pytest.fixture(scope="session")
def server(playable, tmp_path_factory):
    """The page over the bundled zoo and the playable model, on a free port of this machine."""
    spec = importlib.util.spec_from_file_location("app", Path(__file__).resolve().parents[2] / "app.py")
    before = {name: os.environ.get(name) for name in (models.MODEL_VARIABLE, "GRADIO_TEMP_DIR")}
    os.environ[models.MODEL_VARIABLE] = str(playable)
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("gradio"))
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    _, url, _ = script.demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield Server(script.demo, url)
    script.demo.close()
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


@pytest.fixture
def visitor(server) -> Visitor:
    return Visitor(server)


class Tab:
    """One browser window on the page, and what went wrong in it."""

    def __init__(self, browser, url: str, model: str, query: str = "", viewport=DESKTOP, locale="en-US", **options):
        self.context = browser.new_context(viewport=viewport, locale=locale, accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.wrong: list[str] = []
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._note)
        self.page.goto(f"{url}/?model={model}{query}")
        self.drawn(dict(parse_qsl(query)).get("tab", "sample"))

    def _note(self, request):
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob", "about") and address.hostname != "127.0.0.1":
            self.wrong.append(f"request to {request.url}")

    def open(self, name: str):
        """Open a tab as a visitor does, and wait until it is drawn; the page."""
        level = next(level for level, tabs in LEVELS.items() if name in [tab.name for tab in tabs])
        self.page.locator(f"#level-{level}-button").click()
        self.page.locator(f"#tab-{name}-button").click()
        self.drawn(name)
        return self.page

    def drawn(self, name: str) -> None:
        """Wait until a tab is drawn and none of its calls are under way."""
        self.page.wait_for_function("(name) => document.getElementById('tab-' + name)?.ariaBusy === 'false'", arg=name)

    def shoot(self, name: str):
        ARTEFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"page-{name}.png", full_page=True)


@pytest.fixture(scope="session")
def shown_model(playable) -> str:
    """What the browser looks at: a trained model with classes where it is bundled, else the tiny one."""
    return SHOWN_MODEL if SHOWN_MODEL in models.offered_models() else playable.name

"""The page before its scripts run: a picture for the first second, and what others show of a link, in the visitor's language.

Gradio's front end takes a second or two to start; until then the browser shows a sheet of the linked pictures. Messengers and
search engines run no scripts at all: they read the title, a sentence, and the address of the same sheet.
"""

import functools
import html
import io
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from gradio.route_utils import get_root_url
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gan_hub.demo import inputs, models
from gan_hub.demo.request_filter import refusal_response
from gan_hub.demo.texts import LANGUAGE_TAGS, language, translate
from gan_hub.images import grid
from gan_hub.latents import format_seeds

SHEET_NAME = "sheet.png"
MAX_ADDRESS_LENGTH = 4000  # characters that are read of a link
FIRST_SEEDS = "0-14"  # of a link without seeds
LAYOUTS = (
    (15, 5),
    (8, 4),
    (6, 3),
    (3, 3),
    (2, 2),
    (1, 1),
)  # (pictures, columns): about as wide as messengers show pictures
WIDTH = 1200  # pixels that a sheet has at most where it is shown by others
MOST_WAITING = 8  # sheets that wait to be drawn; who comes then is told to come again
SECONDS_KEPT = 3600  # by browsers and proxies: the same link shows the same pictures
KEPT = 64  # sheets that are kept, of some 100 kB

# The page's own cover is gone after ten seconds even where its scripts do not run.
COVER_STYLE = """<style>
#cover { position: absolute; inset: 0; z-index: 9000; min-height: 100vh; display: flex; flex-direction: column;
    align-items: center; padding: 4vh 16px; box-sizing: border-box; background: var(--bg); color: var(--col);
    animation: uncovered 0s 10s forwards; }
#cover img { width: min(100%, 760px); height: auto; image-rendering: pixelated; border-radius: 12px; }
#cover p { font: 500 1rem system-ui, sans-serif; margin: 1rem 0 0; }
@media (prefers-color-scheme: dark) { #cover:not(.light) { background: var(--bg-dark); color: var(--col-dark); } }
#cover.dark { background: var(--bg-dark); color: var(--col-dark); }
@keyframes uncovered { to { visibility: hidden; } }
</style>"""
LANGUAGE_SCRIPT = (Path(__file__).parent / "front" / "language.js").read_text("utf-8")
OWN_SCRIPT = "ganHub.connect"
TAGS_OF_GRADIO = re.compile(r'<meta\s+(?:property|name)="(?:og|twitter):[^>]*>', re.DOTALL)


@dataclass(frozen=True)
class Linked:
    """What a link shows, as far as a sheet of pictures can; what is wrong in it is left at its default."""

    model: str
    seeds: tuple[int, ...]
    label: str | None
    truncation: float

    @classmethod
    def read(cls, query: str) -> "Linked | None":
        """What the parameters of an address show; None where the page offers no model."""
        values = dict(parse_qsl(query[:MAX_ADDRESS_LENGTH]))
        offered = models.offered_models()
        model = values["model"] if values.get("model") in offered else models.default_model()
        if model is None:
            return None
        try:
            seeds = inputs.seeds(values.get("seeds", FIRST_SEEDS))
        except inputs.BadInputError:
            seeds = inputs.seeds(FIRST_SEEDS)
        truncation = inputs.as_number(values.get("truncation", 1.0))
        if truncation is None or not 0 <= truncation <= 1:  # no NaN is
            truncation = 1.0
        return cls(model, tuple(seeds), values.get("label"), truncation)

    @property
    def query(self) -> str:
        """The parameters of the sheet's address."""
        values = {
            "model": self.model,
            "seeds": format_seeds(self.seeds).replace(" ", ""),
            "truncation": f"{self.truncation:g}",
        }
        return urlencode(values | ({"label": self.label} if self.label else {}), safe=",")


_drawing = threading.Lock()  # a sheet at a time: each uses what all visitors share
_room = threading.BoundedSemaphore(MOST_WAITING)


def sheet(linked: Linked, is_small: bool = False) -> bytes | None:
    """The linked pictures side by side as a PNG, at most WIDTH pixels wide unless they are wider themselves.

    Args:
        linked: what to draw; of many pictures the first.
        is_small: in their own size, for the page itself, which enlarges them.

    Returns:
        The PNG; None where too many wait for theirs.

    Raises:
        LoadError: the model is damaged.
    """
    if not _room.acquire(blocking=False):
        return None
    try:
        with _drawing:
            small = _small_sheet(linked, models.offered_models()[linked.model])
    finally:
        _room.release()
    return small if is_small else _enlarged(small)


@functools.lru_cache(maxsize=KEPT)
def _small_sheet(linked: Linked, source: str) -> bytes:
    """`source` stands in the key: the same name may come to mean another model."""
    pipe = models.load(linked.model)
    count, columns = next(layout for layout in LAYOUTS if layout[0] <= len(linked.seeds))
    label = linked.label if linked.label in (pipe.label_names or ()) else None
    out = pipe(seeds=list(linked.seeds[:count]), labels=label, truncation=linked.truncation)
    return _png(grid(models.pil_images(out), columns))


@functools.lru_cache(maxsize=KEPT)
def _enlarged(small: bytes) -> bytes:
    with Image.open(io.BytesIO(small)) as image:
        factor = max(1, WIDTH // image.width)
        return _png(image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST))


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


class FirstPage:
    """ASGI middleware: answers requests for sheets, and puts words and a picture into the page's first HTML."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on (ASGI)."""
        is_read = scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and "/gradio_api" not in scope["path"]
        if not is_read:
            return await self.app(scope, receive, send)
        request = Request(scope)
        if scope["path"].rpartition("/")[2] == SHEET_NAME:
            return await (await run_in_threadpool(_sheet_response, request))(scope, receive, send)
        await self.app(scope, receive, _Rewriting(request, send))


class _Rewriting:
    """`send` that holds an HTML page back until all of it is there, and sends it rewritten; everything else goes through."""

    def __init__(self, request: Request, send: Send) -> None:
        self.request, self.send = request, send
        self.start: Message | None = None
        self.parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = MutableHeaders(raw=message["headers"]).get("content-type", "")
            if message["status"] == 200 and kind.startswith("text/html"):
                self.start = message
                return
        elif self.start is not None:
            self.parts.append(message.get("body", b""))
            if message.get("more_body", False):
                return
            page, start = b"".join(self.parts), self.start
            if page:  # of HEAD there is none
                page = rewritten(page.decode("utf-8"), self.request).encode("utf-8")
                MutableHeaders(raw=start["headers"])["content-length"] = str(len(page))
            await self.send(start)
            message = {"type": "http.response.body", "body": page}
        await self.send(message)


def rewritten(page: str, request: Request) -> str:
    """A page of Gradio with a title, a sentence and a picture of its own; another page as it is.

    Args:
        page: the HTML.
        request: its address says what is shown; its headers say in which language, and under which address others see the page.

    Returns:
        The HTML.
    """
    linked = Linked.read(request.url.query)
    if "<gradio-app" not in page or linked is None:
        return page
    app = request.scope.get("app")
    root = get_root_url(
        request, route_path="/", root_path=getattr(app, "root_path", "") or request.scope.get("root_path")
    )
    address = f"{root}/?{urlencode(parse_qsl(request.url.query[:MAX_ADDRESS_LENGTH]))}".rstrip("?")
    title = f"{linked.model} · gan_hub"
    sentence = translate(request, "share_text", seeds=format_seeds(linked.seeds))
    shared = {"title": title, "description": sentence, "image": f"{root}/{SHEET_NAME}?{linked.query}", "url": address}
    tags = [
        f"<title>{html.escape(title)}</title>",
        _meta("name", "description", sentence),
        _meta("property", "og:type", "website"),
    ]
    tags += [_meta("property", f"og:{key}", value) for key, value in shared.items()]
    tags.append(_meta("name", "twitter:card", "summary_large_image"))
    source = html.escape(f"./{SHEET_NAME}?{linked.query}&small=1")
    theme = request.query_params.get("__theme")
    kind = f' class="{theme}"' if theme in ("light", "dark") else ""
    picture = f'<img src="{source}" alt="{html.escape(sentence)}">'
    cover = f'<div id="cover"{kind}>{picture}<p>{translate(request, "opening")}</p></div>'
    if OWN_SCRIPT not in page:  # which takes the cover away again
        cover = ""
    page = TAGS_OF_GRADIO.sub("", page)
    page = page.replace('lang="en"', f'lang="{LANGUAGE_TAGS[language(request)]}"', 1)
    page = page.replace("<head>", f"<head>\n<script>\n{LANGUAGE_SCRIPT}</script>", 1)
    page = page.replace("</head>", "\n".join([*tags, COVER_STYLE, "</head>"]), 1)
    return page.replace("<gradio-app", f"{cover}\n<gradio-app", 1)


def _meta(kind: str, name: str, content: str) -> str:
    return f'<meta {kind}="{name}" content="{html.escape(content)}">'


def _sheet_response(request: Request) -> Response:
    linked = Linked.read(request.url.query)
    try:
        png = None if linked is None else sheet(linked, request.query_params.get("small") == "1")
    except ValueError as error:  # a damaged model, of which the log says more
        inputs.failure(error, None)
        return refusal_response(request, 404, "damaged")
    if png is None:
        return refusal_response(request, 503, "line_is_full")
    return Response(png, media_type="image/png", headers={"cache-control": f"public, max-age={SECONDS_KEPT}"})

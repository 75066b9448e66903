"""What a request must be to reach the page: small, well formed, and for something that the page has.

The rest is answered here with one sentence in the visitor's language, before Gradio reads or keeps any of it.
"""

import json
import re
import traceback

import gradio as gr
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse

from gan_hub.demo.texts import translate

MOST_BYTES = 100_000  # of a request; a page full of seeds and names takes 5,000
DEEPEST = 32  # lists in lists, of which the page sends three
LONGEST_SESSION = 64  # letters of a session's name: a browser's has ten, a UUID has 36

# What is sent to (POST) by browsers and by gradio_client: joining the line, leaving it, and a log-in where one was set up.
SENT_TO = re.compile(r"(queue/join|cancel|reset|login)")
CALLED = re.compile(r"call/(?:v2/)?([^/]+)")  # a public call by its name
# What Gradio answers and this page has no use for: it keeps a copy of a session on the disk, watches for changes of the
# code for as long as the connection lasts, fetches from elsewhere.
UNUSED = re.compile(r"(deep_link|dev/reload|proxy=.*)")

# A browser shows what this server sends and nothing else, whatever text a model brings with it. Scripts and connections
# are left to Gradio, which needs its own kinds of them; frames around the page are how Spaces show it.
POLICY = "; ".join(
    (
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "frame-src 'none'",
        "object-src 'none'",
        "form-action 'self'",
        "base-uri 'self'",
    )
)


class RefusedError(Exception):
    """A request that is not let through: the status and the key of its sentence."""

    def __init__(self, status: int, key: str, **values: object):
        self.status, self.key, self.values = status, key, values
        super().__init__(key)


class RequestFilter:
    """ASGI middleware in front of the routes of a page (gr.Blocks)."""

    def __init__(self, app, page: gr.Blocks):
        self.app, self.page = app, page

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = False

        async def send_guarded(message):
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message["headers"], *GUARDS]}
            await send(message)

        try:
            await self.app(scope, await self._checked(scope, receive), send_guarded)
        except Exception as error:
            if isinstance(error, (TypeError, ValueError)) and CALLED.fullmatch(_route(scope)):
                error = RefusedError(400, "bad_call")  # arguments that the route could not sort
            elif not isinstance(error, RefusedError):
                traceback.print_exc()
                error = RefusedError(500, "broken")
            if started:
                raise
            await refused(Request(scope), error.status, error.key, **error.values)(scope, receive, send_guarded)

    async def _checked(self, scope, receive):
        """`receive` for the routes behind. Raises Refused, as the returned function does where more comes than allowed."""
        path = _route(scope)
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            if UNUSED.fullmatch(path):
                raise RefusedError(404, "nothing_here")
            return receive
        upload, called = path == "upload" and uploads(self.page), CALLED.fullmatch(path)
        if not upload and not SENT_TO.fullmatch(path) and not called:
            raise RefusedError(404, "nothing_here")
        if called and called[1] not in _public_calls(self.page):
            raise RefusedError(404, "no_such_call")
        most = self.page.max_file_size or MOST_BYTES if upload else MOST_BYTES
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > most:
            raise RefusedError(413, "too_large", most=most)
        limited = _limited(receive, most)
        if upload or path.startswith("login"):
            return limited
        body = await _whole(limited)
        _check(body, path)
        return _again(body, receive)


def _route(scope) -> str:
    """The path within Gradio's own: "queue/join", whatever address the page is served under."""
    return re.sub(r"^.*?/gradio_api/+", "", scope["path"]).strip("/")


GUARDS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]


def _public_calls(page: gr.Blocks) -> set[str]:
    return {event.api_name for event in page.fns.values() if event.api_visibility == "public"}


def uploads(page: gr.Blocks) -> bool:
    """Whether a visitor can give the page a file: some component takes files, and is not fixed to show them only."""
    components = (block for block in page.blocks.values() if isinstance(block, gr.components.Component))
    return any(
        isinstance(block, gr.MultimodalTextbox) or (block.has_event("upload") and not isinstance(block, gr.HTML))
        for block in components
        if getattr(block, "interactive", None) is not False
    )


def _limited(receive, most: int):
    """`receive` that counts what comes, since not every sender announces how much it will be."""
    count = 0

    async def receive_counted():
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > most:
            raise RefusedError(413, "too_large", most=most)
        return message

    return receive_counted


async def _whole(receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive):
    """`receive` that gives a body that was read already, and then what else happens: the visitor leaves."""
    given = False

    async def receive_again():
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def _check(body: bytes, path: str) -> None:
    """Raises Refused unless `body` is a JSON object of ordinary depth, of finite numbers and of text that can be written."""

    def refuse_constant(name: str):
        raise ValueError(f"{name} is no JSON")

    try:
        content = json.loads(body, parse_constant=refuse_constant)
        # Refuses half a surrogate pair, and 1e999.
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "bad_json") from error
    if not isinstance(content, dict) or _depth(content) > DEEPEST:
        raise RefusedError(400, "bad_json")
    session = content.get("session_hash", "" if path.startswith("queue/") else None)  # a call by name needs none
    if session is not None and not (isinstance(session, str) and 0 < len(session) <= LONGEST_SESSION):
        raise RefusedError(400, "bad_call")


def _depth(content: object) -> int:
    """How many lists and objects lie in one another; a layer at a time, for recursion would meet Python's own limit."""
    depth, layer = 0, [content]
    while layer and depth <= DEEPEST:
        inner = [
            value.values() if isinstance(value, dict) else value for value in layer if isinstance(value, (dict, list))
        ]
        depth, layer = depth + bool(inner), [value for values in inner for value in values]
    return depth


def refused(request: Request, status: int, key: str, **values: object) -> JSONResponse:
    """An answer of one sentence, under both names that Gradio's clients look for it."""
    sentence = translate(request, key, **values)
    return JSONResponse({"detail": sentence, "error": sentence}, status)


def _bad_call(request: Request, error: Exception) -> JSONResponse:
    return refused(request, 422, "bad_call")


# FastAPI repeats the offending values in its answer, and fails where these cannot be written as JSON.
HANDLERS = {RequestValidationError: _bad_call}

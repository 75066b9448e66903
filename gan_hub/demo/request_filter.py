"""Middleware that lets only small, well-formed requests for calls of the page through.

All others are answered here with one sentence in the visitor's language, before Gradio reads or keeps any of it.
"""

import json
import re
import traceback

import gradio as gr
from fastapi.exceptions import RequestValidationError
from gradio.components import Component
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gan_hub.demo.texts import translate

MAX_BODY_BYTES = 100_000  # of a request; a form full of seeds and names takes 5,000
MAX_DEPTH = 32  # lists and objects inside each other; the page sends three levels
LARGEST_NUMBER = 2**63 - 1  # of whole ones: Gradio's answers cannot say a larger one
MAX_SESSION_LENGTH = 64  # characters of a session's name: a browser's has ten, a UUID 36

# What browsers and gradio_client send (POST): joining and leaving the queue, and a log-in where one was set up.
POST_ROUTES = re.compile(r"(queue/join|cancel|reset|login)")
MCP_ROUTES = re.compile(r"mcp(/.*)?")  # where Gradio's extra for language models is installed
NAMED_CALL = re.compile(r"call/(?:v2/)?([^/]+)")  # a public call by its name
# Routes of Gradio that this page does not use: they keep a copy of a session on the disk, watch for changes of the code
# for as long as the connection lasts, or fetch from other servers.
CLOSED_ROUTES = re.compile(r"(deep_link|dev/reload|proxy=.*)")

# A browser shows nothing from other servers, whatever a model's texts say. Scripts and connections are left to Gradio,
# which needs its own kinds of them; frames around the page are not forbidden, since Spaces show it in one.
CONTENT_SECURITY_POLICY = "; ".join(
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
    """A request that is not let through: the HTTP status, and the key and values of its sentence."""

    def __init__(self, status: int, key: str, **values: object) -> None:
        self.status, self.key, self.values = status, key, values
        super().__init__(key)


class RequestFilter:
    """ASGI middleware in front of the routes of a page (gr.Blocks)."""

    def __init__(self, app: ASGIApp, page: gr.Blocks) -> None:
        self.app, self.page = app, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it (ASGI)."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message["headers"], *SECURITY_HEADERS]}
            await send(message)

        if self._is_unknown_session(scope):
            return await _forgotten(Request(scope))(scope, receive, send_guarded)
        try:
            await self.app(scope, await self._checked(scope, receive), send_guarded)
        except Exception as error:
            if isinstance(error, (TypeError, ValueError)) and NAMED_CALL.fullmatch(_route(scope)):
                error = RefusedError(400, "bad_call")  # arguments that the route could not sort
            elif not isinstance(error, RefusedError):
                traceback.print_exc()
                error = RefusedError(500, "broken")
            if started:
                raise
            await refusal_response(Request(scope), error.status, error.key, **error.values)(
                scope, receive, send_guarded
            )

    def _is_unknown_session(self, scope: Scope) -> bool:
        """Whether messages are asked for of a session that this process does not know: of a replica, or before a restart."""
        session = Request(scope).query_params.get("session_hash") if _route(scope) == "queue/data" else None
        return session is not None and session not in self.page._queue.pending_messages_per_session

    async def _checked(self, scope: Scope, receive: Receive) -> Receive:
        """`receive` for the routes behind. Raises RefusedError, as the returned function does for too large a body."""
        path = _route(scope)
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            if CLOSED_ROUTES.fullmatch(path):
                raise RefusedError(404, "nothing_here")
            return receive
        upload, called = path == "upload" and accepts_uploads(self.page), NAMED_CALL.fullmatch(path)
        is_mcp = self.page.mcp_server and MCP_ROUTES.fullmatch(path) is not None
        if not upload and not POST_ROUTES.fullmatch(path) and not called and not is_mcp:
            raise RefusedError(404, "nothing_here")
        if called and called[1] not in _public_calls(self.page):
            raise RefusedError(404, "no_such_call")
        most = self.page.max_file_size or MAX_BODY_BYTES if upload else MAX_BODY_BYTES
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > most:
            raise RefusedError(413, "too_large", most=most)
        limited = _with_limit(receive, most)
        if upload or path.startswith("login"):
            return limited
        body = await _read_body(limited)
        _check(body, path)
        return _replay(body, receive)


def _route(scope: Scope) -> str:
    """The path below Gradio's prefix, such as "queue/join", whatever address the page is served under."""
    return re.sub(r"^.*?/gradio_api/+", "", scope["path"]).strip("/")


SECURITY_HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]


def _public_calls(page: gr.Blocks) -> set[str]:
    return {event.api_name for event in page.fns.values() if event.api_name and event.api_visibility == "public"}


def accepts_uploads(page: gr.Blocks) -> bool:
    """Whether a visitor can upload a file: some component takes files, and is not only there to show them."""
    components = (block for block in page.blocks.values() if isinstance(block, Component))
    return any(
        isinstance(block, gr.MultimodalTextbox) or (block.has_event("upload") and not isinstance(block, gr.HTML))
        for block in components
        if getattr(block, "interactive", None) is not False
    )


def _with_limit(receive: Receive, most: int) -> Receive:
    """`receive` that raises RefusedError after `most` bytes, since not every sender announces the size."""
    count = 0

    async def receive_counted() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > most:
            raise RefusedError(413, "too_large", most=most)
        return message

    return receive_counted


async def _read_body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """`receive` that returns a `body` which was read already, and then what comes next, such as a disconnection."""
    replayed = False

    async def receive_again() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def _check(body: bytes, path: str) -> None:
    """Raise RefusedError unless `body` is a JSON object of limited depth with numbers of at most 64 bits and valid Unicode."""

    def refuse_constant(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    def parse_int(digits: str) -> int:
        if abs(number := int(digits)) > LARGEST_NUMBER:
            raise ValueError(f"{digits} has more than 64 bits")
        return number

    try:
        content = json.loads(body, parse_constant=refuse_constant, parse_int=parse_int)
        # Refuses half a surrogate pair, and 1e999.
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "bad_json") from error
    if not isinstance(content, dict) or _depth(content) > MAX_DEPTH:
        raise RefusedError(400, "bad_json")
    session = content.get("session_hash", "" if path.startswith("queue/") else None)  # a call by name needs none
    if session is not None and not (isinstance(session, str) and 0 < len(session) <= MAX_SESSION_LENGTH):
        raise RefusedError(400, "bad_call")


def _depth(content: object) -> int:
    """How deep lists and objects are nested; a layer at a time, since recursion would meet Python's own limit."""
    depth, layer = 0, [content]
    while layer and depth <= MAX_DEPTH:
        inner = [
            value.values() if isinstance(value, dict) else value for value in layer if isinstance(value, (dict, list))
        ]
        depth, layer = depth + bool(inner), [value for values in inner for value in values]
    return depth


def refusal_response(request: Request, status: int, key: str, **values: object) -> JSONResponse:
    """An answer of one sentence, under both names that Gradio's clients look for it.

    Args:
        request: the visitor's request, for the language.
        status: the HTTP status, 400 to 599.
        key: key of the sentence; its `values` follow.

    Returns:
        JSON with the sentence as `detail` and as `error`.
    """
    sentence = translate(request, key, **values)
    return JSONResponse({"detail": sentence, "error": sentence}, status)


def _forgotten(request: Request) -> Response:
    """The stream of messages of an unknown session. Gradio sends the same and breaks off; its page then loads itself anew."""
    message = {"msg": "unexpected_error", "message": translate(request, "unknown_session"), "success": False}
    line = f"data: {json.dumps(message | {'session_not_found': True})}\n\n"
    return Response(line, media_type="text/event-stream")


def _bad_call(request: Request, error: Exception) -> JSONResponse:
    return refusal_response(request, 422, "bad_call")


# FastAPI's own answer repeats the offending values, and fails where these cannot be written as JSON.
EXCEPTION_HANDLERS = {RequestValidationError: _bad_call}

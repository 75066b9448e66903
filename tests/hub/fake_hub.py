"""A stand-in for the Hub on the loopback: enough of its HTTP interface to upload and download models, and to fail."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from tests.hub.fake_repositories import Answer, Repo, Repositories

# Every way to fail: status codes, a busy hour, no answer, half an answer, another one than was promised.
FAULTS = ("401", "403", "404", "409", "413", "429", "429:3600", "500", "503")
FAULTS += ("silent", "stall", "close", "short", "length", "corrupt", "garbage")


class FakeHub:
    """`repos` is what it stores, `requests` what was asked ("GET /me/x/resolve/…"), `fail` breaks what comes next."""

    def __init__(self):
        self.stored = Repositories()
        self.requests: list[str] = []
        self.tokens: set[str | None] = set()
        self.pull_requests: list[str] = []  # requests that opened one
        self._fault, self._times, self._where = None, 0, ""
        self._released = threading.Event()  # ends the silence of those who got none
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            do_GET = do_HEAD = do_POST = do_PUT = lambda handler: hub._answer(handler)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = self.stored.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def repos(self) -> dict[str, Repo]:
        return self.stored.repos

    @property
    def messages(self) -> list[str]:
        """Of the commits."""
        return self.stored.messages

    @property
    def before_commit(self) -> Callable[[], object] | None:
        """What others do at the last moment."""
        return self.stored.before_commit

    @before_commit.setter
    def before_commit(self, act: Callable[[], object] | None) -> None:
        self.stored.before_commit = act

    def clear(self) -> None:
        """Empty and in good health again."""
        self.stored.clear(), self.requests.clear(), self.tokens.clear(), self.pull_requests.clear()
        self.fail(None)

    def close(self):
        self.fail(None)
        self.server.shutdown()
        self.server.server_close()

    def fail(self, fault: str | None, times: int = 10**9, where: str = "") -> None:
        """The next `times` requests with `where` in their line get `fault`, one of FAULTS or another status code.

        "429:3600" is a status code with the seconds after which to come back; silent is no answer, stall half of one and
        then silence, short half of one and the end, length half of one that calls itself whole, corrupt one with a
        changed bit, garbage the page of a captive portal.
        """
        self._released.set()
        self._released = threading.Event()
        self._fault, self._times, self._where = fault, times, where

    def downloads(self) -> list[str]:
        """The files whose content was fetched."""
        return sorted(
            line.split("/resolve/")[1].split("/", 1)[1] for line in self.requests if line.startswith("GET /me")
        )

    def uploads(self) -> list[str]:
        """The requests that changed something or brought content."""
        return [line for line in self.requests if line.startswith("PUT ") or "/commit/" in line]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        address = urlsplit(handler.path)
        path = unquote(address.path)
        line = f"{handler.command} {path}"
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.requests.append(line)
        if "create_pr=1" in address.query:
            self.pull_requests.append(line)
        token = handler.headers.get("Authorization")
        if not path.startswith("/storage/"):  # which is not the Hub, and must not learn it
            self.tokens.add(token)
        fault = None
        if self._fault and self._times > 0 and self._where in line:
            self._times -= 1
            fault = self._fault
        if fault in ("close", "silent"):
            handler.close_connection = True
            if fault == "silent":
                self._released.wait(120)
            return handler.connection.close()
        if fault and fault[0].isdigit():
            status, _, seconds = fault.partition(":")
            return self._send(handler, (int(status), b"", {"Retry-After": seconds} if seconds else {}))
        answer = self._route(handler.command, path, body, address.query)
        if self._is_hidden(path, token):
            answer = 401, b"", {"X-Error-Code": "RepoNotFound"}
        if fault == "garbage":
            answer = 200, b"<html>captive portal</html>", {}
        self._send(handler, answer, fault)

    def _route(self, method: str, path: str, body: bytes, query: str = "") -> Answer:
        return self.stored.route(method, path, query, body)

    def _is_hidden(self, path: str, token: str | None) -> bool:
        """Whether a path is of a private repository, and the request without a token."""
        parts = path.removeprefix("/api/models").split("/")
        repo = self.repos.get("/".join(parts[1:3]))
        return repo is not None and repo.private and token is None

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer, fault: str | None = None) -> None:
        status, content, headers = answer
        broken = fault if content and handler.command == "GET" and status == 200 else None
        if broken == "length":
            content = content[: len(content) // 2]
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if handler.command == "HEAD":
            return
        if broken == "corrupt":  # of the same length: nothing in the protocol notices
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        if broken in ("short", "stall"):
            handler.close_connection = True
            handler.wfile.write(content[: len(content) // 2])
            if broken == "stall":
                self._released.wait(120)
            return
        handler.wfile.write(content)

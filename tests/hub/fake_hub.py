"""A stand-in for the Hub on the loopback: enough of its HTTP interface to upload and download models, and to fail."""

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Repo:
    """Commits (sha → file → content), branches (name → sha), and whether its terms must be accepted."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False

    def commit(self, changes: dict[str, bytes | None], branch: str = "main") -> str:
        parent = self.branches.get(branch)
        files = {**self.commits.get(parent, {}), **changes}
        files = {name: content for name, content in files.items() if content is not None}
        sha = hashlib.sha1(repr((parent, len(self.commits), sorted(files.items()))).encode()).hexdigest()
        self.commits[sha] = files
        self.branches[branch] = sha
        return sha


class FakeHub:
    """`repos` is what it stores, `requests` what was asked ("GET /me/x/resolve/…"), `fail` breaks what comes next."""

    def __init__(self):
        self.repos: dict[str, Repo] = {}
        self.requests: list[str] = []
        self.tokens: set[str | None] = set()
        self.messages: list[str] = []  # of the commits
        self.pull_requests: list[str] = []  # requests that opened one
        self.before_commit: Callable[[], object] | None = None  # what others do at the last moment
        self._fault, self._times, self._where = None, 0, ""
        self._released = threading.Event()  # ends the silence of those who got none
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            do_GET = do_HEAD = do_POST = lambda handler: hub._answer(handler)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.fail(None)
        self.server.shutdown()
        self.server.server_close()

    def fail(self, fault: str | None, times: int = 10**9, where: str = "") -> None:
        """The next `times` requests with `where` in their line get `fault`.

        That is a status code, corrupt, short, garbage, close, silent (no answer), or stall (half of one, then silence).
        """
        self._released.set()
        self._released = threading.Event()
        self._fault, self._times, self._where = fault, times, where

    def downloads(self) -> list[str]:
        """The files whose content was fetched."""
        return sorted(
            line.split("/resolve/")[1].split("/", 1)[1] for line in self.requests if line.startswith("GET /me")
        )

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(handler.path).path)
        line = f"{handler.command} {path}"
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.requests.append(line)
        if "create_pr=1" in handler.path:
            self.pull_requests.append(line)
        self.tokens.add(handler.headers.get("Authorization"))
        fault = None
        if self._fault and self._times > 0 and self._where in line:
            self._times -= 1
            fault = self._fault
        if fault == "close":
            handler.close_connection = True
            handler.connection.close()
            return
        if fault == "silent":
            handler.close_connection = True
            self._released.wait(120)
            return
        if fault and fault.isdigit():
            return self._send(handler, int(fault), b"")
        status, content, headers = self._route(handler.command, path, body)
        if fault == "garbage":
            status, content, headers = 200, b"<html>captive portal</html>", {}
        self._send(handler, status, content, headers, fault)

    def _send(
        self, handler, status: int, content: bytes, headers: dict | None = None, fault: str | None = None
    ) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if handler.command == "HEAD":
            return
        if fault == "corrupt":  # of the same length: nothing in the protocol notices
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        if fault == "short":
            content, handler.close_connection = content[: len(content) // 2], True
        if fault == "stall":
            handler.close_connection = True
            handler.wfile.write(content[: len(content) // 2])
            self._released.wait(120)
            return
        handler.wfile.write(content)

    def _route(self, method: str, path: str, body: bytes) -> tuple[int, bytes, dict]:
        """(status, content, headers) of one request, as the real Hub would answer it."""
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
            new = name not in self.repos
            self.repos.setdefault(name, Repo(private=asked.get("visibility") == "private"))
            return self._json({"url": f"{self.address}/{name}", "id": name}, 200 if new else 409)
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if path == "/api/whoami-v2":
            return self._json({"type": "user", "name": "me", "orgs": []})
        if path.startswith(("/api/models/", "/api/datasets/")):
            owner, name, *rest = path.split("/")[3:]
            repo_id, action, revision = f"{owner}/{name}", (rest or [""])[0], (rest[1:] or ["main"])[0]
        elif "/resolve/" in path:
            repo_id, rest = path[1:].split("/resolve/")
            action, (revision, name) = "resolve", rest.split("/", 1)
        else:
            return 404, b"", {}

        repo = self.repos.get(repo_id)
        if repo is None:
            return 404, b"", {"X-Error-Code": "RepoNotFound"}
        if repo.gated and action == "resolve":
            return 403, b"", {"X-Error-Code": "GatedRepo"}
        if action == "preupload":
            files = json.loads(body)["files"]
            return self._json(
                {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
            )
        if action == "commit":
            if self.before_commit is not None:
                self.before_commit()
            changes, parent = {}, None
            for entry in map(json.loads, body.splitlines()):
                if entry["key"] == "header":
                    parent = entry["value"].get("parentCommit")
                    self.messages.append(entry["value"]["summary"])
                if entry["key"] == "file":
                    changes[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
                elif entry["key"] == "deletedFile":
                    changes[entry["value"]["path"]] = None
            if parent is not None and parent != repo.branches.get(revision):
                return 412, b"A commit has happened since. Please refresh and try again.", {}
            sha = repo.commit(changes, revision)
            url = f"{self.address}/{repo_id}/commit/{sha}"
            return self._json({"commitUrl": url, "commitOid": sha, "pullRequestUrl": None})
        sha = repo.branches.get(revision, revision)
        if sha not in repo.commits and (repo.commits or action == "resolve"):
            return 404, b"", {"X-Error-Code": "RevisionNotFound"}
        files = repo.commits.get(sha, {})
        if action in ("", "revision"):
            siblings = [{"rfilename": name} for name in files]
            info = {
                "_id": "0" * 24,
                "id": repo_id,
                "modelId": repo_id,
                "sha": sha if sha in repo.commits else None,
                "siblings": siblings,
                "private": False,
            }
            return self._json({**info, "tags": [], "downloads": 0, "likes": 0})
        if action == "tree":
            tree = [{"type": "file", "path": n, "size": len(c), "oid": self._etag(c)} for n, c in files.items()]
            return self._json(tree)
        if action == "resolve":
            if name not in files:
                return 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha}
            return 200, files[name], {"ETag": f'"{self._etag(files[name])}"', "X-Repo-Commit": sha}
        return 404, b"", {}

    @staticmethod
    def _etag(content: bytes) -> str:
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    @staticmethod
    def _json(value: object, status: int = 200) -> tuple[int, bytes, dict]:
        return status, json.dumps(value).encode(), {"Content-Type": "application/json"}

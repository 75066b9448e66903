"""What a stranger may send: wrong calls and values, probes for files, bodies and sessions without end (C3, C4, C7 to C9)."""

import concurrent.futures
import http.server
import json
import math
import random
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks.reliability.row import Row
from benchmarks.visitors import MODELS, Server
from gan_hub.demo import answers

SILENCE = 20  # seconds without an answer that count as hanging
# What values are made of, beside random texts and numbers.
ODD = (
    None,
    True,
    False,
    "",
    "x" * 3000,
    "0-9999999999",
    "\0",
    "../../etc/passwd",
    "<img src=x onerror=alert(1)>",
    -1,
    0.5,
)
ODD += (1e308, 2**70, [], [[]], {}, {"path": "/etc/passwd"}, ["a"], {"__type__": "update", "value": 1}, "1" * 900)
LEAKS = ("Traceback", 'File "', "/site-packages/", "root:x:", "gan_hub/demo/")


class Caller:
    """A program that makes the page's calls, any of them, with any values."""

    def __init__(self, server: Server) -> None:
        self.url = f"{server.url}/gradio_api"
        self.calls = {call["id"]: call for call in httpx.get(f"{server.url}/config", timeout=60).json()["dependencies"]}

    def number(self, name: str) -> int:
        """Of a call by its name."""
        return next(number for number, call in self.calls.items() if call["api_name"] == name)

    def call(self, number: Any, values: Any, session: str | None = None) -> tuple[int, bool, str]:
        """The status, whether it succeeded, and everything that was said."""
        session = session or secrets.token_hex(6)
        body = {"data": values, "fn_index": number, "session_hash": session, "event_data": {"index": 1, "value": None}}
        with httpx.Client(timeout=SILENCE) as client:
            try:
                joined = client.post(f"{self.url}/queue/join", json=body)
                if joined.status_code != 200:
                    return joined.status_code, False, joined.text
                with client.stream("GET", f"{self.url}/queue/data?session_hash={session}") as stream:
                    for line in stream.iter_lines():
                        message = json.loads(line[5:]) if line.startswith("data:") else {}
                        if message.get("msg") in ("process_completed", "unexpected_error"):
                            output = message.get("output") or {}
                            told = json.dumps(output, ensure_ascii=False)
                            return (
                                200,
                                bool(message.get("success")),
                                told if message.get("success") else str(output.get("error")),
                            )
            except httpx.HTTPError as error:
                return 0, False, type(error).__name__
        return 0, False, "the stream ended"


def c3(server: Server, count: int) -> list[Row]:
    """Random values for every call of the page, public or not, and for some that there are not."""
    caller, choice = Caller(server), random.Random(0)
    numbers = [number for number, call in caller.calls.items() if call["backend_fn"]]
    longest = 0.0

    def one(_: int) -> tuple[int, bool, str]:
        nonlocal longest
        number = choice.choice([*numbers, *numbers, -1, 10**6])
        length = len(caller.calls.get(number, {}).get("inputs", ())) + choice.choice((0, 0, 0, 0, -1, 1))
        values = [choice.choice((*ODD, *MODELS)) for _ in range(max(0, length))]
        began = time.monotonic()
        outcome = caller.call(number, values)
        longest = max(longest, time.monotonic() - began)
        return outcome

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(one, range(count)))
    broken = sum(status >= 500 for status, _, _ in outcomes)
    wordless = sum(not done and (len(told) < 15 or told == "None") for status, done, told in outcomes if status)
    hanging = sum(status == 0 for status, _, _ in outcomes)
    leaking = sum(any(leak in told for leak in LEAKS) for _, _, told in outcomes)
    found = f"{broken} answers of 500 and above, {wordless} refusals without a sentence, {hanging} without an answer, "
    found += f"{leaking} with a path or a traceback; the longest took {longest:.1f} s"
    goal = "none of these"
    met = not broken + wordless + hanging + leaking
    return [Row("C3", f"{count} calls of all {len(numbers)} numbers with odd values", goal, found, met)]


def bounds() -> Iterator[tuple[str, int, Sequence[Any]]]:
    """(name of a call, place of a value, values that must be refused there)."""
    wrong_numbers = (None, "x", True, [1], {}, -3, 1e9, math.pi * 1e5)
    wrong_names = (5, ["own"], {"a": 1}, "no such thing", "<b>")
    wrong_seeds = (None, "", "x", "-1", "4294967296", "0-9999", "1.5", "1" * 2000, 7, ["1"], "0-3-5")
    yield "sample", 0, (None, 5, ["mlp-mnist"], "no such model", "")
    yield "sample", 1, wrong_seeds
    yield "sample", 2, wrong_names
    yield "sample", 3, (*wrong_numbers, 1.01, -0.01)
    yield "interpolate", 1, (*wrong_seeds, "1")
    yield "interpolate", 2, (None, "straight", 1, ["slerp"])
    yield "interpolate", 3, (*wrong_numbers, 2.5, 1, 121)
    yield "interpolate", 5, ("no", None, 1, [], {})
    yield "arithmetic", 1, wrong_seeds


RIGHT = {
    "sample": [MODELS[0], "1", "own", 1.0],
    "interpolate": [MODELS[0], "1, 2", "slerp", 4, "own", True],
    "arithmetic": [MODELS[0], "1", "2", "3", "own", "own"],
}


def c4(server: Server) -> list[Row]:
    """Every value just outside of what is allowed."""
    caller, let_through, wordless, count = Caller(server), [], 0, 0
    for name, place, values in bounds():
        for value in values:
            arguments = list(RIGHT[name])
            arguments[place] = value
            inputs = len(caller.calls[caller.number(name)]["inputs"])
            arguments += [None, 1.0][: inputs - len(arguments)]
            _, done, told = caller.call(caller.number(name), arguments)
            count += 1
            if done:
                let_through.append(f"{name}[{place}]={value!r}"[:40])
            wordless += not done and len(told) < 15
    names = f" ({', '.join(let_through[:4])})" if let_through else ""
    found = f"{len(let_through)} let through{names}, {wordless} without a sentence"
    return [
        Row(
            "C4",
            f"{count} values outside of what is allowed",
            "each refused in a sentence",
            found,
            not let_through and not wordless,
        )
    ]


def c7(server: Server) -> list[Row]:
    """Probes for files of the machine, other servers, and uploads."""
    visits = []

    class Trap(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visits.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    trap = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trap)
    threading.Thread(target=trap.serve_forever, daemon=True).start()
    there = f"http://127.0.0.1:{trap.server_port}/x"
    files = (
        "/etc/passwd",
        "../../../etc/passwd",
        "..%2f..%2fetc/passwd",
        "/ETC/passwd",
        "app.py",
        "/proc/self/environ",
        there,
    )
    files += (
        "file:///etc/passwd",
        "%2Fetc%2Fpasswd",
        "model_cards/mlp-mnist/README.md",
        "//etc/passwd",
        "C:/windows/win.ini",
    )
    routes = [f"gradio_api/file={path}" for path in files] + [f"file={path}" for path in files[:6]]
    routes += [
        f"gradio_api/proxy={target}"
        for target in (there, "http://localhost", "https://huggingface.co/x", "/etc/passwd")
    ]
    routes += [
        "static/../../../etc/passwd",
        "assets/..%2f..%2f..%2fapp.py",
        "theme.css?x=/etc/passwd",
        "monitoring",
        "monitoring/summary",
    ]
    routes += [
        "gradio_api/dev/reload",
        "gradio_api/deep_link?session_hash=a",
        "gradio_api/stream/a/b/c/d",
        "docs",
        "openapi.json/..",
    ]
    with httpx.Client(timeout=SILENCE) as client:
        answers = [client.get(f"{server.url}/{route}") for route in routes]
        answers.append(client.post(f"{server.url}/gradio_api/upload", files={"files": ("../../x.html", b"<script>")}))
        answers.append(client.post(f"{server.url}/gradio_api/upload", files={"files": ("a.png", b"x" * 10**6)}))
    caller = Caller(server)
    for value in ({"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, {"url": there, "path": there}, there):
        caller.call(caller.number("sample"), [value, value, value, 1.0, "none", 1.0])
    trap.shutdown()
    leaked = sum(
        "root:" in answer.text or "PATH=" in answer.text or "import " in answer.text[:200] for answer in answers
    )
    broken = sum(answer.status_code >= 500 for answer in answers)
    found = f"{leaked} leaked, {len(visits)} requests to another server, {broken} answers of 500 and above"
    what = f"{len(answers) + 3} probes for files, other servers and uploads"
    return [Row("C7", what, "nothing leaked, nothing fetched", found, not leaked and not visits and not broken)]


def c8(server: Server) -> list[Row]:
    """Bodies that are too large or too deep."""
    before, slowest, codes = server.memory(), 0.0, []
    bodies = [b"x" * (size * 10**6) for size in (1, 10, 50)] + [b'{"data": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"]
    for body in bodies:
        began = time.monotonic()
        codes.append(httpx.post(f"{server.url}/gradio_api/queue/join", content=body, timeout=60).status_code)
        slowest = max(slowest, time.monotonic() - began)
    grown = server.memory() - before
    found = f"{', '.join(map(str, codes))}; the slowest took {slowest:.2f} s; {grown:+.0f} MB"
    met = all(code in (400, 413) for code in codes) and slowest < 0.5 and grown < 10
    return [
        Row(
            "C8",
            "bodies of 1, 10 and 50 MB, and lists 10,000 deep",
            "400 or 413 within 0.5 s, at most +10 MB",
            found,
            met,
        )
    ]


def c9(server: Server, folder: Path, count: int) -> list[Row]:
    """Many pictures and many sessions: what stays on the disk and in memory."""
    caller = Caller(server)
    read = next(number for number, call in caller.calls.items() if call["api_name"] == "read")

    def draw(first: int) -> None:
        caller.call(caller.number("sample"), [MODELS[0], f"{first}-{first + 63}", "own", 1.0, "none", 1.0])

    caller.call(read, ["?tab=sample"])  # the model that the page opens with is there then,
    for first in range(0, 64 * answers.MOST, 64):  # and so are all answers that are kept
        draw(first)
    before = server.memory()
    for first in range(0, count, 64):
        draw(10**6 + first)
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: caller.call(read, ["?tab=sample"]), range(count)))
    grown = server.memory() - before
    written = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    found = f"{written:.0f} MB of files, which are deleted after an hour; {grown:+.0f} MB of memory"
    what = f"{count} different pictures and {count} sessions"
    return [Row("C9", what, "at most 50 MB of files and +40 MB of memory", found, written <= 50 and grown <= 40)]

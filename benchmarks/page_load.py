"""What visitors do to each other, on this machine: `python benchmarks/page_load.py [--walks N] [--calls N] [--sessions N]`

Serves app.py on a free port of 127.0.0.1 and prints a table: how long a visitor waits for four pictures while another has
joined walks that nobody listens to, holds as many with streams that are open, or posts around the line; what large and
malformed requests cost; and what a session leaves behind. Ends by itself after a few minutes.

`--crowd 1 8 32 50` prints another table instead: crowds that come to look, a minute or so each (`visitors.py`).
"""

import argparse
import asyncio
import concurrent.futures
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
from visitors import Server, crowd

ROOT = Path(__file__).resolve().parents[1]
WALK = ("spade-facades", "3, 14, 15", "slerp", 120, "own", True)  # the slowest call the page has
FOUR = ("dcgan-fashion-mnist", "0-3", "own", 1.0, "none", 1.0)


class Page:
    """The served page, as a program sees it."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT, env=environment)
        while self.process.poll() is None:
            try:
                events = httpx.get(f"{self.url}/config").json()["dependencies"]
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        self.client = httpx.Client(timeout=900, limits=httpx.Limits(max_connections=300))
        self.number = {event["api_name"]: event["id"] for event in events}

    def join(self, name: str, values: tuple, session: str, address: str = "10.0.0.1") -> int:
        """The status. `address` is whence a proxy on this machine, which the page believes, would say the call comes."""
        body, headers = {"data": list(values), "fn_index": self.number[name]}, {"x-forwarded-for": address}
        join = f"{self.url}/gradio_api/queue/join"
        return self.client.post(join, json=body | {"session_hash": session}, headers=headers).status_code

    def listen(self, session: str) -> bool:
        """Whether a call came to a good end."""
        with self.client.stream("GET", f"{self.url}/gradio_api/queue/data?session_hash={session}") as lines:
            return any("process_completed" in line and '"success":true' in line for line in lines.iter_lines())

    def wait(self) -> str:
        """What a visitor waits for four pictures, in words."""
        session, start = secrets.token_hex(8), time.monotonic()
        code = self.join("sample", FOUR, session)
        served = code == 200 and self.listen(session)
        return f"{time.monotonic() - start:.1f} s" if served else f"refused ({code})"

    def memory(self) -> float:
        """Resident memory in MB (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1000


def abandoned(page: Page, walks: int) -> str:
    codes = Counter(page.join("interpolate", WALK, secrets.token_hex(8)) for _ in range(walks))
    waited = page.wait()
    time.sleep(9)
    return f"{waited}; 9 s later {page.wait()} (answers to the walks: {dict(codes)})"


def held(page: Page, walks: int) -> str:
    """Each walk in a session of its own, whose stream is held open, all from one address; the visitor has another."""
    names = [secrets.token_hex(8) for _ in range(walks)]
    codes = Counter(page.join("interpolate", WALK, name, "10.0.0.9") for name in names)
    for name in names:
        threading.Thread(target=lambda name=name: page.listen(name), daemon=True).start()
    time.sleep(2)
    return f"{page.wait()} (answers to the walks: {dict(codes)})"


def direct(page: Page, calls: int) -> str:
    def post(_):
        return page.client.post(f"{page.url}/gradio_api/api/interpolate", json={"data": list(WALK)}).status_code

    with concurrent.futures.ThreadPoolExecutor(calls) as threads:
        codes = threads.map(post, range(calls))
        waited = page.wait()
        return f"{waited} (answers to the posts: {dict(Counter(codes))})"


def bodies(page: Page) -> str:
    before, told = page.memory(), []
    for size in (1, 10, 50):
        start = time.monotonic()
        answer = page.client.post(f"{page.url}/gradio_api/queue/join", content=b"x" * (size * 1_000_000))
        told.append(f"{size} MB: {answer.status_code} in {time.monotonic() - start:.2f} s")
    return f"{', '.join(told)}; {page.memory() - before:+.0f} MB of memory"


def sessions(page: Page, count: int) -> str:
    told = []
    for _ in range(3):
        before = page.memory()
        for _ in range(count):
            session = secrets.token_hex(8)
            if page.join("read", ("?tab=sample",), session) == 200:
                page.listen(session)
        told.append(f"{1000 * (page.memory() - before) / count:.0f} kB")
    return " then ".join(told) + f" a session, in series of {count}; {page.memory():.0f} MB in all"


def crowd_rows(counts: list[int], seconds: float = 50, within: float = 10) -> list[list[str]]:
    """A table of crowds, each before a page of its own: the header, then a row a crowd.

    Args:
        counts: visitors of each crowd.
        seconds: that each stays.
        within: seconds in which they arrive.

    Returns:
        Cells: visitors; median and 95 % of the seconds from click to picture of opening, drawing, another model and the next
        pair of the game; calls and files a second; failed actions; CPU seconds of an action, and CPU used of one core; memory
        in MB before, at the end, and ten seconds after all have left; MB of files that were written.
    """
    kinds = {"open": "open", "draw": "draw", "model": "another model", "next pair": "next pair"}
    timed = [f"{title}, s (median / 95 %)" for title in kinds.values()]
    table = [["visitors", *timed, "requests a second", "failed", "CPU s an action", "CPU", "memory, MB", "files, MB"]]
    for count in counts:
        folder = tempfile.mkdtemp()
        server = Server(GRADIO_TEMP_DIR=folder).wait()
        try:
            memory, cpu, began = [server.memory()], server.cpu(), time.monotonic()
            notes = asyncio.run(crowd(server.url, count, seconds, within=within))
            passed, cpu = time.monotonic() - began, server.cpu() - cpu
            memory.append(server.memory())
            time.sleep(10)
            memory.append(server.memory())
            written = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
        finally:
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)
        print(*sorted(set(notes.failures)), sep="\n", end="", file=sys.stderr)
        actions = sum(len(notes.seconds.get(kind, ())) for kind in ("open", "draw", "model")) or 1
        actions += 2 * len(notes.seconds.get("game", ()))
        times = [f"{notes.median(kind):.1f} / {notes.p95(kind):.1f}" for kind in kinds]
        used = [f"{cpu / actions:.2f}", f"{100 * cpu / passed:.0f} %", " → ".join(f"{value:.0f}" for value in memory)]
        failed = f"{len(notes.failures)} of {actions}"
        table.append([str(count), *times, f"{notes.requests / passed:.0f}", failed, *used, f"{written:.0f}"])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--walks", type=int, default=50, help="walks of the one who does not listen, at most 100")
    parser.add_argument("--calls", type=int, default=40, help="posts around the line at once, at most 100")
    parser.add_argument("--sessions", type=int, default=400, help="sessions in each of three series, at most 1000")
    parser.add_argument("--crowd", type=int, nargs="+", metavar="N", help="crowds of so many instead, at most 200 each")
    given = parser.parse_args()
    if given.crowd:
        header, *rows = crowd_rows([min(count, 200) for count in given.crowd])
        for row in (header, ["---"] * len(header), *rows):
            print("|", " | ".join(row), "|")
        return
    page = Page()
    try:
        print(f"alone: {page.wait()}, then {page.wait()}")
        print(f"{given.walks} walks that nobody listens to: {abandoned(page, min(given.walks, 100))}")
        print(f"{given.calls} posts around the line: {direct(page, min(given.calls, 100))}")
        print(f"large requests: {bodies(page)}")
        print(f"memory: {sessions(page, min(given.sessions, 1000))}")
        print(f"{given.walks} walks of one address, listened to: {held(page, min(given.walks, 100))}", flush=True)
    finally:
        page.process.kill()


if __name__ == "__main__":
    main()

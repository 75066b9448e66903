"""Visitors of the page without a browser: what a browser sends, for `page_load.py` and `replicas.py`.

A visitor keeps the values of the page's components as a browser does, sends them with each call, follows the calls that come
after a call, and fetches the pictures it is shown. What the page's own script does in a browser (front/page.js) is done by `go`
and `pick`: read an address, choose a model, and have the open tab drawn.
"""

import asyncio
import base64
import hashlib
import json
import os
import random
import re
import secrets
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

import httpx

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60  # seconds that a visitor waits for an answer
TICKS = os.sysconf("SC_CLK_TCK")
SIZES = re.compile(r"Vm(RSS|HWM):\s+(\d+) kB")
DATA_URI = re.compile(r"data:image/\w+;base64,([A-Za-z0-9+/=]+)")


class Failure(Exception):
    """What a visitor was told instead of an answer."""


class Lost(Failure):
    """The server does not know the visitor any more; a browser then loads the page anew."""


class Server:
    """The page in a process of its own, on a free port of 127.0.0.1."""

    def __init__(self, port: int = 0, log: IO[str] | None = None, **environment: str) -> None:
        """Start it; what it reports as wrong goes into `log`, by default to where this process's own goes."""
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        offline = {"HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
        command = [sys.executable, "app.py", "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | offline | environment, stdout=subprocess.DEVNULL, stderr=log
        )

    def wait(self) -> "Server":
        """Wait until it answers."""
        while self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/config", timeout=30).status_code == 200:
                    return self
            except httpx.HTTPError:
                time.sleep(0.2)
        raise SystemExit("the page did not start")

    def memory(self) -> float:
        """Resident memory in MB (Linux)."""
        return int(dict(SIZES.findall(Path(f"/proc/{self.process.pid}/status").read_text()))["RSS"]) / 1000

    def cpu(self) -> float:
        """CPU seconds so far (Linux)."""
        numbers = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(numbers[11]) + int(numbers[12])) / TICKS

    def stop(self) -> None:
        """End it at once, as a machine that fails."""
        self.process.kill()
        self.process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@dataclass
class Notes:
    """What happened to a crowd: seconds of each kind of action, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    requests: int = 0

    def median(self, kind: str) -> float:
        """Median seconds of a kind of action."""
        return statistics.median(self.seconds.get(kind) or [float("nan")])

    def p95(self, kind: str) -> float:
        """Seconds within which 95 % of a kind of action were done."""
        values = sorted(self.seconds.get(kind) or [float("nan")])
        return values[min(len(values) - 1, int(0.95 * len(values)))]


class Visitor:
    """One browser window: a session, the values it shows, and the stream of messages it listens to."""

    def __init__(self, url: str, notes: Notes, address: str, query: str = "") -> None:
        self.url, self.notes, self.query, self.session = url, notes, query, secrets.token_hex(5)
        limits = httpx.Limits(max_connections=8)  # a browser opens six, and the stream and the heartbeat
        self.client = httpx.AsyncClient(timeout=600, limits=limits, headers={"x-forwarded-for": address})
        self.values: dict[int, Any] = {}
        self.calls: dict[int, dict] = {}
        self.waiting: dict[str, asyncio.Future] = {}
        self.early: dict[str, dict] = {}  # answers that came before that of the queue
        self.listening: asyncio.Task | None = None
        self.alive: asyncio.Task | None = None
        self.pictures: list[str] = []  # SHA-256 of each picture that was shown

    async def open(self) -> None:
        """Load the page, and do what it does at its start."""
        page = await self._get(f"{self.url}/{self.query}")
        embedded = re.search(r"window\.gradio_config = (\{.*?\});</script>", page.text, re.DOTALL)
        if embedded is None:
            raise Failure("the page has no configuration")
        config = json.loads(embedded[1])
        self.values = {block["id"]: block["props"].get("value") for block in config["components"]}
        self.named = {block["props"].get("elem_id"): block["id"] for block in config["components"]}
        self.calls = {call["id"]: call for call in config["dependencies"]}
        scripts = {block["id"]: str(block["props"].get("js_on_load")) for block in config["components"]}
        self.router = next(block for block, script in scripts.items() if "ganHub.connect" in script)
        self.alive = asyncio.create_task(self._heartbeat())
        await self.go(self.query, "load", 0)

    async def go(self, address: str, event: str = "restore", component: int | None = None) -> None:
        """Show what an address shows, as Back and Forward do; with the event "load" of component 0, as opening the page does."""
        component = self.router if component is None else component
        await self.trigger(component, event, [address])
        place = json.loads(self.values[self.router])
        await self.trigger(self.router, f"draw_{place['tab']}")

    async def pick(self, model: str, tab: str = "sample") -> None:
        """Choose another model while a tab is open."""
        self.values[self.named["model"]] = model
        await self.trigger(self.router, f"draw_{tab}")

    async def press(self, element: str) -> None:
        """Click on the button with an id."""
        await self.trigger(self.named[element], "click")

    async def reload(self) -> None:
        """Load the page anew, in a new session, with the cookies of the old one."""
        for task in (self.listening, self.alive):
            if task is not None:
                task.cancel()
        self.session, self.listening, self.waiting = secrets.token_hex(5), None, {}
        await self.open()

    async def close(self) -> None:
        """Close the window."""
        for task in (self.listening, self.alive):
            if task is not None:
                task.cancel()
        await self.client.aclose()

    async def trigger(self, component: int | None, event: str, values: Sequence[Any] | None = None) -> None:
        """Make an event of a component, or of the page (0), happen, and wait for its calls and those after them.

        Args:
            component: its number.
            event: what happens.
            values: what the calls get in place of what the page shows, those of them that take values.
        """
        targets = {
            number: {(target[0] or 0, target[1]) for target in call["targets"]} for number, call in self.calls.items()
        }
        first = [number for number, events in targets.items() if (component, event) in events]
        given = [values if self.calls[number]["inputs"] else [] for number in first]
        await asyncio.gather(*map(self.call, first, given))

    async def call(self, number: int, values: Sequence[Any] | None = None) -> list[Any]:
        """Make a call and those that follow it; returns its answer."""
        call = self.calls[number]
        if not call["backend_fn"]:
            return []
        data = [self.values.get(block) for block in call["inputs"]] if values is None else list(values)
        body = {"data": data, "fn_index": number, "session_hash": self.session, "trigger_id": None}
        self.notes.requests += 1
        answer = await self.client.post(f"{self.url}/gradio_api/queue/join{self.query}", json=body)
        if answer.status_code != 200:
            raise Failure(f"{call['api_name']}: {answer.status_code} {answer.text[:90]}")
        output = await self._answer(answer.json()["event_id"])
        for block, value in zip(call["outputs"], output["data"], strict=True):
            self._show(block, value)
        await self._fetch_pictures(output["data"])
        following = [c["id"] for c in self.calls.values() if c.get("trigger_after") == number]
        changed = output.get("changed_state_ids") or []
        following += [
            c["id"] for c in self.calls.values() if any(t[0] in changed and t[1] == "change" for t in c["targets"])
        ]
        await asyncio.gather(*map(self.call, following))
        return output["data"]

    def _show(self, block: int, value: Any) -> None:
        if isinstance(value, dict) and value.get("__type__") == "update":
            self.values[block] = value.get("value", self.values.get(block))
        else:
            self.values[block] = value

    async def _answer(self, event: str) -> dict:
        if event in self.early:
            message = self.early.pop(event)
        else:
            self.waiting[event] = asyncio.get_running_loop().create_future()
            if self.listening is None or self.listening.done():
                self.listening = asyncio.create_task(self._listen())
            try:
                message = await asyncio.wait_for(self.waiting[event], PATIENCE)
            except TimeoutError:
                raise Failure(f"no answer in {PATIENCE} s") from None
        if not message.get("success"):
            lost = message.get("output") is None
            raise (Lost if lost else Failure)(str(message.get("output") or message.get("message"))[:120])
        return message["output"]

    async def _listen(self) -> None:
        """Read messages until the server closes the stream, as it does when no call is left."""
        self.notes.requests += 1
        problem = "the stream ended"
        try:
            address = f"{self.url}/gradio_api/queue/data?session_hash={self.session}"
            async with self.client.stream("GET", address) as stream:
                async for line in stream.aiter_lines():
                    message = json.loads(line[5:]) if line.startswith("data:") else {}
                    if message.get("msg") == "process_completed":
                        future = self.waiting.pop(message["event_id"], None)
                        if future is None:
                            self.early[message["event_id"]] = message
                        elif not future.done():
                            future.set_result(message)
                    elif message.get("msg") == "close_stream":
                        break
                    elif message.get("msg") == "unexpected_error":
                        problem = str(message.get("message"))
        except httpx.HTTPError as error:
            problem = type(error).__name__
        if self.waiting and problem == "the stream ended":  # a call joined while the stream was closing
            self.listening = asyncio.create_task(self._listen())
            return
        for future in self.waiting.values():
            if not future.done():
                future.set_result({"success": False, "message": problem})
        self.waiting.clear()

    async def _heartbeat(self) -> None:
        """The connection that a browser holds while its window is open."""
        try:
            async with self.client.stream("GET", f"{self.url}/gradio_api/heartbeat/{self.session}") as stream:
                async for _ in stream.aiter_bytes():
                    pass
        except httpx.HTTPError:
            pass

    async def _fetch_pictures(self, data: Iterable[Any]) -> None:
        """Note the pictures that came with an answer, and fetch those of a gallery; what is only offered is not fetched."""
        galleries = [value for value in data if isinstance(value, list) and value and isinstance(value[0], dict)]
        images = [item["image"] for gallery in galleries for item in gallery if "image" in item]
        for picture in DATA_URI.findall(json.dumps(list(data))):
            self.pictures.append(hashlib.sha256(base64.b64decode(picture)).hexdigest())
        urls = [image["url"] for image in images if isinstance(image, dict)]
        for answer in await asyncio.gather(*(self._get(url) for url in urls)):
            if not answer.content.startswith(b"\x89PNG"):
                raise Failure(f"a picture: {answer.status_code} {answer.text[:90]}")
            self.pictures.append(hashlib.sha256(answer.content).hexdigest())

    async def _get(self, url: str) -> httpx.Response:
        self.notes.requests += 1
        try:
            answer = await self.client.get(url)
        except (
            httpx.ReadError,
            httpx.RemoteProtocolError,
        ):  # a kept connection that the server just closed: browsers ask again
            answer = await self.client.get(url)
        if answer.status_code != 200:
            raise Failure(f"{url[-40:]}: {answer.status_code} {answer.text[:90]}")
        return answer


class Person:
    """What a person does on the page, at a human pace: opens it, draws, takes another model, plays the game."""

    def __init__(self, url: str, notes: Notes, number: int, pause: float, address: str) -> None:
        self.random, self.notes, self.pause = random.Random(number), notes, pause
        self.visitor, self.model, self.plays = Visitor(url, notes, address), MODELS[0], False

    async def stay(self, seconds: float, arrive: float) -> None:
        """Arrive after `arrive` seconds, act until `seconds` have passed since then, and leave."""
        await asyncio.sleep(arrive)
        leave = time.monotonic() + seconds
        try:
            await self._timed("open", self.visitor.open())
            while time.monotonic() < leave:
                await asyncio.sleep(self.random.uniform(0.5, 1.5) * self.pause)
                actions = {"draw": self.draw, "model": self.another_model, "game": self.game}
                kind = self.random.choices([*actions], [4, 2, 4])[0]
                await self._timed(kind, actions[kind]())
        finally:
            await self.visitor.close()

    async def _timed(self, kind: str, action: Any) -> None:
        began = time.monotonic()
        try:
            await action
        except (Failure, httpx.HTTPError) as error:
            self.notes.failures.append(f"{kind}: {type(error).__name__} {error}")
            if kind != "reload" and not isinstance(error, Failure) or isinstance(error, Lost):
                await self._timed("reload", self.visitor.reload())
        else:
            self.notes.seconds.setdefault(kind, []).append(time.monotonic() - began)

    async def draw(self) -> None:
        """New seeds, and their sixteen pictures."""
        first = self.random.randrange(1_000_000)
        await self.visitor.go("?" + urlencode({"tab": "sample", "model": self.model, "seeds": f"{first}-{first + 15}"}))

    async def another_model(self) -> None:
        """Another model, and its pictures."""
        self.model = self.random.choice(MODELS)
        await self.visitor.pick(self.model)

    async def game(self) -> None:
        """A guess, and the next pair."""
        if not self.plays:
            await self.visitor.trigger(self.visitor.router, "draw_game")
            self.plays = True
        await self.visitor.press(self.random.choice(["pick-left", "pick-right"]))
        await asyncio.sleep(self.random.uniform(0.2, 0.6) * self.pause)
        began = time.monotonic()
        await self.visitor.press("next-round")
        self.notes.seconds.setdefault("next pair", []).append(time.monotonic() - began)


# Small and large ones, all of which have real pictures for the game.
MODELS = ("dcgan-fashion-mnist", "mlp-mnist", "msg-gan-fashion-mnist", "r3gan-avatars-64", "stylegan2-avatars-32")


async def crowd(
    url: str, count: int, seconds: float, pause: float = 8.0, addresses: int = 1, within: float = 10.0
) -> Notes:
    """A crowd of `count` people, who arrive within some seconds, on so many addresses, and stay for `seconds`."""
    notes = Notes()
    people = [Person(url, notes, number, pause, f"10.0.0.{number % addresses}") for number in range(count)]
    stays = [person.stay(seconds, within * number / count) for number, person in enumerate(people)]
    await asyncio.gather(*stays)
    return notes

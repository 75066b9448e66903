"""Crowds of visitors: whether all are served, rightly, in time, and none sees what another asked for (rows C1, C2 and C5)."""

import asyncio
import random
import statistics
import time
from collections import defaultdict
from urllib.parse import urlencode

import httpx

from benchmarks.reliability.row import Row
from benchmarks.visitors import MODELS, Failure, Notes, Server, Visitor

SEED_RANGES = 25  # of each model that visitors draw from, so that the same pictures are asked for again and again
Digests = dict[tuple[str, int], set[tuple[str, ...]]]  # (model, first seed) → what was drawn for it


async def drawing(visitor: Visitor, notes: Notes, digests: Digests, choice: random.Random, until: float) -> None:
    """Draw sixteen pictures again and again, and note their digests and the seconds."""
    while time.monotonic() < until:
        model, first = choice.choice(MODELS), 16 * choice.randrange(SEED_RANGES)
        began, visitor.pictures = time.monotonic(), []
        try:
            await visitor.go("?" + urlencode({"tab": "sample", "model": model, "seeds": f"{first}-{first + 15}"}))
        except Failure as failure:
            notes.failures.append(str(failure))
        else:
            notes.seconds.setdefault("draw", []).append(time.monotonic() - began)
            digests[model, first].add(
                tuple(visitor.pictures[:16])
            )  # others, such as a large view, come where something changed
        await asyncio.sleep(0.01)


async def without_pause(url: str, count: int, seconds: float) -> tuple[Notes, Digests]:
    """`count` visitors who draw without a pause."""
    notes, digests = Notes(), defaultdict(set)
    visitors = [Visitor(url, notes, f"10.0.1.{number}") for number in range(count)]
    await asyncio.gather(*(visitor.open() for visitor in visitors))
    until = time.monotonic() + seconds
    choices = [random.Random(number) for number in range(count)]
    await asyncio.gather(
        *(drawing(*each, until) for each in zip(visitors, [notes] * count, [digests] * count, choices, strict=True))
    )
    await asyncio.gather(*(visitor.close() for visitor in visitors))
    return notes, digests


def c1(server: Server, seconds: float) -> list[Row]:
    """Eight and thirty-two visitors who draw without a pause."""
    asyncio.run(without_pause(server.url, 8, seconds))  # every model is loaded then
    rows, known = [], defaultdict(set)
    for count in (8, 32):
        memory, began = server.memory(), time.monotonic()
        notes, digests = asyncio.run(without_pause(server.url, count, seconds))
        rate = len(notes.seconds["draw"]) / (time.monotonic() - began)
        for key, each in digests.items():
            known[key] |= each
        wrong = sum(len(each) > 1 for each in known.values())
        waited, longest = notes.p95("draw"), 2.5 * count / rate
        grown = server.memory() - memory
        found = f"{len(notes.seconds['draw'])} drawings, {rate:.1f}/s, {len(notes.failures)} errors, {wrong} wrong pictures; "
        found += f"95 % within {waited:.2f} s (visitors / rate: {count / rate:.2f} s); {grown:+.0f} MB"
        met = not notes.failures and not wrong and waited <= longest and grown <= 40
        goal = "no error, no wrong picture, 95 % within 2.5 × visitors / rate, at most +40 MB"
        rows.append(Row("C1", f"{count} visitors draw without a pause for {seconds:.0f} s", goal, found, met))
    return rows


async def timed_draw(url: str, address: str = "10.0.2.1") -> float:
    """Seconds of a visitor who opens the page, from then to the pictures of new seeds; infinite where that fails."""
    visitor = Visitor(url, Notes(), address)
    try:
        await visitor.open()
        began = time.monotonic()
        await visitor.go(f"?tab=sample&model={MODELS[0]}&seeds={random.randrange(10**6)}")
        return time.monotonic() - began
    except Failure:
        return float("inf")
    finally:
        await visitor.close()


async def at_once(url: str, count: int) -> tuple[list[float], list[str]]:
    """`count` windows that open in the same moment: the seconds of those that were served, and what the others were told."""

    async def one(number: int) -> tuple[float, str]:
        visitor, began = Visitor(url, Notes(), f"10.0.3.{number % 250}"), time.monotonic()
        try:
            await visitor.open()
            return time.monotonic() - began, ""
        except Failure as failure:
            return time.monotonic() - began, str(failure)
        except httpx.HTTPError as error:
            return time.monotonic() - began, type(error).__name__  # too short for a sentence
        finally:
            await visitor.close()

    outcomes = await asyncio.gather(*map(one, range(count)))
    return [seconds for seconds, words in outcomes if not words], [words for _, words in outcomes if words]


async def abandon(url: str, count: int) -> None:
    """Put walks of 120 frames into the line, each in a window of its own, and leave without listening."""
    visitor = Visitor(url, Notes(), "10.0.4.1")
    await visitor.open()
    number = next(number for number, call in visitor.calls.items() if call["api_name"] == "interpolate")
    for place in range(count):
        values = ["spade-facades", "3, 14, 15", "slerp", 120, "own", True]
        body = {"data": values, "fn_index": number, "session_hash": f"left{place:03d}"}
        await visitor.client.post(f"{url}/gradio_api/queue/join", json=body)
    await visitor.close()


def c2(server: Server, count: int) -> list[Row]:
    """Many at once, and what those leave behind who do not stay."""
    before = statistics.median(asyncio.run(timed_draw(server.url)) for _ in range(3))
    served, words = asyncio.run(at_once(server.url, count))
    time.sleep(5)
    after = asyncio.run(timed_draw(server.url))
    wordless = sum(len(each) < 20 for each in words)
    found = f"{len(served)} served, the last after {max(served):.1f} s; {len(words)} refused, {wordless} without a sentence; "
    found += f"5 s later a drawing takes {after:.2f} s (before: {before:.2f} s)"
    goal = "all served, or told so in a sentence; 5 s later as before"
    rows = [
        Row(
            "C2",
            f"{count} windows open in the same moment",
            goal,
            found,
            not wordless and after <= max(1.0, 3 * before),
        )
    ]
    asyncio.run(abandon(server.url, 50))
    waited = asyncio.run(timed_draw(server.url))
    goal = "the next visitor waits at most 10 s"
    rows.append(
        Row(
            "C2",
            "50 long calls to which no one listens",
            goal,
            f"{waited:.2f} s",
            waited <= 10,
        )
    )
    return rows


async def interleaved(url: str, sessions: int, actions: int) -> tuple[int, int]:
    """Sessions that act in turns on one model: drawings, and those whose answer or address was not the one asked for."""
    notes, wrong, done = Notes(), 0, 0
    reference: dict[int, tuple[str, ...]] = {}
    visitors = [Visitor(url, notes, f"10.0.5.{number}") for number in range(sessions)]
    await asyncio.gather(*(visitor.open() for visitor in visitors))

    async def act(number: int, visitor: Visitor, turn: int) -> None:
        nonlocal wrong, done
        first = (number * 7 + turn) % 40
        visitor.pictures = []
        await visitor.go(f"?tab=sample&model={MODELS[0]}&seeds={first}-{first + 3}")
        drawn = tuple(visitor.pictures[:4])
        shown = visitor.values[visitor.named["address"]]
        done += 1
        wrong += reference.setdefault(first, drawn) != drawn or f"seeds={first}-{first + 3}" not in shown

    for turn in range(actions):
        await asyncio.gather(*(act(number, visitor, turn) for number, visitor in enumerate(visitors)))
    await asyncio.gather(*(visitor.close() for visitor in visitors))
    return done, wrong + len(set(reference)) - len(set(reference.values()))


def c5(server: Server, sessions: int, actions: int) -> list[Row]:
    """Whether a session ever gets what another asked for."""
    done, wrong = asyncio.run(interleaved(server.url, sessions, actions))
    what = f"{sessions} sessions × {actions} interleaved actions"
    return [
        Row(
            "C5",
            what,
            "each gets its own pictures and address",
            f"{done} actions, {wrong} of them another's",
            wrong == 0,
        )
    ]

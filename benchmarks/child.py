"""The page in the hands of a child: `python benchmarks/child.py [--models …] [--tabs …]`; wants Chromium and playwright.

A visitor who reads nothing opens every tab with every model, moves every slider to both ends and presses every button, twice and
faster than the answers come. Wrong are: an error in the browser's log or the server's, a message in the corner of the screen, a
picture's place without a picture, words in the color of their ground, a veil that does not go away, and a sentence that is not of
the page. Each is printed, with a picture of the window in the folder of `--pictures`; the exit code is their number, 100 at most.
"""

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import TimeoutError as Late
from visitors import Server

from gan_hub.demo import models
from gan_hub.demo.tabs import TABS
from gan_hub.demo.texts import TEXTS

PATIENCE = 60_000  # milliseconds until the veil has to be gone
MOST_PRESSES = 60  # of a tab, in one pass
MOST_ALIKE = 3  # buttons of one kind, such as the pictures of a grid, that are pressed
BETWEEN = 40  # milliseconds between two presses
ALIEN = re.compile(r"\b(undefined|NaN|None|null|Traceback|\w*Error|\[object)\b")

# Moves what can be moved of a tab to one end: ranges as a finger does, with the events that components listen to.
MOVE = """([tab, end]) => {
    for (const range of document.querySelectorAll(`#tab-${tab} input[type=range]`)) {
        if (!range.offsetParent) continue;
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(range, range[end]);
        for (const name of ["input", "change"]) range.dispatchEvent(new Event(name, { bubbles: true }));
        range.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
    }
}"""
# Presses the first button, of a tab or of its open large view, that was not pressed yet: its kind and what it says, or null.
PRESS = """([tab, pressed, alike, backwards]) => {
    const place = document.querySelector("dialog[open]") || document.getElementById("tab-" + tab);
    const all = [...place.querySelectorAll("button, input[type=radio], input[type=checkbox], [role=slider]")]
        .filter((each) => each.offsetParent && !each.disabled && !each.closest("[data-pick-model], .upload-container"));
    const key = (each) => [each.parentElement.className + " " + each.className.replace(/active|pressed|selected/g, ""),
        (each.innerText || each.ariaLabel || each.id || each.value).slice(0, 40)];
    const done = (kind, name) => pressed.some((each) => each[0] === kind && each[1] === name)
        || pressed.filter((each) => each[0] === kind).length >= alike;
    const button = (backwards ? all.reverse() : all).find((each) => !done(...key(each)));
    if (!button) return null;
    const found = key(button);
    button.click();
    return found;
}"""
# Pictures and sentences of a tab as they stand.
STATE = """(tab) => {
    const place = document.getElementById("tab-" + tab), seen = (each) => each.offsetParent !== null;
    const images = [...place.querySelectorAll("img")].filter(seen);
    return {
        busy: place.ariaBusy === "true",
        broken: images.filter((each) => each.complete && !each.naturalWidth).map((each) => each.outerHTML.slice(0, 120)),
        empty: [...place.querySelectorAll(".pictures")].filter((each) => seen(each) && !each.children.length)
            .map((each) => each.closest("[id]").id),
        unseen: [...place.querySelectorAll("a, button")].filter(seen).filter((each) => each.innerText.trim()
            && getComputedStyle(each).color === getComputedStyle(each).backgroundColor).map((each) => each.innerText),
        toasts: [...document.querySelectorAll(".toast-body")].map((each) => each.innerText),
        notes: [...place.querySelectorAll(".note-line")].filter(seen).map((each) => each.innerText.trim()),
        text: place.innerText,
    };
}"""


def is_ours(sentence: str) -> bool:
    """Whether a sentence begins with one of the page's own, "name number" or "A: name"; names may follow, set off by dots."""
    known = [re.compile(re.sub(r"\\{\w*\\}", ".+", re.escape(text)), re.DOTALL) for text in TEXTS["en"].values()]
    known += [re.compile(r"[\w −-]+ −?-?[\d.]+"), re.compile("[ABC]: .+")]
    parts = sentence.split(" · ")
    starts = [" · ".join(parts[: count + 1]) for count in range(len(parts))]
    return any(pattern.fullmatch(start) for pattern in known for start in starts)


class Child:
    """One window of a visitor who presses everything, and what went wrong in it."""

    def __init__(self, browser: Browser, url: str, log: Path, pictures: Path) -> None:
        """Open a window; `log` is the server's, `pictures` the folder for what goes wrong."""
        self.url, self.log, self.pictures, self.read = url, log, pictures, 0
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
        self.logged: list[str] = []
        self.faults = 0

    def visit(self, model: str, tab: str) -> None:
        """Open a tab with a model and press what it has, forwards and backwards."""
        page = self.context.new_page()
        page.on(
            "console",
            lambda message: self.logged.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: self.logged.append(str(error)))
        page.goto(f"{self.url}/?model={model}&tab={tab}")
        self._look(page, model, tab, "opened")
        for backwards in (False, True):
            page.evaluate(MOVE, [tab, "min"])
            page.wait_for_timeout(BETWEEN)
            page.evaluate(MOVE, [tab, "max"])
            pressed = self._press_all(page, tab, backwards)
            self._look(page, model, tab, f"after {pressed}")
        page.close()

    def _press_all(self, page: Page, tab: str, backwards: bool) -> list[str]:
        pressed: list[list[str]] = []
        while len(pressed) < MOST_PRESSES:
            button = page.evaluate(PRESS, [tab, pressed, MOST_ALIKE, backwards])
            if button is None and page.locator("dialog[open]").count() == 0:
                break
            if button is None:
                page.keyboard.press("Escape")
            else:
                pressed.append(button)
            page.wait_for_timeout(BETWEEN)
        page.keyboard.press("Escape")
        return [name for _, name in pressed]

    def _look(self, page: Page, model: str, tab: str, when: str) -> None:
        """Wait until all is quiet, and print what is wrong."""
        wrong = []
        try:
            page.wait_for_function(
                "(tab) => document.getElementById('tab-' + tab)?.ariaBusy === 'false'", arg=tab, timeout=PATIENCE
            )
        except Late:
            wrong.append("the veil does not go away")
        for stop in page.locator(f"#tab-{tab} :is([id$=pause], [id$=stop]):visible:not(:disabled)").all():
            stop.click()
        page.wait_for_timeout(400)
        state = page.evaluate(STATE, tab)
        wrong += [f"{kind}: {each}" for kind in ("broken", "empty", "unseen", "toasts") for each in state[kind]]
        wrong += [f"not ours: {note}" for note in state["notes"] if not is_ours(note)]
        wrong += [f"odd word: {line}" for line in state["text"].splitlines() if ALIEN.search(line)]
        wrong += [f"browser: {message}" for message in self.logged] + [f"server: {line}" for line in self._new_lines()]
        self.logged.clear()
        if wrong:
            self.faults += len(wrong)
            name = f"{model}-{tab}-{when.split()[0]}-{self.faults}.png"
            page.screenshot(path=self.pictures / name)
            print(f"{model} · {tab} · {when}", *wrong, name, sep="\n    ", flush=True)

    def _new_lines(self) -> Iterable[str]:
        text = self.log.read_text(encoding="utf-8")
        new, self.read = text[self.read :], len(text)
        return [line for line in new.splitlines() if line.strip()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Let the child play; the number of faults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=[*models.offered_models()], metavar="NAME")
    parser.add_argument("--tabs", nargs="*", default=[*TABS], metavar="NAME")
    parser.add_argument("--pictures", type=Path, default=Path(tempfile.gettempdir()) / "child", metavar="FOLDER")
    args = parser.parse_args(arguments)
    args.pictures.mkdir(parents=True, exist_ok=True)
    log = args.pictures / "server.log"
    with log.open("w", encoding="utf-8") as file, sync_playwright() as playwright:
        server = Server(log=file).wait()
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        child = Child(browser, server.url, log, args.pictures)
        try:
            for tab in args.tabs:
                for model in args.models if TABS[tab].follows_model else args.models[:1]:
                    began = time.monotonic()
                    child.visit(model, tab)
                    print(f"{model} · {tab}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        finally:
            browser.close()
            server.stop()
    print(f"{child.faults} faults")
    return min(child.faults, 100)


if __name__ == "__main__":
    sys.exit(main())

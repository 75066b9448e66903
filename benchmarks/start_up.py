"""What starting costs, each figure the median of several fresh processes: `python benchmarks/start_up.py [--rounds N]`

Prints a table in Markdown: seconds by the clock and of the processor, on two threads of torch, beside the goals by the clock
of a machine that is otherwise idle. On a busy one the clock says little, and two threads spend the processor on waiting for
each other; there, the processor's seconds with OMP_NUM_THREADS=1 are what compares. With Debian's Chromium and Playwright
installed a browser opens the page as well. Some minutes.
"""

import argparse
import importlib.util
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
THREADS = "2"
BROWSER = "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update"
# Waits in the page for the first picture of the gallery, and answers with the milliseconds since the address was opened.
PICTURE = """() => new Promise((done) => { const look = () => {
    const shown = [...document.querySelectorAll("#sample-gallery img")].some((each) => each.complete && each.naturalWidth);
    shown ? done(performance.now()) : setTimeout(look, 10);
}; look(); })"""
FIRST_IMAGE = """
import sys, time
from gan_hub import GANPipeline
clock, processor = time.perf_counter(), time.process_time()
GANPipeline.from_pretrained(sys.argv[1])(seeds=[3])
print(time.perf_counter() - clock, time.process_time() - processor)
"""
WHOLE = "from gan_hub import GANPipeline; GANPipeline.from_pretrained('dcgan-fashion-mnist')(seeds=[3])"


class Seconds(NamedTuple):
    """What one start took."""

    clock: float
    processor: float


class Row(NamedTuple):
    """One line of the table; `goal` in seconds by the clock, None where there is none."""

    name: str
    clock: float
    processor: float
    goal: float | None


def environment() -> dict[str, str]:
    """That of a person without a connection, with two threads where OMP_NUM_THREADS says nothing."""
    return {"OMP_NUM_THREADS": THREADS} | os.environ | {"HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}


def run(*arguments: str) -> Seconds:
    """A Python process with these arguments, from its start to its end."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"python {' '.join(arguments)} failed")
    return Seconds(time.perf_counter() - begun, usage.ru_utime + usage.ru_stime)


def beyond(code: str, before: str) -> Seconds:
    """What `code` costs more than `before`, of one process each."""
    return Seconds(*(max(more - less, 0) for more, less in zip(run("-c", code), run("-c", before), strict=True)))


def first_image(model: str) -> Seconds:
    """From a model's files to its first image, in a process that has imported the package."""
    command = [sys.executable, "-c", FIRST_IMAGE, model]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    return Seconds(*map(float, done.stdout.split()))


def answer(visit: Callable[[str], Seconds] | None = None) -> Seconds:
    """From `python app.py` until the page answers; or what `visit` measures of the page that does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    begun, url = time.perf_counter(), f"http://127.0.0.1:{port}/"
    process = subprocess.Popen([sys.executable, "app.py", "--port", port], cwd=ROOT, env=environment(),
                               stdout=subprocess.DEVNULL)  # fmt: skip
    visited: Seconds | None = None
    try:
        while process.poll() is None:
            try:
                with urllib.request.urlopen(url) as page:
                    page.read()
                break
            except OSError:
                time.sleep(0.02)
        took = time.perf_counter() - begun
        visited = None if visit is None else visit(url)
    finally:
        process.kill()
        usage = os.wait4(process.pid, 0)[2]
    return visited or Seconds(took, usage.ru_utime + usage.ru_stime)


def look(url: str) -> Seconds:
    """From opening the page in a browser that was never there to its first picture; the processor is that of both."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER.split())
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url, wait_until="commit")
        milliseconds = page.evaluate(PICTURE)
        browser.close()
    return Seconds(milliseconds / 1000, float("nan"))


def measures() -> dict[str, tuple[Callable[[], Seconds], float | None]]:
    """What is measured → how, and the goal."""
    from gan_hub.hub.resolve import bundled_models

    def help_of(*command: str) -> Callable[[], Seconds]:
        return lambda: run("-m", "gan_hub.cli", *command)

    made: dict[str, tuple[Callable[[], Seconds], float | None]] = {
        "`import gan_hub`, beyond Python": (lambda: beyond("import gan_hub", "pass"), 0.05),
        "`gan-hub --help`": (help_of("--help"), 0.2),
        "`gan-hub --version`": (help_of("--version"), 0.2),
        "`gan-hub sample --help`": (help_of("sample", "--help"), 0.2),
        "`gan-hub train --help`": (help_of("train", "--help"), None),  # lists what torch's rooms have registered
        "`gan-hub list`": (help_of("list"), 0.2),
        "`import torch`": (lambda: run("-c", "import torch"), None),
        "`from gan_hub import GANPipeline`": (lambda: run("-c", "from gan_hub import GANPipeline"), None),
        "a whole process that loads `dcgan-fashion-mnist` and draws": (lambda: run("-c", WHOLE), None),
    }
    for name in bundled_models():
        made[f"`{name}` from its files to an image"] = (lambda name=name: first_image(name), 0.5)
    made["`python app.py` until it answers"] = (answer, 5.0)
    if shutil.which("chromium") and importlib.util.find_spec("playwright"):
        made["then the first picture, in a browser that is new"] = (lambda: answer(look), 3.0)
    return made


def rows(rounds: int = 3, only: str = "") -> list[Row]:
    """Measure everything once a round, one after the other.

    Args:
        rounds: fresh processes of each kind.
        only: leaves out what does not have this text in its name.

    Returns:
        a row for each, with the medians.
    """
    chosen = {name: measure for name, measure in measures().items() if only in name}
    seen: dict[str, list[Seconds]] = {name: [] for name in chosen}
    for _ in range(rounds):
        for name, (measure, _) in chosen.items():
            seen[name].append(measure())
    return [
        Row(
            name,
            statistics.median(each.clock for each in seen[name]),
            statistics.median(each.processor for each in seen[name]),
            goal,
        )
        for name, (_, goal) in chosen.items()
    ]


def table(lines: Sequence[Row]) -> str:
    """The rows in Markdown."""
    head = ["| start | seconds | of the processor | goal |", "|---|---:|---:|---:|"]
    cells = [
        (
            row.name,
            f"{row.clock:.2f}",
            "" if row.processor != row.processor else f"{row.processor:.2f}",
            "" if row.goal is None else f"{row.goal:g}",
        )
        for row in lines
    ]
    return "\n".join([*head, *(f"| {' | '.join(each)} |" for each in cells)])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="fresh processes of each kind (3)")
    parser.add_argument("--only", default="", help="measure only what has this text in its name, as 'import'")
    options = parser.parse_args()
    print(table(rows(options.rounds, options.only)))


if __name__ == "__main__":
    main()

"""Every bundled model as ONNX, and some as pages: `python -m benchmarks.exports [--pages NAME ...] [--runtime download]`

Prints a table in Markdown: bytes of the generator's files, the largest difference of an image from the model's in ONNX
Runtime, and of the models of --pages the median time of a picture in Debian's Chromium, by ONNX Runtime Web in one thread.
Some minutes; Playwright is needed for the pages alone.
"""

import argparse
import functools
import http.server
import shutil
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_hub import GANPipeline, list_models
from gan_hub.exporting import OnnxExport, export_onnx, export_web

PAGES = ("dcgan-fashion-mnist", "stylegan2-cats-64", "r3gan-cats-64")
PICTURES = 40
BROWSER = "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update"
# Milliseconds of each of some pictures, after the sheet's 24 have warmed up what they take.
MEASURE = """async (count) => {
    const times = [];
    for (let seed = 0; seed < count; seed++) {
        const began = performance.now();
        await page.generator.draw(zOf(seed), conditionOf(seed), 1);
        times.push(performance.now() - began);
    }
    return times;
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Hands out files and prints nothing."""

    def log_message(self, *arguments):
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a plain server of a folder's files."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def milliseconds(folder: Path) -> list[float]:
    """What each of some pictures takes in a browser."""
    from playwright.sync_api import sync_playwright

    with served(folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER.split())
        page = browser.new_page()
        page.goto(address)
        drawn = "document.querySelectorAll('#sheet [data-drawn]').length === 24"
        page.wait_for_function(drawn, timeout=120_000)
        times = page.evaluate(MEASURE, PICTURES)
        browser.close()
        return times


def row(name: str, export: OnnxExport, times: list[float]) -> str:
    """A line of the table."""
    sizes = " + ".join(f"{size:,}" for size in export.files.values())
    spread = f"{min(times):.1f} to {max(times):.1f}" if times else ""
    time = f"{statistics.median(times):.1f} ({spread})" if times else ""
    return f"| {name} | {sizes} | {export.differences['generator']:.0e} | {time} |"


def main() -> None:
    """Print the table, line by line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", nargs="*", default=PAGES, help="the models that are also drawn in a browser")
    parser.add_argument("--runtime", default="download", help="ONNX Runtime Web, as of `gan-hub export --to web`")
    parser.add_argument("--models", nargs="*", default=[model.name for model in list_models()])
    args = parser.parse_args()
    print("| model | bytes | largest difference | ms a picture in the browser |\n|---|---|---|---|")
    for name in args.models:
        pipe = GANPipeline.from_pretrained(name, discriminator=None)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "out"
            if name in args.pages:
                export = export_web(pipe, folder, name=name, runtime=args.runtime)
                print(row(name, export, milliseconds(folder)), flush=True)
            else:
                print(row(name, export_onnx(pipe, folder, name=name), []), flush=True)


if __name__ == "__main__":
    main()

"""Every bundled model as ONNX and as a page: `python -m benchmarks.exports [--models NAME ...] [--write]`

Prints a table in Markdown: bytes of the generator's files, their operators' version, the largest difference of an image
from the model's in ONNX Runtime, and the time of a picture in Debian's Chromium, by ONNX Runtime Web in one thread.
`--write` puts it into docs/howto/export.md. Some minutes; without Playwright, `--pages` with no name leaves the browser out.
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

HEADER = "| model | bytes | opset | largest difference | ms a picture in the browser: fastest (median) |\n|---|---|---|---|---|"
GUIDE = Path(__file__).resolve().parents[1] / "docs" / "howto" / "export.md"
BEGIN, END = "<!-- exports: begin -->", "<!-- exports: end -->"
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

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


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
    """A line of the table.

    Args:
        name: the model's.
        export: what was written.
        times: milliseconds of pictures in the browser, or none.

    Returns:
        Markdown.
    """
    sizes = " + ".join(f"{size:,}" for size in export.files.values())
    time = f"{min(times):.1f} ({statistics.median(times):.1f})" if times else ""
    return f"| {name} | {sizes} | {export.opset} | {export.differences['generator']:.0e} | {time} |"


def write(rows: list[str]) -> None:
    """Put the table into the guide, in place of the one that is there."""
    before, _, rest = GUIDE.read_text(encoding="utf-8").partition(BEGIN)
    table = "\n".join([BEGIN, HEADER, *rows, END])
    GUIDE.write_text(before + table + rest.partition(END)[2], encoding="utf-8")


def main() -> None:
    """Print the table, line by line."""
    names = [model.name for model in list_models()]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="*", default=names, help="all by default")
    parser.add_argument(
        "--pages", nargs="*", default=names, help="those that are also drawn in a browser; all by default"
    )
    parser.add_argument("--runtime", default="download", help="ONNX Runtime Web, as of `gan-hub export --to web`")
    parser.add_argument("--write", action="store_true", help=f"put the table into {GUIDE.name}")
    args, rows = parser.parse_args(), []
    print(HEADER)
    for name in args.models:
        pipe = GANPipeline.from_pretrained(name, discriminator=None)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "out"
            if name in args.pages:
                export = export_web(pipe, folder, name=name, runtime=args.runtime)
                rows.append(row(name, export, milliseconds(folder)))
            else:
                rows.append(row(name, export_onnx(pipe, folder, name=name), []))
        print(rows[-1], flush=True)
    if args.write:
        write(rows)


if __name__ == "__main__":
    main()

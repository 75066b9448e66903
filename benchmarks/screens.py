"""The pictures of the page for the README: `python benchmarks/screens.py [PICTURE …]`, a minute; wants Chromium and playwright.

Opens each of SCREENS in a real browser and writes docs/screens/PICTURE.webp.
"""

import argparse
import io
import re
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, ViewportSize, sync_playwright
from visitors import Server

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "screens"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
DESK, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
QUALITY = 80  # of WebP, where letters are still sharp
# name → link, size of the window, and the browser's language.
SCREENS = {
    "sample": ("?tab=sample&model=r3gan-cats-64", DESK, "en-US"),
    "explore": ("?tab=explore&model=r3gan-avatars-64", DESK, "en-US"),
    "interpolate": ("?tab=interpolate&model=r3gan-cats-64", DESK, "en-US"),
    "arithmetic": ("?tab=arithmetic&model=r3gan-avatars-64", DESK, "en-US"),
    "game": ("?tab=game&model=dcgan-fashion-mnist", DESK, "en-US"),
    "paint": ("?tab=paint&model=spade-facades", DESK, "en-US"),
    "watch": ("?tab=watch&model=dcgan-fashion-mnist", DESK, "en-US"),
    "phone-dark-pt": ("?tab=sample&model=r3gan-avatars-64&__theme=dark", PHONE, "pt-BR"),
}


def shoot(browser: Browser, url: str, name: str) -> Path:
    """Write one picture.

    Args:
        browser: a running one.
        url: of the page.
        name: one of SCREENS.

    Returns:
        The file.
    """
    link, size, locale = SCREENS[name]
    context = browser.new_context(viewport=size, locale=locale)
    window = context.new_page()
    window.goto(url + "/" + link)
    tab = re.search(r"tab=(\w+)", link)
    assert tab is not None
    window.wait_for_function("(tab) => document.getElementById('tab-' + tab)?.ariaBusy === 'false'", arg=tab[1])
    window.wait_for_timeout(1500)
    path = FOLDER / f"{name}.webp"
    with Image.open(io.BytesIO(window.screenshot())) as image:
        image.convert("RGB").save(path, quality=QUALITY, method=6)
    context.close()
    return path


def main() -> None:
    """Write the pictures that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", default=[*SCREENS], metavar="PICTURE", help="by default all of them")
    names = parser.parse_args().pictures
    FOLDER.mkdir(exist_ok=True)
    server = Server().wait()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
            for name in names:
                path = shoot(browser, server.url, name)
                print(f"{path.relative_to(FOLDER.parents[1])}: {path.stat().st_size // 1000} kB", file=sys.stderr)
            browser.close()
    finally:
        server.stop()


if __name__ == "__main__":
    main()

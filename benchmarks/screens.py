"""Pictures of the page for the README: `python benchmarks/screens.py [PICTURE …]`, two minutes; wants Chromium and playwright.

Opens each of SCREENS in a real browser and writes docs/screens/PICTURE.webp.
"""

import argparse
import io
import re
import shutil
import sys
from dataclasses import dataclass, field
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
PATIENCE = 400_000  # milliseconds for a training on a busy machine
STEPS = "Number(document.querySelector('[data-figure={}_steps]')?.textContent) > {}"
QUALITY = 80  # of WebP, where letters are still sharp


@dataclass(frozen=True)
class Screen:
    """What is shown: a link, and what is pressed and waited for before the picture is taken."""

    link: str
    press: tuple[str, ...] = ()  # selectors of buttons, one after the other
    until: str = "true"  # JavaScript: what has to hold then
    size: ViewportSize = field(default_factory=lambda: DESK)
    locale: str = "en-US"
    from_the_top: bool = False  # with the page's head, or from the tabs on


SCREENS = {
    "sample": Screen("?tab=sample&model=r3gan-cats-64&seeds=1-3,5-7,9-11,13,15-20", from_the_top=True),
    "explore": Screen("?tab=explore&model=r3gan-avatars-64"),
    "interpolate": Screen("?tab=interpolate&model=r3gan-cats-64&seeds=3,14,15,92"),
    "arithmetic": Screen("?tab=arithmetic&model=r3gan-cats-64", until="document.querySelector('#equation .nine img')"),
    "paint": Screen("?tab=paint&model=spade-facades"),
    "game": Screen(
        "?tab=game&model=r3gan-avatars-64&difficulty=normal",
        ("#pick-left", "#why"),
        "document.querySelector('.card .heat') && !document.querySelector('#waiting:not([hidden])')",
    ),
    "watch": Screen("?tab=watch&model=dcgan-mnist"),
    "train": Screen("?tab=train&side=16", ("#train-start",), STEPS.format("train", 1200)),
    "phone-dark-pt": Screen(
        "?tab=sample&model=r3gan-avatars-64&__theme=dark", size=PHONE, locale="pt-BR", from_the_top=True
    ),
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
    screen = SCREENS[name]
    context = browser.new_context(viewport=screen.size, locale=screen.locale)
    window = context.new_page()
    window.goto(url + "/" + screen.link)
    tab = re.search(r"tab=(\w+)", screen.link)
    assert tab is not None
    window.wait_for_function("(tab) => document.getElementById('tab-' + tab)?.ariaBusy === 'false'", arg=tab[1])
    for selector in screen.press:
        window.locator(f"{selector}:not([disabled])").click()
    window.wait_for_function(screen.until, timeout=PATIENCE)
    if not screen.from_the_top:
        window.evaluate("scrollBy(0, document.querySelector('.levels').getBoundingClientRect().top - 12)")
    window.wait_for_timeout(1500)  # films start, and what has changed fades in
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

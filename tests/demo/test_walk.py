"""Every tab in a real browser, in both languages, light and dark, on a desk and on a phone.

Nothing may be logged as an error or a warning, fetched from elsewhere, wider than the screen, or shown as a raw key; and axe-core
finds nothing that is serious or critical.
"""

from pathlib import Path

import axe_playwright_python
import pytest

from gan_hub.demo.tabs import TABS
from gan_hub.demo.texts import TEXTS
from tests.demo.conftest import Tab

pytestmark = pytest.mark.browser
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
SIZES = {"desk": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
# The first four show every pair of language, theme and size.
WALKS = [("en", "light", "desk"), ("en", "dark", "phone"), ("pt", "light", "phone"), ("pt", "dark", "desk")] + [
    ("en", "light", "phone"),
    ("en", "dark", "desk"),
    ("pt", "light", "desk"),
    ("pt", "dark", "phone"),
]
LOCALES = {"en": "en-US", "pt": "pt-BR"}
RAW_KEYS = """() => [document.body, ...document.querySelectorAll("body *")]
    .filter(node => !["SCRIPT", "STYLE"].includes(node.tagName))
    .flatMap(node => [...node.childNodes].filter(child => child.nodeType === 3).map(child => child.data)
        .concat([...node.attributes].map(attribute => attribute.value)))
    .filter(text => text.includes("__i18n__") || /^~[a-z_]+$/.test(text.trim()))"""
VIOLATIONS = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`))"""


def faults(page) -> list[str]:
    """What is wrong with what a window shows just now."""
    found = [f"raw key: {text[:80]}" for text in page.evaluate(RAW_KEYS)]
    width, screen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    found += [f"{width} pixels wide on a screen of {screen}"] if width > screen else []
    return found + page.evaluate(VIOLATIONS)


@pytest.mark.parametrize(("language", "theme", "size"), WALKS)
def test_every_tab_is_whole(browser, server, shown_model, language, theme, size):
    tab = Tab(browser, server.url, shown_model, f"&__theme={theme}", SIZES[size], LOCALES[language])
    page, wrong = tab.page, {}
    assert page.evaluate("document.documentElement.lang").startswith(language)
    page.evaluate(AXE)
    for name in TABS:
        tab.open(name)
        page.wait_for_timeout(250)  # the veil fades, which axe would measure
        wrong[name] = faults(page)
        tab.shoot(f"{name}-{language}-{theme}-{size}")
    page.get_by_text(TEXTS[language]["about"]).click()
    page.get_by_text(TEXTS[language]["whole_card"]).click()
    wrong["about"] = faults(page)
    tab.shoot(f"about-{language}-{theme}-{size}")
    wrong["log"] = tab.wrong
    tab.context.close()
    listed = [f"{name}: {fault}" for name, of_tab in wrong.items() for fault in of_tab]
    assert not listed, "\n".join(listed)

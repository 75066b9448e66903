"""The tabs of the page on two levels: what visitors create, and what they learn. A new tab is a folder here and a line below."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs import arithmetic, game, interpolate, paint, plane, sample, style, train, watch, yours

LEVELS: dict[str, tuple[Tab, ...]] = {
    "create": (sample.TAB, interpolate.TAB, arithmetic.TAB, paint.TAB, yours.TAB),
    "learn": (game.TAB, watch.TAB, train.TAB, plane.TAB, style.TAB),
}
TABS = {tab.name: tab for tabs in LEVELS.values() for tab in tabs}

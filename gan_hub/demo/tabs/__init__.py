"""The tabs of the page on two levels: what visitors create, and what they learn. A new tab is a folder here and a line below."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs import arithmetic, game, interpolate, sample

LEVELS: dict[str, tuple[Tab, ...]] = {
    "create": (sample.TAB, interpolate.TAB, arithmetic.TAB),
    "learn": (game.TAB,),
}
TABS = {tab.name: tab for tabs in LEVELS.values() for tab in tabs}

"""The tab "Explore": a plane of pictures to move over, between three of them or along two concepts."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.explore.calls import CALLS
from gan_hub.demo.tabs.explore.handlers import LINK_KEYS, fill
from gan_hub.demo.tabs.explore.layout import build

TAB = Tab("explore", build, LINK_KEYS, fill, calls=CALLS)

"""The tab "Interpolate": a walk from seed to seed."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.interpolate.calls import CALLS
from gan_hub.demo.tabs.interpolate.handlers import LINK_KEYS, fill
from gan_hub.demo.tabs.interpolate.layout import build

TAB = Tab("interpolate", build, LINK_KEYS, fill, calls=CALLS)

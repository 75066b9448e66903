"""The tab "Two dimensions": games over points of the plane, played in seconds, with what the best discriminator would say."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.plane.calls import CALLS
from gan_hub.demo.tabs.plane.handlers import LINK_KEYS, fill
from gan_hub.demo.tabs.plane.layout import build

TAB = Tab("plane", build, LINK_KEYS, fill, follows_model=False, calls=CALLS, long_calls={"plane"})

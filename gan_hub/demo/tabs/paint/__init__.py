"""The tab "Paint": a map of classes → the picture that a model draws from it."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.paint.calls import CALLS
from gan_hub.demo.tabs.paint.handlers import LINK_KEYS, can_paint, fill
from gan_hub.demo.tabs.paint.layout import build

TAB = Tab("paint", build, LINK_KEYS, fill, can_paint, calls=CALLS)

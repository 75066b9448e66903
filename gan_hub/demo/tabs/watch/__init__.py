"""The tab "Watch it train": the time-lapse of a model's training with its curves on one slider."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.watch.calls import CALLS
from gan_hub.demo.tabs.watch.handlers import LINK_KEYS, fill, was_watched
from gan_hub.demo.tabs.watch.layout import build

TAB = Tab("watch", build, LINK_KEYS, fill, was_watched, calls=CALLS)

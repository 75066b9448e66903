"""The tab "Sample": seeds → pictures."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.sample.calls import CALLS
from gan_hub.demo.tabs.sample.handlers import LINK_KEYS, OLD_LINK_KEYS, fill
from gan_hub.demo.tabs.sample.layout import build

TAB = Tab("sample", build, LINK_KEYS, fill, old_link_keys=OLD_LINK_KEYS, calls=CALLS)

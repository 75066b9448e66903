"""The tab "Sample": seeds → pictures."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.sample.handlers import LINK_KEYS, fill
from gan_hub.demo.tabs.sample.layout import build

TAB = Tab("sample", build, LINK_KEYS, fill)

"""The tab "Style": the content of one picture in the style of another."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.style.handlers import LINK_KEYS, fill
from gan_hub.demo.tabs.style.layout import build

TAB = Tab("style", build, LINK_KEYS, fill, follows_model=False)

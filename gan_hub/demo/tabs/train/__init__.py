"""The tab "Train one": a generative adversarial network of faces, born before the visitor's eyes."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.train.calls import CALLS
from gan_hub.demo.tabs.train.handlers import LINK_KEYS, fill
from gan_hub.demo.tabs.train.layout import build

TAB = Tab("train", build, LINK_KEYS, fill, follows_model=False, calls=CALLS, long_calls={"train"})

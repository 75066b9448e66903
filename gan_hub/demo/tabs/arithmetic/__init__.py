"""The tab "Arithmetic": mean(A) − mean(B) + mean(C)."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.arithmetic.calls import CALLS
from gan_hub.demo.tabs.arithmetic.layout import build
from gan_hub.demo.tabs.arithmetic.links import LINK_KEYS, fill

TAB = Tab("arithmetic", build, LINK_KEYS, fill, calls=CALLS)

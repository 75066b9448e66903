"""The tab "Arithmetic": mean(A) − mean(B) + mean(C)."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.arithmetic.handlers import LINK_KEYS, fill
from gan_hub.demo.tabs.arithmetic.layout import build

TAB = Tab("arithmetic", build, LINK_KEYS, fill)

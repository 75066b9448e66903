"""The tab "Real or fake?": the player against the discriminator."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.game.layout import build

TAB = Tab("game", build)

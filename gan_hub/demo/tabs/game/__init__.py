"""The tab "Real or fake?": the player against the discriminator."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.game.calls import CALLS
from gan_hub.demo.tabs.game.handlers import LINK_KEYS, fill
from gan_hub.demo.tabs.game.layout import build
from gan_hub.demo.tabs.game.material import is_playable

TAB = Tab("game", build, LINK_KEYS, fill, is_playable, calls=CALLS)

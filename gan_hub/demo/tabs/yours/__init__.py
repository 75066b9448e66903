"""The tab "Your image": a picture → the latent whose picture comes nearest to it, to be changed from there."""

from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs.yours.calls import CALLS
from gan_hub.demo.tabs.yours.handlers import LINK_KEYS, can_find, fill
from gan_hub.demo.tabs.yours.layout import build

TAB = Tab("yours", build, LINK_KEYS, fill, can_find, calls=CALLS, long_calls={"invert"})

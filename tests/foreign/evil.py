"""A module that says so when it is imported: a file may name it, and no reader may import it for that."""

import os
from pathlib import Path

NAME = "evil"
if "GAN_HUB_SENTINEL" in os.environ:
    Path(os.environ["GAN_HUB_SENTINEL"]).touch()

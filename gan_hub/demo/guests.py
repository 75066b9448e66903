"""Models of single visitors, beside those that the page offers: the newest of few, under names that cannot be guessed."""

import secrets
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from gan_hub.pipeline import GANPipeline

PREFIX = "yours-"  # of their names
MOST = 24  # that are kept, some 3 MB each


class Guests:
    """Pipelines by name, each with a folder of its own that goes when it goes.

    Example:
        >>> from gan_hub import GANPipeline
        >>> from gan_hub.demo.guests import Guests
        >>> guests = Guests(most=1)
        >>> name = guests.add(GANPipeline.from_pretrained("mlp-mnist").save_pretrained)
        >>> guests.find(name).latent_size, guests.find("yours-and-mine")
        (64, None)
    """

    def __init__(self, most: int = MOST) -> None:
        self.most, self.lock = most, threading.Lock()
        self.kept: OrderedDict[str, tuple[GANPipeline, tempfile.TemporaryDirectory]] = OrderedDict()

    def add(self, save: Callable[[Path], object]) -> str:
        """Keep what `save` writes into the folder that it is given, in place of what was used longest ago; returns its name."""
        name = PREFIX + secrets.token_hex(8)
        place = tempfile.TemporaryDirectory(prefix="gan_hub_", ignore_cleanup_errors=True)
        folder = Path(place.name) / name
        save(folder)
        pipe = GANPipeline.from_pretrained(folder)
        with self.lock:
            self.kept[name] = pipe, place
            while len(self.kept) > self.most:
                _, (_, oldest) = self.kept.popitem(last=False)
                oldest.cleanup()
        return name

    def drop(self, name: str | None) -> None:
        """Forget a model, if it is there."""
        with self.lock:
            _, place = self.kept.pop(name or "", (None, None))
        if place is not None:
            place.cleanup()

    def find(self, name: object) -> GANPipeline | None:
        """The pipeline of a name, or None where there is none any more."""
        with self.lock:
            if not isinstance(name, str) or name not in self.kept:
                return None
            self.kept.move_to_end(name)
            return self.kept[name][0]


GUESTS = Guests()

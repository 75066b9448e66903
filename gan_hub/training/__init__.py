"""Training a GAN, as a library: `train(TrainConfig(...))`, with callbacks. The only room that uses accelerate.

The public names are imported when they are first used, so that importing the room costs nothing.
"""

from gan_hub.imports import import_lazily

_HOMES = {
    "AlarmError": "gan_hub.training.monitors",
    "Callback": "gan_hub.training.callbacks",
    "StoppedError": "gan_hub.training.stopping",
    "TrainConfig": "gan_hub.training.config",
    "TrainContext": "gan_hub.training.callbacks",
    "train": "gan_hub.training.trainer",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    """PEP 562: a public name, imported when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gan_hub.training' has no attribute {name!r}")
    return getattr(import_lazily(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

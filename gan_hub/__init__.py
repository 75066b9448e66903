"""gan_hub: load, play with and train GANs. The public names; each is imported when it is first used."""

from importlib import import_module

from gan_hub import _moved

__version__ = "0.1.0"
_moved.install()

_HOMES = {
    "GANPipeline": "gan_hub.pipeline",
    "GANOutput": "gan_hub.pipeline",
    "LoadError": "gan_hub.model_folder.strict",
    "list_models": "gan_hub.hub.zoo",
    "TrainConfig": "gan_hub.training.config",
    "train": "gan_hub.training.trainer",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    """PEP 562: `import gan_hub` costs nothing; torch and diffusers are paid for by who uses them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gan_hub' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
